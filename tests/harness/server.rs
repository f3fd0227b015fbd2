//! The real server, in a world of its own.

use std::fmt;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::binary::Generation;
use crate::builder::Blueprint;
use crate::http::{self, Response};
use crate::output::Output;
use crate::process::{Signal, signal, signal_group, sweep, wait};
use crate::reaper::{Reaper, VARIABLE};
use crate::settings::random;
use crate::wait::LIMIT;
use crate::{Error, Result, ServerBuilder, costs};

/// A running `opencode serve`.
///
/// Dropping it kills every process it has started and removes its files. All methods may be
/// called from any thread, so that a test can kill the server while a client waits for it.
pub struct Server {
    blueprint: Blueprint,
    port: u16,
    mark: String,
    /// The current process; the last one, when the server is down.
    process: Mutex<Process>,
}

struct Process {
    child: Child,
    is_over: bool,
    output: Output,
}

impl Server {
    /// A server whose provider is the scripted model at `model` (see [`crate::Model::url`]).
    pub fn builder(model: &str) -> ServerBuilder {
        ServerBuilder::new(model)
    }

    /// What it speaks.
    pub fn generation(&self) -> Generation {
        self.blueprint.generation
    }

    /// The base URL, as in `http://127.0.0.1:4100`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The user name for HTTP Basic.
    pub fn username(&self) -> &str {
        &self.blueprint.username
    }

    /// The password for HTTP Basic; `None` when everybody may come in.
    pub fn password(&self) -> Option<&str> {
        self.blueprint.password.as_deref()
    }

    /// The working directory: absolute, free of links.
    pub fn directory(&self) -> &std::path::Path {
        &self.blueprint.directory
    }

    /// The process id; that of the last process when the server is down.
    pub fn pid(&self) -> u32 {
        self.process().child.id()
    }

    /// The end of what the current process has printed, at most 64 KiB.
    pub fn output(&self) -> String {
        self.process().output.text()
    }

    /// The variables that a client program needs to find this server.
    pub fn env(&self) -> Vec<(String, String)> {
        let mut variables = vec![
            ("OPENCODE_BASE_URL".into(), self.url()),
            ("OPENCODE_DIRECTORY".into(), self.directory().display().to_string()),
            ("OPENCODE_BIN".into(), self.blueprint.binary.display().to_string()),
            ("OPENCODE_BIN_2".into(), Generation::Two.pinned().display().to_string()),
        ];
        if let Some(password) = self.password() {
            variables.push(("OPENCODE_SERVER_USERNAME".into(), self.username().into()));
            variables.push(("OPENCODE_SERVER_PASSWORD".into(), password.into()));
        }
        variables
    }

    /// The variables with which another server lives in the world of this one: same model, same files, no way
    /// out. What such a server starts ends at the latest with this one.
    pub fn world(&self) -> Vec<(String, String)> {
        let own = |name: &str| name.starts_with("OPENCODE_SERVER_") || name == "OPENCODE_PASSWORD";
        let variables = self.blueprint.variables.iter().filter(|(name, _)| !own(name));
        variables.cloned().chain([(VARIABLE.to_owned(), self.mark.clone())]).collect()
    }

    /// Sends a request with the right password, for a second opinion on what the server holds.
    /// Blocks until the answer is complete.
    ///
    /// # Errors
    /// When the server cannot be reached or answers half. Any status is a success.
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Response> {
        let authorization = http::basic(self.username(), self.password().unwrap_or_default());
        let mut headers = Vec::new();
        if self.password().is_some() {
            headers.push(("authorization", authorization.as_str()));
        }
        if body.is_some() {
            headers.push(("content-type", "application/json"));
        }
        let body = body.map(Value::to_string);
        let url = format!("{}{path}", self.url());
        http::send(method, &url, &headers, body.as_deref().map(str::as_bytes))
    }

    /// [`Server::request`] with GET.
    ///
    /// # Errors
    /// As [`Server::request`].
    pub fn get(&self, path: &str) -> Result<Response> {
        self.request("GET", path, None)
    }

    /// [`Server::request`] with POST.
    ///
    /// # Errors
    /// As [`Server::request`].
    pub fn post(&self, path: &str, body: &Value) -> Result<Response> {
        self.request("POST", path, Some(body))
    }

    /// Kills the server and everything it has started, at once.
    pub fn kill(&self) {
        self.end(&mut self.process());
    }

    /// Asks the server to end (SIGTERM), waits for it, and removes what it left behind.
    ///
    /// # Errors
    /// When it still runs after a minute; then it is killed.
    pub fn terminate(&self) -> Result<ExitStatus> {
        let mut process = self.process();
        signal(process.child.id(), Signal::Terminate);
        let end = Instant::now() + LIMIT;
        let status = loop {
            match process.child.try_wait()? {
                Some(status) => break Ok(status),
                None if Instant::now() > end => break Err(Error::new("SIGTERM had no effect")),
                None => thread::sleep(Duration::from_millis(2)),
            }
        };
        self.end(&mut process);
        status
    }

    /// Starts the server again on the same port, with the same files and the same password;
    /// kills it first when it runs. Blocks until it is healthy.
    ///
    /// # Errors
    /// As [`ServerBuilder::start`].
    pub fn restart(&self) -> Result<()> {
        let mut process = self.process();
        self.end(&mut process);
        let end = Instant::now() + LIMIT;
        *process = loop {
            match self.blueprint.launch(self.port, &self.mark, end) {
                Ok(process) => break process,
                // The port can be taken for a moment, by the other end of a connection.
                Err(error) if Instant::now() > end || !is_port_taken(&error) => return Err(error),
                Err(_) => thread::sleep(Duration::from_millis(50)),
            }
        };
        Ok(())
    }

    /// Freezes the server (SIGSTOP): connections stay open, nothing is answered.
    pub fn stop(&self) {
        signal_group(self.pid(), Signal::Stop);
    }

    /// Lets a frozen server go on (SIGCONT).
    pub fn cont(&self) {
        signal_group(self.pid(), Signal::Continue);
    }

    pub(crate) fn from_blueprint(blueprint: Blueprint) -> Result<Server> {
        let mark = Reaper::get()?.mark();
        let end = Instant::now() + LIMIT;
        loop {
            let port = blueprint.port.map_or_else(free_port, Ok)?;
            let launched = blueprint.launch(port, &mark, end);
            match launched {
                Ok(process) => {
                    return Ok(Server { blueprint, port, mark, process: Mutex::new(process) });
                }
                // Somebody was faster: with a free choice, choose again.
                Err(error) if blueprint.port.is_none() && is_port_taken(&error) => {
                    if Instant::now() > end {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn end(&self, process: &mut Process) {
        signal_group(process.child.id(), Signal::Kill);
        sweep(&format!("{VARIABLE}={}", self.mark));
        // Its number may be another's once it was waited for.
        if !std::mem::replace(&mut process.is_over, true)
            && let Ok((_, took)) = wait(&mut process.child)
        {
            costs::add(took);
        }
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("url", &self.url()).finish_non_exhaustive()
    }
}

impl Blueprint {
    /// Starts the process and waits until it is healthy, at most until `end`.
    fn launch(&self, port: u16, mark: &str, end: Instant) -> Result<Process> {
        let mut child = Command::new(&self.binary)
            .args(["serve", "--hostname", "127.0.0.1", "--port", &port.to_string()])
            .args(&self.arguments)
            .current_dir(&self.directory)
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .env(VARIABLE, mark)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| Error::wrap(self.binary.display(), error))?;
        let output = Output::default();
        if let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) {
            output.drain(stdout)?;
            output.drain(stderr)?;
        }
        let mut process = Process { child, is_over: false, output };
        match self.await_health(&mut process, port, end) {
            Ok(()) => Ok(process),
            Err(error) => {
                sweep(&format!("{VARIABLE}={mark}"));
                let _ = process.child.wait();
                Err(error)
            }
        }
    }

    fn await_health(&self, process: &mut Process, port: u16, end: Instant) -> Result<()> {
        let url = format!("http://127.0.0.1:{port}");
        let authorization =
            http::basic(&self.username, self.password.as_deref().unwrap_or_default());
        let mut announced = false;
        loop {
            if let Some(status) = process.child.try_wait()? {
                // The pipes may still hold the reason.
                thread::sleep(Duration::from_millis(50));
                return Err(self.failure(process, &format!("ended early ({status})")));
            }
            if Instant::now() > end {
                return Err(self.failure(process, &format!("was not healthy within {LIMIT:?}")));
            }
            let pause = Duration::from_millis(20);
            if !announced {
                let found = process.output.wait_for(pause, announcement);
                announced = match found {
                    None => false,
                    Some(found) if found == url => true,
                    Some(found) => {
                        return Err(
                            self.failure(process, &format!("listens on {found}, not {url}"))
                        );
                    }
                };
                continue;
            }
            let headers = [("authorization", authorization.as_str())];
            let headers = if self.password.is_some() { &headers[..] } else { &[] };
            let path = match self.generation {
                Generation::One => "/global/health",
                // 503 with the same body until it is ready.
                Generation::Two => "/api/info",
            };
            match http::send("GET", &format!("{url}{path}"), headers, None) {
                Ok(response)
                    if response.status == 200 || !self.is_pinned && response.status != 503 =>
                {
                    return Ok(());
                }
                _ => thread::sleep(pause),
            }
        }
    }

    fn failure(&self, process: &Process, what: &str) -> Error {
        let output = process.output.text();
        Error::new(format!("{} serve {what}; it printed:\n{output}", self.binary.display()))
    }
}

/// The URL in `opencode server listening on URL` (2.x: `server listening on URL`), once the line is complete.
fn announcement(output: &str) -> Option<String> {
    let (_, rest) = output.split_once("listening on ")?;
    let (line, _) = rest.split_once('\n')?;
    Some(line.trim().to_owned())
}

fn is_port_taken(error: &Error) -> bool {
    error.to_string().contains("ServeError")
}

/// A free port below the range of outgoing connections.
///
/// `--port 0` is no help here: it means 4096 if that is free, so the next server would take the
/// port of one that is being restarted. Nor is a port that the kernel chose: it can become the
/// source port of some connection while the server is down.
fn free_port() -> Result<u16> {
    for _ in 0..1000 {
        let number = u16::from_str_radix(&random(2)?, 16).unwrap_or_default();
        let port = 10_000 + number % 22_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Error::new("no free port from 10000 to 31999"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_announcement_counts_when_it_is_complete() {
        let line = "Warning: x\nopencode server listening on http://127.0.0.1:4196";
        assert_eq!(announcement(line), None);
        assert_eq!(announcement(&format!("{line}\n")).as_deref(), Some("http://127.0.0.1:4196"));
    }
}
