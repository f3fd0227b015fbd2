//! [`Heard`]: when the server last said anything to this client.

use super::clock::{Millis, millis};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// The time of the last answer or event, by the engine's clock. Written by whoever hears something.
pub(super) struct Heard {
    began: Instant,
    at: AtomicU64,
}

impl Heard {
    pub(super) fn new(began: Instant) -> Self {
        Heard { began, at: AtomicU64::new(0) }
    }

    pub(super) fn mark(&self) {
        self.at.fetch_max(millis(self.began.elapsed()), Ordering::Relaxed);
    }

    pub(super) fn at(&self) -> Millis {
        self.at.load(Ordering::Relaxed)
    }
}
