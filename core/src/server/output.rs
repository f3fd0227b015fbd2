//! [`OutputTail`]: what a child process prints, kept bounded.

use crate::base::limits::after;
use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// Bytes kept; the oldest go first.
const LIMIT: usize = 64 * 1024;

/// The end of what a process has printed. Clones share it.
#[derive(Clone, Default)]
pub(super) struct OutputTail(Arc<OutputState>);

#[derive(Default)]
struct OutputState {
    text: Mutex<Text>,
    changed: Condvar,
}

#[derive(Default)]
struct Text {
    bytes: Vec<u8>,
    is_cut: bool,
    is_over: bool,
}

/// What a look at the output came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look<T> {
    Found(T),
    /// There will be no more of it.
    Over,
    /// The time is up.
    Late,
}

impl OutputTail {
    /// A process was started: what an earlier one printed is forgotten.
    pub(super) fn begin(&self) {
        *self.lock() = Text::default();
    }

    /// Reads a pipe to its end, so that the process never blocks on it.
    pub(super) fn drain(&self, mut pipe: impl Read) {
        let mut chunk = [0; 4096];
        while let Ok(count @ 1..) = pipe.read(&mut chunk) {
            self.add(&chunk[..count]);
        }
        self.end();
    }

    /// Nothing more will be read.
    pub(super) fn end(&self) {
        self.lock().is_over = true;
        self.0.changed.notify_all();
    }

    /// The text so far, from the beginning of a line when its beginning is gone: half a secret is one, too.
    pub(super) fn text(&self) -> String {
        let text = self.lock();
        let begin = match text.is_cut {
            true => text.bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1),
            false => 0,
        };
        String::from_utf8_lossy(&text.bytes[begin..]).into_owned()
    }

    /// Whether nobody changes it now: in a copy of the process, made by fork, whoever does may never end.
    pub(super) fn is_free(&self) -> bool {
        !matches!(self.0.text.try_lock(), Err(TryLockError::WouldBlock))
    }

    /// Looks for something in the text so far, and again whenever there is more.
    pub(super) fn look<T>(&self, until: Instant, find: impl Fn(&str) -> Option<T>) -> Look<T> {
        let mut text = self.lock();
        loop {
            if let Some(found) = find(&String::from_utf8_lossy(&text.bytes)) {
                return Look::Found(found);
            }
            if text.is_over {
                return Look::Over;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Look::Late;
            }
            text = self.wait(text, left);
        }
    }

    /// Waits for the last of it.
    pub(super) fn finish(&self, limit: Duration) {
        self.look::<()>(after(limit), |_| None);
    }

    fn wait<'a>(&self, text: MutexGuard<'a, Text>, time: Duration) -> MutexGuard<'a, Text> {
        self.0.changed.wait_timeout(text, time).unwrap_or_else(PoisonError::into_inner).0
    }

    fn add(&self, chunk: &[u8]) {
        let mut text = self.lock();
        text.bytes.extend_from_slice(chunk);
        let excess = text.bytes.len().saturating_sub(LIMIT);
        text.bytes.drain(..excess);
        text.is_cut |= excess > 0;
        self.0.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Text> {
        self.0.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The part of an output that fits into a message: its last lines, those that say most.
pub(super) fn gist(output: &str) -> String {
    const MOST: usize = 300;
    let lines: Vec<&str> = output.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let mut kept = Vec::new();
    let mut length = 0;
    for line in lines.iter().rev() {
        length += line.chars().count() + 1;
        if !kept.is_empty() && length > MOST {
            break;
        }
        kept.push(*line);
    }
    kept.reverse();
    let text = kept.join(" ");
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_is_kept() {
        let output = OutputTail::default();
        output.add(b"start");
        for _ in 0..100 {
            output.add(&[b'x'; 1000]);
        }
        output.add(b"end");
        let text = output.text();
        assert_eq!(text.len(), LIMIT);
        assert!(text.ends_with("xend") && !text.contains("start"));
        output.add(b" of the secret\nlast line");
        assert_eq!(output.text(), "last line");
    }

    #[test]
    fn looking_ends_with_the_match_the_time_or_the_end() {
        let output = OutputTail::default();
        let now = Instant::now();
        assert_eq!(output.look::<()>(now, |_| None), Look::Late);
        output.drain(&b"one\ntwo\n"[..]);
        assert_eq!(output.look(now, |text| text.find("two")), Look::Found(4));
        assert_eq!(output.look(now + Duration::from_secs(600), |text| text.find("x")), Look::Over);
    }

    #[test]
    fn the_gist_is_the_end_and_short() {
        assert_eq!(gist(""), "");
        assert_eq!(gist("a\n\n  b  \n"), "a b");
        let long = format!("{}\nlast line\n", "x".repeat(1000));
        assert_eq!(gist(&long), "last line");
        assert_eq!(gist(&"ä".repeat(1000)).chars().count(), 303);
    }
}
