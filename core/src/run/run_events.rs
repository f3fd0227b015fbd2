//! [`RunEvents`]: which events wake which runs.

use super::choice::Choice;
use super::heard::Heard;
use super::inbox::{EngineMessage, Inbox};
use super::known_places::KnownPlaces;
use crate::base::cancel::CancelToken;
use crate::base::error::Error;
use crate::events::feed::Listener;
use crate::protocol::event::Event;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// What of the events the runs hear.
pub(super) struct RunEvents {
    inbox: Arc<Inbox>,
    heard: Arc<Heard>,
    choice: Arc<Choice>,
    /// The sessions that runs want to hear of, as most events of a busy server are somebody else's, with the directories
    /// that the server named to these runs.
    tracked: RwLock<HashMap<String, Option<String>>>,
    places: KnownPlaces,
    is_waiting: AtomicBool,
}

impl RunEvents {
    pub(super) fn new(inbox: Arc<Inbox>, heard: Arc<Heard>, choice: Arc<Choice>) -> Self {
        let (tracked, places) = (RwLock::default(), KnownPlaces::default());
        RunEvents { inbox, heard, choice, tracked, places, is_waiting: AtomicBool::new(false) }
    }

    /// Whether there are runs that need events.
    pub(super) fn set_waiting(&self, is_waiting: bool) {
        self.is_waiting.store(is_waiting, Ordering::Release);
    }

    pub(super) fn track(&self, session: String, place: Option<String>) {
        let mut tracked = self.write();
        let known = tracked.entry(session).or_default();
        *known = place.or(known.take());
    }

    /// The directory of a session, where the events tell that it is still there.
    pub(super) fn place_of(&self, session: &str) -> Option<String> {
        self.places.of(session)
    }

    pub(super) fn forget(&self, session: &str) {
        self.write().remove(session);
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<String, Option<String>>> {
        self.tracked.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<String, Option<String>>> {
        self.tracked.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this event creates the session of a subagent of a tracked one. Such a session is tracked from this event
    /// on, as it may ask for a permission at once. The engine forgets it when no run adopts it.
    fn is_subagent(&self, session: &str, event: &Event) -> bool {
        let parent = self.choice.wire().parent_of_new(event);
        let is_ours = parent.is_some_and(|parent| self.read().contains_key(&parent));
        if is_ours {
            self.track(session.to_owned(), None);
        }
        is_ours
    }

    fn is_wanted(&self, event: &Event) -> bool {
        match event.session_id() {
            None => self.choice.wire().is_for_all(event),
            Some(session) => {
                let tracked = self.read().get(session).cloned();
                let place = tracked.as_ref().and_then(Option::as_ref);
                self.places.hear(self.choice.wire(), session, place, event);
                tracked.is_some() || self.is_subagent(session, event)
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
        self.places.forget();
        self.inbox.push(EngineMessage::Stream(false));
    }

    /// From now on looks are the only news.
    fn closed(&self) {
        self.places.forget();
        self.inbox.push(EngineMessage::Stream(false));
    }

    /// Which session an event is about shows when it is read. Without a run only those count by which a session moves.
    fn wants(&self, kind: Option<&str>) -> bool {
        let is_move = |kind| self.choice.wire().moves().contains(&kind) && !self.places.is_empty();
        self.is_waiting() || kind.is_some_and(is_move)
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
