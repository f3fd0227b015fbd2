//! Plays the mailbox of the core through every order that its threads and their memory can take.
//!
//! The source is the core's own; only the locks and atomics below it are loom's. It is a package of its own, so that
//! nobody builds loom who does not ask for it.

#[cfg(test)]
#[allow(dead_code, reason = "this is the core's file, and not all of it is played through")]
#[path = "../../../core/src/base/mailbox.rs"]
mod mailbox;

/// In place of `core/src/base/sync.rs`.
#[cfg(test)]
mod sync {
    pub(crate) use loom::sync::atomic::{AtomicU8, Ordering};
    pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
    pub(crate) use loom::thread::yield_now;
}

/// In place of `core/src/base/signal.rs`: it counts, and has no descriptor.
#[cfg(test)]
mod signal {
    use loom::sync::atomic::{AtomicIsize, Ordering};

    #[derive(Debug, Default)]
    pub(crate) struct Signal(AtomicIsize);

    impl Signal {
        pub(crate) fn mark(&self) -> u64 {
            1
        }

        pub(crate) fn forget(&self, _mark: u64) {}

        pub(crate) fn add(&self, _mark: u64) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }

        pub(crate) fn remove(&self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }

        pub(crate) fn count(&self) -> isize {
            self.0.load(Ordering::SeqCst)
        }
    }
}

#[cfg(test)]
mod orders;
