//! Long lists, page by page.

use crate::client::interruptible;
use crate::decode::decode;
use crate::keep::Keep;
use opencode_core::CallOptions;
use pyo3::prelude::*;
use pyo3::types::PyList;
use std::sync::{Mutex, PoisonError};

/// A long list that is fetched page by page.
#[pyclass(frozen, module = "opencode._native")]
pub(crate) struct Pages {
    pages: Mutex<opencode_core::Pages<()>>,
    _keep: Keep,
}

impl Pages {
    pub(crate) fn new<T>(pages: opencode_core::Pages<T>, client: &opencode_core::Client) -> Self {
        Pages { pages: Mutex::new(pages.untyped()), _keep: Keep::new(client) }
    }
}

#[pymethods]
impl Pages {
    /// The next page; None at the end. Blocks without holding the interpreter.
    fn next_page<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyList>>> {
        let found = interruptible(py, CallOptions::default(), |options| {
            self.pages.lock().unwrap_or_else(PoisonError::into_inner).next_page(options)
        })?;
        let Some(page) = found else { return Ok(None) };
        let list = PyList::empty(py);
        for json in page {
            let item = decode(py, json.get().as_bytes());
            list.append(item.map_err(pyo3::exceptions::PyValueError::new_err)?)?;
        }
        Ok(Some(list))
    }

    fn is_complete(&self, py: Python<'_>) -> bool {
        py.detach(|| self.pages.lock().unwrap_or_else(PoisonError::into_inner).is_complete())
    }
}
