//! [`Feed`]: the one connection to the server's events that all runs and event streams of a client share.
//!
//! It reads the events of all directories: then one connection and one thread are enough however many runs and
//! streams there are, and whatever directories they look at. Each listener takes what it wants.
//!
//! The server greets on this stream before it listens to its own events: what happens in the first moments is lost
//! although the connection stands. So a connection counts as settled when a first event came, or after a pause
//! and a few requests that the server answered meanwhile.

use crate::base::cancel::CancelToken;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::limits::Limits;
use crate::base::log::Level;
use crate::base::pool::{Pool, join};
use crate::base::thread;
use crate::call::caller::Caller;
use crate::events::places::Places;
use crate::http::transport::{Sign, Stream};
use crate::protocol::event::{self, Event, EventBatch};
use crate::protocol::operation::Pace;
use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The connection is closed when nobody needed it for this long.
const LINGER: Duration = Duration::from_secs(15);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long the greeting of a connection is waited for, at first: a server that has just started never answers the
/// requests of its first milliseconds.
const FIRST_PATIENCE: Duration = Duration::from_secs(5);
/// A connection that lived this many times as long as the pause before it was a good one.
const GOOD_LIFE: u32 = 10;
/// Ids of events remembered, to drop those that come twice.
const REMEMBERED: usize = 4_096;
/// What it takes before a silent connection counts as settled. Measured: the greeting is 10 to 50 ms early, and up to
/// three requests of others are answered in that time.
const SETTLE_PAUSE: Duration = Duration::from_millis(300);
const SETTLE_REQUESTS: usize = 4;

/// Who wants events. All but [`events`](Self::events) are called under the feed's lock.
pub(crate) trait Listener: Send + Sync {
    /// Whether it needs events now. The feed rests while nobody does.
    fn is_waiting(&self) -> bool;
    /// The connection stands; the first events may still be missed.
    fn connected(&self);
    /// Every event from now on will be told.
    fn settled(&self);
    /// The server says that it is there, and nothing else.
    fn alive(&self) {}
    /// Events are missed until it is connected again.
    fn lost(&self, error: &Error);
    /// The client was closed.
    fn closed(&self);
    /// Whether it needs events of this type; of each, when none is named.
    fn wants(&self, kind: Option<&str>) -> bool;
    /// Events that came together. It may hold the feed up for a while, but not beyond the token; `is_alone` says that nobody
    /// else would wait for them meanwhile.
    fn events(&self, events: &[Event], is_alone: bool, token: &CancelToken);
}

/// The events of one client. Reads only while a listener waits.
pub(crate) struct Feed(Arc<FeedShared>);

struct FeedShared {
    caller: Arc<Caller>,
    chores: Arc<Pool>,
    token: CancelToken,
    state: Mutex<FeedState>,
}

#[derive(Default)]
struct FeedState {
    /// Replaced as a whole, so that the thread can go through it without the lock.
    listeners: Arc<Vec<(u64, Arc<dyn Listener>)>>,
    next: u64,
    /// The last one reads, the ones before it are about to end.
    threads: Vec<JoinHandle<()>>,
    is_running: bool,
    is_up: bool,
    is_settled: bool,
    /// Counts connections.
    connection: u64,
    is_closed: bool,
}

impl FeedState {
    fn beat(&mut self) {
        self.settle();
        for (_, listener) in self.listeners.iter() {
            listener.alive();
        }
    }

    fn settle(&mut self) {
        if self.is_up && !std::mem::replace(&mut self.is_settled, true) {
            for (_, listener) in self.listeners.iter() {
                listener.settled();
            }
        }
    }
}

impl Feed {
    /// `chores` does what must not hold the reading up.
    pub(crate) fn new(caller: Arc<Caller>, chores: Arc<Pool>) -> Self {
        let (token, state) = (CancelToken::default(), Mutex::default());
        Feed(Arc::new(FeedShared { caller, chores, token, state }))
    }

    /// Adds a listener; it is told at once when the feed is connected already.
    pub(crate) fn add(&self, listener: Arc<dyn Listener>) -> u64 {
        let mut state = self.0.state();
        let id = state.next;
        state.next += 1;
        if state.is_closed {
            listener.closed();
        } else {
            if state.is_up {
                listener.connected();
            }
            if state.is_settled {
                listener.settled();
            }
        }
        Arc::make_mut(&mut state.listeners).push((id, listener));
        id
    }

    pub(crate) fn remove(&self, id: u64) {
        let mut state = self.0.state();
        Arc::make_mut(&mut state.listeners).retain(|(other, _)| *other != id);
    }

    /// Makes sure that somebody reads, when a listener waits. Never blocks on the network.
    ///
    /// # Errors
    /// `exhausted` when the system gives no thread.
    pub(crate) fn start(&self) -> Result<()> {
        let mut state = self.0.state();
        if state.is_running || state.is_closed {
            return Ok(());
        }
        let (shared, fallen) = (Arc::clone(&self.0), Arc::clone(&self.0));
        let work = move || shared.run();
        let thread = thread::start("opencode-events", work, move |error| fallen.fall(&error))?;
        state.threads.retain(|thread| !thread.is_finished());
        state.threads.push(thread);
        state.is_running = true;
        Ok(())
    }

    /// Whether it has no thread.
    pub(crate) fn is_idle(&self) -> bool {
        self.0.state().threads.is_empty()
    }

    /// Tells all listeners that it is over.
    pub(crate) fn end(&self) {
        {
            let mut state = self.0.state();
            if !std::mem::replace(&mut state.is_closed, true) {
                for (_, listener) in state.listeners.iter() {
                    listener.closed();
                }
            }
        }
        self.0.token.cancel();
    }

    /// Tells all listeners that it is over, and joins the thread.
    pub(crate) fn close(&self) {
        self.end();
        let threads = std::mem::take(&mut self.0.state().threads);
        join(threads);
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.close();
    }
}

impl FeedShared {
    fn state(&self) -> MutexGuard<'_, FeedState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the stream, again and again, until nobody needs it.
    fn run(self: &Arc<Self>) {
        let mut pause = FIRST_PAUSE;
        let mut patience = FIRST_PATIENCE;
        let mut seen = Seen::default();
        let mut rest = Idle::default();
        let mut places = Places::default();
        loop {
            let mut up_since = None;
            let result = self.read((&mut seen, &mut places), &mut rest, patience, &mut up_since);
            if self.token.is_cancelled() || matches!(result, Ok(FeedEnd::Rest)) {
                return;
            }
            let error = result.err().unwrap_or_else(ended);
            let was_slow = up_since.is_none() && error.kind() == ErrorKind::Timeout;
            patience = if was_slow { patience.saturating_mul(2) } else { FIRST_PATIENCE };
            self.lost(&error);
            if self.rests(&mut rest) {
                return;
            }
            // One that ends as soon as it was made, again and again, is made ever less often.
            if up_since.is_some_and(|since: Instant| since.elapsed() >= pause * GOOD_LIFE) {
                pause = FIRST_PAUSE;
            }
            if matches!(error.kind(), ErrorKind::Unauthorized | ErrorKind::Unsupported) {
                // It will not get better by itself, but the server may be replaced.
                pause = LONGEST_PAUSE;
            }
            if !self.token.sleep(pause) {
                return;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn read(
        self: &Arc<Self>,
        (seen, places): (&mut Seen, &mut Places),
        rest: &mut Idle,
        patience: Duration,
        up_since: &mut Option<Instant>,
    ) -> Result<FeedEnd> {
        let options = self.caller.options();
        let silence = Some(options.stall_timeout);
        let greeting = Some(patience.min(options.stall_timeout));
        let limits = Limits { first_byte: greeting, idle: silence, ..options.limits(Pace::Stream) };
        let open = |name| self.caller.open(name, "", limits, &self.token);
        let (mut stream, is_two) = self.caller.either(
            || Ok((open("global.event")?, false)),
            || Ok((open("v2.event.subscribe")?, true)),
        )?;
        let mut progress = Progress { is_two, ..Progress::default() };
        loop {
            let end = self.take(&mut stream, &mut progress, seen, places, rest, up_since);
            // Also what came before an error.
            self.tell(&mut progress.batch);
            if let Some(end) = end? {
                return Ok(end);
            }
            if !stream.fill()? {
                return Ok(FeedEnd::Server);
            }
        }
    }

    /// Takes what has come already; whether the reading is over.
    fn take(
        self: &Arc<Self>,
        stream: &mut Stream,
        progress: &mut Progress,
        seen: &mut Seen,
        places: &mut Places,
        rest: &mut Idle,
        up_since: &mut Option<Instant>,
    ) -> Result<Option<FeedEnd>> {
        // Who comes later does not miss what came before.
        let listeners = Arc::clone(&self.state().listeners);
        let wants = |kind: Option<&str>| listeners.iter().any(|(_, listener)| listener.wants(kind));
        let needs_all = progress.is_two || wants(None);
        while let Some(sign) = stream.next_sign()? {
            let data = match sign {
                Sign::Event(data) => data,
                // How 2.x says that the connection is alive, every 15 seconds.
                Sign::Comment => {
                    self.state().beat();
                    if self.rests(rest) {
                        return Ok(Some(FeedEnd::Rest));
                    }
                    continue;
                }
            };
            // Those of the connection itself are for the feed.
            let is_unwanted = |kind: &str| !kind.starts_with("server.") && !wants(Some(kind));
            if !needs_all && event::kind_of(data).is_some_and(is_unwanted) {
                // A sign of life all the same.
                self.state().beat();
                continue;
            }
            // What cannot be read is left out: the connection is as good as before, and the next event is another.
            let event = event::read(data).unwrap_or_else(|why| {
                let told =
                    || format!("global.event: an event cannot be read, it is left out: {why}");
                self.caller.options().log.write(Level::Warn, told);
                None
            });
            let Some(mut event) = event else { continue };
            if progress.is_two {
                if places.must_ask(&event) {
                    self.tell(&mut progress.batch);
                }
                places.complete(&mut event, &self.caller, &self.token);
            }
            match &*event.kind {
                "server.connected" => {
                    self.tell(&mut progress.batch);
                    *up_since = Some(Instant::now());
                    self.connected();
                }
                // Comes every 10 seconds and says only that the connection is alive.
                "server.heartbeat" => {
                    self.state().beat();
                    if self.rests(rest) {
                        return Ok(Some(FeedEnd::Rest));
                    }
                }
                _ if event.id.is_empty() || seen.is_new(&event.id) => progress.batch.push(&event),
                _ => {}
            }
            if progress.batch.is_long() {
                self.tell(&mut progress.batch);
            }
        }
        Ok(None)
    }

    /// Tells what was read.
    fn tell(&self, batch: &mut EventBatch) {
        if batch.is_empty() {
            return;
        }
        let listeners = {
            let mut state = self.state();
            state.settle();
            Arc::clone(&state.listeners)
        };
        let events = batch.take();
        let is_alone =
            listeners.iter().filter(|(_, listener)| listener.is_waiting()).nth(1).is_none();
        for (_, listener) in listeners.iter() {
            listener.events(&events, is_alone, &self.token);
        }
    }

    fn connected(self: &Arc<Self>) {
        self.caller.options().log.write(Level::Info, || "the event stream is up".to_owned());
        let connection = {
            let mut state = self.state();
            (state.is_up, state.is_settled) = (true, false);
            state.connection += 1;
            for (_, listener) in state.listeners.iter() {
                listener.connected();
            }
            state.connection
        };
        let (me, token) = (Arc::clone(self), CancelToken::default());
        let mine = token.clone();
        // Without a thread the next event or heartbeat settles it.
        let _ = self.chores.submit(token, move || me.settle(connection, &mine));
    }

    fn settle(&self, connection: u64, token: &CancelToken) {
        let limits = self.caller.options().limits(Pace::Quick);
        let is_current = || {
            let state = self.state();
            state.connection == connection && state.is_up && !state.is_settled
        };
        if !token.sleep(SETTLE_PAUSE) {
            return;
        }
        for _ in 0..SETTLE_REQUESTS {
            if !is_current() || self.greet(limits, token).is_err() {
                return;
            }
        }
        let mut state = self.state();
        if state.connection == connection {
            state.settle();
        }
    }

    /// Any request that both kinds of server answer at once.
    fn greet(&self, limits: Limits, token: &CancelToken) -> Result<()> {
        let ask = |name| self.caller.ask(name, "", limits, token).map(drop);
        self.caller.either(|| ask("global.health"), || ask("v2.server.info"))
    }

    fn lost(&self, error: &Error) {
        // Whoever is there next may be another kind of server.
        self.caller.forget();
        self.caller.options().log.write(Level::Warn, || format!("the event stream broke: {error}"));
        let mut state = self.state();
        (state.is_up, state.is_settled) = (false, false);
        for (_, listener) in state.listeners.iter() {
            listener.lost(error);
        }
    }

    /// The thread has panicked: the next who needs events starts another.
    fn fall(&self, error: &Error) {
        self.lost(error);
        self.state().is_running = false;
    }

    /// Whether nobody needed events for a while. Then this thread has to end: the next one who does starts
    /// another.
    fn rests(&self, rest: &mut Idle) -> bool {
        let mut state = self.state();
        if state.listeners.iter().any(|(_, listener)| listener.is_waiting()) {
            rest.since = None;
            return false;
        }
        if rest.since.get_or_insert_with(Instant::now).elapsed() < LINGER {
            return false;
        }
        (state.is_running, state.is_settled) = (false, false);
        if std::mem::take(&mut state.is_up) {
            for (_, listener) in state.listeners.iter() {
                listener.lost(&ended());
            }
        }
        true
    }
}

/// How a connection ended without an error.
enum FeedEnd {
    Server,
    Rest,
}

/// What is known of a connection while it is read.
#[derive(Default)]
struct Progress {
    /// A server of 2.x is read.
    is_two: bool,
    /// Read, and not told yet.
    batch: EventBatch,
}

/// Since when nobody needs events.
#[derive(Default)]
struct Idle {
    since: Option<Instant>,
}

fn ended() -> Error {
    Error::new(ErrorKind::Connection, "global.event: the server ended the event stream")
        .with_retryable(true)
}

/// The ids of the last events, as numbers of 64 bits that nobody outside can foretell: two ids share one less often than a
/// memory fails.
#[derive(Default)]
struct Seen {
    numbers: RandomState,
    order: VecDeque<u64>,
    ids: HashSet<u64, BuildHasherDefault<AsItIs>>,
}

/// The hash of a number that is a hash already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Numbers come by the other way.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

impl Seen {
    fn is_new(&mut self, id: &str) -> bool {
        let id = self.numbers.hash_one(id);
        if !self.ids.insert(id) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > REMEMBERED
            && let Some(old) = self.order.pop_front()
        {
            self.ids.remove(&old);
        }
        true
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
