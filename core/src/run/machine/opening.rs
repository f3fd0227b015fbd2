//! [`Opening`]: a session, a turn in it, and a look at it before the prompt is sent.

mod creation;
mod first_look;
mod names;

use super::{Lists, Millis, RequestKind};
use crate::base::error::{Error, ErrorKind, Result};
use crate::protocol::directory::refuse_misread;
use crate::protocol::id;
use crate::run::prompt::{Prompt, WhenBusy};
use crate::run::wire::{DirectorySnapshot, Request, Response, SessionFacts, is_foreign};
use creation::Creation;
use first_look::FirstLook;
use names::NameCheck;
use std::sync::Arc;

/// How long a run waits for the event stream before it goes on without.
const STREAM_PATIENCE: Millis = 3_000;
/// The pause before a session is asked for once more.
const AGAIN_PAUSE: Millis = 500;

/// What of a run matters before the send.
#[derive(Debug, Clone, Copy)]
pub(super) struct OpeningSetup {
    /// Whether the prompt was sent by another process, and is picked up.
    pub is_resumed: bool,
    /// Whether the session is summarized, and no prompt is sent.
    pub is_compaction: bool,
    /// Whether an event stream is to be used at all.
    pub events: bool,
    /// Whether the server must be told of the host's tools.
    pub needs_tools: bool,
}

/// All that comes before the send.
pub(super) struct Opening {
    prompt: Arc<Prompt>,
    setup: OpeningSetup,
    began: Millis,
    stage: OpeningStage,
    session: Option<String>,
    directory: Option<String>,
    /// Whether nobody asked for the session, as its directory was known.
    is_unasked: bool,
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
    /// The look before the send.
    first_look: FirstLook,
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
    /// The run begins; the directory of the session that is given, where it is known already.
    Start {
        place: Option<String>,
    },
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
    TakeSnapshot {
        lists: Lists,
    },
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
        setup: OpeningSetup,
        directory: Option<String>,
        now: Millis,
    ) -> Self {
        Opening {
            setup,
            began: now,
            stage: OpeningStage::Session,
            session: prompt.session.clone(),
            directory,
            is_unasked: false,
            mark: id::new("run"),
            creation: Creation::new(prompt.limits.start_timeout),
            is_new_session: false,
            has_opened_again: false,
            has_turn: false,
            goes_without_stream: !setup.events,
            first_look: FirstLook::default(),
            last_before_send: None,
            has_looked: false,
            name_check: NameCheck::Agent,
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
            OpeningInput::Start { place } => self.start(place, context, &mut out),
            OpeningInput::Opened(kind, result) => self.on_opened(kind, result, context, &mut out),
            OpeningInput::Health(result) => self.creation.on_health(result, context.now, &mut out),
            OpeningInput::HealthAt(at) => self.creation.ask_health_at(at),
            OpeningInput::Turn => self.on_turn(context, &mut out),
            OpeningInput::Leave => {
                self.goes_without_stream = true;
                self.name_check = NameCheck::Known;
                // Who leaves answers no calls.
                self.setup.needs_tools = false;
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
            OpeningInput::Prepared(RequestKind::LastBeforeSend(number), result) => {
                self.on_newest(number, result, context, &mut out);
            }
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
            OpeningStage::Look if self.first_look.is_busy() => {
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

    /// Asks for the session, or for nothing: where its directory is known, the look before the send finds it, or not.
    fn start(
        &mut self,
        place: Option<String>,
        context: &OpeningContext,
        out: &mut Vec<OpeningEffect>,
    ) {
        let given = self.session.clone().filter(|_| !self.setup.is_resumed);
        if let Some(session) = &given {
            // Before any request: answers come in any order, and calls have one.
            out.push(OpeningEffect::Queue(session.clone()));
        }
        match given.zip(place) {
            Some((session, place)) => {
                (self.directory, self.is_unasked) = (Some(place), true);
                self.stage = OpeningStage::Turn;
                out.push(OpeningEffect::Track(session));
            }
            None => self.open(context, out),
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
            (_, Err(error)) if self.setup.is_resumed && is_foreign(&error) => {
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
            && !self.setup.is_resumed
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
        if self.setup.is_resumed {
            self.stage = OpeningStage::Done;
            if self.setup.needs_tools {
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
        match self.stage {
            OpeningStage::Turn => {
                self.stage = OpeningStage::Look;
                self.prepare(context, out);
            }
            // The session itself is still asked for.
            OpeningStage::Session => self.ask_newest_beside(context, out),
            OpeningStage::Look | OpeningStage::Tools | OpeningStage::Done => {}
        }
    }

    /// Looks at the session: is it idle, what is listed already, what is its newest message?
    fn prepare(&mut self, context: &OpeningContext, out: &mut Vec<OpeningEffect>) {
        if self.is_new_session {
            // Nothing can be in a session that was just made.
            self.has_looked = true;
        } else if !self.has_looked {
            return self.look(context, out);
        }
        self.prepared(context, out);
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
        if self.setup.needs_tools {
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
