//! [`Recorder`]: writes what a client and its server say to each other into a file, without secrets.
//!
//! One JSON object per line: `start`, then `request`, `answer`, `stream` and `event` in the order in which they happened.
//! [`Replay`](crate::Replay) plays such a file back.

use crate::base::error::{Error, ErrorKind, Result};
use crate::base::log::{Level, Log};
use crate::base::per_process::PerProcess;
use crate::http::redact::Redactor;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The longest body, or event of a stream, that is kept. Of a longer one only the length is.
pub(crate) const MAX_BODY: usize = 1 << 20;
/// The longest recording; what comes after it is not kept.
const MAX_FILE: u64 = 256 << 20;

/// Recorders that this process has made.
static MADE: AtomicU64 = AtomicU64::new(0);

/// Writes the traffic of one client.
pub(crate) struct Recorder {
    file: File,
    writing: PerProcess<Mutex<()>>,
    /// Tells its lines from those of other clients that write into the same file at the same time.
    name: String,
    written: AtomicU64,
    /// Where it is told that the recording ends early.
    log: Log,
    has_ended: AtomicBool,
    next: AtomicU64,
    began: Instant,
}

impl Recorder {
    /// Opens the file; a recording that is there already goes on.
    pub(crate) fn open(path: &Path, log: &Log) -> Result<Recorder> {
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
        let recorder = Recorder {
            file,
            writing: PerProcess::new(Mutex::default()),
            name: format!("{now:x}-{}", MADE.fetch_add(1, Ordering::Relaxed)),
            written: AtomicU64::new(written),
            log: log.clone(),
            has_ended: AtomicBool::new(false),
            next: AtomicU64::new(0),
            began: Instant::now(),
        };
        recorder.line(json!({
            "type": "start", "format": 2, "version": env!("CARGO_PKG_VERSION"),
            "from": recorder.from(),
        }));
        Ok(recorder)
    }

    /// Notes a request and gives the number that its answer belongs to.
    pub(crate) fn request(
        &self,
        method: &str,
        target: &str,
        body: Option<&[u8]>,
        redactor: &Redactor,
    ) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let is_callback = target.split('?').next().is_some_and(|path| path.ends_with("/callback"));
        let scrub = if is_callback { Redactor::scrub_callback } else { Redactor::scrub };
        let body = body.map(|body| kept(body, |value| scrub(redactor, value)));
        self.line(json!({
            "type": "request", "from": self.from(), "n": number, "at": self.at(),
            "method": method, "target": redactor.target(target), "body": body,
        }));
        number
    }

    pub(crate) fn answer(
        &self,
        number: u64,
        status: u16,
        headers: &[(&str, &str)],
        body: &[u8],
        redactor: &Redactor,
    ) {
        let headers: serde_json::Map<_, _> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
        self.line(json!({
            "type": "answer", "from": self.from(), "n": number, "at": self.at(),
            "status": status, "headers": headers, "body": kept(body, |value| redactor.scrub(value)),
        }));
    }

    /// Notes that the answer to a request is a stream of events.
    pub(crate) fn stream(&self, number: u64) {
        self.line(json!({ "type": "stream", "from": self.from(), "n": number, "at": self.at() }));
    }

    /// Notes the data of an event.
    pub(crate) fn event(&self, target: &str, data: &[u8], redactor: &Redactor) {
        self.line(json!({
            "type": "event", "from": self.from(), "at": self.at(),
            "target": redactor.target(target),
            "body": kept(data.trim_ascii(), |value| redactor.scrub(value)),
        }));
    }

    /// Who writes: after a fork there are two.
    fn from(&self) -> String {
        format!("{}-{:x}", self.name, std::process::id())
    }

    fn at(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// A recording that cannot be written must not end what is recorded; half a line is its last one.
    fn line(&self, value: Value) {
        let mut line = value.to_string();
        line.push('\n');
        let length = line.len() as u64;
        if self.written.fetch_add(length, Ordering::Relaxed) + length > MAX_FILE {
            return self.end(&format!("it has {} MiB", MAX_FILE >> 20));
        }
        let _writing =
            self.writing.get(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = (&self.file).write_all(line.as_bytes()) {
            self.written.store(MAX_FILE, Ordering::Relaxed);
            self.end(&error.to_string());
        }
    }

    /// Tells once why nothing more is recorded.
    fn end(&self, why: &str) {
        if !self.has_ended.swap(true, Ordering::Relaxed) {
            self.log.write(Level::Warn, || format!("record: nothing more is written: {why}"));
        }
    }
}

/// A body as it is kept: JSON as it is, other text as a string, and the length of all else.
fn kept(bytes: &[u8], scrub: impl Fn(&mut Value)) -> Value {
    if bytes.len() > MAX_BODY {
        return json!({ "left_out": bytes.len() });
    }
    if let Ok(mut value) = serde_json::from_slice::<Value>(bytes) {
        scrub(&mut value);
        return json!({ "json": value });
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            let mut value = Value::from(text);
            scrub(&mut value);
            json!({ "text": value })
        }
        Err(_) => json!({ "left_out": bytes.len() }),
    }
}

/// Whether the last line of a file has no end.
fn is_torn(file: &mut File) -> bool {
    let mut last = [b'\n'];
    // What is empty, or no file at all, has no last line.
    file.seek(SeekFrom::End(-1)).is_ok() && file.read_exact(&mut last).is_ok() && last != [b'\n']
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::credentials::Credentials;

    #[test]
    fn secrets_are_left_out_wherever_they_stand() {
        let folder = std::env::temp_dir();
        let path = folder.join(format!("opencode-record-{}.jsonl", std::process::id()));
        let headers = [("x-api-key".to_owned(), "k14".to_owned() + "-and-more")];
        let redactor = Redactor::new(Some(&Credentials::new("me", "hunter2")), &headers);
        let recorder = Recorder::open(&path, &Log::off()).unwrap();
        let body = br#"{"apiKey":"k1","key":"k2","deep":[{"clientSecret":"k3","env":{"A":"k4"}}],
            "text":"say hunter2","tokens":{"input":1},"headers":{"x":["k5"]},
            "url":"https://k9:k10@h/mcp?api_key=k11&c=d","apiKeys":["k12"],"secrets":{"A":{"b":"k13"}},
            "environment":"production","cookie":"k15","passphrase":"k16","code":"E1",
            "fields":[{"key":"q0","type":"string"},{"key":"q1","op":"eq","value":1}],
            "auth":{"type":"api","key":"k19"}}"#;
        let number = recorder.request(
            "POST",
            "/x?auth%5Ftoken=k6&tick%65t=k7&a=b&pattern=hunter2",
            Some(body),
            &redactor,
        );
        let callback = Some(&br#"{"code":"k17","method":0}"#[..]);
        recorder.request("POST", "/mcp/x/auth/callback?code=k18", callback, &redactor);
        recorder.answer(
            number,
            200,
            &[("content-type", "text/plain")],
            b"me is hunter2, bWU6aHVudGVyMg==, k14-and-more",
            &redactor,
        );
        recorder.event("/event", br#"{"access_token":"k8","delta":"hello"}"#, &redactor);
        recorder.answer(number, 200, &[], &vec![b'x'; MAX_BODY + 1], &redactor);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let named = (1..=19).map(|n| format!("k{n}"));
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
            "\"code\":\"E1\"",
            "\"key\":\"q0\"",
            "\"key\":\"q1\"",
        ] {
            assert!(text.contains(kept), "{kept}: {text}");
        }
        assert_eq!(text.lines().count(), 6);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_told() {
        let error = Recorder::open(Path::new("/no/such/folder/x"), &Log::off()).err().unwrap();
        assert!(error.message().contains("/no/such/folder/x"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_takes_no_more_is_told_once() {
        let told: std::sync::Arc<Mutex<Vec<String>>> = std::sync::Arc::default();
        let sink = std::sync::Arc::clone(&told);
        let log = Log::new(Level::Warn, move |_, text| sink.lock().unwrap().push(text.to_owned()));
        let recorder = Recorder::open(Path::new("/dev/full"), &log).unwrap();
        recorder.event("/event", b"{}", &Redactor::new(None, &[]));
        let told = told.lock().unwrap();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("record: nothing more is written: No space left"), "{told:?}");
    }
}
