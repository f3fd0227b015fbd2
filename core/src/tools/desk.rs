//! [`Desk`]: the tools by name, the calls that are open, and the mailbox in which they wait for the host.

use super::answer::ToolAnswer;
use super::seen::SeenParts;
use super::tool::{HostToolCall, Tool};
use super::{CallListener, CallsWaiting};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::json::Json;
use crate::base::limits::{after, shown};
use crate::base::mailbox::{Content, Face, Mailbox};
use crate::base::signal::Signal;
use crate::protocol::schema;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

/// How long a call waits for the event that says whose it is, while runs are at work. It mostly comes within milliseconds; a
/// server that reads the model's next words first tells of the call later than it makes it.
const WAIT_FOR_PLACE: Duration = Duration::from_millis(1_500);
/// Calls that may be open at once; a model makes a few.
const MAX_OPEN: usize = 10_000;

/// Whom an answer goes to: a connection, and the request of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asker {
    pub(super) connection: usize,
    /// The directory's number: each has an MCP client of its own, which counts its requests from one.
    pub(super) peer: String,
    /// The id of the request as it was written.
    pub(super) request: String,
}

/// What came of a call at once.
pub(super) enum BegunCall {
    /// The answer comes later, if ever.
    Open,
    /// The result.
    Result(String),
    /// There is no such tool.
    Unknown,
}

pub(super) struct Desk {
    /// The name of the MCP server: the agent knows the tools by it, an underscore, and their own.
    prefix: String,
    tools: Mutex<ToolList>,
    calls: Mailbox<WaitingCalls>,
    inner: Mutex<DeskState>,
    /// Held while listeners are told, so that the last one to tell knows the newest.
    listeners: Mutex<Vec<Weak<dyn CallListener>>>,
    is_kept: AtomicBool,
}

/// The tools, and how often the list was changed.
#[derive(Default)]
struct ToolList {
    tools: Vec<Arc<Tool>>,
    version: u64,
}

#[derive(Default)]
struct DeskState {
    next: u64,
    open: BTreeMap<u64, OpenCall>,
    seen: SeenParts,
    hears: bool,
    is_closed: bool,
    /// Which list of tools each peer has read.
    listed: HashMap<String, u64>,
    /// The peers that listen for changes of it.
    listeners: HashSet<String>,
    answers: VecDeque<(Asker, String)>,
    waker: Option<Arc<mio::Waker>>,
}

struct OpenCall {
    call: Arc<HostToolCall>,
    asker: Asker,
    timeout: Duration,
    deadline: Instant,
    /// Until then the call waits for the event that says whose it is; `None` once the host has it.
    held: Option<Instant>,
}

/// What the host has not taken yet.
#[derive(Default)]
struct WaitingCalls {
    handled: VecDeque<Arc<HostToolCall>>,
    plain: VecDeque<Arc<HostToolCall>>,
    is_closed: bool,
}

impl Content for WaitingCalls {
    fn face(&self) -> Face {
        let has_news = !self.handled.is_empty() || !self.plain.is_empty();
        Face { state: 0, is_over: self.is_closed, has_news }
    }
}

impl Desk {
    pub(super) fn new(prefix: &str, signal: Arc<Signal>) -> Self {
        Desk {
            prefix: prefix.to_owned(),
            tools: Mutex::default(),
            calls: Mailbox::new(WaitingCalls::default(), Some(signal)),
            inner: Mutex::default(),
            listeners: Mutex::default(),
            is_kept: AtomicBool::new(false),
        }
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn add(&self, tool: Tool) {
        let mut list = self.list();
        list.tools.retain(|old| old.name != tool.name);
        list.tools.push(Arc::new(tool));
        list.version += 1;
        drop(list);
        self.inner().wake();
    }

    /// The tools, and the number of this list.
    pub(super) fn tools(&self) -> (Vec<Arc<Tool>>, u64) {
        let list = self.list();
        (list.tools.clone(), list.version)
    }

    pub(super) fn version(&self) -> u64 {
        self.list().version
    }

    fn list(&self) -> MutexGuard<'_, ToolList> {
        self.tools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn listen(&self, listener: Weak<dyn CallListener>) {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|old| old.strong_count() > 0);
        listeners.push(listener);
        drop(listeners);
        if self.has_calls() || self.is_kept.load(Ordering::Acquire) {
            self.tell();
        }
    }

    pub(super) fn keep(&self, kept: bool) {
        if self.is_kept.swap(kept, Ordering::AcqRel) != kept {
            self.tell();
        }
    }

    /// Tells listeners what waits now.
    fn tell(&self) {
        let listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = self.calls.read();
        let handled = !waiting.handled.is_empty();
        let any = handled || !waiting.plain.is_empty();
        drop(waiting);
        let kept = self.is_kept.load(Ordering::Acquire);
        for listener in listeners.iter().filter_map(Weak::upgrade) {
            listener.tell_calls(CallsWaiting { any, handled, kept });
        }
    }

    /// Who wakes the thread of the MCP server when there are answers.
    pub(super) fn set_waker(&self, waker: Arc<mio::Waker>) {
        self.inner().waker = Some(waker);
    }

    /// A call came.
    pub(super) fn begin(&self, name: &str, arguments: &RawValue, asker: Asker) -> BegunCall {
        let (tools, _) = self.tools();
        let Some(tool) = tools.iter().find(|tool| tool.name == name) else {
            return BegunCall::Unknown;
        };
        let arguments = Json::from(arguments);
        if !arguments.is_object() {
            return refused("wrong arguments: they must be an object");
        }
        if let Some(why) = schema::mismatch(&arguments, &tool.parameters) {
            return refused(&format!("wrong arguments: {why}"));
        }
        let mut inner = self.inner();
        if inner.is_closed {
            return refused("the program whose tool this is has ended");
        }
        if inner.open.len() >= MAX_OPEN {
            return refused("too many calls are open; wait for their answers");
        }
        inner.next += 1;
        let number = inner.next;
        let call = Arc::new(HostToolCall {
            id: number.to_string(),
            name: name.to_owned(),
            place: OnceLock::new(),
            is_over: AtomicBool::new(false),
            handler: tool.handler.clone(),
            arguments,
        });
        if let Some(place) = inner.seen.take(name, &call.arguments) {
            let _ = call.place.set(place);
        }
        let is_held = inner.hears && call.place.get().is_none();
        let open = OpenCall {
            call: Arc::clone(&call),
            asker,
            timeout: tool.timeout,
            deadline: after(tool.timeout),
            held: is_held.then(|| after(WAIT_FOR_PLACE)),
        };
        inner.open.insert(number, open);
        drop(inner);
        if !is_held {
            self.hand_out(vec![call]);
        }
        BegunCall::Open
    }

    /// Puts calls into the mailbox.
    fn hand_out(&self, calls: Vec<Arc<HostToolCall>>) {
        if calls.is_empty() {
            return;
        }
        self.calls.write(|waiting| {
            // Who was cancelled meanwhile looked for them here, and did not find them.
            let open = calls.into_iter().filter(|call| !call.is_over());
            let mut is_any = false;
            for call in open {
                is_any = true;
                match call.handler {
                    Some(_) => waiting.handled.push_back(call),
                    None => waiting.plain.push_back(call),
                }
            }
            is_any
        });
        self.tell();
    }

    /// A tool part changed.
    pub(super) fn see(&self, session: &str, part: &RawValue) {
        let mut inner = self.inner();
        let own = |name: &str| {
            let rest = name.strip_prefix(&*self.prefix).and_then(|rest| rest.strip_prefix('_'));
            rest.map(str::to_owned)
        };
        if !inner.seen.note(session, part, own) {
            return;
        }
        let mut found = Vec::new();
        let DeskState { open, seen, .. } = &mut *inner;
        for open in open.values_mut() {
            let call = &open.call;
            if call.place.get().is_none()
                && let Some(place) = seen.take(&call.name, &call.arguments)
            {
                let _ = call.place.set(place);
                if open.held.take().is_some() {
                    found.push(Arc::clone(call));
                }
            }
        }
        drop(inner);
        self.hand_out(found);
    }

    pub(super) fn set_hearing(&self, hears: bool) {
        self.inner().hears = hears;
    }

    pub(super) fn note_listed(&self, peer: &str, version: u64) {
        self.inner().listed.insert(peer.to_owned(), version);
    }

    /// The list of tools that the peer of this path has read; 0 for none.
    pub(super) fn listed(&self, peer: &str) -> u64 {
        self.inner().listed.get(peer).copied().unwrap_or_default()
    }

    /// Whether the peer of this path is told of changes as they come.
    pub(super) fn set_listener(&self, peer: &str, listens: bool) {
        let mut inner = self.inner();
        if listens {
            inner.listeners.insert(peer.to_owned());
        } else {
            inner.listeners.remove(peer);
        }
    }

    pub(super) fn is_listener(&self, peer: &str) -> bool {
        self.inner().listeners.contains(peer)
    }

    pub(super) fn has_calls(&self) -> bool {
        self.calls.face().has_news
    }

    pub(super) fn mark(&self) -> u64 {
        self.calls.mark()
    }

    /// Blocks until there are calls or it is closed, at most for `timeout`. Somebody else may take them first.
    pub(super) fn wait(&self, timeout: Option<Duration>) -> bool {
        self.calls.wait_ready(timeout)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.calls.face().is_over
    }

    pub(super) fn take_handled(&self) -> Option<Arc<HostToolCall>> {
        self.take(|waiting| waiting.handled.pop_front())
    }

    pub(super) fn take_plain(&self) -> Option<Arc<HostToolCall>> {
        self.take(|waiting| waiting.plain.pop_front())
    }

    fn take(
        &self,
        pop: impl FnOnce(&mut WaitingCalls) -> Option<Arc<HostToolCall>>,
    ) -> Option<Arc<HostToolCall>> {
        if !self.has_calls() {
            return None;
        }
        let (call, is_empty) = self.calls.edit(|waiting| {
            let call = pop(waiting);
            (call, waiting.handled.is_empty())
        });
        if call.is_some() && is_empty {
            self.tell();
        }
        call
    }

    pub(super) fn reply(&self, id: &str, answer: ToolAnswer) -> Result<()> {
        let mut inner = self.inner();
        let open = id.parse().ok().and_then(|number| inner.open.remove(&number));
        let Some(open) = open else {
            let text = format!(
                "tool_reply: nobody waits for the call '{id}': it was answered, its time was up, or its run was cancelled"
            );
            return Err(Error::new(ErrorKind::NotFound, text).with_operation("tool_reply"));
        };
        inner.answer(open, answer);
        drop(inner);
        Ok(())
    }

    pub(super) fn is_open(&self, id: &str) -> bool {
        id.parse().is_ok_and(|number| self.inner().open.contains_key(&number))
    }

    /// The one who asked does not want the answer any more. A notice about a call that was answered means nothing.
    pub(super) fn cancel(&self, is_meant: impl Fn(&Asker) -> bool) {
        let mut inner = self.inner();
        let gone = inner.take_out(|open| is_meant(&open.asker));
        drop(inner);
        self.forget(gone.iter().map(|open| &open.call));
    }

    /// Takes calls that are over out of the mailbox.
    fn forget<'a>(&self, calls: impl Iterator<Item = &'a Arc<HostToolCall>>) {
        let mut is_any = false;
        for call in calls {
            call.is_over.store(true, Ordering::Release);
            is_any = true;
        }
        if is_any {
            // Without a look before: a call may be on its way into the mailbox.
            self.calls.edit(|waiting| {
                waiting.handled.retain(|call| !call.is_over());
                waiting.plain.retain(|call| !call.is_over());
            });
            self.tell();
        }
    }

    /// Ends calls whose time is up and hands out those that waited long enough to be placed. Says when it is to be called
    /// again at the latest.
    pub(super) fn tick(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut inner = self.inner();
        let late = inner.take_out(|open| now >= open.deadline);
        let late_calls: Vec<_> = late.iter().map(|open| Arc::clone(&open.call)).collect();
        for open in late {
            let text = format!(
                "nobody answered the call within {}: the program whose tool this is may be busy or gone",
                shown(open.timeout)
            );
            inner.answer(open, ToolAnswer::failure(text));
        }
        let mut found = Vec::new();
        let mut next: Option<Instant> = None;
        for open in inner.open.values_mut() {
            if open.held.is_some_and(|until| now >= until) {
                open.held = None;
                found.push(Arc::clone(&open.call));
            }
            let due = open.held.unwrap_or(open.deadline).min(open.deadline);
            next = Some(next.map_or(due, |next| next.min(due)));
        }
        drop(inner);
        self.forget(late_calls.iter());
        self.hand_out(found);
        next
    }

    pub(super) fn take_answers(&self) -> VecDeque<(Asker, String)> {
        std::mem::take(&mut self.inner().answers)
    }

    /// The thread of the MCP server is gone: nobody waits for what can never come.
    pub(super) fn fall(&self) {
        self.close();
    }

    /// Fails what is open, and whatever comes. Whether something was.
    pub(super) fn close(&self) -> bool {
        let mut inner = self.inner();
        inner.is_closed = true;
        let open = std::mem::take(&mut inner.open);
        let calls: Vec<_> = open.values().map(|open| Arc::clone(&open.call)).collect();
        for open in open.into_values() {
            let text = "the program whose tool this is has closed its client";
            inner.answer(open, ToolAnswer::failure(text));
        }
        drop(inner);
        self.forget(calls.iter());
        self.calls.edit(|waiting| waiting.is_closed = true);
        !calls.is_empty()
    }

    fn inner(&self) -> MutexGuard<'_, DeskState> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DeskState {
    /// Takes out the open calls that are meant, the oldest first.
    fn take_out(&mut self, is_meant: impl Fn(&OpenCall) -> bool) -> Vec<OpenCall> {
        let meant = self.open.iter().filter(|(_, open)| is_meant(open));
        let numbers: Vec<u64> = meant.map(|(number, _)| *number).collect();
        numbers.iter().filter_map(|number| self.open.remove(number)).collect()
    }

    /// Sends an answer on its way.
    fn answer(&mut self, open: OpenCall, answer: ToolAnswer) {
        open.call.is_over.store(true, Ordering::Release);
        self.answers.push_back((open.asker, answer.to_result()));
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = &self.waker {
            // A thread that cannot be woken finds what is new at its next turn.
            let _ = waker.wake();
        }
    }
}

fn refused(why: &str) -> BegunCall {
    BegunCall::Result(ToolAnswer::failure(why).to_result())
}
