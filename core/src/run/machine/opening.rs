//! [`Opening`]: a session, a turn in it, and a look at it before the prompt is sent.

mod creation;
mod names;

use super::{Millis, RequestKind};
use crate::base::error::{Error, ErrorKind, Result};
use crate::protocol::directory::refuse_misread;
use crate::protocol::id;
use crate::run::prompt::{Prompt, WhenBusy};
use crate::run::wire::{DirectorySnapshot, Request, Response, SessionFacts, Status, is_foreign};
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
    stage: OpeningStage,
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
    /// Whether the server must be told of the host's tools.
    needs_tools: bool,
    /// The next time a request that failed is repeated.
    retry_at: Option<Millis>,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OpeningStage {
    /// Getting a session.
    Session,
    /// Waiting for its turn among the runs of this client.
    Turn,
    /// Looking at the session.
    Look,
    /// Letting the server know the host's tools.
    Tools,
    Done,
}

/// What it is told.
pub(super) enum OpeningInput<'a> {
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
pub(super) struct OpeningContext {
    pub now: Millis,
    pub is_stream_up: bool,
}

/// What it wants.
pub(super) enum OpeningEffect {
    Ask(RequestKind, Request),
    TakeSnapshot,
    PlaceTools,
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
        needs_tools: bool,
        directory: Option<String>,
        now: Millis,
    ) -> Self {
        Opening {
            is_resumed,
            began: now,
            stage: OpeningStage::Session,
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
            needs_tools,
            retry_at: None,
            prompt,
        }
    }

    pub(super) fn step(
        &mut self,
        input: OpeningInput<'_>,
        context: &OpeningContext,
    ) -> Vec<OpeningEffect> {
        let mut out = Vec::new();
        match input {
            OpeningInput::Start => {
                if let Some(session) = self.session.clone().filter(|_| !self.is_resumed) {
                    // Before any request: answers come in any order, and calls have one.
                    out.push(OpeningEffect::Queue(session));
                }
                self.open(context, &mut out);
            }
            OpeningInput::Opened(kind, result) => self.on_opened(kind, result, context, &mut out),
            OpeningInput::Health(result) => self.creation.on_health(result, context.now, &mut out),
            OpeningInput::HealthAt(at) => self.creation.ask_health_at(at),
            OpeningInput::Turn => self.on_turn(context, &mut out),
            OpeningInput::Leave => {
                self.goes_without_stream = true;
                self.name_check = NameCheck::Known;
                // Who leaves answers no calls.
                self.needs_tools = false;
                if self.stage == OpeningStage::Tools {
                    self.retry_at = None;
                    self.send(&mut out);
                } else {
                    self.prepared(context, &mut out);
                }
            }
            OpeningInput::StreamUp => self.prepared(context, &mut out),
            OpeningInput::TurnEnded => {
                if self.stage == OpeningStage::Look && self.retry_at.is_some() {
                    self.retry_at = Some(context.now);
                }
            }
            OpeningInput::Snapshot(snapshot) => self.on_snapshot(snapshot, context, &mut out),
            OpeningInput::Prepared(kind, result) => {
                self.on_prepared(&kind, result, context, &mut out)
            }
            OpeningInput::CheckNames => {
                self.ask_names(&mut out);
            }
            OpeningInput::Names(kind, result) => self.on_names(&kind, result, &mut out),
            OpeningInput::RetryAt(at) => self.retry_at = Some(at),
            OpeningInput::Time => self.on_time(context, &mut out),
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
        self.stage == OpeningStage::Look
    }

    /// Whether something that only reads is under way.
    pub(super) fn is_reading(&self) -> bool {
        match self.stage {
            OpeningStage::Session if self.creation.awaits_health() => true,
            OpeningStage::Session => self.session.is_some() && self.retry_at.is_none(),
            OpeningStage::Look => !self.has_looked && self.retry_at.is_none(),
            OpeningStage::Turn | OpeningStage::Tools | OpeningStage::Done => false,
        }
    }

    /// What is waited for.
    pub(super) fn reason(&self, now: Millis) -> String {
        match self.stage {
            OpeningStage::Session => self.creation.reason(now),
            OpeningStage::Turn if !self.is_new_session => {
                "waiting for its turn: another prompt of this client runs in the session".to_owned()
            }
            OpeningStage::Look if self.is_busy => {
                "waiting for its turn: the session is busy with somebody else's prompt".to_owned()
            }
            OpeningStage::Tools => {
                "waiting for the server to learn the tools of this program".to_owned()
            }
            // Nobody else is in a session that was just made.
            OpeningStage::Turn | OpeningStage::Look | OpeningStage::Done => {
                "preparing to send".to_owned()
            }
        }
    }

    /// When it wants to be told the time.
    pub(super) fn wake_at(&self, is_stream_up: bool) -> Option<Millis> {
        if self.stage == OpeningStage::Done {
            return None;
        }
        // The end of time for never: what the compiler makes of a list of options reads what is not there, which
        // valgrind tells the users of a program that it looks into.
        let mut at = self.retry_at.unwrap_or(Millis::MAX);
        if self.waits_for_stream(is_stream_up) {
            at = at.min(self.began + STREAM_PATIENCE);
        }
        if self.stage == OpeningStage::Session {
            at = at.min(self.creation.wake_at().unwrap_or(Millis::MAX));
        }
        (at < Millis::MAX).then_some(at)
    }

    fn waits_for_stream(&self, is_stream_up: bool) -> bool {
        matches!(self.stage, OpeningStage::Session | OpeningStage::Look)
            && !self.goes_without_stream
            && !is_stream_up
    }

    fn on_time(&mut self, context: &OpeningContext, out: &mut Vec<OpeningEffect>) {
        if self.stage == OpeningStage::Session && self.creation.on_time(context.now, out) {
            return;
        }
        if self.retry_at.is_some_and(|at| context.now >= at) {
            self.retry_at = None;
            match self.stage {
                OpeningStage::Session => self.open(context, out),
                OpeningStage::Look => self.prepare(context, out),
                OpeningStage::Tools => out.push(OpeningEffect::PlaceTools),
                OpeningStage::Turn | OpeningStage::Done => {}
            }
        }
        if self.waits_for_stream(context.is_stream_up)
            && context.now >= self.began + STREAM_PATIENCE
        {
            self.goes_without_stream = true;
            self.prepared(context, out);
        }
    }

    /// Asks for the session: an existing one, or a new one.
    fn open(&mut self, context: &OpeningContext, out: &mut Vec<OpeningEffect>) {
        let (mark, directory) = (self.mark.clone(), self.directory.clone());
        let (kind, request) = match self.session.clone() {
            Some(session) => (RequestKind::Session, Request::Session { session }),
            None if self.creation.is_lost() => {
                (RequestKind::FindCreated, Request::FindCreated { mark, directory })
            }
            None => {
                self.creation.begin(context.now);
                let title = self.prompt.title.clone();
                let prompt = Arc::clone(&self.prompt);
                (RequestKind::Create, Request::Create { mark, title, directory, prompt })
            }
        };
        out.push(OpeningEffect::Ask(kind, request));
    }

    fn on_opened(
        &mut self,
        kind: RequestKind,
        result: Result<Response>,
        context: &OpeningContext,
        out: &mut Vec<OpeningEffect>,
    ) {
        if kind == RequestKind::Create {
            self.creation.on_answer(result.as_ref().err(), context.now);
        }
        match (kind, result) {
            (_, Ok(Response::Found(found))) => {
                out.push(OpeningEffect::Reachable);
                match found {
                    Some(session) => self.opened(session, context, out),
                    None => match self.creation.find_again_at(context.now) {
                        Some(at) => self.retry_at = Some(at),
                        None => self.open(context, out),
                    },
                }
            }
            (kind, Ok(Response::Session(session))) => {
                out.push(OpeningEffect::Reachable);
                self.is_new_session = kind == RequestKind::Create;
                self.opened(session, context, out);
            }
            (_, Ok(_)) => {}
            (_, Err(error)) if error.is_transient() => out.push(OpeningEffect::Unreachable(error)),
            // The run that is picked up goes on, whatever something before the server says.
            (_, Err(error)) if self.is_resumed && is_foreign(&error) => {
                out.push(OpeningEffect::Unreachable(error));
            }
            // The first request of a directory may fail while the server prepares it. Once: what fails again is told.
            (kind, Err(error)) if error.status() == Some(500) && !self.has_opened_again => {
                self.has_opened_again = true;
                if kind == RequestKind::Create {
                    self.creation.find_first(context.now);
                }
                self.retry_at = Some(context.now + AGAIN_PAUSE);
            }
            (_, Err(error)) => out.push(OpeningEffect::Over(error)),
        }
    }

    fn opened(
        &mut self,
        session: SessionFacts,
        context: &OpeningContext,
        out: &mut Vec<OpeningEffect>,
    ) {
        if let (Some(directory), Some(other)) = (&session.directory, &session.misread)
            && !self.is_resumed
        {
            return out.push(OpeningEffect::Over(refuse_misread("run", directory, other)));
        }
        if session.directory.is_some() {
            self.directory = session.directory;
        }
        let is_given = self.session.is_some();
        let Some(id) = session.id.or(self.session.clone()) else { return };
        self.session = Some(id.clone());
        out.push(OpeningEffect::Track(id.clone()));
        if self.is_resumed {
            self.stage = OpeningStage::Done;
            if self.needs_tools {
                out.push(OpeningEffect::PlaceTools);
            }
            out.push(OpeningEffect::FindPrompt);
            return;
        }
        self.stage = OpeningStage::Turn;
        if !is_given {
            out.push(OpeningEffect::Queue(id));
        } else if self.has_turn {
            self.on_turn(context, out);
        }
    }

    fn on_turn(&mut self, context: &OpeningContext, out: &mut Vec<OpeningEffect>) {
        self.has_turn = true;
        if self.stage == OpeningStage::Turn {
            self.stage = OpeningStage::Look;
            self.prepare(context, out);
        }
    }

    /// Looks at the session: is it idle, what is listed already, what is its newest message?
    fn prepare(&mut self, context: &OpeningContext, out: &mut Vec<OpeningEffect>) {
        if self.is_new_session {
            // Nothing can be in a session that was just made.
            self.has_looked = true;
        } else if !self.has_looked {
            self.snapshot_asked = Some(context.now);
            // With the lists: what is open now is not this run's.
            return out.push(OpeningEffect::TakeSnapshot);
        }
        self.prepared(context, out);
    }

    /// What the snapshot before the send says.
    fn on_snapshot(
        &mut self,
        snapshot: &DirectorySnapshot,
        context: &OpeningContext,
        out: &mut Vec<OpeningEffect>,
    ) {
        let Some(session) = self.session.clone().filter(|_| self.looks()) else { return };
        if self.snapshot_asked.is_none_or(|asked| snapshot.started < asked) {
            // Another run's look, taken before this one asked.
            return;
        }
        (self.snapshot_asked, self.retry_at) = (None, None);
        out.push(OpeningEffect::Reachable);
        self.is_busy = snapshot.status.get(&session).is_some_and(|s| *s != Status::Idle);
        match self.prompt.when_busy {
            WhenBusy::Refuse if self.is_busy => {
                let text =
                    format!("run: session {session} is busy; wait, or leave when_busy at 'queue'");
                let error = Error::new(ErrorKind::Conflict, text).with_retryable(true);
                out.push(OpeningEffect::Over(error));
            }
            WhenBusy::Queue if self.is_busy => {
                self.busy_pause = (self.busy_pause * 3 / 2).clamp(BUSY_PAUSE, MAX_BUSY_PAUSE);
                self.retry_at = Some(context.now + self.busy_pause);
            }
            _ => out.push(OpeningEffect::Ask(
                RequestKind::LastBeforeSend,
                Request::LastMessage { session },
            )),
        }
    }

    fn on_prepared(
        &mut self,
        kind: &RequestKind,
        result: Result<Response>,
        context: &OpeningContext,
        out: &mut Vec<OpeningEffect>,
    ) {
        let stage =
            if *kind == RequestKind::Tools { OpeningStage::Tools } else { OpeningStage::Look };
        if self.stage != stage {
            // The stream came up meanwhile, and the prompt went out without an answer to this.
            return;
        }
        let response = match result {
            Ok(response) => response,
            // The tools are closed first: the client is being left, and the prompt is sent without them.
            Err(error) if stage == OpeningStage::Tools && error.kind() == ErrorKind::Closed => {
                return self.send(out);
            }
            Err(error) if error.is_transient() => {
                return out.push(OpeningEffect::Unreachable(error));
            }
            Err(error) => return out.push(OpeningEffect::Over(error)),
        };
        out.push(OpeningEffect::Reachable);
        match response {
            Response::Done if *kind == RequestKind::Tools => {
                return self.send(out);
            }
            Response::LastMessage(newest) => {
                (self.last_before_send, self.has_looked) = (newest, true);
            }
            Response::Name(checked) => {
                self.checked_name(kind);
                if let Err(error) = checked {
                    return out.push(OpeningEffect::Over(error));
                }
            }
            _ => {}
        }
        self.prepared(context, out);
    }

    /// Sends, once everything that must be known before is known.
    fn prepared(&mut self, context: &OpeningContext, out: &mut Vec<OpeningEffect>) {
        if self.stage != OpeningStage::Look || !self.has_looked || self.retry_at.is_some() {
            return;
        }
        if !context.is_stream_up && (!self.goes_without_stream || self.ask_names(out)) {
            return;
        }
        if self.needs_tools {
            self.stage = OpeningStage::Tools;
            return out.push(OpeningEffect::PlaceTools);
        }
        self.send(out);
    }

    fn send(&mut self, out: &mut Vec<OpeningEffect>) {
        self.stage = OpeningStage::Done;
        out.push(OpeningEffect::Send);
    }
}
