//! One look at the truth: the status of the session first, then, when it matters, its messages.

use super::{Lists, Looking, LookingContext, LookingEffect, Millis, RequestKind};
use crate::base::error::{Error, ErrorKind, Result};
use crate::run::wire::{
    DirectorySnapshot, MessagePage, Request, Response, Status, StoredMessage, is_absent,
};

/// Messages read at once on the way back to the run's own prompt.
const PAGE: usize = 50;
/// Pages read at most in one look at a session that works.
const BUSY_PAGES: u32 = 8;

/// A look that is under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct OngoingLook {
    started: Millis,
    /// Whether the server was known to have begun. If not, an idle session may be one that has not begun yet.
    has_begun: bool,
    /// Whether the session was idle, once known.
    is_idle: Option<bool>,
    /// Whether the messages are to be read although the session works.
    needs_messages: bool,
}

impl OngoingLook {
    pub(super) fn started(&self) -> Millis {
        self.started
    }
}

impl Looking {
    /// Looks at the truth now, or again when a look is under way: it may have been taken too early.
    pub(super) fn look(&mut self, context: &LookingContext<'_>, out: &mut Vec<LookingEffect>) {
        if self.check.is_some() {
            self.check_again = true;
            return;
        }
        self.check = Some(OngoingLook {
            started: context.now,
            has_begun: self.was_busy || !self.answers.is_empty(),
            is_idle: None,
            needs_messages: std::mem::take(&mut self.needs_messages),
        });
        let lists = match std::mem::take(&mut self.needs_lists) {
            true => Lists::Now,
            false => Lists::WhenOld,
        };
        out.push(LookingEffect::TakeSnapshot { lists });
    }

    pub(super) fn look_if_running(
        &mut self,
        context: &LookingContext<'_>,
        out: &mut Vec<LookingEffect>,
    ) {
        if context.is_running {
            self.look(context, out);
        }
    }

    /// The next look comes within this time.
    pub(super) fn look_within(&mut self, time: Millis, context: &LookingContext<'_>) {
        self.next_check = self.next_check.min(context.now + time);
    }

    /// Looks at the messages too, although the events seem to tell all.
    pub(super) fn want_messages(
        &mut self,
        context: &LookingContext<'_>,
        out: &mut Vec<LookingEffect>,
    ) {
        self.needs_messages = true;
        // A look that does not know the status yet will read them itself.
        if self.check.is_none_or(|check| check.is_idle.is_some()) {
            self.look(context, out);
        }
    }

    pub(super) fn on_snapshot(
        &mut self,
        snapshot: &DirectorySnapshot,
        context: &LookingContext<'_>,
        out: &mut Vec<LookingEffect>,
    ) {
        let status = snapshot.status.get(context.session).cloned().unwrap_or(Status::Idle);
        let Some(check) =
            self.check.filter(|c| c.is_idle.is_none() && snapshot.started >= c.started)
        else {
            return;
        };
        // Whether the look succeeds is known when its messages are read.
        out.push(LookingEffect::Heard);
        if status == Status::Unreadable {
            out.push(LookingEffect::Note(vec!["the status of the session".to_owned()]));
        }
        // Where the status says nothing the messages have to tell whether it is over.
        let is_idle = matches!(status, Status::Idle | Status::Unreadable);
        self.was_busy |= !is_idle;
        if context.is_cancelled {
            out.push(LookingEffect::BusyChildren(self.busy_children(snapshot)));
        }
        self.set_status(status, out);
        let needs_messages = check.needs_messages || std::mem::take(&mut self.needs_messages);
        self.check = Some(OngoingLook { is_idle: Some(is_idle), needs_messages, ..check });
        // A busy session needs no look at its messages while events tell about them.
        if !is_idle && context.is_stream_up && !context.is_cancelled && !needs_messages {
            out.push(LookingEffect::Reachable);
            return self.end_check(context, out);
        }
        self.start_collection();
        let limit = if is_idle { (2 + self.answers.len()).min(PAGE) } else { 3 };
        self.ask_messages(limit, None, context, out);
    }

    /// A look that would find the session at work, as it is known to be, needs not be taken when another run's just has: so runs
    /// of one directory that wait cost the server what one does.
    pub(super) fn on_seen(
        &mut self,
        snapshot: &DirectorySnapshot,
        context: &LookingContext<'_>,
        out: &mut Vec<LookingEffect>,
    ) {
        let status = snapshot.status.get(context.session);
        let works = !matches!(status, None | Some(Status::Idle | Status::Unreadable));
        let is_as_known = self.was_busy && works && status == self.status.as_ref();
        let wants_more = self.check.is_some() || self.needs_messages || self.needs_lists;
        if is_as_known && !wants_more && context.is_stream_up && !context.is_cancelled {
            out.push(LookingEffect::Heard);
            out.push(LookingEffect::Reachable);
            self.plan_check(context);
            // Later than who has looked: its next look comes first, and serves this one again.
            self.next_check += (self.next_check - context.now) / 4;
        }
    }

    /// The server cannot write a page down that reaches back to the session's beginning and holds a prompt with
    /// a format. Read one by one, all messages but such a one at the very beginning can be had.
    fn on_unreadable_page(
        &mut self,
        context: &LookingContext<'_>,
        out: &mut Vec<LookingEffect>,
    ) -> bool {
        if self.reads_singly {
            return true;
        }
        self.reads_singly = true;
        self.start_collection();
        self.ask_messages(1, None, context, out);
        false
    }

    fn start_collection(&mut self) {
        self.collection += 1;
        self.pages = 0;
        self.collected.clear();
    }

    fn ask_messages(
        &self,
        limit: usize,
        before: Option<String>,
        context: &LookingContext<'_>,
        out: &mut Vec<LookingEffect>,
    ) {
        let limit = if self.reads_singly { 1 } else { limit };
        let request = Request::Messages { session: context.session.to_owned(), limit, before };
        out.push(LookingEffect::Ask(RequestKind::Messages(self.collection), request));
    }

    pub(super) fn check_failed(&mut self, error: Error, out: &mut Vec<LookingEffect>) {
        self.needs_messages |= self.check.take().is_some_and(|check| check.needs_messages);
        // A wrong password stays wrong; all else may pass.
        out.push(match error.kind() {
            ErrorKind::Unauthorized | ErrorKind::Forbidden | ErrorKind::Closed => {
                LookingEffect::Over(error)
            }
            _ => LookingEffect::Unreachable(error),
        });
    }

    pub(super) fn on_messages(
        &mut self,
        collection: u32,
        result: Result<Response>,
        context: &LookingContext<'_>,
        out: &mut Vec<LookingEffect>,
    ) {
        let Some(check) = self.check.filter(|_| collection == self.collection) else { return };
        let is_idle = check.is_idle == Some(true);
        let page = match result {
            Ok(Response::Messages(page)) => page,
            Ok(_) => return,
            Err(error) if is_absent(&error) => {
                return out.push(LookingEffect::Over(deleted(context, &error)));
            }
            Err(error) => return self.check_failed(error, out),
        };
        let (mut messages, next) = match page {
            Ok(MessagePage::Read { messages, next, odd }) => {
                out.push(LookingEffect::Note(odd));
                (messages, next)
            }
            Ok(MessagePage::Refused) => {
                if self.on_unreadable_page(context, out) {
                    self.is_stored = true;
                    self.collected_all(check, is_idle, true, context, out);
                }
                return;
            }
            Err(error) => return out.push(LookingEffect::Over(error)),
        };
        out.push(LookingEffect::Reachable);
        messages.append(&mut self.collected);
        self.collected = messages;
        self.pages += 1;
        // To the prompt, when it is to be judged; else only to what is known already.
        let is_start = |m: &StoredMessage| {
            m.info.id == context.message_id
                || Some(&m.info.id) == context.last_before_send
                || (!is_idle && self.is_known(&m.info.id))
        };
        let has_start = self.collected.iter().any(is_start);
        if (is_idle || self.pages < BUSY_PAGES) && !has_start && next.is_some() {
            return self.ask_messages(PAGE, next, context, out);
        }
        self.collected_all(check, is_idle, false, context, out);
    }

    /// What was collected is judged. `is_cut`: the prompt itself stands before it and cannot be read.
    fn collected_all(
        &mut self,
        check: OngoingLook,
        is_idle: bool,
        is_cut: bool,
        context: &LookingContext<'_>,
        out: &mut Vec<LookingEffect>,
    ) {
        let collected = std::mem::take(&mut self.collected);
        self.absorb(collected, is_idle, is_cut, context, out);
        let has_answers = self.messages.iter().any(|message| message.info.is_assistant());
        if !is_idle {
            out.push(LookingEffect::Busy { for_others: self.works_for_others });
        } else if has_answers && !check.has_begun {
            // It began between the two looks: the status was taken too early to say that it ended.
            self.check_again = true;
            self.end_check(context, out);
        } else {
            out.push(LookingEffect::Rest);
        }
    }

    fn is_known(&self, message: &str) -> bool {
        self.own_prompts.contains(message) || self.is_answer(message)
    }

    /// Ends a look and plans the next.
    pub(super) fn end_check(&mut self, context: &LookingContext<'_>, out: &mut Vec<LookingEffect>) {
        self.check = None;
        if std::mem::take(&mut self.check_again) {
            self.look(context, out);
        } else {
            self.plan_check(context);
        }
    }

    pub(super) fn plan_check(&mut self, context: &LookingContext<'_>) {
        let pause = if context.is_cancelled {
            150
        } else if !context.is_stream_up {
            // Without events the looks are the only news: often at first, rarely in a long run.
            self.interval = (self.interval * 3 / 2).min(2_000);
            self.interval
        } else if self.was_busy && self.status != Some(Status::Idle) {
            // A stream may stall and still look alive: bounds must hold all the same.
            if self.limits.need_looks() { 2_000 } else { 10_000 }
        } else {
            500
        };
        self.next_check = context.now + pause;
    }
}

/// The session of a run that goes on is not there any more.
fn deleted(context: &LookingContext<'_>, error: &Error) -> Error {
    let text = format!("run: session {} was deleted while the prompt ran", context.session);
    let said = Error::new(error.kind(), text).with_code(error.code().map(str::to_owned));
    error.status().map_or(said.clone(), |status| said.with_status(status)).with_sent(true)
}
