//! Calls in the background.

use crate::client::{answer, timeout};
use crate::error::exception;
use opencode_core::{Answer, Error, ErrorKind};
use pyo3::prelude::*;
use std::time::{Duration, Instant};

/// How long a wait blocks before it looks for signals.
pub(crate) const SLICE: Duration = Duration::from_millis(50);

/// An operation in the background.
#[pyclass(frozen, module = "libopencode._native")]
pub(crate) struct Call {
    call: opencode_core::Call,
    /// Nothing for a call without a client.
    _client: Option<opencode_core::Client>,
}

impl Call {
    pub(crate) fn new(call: opencode_core::Call, client: &opencode_core::Client) -> Self {
        Call { call, _client: Some(client.clone()) }
    }

    /// A call without a client.
    pub(crate) fn alone(call: opencode_core::Call) -> Self {
        Call { call, _client: None }
    }
}

#[pymethods]
impl Call {
    fn is_done(&self) -> bool {
        self.call.is_done()
    }

    fn fd(&self, py: Python<'_>) -> PyResult<i64> {
        self.call.fd().map_err(|e| exception(py, &e))
    }

    /// Whether the result comes in time. It is looked at, and not decoded.
    fn settle(&self, py: Python<'_>, seconds: Option<f64>) -> PyResult<bool> {
        let limit = timeout(py, seconds)?;
        Ok(wait(py, limit, |slice| self.call.wait(Some(slice)))?.is_some())
    }

    /// The result in a tuple when it comes in time, None otherwise; raises what the operation raised.
    fn wait<'py>(
        &self,
        py: Python<'py>,
        seconds: Option<f64>,
        raw: bool,
    ) -> PyResult<Option<(Bound<'py, PyAny>,)>> {
        let limit = timeout(py, seconds)?;
        let result = wait(py, limit, |slice| self.call.wait(Some(slice)))?;
        match result {
            None => Ok(None),
            Some(Ok(found)) => answer(py, found, raw).map(|value| Some((value,))),
            Some(Err(error)) => Err(exception(py, &error)),
        }
    }

    fn cancel(&self) {
        self.call.cancel();
    }
}

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

/// Waits in slices without holding the interpreter, and looks for signals in between.
pub(crate) fn wait<T: Send>(
    py: Python<'_>,
    limit: Option<Duration>,
    try_for: impl Fn(Duration) -> Option<T> + Send + Sync,
) -> PyResult<Option<T>> {
    let until = limit.and_then(|limit| Instant::now().checked_add(limit));
    loop {
        let left = until.map_or(SLICE, |until| until.saturating_duration_since(Instant::now()));
        if let Some(found) = py.detach(|| try_for(left.min(SLICE))) {
            return Ok(Some(found));
        }
        py.check_signals()?;
        if left.is_zero() {
            return Ok(None);
        }
    }
}

/// Seconds of Python as a time; `None` for what is none.
pub(crate) fn seconds(value: f64) -> Option<Duration> {
    const CENTURY: f64 = 3.2e9;
    (value >= 0.0).then(|| Duration::from_secs_f64(value.min(CENTURY)))
}
