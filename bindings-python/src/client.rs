//! Clients and blocking calls.

use crate::call::Call;
use crate::convert::{answer, call_options, native, to_json};
use crate::encode::encode;
use crate::error::{exception, misuse};
use crate::events::EventStream;
use crate::pages::Pages;
use crate::pty::{Pty, PtyOpening};
use crate::run::Run;
use crate::tools::TuiControl;
use crate::wait::interruptible;
use opencode_core::{
    CallOptions, ClientOptions, CompactOptions, EventOptions, ExportOptions, MessageOptions,
    Prompt, SessionOptions, Tool, ToolAnswer,
};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// A handle to one server.
#[pyclass(frozen, module = "libopencode._native")]
pub(crate) struct Client {
    client: opencode_core::Client,
}

impl Client {
    fn of(client: opencode_core::Client) -> Self {
        Client { client }
    }

    fn started(
        &self,
        py: Python<'_>,
        call: opencode_core::Result<opencode_core::Call>,
    ) -> PyResult<Call> {
        call.map(Call::new).map_err(|e| exception(py, &e))
    }
}

#[pymethods]
impl Client {
    #[new]
    fn new(py: Python<'_>, options: &Bound<'_, PyDict>) -> PyResult<Self> {
        let json = to_json(py, "Client", options)?;
        let client = ClientOptions::from_json(&json).and_then(opencode_core::Client::new);
        client.map(Client::of).map_err(|e| exception(py, &e))
    }

    /// A client with other settings that shares everything.
    fn with_options(&self, py: Python<'_>, options: &Bound<'_, PyDict>) -> PyResult<Self> {
        let json = to_json(py, "with_options", options)?;
        self.client.with_json(&json).map(Client::of).map_err(|e| exception(py, &e))
    }

    #[getter]
    fn base_url(&self) -> &str {
        self.client.base_url()
    }

    /// Does an operation; blocks without holding the interpreter.
    #[pyo3(signature = (operation, arguments, options, raw=false))]
    fn call<'py>(
        &self,
        py: Python<'py>,
        operation: &str,
        arguments: &Bound<'py, PyDict>,
        options: Option<&Bound<'py, PyDict>>,
        raw: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let arguments = to_json(py, operation, arguments)?;
        let options = call_options(py, operation, options)?;
        let result = interruptible(py, options, |options| {
            self.client.call_json(operation, &arguments, options)
        })?;
        answer(py, result, raw)
    }

    fn start(
        &self,
        py: Python<'_>,
        operation: &str,
        arguments: &Bound<'_, PyDict>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Call> {
        let arguments = to_json(py, operation, arguments)?;
        let options = call_options(py, operation, options)?;
        let call = self.client.start_json(operation, &arguments, options);
        self.started(py, call)
    }

    /// `content` is the query and the body.
    #[pyo3(signature = (method, path, content, options, raw=false))]
    fn request<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        path: &str,
        content: (Vec<(String, String)>, Option<Bound<'py, PyAny>>),
        options: Option<&Bound<'py, PyDict>>,
        raw: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (query, body) = request(py, content)?;
        let options = call_options(py, "request", options)?;
        let result = interruptible(py, options, |options| {
            self.client.request(method, path, &query, body.as_deref(), options)
        })?;
        answer(py, result, raw)
    }

    fn start_request(
        &self,
        py: Python<'_>,
        method: &str,
        path: &str,
        content: (Vec<(String, String)>, Option<Bound<'_, PyAny>>),
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Call> {
        let (query, body) = request(py, content)?;
        let options = call_options(py, "request", options)?;
        let call = self.client.start_request(method, path, &query, body.as_deref(), options);
        self.started(py, call)
    }

    /// `is_alone`: nobody gets the handle.
    #[pyo3(signature = (prompt, is_alone=false))]
    fn run(&self, py: Python<'_>, prompt: &Bound<'_, PyDict>, is_alone: bool) -> PyResult<Run> {
        let json = to_json(py, "run", prompt)?;
        let run = Prompt::from_json(&json).and_then(|prompt| match is_alone {
            true => self.client.run_alone(prompt),
            false => self.client.run(prompt),
        });
        run.map(|run| Run::new(run, &self.client)).map_err(|e| exception(py, &e))
    }

    fn resume(
        &self,
        py: Python<'_>,
        session: &str,
        message: &str,
        options: &Bound<'_, PyDict>,
    ) -> PyResult<Run> {
        let json = to_json(py, "resume", options)?;
        let run = Prompt::options_from_json(&json)
            .and_then(|prompt| self.client.resume(session, message, prompt));
        run.map(|run| Run::new(run, &self.client)).map_err(|e| exception(py, &e))
    }

    fn compact(&self, py: Python<'_>, session: &str, options: &Bound<'_, PyDict>) -> PyResult<Run> {
        let json = to_json(py, "compact", options)?;
        let run = CompactOptions::from_json(&json)
            .and_then(|options| self.client.compact(session, options));
        run.map(|run| Run::new(run, &self.client)).map_err(|e| exception(py, &e))
    }

    fn pty(&self, py: Python<'_>, options: &Bound<'_, PyDict>) -> PyResult<Pty> {
        Pty::open(py, &self.client, options)
    }

    fn pty_connect(&self, py: Python<'_>, id: &str, options: &Bound<'_, PyDict>) -> PyResult<Pty> {
        Pty::connect(py, &self.client, id, options)
    }

    fn messages(
        &self,
        py: Python<'_>,
        session: &str,
        options: &Bound<'_, PyDict>,
    ) -> PyResult<Pages> {
        let json = to_json(py, "messages", options)?;
        let options = MessageOptions::from_json(&json).map_err(|e| exception(py, &e))?;
        Ok(Pages::new(self.client.messages(session, options)))
    }

    fn export(
        &self,
        py: Python<'_>,
        session: &str,
        options: &Bound<'_, PyDict>,
    ) -> PyResult<Pages> {
        let json = to_json(py, "export", options)?;
        let options = ExportOptions::from_json(&json).map_err(|e| exception(py, &e))?;
        Ok(Pages::new(self.client.export(session, options)))
    }

    fn sessions(&self, py: Python<'_>, options: &Bound<'_, PyDict>) -> PyResult<Pages> {
        let json = to_json(py, "sessions", options)?;
        let options = SessionOptions::from_json(&json).map_err(|e| exception(py, &e))?;
        Ok(Pages::new(self.client.sessions(options)))
    }

    /// Level, message and seconds since 1970 of the oldest message that was not taken.
    fn next_log(&self) -> Option<(&'static str, String, f64)> {
        let record = self.client.next_log()?;
        Some((record.level.as_str(), record.message, record.time as f64 / 1_000.0))
    }

    /// Asks for messages of this level from now on; None for none.
    fn set_log_level(&self, level: Option<&str>) {
        self.client.set_log_level(level.and_then(opencode_core::Level::parse));
    }

    fn events(&self, py: Python<'_>, options: &Bound<'_, PyDict>) -> PyResult<EventStream> {
        let json = to_json(py, "events", options)?;
        let stream = EventOptions::from_json(&json).and_then(|o| self.client.events(o));
        stream.map(EventStream::new).map_err(|e| exception(py, &e))
    }

    /// Offers a function of the program as a tool: its calls come from `tool_next`, and as updates of runs.
    fn tool_add(&self, py: Python<'_>, options: &Bound<'_, PyDict>) -> PyResult<()> {
        let json = to_json(py, "tool", options)?;
        let added = Tool::from_json(&json).and_then(|tool| self.client.tool(tool));
        added.map_err(|e| exception(py, &e))
    }

    /// The oldest call that nobody took. Never blocks.
    fn tool_next<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        if !self.client.has_tool_calls() {
            return Ok(None);
        }
        let call = self.client.next_tool_call(std::time::Duration::ZERO);
        call.map(|call| native(py, &call.to_json())).transpose()
    }

    fn tool_reply(&self, py: Python<'_>, id: &str, answer: &Bound<'_, PyDict>) -> PyResult<()> {
        let json = to_json(py, "tool", answer)?;
        let answer = ToolAnswer::from_json(&json);
        let done = answer.and_then(|answer| self.client.reply_tool(id, answer));
        done.map_err(|e| exception(py, &e))
    }

    fn tool_is_open(&self, id: &str) -> bool {
        self.client.is_tool_open(id)
    }

    /// By which `take_new` tells that calls of tools wait.
    fn tools_mark(&self) -> u64 {
        self.client.tools_mark()
    }

    fn doctor<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        crate::discover::doctor(py, &self.client)
    }

    fn start_doctor(&self, py: Python<'_>) -> PyResult<Call> {
        self.started(py, self.client.start_doctor())
    }

    fn server<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        crate::discover::server(py, &self.client)
    }

    fn start_server(&self, py: Python<'_>) -> PyResult<Call> {
        self.started(py, self.client.start_server())
    }

    fn start_tui_prompt(&self, py: Python<'_>, text: &str) -> PyResult<Call> {
        self.started(py, self.client.start_tui_prompt(text))
    }

    fn start_pty(&self, py: Python<'_>, options: &Bound<'_, PyDict>) -> PyResult<PtyOpening> {
        PtyOpening::start(py, &self.client, options)
    }

    fn start_close(&self, py: Python<'_>) -> Call {
        Call::new(py.detach(|| self.client.start_close()))
    }

    fn tui_prompt(&self, py: Python<'_>, text: &str) -> PyResult<()> {
        interruptible(py, CallOptions::default(), |call| self.client.tui_prompt(text, call))
    }

    fn tui_control(&self) -> TuiControl {
        TuiControl::new(&self.client)
    }

    fn fd(&self, py: Python<'_>) -> PyResult<i64> {
        self.client.fd().map_err(|e| exception(py, &e))
    }

    /// Who has had something new since the last time, by `mark`.
    fn take_new(&self) -> Vec<u64> {
        self.client.take_new()
    }

    /// What was lost, when a prompt could not be sent in time.
    fn close(&self, py: Python<'_>) -> Option<String> {
        py.detach(|| self.client.close()).map(|lost| lost.message().to_owned())
    }
}

/// Waits for what was dropped and is not over yet, and for the prompts of clients that nobody closed; how many of those
/// are not sent when the time is up.
#[pyfunction]
pub(crate) fn wait_at_exit(py: Python<'_>, seconds: f64) -> usize {
    let limit = crate::convert::seconds(seconds).unwrap_or_default();
    py.detach(|| {
        opencode_core::settle();
        opencode_core::wait_until_sent(limit)
    })
}

/// What dropped clients lost, one line each, since the last time. Never waits.
#[pyfunction]
pub(crate) fn take_losses() -> Vec<String> {
    opencode_core::take_losses().iter().map(|loss| loss.message().to_owned()).collect()
}

/// Query pairs and the body as JSON.
type Content = (Vec<(String, String)>, Option<String>);

fn request(
    py: Python<'_>,
    (query, body): (Vec<(String, String)>, Option<Bound<'_, PyAny>>),
) -> PyResult<Content> {
    let body = body.map(|body| encode(&body)).transpose();
    Ok((query, body.map_err(|why| misuse(py, format!("request: {why}")))?))
}
