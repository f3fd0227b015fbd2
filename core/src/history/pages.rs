//! [`Pages`]: long lists, page by page, newest first.

mod fetcher;
pub(super) mod messages;
pub(super) mod sessions;

use crate::base::cancel::Interrupt;
use crate::base::error::{Error, ErrorKind, Result};
use crate::call::calls::Calls;
use crate::call::options::CallOptions;
use messages::MessagePages;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use sessions::SessionPages;
use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

pub use fetcher::{NextItem, PageFetcher};
pub use messages::MessageOptions;
pub use sessions::SessionOptions;

/// A long list that is fetched page by page: an iterator of `Result<T>` that holds one page at a time.
///
/// Newest first: who looks for the latest stops early, and no page is fetched that nobody asked for. It keeps its
/// client alive. An error of a request ends it.
#[must_use = "nothing is fetched before a page or an item is asked for"]
pub struct Pages<T> {
    pager: Pager,
    ready: VecDeque<Box<RawValue>>,
    kind: PhantomData<fn() -> T>,
}

struct Pager {
    calls: Arc<dyn Calls>,
    source: PageSource,
    is_done: bool,
}

enum PageSource {
    Messages(MessagePages),
    Sessions(SessionPages),
    Other(Box<dyn PageReader>),
}

/// What reads pages of another kind.
pub(crate) trait PageReader: Send + Sync {
    /// What it reads, for errors.
    fn name(&self) -> &'static str;

    /// Takes one step towards the next page; whoever cancelled one takes it again.
    fn fetch(&mut self, calls: &dyn Calls, options: &CallOptions) -> Result<Page>;

    /// Whether nothing was left out so far.
    fn is_complete(&self) -> bool;
}

impl<T> Pages<T> {
    fn new(calls: Arc<dyn Calls>, source: PageSource) -> Self {
        let pager = Pager { calls, source, is_done: false };
        Pages { pager, ready: VecDeque::new(), kind: PhantomData }
    }

    pub(crate) fn of_messages(
        calls: Arc<dyn Calls>,
        session_id: &str,
        options: MessageOptions,
    ) -> Self {
        Pages::new(calls, PageSource::Messages(MessagePages::new(session_id, options)))
    }

    pub(crate) fn of_sessions(calls: Arc<dyn Calls>, options: SessionOptions) -> Self {
        Pages::new(calls, PageSource::Sessions(SessionPages::new(options)))
    }

    pub(crate) fn of(calls: Arc<dyn Calls>, reader: impl PageReader + 'static) -> Self {
        Pages::new(calls, PageSource::Other(Box::new(reader)))
    }

    /// The same list without the type: for who takes the items as JSON.
    pub fn untyped(self) -> Pages<()> {
        Pages { pager: self.pager, ready: self.ready, kind: PhantomData }
    }

    /// The same list, its pages fetched in the background.
    pub fn in_background(self) -> PageFetcher {
        PageFetcher::new(self.untyped())
    }

    /// The next page, in JSON: what the bindings hand to their hosts. `None` at the end. Blocks for one request, for
    /// a few where the server cannot write a page down.
    ///
    /// # Errors
    /// As for the requests; but for `cancelled` it is the end of the list.
    pub fn next_page(&mut self, options: &CallOptions) -> Result<Option<Vec<Box<RawValue>>>> {
        if !self.ready.is_empty() {
            return Ok(Some(std::mem::take(&mut self.ready).into()));
        }
        self.pager.fetch(options)
    }

    /// The next item, in JSON; `None` at the end. Blocks when a page has to be fetched.
    ///
    /// # Errors
    /// As [`next_page`](Self::next_page).
    pub fn next_json(&mut self, options: &CallOptions) -> Result<Option<Box<RawValue>>> {
        if self.ready.is_empty()
            && let Some(page) = self.pager.fetch(options)?
        {
            self.ready = page.into();
        }
        Ok(self.ready.pop_front())
    }

    /// Whether nothing was left out so far. The server cannot give the first message of a session when that was a
    /// prompt with a `format`; at the end of such a list this is false.
    pub fn is_complete(&self) -> bool {
        match &self.pager.source {
            PageSource::Messages(messages) => messages.is_complete(),
            PageSource::Sessions(_) => true,
            PageSource::Other(reader) => reader.is_complete(),
        }
    }
}

impl<T: DeserializeOwned> Iterator for Pages<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        let item = self.next_json(&CallOptions::default()).transpose()?;
        Some(item.and_then(|json| {
            serde_json::from_str(json.get()).map_err(|e| {
                let text = format!("{}: an item cannot be read: {e}", self.pager.source.name());
                Error::new(ErrorKind::Decode, text)
            })
        }))
    }
}

impl Pager {
    /// The next page that has something in it.
    fn fetch(&mut self, options: &CallOptions) -> Result<Option<Vec<Box<RawValue>>>> {
        while !self.is_done {
            let fetched = match &mut self.source {
                PageSource::Messages(messages) => messages.fetch(&*self.calls, options),
                PageSource::Sessions(sessions) => sessions.fetch(&*self.calls, options),
                PageSource::Other(reader) => reader.fetch(&*self.calls, options),
            };
            let page = match fetched {
                Ok(page) => page,
                Err(error) => {
                    // A page whose request was cancelled is asked for again, whatever that looks like here.
                    let is_cancelled = error.kind() == ErrorKind::Cancelled
                        || options.interrupt.as_ref().is_some_and(Interrupt::is_thrown);
                    // Whoever ignores an error must not get it for ever.
                    self.is_done = !is_cancelled;
                    return Err(error);
                }
            };
            self.is_done = page.is_last;
            if !page.items.is_empty() {
                return Ok(Some(page.items));
            }
        }
        Ok(None)
    }
}

impl PageSource {
    fn name(&self) -> &'static str {
        match self {
            PageSource::Messages(_) => "messages",
            PageSource::Sessions(_) => "sessions",
            PageSource::Other(reader) => reader.name(),
        }
    }
}

/// What one request brought, newest first.
pub(crate) struct Page {
    pub(in crate::history) items: Vec<Box<RawValue>>,
    pub(in crate::history) is_last: bool,
}

impl<T> fmt::Debug for Pages<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages")
            .field("of", &self.pager.source.name())
            .field("held", &self.ready.len())
            .field("is_done", &self.pager.is_done)
            .finish()
    }
}
