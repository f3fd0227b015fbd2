//! Event streams.

use crate::convert::native;
use crate::convert::timeout;
use crate::error::exception;
use crate::wait::take;
use opencode_core::StreamEvent;
use pyo3::prelude::*;

/// What happens on the server.
#[pyclass(frozen, module = "libopencode._native")]
pub(crate) struct EventStream {
    stream: opencode_core::EventStream,
    _client: opencode_core::Client,
}

impl EventStream {
    pub(crate) fn new(stream: opencode_core::EventStream, client: &opencode_core::Client) -> Self {
        EventStream { stream, _client: client.clone() }
    }
}

#[pymethods]
impl EventStream {
    /// The next event when one is there; never blocks.
    fn poll<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let found = self.stream.poll().map_err(|e| exception(py, &e))?;
        found.map(|event| convert(py, &event)).transpose()
    }

    /// The next event when one comes in time; None otherwise.
    fn next<'py>(
        &self,
        py: Python<'py>,
        seconds: Option<f64>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let limit = timeout(py, seconds)?;
        let ready = |slice| self.stream.wait_ready(Some(slice));
        let found = take(py, limit, ready, || self.stream.poll().transpose())?;
        let found = found.transpose().map_err(|e| exception(py, &e))?;
        found.map(|event| convert(py, &event)).transpose()
    }

    /// Whether `poll` has something; the descriptor is quiet afterwards until something more comes.
    fn is_ready(&self) -> bool {
        self.stream.is_ready()
    }

    /// What `Client.take_new` calls it.
    fn mark(&self) -> u64 {
        self.stream.mark()
    }

    #[getter]
    fn is_over(&self) -> bool {
        self.stream.is_over()
    }

    fn close(&self) {
        self.stream.close();
    }
}

fn convert<'py>(py: Python<'py>, event: &StreamEvent) -> PyResult<Bound<'py, PyAny>> {
    native(py, &event.to_json())
}
