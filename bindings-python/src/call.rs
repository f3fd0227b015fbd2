//! Calls in the background.

use crate::convert::{answer, timeout};
use crate::error::exception;
use crate::wait::wait;
use pyo3::prelude::*;

/// An operation in the background.
#[pyclass(frozen, module = "libopencode._native")]
pub(crate) struct Call {
    call: opencode_core::Call,
}

impl Call {
    pub(crate) fn new(call: opencode_core::Call) -> Self {
        Call { call }
    }
}

#[pymethods]
impl Call {
    fn is_done(&self) -> bool {
        self.call.is_done()
    }

    /// What `Client.take_new` calls it.
    fn mark(&self) -> u64 {
        self.call.mark()
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
