//! Plays one step of a script to one client.

use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::script::{Failure, Step, ToolCall};
use crate::wire::{Wire, tokens};
use crate::{http, socket};

/// Characters of tool arguments per delta, unless the step has a `chunk`.
const ARGUMENT_CHUNK: usize = 40;
/// How often a long silence looks whether anybody is still there.
const GLANCE: Duration = Duration::from_millis(50);

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Complete; the connection can carry another request.
    Done,
    /// The script closed the connection.
    Closed,
    /// The client went away, or the model is being stopped.
    Gone,
}

impl Outcome {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Closed => "closed",
            Outcome::Gone => "client_gone",
        }
    }
}

/// Plays `step` on a connection whose request has been read; calls `done` just before the last
/// bytes of a complete answer leave.
pub(crate) fn play(
    step: &Step,
    stream: &TcpStream,
    model: &str,
    streamed: bool,
    stopping: &AtomicBool,
    done: &dyn Fn(),
) -> Outcome {
    let mut player = Player { step, stream, stopping, done, sent: 0 };
    match player.answer(model, streamed) {
        Ok(()) => Outcome::Done,
        Err(Halt::Script) => Outcome::Closed,
        Err(Halt::Gone) => Outcome::Gone,
    }
}

/// Why an answer stops early.
enum Halt {
    Script,
    Gone,
}

impl From<io::Error> for Halt {
    fn from(_: io::Error) -> Halt {
        Halt::Gone
    }
}

struct Player<'a> {
    step: &'a Step,
    stream: &'a TcpStream,
    stopping: &'a AtomicBool,
    done: &'a dyn Fn(),
    /// Deltas sent so far.
    sent: usize,
}

impl Player<'_> {
    fn answer(&mut self, model: &str, streamed: bool) -> Result<(), Halt> {
        let step = self.step;
        self.pause(step.first_delay)?;
        if let Some(pause) = step.hang {
            self.pause(pause)?;
            return Err(Halt::Script);
        }
        if step.reset {
            socket::reset(self.stream);
            return Err(Halt::Script);
        }
        match &step.failure {
            Some(failure) => self.fail(failure),
            None if streamed => self.stream(model),
            None => self.document(model),
        }
    }

    fn fail(&self, failure: &Failure) -> Result<(), Halt> {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(failure.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        if failure.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            headers.remove(0);
        }
        (self.done)();
        Ok(http::write_answer(
            &mut &*self.stream,
            failure.status,
            &headers,
            failure.body.as_bytes(),
        )?)
    }

    fn stream(&mut self, model: &str) -> Result<(), Halt> {
        let step = self.step;
        let mut wire = Wire::open(self.stream, model);
        for piece in pieces(&step.reasoning, step.chunk) {
            self.send(&mut wire, &json!({"role": "assistant", "reasoning_content": piece}))?;
        }
        for piece in pieces(&step.text, step.chunk) {
            self.send(&mut wire, &json!({"role": "assistant", "content": piece}))?;
        }
        for (index, call) in step.tools.iter().enumerate() {
            let start = start(index, call, "");
            self.send(&mut wire, &json!({"role": "assistant", "tool_calls": [start]}))?;
            for piece in pieces(&call.arguments, Some(step.chunk.unwrap_or(ARGUMENT_CHUNK))) {
                let piece = json!({"index": index, "function": {"arguments": piece}});
                self.send(&mut wire, &json!({"tool_calls": [piece]}))?;
            }
        }
        self.interrupt(&mut wire)?;
        if step.garbage {
            wire.event("{not json")?;
        }
        match &step.error {
            Some(message) => {
                let error = json!({"error": {"message": message, "type": "server_error"}});
                wire.event(&error.to_string())?;
            }
            None => {
                wire.finish(step.finish_reason())?;
                wire.usage(step.usage)?;
            }
        }
        (self.done)();
        Ok(wire.close()?)
    }

    /// The answer to a request that did not ask for a stream.
    fn document(&self, model: &str) -> Result<(), Halt> {
        let step = self.step;
        let calls: Vec<Value> = step
            .tools
            .iter()
            .enumerate()
            .map(|(i, call)| start(i, call, &call.arguments))
            .collect();
        let mut message = json!({"role": "assistant", "content": step.text});
        if !calls.is_empty() {
            message["tool_calls"] = calls.into();
        }
        let choice = json!({"index": 0, "message": message, "finish_reason": step.finish_reason()});
        let body = json!({
            "id": "scripted", "object": "chat.completion", "created": 1, "model": model,
            "choices": [choice], "usage": tokens(step.usage),
        });
        let headers = [("content-type", "application/json")];
        (self.done)();
        Ok(http::write_answer(&mut &*self.stream, 200, &headers, body.to_string().as_bytes())?)
    }

    /// Sends one delta at its time, unless the script ends the connection before it.
    fn send(&mut self, wire: &mut Wire, delta: &Value) -> Result<(), Halt> {
        if self.sent > 0 && !self.step.delay.is_zero() {
            wire.flush()?;
            self.pause(self.step.delay)?;
        }
        self.interrupt(wire)?;
        wire.delta(delta)?;
        self.sent += 1;
        Ok(())
    }

    /// Stalls or cuts, if the script wants it at this delta.
    fn interrupt(&self, wire: &mut Wire) -> Result<(), Halt> {
        if let Some(stall) = self.step.stall.filter(|stall| stall.after == self.sent) {
            wire.flush()?;
            self.pause(stall.pause)?;
        }
        if self.step.cut_after == Some(self.sent) {
            wire.flush()?;
            return Err(Halt::Script);
        }
        Ok(())
    }

    /// Sleeps, but not beyond the end of the client or of the model.
    fn pause(&self, pause: Duration) -> Result<(), Halt> {
        let end = Instant::now() + pause;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            thread::sleep(left.min(GLANCE));
            if left <= GLANCE {
                return Ok(());
            }
            if self.stopping.load(Ordering::Relaxed) || socket::is_closed(self.stream) {
                return Err(Halt::Gone);
            }
        }
    }
}

impl Step {
    fn finish_reason(&self) -> &str {
        let usual = if self.tools.is_empty() { "stop" } else { "tool_calls" };
        self.finish.as_deref().unwrap_or(usual)
    }
}

/// The object that opens a tool call.
fn start(index: usize, call: &ToolCall, arguments: &str) -> Value {
    // Ids must differ between the calls of a session, also across a restart of the model.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let id = format!("call_{:x}_{:x}", now.as_millis(), NEXT.fetch_add(1, Ordering::Relaxed));
    let function = json!({"name": call.name, "arguments": arguments});
    json!({"index": index, "id": id, "type": "function", "function": function})
}

/// Cuts a text into deltas: so many characters each, or after each space.
fn pieces(text: &str, chunk: Option<usize>) -> Vec<&str> {
    let Some(chunk) = chunk else { return text.split_inclusive(' ').collect() };
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let cut = rest.char_indices().nth(chunk).map_or(rest.len(), |(at, _)| at);
        let (piece, tail) = rest.split_at(cut);
        pieces.push(piece);
        rest = tail;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_join_to_the_text() {
        for text in ["", "a", " ", "one two  three ", "é€😀 \n\"x\"", "日本語テキスト"]
        {
            for chunk in [None, Some(1), Some(2), Some(100)] {
                assert_eq!(pieces(text, chunk).concat(), text);
            }
        }
        assert_eq!(pieces("one two", None), ["one ", "two"]);
        assert_eq!(pieces("é€😀", Some(2)), ["é€", "😀"]);
    }
}
