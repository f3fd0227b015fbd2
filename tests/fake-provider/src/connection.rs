//! One connection of a client: requests in, answers out.

use std::io::{self, BufReader};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};

use crate::chat::{Chat, SUMMARY, TITLE};
use crate::http::{self, Request};
use crate::model::State;
use crate::play::{Outcome, play};
use crate::script::{Script, ScriptError, Step, Usage};

/// Between the words of the default answer, in milliseconds.
const DEFAULT_DELAY: u64 = 30;
/// Characters of the prompt that the default answer repeats.
const QUOTE: usize = 60;

/// Serves a connection until one side closes it.
pub(crate) fn serve(stream: &TcpStream, state: &State) {
    let _ = stream.set_nodelay(true);
    let mut reader = BufReader::new(stream);
    loop {
        let request = match http::read_request(&mut reader) {
            Ok(Some(request)) => request,
            Ok(None) => return,
            Err(error) => {
                if error.kind() == io::ErrorKind::InvalidData {
                    let _ = refuse(stream, 400, &error.to_string());
                }
                return;
            }
        };
        let last = request.wants_close();
        let alive = match (request.method.as_str(), request.path()) {
            ("POST", "/v1/chat/completions") => complete(request, stream, state),
            ("GET", "/v1/models") => answer(stream, 200, &models()).is_ok(),
            ("GET", "/log") => {
                let entries = state.log().entries();
                answer(stream, 200, &Value::Array(entries)).is_ok()
            }
            ("DELETE", "/log") => {
                state.log().clear();
                http::write_answer(&mut &*stream, 204, &[], b"").is_ok()
            }
            _ => refuse(stream, 404, &format!("no {} here", request.line())).is_ok(),
        };
        if last || !alive || state.stopping.load(Ordering::Relaxed) {
            return;
        }
    }
}

/// Answers a chat completion; false when the connection is over.
fn complete(request: Request, stream: &TcpStream, state: &State) -> bool {
    let Some(chat) = Chat::read(&request) else {
        return refuse(stream, 400, "the body is no chat completion request").is_ok();
    };
    // The request can be large, and the answer can take long.
    drop(request);
    let fixed;
    let script = match chat.summary.as_deref() {
        Some(source) => (!source.is_empty()).then(|| Script::parse(source)),
        None => chat.prompt.as_deref().and_then(Script::find).map(Script::parse),
    };
    let (kind, step) = match &script {
        Some(Ok(script)) if chat.summary.is_some() => ("summary", script.step(0)),
        None if chat.summary.is_some() => {
            fixed = Step { delay: Duration::ZERO, ..Step::say(SUMMARY) };
            ("summary", &fixed)
        }
        Some(Err(_)) if chat.summary.is_some() => {
            return refuse(stream, 400, "bad script of a summary").is_ok();
        }
        _ if chat.is_side_call() => {
            fixed = Step { delay: Duration::ZERO, ..Step::say(TITLE) };
            ("title", &fixed)
        }
        None => {
            fixed = default_step(&chat);
            ("default", &fixed)
        }
        Some(Ok(script)) => ("script", state.step(script, &chat)),
        Some(Err(ScriptError::Json(error))) => {
            fixed = Step::say(format!("BAD SCRIPT: {error}"));
            ("bad", &fixed)
        }
        Some(Err(ScriptError::Field(error))) => {
            let number = state.log().add(&chat, "bad");
            state.log().finish(number, Outcome::Done.name());
            return refuse(stream, 400, &format!("bad script: {error}")).is_ok();
        }
    };
    let number = state.log().add(&chat, kind);
    // Whoever has read the answer must find its end in the log.
    let done = || state.log().finish(number, Outcome::Done.name());
    let outcome = play(step, stream, &chat.model, chat.stream, &state.stopping, &done);
    state.log().finish(number, outcome.name());
    outcome == Outcome::Done
}

/// The answer to a prompt without a script: something to look at.
fn default_step(chat: &Chat) -> Step {
    let prompt = chat.user.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut quote: String = prompt.chars().take(QUOTE).collect();
    if quote.len() < prompt.len() {
        quote.push('…');
    }
    let text = format!(
        "You said: \"{quote}\". I am the scripted model, so this answer is always the same."
    );
    // Four characters per token is the usual estimate.
    let usage = Usage {
        input: chat.size as u64 / 4 + 1,
        output: text.len() as u64 / 4,
        reasoning: 0,
        cached: 0,
    };
    Step { delay: Duration::from_millis(DEFAULT_DELAY), usage, ..Step::say(text) }
}

fn models() -> Value {
    let models: Vec<Value> = ["test", "tiny", "other"]
        .iter()
        .map(|id| json!({"id": id, "object": "model", "created": 1, "owned_by": "local"}))
        .collect();
    json!({"object": "list", "data": models})
}

fn answer(stream: &TcpStream, status: u16, body: &Value) -> io::Result<()> {
    let headers = [("content-type", "application/json")];
    http::write_answer(&mut &*stream, status, &headers, body.to_string().as_bytes())
}

fn refuse(stream: &TcpStream, status: u16, message: &str) -> io::Result<()> {
    let error = json!({"message": message, "type": "invalid_request_error", "code": "scripted"});
    answer(stream, status, &json!({"error": error}))
}
