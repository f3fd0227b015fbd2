//! The thread of a server: starts the process, waits until it answers, and then for its end.

use super::failure::failed;
use super::hostname;
use super::launch_spec::{LaunchSpec, free_port};
use super::output::{Look, Output, gist};
use super::reaper::Reaper;
use super::state::Shared;
use crate::base::error::{Error, ErrorKind, Result, is_out_of_descriptors};
use crate::base::limits::{after, shown};
use crate::base::thread;
use crate::call::options::{CallOptions, ClientOptions};
use crate::client::Client;
use crate::http::credentials::Credentials;
use crate::http::redact::Redactor;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Free ports tried before the blame is passed on.
const PORTS: u32 = 10;
/// How long the rest of the output may take once the process has ended.
const REST: Duration = Duration::from_secs(1);

/// Does everything; returns when no process of the server is left.
pub(super) fn run(shared: &Arc<Shared>, spec: &LaunchSpec) {
    match Reaper::start(&spec.tag) {
        Err(error) => shared.fail(error),
        Ok((lease, reaper)) => {
            shared.keep(lease);
            match launch(shared, spec) {
                Ok(mut child) => {
                    // An error means that the host collects its children itself.
                    let status = child.wait().ok();
                    shared.output.finish(REST);
                    shared.fail(ended(spec, status, &shared.output));
                }
                Err(error) => shared.fail(error),
            }
            shared.let_go();
            reaper.wait();
        }
    }
    shared.leave();
}

fn launch(shared: &Arc<Shared>, spec: &LaunchSpec) -> Result<Child> {
    let until = after(spec.options.start_timeout);
    hostname::check(shared, &spec.options.hostname, until)?;
    let mut tries = 0;
    loop {
        tries += 1;
        let port = match spec.options.port {
            Some(port) => port,
            None => free_port().map_err(|e| failed("port", format!("no free port: {e}")))?,
        };
        let mut child = spawn(shared, spec, port)?;
        let Err(error) = await_ready(shared, spec, &mut child, port, until) else {
            shared.ready(spec.url(port));
            return Ok(child);
        };
        // What did not get ready must not stay, nor be in the way of the next attempt.
        let _ = child.kill();
        let _ = child.wait();
        let is_taken = error.code() == Some("port");
        if !is_taken || spec.options.port.is_some() || tries == PORTS {
            return Err(error);
        }
    }
}

fn spawn(shared: &Arc<Shared>, spec: &LaunchSpec, port: u16) -> Result<Child> {
    let system = |e: std::io::Error| {
        if is_out_of_descriptors(&e) {
            return Error::exhausted("descriptor", e);
        }
        let advice = match e.kind() {
            std::io::ErrorKind::ArgumentListTooLong => {
                "; put a large config into a file and name it in environment as OPENCODE_CONFIG"
            }
            _ => "",
        };
        failed("missing", format!("'{}' cannot be started: {e}{advice}", spec.binary.display()))
            .with_source(e)
    };
    let (reader, writer) = std::io::pipe().map_err(system)?;
    // Never a standard stream, as in the reaper.
    let reader = reader.try_clone().map_err(system)?;
    let mut command = spec.command(port, writer).map_err(system)?;
    let output = shared.output.clone();
    // The writing end goes with the command, so that the reader sees the end of the process.
    let child = shared.start(move || command.spawn())?.map_err(system)?;
    output.begin();
    let fallen = output.clone();
    thread::start("opencode-output", move || output.drain(reader), move |_| fallen.end())?;
    Ok(child)
}

/// Waits for the line that says where it listens, then for its answer.
fn await_ready(
    shared: &Shared,
    spec: &LaunchSpec,
    child: &mut Child,
    port: u16,
    until: Instant,
) -> Result<()> {
    let ending = format!(":{port}");
    let heard = |text: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once("listening on http"));
        lines.any(|(_, url)| url.trim().trim_end_matches('/').ends_with(&ending)).then_some(())
    };
    match shared.output.look(until, heard) {
        Look::Found(()) => {}
        Look::Late => return Err(late(spec, &shared.output)),
        Look::Over => {
            let status = child.wait().ok();
            return Err(ended(spec, status, &shared.output));
        }
    }
    let client = Client::new(client_options(spec, spec.url(port)))?;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(late(spec, &shared.output));
        }
        let options = CallOptions { timeout: Some(left), ..CallOptions::default() };
        let error = match client.call_json("global.health", "", &options) {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        if let Ok(Some(status)) = child.try_wait() {
            shared.output.finish(REST);
            return Err(ended(spec, Some(status), &shared.output));
        }
        match error.kind() {
            ErrorKind::Timeout => return Err(late(spec, &shared.output)),
            ErrorKind::Connection => shared.pause(Duration::from_millis(20))?,
            _ => {
                let text = format!("it listens, but does not answer as it should: {error}");
                return Err(failed("exited", text).with_source(error));
            }
        }
    }
}

/// A client of the server: the environment of this process does not matter.
pub(super) fn client_options(spec: &LaunchSpec, url: String) -> ClientOptions {
    ClientOptions {
        base_url: url,
        username: Some(spec.options.username.clone()),
        password: Some(spec.password.clone()),
        max_retries: 0,
        ..ClientOptions::default()
    }
}

fn ended(spec: &LaunchSpec, status: Option<ExitStatus>, output: &Output) -> Error {
    let text = printed(spec, output);
    let taken = ["ServeError", "EADDRINUSE", "Is port "].iter().any(|sign| text.contains(sign));
    let how = status.map_or_else(|| "unknown exit status".to_owned(), |status| status.to_string());
    let (code, what) = match spec.options.port {
        Some(port) if taken => ("port", format!("port {port} is taken; choose another, or none")),
        None if taken => ("port", "its port was taken by another program".to_owned()),
        _ => ("exited", format!("'{}' ended ({how})", spec.binary.display())),
    };
    failed(code, with_gist(what, &text)).with_body(text.as_bytes())
}

fn late(spec: &LaunchSpec, output: &Output) -> Error {
    let text = printed(spec, output);
    let limit = shown(spec.options.start_timeout);
    let what = format!("it did not answer within {limit}; raise start_timeout");
    failed("timeout", with_gist(what, &text)).with_body(text.as_bytes())
}

fn with_gist(what: String, output: &str) -> String {
    match gist(output) {
        nothing if nothing.is_empty() => format!("{what}; it printed nothing"),
        gist => format!("{what}; it printed: {gist}"),
    }
}

/// What it printed, without its password, whoever made it print that.
pub(super) fn printed(spec: &LaunchSpec, output: &Output) -> String {
    let credentials = Credentials::new(spec.options.username.as_str(), spec.password.as_str());
    Redactor::new(Some(&credentials), &[]).text(&output.text()).into_owned()
}
