//! A server that never stops talking.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use opencode_fake_provider::socket;
use serde_json::{Value, json};

use crate::{Answer, Request};

/// Events of one write.
const BATCH: usize = 256;

/// A handler of a [`Fake`](crate::Fake): one session, whose first prompt is answered for ever, as fast as the
/// client can read: a hundred thousand events a second and more.
pub fn flood() -> impl Fn(&Request) -> Answer + Send + Sync + 'static {
    talker(Talk { at_once: BATCH, pause: Duration::ZERO, size: 1 })
}

/// The same, with one character at a time, and a pause after each: every delta makes its way alone.
pub fn trickle() -> impl Fn(&Request) -> Answer + Send + Sync + 'static {
    talker(Talk { at_once: 1, pause: Duration::from_millis(2), size: 1 })
}

/// Bytes of a delta of [`surge`].
pub const SURGE: usize = 1 << 16;

/// The same, with long pieces of text: whoever copies one asks for as much memory.
pub fn surge() -> impl Fn(&Request) -> Answer + Send + Sync + 'static {
    talker(Talk { at_once: 1, pause: Duration::from_millis(20), size: SURGE })
}

/// How a server talks.
#[derive(Clone, Copy)]
struct Talk {
    /// Events of one write.
    at_once: usize,
    /// After each write.
    pause: Duration,
    /// Bytes of a delta.
    size: usize,
}

fn talker(talk: Talk) -> impl Fn(&Request) -> Answer + Send + Sync + 'static {
    let prompt = Arc::new(Mutex::new(None));
    move |request| {
        let session = json!({
            "id": "ses_1", "directory": "/nowhere", "title": "t", "time": { "created": 1 },
        });
        match (request.method.as_str(), request.path()) {
            ("POST", "/session") | ("GET", "/session/ses_1") => Answer::json(200, &session),
            ("POST", path) if path.ends_with("/prompt_async") => {
                let id = request.json()["messageID"].as_str().map(str::to_owned);
                *prompt.lock().unwrap_or_else(PoisonError::into_inner) = id;
                Answer::body(204, "application/json", "")
            }
            ("GET", "/global/event") => {
                let prompt = Arc::clone(&prompt);
                Answer::events()
                    .event(&event("", "server.connected", json!({})))
                    .raw(move |stream| talk.to(stream, &prompt))
            }
            ("GET", "/session/status") => {
                Answer::json(200, &json!({ "ses_1": { "type": "busy" } }))
            }
            _ => Answer::json(200, &json!([])),
        }
    }
}

fn event(id: &str, kind: &str, properties: Value) -> Value {
    json!({ "payload": { "id": id, "type": kind, "properties": properties } })
}

impl Talk {
    /// Talks until the client is gone.
    fn to(self, mut stream: &TcpStream, prompt: &Mutex<Option<String>>) -> io::Result<()> {
        let parent = loop {
            if let Some(id) = prompt.lock().unwrap_or_else(PoisonError::into_inner).clone() {
                break id;
            }
            if socket::is_closed(stream) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(5));
        };
        let info = json!({
            "id": "msg_2", "sessionID": "ses_1", "role": "assistant", "parentID": parent,
            "time": { "created": 1 },
        });
        let part = json!({
            "id": "prt_1", "sessionID": "ses_1", "messageID": "msg_2", "type": "text", "text": "",
        });
        let begin = [
            event(
                "evt_000000000001x",
                "message.updated",
                json!({ "sessionID": "ses_1", "info": info }),
            ),
            event(
                "evt_000000000002x",
                "message.part.updated",
                json!({ "sessionID": "ses_1", "part": part }),
            ),
        ];
        for event in begin {
            stream.write_all(format!("data: {event}\n\n").as_bytes())?;
        }
        let mut batch = String::new();
        let words = "x".repeat(self.size);
        for number in 0_u64.. {
            let delta = json!({
                "sessionID": "ses_1", "messageID": "msg_2", "partID": "prt_1", "field": "text", "delta": words,
            });
            // Ids begin with a clock of twelve digits, as the server's do.
            let delta = event(&format!("evt_{:012x}x", number + 16), "message.part.delta", delta);
            // A String takes everything.
            let _ = write!(batch, "data: {delta}\n\n");
            if (number as usize).is_multiple_of(self.at_once) {
                stream.write_all(batch.as_bytes())?;
                batch.clear();
                thread::sleep(self.pause);
            }
        }
        Ok(())
    }
}
