//! Values of Python as the core takes them, and answers as Python takes them.

use crate::decode::decode;
use crate::encode::encode;
use crate::error::{exception, misuse};
use opencode_core::{Answer, CallOptions, Error, ErrorKind};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};
use std::time::Duration;

pub(crate) fn to_json(py: Python<'_>, what: &str, dict: &Bound<'_, PyDict>) -> PyResult<String> {
    encode(dict).map_err(|why| misuse(py, format!("{what}: {why}")))
}

pub(crate) fn call_options(
    py: Python<'_>,
    operation: &str,
    options: Option<&Bound<'_, PyDict>>,
) -> PyResult<CallOptions> {
    match options {
        None => Ok(CallOptions::default()),
        Some(options) => {
            let json = to_json(py, operation, options)?;
            CallOptions::from_json(&json).map_err(|e| exception(py, &e))
        }
    }
}

/// What a call gives: the decoded body; raw: status, headers and bytes as they came.
pub(crate) fn answer(py: Python<'_>, answer: Answer, raw: bool) -> PyResult<Bound<'_, PyAny>> {
    if raw {
        let headers = PyDict::new(py);
        for (name, value) in answer.headers() {
            headers.set_item(name, value.as_ref())?;
        }
        let body = PyBytes::new(py, answer.bytes());
        return Ok((answer.status(), headers, body).into_pyobject(py)?.into_any());
    }
    if answer.bytes().is_empty() {
        return Ok(py.None().into_bound(py));
    }
    if answer.is_json() {
        return decode(py, answer.bytes())
            .map_err(|why| exception(py, &answer.decode_error("is no JSON", &why)));
    }
    Ok(match answer.text() {
        Ok(text) => PyString::new(py, text).into_any(),
        Err(_) => PyBytes::new(py, answer.bytes()).into_any(),
    })
}

/// Seconds of Python as a time, for errors that name the argument.
pub(crate) fn timeout(py: Python<'_>, value: Option<f64>) -> PyResult<Option<Duration>> {
    match value {
        None => Ok(None),
        Some(value) => seconds(value).map(Some).ok_or_else(|| {
            let text =
                format!("timeout must be a number of seconds that is not negative, not {value}");
            exception(py, &Error::new(ErrorKind::InvalidArgument, text))
        }),
    }
}

/// Seconds of Python as a time; `None` for what is none.
pub(crate) fn seconds(value: f64) -> Option<Duration> {
    const CENTURY: f64 = 3.2e9;
    (value >= 0.0).then(|| Duration::from_secs_f64(value.min(CENTURY)))
}

/// JSON that the core made, or handed on from the server.
pub(crate) fn native<'py>(py: Python<'py>, json: &str) -> PyResult<Bound<'py, PyAny>> {
    decode(py, json.as_bytes()).map_err(|why| unread(py, &why))
}

/// The error for what cannot be read of what the server sent.
pub(crate) fn unread(py: Python<'_>, why: &str) -> PyErr {
    let text = format!("what the server sent cannot be read: {why}");
    exception(py, &Error::new(ErrorKind::Decode, text))
}
