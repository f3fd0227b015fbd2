//! Runs: one prompt on its way to its reply.
//!
//! [`Run`] is the handle that a host holds. Behind it the engine's threads send the prompt, listen to the
//! server and decide when the answer is finished; the handle only looks at what they found.

pub(crate) mod attach;
mod choice;
mod clock;
mod compact;
pub(crate) mod engine;
mod heard;
mod inbox;
mod known_places;
mod machine;
mod prompt;
mod race;
mod reply;
mod request;
mod run_events;
mod state;
mod text_stream;
mod transcript;
mod unsent;
mod update;
mod wire;

use crate::base::error::{Error, ErrorKind, Result};
use crate::base::hooks::{Home, elsewhere};
use crate::base::leaving::Keeper;
use crate::base::limits::after;
use crate::base::signal::Signal;
use crate::call::Call;
use crate::call::caller::Caller;
use crate::http::answer::Answer;
use crate::protocol::permission::PermissionReply;
use crate::tools::{CallListener, Tools};
use engine::Engine;
use inbox::{EngineMessage, Inbox, NewRun, RunId};
pub(crate) use machine::{Aim, Setup};
use machine::{Machine, Outcome};
use state::RunState;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

pub use compact::CompactOptions;
pub use prompt::{Prompt, RunLimits, WhenBusy};
pub use reply::{DecisionRecord, Reply, Timings};
pub use state::State;
pub use text_stream::TextStream;
pub(crate) use unsent::keep_loss;
pub use unsent::{take_losses, wait_until_sent};
pub use update::{TextUpdate, Update};
pub(crate) use wire::{Info, is_absent, read_info};

/// One prompt on its way to its reply.
///
/// Dropping the handle neither cancels the prompt nor ends the care for it: its permissions are still
/// answered by its policy. A handle may be used from any thread, and keeps its client alive; updates go to whoever polls
/// first.
pub struct Run {
    id: RunId,
    state: Arc<RunState>,
    inbox: Arc<Inbox>,
    signal: Arc<Signal>,
    /// The policy that leaves something to the host.
    asks: Option<&'static str>,
    /// The text that was given as a stream.
    given: Mutex<String>,
    tools: Arc<Tools>,
    home: Home,
    /// What a copy of the process sees in their place: nobody there works on the run, and the locks may be held for ever.
    copy: OnceLock<(Arc<RunState>, Arc<Inbox>)>,
    /// Keeps the engine that works on it.
    client: Keeper,
}

/// What another process needs to pick a run up: the session and the user message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detached {
    /// The session that the prompt was sent to.
    pub session_id: String,
    /// The user message that the prompt became.
    pub message_id: String,
}

impl Run {
    pub(crate) fn start(
        engine: &Engine,
        signal: &Arc<Signal>,
        setup: Setup,
        caller: Arc<Caller>,
        client: Keeper,
    ) -> Result<Run> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        setup.prompt.check_options()?;
        if setup.aim == Aim::Prompt {
            setup.prompt.check()?;
        }
        let asks = setup.asks();
        let is_sent = !matches!(setup.aim, Aim::Resume(_));
        let pending = is_sent.then(|| engine.unsent().add());
        let machine = Machine::new(setup, engine.now());
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let state = Arc::new(RunState::new(machine.message_id().to_owned(), Arc::clone(signal)));
        let (machine, told) = (Box::new(machine), Arc::clone(&state));
        let new = NewRun { machine, state: told, pending, caller };
        engine.inbox().push(EngineMessage::Start(id, new));
        let (inbox, signal) = (Arc::clone(engine.inbox()), Arc::clone(signal));
        let tools = Arc::clone(engine.tools());
        tools.listen(Arc::downgrade(&state) as Weak<dyn CallListener>);
        let (home, given, copy) = (Home::here(), Mutex::default(), OnceLock::new());
        Ok(Run { id, state, inbox, signal, asks, given, tools, home, copy, client })
    }

    fn seen(&self) -> &Arc<RunState> {
        if self.home.is_here() || self.state.is_left() { &self.state } else { &self.copy().0 }
    }

    fn inbox(&self) -> &Arc<Inbox> {
        if self.home.is_here() { &self.inbox } else { &self.copy().1 }
    }

    fn copy(&self) -> &(Arc<RunState>, Arc<Inbox>) {
        self.copy.get_or_init(|| {
            let state = RunState::new(String::new(), Arc::clone(&self.signal));
            let error = elsewhere("run");
            state.write(|inner| {
                let reply = Arc::default();
                inner.outcome = Some(Outcome { reply, error: Some(error.clone()) });
                (State::Failed, vec![Update::Failed(error)])
            });
            (Arc::new(state), Arc::default())
        })
    }

    /// The state, and everything that happened since the last poll: both as they were at one moment, so that `done`
    /// and `failed` come with the last update and never before it. Never blocks; with nothing new it makes no system
    /// call and no allocation. Handlers of tools run here.
    pub fn poll(&self) -> (State, Vec<Update>) {
        let seen = self.seen();
        if let Some(state) = seen.idle() {
            return (state, Vec::new());
        }
        let (state, mut updates) = seen.poll();
        if self.has_calls() {
            self.tools.serve();
            updates
                .splice(0..0, std::iter::from_fn(|| self.tools.take_call()).map(Update::ToolCall));
        }
        (state, updates)
    }

    /// Whether calls of the host's tools wait. One load, two where the client has tools.
    fn has_calls(&self) -> bool {
        self.tools.has_tools() && self.home.is_here() && self.tools.has_calls()
    }

    /// The state when there is nothing new, and `None` when a poll would give an update: for hosts to which an empty list
    /// is not free. Never blocks, and makes no system call and no allocation.
    pub fn idle(&self) -> Option<State> {
        self.seen().idle()
    }

    /// The state, and the oldest update that was not taken yet. `done` and `failed` come with the last one. Never
    /// blocks.
    pub fn poll_one(&self) -> (State, Option<Update>) {
        if self.seen().idle().is_none() && self.has_calls() {
            self.tools.serve();
            // The last state comes with the last update; a call that is taken must be told.
            let state = self.state();
            if !state.is_over()
                && let Some(call) = self.tools.take_call()
            {
                return (state, Some(Update::ToolCall(call)));
            }
        }
        self.seen().poll_one()
    }

    /// The state without taking updates: a run that is done may have some left. Never blocks.
    pub fn state(&self) -> State {
        self.seen().state()
    }

    /// Whether the run is over and its last update was taken: no poll will give one any more. Never blocks.
    pub fn is_drained(&self) -> bool {
        self.seen().is_drained()
    }

    /// Whether a poll would give an update. The client's descriptor is quiet afterwards until there is more: for event
    /// loops that note who is ready and read later. Never blocks.
    pub fn is_ready(&self) -> bool {
        self.seen().is_ready()
    }

    /// The number by which [`Client::take_new`](crate::Client::take_new) tells that there is something new.
    pub fn mark(&self) -> u64 {
        self.seen().mark()
    }

    /// Blocks until [`next_update`](Self::next_update) has an update, or there will be none any more; false when the
    /// time is up. Takes nothing: for hosts that look after their signals before they take.
    pub fn wait_ready(&self, timeout: Option<Duration>) -> bool {
        self.seen().wait_ready(timeout)
    }

    /// Blocks until there is an update and takes it; `None` when the time is up, or after the last one. Without
    /// a timeout it waits as long as it takes.
    pub fn next_update(&self, timeout: Option<Duration>) -> Option<Update> {
        self.next(timeout, true)
    }

    /// The next update. `calls`: also those of tools that no handler answers; without, they stay for who asks for them.
    fn next(&self, timeout: Option<Duration>, calls: bool) -> Option<Update> {
        let until = timeout.map(after);
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let found = self.seen().wait(left, |inner| {
                if inner.wants_service(!calls) {
                    return Some(Err(()));
                }
                match inner.pop() {
                    Some(update) => Some(Ok(Some(update))),
                    None => inner.outcome.is_some().then_some(Ok(None)),
                }
            });
            match found {
                None => return None,
                Some(Ok(update)) => return update,
                Some(Err(())) => {
                    self.tools.serve();
                    if calls && let Some(call) = self.tools.take_call() {
                        return Some(Update::ToolCall(call));
                    }
                }
            }
        }
    }

    /// Every update in turn; blocks between them, and ends after the last one.
    pub fn updates(&self) -> impl Iterator<Item = Update> + '_ {
        std::iter::from_fn(|| self.next_update(None))
    }

    /// Blocks until the run is over, at most for `timeout`; `None` waits as long as it takes. Handlers of tools run here.
    ///
    /// # Errors
    /// The error of a run that failed; `timeout` when the time is up, and the run goes on.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<Arc<Reply>> {
        if self.is_over_within(timeout) {
            return self.outcome();
        }
        Err(self.late(timeout.unwrap_or_default()))
    }

    /// The error of a wait that was in vain, after a time: for hosts that wait in their own way.
    pub fn late(&self, waited: Duration) -> Error {
        let why = self.why();
        let waited = crate::base::limits::shown(waited);
        let text = format!("run: not finished within {waited}; {why}; wait again, or cancel it");
        Error::new(ErrorKind::Timeout, text).with_operation("run").with_sent(true)
    }

    /// Ends the run: the server is told to stop, and the run is over when it did. Blocks until then, at most
    /// for `timeout`; zero only asks for it. A run that is over already stays as it is.
    pub fn cancel(&self, timeout: Duration) -> State {
        if !self.state().is_over() {
            self.inbox().push(EngineMessage::Cancel(self.id));
            self.is_over_within(Some(timeout));
        }
        self.state()
    }

    /// The reply, once the run is over; of a failed run, as far as it came.
    pub fn reply(&self) -> Option<Arc<Reply>> {
        self.seen().read().outcome.as_ref().map(|outcome| Arc::clone(&outcome.reply))
    }

    /// Why the run failed, once it did.
    pub fn error(&self) -> Option<Error> {
        self.seen().read().outcome.as_ref().and_then(|outcome| outcome.error.clone())
    }

    /// Why it is not moving, in one line; empty when it is over.
    pub fn why(&self) -> String {
        self.seen().read().why.clone()
    }

    /// The text so far: all deltas of all text updates.
    pub fn text(&self) -> String {
        self.seen().read().text.clone()
    }

    /// The session, once it is known.
    pub fn session_id(&self) -> Option<String> {
        self.seen().read().session.clone()
    }

    /// The user message that the prompt becomes. Its id is chosen when the prompt is sent, so it is `None` while
    /// the run waits for that; one that [`Prompt::message_id`] gives is there from the start.
    pub fn message_id(&self) -> Option<String> {
        Some(self.seen().read().message_id.clone()).filter(|id| !id.is_empty())
    }

    /// Answers a permission that came as an update. `message` tells the agent why it was rejected. Returns at
    /// once; an answer to a request that is not open does nothing.
    pub fn reply_permission(&self, id: &str, reply: PermissionReply, message: Option<&str>) {
        let message = message.map(str::to_owned);
        self.inbox().push(EngineMessage::Permission(self.id, id.to_owned(), reply, message));
    }

    /// Answers a question that came as an update: one list of chosen labels or own words per question.
    /// Returns at once.
    pub fn reply_question(&self, id: &str, answers: &[Vec<String>]) {
        let answers = Some(answers.to_vec());
        self.inbox().push(EngineMessage::Question(self.id, id.to_owned(), answers));
    }

    /// Dismisses a question. Returns at once.
    pub fn reject_question(&self, id: &str) {
        self.inbox().push(EngineMessage::Question(self.id, id.to_owned(), None));
    }

    /// Leaves the run to the server and gives what [`Client::resume`](crate::Client::resume) needs. Blocks
    /// until the prompt is sent, at most for `timeout`. This handle is over then: it fails with `closed`.
    ///
    /// # Errors
    /// The error of a run that failed; `timeout` when it is not sent in time, and the run goes on.
    pub fn detach(&self, timeout: Duration) -> Result<Detached> {
        self.seen()
            .wait(Some(timeout), |inner| (inner.is_sent || inner.outcome.is_some()).then_some(()));
        leave(self.seen(), self.inbox(), self.id, timeout)
    }

    /// Does what [`detach`](Self::detach) does, in the background: the call is over once the prompt is sent, or the run
    /// is over. The answer is JSON: `{"sessionID": ..., "messageID": ...}`. Cancelling it leaves the run as it is.
    pub fn start_detach(&self) -> Call {
        const NAME: &str = "run.detach";
        let (state, inbox, id) = (Arc::clone(self.seen()), Arc::clone(self.inbox()), self.id);
        let (call, job) = Call::make(&self.signal, NAME, move |token| {
            if token.is_cancelled() {
                return Err(crate::call::cancelled(NAME));
            }
            let Detached { session_id, message_id } = leave(&state, &inbox, id, Duration::ZERO)?;
            let json = serde_json::json!({ "sessionID": session_id, "messageID": message_id });
            Ok(Answer::made(NAME, json.to_string()))
        });
        if let Some(job) = self.seen().when_sent(Box::new(job)) {
            job();
        }
        call.keeping(Arc::clone(&self.client))
    }

    /// What is known of the run as one JSON object: what the bindings hand to their hosts.
    pub fn to_json(&self) -> String {
        let inner = self.seen().read();
        let message_id = Some(&inner.message_id).filter(|id| !id.is_empty());
        let head = serde_json::json!({
            "state": self.state().as_str(),
            "why": inner.why,
            "text": inner.text,
            "sessionID": inner.session,
            "messageID": message_id,
        });
        let (reply, error) = match &inner.outcome {
            None => (None, None),
            Some(outcome) => (Some(Arc::clone(&outcome.reply)), outcome.error.clone()),
        };
        // A long reply takes a while to write: nobody must wait for that.
        drop(inner);
        let null = || "null".to_owned();
        let reply = reply.map_or_else(null, |reply| reply.to_json());
        let error = error.map_or_else(null, |error| error.to_json());
        let head = head.to_string();
        format!(r#"{},"reply":{reply},"error":{error}}}"#, head.strip_suffix('}').unwrap_or(&head))
    }

    fn outcome(&self) -> Result<Arc<Reply>> {
        match &self.seen().read().outcome {
            Some(outcome) => match &outcome.error {
                None => Ok(Arc::clone(&outcome.reply)),
                Some(error) => Err(error.clone()),
            },
            None => Err(Error::new(ErrorKind::Internal, "run: over without an outcome")),
        }
    }

    /// Blocks until the run is over or calls of tools wait, at most for `timeout`: for bindings, which have handlers of
    /// their own.
    #[doc(hidden)]
    pub fn wait_for_calls(&self, timeout: Option<Duration>) {
        let is_called = |inner: &state::Inner| inner.wants_service(false);
        self.seen()
            .wait(timeout, |inner| (inner.outcome.is_some() || is_called(inner)).then_some(()));
    }

    /// Blocks until the run is over, at most for `timeout`; whether it is.
    pub fn is_over_within(&self, timeout: Option<Duration>) -> bool {
        let until = timeout.map(after);
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let found = self.seen().wait(left, |inner| match inner.outcome {
                Some(_) => Some(true),
                None => inner.wants_service(true).then_some(false),
            });
            match found {
                None => return false,
                Some(true) => return true,
                Some(false) => {
                    self.tools.serve();
                }
            }
        }
    }
}

/// Leaves a run that is sent to the server.
fn leave(state: &RunState, inbox: &Inbox, id: RunId, waited: Duration) -> Result<Detached> {
    let inner = state.read();
    if let Some(error) = inner.outcome.as_ref().and_then(|outcome| outcome.error.clone()) {
        return Err(error);
    }
    match &inner.session {
        Some(session_id) if inner.is_sent || inner.outcome.is_some() => {
            let detached =
                Detached { session_id: session_id.clone(), message_id: inner.message_id.clone() };
            drop(inner);
            inbox.push(EngineMessage::Detach(id));
            Ok(detached)
        }
        _ => {
            let text = format!(
                "run: not sent within {}; {}",
                crate::base::limits::shown(waited),
                inner.why
            );
            Err(Error::new(ErrorKind::Timeout, text).with_operation("run"))
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if self.home.is_here() {
            self.state.abandon();
        }
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("message_id", &self.message_id())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
