//! Blocking without holding the interpreter: Ctrl-C and other signals end it.

use crate::error::exception;
use opencode_core::{Answer, CallOptions, Error, ErrorKind, Interrupt};
use pyo3::prelude::*;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a wait blocks before it looks for signals.
pub(crate) const SLICE: Duration = Duration::from_millis(50);

/// Waits for a call. A signal (Ctrl-C) ends it.
pub(crate) fn finish(py: Python<'_>, call: &opencode_core::Call) -> PyResult<Answer> {
    match wait(py, None, |slice| call.wait(Some(slice))) {
        Ok(Some(result)) => result.map_err(|e| exception(py, &e)),
        Ok(None) => {
            Err(exception(py, &Error::new(ErrorKind::Internal, "a wait without an end ended")))
        }
        Err(raised) => {
            call.cancel();
            Err(raised)
        }
    }
}

/// Waits for what `try_for` gives, without holding the interpreter.
pub(crate) fn wait<T: Send>(
    py: Python<'_>,
    limit: Option<Duration>,
    try_for: impl Fn(Duration) -> Option<T> + Send + Sync,
) -> PyResult<Option<T>> {
    in_slices(limit, |slice| match py.detach(|| try_for(slice)) {
        Some(found) => Ok(Some(found)),
        None => py.check_signals().map(|()| None),
    })
}

/// Waits until something is ready, and takes it after a look for signals. The handler of a signal may raise, and what
/// was taken before that would be lost.
pub(crate) fn take<T>(
    py: Python<'_>,
    limit: Option<Duration>,
    ready: impl Fn(Duration) -> bool + Send + Sync,
    mut take: impl FnMut() -> Option<T>,
) -> PyResult<Option<T>> {
    in_slices(limit, |slice| {
        let is_ready = py.detach(|| ready(slice));
        py.check_signals()?;
        Ok(if is_ready { take() } else { None })
    })
}

/// Tries for a slice at a time, until something is found or the limit is over.
fn in_slices<T>(
    limit: Option<Duration>,
    mut attempt: impl FnMut(Duration) -> PyResult<Option<T>>,
) -> PyResult<Option<T>> {
    let until = limit.and_then(|limit| Instant::now().checked_add(limit));
    loop {
        let left = until.map_or(SLICE, |until| until.saturating_duration_since(Instant::now()));
        if let Some(found) = attempt(left.min(SLICE))? {
            return Ok(Some(found));
        }
        if left.is_zero() {
            return Ok(None);
        }
    }
}

/// Blocks without holding the interpreter, and lets signals (Ctrl-C) end it.
pub(crate) fn interruptible<T: Send>(
    py: Python<'_>,
    mut options: CallOptions,
    work: impl FnOnce(&CallOptions) -> opencode_core::Result<T> + Send,
) -> PyResult<T> {
    let raised: Arc<Mutex<Option<PyErr>>> = Arc::default();
    let slot = Arc::clone(&raised);
    options.interrupt = Some(Interrupt::new(move || {
        // None while the interpreter shuts down: then there is nobody to answer.
        let signals = Python::try_attach(|py| py.check_signals());
        match signals {
            None | Some(Ok(())) => false,
            Some(Err(error)) => {
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                true
            }
        }
    }));
    let result = py.detach(|| work(&options));
    if let Some(error) = raised.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return Err(error);
    }
    result.map_err(|e| exception(py, &e))
}
