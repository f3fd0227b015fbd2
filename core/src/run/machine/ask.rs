//! Permissions and questions: those of the run and of its subagents, answered once, by somebody.

use super::*;
use crate::protocol::permission::{Decision, PermissionReply};

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
    /// What an event tells of permissions and questions.
    pub(super) fn on_inquiry_fact(&mut self, fact: Fact) {
        match fact {
            Fact::Asked(inquiry) => self.on_asked(Arc::from(inquiry)),
            Fact::InquiryAnswered { id, reply } => self.on_closed(&id, &reply),
            Fact::Unreadable(what) => self.note(vec![what]),
            _ => {}
        }
    }

    /// Compares what is listed with what is known.
    pub(super) fn review(&mut self, snapshot: &DirectorySnapshot) {
        let mut listed = HashSet::new();
        for inquiry in &snapshot.inquiries {
            if self.is_mine(&inquiry.session_id) || self.is_child(&inquiry.session_id) {
                listed.insert(inquiry.id.as_str());
                self.on_asked(Arc::clone(inquiry));
            }
        }
        // What is no longer listed was answered by somebody else, or went away with its session.
        let gone = |(id, open): (&String, &Open)| {
            let is_read = if open.inquiry.is_question {
                snapshot.has_questions
            } else {
                snapshot.has_permissions
            };
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

    fn on_asked(&mut self, inquiry: Arc<Inquiry>) {
        if !matches!(self.phase, Phase::Sending | Phase::Verifying | Phase::Running)
            || self.requests.contains_key(&inquiry.id)
            || self.handled.contains(&inquiry.id)
            || self.stale_requests.contains(&inquiry.id)
        {
            return;
        }
        if !self.can_claim(&inquiry) {
            if self.unclaimed.iter().any(|known| known.id == inquiry.id) {
                return;
            }
            self.unclaimed.push(inquiry);
            if self.phase == Phase::Running {
                // Events were missed, or it is somebody else's: the messages will tell.
                self.want_messages();
            }
            return;
        }
        let decision = if self.ending.is_some() {
            None
        } else if inquiry.is_question {
            match self.setup.question {
                QuestionPolicy::Ask => None,
                QuestionPolicy::Reject => Some(Verdict::Answers(None)),
                QuestionPolicy::First => {
                    let first = inquiry.options.iter().map(|labels| {
                        labels.first().map_or_else(Vec::new, |label| vec![label.clone()])
                    });
                    Some(Verdict::Answers(Some(first.collect())))
                }
            }
        } else {
            match self.setup.permission.judge(&inquiry.permission, &inquiry.patterns) {
                (Decision::Ask, _) => None,
                (Decision::Reply(reply), rule) => {
                    if reply == PermissionReply::Reject {
                        self.tell_refused(&inquiry, rule);
                    }
                    Some(Verdict::Permission(reply, None))
                }
            }
        };
        let id = inquiry.id.clone();
        self.requests.insert(
            id.clone(),
            Open {
                inquiry: Arc::clone(&inquiry),
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
                (id.clone(), open.inquiry.is_question)
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

    fn tell_refused(&mut self, inquiry: &Inquiry, rule: Option<usize>) {
        let by = match rule {
            Some(rule) => format!("by rule {rule} of the policy"),
            None => "by the policy: no rule allows it".to_owned(),
        };
        let (permission, patterns) = (&inquiry.permission, inquiry.patterns.join(", "));
        let text = format!("permission {permission} ({patterns}) is rejected {by}");
        self.out.push(Output::Warn(text));
    }

    /// Only a tool of this run asks for what belongs to it: a list keeps the requests of runs that were aborted.
    fn can_claim(&self, inquiry: &Inquiry) -> bool {
        let is_known = |message: &String| self.assistants.iter().any(|info| info.id == *message);
        self.phase == Phase::Running
            && (!self.is_mine(&inquiry.session_id)
                || inquiry.message_id.as_ref().is_none_or(is_known))
    }

    /// Looks again at what was asked by messages that were not known.
    pub(super) fn claim(&mut self) {
        if self.unclaimed.is_empty() {
            return;
        }
        let all = std::mem::take(&mut self.unclaimed);
        let (mine, others) = all.into_iter().partition(|inquiry| self.can_claim(inquiry));
        self.unclaimed = others;
        for inquiry in mine {
            self.on_asked(inquiry);
        }
    }

    fn ask_host(&mut self, id: &str) {
        let Some(open) = self.requests.get(id) else { return };
        let (id, request) = (id.to_owned(), Arc::from(open.inquiry.raw.clone()));
        let is_question = open.inquiry.is_question;
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

    pub(super) fn on_host_question(&mut self, id: &str, answers: Option<Vec<Vec<String>>>) {
        if self.hand_over(id, true) {
            self.answer(id, Verdict::Answers(answers));
        }
    }

    fn hand_over(&mut self, id: &str, is_question: bool) -> bool {
        match self.requests.get_mut(id) {
            Some(open) if open.waits_for_host && open.inquiry.is_question == is_question => {
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

    /// Gives the answer to an inquiry, for the first time or again.
    fn give(&mut self, id: &str) {
        let Some(open) = self.requests.get(id) else { return };
        let Some(verdict) = open.verdict.clone() else { return };
        let (id, directory) = (id.to_owned(), self.directory.clone());
        let request = match verdict {
            Verdict::Permission(reply, message) => {
                let by_policy = reply == PermissionReply::Reject && open.by == "policy";
                let message = message.or_else(|| by_policy.then(|| REJECTION.to_owned()));
                let session = open.inquiry.session_id.clone();
                let id = id.clone();
                Request::ReplyPermission { id, session, reply, message, directory }
            }
            Verdict::Answers(answers) => {
                Request::AnswerQuestion { id: id.clone(), answers, directory }
            }
        };
        self.ask(RequestKind::Reply(id), request);
    }

    pub(super) fn on_replied(&mut self, id: &str, result: Result<Response>) {
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
        let session = &open.inquiry.session_id;
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
        self.unclaimed.retain(|inquiry| inquiry.id != id);
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
        let inquiry = &open.inquiry;
        self.decisions.push(DecisionRecord {
            id: id.to_owned(),
            session_id: inquiry.session_id.clone(),
            permission: if inquiry.is_question { "question" } else { &inquiry.permission }
                .to_owned(),
            patterns: inquiry.patterns.clone(),
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
    Answers(Option<Vec<Vec<String>>>),
}
