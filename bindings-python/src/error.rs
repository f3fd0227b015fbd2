//! Errors of the core as exceptions of the package.

use crate::decode::decode;
use opencode_core::Error;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyType};

/// The exception of an error: the class that `_errors.py` names for its kind.
pub(crate) fn exception(py: Python<'_>, error: &Error) -> PyErr {
    build(py, error).unwrap_or_else(|failure| failure)
}

fn build(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    static CLASSES: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    let classes = CLASSES.get_or_try_init(py, || {
        let module = py.import("libopencode._errors")?;
        PyResult::Ok(module.getattr("BY_KIND")?.cast_into::<PyDict>()?.unbind())
    })?;
    let kind = error.kind().name();
    let class = match classes.bind(py).get_item(kind)? {
        Some(class) => class,
        None => py.import("libopencode._errors")?.getattr("OpencodeError")?,
    };
    let details = PyDict::new(py);
    details.set_item("kind", kind)?;
    details.set_item("status", error.status())?;
    details.set_item("code", error.code())?;
    details.set_item("operation", Some(error.operation()).filter(|name| !name.is_empty()))?;
    details.set_item("body", error.body().map(|text| body(py, text)))?;
    details.set_item("retryable", error.is_retryable())?;
    details.set_item("sent", error.is_sent())?;
    let made = class.cast_into::<PyType>()?.call((error.message(),), Some(&details))?;
    Ok(PyErr::from_value(made))
}

/// What the server said as the object that it is; as a text when it is no JSON, or was cut.
fn body<'py>(py: Python<'py>, text: &str) -> Bound<'py, PyAny> {
    let found = text.starts_with(['{', '[']).then(|| decode(py, text.as_bytes()).ok()).flatten();
    found.unwrap_or_else(|| PyString::new(py, text).into_any())
}

/// A mistake in what the program passed.
pub(crate) fn misuse(py: Python<'_>, message: impl Into<String>) -> PyErr {
    exception(py, &Error::new(opencode_core::ErrorKind::InvalidArgument, message))
}
