//! [`Places`]: in which directory a session works, for the events that do not say so.
//!
//! A server of 2.x names the directory of most events of a session, and leaves it out where the session ends or its
//! cost is told: a stream of one directory would miss just these.

use crate::base::cancel::CancelToken;
use crate::call::caller::Caller;
use crate::protocol::event::ReadEvent;
use crate::protocol::operation::Pace;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// Sessions remembered.
const MOST: usize = 4_096;
/// How long the events may wait for an answer about one session.
const LIMIT: Duration = Duration::from_secs(2);

#[derive(Default)]
pub(super) struct Places {
    order: VecDeque<String>,
    /// `None` when the server could not say.
    known: HashMap<String, Option<String>>,
}

impl Places {
    /// Whether the server has to be asked where the session of an event works.
    pub(super) fn must_ask(&self, event: &ReadEvent<'_>) -> bool {
        let is_known = |session: &Cow<'_, str>| self.known.contains_key(&**session);
        event.directory.is_none() && !event.session_id.as_ref().is_none_or(is_known)
    }

    /// Adds the directory of its session to an event that has none. Asks the server at most once for each session.
    pub(super) fn complete(
        &mut self,
        event: &mut ReadEvent<'_>,
        caller: &Caller,
        token: &CancelToken,
    ) {
        let is_unknown = self.must_ask(event);
        let Some(session) = &event.session_id else { return };
        match &event.directory {
            Some(directory) => {
                let is_known = self
                    .known
                    .get(&**session)
                    .is_some_and(|known| known.as_deref() == Some(directory));
                if !is_known {
                    self.learn(session, Some(directory.clone().into_owned()));
                }
            }
            None => {
                if is_unknown {
                    let place = ask(session, caller, token);
                    self.learn(session, place);
                }
                event.directory = self.known.get(&**session).cloned().flatten().map(Cow::Owned);
            }
        }
    }

    fn learn(&mut self, session: &str, place: Option<String>) {
        if self.known.insert(session.to_owned(), place).is_none() {
            self.order.push_back(session.to_owned());
        }
        if self.order.len() > MOST
            && let Some(old) = self.order.pop_front()
        {
            self.known.remove(&old);
        }
    }
}

fn ask(session: &str, caller: &Caller, token: &CancelToken) -> Option<String> {
    #[derive(Deserialize)]
    struct Answer {
        data: Session,
    }
    #[derive(Deserialize)]
    struct Session {
        location: Location,
    }
    #[derive(Deserialize)]
    struct Location {
        directory: String,
    }
    let arguments = serde_json::json!({ "sessionID": session }).to_string();
    let mut limits = caller.options().limits(Pace::Quick);
    limits.total = Some(limits.total.unwrap_or(LIMIT).min(LIMIT));
    let answer = caller.ask("v2.session.get", &arguments, limits, token).ok()?;
    Some(answer.json::<Answer>().ok()?.data.location.directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_remembered_for_a_while() {
        let mut places = Places::default();
        for number in 0..MOST + 10 {
            places.learn(&number.to_string(), Some("/p".to_owned()));
            places.learn("moved", Some(number.to_string()));
        }
        assert_eq!(places.order.len(), places.known.len());
        assert!(places.known.len() <= MOST);
    }
}
