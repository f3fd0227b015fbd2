//! [`Machine`]: one run as a state machine without any input or output of its own.
//!
//! Facts, answers and the time go in; requests, updates and the outcome come out. Nothing here blocks, sleeps, or knows a
//! socket or the wire, so that every order of every input can be tested. The engine turns outputs into HTTP and feeds
//! the results back.
//!
//! It is five machines: [`Opening`], [`Sending`], [`Looking`], [`Inquiries`] and [`Ending`]. Each has its own fields,
//! which no other file reads or writes; it is told what it has to know and says what it wants. [`Machine`] routes.

mod ending;
mod facts;
mod inquiries;
mod interface;
mod looking;
mod opening;
mod outcome;
mod reach;
mod route;
#[cfg(test)]
mod scenes;
mod sending;
#[cfg(test)]
mod simulation;
mod why;

pub(crate) use super::clock::{Millis, millis};
use super::prompt::Prompt;
use super::reply::Reply;
use super::update::Update;
use super::wire::{DirectorySnapshot, Fact, Request, Response, Status};
use crate::base::error::{Error, ErrorKind, Result};
use ending::{Ending, EndingContext, EndingEffect, EndingInput, Outage, Rest};
use inquiries::{Inquiries, InquiriesContext, InquiriesEffect, InquiriesInput, Verdict};
pub(crate) use interface::{Aim, Input, Lists, Outcome, Output, RequestKind, Setup};
use looking::{Looking, LookingContext, LookingEffect, LookingInput};
use opening::{Opening, OpeningContext, OpeningEffect, OpeningInput, OpeningSetup};
use reach::Reach;
use sending::{Sending, SendingContext, SendingEffect, SendingInput};
use std::collections::HashSet;
use std::sync::Arc;

const START_TIMEOUT: Millis = 30_000;
const SERVER_TIMEOUT: Millis = 15_000;
/// The same for a server that never answered: it may be starting, and most likely there is none.
const STRANGER_TIMEOUT: Millis = 5_000;

/// A server that is busy may say nothing for this long.
const SILENCE: Millis = 5_000;

/// Things that could not be read, noted for one run.
const MAX_ODD: usize = 100;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Whatever comes before the send.
    Opening,
    Sending,
    /// The answer to the send was lost: did it arrive?
    Verifying,
    Running,
    /// Gathering the reply.
    Collecting,
    Over,
}

/// One run.
pub(crate) struct Machine {
    prompt: Arc<Prompt>,
    /// Whether the prompt was sent by another process, and is picked up.
    is_resumed: bool,
    /// Whether the session is summarized, and no prompt is sent.
    is_compaction: bool,
    /// Whether an event stream is to be used at all.
    wants_events: bool,
    /// Whether the server ever answered this client.
    is_known: bool,
    phase: Phase,
    out: Vec<Output>,
    now: Millis,
    started: Millis,

    is_stream_up: bool,
    opening: Opening,
    sending: Sending,
    looking: Looking,
    inquiries: Inquiries,
    ending: Ending,
    reach: Reach,
    /// When a request was last asked for, and when one that failed is repeated, once the prompt is on its way.
    asked: Millis,
    retry_at: Option<Millis>,
    /// What was noted as left out.
    odd: HashSet<String>,
    why: String,
}

impl Machine {
    /// A machine that stands at its beginning; [`start`](Self::start) sets it off.
    pub(crate) fn new(setup: Setup, now: Millis) -> Self {
        let Setup { prompt, permission, question, directory, events, has_tools, is_known, aim } =
            setup;
        let prompt = Arc::new(prompt);
        let (is_resumed, is_compaction) = (matches!(aim, Aim::Resume(_)), aim == Aim::Compact);
        // Without one that is given it is chosen when the prompt is sent.
        let message = match aim {
            Aim::Resume(message) => Some(message),
            Aim::Prompt | Aim::Compact => prompt.message_id.clone(),
        };
        Machine {
            is_resumed,
            is_compaction,
            wants_events: events,
            is_known,
            phase: Phase::Opening,
            out: Vec::new(),
            now,
            started: now,
            is_stream_up: false,
            retry_at: None,
            reach: Reach::default(),
            asked: now,
            odd: HashSet::new(),
            why: String::new(),
            opening: Opening::new(
                Arc::clone(&prompt),
                OpeningSetup { is_resumed, is_compaction, events, needs_tools: has_tools },
                directory,
                now,
            ),
            looking: Looking::new(prompt.limits, message.as_ref(), now),
            sending: Sending::new(Arc::clone(&prompt), is_resumed, is_compaction, message, now),
            inquiries: Inquiries::new(permission, question),
            ending: Ending::default(),
            prompt,
        }
    }

    /// The directory of its session.
    pub(crate) fn directory(&self) -> Option<&String> {
        self.opening.directory()
    }

    /// The span of the host that its requests belong to.
    pub(crate) fn traceparent(&self) -> Option<Arc<str>> {
        self.prompt.traceparent.as_deref().map(Arc::from)
    }

    /// The first step. `place` is the directory of the session that is given, where it is known already.
    pub(crate) fn start(&mut self, now: Millis, place: Option<String>) {
        self.now = now;
        self.opening(OpeningInput::Start { place });
        self.explain();
    }

    /// One step: everything that follows from an input at a time.
    pub(crate) fn step(&mut self, now: Millis, input: Input<'_>) {
        self.now = self.now.max(now);
        if self.phase == Phase::Over {
            return;
        }
        match input {
            Input::Fact { session, fact } => self.on_fact(session, fact),
            Input::Stream(is_up) => self.on_stream(is_up),
            Input::Settled => self.looking(LookingInput::Settled),
            Input::Answer(kind, result) => self.on_answer(kind, result),
            Input::Snapshot(snapshot) => self.on_snapshot(snapshot),
            Input::Seen(snapshot) => self.on_seen(snapshot),
            Input::SnapshotFailed(error) => self.on_snapshot_failed(error),
            Input::Child { session, parent } => {
                self.looking(LookingInput::Descendant { session, parent });
            }
            Input::Turn => self.opening(OpeningInput::Turn),
            Input::Leave => self.opening(OpeningInput::Leave),
            Input::Cancel => self.end(Error::new(ErrorKind::Cancelled, "the run was cancelled")),
            Input::Permission { id, reply, message } => {
                let verdict = Verdict::Permission(reply, message);
                self.inquire(InquiriesInput::Host { id: &id, verdict });
            }
            Input::Question { id, answers } => {
                let verdict = Verdict::Answers(answers);
                self.inquire(InquiriesInput::Host { id: &id, verdict });
            }
            Input::Listens => self.reach.listens(self.now),
            Input::Time => {}
        }
        if self.phase != Phase::Over {
            self.on_time();
        }
        if self.phase != Phase::Over {
            self.explain();
        }
    }

    /// What it wants since it was last asked.
    pub(crate) fn take_outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.out)
    }

    /// When it wants to be stepped with [`Input::Time`] at the latest.
    pub(crate) fn wake_at(&self) -> Option<Millis> {
        let mut times: Vec<Millis> = Vec::with_capacity(8);
        match self.phase {
            Phase::Over => return None,
            Phase::Running => times.extend(self.looking.wake_at()),
            _ => {}
        }
        times.extend(self.retry_at);
        times.extend(self.opening.wake_at(self.is_stream_up));
        if !self.ending.is_cancelled()
            && self.phase != Phase::Collecting
            && let Some(deadline) = self.prompt.limits.deadline
        {
            times.push(self.started.saturating_add(millis(deadline)));
        }
        times.extend(self.ending.wake_at());
        times.extend(self.reach_end());
        times.extend(self.inquiries.wake_at());
        times.into_iter().min()
    }

    /// The session, once known.
    pub(crate) fn session(&self) -> Option<&str> {
        self.opening.session().map(String::as_str)
    }

    /// The user message; empty until it is chosen.
    pub(crate) fn message_id(&self) -> &str {
        self.sending.message_id()
    }

    /// Why it is not moving, in one line.
    pub(crate) fn why(&self) -> &str {
        &self.why
    }

    /// Whether only the host can bring it on.
    pub(crate) fn waits_for_host(&self) -> bool {
        !self.ending.is_cancelled() && self.inquiries.waits_for_host()
    }

    /// Whether the server has the prompt.
    pub(crate) fn is_sent(&self) -> bool {
        self.sending.sent().is_some()
    }

    /// Whether the server may have the prompt.
    pub(crate) fn may_be_sent(&self) -> bool {
        self.sending.was_tried()
    }

    /// Whether its session is summarized, and no prompt sent.
    pub(crate) fn is_compaction(&self) -> bool {
        self.is_compaction
    }

    /// Whether the server was seen to answer.
    pub(crate) fn has_answers(&self) -> bool {
        !self.looking.answers().is_empty()
    }

    pub(crate) fn wants_events(&self) -> bool {
        self.wants_events
    }

    /// The reply as far as it came.
    pub(crate) fn partial_reply(&self) -> Reply {
        self.reply()
    }

    fn ask(&mut self, kind: RequestKind, request: Request) {
        self.asked = self.now;
        self.out.push(Output::Ask(kind, request));
    }

    /// The session, for a request; there is one in all phases but the first.
    fn session_id(&self) -> String {
        self.opening.session().cloned().unwrap_or_default()
    }

    /// Notes what could not be read, once each.
    fn note(&mut self, odd: Vec<String>) {
        let news = odd
            .into_iter()
            .filter(|text| self.odd.len() < MAX_ODD && self.odd.insert(text.clone()));
        let told = |what| Output::Warn(format!("left out, as it cannot be read: {what}"));
        self.out.extend(news.map(told));
    }

    fn update(&mut self, update: Update) {
        self.out.push(Output::Update(update));
    }

    fn on_answer(&mut self, kind: RequestKind, result: Result<Response>) {
        match kind {
            RequestKind::Create | RequestKind::FindCreated | RequestKind::Session => {
                self.opening(OpeningInput::Opened(kind, result));
            }
            RequestKind::Health => self.opening(OpeningInput::Health(result)),
            RequestKind::Discard | RequestKind::AbortChild => {}
            RequestKind::Agents | RequestKind::Models if self.phase == Phase::Running => {
                self.opening(OpeningInput::Names(kind, result));
            }
            RequestKind::LastBeforeSend(_)
            | RequestKind::Agents
            | RequestKind::Models
            | RequestKind::Tools => {
                self.opening(OpeningInput::Prepared(kind, result));
            }
            RequestKind::Send => self.sending(SendingInput::Sent(result)),
            RequestKind::Verify if matches!(self.phase, Phase::Sending | Phase::Verifying) => {
                self.sending(SendingInput::Found(result));
            }
            RequestKind::Verify => {}
            RequestKind::Messages(collection) if self.phase == Phase::Running => {
                self.looking(LookingInput::Messages { collection, result });
            }
            RequestKind::Messages(_) => {}
            RequestKind::Abort => self.ending(EndingInput::Aborted(result)),
            RequestKind::Reply(id) => {
                self.inquire(InquiriesInput::Replied { id: &id, result });
            }
            RequestKind::Place => {
                self.ending(EndingInput::Place(result));
                self.look_if_running();
            }
            RequestKind::Instance => {
                self.ending(EndingInput::Instance(result));
                self.look_if_running();
            }
            RequestKind::Child(session) => {
                if let Ok(Response::Session(found)) = &result {
                    let (cost, tokens) = (found.cost, found.tokens);
                    self.looking(LookingInput::ChildUsage { session, cost, tokens });
                }
                self.ending(EndingInput::Gathered(result));
            }
            RequestKind::Diff => self.ending(EndingInput::Gathered(result)),
            RequestKind::Withdraw => self.ending(EndingInput::Withdrawn(result)),
        }
    }

    fn on_stream(&mut self, is_up: bool) {
        self.is_stream_up = is_up;
        self.looking(LookingInput::Stream);
        if is_up && self.phase == Phase::Opening {
            self.opening(OpeningInput::StreamUp);
        }
    }

    /// Everything that happens because time passed.
    fn on_time(&mut self) {
        let limits = self.prompt.limits;
        if !self.ending.is_cancelled()
            && let Some(deadline) = limits.deadline
            && self.now >= self.started.saturating_add(millis(deadline))
        {
            let text = format!("the run took longer than {}", crate::base::limits::shown(deadline));
            self.end_at("deadline_ms", &text);
        }
        if self.phase == Phase::Over {
            return;
        }
        if self.is_due(self.ending.wake_at()) {
            self.ending(EndingInput::Time);
        }
        if self.phase == Phase::Over {
            return;
        }
        if self.is_due(self.reach_end()) {
            return self.over_unreachable();
        }
        if self.is_due(self.opening.wake_at(self.is_stream_up)) {
            self.opening(OpeningInput::Time);
        }
        if self.phase == Phase::Over {
            return;
        }
        if self.is_due(self.inquiries.wake_at()) {
            self.inquire(InquiriesInput::Time);
        }
        if self.is_due(self.retry_at) {
            self.retry_at = None;
            self.retry();
        }
        if self.phase == Phase::Running && self.is_due(self.looking.wake_at()) {
            self.looking(LookingInput::Time);
        }
    }

    fn is_due(&self, at: Option<Millis>) -> bool {
        at.is_some_and(|at| self.now >= at)
    }

    /// Repeats what failed, as the phase demands.
    fn retry(&mut self) {
        match self.phase {
            Phase::Sending if self.sending.is_under_way() => self.find_prompt(),
            Phase::Sending => self.send(),
            Phase::Verifying => self.find_prompt(),
            Phase::Collecting => self.ending(EndingInput::AskAgain),
            Phase::Opening | Phase::Running | Phase::Over => {}
        }
    }

    /// Notes that the server could not be reached, and when to try again.
    fn unreachable(&mut self, error: Error) {
        if error.kind() == ErrorKind::Connection {
            self.looking(LookingInput::Outage);
        }
        let pause = self.reach.failed(error, self.asked, self.now);
        let at = self.now + pause;
        match self.phase {
            Phase::Running => self.looking(LookingInput::LookAt(at)),
            Phase::Opening => self.opening(OpeningInput::RetryAt(at)),
            _ => self.retry_at = Some(at),
        }
    }

    fn reachable(&mut self) {
        self.is_known = true;
        self.reach.answered(self.now);
    }

    /// Something came from the server at this time, for whomever.
    pub(crate) fn hear(&mut self, at: Millis) {
        self.reach.hear(at);
    }

    /// Whether the last thing that it asked for failed.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.reach.failure().is_some()
    }

    /// When the server is given up; while the reply is gathered there is another limit.
    fn reach_end(&self) -> Option<Millis> {
        let is_open = self.phase != Phase::Collecting;
        let end = is_open.then(|| self.reach.end(self.server_timeout())).flatten();
        end.into_iter().chain(self.silence_end()).min()
    }

    /// Since when something that only reads is under way.
    fn reads_since(&self) -> Option<Millis> {
        match self.phase {
            Phase::Running => self.looking.looks_since(),
            Phase::Opening if self.opening.is_reading() => Some(self.asked),
            Phase::Verifying if self.retry_at.is_none() => Some(self.asked),
            _ => None,
        }
    }

    /// When a server that keeps its connections and says nothing is given up, where the host set a time for it: a
    /// request alone may take longer than that.
    fn silence_end(&self) -> Option<Millis> {
        let limit = self.prompt.limits.server_timeout.map(millis)?;
        let since = self.reads_since()?.max(self.reach.heard());
        Some(since.saturating_add(limit.max(SILENCE)))
    }

    fn silence(&self) -> Option<Error> {
        self.silence_end().filter(|at| self.now >= *at)?;
        let limit = self.server_timeout().max(SILENCE);
        let text = format!("run: the server said nothing for {limit} ms; it was out of reach");
        Some(Error::new(ErrorKind::Timeout, text).with_retryable(true))
    }

    fn server_timeout(&self) -> Millis {
        let usual = if self.is_known { SERVER_TIMEOUT } else { STRANGER_TIMEOUT };
        self.prompt.limits.server_timeout.map_or(usual, millis)
    }

    fn start_timeout(&self) -> Millis {
        self.prompt.limits.start_timeout.map_or(START_TIMEOUT, millis)
    }
}
