//! A server that writes something odd: every field of everything that it says in a run is changed to every type of
//! JSON, once or every time, and the run is played to its end.

use super::*;
use crate::base::depth::{MAX_DEPTH, json_depth};
use crate::base::json::list;
use crate::protocol::model_name::Model;
use crate::run::wire::Wire as Generation;
use crate::run::wire::{read_inquiry, read_message, read_status};
use std::collections::{BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a field becomes; the empty text means that it is left out.
const ODD: &[&str] = &[
    "",
    "null",
    "true",
    "0",
    "-1",
    "1e300",
    "1e400",
    "99999999999999999999",
    r#""""#,
    r#""x""#,
    "[]",
    "{}",
    r#"[[{"a":["b"]}]]"#,
    r#"{"type":7,"id":[],"sessionID":{},"text":null}"#,
    "DEEP",
];
const PLACE: &str = "@odd@";
/// Fields that say which thing is meant, what it is, or that it is over: a server that writes them wrongly into an
/// answer has said something else.
const MEANING: &[&str] = &[
    "id",
    "info",
    "parts",
    // Both of 2.x.
    "data",
    "content",
    "role",
    "parentID",
    "sessionID",
    "messageID",
    "type",
    "text",
    "time",
    "completed",
    "finish",
    "name",
    "models",
    "test",
    SESSION,
];

/// What goes over the wire, noted and changed.
#[derive(Default)]
pub(super) struct OddWire {
    seen: Vec<(String, usize, Value)>,
    counts: HashMap<String, usize>,
    change: Option<Distortion>,
}

#[derive(Clone)]
struct Distortion {
    what: String,
    /// Which of those that are alike; every one when absent.
    at: Option<usize>,
    pointer: String,
    odd: &'static str,
}

impl OddWire {
    /// Gives the text of a value that the server sends.
    pub(super) fn pass(&mut self, what: &str, mut value: Value) -> String {
        let count = self.counts.entry(what.to_owned()).or_default();
        let at = std::mem::replace(count, *count + 1);
        match &self.change {
            None => self.seen.push((what.to_owned(), at, value.clone())),
            Some(change) if change.what == what && change.at.is_none_or(|wanted| wanted == at) => {
                return change.apply(&mut value);
            }
            Some(_) => {}
        }
        value.to_string()
    }

    pub(super) fn answer(&mut self, operation: &str, answer: Answer) -> Answer {
        match serde_json::from_slice(answer.bytes()) {
            Ok(value) => answer.with_body(self.pass(operation, value).into_bytes()),
            Err(_) => answer,
        }
    }
}

impl Distortion {
    fn apply(&self, value: &mut Value) -> String {
        if self.odd.is_empty() {
            let (parent, name) = self.pointer.rsplit_once('/').unwrap_or_default();
            match value.pointer_mut(parent) {
                Some(Value::Object(fields)) => drop(fields.remove(name)),
                Some(Value::Array(items)) => {
                    if let Some(index) = name.parse().ok().filter(|index| *index < items.len()) {
                        items.remove(index);
                    }
                }
                _ => {}
            }
            return value.to_string();
        }
        if let Some(place) = value.pointer_mut(&self.pointer) {
            *place = PLACE.into();
        }
        let deep = format!("{}1{}", "[".repeat(1_500), "]".repeat(1_500));
        let odd = if self.odd == "DEEP" { &deep } else { self.odd };
        value.to_string().replace(&json!(PLACE).to_string(), odd)
    }

    fn identifies(&self) -> bool {
        let name = self.pointer.rsplit('/').next().unwrap_or_default();
        let is_thing = name.is_empty() || name.parse::<usize>().is_ok();
        // A part that is too deep is left out, with its text.
        let is_part = self.odd == "DEEP" && self.pointer.contains("/parts/");
        // A list of models says which there are.
        let is_listed = self.what == "v2.model.list" && name == "providerID";
        is_thing || is_part || is_listed || MEANING.contains(&name)
    }
}

/// What the server answers to the questions that only these runs ask.
pub(super) fn answer(operation: &str, arguments: &Value) -> Option<Value> {
    let tokens =
        || json!({ "input": 1, "output": 1, "reasoning": 0, "cache": { "read": 0, "write": 0 } });
    Some(match operation {
        "session.get" => json!({
            "id": arguments["sessionID"], "directory": "/p", "parentID": SESSION, "title": "t",
            "cost": 0.25, "tokens": tokens(), "time": { "created": 1, "updated": 2 },
        }),
        "file.list" => json!([]),
        "project.current" => json!({ "id": "global", "time": { "created": 0, "updated": 0 } }),
        "session.diff" => json!([{ "file": "a", "patch": "p", "additions": 1, "deletions": 0 }]),
        "app.agents" => json!([{ "name": "build", "mode": "primary" }, { "name": "plan" }]),
        "config.providers" => json!({
            "providers": [{ "id": "local", "models": { "test": { "id": "test" } } }],
            "default": { "local": "test" },
        }),
        _ => return None,
    })
}

/// The same of 2.x.
pub(super) fn answer_of_two(operation: &str, arguments: &Value) -> Option<Value> {
    Some(match operation {
        "v2.session.get" => json!({
            "id": arguments["sessionID"], "location": { "directory": "/p" }, "parentID": SESSION,
            "title": "t", "cost": 0.25, "time": { "created": 1, "updated": 2 },
            "tokens": { "input": 1, "output": 1, "reasoning": 0, "cache": { "read": 0, "write": 0 } },
        }),
        "v2.location.get" => json!({}),
        "v2.session.diff" => json!([{ "file": "a", "patch": "p", "additions": 1, "deletions": 0 }]),
        "v2.agent.list" => json!([{ "id": "build", "mode": "primary" }, { "id": "plan" }]),
        "v2.model.list" => json!([{ "id": "test", "providerID": "local" }]),
        _ => return None,
    })
}

/// A part of the answer with this number, as the server stores it.
fn part(i: usize, id: &str, kind: &str, more: Value) -> ServerStep {
    let mut part = json!({
        "id": id, "messageID": format!("msg_a{i}"), "sessionID": SESSION, "type": kind,
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        part[name] = value.clone();
    }
    ServerStep::Add(i, part)
}

fn tool(id: &str, tool: &str, input: Value, metadata: Value) -> ServerStep {
    let state = json!({
        "status": "completed", "input": input, "output": "o", "title": "t",
        "metadata": metadata, "time": { "start": 1, "end": 2 },
    });
    part(1, id, "tool", json!({ "tool": tool, "callID": "c", "state": state }))
}

/// A run with all that runs meet: reasoning, tools, a subagent, a permission, a question, retries and todos.
fn plan() -> Vec<ServerStep> {
    let todos = json!([{ "content": "a", "status": "pending", "priority": "high" }]);
    let child = json!({ "id": "ses_2", "parentID": SESSION, "time": { "created": 1 } });
    let options = json!([{ "label": "A", "description": "d" }]);
    let question = json!({
        "id": "que_1", "sessionID": SESSION, "tool": { "messageID": "msg_a1", "callID": "c" },
        "questions": [{ "question": "Which?", "header": "h", "options": options }],
    });
    let thought = json!({ "text": "hm", "time": { "start": 1, "end": 2 } });
    let retry = json!({ "type": "retry", "attempt": 1, "message": "slow down", "next": 5 });
    let mut steps = Vec::new();
    for step in script() {
        let after = match &step {
            ServerStep::Busy => vec![
                ServerStep::Status(retry.clone()),
                ServerStep::Status(json!({ "type": "busy" })),
                ServerStep::Tell(
                    "session.updated",
                    json!({ "info": { "id": SESSION, "title": "t" } }),
                ),
            ],
            ServerStep::Part(0) => vec![part(0, "prt_s", "step-start", json!({ "snapshot": "a" }))],
            ServerStep::Part(1) => vec![
                part(1, "prt_r", "reasoning", thought.clone()),
                tool("prt_t", "todowrite", json!({ "todos": todos }), json!({})),
                ServerStep::Tell("todo.updated", json!({ "todos": todos })),
                ServerStep::Tell("session.created", json!({ "sessionID": "ses_2", "info": child })),
                tool("prt_k", "task", json!({}), json!({ "sessionId": "ses_2" })),
                ServerStep::Tell("session.idle", json!({ "sessionID": "ses_2" })),
                ServerStep::Question(question.clone()),
                part(1, "prt_p", "patch", json!({ "hash": "h", "files": ["a"] })),
            ],
            ServerStep::Complete(2, _) => {
                vec![ServerStep::Tell("session.diff", json!({ "diff": [] }))]
            }
            _ => Vec::new(),
        };
        steps.push(step);
        steps.extend(after);
    }
    steps
}

/// The same as 2.x writes it.
fn plan_of_two() -> Vec<ServerStep> {
    let created = json!({ "sessionID": "ses_2", "parentID": SESSION });
    let field = json!({
        "key": "q0", "type": "string", "title": "h", "description": "Which?",
        "options": [{ "value": "A", "label": "A" }], "custom": true,
    });
    let form = json!({
        "id": "frm_1", "sessionID": SESSION, "title": "t", "fields": [field],
        "metadata": { "kind": "question", "tool": { "messageID": "msg_a1", "id": "c" } },
    });
    let error = json!({ "type": "provider.rate-limit", "message": "slow down" });
    let retry = json!({ "attempt": 2, "at": 5, "error": error });
    let of = |mut data: Value| {
        data["assistantMessageID"] = "msg_a1".into();
        data
    };
    let tool = |id: &str, name: &str, metadata: Value| {
        let state = json!({
            "status": "completed", "input": {}, "content": [{ "type": "text", "text": "o" }],
            "metadata": metadata,
        });
        json!({ "type": "tool", "id": id, "name": name, "state": state, "time": { "created": 1 } })
    };
    let child = json!({ "sessionID": "ses_2" });
    let mut steps = Vec::new();
    for step in two::order(script()) {
        let after = match &step {
            ServerStep::Part(0) => vec![ServerStep::Status(retry.clone())],
            ServerStep::Part(1) => vec![
                ServerStep::Tell("session.reasoning.started", of(json!({ "ordinal": 0 }))),
                ServerStep::Tell(
                    "session.reasoning.ended",
                    of(json!({ "ordinal": 0, "text": "hm" })),
                ),
                ServerStep::Add(1, json!({ "type": "reasoning", "text": "hm" })),
                ServerStep::Tell(
                    "session.tool.input.started",
                    of(json!({ "id": "k", "name": "subagent" })),
                ),
                ServerStep::Tell("session.tool.called", of(json!({ "id": "k", "input": {} }))),
                ServerStep::Tell("session.created", created.clone()),
                ServerStep::Tell(
                    "session.tool.success",
                    of(json!({ "id": "k", "metadata": child })),
                ),
                ServerStep::Add(1, tool("k", "subagent", child.clone())),
                ServerStep::Add(1, tool("t", "read", json!({}))),
                ServerStep::Tell("session.execution.succeeded", json!({ "sessionID": "ses_2" })),
                ServerStep::Question(form.clone()),
            ],
            _ => Vec::new(),
        };
        steps.push(step);
        steps.extend(after);
    }
    steps
}

fn world(wire: Generation, events: bool, change: Option<Distortion>) -> World {
    let mut setup = setup(events);
    setup.prompt.agent = Some("build".to_owned());
    setup.prompt.model = Model::from_value(&json!("local/test")).ok();
    let mut world = World::with(wire, setup);
    world.server.plan = Some(if wire == Generation::Two { plan_of_two() } else { plan() });
    world.server.odd.change = change;
    if events {
        world.cut_or_connect();
    }
    world
}

/// Why a run with this change is wrong.
fn fault(wire: Generation, events: bool, change: &Distortion) -> Option<String> {
    // What events say is looked up before it is believed.
    let must_answer = change.what.starts_with("event ") || !change.identifies();
    let played = catch_unwind(AssertUnwindSafe(|| {
        let mut world = world(wire, events, Some(change.clone()));
        world.goes_on(if must_answer { 2_000 } else { 200 });
        world
    }));
    let world = match played {
        Ok(world) => world,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            return Some(text.unwrap_or_else(|| "a panic".to_owned()));
        }
    };
    if world.server.prompts_run > 1 {
        return Some("the prompt ran twice".to_owned());
    }
    if !must_answer {
        return None;
    }
    let Some(outcome) = &world.outcome else {
        return Some(format!("no end: {}", world.machine.why()));
    };
    let text = &outcome.reply.text;
    match &outcome.error {
        Some(error) => Some(format!("failed: {error}")),
        None if world.server.is_busy => Some("done while the server works".to_owned()),
        None if text != "Here it is." => Some(format!("text {text:?}, shown {:?}", world.shown)),
        None => None,
    }
}

fn pointers(value: &Value, at: String, all: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                pointers(value, format!("{at}/{name}"), all);
            }
        }
        Value::Array(items) => {
            for (i, value) in items.iter().enumerate() {
                pointers(value, format!("{at}/{i}"), all);
            }
        }
        _ => {}
    }
    all.push(at);
}

#[test]
fn whatever_a_field_is_the_run_ends_with_its_answer() {
    let (mut faults, mut cases, mut seen) = (Vec::new(), 0, 0);
    let ways = [Generation::One, Generation::Two].map(|wire| [(wire, true), (wire, false)]);
    for (wire, events) in ways.into_iter().flatten() {
        let mut quiet = world(wire, events, None);
        quiet.settle();
        let outcome = quiet.outcome.unwrap();
        assert!(outcome.error.is_none() && outcome.reply.text == "Here it is.");
        let mut known = BTreeSet::new();
        for (what, at, value) in quiet.server.odd.seen {
            let mut found = Vec::new();
            pointers(&value, String::new(), &mut found);
            for pointer in found {
                seen += 1;
                let is_new = known.insert((what.clone(), pointer.clone()));
                for (n, odd) in ODD.iter().enumerate() {
                    // Every value somewhere is enough: a run takes some milliseconds.
                    let turn = seen + n;
                    let once = (turn % 60 == 0).then_some(Some(at));
                    let always = (is_new && turn % 8 == 0).then_some(None);
                    for at in [once, always].into_iter().flatten() {
                        let change =
                            Distortion { what: what.clone(), at, pointer: pointer.clone(), odd };
                        cases += 1;
                        if let Some(why) = fault(wire, events, &change) {
                            let at = at.map_or("always".to_owned(), |at| at.to_string());
                            faults.push(format!(
                                "{wire:?} {events} {what} {at} {pointer} := {odd}: {why}"
                            ));
                        }
                    }
                }
            }
        }
    }
    assert!(cases > 1_000, "{cases}");
    assert!(faults.is_empty(), "{} of {cases}:\n{}", faults.len(), faults.join("\n"));
}

/// The readers alone, with every value in every place: what is odd harms nothing beside it.
#[test]
fn whatever_a_field_is_the_rest_is_read() {
    let mut quiet = world(Generation::One, true, None);
    quiet.settle();
    let mut cases = 0;
    for (what, _, value) in quiet.server.odd.seen {
        let mut found = Vec::new();
        pointers(&value, String::new(), &mut found);
        for pointer in found {
            for odd in ODD {
                let change =
                    Distortion { what: what.clone(), at: None, pointer: pointer.clone(), odd };
                let text = change.apply(&mut value.clone());
                cases += 1;
                let case = format!("{what} {pointer} := {odd}");
                if what.starts_with("event ") {
                    let is_event = Event::read(text.as_bytes()).is_ok();
                    let may_fail = matches!(pointer.as_str(), "" | "/type") || *odd == "DEEP";
                    assert!(is_event || may_fail, "{case}");
                }
                let Ok(raw) = serde_json::value::RawValue::from_string(text) else {
                    panic!("{case} is no JSON");
                };
                let items = list(&raw).unwrap_or_else(|| vec![&raw]);
                let (mut left_out, mut messages) = (Vec::new(), 0);
                for item in &items {
                    let (message, request) =
                        (read_message(item, &mut left_out), read_inquiry(item, false));
                    messages += usize::from(message.is_some());
                    for handed in [message.map(|m| m.raw), request.ok().map(|r| r.raw)] {
                        let depth = handed.map(|raw| json_depth(raw.get().as_bytes()));
                        assert!(depth.is_none_or(|depth| depth <= MAX_DEPTH), "{case}");
                    }
                    read_status(item);
                }
                if what == "session.messages" && pointer.matches('/').count() > 2 {
                    let all = value.as_array().map(Vec::len).unwrap_or_default();
                    assert!(messages + usize::from(change.identifies()) >= all, "{case}");
                }
            }
        }
    }
    assert!(cases > 5_000, "{cases}");
}
