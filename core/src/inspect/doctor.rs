//! [`Diagnosis`]: what works and what does not between a client and its server, and what to do.

mod check;

use crate::base::cancel::CancelToken;
use crate::base::error::{Error, ErrorKind};
use crate::base::limits::after;
use crate::base::thread::start_scoped;
use crate::call::caller::{Caller, closed};
use crate::call::dialect;
use crate::protocol::dialect::{Dialect, ServerInfo};
use check::Examiner;
use serde_json::json;
use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// All checks together.
pub(crate) const BUDGET: Duration = Duration::from_secs(5);
/// The first question; what comes after it needs its answer.
const FIRST: Duration = Duration::from_secs(2);

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CheckStatus {
    /// It works.
    Ok,
    /// It works with limits, or could not be told.
    Warn,
    /// It does not work.
    Fail,
}

impl CheckStatus {
    /// `ok`, `warn` or `fail`.
    pub fn as_str(self) -> &'static str {
        match self {
            CheckStatus::Ok => "ok",
            CheckStatus::Warn => "warn",
            CheckStatus::Fail => "fail",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// `server`, `password`, `version`, `directory`, `model`, `ripgrep`, `events` or `clock`.
    pub name: &'static str,
    /// How it ended.
    pub status: CheckStatus,
    /// What was found, in one line.
    pub message: String,
    /// What to do; empty when nothing is to be done.
    pub advice: String,
}

/// What [`Client::doctor`](crate::Client::doctor) found. Shown, it is one line per check.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diagnosis {
    /// What was looked at; what needs a server that was not found is left out.
    pub checks: Vec<Check>,
    /// How long it took; never more than five seconds.
    pub elapsed: Duration,
}

impl Diagnosis {
    /// Whether no check failed.
    pub fn is_ok(&self) -> bool {
        self.checks.iter().all(|check| check.status != CheckStatus::Fail)
    }

    /// `{ok, elapsed_ms, checks: [{check, status, message, advice}], text}`.
    pub fn to_json(&self) -> String {
        let checks = self.checks.iter().map(|check| {
            json!({
                "check": check.name,
                "status": check.status.as_str(),
                "message": check.message,
                "advice": check.advice,
            })
        });
        json!({
            "ok": self.is_ok(),
            "elapsed_ms": self.elapsed.as_millis() as u64,
            "checks": checks.collect::<Vec<_>>(),
            "text": self.to_string(),
        })
        .to_string()
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, check) in self.checks.iter().enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            write!(f, "{end}{:4} {:9} {}", check.status.as_str(), check.name, check.message)?;
            if !check.advice.is_empty() {
                write!(f, "; {}", check.advice)?;
            }
        }
        Ok(())
    }
}

impl Check {
    fn new(name: &'static str, status: CheckStatus, message: String, advice: &str) -> Check {
        Check { name, status, message, advice: advice.to_owned() }
    }
}

/// Does all checks within the budget.
pub(crate) fn examine(caller: &Arc<Caller>, token: &CancelToken) -> Diagnosis {
    let began = Instant::now();
    let until = after(BUDGET);
    let mut checks = Vec::new();
    let identity = caller
        .identify(FIRST, token)
        .map_err(|error| if caller.is_closed() { closed("doctor") } else { error });
    let url = caller.transport().base().as_str();
    let has_password = caller.transport().has_credentials();
    match identity {
        Err(error) => checks.extend(unreachable_server(&error, url, has_password)),
        Ok(info) => {
            checks.push(Check::new("server", CheckStatus::Ok, format!("{url} answers"), ""));
            checks.push(password(caller, has_password));
            checks.push(version_of(&info));
            checks.extend(others(caller, info.dialect, until, token));
        }
    }
    Diagnosis { checks, elapsed: began.elapsed() }
}

fn unreachable_server(error: &Error, url: &str, has_password: bool) -> Vec<Check> {
    let fail =
        |name, message: String, advice: &str| Check::new(name, CheckStatus::Fail, message, advice);
    match error.kind() {
        ErrorKind::Unauthorized => vec![
            Check::new("server", CheckStatus::Ok, format!("{url} answers"), ""),
            if has_password {
                fail(
                    "password",
                    "the server refuses user or password".to_owned(),
                    "check username and password, or OPENCODE_SERVER_USERNAME and OPENCODE_SERVER_PASSWORD",
                )
            } else {
                fail(
                    "password",
                    "the server wants a password and none is set".to_owned(),
                    "set password, or OPENCODE_SERVER_PASSWORD",
                )
            },
        ],
        ErrorKind::Closed => {
            vec![fail("server", "the client is closed".to_owned(), "make a new one")]
        }
        ErrorKind::Timeout => vec![fail(
            "server",
            format!("{url} takes the connection or the request and does not answer"),
            "the server may be stopped or overloaded: end it and start it again",
        )],
        ErrorKind::Unsupported if error.code() == Some(dialect::OLD) => vec![
            Check::new("server", CheckStatus::Ok, format!("{url} answers"), ""),
            fail(
                "version",
                "older than 1.1: it has not what this library needs".to_owned(),
                "start a newer server: `npm install -g opencode-ai@1`",
            ),
        ],
        ErrorKind::Unsupported | ErrorKind::Decode | ErrorKind::NotFound => vec![fail(
            "server",
            format!("what answers at {url} is no OpenCode server"),
            "set base_url or OPENCODE_BASE_URL to the address that `opencode serve` prints",
        )],
        _ => vec![fail(
            "server",
            if is_refused(error) {
                format!("no server listens at {url}")
            } else {
                error.message().to_owned()
            },
            "start one with `opencode serve`, or let the program start its own (Server.start)",
        )],
    }
}

/// Whether the system said so: the message of such an error gives the same advice.
fn is_refused(error: &Error) -> bool {
    std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<std::io::Error>())
        .is_some_and(|source| source.kind() == std::io::ErrorKind::ConnectionRefused)
}

fn password(caller: &Caller, has_password: bool) -> Check {
    if has_password {
        return Check::new("password", CheckStatus::Ok, "accepted".to_owned(), "");
    }
    if caller.transport().base().is_loopback() {
        let text = "none: every program of this machine may use the server".to_owned();
        return Check::new("password", CheckStatus::Ok, text, "");
    }
    Check::new(
        "password",
        CheckStatus::Warn,
        "none, and the server is not on this machine: whoever reaches it can run commands there"
            .to_owned(),
        "start it with OPENCODE_SERVER_PASSWORD",
    )
}

fn version_of(info: &ServerInfo) -> Check {
    let version = &info.version;
    match info.dialect {
        Dialect::One => Check::new("version", CheckStatus::Ok, format!("{version} (1.x)"), ""),
        Dialect::Two if info.is_early() => Check::new(
            "version",
            CheckStatus::Fail,
            format!("{version} (an early version of 2.x): runs need 2.0.4 or newer, or 1.x"),
            "update the server: `opencode upgrade`",
        ),
        Dialect::Two => Check::new("version", CheckStatus::Ok, format!("{version} (2.x)"), ""),
    }
}

/// What can be looked at at the same time.
fn others(
    caller: &Arc<Caller>,
    dialect: Dialect,
    until: Instant,
    token: &CancelToken,
) -> Vec<Check> {
    type Look = fn(&Examiner<'_>) -> Check;
    const ONE: &[Look] = &[
        |examiner| examiner.directory(),
        |examiner| examiner.model(),
        |examiner| examiner.ripgrep(),
        |examiner| examiner.events(),
        |examiner| examiner.clock(),
    ];
    // Nothing that can be asked of 2.x needs ripgrep: whether its tools have it only a run would tell.
    const TWO: &[Look] = &[
        |examiner| examiner.directory(),
        |examiner| examiner.model_two(),
        |examiner| examiner.events(),
        |examiner| examiner.clock(),
    ];
    let checks = if dialect == Dialect::Two { TWO } else { ONE };
    let examiner = Examiner::new(caller, dialect, until, token);
    thread::scope(|scope| {
        let examiner = &examiner;
        let started: Vec<_> = checks
            .iter()
            .map(|check| start_scoped(scope, "opencode-doctor", move || check(examiner)))
            .collect();
        // A system that gives no thread, and a bug of ours, cost one line each.
        let joined = started.into_iter().flatten().filter_map(|thread| thread.join().ok());
        joined.flatten().collect()
    })
}
