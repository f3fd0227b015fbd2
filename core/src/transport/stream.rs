//! [`Stream`]: an answer that does not end, read line by line.

use super::exchange::Exchange;
use super::{failure, surrogate};
use crate::base_url::BaseUrl;
use crate::error::{Error, ErrorKind, Result};
use crate::record::Recorder;
use std::io::{BufRead, BufReader, Read};
use std::rc::Rc;
use std::sync::Arc;

/// An open event stream. Belongs to the thread that opened it; its token ends it from any other.
pub(crate) struct Stream {
    reader: BufReader<ureq::BodyReader<'static>>,
    exchange: Rc<Exchange>,
    operation: String,
    base: BaseUrl,
    max_line: usize,
    recording: Option<(Arc<Recorder>, String)>,
}

impl Stream {
    pub(super) fn new(
        body: ureq::Body,
        exchange: Rc<Exchange>,
        operation: &str,
        base: &BaseUrl,
        max_line: usize,
        recording: Option<(Arc<Recorder>, String)>,
    ) -> Self {
        Stream {
            reader: BufReader::with_capacity(64 << 10, body.into_reader()),
            exchange,
            operation: operation.to_owned(),
            base: base.clone(),
            max_line,
            recording,
        }
    }

    /// Reads the next line into `line`, without its end; false at the end of the stream.
    ///
    /// # Errors
    /// `timeout` when nothing came for the idle limit, `connection` when it broke, `cancelled`, and `decode`
    /// for a line beyond the limit.
    pub(crate) fn next_line(&mut self, line: &mut Vec<u8>) -> Result<bool> {
        let _entered = self.exchange.enter();
        line.clear();
        // Never `read_line`: it would lose the line when a read ends inside a character.
        let mut limited = (&mut self.reader).take(self.max_line as u64 + 1);
        match limited.read_until(b'\n', line) {
            Ok(0) => Ok(false),
            Ok(_) if line.len() > self.max_line => Err(Error::new(
                ErrorKind::Decode,
                format!(
                    "{}: a line of the stream is longer than {} bytes",
                    self.operation, self.max_line
                ),
            )
            .with_operation(self.operation.clone())),
            Ok(_) => {
                while matches!(line.last(), Some(b'\n' | b'\r')) {
                    line.pop();
                }
                surrogate::replace_lone(line);
                if let Some((recorder, target)) = &self.recording {
                    recorder.event(target, line);
                }
                Ok(true)
            }
            Err(error) => Err(failure::from_io(error, &self.operation, &self.base, true)),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.exchange.token.detach();
    }
}
