//! [`Engine`]: one thread that steps all runs of a client, a few that do their requests.

use super::machine::{Input, Machine, Millis, Outcome, Output, Sweep, Ticket, millis};
use super::message::Request;
use super::policy::PermissionReply;
use super::state::{RunState, State};
use super::update::Update;
use crate::answer::Answer;
use crate::caller::{Caller, closed};
use crate::cancel::CancelToken;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::feed::{Feed, Listener};
use crate::limits::Limits;
use crate::log::{Level, Log};
use crate::operation::Pace;
use crate::worker::{Pool, join};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Threads that do the runs' short requests.
const WORKERS: usize = 4;
/// Events that may wait for the engine; beyond, the stream is read no further.
const MAX_EVENTS: usize = 8_192;
/// A request of a run is short: a server that needs longer is out of order.
const REQUEST_LIMIT: Duration = Duration::from_secs(15);
/// Lists of permissions and questions are read again after this time while events tell about them.
const LISTS_AGE: Millis = 5_000;
const STACK: usize = 1 << 20;

pub(crate) type RunId = u64;

/// Something for the engine.
pub(crate) enum Message {
    Start(RunId, Box<Machine>, Arc<RunState>),
    Answer(RunId, Ticket, Result<Answer>),
    Sweep(Option<String>, Result<Sweep>),
    Event(Arc<Event>),
    Stream(bool),
    Settled,
    Cancel(RunId),
    Permission(RunId, String, PermissionReply, Option<String>),
    Question(RunId, String, Option<Value>),
    Detach(RunId),
    Close,
}

/// The engine's letter box.
#[derive(Default)]
pub(crate) struct Inbox {
    state: Mutex<InboxState>,
    arrived: Condvar,
    taken: Condvar,
}

#[derive(Default)]
struct InboxState {
    messages: VecDeque<Message>,
    events: usize,
}

impl Inbox {
    pub(crate) fn push(&self, message: Message) {
        self.state().messages.push_back(message);
        self.arrived.notify_one();
    }

    /// Waits while too many events wait, until the token is thrown.
    fn push_event(&self, event: Arc<Event>, token: &CancelToken) {
        let mut state = self.state();
        while state.events >= MAX_EVENTS {
            if token.is_cancelled() {
                return;
            }
            let waited = self.taken.wait_timeout(state, Duration::from_millis(100));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.events += 1;
        state.messages.push_back(Message::Event(event));
        self.arrived.notify_one();
    }

    fn take(&self, timeout: Option<Duration>) -> VecDeque<Message> {
        let mut state = self.state();
        if state.messages.is_empty() {
            state = match timeout {
                None => self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(timeout) => {
                    let waited = self.arrived.wait_timeout(state, timeout);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        state.events = 0;
        let messages = std::mem::take(&mut state.messages);
        drop(state);
        self.taken.notify_all();
        messages
    }

    fn state(&self) -> MutexGuard<'_, InboxState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What of the events the runs hear.
struct Ears {
    inbox: Arc<Inbox>,
    /// The sessions that runs want to hear of: most events of a busy server are somebody else's.
    tracked: RwLock<HashSet<String>>,
    is_waiting: AtomicBool,
}

impl Ears {
    fn tracked(&self) -> RwLockWriteGuard<'_, HashSet<String>> {
        self.tracked.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener for Ears {
    fn is_waiting(&self) -> bool {
        self.is_waiting.load(Ordering::Acquire)
    }

    fn connected(&self) {
        self.inbox.push(Message::Stream(true));
    }

    fn settled(&self) {
        self.inbox.push(Message::Settled);
    }

    fn lost(&self, _: &Error) {
        self.inbox.push(Message::Stream(false));
    }

    fn closed(&self) {}

    fn event(&self, event: &Arc<Event>, token: &CancelToken) {
        let is_wanted = match &event.session_id {
            None => event.kind.starts_with("server."),
            Some(session) => {
                let tracked = self.tracked.read().unwrap_or_else(PoisonError::into_inner);
                // A subagent's session is not known yet when it is created.
                tracked.contains(session)
                    || (event.kind == "session.created"
                        && event.properties.get().contains("\"parentID\""))
            }
        };
        if is_wanted {
            self.inbox.push_event(Arc::clone(event), token);
        }
    }
}

/// The runs of one client.
pub(crate) struct Engine {
    inbox: Arc<Inbox>,
    began: Instant,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Engine {
    /// Starts the engine's thread; everything else starts when it is needed.
    ///
    /// # Errors
    /// `internal` when the system gives no thread.
    pub(crate) fn start(caller: Arc<Caller>, feed: Arc<Feed>) -> Result<Self> {
        let inbox = Arc::new(Inbox::default());
        let began = Instant::now();
        let work = Work::new(caller, feed, Arc::clone(&inbox), began);
        let thread = thread::Builder::new()
            .name("opencode-runs".to_owned())
            .stack_size(STACK)
            .spawn(move || work.run())
            .map_err(|e| {
                let text = format!("the system gives no thread: {e}");
                Error::new(crate::ErrorKind::Internal, text)
            })?;
        Ok(Engine { inbox, began, thread: Mutex::new(Some(thread)) })
    }

    pub(crate) fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    /// The engine's clock.
    pub(crate) fn now(&self) -> Millis {
        millis(self.began.elapsed())
    }

    /// Ends all runs of this side and joins all threads; the server goes on with its prompts.
    pub(crate) fn close(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            self.inbox.push(Message::Close);
            join(vec![thread]);
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}

/// What the engine's thread owns.
struct Work {
    caller: Arc<Caller>,
    inbox: Arc<Inbox>,
    began: Instant,
    pool: Pool,
    runs: HashMap<RunId, Slot>,
    /// When runs want to be woken up.
    alarms: BTreeSet<(Millis, RunId)>,
    /// Runs by the sessions that they track.
    sessions: HashMap<String, Vec<RunId>>,
    /// Runs of a session in the order of their turns; the first one has it.
    turns: HashMap<String, VecDeque<RunId>>,
    sweeps: HashMap<Option<String>, Sweeper>,
    ears: Arc<Ears>,
    feed: Arc<Feed>,
    is_stream_up: bool,
}

struct Slot {
    machine: Box<Machine>,
    state: Arc<RunState>,
    alarm: Option<Millis>,
    directory: Option<String>,
    tracks: Vec<String>,
    queue: Option<String>,
}

/// One directory that runs look at together.
#[derive(Default)]
struct Sweeper {
    is_busy: bool,
    /// Somebody asked while a sweep was under way: that one may have been taken too early.
    is_wanted: bool,
    lists_read: Option<Millis>,
    waiting: HashSet<RunId>,
}

impl Work {
    fn new(caller: Arc<Caller>, feed: Arc<Feed>, inbox: Arc<Inbox>, began: Instant) -> Self {
        let ears = Arc::new(Ears {
            inbox: Arc::clone(&inbox),
            tracked: RwLock::default(),
            is_waiting: AtomicBool::new(false),
        });
        feed.add(Arc::clone(&ears) as Arc<dyn Listener>);
        Work {
            caller,
            inbox,
            began,
            pool: Pool::new("opencode-request", WORKERS),
            runs: HashMap::new(),
            alarms: BTreeSet::new(),
            sessions: HashMap::new(),
            turns: HashMap::new(),
            sweeps: HashMap::new(),
            ears,
            feed,
            is_stream_up: false,
        }
    }

    fn now(&self) -> Millis {
        millis(self.began.elapsed())
    }

    fn run(mut self) {
        loop {
            let timeout =
                self.next_alarm().map(|at| Duration::from_millis(at.saturating_sub(self.now())));
            for message in self.inbox.take(timeout) {
                if matches!(message, Message::Close) {
                    self.close();
                    return;
                }
                self.handle(message);
            }
            self.ring();
        }
    }

    fn next_alarm(&self) -> Option<Millis> {
        self.alarms.first().map(|(at, _)| *at)
    }

    /// Wakes the runs that are due.
    fn ring(&mut self) {
        let now = self.now();
        while let Some((at, id)) = self.alarms.first().copied()
            && at <= now
        {
            self.alarms.remove(&(at, id));
            if let Some(slot) = self.runs.get_mut(&id) {
                slot.alarm = None;
            }
            self.step(id, Input::Time);
        }
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Start(id, machine, state) => self.start(id, machine, state),
            Message::Answer(id, ticket, result) => self.step(id, Input::Answer(ticket, result)),
            Message::Event(event) => self.on_event(&event),
            Message::Stream(is_up) => self.on_stream(is_up),
            // Something may have happened before the server began to tell.
            Message::Settled => {
                for id in self.runs.keys().copied().collect::<Vec<_>>() {
                    self.step(id, Input::Settled);
                }
            }
            Message::Sweep(directory, result) => self.on_sweep(directory, result),
            Message::Cancel(id) => self.step(id, Input::Cancel),
            Message::Permission(id, request, reply, message) => {
                self.step(id, Input::Permission { id: request, reply, message });
            }
            Message::Question(id, request, answers) => {
                self.step(id, Input::Question { id: request, answers });
            }
            Message::Detach(id) => self.remove(id),
            Message::Close => {}
        }
    }

    fn start(&mut self, id: RunId, machine: Box<Machine>, state: Arc<RunState>) {
        if machine.wants_events() {
            self.ears.is_waiting.store(true, Ordering::Release);
            // Without the thread the runs go on without events.
            let _ = self.feed.start();
        }
        let slot =
            Slot { machine, state, alarm: None, directory: None, tracks: Vec::new(), queue: None };
        self.runs.insert(id, slot);
        let now = self.now();
        if let Some(slot) = self.runs.get_mut(&id) {
            slot.machine.start(now);
        }
        if self.is_stream_up {
            self.step(id, Input::Stream(true));
        } else {
            self.settle(id);
        }
    }

    fn step(&mut self, id: RunId, input: Input<'_>) {
        let now = self.now();
        if let Some(slot) = self.runs.get_mut(&id) {
            slot.machine.step(now, input);
            self.settle(id);
        }
    }

    /// Does what a machine wants after a step.
    fn settle(&mut self, id: RunId) {
        let Some(slot) = self.runs.get_mut(&id) else { return };
        let mut updates = Vec::new();
        let mut outcome = None;
        let mut outputs = VecDeque::from(slot.machine.take_outputs());
        while let Some(output) = outputs.pop_front() {
            match output {
                Output::Update(update) => updates.push(update),
                Output::Over(over) => outcome = Some(over),
                Output::Track(session) => {
                    slot.tracks.push(session.clone());
                    self.sessions.entry(session.clone()).or_default().push(id);
                    self.ears.tracked().insert(session);
                }
                Output::Queue(session) => {
                    slot.queue = Some(session.clone());
                    let turns = self.turns.entry(session).or_default();
                    turns.push_back(id);
                    if turns.len() == 1 {
                        slot.machine.step(millis(self.began.elapsed()), Input::Turn);
                        outputs.extend(slot.machine.take_outputs());
                    }
                }
                Output::Ask(ticket, operation, arguments) => {
                    ask(&self.pool, &self.caller, &self.inbox, id, ticket, operation, arguments);
                }
                Output::Sweep(directory) => {
                    slot.directory.clone_from(&directory);
                    let sweeper = self.sweeps.entry(directory.clone()).or_default();
                    sweeper.waiting.insert(id);
                    if sweeper.is_busy {
                        sweeper.is_wanted = true;
                    } else {
                        let now = millis(self.began.elapsed());
                        // Without events the lists are the only news of permissions and questions.
                        let is_old = sweeper.lists_read.is_none_or(|read| now >= read + LISTS_AGE);
                        let with_lists = !self.is_stream_up || is_old;
                        sweeper.is_busy = true;
                        if with_lists {
                            sweeper.lists_read = Some(now);
                        }
                        let (caller, inbox) = (&self.caller, &self.inbox);
                        sweep(&self.pool, caller, inbox, self.began, directory, with_lists);
                    }
                }
            }
        }
        let Some(slot) = self.runs.get_mut(&id) else { return };
        log(&self.caller.options().log, &slot.machine, &updates);
        publish(slot, updates, outcome.clone());
        if outcome.is_some() {
            self.remove(id);
        } else {
            let wanted = slot.machine.wake_at();
            if slot.alarm != wanted {
                if let Some(at) = slot.alarm {
                    self.alarms.remove(&(at, id));
                }
                slot.alarm = wanted;
                self.alarms.extend(wanted.map(|at| (at, id)));
            }
        }
    }

    fn on_event(&mut self, event: &Event) {
        let ids: Vec<RunId> = match &event.session_id {
            None => self.runs.keys().copied().collect(),
            Some(session) => match self.sessions.get(session) {
                Some(ids) => ids.clone(),
                // A session that nobody tracks may be the child of one that somebody does.
                None if event.kind == "session.created" => self.runs.keys().copied().collect(),
                None => Vec::new(),
            },
        };
        for id in ids {
            self.step(id, Input::Event(event));
        }
    }

    fn on_stream(&mut self, is_up: bool) {
        if !is_up && !self.is_stream_up {
            return;
        }
        self.is_stream_up = is_up;
        for sweeper in self.sweeps.values_mut() {
            sweeper.lists_read = None;
        }
        for id in self.runs.keys().copied().collect::<Vec<_>>() {
            self.step(id, Input::Stream(is_up));
        }
    }

    fn on_sweep(&mut self, directory: Option<String>, result: Result<Sweep>) {
        let Some(sweeper) = self.sweeps.get_mut(&directory) else { return };
        sweeper.is_busy = false;
        let is_wanted = std::mem::take(&mut sweeper.is_wanted);
        let waiting = std::mem::take(&mut sweeper.waiting);
        if result.is_err() {
            sweeper.lists_read = None;
        }
        if is_wanted {
            // Those who asked too late for this one are served by the next.
            sweeper.waiting.clone_from(&waiting);
            sweeper.is_busy = true;
            let with_lists = !self.is_stream_up || sweeper.lists_read.is_none();
            sweep(&self.pool, &self.caller, &self.inbox, self.began, directory, with_lists);
        }
        for id in waiting {
            match &result {
                Ok(sweep) => self.step(id, Input::Sweep(sweep)),
                Err(error) => self.step(id, Input::SweepFailed(error)),
            }
        }
    }

    /// Forgets a run, and gives its turn to the next.
    fn remove(&mut self, id: RunId) {
        let Some(slot) = self.runs.remove(&id) else { return };
        if let Some(at) = slot.alarm {
            self.alarms.remove(&(at, id));
        }
        for session in &slot.tracks {
            if let Some(ids) = self.sessions.get_mut(session) {
                ids.retain(|other| *other != id);
                if ids.is_empty() {
                    self.sessions.remove(session);
                    self.ears.tracked().remove(session);
                }
            }
        }
        for sweeper in self.sweeps.values_mut() {
            sweeper.waiting.remove(&id);
        }
        if self.runs.is_empty() {
            self.ears.is_waiting.store(false, Ordering::Release);
            self.sweeps.retain(|_, sweeper| sweeper.is_busy);
        }
        let Some(session) = slot.queue else { return };
        let Some(turns) = self.turns.get_mut(&session) else { return };
        let had_turn = turns.front() == Some(&id);
        turns.retain(|other| *other != id);
        let next = turns.front().copied();
        if turns.is_empty() {
            self.turns.remove(&session);
        }
        if let (true, Some(next)) = (had_turn, next) {
            self.step(next, Input::Turn);
        }
    }

    fn close(&mut self) {
        self.pool.close();
        for slot in std::mem::take(&mut self.runs).into_values() {
            let error = closed("run");
            let reply = Arc::new(slot.machine.partial_reply());
            let outcome = Outcome { reply, error: Some(error.clone()) };
            let mut slot = slot;
            publish(&mut slot, vec![Update::Failed(error)], Some(outcome));
        }
        // What was started and not seen yet ends like the others.
        for message in self.inbox.take(Some(Duration::ZERO)) {
            if let Message::Start(_, machine, state) = message {
                let error = closed("run");
                let reply = Arc::new(machine.partial_reply());
                state.write(|inner| {
                    inner.outcome = Some(Outcome { reply, error: Some(error.clone()) });
                    (State::Failed, vec![Update::Failed(error)])
                });
            }
        }
    }
}

fn log(log: &Log, machine: &Machine, updates: &[Update]) {
    for update in updates {
        let (level, text) = match update {
            Update::Status { why } => (Level::Debug, why.clone()),
            Update::Retry { attempt, reason, .. } => {
                (Level::Warn, format!("the provider failed (retry {attempt}): {reason}"))
            }
            Update::Done(reply) => (Level::Info, format!("done in {} ms", reply.time.total_ms)),
            Update::Failed(error) => (Level::Error, format!("failed: {}: {error}", error.kind())),
            _ => continue,
        };
        log.write(level, || format!("run {}: {text}", machine.message_id()));
    }
}

/// Shows the host what a step brought.
fn publish(slot: &mut Slot, updates: Vec<Update>, outcome: Option<Outcome>) {
    let machine = &slot.machine;
    slot.state.write(|inner| {
        for update in &updates {
            if let Update::Text(text) = update {
                if text.replaces {
                    inner.text.clear();
                }
                inner.text.push_str(&text.delta);
            }
        }
        inner.session = machine.session().map(str::to_owned).or(inner.session.take());
        if inner.why != machine.why() {
            machine.why().clone_into(&mut inner.why);
        }
        inner.is_sent |= machine.is_sent();
        let state = match &outcome {
            Some(Outcome { error: None, .. }) => State::Done,
            Some(_) => State::Failed,
            None if machine.waits_for_host() => State::Waiting,
            None => State::Pending,
        };
        if outcome.is_some() {
            inner.outcome = outcome;
        }
        (state, updates)
    });
}

fn limits(caller: &Caller) -> Limits {
    let options = caller.options().limits(Pace::Quick);
    let cap = |limit: Option<Duration>| Some(limit.unwrap_or(REQUEST_LIMIT).min(REQUEST_LIMIT));
    Limits { first_byte: cap(options.first_byte), idle: cap(options.idle), ..options }
}

fn ask(
    pool: &Pool,
    caller: &Arc<Caller>,
    inbox: &Arc<Inbox>,
    id: RunId,
    ticket: Ticket,
    operation: &'static str,
    arguments: String,
) {
    let (caller, inbox) = (Arc::clone(caller), Arc::clone(inbox));
    let token = CancelToken::default();
    let (mine, back, on_failure) = (token.clone(), ticket.clone(), Arc::clone(&inbox));
    let job = move || {
        let result = caller.ask(operation, &arguments, limits(&caller), &mine);
        inbox.push(Message::Answer(id, ticket, result));
    };
    if let Err(error) = pool.submit(token, job) {
        on_failure.push(Message::Answer(id, back, Err(error)));
    }
}

fn sweep(
    pool: &Pool,
    caller: &Arc<Caller>,
    inbox: &Arc<Inbox>,
    began: Instant,
    directory: Option<String>,
    with_lists: bool,
) {
    let (caller, inbox) = (Arc::clone(caller), Arc::clone(inbox));
    let token = CancelToken::default();
    let (mine, back, on_failure) = (token.clone(), directory.clone(), Arc::clone(&inbox));
    let job = move || {
        let result =
            look(&caller, directory.as_deref(), millis(began.elapsed()), with_lists, &mine);
        inbox.push(Message::Sweep(directory, result));
    };
    if let Err(error) = pool.submit(token, job) {
        on_failure.push(Message::Sweep(back, Err(error)));
    }
}

/// Reads what a directory looks like.
fn look(
    caller: &Caller,
    directory: Option<&str>,
    started: Millis,
    with_lists: bool,
    token: &CancelToken,
) -> Result<Sweep> {
    let arguments = match directory {
        Some(directory) => serde_json::json!({ "directory": directory }).to_string(),
        None => String::new(),
    };
    let get = |operation| caller.ask(operation, &arguments, limits(caller), token);
    let status = get("session.status")?.json()?;
    let requests = |answer: Answer| -> Result<Vec<Arc<Request>>> {
        let raws: Vec<Box<RawValue>> = answer.json()?;
        // A request of a shape that is not known cannot be answered; it must not stop the others.
        Ok(raws.into_iter().filter_map(|raw| Request::read(raw).ok()).map(Arc::new).collect())
    };
    let (permissions, questions) = if with_lists {
        (requests(get("permission.list")?)?, requests(get("question.list")?)?)
    } else {
        (Vec::new(), Vec::new())
    };
    Ok(Sweep { started, status, permissions, questions, has_lists: with_lists })
}
