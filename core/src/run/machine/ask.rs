//! Permissions and questions: those of the run and of its subagents, answered once, by somebody.

use super::watch::fields;
use super::*;
use crate::base::json::put;
use crate::protocol::permission::{Decision, PermissionReply};
use serde_json::json;

/// What a rejected tool tells the model, so that it goes on and says what it could not do.
const REJECTION: &str =
    "Nobody is here to allow this. Go on without it, and say what you could not do.";
/// The pause before an answer that the server does not take is given again.
const REFUSED_PAUSE: Millis = 2_000;

/// The reply to what is not there any more, when nobody told what it was.
const GONE: &str = "gone";
/// Who rejects what was open when the run was ended; the record calls it a policy.
const END: &str = "end";

impl Machine {
    /// Events about requests: asked, replied, rejected.
    pub(super) fn on_request_event(&mut self, event: &Event) {
        match event.kind.as_str() {
            "permission.asked" | "permission.updated" | "question.asked" => {
                match Request::read(&event.properties) {
                    Ok(request) => {
                        self.on_asked(Arc::new(request), event.kind == "question.asked");
                    }
                    Err(why) => {
                        self.note(vec![format!("what the event {} asks: {why}", event.kind)])
                    }
                }
            }
            "permission.replied" | "question.replied" | "question.rejected" => {
                let fields = fields(event);
                let id = fields.text("requestID").or_else(|| fields.text("permissionID"));
                if let Some(id) = id {
                    let word = match event.kind.as_str() {
                        "question.replied" => "answer".to_owned(),
                        "question.rejected" => "reject".to_owned(),
                        _ => (fields.text("reply").or_else(|| fields.text("response")))
                            .unwrap_or_default(),
                    };
                    self.on_closed(&id, &word);
                }
            }
            _ => {}
        }
    }

    /// Compares what is listed with what is known.
    pub(super) fn review(&mut self, snapshot: &DirectorySnapshot) {
        let mut listed = HashSet::new();
        for (requests, is_question) in [(&snapshot.permissions, false), (&snapshot.questions, true)]
        {
            for request in requests {
                if self.is_mine(&request.session_id) || self.is_child(&request.session_id) {
                    listed.insert(request.id.as_str());
                    self.on_asked(Arc::clone(request), is_question);
                }
            }
        }
        // What is no longer listed was answered by somebody else, or went away with its session.
        let gone = |(id, open): (&String, &Open)| {
            let is_read =
                if open.is_question { snapshot.has_questions } else { snapshot.has_permissions };
            (is_read
                && open.waits_for_host
                && !listed.contains(id.as_str())
                && open.seen < snapshot.started)
                .then(|| id.clone())
        };
        let gone: Vec<String> = self.requests.iter().filter_map(gone).collect();
        for id in gone {
            self.on_closed(&id, GONE);
        }
    }

    fn on_asked(&mut self, request: Arc<Request>, is_question: bool) {
        if !matches!(self.phase, Phase::Sending | Phase::Verifying | Phase::Running)
            || self.requests.contains_key(&request.id)
            || self.handled.contains(&request.id)
            || self.stale_requests.contains(&request.id)
        {
            return;
        }
        if !self.can_claim(&request) {
            if self.unclaimed.iter().any(|(known, _)| known.id == request.id) {
                return;
            }
            self.unclaimed.push((request, is_question));
            if self.phase == Phase::Running {
                // Events were missed, or it is somebody else's: the messages will tell.
                self.want_messages();
            }
            return;
        }
        let decision = if self.ending.is_some() {
            None
        } else if is_question {
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
            match self.setup.permission.judge(&request.permission, &request.patterns) {
                (Decision::Ask, _) => None,
                (Decision::Reply(reply), rule) => {
                    if reply == PermissionReply::Reject {
                        self.tell_refused(&request, rule);
                    }
                    Some(Verdict::Permission(reply, None))
                }
            }
        };
        let id = request.id.clone();
        self.requests.insert(
            id.clone(),
            Open {
                request: Arc::clone(&request),
                is_question,
                waits_for_host: decision.is_none(),
                verdict: None,
                reply: String::new(),
                by: "policy",
                seen: self.now,
                failures: 0,
                retry_at: None,
                may_be_there: false,
            },
        );
        match decision {
            Some(verdict) => self.answer(&id, verdict),
            None if self.ending.is_some() => self.reject_open(),
            None => self.ask_host(&id),
        }
    }

    /// Rejects what nobody will answer any more, once the run is aborted: the abort alone leaves it in the server's
    /// list. Before it, a subagent that is rejected would hand the word back to an agent that goes on.
    pub(super) fn reject_open(&mut self) {
        if self.ending.as_ref().is_none_or(|ending| ending.aborted.is_none()) {
            return;
        }
        let open = self.requests.iter_mut().filter(|(_, open)| open.waits_for_host);
        let ids: Vec<_> = open
            .map(|(id, open)| {
                (open.waits_for_host, open.by) = (false, END);
                (id.clone(), open.is_question)
            })
            .collect();
        for (id, is_question) in ids {
            let verdict = match is_question {
                true => Verdict::Answers(None),
                false => Verdict::Permission(PermissionReply::Reject, None),
            };
            self.answer(&id, verdict);
        }
    }

    /// Whether the server has not confirmed yet that what was open at the end is rejected.
    pub(super) fn is_rejecting(&self) -> bool {
        self.requests.values().any(|open| open.by == END)
    }

    fn tell_refused(&mut self, request: &Request, rule: Option<usize>) {
        let by = match rule {
            Some(rule) => format!("by rule {rule} of the policy"),
            None => "by the policy: no rule allows it".to_owned(),
        };
        let (permission, patterns) = (&request.permission, request.patterns.join(", "));
        let text = format!("permission {permission} ({patterns}) is rejected {by}");
        self.out.push(Output::Warn(text));
    }

    /// Only a tool of this run asks for what belongs to it: a list keeps the requests of runs that were aborted.
    fn can_claim(&self, request: &Request) -> bool {
        let is_known = |message: &String| self.assistants.iter().any(|info| info.id == *message);
        self.phase == Phase::Running
            && (!self.is_mine(&request.session_id)
                || request.message_id.as_ref().is_none_or(is_known))
    }

    /// Looks again at what was asked by messages that were not known.
    pub(super) fn claim(&mut self) {
        if self.unclaimed.is_empty() {
            return;
        }
        let all = std::mem::take(&mut self.unclaimed);
        let (mine, others) = all.into_iter().partition(|(request, _)| self.can_claim(request));
        self.unclaimed = others;
        for (request, is_question) in mine {
            self.on_asked(request, is_question);
        }
    }

    fn ask_host(&mut self, id: &str) {
        let Some(open) = self.requests.get(id) else { return };
        let (id, request) = (id.to_owned(), Arc::from(open.request.raw.clone()));
        let is_question = open.is_question;
        self.update(if is_question {
            Update::Question { id, request }
        } else {
            Update::Permission { id, request }
        });
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
        open.reply = match &verdict {
            Verdict::Permission(reply, _) => reply.as_str(),
            Verdict::Answers(Some(_)) => "answer",
            Verdict::Answers(None) => "reject",
        }
        .to_owned();
        open.verdict = Some(verdict);
        self.give(id);
    }

    /// Gives the answer to a request, for the first time or again.
    fn give(&mut self, id: &str) {
        let Some(open) = self.requests.get(id) else { return };
        let Some(verdict) = open.verdict.clone() else { return };
        let session = open.request.session_id.clone();
        match verdict {
            Verdict::Permission(reply, message) => {
                if reply == PermissionReply::Reject {
                    // A bare rejection would end the agent's turn; only this operation takes a message.
                    let by_policy = (open.by == "policy").then(|| REJECTION.to_owned());
                    let mut arguments = json!({ "requestID": id, "reply": "reject" });
                    if let Some(message) = message.or(by_policy) {
                        put(&mut arguments, "message", message);
                    }
                    self.add_directory(&mut arguments);
                    self.ask(
                        RequestKind::PermissionReplyWithMessage(id.to_owned()),
                        "permission.reply",
                        arguments,
                    );
                } else {
                    self.respond(
                        RequestKind::PermissionRespond(id.to_owned()),
                        &session,
                        id,
                        reply,
                    );
                }
            }
            Verdict::Answers(answers) => {
                let mut arguments = json!({ "requestID": id });
                self.add_directory(&mut arguments);
                let operation = match answers {
                    Some(answers) => {
                        put(&mut arguments, "answers", answers);
                        "question.reply"
                    }
                    None => "question.reject",
                };
                self.ask(RequestKind::Question(id.to_owned()), operation, arguments);
            }
        }
    }

    /// The operation that works from any directory, but takes no message.
    fn respond(&mut self, kind: RequestKind, session: &str, id: &str, reply: PermissionReply) {
        let arguments =
            json!({ "sessionID": session, "permissionID": id, "response": reply.as_str() });
        self.ask(kind, "permission.respond", arguments);
    }

    pub(super) fn on_replied(&mut self, kind: RequestKind, result: Result<Answer>) {
        let (RequestKind::PermissionReplyWithMessage(id)
        | RequestKind::PermissionRespond(id)
        | RequestKind::Question(id)) = &kind
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
        let now = self.now;
        let Some(open) = self.requests.get_mut(id) else { return };
        let is_lost = is_transient(&error)
            || error.kind() == ErrorKind::Decode
            || error.status().is_some_and(|status| status >= 500);
        if is_lost {
            // Whether it arrived is not known: given again it is taken, or it is not found any more.
            open.may_be_there |= error.is_sent();
            open.failures += 1;
            open.retry_at = Some(now + (100 << open.failures.min(4)));
        } else if matches!(kind, RequestKind::PermissionReplyWithMessage(_)) {
            // A subagent may work in another directory than the run, and older servers know only this way.
            let session = open.request.session_id.clone();
            let kind = RequestKind::PermissionRespond(id.clone());
            self.respond(kind, &session, id, PermissionReply::Reject);
        } else if open.by == END {
            self.decided(id);
        } else if error.kind() == ErrorKind::NotFound {
            self.was_gone(id);
        } else if open.by == "host" {
            // The server does not take this answer: the host has to give another.
            open.waits_for_host = true;
            self.ask_host(id);
        } else {
            open.retry_at = Some(now + REFUSED_PAUSE);
        }
    }

    /// Gives the answers again that did not get through.
    pub(super) fn repeat_replies(&mut self) {
        let now = self.now;
        let due: Vec<String> = (self.requests.iter_mut())
            .filter(|(_, open)| open.retry_at.is_some_and(|at| now >= at))
            .map(|(id, open)| {
                open.retry_at = None;
                id.clone()
            })
            .collect();
        for id in due {
            self.give(&id);
        }
    }

    /// It is not there any more: decided by an earlier try, or by somebody else. Either way nobody waits for it.
    fn was_gone(&mut self, id: &str) {
        let Some(open) = self.requests.get_mut(id) else { return };
        let session = &open.request.session_id;
        // With one rejection the server rejects all else that is open in the session.
        let goes_along = open.reply == "reject"
            && self.decisions.iter().any(|d| d.session_id == *session && d.reply == "reject");
        if !open.may_be_there && !goes_along && open.by != "other" {
            (open.by, open.reply) = ("other", GONE.to_owned());
        }
        self.decided(id);
    }

    fn decided(&mut self, id: &str) {
        if let Some(open) = self.requests.remove(id) {
            self.record(id, open);
        }
    }

    fn on_closed(&mut self, id: &str, reply: &str) {
        self.unclaimed.retain(|(request, _)| request.id != id);
        let Some(open) = self.requests.get_mut(id) else { return };
        if open.reply == reply {
            // Most likely the echo of the answer that is on its way.
            open.may_be_there = true;
            return;
        }
        (open.by, open.reply) = ("other", reply.to_owned());
        // What is on its way is waited for, though it comes too late.
        if open.waits_for_host {
            self.decided(id);
        }
    }

    /// What was answered last, and the server did not confirm before the run was over.
    pub(super) fn record_rest(&mut self) {
        for (id, open) in std::mem::take(&mut self.requests) {
            if !open.waits_for_host && !open.reply.is_empty() {
                self.record(&id, open);
            }
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
            by: if open.by == END { "policy" } else { open.by },
        });
        self.next_check = self.next_check.min(self.now + 1_000);
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub(super) enum Verdict {
    Permission(PermissionReply, Option<String>),
    Answers(Option<Value>),
}
