//! [`Stream`]: an answer that does not end, read event by event.

use super::exchange::Exchange;
use super::{failure, surrogate};
use crate::base::error::{Error, ErrorKind, Result};
use crate::http::base_url::BaseUrl;
use crate::http::record::Recorder;
use crate::http::redact::Redactor;
use crate::http::sse::{Frames, TooLong};
use std::io::{BufRead, BufReader, ErrorKind as Io};
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
    /// Whether what it read last is an event.
    is_event: bool,
    recording: Option<Recording>,
}

/// What a stream brings.
pub(crate) enum Sign<'a> {
    /// The data of an event.
    Event(&'a [u8]),
    /// A comment: the server is there, and that is all.
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
            is_event: false,
            recording,
        }
    }

    /// The data of the next event; `None` at the end of the stream.
    ///
    /// # Errors
    /// `timeout` when nothing came for the idle limit, `connection` when it broke, `cancelled`, and `decode`
    /// for an event beyond the limit.
    pub(crate) fn next_event(&mut self) -> Result<Option<&[u8]>> {
        while self.advance()? {
            if self.is_event {
                return self.event().map(Some);
            }
        }
        Ok(None)
    }

    /// The next event or comment; `None` at the end of the stream.
    ///
    /// # Errors
    /// As [`next_event`](Self::next_event).
    pub(crate) fn next_sign(&mut self) -> Result<Option<Sign<'_>>> {
        match self.advance()? {
            false => Ok(None),
            true if self.is_event => self.event().map(|data| Some(Sign::Event(data))),
            true => Ok(Some(Sign::Comment)),
        }
    }

    /// Reads up to the end of an event, or a comment; false at the end of the stream.
    fn advance(&mut self) -> Result<bool> {
        let _entered = self.exchange.enter();
        loop {
            let (taken, is_whole) = match self.reader.fill_buf() {
                Ok([]) => return Ok(false),
                Ok(bytes) => match self.frames.take(bytes) {
                    Ok(taken) => taken,
                    Err(TooLong) => return Err(self.too_long()),
                },
                Err(error) if error.kind() == Io::Interrupted => continue,
                Err(error) => {
                    return Err(failure::from_io(error, &self.operation, &self.base, true));
                }
            };
            self.reader.consume(taken);
            // In front of an event a comment says no more than the event.
            let is_comment = self.frames.took_comment();
            if is_whole || is_comment {
                self.is_event = is_whole;
                return Ok(true);
            }
        }
    }

    fn event(&mut self) -> Result<&[u8]> {
        let data = self.frames.data();
        surrogate::replace_lone(data);
        if let Some(Recording { recorder, target, redactor }) = &self.recording {
            recorder.event(target, data, redactor);
        }
        Ok(data)
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
