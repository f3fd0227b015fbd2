//! Long lists, page by page.

use crate::client::interruptible;
use crate::decode::decode;
use opencode_core::CallOptions;
use pyo3::prelude::*;
use pyo3::types::PyList;
use std::sync::{Mutex, PoisonError};

/// A long list that is fetched page by page.
#[pyclass(frozen, module = "opencode._native")]
pub(crate) struct Pages {
    pages: Mutex<Option<opencode_core::Pages<()>>>,
}

impl Pages {
    pub(crate) fn new<T>(pages: opencode_core::Pages<T>) -> Self {
        Pages { pages: Mutex::new(Some(pages.untyped())) }
    }
}

#[pymethods]
impl Pages {
    /// The next page; None at the end. Blocks without holding the interpreter.
    fn next_page<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyList>>> {
        let found = interruptible(py, CallOptions::default(), |options| {
            let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
            pages.as_mut().map_or(Ok(None), |pages| pages.next_page(options))
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
        py.detach(|| {
            let pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
            pages.as_ref().is_none_or(opencode_core::Pages::is_complete)
        })
    }
}

/// The last handle of a client joins its threads; one of them may be waiting for the interpreter.
impl Drop for Pages {
    fn drop(&mut self) {
        let pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = Python::try_attach(|py| py.detach(move || drop(pages)));
    }
}
