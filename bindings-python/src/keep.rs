//! What keeps a client alive.

use opencode_core::Client;
use pyo3::exceptions::PyRuntimeWarning;
use pyo3::prelude::*;
use std::ffi::CString;

/// The last handle of a client closes it, so it is dropped without holding the interpreter; what is lost by that is a
/// warning. A struct declares this field last: the others are gone by then.
pub(crate) struct Keep(Option<Client>);

impl Keep {
    pub(crate) fn new(client: &Client) -> Self {
        Keep(Some(client.clone()))
    }
}

impl Drop for Keep {
    fn drop(&mut self) {
        let client = self.0.take();
        let _ = Python::try_attach(|py| {
            let lost = py.detach(move || client.and_then(Client::release));
            if let Some(lost) = lost {
                // An object may be dropped while an exception is on its way.
                let raised = PyErr::take(py);
                warn(py, lost.message());
                if let Some(raised) = raised {
                    raised.restore(py);
                }
            }
        });
    }
}

fn warn(py: Python<'_>, text: &str) {
    let text = CString::new(text).unwrap_or_default();
    if let Err(error) = PyErr::warn(py, &py.get_type::<PyRuntimeWarning>(), &text, 1) {
        error.write_unraisable(py, None);
    }
}
