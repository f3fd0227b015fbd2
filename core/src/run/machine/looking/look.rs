//! One look at the truth: the status of the session first, then, when it matters, its messages.

use super::{Around, Effect, Looking, Millis, RequestKind};
use crate::base::error::{Error, ErrorKind, Result};
use crate::run::wire::{DirectorySnapshot, Message, Page, Request, Response, Status, is_absent};

/// Messages read at once on the way back to the run's own prompt.
const PAGE: usize = 50;
/// Pages read at most in one look at a session that works.
const BUSY_PAGES: u32 = 8;

/// A look that is under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Check {
    started: Millis,
    /// Whether the server was known to have begun. If not, an idle session may be one that has not begun yet.
    has_begun: bool,
    /// Whether the session was idle, once known.
    is_idle: Option<bool>,
    /// Whether the messages are to be read although the session works.
    needs_messages: bool,
}

impl Check {
    pub(super) fn started(&self) -> Millis {
        self.started
    }
}

impl Looking {
    /// Looks at the truth now, or again when a look is under way: it may have been taken too early.
    pub(super) fn look(&mut self, around: &Around<'_>, out: &mut Vec<Effect>) {
        if self.check.is_some() {
            self.check_again = true;
            return;
        }
        self.check = Some(Check {
            started: around.now,
            has_begun: self.was_busy || !self.answers.is_empty(),
            is_idle: None,
            needs_messages: std::mem::take(&mut self.needs_messages),
        });
        out.push(Effect::TakeSnapshot { with_lists: std::mem::take(&mut self.needs_lists) });
    }

    pub(super) fn look_if_running(&mut self, around: &Around<'_>, out: &mut Vec<Effect>) {
        if around.is_running {
            self.look(around, out);
        }
    }

    /// The next look comes within this time.
    pub(super) fn look_within(&mut self, time: Millis, around: &Around<'_>) {
        self.next_check = self.next_check.min(around.now + time);
    }

    /// Looks at the messages too, although the events seem to tell all.
    pub(super) fn want_messages(&mut self, around: &Around<'_>, out: &mut Vec<Effect>) {
        self.needs_messages = true;
        // A look that does not know the status yet will read them itself.
        if self.check.is_none_or(|check| check.is_idle.is_some()) {
            self.look(around, out);
        }
    }

    pub(super) fn on_snapshot(
        &mut self,
        snapshot: &DirectorySnapshot,
        around: &Around<'_>,
        out: &mut Vec<Effect>,
    ) {
        let status = snapshot.status.get(around.session).cloned().unwrap_or(Status::Idle);
        let Some(check) =
            self.check.filter(|c| c.is_idle.is_none() && snapshot.started >= c.started)
        else {
            return;
        };
        // Whether the look succeeds is known when its messages are read.
        out.push(Effect::Heard);
        if status == Status::Unreadable {
            out.push(Effect::Note(vec!["the status of the session".to_owned()]));
        }
        // Where the status says nothing the messages have to tell whether it is over.
        let is_idle = matches!(status, Status::Idle | Status::Unreadable);
        self.was_busy |= !is_idle;
        if around.is_cancelled {
            out.push(Effect::BusyChildren(self.busy_children(snapshot)));
        }
        self.set_status(status, out);
        let needs_messages = check.needs_messages || std::mem::take(&mut self.needs_messages);
        self.check = Some(Check { is_idle: Some(is_idle), needs_messages, ..check });
        // A busy session needs no look at its messages while events tell about them.
        if !is_idle && around.is_stream_up && !around.is_cancelled && !needs_messages {
            out.push(Effect::Reachable);
            return self.end_check(around, out);
        }
        self.start_collection();
        let limit = if is_idle { (2 + self.answers.len()).min(PAGE) } else { 3 };
        self.ask_messages(limit, None, around, out);
    }

    /// The server cannot write a page down that reaches back to the session's beginning and holds a prompt with
    /// a format. Read one by one, all messages but such a one at the very beginning can be had.
    fn on_unreadable_page(&mut self, around: &Around<'_>, out: &mut Vec<Effect>) -> bool {
        if self.reads_singly {
            return true;
        }
        self.reads_singly = true;
        self.start_collection();
        self.ask_messages(1, None, around, out);
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
        around: &Around<'_>,
        out: &mut Vec<Effect>,
    ) {
        let limit = if self.reads_singly { 1 } else { limit };
        let request = Request::Messages { session: around.session.to_owned(), limit, before };
        out.push(Effect::Ask(RequestKind::Messages(self.collection), request));
    }

    pub(super) fn check_failed(&mut self, error: Error, out: &mut Vec<Effect>) {
        self.needs_messages |= self.check.take().is_some_and(|check| check.needs_messages);
        // A wrong password stays wrong; all else may pass.
        out.push(match error.kind() {
            ErrorKind::Unauthorized | ErrorKind::Forbidden | ErrorKind::Closed => {
                Effect::Over(error)
            }
            _ => Effect::Unreachable(error),
        });
    }

    pub(super) fn on_messages(
        &mut self,
        collection: u32,
        result: Result<Response>,
        around: &Around<'_>,
        out: &mut Vec<Effect>,
    ) {
        let Some(check) = self.check.filter(|_| collection == self.collection) else { return };
        let is_idle = check.is_idle == Some(true);
        let page = match result {
            Ok(Response::Messages(page)) => page,
            Ok(_) => return,
            Err(error) if is_absent(&error) => {
                return out.push(Effect::Over(deleted(around, &error)));
            }
            Err(error) => return self.check_failed(error, out),
        };
        let (mut messages, next) = match page {
            Ok(Page::Read { messages, next, odd }) => {
                out.push(Effect::Note(odd));
                (messages, next)
            }
            Ok(Page::Refused) => {
                if self.on_unreadable_page(around, out) {
                    self.is_stored = true;
                    self.collected_all(check, is_idle, true, around, out);
                }
                return;
            }
            Err(error) => return out.push(Effect::Over(error)),
        };
        out.push(Effect::Reachable);
        messages.append(&mut self.collected);
        self.collected = messages;
        self.pages += 1;
        // To the prompt, when it is to be judged; else only to what is known already.
        let is_start = |m: &Message| {
            m.info.id == around.message_id
                || Some(&m.info.id) == around.last_before_send
                || (!is_idle && self.is_known(&m.info.id))
        };
        let has_start = self.collected.iter().any(is_start);
        if (is_idle || self.pages < BUSY_PAGES) && !has_start && next.is_some() {
            return self.ask_messages(PAGE, next, around, out);
        }
        self.collected_all(check, is_idle, false, around, out);
    }

    /// What was collected is judged. `is_cut`: the prompt itself stands before it and cannot be read.
    fn collected_all(
        &mut self,
        check: Check,
        is_idle: bool,
        is_cut: bool,
        around: &Around<'_>,
        out: &mut Vec<Effect>,
    ) {
        let collected = std::mem::take(&mut self.collected);
        self.absorb(collected, is_idle, is_cut, around, out);
        let has_answers = self.messages.iter().any(|message| message.info.is_assistant());
        if !is_idle {
            out.push(Effect::Busy { for_others: self.works_for_others });
        } else if has_answers && !check.has_begun {
            // It began between the two looks: the status was taken too early to say that it ended.
            self.check_again = true;
            self.end_check(around, out);
        } else {
            out.push(Effect::Rest);
        }
    }

    fn is_known(&self, message: &str) -> bool {
        self.own_prompts.contains(message) || self.is_answer(message)
    }

    /// Ends a look and plans the next.
    pub(super) fn end_check(&mut self, around: &Around<'_>, out: &mut Vec<Effect>) {
        self.check = None;
        if std::mem::take(&mut self.check_again) {
            self.look(around, out);
        } else {
            self.plan_check(around);
        }
    }

    pub(super) fn plan_check(&mut self, around: &Around<'_>) {
        let pause = if around.is_cancelled {
            150
        } else if !around.is_stream_up {
            // Without events the looks are the only news: often at first, rarely in a long run.
            self.interval = (self.interval * 3 / 2).min(2_000);
            self.interval
        } else if self.was_busy && self.status != Some(Status::Idle) {
            // A stream may stall and still look alive: bounds must hold all the same.
            if self.limits.need_looks() { 2_000 } else { 10_000 }
        } else {
            500
        };
        self.next_check = around.now + pause;
    }
}

/// The session of a run that goes on is not there any more.
fn deleted(around: &Around<'_>, error: &Error) -> Error {
    let text = format!("run: session {} was deleted while the prompt ran", around.session);
    let said = Error::new(error.kind(), text).with_code(error.code().map(str::to_owned));
    error.status().map_or(said.clone(), |status| said.with_status(status)).with_sent(true)
}
