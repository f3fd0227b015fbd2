//! [`KnownPlaces`]: in which directories sessions work, as the events tell it.
//!
//! A run in a session needs its directory before it can look at it. The events of a run say it, and a session that is moved
//! says so too: so it needs not be asked for again as long as the stream is heard.

use super::wire::Wire;
use crate::protocol::event::Event;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

/// Sessions remembered.
const MOST: usize = 1_024;

/// The directory of each session.
#[derive(Default)]
pub(super) struct KnownPlaces(RwLock<HashMap<String, String>>);

impl KnownPlaces {
    fn write(&self) -> RwLockWriteGuard<'_, HashMap<String, String>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn of(&self, session: &str) -> Option<String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(session).cloned()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Takes in what an event tells of its session. `place` is the directory that the server itself named to a run in it.
    pub(super) fn hear(&self, wire: Wire, session: &str, place: Option<&String>, event: &Event) {
        let is_there = |known: &String| event.directory().is_none_or(|told| told == known);
        let known = self.of(session);
        let is_move = wire.moves().contains(&event.kind());
        let has_left = is_move || known.as_ref().is_some_and(|known| !is_there(known));
        if has_left {
            if known.is_some() {
                self.write().remove(session);
            }
        } else if known.is_none()
            && let Some(place) = place
            && event.directory() == Some(place)
        {
            let mut places = self.write();
            if places.len() >= MOST {
                places.clear();
            }
            places.insert(session.to_owned(), place.clone());
        }
    }

    /// Events may be missed.
    pub(super) fn forget(&self) {
        self.write().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, directory: Option<&str>) -> Event {
        let mut event =
            serde_json::json!({ "payload": { "id": "evt_1", "type": kind, "properties": {} } });
        if let Some(directory) = directory {
            event["directory"] = directory.into();
        }
        Event::read(event.to_string().as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn a_place_is_known_until_the_session_leaves_it_or_events_are_missed() {
        let here = "/p".to_owned();
        let told = |wire: Wire, kind: &str, directory: Option<&str>| {
            let places = KnownPlaces::default();
            places.hear(wire, "ses_1", Some(&here), &event("any", Some("/p")));
            assert_eq!(places.of("ses_1"), Some("/p".to_owned()));
            places.hear(wire, "ses_1", None, &event(kind, directory));
            places.of("ses_1")
        };
        for wire in [Wire::One, Wire::Two] {
            assert!(told(wire, "any", Some("/p")).is_some());
            assert!(told(wire, "any", None).is_some());
            assert!(told(wire, "any", Some("/q")).is_none());
            for kind in wire.moves() {
                assert!(told(wire, kind, None).is_none() && told(wire, kind, Some("/p")).is_none());
            }
        }
        // Where the run and the event differ nothing is known.
        let places = KnownPlaces::default();
        places.hear(Wire::One, "ses_1", Some(&here), &event("any", Some("/q")));
        places.hear(Wire::One, "ses_1", Some(&here), &event("any", None));
        assert!(places.is_empty());
        for number in 0..=MOST {
            let told = event("any", Some("/p"));
            places.hear(Wire::One, &number.to_string(), Some(&here), &told);
        }
        assert_eq!(places.0.read().unwrap().len(), 1, "it is bounded");
        places.forget();
        assert!(places.is_empty());
    }
}
