//! [`EventStream`]: what happens on the server, one event after the other, for as long as it is open.

mod queue;
mod resolver;
mod types;

use crate::base::error::{Error, ErrorKind, Result};
use crate::base::fields::Fields;
use crate::base::hooks::{Home, elsewhere};
use crate::base::option_names;
use crate::call::calls::Calls;
use crate::events::feed::Feed;
use crate::protocol::event::Event;
use queue::EventQueue;
pub(crate) use resolver::Resolver;
use serde_json::json;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use types::Types;

/// Whose events a stream gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Scope {
    /// Those of one directory.
    #[default]
    Directory,
    /// Those of all directories, and those that belong to none.
    Global,
}

impl Scope {
    /// Reads `directory` or `global`.
    ///
    /// # Errors
    /// `invalid_argument` for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "directory" => Ok(Scope::Directory),
            "global" => Ok(Scope::Global),
            other => Err(Error::invalid(format!(
                "scope must be one of directory, global, not '{other}'"
            ))),
        }
    }
}

/// What an event stream gives, and how much it keeps.
#[derive(Debug, Clone)]
pub struct EventOptions {
    /// Whose events.
    pub scope: Scope,
    /// The directory of [`Scope::Directory`]; the client's when absent, and the server's own when that is absent.
    pub directory: Option<String>,
    /// Events that are kept for a slow reader. Beyond that, and beyond 32 MiB, the older half is dropped and
    /// [`StreamEvent::Lagged`] says once how many.
    pub max_events: usize,
    /// The types of events that are given, such as `session.idle`; all when absent. One that ends with `*` stands for all that
    /// begin so. Those of the stream itself always come. Events of other types are not even read, unless a run or another
    /// stream of the client needs them.
    pub types: Option<Vec<String>>,
}

impl Default for EventOptions {
    fn default() -> Self {
        EventOptions { scope: Scope::default(), directory: None, max_events: 4_096, types: None }
    }
}

impl EventOptions {
    /// Reads the JSON object of a binding: `scope`, `directory`, `max_events`, `types`.
    ///
    /// # Errors
    /// `invalid_argument` that names the wrong field.
    pub fn from_json(json: &str) -> Result<Self> {
        let mut fields = Fields::new("events", json, &option_names::EVENTS)?;
        let mut options = EventOptions::default();
        if let Some(scope) = fields.text("scope")? {
            options.scope = Scope::parse(&scope)?;
        }
        options.directory = fields.text("directory")?;
        if let Some(max) = fields.count("max_events")? {
            options.max_events = max.max(1) as usize;
        }
        options.types = fields.texts("types")?;
        if options.scope == Scope::Global && options.directory.is_some() {
            return Err(Error::invalid("events: scope global takes no directory"));
        }
        Ok(options)
    }
}

/// What an event stream gives.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum StreamEvent {
    /// An event of the server, also of a type that this version does not know.
    Server(Event),
    /// From here on no event is missed, until a gap or a lag says so. What happened before is to be read from
    /// the server now.
    Connected,
    /// The connection was lost, or cannot be made; it is tried again until it works. What happens until
    /// [`Connected`](Self::Connected) is not told.
    Gap(Error),
    /// So many events were dropped because nobody took them. What they told is to be read from the server now.
    Lagged(u64),
}

impl StreamEvent {
    /// The type of the event: the server's, or `stream.connected`, `stream.gap`, `stream.lagged`.
    pub fn kind(&self) -> &str {
        match self {
            StreamEvent::Server(event) => event.kind(),
            StreamEvent::Connected => "stream.connected",
            StreamEvent::Gap(_) => "stream.gap",
            StreamEvent::Lagged(_) => "stream.lagged",
        }
    }

    /// The event as one JSON object with `id`, `type`, `properties` and, if known, `directory`: what the bindings
    /// hand to their hosts. The properties of `stream.gap` are `reason` and `kind`, of `stream.lagged` `count`.
    pub fn to_json(&self) -> String {
        let properties = match self {
            StreamEvent::Server(event) => return event.to_json(),
            StreamEvent::Connected => json!({}),
            StreamEvent::Gap(error) => {
                json!({ "reason": error.message(), "kind": error.kind().name() })
            }
            StreamEvent::Lagged(count) => json!({ "count": count }),
        };
        json!({ "id": "", "type": self.kind(), "properties": properties }).to_string()
    }
}

/// What happens on the server. Made by [`Client::events`](crate::Client::events); dropping it closes it.
///
/// It may be used from any thread; each event goes to one reader. It keeps its client alive.
#[must_use = "the stream ends when this is dropped"]
pub struct EventStream {
    feed: Arc<Feed>,
    queue: Arc<EventQueue>,
    id: u64,
    home: Home,
    /// Keeps the feed going.
    _client: Arc<dyn Calls>,
}

impl EventStream {
    pub(crate) fn open(
        client: Arc<dyn Calls>,
        feed: Arc<Feed>,
        resolver: &Arc<Resolver>,
        options: EventOptions,
    ) -> Result<Self> {
        let directory = match options.scope {
            Scope::Global => None,
            Scope::Directory => {
                Some(options.directory.or_else(|| client.options().directory.clone()))
            }
        };
        let queue = Arc::new(EventQueue::new(
            directory.is_some(),
            options.max_events,
            Types::new(options.types),
            Arc::clone(client.signal()),
        ));
        if let Some(directory) = directory {
            resolver.resolve(&queue, directory);
        }
        let id = feed.add(Arc::clone(&queue) as Arc<_>);
        feed.start()?;
        Ok(EventStream { feed, queue, id, home: Home::here(), _client: client })
    }

    /// The next event when one is there. Never blocks, and without an event makes no system call.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub fn poll(&self) -> Result<Option<StreamEvent>> {
        if !self.home.is_here() {
            return Err(elsewhere("events"));
        }
        self.queue.poll()
    }

    /// The events that are there, at most `most`. Never blocks, and without an event makes no system call.
    ///
    /// # Errors
    /// As [`next`](Self::next), when nothing is left before the error.
    pub fn poll_many(&self, most: usize) -> Result<Vec<StreamEvent>> {
        if !self.home.is_here() {
            return Err(elsewhere("events"));
        }
        self.queue.poll_many(most)
    }

    /// The next event, waiting for it at most for `timeout`, or as long as it takes; `None` when none came.
    ///
    /// # Errors
    /// `closed` when the stream or its client was closed, and in a process that was forked after it was opened;
    /// `unauthorized`, `forbidden` or `unsupported` when the server will never give its events. Then it stays so.
    pub fn next(&self, timeout: Option<Duration>) -> Result<Option<StreamEvent>> {
        if let Some(event) = self.poll()? {
            return Ok(Some(event));
        }
        self.queue.wait(timeout)
    }

    /// Blocks until [`next`](Self::next) has an event or an error; false when the time is up. Takes nothing: for hosts
    /// that look after their signals before they take.
    pub fn wait_ready(&self, timeout: Option<Duration>) -> bool {
        !self.home.is_here() || self.queue.wait_ready(timeout)
    }

    /// An iterator over the events, which blocks between them. It ends when the stream is closed, and after an
    /// error.
    pub fn iter(&self) -> impl Iterator<Item = Result<StreamEvent>> + '_ {
        let mut is_over = false;
        std::iter::from_fn(move || {
            if is_over {
                return None;
            }
            match self.next(None) {
                Ok(event) => event.map(Ok),
                Err(error) => {
                    is_over = true;
                    (error.kind() != ErrorKind::Closed).then_some(Err(error))
                }
            }
        })
    }

    /// Whether [`poll`](Self::poll) has nothing to give, not even an error. Never blocks, and makes no system call.
    pub fn is_idle(&self) -> bool {
        self.home.is_here() && self.queue.is_idle()
    }

    /// Whether [`poll`](Self::poll) has something to give, an error too. The client's descriptor is quiet
    /// afterwards until something more comes: for hosts that watch it and read this stream at their own pace.
    pub fn is_ready(&self) -> bool {
        !self.home.is_here() || self.queue.is_ready()
    }

    /// The number by which [`Client::take_new`](crate::Client::take_new) tells that there is something new.
    pub fn mark(&self) -> u64 {
        self.queue.mark()
    }

    /// Whether the stream was closed or has failed. What came before a failure can still be taken.
    pub fn is_over(&self) -> bool {
        !self.home.is_here() || self.queue.is_over()
    }

    /// Whether nothing will ever be taken any more but an error that was told already, or that the host itself brought about
    /// by closing.
    pub fn is_spent(&self) -> bool {
        !self.home.is_here() || self.queue.is_spent()
    }

    /// Ends the stream; whoever waits for an event is woken. Never blocks.
    pub fn close(&self) {
        // After a fork the locks may be held by threads that stayed with the parent.
        if self.home.is_here() {
            self.queue.close();
            self.feed.remove(self.id);
        }
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream").field("is_over", &self.is_over()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_mistakes_are_named() {
        let json = r#"{"scope":"global","max_events":7,"types":["a","b.*"]}"#;
        let options = EventOptions::from_json(json).unwrap();
        assert_eq!((options.scope, options.max_events), (Scope::Global, 7));
        assert_eq!(options.types.unwrap(), ["a", "b.*"]);
        assert_eq!(EventOptions::from_json("").unwrap().scope, Scope::Directory);
        // What an empty table of Lua becomes.
        assert_eq!(EventOptions::from_json(r#"{"types":{}}"#).unwrap().types, Some(Vec::new()));
        for (json, part) in [
            (r#"{"scope":"everything"}"#, "directory, global"),
            (r#"{"scop":"global"}"#, "did you mean 'scope'"),
            (r#"{"scope":"global","directory":"/x"}"#, "takes no directory"),
            (r#"{"types":"session.idle"}"#, "types must be a list of texts"),
        ] {
            let error = EventOptions::from_json(json).unwrap_err();
            assert!(error.message().contains(part), "{error}");
        }
    }

    #[test]
    fn events_of_the_stream_itself_look_like_the_servers() {
        let gap = StreamEvent::Gap(Error::new(ErrorKind::Connection, "gone"));
        assert_eq!(
            gap.to_json(),
            r#"{"id":"","properties":{"kind":"connection","reason":"gone"},"type":"stream.gap"}"#
        );
        assert!(StreamEvent::Lagged(3).to_json().contains(r#""count":3"#));
        assert!(StreamEvent::Connected.to_json().contains(r#""type":"stream.connected""#));
    }
}
