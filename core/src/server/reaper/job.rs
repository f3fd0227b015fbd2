//! The reaper of Windows: a job object that ends its processes when its last handle is closed.
//!
//! Only this process holds a handle, and the system closes it whichever way this process ends. What a process of a
//! job starts belongs to the job too. Written, and not run by the tests of this project.

use crate::base::error::{Error, ErrorKind, Result};
use std::os::windows::io::AsRawHandle;
use std::process::Child;
use win32job::{ExtendedLimitInfo, Job, JobError};

/// The lease on a server: as long as it lives, and this process with it, the server lives.
pub(in crate::server) struct Lease(Job);

/// The system itself: there is nothing to hold or to wait for.
pub(in crate::server) struct Reaper;

impl Lease {
    /// Takes a process that was started. What it started before this moment would be missed: the server takes longer
    /// than that to load.
    pub(in crate::server) fn take(&mut self, child: &Child) {
        // It fails for a process that has ended already.
        let _ = self.0.assign_process(child.as_raw_handle() as isize);
    }
}

impl Reaper {
    /// Makes the job. The system needs no tag to find its processes.
    pub(in crate::server) fn start(_tag: &str) -> Result<(Lease, Reaper)> {
        let mut limits = ExtendedLimitInfo::new();
        limits.limit_kill_on_job_close();
        let job = Job::create_with_limit_info(&limits).map_err(no_job)?;
        Ok((Lease(job), Reaper))
    }

    /// Nothing: a job cannot be killed, and its end was the end of its processes.
    pub(in crate::server) fn sweep(_tag: &str) {}

    /// Nothing, as above.
    pub(in crate::server) fn wait(self) {}
}

fn no_job(error: JobError) -> Error {
    Error::new(ErrorKind::Start, format!("server: the system gives no job object: {error}"))
        .with_code(Some("platform".to_owned()))
        .with_source(error)
}
