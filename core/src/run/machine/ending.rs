//! [`Ending`]: the ways out of a run: what it means when its session rests, its end from this side, and what the reply
//! still needs.

mod gathering;
mod judge;
mod leftovers;
mod rest_clock;
mod words;

use super::{Millis, RequestKind};
use crate::base::error::{Error, Result};
use crate::run::prompt::Prompt;
use crate::run::wire::{Failure, Request, Response, StoredMessage, ToolUse, is_absent, is_foreign};
use gathering::Gathering;
pub(super) use judge::{Outage, Rest};
use leftovers::Leftovers;
use rest_clock::RestClock;
use serde_json::value::RawValue;
use std::sync::Arc;

/// A cancel that the server does not settle within this time ends anyway. Each look that shows the session at rest after
/// the abort begins it anew: over a slow line so many looks as it takes to believe that are longer than this.
pub(super) const SETTLE_LIMIT: Millis = 10_000;
/// What such looks may take in all.
const LONGEST_SETTLE: Millis = 3 * SETTLE_LIMIT;
/// The pause between two aborts.
const ABORT_PAUSE: Millis = 1_000;
/// An error that is older than this when the session becomes idle is not what ended it.
const CAUSE_AGE: Millis = 5_000;

/// How a run comes to its end.
#[derive(Default)]
pub(super) struct Ending {
    /// The end from this side.
    cancel: Option<Cancel>,
    last_error: Option<ServerError>,
    place: DirectoryState,
    instance: InstanceState,
    /// The server disposed the instance that the prompt ran in.
    is_disposed: bool,
    /// How long the session rests.
    rest_clock: RestClock,
    /// Whether a silent run was looked into.
    has_checked_names: bool,
    gathering: Option<Gathering>,
}

/// Why a run is being ended from this side.
struct Cancel {
    error: Error,
    since: Millis,
    /// When a look last showed the session at rest after the abort, while that was not believed yet.
    rested: Option<Millis>,
    /// When the last abort was answered.
    aborted: Option<Millis>,
    is_aborting: bool,
    /// An abort was sent, and it is not known whether it arrived.
    may_be_aborted: bool,
    leftovers: Leftovers,
}

impl Cancel {
    /// When it ends although the server did not settle it.
    fn settle_end(&self) -> Millis {
        let begun = self.rested.unwrap_or(self.since);
        (begun + SETTLE_LIMIT).min(self.since + LONGEST_SETTLE)
    }

    /// Notes a look that shows the session at rest.
    fn rests(&mut self, context: &EndingContext<'_>) {
        if self.aborted.is_some_and(|at| context.looked >= at) {
            self.rested = Some(context.now);
        }
    }
}

/// What the events say went wrong.
struct ServerError {
    failure: Failure,
    at: Millis,
    /// The server had this run's prompt by then. If not, it may be that of the prompt before.
    is_own: bool,
    /// The run was at work after it.
    was_followed: bool,
}

impl ServerError {
    fn new(failure: Failure, at: Millis, is_own: bool) -> Self {
        ServerError { failure, at, is_own, was_followed: false }
    }

    /// Whether it may have ended what rests since this time. Of a server that is slow it may have come long before,
    /// with nothing in between.
    fn may_end(&self, since: Millis, outage: Outage) -> bool {
        let is_recent = since <= self.at.saturating_add(CAUSE_AGE);
        is_recent || (!self.was_followed && outage == Outage::None)
    }
}

/// Whether the session's directory is there, once something stopped without a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum DirectoryState {
    #[default]
    Unknown,
    Asked,
    There,
    Gone,
}

/// Since when the server works in the session's directory, once the prompt was aborted there.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
enum InstanceState {
    #[default]
    Unknown,
    Asked,
    /// By the server's clock, when it says so.
    Begun(Option<f64>),
}

/// What it is told.
pub(super) enum EndingInput<'a> {
    /// The run is to be ended from this side, while these uses of tools wait for a permission.
    Cancel {
        error: Error,
        waiting: Vec<String>,
    },
    /// What the server said to the abort.
    Aborted(Result<Response>),
    /// The server told of an error; whether it had this run's prompt by then.
    Failed {
        failure: Failure,
        is_own: bool,
    },
    /// The session came to rest without an answer, and with this outcome.
    RestedWith(Failure),
    /// The server ended everything in the session's directory.
    Disposed,
    /// Whether the session's directory is there.
    Place(Result<Response>),
    /// Since when the server works there.
    Instance(Result<Response>),
    /// The session works, or something of the run began or ended.
    Worked,
    /// These subagents work, as a look says.
    BusyChildren(Vec<String>),
    /// A tool of a subagent in its newest form.
    ChildTool(&'a ToolUse),
    /// A command of whomever has ended.
    CommandEnded(String),
    /// Agent and model could not be looked up.
    NamesUnchecked,
    /// The session rests, and its messages are known back to the run's own prompt.
    Rest(&'a Rest<'a>),
    /// The session works; whether for somebody else.
    Busy {
        for_others: bool,
    },
    /// The outcome is known.
    Conclude(Error),
    /// Something that the reply needs came, or will not.
    Gathered(Result<Response>),
    /// What the server said to the request to take back what it would begin again.
    Withdrawn(Result<Response>),
    /// What did not come is to be asked for once more.
    AskAgain,
    Time,
}

/// What the run is at that moment.
pub(super) struct EndingContext<'a> {
    pub now: Millis,
    /// When the look began that is judged.
    pub looked: Millis,
    pub session: &'a str,
    pub message_id: &'a str,
    pub prompt: &'a Prompt,
    pub directory: Option<&'a String>,
    /// The sessions of its subagents.
    pub children: &'a [String],
    /// Its messages, as they were read last.
    pub messages: &'a [StoredMessage],
    /// Whether the server has not confirmed yet that what was open at the end is rejected.
    pub is_rejecting: bool,
    /// Whether the session is summarized, and no prompt was sent.
    pub is_compaction: bool,
}

/// What it wants.
pub(super) enum EndingEffect {
    Ask(RequestKind, Request),
    /// The abort was answered: nobody will answer what is open any more.
    RejectOpen,
    /// A look at once.
    Look,
    /// The look that brought this is over; the next comes in its time.
    EndLook,
    /// The next look comes within this time.
    LookWithin(Millis),
    /// Whether agent and model are known.
    CheckNames,
    /// Whether the server still has the prompt.
    FindPrompt,
    /// The outcome is known, and the reply is gathered.
    Gather,
    /// What did not come is asked for once more at this time.
    RetryAt(Millis),
    /// The changed files.
    Files(Arc<RawValue>),
    /// The server did not confirm the end.
    Unsettled(Error),
    Over(Option<Error>),
}

impl Ending {
    pub(super) fn step(
        &mut self,
        input: EndingInput<'_>,
        context: &EndingContext<'_>,
    ) -> Vec<EndingEffect> {
        let mut out = Vec::new();
        match input {
            EndingInput::Cancel { error, waiting } => {
                let leftovers = Leftovers::beside(waiting);
                self.cancel = Some(Cancel {
                    error,
                    since: context.now,
                    rested: None,
                    aborted: None,
                    is_aborting: false,
                    may_be_aborted: false,
                    leftovers,
                });
            }
            EndingInput::Aborted(result) => self.aborted(result, context, &mut out),
            EndingInput::Failed { failure, is_own } => self.failed(failure, is_own, context.now),
            EndingInput::RestedWith(failure) => {
                // An event may have told the reason.
                let told = ServerError::new(failure, context.now, true);
                self.last_error.get_or_insert(told).is_own = true;
            }
            EndingInput::Disposed => self.is_disposed = true,
            EndingInput::Place(result) => {
                let is_gone = matches!(result, Ok(Response::Place { is_gone: true }));
                self.place = if is_gone { DirectoryState::Gone } else { DirectoryState::There };
            }
            EndingInput::Instance(result) => {
                self.instance = InstanceState::Begun(match result {
                    Ok(Response::Instance { begun }) => begun,
                    _ => None,
                });
            }
            EndingInput::Worked => {
                self.rest_clock.begin_anew();
                if let Some(last) = &mut self.last_error {
                    last.was_followed = true;
                }
            }
            EndingInput::BusyChildren(children) => {
                if let Some(cancel) = &mut self.cancel {
                    cancel.leftovers.busy(children);
                }
            }
            EndingInput::ChildTool(tool) => {
                if let Some(cancel) = &mut self.cancel {
                    cancel.leftovers.child_tool(tool);
                }
            }
            EndingInput::CommandEnded(id) => {
                if let Some(cancel) = &mut self.cancel {
                    cancel.leftovers.command_ended(id);
                }
            }
            EndingInput::NamesUnchecked => self.has_checked_names = false,
            EndingInput::Rest(rest) => {
                self.rest_clock.look(context.now);
                self.judge(rest, context, &mut out);
            }
            EndingInput::Busy { for_others } => self.judge_busy(for_others, context, &mut out),
            EndingInput::Conclude(error) => self.conclude(Some(error), context, &mut out),
            EndingInput::Gathered(result) => self.gathered(result, context, &mut out),
            EndingInput::Withdrawn(result) => self.withdrawn(result, context, &mut out),
            EndingInput::AskAgain => self.ask_again(context, &mut out),
            EndingInput::Time => self.time(context, &mut out),
        }
        out
    }

    /// Why the run is being ended from this side.
    pub(super) fn error(&self) -> Option<&Error> {
        self.cancel.as_ref().map(|cancel| &cancel.error)
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancel.is_some()
    }

    /// Whether an abort was answered.
    pub(super) fn is_aborted(&self) -> bool {
        self.cancel.as_ref().is_some_and(|cancel| cancel.aborted.is_some())
    }

    /// What is waited for.
    pub(super) fn reason(&self) -> Option<String> {
        let cancel = self.cancel.as_ref()?;
        Some(format!("ending the run: {}{}", cancel.error, cancel.leftovers.reason()))
    }

    /// When it wants to be told the time.
    pub(super) fn wake_at(&self) -> Option<Millis> {
        match (&self.gathering, &self.cancel) {
            (Some(gathering), _) => Some(gathering.end()),
            (None, Some(cancel)) => Some(cancel.settle_end()),
            (None, None) => None,
        }
    }

    /// The files that were changed, once they are known.
    pub(super) fn files(&self) -> Option<&Arc<RawValue>> {
        self.gathering.as_ref().and_then(Gathering::files)
    }

    fn time(&mut self, context: &EndingContext<'_>, out: &mut Vec<EndingEffect>) {
        if self.wake_at().is_none_or(|at| context.now < at) {
            return;
        }
        if self.gathering.is_some() {
            return self.finish(context, out);
        }
        if let Some(cancel) = &self.cancel {
            let limit = cancel.settle_end() - cancel.since;
            let words = format!("the server did not confirm the end within {limit} ms");
            out.push(EndingEffect::Unsettled(cancel.error.clone().and(&words)));
        }
    }

    fn abort(&mut self, session: &str, message: &str, out: &mut Vec<EndingEffect>) {
        if let Some(cancel) = &mut self.cancel {
            cancel.is_aborting = true;
        }
        let (session, message) = (session.to_owned(), Some(message.to_owned()));
        out.push(EndingEffect::Ask(RequestKind::Abort, Request::Abort { session, message }));
    }

    fn aborted(
        &mut self,
        result: Result<Response>,
        context: &EndingContext<'_>,
        out: &mut Vec<EndingEffect>,
    ) {
        if let (Ok(Response::Withdrawn), Some(cancel)) = (&result, &self.cancel) {
            let error = cancel.error.clone();
            return self.conclude(Some(error), context, out);
        }
        if let Some(cancel) = &mut self.cancel {
            cancel.is_aborting = false;
            if result.as_ref().is_err_and(is_foreign) {
                cancel.may_be_aborted = true;
                // It is sent again when a look says that the session works, or does not say why it rests.
                return out.push(EndingEffect::Look);
            }
            if result.as_ref().err().is_none_or(Error::is_sent) {
                cancel.aborted = Some(context.now);
                self.rest_clock.begin_anew();
            }
        }
        match result {
            Err(error) if is_absent(&error) => out.push(EndingEffect::Over(Some(error))),
            _ => out.extend([EndingEffect::RejectOpen, EndingEffect::Look]),
        }
    }

    /// The server told of an error.
    fn failed(&mut self, failure: Failure, is_own: bool, now: Millis) {
        // The first one is the cause, and the one without a stack trace.
        let is_news = |known: &ServerError| {
            let is_old = now > known.at.saturating_add(CAUSE_AGE) && known.was_followed;
            (is_own && !known.is_own) || is_old
        };
        if self.last_error.as_ref().is_none_or(is_news) {
            self.last_error = Some(ServerError::new(failure, now, is_own));
            self.rest_clock.begin_anew();
        }
    }

    /// Whether something of the run may still be at work although its session rests. Aborts what can be.
    fn has_leftovers(&mut self, context: &EndingContext<'_>, out: &mut Vec<EndingEffect>) -> bool {
        let Some(cancel) = &mut self.cancel else { return false };
        let tools = context.messages.iter().flat_map(|m| &m.parts).filter_map(|part| part.tool());
        let (is_left, aborts) = cancel.leftovers.look(tools, cancel.aborted, context);
        out.extend(aborts.into_iter().map(|session| {
            EndingEffect::Ask(RequestKind::AbortChild, Request::Abort { session, message: None })
        }));
        is_left
    }
}
