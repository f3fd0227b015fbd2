//! The reaper of Unix: a shell, started before the server, whose input is a pipe that only this process holds.
//!
//! The kernel closes that pipe whichever way this process ends; the shell then looks for what is left of the server.
//! A signal on the death of the parent would not do: it fires when the *thread* ends that started the server,
//! and reaches no grandchild. A copy of this process (a fork without exec) would not do either: it holds every
//! descriptor and all memory of the host, and may call next to nothing.

use crate::base::error::{Error, ErrorKind, Result, is_out_of_descriptors};
use crate::base::mask::clear_in;
use std::io::{PipeWriter, Write};
use std::process::{Child, Command, Stdio};

const SCRIPT: &str = include_str!("reaper.sh");

/// The lease on a server: as long as it lives, and this process with it, the server lives.
pub(in crate::server) struct Lease(PipeWriter);

/// The shell that cleans up when the lease is gone.
pub(in crate::server) struct Reaper(Child);

impl Lease {
    /// Takes a process that was started.
    pub(in crate::server) fn take(&mut self, child: &Child) {
        // When the shell is gone already, closing the server starts another one.
        let _ = writeln!(self.0, "{}", child.id());
    }
}

impl Reaper {
    /// Starts the shell for the processes that carry `tag`.
    pub(in crate::server) fn start(tag: &str) -> Result<(Lease, Reaper)> {
        // Not the pipe that `Command` makes: in a host that closed its standard streams one end of it becomes such a
        // stream, and ends when the host opens its own again. A clone is never one.
        let pipe = std::io::pipe().and_then(|(reader, writer)| Ok((reader, writer.try_clone()?)));
        let (reader, writer) = pipe.map_err(no_shell)?;
        let child = command(tag).stdin(reader).spawn().map_err(no_shell)?;
        Ok((Lease(writer), Reaper(child)))
    }

    /// Ends everything that carries `tag` now. Blocks for as long as that takes.
    pub(in crate::server) fn sweep(tag: &str) {
        if let Ok(mut child) = command(tag).stdin(Stdio::null()).spawn() {
            let _ = child.wait();
        }
    }

    /// Waits until the shell has done its work; the lease must be gone.
    pub(in crate::server) fn wait(mut self) {
        let _ = self.0.wait();
    }
}

fn command(tag: &str) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", SCRIPT, "opencode-reaper", tag])
        // Nothing of the host's environment belongs here, least of all its passwords and tags.
        .env_clear()
        .env("PATH", format!("/usr/bin:/bin:{path}"))
        .current_dir("/")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    #[cfg(unix)]
    // Ctrl-C in a terminal, and whoever kills the host's process group, must not reach it.
    std::os::unix::process::CommandExt::process_group(&mut shell, 0);
    clear_in(&mut shell);
    shell
}

fn no_shell(error: std::io::Error) -> Error {
    if is_out_of_descriptors(&error) {
        return Error::exhausted("descriptor", error);
    }
    Error::new(ErrorKind::Start, format!("server: /bin/sh cannot be started: {error}"))
        .with_code(Some("missing".to_owned()))
        .with_source(error)
}
