//! [`ServerProcess`]: the process of a server, and its number as long as that is nobody else's.

use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The number of a process that lives; none before it is there, and none when it has ended: the system may give it to
/// another process from then on.
#[derive(Default, Clone)]
pub(super) struct Pid(Arc<AtomicU32>);

impl Pid {
    pub(super) fn get(&self) -> Option<u32> {
        Some(self.0.load(Ordering::Acquire)).filter(|pid| *pid != 0)
    }

    fn set(&self, pid: u32) {
        self.0.store(pid, Ordering::Release);
    }
}

/// A process of a server. Who learns of its end has taken its number away.
pub(super) struct ServerProcess {
    child: Child,
    pid: Pid,
}

impl ServerProcess {
    pub(super) fn new(child: Child, pid: &Pid) -> Self {
        pid.set(child.id());
        ServerProcess { child, pid: pid.clone() }
    }

    /// Blocks until it has ended; `None` when the host collects its children itself.
    pub(super) fn wait(&mut self) -> Option<ExitStatus> {
        let status = self.child.wait().ok();
        self.pid.set(0);
        status
    }

    /// How it has ended, once it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().ok().flatten();
        if status.is_some() {
            self.pid.set(0);
        }
        status
    }

    /// Ends it, and waits for that.
    pub(super) fn end(&mut self) {
        // It fails for one that has ended already.
        let _ = self.child.kill();
        self.wait();
    }
}

/// Nobody waits for it any more, so nobody would take its number away.
impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.pid.set(0);
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    fn started(pid: &Pid) -> std::io::Result<ServerProcess> {
        let child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        Ok(ServerProcess::new(child, pid))
    }

    #[test]
    fn a_process_that_has_ended_has_no_number() {
        let pid = Pid::default();
        assert_eq!(pid.get(), None);

        let mut process = started(&pid).unwrap();
        assert_eq!(pid.get(), Some(process.child.id()));
        assert!(process.ended().is_none() && pid.get().is_some());
        process.end();
        assert_eq!(pid.get(), None);

        let mut process = started(&pid).unwrap();
        process.child.stdin.take();
        while process.ended().is_none() {
            std::thread::yield_now();
        }
        assert_eq!(pid.get(), None);

        drop(started(&pid).unwrap());
        assert_eq!(pid.get(), None);
    }
}
