//! All integration tests: one program, so that it links once and shares one server.
#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

mod client;
mod doctor;
mod harness;
mod pty;
mod run;
mod server;
