//! The requests of runs: done by a few threads, with the answers brought to the engine.

use super::choice::Choice;
use super::clock::millis;
use super::heard::Heard;
use super::inbox::{EngineMessage, Inbox, RunId};
use super::machine::RequestKind;
use super::race::{Race, Try, Watched};
use super::wire::{
    DirectorySnapshot, Meaning, OperationCall, Request, Response, SessionFacts, SnapshotParts, Wire,
};
use crate::base::cancel::CancelToken;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::limits::Limits;
use crate::base::log::Level;
use crate::base::pool::Pool;
use crate::call::caller::Caller;
use crate::call::dialect;
use crate::http::answer::Answer;
use crate::protocol::operation::Pace;
use crate::tools::{Telling, Tools};
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Threads that do the runs' short requests.
const WORKERS: usize = 3;
/// Threads that make sessions, which may take minutes each.
const CREATORS: usize = 2;
/// Threads that let the server know the host's tools: once at a time, however many runs begin.
const PLACERS: usize = 1;
/// A request of a run is short: a server that needs longer is out of order.
const REQUEST_LIMIT: Duration = Duration::from_secs(15);

/// How often what is under way is looked at.
const WATCH_PAUSE: Duration = Duration::from_millis(500);

/// Does requests on its own threads.
pub(super) struct Requests {
    pool: Pool,
    creators: Pool,
    placers: Pool,
    /// The sessions that are being made, and whether a run still wants them.
    creations: HashMap<RunId, Arc<AtomicBool>>,
    /// What ends the requests for summaries, which on 1.x are answered with them.
    summaries: HashMap<RunId, CancelToken>,
    /// Tries once more what hangs: the threads above may all be waiting.
    again: Arc<Pool>,
    shared: Arc<Shared>,
    /// What may be tried again while it hangs, the oldest first.
    pending: VecDeque<Pending>,
    watched: Instant,
}

type Launch = Box<dyn Fn(&Pool) -> Result<()> + Send>;

/// A request that is under way.
struct Pending {
    race: Arc<dyn Watched>,
    launch: Launch,
}

struct Shared {
    caller: Arc<Caller>,
    inbox: Arc<Inbox>,
    heard: Arc<Heard>,
    began: Instant,
    choice: Arc<Choice>,
    /// When a request last ran into its time limit, and nothing was answered since.
    silence: Mutex<Option<(Instant, Error)>>,
}

impl Requests {
    pub(super) fn new(
        caller: Arc<Caller>,
        inbox: Arc<Inbox>,
        heard: Arc<Heard>,
        again: Arc<Pool>,
        began: Instant,
        choice: Arc<Choice>,
    ) -> Self {
        let silence = Mutex::default();
        Requests {
            pool: Pool::new("opencode-request", WORKERS),
            creators: Pool::new("opencode-create", CREATORS),
            placers: Pool::new("opencode-place", PLACERS),
            creations: HashMap::new(),
            summaries: HashMap::new(),
            again,
            shared: Arc::new(Shared { caller, inbox, heard, began, choice, silence }),
            pending: VecDeque::new(),
            watched: began,
        }
    }

    pub(super) fn close(&self) {
        self.creators.end();
        self.placers.end();
        self.pool.close();
        self.creators.close();
        self.placers.close();
    }

    /// Does a request for a run.
    pub(super) fn ask(
        &mut self,
        id: RunId,
        kind: RequestKind,
        request: Request,
        caller: &Arc<Caller>,
        trace: Option<Arc<str>>,
    ) {
        let caller = Arc::clone(caller);
        if kind == RequestKind::Create {
            return self.create(id, request, caller, trace);
        }
        if request.may_last() {
            return self.summarize(id, request, caller, trace);
        }
        self.submit(
            request.only_reads(),
            move |shared, attempt| {
                let limits = limits(&caller, attempt);
                shared.get(&caller, &request, limits, attempt, trace.as_deref())
            },
            move |result| Some(EngineMessage::Answer(id, kind, result)),
        );
    }

    /// Makes a session. The server decides how long that takes; the run has limits of its own.
    fn create(
        &mut self,
        id: RunId,
        request: Request,
        caller: Arc<Caller>,
        trace: Option<Arc<str>>,
    ) {
        let is_wanted = Arc::new(AtomicBool::new(true));
        self.creations.insert(id, Arc::clone(&is_wanted));
        let work = move |shared: &Shared, attempt: &Try| match is_wanted.load(Ordering::Relaxed) {
            true => shared.get_patiently(&caller, &request, attempt, trace.as_deref()),
            false => Err(Error::new(ErrorKind::Closed, "nobody wants the session any more")),
        };
        self.submit_patiently(id, RequestKind::Create, CancelToken::default(), work);
    }

    /// Has a session summarized. The server decides how long that takes, and looks tell when it is over.
    fn summarize(
        &mut self,
        id: RunId,
        request: Request,
        caller: Arc<Caller>,
        trace: Option<Arc<str>>,
    ) {
        let token = CancelToken::default();
        self.summaries.insert(id, token.clone());
        let work = move |shared: &Shared, attempt: &Try| {
            shared.get_patiently(&caller, &request, attempt, trace.as_deref())
        };
        self.submit_patiently(id, RequestKind::Send, token, work);
    }

    /// Asks once for what may take long, on a thread that nothing quick waits for.
    fn submit_patiently(
        &mut self,
        id: RunId,
        kind: RequestKind,
        token: CancelToken,
        work: impl FnOnce(&Shared, &Try) -> Result<Response> + Send + 'static,
    ) {
        let (inbox, shared) = (Arc::clone(&self.shared.inbox), Arc::clone(&self.shared));
        let race = Race::new(move |result| inbox.push(EngineMessage::Answer(id, kind, result)));
        let (mine, runner) = (token.clone(), Arc::clone(&race));
        let work = move || runner.run(&mine, |attempt| work(&shared, attempt));
        if let Err(error) = self.creators.submit(token, work) {
            race.refuse(error);
        }
    }

    /// Nobody waits for the answer any more to the request for this run's summary: the server goes on without.
    pub(super) fn let_go(&mut self, id: RunId) {
        if let Some(token) = self.summaries.remove(&id) {
            token.cancel();
        }
    }

    /// The run is gone: a session that is not asked for yet is not made.
    pub(super) fn forget(&mut self, id: RunId) {
        self.let_go(id);
        if let Some(is_wanted) = self.creations.remove(&id) {
            is_wanted.store(false, Ordering::Relaxed);
        }
    }

    /// Lets the server know the host's tools, in a directory. It may take several requests, and connects to this program.
    pub(super) fn place_tools(
        &mut self,
        id: RunId,
        tools: Arc<Tools>,
        directory: Option<String>,
        caller: &Arc<Caller>,
        trace: Option<Arc<str>>,
    ) {
        let (inbox, shared) = (Arc::clone(&self.shared.inbox), Arc::clone(&self.shared));
        let (caller, asked) = (Arc::clone(caller), Instant::now());
        let race = Race::new(move |result| {
            inbox.push(EngineMessage::Answer(id, RequestKind::Tools, result));
        });
        let (token, runner) = (CancelToken::default(), Arc::clone(&race));
        let mine = token.clone();
        let work = move || {
            runner.run(&mine, |attempt| {
                if let Some(error) = shared.silence_since(asked) {
                    return Err(error);
                }
                let telling = Telling {
                    caller: &caller,
                    traceparent: trace.as_deref(),
                    limits: limits(&caller, attempt),
                    token: &attempt.token,
                    note: &|answer| shared.note(answer),
                };
                tools.place(directory.as_deref(), &telling)?;
                Ok(Response::Done)
            });
        };
        if let Err(error) = self.placers.submit(token, work) {
            race.refuse(error);
        }
    }

    /// Looks at a directory. What works and what is open are asked side by side, and told together.
    pub(super) fn snapshot(&mut self, directory: Option<String>, with_lists: bool) {
        if !with_lists {
            return self.look(directory.clone(), SnapshotParts::Status, |result| {
                Some(EngineMessage::Snapshot(directory, result))
            });
        }
        let first = Arc::new(Mutex::new(None));
        for parts in [SnapshotParts::Status, SnapshotParts::Lists] {
            let (first, name) = (Arc::clone(&first), directory.clone());
            self.look(directory.clone(), parts, move |result| {
                let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(other) = first.take() else {
                    *first = Some(result);
                    return None;
                };
                let both = result.and_then(|result: DirectorySnapshot| Ok(result.with(other?)));
                Some(EngineMessage::Snapshot(name, both))
            });
        }
    }

    fn look(
        &mut self,
        directory: Option<String>,
        parts: SnapshotParts,
        notify: impl FnOnce(Result<DirectorySnapshot>) -> Option<EngineMessage> + Send + 'static,
    ) {
        let work =
            move |shared: &Shared, attempt: &Try| shared.look(directory.as_deref(), parts, attempt);
        self.submit(true, work, notify);
    }

    /// Asks whose subagent a session is.
    pub(super) fn parent(&mut self, session: String) {
        let asked = session.clone();
        self.submit(
            true,
            move |shared, attempt| {
                let request = Request::Session { session: asked.clone() };
                let caller = &shared.caller;
                match shared.get(caller, &request, limits(caller, attempt), attempt, None)? {
                    Response::Session(SessionFacts { parent, .. }) => Ok(parent),
                    _ => Ok(None),
                }
            },
            move |result| Some(EngineMessage::Parent(session, result)),
        );
    }

    fn submit<T: Send + 'static>(
        &mut self,
        may_repeat: bool,
        work: impl Fn(&Shared, &Try) -> Result<T> + Send + Sync + 'static,
        notify: impl FnOnce(Result<T>) -> Option<EngineMessage> + Send + 'static,
    ) {
        let inbox = Arc::clone(&self.shared.inbox);
        let race = Race::new(move |result| {
            if let Some(message) = notify(result) {
                inbox.push(message);
            }
        });
        let (shared, work, asked) = (Arc::clone(&self.shared), Arc::new(work), Instant::now());
        let runner = Arc::clone(&race);
        let launch = move |pool: &Pool| {
            let (race, shared, work) =
                (Arc::clone(&runner), Arc::clone(&shared), Arc::clone(&work));
            let token = CancelToken::default();
            let mine = token.clone();
            pool.submit(token, move || {
                race.run(&mine, |attempt| match shared.silence_since(asked) {
                    Some(error) => Err(error),
                    None => work(&shared, attempt),
                });
            })
        };
        if let Err(error) = launch(&self.pool) {
            race.refuse(error);
        } else if may_repeat {
            self.pending.push_back(Pending { race, launch: Box::new(launch) });
        }
    }

    /// When [`watch`](Self::watch) is to be called at the latest.
    pub(super) fn watch_at(&mut self) -> Option<Instant> {
        while self.pending.front().is_some_and(|pending| pending.race.is_over()) {
            self.pending.pop_front();
        }
        (!self.pending.is_empty()).then(|| self.watched + WATCH_PAUSE)
    }

    /// Tries again what hangs. Says whether a request waits over a connection that stands.
    pub(super) fn watch(&mut self) -> bool {
        self.watched = Instant::now();
        self.pending.retain(|pending| !pending.race.is_over());
        let mut is_connected = false;
        for Pending { race, launch } in &self.pending {
            is_connected |= race.is_connected();
            if race.wants_try() {
                // Without a thread the first try has to do.
                let _ = launch(&self.again);
            }
        }
        is_connected
    }
}

impl Shared {
    fn get(
        &self,
        caller: &Caller,
        request: &Request,
        limits: Limits,
        attempt: &Try,
        trace: Option<&str>,
    ) -> Result<Response> {
        self.with_wire(|wire| self.get_from(caller, wire, request, limits, attempt, trace))
    }

    fn get_from(
        &self,
        caller: &Caller,
        wire: Wire,
        request: &Request,
        limits: Limits,
        attempt: &Try,
        trace: Option<&str>,
    ) -> Result<Response> {
        if let Some(response) = wire.known(request) {
            return Ok(response);
        }
        let answer = self.ask(caller, wire.call(request)?, limits, attempt, trace);
        match wire.read(request, answer) {
            Meaning::Done(response) => response,
            Meaning::Then(request) => self.get_from(caller, wire, &request, limits, attempt, trace),
        }
    }

    /// Asks in the words of the server. The first request of a client, and one to a server that took the place of
    /// another, may find that it has others; it did nothing then.
    fn with_wire<T>(&self, ask: impl Fn(Wire) -> Result<T>) -> Result<T> {
        let wire = self.choice.wire();
        match ask(wire) {
            // A directory that 1.x would misread is refused unsent; on 2.x it is one as any other.
            Err(error) if error.kind() == ErrorKind::InvalidArgument && !error.is_sent() => {
                if self.caller.dialect().is_none() {
                    // Without an answer the refusal stands.
                    let _ = self.caller.identify(dialect::LIMIT, &CancelToken::default());
                }
                match self.choice.wire() {
                    other if other != wire => ask(other),
                    _ => Err(error),
                }
            }
            Err(error) if dialect::is_refusal(&error) => match self.choice.wire() {
                other if other != wire => ask(other),
                Wire::Two => Err(error),
                Wire::One => {
                    self.caller.turn_to_two(error)?;
                    ask(Wire::Two)
                }
            },
            result => result,
        }
    }

    /// As [`get`](Self::get), with all the time that the server wants before its answer begins.
    fn get_patiently(
        &self,
        caller: &Caller,
        request: &Request,
        attempt: &Try,
        trace: Option<&str>,
    ) -> Result<Response> {
        let limits = Limits { first_byte: None, ..limits(caller, attempt) };
        self.get(caller, request, limits, attempt, trace)
    }

    fn ask(
        &self,
        caller: &Caller,
        call: OperationCall,
        limits: Limits,
        attempt: &Try,
        trace: Option<&str>,
    ) -> Result<Answer> {
        let OperationCall { operation, arguments } = &call;
        let result = caller.ask_traced(operation, arguments, trace, limits, &attempt.token);
        self.note(&result);
        result
    }

    /// Notes whether the server answers at all.
    fn note(&self, result: &Result<Answer>) {
        if result.as_ref().map_or_else(|e| e.status().is_some() && !is_gateway(e), |_| true) {
            self.heard.mark();
        }
        let mut silence = self.silence.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Err(error) if error.kind() == ErrorKind::Timeout && error.status().is_none() => {
                *silence = Some((Instant::now(), error.clone().with_sent(false)));
            }
            Err(error) if error.status().is_none() => {}
            _ => *silence = None,
        }
    }

    /// A server that lets requests run out of time answers none of those that waited behind them. They need not
    /// run out of time one after the other: a thousand runs would wait for hours.
    fn silence_since(&self, asked: Instant) -> Option<Error> {
        let silence = self.silence.lock().unwrap_or_else(PoisonError::into_inner);
        silence.as_ref().filter(|(since, _)| *since > asked).map(|(_, error)| error.clone())
    }

    /// Reads what a directory looks like.
    fn look(
        &self,
        directory: Option<&str>,
        parts: SnapshotParts,
        attempt: &Try,
    ) -> Result<DirectorySnapshot> {
        let started = millis(self.began.elapsed());
        let odd = RefCell::new(Vec::new());
        let ask = |call| self.ask(&self.caller, call, limits(&self.caller, attempt), attempt, None);
        let snapshot =
            self.with_wire(|wire| wire.snapshot(directory, parts, ask, &mut odd.borrow_mut()));
        for what in odd.into_inner() {
            let told = || format!("runs: left out, as it cannot be read: {what}");
            self.caller.options().log.write(Level::Warn, told);
        }
        Ok(DirectorySnapshot { started, ..snapshot? })
    }
}

/// All tries end together.
fn limits(caller: &Caller, attempt: &Try) -> Limits {
    let options = caller.options().limits(Pace::Quick);
    let left = match attempt.is_fresh {
        true => REQUEST_LIMIT.saturating_sub(attempt.began.elapsed()),
        false => REQUEST_LIMIT,
    };
    let cap = |limit: Option<Duration>| Some(limit.unwrap_or(left).min(left));
    let (first_byte, idle) = (cap(options.first_byte), cap(options.idle));
    Limits { first_byte, idle, is_fresh: attempt.is_fresh, ..options }
}

/// Whether somebody before the server says that it does not answer.
fn is_gateway(error: &Error) -> bool {
    matches!(error.status(), Some(502..=504))
}
