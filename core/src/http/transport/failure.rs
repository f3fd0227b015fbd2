//! From what went wrong on the wire to an [`Error`] that says what to do.

use super::exchange::{Cancelled, Exchange, Expired, TlsFailed};
use super::resolver::NoThread;
use super::retry_after;
use crate::base::error::{Error, ErrorKind, is_locked, is_out_of_descriptors};
use crate::base::json::{Object, words};
use crate::base::limits::shown;
use crate::http::base_url::BaseUrl;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::io;
use ureq::http::HeaderMap;

/// Where the address of a proxy stands.
pub(super) const PROXY_VARIABLES: &str = "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY";

/// The request did not get a whole answer.
pub(super) fn from_wire(
    error: ureq::Error,
    operation: &str,
    base: &BaseUrl,
    exchange: &Exchange,
) -> Error {
    let sent = exchange.is_sent();
    let url = base.as_str();
    let finish = |error: Error| error.with_operation(operation.to_owned()).with_sent(sent);
    let error = match error {
        ureq::Error::Io(error) => {
            let is_ours =
                error.get_ref().is_some_and(|e| e.is::<Cancelled>() || e.is::<TlsFailed>());
            return finish(match exchange.failed_proxy().filter(|_| !is_ours) {
                Some(proxy) => unanswered(operation, base, &proxy, &error),
                None => from_io(error, operation, base, sent),
            });
        }
        other => other,
    };
    let connection = |text: String| {
        Error::new(ErrorKind::Connection, format!("{operation}: {text}")).with_retryable(true)
    };
    finish(match error {
        ureq::Error::ConnectProxyFailed(why) => match exchange.failed_proxy() {
            Some(proxy) => unanswered(operation, base, &proxy, &why),
            None => connection(format!("the proxy refuses {url}: {why}")),
        },
        ureq::Error::Protocol(_) if exchange.has_heard_tls() => {
            let what = match exchange.failed_proxy() {
                Some(proxy) => {
                    format!(
                        "the proxy {proxy} ({PROXY_VARIABLES}) speaks TLS; write https:// before it"
                    )
                }
                None => format!("the port of {url} speaks TLS; write https:// in base_url"),
            };
            Error::new(ErrorKind::Connection, format!("{operation}: {what}"))
                .with_code(Some("tls".to_owned()))
        }
        // The name of the server is looked up before, or by the proxy.
        ureq::Error::HostNotFound if exchange.is_connecting() => connection(format!(
            "the host of the proxy ({PROXY_VARIABLES}) on the way to {url} is not known; unset it, or name the host in NO_PROXY"
        )),
        ureq::Error::HostNotFound => connection(format!(
            "host '{}' is not known; check base_url and OPENCODE_BASE_URL",
            base.host()
        )),
        ureq::Error::ConnectionFailed => connection(format!("no connection to {url}")),
        ureq::Error::Timeout(stage) => Error::new(
            ErrorKind::Timeout,
            format!("{operation}: no answer from {url} in time ({stage})"),
        )
        .with_retryable(true),
        // Never its text: it is the whole address, which may hold a secret.
        ureq::Error::BadUri(_) => {
            Error::invalid(format!("{operation}: the address cannot be sent; percent-encode it"))
        }
        ureq::Error::Protocol(error) if !sent => {
            Error::invalid(format!("{operation}: the request cannot be sent: {error}"))
        }
        error => {
            let text = format!("{operation}: the exchange with {url} broke: {error}");
            Error::new(ErrorKind::Connection, text).with_retryable(true).with_source(error)
        }
    })
}

/// An input or output error, also one that ureq wrapped while the body was read.
pub(super) fn from_io(error: io::Error, operation: &str, base: &BaseUrl, sent: bool) -> Error {
    let url = base.as_str();
    let inner = error.get_ref();
    let error = if inner.is_some_and(|e| e.is::<Cancelled>()) {
        Error::new(ErrorKind::Cancelled, format!("{operation}: cancelled"))
    } else if let Some(expired) = inner.and_then(|e| e.downcast_ref::<Expired>()) {
        let Expired { stage, limit } = expired;
        let text = format!(
            "{operation}: nothing came from {url} within {} while {}",
            shown(*limit),
            stage.describe()
        );
        Error::new(ErrorKind::Timeout, text).with_retryable(true)
    } else if let Some(TlsFailed(why)) = inner.and_then(|e| e.downcast_ref::<TlsFailed>()) {
        // It stays as it is, however often it is tried: the code says so.
        Error::new(ErrorKind::Connection, format!("{operation}: {url}: {why}"))
            .with_code(Some("tls".to_owned()))
    } else if let Some(NoThread(why)) = inner.and_then(|e| e.downcast_ref::<NoThread>()) {
        let error = Error::exhausted("thread", io::Error::new(why.kind(), why.to_string()));
        Error::new(error.kind(), format!("{operation}: {error}")).with_retryable(true)
    } else {
        match error.kind() {
            // ureq wraps its own errors, and ours inside them, when a body is read.
            io::ErrorKind::Other if inner.is_some_and(|e| e.is::<ureq::Error>()) => {
                let wrapped = error.into_inner().and_then(|e| e.downcast::<ureq::Error>().ok());
                return match wrapped.map(|e| *e) {
                    Some(ureq::Error::Io(error)) => from_io(error, operation, base, sent),
                    Some(error) => broken(operation, url, sent, error),
                    None => broken(operation, url, sent, io::Error::other("unknown")),
                };
            }
            io::ErrorKind::ConnectionRefused => Error::new(
                ErrorKind::Connection,
                format!(
                    "{operation}: no server listens at {url}; start one with `opencode serve` or set base_url or OPENCODE_BASE_URL"
                ),
            )
            .with_retryable(true)
            .with_source(error),
            _ if is_out_of_descriptors(&error) => {
                let error = Error::exhausted("descriptor", error);
                let text = format!("{operation}: {error}");
                Error::new(error.kind(), text).with_retryable(true).with_source(error)
            }
            _ => return broken(operation, url, sent, error),
        }
    };
    error.with_operation(operation.to_owned()).with_sent(sent)
}

/// The proxy did not answer, or did not let us through.
fn unanswered(operation: &str, base: &BaseUrl, proxy: &str, why: &dyn std::fmt::Display) -> Error {
    let text = format!(
        "{operation}: the proxy {proxy} ({PROXY_VARIABLES}) gives no connection to {}: {why}; unset it, or name the host in NO_PROXY",
        base.as_str()
    );
    Error::new(ErrorKind::Connection, text).with_retryable(true)
}

fn broken(
    operation: &str,
    url: &str,
    sent: bool,
    error: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    let text = format!("{operation}: the connection to {url} broke: {error}");
    Error::new(ErrorKind::Connection, text)
        .with_operation(operation.to_owned())
        .with_retryable(true)
        .with_sent(sent)
        .with_source(error)
}

/// The server answered with a status that is no success.
pub(super) fn from_status(operation: &str, status: u16, headers: &HeaderMap, body: &[u8]) -> Error {
    let words = Words::read(body);
    let kind = kind_of(status);
    let is_busy = words.message.as_deref().is_some_and(is_locked);
    let mut text = format!("{operation}: {status}");
    if let Some(code) = &words.code {
        text.push(' ');
        text.push_str(code);
    }
    if let Some(message) = &words.message {
        text.push_str(": ");
        text.push_str(message);
    }
    if let Some(hint) = hint(status, headers) {
        text.push_str(if words.message.is_some() { "; " } else { ": " });
        text.push_str(&hint);
    }
    Error::new(kind, text)
        .with_operation(operation.to_owned())
        .with_status(status)
        .with_code(words.code)
        .with_body(body)
        .with_retryable(matches!(status, 408 | 429 | 500..) || is_busy)
        .with_retry_after(retry_after::read(headers))
        .with_sent(true)
}

fn kind_of(status: u16) -> ErrorKind {
    match status {
        401 => ErrorKind::Unauthorized,
        403 => ErrorKind::Forbidden,
        404 | 410 => ErrorKind::NotFound,
        408 => ErrorKind::Timeout,
        409 => ErrorKind::Conflict,
        400..=499 => ErrorKind::BadRequest,
        500.. => ErrorKind::Server,
        _ => ErrorKind::Decode,
    }
}

fn hint(status: u16, headers: &HeaderMap) -> Option<Cow<'static, str>> {
    let text = match status {
        401 => Some(
            "user or password are wrong; set username and password, or OPENCODE_SERVER_USERNAME and OPENCODE_SERVER_PASSWORD",
        ),
        304 => Some(
            "nothing has changed, which nobody asked for; does a cache stand before the server?",
        ),
        300..=399 => return Some(redirect(headers)),
        407 => Some("the proxy wants a password"),
        431 => Some("the address or the headers are too long; shorten the arguments"),
        502..=504 if headers.get("x-powered-by").is_none() => {
            Some("the server, or a proxy before it, is not ready")
        }
        _ => None,
    };
    text.map(Cow::Borrowed)
}

/// Where to, without what may be a secret in it.
fn redirect(headers: &HeaderMap) -> Cow<'static, str> {
    let location = headers.get("location").and_then(|value| value.to_str().ok());
    let Some(location) = location else {
        return "the server redirects elsewhere, and does not say where to; set base_url to the final address".into();
    };
    let bare = location.split(['?', '#']).next().unwrap_or_default();
    let bare = match (bare.split_once("//"), bare.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}//{host}"),
        _ => bare.to_owned(),
    };
    format!("the server redirects elsewhere, to {bare}; set base_url to the final address").into()
}

/// The server's words, in whichever of its shapes they came.
struct Words {
    code: Option<String>,
    message: Option<String>,
}

impl Words {
    fn read(body: &[u8]) -> Words {
        let Ok(shape) = Object::parse(body) else {
            return Words { code: None, message: plain(body) };
        };
        let data = shape.object("data").unwrap_or_default();
        let message = config_fault(&data);
        let message = message.or_else(|| data.text("message")).or_else(|| shape.text("message"));
        // The reference is all that leads to the server's own log.
        let message = match (message.or_else(|| shape.words("error")), data.text("ref")) {
            (Some(message), Some(reference)) => Some(format!("{message} ({reference})")),
            (message, reference) => message.or(reference),
        };
        // Beside a tag, a name is that of the thing that was asked for.
        Words { code: shape.text("_tag").or_else(|| shape.text("name")), message }
    }
}

/// What is wrong with a configuration file of the server: the file, and each field with its reason. The server quotes
/// the whole file where it cannot be read; what is secret in it is nobody's business here.
fn config_fault(data: &Object<'_>) -> Option<String> {
    const ISSUES: usize = 5;
    let path = data.text("path")?;
    let issue = |issue: &RawValue| {
        let issue = Object::read(issue)?;
        let field: Vec<String> = issue.list("path").into_iter().map(words).collect();
        let message = issue.text("message")?;
        Some(if field.is_empty() { message } else { format!("{}: {message}", field.join(".")) })
    };
    let issues: Vec<String> =
        data.list("issues").into_iter().filter_map(issue).take(ISSUES).collect();
    let message = data.text("message").unwrap_or_default();
    let errors = message.split_once("--- Errors ---").map_or(message.as_str(), |(_, rest)| rest);
    // The lines behind the first one quote the file.
    let quoted = errors.trim().lines().next().unwrap_or_default();
    let why = if issues.is_empty() { quoted.to_owned() } else { issues.join("; ") };
    (!why.is_empty()).then(|| format!("{path}: {why}"))
}

/// The start of a body that is not the JSON of an error; of a web page its title.
fn plain(body: &[u8]) -> Option<String> {
    const MAX: usize = 300;
    const MAX_PAGE: usize = 16 << 10;
    let text = String::from_utf8_lossy(&body[..body.len().min(MAX_PAGE)]);
    let text = text.trim();
    let words = match text.starts_with('<') {
        true => ["title", "h1"].iter().find_map(|tag| inside(text, tag))?,
        false => text,
    };
    (!words.is_empty()).then(|| words.chars().take(MAX).collect())
}

/// What stands in the first element of this name, if it is text.
fn inside<'a>(page: &'a str, tag: &str) -> Option<&'a str> {
    let lower = page.to_ascii_lowercase();
    let begin = lower.find(&format!("<{tag}"))?;
    let begin = begin + lower.get(begin..)?.find('>')? + 1;
    let end = begin + lower.get(begin..)?.find('<')?;
    page.get(begin..end).map(str::trim).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(status: u16, body: &str) -> Error {
        from_status("session.get", status, &HeaderMap::new(), body.as_bytes())
    }

    #[test]
    fn every_shape_of_the_server_is_read() {
        let cases = [
            (
                404,
                r#"{"name":"NotFoundError","data":{"message":"Session not found: s"}}"#,
                "session.get: 404 NotFoundError: Session not found: s",
            ),
            (
                409,
                r#"{"_tag":"SessionBusyError","sessionID":"s","message":"Session is busy: s"}"#,
                "session.get: 409 SessionBusyError: Session is busy: s",
            ),
            (
                404,
                r#"{"_tag":"McpServerNotFoundError","name":"m","message":"MCP server not found: m"}"#,
                "session.get: 404 McpServerNotFoundError: MCP server not found: m",
            ),
            (400, r#"{"_tag":"BadRequest"}"#, "session.get: 400 BadRequest"),
            (400, r#"{"name":"BadRequest","data":{}}"#, "session.get: 400 BadRequest"),
            (
                400,
                r#"{"error":"MCP server m1 does not support OAuth"}"#,
                "session.get: 400: MCP server m1 does not support OAuth",
            ),
            (400, r#"{"success":false,"error":"Unknown"}"#, "session.get: 400: Unknown"),
            (
                415,
                "Unsupported content-type: text/plain",
                "session.get: 415: Unsupported content-type: text/plain",
            ),
            (
                500,
                r#"{"name":"UnknownError","data":{"message":"Unexpected","ref":"err_1"}}"#,
                "session.get: 500 UnknownError: Unexpected (err_1)",
            ),
            (
                400,
                r#"{"name":"ConfigInvalidError","data":{"path":"/p/opencode.json","issues":[
                    {"path":["agent","a",0],"message":"Expected object, got 7"},{"message":"odd"}]}}"#,
                "session.get: 400 ConfigInvalidError: /p/opencode.json: agent.a.0: Expected object, got 7; odd",
            ),
            (
                400,
                r#"{"name":"ConfigJsonError","data":{"path":"/p/opencode.json","message":"\n--- JSONC Input ---\n{\"key\": \"secret\" nope}\n--- Errors ---\nInvalidSymbol at line 2, column 2\n   Line 2: nope\n--- End ---"}}"#,
                "session.get: 400 ConfigJsonError: /p/opencode.json: InvalidSymbol at line 2, column 2",
            ),
            (500, r#"{"name":7,"data":{"message":"odd","ref":[]}}"#, "session.get: 500: odd"),
            (500, "", "session.get: 500"),
            (500, "<!doctype html><p>", "session.get: 500"),
            (
                400,
                "<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title>",
                "session.get: 400: 400 The plain HTTP request was sent to HTTPS port",
            ),
            (
                403,
                "<!DOCTYPE html><HTML><TITLE lang=en>\n Blocked\u{2028}by policy </TITLE>",
                "session.get: 403: Blocked by policy",
            ),
            (500, "<html><title></title><h1>Down</h1>", "session.get: 500: Down"),
            (500, "<html><title", "session.get: 500"),
        ];
        for (status, body, message) in cases {
            assert_eq!(error(status, body).message(), message);
        }
    }

    #[test]
    fn statuses_have_their_kinds() {
        for (status, kind) in [
            (400, ErrorKind::BadRequest),
            (401, ErrorKind::Unauthorized),
            (403, ErrorKind::Forbidden),
            (404, ErrorKind::NotFound),
            (408, ErrorKind::Timeout),
            (409, ErrorKind::Conflict),
            (422, ErrorKind::BadRequest),
            (500, ErrorKind::Server),
            (503, ErrorKind::Server),
        ] {
            assert_eq!(error(status, "").kind(), kind);
        }
        assert!(error(401, "").message().contains("OPENCODE_SERVER_PASSWORD"));
        for words in ["database is locked", "Failed to execute statement: x", "SQLITE_BUSY"] {
            assert!(error(400, words).is_retryable(), "{words}");
        }
        assert!(!error(400, "the database is open").is_retryable());
    }

    #[test]
    fn a_redirect_says_where_to_without_secrets() {
        for (location, words) in [
            ("https://box/x?token=secret", "to https://box/x;"),
            ("http://u:secret@box:1/y#secret", "to http://box:1/y;"),
            ("/login", "to /login;"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("location", location.parse().unwrap());
            let error = from_status("session.get", 302, &headers, b"");
            assert!(error.message().contains(words), "{error}");
            assert!(!error.message().contains("secret"), "{error}");
        }
        assert!(error(300, "").message().contains("does not say where to"));
        assert!(error(304, "").message().contains("cache"));
        assert!(error(503, "").is_retryable() && !error(404, "").is_retryable());
    }
}
