//! [`RunState`]: what the engine writes and the host reads, without either waiting for the other.

use super::machine::Outcome;
use super::update::{Queue, Update};
use crate::signal::Signal;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};

/// Where a run stands, for the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Being sent, queued or running.
    Pending,
    /// A permission or question is open, and only the host can answer it.
    Waiting,
    /// The reply is there.
    Done,
    /// It ended without one; the error says why.
    Failed,
}

impl State {
    /// `pending`, `waiting`, `done` or `failed`.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Waiting => "waiting",
            State::Done => "done",
            State::Failed => "failed",
        }
    }

    /// Whether nothing will change any more.
    pub fn is_over(self) -> bool {
        matches!(self, State::Done | State::Failed)
    }

    fn from_u8(value: u8) -> Self {
        match value {
            0 => State::Pending,
            1 => State::Waiting,
            2 => State::Done,
            _ => State::Failed,
        }
    }
}

/// Shared between one run's handle and the engine.
pub(crate) struct RunState {
    state: AtomicU8,
    /// Rises with every update.
    version: AtomicU64,
    seen: AtomicU64,
    inner: Mutex<Inner>,
    woken: Condvar,
    signal: Arc<Signal>,
    is_counted: AtomicBool,
    /// Nobody holds the handle any more: updates would be kept for nobody.
    is_abandoned: AtomicBool,
}

#[derive(Default)]
pub(crate) struct Inner {
    queue: Queue,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) text: String,
    pub(crate) why: String,
    pub(crate) session: Option<String>,
    pub(crate) message_id: String,
    pub(crate) is_sent: bool,
}

impl RunState {
    pub(crate) fn new(message_id: String, signal: Arc<Signal>) -> Self {
        RunState {
            state: AtomicU8::new(0),
            version: AtomicU64::new(0),
            seen: AtomicU64::new(0),
            inner: Mutex::new(Inner { message_id, ..Inner::default() }),
            woken: Condvar::new(),
            signal,
            is_counted: AtomicBool::new(false),
            is_abandoned: AtomicBool::new(false),
        }
    }

    pub(crate) fn state(&self) -> State {
        State::from_u8(self.state.load(Ordering::Acquire))
    }

    /// The host's side: everything new. With nothing new this is two loads and no system call; with something
    /// new it never waits for the engine, and rather leaves it for the next time.
    pub(crate) fn poll(&self) -> (State, Vec<Update>) {
        let version = self.version.load(Ordering::Acquire);
        if version == self.seen.load(Ordering::Relaxed) {
            return (self.state(), Vec::new());
        }
        let mut inner = match self.inner.try_lock() {
            Ok(inner) => inner,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return (State::Pending, Vec::new()),
        };
        let updates = inner.queue.take();
        self.mark_seen();
        (self.state(), updates)
    }

    /// The oldest update, for hosts that take one at a time.
    pub(crate) fn poll_one(&self) -> (State, Option<Update>) {
        let version = self.version.load(Ordering::Acquire);
        if version == self.seen.load(Ordering::Relaxed) {
            return (self.state(), None);
        }
        let mut inner = match self.inner.try_lock() {
            Ok(inner) => inner,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return (State::Pending, None),
        };
        let update = self.pop(&mut inner);
        (self.state(), update)
    }

    /// Takes the oldest update under the lock that the caller holds.
    pub(crate) fn pop(&self, inner: &mut Inner) -> Option<Update> {
        let update = inner.queue.pop();
        if inner.queue.is_empty() {
            self.mark_seen();
        }
        update
    }

    fn mark_seen(&self) {
        // Read under the lock: the engine raises it under the lock too.
        self.seen.store(self.version.load(Ordering::Acquire), Ordering::Relaxed);
        if self.is_counted.swap(false, Ordering::AcqRel) {
            self.signal.remove();
        }
    }

    /// What there is to know, for the host. Blocks for as long as the engine needs to note an update.
    pub(crate) fn read(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn woken(&self) -> &Condvar {
        &self.woken
    }

    pub(crate) fn abandon(&self) {
        self.is_abandoned.store(true, Ordering::Release);
        let mut inner = self.read();
        let _ = inner.queue.take();
        self.mark_seen();
    }

    /// The engine's side: notes what a step brought.
    pub(crate) fn write(&self, change: impl FnOnce(&mut Inner) -> (State, Vec<Update>)) {
        // Spins instead of sleeping on the lock: a host that finds a sleeper has to wake it by a system call.
        let mut inner = loop {
            match self.inner.try_lock() {
                Ok(inner) => break inner,
                Err(TryLockError::Poisoned(poisoned)) => break poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => std::thread::yield_now(),
            }
        };
        let (state, updates) = change(&mut inner);
        let has_news = !updates.is_empty() && !self.is_abandoned.load(Ordering::Acquire);
        for update in updates.into_iter().filter(|_| has_news) {
            inner.queue.push(update);
        }
        self.state.store(state as u8, Ordering::Release);
        let is_first = has_news && !self.is_counted.swap(true, Ordering::AcqRel);
        if has_news {
            self.version.fetch_add(1, Ordering::Release);
        }
        drop(inner);
        if is_first {
            // After the lock is free: a host that is woken must find something to take.
            self.signal.add();
        }
        self.woken.notify_all();
    }
}

impl Drop for RunState {
    fn drop(&mut self) {
        if self.is_counted.swap(false, Ordering::AcqRel) {
            self.signal.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(why: &str) -> Update {
        Update::Status { why: why.to_owned() }
    }

    #[test]
    fn updates_come_once_and_the_state_stays() {
        let state = RunState::new("msg_1".to_owned(), Arc::default());
        assert_eq!(state.poll().1.len(), 0);
        state.write(|_| (State::Waiting, vec![status("a")]));
        let (now, updates) = state.poll();
        assert_eq!((now, updates.len()), (State::Waiting, 1));
        assert_eq!(state.poll().1.len(), 0);
        assert_eq!(state.state(), State::Waiting);
    }

    #[test]
    fn one_at_a_time_gives_them_all() {
        let state = RunState::new("msg_1".to_owned(), Arc::default());
        let text = |part: &str| {
            Update::Text(super::super::update::TextUpdate {
                delta: "x".to_owned(),
                replaces: false,
                message_id: "m".to_owned(),
                part_id: part.to_owned(),
            })
        };
        state.write(|_| (State::Pending, vec![text("a"), text("b"), status("c")]));
        let mut count = 0;
        while state.poll_one().1.is_some() {
            count += 1;
        }
        assert_eq!(count, 3);
    }

    #[test]
    fn nothing_is_kept_for_nobody() {
        let state = RunState::new("msg_1".to_owned(), Arc::default());
        state.abandon();
        state.write(|_| (State::Pending, vec![status("a")]));
        assert!(state.poll().1.is_empty());
    }
}
