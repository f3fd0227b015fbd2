//! [`Screen`]: what a terminal printed and nobody has read yet, and what waits to be typed into it.

use crate::base::error::{Error, ErrorKind, Result};
use crate::base::mailbox::{Content, Face, Mailbox};
use crate::base::signal::Signal;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of output kept for a slow reader; beyond that the connection is not read any more.
pub(super) const MAX_OUTPUT: usize = 1 << 20;
/// Bytes of input that may wait to be sent.
const MAX_INPUT: usize = 1 << 20;

/// What goes to the server, in its order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TerminalInput {
    Text(String),
    Size(u16, u16),
}

/// How a terminal ended.
#[derive(Debug, Clone)]
pub(super) enum TerminalEnd {
    /// The program ended; with its code when the server tells it.
    Exited(Option<i64>),
    /// Somebody removed the terminal.
    Removed,
    /// This side closed it; the program goes on.
    Closed,
    /// It cannot be reached any more.
    Failed(Error),
}

/// The state that the host and the terminal's thread share.
pub(super) struct Screen(Mailbox<ScreenInner>);

struct ScreenInner {
    output: String,
    /// Where the unread output begins, in UTF-16 units since the terminal was made.
    cursor: i64,
    /// Whether the server had thrown output away before it could be fetched.
    has_gap: bool,
    /// Whether output may be on the way that nobody will be able to fetch.
    is_suspect: bool,
    input: VecDeque<TerminalInput>,
    input_bytes: usize,
    /// Whether a thread is busy with the input.
    is_sending: bool,
    end: Option<TerminalEnd>,
    is_end_told: bool,
}

impl Content for ScreenInner {
    fn face(&self) -> Face {
        let is_over = self.end.is_some();
        Face {
            state: 0,
            is_over,
            has_news: !self.output.is_empty() || (is_over && !self.is_end_told),
        }
    }
}

impl ScreenInner {
    /// All output, or the end once there is none; `None` when there is neither.
    fn take(&mut self) -> Option<Result<Option<String>>> {
        if !self.output.is_empty() {
            let text = std::mem::take(&mut self.output);
            self.cursor += utf16_len(&text);
            return Some(Ok(Some(text)));
        }
        let end = self.end.as_ref()?;
        self.is_end_told = true;
        Some(match end {
            TerminalEnd::Failed(error) => Err(error.clone()),
            _ => Ok(None),
        })
    }
}

impl Screen {
    pub(super) fn new(cursor: i64, signal: Arc<Signal>) -> Self {
        let inner = ScreenInner {
            output: String::new(),
            cursor,
            has_gap: false,
            is_suspect: false,
            input: VecDeque::new(),
            input_bytes: 0,
            is_sending: false,
            end: None,
            is_end_told: false,
        };
        Screen(Mailbox::new(inner, Some(signal)))
    }

    /// The host takes all output; `""` when none came in time, `None` after the end.
    pub(super) fn read(&self, timeout: Option<Duration>) -> Result<Option<String>> {
        let taken = match timeout {
            Some(Duration::ZERO) => self.0.try_take(ScreenInner::take).flatten(),
            timeout => self.0.wait(timeout, ScreenInner::take),
        };
        taken.unwrap_or_else(|| Ok(Some(String::new())))
    }

    pub(super) fn wait_ready(&self, timeout: Option<Duration>) -> bool {
        self.0.wait_ready(timeout)
    }

    /// Whether a read would give nothing, and more may come.
    pub(super) fn is_idle(&self) -> bool {
        self.0.idle().is_some() && !self.0.face().is_over
    }

    /// Whether a read would give something; what is there counts as seen.
    pub(super) fn look(&self) -> bool {
        self.0.is_ready() || self.0.face().is_over
    }

    /// What the client's signal calls it.
    pub(super) fn mark(&self) -> u64 {
        self.0.mark()
    }

    /// The thread adds output, and waits while nobody reads; false when the terminal was closed.
    pub(super) fn push(&self, text: &str) -> bool {
        // Nobody else adds any.
        self.0.wait(None, |inner| {
            (inner.output.len() < MAX_OUTPUT || inner.end.is_some()).then_some(())
        });
        self.0.write(|inner| {
            let is_open = inner.end.is_none();
            if is_open {
                inner.output.push_str(text);
            }
            is_open
        })
    }

    /// Notes where the output goes on; `is_gap` when what lies between was lost.
    pub(super) fn move_to(&self, position: i64, is_gap: bool) {
        self.0.edit(|inner| {
            inner.cursor = position - utf16_len(&inner.output);
            inner.has_gap |= is_gap;
        });
    }

    /// The connection broke: should the program end before there is a new one, its last words are lost.
    pub(super) fn suspect(&self) {
        self.0.edit(|inner| inner.is_suspect = true);
    }

    pub(super) fn trust(&self) {
        self.0.edit(|inner| inner.is_suspect = false);
    }

    /// The first end counts.
    pub(super) fn finish(&self, end: TerminalEnd) {
        self.0.write(|inner| {
            let is_first = inner.end.is_none();
            if is_first {
                inner.has_gap |= inner.is_suspect && matches!(end, TerminalEnd::Exited(_));
                inner.end = Some(end);
                inner.input.clear();
            }
            is_first
        });
    }

    /// Takes input; true when nobody is busy with the input yet, and the caller must see to it.
    pub(super) fn enter(&self, input: TerminalInput) -> Result<bool> {
        self.0.edit(|inner| {
            match &inner.end {
                None => {}
                Some(TerminalEnd::Failed(error)) => return Err(error.clone()),
                Some(end) => {
                    let why = match end {
                        TerminalEnd::Closed => "it was closed on this side",
                        _ => "its program has ended",
                    };
                    let text = format!("pty: the terminal takes no input: {why}");
                    return Err(Error::new(ErrorKind::Closed, text));
                }
            }
            let bytes = match &input {
                TerminalInput::Text(text) => text.len(),
                TerminalInput::Size(..) => 0,
            };
            // One text of any length is taken while nothing waits: it could never be typed otherwise.
            if inner.input_bytes > 0 && inner.input_bytes + bytes > MAX_INPUT {
                let text = format!(
                    "pty: {} bytes wait to be typed and {MAX_INPUT} is the limit; write this again later",
                    inner.input_bytes
                );
                return Err(Error::new(ErrorKind::Limit, text).with_retryable(true));
            }
            inner.input_bytes += bytes;
            match (inner.input.back_mut(), input) {
                (Some(TerminalInput::Text(before)), TerminalInput::Text(text)) => before.push_str(&text),
                (Some(TerminalInput::Size(cols, rows)), TerminalInput::Size(c, r)) => (*cols, *rows) = (c, r),
                (_, input) => inner.input.push_back(input),
            }
            Ok(!std::mem::replace(&mut inner.is_sending, true))
        })
    }

    /// The next input to be sent; `None` ends the caller's duty.
    pub(super) fn next_input(&self) -> Option<TerminalInput> {
        self.0.edit(|inner| {
            let next = inner.input.pop_front();
            match &next {
                Some(TerminalInput::Text(text)) => inner.input_bytes -= text.len(),
                Some(TerminalInput::Size(..)) => {}
                None => inner.is_sending = false,
            }
            next
        })
    }

    /// Leaves the input for later: there is no connection.
    pub(super) fn pause_input(&self) {
        self.0.edit(|inner| inner.is_sending = false);
    }

    /// Whether input waits that nobody is busy with; the caller must see to it.
    pub(super) fn claim_input(&self) -> bool {
        self.0.edit(|inner| {
            let is_waiting = !inner.is_sending && !inner.input.is_empty();
            inner.is_sending |= is_waiting;
            is_waiting
        })
    }

    pub(super) fn end(&self) -> Option<TerminalEnd> {
        self.0.read().end.clone()
    }

    /// Whether the end has come and everything before it was read.
    pub(super) fn is_over(&self) -> bool {
        let inner = self.0.read();
        inner.end.is_some() && inner.output.is_empty()
    }

    /// Where the next read begins.
    pub(super) fn cursor(&self) -> i64 {
        self.0.read().cursor
    }

    /// Where the output that was received ends.
    pub(super) fn received(&self) -> i64 {
        let inner = self.0.read();
        inner.cursor + utf16_len(&inner.output)
    }

    pub(super) fn has_gap(&self) -> bool {
        self.0.read().has_gap
    }
}

/// The length as the server counts it.
pub(super) fn utf16_len(text: &str) -> i64 {
    // Four bytes of UTF-8 are two units, all other characters are one.
    text.bytes().map(|byte| i64::from(byte & 0xC0 != 0x80) + i64::from(byte >= 0xF0)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_utf16_units() {
        for text in ["", "abc", "é€😀x", "\u{FFFD}\u{10FFFF}"] {
            assert_eq!(utf16_len(text), text.encode_utf16().count() as i64);
        }
        let screen = Screen::new(7, Arc::default());
        assert!(screen.push("a😀"));
        assert_eq!((screen.cursor(), screen.received()), (7, 10));
        assert_eq!(screen.read(None).unwrap().as_deref(), Some("a😀"));
        assert_eq!(screen.cursor(), 10);
    }

    #[test]
    fn the_end_comes_after_the_last_output() {
        let screen = Screen::new(0, Arc::default());
        let now = Some(Duration::ZERO);
        assert_eq!(screen.read(now).unwrap().as_deref(), Some(""));
        screen.push("x");
        screen.finish(TerminalEnd::Exited(Some(3)));
        assert!(!screen.is_over());
        assert_eq!(screen.read(now).unwrap().as_deref(), Some("x"));
        assert_eq!(screen.read(None).unwrap(), None);
        assert!(screen.is_over() && !screen.push("y"));
        assert_eq!(screen.enter(TerminalInput::Size(1, 1)).unwrap_err().kind(), ErrorKind::Closed);
    }

    #[test]
    fn a_text_of_any_length_is_taken_while_nothing_waits() {
        let screen = Screen::new(0, Arc::default());
        let text = |length: usize| TerminalInput::Text("x".repeat(length));
        assert!(screen.enter(text(3 * MAX_INPUT)).unwrap());
        assert_eq!(screen.enter(text(1)).unwrap_err().kind(), ErrorKind::Limit);
        assert!(
            matches!(screen.next_input(), Some(TerminalInput::Text(text)) if text.len() == 3 * MAX_INPUT)
        );
        screen.enter(text(MAX_INPUT)).unwrap();
        assert_eq!(screen.enter(text(1)).unwrap_err().kind(), ErrorKind::Limit);
    }

    #[test]
    fn a_slow_reader_holds_the_writer_back() {
        let screen = Arc::new(Screen::new(0, Arc::default()));
        let pushed = Arc::clone(&screen);
        let piece = "x".repeat(MAX_OUTPUT / 4);
        let writer = std::thread::spawn(move || (0..12).all(|_| pushed.push(&piece)));
        let mut total = 0;
        while total < 3 * MAX_OUTPUT {
            let text = screen.read(None).unwrap().unwrap();
            assert!(text.len() <= MAX_OUTPUT);
            total += text.len();
        }
        assert!(writer.join().unwrap());
    }

    #[test]
    fn input_is_joined_bounded_and_claimed_once() {
        let screen = Screen::new(0, Arc::default());
        assert!(screen.enter(TerminalInput::Text("a".to_owned())).unwrap());
        assert!(!screen.enter(TerminalInput::Text("b".to_owned())).unwrap());
        screen.enter(TerminalInput::Size(1, 1)).unwrap();
        screen.enter(TerminalInput::Size(2, 2)).unwrap();
        assert_eq!(screen.next_input(), Some(TerminalInput::Text("ab".to_owned())));
        assert_eq!(screen.next_input(), Some(TerminalInput::Size(2, 2)));
        assert_eq!(screen.next_input(), None);
        assert!(!screen.claim_input());
        screen.enter(TerminalInput::Text("a".to_owned())).unwrap();
        let much = "x".repeat(MAX_INPUT);
        assert_eq!(screen.enter(TerminalInput::Text(much)).unwrap_err().kind(), ErrorKind::Limit);
    }
}
