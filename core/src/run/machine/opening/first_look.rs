//! The look at a session before the prompt is sent: is it idle, and what is its newest message? Both are asked side by side.

use super::{
    Lists, Millis, Opening, OpeningContext, OpeningEffect, OpeningStage, RequestKind, WhenBusy,
};
use crate::base::error::{Error, ErrorKind, Result};
use crate::run::wire::{DirectorySnapshot, NewestMessage, Request, Response, Status, is_absent};

/// The pauses between looks at a session that is busy with somebody else's prompt.
const BUSY_PAUSE: Millis = 100;
const MAX_BUSY_PAUSE: Millis = 1_000;
/// What was asked longer ago says nothing of the newest message any more.
const FRESH: Millis = 1_000;

/// What such a look has found.
#[derive(Debug, Default)]
pub(super) struct FirstLook {
    /// An answer to an earlier one says nothing any more.
    number: u32,
    /// When the status was asked for, while it is not known.
    asked: Option<Millis>,
    /// The prompt may be sent: the session is idle, or need not be.
    is_free: bool,
    /// Whether the session was busy, and the pause before the next look.
    is_busy: bool,
    pause: Millis,
    /// When the newest message was asked for, and what it is.
    newest_asked: Option<Millis>,
    newest: Option<NewestMessage>,
}

impl FirstLook {
    /// Whether the session is waited for.
    pub(super) fn is_busy(&self) -> bool {
        self.is_busy
    }

    fn forget_newest(&mut self) {
        self.number += 1;
        (self.newest_asked, self.newest) = (None, None);
    }
}

impl Opening {
    /// Begins a look, or begins it anew.
    pub(super) fn look(&mut self, context: &OpeningContext, out: &mut Vec<OpeningEffect>) {
        let look = &mut self.first_look;
        (look.asked, look.is_free) = (Some(context.now), false);
        if look.newest_asked.is_none_or(|asked| context.now > asked + FRESH) {
            look.forget_newest();
        }
        // Without events only lists tell what is open now, and so not this run's.
        let lists = if self.goes_without_stream { Lists::Now } else { Lists::Unread };
        out.push(OpeningEffect::TakeSnapshot { lists });
        if !self.first_look.is_busy {
            self.ask_newest_beside(context, out);
        }
    }

    /// Asks for the newest message beside another request. Not for a summary: whose request is whose is told by what comes
    /// after that message, so it must not be older than the end of what the session did.
    pub(super) fn ask_newest_beside(
        &mut self,
        context: &OpeningContext,
        out: &mut Vec<OpeningEffect>,
    ) {
        if !self.setup.is_compaction && self.first_look.newest_asked.is_none() {
            self.ask_newest(context, out);
        }
    }

    fn ask_newest(&mut self, context: &OpeningContext, out: &mut Vec<OpeningEffect>) {
        let Some(session) = self.session.clone() else { return };
        self.first_look.newest_asked = Some(context.now);
        let kind = RequestKind::LastBeforeSend(self.first_look.number);
        out.push(OpeningEffect::Ask(kind, Request::LastMessage { session }));
    }

    /// What the snapshot before the send says.
    pub(super) fn on_snapshot(
        &mut self,
        snapshot: &DirectorySnapshot,
        context: &OpeningContext,
        out: &mut Vec<OpeningEffect>,
    ) {
        let Some(session) = self.session.clone().filter(|_| self.looks()) else { return };
        if self.first_look.asked.is_none_or(|asked| snapshot.started < asked) {
            // Another run's look, taken before this one asked.
            return;
        }
        (self.first_look.asked, self.retry_at) = (None, None);
        out.push(OpeningEffect::Reachable);
        let look = &mut self.first_look;
        look.is_busy = snapshot.status.get(&session).is_some_and(|s| *s != Status::Idle);
        match self.prompt.when_busy {
            WhenBusy::Refuse if look.is_busy => {
                let text =
                    format!("run: session {session} is busy; wait, or leave when_busy at 'queue'");
                let error = Error::new(ErrorKind::Conflict, text).with_retryable(true);
                out.push(OpeningEffect::Over(error));
            }
            WhenBusy::Queue if look.is_busy => {
                look.pause = (look.pause * 3 / 2).clamp(BUSY_PAUSE, MAX_BUSY_PAUSE);
                self.retry_at = Some(context.now + look.pause);
                look.forget_newest();
            }
            _ => {
                look.is_free = true;
                self.looked(context, out);
            }
        }
    }

    /// What the server said of the newest message, to the look with this number.
    pub(super) fn on_newest(
        &mut self,
        number: u32,
        result: Result<Response>,
        context: &OpeningContext,
        out: &mut Vec<OpeningEffect>,
    ) {
        if number != self.first_look.number || self.stage == OpeningStage::Done {
            return;
        }
        let error = match result {
            Ok(Response::LastMessage(newest)) => {
                out.push(OpeningEffect::Reachable);
                self.first_look.newest = Some(newest);
                return self.looked(context, out);
            }
            Ok(_) => return,
            Err(error) => error,
        };
        self.first_look.newest_asked = None;
        match self.stage {
            OpeningStage::Look if self.is_unasked && is_absent(&error) => {
                // The session itself says best what became of it.
                self.is_unasked = false;
                self.stage = OpeningStage::Session;
                self.open(context, out);
            }
            OpeningStage::Look if error.is_transient() => {
                out.push(OpeningEffect::Unreachable(error));
            }
            OpeningStage::Look => out.push(OpeningEffect::Over(error)),
            // What is wrong says the answer to the request for the session; it is asked again in its turn.
            _ => {}
        }
    }

    /// Goes on, once both are known.
    fn looked(&mut self, context: &OpeningContext, out: &mut Vec<OpeningEffect>) {
        if self.stage != OpeningStage::Look || !self.first_look.is_free {
            return;
        }
        match (self.first_look.newest.take(), self.session.clone()) {
            (Some(NewestMessage { id, is_open: true }), Some(session)) => {
                let kind = RequestKind::LastBeforeSend(self.first_look.number);
                let request = Request::TakeBackOpen { session, newest: id };
                out.push(OpeningEffect::Ask(kind, request));
            }
            (Some(newest), _) => {
                (self.last_before_send, self.has_looked) = (newest.id, true);
                self.prepared(context, out);
            }
            (None, _) if self.first_look.newest_asked.is_none() => self.ask_newest(context, out),
            (None, _) => {}
        }
    }
}
