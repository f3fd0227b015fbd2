//! [`Tape`]: what was recorded, in the order in which it happened.

use super::groups::Groups;
use super::paths::{path_of, template};
use crate::base::error::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::time::Duration;

/// Text comes in pieces as it did; nobody waits again for a model that thinks.
const LONGEST_PAUSE: Duration = Duration::from_millis(30);
/// The longest line of a recording.
const MAX_LINE: usize = 16 << 20;

/// What was recorded.
#[derive(Default)]
pub(super) struct Tape {
    /// Everything but a GET, in the order of the requests.
    pub(super) changes: Vec<TapeExchange>,
    /// The GETs, by [`template`], in the order of the requests.
    pub(super) reads: HashMap<String, Vec<TapeExchange>>,
    /// By path: what each stream told, once, however many clients heard it.
    pub(super) streams: HashMap<String, Broadcast>,
    pub(super) groups: Groups,
}

/// A request and its answer.
pub(super) struct TapeExchange {
    /// When the request was sent: the number of its line.
    pub(super) line: usize,
    pub(super) template: String,
    pub(super) target: String,
    /// The sessions that it is about: the one it names, or belongs to, and the one that it made.
    pub(super) groups: Vec<String>,
    pub(super) request: Option<Value>,
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Body,
}

/// The line, method, target and body of a request.
type Asked = (usize, String, String, Option<Value>);

/// What all who listen at a path hear.
#[derive(Default)]
pub(super) struct Broadcast {
    pub(super) events: Vec<TapeEvent>,
    /// For each event that was told more than once, how often each client heard it.
    heard: HashMap<String, HashMap<String, usize>>,
    /// The clients that listened.
    clients: HashSet<String>,
}

pub(super) struct TapeEvent {
    pub(super) line: usize,
    /// Since the event before, within bounds.
    pub(super) pause: Duration,
    pub(super) data: String,
    /// The session that it is about.
    pub(super) group: Option<String>,
    /// How many clients listened.
    pub(super) listeners: usize,
}

#[derive(Deserialize, Clone)]
#[serde(rename_all = "snake_case")]
pub(super) enum Body {
    Json(Value),
    Text(String),
    LeftOut(u64),
}

/// A line of the file. Clients that write into one file have names; in recordings of older versions they have none.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Line {
    Start {},
    Request {
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
    /// The answer to a request is a stream of events.
    Stream {
        #[serde(default)]
        from: String,
        n: u64,
    },
    Event {
        #[serde(default)]
        from: String,
        #[serde(default)]
        at: u64,
        target: String,
        body: Body,
    },
}

impl Tape {
    pub(super) fn read(path: &Path) -> Result<Tape> {
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
            None => Ok(Tape::of(lines)),
        }
    }

    pub(super) fn of(lines: Vec<(u32, Line)>) -> Tape {
        // Recordings of older versions name no client: there, each part is one.
        let name = |from: &str, part: u32| match from {
            "" => part.to_string(),
            from => from.to_owned(),
        };
        let mut tape = Tape::default();
        let mut asked: HashMap<_, Asked> = HashMap::new();
        let mut exchanges = Vec::new();
        let mut before = 0;
        for (line, (part, content)) in lines.into_iter().enumerate() {
            match content {
                Line::Start {} => {}
                Line::Request { from, n, method, target, body } => {
                    let request = match body {
                        Some(Body::Json(value)) => Some(value),
                        _ => None,
                    };
                    asked.insert((name(&from, part), n), (line, method, target, request));
                }
                Line::Answer { from, n, status, headers, body } => {
                    let found = asked.remove(&(name(&from, part), n));
                    let Some((line, method, target, request)) = found else { continue };
                    if let Body::Json(value) = &body {
                        tape.groups.learn(value);
                    }
                    let template = template(&method, path_of(&target));
                    let headers = headers.into_iter().collect();
                    let groups = Vec::new();
                    exchanges.push(TapeExchange {
                        line,
                        template,
                        target,
                        groups,
                        request,
                        status,
                        headers,
                        body,
                    });
                }
                Line::Stream { from, n } => {
                    let from = name(&from, part);
                    if let Some((_, _, target, _)) = asked.remove(&(from.clone(), n)) {
                        let stream = tape.streams.entry(path_of(&target).to_owned()).or_default();
                        stream.clients.insert(from);
                    }
                }
                Line::Event { from, at, target, body } => {
                    let data = match body {
                        Body::Json(value) => {
                            tape.groups.learn(&value);
                            value.to_string()
                        }
                        Body::Text(text) => text,
                        Body::LeftOut(_) => continue,
                    };
                    let stream = tape.streams.entry(path_of(&target).to_owned()).or_default();
                    let pause = Duration::from_millis(at.saturating_sub(before)).min(LONGEST_PAUSE);
                    if stream.add(name(&from, part), line, pause, data) {
                        before = at;
                    }
                }
            }
        }
        let unanswered: Vec<TapeExchange> =
            asked.into_values().filter_map(|asked| tape.unanswered(asked, &exchanges)).collect();
        exchanges.extend(unanswered);
        tape.sort(exchanges);
        tape
    }

    /// A change that a client did not wait for to the end, as for the answer to a permission when its run is over: what was
    /// told after it waits for it all the same. One that was repeated was lost, and is asked once by a client whose network
    /// is sound.
    fn unanswered(&self, asked: Asked, answered: &[TapeExchange]) -> Option<TapeExchange> {
        let (line, method, target, request) = asked;
        let path = path_of(&target);
        let template = template(&method, path);
        let is_same = |other: &TapeExchange| {
            other.template == template && other.target == target && other.request == request
        };
        let is_change = method != "GET" && self.groups.of_path(path).is_some();
        if !is_change || answered.iter().any(is_same) {
            return None;
        }
        let (groups, headers, body) = (Vec::new(), Vec::new(), Body::Text(String::new()));
        Some(TapeExchange { line, template, target, groups, request, status: 204, headers, body })
    }

    /// Puts everything where it is looked for, once all is known of the sessions.
    fn sort(&mut self, mut exchanges: Vec<TapeExchange>) {
        // Answers come in the order of the questions, not of their ends.
        exchanges.sort_by_key(|exchange| exchange.line);
        for mut exchange in exchanges {
            let path = path_of(&exchange.target);
            exchange.groups.extend(self.groups.of_path(path));
            if exchange.template.starts_with("GET ") {
                self.reads.entry(exchange.template.clone()).or_default().push(exchange);
            } else {
                if let Body::Json(answer) = &exchange.body {
                    exchange.groups.extend(self.groups.made_by(answer));
                }
                self.changes.push(exchange);
            }
        }
        for event in self.streams.values_mut().flat_map(|stream| &mut stream.events) {
            event.group = self.groups.of_event(event.data.as_bytes());
        }
    }
}

impl Broadcast {
    /// Adds what a client heard, unless another one has heard it before.
    fn add(&mut self, from: String, line: usize, pause: Duration, data: String) -> bool {
        self.clients.insert(from.clone());
        // These are made by the replay itself.
        if data.contains("\"server.connected\"") || data.contains("\"server.heartbeat\"") {
            return false;
        }
        let heard = self.heard.entry(data.clone()).or_default();
        let most = heard.values().copied().max().unwrap_or(0);
        let mine = heard.entry(from).or_default();
        *mine += 1;
        if *mine <= most {
            return false;
        }
        let listeners = self.clients.len();
        self.events.push(TapeEvent { line, pause, data, group: None, listeners });
        true
    }
}
