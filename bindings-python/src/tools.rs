//! Attachments, the terminal interface, and replays.

use crate::convert::native;
use crate::convert::{timeout, to_json};
use crate::error::exception;
use crate::wait::wait;
use opencode_core::{AttachOptions, Error, ErrorKind};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::atomic::{AtomicUsize, Ordering};
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

/// The requests of a terminal interface that is controlled by programs.
#[pyclass(frozen, module = "libopencode._native")]
pub(crate) struct TuiControl {
    control: opencode_core::TuiControl,
    /// Rises with every `close`: a wait in slices must not ask again behind it.
    closed: AtomicUsize,
}

impl TuiControl {
    pub(crate) fn new(client: &opencode_core::Client) -> Self {
        let control = client.tui_control();
        TuiControl { control, closed: AtomicUsize::new(0) }
    }
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
        let before = self.closed.load(Ordering::Acquire);
        let found = wait(py, limit, |slice| {
            if self.closed.load(Ordering::Acquire) != before {
                self.control.close();
                let text = "tui.control.next: cancelled: the control was closed";
                return Some(Err(Error::new(ErrorKind::Cancelled, text)));
            }
            self.control.next(Some(slice)).transpose()
        })?;
        match found {
            None => Ok(None),
            Some(result) => native(py, &result.map_err(|e| exception(py, &e))?).map(Some),
        }
    }

    fn close(&self, py: Python<'_>) {
        self.closed.fetch_add(1, Ordering::AcqRel);
        py.detach(|| self.control.close());
    }
}

/// A server on this machine that plays a recording back.
#[pyclass(frozen, module = "libopencode._native")]
pub(crate) struct Replay {
    url: String,
    /// Empty once it was closed.
    replay: Mutex<Option<opencode_core::Replay>>,
}

#[pymethods]
impl Replay {
    #[new]
    fn new(py: Python<'_>, path: std::path::PathBuf) -> PyResult<Self> {
        let replay = py.detach(|| opencode_core::Replay::start(path));
        let replay = replay.map_err(|e| exception(py, &e))?;
        Ok(Replay { url: replay.url(), replay: Mutex::new(Some(replay)) })
    }

    #[getter]
    fn url(&self) -> &str {
        &self.url
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| {
            let replay = self.replay.lock().unwrap_or_else(PoisonError::into_inner).take();
            replay.into_iter().for_each(|mut replay| replay.close());
        });
    }
}
