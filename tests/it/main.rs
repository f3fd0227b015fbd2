//! All integration tests: one program, so that it links once and shares one server.
#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

mod attach;
mod calls;
mod client;
mod doctor;
mod events;
mod harness;
mod model;
mod pages;
mod pty;
mod replay;
mod run;
mod server;
mod tui;
mod usage;
