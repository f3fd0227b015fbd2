//! What the system calls: at the end of the process, or before this library is unloaded.

/// Has [`settle`](crate::leaving::settle) called when the process ends or this library is unloaded.
pub(crate) fn watch_exit() {
    system::watch_exit();
}

#[cfg(unix)]
mod system {
    use std::sync::Once;

    extern "C" fn at_exit() {
        let _ = crate::thread::caught(crate::leaving::settle);
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
}

#[cfg(not(unix))]
mod system {
    pub(super) fn watch_exit() {}
}
