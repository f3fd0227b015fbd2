//! [`Call`]: an operation in the background.

use crate::answer::Answer;
use crate::caller::closed;
use crate::cancel::CancelToken;
use crate::error::{Error, ErrorKind, Result};
use crate::mailbox::{Content, Face, Mailbox};
use crate::signal::Signal;
use crate::thread::caught;
use crate::worker::Pool;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// An operation that runs in the background. Dropping it cancels nothing: the request goes its way.
pub struct Call<T = Answer> {
    shared: Arc<Shared<T>>,
    token: CancelToken,
}

struct Shared<T> {
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
        let cell = Cell { result: None, is_taken: false };
        let shared = Arc::new(Shared {
            operation: operation.to_owned(),
            mailbox: Mailbox::new(cell, Some(Arc::clone(signal))),
        });
        let token = CancelToken::default();
        let completion = Completion(Arc::clone(&shared));
        let mine = token.clone();
        pool.submit(token.clone(), move || {
            let result = caught(|| work(&mine)).and_then(|result| result);
            completion.0.complete(result);
        })?;
        Ok(Call { shared, token })
    }

    /// Whether the answer, or the error, is there. Makes no system call.
    pub fn is_done(&self) -> bool {
        self.shared.mailbox.face().is_over
    }

    /// The result, once it is there; the same one every time. Never blocks.
    pub fn poll(&self) -> Option<Result<T>> {
        self.shared.mailbox.try_take(Cell::take).flatten()
    }

    /// Blocks until the result is there, at most for `timeout`; `None` when it is not.
    pub fn wait(&self, timeout: Option<Duration>) -> Option<Result<T>> {
        self.shared.mailbox.wait(timeout, Cell::take)
    }

    /// Ends the request, whatever it waits for. The result is then an error of kind `cancelled`, unless the
    /// answer was faster. The server may have done its work all the same.
    pub fn cancel(&self) {
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

impl<T> Shared<T> {
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
struct Completion<T>(Arc<Shared<T>>);

impl<T> Drop for Completion<T> {
    fn drop(&mut self) {
        self.0.complete(Err(closed(&self.0.operation)));
    }
}

fn cancelled(operation: &str) -> Error {
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
