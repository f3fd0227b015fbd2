//! A server whose every prompt is answered as soon as it was taken.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::json;

use crate::{Answer, Request};

/// What it answers.
pub const SWIFT_ANSWER: &str = "the whole answer";

/// Bytes of its description of itself.
const LONG: usize = 8 << 20;

/// A handler of a [`Fake`](crate::Fake): the next look at a prompt finds its answer. The end of a run then meets its
/// host at any moment, thousands of times a minute.
pub fn swift() -> impl Fn(&Request) -> Answer + Send + Sync + 'static {
    // The prompts of the sessions.
    let prompts = Mutex::new(HashMap::<String, Option<String>>::new());
    move |request| {
        let mut prompts = prompts.lock().unwrap_or_else(PoisonError::into_inner);
        let path = request.path();
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (request.method.as_str(), parts.as_slice()) {
            ("POST", ["session"]) => {
                let id = format!("ses_{}", prompts.len() + 1);
                prompts.insert(id.clone(), None);
                Answer::json(200, &json!({ "id": id, "directory": "/nowhere" }))
            }
            ("GET", ["session", "status"]) => Answer::json(200, &json!({})),
            ("POST", ["session", session, "prompt_async"]) => {
                let id = request.json()["messageID"].as_str().map(str::to_owned);
                prompts.insert((*session).to_owned(), id);
                Answer::body(204, "application/json", "")
            }
            ("GET", ["session", session, "message"]) => {
                let prompt = prompts.get(*session).cloned().flatten();
                Answer::json(200, &prompt.map_or(json!([]), |prompt| messages(session, &prompt)))
            }
            ("GET", ["session", session]) if prompts.contains_key(*session) => {
                Answer::json(200, &json!({ "id": session, "directory": "/nowhere" }))
            }
            ("GET", ["doc"]) => Answer::json(200, &json!({ "long": "x".repeat(LONG) })),
            ("GET", ["global", "health"]) => {
                Answer::json(200, &json!({ "healthy": true, "version": "1.18.33" }))
            }
            _ => Answer::json(200, &json!([])),
        }
    }
}

fn messages(session: &str, prompt: &str) -> serde_json::Value {
    let answer = format!("{prompt}z");
    json!([
        {
            "info": { "id": prompt, "role": "user", "sessionID": session, "time": { "created": 1 } },
            "parts": [],
        },
        {
            "info": {
                "id": answer, "role": "assistant", "parentID": prompt, "sessionID": session,
                "time": { "created": 2, "completed": 3 }, "finish": "stop",
            },
            "parts": [{
                "id": format!("prt_{session}"), "sessionID": session, "messageID": answer, "type": "text",
                "text": SWIFT_ANSWER, "time": { "start": 1, "end": 2 },
            }],
        },
    ])
}
