//! [`Stream`]: an answer that does not end, read event by event.

use super::exchange::Exchange;
use super::{failure, surrogate};
use crate::base::error::{Error, ErrorKind, Result};
use crate::http::base_url::BaseUrl;
use crate::http::record::Recorder;
use crate::http::redact::Redactor;
use crate::http::sse::Frames;
use std::borrow::Cow;
use std::io::{BufRead, BufReader, ErrorKind as Io};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

/// An open event stream. Belongs to the thread that opened it; its token ends it from any other.
pub(crate) struct Stream {
    reader: BufReader<ureq::BodyReader<'static>>,
    exchange: Rc<Exchange>,
    operation: String,
    base: BaseUrl,
    max_event: usize,
    frames: Frames,
    /// What it found last.
    found: FoundSign,
    /// Bytes that were looked at, and are passed over when the next ones are.
    given: usize,
    /// The data of an event that had half characters.
    changed: Vec<u8>,
    recording: Option<Recording>,
}

/// What a stream brings.
pub(crate) enum Sign<'a> {
    /// The data of an event.
    Event(&'a [u8]),
    /// A comment: the server is there, and that is all.
    Comment,
}

/// The end of the last step.
#[derive(PartialEq, Eq)]
enum FoundSign {
    /// An event that lies in the buffer.
    There(Range<usize>),
    /// An event that came in pieces.
    Collected,
    Comment,
}

/// Where the events are written to.
pub(super) struct Recording {
    pub(super) recorder: Arc<Recorder>,
    pub(super) target: String,
    pub(super) redactor: Arc<Redactor>,
}

impl Stream {
    pub(super) fn new(
        body: ureq::Body,
        exchange: Rc<Exchange>,
        operation: &str,
        base: &BaseUrl,
        max_event: usize,
        recording: Option<Recording>,
    ) -> Self {
        Stream {
            reader: BufReader::with_capacity(64 << 10, body.into_reader()),
            exchange,
            operation: operation.to_owned(),
            base: base.clone(),
            max_event,
            frames: Frames::new(max_event),
            found: FoundSign::Comment,
            given: 0,
            changed: Vec::new(),
            recording,
        }
    }

    /// The data of the next event; `None` at the end of the stream.
    ///
    /// # Errors
    /// `timeout` when nothing came for the idle limit, `connection` when it broke, `cancelled`, and `decode`
    /// for an event beyond the limit.
    pub(crate) fn next_event(&mut self) -> Result<Option<&[u8]>> {
        loop {
            while self.advance()? {
                if self.found != FoundSign::Comment {
                    return Ok(Some(self.event()));
                }
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// The next event or comment of what has come already; `None` when it has to be waited for, by [`fill`](Self::fill).
    ///
    /// # Errors
    /// `decode` for an event beyond the limit.
    pub(crate) fn next_sign(&mut self) -> Result<Option<Sign<'_>>> {
        match self.advance()? {
            false => Ok(None),
            true if self.found == FoundSign::Comment => Ok(Some(Sign::Comment)),
            true => Ok(Some(Sign::Event(self.event()))),
        }
    }

    /// Waits until more has come; false at the end of the stream.
    ///
    /// # Errors
    /// As [`next_event`](Self::next_event).
    pub(crate) fn fill(&mut self) -> Result<bool> {
        let _entered = self.exchange.enter();
        self.reader.consume(std::mem::take(&mut self.given));
        loop {
            match self.reader.fill_buf() {
                Ok(bytes) => return Ok(!bytes.is_empty()),
                Err(error) if error.kind() == Io::Interrupted => {}
                Err(error) => {
                    return Err(failure::from_io(error, &self.operation, &self.base, true));
                }
            }
        }
    }

    /// Goes up to the end of an event, or a comment; false where that has not come yet.
    fn advance(&mut self) -> Result<bool> {
        self.reader.consume(std::mem::take(&mut self.given));
        let bytes = self.reader.buffer();
        if let Some((data, end)) = self.frames.whole(bytes) {
            (self.found, self.given) = (FoundSign::There(data), end);
            return Ok(true);
        }
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let Ok((taken, is_whole)) = self.frames.take(rest) else { return Err(self.too_long()) };
            at += taken;
            // In front of an event a comment says no more than the event.
            let is_comment = self.frames.took_comment();
            if is_whole || is_comment {
                self.found = if is_whole { FoundSign::Collected } else { FoundSign::Comment };
                self.given = at;
                return Ok(true);
            }
        }
        self.given = at;
        Ok(false)
    }

    /// The data of the event that was found.
    fn event(&mut self) -> &[u8] {
        let data = match &self.found {
            FoundSign::There(place) => {
                let data = self.reader.buffer().get(place.clone()).unwrap_or_default();
                match surrogate::without_lone(data) {
                    Cow::Borrowed(data) => data,
                    Cow::Owned(changed) => {
                        self.changed = changed;
                        &self.changed
                    }
                }
            }
            FoundSign::Collected | FoundSign::Comment => {
                let data = self.frames.data();
                surrogate::replace_lone(data);
                data
            }
        };
        if let Some(Recording { recorder, target, redactor }) = &self.recording {
            recorder.event(target, data, redactor);
        }
        data
    }

    fn too_long(&self) -> Error {
        let (operation, max) = (&self.operation, self.max_event);
        let text = format!("{operation}: an event of the stream is longer than {max} bytes");
        Error::new(ErrorKind::Decode, text).with_operation(operation.clone()).with_sent(true)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.exchange.token.detach();
    }
}
