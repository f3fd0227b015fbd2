//! Runs.

use crate::call::Call;
use crate::convert::native;
use crate::convert::timeout;
use crate::error::exception;
use crate::wait::{take, wait};
use opencode_core::{ErrorKind, PermissionReply, TextUpdate, Update};
use pyo3::prelude::*;
use pyo3::types::PyList;
use std::time::Duration;

/// One prompt on its way to its reply.
#[pyclass(frozen, module = "libopencode._native")]
pub(crate) struct Run {
    run: opencode_core::Run,
    client: opencode_core::Client,
}

impl Run {
    pub(crate) fn new(run: opencode_core::Run, client: &opencode_core::Client) -> Self {
        Run { run, client: client.clone() }
    }
}

#[pymethods]
impl Run {
    /// State and updates; never blocks.
    fn poll<'py>(&self, py: Python<'py>) -> PyResult<(&'static str, Bound<'py, PyList>)> {
        let (state, updates) = self.run.poll();
        let list = PyList::empty(py);
        for update in &updates {
            list.append(convert(py, update)?)?;
        }
        Ok((state.as_str(), list))
    }

    /// The oldest update when one comes in time; None otherwise.
    fn next_update<'py>(
        &self,
        py: Python<'py>,
        seconds: Option<f64>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let limit = timeout(py, seconds)?;
        let ready = |slice| self.run.wait_ready(Some(slice));
        let update = take(py, limit, ready, || {
            let update = self.run.next_update(Some(Duration::ZERO));
            // After the last one there is nothing to wait for. The end of the run alone would not do: it may have come
            // after the look, with updates.
            (update.is_some() || self.run.is_drained()).then_some(update)
        })?;
        update.flatten().map(|update| convert(py, &update)).transpose()
    }

    /// Whether a stream of the text loses nothing that somebody has to answer.
    fn check_text_stream(&self, py: Python<'_>) -> PyResult<()> {
        self.run.check_text_stream().map_err(|e| exception(py, &e))
    }

    /// What a text update adds to the text; None when that is nothing.
    fn text_piece(&self, delta: String, replaces: bool) -> Option<String> {
        let (message_id, part_id) = (String::new(), String::new());
        self.run.text_piece(&TextUpdate { delta, replaces, message_id, part_id })
    }

    /// Whether `poll` has an update; the descriptor is quiet afterwards until there is more.
    fn is_ready(&self) -> bool {
        self.run.is_ready()
    }

    /// What `Client.take_new` calls it.
    fn mark(&self) -> u64 {
        self.run.mark()
    }

    /// Whether the run is over and its last update was taken.
    fn is_drained(&self) -> bool {
        self.run.is_drained()
    }

    /// Whether the run was over in time.
    fn wait(&self, py: Python<'_>, seconds: Option<f64>) -> PyResult<bool> {
        let limit = timeout(py, seconds)?;
        let over = wait(py, limit, |slice| self.run.is_over_within(Some(slice)).then_some(()))?;
        Ok(over.is_some())
    }

    /// Blocks until the run is over or calls of tools wait, at most so long.
    fn wait_for_calls(&self, py: Python<'_>, seconds: Option<f64>) -> PyResult<()> {
        let limit = timeout(py, seconds)?;
        let met = wait(py, limit, |slice| {
            self.run.wait_for_calls(Some(slice));
            (self.run.state().is_over() || self.client.has_tool_calls()).then_some(())
        });
        met.map(|_| ())
    }

    /// The reply, as far as it came; None while the run is not over.
    fn reply<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.run.reply().map(|reply| native(py, &reply.to_json())).transpose()
    }

    /// The exception of a run that failed; None otherwise.
    fn error<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.run.error().map(|error| exception(py, &error).into_value(py).into_bound(py).into_any())
    }

    fn cancel(&self, py: Python<'_>, seconds: f64) -> PyResult<&'static str> {
        let limit = timeout(py, Some(seconds))?.unwrap_or_default();
        self.run.cancel(Duration::ZERO);
        wait(py, Some(limit), |slice| self.run.is_over_within(Some(slice)).then_some(()))?;
        Ok(self.run.state().as_str())
    }

    fn reply_permission(
        &self,
        py: Python<'_>,
        id: &str,
        reply: &str,
        message: Option<&str>,
    ) -> PyResult<()> {
        let reply = PermissionReply::parse(reply).map_err(|e| exception(py, &e))?;
        self.run.reply_permission(id, reply, message);
        Ok(())
    }

    fn reply_question(&self, id: &str, answers: Option<Vec<Vec<String>>>) {
        match answers {
            Some(answers) => self.run.reply_question(id, &answers),
            None => self.run.reject_question(id),
        }
    }

    /// Session and message once the prompt is sent; None when it is not in time.
    fn detach(&self, py: Python<'_>, seconds: Option<f64>) -> PyResult<Option<(String, String)>> {
        let limit = timeout(py, seconds)?;
        let found = wait(py, limit, |slice| match self.run.detach(slice) {
            Err(error) if error.kind() == ErrorKind::Timeout => {
                // What ended it after that look is told by another one.
                self.run.state().is_over().then(|| self.run.detach(Duration::ZERO))
            }
            result => Some(result),
        })?;
        let found = found.transpose().map_err(|e| exception(py, &e))?;
        Ok(found.map(|detached| (detached.session_id, detached.message_id)))
    }

    /// The same in the background.
    fn start_detach(&self) -> Call {
        Call::new(self.run.start_detach())
    }

    #[getter]
    fn state(&self) -> &'static str {
        self.run.state().as_str()
    }

    #[getter]
    fn text(&self) -> String {
        self.run.text()
    }

    #[getter]
    fn session_id(&self) -> Option<String> {
        self.run.session_id()
    }

    #[getter]
    fn message_id(&self) -> Option<String> {
        self.run.message_id()
    }

    fn why(&self) -> String {
        self.run.why()
    }
}

/// An update as a dict; a failed one carries the exception itself.
fn convert<'py>(py: Python<'py>, update: &Update) -> PyResult<Bound<'py, PyAny>> {
    let dict = native(py, &update.to_json())?;
    if let Update::Failed(error) = update {
        dict.set_item("error", exception(py, error).into_value(py))?;
    }
    Ok(dict)
}
