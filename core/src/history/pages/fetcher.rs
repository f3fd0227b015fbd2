//! [`PageFetcher`]: a long list whose pages are fetched in the background.

use super::Pages;
use crate::base::error::Result;
use crate::base::hooks::{Home, elsewhere};
use crate::call::Call;
use crate::call::calls::Calls;
use crate::call::options::CallOptions;
use crate::http::answer::Answer;
use crate::protocol::operation::Pace;
use serde_json::value::RawValue;
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A long list whose pages are fetched in the background: for hosts that must not block. One thread of the host uses
/// it at a time.
///
/// A page that came stays until it is [taken](Self::take). So cancelling a fetch, at whatever moment, neither loses a
/// page nor doubles one.
#[must_use = "nothing is fetched before a page or an item is asked for"]
pub struct PageFetcher {
    calls: Arc<dyn Calls>,
    shared: Arc<FetcherShared>,
    /// For who takes items, and not pages.
    items: Mutex<Items>,
    home: Home,
}

#[derive(Default)]
struct Items {
    ready: VecDeque<Box<RawValue>>,
    fetching: Option<Call>,
}

/// What [`PageFetcher::next_item`] found.
#[derive(Debug)]
pub enum NextItem {
    /// An item, in JSON.
    Item(Box<RawValue>),
    /// None came in time: its page is on its way.
    Pending,
    /// The list is at its end.
    End,
}

struct FetcherShared {
    /// Held while a page is fetched.
    pages: Mutex<Pages<()>>,
    ready: Mutex<Option<Vec<Box<RawValue>>>>,
    is_over: AtomicBool,
    is_complete: AtomicBool,
}

impl PageFetcher {
    pub(super) fn new(pages: Pages<()>) -> Self {
        let calls = Arc::clone(&pages.pager.calls);
        let shared = FetcherShared {
            is_complete: AtomicBool::new(pages.is_complete()),
            pages: Mutex::new(pages),
            ready: Mutex::default(),
            is_over: AtomicBool::new(false),
        };
        let items = Mutex::default();
        PageFetcher { calls, shared: Arc::new(shared), items, home: Home::here() }
    }

    /// Fetches the next page, unless one is there to be taken. The call's answer is empty; cancelling it ends the
    /// request, and the same page is fetched the next time.
    ///
    /// # Errors
    /// `closed`, `exhausted` when the system gives no thread. Those of the requests show in the call.
    pub fn fetch(&self) -> Result<Call> {
        self.check_home()?;
        let shared = Arc::clone(&self.shared);
        self.calls.start_work("pages", Pace::Quick, move |token| {
            shared.fetch(&CallOptions::within(token))?;
            Ok(Answer::made("pages", String::new()))
        })
    }

    /// Fetches the next page and takes it; `None` at the end. Blocks for one request, as
    /// [`Pages::next_page`] does.
    ///
    /// # Errors
    /// As [`Pages::next_page`].
    pub fn next_page(&self, options: &CallOptions) -> Result<Option<Vec<Box<RawValue>>>> {
        self.check_home()?;
        self.shared.fetch(options)?;
        Ok(self.take())
    }

    /// The next item, waiting at most for `timeout`; its page is fetched in the background. A timeout of zero never
    /// blocks, for use in a tick; `None` waits as long as it takes. Who uses this takes no pages.
    ///
    /// # Errors
    /// As [`Pages::next_page`]: it is told once, and then the list is at its end.
    pub fn next_item(&self, timeout: Option<Duration>) -> Result<NextItem> {
        self.check_home()?;
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let call = {
                let mut items = self.items();
                if let Some(item) = items.ready.pop_front() {
                    return Ok(NextItem::Item(item));
                }
                if items.fetching.is_none() && self.is_over() {
                    return Ok(NextItem::End);
                }
                match &items.fetching {
                    Some(call) => call.clone(),
                    None => items.fetching.insert(self.fetch()?).clone(),
                }
            };
            // Without the lock: another thread may look meanwhile.
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let found =
                if left.is_some_and(|left| left.is_zero()) { call.poll() } else { call.wait(left) };
            let Some(result) = found else { return Ok(NextItem::Pending) };
            let mut items = self.items();
            if items.fetching.take_if(|fetching| fetching.is_same(&call)).is_some() {
                items.ready.extend(self.take().into_iter().flatten());
            }
            result?;
        }
    }

    /// The next item, in JSON; `None` at the end. Blocks when a page has to be fetched, as
    /// [`Pages::next_json`] does.
    ///
    /// # Errors
    /// As [`Pages::next_page`].
    pub fn next_json(&self, options: &CallOptions) -> Result<Option<Box<RawValue>>> {
        self.check_home()?;
        loop {
            let mut items = self.items();
            // Under the lock: pages stay in their order.
            items.ready.extend(self.take().into_iter().flatten());
            if let Some(item) = items.ready.pop_front() {
                return Ok(Some(item));
            }
            drop(items);
            if self.is_over() {
                return Ok(None);
            }
            self.shared.fetch(options)?;
        }
    }

    /// Whether [`next_item`](Self::next_item) has nothing to give now: a page is on its way. Never blocks.
    pub fn is_idle(&self) -> bool {
        self.home.is_here()
            && self.items().fetching.as_ref().is_some_and(|fetching| !fetching.is_done())
    }

    /// Whether a page came for [`next_item`](Self::next_item), or a failure. The client's descriptor is quiet about it
    /// afterwards: for event loops that note who is ready and take later. Never blocks.
    pub fn is_ready(&self) -> bool {
        self.home.is_here() && self.items().fetching.as_ref().is_some_and(Call::is_ready)
    }

    fn items(&self) -> MutexGuard<'_, Items> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The page that was fetched, newest first, once; `None` when there is none. Never blocks.
    pub fn take(&self) -> Option<Vec<Box<RawValue>>> {
        // In a copy of the process a thread that stayed behind may have the lock for ever.
        if self.home.is_here() { self.shared.ready().take() } else { None }
    }

    /// Whether the list is at its end, and its last page was taken. Never blocks.
    pub fn is_over(&self) -> bool {
        let is_over = self.shared.is_over.load(Ordering::Acquire);
        is_over && (!self.home.is_here() || self.shared.ready().is_none())
    }

    fn check_home(&self) -> Result<()> {
        if self.home.is_here() { Ok(()) } else { Err(elsewhere("pages")) }
    }

    /// Whether nothing was left out so far; see [`Pages::is_complete`]. Never blocks.
    pub fn is_complete(&self) -> bool {
        self.shared.is_complete.load(Ordering::Acquire)
    }
}

impl FetcherShared {
    fn fetch(&self, options: &CallOptions) -> Result<()> {
        // One that was cancelled a moment ago ends first.
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        if self.ready().is_some() {
            return Ok(());
        }
        let found = pages.next_page(options);
        self.is_complete.store(pages.is_complete(), Ordering::Release);
        let mut ready = self.ready();
        if let Ok(Some(page)) = found {
            *ready = Some(page);
            return Ok(());
        }
        self.is_over.store(pages.pager.is_done, Ordering::Release);
        found.map(drop)
    }

    fn ready(&self) -> MutexGuard<'_, Option<Vec<Box<RawValue>>>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for PageFetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageFetcher").field("is_over", &self.is_over()).finish_non_exhaustive()
    }
}
