//! What keeps a client alive.

use opencode_core::Client;
use pyo3::prelude::*;

/// The last handle of a client joins its threads, so it is dropped without holding the interpreter. A struct declares
/// this field last: the others are gone by then.
pub(crate) struct Keep(Option<Client>);

impl Keep {
    pub(crate) fn new(client: &Client) -> Self {
        Keep(Some(client.clone()))
    }
}

impl Drop for Keep {
    fn drop(&mut self) {
        let client = self.0.take();
        let _ = Python::try_attach(|py| py.detach(move || drop(client)));
    }
}
