//! Long lists, page by page.

use crate::call::Call;
use crate::convert::native;
use crate::error::exception;
use crate::wait::interruptible;
use opencode_core::{CallOptions, PageFetcher};
use pyo3::prelude::*;
use pyo3::types::PyList;

/// A long list that is fetched page by page.
#[pyclass(frozen, module = "libopencode._native")]
pub(crate) struct Pages {
    pages: PageFetcher,
}

impl Pages {
    pub(crate) fn new<T>(pages: opencode_core::Pages<T>) -> Self {
        Pages { pages: pages.in_background() }
    }
}

/// The items of a page, as JSON.
type Page = Vec<Box<serde_json::value::RawValue>>;

#[pymethods]
impl Pages {
    /// The next page; None at the end. Blocks without holding the interpreter.
    fn next_page<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyList>>> {
        let found =
            interruptible(py, CallOptions::default(), |options| self.pages.next_page(options))?;
        found.map(|page| list(py, page)).transpose()
    }

    /// Fetches the next page in the background, to be taken.
    fn fetch(&self, py: Python<'_>) -> PyResult<Call> {
        let call = self.pages.fetch().map_err(|e| exception(py, &e))?;
        Ok(Call::new(call))
    }

    /// The page that was fetched, once.
    fn take<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyList>>> {
        self.pages.take().map(|page| list(py, page)).transpose()
    }

    fn is_over(&self) -> bool {
        self.pages.is_over()
    }

    fn is_complete(&self) -> bool {
        self.pages.is_complete()
    }
}

fn list(py: Python<'_>, page: Page) -> PyResult<Bound<'_, PyList>> {
    let list = PyList::empty(py);
    for json in page {
        list.append(native(py, json.get())?)?;
    }
    Ok(list)
}
