//! Which servers there are, and what is wrong with one.

use crate::call::wait;
use crate::client::timeout;
use crate::decode::decode;
use crate::error::exception;
use opencode_core::{Error, ErrorKind};
use pyo3::prelude::*;
use pyo3::types::PyList;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc;

/// The servers that answer, as dicts.
#[pyfunction]
pub(crate) fn discover<'py>(py: Python<'py>, seconds: f64) -> PyResult<Bound<'py, PyList>> {
    let limit = timeout(py, Some(seconds))?.unwrap_or_default();
    let list = PyList::empty(py);
    for found in aside(py, move || opencode_core::discover(limit))? {
        list.append(native(py, &found.to_json())?)?;
    }
    Ok(list)
}

/// What works and what does not, as a dict.
pub(crate) fn doctor<'py>(
    py: Python<'py>,
    client: opencode_core::Client,
) -> PyResult<Bound<'py, PyAny>> {
    let found = aside(py, move || client.doctor())?;
    native(py, &found.to_json())
}

/// Does bounded work in a thread of its own, so that signals (Ctrl-C) end the waiting for it.
fn aside<T: Send + 'static>(
    py: Python<'_>,
    work: impl FnOnce() -> T + Send + 'static,
) -> PyResult<T> {
    let (sender, receiver) = mpsc::sync_channel(1);
    // Nobody listens any more after a Ctrl-C.
    opencode_core::aside(work, move |done| drop(sender.send(done)))
        .map_err(|e| exception(py, &e))?;
    let receiver = Mutex::new(receiver);
    let done = wait(py, None, |slice| {
        let receiver = receiver.lock().unwrap_or_else(PoisonError::into_inner);
        match receiver.recv_timeout(slice) {
            Ok(found) => Some(Ok(found)),
            Err(mpsc::RecvTimeoutError::Timeout) => None,
            Err(error) => Some(Err(error)),
        }
    })?;
    match done {
        Some(Ok(found)) => found.map_err(|e| exception(py, &e)),
        Some(Err(error)) => Err(lost(py, &error)),
        None => Err(lost(py, &"it never ended")),
    }
}

fn lost(py: Python<'_>, why: &dyn std::fmt::Display) -> PyErr {
    exception(py, &Error::new(ErrorKind::Internal, format!("the work was lost: {why}")))
}

/// JSON that the core made.
fn native<'py>(py: Python<'py>, json: &str) -> PyResult<Bound<'py, PyAny>> {
    decode(py, json.as_bytes()).map_err(pyo3::exceptions::PyValueError::new_err)
}
