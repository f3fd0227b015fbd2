//! Which kind of OpenCode server this is, found out by asking.

use crate::base::cancel::CancelToken;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::limits::Limits;
use crate::http::transport::{Expect, HttpRequest, Transport};
use crate::protocol::dialect::{Dialect, ServerInfo};
use crate::protocol::operation::{self, Operation};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use ureq::http::Method;

/// Asks a server what it is, within a time. It is asked on only after a 404 or a web page, which say that it does not
/// know the question.
///
/// # Errors
/// `unauthorized` when it wants a password first, `unsupported` or `decode` when it is no OpenCode server, and
/// what keeps a request from being answered.
pub(crate) fn identify(
    transport: &Transport,
    limit: Duration,
    token: &CancelToken,
) -> Result<ServerInfo> {
    let began = Instant::now();
    let left = || limit.saturating_sub(began.elapsed());
    let error = match first(transport, left(), token) {
        Ok(info) => return Ok(info),
        Err(error) => error,
    };
    // One that is too old hands what it does not know to the web, and says 500 where it does not reach it.
    let is_failure = error.status() == Some(500);
    if !is_unknown(&error) && !is_failure {
        return Err(error);
    }
    if !is_failure && let Some(info) = second(transport, left(), token)? {
        return Ok(info);
    }
    if is_old(transport, left(), token) {
        let text = format!("identify: {TOO_OLD}");
        let status = error.status().unwrap_or_default();
        let code = Some(OLD.to_owned());
        return Err(Error::new(ErrorKind::Unsupported, text).with_status(status).with_code(code));
    }
    Err(error)
}

/// What a server of 1.x says of itself.
fn first(transport: &Transport, limit: Duration, token: &CancelToken) -> Result<ServerInfo> {
    let Version { version } = ask_twice(transport, "/global/health", limit, token)?;
    Ok(ServerInfo { version, dialect: Dialect::One })
}

/// What a server of 2.x says of itself; `None` for any other.
///
/// # Errors
/// `unauthorized` when it wants a password first, and what keeps a request from being answered.
fn second(
    transport: &Transport,
    limit: Duration,
    token: &CancelToken,
) -> Result<Option<ServerInfo>> {
    /// The process is what tells it from anything else that has a version.
    #[derive(Deserialize)]
    struct Info {
        version: String,
        #[serde(rename = "pid")]
        _pid: u64,
    }
    let began = Instant::now();
    let two = |version| Ok(Some(ServerInfo { version, dialect: Dialect::Two }));
    let error = match ask_twice::<Info>(transport, "/api/info", limit, token) {
        Ok(info) => return two(info.version),
        Err(error) => error,
    };
    // While it starts it says the same with 503.
    let starting = error.body().filter(|_| error.status() == Some(503));
    if let Some(info) = starting.and_then(|body| serde_json::from_str::<Info>(body).ok()) {
        return two(info.version);
    }
    if matches!(error.status(), None | Some(401)) {
        return Err(error);
    }
    if !is_unknown(&error) {
        return Ok(None);
    }
    // The first four versions, and no other, say it here. 1.x knows the place and gives no version.
    let left = limit.saturating_sub(began.elapsed());
    match ask::<Version>(transport, "/api/health", left, token) {
        Ok(Version { version }) if version.starts_with("2.") => two(version),
        _ => Ok(None),
    }
}

#[derive(Deserialize)]
struct Version {
    version: String,
}

/// Whether the server does not know the question.
fn is_unknown(error: &Error) -> bool {
    error.kind() == ErrorKind::Unsupported || error.status() == Some(404)
}

/// The version of 1.x whose operations the table has.
pub(crate) const KNOWN: &str = "1.18.33";

/// The code of an error that says so.
pub(crate) const OLD: &str = "too_old";
/// What is wrong with a server of the first months.
const TOO_OLD: &str = "this OpenCode server is too old: this library needs 1.1 or newer; run `npm install -g opencode-ai@1`";

/// What a server of 1.x says that it has.
#[derive(Deserialize)]
struct Document {
    info: DocumentInfo,
    #[serde(default)]
    paths: HashMap<String, IgnoredAny>,
}

#[derive(Deserialize)]
struct DocumentInfo {
    title: String,
}

/// What a server of 1.x says, without any word of what is wrong, of a path that it does not know where it has no web page, and
/// where it looks for one in the web and does not reach that.
fn may_be_unknown(error: &Error) -> bool {
    const HANDED_ON: [&str; 2] =
        ["Is the computer able to access the url?", "Was there a typo in the url or port?"];
    error.status() == Some(500)
        && error.body().is_none_or(|body| {
            body.is_empty() || HANDED_ON.iter().any(|words| body.contains(words))
        })
}

/// What to say of an operation that a server of 1.x is too old for, by what it says that it has.
fn too_new(
    error: &Error,
    operation: &Operation,
    transport: &Transport,
    limit: Duration,
    token: &CancelToken,
) -> Option<(String, Option<String>)> {
    let began = Instant::now();
    let Document { info, paths } = ask(transport, "/doc", limit, token).ok()?;
    let wanted = shape(operation.path);
    let is_there = paths.is_empty() || paths.keys().any(|path| shape(path) == wanted);
    if is_there || !info.title.eq_ignore_ascii_case("opencode") {
        return None;
    }
    if !paths.contains_key("/global/health") {
        return Some((format!("{}: {TOO_OLD}", error.operation()), Some(OLD.to_owned())));
    }
    let info = first(transport, limit.saturating_sub(began.elapsed()), token).ok()?;
    let text = format!(
        "{}: this is an {}, which does not have the operation yet; {KNOWN} has it: `npm install -g opencode-ai@1`",
        error.operation(),
        info.name()
    );
    Some((text, None))
}

/// A path without the names of its arguments.
fn shape(path: &str) -> String {
    let is_named = |piece: &str| piece.starts_with('{') || piece.starts_with('*');
    let pieces = path.split('/').map(|piece| if is_named(piece) { "{}" } else { piece });
    pieces.collect::<Vec<_>>().join("/")
}

/// Whether it is a server of 1.0 or before: it describes itself as OpenCode, and does not know what every later one
/// knows.
fn is_old(transport: &Transport, limit: Duration, token: &CancelToken) -> bool {
    let began = Instant::now();
    let Ok(Document { info, paths }) = ask(transport, "/doc", limit, token) else { return false };
    if !info.title.eq_ignore_ascii_case("opencode") || paths.contains_key("/global/health") {
        return false;
    }
    let left = limit.saturating_sub(began.elapsed());
    ask::<IgnoredAny>(transport, "/global/health", left, token)
        .is_err_and(|error| error.status().is_some() && error.kind() != ErrorKind::Unauthorized)
}

/// How long a refused operation is followed up.
pub(crate) const LIMIT: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(10);

/// What a refused operation turned out to be, and the error that says so.
pub(crate) struct Explained {
    /// What the server is, if it was asked.
    pub(crate) found: Option<ServerInfo>,
    pub(crate) error: Error,
}

/// Names the dialect of a server that did not know an operation of the other one, or says that it is too old.
pub(crate) fn explain(
    error: Error,
    operation: Option<&Operation>,
    target: &str,
    transport: &Transport,
    limit: Option<Duration>,
    token: &CancelToken,
) -> Explained {
    // A 404 that says what was not found comes from a server that knew the question; a 405 is what 2.x gives for
    // all that is not below /api.
    let is_unknown = match error.kind() {
        ErrorKind::Unsupported => true,
        ErrorKind::NotFound => error.code().is_none(),
        // 1.x without its web page fails at every path that it does not know, and so does 2.x at much else.
        ErrorKind::Server => {
            operation.is_some_and(|operation| operation.dialect == Some(Dialect::Two))
                && error.status() == Some(500)
                && error.body().is_none_or(str::is_empty)
        }
        _ => error.status() == Some(405),
    };
    // What a server has it says in a long answer, for which one that is busy takes its time.
    let patience = limit.unwrap_or(PATIENCE).min(PATIENCE);
    let limit = limit.unwrap_or(LIMIT).min(LIMIT);
    let may_have = |operation: &&Operation| operation.dialect != Some(Dialect::Two);
    if let Some(operation) = operation.filter(may_have).filter(|_| may_be_unknown(&error))
        && let Some((text, code)) = too_new(&error, operation, transport, patience, token)
    {
        return Explained { found: None, error: unsupported(&error, text, code) };
    }
    let is_raw = operation.is_none();
    let method = error.operation().split(' ').next().unwrap_or_default();
    let operation = operation.or_else(|| operation::at(method, target));
    let needed = match operation {
        Some(operation) => operation.dialect,
        None => (!target.starts_with("/api/")).then_some(Dialect::One),
    };
    let Some(needed) = needed.filter(|_| is_unknown) else {
        let error = if is_raw { with_page(error) } else { error };
        return Explained { found: None, error };
    };
    let name = error.operation();
    let asked = match needed {
        Dialect::One => second(transport, limit, token),
        Dialect::Two => first(transport, limit, token).map(Some),
    };
    let found = match asked {
        Ok(found) => found,
        Err(why) if is_refusal(&error) => match unanswered(name, &why) {
            Some(error) => return Explained { found: None, error },
            None => None,
        },
        Err(_) => None,
    };
    let (text, code) = match &found {
        Some(info) => match operation.filter(|_| !is_raw) {
            Some(operation) => (wrong_dialect(name, operation, info), None),
            None => (unknown_path(&error, operation, info), None),
        },
        None if needed == Dialect::One && is_old(transport, limit, token) => {
            (format!("{name}: {TOO_OLD}"), Some(OLD.to_owned()))
        }
        None => {
            let error = if is_raw { with_page(error) } else { error };
            return Explained { found, error };
        }
    };
    Explained { found, error: unsupported(&error, text, code) }
}

/// The same error with what is known of it.
fn unsupported(error: &Error, text: String, code: Option<String>) -> Error {
    Error::new(ErrorKind::Unsupported, text)
        .with_code(code)
        .with_operation(error.operation().to_owned())
        .in_place_of(error)
}

/// How a web page is had.
const PAGE: &str = "to get the page itself, send the header accept: text/html";

/// Says how the page is had that a server gave for a path that it does not know.
fn with_page(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Unsupported => error.and(PAGE),
        _ => error,
    }
}

/// What is wrong with a path of the host's own: it is one of the other generation, or of none.
fn unknown_path(error: &Error, operation: Option<&Operation>, info: &ServerInfo) -> String {
    let (name, server) = (error.operation(), info.name());
    let known = operation.filter(|operation| operation.dialect.is_some());
    match (known, info.dialect) {
        (Some(_), Dialect::One) => {
            format!(
                "{name}: this is an {server}, and the path is one of 2.x; start a server of 2.x for it"
            )
        }
        (Some(Operation { instead: [], .. }), Dialect::Two) => format!(
            "{name}: this is an {server}, and the path is one of 1.x; 2.x has nothing in its place; start a server of 1.x for it (`npm install -g opencode-ai@1`)"
        ),
        (Some(operation), Dialect::Two) => {
            let ways = operation.instead.iter().map(|name| match operation::find(name) {
                Some(way) => format!("{} {} ({name})", way.method.as_str(), way.path),
                None => (*name).to_owned(),
            });
            let ways = ways.collect::<Vec<_>>().join(" and ");
            format!("{name}: this is an {server}, and the path is one of 1.x; use {ways}")
        }
        (None, dialect) => {
            let place = if dialect == Dialect::Two { "; its own are below /api" } else { "" };
            let page = match error.kind() {
                ErrorKind::Unsupported => format!("; {PAGE}"),
                _ => String::new(),
            };
            format!(
                "{name}: this is an {server}, and it has no such path{place}, and docs/operations.md lists them{page}"
            )
        }
    }
}

/// Whether a server refused a request as one that it does not know: it did nothing then.
pub(crate) fn is_refusal(error: &Error) -> bool {
    error.kind() == ErrorKind::Unsupported || error.status() == Some(405)
}

/// Why nobody knows what a server is that refused a request, where that says more than the refusal: it wants a password first,
/// or the question was lost, and all of it may be asked again.
pub(crate) fn unanswered(name: &str, why: &Error) -> Option<Error> {
    let is_locked = why.kind() == ErrorKind::Unauthorized;
    if !(is_locked || is_lost(why)) {
        return None;
    }
    let message = why.message();
    let text = message.strip_prefix("identify").unwrap_or(message);
    let error = Error::new(why.kind(), format!("{name}{text}")).with_operation(name.to_owned());
    Some(match why.status() {
        Some(status) => error.with_status(status).with_sent(true),
        None => error.with_retryable(true).with_sent(false),
    })
}

/// Refuses an operation of the other dialect, without a request.
pub(crate) fn refuse(operation: &Operation, info: &ServerInfo) -> Error {
    let text = wrong_dialect(operation.name, operation, info);
    Error::new(ErrorKind::Unsupported, text).with_operation(operation.name)
}

/// Refuses an operation of the other dialect than the one that the client was told.
pub(crate) fn refuse_chosen(operation: &Operation, chosen: Dialect) -> Error {
    let other = operation.dialect.map_or("", Dialect::as_str);
    let text = format!(
        "{}: the operation is one of {other}, and the client was made for servers of {} only; {}",
        operation.name,
        chosen.as_str(),
        match chosen {
            Dialect::Two => instead(operation),
            Dialect::One => "make one with dialect \"auto\"".to_owned(),
        }
    );
    Error::new(ErrorKind::Unsupported, text).with_operation(operation.name)
}

/// What to do on a server of 2.x in place of an operation of 1.x.
fn instead(operation: &Operation) -> String {
    match operation.instead {
        [] => "2.x has nothing in its place".to_owned(),
        names => format!("use {}", names.join(" and ")),
    }
}

fn wrong_dialect(name: &str, operation: &Operation, info: &ServerInfo) -> String {
    let server = info.name();
    match info.dialect {
        Dialect::One => format!(
            "{name}: this is an {server}, and the operation is one of 2.x; start a server of 2.x for it"
        ),
        Dialect::Two => {
            let or = if operation.instead.is_empty() { "; " } else { ", or " };
            format!(
                "{name}: this is an {server}, and the operation is one of 1.x; {}{or}start a server of 1.x (`npm install -g opencode-ai@1`)",
                instead(operation)
            )
        }
    }
}

/// What is wrong where a client was made for the other kind of server: whatever the server says misleads.
pub(crate) fn held(name: &str, chosen: Dialect, info: &ServerInfo) -> Error {
    let text = format!(
        "{name}: this is an {}, and the client was made for servers of {} only; make one with dialect \"auto\"",
        info.name(),
        chosen.as_str()
    );
    Error::new(ErrorKind::Unsupported, text).with_operation(name.to_owned())
}

/// The code of the error of a directory that is not there.
pub(crate) const NO_DIRECTORY: &str = "directory";

/// The error of a directory that is not there.
pub(crate) fn no_directory(name: &str, directory: &str) -> Error {
    let text = format!(
        "{name}: the server has no directory '{directory}'; give the absolute path of a folder on its machine"
    );
    Error::new(ErrorKind::NotFound, text)
        .with_code(Some(NO_DIRECTORY.to_owned()))
        .with_operation(name.to_owned())
}

/// Whether the directory is what the server fails at: of one that is not there it says 500, as of much else, and
/// nothing more.
pub(crate) fn lacks_directory(
    transport: &Transport,
    directory: &str,
    limit: Option<Duration>,
    token: &CancelToken,
) -> bool {
    const HERE: &str = "/api/location";
    let mut there = format!("{HERE}?location%5Bdirectory%5D=");
    crate::http::base_url::percent_encode(&mut there, directory);
    lacks(transport, &there, HERE, limit, token) == Some(true)
}

/// The same of a server of 1.x, of which only the files of a directory tell it; `None` where it does not say so.
pub(crate) fn lacks_directory_of_one(
    transport: &Transport,
    directory: &str,
    limit: Option<Duration>,
    token: &CancelToken,
) -> Option<bool> {
    const HERE: &str = "/file?path=.";
    let mut there = format!("{HERE}&directory=");
    crate::http::base_url::percent_encode(&mut there, directory);
    lacks(transport, &there, HERE, limit, token)
}

/// Whether one of these places is an error of the server, and the other one is not.
fn lacks(
    transport: &Transport,
    there: &str,
    here: &str,
    limit: Option<Duration>,
    token: &CancelToken,
) -> Option<bool> {
    // A server that has not used a directory yet takes seconds to answer for it.
    const LIMIT: Duration = Duration::from_secs(15);
    let limit = limit.unwrap_or(LIMIT).min(LIMIT);
    let began = Instant::now();
    let error = match ask::<IgnoredAny>(transport, there, limit, token) {
        Ok(_) => return Some(false),
        Err(error) => error,
    };
    let left = limit.saturating_sub(began.elapsed());
    let lacks =
        error.status() == Some(500) && ask::<IgnoredAny>(transport, here, left, token).is_ok();
    lacks.then_some(true)
}

/// Whether a question got no answer, and may get one later.
fn is_lost(error: &Error) -> bool {
    error.status().is_none() && error.is_transient()
}

/// Asks once more when the question is lost on its way: a line that loses requests now and then would hide what the server is.
fn ask_twice<T: serde::de::DeserializeOwned>(
    transport: &Transport,
    target: &str,
    limit: Duration,
    token: &CancelToken,
) -> Result<T> {
    let began = Instant::now();
    match ask(transport, target, limit, token) {
        // Where nobody listens, nobody will.
        Err(error) if is_lost(&error) && error.is_sent() => {
            ask(transport, target, limit.saturating_sub(began.elapsed()), token)
        }
        result => result,
    }
}

fn ask<T: serde::de::DeserializeOwned>(
    transport: &Transport,
    target: &str,
    limit: Duration,
    token: &CancelToken,
) -> Result<T> {
    let limits = Limits { connect: limit, total: Some(limit), body: 1 << 20, ..Limits::default() };
    let request = HttpRequest {
        operation: "identify",
        method: &Method::GET,
        target,
        body: None,
        headers: &[],
        hidden: &[],
        limits,
        expect: Expect::Json,
    };
    transport.send(&request, token)?.json()
}
