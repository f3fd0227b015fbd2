//! Tests that count what their process has: threads, descriptors, memory. They run one after the other, with
//! nothing beside them.
#![expect(clippy::unwrap_used, reason = "a test that fails says where")]
#![allow(clippy::field_reassign_with_default, reason = "a test says in order what it sets")]

#[path = "../rust/client.rs"]
mod client;
mod crowd;
mod leaks;
mod pages;
mod poll;
mod process;
mod signals;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whoever counts holds it.
fn isolated() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
