//! Terminals.

use crate::call::Call;
use crate::convert::{timeout, to_json};
use crate::error::exception;
use crate::wait::{interruptible, take};
use opencode_core::{CallOptions, PtyOptions};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// A program in a terminal on the server's machine.
#[pyclass(frozen, module = "libopencode._native")]
pub(crate) struct Pty {
    pty: opencode_core::Pty,
    /// Keeps the threads alive that type into it.
    client: opencode_core::Client,
}

impl Pty {
    pub(crate) fn open(
        py: Python<'_>,
        client: &opencode_core::Client,
        options: &Bound<'_, PyDict>,
    ) -> PyResult<Self> {
        let options = pty_options(py, options)?;
        let pty = interruptible(py, CallOptions::default(), |call| client.pty_with(options, call))?;
        Ok(Pty { pty, client: client.clone() })
    }

    pub(crate) fn connect(
        py: Python<'_>,
        client: &opencode_core::Client,
        id: &str,
        options: &Bound<'_, PyDict>,
    ) -> PyResult<Self> {
        let json = to_json(py, "pty_connect", options)?;
        let pty = PtyOptions::from_json(&json).and_then(|options| client.pty_connect(id, options));
        pty.map(|pty| Pty { pty, client: client.clone() }).map_err(|e| exception(py, &e))
    }
}

#[pymethods]
impl Pty {
    /// Text, "" when nothing came in time, None at the end.
    fn read(&self, py: Python<'_>, seconds: Option<f64>) -> PyResult<Option<String>> {
        let limit = timeout(py, seconds)?;
        let ready = |slice| self.pty.wait_ready(Some(slice));
        let found = take(py, limit, ready, || match self.pty.try_read() {
            Ok(Some(text)) if text.is_empty() => None,
            result => Some(result),
        })?;
        match found {
            None => Ok(Some(String::new())),
            Some(result) => result.map_err(|e| exception(py, &e)),
        }
    }

    fn write(&self, py: Python<'_>, text: &str) -> PyResult<()> {
        self.pty.write(text).map_err(|e| exception(py, &e))
    }

    fn resize(&self, py: Python<'_>, cols: u32, rows: u32) -> PyResult<()> {
        self.pty.resize(cols, rows).map_err(|e| exception(py, &e))
    }

    fn kill(&self, py: Python<'_>) -> PyResult<()> {
        interruptible(py, CallOptions::default(), |call| self.pty.kill(call))
    }

    /// The same in the background.
    fn start_kill(&self, py: Python<'_>) -> PyResult<Call> {
        let call = self.client.start_pty_kill(&self.pty).map_err(|e| exception(py, &e))?;
        Ok(Call::new(call))
    }

    /// Begins to close the connection and returns at once.
    fn begin_close(&self) {
        self.pty.begin_close();
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.pty.close());
    }

    #[getter]
    fn id(&self) -> &str {
        self.pty.id()
    }

    #[getter]
    fn cursor(&self) -> i64 {
        self.pty.cursor()
    }

    #[getter]
    fn exit_code(&self) -> Option<i64> {
        self.pty.exit_code()
    }

    fn is_ready(&self) -> bool {
        self.pty.is_ready()
    }

    /// What `Client.take_new` calls it.
    fn mark(&self) -> u64 {
        self.pty.mark()
    }

    fn is_over(&self) -> bool {
        self.pty.is_over()
    }

    fn is_complete(&self) -> bool {
        self.pty.is_complete()
    }
}

fn pty_options(py: Python<'_>, options: &Bound<'_, PyDict>) -> PyResult<PtyOptions> {
    let json = to_json(py, "pty", options)?;
    PtyOptions::from_json(&json).map_err(|e| exception(py, &e))
}

/// A terminal that is made in the background.
#[pyclass(frozen, module = "libopencode._native")]
pub(crate) struct PtyOpening {
    opening: opencode_core::PtyOpening,
    client: opencode_core::Client,
}

impl PtyOpening {
    pub(crate) fn start(
        py: Python<'_>,
        client: &opencode_core::Client,
        options: &Bound<'_, PyDict>,
    ) -> PyResult<Self> {
        let options = pty_options(py, options)?;
        let opening = client.start_pty(options).map_err(|e| exception(py, &e))?;
        Ok(PtyOpening { opening, client: client.clone() })
    }

    fn wrap(&self, pty: opencode_core::Pty) -> Pty {
        Pty { pty, client: self.client.clone() }
    }
}

#[pymethods]
impl PtyOpening {
    /// Tells when the terminal is there, or why it cannot be made.
    fn call(&self) -> Call {
        Call::new(self.opening.call().clone())
    }

    /// The terminal, once.
    fn take(&self) -> Option<Pty> {
        self.opening.take().map(|pty| self.wrap(pty))
    }

    /// Ends the making; a terminal that was made already is given back.
    fn cancel(&self) -> Option<Pty> {
        self.opening.cancel().map(|pty| self.wrap(pty))
    }
}
