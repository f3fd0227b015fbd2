//! Servers for what nginx and the real server cannot do.

use crate::Outcome;
use opencode_tests::{Answer, Fake, Request, flood, swift};
use serde_json::json;
use std::collections::HashMap;
use std::io::Read;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Serves until standard input ends; the first line of the output is the address.
pub(crate) fn serve(kind: &str) -> Outcome {
    let fake = match kind {
        "silent" => Fake::start(|_| Answer::silence())?,
        "swift" => Fake::start(swift())?,
        "flood" => Fake::start(flood())?,
        "busy" => Fake::start(busy())?,
        _ => return Err(format!("no fake {kind}").into()),
    };
    println!("{}", fake.url());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Takes every prompt, and goes on working on it for ever: what runs cost that wait.
fn busy() -> impl Fn(&Request) -> Answer + Send + Sync + 'static {
    let prompts = Mutex::new(HashMap::<String, Option<String>>::new());
    move |request| {
        let mut prompts = prompts.lock().unwrap_or_else(PoisonError::into_inner);
        let path = request.path();
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let session = |id: &str| json!({ "id": id, "directory": "/nowhere", "title": "t", "time": { "created": 1 } });
        match (request.method.as_str(), parts.as_slice()) {
            ("GET", ["global", "health"]) => Answer::json(200, &json!({ "healthy": true, "version": "1.18.33" })),
            ("GET", ["global", "event"]) => Answer::events()
                .event(&json!({ "payload": { "id": "", "type": "server.connected", "properties": {} } }))
                .pause(Duration::MAX),
            ("POST", ["session"]) => {
                let id = format!("ses_{}", prompts.len() + 1);
                prompts.insert(id.clone(), None);
                Answer::json(200, &session(&id))
            }
            ("GET", ["session", "status"]) => {
                let busy = prompts.iter().filter(|(_, prompt)| prompt.is_some());
                let busy = busy.map(|(id, _)| (id.clone(), json!({ "type": "busy" })));
                Answer::json(200, &busy.collect::<serde_json::Map<_, _>>().into())
            }
            ("POST", ["session", id, "prompt_async"]) => {
                let message = request.json()["messageID"].as_str().map(str::to_owned);
                prompts.insert((*id).to_owned(), message);
                Answer::body(204, "application/json", "")
            }
            ("GET", ["session", id, "message"]) => {
                let prompt = prompts.get(*id).cloned().flatten();
                Answer::json(200, &prompt.map_or(json!([]), |prompt| messages(id, &prompt)))
            }
            ("GET", ["session", id]) if prompts.contains_key(*id) => Answer::json(200, &session(id)),
            _ => Answer::json(200, &json!([])),
        }
    }
}

/// A prompt, and an answer that has begun.
fn messages(session: &str, prompt: &str) -> serde_json::Value {
    let answer = format!("{prompt}z");
    json!([
        { "info": { "id": prompt, "role": "user", "sessionID": session, "time": { "created": 1 } }, "parts": [] },
        {
            "info": {
                "id": answer, "role": "assistant", "parentID": prompt, "sessionID": session, "time": { "created": 2 },
            },
            "parts": [],
        },
    ])
}
