//! Waiting for what another thread or process will do.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take before a test counts as hanging.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Calls `check` every five milliseconds until it gives a value.
///
/// # Panics
/// After [`LIMIT`], naming `what` was waited for.
pub fn eventually<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + LIMIT;
    loop {
        if let Some(value) = check() {
            return value;
        }
        assert!(Instant::now() < end, "waited {LIMIT:?} for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
