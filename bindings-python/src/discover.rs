//! Which servers there are, and what is wrong with one.

use crate::call::Call;
use crate::convert::{answer, timeout};
use crate::error::exception;
use crate::wait::finish;
use pyo3::prelude::*;

/// The servers that answer, as dicts. Blocks without holding the interpreter; a signal (Ctrl-C) ends it.
#[pyfunction]
pub(crate) fn discover<'py>(py: Python<'py>, seconds: f64) -> PyResult<Bound<'py, PyAny>> {
    let call = search(py, seconds)?;
    answer(py, finish(py, &call)?, false)
}

/// The same in the background.
#[pyfunction]
pub(crate) fn start_discover(py: Python<'_>, seconds: f64) -> PyResult<Call> {
    search(py, seconds).map(Call::new)
}

fn search(py: Python<'_>, seconds: f64) -> PyResult<opencode_core::Call> {
    let limit = timeout(py, Some(seconds))?.unwrap_or_default();
    opencode_core::start_discover(limit).map_err(|e| exception(py, &e))
}

/// What works and what does not, as a dict. Blocks as `discover` does.
pub(crate) fn doctor<'py>(
    py: Python<'py>,
    client: &opencode_core::Client,
) -> PyResult<Bound<'py, PyAny>> {
    let call = client.start_doctor().map_err(|e| exception(py, &e))?;
    answer(py, finish(py, &call)?, false)
}

/// What the server is, as a dict. Blocks as `discover` does.
pub(crate) fn server<'py>(
    py: Python<'py>,
    client: &opencode_core::Client,
) -> PyResult<Bound<'py, PyAny>> {
    let call = client.start_server().map_err(|e| exception(py, &e))?;
    answer(py, finish(py, &call)?, false)
}
