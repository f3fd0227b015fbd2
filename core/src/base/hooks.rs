//! What the system calls: at the end of the process, or before this library is unloaded, and in a copy made by fork.

use crate::base::error::{Error, ErrorKind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Once, OnceLock};

/// Counts the forks between the first process and this one, as far as this library was there.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// The process in which something was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Home(u32);

impl Home {
    /// This process. From now on its copies are told from it.
    pub(crate) fn here() -> Self {
        system::watch_forks();
        Home(FORKS.load(Ordering::Relaxed))
    }

    #[cfg(test)]
    pub(crate) fn elsewhere() -> Self {
        Home(u32::MAX)
    }

    /// Whether this is not a copy of that process. One load: a tick asks.
    pub(crate) fn is_here(self) -> bool {
        FORKS.load(Ordering::Relaxed) == self.0
    }
}

/// What is told of something that another process works on.
pub(crate) fn elsewhere(what: &str) -> Error {
    let text = format!(
        "{what}: this belongs to the process that this one was forked from; make a client of your own"
    );
    Error::new(ErrorKind::Closed, text).with_operation(what.to_owned())
}

/// What is to be done at the end of the process.
static AT_EXIT: OnceLock<fn()> = OnceLock::new();

/// Has something done when the process ends or this library is unloaded. There is one such thing; the first stays.
pub(crate) fn at_exit(work: fn()) {
    let _ = AT_EXIT.set(work);
    system::watch_exit();
}

#[cfg(unix)]
mod system {
    use super::*;

    extern "C" fn at_exit() {
        if let Some(work) = AT_EXIT.get() {
            let _ = crate::base::thread::caught(work);
        }
    }

    #[expect(unsafe_code, reason = "the system demands it")]
    unsafe extern "C" fn in_copy() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }

    #[expect(unsafe_code, reason = "the system demands it")]
    pub(super) fn watch_exit() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            // SAFETY: the function lives as long as this library, whose unloading calls and forgets it; it never
            // unwinds.
            unsafe { nix::libc::atexit(at_exit) };
        });
    }

    #[expect(unsafe_code, reason = "the system demands it")]
    pub(super) fn watch_forks() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            // SAFETY: the function lives as long as this library, whose unloading forgets it; it is one addition, which
            // is allowed in a copy of a process with threads.
            unsafe { nix::libc::pthread_atfork(None, None, Some(in_copy)) };
        });
    }
}

#[cfg(not(unix))]
mod system {
    pub(super) fn watch_exit() {}

    pub(super) fn watch_forks() {}
}
