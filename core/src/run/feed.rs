//! The one event stream that all runs of a client share.

use super::engine::{Inbox, Message};
use crate::caller::Caller;
use crate::cancel::CancelToken;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::limits::Limits;
use crate::log::Level;
use crate::operation::Pace;
use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// The server sends a heartbeat every 10 seconds: silence for longer than two of them is a dead stream.
const SILENCE: Duration = Duration::from_secs(25);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Ids of events remembered, to drop those that come twice.
const REMEMBERED: usize = 4_096;

/// The sessions that runs want to hear of.
pub(super) type Tracked = RwLock<HashSet<String>>;

/// Reads the stream, again and again, until the token is thrown.
pub(super) fn run(caller: &Caller, inbox: &Inbox, tracked: &Tracked, token: &CancelToken) {
    let mut pause = FIRST_PAUSE;
    while !token.is_cancelled() {
        let mut was_up = false;
        let result = read(caller, inbox, tracked, token, &mut was_up);
        if token.is_cancelled() {
            return;
        }
        inbox.push(Message::Stream(false));
        caller.options().log.write(Level::Warn, || match &result {
            Ok(()) => "the event stream ended".to_owned(),
            Err(error) => format!("the event stream broke: {error}"),
        });
        if was_up {
            pause = FIRST_PAUSE;
        }
        if let Err(error) = result
            && matches!(error.kind(), ErrorKind::Unauthorized | ErrorKind::Unsupported)
        {
            // It will not get better by itself, but the server may be replaced.
            pause = LONGEST_PAUSE;
        }
        if !token.sleep(pause) {
            return;
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn read(
    caller: &Caller,
    inbox: &Inbox,
    tracked: &Tracked,
    token: &CancelToken,
    was_up: &mut bool,
) -> Result<()> {
    let limits = Limits {
        first_byte: Some(SILENCE),
        idle: Some(SILENCE),
        ..caller.options().limits(Pace::Stream)
    };
    let mut stream = caller.open("global.event", "", limits, token)?;
    let mut seen = Seen::default();
    let (mut line, mut data) = (Vec::new(), Vec::new());
    while stream.next_line(&mut line)? {
        if let Some(rest) = line.strip_prefix(b"data:") {
            if !data.is_empty() {
                data.push(b'\n');
            }
            data.extend_from_slice(rest.strip_prefix(b" ").unwrap_or(rest));
            continue;
        }
        if !line.is_empty() || data.is_empty() {
            continue;
        }
        let event = read_event(&data, tracked);
        data.clear();
        let Some(event) = event? else { continue };
        if event.kind == "server.connected" {
            *was_up = true;
            caller.options().log.write(Level::Info, || "the event stream is up".to_owned());
            inbox.push(Message::Stream(true));
        } else if (event.id.is_empty() || seen.is_new(&event.id)) && !inbox.push_event(event, token)
        {
            return Ok(());
        }
    }
    Ok(())
}

/// Reads an event when a run may want it; most events of a busy server are somebody else's.
fn read_event(data: &[u8], tracked: &Tracked) -> Result<Option<Event>> {
    let event = Event::read(data).map_err(|e| {
        Error::new(ErrorKind::Decode, format!("global.event: an event cannot be read: {e}"))
    })?;
    let is_wanted = |event: &Event| match &event.session_id {
        None => event.kind.starts_with("server."),
        Some(session) => {
            let tracked = tracked.read().unwrap_or_else(PoisonError::into_inner);
            // A subagent's session is not known yet when it is created.
            tracked.contains(session)
                || (event.kind == "session.created"
                    && event.properties.get().contains("\"parentID\""))
        }
    };
    Ok(event.filter(is_wanted))
}

/// The ids of the last events.
#[derive(Default)]
struct Seen {
    order: VecDeque<String>,
    ids: HashSet<String>,
}

impl Seen {
    fn is_new(&mut self, id: &str) -> bool {
        if !self.ids.insert(id.to_owned()) {
            return false;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > REMEMBERED
            && let Some(old) = self.order.pop_front()
        {
            self.ids.remove(&old);
        }
        true
    }
}

/// What the feed's thread needs.
pub(super) struct Feed {
    pub(super) caller: Arc<Caller>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) tracked: Arc<Tracked>,
    pub(super) token: CancelToken,
}

impl Feed {
    pub(super) fn run(self) {
        run(&self.caller, &self.inbox, &self.tracked, &self.token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_remembered_for_a_while() {
        let mut seen = Seen::default();
        assert!(seen.is_new("a") && !seen.is_new("a"));
        for i in 0..REMEMBERED {
            assert!(seen.is_new(&i.to_string()));
        }
        assert!(seen.is_new("a"), "forgotten: memory is bounded");
        assert_eq!(seen.ids.len(), seen.order.len());
    }
}
