//! [`Engine`]: one thread that steps all runs of a client.

mod descendants;
mod publish;
mod snapshots;

use super::choice::Choice;
use super::clock::{Millis, millis};
use super::heard::Heard;
use super::inbox::{EngineMessage, Inbox, NewRun, RunId};
use super::machine::{Input, Lists, Machine, Outcome, Output, RequestKind};
use super::request::Requests;
use super::run_events::RunEvents;
use super::state::{RunState, State};
use super::unsent::{Unsent, UnsentPrompt};
use super::update::Update;
use super::wire::{DirectorySnapshot, Fact, Memory, Request, Response, is_absent};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::log::{Level, Log};
use crate::base::pool::{Pool, join};
use crate::base::thread::{self, caught};
use crate::call::caller::{Caller, closed};
use crate::events::feed::{Feed, Listener};
use crate::protocol::event::Event;
use crate::tools::Tools;
use publish::{closed_at, end, log, name, publish};
use snapshots::SnapshotPoller;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The runs of one client.
pub(crate) struct Engine {
    inbox: Arc<Inbox>,
    unsent: Arc<Unsent>,
    tools: Arc<Tools>,
    began: Instant,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Engine {
    /// Starts the engine's thread; everything else starts when it is needed. `chores` tries again what hangs.
    ///
    /// # Errors
    /// `exhausted` when the system gives no thread.
    pub(crate) fn start(
        caller: Arc<Caller>,
        feed: Arc<Feed>,
        chores: Arc<Pool>,
        tools: Arc<Tools>,
    ) -> Result<Self> {
        let inbox = Arc::new(Inbox::default());
        let began = Instant::now();
        let hurried = Arc::clone(&inbox);
        let unsent = Unsent::new(move || hurried.push(EngineMessage::Leave));
        let (told, pending, offered) =
            (Arc::clone(&inbox), Arc::clone(&unsent), Arc::clone(&tools));
        let work = Work::new(caller, feed, chores, offered, told, pending, began);
        let thread = thread::start("opencode-runs", move || work.run(), drop)?;
        Ok(Engine { inbox, unsent, tools, began, thread: Mutex::new(Some(thread)) })
    }

    pub(crate) fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    /// The tools of the client.
    pub(crate) fn tools(&self) -> &Arc<Tools> {
        &self.tools
    }

    pub(crate) fn unsent(&self) -> &Arc<Unsent> {
        &self.unsent
    }

    /// The engine's clock.
    pub(crate) fn now(&self) -> Millis {
        millis(self.began.elapsed())
    }

    /// Gives prompts that are not sent yet a moment, ends all runs of this side and joins all threads; the server
    /// goes on with its prompts. The error names what was not sent.
    pub(crate) fn close(&self) -> Option<Error> {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        if thread.thread().id() != std::thread::current().id() {
            self.unsent.wait_a_moment();
        }
        self.inbox.push(EngineMessage::Close);
        join(vec![thread]);
        self.unsent.loss()
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
    unsent: Arc<Unsent>,
    began: Instant,
    requests: Requests,
    /// When the server last said anything.
    heard: Arc<Heard>,
    runs: HashMap<RunId, RunSlot>,
    /// When runs want to be woken up.
    alarms: BTreeSet<(Millis, RunId)>,
    /// Runs by the sessions that they track.
    sessions: HashMap<String, Vec<RunId>>,
    /// Runs of a session in the order of their turns; the first one has it.
    turns: HashMap<String, VecDeque<RunId>>,
    pollers: HashMap<Option<String>, SnapshotPoller>,
    /// Whose subagents the sessions are that asked for something and belong to no run.
    parents: HashMap<String, Option<String>>,
    run_events: Arc<RunEvents>,
    choice: Arc<Choice>,
    memory: Memory,
    feed: Arc<Feed>,
    tools: Arc<Tools>,
    is_stream_up: bool,
    /// What was taken from the inbox and not handled yet.
    messages: VecDeque<EngineMessage>,
    is_closed: bool,
}

struct RunSlot {
    machine: Box<Machine>,
    state: Arc<RunState>,
    alarm: Option<Millis>,
    tracks: Vec<String>,
    /// Until the prompt is sent.
    pending: Option<UnsentPrompt>,
    queue: Option<String>,
    /// Whose settings its requests have.
    caller: Arc<Caller>,
}

impl RunSlot {
    fn new(start: NewRun) -> Self {
        let NewRun { machine, state, pending, caller } = start;
        RunSlot { machine, state, alarm: None, tracks: Vec::new(), pending, queue: None, caller }
    }
}

impl Work {
    fn new(
        caller: Arc<Caller>,
        feed: Arc<Feed>,
        chores: Arc<Pool>,
        tools: Arc<Tools>,
        inbox: Arc<Inbox>,
        unsent: Arc<Unsent>,
        began: Instant,
    ) -> Self {
        let heard = Arc::new(Heard::new(began));
        let choice = Arc::new(Choice::new(Arc::clone(&caller)));
        let (told, mark) = (Arc::clone(&inbox), Arc::clone(&heard));
        let run_events = Arc::new(RunEvents::new(told, mark, Arc::clone(&choice)));
        feed.add(Arc::clone(&run_events) as Arc<dyn Listener>);
        Work {
            requests: Requests::new(
                Arc::clone(&caller),
                Arc::clone(&inbox),
                Arc::clone(&heard),
                chores,
                began,
                Arc::clone(&choice),
            ),
            heard,
            caller,
            inbox,
            unsent,
            began,
            runs: HashMap::new(),
            alarms: BTreeSet::new(),
            sessions: HashMap::new(),
            turns: HashMap::new(),
            pollers: HashMap::new(),
            parents: HashMap::new(),
            run_events,
            choice,
            memory: Memory::default(),
            feed,
            tools,
            is_stream_up: false,
            messages: VecDeque::new(),
            is_closed: false,
        }
    }

    fn now(&self) -> Millis {
        millis(self.began.elapsed())
    }

    fn run(mut self) {
        while !self.is_closed {
            if let Err(error) = caught(|| self.round()) {
                self.fall(&error);
            }
        }
    }

    fn round(&mut self) {
        if self.messages.is_empty() {
            let alarm = self.next_alarm().map(|at| at.saturating_sub(self.now()));
            let watch = self.requests.watch_at();
            let watch = watch.map(|at| at.saturating_duration_since(Instant::now()));
            let timeout = alarm.map(Duration::from_millis).into_iter().chain(watch).min();
            self.messages = self.inbox.take(timeout);
        }
        while let Some(message) = self.messages.pop_front() {
            if matches!(message, EngineMessage::Close) {
                self.is_closed = true;
                self.close();
                return;
            }
            self.handle(message);
        }
        self.watch();
        self.end_with_server();
        self.ring();
    }

    /// Nobody starts the server again whose handle this program has: no run waits for it.
    fn end_with_server(&mut self) {
        if self.runs.is_empty() {
            return;
        }
        let Some(error) = self.caller.server_end() else { return };
        for id in self.runs.keys().copied().collect::<Vec<_>>() {
            if let Some(slot) = self.runs.get_mut(&id) {
                let is_sent = slot.machine.may_be_sent();
                end(slot, error.clone().with_sent(is_sent));
                self.remove(id);
            }
        }
    }

    /// A panic outside of a single run's step: nobody knows what became of the others.
    fn fall(&mut self, error: &Error) {
        self.alarms.clear();
        self.turns.clear();
        self.pollers.clear();
        self.parents.clear();
        for session in std::mem::take(&mut self.sessions).into_keys() {
            self.run_events.forget(&session);
        }
        self.run_events.set_waiting(false);
        for mut slot in std::mem::take(&mut self.runs).into_values() {
            end(&mut slot, error.clone());
        }
    }

    /// Looks after requests that hang.
    fn watch(&mut self) {
        let is_due = |at| Instant::now() >= at;
        if self.requests.watch_at().is_some_and(is_due) && self.requests.watch() {
            let waits = |(id, slot): (&RunId, &RunSlot)| slot.machine.is_cut_off().then_some(*id);
            for id in self.runs.iter().filter_map(waits).collect::<Vec<_>>() {
                self.step(id, Input::Listens);
            }
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

    fn handle(&mut self, message: EngineMessage) {
        match message {
            EngineMessage::Start(id, start) => self.start(id, RunSlot::new(start)),
            EngineMessage::Answer(id, RequestKind::Create, Ok(Response::Session(made)))
                if !self.runs.contains_key(&id) =>
            {
                self.discard(id, made.id);
            }
            EngineMessage::Answer(id, kind, result) => self.step(id, Input::Answer(kind, result)),
            EngineMessage::Event(event) => self.on_event(&event),
            EngineMessage::Stream(is_up) => self.on_stream(is_up),
            // Something may have happened before the server began to tell.
            EngineMessage::Settled => {
                for id in self.runs.keys().copied().collect::<Vec<_>>() {
                    self.step(id, Input::Settled);
                }
            }
            EngineMessage::Snapshot(directory, result) => self.on_snapshot(directory, result),
            EngineMessage::Cancel(id) => self.step(id, Input::Cancel),
            EngineMessage::Permission(id, request, reply, message) => {
                self.step(id, Input::Permission { id: request, reply, message });
            }
            EngineMessage::Question(id, request, answers) => {
                self.step(id, Input::Question { id: request, answers });
            }
            EngineMessage::Parent(session, parent) => self.on_parent(session, parent),
            EngineMessage::Detach(id) => self.detach(id),
            EngineMessage::Leave => {
                let is_unsent =
                    |(id, slot): (&RunId, &RunSlot)| slot.pending.is_some().then_some(*id);
                for id in self.runs.iter().filter_map(is_unsent).collect::<Vec<_>>() {
                    self.step(id, Input::Leave);
                }
            }
            EngineMessage::Close => {}
            #[cfg(test)]
            EngineMessage::Panic(Some(id)) => {
                self.attempt(id, |_| std::panic::panic_any("by the test"))
            }
            #[cfg(test)]
            EngineMessage::Panic(None) => std::panic::panic_any("by the test"),
        }
    }

    fn start(&mut self, id: RunId, slot: RunSlot) {
        // Those of a server that has ended are over before another one takes its place.
        self.end_with_server();
        self.caller.renew_server();
        let wants_events = slot.machine.wants_events();
        self.runs.insert(id, slot);
        self.tools.set_hearing(self.is_stream_up);
        if wants_events {
            self.run_events.set_waiting(true);
            // Without the thread the runs go on without events.
            let _ = self.feed.start();
        }
        let now = self.now();
        let session = self.runs.get(&id).and_then(|slot| slot.machine.session());
        let place = session.and_then(|session| self.run_events.place_of(session));
        self.attempt(id, |machine| machine.start(now, place));
        if self.is_stream_up {
            self.step(id, Input::Stream(true));
        }
    }

    fn step(&mut self, id: RunId, input: Input<'_>) {
        let now = self.now();
        let heard = self.heard.at();
        self.attempt(id, |machine| {
            machine.hear(heard);
            machine.step(now, input);
        });
    }

    /// Does something with a run's machine. A run whose own step panics fails alone.
    fn attempt(&mut self, id: RunId, work: impl FnOnce(&mut Machine)) {
        let Some(slot) = self.runs.get_mut(&id) else { return };
        match caught(|| work(&mut slot.machine)) {
            Ok(()) => self.apply_outputs(id),
            Err(error) => {
                end(slot, error.with_operation("run"));
                self.remove(id);
            }
        }
    }

    /// Does what a machine wants after a step.
    fn apply_outputs(&mut self, id: RunId) {
        let Some(slot) = self.runs.get_mut(&id) else { return };
        let mut updates = Vec::new();
        let mut outcome = None;
        let mut outputs = VecDeque::from(slot.machine.take_outputs());
        while let Some(output) = outputs.pop_front() {
            match output {
                Output::Update(update) => updates.push(update),
                Output::Warn(what) => {
                    let run = slot.machine.message_id();
                    let told = || format!("run {run}: {what}");
                    self.caller.options().log.write(Level::Warn, told);
                }
                Output::Over(over) => outcome = Some(over),
                Output::Track(session) => {
                    slot.tracks.push(session.clone());
                    self.sessions.entry(session.clone()).or_default().push(id);
                    let is_own = slot.machine.session() == Some(&session);
                    let place = slot.machine.directory().filter(|_| is_own).cloned();
                    self.run_events.track(session, place);
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
                Output::Ask(kind, request) => {
                    let trace = slot.machine.traceparent();
                    self.requests.ask(id, kind, request, &slot.caller, trace);
                }
                Output::PlaceTools { directory } => {
                    let (tools, trace) = (Arc::clone(&self.tools), slot.machine.traceparent());
                    self.requests.place_tools(id, tools, directory, &slot.caller, trace);
                }
                Output::TakeSnapshot { directory, lists } => {
                    let poller = self.pollers.entry(directory.clone()).or_default();
                    poller.waiting.insert(id);
                    poller.lists = poller.lists.max(lists);
                    if poller.is_busy {
                        poller.is_wanted = true;
                    } else {
                        let now = millis(self.began.elapsed());
                        let with_lists = poller.begin(now, self.is_stream_up);
                        self.requests.snapshot(directory, with_lists);
                    }
                }
            }
        }
        let Some(slot) = self.runs.get_mut(&id) else { return };
        log(&self.caller.options().log, &slot.machine, &updates);
        publish(slot, updates, outcome.clone());
        if slot.machine.is_sent() {
            slot.pending = None;
        }
        if slot.machine.is_compaction() && slot.machine.has_answers() {
            self.requests.let_go(id);
        }
        if let Some(over) = outcome {
            // What the way to the server broke off may be picked up again.
            if over
                .error
                .is_some_and(|e| !matches!(e.kind(), ErrorKind::Connection | ErrorKind::Timeout))
            {
                self.withdraw(id);
            }
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
        let wire = self.choice.wire();
        let ids: Vec<RunId> = match event.session_id() {
            None => self.runs.keys().copied().collect(),
            Some(session) => match self.sessions.get(session) {
                Some(ids) => ids.clone(),
                // A session that nobody tracks yet is the child of one that somebody does.
                None => {
                    let parent = wire.parent(event);
                    parent.and_then(|p| self.sessions.get(&p)).cloned().unwrap_or_default()
                }
            },
        };
        for id in ids {
            let Some(fact) = wire.fact(event, &mut self.memory) else { break };
            if let (Some(session), Fact::PartChanged(part)) = (event.session_id(), &fact)
                && part.tool().is_some()
            {
                self.tools.see(session, &part.raw);
            }
            self.step(id, Input::Fact { session: event.session_id(), fact });
        }
        if let Some(session) = event.session_id()
            && !self.sessions.contains_key(session)
        {
            self.run_events.forget(session);
        }
    }

    fn on_stream(&mut self, is_up: bool) {
        if !is_up && !self.is_stream_up {
            return;
        }
        self.is_stream_up = is_up;
        self.tools.set_hearing(is_up && !self.runs.is_empty());
        self.memory.clear();
        for poller in self.pollers.values_mut() {
            poller.lists_read = None;
        }
        for id in self.runs.keys().copied().collect::<Vec<_>>() {
            self.step(id, Input::Stream(is_up));
        }
    }

    /// A session that came after its run had ended: nobody knows of it.
    fn discard(&mut self, id: RunId, session: Option<String>) {
        if let Some(session) = session {
            let (caller, request) = (&self.caller, Request::Discard { session });
            self.requests.ask(id, RequestKind::Discard, request, caller, None);
        }
    }

    /// A prompt of a run that failed is not to wait any more.
    fn withdraw(&mut self, id: RunId) {
        let Some(RunSlot { machine, caller, .. }) = self.runs.get(&id) else { return };
        let is_kept = self.choice.wire().keeps_what_waits() || machine.is_compaction();
        if !is_kept || !machine.may_be_sent() || machine.message_id().is_empty() {
            return;
        }
        if let Some(session) = machine.session() {
            let (session, message) = (session.to_owned(), machine.message_id().to_owned());
            let request = Request::Withdraw { session, message };
            let trace = machine.traceparent();
            self.requests.ask(id, RequestKind::Discard, request, caller, trace);
        }
    }

    /// Leaves a run to the server: it is over on this side.
    fn detach(&mut self, id: RunId) {
        if let Some(slot) = self.runs.get_mut(&id) {
            let text = "run: detached; client.resume picks it up";
            end(slot, Error::new(ErrorKind::Closed, text).with_operation("run").with_sent(true));
            self.remove(id);
        }
    }

    /// Forgets a run, and gives its turn to the next.
    fn remove(&mut self, id: RunId) {
        let Some(slot) = self.runs.remove(&id) else { return };
        self.requests.forget(id);
        self.tools.set_hearing(self.is_stream_up && !self.runs.is_empty());
        if let Some(at) = slot.alarm {
            self.alarms.remove(&(at, id));
        }
        for session in &slot.tracks {
            if let Some(ids) = self.sessions.get_mut(session) {
                ids.retain(|other| *other != id);
                if ids.is_empty() {
                    self.sessions.remove(session);
                    self.run_events.forget(session);
                    self.memory.forget(session);
                }
            }
        }
        for poller in self.pollers.values_mut() {
            poller.waiting.remove(&id);
        }
        if self.runs.is_empty() {
            self.run_events.set_waiting(false);
            self.parents.clear();
        }
        if self.runs.is_empty() || self.pollers.len() > 2 * self.runs.len() + 16 {
            // Each run may look at a directory of its own.
            self.pollers.retain(|_, poller| poller.is_busy);
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
        self.requests.close();
        let mut slots = Vec::new();
        let later = self.inbox.take(Some(Duration::ZERO));
        for message in std::mem::take(&mut self.messages).into_iter().chain(later) {
            match message {
                // What was sent in the last moment is sent.
                EngineMessage::Answer(id, RequestKind::Send, result @ Ok(_)) => {
                    self.step(id, Input::Answer(RequestKind::Send, result));
                }
                // What was started and not seen yet ends like the others.
                EngineMessage::Start(_, start) => slots.push(RunSlot::new(start)),
                _ => {}
            }
        }
        slots.extend(std::mem::take(&mut self.runs).into_values());
        for mut slot in slots {
            if slot.pending.is_some() {
                let what = format!("run {}: {}", name(&slot.machine), slot.machine.why());
                self.caller
                    .options()
                    .log
                    .write(Level::Warn, || format!("lost at the close: {what}"));
                self.unsent.lose(what);
            }
            let error = closed_at(&slot.machine);
            end(&mut slot, error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::options::ClientOptions;
    use crate::client::Client;
    use crate::run::{Prompt, Run};

    /// A client of nobody: its runs wait.
    fn client() -> Client {
        let base_url = "http://127.0.0.1:1".to_owned();
        Client::new(ClientOptions { base_url, events: false, ..ClientOptions::default() }).unwrap()
    }

    fn started(client: &Client) -> Run {
        client.run(Prompt::new("x")).unwrap()
    }

    fn failure(run: &Run) -> Error {
        run.wait(Some(Duration::from_secs(60))).unwrap_err()
    }

    #[test]
    fn a_run_that_panics_fails_alone() {
        let client = client();
        let (bad, good) = (started(&client), started(&client));
        bad.inbox.push(EngineMessage::Panic(Some(bad.id)));
        let error = failure(&bad);
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(error.message().contains("by the test"), "{error}");
        assert_eq!(failure(&good).kind(), ErrorKind::Connection);
    }

    #[test]
    fn a_panic_of_the_engine_leaves_nobody_waiting() {
        let client = client();
        let runs = [started(&client), started(&client)];
        runs[0].inbox.push(EngineMessage::Panic(None));
        let later = started(&client);
        for run in &runs {
            assert_eq!(failure(run).kind(), ErrorKind::Internal);
        }
        assert_eq!(failure(&later).kind(), ErrorKind::Connection, "the thread goes on");
        client.close();
    }
}
