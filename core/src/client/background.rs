//! What takes longer than one operation, in the background: for hosts that must not block.

use super::Client;
use super::task::Task;
use crate::base::cancel::CancelToken;
use crate::base::error::{Error, Result};
use crate::call::Call;
use crate::call::options::CallOptions;
use crate::history::usage::UsageOptions;
use crate::http::answer::Answer;
use crate::protocol::operation::Pace;
use crate::pty::{Pty, PtyOpening, PtyOptions};
use serde_json::Value;
use std::sync::Arc;

const CLOSE: &str = "close";

impl Client {
    /// Does what [`usage`](Self::usage) does, in the background. The answer is [`Usage`](crate::Usage) as JSON.
    ///
    /// # Errors
    /// `closed`, `exhausted` when the system gives no thread.
    pub fn start_usage(&self, session: &str, options: UsageOptions) -> Result<Call> {
        let (client, session) = (self.unowned(), session.to_owned());
        self.start_work("usage", Pace::Quick, move |token| {
            let usage = crate::history::usage::usage(
                &client,
                &session,
                &options,
                &CallOptions::within(token),
            )?;
            Ok(Answer::made("usage", usage.to_json()))
        })
    }

    /// Does what [`doctor`](Self::doctor) does, in the background. The answer is
    /// [`Diagnosis`](crate::Diagnosis) as JSON.
    ///
    /// # Errors
    /// As [`start_usage`](Self::start_usage).
    pub fn start_doctor(&self) -> Result<Call> {
        self.start_and(Task::Doctor.name(), "", CallOptions::default(), Ok)
    }

    /// Does what [`server`](Self::server) does, in the background. The answer is [`ServerInfo`](crate::ServerInfo) as
    /// JSON.
    ///
    /// # Errors
    /// As [`start_usage`](Self::start_usage).
    pub fn start_server(&self) -> Result<Call> {
        self.start_and(Task::Server.name(), "", CallOptions::default(), Ok)
    }

    /// Does what [`tui_prompt`](Self::tui_prompt) does, in the background. The answer is empty.
    ///
    /// # Errors
    /// As [`start_usage`](Self::start_usage).
    pub fn start_tui_prompt(&self, text: &str) -> Result<Call> {
        let (caller, text) = (self.unowned(), text.to_owned());
        self.start_work("tui_prompt", Pace::Quick, move |token| {
            crate::call::tui::prompt(&caller, &text, &CallOptions::within(token))?;
            Ok(Answer::made("tui_prompt", String::new()))
        })
    }

    /// Does what [`pty`](Self::pty) does, in the background.
    ///
    /// # Errors
    /// As [`start_usage`](Self::start_usage).
    pub fn start_pty(&self, options: PtyOptions) -> Result<PtyOpening> {
        let (terminals, caller) = (self.terminals(), self.0.caller.kept());
        let signal = Arc::clone(self.signal());
        let line = Arc::clone(&caller);
        PtyOpening::start(
            |work| self.start_work("pty", Pace::Quick, work),
            move |call| terminals.create(&caller, &signal, options, call),
            move || line.is_closed(),
        )
    }

    /// Does what [`Pty::kill`] does, in the background. The answer is empty.
    ///
    /// # Errors
    /// As [`start_usage`](Self::start_usage).
    pub fn start_pty_kill(&self, pty: &Pty) -> Result<Call> {
        let kill = pty.killer();
        self.start_work("pty.kill", Pace::Quick, move |token| {
            kill(&CallOptions::within(token))?;
            Ok(Answer::made("pty.kill", String::new()))
        })
    }

    /// Does what [`close`](Self::close) does, in the background; the call is over when all threads have ended. The
    /// answer is empty, or says as a JSON text what was lost. Dropping or cancelling the call ends nothing of it.
    pub fn start_close(&self) -> Call {
        self.start_close_and(|lost| {
            let lost = lost.map(|error| Value::from(error.message()).to_string());
            Ok(Answer::made(CLOSE, lost.unwrap_or_default()))
        })
    }

    /// Like [`start_close`](Self::start_close), and its thread makes something of the error that
    /// [`close`](Self::close) gives.
    pub fn start_close_and<T: Clone + Send + 'static>(
        &self,
        make: impl FnOnce(Option<Error>) -> Result<T> + Send + 'static,
    ) -> Call<T> {
        let client = self.clone();
        let work = move |_: &CancelToken| make(client.close());
        Call::alone_or_here("opencode-close", self.signal(), CLOSE, work)
    }

    /// What requests need, without keeping the client: its threads would keep each other.
    fn unowned(&self) -> Arc<crate::call::caller::Caller> {
        Arc::clone(&self.0.caller)
    }
}
