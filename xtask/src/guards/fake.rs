//! The server that is counted against: always the same bytes.

use opencode_tests::{Answer, Fake, Request, Result};
use serde_json::json;
use std::time::Duration;

use crate::bench::servers::{event, message, session};

/// Starts it.
///
/// # Errors
/// When there is no port.
pub(crate) fn start() -> Result<Fake> {
    Fake::start(answer)
}

fn answer(request: &Request) -> Answer {
    let path = request.path();
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match (request.method.as_str(), parts.as_slice()) {
        ("GET", ["global", "health"]) => {
            Answer::body(200, "application/json", r#"{"healthy":true,"version":"1.18.33"}"#)
        }
        ("GET", ["global", "event"]) => {
            // More than anybody counts, and then silence.
            let events: String = (0..EVENTS).map(|number| event(number, false)).collect();
            Answer::events().send(events).pause(Duration::MAX)
        }
        ("GET", ["session", "ses_1"]) => Answer::body(200, "application/json", session(1)),
        ("GET", ["session", id, "message"]) => {
            let megabytes = id.trim_start_matches("ses_").parse().unwrap_or(1);
            Answer::body(200, "application/json", history(megabytes))
        }
        _ => Answer::json(200, &json!([])),
    }
}

/// Events of a stream.
const EVENTS: u64 = 20_000;

/// So many megabytes of messages.
fn history(megabytes: usize) -> String {
    let mut text = String::from("[");
    for number in 0.. {
        message(&mut text, number);
        if text.len() >= megabytes << 20 {
            break;
        }
        text.push(',');
    }
    text + "]"
}
