//! [`Call`]: an operation in the background.

use crate::answer::Answer;
use crate::caller::closed;
use crate::cancel::CancelToken;
use crate::error::{Error, ErrorKind, Result};
use crate::signal::Signal;
use crate::worker::Pool;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// An operation that runs in the background. Dropping it cancels nothing: the request goes its way.
pub struct Call {
    shared: Arc<Shared>,
    token: CancelToken,
}

struct Shared {
    operation: String,
    is_done: AtomicBool,
    result: Mutex<Option<Result<Answer>>>,
    woken: Condvar,
    signal: Arc<Signal>,
    /// Whether the signal counts this call as having something new.
    is_counted: AtomicBool,
}

impl Call {
    pub(crate) fn start(
        pool: &Pool,
        signal: &Arc<Signal>,
        operation: &str,
        work: impl FnOnce(&CancelToken) -> Result<Answer> + Send + 'static,
    ) -> Result<Call> {
        let shared = Arc::new(Shared {
            operation: operation.to_owned(),
            is_done: AtomicBool::new(false),
            result: Mutex::new(None),
            woken: Condvar::new(),
            signal: Arc::clone(signal),
            is_counted: AtomicBool::new(false),
        });
        let token = CancelToken::default();
        let completion = Completion(Arc::clone(&shared));
        let mine = token.clone();
        pool.submit(token.clone(), move || {
            let result = if mine.is_cancelled() {
                Err(cancelled(&completion.0.operation))
            } else {
                work(&mine)
            };
            completion.0.complete(result);
        })?;
        Ok(Call { shared, token })
    }

    /// Whether the answer, or the error, is there. Makes no system call.
    pub fn is_done(&self) -> bool {
        self.shared.is_done.load(Ordering::Acquire)
    }

    /// The result, once it is there; the same one every time. Never blocks.
    pub fn poll(&self) -> Option<Result<Answer>> {
        if !self.is_done() {
            return None;
        }
        self.shared.seen();
        self.shared.result().clone()
    }

    /// Blocks until the result is there, at most for `timeout`; `None` when it is not.
    pub fn wait(&self, timeout: Option<Duration>) -> Option<Result<Answer>> {
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut result = self.shared.result();
        while result.is_none() {
            result = match until {
                None => self.shared.woken.wait(result).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return None;
                    }
                    let waited = self.shared.woken.wait_timeout(result, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        let result = result.clone();
        self.shared.seen();
        result
    }

    /// Ends the request, whatever it waits for. The result is then an error of kind `cancelled`, unless the
    /// answer was faster. The server may have done its work all the same.
    pub fn cancel(&self) {
        self.token.cancel();
        // One that waits for its turn is over at once.
        self.shared.complete(Err(cancelled(&self.shared.operation)));
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("operation", &self.shared.operation)
            .field("is_done", &self.is_done())
            .finish()
    }
}

impl Shared {
    fn result(&self) -> MutexGuard<'_, Option<Result<Answer>>> {
        self.result.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first result counts.
    fn complete(&self, result: Result<Answer>) {
        let mut slot = self.result();
        if slot.is_some() {
            return;
        }
        *slot = Some(result);
        self.is_counted.store(true, Ordering::Release);
        self.is_done.store(true, Ordering::Release);
        drop(slot);
        self.signal.add();
        self.woken.notify_all();
    }

    fn seen(&self) {
        if self.is_counted.swap(false, Ordering::AcqRel) {
            self.signal.remove();
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.seen();
    }
}

/// Tells the call that nobody will work on it any more.
struct Completion(Arc<Shared>);

impl Drop for Completion {
    fn drop(&mut self) {
        self.0.complete(Err(closed(&self.0.operation)));
    }
}

fn cancelled(operation: &str) -> Error {
    Error::new(ErrorKind::Cancelled, format!("{operation}: cancelled"))
        .with_operation(operation.to_owned())
}
