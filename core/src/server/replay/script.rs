//! [`Script`] and [`Player`]: what was recorded, and how far it has been played.

use super::wire::ReplayRequest;
use crate::base::error::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Text comes in pieces as it did; nobody waits again for a model that thinks.
const LONGEST_PAUSE: Duration = Duration::from_millis(30);
/// The longest line of a recording.
const MAX_LINE: usize = 16 << 20;

/// What was recorded.
#[derive(Default)]
pub(super) struct Script {
    /// By method and path without ids, in their order.
    exchanges: HashMap<String, Vec<RecordedExchange>>,
    /// By path, in their order.
    events: HashMap<String, Vec<RecordedEvent>>,
}

struct RecordedExchange {
    /// How many changes the client had asked for when it sent this.
    epoch: u64,
    request: Option<Value>,
    status: u16,
    headers: Vec<(String, String)>,
    body: Body,
}

struct RecordedEvent {
    epoch: u64,
    /// Since the event before, within bounds.
    pause: Duration,
    data: String,
}

#[derive(Deserialize, Clone)]
#[serde(rename_all = "snake_case")]
enum Body {
    Json(Value),
    Text(String),
    LeftOut(u64),
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line {
    Start {},
    Request {
        /// The client that wrote it; clients may share a file.
        #[serde(default)]
        from: String,
        n: u64,
        method: String,
        target: String,
        body: Option<Body>,
    },
    Answer {
        #[serde(default)]
        from: String,
        n: u64,
        status: u16,
        headers: HashMap<String, String>,
        body: Body,
    },
    Event {
        #[serde(default)]
        at: u64,
        target: String,
        body: Body,
    },
}

impl Script {
    pub(super) fn read(path: &Path) -> Result<Script> {
        let shown = path.display();
        let file = std::fs::File::open(path).map_err(|error| {
            let kind = match error.kind() {
                std::io::ErrorKind::NotFound => ErrorKind::NotFound,
                _ => ErrorKind::InvalidArgument,
            };
            Error::new(kind, format!("replay: '{shown}' cannot be read: {error}"))
                .with_source(error)
        })?;
        let wrong = |number: usize, why: &dyn std::fmt::Display| {
            let text = format!("replay: line {number} of '{shown}' is not of a recording: {why}");
            Error::new(ErrorKind::Decode, text)
        };
        let mut reader = BufReader::new(file);
        let (mut lines, mut bytes) = (Vec::new(), Vec::new());
        let mut part = 0;
        let mut torn = None;
        for number in 1.. {
            bytes.clear();
            let mut limited = (&mut reader).take(MAX_LINE as u64 + 1);
            if limited.read_until(b'\n', &mut bytes).map_err(|e| wrong(number, &e))? == 0 {
                break;
            }
            if bytes.len() > MAX_LINE {
                return Err(wrong(number, &"it is too long"));
            }
            let line: Line = match serde_json::from_slice(&bytes) {
                Ok(line) => line,
                // The last one of a client that was killed while it wrote.
                Err(_) if part > 0 && torn.is_none() && !bytes.ends_with(b"\n") => break,
                // As above, and another client has written after it.
                Err(error) if part > 0 && torn.is_none() => {
                    torn = Some(wrong(number, &error));
                    continue;
                }
                Err(error) => return Err(torn.unwrap_or_else(|| wrong(number, &error))),
            };
            if matches!(line, Line::Start {}) {
                // Numbers begin anew with every client that wrote into the file.
                part += 1;
                torn = None;
            }
            if let Some(error) = torn {
                return Err(error);
            }
            lines.push((part, line));
        }
        match torn {
            Some(error) => Err(error),
            None if part == 0 => Err(wrong(1, &"it is empty")),
            None => Ok(Script::of(lines)),
        }
    }

    fn of(lines: Vec<(u32, Line)>) -> Script {
        // Recordings of older versions name no client: there, each part is one.
        let key = |from: &str, part: u32, n: u64| match from {
            "" => (part.to_string(), n),
            from => (from.to_owned(), n),
        };
        let answered: HashSet<_> = lines
            .iter()
            .filter_map(|(part, line)| match line {
                Line::Answer { from, n, .. } => Some(key(from, *part, *n)),
                _ => None,
            })
            .collect();
        let mut script = Script::default();
        let mut asked = HashMap::new();
        let mut epoch = 0;
        let mut before = 0;
        for (part, line) in lines {
            match line {
                Line::Start {} => {}
                Line::Request { from, n, method, target, body } => {
                    let key = key(&from, part, n);
                    // What got no answer is not asked again by a client whose network is sound.
                    if answered.contains(&key) {
                        epoch += u64::from(method != "GET");
                        let path = target.split('?').next().unwrap_or_default();
                        let request = match body {
                            Some(Body::Json(value)) => Some(value),
                            _ => None,
                        };
                        asked.insert(key, (template(&method, path), epoch, request));
                    }
                }
                Line::Answer { from, n, status, headers, body } => {
                    let found = asked.remove(&key(&from, part, n));
                    if let Some((template, epoch, request)) = found {
                        let headers = headers.into_iter().collect();
                        let exchange = RecordedExchange { epoch, request, status, headers, body };
                        script.exchanges.entry(template).or_default().push(exchange);
                    }
                }
                Line::Event { at, target, body } => {
                    let path = target.split('?').next().unwrap_or_default().to_owned();
                    let data = match body {
                        Body::Json(value) => value.to_string(),
                        Body::Text(text) => text,
                        Body::LeftOut(_) => continue,
                    };
                    // These are made by the replay itself.
                    if !data.contains("\"server.connected\"")
                        && !data.contains("\"server.heartbeat\"")
                    {
                        let pause =
                            Duration::from_millis(at.saturating_sub(before)).min(LONGEST_PAUSE);
                        script.events.entry(path).or_default().push(RecordedEvent {
                            epoch,
                            pause,
                            data,
                        });
                        before = at;
                    }
                }
            }
        }
        // Answers come in the order of the questions, not of their ends.
        for exchanges in script.exchanges.values_mut() {
            exchanges.sort_by_key(|exchange| exchange.epoch);
        }
        script
    }
}

/// What a replay answers.
pub(super) struct RecordedAnswer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// A script and how far it has been played.
pub(super) struct Player {
    script: Script,
    state: Mutex<PlayerState>,
    changed: Condvar,
}

#[derive(Default)]
struct PlayerState {
    /// Changes that the client has asked for.
    epoch: u64,
    /// By template: how many answers were given.
    given: HashMap<String, usize>,
    /// By path: how many events were sent.
    sent: HashMap<String, usize>,
    /// Ids of the recording, and those that the client uses now.
    ids: Vec<(String, String)>,
}

impl Player {
    pub(super) fn new(script: Script) -> Self {
        Player { script, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Whether a request opens an event stream. One that was recorded without any event is one too.
    pub(super) fn is_stream(&self, request: &ReplayRequest) -> bool {
        request.method == "GET"
            && (self.script.events.contains_key(&request.path) || request.path.ends_with("/event"))
    }

    pub(super) fn answer(&self, request: &ReplayRequest) -> RecordedAnswer {
        let template = template(&request.method, &request.path);
        let is_change = request.method != "GET";
        let mut state = self.state();
        if is_change {
            state.epoch += 1;
        }
        let exchanges = self.script.exchanges.get(&template).map_or(&[][..], Vec::as_slice);
        let given = state.given.get(&template).copied().unwrap_or(0);
        let chosen = if is_change {
            (given < exchanges.len()).then_some(given)
        } else {
            choose(exchanges, given, state.epoch)
        };
        let Some(at) = chosen else {
            return refusal(&format!("nothing is recorded for {template}, or no more of it"));
        };
        let exchange = &exchanges[at];
        if let (true, Some(before)) = (is_change, &exchange.request)
            && let Ok(now) = serde_json::from_slice::<Value>(&request.body)
        {
            let (mut old, mut new) = (Vec::new(), Vec::new());
            ids(before, &mut old);
            ids(&now, &mut new);
            state.ids.extend(old.into_iter().zip(new).filter(|(old, new)| old != new));
        }
        state.given.insert(template.clone(), at + 1);
        let body = match &exchange.body {
            Body::Json(value) => state.renamed(&value.to_string()).into_bytes(),
            Body::Text(text) => state.renamed(text).into_bytes(),
            Body::LeftOut(length) => {
                let text = format!("the answer of {length} bytes to {template} was not recorded");
                return refusal(&text);
            }
        };
        drop(state);
        self.changed.notify_all();
        RecordedAnswer { status: exchange.status, headers: exchange.headers.clone(), body }
    }

    /// The next event of a stream and the pause before it, once everything was asked for that came before it;
    /// waits at most for `time`.
    pub(super) fn next_event(&self, path: &str, time: Duration) -> Option<(Duration, String)> {
        let events = self.script.events.get(path).map_or(&[][..], Vec::as_slice);
        let mut state = self.state();
        for is_last in [false, true] {
            let sent = state.sent.get(path).copied().unwrap_or(0);
            if let Some(event) = events.get(sent).filter(|event| event.epoch <= state.epoch) {
                let data = state.renamed(&event.data);
                state.sent.insert(path.to_owned(), sent + 1);
                return Some((event.pause, data));
            }
            if !is_last {
                let waited = self.changed.wait_timeout(state, time);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        None
    }

    pub(super) fn wake(&self) {
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, PlayerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PlayerState {
    fn renamed(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (old, new) in &self.ids {
            text = text.replace(old, new);
        }
        text
    }
}

/// The answer to a question that is asked again and again: the next one of the time that has come, or else the
/// last one before.
fn choose(exchanges: &[RecordedExchange], given: usize, epoch: u64) -> Option<usize> {
    let end = exchanges.iter().take_while(|exchange| exchange.epoch <= epoch).count();
    let begin = exchanges.iter().take_while(|exchange| exchange.epoch < epoch).count();
    match end {
        // Asked before its time: the first answer is the best there is.
        0 => (!exchanges.is_empty()).then_some(0),
        end if begin < end => Some(given.max(begin).min(end - 1)),
        end => Some(given.min(end - 1)),
    }
}

fn refusal(why: &str) -> RecordedAnswer {
    let body = json!({ "name": "NotFoundError", "data": { "message": format!("replay: {why}") } });
    RecordedAnswer {
        status: 404,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: body.to_string().into_bytes(),
    }
}

/// An event that the server makes itself, in the envelope of its stream.
pub(super) fn plain_event(path: &str, kind: &str) -> String {
    let event = json!({ "id": "", "type": kind, "properties": {} });
    if path.starts_with("/global/") { json!({ "payload": event }) } else { event }.to_string()
}

/// Method and path, with `*` for everything that is an id.
fn template(method: &str, path: &str) -> String {
    let segments = path.split('/').map(|segment| if is_id(segment) { "*" } else { segment });
    format!("{method} {}", segments.collect::<Vec<_>>().join("/"))
}

fn is_id(text: &str) -> bool {
    ["ses_", "msg_", "prt_", "per_", "que_", "pty_", "wrk_"]
        .iter()
        .any(|begin| text.starts_with(begin))
}

/// The ids that a client chose, in their order.
fn ids(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if text.starts_with("msg_") || text.starts_with("prt_") => {
            found.push(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| ids(item, found)),
        Value::Object(fields) => fields.values().for_each(|value| ids(value, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(lines: &[Value]) -> Player {
        let lines = lines.iter().map(|line| (1, serde_json::from_value(line.clone()).unwrap()));
        Player::new(Script::of(lines.collect()))
    }

    fn request(n: u64, method: &str, target: &str, body: Value) -> Value {
        json!({ "type": "request", "n": n, "method": method, "target": target, "body": { "json": body } })
    }

    fn answer(n: u64, body: Value) -> Value {
        json!({ "type": "answer", "n": n, "status": 200, "headers": {}, "body": { "json": body } })
    }

    fn ask(stage: &Player, method: &str, path: &str, body: Value) -> String {
        let body = body.to_string().into_bytes();
        let request = ReplayRequest { method: method.to_owned(), path: path.to_owned(), body };
        String::from_utf8(stage.answer(&request).body).unwrap()
    }

    #[test]
    fn answers_follow_the_changes_and_the_last_one_stays() {
        let stage = script(&[
            request(0, "GET", "/status?a=b", Value::Null),
            answer(0, json!("idle")),
            request(1, "POST", "/session/ses_1/prompt", json!({ "messageID": "msg_old" })),
            request(2, "GET", "/status", Value::Null),
            answer(1, json!("sent msg_old")),
            json!({ "type": "event", "target": "/global/event?x", "body": { "json": { "m": "msg_old" } } }),
            answer(2, json!("busy")),
            request(3, "GET", "/status", Value::Null),
            answer(3, json!("done msg_old")),
            request(4, "POST", "/never", Value::Null),
        ]);
        assert_eq!(ask(&stage, "GET", "/status", Value::Null), "\"idle\"");
        assert_eq!(ask(&stage, "GET", "/status", Value::Null), "\"idle\"");
        assert_eq!(stage.next_event("/global/event", Duration::ZERO), None);
        let body = json!({ "messageID": "msg_new" });
        assert_eq!(ask(&stage, "POST", "/session/ses_2/prompt", body), "\"sent msg_new\"");
        let event = stage.next_event("/global/event", Duration::ZERO);
        assert_eq!(event.unwrap().1, r#"{"m":"msg_new"}"#);
        assert_eq!(ask(&stage, "GET", "/status", Value::Null), "\"busy\"");
        assert_eq!(ask(&stage, "GET", "/status", Value::Null), "\"done msg_new\"");
        assert_eq!(ask(&stage, "GET", "/status", Value::Null), "\"done msg_new\"");
        assert!(
            ask(&stage, "POST", "/session/ses_2/prompt", Value::Null).contains("no more of it")
        );
        assert!(ask(&stage, "POST", "/never", Value::Null).contains("nothing is recorded"));
    }
}
