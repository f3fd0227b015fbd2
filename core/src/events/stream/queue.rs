//! [`EventQueue`]: the events of one stream that nobody took yet. Bounded: the oldest make room.

use super::StreamEvent;
use super::types::Types;
use crate::base::cancel::CancelToken;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::mailbox::{Content, Face, Mailbox};
use crate::base::signal::Signal;
use crate::events::feed::Listener;
use crate::protocol::event::Event;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Text of events that is kept for a slow reader.
const MAX_BYTES: usize = 32 << 20;

/// How long events wait in all for a reader that takes and does not catch up, before they are dropped.
const PATIENCE: Duration = Duration::from_secs(5);
/// One that has taken nothing for this long is not waited for.
const STILL: Duration = Duration::from_millis(60);
/// How often it is looked whether it took something: the reader has nothing to do for it.
const GLANCE: Duration = Duration::from_millis(2);

/// Between the feed and one reader.
pub(crate) struct EventQueue {
    mailbox: Mailbox<EventQueueInner>,
    max_events: usize,
    types: Types,
}

struct EventQueueInner {
    events: VecDeque<StreamEvent>,
    bytes: usize,
    max_events: usize,
    /// Dropped in front of `events`.
    dropped: u64,
    /// How much the reader has taken.
    taken: u64,
    /// How much it had taken when it was last waited for in vain.
    still_at: u64,
    /// For how long it may be waited for until it has caught up.
    patience: Duration,
    filter: Filter,
    is_up: bool,
    /// The reader was told, and nothing was lost since.
    is_connected: bool,
    /// The reader was told of the gap that it is in.
    is_gap_told: bool,
    over: Option<Error>,
    is_over_told: bool,
}

enum Filter {
    All,
    /// The server was not asked yet what it calls the directory.
    Unresolved,
    Directory(String),
}

impl Content for EventQueueInner {
    fn face(&self) -> Face {
        let has_event = !self.events.is_empty() || self.dropped > 0;
        Face {
            state: 0,
            is_over: self.over.is_some(),
            has_news: has_event || (self.over.is_some() && !self.is_over_told),
        }
    }
}

impl EventQueueInner {
    fn push(&mut self, event: StreamEvent) {
        self.bytes += size(&event);
        self.events.push_back(event);
        if self.events.len() > self.max_events || self.bytes > MAX_BYTES {
            self.drop_batch();
        }
    }

    /// Makes room for as much again. A reader that is too slow is told once of many, and not at every event that it was
    /// too slow for.
    fn drop_batch(&mut self) {
        let most = self.max_events.div_ceil(2);
        while self.events.len() > most || (self.bytes > MAX_BYTES / 2 && self.events.len() > 1) {
            if let Some(old) = self.events.pop_front() {
                self.bytes -= size(&old);
                self.dropped += 1;
            }
        }
    }

    fn pop(&mut self) -> Option<StreamEvent> {
        if self.dropped > 0 {
            return Some(StreamEvent::Lagged(std::mem::take(&mut self.dropped)));
        }
        let event = self.events.pop_front()?;
        self.bytes -= size(&event);
        self.taken += 1;
        if self.events.is_empty() {
            // A burst must not cost its memory for ever.
            self.events.shrink_to(64);
            self.patience = PATIENCE;
        }
        Some(event)
    }

    fn take(&mut self) -> Result<Option<StreamEvent>> {
        match (self.pop(), &self.over) {
            (Some(event), _) => Ok(Some(event)),
            (None, None) => Ok(None),
            (None, Some(error)) => {
                self.is_over_told = true;
                Err(error.clone())
            }
        }
    }

    /// At most so many, what is there; an error stands alone.
    fn take_many(&mut self, most: usize) -> Result<Vec<StreamEvent>> {
        let there = self.events.len() + usize::from(self.dropped > 0);
        let mut taken = Vec::with_capacity(there.min(most));
        while taken.len() < most
            && let Some(event) = self.pop()
        {
            taken.push(event);
        }
        if taken.is_empty() && most > 0 {
            taken.extend(self.take()?);
        }
        Ok(taken)
    }

    /// Tells the reader that nothing is missed from here on; whether there was something to tell.
    fn settle(&mut self) -> bool {
        let is_connected = self.is_up && !matches!(self.filter, Filter::Unresolved);
        let is_new = is_connected && !self.is_connected && self.over.is_none();
        if is_new {
            self.push(StreamEvent::Connected);
            self.is_gap_told = false;
        }
        self.is_connected = is_connected;
        is_new
    }

    fn is_wanted(&self, event: &Event) -> bool {
        self.over.is_none()
            && match &self.filter {
                Filter::All => true,
                Filter::Unresolved => false,
                Filter::Directory(directory) => event.directory() == Some(directory),
            }
    }
}

impl EventQueue {
    pub(crate) fn new(
        needs_directory: bool,
        max_events: usize,
        types: Types,
        signal: Arc<Signal>,
    ) -> Self {
        let filter = if needs_directory { Filter::Unresolved } else { Filter::All };
        let inner = EventQueueInner {
            events: VecDeque::new(),
            bytes: 0,
            max_events,
            dropped: 0,
            taken: 0,
            still_at: u64::MAX,
            patience: PATIENCE,
            filter,
            is_up: false,
            is_connected: false,
            is_gap_told: false,
            over: None,
            is_over_told: false,
        };
        EventQueue {
            mailbox: Mailbox::new(inner, Some(signal)),
            max_events: max_events.max(1),
            types,
        }
    }

    /// The reader's side: without news one load; with news it never waits for the feed, and rather leaves it for the
    /// next time.
    pub(super) fn poll(&self) -> Result<Option<StreamEvent>> {
        self.mailbox.try_take(EventQueueInner::take).unwrap_or(Ok(None))
    }

    /// The same for as many as are there, under one lock.
    pub(super) fn poll_many(&self, most: usize) -> Result<Vec<StreamEvent>> {
        self.mailbox.try_take(|inner| inner.take_many(most)).unwrap_or(Ok(Vec::new()))
    }

    pub(super) fn wait(&self, timeout: Option<Duration>) -> Result<Option<StreamEvent>> {
        self.mailbox.wait(timeout, |inner| inner.take().transpose()).transpose()
    }

    pub(super) fn wait_ready(&self, timeout: Option<Duration>) -> bool {
        self.mailbox.wait_ready(timeout)
    }

    pub(super) fn is_over(&self) -> bool {
        self.mailbox.face().is_over
    }

    /// The server's name of the directory is known.
    pub(super) fn resolved(&self, directory: String) {
        self.change(|inner| {
            if matches!(inner.filter, Filter::Unresolved) {
                inner.filter = Filter::Directory(directory);
            }
            false
        });
    }

    /// Nothing will come any more, and the reader is told why.
    pub(super) fn fail(&self, error: &Error) {
        self.end(error.clone());
    }

    pub(super) fn close(&self) {
        let text = "events: the stream is closed; open a new one";
        self.end(Error::new(ErrorKind::Closed, text));
    }

    fn end(&self, error: Error) {
        let is_closed = error.kind() == ErrorKind::Closed;
        self.change(|inner| {
            inner.over.get_or_insert(error);
            if is_closed {
                (inner.events, inner.bytes, inner.dropped) = (VecDeque::new(), 0, 0);
                // Who closed it knows: nobody has to be woken to be told.
                inner.is_over_told = true;
            }
            !is_closed
        });
    }

    /// Whether there is nothing to take, and more may come.
    pub(super) fn is_idle(&self) -> bool {
        self.mailbox.idle().is_some() && !self.is_over()
    }

    /// Whether there is nothing to take, and nothing will come.
    pub(super) fn is_spent(&self) -> bool {
        let face = self.mailbox.face();
        face.is_over && !face.has_news
    }

    /// Whether there is something to take; the signal forgets it until something more comes.
    pub(super) fn is_ready(&self) -> bool {
        self.mailbox.is_ready() || self.is_over()
    }

    /// What the client's signal calls it.
    pub(super) fn mark(&self) -> u64 {
        self.mailbox.mark()
    }

    /// Waits until there is room for more, as long as the reader is taking: what it takes a moment later is not lost then.
    /// One that takes nothing, or is slower than the server for long, loses events as it did.
    fn wait_for_room(&self, events: &[Event], token: &CancelToken) {
        let coming: usize = events.iter().map(size_of_event).sum();
        let mut since = Duration::ZERO;
        let mut taken = None;
        loop {
            let is_worth_it = self.mailbox.edit(|inner| {
                let has_room = inner.events.len() + events.len() <= inner.max_events
                    && inner.bytes + coming <= MAX_BYTES;
                if has_room || inner.over.is_some() || inner.events.is_empty() {
                    return false;
                }
                if taken.replace(inner.taken) != Some(inner.taken) {
                    since = Duration::ZERO;
                }
                if since >= STILL {
                    inner.still_at = inner.taken;
                }
                let is_worth_it = inner.taken != inner.still_at && !inner.patience.is_zero();
                if is_worth_it {
                    inner.patience = inner.patience.saturating_sub(GLANCE);
                }
                is_worth_it
            });
            if !is_worth_it || !token.sleep(GLANCE) {
                return;
            }
            since += GLANCE;
        }
    }

    fn put(&self, events: &[Event]) {
        self.mailbox.write(|inner| {
            let mut has_brought = false;
            for event in events {
                if self.types.has(event.kind()) && inner.is_wanted(event) {
                    inner.push(StreamEvent::Server(event.clone()));
                    has_brought = true;
                }
            }
            has_brought
        });
    }

    /// The feed's side. `change` says whether it brought something to take.
    fn change(&self, change: impl FnOnce(&mut EventQueueInner) -> bool) {
        self.mailbox.write(|inner| change(inner) | inner.settle());
    }
}

impl Listener for EventQueue {
    fn is_waiting(&self) -> bool {
        !self.is_over()
    }

    /// The server greeted: should the connection end before anything else comes, that is another gap.
    fn connected(&self) {
        self.change(|inner| {
            inner.is_gap_told = false;
            false
        });
    }

    fn settled(&self) {
        self.change(|inner| {
            inner.is_up = true;
            false
        });
    }

    fn lost(&self, error: &Error) {
        let was_up = {
            let inner = self.mailbox.read();
            inner.is_up || inner.is_connected
        };
        let is_final = match error.kind() {
            ErrorKind::Unauthorized | ErrorKind::Forbidden => true,
            // The thread that read them is gone.
            ErrorKind::Internal => true,
            // A server that had events and has none now is being replaced.
            ErrorKind::Unsupported => !was_up,
            _ => false,
        };
        if is_final {
            return self.fail(error);
        }
        self.change(|inner| {
            inner.is_up = false;
            let is_new = !std::mem::replace(&mut inner.is_gap_told, true) && inner.over.is_none();
            if is_new {
                inner.push(StreamEvent::Gap(error.clone()));
            }
            is_new
        });
    }

    fn closed(&self) {
        self.end(crate::call::caller::closed("events"));
    }

    fn wants(&self, kind: Option<&str>) -> bool {
        self.is_waiting() && kind.map_or(self.types.is_all(), |kind| self.types.has(kind))
    }

    fn events(&self, events: &[Event], is_alone: bool, token: &CancelToken) {
        if !is_alone {
            return self.put(events);
        }
        // One after the other where more came than are kept.
        for part in events.chunks(self.max_events) {
            self.wait_for_room(part, token);
            self.put(part);
        }
    }
}

/// What an event costs, about.
fn size(event: &StreamEvent) -> usize {
    match event {
        StreamEvent::Server(event) => size_of_event(event),
        _ => 200,
    }
}

fn size_of_event(event: &Event) -> usize {
    200 + event.json().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(needs_directory: bool, max: usize) -> EventQueue {
        EventQueue::new(needs_directory, max, Types::default(), Arc::default())
    }

    fn tell(queue: &EventQueue, id: &str, directory: &str, filler: usize) {
        let data = serde_json::json!({
            "directory": directory,
            "payload": { "id": id, "type": "x.y", "properties": { "filler": "x".repeat(filler) } },
        });
        let event = Event::read(data.to_string().as_bytes()).unwrap().unwrap();
        queue.events(&[event], false, &CancelToken::default());
    }

    fn kinds(queue: &EventQueue) -> Vec<String> {
        let text = |event: StreamEvent| match event {
            StreamEvent::Lagged(count) => format!("lagged {count}"),
            StreamEvent::Server(event) => event.id().to_owned(),
            other => other.kind().to_owned(),
        };
        std::iter::from_fn(|| queue.poll().unwrap().map(text)).collect()
    }

    #[test]
    fn a_slow_reader_is_told_how_many_it_missed() {
        let queue = queue(false, 3);
        queue.settled();
        for i in 0..10 {
            tell(&queue, &i.to_string(), "/p", 0);
        }
        assert_eq!(kinds(&queue), ["lagged 8", "7", "8", "9"]);
        tell(&queue, "10", "/p", 0);
        assert_eq!(kinds(&queue), ["10"], "told once");
    }

    #[test]
    fn a_reader_that_stays_slow_is_told_in_batches() {
        let queue = queue(false, 100);
        let (mut lags, mut got, mut dropped) = (0, 0, 0);
        // Two events come for each that is taken.
        for i in 0..1_000 {
            tell(&queue, &i.to_string(), "/p", 0);
            if i % 2 == 0 {
                match queue.poll().unwrap() {
                    Some(StreamEvent::Lagged(count)) => {
                        (lags, dropped) = (lags + 1, dropped + count)
                    }
                    Some(_) => got += 1,
                    None => {}
                }
            }
        }
        while let Some(event) = queue.poll().unwrap() {
            match event {
                StreamEvent::Lagged(count) => (lags, dropped) = (lags + 1, dropped + count),
                _ => got += 1,
            }
        }
        assert_eq!(got + dropped, 1_000, "each is given or counted");
        assert!((5..=11).contains(&lags), "{lags} times for {dropped} events");
    }

    #[test]
    fn a_reader_that_takes_is_waited_for_and_one_that_does_not_is_not() {
        let queue = Arc::new(queue(false, 10));
        let events = |count: usize| {
            let event = Event::read(br#"{"id":"","type":"x"}"#).unwrap().unwrap();
            vec![event; count]
        };
        let token = CancelToken::default();
        // Nobody takes anything: that is seen once.
        for _ in 0..3 {
            queue.events(&events(8), true, &token);
        }
        assert_eq!(queue.mailbox.read().patience, PATIENCE - STILL);
        assert!(kinds(&queue)[0].starts_with("lagged"));
        let other = Arc::clone(&queue);
        let reader = std::thread::spawn(move || {
            for _ in 0..1_000 {
                assert_eq!(
                    other.wait(None).unwrap().map(|event| event.kind().to_owned()).as_deref(),
                    Some("x")
                );
            }
        });
        for _ in 0..125 {
            queue.events(&events(8), true, &token);
        }
        reader.join().unwrap();
        // It has stopped.
        for _ in 0..10 {
            queue.events(&events(8), true, &token);
        }
        {
            let inner = queue.mailbox.read();
            assert!(inner.dropped > 50 && inner.still_at == inner.taken);
        }
        // Others would have to wait too.
        queue.poll().unwrap();
        queue.poll().unwrap();
        let before = queue.mailbox.read().patience;
        queue.events(&events(20), false, &token);
        assert_eq!(queue.mailbox.read().patience, before);
    }

    #[test]
    fn nobody_is_waited_for_for_ever() {
        let queue = queue(false, 4);
        let event = Event::read(br#"{"id":"","type":"x"}"#).unwrap().unwrap();
        let (four, token) = (vec![event; 4], CancelToken::default());
        queue.events(&four, true, &token);
        queue.poll().unwrap();
        // It has taken something, and all the time that there is for it is over soon.
        queue.mailbox.edit(|inner| inner.patience = GLANCE * 3);
        queue.events(&four, true, &token);
        {
            let inner = queue.mailbox.read();
            assert!(inner.patience.is_zero() && inner.still_at == u64::MAX && inner.dropped > 0);
        }
        while queue.poll().unwrap().is_some() {}
        assert_eq!(queue.mailbox.read().patience, PATIENCE, "it has caught up");
        // Who closes has no time to wait.
        queue.events(&four, true, &token);
        token.cancel();
        queue.events(&four, true, &token);
        assert!(queue.mailbox.read().patience >= PATIENCE - GLANCE);
    }

    #[test]
    fn many_are_taken_at_once_and_an_error_comes_alone() {
        let queue = queue(false, 3);
        for i in 0..5 {
            tell(&queue, &i.to_string(), "/p", 0);
        }
        queue.lost(&Error::new(ErrorKind::Unauthorized, "401"));
        let names = |events: Vec<StreamEvent>| {
            events.iter().map(|event| event.kind().to_owned()).collect::<Vec<_>>()
        };
        assert!(queue.poll_many(0).unwrap().is_empty());
        assert_eq!(names(queue.poll_many(2).unwrap()), ["stream.lagged", "x.y"]);
        assert!(!queue.is_spent());
        assert_eq!(names(queue.poll_many(9).unwrap()), ["x.y", "x.y"]);
        assert_eq!(queue.poll_many(9).unwrap_err().kind(), ErrorKind::Unauthorized);
        assert!(queue.is_spent());
    }

    #[test]
    fn many_bytes_are_too_much_too() {
        let queue = queue(false, 1_000);
        for i in 0..40 {
            tell(&queue, &i.to_string(), "/p", 1 << 20);
        }
        assert_eq!(kinds(&queue)[..2], ["lagged 17", "17"], "half of what is kept");
        assert_eq!(queue.mailbox.read().bytes, 0);
        tell(&queue, "huge", "/p", 40 << 20);
        assert_eq!(kinds(&queue), ["huge"], "one is kept whatever its size");
    }

    #[test]
    fn a_directory_is_waited_for_and_then_nothing_else_comes() {
        let queue = queue(true, 10);
        queue.settled();
        tell(&queue, "early", "/p", 0);
        assert!(kinds(&queue).is_empty());
        queue.resolved("/p".to_owned());
        tell(&queue, "mine", "/p", 0);
        tell(&queue, "other", "/q", 0);
        assert_eq!(kinds(&queue), ["stream.connected", "mine"]);
    }

    #[test]
    fn types_that_were_not_asked_for_do_not_come() {
        let types = Types::new(Some(vec!["x.*".to_owned()]));
        let queue = EventQueue::new(false, 10, types, Arc::default());
        assert!(!queue.wants(None) && queue.wants(Some("x.y")) && !queue.wants(Some("y.x")));
        tell(&queue, "mine", "/p", 0);
        let other = Event::read(br#"{"id":"other","type":"y.x"}"#).unwrap().unwrap();
        queue.events(&[other], false, &CancelToken::default());
        queue.settled();
        assert_eq!(kinds(&queue), ["mine", "stream.connected"]);
        queue.close();
        assert!(!queue.wants(Some("x.y")));
    }

    #[test]
    fn one_gap_is_told_per_loss() {
        let queue = queue(false, 10);
        let error = Error::new(ErrorKind::Connection, "gone");
        queue.lost(&error);
        queue.lost(&error);
        queue.settled();
        queue.lost(&error);
        assert_eq!(kinds(&queue), ["stream.gap", "stream.connected", "stream.gap"]);
        queue.connected();
        queue.lost(&error);
        queue.lost(&error);
        assert_eq!(kinds(&queue), ["stream.gap"], "it greeted and was gone");
        queue.lost(&Error::new(ErrorKind::Unauthorized, "401"));
        assert_eq!(queue.poll().unwrap_err().kind(), ErrorKind::Unauthorized);
        assert_eq!(queue.wait(None).unwrap_err().kind(), ErrorKind::Unauthorized);
    }

    #[test]
    fn closing_wakes_whoever_waits() {
        let queue = Arc::new(queue(false, 10));
        let other = Arc::clone(&queue);
        let reader = std::thread::spawn(move || other.wait(None));
        queue.close();
        assert_eq!(reader.join().unwrap().unwrap_err().kind(), ErrorKind::Closed);
        assert!(queue.poll().is_err() && !queue.is_waiting());
    }
}
