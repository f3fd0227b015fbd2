//! Processes: signals, and finding everything that a server has started.

use std::ffi::c_int;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// The signals that tests send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ask to end.
    Terminate,
    /// End at once.
    Kill,
    /// Freeze.
    Stop,
    /// Go on after [`Signal::Stop`].
    Continue,
}

impl Signal {
    fn number(self) -> c_int {
        match self {
            Signal::Kill => 9,
            Signal::Terminate => 15,
            Signal::Stop if cfg!(target_os = "linux") => 19,
            Signal::Stop => 17,
            Signal::Continue if cfg!(target_os = "linux") => 18,
            Signal::Continue => 19,
        }
    }
}

/// Sends a signal to one process; false when there is none.
pub(crate) fn signal(pid: u32, signal: Signal) -> bool {
    pid > 1 && send(pid as c_int, signal)
}

/// Sends a signal to a process group; false when there is none.
pub(crate) fn signal_group(group: u32, signal: Signal) -> bool {
    group > 1 && send(-(group as c_int), signal)
}

/// Kills a process at once; false when there is none.
pub fn kill(pid: u32) -> bool {
    signal(pid, Signal::Kill)
}

/// Freezes a process; false when there is none.
pub fn stop(pid: u32) -> bool {
    signal(pid, Signal::Stop)
}

/// Whether a process runs (or is stopped); one that has ended and awaits its parent does not.
pub fn is_alive(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // The name in parentheses may hold anything, so the state is looked for behind it.
    let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
    !matches!(state, Some('Z' | 'X'))
}

/// Kills every process whose environment holds `mark` and waits until none is left.
///
/// The environment is inherited, so this reaches also what left the process group (the server's
/// shell tool does) and what lost its parent. False when some survived five seconds.
pub(crate) fn sweep(mark: &str) -> bool {
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        let found = marked(mark);
        if found.is_empty() {
            return true;
        }
        for pid in found {
            signal(pid, Signal::Kill);
        }
        if Instant::now() > end {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// The processes whose environment holds `mark`.
pub(crate) fn marked(mark: &str) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.windows(mark.len()).any(|bytes| bytes == mark.as_bytes())
    })
    .collect()
}

fn send(target: c_int, signal: Signal) -> bool {
    // SAFETY: kill takes two integers and touches no memory of ours.
    unsafe { system::kill(target, signal.number()) == 0 }
}

mod system {
    use std::ffi::c_int;

    unsafe extern "C" {
        pub(super) fn kill(target: c_int, signal: c_int) -> c_int;
    }
}
