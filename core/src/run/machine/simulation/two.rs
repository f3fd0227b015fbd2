//! The simulated server as one of 2.x, by the rules of the real one, as measured with 2.0.15.
//!
//! A prompt waits until it is delivered; only then it is a message. An answer names no prompt. A session that comes to rest
//! writes a mark. The same id is no second prompt, and wakes a session that rests: it works on nothing for a moment.

use super::server::{ServerStep, SimulatedServer, absent, made, script};
use super::*;

/// The steps of a prompt: the session works before the prompt is delivered.
pub(super) fn order(mut steps: Vec<ServerStep>) -> Vec<ServerStep> {
    steps.swap(0, 1);
    steps
}

impl SimulatedServer {
    fn answer_id(i: usize) -> String {
        format!("msg_a{i}")
    }

    /// The answer with this number.
    fn answer_at(&mut self, i: usize) -> &mut Value {
        let id = SimulatedServer::answer_id(i);
        self.messages.iter_mut().find(|message| message["id"] == id.as_str()).unwrap()
    }

    fn is_delivered(&self) -> bool {
        let id = self.user.as_ref().map(|(id, _)| id.as_str());
        self.messages.iter().any(|message| message["id"].as_str() == id)
    }

    fn tell_answer(&mut self, i: usize, kind: &str, mut more: Value) {
        more["assistantMessageID"] = SimulatedServer::answer_id(i).into();
        self.emit(&format!("session.{kind}"), more);
    }

    fn rest(&mut self, outcome: &str) {
        self.is_busy = false;
        let now = self.tick();
        let id = format!("msg_idle{now}");
        let time = json!({ "created": now });
        let mark = json!({ "id": id, "type": "idle", "outcome": outcome, "time": time });
        self.messages.push(mark);
        self.emit(&format!("session.execution.{outcome}"), json!({}));
    }

    fn interrupt(&mut self) {
        self.is_aborted = false;
        self.work.clear();
        let now = self.tick();
        let error = json!({ "type": "aborted", "message": "Aborted" });
        let open = self.messages.iter_mut().rfind(|message| message["type"] == "assistant");
        if let Some(open) = open.filter(|open| open["time"]["completed"].is_null()) {
            open["time"]["completed"] = now.into();
            open["error"] = error.clone();
            open["finish"] = "error".into();
            let id = open["id"].clone();
            self.emit("session.step.failed", json!({ "assistantMessageID": id, "error": error }));
        }
        self.rest("interrupted");
    }

    pub(super) fn step_of_two(&mut self) {
        if self.is_aborted {
            return self.interrupt();
        }
        if self.permission.is_some() || self.question.is_some() {
            return;
        }
        let Some(step) = self.work.pop_front() else { return };
        match step {
            ServerStep::Busy => {
                self.is_busy = true;
                self.emit("session.execution.started", json!({}));
            }
            ServerStep::Store => {
                let Some((id, parts)) = self.user.clone() else { return };
                self.prompts_run += 1;
                let time = json!({ "created": self.tick() });
                let text = parts[0].clone();
                self.messages.push(json!({ "id": id, "type": "user", "time": time, "text": text }));
                self.emit("session.inbox.delivered", json!({ "inboxID": id }));
            }
            ServerStep::Begin(i) => {
                let now = self.tick();
                let model = json!({ "id": "test", "providerID": "local" });
                self.messages.push(json!({
                    "id": SimulatedServer::answer_id(i), "type": "assistant", "agent": "build", "model": model,
                    "time": { "created": now }, "content": [],
                }));
                let started = json!({ "agent": "build", "model": model, "started": now });
                self.tell_answer(i, "step.started", started);
            }
            ServerStep::Part(i) => {
                let part = json!({ "type": "text", "text": "" });
                self.answer_at(i)["content"] = json!([part]);
                self.tell_answer(i, "text.started", json!({ "ordinal": 0 }));
            }
            ServerStep::Delta(i, delta) => {
                self.tell_answer(i, "text.delta", json!({ "ordinal": 0, "delta": delta }));
            }
            ServerStep::EndPart(i) => {
                let text = SimulatedServer::text(i);
                self.answer_at(i)["content"][0]["text"] = text.into();
                self.tell_answer(i, "text.ended", json!({ "ordinal": 0, "text": text }));
            }
            ServerStep::Ask => {
                let permission = json!({
                    "id": "per_1", "sessionID": SESSION, "action": "shell", "resources": ["ls"],
                    "save": [], "source": { "type": "tool", "messageID": "msg_a0", "id": "c" },
                });
                self.permission = Some(permission.clone());
                self.emit("permission.asked", permission);
            }
            ServerStep::Question(form) => {
                self.question = Some(form.clone());
                self.emit("form.created", json!({ "form": form }));
            }
            ServerStep::Add(i, content) => {
                if let Some(list) = self.answer_at(i)["content"].as_array_mut() {
                    list.push(content);
                }
            }
            ServerStep::Status(retry) => self.tell_answer(0, "retry.scheduled", retry),
            ServerStep::Tell(kind, data) => self.emit(kind, data),
            ServerStep::Complete(i, finish) => {
                let now = self.tick();
                let tokens = json!({
                    "input": 1, "output": 2, "reasoning": 0, "cache": { "read": 0, "write": 0 },
                });
                let answer = self.answer_at(i);
                answer["time"]["completed"] = now.into();
                (answer["finish"], answer["cost"]) = (finish.into(), 0.5.into());
                answer["tokens"] = tokens.clone();
                let ended = json!({ "finish": finish, "cost": 0.5, "tokens": tokens, "files": [] });
                self.tell_answer(i, "step.ended", ended);
            }
            ServerStep::Idle => self.rest("succeeded"),
        }
    }

    pub(super) fn look_of_two(&mut self, started: Millis) -> Result<DirectorySnapshot> {
        let mut active = json!({ "ses_other": { "type": "running" } });
        if self.is_busy {
            active[SESSION] = json!({ "type": "running" });
        }
        let mut ask = |OperationCall { operation, .. }| {
            let value = match operation {
                "v2.session.active" => active.clone(),
                "v2.permission.request.list" => json!(self.permission.as_slice()),
                _ => json!(self.question.as_slice()),
            };
            Ok(self.odd.answer(operation, made(operation, &json!({ "data": value }), None)))
        };
        let mut look = |parts| Wire::Two.snapshot(None, parts, &mut ask, &mut Vec::new());
        let snapshot = look(SnapshotParts::Status)?.with(look(SnapshotParts::Lists)?);
        Ok(DirectorySnapshot { started, ..snapshot })
    }

    fn admit(&mut self, id: String, text: Value) {
        match &self.user {
            Some((known, _)) => {
                assert_eq!(*known, id, "a second prompt was made");
                // It wakes a session that rests, and there is nothing to do.
                if self.is_delivered() && !self.is_busy && self.work.is_empty() {
                    self.emit("session.execution.started", json!({}));
                    self.rest("succeeded");
                }
            }
            None => {
                self.user = Some((id.clone(), vec![text]));
                let item = json!({ "type": "user", "delivery": "queue" });
                self.emit("session.inbox.enqueued", json!({ "inboxID": id, "item": item }));
                self.work.extend(self.plan.clone().unwrap_or_else(|| order(script())));
            }
        }
    }

    /// Whether something waited, and does not any more.
    fn withdraw(&mut self) -> bool {
        if self.user.is_none() || self.is_delivered() {
            return false;
        }
        self.user = None;
        self.work.clear();
        if self.is_busy {
            self.work.push_back(ServerStep::Idle);
        }
        true
    }

    pub(super) fn answer_of_two(&mut self, operation: &str, arguments: &Value) -> Result<Answer> {
        let ok = |value: Value| Ok(made(operation, &json!({ "data": value }), None));
        let done = || Ok(Answer::new(operation, 204, HeaderMap::new(), Vec::new()));
        match operation {
            "v2.session.create" => {
                ok(json!({ "id": SESSION, "location": { "directory": "/p" }, "cost": 0 }))
            }
            "v2.session.list" => ok(json!([])),
            "v2.server.info" => {
                Ok(made(operation, &json!({ "version": "2.0.15", "pid": 7 }), None))
            }
            "v2.session.prompt" => {
                let id = arguments["id"].as_str().unwrap().to_owned();
                self.admit(id.clone(), arguments["text"].clone());
                ok(json!({ "id": id, "sessionID": SESSION, "type": "user", "delivery": "queue" }))
            }
            "v2.session.inbox.list" => {
                let waits = self.user.as_ref().filter(|_| !self.is_delivered());
                let items = waits.map(|(id, _)| json!({ "id": id, "type": "user" }));
                ok(items.into_iter().collect())
            }
            "v2.session.inbox.cancel" => {
                let id = arguments["inboxID"].clone();
                if self.withdraw() {
                    self.emit("session.inbox.cancelled", json!({ "inboxID": id }));
                }
                done()
            }
            "v2.session.message" => {
                let id = arguments["messageID"].as_str();
                match self.messages.iter().find(|message| message["id"].as_str() == id) {
                    Some(message) => ok(message.clone()),
                    None => Err(absent("no message")),
                }
            }
            "v2.session.messages" => {
                let limit = arguments["limit"].as_u64().unwrap() as usize;
                let end = match arguments["cursor"].as_str() {
                    Some(before) => before.parse().unwrap(),
                    None => self.messages.len(),
                };
                let start = end.saturating_sub(limit);
                let page: Vec<_> = self.messages[start..end].iter().rev().collect();
                let next = (start > 0).then(|| start.to_string());
                let page = json!({ "data": page, "cursor": { "previous": null, "next": next } });
                Ok(made(operation, &page, None))
            }
            "v2.session.permission.reply" => match self.permission.take() {
                Some(_) => {
                    self.answers += 1;
                    let replied = json!({ "requestID": "per_1", "reply": "reject" });
                    self.emit("permission.replied", replied);
                    done()
                }
                None => Err(absent("no permission")),
            },
            "v2.session.interrupt" => {
                self.is_aborted = self.is_busy;
                (self.permission, self.question) = (None, None);
                ok(json!({ "interrupted": self.is_busy }))
            }
            "v2.session.form.reply" | "v2.session.form.cancel" => match self.question.take() {
                Some(form) => {
                    let is_reply = operation == "v2.session.form.reply";
                    let kind = if is_reply { "form.replied" } else { "form.cancelled" };
                    self.emit(kind, json!({ "id": form["id"] }));
                    done()
                }
                None => Err(absent("no form")),
            },
            "v2.session.switch_agent" | "v2.session.switch_model" => done(),
            other => match odd::answer_of_two(other, arguments) {
                Some(value) => ok(value),
                None => panic!("unexpected operation {other}"),
            },
        }
    }
}
