//! Attachments, usage, the terminal interface, and replays.

use crate::call::wait;
use crate::client::{interruptible, timeout, to_json};
use crate::decode::decode;
use crate::encode::encode;
use crate::error::{exception, misuse};
use opencode_core::{AttachOptions, CallOptions, UsageOptions};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::{Mutex, PoisonError};

/// A local file as a part of a prompt. Does not hold the interpreter while it is read.
#[pyfunction]
pub(crate) fn attach<'py>(
    py: Python<'py>,
    path: std::path::PathBuf,
    options: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyAny>> {
    let options = attach_options(py, options)?;
    let part = py.detach(|| opencode_core::attach(&path, &options));
    native(py, &part.map_err(|e| exception(py, &e))?.to_string())
}

/// The same for bytes.
#[pyfunction]
pub(crate) fn attach_bytes<'py>(
    py: Python<'py>,
    name: &str,
    bytes: &[u8],
    options: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyAny>> {
    let options = attach_options(py, options)?;
    let part = opencode_core::attach_bytes(name, bytes, &options);
    native(py, &part.map_err(|e| exception(py, &e))?.to_string())
}

fn attach_options(py: Python<'_>, options: &Bound<'_, PyDict>) -> PyResult<AttachOptions> {
    let json = to_json(py, "attach", options)?;
    AttachOptions::from_json(&json).map_err(|e| exception(py, &e))
}

pub(crate) fn usage<'py>(
    py: Python<'py>,
    client: &opencode_core::Client,
    session: &str,
    options: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyAny>> {
    let json = to_json(py, "usage", options)?;
    let options = UsageOptions::from_json(&json).map_err(|e| exception(py, &e))?;
    let work = |call: &CallOptions| client.usage(session, &options, call);
    let usage = interruptible(py, CallOptions::default(), work)?;
    native(py, &usage.to_json())
}

/// The requests of a terminal interface that is controlled by programs.
#[pyclass(frozen, module = "opencode._native")]
pub(crate) struct TuiControl {
    pub(crate) control: opencode_core::TuiControl,
}

#[pymethods]
impl TuiControl {
    /// The next request in a tuple when it comes in time, None otherwise.
    fn next<'py>(
        &self,
        py: Python<'py>,
        seconds: Option<f64>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let limit = timeout(py, seconds)?;
        let found = wait(py, limit, |slice| self.control.next(Some(slice)).transpose())?;
        match found {
            None => Ok(None),
            Some(result) => native(py, &result.map_err(|e| exception(py, &e))?).map(Some),
        }
    }

    fn respond(&self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let json = encode(value).map_err(|why| misuse(py, format!("respond: {why}")))?;
        py.detach(|| self.control.respond(&json)).map_err(|e| exception(py, &e))
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.control.close());
    }
}

/// A server on this machine that plays a recording back.
#[pyclass(frozen, module = "opencode._native")]
pub(crate) struct Replay {
    url: String,
    /// Empty once it was closed.
    replay: Mutex<Option<opencode_core::Replay>>,
}

#[pymethods]
impl Replay {
    #[new]
    fn new(py: Python<'_>, path: std::path::PathBuf) -> PyResult<Self> {
        let replay =
            py.detach(|| opencode_core::Replay::start(path)).map_err(|e| exception(py, &e))?;
        Ok(Replay { url: replay.url(), replay: Mutex::new(Some(replay)) })
    }

    #[getter]
    fn url(&self) -> &str {
        &self.url
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| {
            let replay = self.replay.lock().unwrap_or_else(PoisonError::into_inner).take();
            drop(replay);
        });
    }
}

/// JSON that the core made, or the server.
fn native<'py>(py: Python<'py>, json: &str) -> PyResult<Bound<'py, PyAny>> {
    decode(py, json.as_bytes()).map_err(pyo3::exceptions::PyValueError::new_err)
}
