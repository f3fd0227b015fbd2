//! Permissions and questions: those of the run and of its subagents, answered once, by somebody.

use super::*;
use crate::run::policy::{Decision, PermissionReply};
use serde::Deserialize;
use serde_json::json;

/// What a rejected tool tells the model, so that it goes on and says what it could not do.
const REJECTION: &str =
    "Nobody is here to allow this. Go on without it, and say what you could not do.";

impl Machine {
    /// Events about requests: asked, replied, rejected.
    pub(super) fn on_request_event(&mut self, event: &Event) {
        #[derive(Deserialize)]
        struct Closed {
            #[serde(rename = "requestID", alias = "permissionID")]
            request_id: String,
            #[serde(alias = "response", default)]
            reply: Option<String>,
        }
        match event.kind.as_str() {
            "permission.asked" | "permission.updated" | "question.asked" => {
                let raw =
                    serde_json::value::RawValue::from_string(event.properties.get().to_owned());
                if let Ok(request) = raw.and_then(Request::read) {
                    self.on_asked(Arc::new(request), event.kind == "question.asked");
                }
            }
            "permission.replied" | "question.replied" | "question.rejected" => {
                if let Ok(closed) = serde_json::from_str::<Closed>(event.properties.get()) {
                    let word = match event.kind.as_str() {
                        "question.replied" => "answer".to_owned(),
                        "question.rejected" => "reject".to_owned(),
                        _ => closed.reply.unwrap_or_default(),
                    };
                    self.on_closed(&closed.request_id, &word);
                }
            }
            _ => {}
        }
    }

    /// Compares what is listed with what is known.
    pub(super) fn review(&mut self, sweep: &Sweep) {
        let mut listed = HashSet::new();
        for (requests, is_question) in [(&sweep.permissions, false), (&sweep.questions, true)] {
            for request in requests {
                listed.insert(request.id.clone());
                if self.is_mine(&request.session_id) || self.is_child(&request.session_id) {
                    self.on_asked(Arc::clone(request), is_question);
                }
            }
        }
        if !sweep.has_lists {
            return;
        }
        // What is no longer listed was answered by somebody else, or went away with its session.
        let gone = |(id, open): (&String, &Open)| {
            (open.waits_for_host && !listed.contains(id) && open.seen < sweep.started)
                .then(|| id.clone())
        };
        let gone: Vec<String> = self.requests.iter().filter_map(gone).collect();
        for id in gone {
            self.on_closed(&id, "gone");
        }
    }

    fn on_asked(&mut self, request: Arc<Request>, is_question: bool) {
        if self.phase != Phase::Running
            || self.ending.is_some()
            || self.requests.contains_key(&request.id)
            || self.handled.contains(&request.id)
            || self.stale_requests.contains(&request.id)
        {
            return;
        }
        // A list keeps the requests of runs that were aborted: only a tool of this run asks for it.
        if self.is_mine(&request.session_id)
            && let Some(message) = &request.message_id
            && !self.assistants.iter().any(|info| info.id == *message)
        {
            if !self.is_stream_up {
                return;
            }
            // The event may be ahead of its message only after a gap: the next look will tell.
            self.next_check = self.next_check.min(self.now + 100);
            return;
        }
        let decision = if is_question {
            match self.setup.question {
                QuestionPolicy::Ask => None,
                QuestionPolicy::Reject => Some(Verdict::Answers(None)),
                QuestionPolicy::First => {
                    let first = request.options.iter().map(|labels| {
                        labels.first().map_or_else(Vec::new, |label| vec![label.as_str()])
                    });
                    Some(Verdict::Answers(Some(json!(first.collect::<Vec<_>>()))))
                }
            }
        } else {
            match self.setup.permission.decide(&request.permission, &request.patterns) {
                Decision::Ask => None,
                Decision::Reply(reply) => Some(Verdict::Permission(reply, None)),
            }
        };
        let id = request.id.clone();
        self.requests.insert(
            id.clone(),
            Open {
                request: Arc::clone(&request),
                is_question,
                waits_for_host: decision.is_none(),
                reply: String::new(),
                by: "policy",
                seen: self.now,
            },
        );
        match decision {
            Some(verdict) => self.answer(&id, verdict),
            None => {
                let raw: Arc<_> = Arc::from(request.raw.clone());
                self.update(if is_question {
                    Update::Question { id, request: raw }
                } else {
                    Update::Permission { id, request: raw }
                });
            }
        }
    }

    pub(super) fn on_host_permission(
        &mut self,
        id: &str,
        reply: PermissionReply,
        message: Option<String>,
    ) {
        if self.hand_over(id, false) {
            self.answer(id, Verdict::Permission(reply, message));
        }
    }

    pub(super) fn on_host_question(&mut self, id: &str, answers: Option<Value>) {
        if self.hand_over(id, true) {
            self.answer(id, Verdict::Answers(answers));
        }
    }

    fn hand_over(&mut self, id: &str, is_question: bool) -> bool {
        match self.requests.get_mut(id) {
            Some(open) if open.waits_for_host && open.is_question == is_question => {
                open.waits_for_host = false;
                open.by = "host";
                true
            }
            // It was answered already: by the host itself, by another client, or it went away.
            _ => false,
        }
    }

    fn answer(&mut self, id: &str, verdict: Verdict) {
        let Some(open) = self.requests.get_mut(id) else { return };
        let session = open.request.session_id.clone();
        match verdict {
            Verdict::Permission(reply, message) => {
                open.reply = reply.as_str().to_owned();
                if reply == PermissionReply::Reject {
                    // A bare rejection would end the agent's turn; only this operation takes a message.
                    let by_policy = (open.by == "policy").then(|| REJECTION.to_owned());
                    let mut arguments = json!({ "requestID": id, "reply": "reject" });
                    if let Some(message) = message.or(by_policy) {
                        arguments["message"] = message.into();
                    }
                    self.add_directory(&mut arguments);
                    self.ask(Ticket::Permission(id.to_owned()), "permission.reply", arguments);
                } else {
                    self.respond(Ticket::PermissionFallback(id.to_owned()), &session, id, reply);
                }
            }
            Verdict::Answers(answers) => {
                open.reply = if answers.is_some() { "answer" } else { "reject" }.to_owned();
                let mut arguments = json!({ "requestID": id });
                self.add_directory(&mut arguments);
                let operation = match answers {
                    Some(answers) => {
                        arguments["answers"] = answers;
                        "question.reply"
                    }
                    None => "question.reject",
                };
                self.ask(Ticket::Question(id.to_owned()), operation, arguments);
            }
        }
    }

    /// The operation that works from any directory, but takes no message.
    fn respond(&mut self, ticket: Ticket, session: &str, id: &str, reply: PermissionReply) {
        let arguments =
            json!({ "sessionID": session, "permissionID": id, "response": reply.as_str() });
        self.ask(ticket, "permission.respond", arguments);
    }

    pub(super) fn on_replied(&mut self, ticket: Ticket, result: Result<Answer>) {
        let (Ticket::Permission(id) | Ticket::PermissionFallback(id) | Ticket::Question(id)) =
            &ticket
        else {
            return;
        };
        let error = match result {
            Ok(_) => {
                self.reachable();
                return self.decided(id);
            }
            Err(error) => error,
        };
        match (&ticket, error.kind()) {
            (Ticket::Permission(_), ErrorKind::NotFound) => {
                // A subagent may work in another directory than the run.
                if let Some(open) = self.requests.get(id) {
                    let session = open.request.session_id.clone();
                    let ticket = Ticket::PermissionFallback(id.clone());
                    self.respond(ticket, &session, id, PermissionReply::Reject);
                }
            }
            // Somebody else was faster, or it went away: either way nobody waits for it.
            (_, ErrorKind::NotFound) => self.decided(id),
            _ => {
                // Listed still, so the next look finds it and it is answered again.
                let open = self.requests.remove(id);
                if let Some(open) = open
                    && open.by == "host"
                {
                    // The host's word is not lost: it is asked again.
                    self.requests.insert(id.clone(), Open { waits_for_host: true, ..open });
                }
                self.next_check = self.next_check.min(self.now + 500);
            }
        }
    }

    fn decided(&mut self, id: &str) {
        if let Some(open) = self.requests.remove(id) {
            self.record(id, open);
        }
    }

    fn on_closed(&mut self, id: &str, reply: &str) {
        let Some(open) = self.requests.get_mut(id) else { return };
        if open.waits_for_host {
            open.by = "other";
            reply.clone_into(&mut open.reply);
            self.decided(id);
        }
    }

    fn record(&mut self, id: &str, open: Open) {
        self.handled.insert(id.to_owned());
        let request = &open.request;
        self.decisions.push(DecisionRecord {
            id: id.to_owned(),
            session_id: request.session_id.clone(),
            permission: if open.is_question { "question" } else { &request.permission }.to_owned(),
            patterns: request.patterns.clone(),
            reply: open.reply,
            by: open.by,
        });
        self.next_check = self.next_check.min(self.now + 1_000);
    }
}

/// What is answered.
enum Verdict {
    Permission(PermissionReply, Option<String>),
    Answers(Option<Value>),
}
