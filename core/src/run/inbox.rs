//! [`Inbox`]: what the engine is told, in the order in which it came.

use super::machine::{Machine, RequestKind};
use super::state::RunState;
use super::unsent::UnsentPrompt;
use super::wire::{DirectorySnapshot, Response};
use crate::base::cancel::CancelToken;
use crate::base::error::Result;
use crate::call::caller::Caller;
use crate::protocol::event::Event;
use crate::protocol::permission::PermissionReply;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Events that may wait for the engine, and a batch of them; beyond, the stream is read no further.
const MAX_EVENTS: usize = 8_192;

pub(crate) type RunId = u64;

/// Something for the engine.
pub(crate) enum EngineMessage {
    Start(RunId, NewRun),
    Answer(RunId, RequestKind, Result<Response>),
    Snapshot(Option<String>, Result<DirectorySnapshot>),
    /// The parent of a session, when it has one.
    Parent(String, Result<Option<String>>),
    Event(Event),
    Stream(bool),
    Settled,
    Cancel(RunId),
    Permission(RunId, String, PermissionReply, Option<String>),
    Question(RunId, String, Option<Vec<Vec<String>>>),
    Detach(RunId),
    /// The host leaves: what is not sent yet is to be sent soon.
    Leave,
    Close,
    /// In the step of a run, or outside of any.
    #[cfg(test)]
    Panic(Option<RunId>),
}

/// A run that begins.
pub(crate) struct NewRun {
    pub(crate) machine: Box<Machine>,
    pub(crate) state: Arc<RunState>,
    /// That its prompt is not sent yet.
    pub(crate) pending: Option<UnsentPrompt>,
    /// Whose settings its requests have.
    pub(crate) caller: Arc<Caller>,
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
    messages: VecDeque<EngineMessage>,
    events: usize,
}

impl Inbox {
    pub(crate) fn push(&self, message: EngineMessage) {
        self.state().messages.push_back(message);
        self.arrived.notify_one();
    }

    /// Waits while too many events wait, until the token is thrown.
    pub(super) fn push_events(&self, events: Vec<Event>, token: &CancelToken) {
        let mut state = self.state();
        while state.events >= MAX_EVENTS {
            if token.is_cancelled() {
                return;
            }
            let waited = self.taken.wait_timeout(state, Duration::from_millis(100));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.events += events.len();
        state.messages.extend(events.into_iter().map(EngineMessage::Event));
        self.arrived.notify_one();
    }

    pub(super) fn take(&self, timeout: Option<Duration>) -> VecDeque<EngineMessage> {
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
