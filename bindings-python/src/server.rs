//! Servers that the program starts itself.

use crate::call::Call;
use crate::convert::{timeout, to_json};
use crate::error::exception;
use crate::wait::wait;
use opencode_core::{ClientOptions, ServerOptions, ServerState};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// A server that this program has started.
#[pyclass(frozen, module = "libopencode._native")]
pub(crate) struct Server {
    server: opencode_core::Server,
}

#[pymethods]
impl Server {
    /// Starts it and returns at once.
    #[new]
    fn new(py: Python<'_>, options: &Bound<'_, PyDict>) -> PyResult<Self> {
        let json = to_json(py, "Server", options)?;
        let server = ServerOptions::from_json(&json)
            .and_then(|options| py.detach(|| opencode_core::Server::launch(options)));
        server.map(|server| Server { server }).map_err(|e| exception(py, &e))
    }

    fn poll(&self) -> &'static str {
        self.server.poll().as_str()
    }

    fn wait(&self, py: Python<'_>, seconds: Option<f64>) -> PyResult<&'static str> {
        let limit = timeout(py, seconds)?;
        let state = wait(py, limit, |slice| {
            let state = self.server.wait(Some(slice));
            (state != ServerState::Starting).then_some(state)
        })?;
        Ok(state.unwrap_or(ServerState::Starting).as_str())
    }

    /// The exception of a server that failed or was closed; None otherwise.
    fn error<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        let error = self.server.error()?;
        Some(exception(py, &error).into_value(py).into_bound(py).into_any())
    }

    /// The settings of a client of this server: address, user and password over those given.
    fn settings<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let defaults = ClientOptions::default();
        let options =
            self.server.client_options(defaults).map_err(|error| exception(py, &error))?;
        let dict = PyDict::new(py);
        dict.set_item("base_url", options.base_url)?;
        dict.set_item("username", options.username)?;
        dict.set_item("password", options.password)?;
        Ok(dict)
    }

    fn environment<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let pairs = self.server.environment().map_err(|error| exception(py, &error))?;
        let dict = PyDict::new(py);
        for (name, value) in pairs {
            dict.set_item(name, value)?;
        }
        Ok(dict)
    }

    #[getter]
    fn url(&self) -> Option<String> {
        self.server.url()
    }

    #[getter]
    fn pid(&self) -> Option<u32> {
        self.server.pid()
    }

    fn output(&self) -> String {
        self.server.output()
    }

    fn fd(&self, py: Python<'_>) -> PyResult<i64> {
        self.server.fd().map_err(|e| exception(py, &e))
    }

    fn start_close(&self, py: Python<'_>) -> Call {
        Call::new(py.detach(|| self.server.start_close()))
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.server.close());
    }

    /// For the child after a fork.
    fn leave_to_parent(&self) {
        self.server.leave_to_parent();
    }
}
