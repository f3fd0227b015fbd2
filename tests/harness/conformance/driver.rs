//! The program of a language, at work.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use serde_json::Value;

use super::world::World;
use crate::{Error, LIMIT, Result};

/// What a call gave in a language.
#[derive(Debug)]
pub(super) enum Got {
    /// A decoded answer comes without the status in some languages; the raw one has it in all.
    Success { status: Option<u64>, answer: Value },
    /// The fields of an error.
    Failure(Value),
}

/// A running driver; killed when dropped.
pub(super) struct Driver {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Driver {
    pub(super) fn start(mut command: Command, world: &World) -> Result<Driver> {
        let name = command.get_program().to_string_lossy().into_owned();
        let wrap = |error: std::io::Error| Error::wrap(&name, error);
        let mut child = command
            .current_dir(world.server.directory())
            .envs(world.server.env())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(wrap)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::new(format!("{name} has no pipes")));
        };
        let (send, lines) = mpsc::channel();
        thread::Builder::new().name("driver".into()).spawn(move || {
            for line in BufReader::new(output).lines() {
                let Ok(line) = line else { return };
                if send.send(line).is_err() {
                    return;
                }
            }
        })?;
        Ok(Driver { child, input, lines })
    }

    /// Calls an operation and waits for what comes of it.
    pub(super) fn call(
        &mut self,
        operation: &str,
        arguments: &Value,
        options: &Value,
    ) -> Result<Got> {
        // JSON holds no raw tabs and no raw line breaks.
        writeln!(self.input, "{operation}\t{arguments}\t{options}")?;
        self.input.flush()?;
        let line = self.lines.recv_timeout(LIMIT).map_err(|e| Error::wrap("the driver", e))?;
        let value: Value = serde_json::from_str(&line)
            .map_err(|error| Error::new(format!("the driver said {line:?}: {error}")))?;
        if let Some(error) = value.get("error") {
            return Ok(Got::Failure(error.clone()));
        }
        match value.get("answer") {
            Some(answer) => {
                let status = value.get("status").and_then(Value::as_u64);
                Ok(Got::Success { status, answer: answer.clone() })
            }
            None => Err(Error::new(format!("the driver said {line}"))),
        }
    }

    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
