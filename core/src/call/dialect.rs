//! [`Dialect`]: which kind of OpenCode server this is, found out by asking.

use crate::base::cancel::CancelToken;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::limits::Limits;
use crate::http::transport::{Expect, Request, Transport};
use serde::Deserialize;
use std::time::{Duration, Instant};
use ureq::http::Method;

/// What a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// OpenCode 1.x: what this library speaks.
    One,
    /// OpenCode 2.x: everything lies below `/api`, and much is different.
    Two,
}

impl Dialect {
    /// `1.x` or `2.x`.
    pub fn as_str(self) -> &'static str {
        match self {
            Dialect::One => "1.x",
            Dialect::Two => "2.x",
        }
    }
}

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) dialect: Dialect,
    pub(crate) version: String,
}

/// Asks a server what it is, within a time.
///
/// # Errors
/// `unauthorized` when it wants a password first, `unsupported` or `decode` when it is no OpenCode server, and
/// what keeps a request from being answered.
pub(crate) fn identify(
    transport: &Transport,
    limit: Duration,
    token: &CancelToken,
) -> Result<Identity> {
    #[derive(Deserialize)]
    struct Health {
        version: String,
    }
    let began = Instant::now();
    let error = match ask::<Health>(transport, "/global/health", limit, token) {
        Ok(health) => return Ok(Identity { dialect: Dialect::One, version: health.version }),
        Err(error) => error,
    };
    let answered = error.status().is_some() && error.kind() != ErrorKind::Unauthorized;
    let left = limit.saturating_sub(began.elapsed());
    match answered.then(|| second(transport, left, token)).flatten() {
        Some(identity) => Ok(identity),
        None if answered && is_old(transport, limit.saturating_sub(began.elapsed()), token) => {
            let text = format!("identify: {TOO_OLD}");
            let status = error.status().unwrap_or_default();
            let code = Some(OLD.to_owned());
            Err(Error::new(ErrorKind::Unsupported, text).with_status(status).with_code(code))
        }
        None => Err(error),
    }
}

/// The code of an error that says so.
pub(crate) const OLD: &str = "too_old";
/// What is wrong with a server of the first months.
const TOO_OLD: &str = "this OpenCode server is too old: this library needs 1.1 or newer; run `npm install -g opencode-ai@1`";

/// Whether it is a server of 1.0 or before: it describes itself as OpenCode, and does not know what every later one
/// knows.
fn is_old(transport: &Transport, limit: Duration, token: &CancelToken) -> bool {
    #[derive(Deserialize)]
    struct Document {
        info: Info,
    }
    #[derive(Deserialize)]
    struct Info {
        title: String,
    }
    let began = Instant::now();
    let Ok(Document { info }) = ask(transport, "/doc", limit, token) else { return false };
    if !info.title.eq_ignore_ascii_case("opencode") {
        return false;
    }
    let left = limit.saturating_sub(began.elapsed());
    ask::<serde::de::IgnoredAny>(transport, "/global/health", left, token)
        .is_err_and(|error| error.status().is_some() && error.kind() != ErrorKind::Unauthorized)
}

/// Names the dialect of a server that did not know an operation of this library, or says that it is too old.
pub(crate) fn explain(
    error: Error,
    target: &str,
    transport: &Transport,
    limit: Option<Duration>,
    token: &CancelToken,
) -> Error {
    const LIMIT: Duration = Duration::from_secs(2);
    // A 404 that says what was not found comes from a server that knew the question.
    let is_unknown = match error.kind() {
        ErrorKind::Unsupported => true,
        ErrorKind::NotFound => error.code().is_none(),
        _ => false,
    };
    if !is_unknown || target.starts_with("/api/") {
        return error;
    }
    let limit = limit.unwrap_or(LIMIT).min(LIMIT);
    let operation = error.operation();
    let (text, code) = match second(transport, limit, token) {
        Some(found) => {
            let text = format!(
                "{operation}: this is an OpenCode {} server, and the operation is one of 1.x; start a server of 1.x (`npm install -g opencode-ai@1`) or use the operations v2.*",
                found.version
            );
            (text, None)
        }
        None if is_old(transport, limit, token) => {
            (format!("{operation}: {TOO_OLD}"), Some(OLD.to_owned()))
        }
        None => return error,
    };
    let operation = error.operation().to_owned();
    let body = error.body().unwrap_or_default().to_owned();
    Error::new(ErrorKind::Unsupported, text)
        .with_code(code)
        .with_operation(operation)
        .with_status(error.status().unwrap_or_default())
        .with_body(body.as_bytes())
        .with_sent(true)
}

/// What a server of 2.x says of itself; `None` for any other.
fn second(transport: &Transport, limit: Duration, token: &CancelToken) -> Option<Identity> {
    /// The process is what tells it from anything else that has a version.
    #[derive(Deserialize)]
    struct Info {
        version: String,
        #[serde(rename = "pid")]
        _pid: u64,
    }
    let info: Info = ask(transport, "/api/info", limit, token).ok()?;
    Some(Identity { dialect: Dialect::Two, version: info.version })
}

fn ask<T: serde::de::DeserializeOwned>(
    transport: &Transport,
    target: &str,
    limit: Duration,
    token: &CancelToken,
) -> Result<T> {
    let limits = Limits { connect: limit, total: Some(limit), body: 1 << 20, ..Limits::default() };
    let request = Request {
        operation: "identify",
        method: &Method::GET,
        target,
        body: None,
        headers: &[],
        limits,
        expect: Expect::Json,
    };
    transport.send(&request, token)?.json()
}
