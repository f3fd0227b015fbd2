//! [`RunEvents`]: which events wake which runs.

use super::choice::Choice;
use super::heard::Heard;
use super::inbox::{EngineMessage, Inbox};
use crate::base::cancel::CancelToken;
use crate::base::error::Error;
use crate::events::feed::Listener;
use crate::protocol::event::Event;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// What of the events the runs hear.
pub(super) struct RunEvents {
    inbox: Arc<Inbox>,
    heard: Arc<Heard>,
    choice: Arc<Choice>,
    /// The sessions that runs want to hear of: most events of a busy server are somebody else's.
    tracked: RwLock<HashSet<String>>,
    is_waiting: AtomicBool,
}

impl RunEvents {
    pub(super) fn new(inbox: Arc<Inbox>, heard: Arc<Heard>, choice: Arc<Choice>) -> Self {
        let (tracked, is_waiting) = (RwLock::default(), AtomicBool::new(false));
        RunEvents { inbox, heard, choice, tracked, is_waiting }
    }

    /// Whether there are runs that need events.
    pub(super) fn set_waiting(&self, is_waiting: bool) {
        self.is_waiting.store(is_waiting, Ordering::Release);
    }

    pub(super) fn track(&self, session: String) {
        self.write().insert(session);
    }

    pub(super) fn forget(&self, session: &str) {
        self.write().remove(session);
    }

    fn read(&self) -> RwLockReadGuard<'_, HashSet<String>> {
        self.tracked.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashSet<String>> {
        self.tracked.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this event creates the session of a subagent of a tracked one. Such a session is tracked from this event
    /// on, as it may ask for a permission at once. The engine forgets it when no run adopts it.
    fn is_subagent(&self, session: &str, event: &Event) -> bool {
        let parent = self.choice.wire().parent_of_new(event);
        let is_ours = parent.is_some_and(|parent| self.read().contains(&parent));
        if is_ours {
            self.track(session.to_owned());
        }
        is_ours
    }

    fn is_wanted(&self, event: &Event) -> bool {
        match event.session_id() {
            None => self.choice.wire().is_for_all(event),
            Some(session) => {
                let is_tracked = self.read().contains(session);
                is_tracked || self.is_subagent(session, event)
            }
        }
    }
}

impl Listener for RunEvents {
    fn is_waiting(&self) -> bool {
        self.is_waiting.load(Ordering::Acquire)
    }

    fn alive(&self) {
        self.heard.mark();
    }

    fn connected(&self) {
        self.heard.mark();
        self.inbox.push(EngineMessage::Stream(true));
    }

    fn settled(&self) {
        self.inbox.push(EngineMessage::Settled);
    }

    fn lost(&self, _: &Error) {
        self.inbox.push(EngineMessage::Stream(false));
    }

    /// From now on looks are the only news.
    fn closed(&self) {
        self.inbox.push(EngineMessage::Stream(false));
    }

    /// Which session an event is about shows when it is read.
    fn wants(&self, _: Option<&str>) -> bool {
        self.is_waiting()
    }

    fn events(&self, events: &[Event], _: bool, token: &CancelToken) {
        self.heard.mark();
        let wanted: Vec<Event> =
            events.iter().filter(|event| self.is_wanted(event)).cloned().collect();
        if !wanted.is_empty() {
            self.inbox.push_events(wanted, token);
        }
    }
}
