//! [`Error`]: what went wrong, with which value, and what to do about it.

mod kind;

use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

pub use kind::ErrorKind;

/// The result of everything that can fail in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// One failure. Cheap to clone; never holds a password or an `Authorization` header.
#[derive(Clone)]
pub struct Error(Box<ErrorInner>);

#[derive(Clone)]
struct ErrorInner {
    kind: ErrorKind,
    message: String,
    operation: Cow<'static, str>,
    status: Option<u16>,
    code: Option<String>,
    body: Option<String>,
    retryable: bool,
    sent: bool,
    retry_after: Option<Duration>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// Makes an error of a kind; `message` is one line: what, with which value, what to do.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Box::new(ErrorInner {
            kind,
            message: one_line(message.into()),
            operation: Cow::Borrowed(""),
            status: None,
            code: None,
            body: None,
            retryable: false,
            sent: false,
            retry_after: None,
            source: None,
        }))
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::InvalidArgument, message)
    }

    /// The system of this program gives no more of something: a descriptor, a thread.
    pub(crate) fn exhausted(what: &str, error: io::Error) -> Self {
        let advice = "close what is not needed, or raise the limit of the process (ulimit)";
        Error::new(ErrorKind::Exhausted, format!("the system gives no {what}: {error}; {advice}"))
            .with_retryable(true)
            .with_source(error)
    }

    /// The kind, to be matched on.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// One line for people: the operation, the HTTP status and the server's words, as far as known.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The name of the operation that failed, or `""` when none was involved.
    pub fn operation(&self) -> &str {
        &self.0.operation
    }

    /// The HTTP status of the answer, if there was one.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The server's own name of the error, such as `NotFoundError`.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// The body of the answer as it came, cut at 64 KiB.
    pub fn body(&self) -> Option<&str> {
        self.0.body.as_deref()
    }

    /// Whether the same call may succeed when it is repeated later.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// Whether the same request may succeed a moment later: the network or a gateway failed, and not what was asked.
    pub(crate) fn is_transient(&self) -> bool {
        match self.status() {
            Some(status) => matches!(status, 408 | 429 | 502 | 503 | 504),
            // A certificate stays as it is.
            None => {
                matches!(self.kind(), ErrorKind::Connection | ErrorKind::Timeout)
                    && self.code() != Some("tls")
            }
        }
    }

    /// Whether nobody knows what became of the request: it failed on its way, or the answer says nothing of it.
    pub(crate) fn leaves_open(&self) -> bool {
        self.is_transient()
            || self.kind() == ErrorKind::Decode
            || self.status().is_some_and(|status| status >= 500)
    }

    /// Whether the request may have reached the server: when true, repeating it may do a thing twice.
    pub fn is_sent(&self) -> bool {
        self.0.sent
    }

    /// How long the server wants to be left alone.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    pub(crate) fn with_retry_after(mut self, time: Option<Duration>) -> Self {
        self.0.retry_after = time;
        self
    }

    /// The same with more words behind its own.
    pub(crate) fn and(mut self, words: &str) -> Self {
        self.0.message = one_line(format!("{}; {words}", self.0.message));
        self
    }

    /// The same with another word at its beginning, where this one stands there.
    pub(crate) fn begun_with(mut self, word: &str, other: &str) -> Self {
        if let Some(rest) = self.0.message.strip_prefix(word) {
            self.0.message = format!("{other}{rest}");
        }
        self
    }

    /// The same as what is told in place of the error of an answer: with that answer's status and body.
    pub(crate) fn in_place_of(self, other: &Error) -> Self {
        self.with_status(other.status().unwrap_or_default())
            .with_body(other.body().unwrap_or_default().as_bytes())
            .with_sent(true)
    }

    pub(crate) fn with_operation(mut self, operation: impl Into<Cow<'static, str>>) -> Self {
        self.0.operation = operation.into();
        self
    }

    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    pub(crate) fn with_code(mut self, code: Option<String>) -> Self {
        self.0.code = code;
        self
    }

    pub(crate) fn with_body(mut self, body: &[u8]) -> Self {
        const MAX: usize = 64 * 1024;
        if !body.is_empty() {
            let cut = &body[..body.len().min(MAX)];
            self.0.body = Some(String::from_utf8_lossy(cut).into_owned());
        }
        self
    }

    pub(crate) fn with_retryable(mut self, retryable: bool) -> Self {
        self.0.retryable = retryable;
        self
    }

    pub(crate) fn with_sent(mut self, sent: bool) -> Self {
        self.0.sent = sent;
        self
    }

    pub(crate) fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// The error as one JSON object: what the bindings hand to their hosts.
    pub fn to_json(&self) -> String {
        // Texts and numbers only: it cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The fields that hosts are given.
impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Error", 9)?;
        fields.serialize_field("kind", self.kind().name())?;
        fields.serialize_field("number", &self.kind().number())?;
        fields.serialize_field("message", self.message())?;
        fields.serialize_field("operation", self.operation())?;
        fields.serialize_field("status", &self.status())?;
        fields.serialize_field("code", &self.code())?;
        fields.serialize_field("body", &self.body())?;
        fields.serialize_field("retryable", &self.is_retryable())?;
        fields.serialize_field("sent", &self.is_sent())?;
        fields.end()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

/// `{:?}` is the one line too: it is what a `main` that fails prints. `{:#?}` shows the fields.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            return f.write_str(&self.0.message);
        }
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("status", &self.0.status)
            .field("code", &self.0.code)
            .field("sent", &self.0.sent)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|s| s.as_ref() as &(dyn StdError + 'static))
    }
}

/// Whether an error says that this process, or its system, has no more descriptors.
pub(crate) fn is_out_of_descriptors(error: &io::Error) -> bool {
    // EMFILE and ENFILE; WSAEMFILE.
    let codes: &[i32] = if cfg!(windows) { &[10_024] } else { &[24, 23] };
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

/// Whether words of a server mean that its database was busy: the same may succeed a moment later.
pub(crate) fn is_locked(words: &str) -> bool {
    ["database is locked", "Failed to execute statement", "SQLITE_BUSY"]
        .iter()
        .any(|sign| words.contains(sign))
}

/// The longest message; what a server says may be longer, and is in the body.
const MAX_MESSAGE: usize = 4 << 10;

/// Folds every run of white space and of characters that end a line into one space: logs and Lua hosts show one line.
fn one_line(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_MESSAGE) {
        text.truncate(end);
        text.push_str("...");
    }
    let is_break = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if !text.contains(is_break) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut gap = false;
    for c in text.chars() {
        if is_break(c) || (gap && c == ' ') {
            gap = true;
        } else {
            if gap && !out.is_empty() {
                out.push(' ');
            }
            gap = false;
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_one_line() {
        let error = Error::invalid("Missing key\n  at [\"parts\"]\r\n");
        assert_eq!(error.message(), "Missing key at [\"parts\"]");
        assert_eq!(error.to_string(), error.message());
        assert_eq!(Error::invalid("a\u{2028}b\u{2029} c\u{85}d").message(), "a b c d");
        assert_eq!(Error::invalid("a.").and("b").message(), "a.; b");
        assert_eq!(format!("{error:?}"), error.message());
        assert!(format!("{error:#?}").contains("kind: InvalidArgument"), "{error:#?}");
        assert_eq!(Error::invalid("ä".repeat(9_000)).message().chars().count(), MAX_MESSAGE + 3);
    }

    #[test]
    fn json_has_every_field() {
        let error = Error::new(ErrorKind::NotFound, "no").with_status(404).with_sent(true);
        let json: serde_json::Value = serde_json::from_str(&error.to_json()).unwrap();
        assert_eq!(json["kind"], "not_found");
        assert_eq!(json["status"], 404);
        assert_eq!(json["sent"], true);
        assert!(json["code"].is_null());
    }

    #[test]
    fn long_bodies_are_cut() {
        let error = Error::invalid("x").with_body(&vec![b'a'; 1 << 20]);
        assert_eq!(error.body().map(str::len), Some(64 * 1024));
    }
}
