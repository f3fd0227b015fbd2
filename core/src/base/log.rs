//! [`Log`]: what the library does, for those who want to see it. Off by default; secrets never come here.

use crate::base::mailbox::{Content, Face, Mailbox};
use crate::base::per_process::PerProcess;
use crate::base::thread::caught;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// How much a message matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Something failed for good.
    Error,
    /// Something failed and is tried again.
    Warn,
    /// What a person would want to know: runs, connections.
    Info,
    /// Every request and every step of a run.
    Debug,
}

impl Level {
    /// `error`, `warn`, `info` or `debug`.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
        }
    }

    /// Reads a level's name.
    pub fn parse(text: &str) -> Option<Self> {
        [Level::Error, Level::Warn, Level::Info, Level::Debug]
            .into_iter()
            .find(|level| level.as_str().eq_ignore_ascii_case(text.trim()))
    }
}

/// Where messages go, and from which level on. Clones share the sink.
#[derive(Clone)]
pub struct Log(Arc<[(Threshold, Sink)]>);

/// From which level on a sink gets messages; may change at any time. 0 is none at all.
#[derive(Clone)]
pub(crate) struct Threshold(Arc<AtomicU8>);

impl Threshold {
    fn new(level: Option<Level>) -> Self {
        let threshold = Threshold(Arc::default());
        threshold.set(level);
        threshold
    }

    pub(crate) fn set(&self, level: Option<Level>) {
        self.0.store(level.map_or(0, |level| level as u8 + 1), Ordering::Relaxed);
    }

    fn takes(&self, level: Level) -> bool {
        (level as u8) < self.0.load(Ordering::Relaxed)
    }
}

type Sink = Arc<dyn Fn(Level, &str) + Send + Sync>;

impl Log {
    /// No messages.
    pub fn off() -> Self {
        Log(Arc::default())
    }

    /// Messages of a level and of those that matter more go to `sink`: one line each, from any thread. It must
    /// not call into this library and should return soon.
    pub fn new(level: Level, sink: impl Fn(Level, &str) + Send + Sync + 'static) -> Self {
        Log(Arc::new([(Threshold::new(Some(level)), Arc::new(sink))]))
    }

    /// What `OPENCODE_LOG` says: with a level's name in it, messages go to standard error.
    pub fn from_env() -> Self {
        match std::env::var("OPENCODE_LOG").ok().as_deref().and_then(Level::parse) {
            Some(level) => Log::new(level, to_stderr),
            None => Log::off(),
        }
    }

    /// Messages go to this sink and to another one.
    pub(crate) fn and(self, other: Log) -> Log {
        Log(self.0.iter().chain(other.0.iter()).cloned().collect())
    }

    pub(crate) fn write(&self, level: Level, text: impl FnOnce() -> String) {
        let mut wanted = self.0.iter().filter(|(least, _)| least.takes(level)).peekable();
        if wanted.peek().is_none() {
            return;
        }
        let text = text();
        for (_, sink) in wanted {
            // The host's function must not end what the message is about.
            let _ = caught(|| sink(level, &text));
        }
    }
}

/// One message, for hosts that fetch them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogRecord {
    /// When it was written, in milliseconds since 1970.
    pub time: u64,
    /// How much it matters.
    pub level: Level,
    /// One line.
    pub message: String,
}

impl LogRecord {
    fn now(level: Level, message: String) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let time = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        LogRecord { time, level, message }
    }

    /// The record as one JSON object: `time`, `level`, `message`.
    pub fn to_json(&self) -> String {
        let level = self.level.as_str();
        serde_json::json!({ "time": self.time, "level": level, "message": self.message })
            .to_string()
    }
}

/// Messages that wait for a host that fetches them. Bounded: the oldest make room.
pub(crate) struct LogQueue {
    records: PerProcess<Mailbox<Records>>,
    threshold: Threshold,
}

#[derive(Default)]
struct Records {
    waiting: VecDeque<LogRecord>,
    dropped: u64,
}

impl Content for Records {
    fn face(&self) -> Face {
        let has_news = !self.waiting.is_empty() || self.dropped > 0;
        Face { state: 0, is_over: false, has_news }
    }
}

impl Default for LogQueue {
    fn default() -> Self {
        let records = PerProcess::new(LogQueue::empty());
        LogQueue { records, threshold: Threshold::new(None) }
    }
}

impl LogQueue {
    const MAX_RECORDS: usize = 1_000;
    /// Bytes of one message.
    const MAX_MESSAGE: usize = 8 << 10;

    /// A log that fills the queue, from the level on that it wants at the moment.
    pub(crate) fn log(self: &Arc<Self>) -> Log {
        let queue = Arc::clone(self);
        let sink = Arc::new(move |level, text: &str| queue.push(level, text));
        Log(Arc::new([(self.threshold.clone(), sink)]))
    }

    /// From now on messages of this level, and of those that matter more, are kept.
    pub(crate) fn want(&self, level: Option<Level>) {
        self.threshold.set(level);
    }

    fn empty() -> Mailbox<Records> {
        Mailbox::new(Records::default(), None)
    }

    /// Those of this process: the others were fetched by the one that wrote them.
    fn records(&self) -> &Mailbox<Records> {
        self.records.get(LogQueue::empty)
    }

    fn push(&self, level: Level, text: &str) {
        let mut end = text.len().min(Self::MAX_MESSAGE);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let record = LogRecord::now(level, text[..end].to_owned());
        self.records().write(|records| {
            if records.waiting.len() == Self::MAX_RECORDS {
                records.waiting.pop_front();
                records.dropped += 1;
            }
            records.waiting.push_back(record);
            true
        });
    }

    /// The oldest message that was not taken. Without one, one load.
    pub(crate) fn pop(&self) -> Option<LogRecord> {
        if !self.records().face().has_news {
            return None;
        }
        self.records().edit(|records| match std::mem::take(&mut records.dropped) {
            0 => records.waiting.pop_front(),
            dropped => {
                let text = format!("{dropped} messages were dropped: nobody took them");
                Some(LogRecord::now(Level::Warn, text))
            }
        })
    }
}

/// One line to standard error, in one piece. Whoever closed it, or filled its disk, wants no more of it.
fn to_stderr(level: Level, text: &str) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = now.as_secs() % 86_400;
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    let line = format!(
        "{hours:02}:{minutes:02}:{:02}.{:03} opencode {:5} {text}\n",
        seconds % 60,
        now.subsec_millis(),
        level.as_str()
    );
    // Without the lock of the standard library: a copy of this process, made by fork, may have it for ever.
    #[cfg(unix)]
    let _ = nix::unistd::write(std::io::stderr(), line.as_bytes());
    #[cfg(not(unix))]
    let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Log({} sinks)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn only_what_matters_enough_is_written() {
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let sink = Arc::clone(&lines);
        let log = Log::new(Level::Warn, move |level, text| {
            sink.lock().unwrap().push(format!("{} {text}", level.as_str()));
        });
        log.write(Level::Error, || "a".to_owned());
        log.write(Level::Warn, || "b".to_owned());
        log.write(Level::Info, || unreachable!());
        assert_eq!(*lines.lock().unwrap(), ["error a", "warn b"]);
        assert_eq!(Level::parse("DEBUG"), Some(Level::Debug));
        assert_eq!(Level::parse("loud"), None);
    }

    #[test]
    fn a_sink_that_panics_ends_nothing() {
        let log = Log::new(Level::Info, |_, _| std::panic::panic_any("by the test"));
        log.write(Level::Info, || "a".to_owned());
    }

    #[test]
    fn a_queue_is_bounded_and_says_what_it_dropped() {
        let queue = Arc::new(LogQueue::default());
        let log = queue.log();
        log.write(Level::Error, || unreachable!());
        queue.want(Some(Level::Info));
        assert_eq!(queue.pop(), None);
        for i in 0..LogQueue::MAX_RECORDS + 5 {
            log.write(Level::Info, || i.to_string());
            log.write(Level::Debug, || unreachable!());
        }
        assert!(queue.pop().unwrap().message.starts_with("5 messages were dropped"));
        assert_eq!(queue.pop().unwrap().message, "5");
        assert_eq!(std::iter::from_fn(|| queue.pop()).count(), LogQueue::MAX_RECORDS - 1);
        log.write(Level::Warn, || "ä".repeat(9_000));
        assert_eq!(queue.pop().unwrap().message.len(), LogQueue::MAX_MESSAGE);
    }

    #[test]
    fn two_logs_keep_their_levels() {
        let (loud, quiet) = (Arc::new(LogQueue::default()), Arc::new(LogQueue::default()));
        let log = loud.log().and(Log::off()).and(quiet.log());
        loud.want(Some(Level::Debug));
        quiet.want(Some(Level::Error));
        log.write(Level::Debug, || "a".to_owned());
        log.write(Level::Error, || "b".to_owned());
        let all = |queue: &LogQueue| -> Vec<String> {
            std::iter::from_fn(|| queue.pop()).map(|record| record.message).collect()
        };
        assert_eq!(all(&loud), ["a", "b"]);
        assert_eq!(all(&quiet), ["b"]);
        quiet.want(Some(Level::Info));
        loud.want(None);
        log.write(Level::Info, || "c".to_owned());
        assert_eq!((all(&loud), all(&quiet)), (vec![], vec!["c".to_owned()]));
    }
}
