//! All integration tests: one program, so that it links once and shares one server.
#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

mod calls;
mod client;
mod doctor;
mod events;
mod harness;
mod model;
mod pages;
mod pty;
mod run;
mod server;
