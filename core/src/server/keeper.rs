//! [`Keeper`]: ends a server with everything that it has started, also when this process was killed.
//!
//! It is a shell, started before the server, whose input is a pipe that only this process holds. The kernel
//! closes that pipe whichever way this process ends; the shell then looks for what is left of the server. A
//! signal on the death of the parent would not do: it fires when the *thread* ends that started the server,
//! and reaches no grandchild. A copy of this process (a fork without exec) would not do either: it holds every
//! descriptor and all memory of the host, and may call next to nothing.

use crate::error::{Error, ErrorKind, Result};
use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

/// The variable that marks every process of a server. It is inherited, so it also finds what left the process
/// group (the server's shell tool does) and what lost its parent.
pub(super) const VARIABLE: &str = "LIBOPENCODE_SERVER";

const SCRIPT: &str = include_str!("keeper.sh");

/// The hold on a server: as long as it lives, and this process with it, the server lives.
pub(super) struct Hold(ChildStdin);

/// The shell that cleans up when the hold is gone.
pub(super) struct Keeper(Child);

impl Hold {
    /// Names a process that was started.
    pub(super) fn name(&mut self, pid: u32) {
        // When the shell is gone already, closing the server starts another one.
        let _ = writeln!(self.0, "{pid}");
    }
}

impl Keeper {
    /// Starts the shell for the processes that carry `mark`.
    pub(super) fn start(mark: &str) -> Result<(Hold, Keeper)> {
        let mut child = command(mark).stdin(Stdio::piped()).spawn().map_err(no_shell)?;
        match child.stdin.take() {
            Some(pipe) => Ok((Hold(pipe), Keeper(child))),
            None => Err(Error::new(ErrorKind::Internal, "server: the shell has no input")),
        }
    }

    /// Ends everything that carries `mark` now. Blocks for as long as that takes.
    pub(super) fn sweep(mark: &str) {
        if let Ok(mut child) = command(mark).stdin(Stdio::null()).spawn() {
            let _ = child.wait();
        }
    }

    /// Waits until the shell has done its work; the hold must be gone.
    pub(super) fn wait(mut self) {
        let _ = self.0.wait();
    }
}

fn command(mark: &str) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", SCRIPT, "opencode-keeper", mark])
        // Nothing of the host's environment belongs here, least of all its passwords and marks.
        .env_clear()
        .env("PATH", format!("/usr/bin:/bin:{path}"))
        .current_dir("/")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    #[cfg(unix)]
    // Ctrl-C in a terminal, and whoever kills the host's process group, must not reach it.
    std::os::unix::process::CommandExt::process_group(&mut shell, 0);
    shell
}

fn no_shell(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Start, format!("server: /bin/sh cannot be started: {error}"))
        .with_code(Some("missing".to_owned()))
        .with_source(error)
}

/// So many random bytes of the operating system, in hexadecimal.
pub(super) fn random(bytes: usize) -> Result<String> {
    let mut buffer = vec![0; bytes];
    File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut buffer)).map_err(|e| {
        Error::new(ErrorKind::Start, format!("server: the system gives no random bytes: {e}"))
    })?;
    Ok(buffer.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_values_differ() {
        let (one, two) = (random(16).unwrap(), random(16).unwrap());
        assert!(one.len() == 32 && one != two);
    }
}
