//! Event streams.

use crate::call::wait;
use crate::client::timeout;
use crate::decode::decode;
use crate::error::exception;
use opencode_core::StreamEvent;
use pyo3::prelude::*;

/// What happens on the server.
#[pyclass(frozen, module = "opencode._native")]
pub(crate) struct EventStream {
    stream: Option<opencode_core::EventStream>,
}

impl EventStream {
    pub(crate) fn new(stream: opencode_core::EventStream) -> Self {
        EventStream { stream: Some(stream) }
    }

    fn stream(&self) -> PyResult<&opencode_core::EventStream> {
        // It is taken when the object ends; nobody can hold it then.
        self.stream.as_ref().ok_or_else(|| pyo3::exceptions::PyValueError::new_err("closed"))
    }
}

#[pymethods]
impl EventStream {
    /// The next event when one is there; never blocks.
    fn poll<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let found = self.stream()?.poll().map_err(|e| exception(py, &e))?;
        found.map(|event| convert(py, &event)).transpose()
    }

    /// The next event when one comes in time; None otherwise.
    fn next<'py>(
        &self,
        py: Python<'py>,
        seconds: Option<f64>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let limit = timeout(py, seconds)?;
        let stream = self.stream()?;
        let found = wait(py, limit, |slice| stream.next(Some(slice)).transpose())?;
        let found = found.transpose().map_err(|e| exception(py, &e))?;
        found.map(|event| convert(py, &event)).transpose()
    }

    /// Whether `poll` has something; the descriptor is quiet afterwards until something more comes.
    fn is_ready(&self) -> PyResult<bool> {
        Ok(self.stream()?.is_ready())
    }

    #[getter]
    fn is_over(&self) -> PyResult<bool> {
        Ok(self.stream()?.is_over())
    }

    fn close(&self) -> PyResult<()> {
        self.stream()?.close();
        Ok(())
    }
}

/// The last handle of a client joins its threads; one of them may be waiting for the interpreter.
impl Drop for EventStream {
    fn drop(&mut self) {
        let stream = self.stream.take();
        let _ = Python::try_attach(|py| py.detach(move || drop(stream)));
    }
}

fn convert<'py>(py: Python<'py>, event: &StreamEvent) -> PyResult<Bound<'py, PyAny>> {
    decode(py, event.to_json().as_bytes()).map_err(pyo3::exceptions::PyValueError::new_err)
}
