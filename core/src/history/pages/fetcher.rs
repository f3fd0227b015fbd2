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
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A long list whose pages are fetched in the background: for hosts that must not block. One thread of the host uses
/// it at a time.
///
/// A page that came stays until it is [taken](Self::take). So cancelling a fetch, at whatever moment, neither loses a
/// page nor doubles one.
pub struct PageFetcher {
    calls: Arc<dyn Calls>,
    shared: Arc<Shared>,
    home: Home,
}

struct Shared {
    /// Held while a page is fetched.
    pages: Mutex<Pages<()>>,
    ready: Mutex<Option<Vec<Box<RawValue>>>>,
    is_over: AtomicBool,
    is_complete: AtomicBool,
}

impl PageFetcher {
    pub(super) fn new(pages: Pages<()>) -> Self {
        let calls = Arc::clone(&pages.pager.calls);
        let shared = Shared {
            is_complete: AtomicBool::new(pages.is_complete()),
            pages: Mutex::new(pages),
            ready: Mutex::default(),
            is_over: AtomicBool::new(false),
        };
        PageFetcher { calls, shared: Arc::new(shared), home: Home::here() }
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

impl Shared {
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
