//! [`Recorder`]: writes what a client and its server say to each other into a file, without secrets.
//!
//! One JSON object per line: `start`, then `request`, `answer` and `event` in the order in which they happened.
//! [`Replay`](crate::Replay) plays such a file back.

use crate::base_url::{percent_decode, percent_encode};
use crate::credentials::Credentials;
use crate::error::{Error, ErrorKind, Result};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The longest body, or event of a stream, that is kept. Of a longer one only the length is.
pub(crate) const MAX_BODY: usize = 1 << 20;
/// The longest recording; what comes after it is not kept.
const MAX_FILE: u64 = 256 << 20;
/// What stands in place of a secret.
const HIDDEN: &str = "***";

/// Recorders that this process has made.
static MADE: AtomicU64 = AtomicU64::new(0);

/// Writes the traffic of one client.
pub(crate) struct Recorder {
    file: Mutex<File>,
    /// Tells its lines from those of other clients that write into the same file at the same time.
    name: String,
    written: AtomicU64,
    next: AtomicU64,
    began: Instant,
    /// Texts that never appear, wherever they stood.
    secrets: Vec<String>,
}

impl Recorder {
    /// Opens the file; a recording that is there already goes on.
    pub(crate) fn open(path: &Path, credentials: Option<&Credentials>) -> Result<Recorder> {
        let mut options = std::fs::OpenOptions::new();
        options.create(true).read(true).append(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let mut file = options.open(path).map_err(|error| {
            let text = format!("record: '{}' cannot be written: {error}", path.display());
            Error::new(ErrorKind::InvalidArgument, text).with_source(error)
        })?;
        let written = file.metadata().map_or(0, |metadata| metadata.len());
        if is_torn(&mut file) {
            // Whoever wrote before was killed in the middle of a line.
            let _ = file.write_all(b"\n");
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
        let secrets = credentials.map(Credentials::secrets).unwrap_or_default();
        let encoded = secrets.iter().map(|secret| {
            let mut encoded = String::new();
            percent_encode(&mut encoded, secret);
            encoded
        });
        let recorder = Recorder {
            file: Mutex::new(file),
            name: format!("{now:x}-{}", MADE.fetch_add(1, Ordering::Relaxed)),
            written: AtomicU64::new(written),
            next: AtomicU64::new(0),
            began: Instant::now(),
            secrets: secrets.iter().cloned().chain(encoded).collect(),
        };
        recorder.line(json!({
            "type": "start", "format": 1, "version": env!("CARGO_PKG_VERSION"),
            "from": recorder.from(),
        }));
        Ok(recorder)
    }

    /// Notes a request and gives the number that its answer belongs to.
    pub(crate) fn request(&self, method: &str, target: &str, body: Option<&[u8]>) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let body = body.map(|body| self.body(body));
        self.line(json!({
            "type": "request", "from": self.from(), "n": number, "at": self.at(),
            "method": method, "target": self.target(target), "body": body,
        }));
        number
    }

    pub(crate) fn answer(&self, number: u64, status: u16, headers: &[(&str, &str)], body: &[u8]) {
        let headers: serde_json::Map<_, _> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
        self.line(json!({
            "type": "answer", "from": self.from(), "n": number, "at": self.at(),
            "status": status, "headers": headers, "body": self.body(body),
        }));
    }

    /// Notes the data of an event.
    pub(crate) fn event(&self, target: &str, data: &[u8]) {
        self.line(json!({
            "type": "event", "at": self.at(),
            "target": self.target(target), "body": self.body(data.trim_ascii()),
        }));
    }

    /// Who writes: after a fork there are two.
    fn from(&self) -> String {
        format!("{}-{:x}", self.name, std::process::id())
    }

    fn target(&self, target: &str) -> String {
        self.without_secrets(&query_without_secrets(target))
    }

    fn at(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// A body as it is kept: JSON as it is, other text as a string, and the length of all else.
    fn body(&self, bytes: &[u8]) -> Value {
        if bytes.len() > MAX_BODY {
            return json!({ "left_out": bytes.len() });
        }
        if let Ok(mut value) = serde_json::from_slice::<Value>(bytes) {
            self.scrub(&mut value);
            return json!({ "json": value });
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => {
                let mut value = Value::from(text);
                self.scrub(&mut value);
                json!({ "text": value })
            }
            Err(_) => json!({ "left_out": bytes.len() }),
        }
    }

    fn scrub(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if is_address(text) {
                    *text = query_without_secrets(&without_userinfo(text));
                }
                *text = self.without_secrets(text);
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.scrub(item)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value {
                        Value::String(_) if is_secret_map(name) => self.scrub(value),
                        _ if is_secret(name) || is_secret_map(name) => hide(value),
                        _ => self.scrub(value),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn without_secrets(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in self.secrets.iter().filter(|secret| !secret.is_empty()) {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), HIDDEN);
            }
        }
        text
    }

    /// A recording that cannot be written must not end what is recorded; half a line is its last one.
    fn line(&self, value: Value) {
        let mut line = value.to_string();
        line.push('\n');
        let length = line.len() as u64;
        if self.written.fetch_add(length, Ordering::Relaxed) + length > MAX_FILE {
            return;
        }
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if file.write_all(line.as_bytes()).is_err() {
            self.written.store(MAX_FILE, Ordering::Relaxed);
        }
    }
}

/// Whether the last line of a file has no end.
fn is_torn(file: &mut File) -> bool {
    let mut last = [b'\n'];
    // What is empty, or no file at all, has no last line.
    file.seek(SeekFrom::End(-1)).is_ok() && file.read_exact(&mut last).is_ok() && last != [b'\n']
}

/// Hides every text in a value.
fn hide(value: &mut Value) {
    match value {
        Value::String(text) => HIDDEN.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(hide),
        Value::Object(fields) => fields.values_mut().for_each(hide),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether a field of this name holds a secret.
fn is_secret(name: &str) -> bool {
    let name: String =
        name.chars().filter(|c| c.is_ascii_alphanumeric()).collect::<String>().to_ascii_lowercase();
    ["password", "apikey", "secret", "authorization", "credential", "privatekey"]
        .iter()
        .any(|part| name.contains(part))
        || matches!(name.as_str(), "key" | "token" | "ticket" | "access" | "refresh")
        || name.ends_with("token")
}

/// Whether all values of an object of this name may be secrets.
fn is_secret_map(name: &str) -> bool {
    matches!(name.to_ascii_lowercase().as_str(), "env" | "environment" | "headers")
}

/// Whether a text is an address, and nothing else.
fn is_address(text: &str) -> bool {
    text.contains("://") && !text.contains(char::is_whitespace)
}

/// An address without its user and password.
fn without_userinfo(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://{HIDDEN}{}", &rest[at..]),
        None => address.to_owned(),
    }
}

/// An address or a target as it may be shown: the server takes credentials in the query too.
pub(crate) fn query_without_secrets(address: &str) -> String {
    let Some((path, query)) = address.split_once('?') else { return address.to_owned() };
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if is_secret(&percent_decode(name)) => format!("{name}={HIDDEN}"),
        _ => pair.to_owned(),
    });
    format!("{path}?{}", pairs.collect::<Vec<_>>().join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_left_out_wherever_they_stand() {
        let folder = std::env::temp_dir();
        let path = folder.join(format!("opencode-record-{}.jsonl", std::process::id()));
        let credentials = Credentials::new("me", "hunter2");
        let recorder = Recorder::open(&path, Some(&credentials)).unwrap();
        let body = br#"{"apiKey":"k1","key":"k2","deep":[{"clientSecret":"k3","env":{"A":"k4"}}],
            "text":"say hunter2","tokens":{"input":1},"headers":{"x":["k5"]},
            "url":"https://k9:k10@h/mcp?api_key=k11&c=d","apiKeys":["k12"],"secrets":{"A":{"b":"k13"}},
            "environment":"production"}"#;
        let number = recorder.request(
            "POST",
            "/x?auth%5Ftoken=k6&tick%65t=k7&a=b&pattern=hunter2",
            Some(body),
        );
        recorder.answer(
            number,
            200,
            &[("content-type", "text/plain")],
            b"me is hunter2, bWU6aHVudGVyMg==",
        );
        recorder.event("/event", br#"{"access_token":"k8","delta":"hello"}"#);
        recorder.answer(number, 200, &[], &vec![b'x'; MAX_BODY + 1]);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let named = (1..=13).map(|n| format!("k{n}"));
        for secret in named.chain(["hunter2", "bWU6aHVudGVyMg"].map(str::to_owned)) {
            assert!(!text.contains(&secret), "{secret}: {text}");
        }
        for kept in [
            "\"input\":1",
            "a=b",
            "say ***",
            "hello",
            "\"left_out\":1048577",
            "https://***@h/mcp?api_key=***&c=d",
            "production",
        ] {
            assert!(text.contains(kept), "{kept}: {text}");
        }
        assert_eq!(text.lines().count(), 5);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_told() {
        let error = Recorder::open(Path::new("/no/such/folder/x"), None).err().unwrap();
        assert!(error.message().contains("/no/such/folder/x"));
    }
}
