//! A server that is simulated by the rules of the real one, as measured with 1.18.33.

use super::*;

/// What the server does for a prompt, one small step at a time.
#[derive(Debug, Clone)]
pub(super) enum ServerStep {
    Store,
    Busy,
    Begin(usize),
    Part(usize),
    Delta(usize, &'static str),
    EndPart(usize),
    /// A tool wants something, and nothing goes on before it is answered.
    Ask,
    Question(Value),
    /// Another part of a message, whole.
    Add(usize, Value),
    /// What the session does, as events and the list say it.
    Status(Value),
    /// An event about anything.
    Tell(&'static str, Value),
    Complete(usize, &'static str),
    Idle,
}

/// Steps and texts of a prompt that the model answers with tools in between.
pub(super) fn script() -> Vec<ServerStep> {
    let mut steps = vec![ServerStep::Store, ServerStep::Busy];
    for (i, texts) in [["I ", "look. "], ["", ""], ["Here ", "it is."]].into_iter().enumerate() {
        steps.push(ServerStep::Begin(i));
        steps.push(ServerStep::Part(i));
        steps.extend(texts.into_iter().filter(|t| !t.is_empty()).map(|t| ServerStep::Delta(i, t)));
        steps.push(ServerStep::EndPart(i));
        if i == 0 {
            steps.push(ServerStep::Ask);
        }
        steps.push(ServerStep::Complete(i, if i == 2 { "stop" } else { "tool-calls" }));
    }
    steps.push(ServerStep::Idle);
    steps
}

pub(super) struct SimulatedServer {
    pub(super) wire: Wire,
    pub(super) user: Option<(String, Vec<Value>)>,
    pub(super) prompts_run: u32,
    pub(super) work: VecDeque<ServerStep>,
    pub(super) messages: Vec<Value>,
    pub(super) is_busy: bool,
    pub(super) is_aborted: bool,
    /// What the list says beside "busy".
    status: Option<Value>,
    pub(super) permission: Option<Value>,
    pub(super) question: Option<Value>,
    pub(super) answers: u32,
    clock: u64,
    pub(super) events: VecDeque<Event>,
    /// The steps of a prompt, where they are others than those of [`script`].
    pub(super) plan: Option<Vec<ServerStep>>,
    pub(super) odd: odd::OddWire,
}

impl SimulatedServer {
    pub(super) fn new(wire: Wire) -> Self {
        SimulatedServer {
            wire,
            user: None,
            prompts_run: 0,
            work: VecDeque::new(),
            messages: Vec::new(),
            is_busy: false,
            is_aborted: false,
            status: None,
            permission: None,
            question: None,
            answers: 0,
            clock: 0,
            events: VecDeque::new(),
            plan: None,
            odd: odd::OddWire::default(),
        }
    }

    pub(super) fn text(i: usize) -> &'static str {
        ["I look. ", "", "Here it is."][i]
    }

    pub(super) fn tick(&mut self) -> f64 {
        self.clock += 1;
        self.clock as f64
    }

    pub(super) fn emit(&mut self, kind: &str, mut properties: Value) {
        self.clock += 1;
        if properties.get("sessionID").is_none() && properties.get("form").is_none() {
            properties["sessionID"] = SESSION.into();
        }
        let content = if self.wire == Wire::Two { "data" } else { "properties" };
        let data = json!({
            "id": format!("evt_{:012x}000", self.clock), "type": kind, content: properties,
        });
        let data = self.odd.pass(&format!("event {kind}"), data);
        // As the feed does it: what cannot be read is left out.
        self.events.extend(Event::read(data.as_bytes()).ok().flatten());
    }

    fn part(&self, i: usize) -> Value {
        let message = &self.messages[i + 1];
        message["parts"][0].clone()
    }

    pub(super) fn step(&mut self) {
        if self.wire == Wire::Two {
            return self.step_of_two();
        }
        if self.is_aborted && !matches!(self.work.front(), None | Some(ServerStep::Idle)) {
            self.work = VecDeque::from([ServerStep::Idle]);
            if let Some(open) = self.messages.iter().rposition(|m| m["info"]["role"] == "assistant")
            {
                let now = self.tick();
                let info = &mut self.messages[open]["info"];
                if info["time"]["completed"].is_null() {
                    info["time"]["completed"] = now.into();
                    info["error"] =
                        json!({ "name": "MessageAbortedError", "data": { "message": "Aborted" } });
                    let info = info.clone();
                    self.emit("message.updated", json!({ "info": info }));
                }
            }
            return;
        }
        if self.permission.is_some() || self.question.is_some() {
            return;
        }
        let Some(step) = self.work.pop_front() else { return };
        let user = self.user.clone();
        match step {
            ServerStep::Store => {
                let (id, parts) = user.unwrap();
                let now = self.tick();
                let info = json!({
                    "id": id, "role": "user", "sessionID": SESSION, "time": { "created": now },
                });
                self.messages.push(json!({ "info": info, "parts": parts }));
                self.emit("message.updated", json!({ "info": info }));
            }
            ServerStep::Busy => {
                self.is_busy = true;
                self.prompts_run += 1;
                self.emit("session.status", json!({ "status": { "type": "busy" } }));
            }
            ServerStep::Begin(i) => {
                let now = self.tick();
                let info = json!({
                    "id": format!("msg_a{i}"), "role": "assistant", "parentID": user.unwrap().0,
                    "sessionID": SESSION, "time": { "created": now }, "cost": 0.5,
                    "tokens": { "input": 1, "output": 2, "reasoning": 0, "cache": { "read": 0, "write": 0 } },
                });
                self.messages.push(json!({ "info": info, "parts": [] }));
                self.emit("message.updated", json!({ "info": info }));
            }
            ServerStep::Part(i) => {
                let part = json!({
                    "id": format!("prt_a{i}"), "messageID": format!("msg_a{i}"), "type": "text",
                    "text": "", "time": { "start": 1 },
                });
                self.messages[i + 1]["parts"] = json!([part]);
                self.emit("message.part.updated", json!({ "part": part }));
            }
            ServerStep::Delta(i, delta) => {
                let properties = json!({
                    "messageID": format!("msg_a{i}"), "partID": format!("prt_a{i}"),
                    "field": "text", "delta": delta,
                });
                self.emit("message.part.delta", properties);
            }
            ServerStep::EndPart(i) => {
                let part = &mut self.messages[i + 1]["parts"][0];
                part["text"] = SimulatedServer::text(i).into();
                part["time"]["end"] = 2.into();
                let part = self.part(i);
                self.emit("message.part.updated", json!({ "part": part }));
            }
            ServerStep::Ask => {
                let permission = json!({
                    "id": "per_1", "sessionID": SESSION, "permission": "bash", "patterns": ["ls"],
                    "tool": { "messageID": "msg_a0", "callID": "c" },
                });
                self.permission = Some(permission.clone());
                self.emit("permission.asked", permission);
            }
            ServerStep::Question(question) => {
                self.question = Some(question.clone());
                self.emit("question.asked", question);
            }
            ServerStep::Add(i, part) => {
                if let Some(parts) = self.messages[i + 1]["parts"].as_array_mut() {
                    parts.push(part.clone());
                }
                self.emit("message.part.updated", json!({ "part": part }));
            }
            ServerStep::Status(status) => {
                self.status = Some(status.clone());
                self.emit("session.status", json!({ "status": status }));
            }
            ServerStep::Tell(kind, properties) => self.emit(kind, properties),
            ServerStep::Complete(i, finish) => {
                let now = self.tick();
                let info = &mut self.messages[i + 1]["info"];
                info["finish"] = finish.into();
                info["time"]["completed"] = now.into();
                let info = info.clone();
                self.emit("message.updated", json!({ "info": info }));
            }
            ServerStep::Idle => {
                self.is_busy = false;
                self.is_aborted = false;
                self.emit("session.idle", json!({}));
            }
        }
    }

    /// What the server says of the session and of those that nobody asked for, as the engine reads it.
    pub(super) fn look(&mut self, started: Millis) -> Result<DirectorySnapshot> {
        if self.wire == Wire::Two {
            return self.look_of_two(started);
        }
        let mut status = json!({ "ses_other": { "type": "busy" } });
        if self.is_busy {
            let busy = || json!({ "type": "busy" });
            status[SESSION] = self.status.clone().unwrap_or_else(busy);
        }
        let mut ask = |OperationCall { operation, .. }| {
            let value = match operation {
                "session.status" => status.clone(),
                "permission.list" => json!(self.permission.as_slice()),
                _ => json!(self.question.as_slice()),
            };
            Ok(self.odd.answer(operation, made(operation, &value, None)))
        };
        let mut look = |parts| Wire::One.snapshot(None, parts, &mut ask, &mut Vec::new());
        let snapshot = look(SnapshotParts::Status)?.with(look(SnapshotParts::Lists)?);
        Ok(DirectorySnapshot { started, ..snapshot })
    }

    /// Does a request and gives what the client would get.
    pub(super) fn answer(&mut self, operation: &str, arguments: &Value) -> Result<Answer> {
        if self.wire == Wire::Two {
            return self.answer_of_two(operation, arguments);
        }
        let ok = |value: Value| Ok(made(operation, &value, None));
        match operation {
            "session.create" => ok(json!({ "id": SESSION, "directory": "/p" })),
            "session.list" => ok(json!([])),
            "global.health" => ok(json!({ "healthy": true })),
            "session.prompt_async" => {
                let id = arguments["messageID"].as_str().unwrap().to_owned();
                let parts = arguments["parts"].as_array().unwrap().clone();
                match &mut self.user {
                    Some((known, stored)) => {
                        assert_eq!(*known, id, "a second prompt was made");
                        for part in parts {
                            let same = |p: &&mut Value| p["id"] == part["id"];
                            match stored.iter_mut().find(same) {
                                Some(old) => *old = part,
                                None => stored.push(part),
                            }
                        }
                    }
                    None => {
                        self.user = Some((id, parts));
                        self.work.extend(self.plan.clone().unwrap_or_else(script));
                    }
                }
                Ok(Answer::new(operation, 204, HeaderMap::new(), Vec::new()))
            }
            "session.message" => {
                let id = arguments["messageID"].as_str();
                match self.messages.iter().find(|m| m["info"]["id"].as_str() == id) {
                    Some(message) => ok(message.clone()),
                    None => Err(absent("no message")),
                }
            }
            "session.messages" => {
                let limit = arguments["limit"].as_u64().unwrap() as usize;
                let end = match arguments["before"].as_str() {
                    Some(before) => before.parse().unwrap(),
                    None => self.messages.len(),
                };
                let start = end.saturating_sub(limit);
                let page = json!(self.messages[start..end]);
                Ok(made(operation, &page, (start > 0).then(|| start.to_string())))
            }
            "permission.reply" | "permission.respond" => match self.permission.take() {
                Some(_) => {
                    self.answers += 1;
                    self.emit(
                        "permission.replied",
                        json!({ "requestID": "per_1", "reply": "reject" }),
                    );
                    ok(json!(true))
                }
                None => Err(absent("no permission")),
            },
            "session.abort" => {
                self.is_aborted = self.is_busy;
                // The real one goes on listing it, and nobody may answer it.
                self.permission = None;
                ok(json!(true))
            }
            "question.reply" | "question.reject" => match self.question.take() {
                Some(question) => {
                    let kind = if operation == "question.reply" {
                        "question.replied"
                    } else {
                        "question.rejected"
                    };
                    self.emit(kind, json!({ "requestID": question["id"] }));
                    ok(json!(true))
                }
                None => Err(absent("no question")),
            },
            other => odd::answer(other, arguments).map_or_else(
                || panic!("unexpected operation {other}"),
                |value| Ok(made(operation, &value, None)),
            ),
        }
    }
}

pub(super) fn made(operation: &str, value: &Value, cursor: Option<String>) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    if let Some(cursor) = cursor {
        headers.insert("x-next-cursor", HeaderValue::from_str(&cursor).unwrap());
    }
    Answer::new(operation, 200, headers, value.to_string().into_bytes())
}

/// What the server itself says of what is not there.
pub(super) fn absent(what: &str) -> Error {
    let error = Error::new(ErrorKind::NotFound, what).with_status(404).with_sent(true);
    error.with_code(Some("NotFoundError".to_owned()))
}
