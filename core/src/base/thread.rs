//! [`start`]: the one way in which threads of this library begin.
//!
//! They take none of the host's signals, and a panic of one never leaves anybody waiting: it becomes an error of kind
//! `internal` for those whom the thread served.

use crate::base::error::{Error, ErrorKind, Result};
use crate::base::mask::Blocked;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle, Scope, ScopedJoinHandle};

/// Room for a TLS handshake and for parsing deeply nested JSON.
const STACK: usize = 1 << 20;
/// Of what a panic says.
const MAX_WORDS: usize = 200;

/// Starts a thread. `fallen` tells those who wait for it when it panicked.
///
/// # Errors
/// `exhausted` when the system gives no thread.
pub(crate) fn start(
    name: &str,
    work: impl FnOnce() + Send + 'static,
    fallen: impl FnOnce(Error) + Send + 'static,
) -> Result<JoinHandle<()>> {
    begin(name, work, fallen).map_err(|e| Error::exhausted("thread", e))
}

/// As [`start`], with the error of the system.
pub(crate) fn begin(
    name: &str,
    work: impl FnOnce() + Send + 'static,
    fallen: impl FnOnce(Error) + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    let body = move || {
        if let Err(error) = caught(work) {
            // Nobody is left to be told of a second one.
            let _ = caught(|| fallen(error));
        }
    };
    let _blocked = Blocked::begin();
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    builder(name).spawn(body)
}

/// As [`start`]; a system that gives no thread gets the work done here.
pub(crate) fn start_or_here(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> Option<JoinHandle<()>> {
    let work = Arc::new(Mutex::new(Some(work)));
    let mine = Arc::clone(&work);
    let thread = start(name, move || perform(&mine), drop).ok();
    if thread.is_none() {
        perform(&work);
    }
    thread
}

fn perform(work: &Mutex<Option<impl FnOnce()>>) {
    let work = work.lock().unwrap_or_else(PoisonError::into_inner).take();
    work.into_iter().for_each(|work| work());
}

/// Starts a thread that ends within the scope; joined, it gives what the work gave, or the panic as an error.
///
/// # Errors
/// As [`start`].
pub(crate) fn start_scoped<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, Result<T>>> {
    let _blocked = Blocked::begin();
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    builder(name)
        .spawn_scoped(scope, move || caught(work))
        .map_err(|e| Error::exhausted("thread", e))
}

/// Does work in which there may be a bug, of ours or in a function of the host: a panic becomes an error.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let words = words(&*panic);
        // What a host throws may panic again when it is dropped.
        std::mem::forget(panic);
        let text = format!(
            "a bug in libopencode, or in a function that it was given: {words}; please report it"
        );
        Error::new(ErrorKind::Internal, text)
    })
}

/// What a panic says, in one line.
fn words(panic: &(dyn Any + Send)) -> String {
    let said = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (None, Some(text)) => text.as_str(),
        (None, None) => "a panic without words",
    };
    said.chars().take(MAX_WORDS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn builder(name: &str) -> Builder {
    Builder::new().name(name.to_owned()).stack_size(STACK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_panic_is_told_to_those_who_wait() {
        let (sender, receiver) = mpsc::channel();
        let work = || std::panic::panic_any("one\ntwo".to_owned());
        let thread = start("opencode-test", work, move |error| sender.send(error).unwrap());
        let error = receiver.recv().unwrap();
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(error.message().contains("one two"), "{error}");
        thread.unwrap().join().unwrap();
    }

    #[test]
    fn a_panic_in_a_scope_stays_there() {
        let given = std::thread::scope(|scope| {
            let bad = start_scoped(scope, "opencode-test", || std::panic::panic_any(7)).unwrap();
            let good = start_scoped(scope, "opencode-test", || 5).unwrap();
            (bad.join().unwrap().map(|_: ()| ()), good.join().unwrap())
        });
        assert_eq!(given.0.unwrap_err().kind(), ErrorKind::Internal);
        assert_eq!(given.1.unwrap(), 5);
    }
}
