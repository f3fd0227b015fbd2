//! [`Choice`]: which generation of servers the runs of a client talk to.

use super::wire::Wire;
use crate::call::caller::Caller;
use crate::protocol::dialect::Dialect;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the server is taken for: what it turned out to be last, and 1.x before.
pub(super) struct Choice {
    caller: Arc<Caller>,
    is_two: AtomicBool,
}

impl Choice {
    pub(super) fn new(caller: Arc<Caller>) -> Self {
        Choice { caller, is_two: AtomicBool::new(false) }
    }

    pub(super) fn wire(&self) -> Wire {
        // After a lost connection it is not known for a moment, and most likely the same.
        if let Some(dialect) = self.caller.dialect() {
            self.is_two.store(dialect == Dialect::Two, Ordering::Release);
        }
        match self.is_two.load(Ordering::Acquire) {
            true => Wire::Two,
            false => Wire::One,
        }
    }
}
