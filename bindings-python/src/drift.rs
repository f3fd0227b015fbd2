//! Drift: how a running server differs from the operations that this package knows.

use crate::convert::native;
use crate::error::exception;
use opencode_core::Drift;
use pyo3::prelude::*;

/// Compares the body of an answer to `doc.get` with the operations known here.
#[pyfunction]
pub(crate) fn drift<'py>(py: Python<'py>, document: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let drift = py.detach(|| Drift::from_document(document)).map_err(|e| exception(py, &e))?;
    native(py, &drift.to_json())
}
