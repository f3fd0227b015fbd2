//! Why the server stopped before there was an answer: in its own words, where it has any.

use super::*;
use crate::base::error::is_locked;
use crate::run::wire::ToolFailure;

/// The message itself may still be written, with the same error and more: its own is taken first.
const CAUSE_PAUSE: Millis = 500;
/// An error that is older than this when the session becomes idle is not what ended it.
const CAUSE_AGE: Millis = 5_000;
/// The pause between looks at a session that seems to have stopped.
const LOOK_PAUSE: Millis = 300;

/// What the events say went wrong.
#[derive(Debug)]
pub(super) struct ServerError {
    pub failure: Failure,
    pub at: Millis,
    /// The server had this run's prompt by then. If not, it may be the echo of the prompt before.
    pub is_own: bool,
}

/// Whether the session's directory is there, once something stopped without a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Unknown,
    Asked,
    There,
    Gone,
}

impl Machine {
    /// The server told of an error.
    pub(super) fn on_trouble(&mut self, failure: Failure) {
        let is_own = self.user_seen || !self.assistants.is_empty();
        // The first one is the cause, and the one without a stack trace.
        let is_news = |known: &ServerError| {
            (is_own && !known.is_own) || self.now > known.at.saturating_add(CAUSE_AGE)
        };
        if self.last_error.as_ref().is_none_or(is_news) {
            self.last_error = Some(ServerError { failure, at: self.now, is_own });
        }
    }

    /// Whether the server would have done nothing more after this answer.
    pub(super) fn is_end(&self, info: &Info) -> bool {
        if info.error.is_some() || info.structured.is_some() {
            true
        } else if info.calls_tools() {
            // The next step follows, unless a person refused the tool.
            self.was_refused(&info.id)
        } else {
            // Without a reason it is what an abort leaves behind while the provider is being retried.
            info.finish.is_some()
        }
    }

    /// Whether somebody refused what a tool of this answer asked for: that ends the agent's turn.
    fn was_refused(&self, message: &str) -> bool {
        let is_known = self
            .decisions
            .iter()
            .any(|decision| decision.reply == "reject" && self.is_mine(&decision.session_id));
        let parts = self.messages.iter().filter(|m| m.info.id == message).flat_map(|m| &m.parts);
        parts.filter_map(|part| part.tool()?.failure).any(|failure| match failure {
            ToolFailure::Refused => true,
            ToolFailure::RefusedWithWords => false,
            ToolFailure::Aborted | ToolFailure::Other => is_known,
        })
    }

    /// The session is idle, and its newest answer is no end.
    pub(super) fn judge_stopped(&mut self, info: &Info) {
        let since = *self.idle_since.get_or_insert(self.now);
        let is_dead = self.now >= since + DEAD_AFTER;
        if let Some(error) = self.cause(since, is_dead) {
            return self.conclude(Some(error));
        }
        if is_dead {
            return self.judge_dead(Some(info));
        }
        self.look_soon();
    }

    /// The session was busy with the prompt, and is idle for so long that nothing comes any more. `info` is the
    /// newest answer; there is none when the server ended before it had begun one.
    pub(super) fn judge_dead(&mut self, info: Option<&Info>) {
        if !self.is_disposed && self.place == Place::Unknown {
            self.ask_place();
        }
        if self.place == Place::Asked {
            return self.look_soon();
        }
        self.conclude(Some(self.stopped(info)));
    }

    fn look_soon(&mut self) {
        self.end_check();
        self.next_check = self.next_check.min(self.now + LOOK_PAUSE);
    }

    /// What the server said of the end, which it may do after it.
    fn cause(&self, since: Millis, is_dead: bool) -> Option<Error> {
        let last = self.last_error.as_ref().filter(|last| last.is_own)?;
        let is_due = is_dead || (!last.failure.is_abort && self.now >= since + CAUSE_PAUSE);
        let is_recent = since <= last.at.saturating_add(CAUSE_AGE);
        (is_due && is_recent).then(|| self.told(&last.failure))
    }

    /// An error of the run in the server's words.
    pub(super) fn told(&self, failure: &Failure) -> Error {
        let Failure { code, words, .. } = failure;
        if failure.is_abort {
            return self.aborted(code);
        }
        let gone = self.directory.as_ref().filter(|directory| {
            words.contains(directory.as_str())
                && ["NotFound", "ENOENT", "no such file"].iter().any(|name| words.contains(name))
        });
        let error = match gone {
            Some(directory) => Error::new(
                ErrorKind::NotFound,
                format!("run: {code}: {words}; the session's directory {directory} is gone"),
            ),
            None => Error::new(ErrorKind::Agent, format!("run: {code}: {words}")),
        };
        error.with_code(Some(code.clone())).with_retryable(is_locked(words)).with_sent(true)
    }

    /// The prompt was aborted, and not by this run.
    pub(super) fn aborted(&self, code: &str) -> Error {
        let error = if self.is_disposed {
            Error::new(ErrorKind::Interrupted, self.disposed()).with_retryable(true)
        } else {
            Error::new(ErrorKind::Cancelled, "run: the prompt was aborted on the server")
        };
        error.with_code(Some(code.to_owned())).with_sent(true)
    }

    fn disposed(&self) -> String {
        let directory = self.directory.as_deref().unwrap_or_default();
        format!(
            "run: the server ended everything in {directory} before the prompt was answered: its configuration was changed, or somebody disposed the instance; send it again"
        )
    }

    fn stopped(&self, info: Option<&Info>) -> Error {
        let directory = self.directory.as_deref().unwrap_or_default();
        if self.place == Place::Gone {
            let text = format!(
                "run: the server stopped working on the prompt before it was answered: it cannot read the session's directory {directory}; it was moved or deleted"
            );
            return Error::new(ErrorKind::NotFound, text).with_sent(true);
        }
        let text = if self.is_disposed {
            self.disposed()
        } else if info.is_some_and(|info| info.is_completed() && info.finish.is_none()) {
            "run: the server ended the prompt without an answer; send it again".to_owned()
        } else {
            "run: the server stopped working on the prompt before it was answered: it was killed, restarted or disposed; send it again".to_owned()
        };
        Error::new(ErrorKind::Interrupted, text).with_retryable(true).with_sent(true)
    }

    /// Without the event that says so, a directory that is gone looks like a server that was killed.
    fn ask_place(&mut self) {
        let Some(directory) = &self.directory else {
            self.place = Place::There;
            return;
        };
        let request = Request::Place { directory: directory.clone() };
        self.place = Place::Asked;
        self.ask(RequestKind::Place, request);
    }

    pub(super) fn on_place(&mut self, result: &Result<Response>) {
        let is_gone = matches!(result, Ok(Response::Place { is_gone: true }));
        self.place = if is_gone { Place::Gone } else { Place::There };
        if self.phase == Phase::Running {
            self.check_now();
        }
    }

    /// An instance of the server was disposed: that of the run's directory?
    pub(super) fn on_disposed(&mut self, directory: Option<String>) {
        if directory.is_none() || directory == self.directory {
            self.is_disposed |= self.sent.is_some();
            if self.phase == Phase::Running {
                self.check_now();
            }
        }
    }
}
