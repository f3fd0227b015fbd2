//! Answers on their way to the server, and given again until it has them.

use super::*;

impl Inquiries {
    pub(super) fn answer(
        &mut self,
        id: &str,
        verdict: Verdict,
        context: &InquiriesContext<'_>,
        out: &mut Vec<InquiriesEffect>,
    ) {
        let Some(open) = self.open.get_mut(id) else { return };
        open.reply = match &verdict {
            Verdict::Permission(reply, _) => reply.as_str(),
            Verdict::Answers(Some(_)) => "answer",
            Verdict::Answers(None) => "reject",
        }
        .to_owned();
        open.verdict = Some(verdict);
        self.submit_answer(id, context, out);
    }

    /// Gives the answer to an inquiry, for the first time or again.
    pub(super) fn submit_answer(
        &mut self,
        id: &str,
        context: &InquiriesContext<'_>,
        out: &mut Vec<InquiriesEffect>,
    ) {
        let Some(open) = self.open.get(id) else { return };
        let Some(verdict) = open.verdict.clone() else { return };
        let (id, directory) = (id.to_owned(), context.directory.cloned());
        let request = match verdict {
            Verdict::Permission(reply, message) => {
                let by_policy = reply == PermissionReply::Reject && open.by == "policy";
                let message = message.or_else(|| by_policy.then(|| REJECTION.to_owned()));
                let session = open.inquiry.session_id.clone();
                let id = id.clone();
                if reply == PermissionReply::Reject && open.failures >= OTHER_WAY_AFTER {
                    Request::RespondPermission { id, session, reply }
                } else {
                    Request::ReplyPermission { id, session, reply, message, directory }
                }
            }
            Verdict::Answers(answers) => {
                let question = Arc::clone(&open.inquiry);
                Request::AnswerQuestion { id: id.clone(), question, answers, directory }
            }
        };
        out.push(InquiriesEffect::Ask(id, request));
    }

    pub(super) fn replied(
        &mut self,
        id: &str,
        result: Result<Response>,
        context: &InquiriesContext<'_>,
        out: &mut Vec<InquiriesEffect>,
    ) {
        let error = match result {
            Ok(_) => {
                out.push(InquiriesEffect::Reachable);
                return self.decided(id, out);
            }
            Err(error) => error,
        };
        let Some(open) = self.open.get_mut(id) else { return };
        let now = context.now;
        if error.status().is_some() && open.by != END && !is_absent(&error) {
            let since = open.refusal.as_ref().map_or(now, |(since, _)| *since);
            open.refusal = Some((since, error.clone()));
            if now >= since.saturating_add(context.patience) && !context.is_cancelled {
                let (name, time) = (name(&open.inquiry), now - since);
                let words = format!("the answer to {name} was refused so for {time} ms");
                return out.push(InquiriesEffect::Refused(error.and(&words)));
            }
        }
        if error.leaves_open() || is_foreign(&error) {
            // Whether it arrived is not known: given again it is taken, or it is not found any more, or not listed.
            open.may_be_there |= error.is_sent();
            open.failures += 1;
            open.seen = now;
            open.retry_at = Some(now + (100 << open.failures.min(4)));
            if is_foreign(&error) {
                out.extend([InquiriesEffect::WantLists, InquiriesEffect::LookWithin(LOOK_AFTER)]);
            }
        } else if open.by == END {
            self.decided(id, out);
        } else if is_absent(&error) {
            self.was_gone(id, out);
        } else if open.by == "host" {
            // The server does not take this answer: the host has to give another.
            (open.waits_for_host, open.refusal) = (true, None);
            self.ask_host(id, out);
        } else {
            open.retry_at = Some(now + REFUSED_PAUSE);
        }
    }

    /// Gives the answers again that did not get through.
    pub(super) fn repeat(
        &mut self,
        context: &InquiriesContext<'_>,
        out: &mut Vec<InquiriesEffect>,
    ) {
        let due: Vec<String> = (self.open.iter_mut())
            .filter(|(_, open)| open.retry_at.is_some_and(|at| context.now >= at))
            .map(|(id, open)| {
                open.retry_at = None;
                id.clone()
            })
            .collect();
        for id in due {
            self.submit_answer(&id, context, out);
        }
    }

    /// It is not there any more: decided by an earlier try, or by somebody else. Either way nobody waits for it.
    pub(super) fn was_gone(&mut self, id: &str, out: &mut Vec<InquiriesEffect>) {
        let Some(open) = self.open.get(id) else { return };
        // With one rejection the server rejects all else that is open in the session.
        let goes_along = open.reply == "reject" && self.has_rejected(&open.inquiry.session_id);
        if !open.may_be_there
            && !goes_along
            && open.by != "other"
            && let Some(open) = self.open.get_mut(id)
        {
            (open.by, open.reply) = ("other", GONE.to_owned());
        }
        self.decided(id, out);
    }
}
