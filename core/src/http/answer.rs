//! [`Answer`]: what a server said: status, headers and bytes.

use crate::base::check::levels;
use crate::base::depth;
use crate::base::error::{Error, ErrorKind, Result};
use crate::http::redact::Redactor;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use ureq::http::{HeaderMap, HeaderValue};

/// The successful answer to one operation. Cheap to clone: clones share the bytes.
#[derive(Clone)]
pub struct Answer(Arc<AnswerInner>);

struct AnswerInner {
    operation: String,
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
    is_json: bool,
    /// The body was read to its end, and is JSON.
    is_checked: AtomicBool,
    /// What an error that shows the body must not show.
    redactor: Arc<Redactor>,
}

impl Answer {
    pub(crate) fn new(operation: &str, status: u16, headers: HeaderMap, body: Vec<u8>) -> Self {
        let is_json = content_type(&headers).is_some_and(is_json);
        let (operation, redactor) = (operation.to_owned(), Arc::default());
        let is_checked = AtomicBool::new(false);
        let inner = AnswerInner { operation, status, headers, body, is_json, is_checked, redactor };
        Answer(Arc::new(inner))
    }

    /// The same answer, whose errors show none of these secrets.
    pub(crate) fn guarded(mut self, redactor: Arc<Redactor>) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.redactor = redactor;
        }
        self
    }

    /// The answer of what this library has done itself: JSON, or nothing.
    pub(crate) fn made(operation: &str, json: String) -> Self {
        let mut headers = HeaderMap::new();
        if !json.is_empty() {
            headers.insert("content-type", HeaderValue::from_static("application/json"));
        }
        Answer::new(operation, 200, headers, json.into_bytes())
    }

    /// The same answer with another JSON body.
    pub(crate) fn with_body(&self, body: Vec<u8>) -> Self {
        let mut headers = self.0.headers.clone();
        headers.remove("content-length");
        let answer = Answer::new(&self.0.operation, self.0.status, headers, body);
        answer.guarded(Arc::clone(&self.0.redactor))
    }

    /// The same answer without one of its headers.
    pub(crate) fn without(&self, header: &str) -> Self {
        let mut headers = self.0.headers.clone();
        headers.remove(header);
        let answer = Answer::new(&self.0.operation, self.0.status, headers, self.0.body.clone());
        answer.guarded(Arc::clone(&self.0.redactor))
    }

    /// The HTTP status, 200 to 299.
    pub fn status(&self) -> u16 {
        self.0.status
    }

    /// The value of a header, whatever its case; `None` when it is absent or not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Every header as it came: name in lower case, value with invalid characters replaced.
    pub fn headers(&self) -> impl Iterator<Item = (&str, std::borrow::Cow<'_, str>)> {
        self.0
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())))
    }

    /// The body as it came; empty when the operation answers nothing.
    pub fn bytes(&self) -> &[u8] {
        &self.0.body
    }

    /// The body as it came, without a copy when this is the only clone.
    pub fn into_bytes(self) -> Vec<u8> {
        self.split().1
    }

    /// The body as it came, and what is left: without a copy when this is the only clone.
    pub fn split(mut self) -> (Answer, Vec<u8>) {
        let body = match Arc::get_mut(&mut self.0) {
            Some(inner) => {
                inner.is_checked = AtomicBool::new(false);
                std::mem::take(&mut inner.body)
            }
            None => self.0.body.clone(),
        };
        (self, body)
    }

    /// Checks that a body which says that it is JSON is JSON to its end.
    ///
    /// # Errors
    /// `decode` when it is not.
    pub fn check_json(&self) -> Result<()> {
        if !self.is_json()
            || self.0.is_checked.load(Ordering::Relaxed)
            || levels(&self.0.body).is_some()
        {
            return Ok(());
        }
        // It says what is wrong, and where.
        self.json::<serde::de::IgnoredAny>().map(drop)
    }

    /// Refuses a JSON body that no host could take: it is nested too deep.
    pub(crate) fn check_depth(&self) -> Result<()> {
        if !self.is_json() {
            return Ok(());
        }
        let look = depth::look(&self.0.body);
        if look.is_json {
            // Once is enough.
            self.0.is_checked.store(true, Ordering::Relaxed);
        }
        depth::refuse(&self.0.operation, look.excess).map_err(|error| {
            error
                .with_operation(self.0.operation.clone())
                .with_status(self.0.status)
                .with_sent(true)
        })
    }

    /// Whether the body says that it is JSON.
    pub fn is_json(&self) -> bool {
        self.0.is_json
    }

    /// The body as text.
    ///
    /// # Errors
    /// `decode` when it is not UTF-8.
    pub fn text(&self) -> Result<&str> {
        std::str::from_utf8(&self.0.body).map_err(|e| self.decode_error("is not UTF-8", &e))
    }

    /// The body, which must be JSON, as a value of type `T`. Unknown fields are ignored.
    ///
    /// # Errors
    /// `decode` when the body is not JSON or does not fit `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.0.body).map_err(|e| self.decode_error("cannot be read", &e))
    }

    /// The body as a value that borrows from it.
    pub(crate) fn json_ref<'a, T: Deserialize<'a>>(&'a self) -> Result<T> {
        serde_json::from_slice(&self.0.body).map_err(|e| self.decode_error("cannot be read", &e))
    }

    /// The error for a body that is not what the protocol says.
    pub fn decode_error(&self, what: &str, why: &dyn fmt::Display) -> Error {
        let redactor = &self.0.redactor;
        // What is wrong may be quoted.
        let why = why.to_string();
        let why = redactor.text(&why);
        let text = format!("{}: the server's answer {what}: {why}", self.0.operation);
        Error::new(ErrorKind::Decode, text)
            .with_operation(self.0.operation.clone())
            .with_status(self.0.status)
            .with_body(&redactor.body(&self.0.body))
            .with_sent(true)
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("operation", &self.0.operation)
            .field("status", &self.0.status)
            .field("bytes", &self.0.body.len())
            .finish()
    }
}

pub(crate) fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get("content-type").and_then(|value| value.to_str().ok())
}

pub(crate) fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or("").trim();
    kind.eq_ignore_ascii_case("application/json") || kind.to_ascii_lowercase().ends_with("+json")
}

pub(crate) fn is_event_stream(content_type: &str) -> bool {
    content_type.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case("text/event-stream")
}
