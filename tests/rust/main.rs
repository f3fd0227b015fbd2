//! All integration tests: one program, so that it links once and shares one server.
#![expect(clippy::unwrap_used, reason = "a test that fails says where")]
#![allow(clippy::field_reassign_with_default, reason = "a test says in order what it sets")]

mod attach;
mod calls;
mod client;
mod closing;
mod dialect;
mod discover;
mod doctor;
mod drift;
mod error;
mod events;
mod export;
mod fresh;
mod harness;
mod mistakes;
mod model;
mod network;
mod options;
mod pages;
mod pty;
mod ready;
mod replay;
mod retry;
mod run;
mod server;
mod threads;
mod tools;
mod tracing;
mod tui;
mod two;
mod usage;
mod wire;
mod with;
