//! Processes: signals, and finding everything that a server has started.

use std::ffi::c_int;
use std::fs;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
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

/// Waits for a child, and gives how it ended and the time of a processor that it took: its own, and that of all that it
/// has waited for itself.
///
/// # Errors
/// When somebody has waited for it before.
pub fn wait(child: &mut Child) -> io::Result<(ExitStatus, Duration)> {
    // A child that reads must see the end of it.
    drop(child.stdin.take());
    let (mut status, mut usage) = (0, system::Usage::default());
    loop {
        // SAFETY: both pointers lead to values of ours that live longer than the call, and `Usage` is as large as what the
        // system writes.
        let found = unsafe { system::wait4(child.id() as c_int, &mut status, 0, &mut usage) };
        if found > 0 {
            return Ok((ExitStatus::from_raw(status), usage.of_user.get() + usage.of_system.get()));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
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
    use std::ffi::{c_int, c_long};
    use std::time::Duration;

    /// `struct timeval`.
    #[derive(Default)]
    #[repr(C)]
    pub(super) struct Time {
        seconds: c_long,
        #[cfg(target_os = "linux")]
        micros: c_long,
        #[cfg(not(target_os = "linux"))]
        micros: c_int,
    }

    impl Time {
        // Not on every system are they of one type.
        #[allow(clippy::useless_conversion)]
        pub(super) fn get(&self) -> Duration {
            let (seconds, micros) = (self.seconds, i64::from(self.micros));
            Duration::from_secs(seconds.max(0) as u64) + Duration::from_micros(micros.max(0) as u64)
        }
    }

    /// `struct rusage`.
    #[derive(Default)]
    #[repr(C)]
    pub(super) struct Usage {
        pub(super) of_user: Time,
        pub(super) of_system: Time,
        counts: [c_long; 14],
    }

    unsafe extern "C" {
        pub(super) fn kill(target: c_int, signal: c_int) -> c_int;
        pub(super) fn wait4(
            child: c_int,
            status: *mut c_int,
            options: c_int,
            usage: *mut Usage,
        ) -> c_int;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_child_that_computes_tells_how_it_ended_and_what_it_took() {
        let script = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; exit 3";
        let mut child = Command::new("sh").args(["-c", script]).spawn().unwrap();
        let (status, took) = wait(&mut child).unwrap();
        assert_eq!(status.code(), Some(3));
        assert!(took > Duration::from_millis(10) && took < Duration::from_secs(60), "{took:?}");
        let mut child = Command::new("sleep").arg("0.2").spawn().unwrap();
        assert!(wait(&mut child).unwrap().1 < Duration::from_millis(100));
        assert!(wait(&mut child).is_err());
    }
}
