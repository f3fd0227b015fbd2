//! Signals are the host's: no thread of this library takes one, and no child of it is born deaf.
//!
//! The kernel gives a signal to any thread that does not block it. A host that blocks signals and reads them from a
//! descriptor, or waits for them, would be killed by one that came to a thread of ours.

use std::process::Command;

/// While it lives, this thread takes no signal, and neither will a thread that it starts.
#[must_use]
pub(crate) struct Blocked {
    #[cfg(unix)]
    before: Option<nix::sys::signal::SigSet>,
}

impl Blocked {
    #[cfg(unix)]
    pub(crate) fn begin() -> Self {
        use nix::sys::signal::{SigSet, SigmaskHow, Signal};
        let mut signals = SigSet::all();
        // These come to the thread whose own doing they are; blocked, they would end the process without the handler
        // that the host has for them.
        for own in [
            Signal::SIGSEGV,
            Signal::SIGBUS,
            Signal::SIGFPE,
            Signal::SIGILL,
            Signal::SIGTRAP,
            Signal::SIGSYS,
        ] {
            signals.remove(own);
        }
        Blocked { before: signals.thread_swap_mask(SigmaskHow::SIG_BLOCK).ok() }
    }

    #[cfg(not(unix))]
    pub(crate) fn begin() -> Self {
        Blocked {}
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(before) = self.before {
            // It was the mask of this thread: there is no reason why it should be refused.
            let _ = before.thread_set_mask();
        }
    }
}

/// The child begins with no signal blocked, whichever thread starts it.
#[cfg(unix)]
#[expect(unsafe_code, reason = "what a child does before it becomes the program cannot be checked")]
pub(crate) fn clear_in(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    let clear = || nix::sys::signal::SigSet::empty().thread_set_mask().map_err(Into::into);
    // SAFETY: between fork and exec only what is safe in a signal handler may be called. This is one system call on
    // memory of its own stack.
    unsafe { command.pre_exec(clear) };
}

#[cfg(not(unix))]
pub(crate) fn clear_in(_: &mut Command) {}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use nix::sys::signal::{SigSet, Signal};

    fn blocked() -> nix::Result<SigSet> {
        SigSet::thread_get_mask()
    }

    #[test]
    fn threads_of_ours_take_no_signal_and_the_hosts_stay_as_they_were() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let mut usr = SigSet::empty();
        usr.add(Signal::SIGUSR2);
        usr.thread_block().unwrap();
        let before = blocked();
        let work = move || sender.send(blocked()).unwrap();
        crate::base::thread::start("opencode-test", work, drop).unwrap().join().unwrap();
        let theirs = receiver.recv().unwrap().unwrap();
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGCHLD, Signal::SIGPROF] {
            assert!(theirs.contains(signal), "{signal}");
        }
        assert!(!theirs.contains(Signal::SIGSEGV));
        assert_eq!(blocked(), before);
    }

    #[test]
    fn children_are_born_with_open_ears() {
        let work = || {
            // No shell: some unblock all signals when they begin.
            let mut command = Command::new("grep");
            command.args(["SigBlk", "/proc/self/status"]);
            clear_in(&mut command);
            let blocked = String::from_utf8(command.output().unwrap().stdout).unwrap();
            assert_eq!(blocked.trim().trim_end_matches('0'), "SigBlk:\t", "{blocked}");
        };
        let (sender, receiver) = std::sync::mpsc::channel();
        let fallen = move |error| sender.send(error).unwrap();
        crate::base::thread::start("opencode-test", work, fallen).unwrap().join().unwrap();
        assert!(receiver.recv().is_err(), "it did not panic");
    }
}
