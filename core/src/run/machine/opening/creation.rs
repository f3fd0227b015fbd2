//! Making a session, which may take minutes: the server fetches catalogues and starts what the project configures.

use super::{Millis, OpeningEffect, RequestKind};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::option_names::PROMPT;
use crate::run::clock::millis;
use crate::run::wire::{Request, Response};
use std::time::Duration;

/// How often a server that makes a session is asked whether it lives, and `why` is told anew.
const LOOK_PAUSE: Millis = 5_000;
/// No session takes longer, unless the host says so.
const LIMIT: Millis = 600_000;
/// The pause between looks for a session whose creation was not confirmed.
const FIND_PAUSE: Millis = 500;

/// What is known of the session that is being made.
#[derive(Debug)]
pub(super) struct Creation {
    limit: Millis,
    /// When the first one was asked for.
    began: Option<Millis>,
    /// Since when a request for it is under way.
    since: Option<Millis>,
    /// When the server is to be asked whether it lives.
    look_at: Option<Millis>,
    /// The answer was lost: until then the session is looked for, and no other is made.
    find_until: Option<Millis>,
}

impl Creation {
    pub(super) fn new(limit: Option<Duration>) -> Self {
        let limit = limit.map_or(LIMIT, millis);
        Creation { limit, began: None, since: None, look_at: None, find_until: None }
    }

    /// Whether the server was asked whether it lives, and has not answered.
    pub(super) fn awaits_health(&self) -> bool {
        self.since.is_some() && self.look_at.is_none()
    }

    pub(super) fn is_lost(&self) -> bool {
        self.find_until.is_some()
    }

    /// A session is asked for.
    pub(super) fn begin(&mut self, now: Millis) {
        self.began.get_or_insert(now);
        self.since = Some(now);
        self.look_at = Some(now + LOOK_PAUSE);
    }

    /// The answer came, or never will. When the connection broke the server may go on, so the session may come as
    /// much later as it took until then.
    pub(super) fn on_answer(&mut self, error: Option<&Error>, now: Millis) {
        self.look_at = None;
        if let Some(since) = self.since.take()
            && error.is_some_and(|error| error.is_transient() && error.is_sent())
        {
            self.find_until = Some(now + (now - since));
        }
    }

    /// The session may have been made although the server says otherwise: it is looked for before another is made.
    pub(super) fn find_first(&mut self, now: Millis) {
        self.find_until = Some(now);
    }

    /// The session is not there: when it is looked for again. `None` when another is to be made.
    pub(super) fn find_again_at(&mut self, now: Millis) -> Option<Millis> {
        match self.find_until {
            Some(until) if now < until => Some(now + FIND_PAUSE),
            _ => {
                self.find_until = None;
                None
            }
        }
    }

    pub(super) fn on_health(
        &mut self,
        result: Result<Response>,
        now: Millis,
        out: &mut Vec<OpeningEffect>,
    ) {
        if self.since.is_none() {
            return;
        }
        match result {
            Err(error) if error.is_transient() => out.push(OpeningEffect::HealthFailed(error)),
            // Whatever it says, it is alive.
            _ => {
                self.look_at = Some(now + LOOK_PAUSE);
                out.push(OpeningEffect::Reachable);
            }
        }
    }

    pub(super) fn ask_health_at(&mut self, at: Millis) {
        self.look_at = Some(at);
    }

    /// When something is due while the session is made.
    pub(super) fn wake_at(&self) -> Option<Millis> {
        [self.look_at, self.end()].into_iter().flatten().min()
    }

    fn end(&self) -> Option<Millis> {
        Some(self.began?.saturating_add(self.limit))
    }

    /// What time does to a session that is being made; whether the run is over by it.
    pub(super) fn on_time(&mut self, now: Millis, out: &mut Vec<OpeningEffect>) -> bool {
        if self.end().is_some_and(|at| now >= at) {
            let text = format!(
                "run: the server made no session within {} ms; it may be fetching catalogues or starting MCP servers, and its log says more; raise {}, or send it again",
                self.limit,
                PROMPT.shown("start_timeout_ms")
            );
            let error = Error::new(ErrorKind::NeverStarted, text).with_retryable(true);
            out.push(OpeningEffect::Over(error));
            return true;
        }
        if self.look_at.is_some_and(|at| now >= at) {
            self.look_at = None;
            out.push(OpeningEffect::Ask(RequestKind::Health, Request::Health));
        }
        false
    }

    /// What is waited for, and for how long, in steps of the looks.
    pub(super) fn reason(&self, now: Millis) -> String {
        let waited = self.since.map_or(0, |since| now - since) / LOOK_PAUSE;
        if self.is_lost() {
            "looking for the session whose creation was not confirmed".to_owned()
        } else if waited > 0 {
            let seconds = waited * LOOK_PAUSE / 1_000;
            format!("waiting for the server to make the session, for {seconds} s")
        } else {
            "opening the session".to_owned()
        }
    }
}
