//! The answer as it goes over the wire: server-sent events in chunks.

use std::io::{self, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::script::Usage;

/// Bytes that may wait when the deltas follow each other without a pause.
const BUFFER: usize = 16 * 1024;

pub(crate) struct Wire<'a> {
    stream: &'a TcpStream,
    model: String,
    buffer: Vec<u8>,
}

impl<'a> Wire<'a> {
    /// Starts a streamed answer; the head leaves with the first flush.
    pub(crate) fn open(stream: &'a TcpStream, model: &str) -> Wire<'a> {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                    cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n";
        Wire { stream, model: model.into(), buffer: head.as_bytes().to_vec() }
    }

    /// One delta of the assistant message.
    pub(crate) fn delta(&mut self, delta: &Value) -> io::Result<()> {
        self.choice(delta, None)
    }

    /// Why the message ended.
    pub(crate) fn finish(&mut self, reason: &str) -> io::Result<()> {
        self.choice(&json!({}), Some(reason))
    }

    /// The tokens of the message.
    pub(crate) fn usage(&mut self, usage: Usage) -> io::Result<()> {
        let mut chunk = self.chunk();
        chunk["choices"] = json!([]);
        chunk["usage"] = tokens(usage);
        self.event(&chunk.to_string())
    }

    /// Any payload, JSON or not.
    pub(crate) fn event(&mut self, payload: &str) -> io::Result<()> {
        let length = payload.len() + "data: \n\n".len();
        write!(self.buffer, "{length:x}\r\ndata: {payload}\n\n\r\n")?;
        if self.buffer.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    /// Sends what waits.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// Ends the answer; the connection can carry another one.
    pub(crate) fn close(mut self) -> io::Result<()> {
        self.event("[DONE]")?;
        self.buffer.extend_from_slice(b"0\r\n\r\n");
        self.flush()
    }

    fn choice(&mut self, delta: &Value, finish: Option<&str>) -> io::Result<()> {
        let mut chunk = self.chunk();
        chunk["choices"] = json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
        self.event(&chunk.to_string())
    }

    fn chunk(&self) -> Value {
        json!({"id": "scripted", "object": "chat.completion.chunk", "created": 1, "model": self.model})
    }
}

/// The usage object: the API counts cached tokens as input and reasoning as output.
pub(crate) fn tokens(usage: Usage) -> Value {
    let prompt = usage.input + usage.cached;
    let completion = usage.output + usage.reasoning;
    json!({
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    })
}
