//! [`Opening`]: a session, a turn in it, and a look at it before the prompt is sent.

mod creation;
mod names;

use super::{Millis, RequestKind};
use crate::base::error::{Error, ErrorKind, Result};
use crate::protocol::id;
use crate::protocol::operation::route::refuse_misread;
use crate::run::prompt::{Prompt, WhenBusy};
use crate::run::wire::{DirectorySnapshot, Request, Response, Session, Status, is_foreign};
use creation::Creation;
use names::NameCheck;
use std::sync::Arc;

/// How long a run waits for the event stream before it goes on without.
const STREAM_PATIENCE: Millis = 3_000;
/// The pause before a session is asked for once more.
const AGAIN_PAUSE: Millis = 500;
/// The pauses between looks at a session that is busy with somebody else's prompt.
const BUSY_PAUSE: Millis = 100;
const MAX_BUSY_PAUSE: Millis = 1_000;

/// All that comes before the send.
pub(super) struct Opening {
    prompt: Arc<Prompt>,
    /// Whether the prompt was sent by another process, and is picked up.
    is_resumed: bool,
    began: Millis,
    stage: Stage,
    session: Option<String>,
    directory: Option<String>,
    /// The mark of a session that this run makes.
    mark: String,
    creation: Creation,
    is_new_session: bool,
    /// Whether the session was asked for once more, after an error of the server.
    has_opened_again: bool,
    /// Whether it is this run's turn in its session.
    has_turn: bool,
    /// Whether the stream was given up for the start.
    goes_without_stream: bool,
    /// When the snapshot before the send was asked for.
    snapshot_asked: Option<Millis>,
    /// Whether the session was busy then, and the pause before the next look.
    is_busy: bool,
    busy_pause: Millis,
    /// Newest message before the send: everything after it is the run's or somebody else's.
    last_before_send: Option<String>,
    /// Whether that is known.
    has_looked: bool,
    name_check: NameCheck,
    /// The next time a request that failed is repeated.
    retry_at: Option<Millis>,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Getting a session.
    Session,
    /// Waiting for its turn among the runs of this client.
    Turn,
    /// Looking at the session.
    Look,
    Done,
}

/// What it is told.
pub(super) enum Input<'a> {
    Start,
    /// What the server said to a request for the session.
    Opened(RequestKind, Result<Response>),
    /// Whether the server that makes the session is alive.
    Health(Result<Response>),
    /// When to ask that again.
    HealthAt(Millis),
    Turn,
    /// The host leaves: what only serves to listen is left out.
    Leave,
    StreamUp,
    /// The session seems to have come to rest.
    TurnEnded,
    Snapshot(&'a DirectorySnapshot),
    /// What the server said to a question before the send.
    Prepared(RequestKind, Result<Response>),
    /// Agent and model are to be looked up, of a run that was sent and is silent.
    CheckNames,
    /// What the server said to that.
    Names(RequestKind, Result<Response>),
    /// What failed is to be repeated at this time.
    RetryAt(Millis),
    Time,
}

/// What the run is at that moment.
pub(super) struct Around {
    pub now: Millis,
    pub is_stream_up: bool,
}

/// What it wants.
pub(super) enum Effect {
    Ask(RequestKind, Request),
    TakeSnapshot,
    Track(String),
    Queue(String),
    /// The prompt was sent by another process: is it there?
    FindPrompt,
    Send,
    Reachable,
    Unreachable(Error),
    /// The server that makes the session does not say that it is alive.
    HealthFailed(Error),
    /// The name of agent or model is wrong.
    WrongName(Error),
    /// Agent and model could not be looked up.
    NamesUnchecked,
    Over(Error),
}

impl Opening {
    pub(super) fn new(
        prompt: Arc<Prompt>,
        is_resumed: bool,
        events: bool,
        directory: Option<String>,
        now: Millis,
    ) -> Self {
        Opening {
            is_resumed,
            began: now,
            stage: Stage::Session,
            session: prompt.session.clone(),
            directory,
            mark: id::new("run"),
            creation: Creation::new(prompt.limits.start_timeout),
            is_new_session: false,
            has_opened_again: false,
            has_turn: false,
            goes_without_stream: !events,
            snapshot_asked: None,
            is_busy: false,
            busy_pause: BUSY_PAUSE,
            last_before_send: None,
            has_looked: false,
            name_check: NameCheck::Agent,
            retry_at: None,
            prompt,
        }
    }

    pub(super) fn step(&mut self, input: Input<'_>, around: &Around) -> Vec<Effect> {
        let mut out = Vec::new();
        match input {
            Input::Start => {
                if let Some(session) = self.session.clone().filter(|_| !self.is_resumed) {
                    // Before any request: answers come in any order, and calls have one.
                    out.push(Effect::Queue(session));
                }
                self.open(around, &mut out);
            }
            Input::Opened(kind, result) => self.on_opened(kind, result, around, &mut out),
            Input::Health(result) => self.creation.on_health(result, around.now, &mut out),
            Input::HealthAt(at) => self.creation.ask_health_at(at),
            Input::Turn => self.on_turn(around, &mut out),
            Input::Leave => {
                self.goes_without_stream = true;
                self.name_check = NameCheck::Known;
                self.prepared(around, &mut out);
            }
            Input::StreamUp => self.prepared(around, &mut out),
            Input::TurnEnded => {
                if self.stage == Stage::Look && self.retry_at.is_some() {
                    self.retry_at = Some(around.now);
                }
            }
            Input::Snapshot(snapshot) => self.on_snapshot(snapshot, around, &mut out),
            Input::Prepared(kind, result) => self.on_prepared(&kind, result, around, &mut out),
            Input::CheckNames => {
                self.ask_names(&mut out);
            }
            Input::Names(kind, result) => self.on_names(&kind, result, &mut out),
            Input::RetryAt(at) => self.retry_at = Some(at),
            Input::Time => self.on_time(around, &mut out),
        }
        out
    }

    /// The session, once known.
    pub(super) fn session(&self) -> Option<&String> {
        self.session.as_ref()
    }

    /// The directory of the session, or the one that was asked for.
    pub(super) fn directory(&self) -> Option<&String> {
        self.directory.as_ref()
    }

    /// The newest message before the send.
    pub(super) fn last_before_send(&self) -> Option<&String> {
        self.last_before_send.as_ref()
    }

    /// Whether the snapshot before the send is waited for.
    pub(super) fn looks(&self) -> bool {
        self.stage == Stage::Look
    }

    /// Whether something that only reads is under way.
    pub(super) fn is_reading(&self) -> bool {
        match self.stage {
            Stage::Session if self.creation.awaits_health() => true,
            Stage::Session => self.session.is_some() && self.retry_at.is_none(),
            Stage::Look => !self.has_looked && self.retry_at.is_none(),
            Stage::Turn | Stage::Done => false,
        }
    }

    /// What is waited for.
    pub(super) fn reason(&self, now: Millis) -> String {
        match self.stage {
            Stage::Session => self.creation.reason(now),
            Stage::Turn if !self.is_new_session => {
                "waiting for its turn: another prompt of this client runs in the session".to_owned()
            }
            Stage::Look if self.is_busy => {
                "waiting for its turn: the session is busy with somebody else's prompt".to_owned()
            }
            // Nobody else is in a session that was just made.
            Stage::Turn | Stage::Look | Stage::Done => "preparing to send".to_owned(),
        }
    }

    /// When it wants to be told the time.
    pub(super) fn wake_at(&self, is_stream_up: bool) -> Option<Millis> {
        if self.stage == Stage::Done {
            return None;
        }
        // The end of time for never: what the compiler makes of a list of options reads what is not there, which
        // valgrind tells the users of a program that it looks into.
        let mut at = self.retry_at.unwrap_or(Millis::MAX);
        if self.waits_for_stream(is_stream_up) {
            at = at.min(self.began + STREAM_PATIENCE);
        }
        if self.stage == Stage::Session {
            at = at.min(self.creation.wake_at().unwrap_or(Millis::MAX));
        }
        (at < Millis::MAX).then_some(at)
    }

    fn waits_for_stream(&self, is_stream_up: bool) -> bool {
        matches!(self.stage, Stage::Session | Stage::Look)
            && !self.goes_without_stream
            && !is_stream_up
    }

    fn on_time(&mut self, around: &Around, out: &mut Vec<Effect>) {
        if self.stage == Stage::Session && self.creation.on_time(around.now, out) {
            return;
        }
        if self.retry_at.is_some_and(|at| around.now >= at) {
            self.retry_at = None;
            match self.stage {
                Stage::Session => self.open(around, out),
                Stage::Look => self.prepare(around, out),
                Stage::Turn | Stage::Done => {}
            }
        }
        if self.waits_for_stream(around.is_stream_up) && around.now >= self.began + STREAM_PATIENCE
        {
            self.goes_without_stream = true;
            self.prepared(around, out);
        }
    }

    /// Asks for the session: an existing one, or a new one.
    fn open(&mut self, around: &Around, out: &mut Vec<Effect>) {
        let (mark, directory) = (self.mark.clone(), self.directory.clone());
        let (kind, request) = match self.session.clone() {
            Some(session) => (RequestKind::Session, Request::Session { session }),
            None if self.creation.is_lost() => {
                (RequestKind::FindCreated, Request::FindCreated { mark, directory })
            }
            None => {
                self.creation.begin(around.now);
                let title = self.prompt.title.clone();
                let prompt = Arc::clone(&self.prompt);
                (RequestKind::Create, Request::Create { mark, title, directory, prompt })
            }
        };
        out.push(Effect::Ask(kind, request));
    }

    fn on_opened(
        &mut self,
        kind: RequestKind,
        result: Result<Response>,
        around: &Around,
        out: &mut Vec<Effect>,
    ) {
        if kind == RequestKind::Create {
            self.creation.on_answer(result.as_ref().err(), around.now);
        }
        match (kind, result) {
            (_, Ok(Response::Found(found))) => {
                out.push(Effect::Reachable);
                match found {
                    Some(session) => self.opened(session, around, out),
                    None => match self.creation.find_again_at(around.now) {
                        Some(at) => self.retry_at = Some(at),
                        None => self.open(around, out),
                    },
                }
            }
            (kind, Ok(Response::Session(session))) => {
                out.push(Effect::Reachable);
                self.is_new_session = kind == RequestKind::Create;
                self.opened(session, around, out);
            }
            (_, Ok(_)) => {}
            (_, Err(error)) if error.is_transient() => out.push(Effect::Unreachable(error)),
            // The run that is picked up goes on, whatever something before the server says.
            (_, Err(error)) if self.is_resumed && is_foreign(&error) => {
                out.push(Effect::Unreachable(error));
            }
            // The first request of a directory may fail while the server prepares it. Once: what fails again is told.
            (kind, Err(error)) if error.status() == Some(500) && !self.has_opened_again => {
                self.has_opened_again = true;
                if kind == RequestKind::Create {
                    self.creation.find_first(around.now);
                }
                self.retry_at = Some(around.now + AGAIN_PAUSE);
            }
            (_, Err(error)) => out.push(Effect::Over(error)),
        }
    }

    fn opened(&mut self, session: Session, around: &Around, out: &mut Vec<Effect>) {
        if let (Some(directory), Some(other)) = (&session.directory, &session.misread)
            && !self.is_resumed
        {
            return out.push(Effect::Over(refuse_misread("run", directory, other)));
        }
        if session.directory.is_some() {
            self.directory = session.directory;
        }
        let is_given = self.session.is_some();
        let Some(id) = session.id.or(self.session.clone()) else { return };
        self.session = Some(id.clone());
        out.push(Effect::Track(id.clone()));
        if self.is_resumed {
            self.stage = Stage::Done;
            out.push(Effect::FindPrompt);
            return;
        }
        self.stage = Stage::Turn;
        if !is_given {
            out.push(Effect::Queue(id));
        } else if self.has_turn {
            self.on_turn(around, out);
        }
    }

    fn on_turn(&mut self, around: &Around, out: &mut Vec<Effect>) {
        self.has_turn = true;
        if self.stage == Stage::Turn {
            self.stage = Stage::Look;
            self.prepare(around, out);
        }
    }

    /// Looks at the session: is it idle, what is listed already, what is its newest message?
    fn prepare(&mut self, around: &Around, out: &mut Vec<Effect>) {
        if self.is_new_session {
            // Nothing can be in a session that was just made.
            self.has_looked = true;
        } else if !self.has_looked {
            self.snapshot_asked = Some(around.now);
            // With the lists: what is open now is not this run's.
            return out.push(Effect::TakeSnapshot);
        }
        self.prepared(around, out);
    }

    /// What the snapshot before the send says.
    fn on_snapshot(
        &mut self,
        snapshot: &DirectorySnapshot,
        around: &Around,
        out: &mut Vec<Effect>,
    ) {
        let Some(session) = self.session.clone().filter(|_| self.looks()) else { return };
        if self.snapshot_asked.is_none_or(|asked| snapshot.started < asked) {
            // Another run's look, taken before this one asked.
            return;
        }
        (self.snapshot_asked, self.retry_at) = (None, None);
        out.push(Effect::Reachable);
        self.is_busy = snapshot.status.get(&session).is_some_and(|s| *s != Status::Idle);
        match self.prompt.when_busy {
            WhenBusy::Refuse if self.is_busy => {
                let text =
                    format!("run: session {session} is busy; wait, or leave when_busy at 'queue'");
                let error = Error::new(ErrorKind::Conflict, text).with_retryable(true);
                out.push(Effect::Over(error));
            }
            WhenBusy::Queue if self.is_busy => {
                self.busy_pause = (self.busy_pause * 3 / 2).clamp(BUSY_PAUSE, MAX_BUSY_PAUSE);
                self.retry_at = Some(around.now + self.busy_pause);
            }
            _ => {
                out.push(Effect::Ask(RequestKind::LastBeforeSend, Request::LastMessage { session }))
            }
        }
    }

    fn on_prepared(
        &mut self,
        kind: &RequestKind,
        result: Result<Response>,
        around: &Around,
        out: &mut Vec<Effect>,
    ) {
        if self.stage != Stage::Look {
            // The stream came up meanwhile, and the prompt went out without an answer to this.
            return;
        }
        let response = match result {
            Ok(response) => response,
            Err(error) if error.is_transient() => return out.push(Effect::Unreachable(error)),
            Err(error) => return out.push(Effect::Over(error)),
        };
        out.push(Effect::Reachable);
        match response {
            Response::LastMessage(newest) => {
                (self.last_before_send, self.has_looked) = (newest, true);
            }
            Response::Name(checked) => {
                self.checked_name(kind);
                if let Err(error) = checked {
                    return out.push(Effect::Over(error));
                }
            }
            _ => {}
        }
        self.prepared(around, out);
    }

    /// Sends, once everything that must be known before is known.
    fn prepared(&mut self, around: &Around, out: &mut Vec<Effect>) {
        if self.stage != Stage::Look || !self.has_looked || self.retry_at.is_some() {
            return;
        }
        if !around.is_stream_up && (!self.goes_without_stream || self.ask_names(out)) {
            return;
        }
        self.stage = Stage::Done;
        out.push(Effect::Send);
    }
}
