//! [`Log`]: what the library does, for those who want to see it. Off by default; secrets never come here.

use std::fmt;
use std::sync::Arc;

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
pub struct Log(Option<(Level, Sink)>);

type Sink = Arc<dyn Fn(Level, &str) + Send + Sync>;

impl Log {
    /// No messages.
    pub fn off() -> Self {
        Log(None)
    }

    /// Messages of a level and of those that matter more go to `sink`: one line each, from any thread. It must
    /// not call into this library and should return soon.
    pub fn new(level: Level, sink: impl Fn(Level, &str) + Send + Sync + 'static) -> Self {
        Log(Some((level, Arc::new(sink))))
    }

    /// What `OPENCODE_LOG` says: with a level's name in it, messages go to standard error.
    pub fn from_env() -> Self {
        match std::env::var("OPENCODE_LOG").ok().as_deref().and_then(Level::parse) {
            Some(level) => Log::new(level, to_stderr),
            None => Log::off(),
        }
    }

    pub(crate) fn write(&self, level: Level, text: impl FnOnce() -> String) {
        if let Some((least, sink)) = &self.0
            && level <= *least
        {
            sink(level, &text());
        }
    }
}

#[expect(clippy::print_stderr, reason = "the environment asked for it")]
fn to_stderr(level: Level, text: &str) {
    use std::time::{SystemTime, UNIX_EPOCH};
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = now.as_secs() % 86_400;
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    eprintln!(
        "{hours:02}:{minutes:02}:{:02}.{:03} opencode {:5} {text}",
        seconds % 60,
        now.subsec_millis(),
        level.as_str()
    );
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Log({})", self.0.as_ref().map_or("off", |(level, _)| level.as_str()))
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
}
