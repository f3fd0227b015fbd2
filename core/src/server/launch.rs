//! The thread of a server: starts the process, waits until it answers, and then for its end.

use super::failure::failed;
use super::hostname;
use super::launch_spec::{LaunchSpec, free_port};
use super::output::{Look, OutputTail, gist};
use super::process::ServerProcess;
use super::reaper::Reaper;
use super::state::ServerShared;
use crate::base::error::{Error, ErrorKind, Result, is_out_of_descriptors};
use crate::base::limits::{after, shown};
use crate::base::thread;
use crate::call::options::{CallOptions, ClientOptions};
use crate::client::Client;
use crate::http::credentials::{Credentials, DEFAULT_USERNAME};
use crate::http::redact::Redactor;
use crate::protocol::dialect::Dialect;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Free ports tried before the blame is passed on.
const PORTS: u32 = 10;
/// How long the rest of the output may take once the process has ended.
const REST: Duration = Duration::from_secs(1);

/// Does everything; returns when no process of the server is left.
pub(super) fn run(shared: &Arc<ServerShared>, spec: &LaunchSpec) {
    match Reaper::start(&spec.tag) {
        Err(error) => shared.fail(error),
        Ok((lease, reaper)) => {
            shared.keep(lease);
            match launch(shared, spec) {
                Ok(mut child) => {
                    let status = child.wait();
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

fn launch(shared: &Arc<ServerShared>, spec: &LaunchSpec) -> Result<ServerProcess> {
    let until = after(spec.options.start_timeout);
    hostname::check(shared, &spec.options.hostname, until)?;
    let mut tries = 0;
    let mut is_lower = false;
    loop {
        tries += 1;
        let port = match spec.options.port {
            Some(port) => port,
            None => free_port().map_err(|e| failed("port", format!("no free port: {e}")))?,
        };
        let mut child = spawn(shared, spec, port, is_lower)?;
        let error = match await_ready(shared, spec, &mut child, port, until) {
            Ok(dialect) => {
                shared.ready(spec.url(port), dialect);
                return Ok(child);
            }
            Err(error) => error,
        };
        // What did not get ready must not stay, nor be in the way of the next attempt.
        child.end();
        // Only 2.x says so: it writes the levels in small letters. Asking a program of 1.x for its version first would
        // take seconds.
        let is_level = error.body().is_some_and(|text| text.contains("value for flag --log-level"));
        if is_level && !std::mem::replace(&mut is_lower, true) {
            continue;
        }
        let is_taken = error.code() == Some("port");
        if !is_taken || spec.options.port.is_some() || tries == PORTS {
            return Err(error);
        }
    }
}

fn spawn(
    shared: &Arc<ServerShared>,
    spec: &LaunchSpec,
    port: u16,
    is_lower: bool,
) -> Result<ServerProcess> {
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
    let mut command = spec.command(port, is_lower, writer).map_err(system)?;
    let output = shared.output.clone();
    // The writing end goes with the command, so that the reader sees the end of the process.
    let child = shared.start(move || command.spawn())?.map_err(system)?;
    output.begin();
    let fallen = output.clone();
    thread::start("opencode-output", move || output.drain(reader), move |_| fallen.end())?;
    Ok(child)
}

/// Waits for the line that says where it listens, then for its answer; gives what it speaks.
fn await_ready(
    shared: &ServerShared,
    spec: &LaunchSpec,
    child: &mut ServerProcess,
    port: u16,
    until: Instant,
) -> Result<Dialect> {
    let ending = format!(":{port}");
    let heard = |text: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once("listening on http"));
        lines.any(|(_, url)| url.trim().trim_end_matches('/').ends_with(&ending)).then_some(())
    };
    match shared.output.look(until, heard) {
        Look::Found(()) => {}
        Look::Late => return Err(late(spec, &shared.output)),
        Look::Over => {
            let status = child.wait();
            return Err(ended(spec, status, &shared.output));
        }
    }
    let client = Client::new(client_options(spec, spec.url(port)))?;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(late(spec, &shared.output));
        }
        let error = match is_ready(&client, left) {
            Ok(dialect) => return Ok(dialect),
            Err(error) => error,
        };
        if let Some(status) = child.ended() {
            shared.output.finish(REST);
            return Err(ended(spec, Some(status), &shared.output));
        }
        match error.kind() {
            ErrorKind::Timeout => return Err(late(spec, &shared.output)),
            ErrorKind::Connection => shared.pause(Duration::from_millis(20))?,
            // One of 2.x listens before it is ready, and says so.
            _ if error.status() == Some(503) => shared.pause(Duration::from_millis(20))?,
            ErrorKind::Unauthorized if spec.options.username != DEFAULT_USERNAME => {
                let text = format!(
                    "it is one of 2.x, which knows no user but '{DEFAULT_USERNAME}'; leave username out, it is '{}'",
                    spec.options.username
                );
                return Err(failed("exited", text).with_source(error));
            }
            _ => {
                let text = format!("it listens, but does not answer as it should: {error}");
                return Err(failed("exited", text).with_source(error));
            }
        }
    }
}

/// What the server speaks, once it is ready. Of 1.x the first answer says so; of 2.x only a 200.
fn is_ready(client: &Client, limit: Duration) -> Result<Dialect> {
    let began = Instant::now();
    let dialect = client.server_within(limit)?.dialect;
    if dialect == Dialect::Two {
        let left = limit.saturating_sub(began.elapsed());
        let options = CallOptions { timeout: Some(left), ..CallOptions::default() };
        client.call_json("v2.server.info", "", &options)?;
    }
    Ok(dialect)
}

/// Stops what is running in all sessions, so that it is stored as it is.
pub(super) fn settle(client: &Client, dialect: Dialect, limit: Duration) -> Result<()> {
    let options = || CallOptions { timeout: Some(limit), ..CallOptions::default() };
    match dialect {
        Dialect::One => client.call_json("global.dispose", "", &options()).map(drop),
        Dialect::Two => {
            let running: Running = client.call_json("v2.session.active", "", &options())?.json()?;
            for session in running.data.keys() {
                let arguments = serde_json::json!({ "sessionID": session }).to_string();
                client.call_json("v2.session.interrupt", &arguments, &options())?;
            }
            Ok(())
        }
    }
}

/// Sessions that run, by id.
#[derive(serde::Deserialize)]
struct Running {
    data: std::collections::HashMap<String, serde::de::IgnoredAny>,
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

fn ended(spec: &LaunchSpec, status: Option<ExitStatus>, output: &OutputTail) -> Error {
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

fn late(spec: &LaunchSpec, output: &OutputTail) -> Error {
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
pub(super) fn printed(spec: &LaunchSpec, output: &OutputTail) -> String {
    let credentials = Credentials::new(spec.options.username.as_str(), spec.password.as_str());
    Redactor::new(Some(&credentials), &[]).text(&output.text()).into_owned()
}
