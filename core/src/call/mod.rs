//! [`Call`]: an operation in the background.

pub(crate) mod caller;
pub(crate) mod calls;
pub(crate) mod dialect;
pub(crate) mod options;
pub(crate) mod raw_route;
pub(crate) mod retry;
pub(crate) mod tui;
pub(crate) mod workaround;

use crate::base::cancel::CancelToken;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::hooks::{Home, elsewhere};
use crate::base::leaving::{self, Keeper};
use crate::base::mailbox::{Content, Face, Mailbox};
use crate::base::pool::Pool;
use crate::base::signal::Signal;
use crate::base::thread::{self, caught};
use crate::call::caller::closed;
use crate::http::answer::Answer;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// An operation that runs in the background. Dropping it cancels nothing: the request goes its way. Clones share it, and
/// keep its client alive.
#[derive(Clone)]
pub struct Call<T = Answer> {
    shared: Arc<CallShared<T>>,
    signal: Arc<Signal>,
    token: CancelToken,
    home: Home,
    /// What a copy of the process sees in its place.
    copy: Arc<OnceLock<Arc<CallShared<T>>>>,
    /// The thread of its own that it must not be torn from.
    _thread: Option<Arc<Left>>,
    /// Keeps the threads that do it.
    client: Option<Keeper>,
}

/// A thread that is not waited for before its call is dropped: then who unloads this library waits for it, and so does
/// the end of the process.
struct Left(Mutex<Option<JoinHandle<()>>>);

impl Drop for Left {
    fn drop(&mut self) {
        let thread = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        leaving::leave(thread.into_iter().collect());
    }
}

struct CallShared<T> {
    operation: String,
    mailbox: Mailbox<Cell<T>>,
}

struct Cell<T> {
    result: Option<Result<T>>,
    is_taken: bool,
}

impl<T> Content for Cell<T> {
    fn face(&self) -> Face {
        let is_over = self.result.is_some();
        Face { state: 0, is_over, has_news: is_over && !self.is_taken }
    }
}

impl<T: Clone> Cell<T> {
    fn take(&mut self) -> Option<Result<T>> {
        self.is_taken = self.result.is_some();
        self.result.clone()
    }
}

impl<T: Clone + Send + 'static> Call<T> {
    pub(crate) fn start(
        pool: &Pool,
        signal: &Arc<Signal>,
        operation: &str,
        work: impl FnOnce(&CancelToken) -> Result<T> + Send + 'static,
    ) -> Result<Self> {
        let (call, job) = Call::make(signal, operation, work);
        pool.submit(call.token.clone(), job)?;
        Ok(call)
    }

    /// Does work on a thread of its own: where there is no client, and so no pool, or the work is the end of the pools.
    pub(crate) fn alone(
        name: &str,
        signal: &Arc<Signal>,
        operation: &str,
        work: impl FnOnce(&CancelToken) -> Result<T> + Send + 'static,
    ) -> Result<Self> {
        let (call, job) = Call::make(signal, operation, work);
        let shared = Arc::clone(&call.shared);
        thread::start(name, job, move |error| shared.complete(Err(error)))?;
        Ok(call)
    }

    /// As [`alone`](Self::alone), for work that ends something: once the call is dropped, its end is waited for before the
    /// process ends. A system that gives no thread gets the work done here.
    pub(crate) fn alone_or_here(
        name: &str,
        signal: &Arc<Signal>,
        operation: &str,
        work: impl FnOnce(&CancelToken) -> Result<T> + Send + 'static,
    ) -> Self {
        let (call, job) = Call::make(signal, operation, work);
        let thread = thread::start_or_here(name, job);
        Call { _thread: thread.map(|thread| Arc::new(Left(Mutex::new(Some(thread))))), ..call }
    }

    /// The same, whose client lives as long as it.
    pub(crate) fn keeping(self, client: Keeper) -> Self {
        Call { client: Some(client), ..self }
    }

    /// Who keeps its client.
    pub(crate) fn keeper(&self) -> Option<Keeper> {
        self.client.clone()
    }

    /// A call that is over.
    pub(crate) fn over(signal: &Arc<Signal>, operation: &str, result: Result<T>) -> Self {
        let (call, job) = Call::make(signal, operation, move |_| result);
        job();
        call
    }

    /// A call, and the job that completes it; dropping the job completes it too.
    pub(crate) fn make(
        signal: &Arc<Signal>,
        operation: &str,
        work: impl FnOnce(&CancelToken) -> Result<T> + Send + 'static,
    ) -> (Self, impl FnOnce() + Send + 'static) {
        let cell = Cell { result: None, is_taken: false };
        let shared = Arc::new(CallShared {
            operation: operation.to_owned(),
            mailbox: Mailbox::new(cell, Some(Arc::clone(signal))),
        });
        let token = CancelToken::default();
        let completion = Completion(Arc::clone(&shared));
        let mine = token.clone();
        let job = move || {
            let result = caught(|| work(&mine)).and_then(|result| result);
            completion.0.complete(result);
        };
        let (signal, home) = (Arc::clone(signal), Home::here());
        let copy = Arc::default();
        (Call { shared, signal, token, home, copy, _thread: None, client: None }, job)
    }

    /// Nobody in a copy of the process works on it, and the lock may be held for ever there.
    fn seen(&self) -> &Arc<CallShared<T>> {
        let mailbox = &self.shared.mailbox;
        if self.home.is_here() || mailbox.face().is_over && mailbox.is_free() {
            return &self.shared;
        }
        self.copy.get_or_init(|| {
            let operation = self.shared.operation.clone();
            let result = Some(Err(elsewhere(&operation)));
            let cell = Cell { result, is_taken: false };
            let mailbox = Mailbox::new(cell, Some(Arc::clone(&self.signal)));
            Arc::new(CallShared { operation, mailbox })
        })
    }

    /// Whether both are the same call.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// A descriptor that is readable once the result is there, until it is taken: the client's own, or of a call
    /// without a client one for itself. Watch it, and do nothing else with it.
    ///
    /// # Errors
    /// `exhausted` when the system gives no descriptor.
    pub fn fd(&self) -> Result<i64> {
        self.signal.descriptor()
    }

    /// The number by which [`Client::take_new`](crate::Client::take_new) tells that there is something new.
    pub fn mark(&self) -> u64 {
        self.seen().mailbox.mark()
    }

    /// Whether the answer, or the error, is there. Makes no system call.
    pub fn is_done(&self) -> bool {
        self.seen().mailbox.face().is_over
    }

    /// Whether the result is there and was not taken. The client's descriptor is quiet about it afterwards: for event
    /// loops that note who is ready and read later. Never blocks.
    pub fn is_ready(&self) -> bool {
        self.seen().mailbox.is_ready()
    }

    /// The result, once it is there; the same one every time. Never blocks.
    pub fn poll(&self) -> Option<Result<T>> {
        self.seen().mailbox.try_take(Cell::take).flatten()
    }

    /// Blocks until the result is there, at most for `timeout`; `None` when it is not.
    pub fn wait(&self, timeout: Option<Duration>) -> Option<Result<T>> {
        self.seen().mailbox.wait(timeout, Cell::take)
    }

    /// Ends the request, whatever it waits for. The result is then an error of kind `cancelled`, unless the
    /// answer was faster. The server may have done its work all the same.
    pub fn cancel(&self) {
        if !self.home.is_here() {
            // The socket is that of the other process too.
            return;
        }
        self.token.cancel();
        // One that waits for its turn is over at once.
        self.shared.complete(Err(cancelled(&self.shared.operation)));
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("operation", &self.shared.operation)
            .field("is_done", &self.shared.mailbox.face().is_over)
            .finish()
    }
}

impl<T> CallShared<T> {
    /// The first result counts.
    fn complete(&self, result: Result<T>) {
        self.mailbox.write(|cell| {
            let is_first = cell.result.is_none();
            if is_first {
                cell.result = Some(result);
            }
            is_first
        });
    }
}

/// Tells the call that nobody will work on it any more.
struct Completion<T>(Arc<CallShared<T>>);

impl<T> Drop for Completion<T> {
    fn drop(&mut self) {
        self.0.complete(Err(closed(&self.0.operation)));
    }
}

pub(crate) fn cancelled(operation: &str) -> Error {
    Error::new(ErrorKind::Cancelled, format!("{operation}: cancelled"))
        .with_operation(operation.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_panics_is_over() {
        let pool = Pool::new("test", 1);
        let work = |_: &CancelToken| -> Result<()> { std::panic::panic_any("by the test") };
        let call = Call::start(&pool, &Arc::default(), "session.list", work).unwrap();
        let error = call.wait(Some(Duration::from_secs(60))).unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
    }
}
