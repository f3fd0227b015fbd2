//! [`ServerShared`]: what the handle of a server and its thread have in common.

use super::output::OutputTail;
use super::process::{Pid, ServerProcess};
use super::reaper::Lease;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::own_servers::OwnServer;
use crate::base::signal::Signal;
use crate::http::base_url::BaseUrl;
use crate::protocol::dialect::Dialect;
use once_cell::race::OnceBox;
use std::process::Child;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// How far a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServerState {
    /// It was started and does not answer yet.
    Starting,
    /// It answers.
    Ready,
    /// It could not be started, or ended by itself.
    Failed,
    /// It was closed.
    Closed,
}

impl ServerState {
    /// `starting`, `ready`, `failed` or `closed`.
    pub fn as_str(self) -> &'static str {
        match self {
            ServerState::Starting => "starting",
            ServerState::Ready => "ready",
            ServerState::Failed => "failed",
            ServerState::Closed => "closed",
        }
    }

    fn from_number(number: u8) -> Self {
        match number {
            0 => ServerState::Starting,
            1 => ServerState::Ready,
            2 => ServerState::Failed,
            _ => ServerState::Closed,
        }
    }
}

#[derive(Default)]
pub(super) struct ServerShared {
    /// A [`ServerState`]: a tick reads it without a lock.
    phase: AtomicU8,
    state: Mutex<LeaseState>,
    changed: Condvar,
    /// What is told of it. Not behind the lock: in a copy of the process, made by fork, a thread that stayed behind
    /// may have that for ever.
    url: OnceBox<String>,
    dialect: OnceBox<Dialect>,
    error: OnceBox<Error>,
    pid: Pid,
    pub(super) signal: Arc<Signal>,
    /// Whether the signal counts a change that nobody has looked at.
    is_counted: AtomicBool,
    pub(super) output: OutputTail,
    /// What its clients know of it.
    pub(super) own: Arc<OwnServer>,
}

#[derive(Default)]
struct LeaseState {
    lease: Option<Lease>,
    is_closing: bool,
    is_gone: bool,
}

impl ServerShared {
    pub(super) fn phase(&self) -> ServerState {
        ServerState::from_number(self.phase.load(Ordering::Acquire))
    }

    /// The host has looked: the descriptor is quiet until something changes again.
    pub(super) fn seen(&self) {
        if self.is_counted.load(Ordering::Acquire) && self.is_counted.swap(false, Ordering::AcqRel)
        {
            self.signal.remove();
        }
    }

    pub(super) fn url(&self) -> Option<String> {
        self.url.get().cloned()
    }

    /// What it speaks, once it is ready.
    pub(super) fn dialect(&self) -> Option<Dialect> {
        self.dialect.get().copied()
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.pid.get()
    }

    pub(super) fn error(&self) -> Option<Error> {
        self.error.get().cloned()
    }

    /// Blocks while it starts, at most for `timeout`.
    pub(super) fn wait_started(&self, timeout: Option<Duration>) -> ServerState {
        self.wait(timeout, |shared, _| shared.phase() != ServerState::Starting);
        self.phase()
    }

    /// Blocks until nothing of it is left, at most for `timeout`; whether that is so.
    pub(super) fn wait_gone(&self, timeout: Duration) -> bool {
        self.wait(Some(timeout), |_, state| state.is_gone)
    }

    /// Takes the lease, unless the server was closed meanwhile: then its end is its end.
    pub(super) fn keep(&self, lease: Lease) {
        let mut state = self.lock();
        if !state.is_closing {
            state.lease = Some(lease);
        }
    }

    /// Starts a process as long as there is a lease on it. The lock is kept meanwhile: what is started after the
    /// lease was dropped would stay.
    pub(super) fn start(
        &self,
        spawn: impl FnOnce() -> std::io::Result<Child>,
    ) -> Result<std::io::Result<ServerProcess>> {
        let mut state = self.lock();
        let LeaseState { lease: Some(lease), .. } = &mut *state else { return Err(closed()) };
        Ok(spawn().map(|child| {
            lease.take(&child);
            ServerProcess::new(child, &self.pid)
        }))
    }

    /// Sleeps; fails as soon as the server is closed.
    pub(super) fn pause(&self, time: Duration) -> Result<()> {
        if self.wait(Some(time), |_, state| state.is_closing) { Err(closed()) } else { Ok(()) }
    }

    pub(super) fn ready(&self, url: String, dialect: Dialect) {
        let state = self.lock();
        if let Ok((address, _)) = BaseUrl::parse(&url) {
            self.own.listens_at(address.as_str());
        }
        let _ = self.dialect.set(Box::new(dialect));
        let _ = self.url.set(Box::new(url));
        self.set(&state, ServerState::Ready);
    }

    /// The first reason counts, and being closed is one.
    pub(super) fn fail(&self, error: Error) {
        let state = self.lock();
        if !state.is_closing {
            self.own.has_ended(&error);
        }
        if !state.is_closing && self.error.set(Box::new(error)).is_ok() {
            self.set(&state, ServerState::Failed);
        }
    }

    /// Drops the lease: what is left of the server ends now.
    pub(super) fn let_go(&self) {
        self.lock().lease = None;
    }

    /// From now on everything about the server is about its end.
    pub(super) fn begin_close(&self) {
        self.close(self.lock());
    }

    /// The same without waiting for anybody: in a copy of the process that has the lock from a thread which is
    /// not there, the lease stays open until the copy ends.
    pub(super) fn begin_close_in_copy(&self) {
        match self.state.try_lock() {
            Ok(state) => self.close(state),
            Err(TryLockError::Poisoned(state)) => self.close(state.into_inner()),
            Err(TryLockError::WouldBlock) => {}
        }
    }

    /// The thread of the server has nothing more to do.
    pub(super) fn leave(&self) {
        self.lock().is_gone = true;
        self.changed.notify_all();
    }

    /// The thread of the server has panicked: what it had started ends with the lease.
    pub(super) fn fall(&self, error: Error) {
        self.fail(error);
        self.let_go();
        self.leave();
    }

    fn close(&self, mut state: MutexGuard<'_, LeaseState>) {
        state.is_closing = true;
        state.lease = None;
        // Why it failed says more.
        let _ = self.error.set(Box::new(closed()));
        self.set(&state, ServerState::Closed);
    }

    fn set(&self, _locked: &MutexGuard<'_, LeaseState>, phase: ServerState) {
        let number = match phase {
            ServerState::Starting => 0,
            ServerState::Ready => 1,
            ServerState::Failed => 2,
            ServerState::Closed => 3,
        };
        self.phase.store(number, Ordering::Release);
        if !self.is_counted.swap(true, Ordering::AcqRel) {
            self.signal.add(0);
        }
        self.changed.notify_all();
    }

    fn wait(
        &self,
        timeout: Option<Duration>,
        is_met: impl Fn(&ServerShared, &LeaseState) -> bool,
    ) -> bool {
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.lock();
        while !is_met(self, &state) {
            state = match until {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return false;
                    }
                    let waited = self.changed.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, LeaseState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "server: it was closed; start another one")
}
