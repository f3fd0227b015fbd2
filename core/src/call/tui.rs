//! The terminal interface that somebody has attached to the server: prompts for it, and its requests.

use crate::base::cancel::CancelToken;
use crate::base::error::{Error, Result};
use crate::base::per_process::PerProcess;
use crate::call::Call;
use crate::call::caller::Caller;
use crate::call::calls::Calls;
use crate::call::options::CallOptions;
use serde_json::json;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Types a prompt into the attached terminals and submits it, in place of what stood there.
pub(crate) fn prompt(caller: &Caller, text: &str, options: &CallOptions) -> Result<()> {
    if text.trim().is_empty() {
        return Err(Error::invalid("tui_prompt: the prompt is empty"));
    }
    let token = CancelToken::with_interrupt(options.interrupt.clone());
    let arguments = json!({ "text": text }).to_string();
    for (operation, arguments) in [
        ("tui.clear_prompt", ""),
        ("tui.append_prompt", arguments.as_str()),
        ("tui.submit_prompt", ""),
    ] {
        caller.call(operation, arguments, options, &token)?;
    }
    Ok(())
}

/// The requests of a terminal interface that is controlled by programs.
///
/// The server hands each request to one taker, and also to one that went away: so a single question stays open
/// between calls of [`next`](Self::next), whatever their timeouts. Dropping it ends the question.
pub struct TuiControl {
    calls: Arc<dyn Calls>,
    question: PerProcess<Mutex<Option<Arc<Call>>>>,
}

impl TuiControl {
    pub(crate) fn new(calls: Arc<dyn Calls>) -> Self {
        TuiControl { calls, question: PerProcess::new(Mutex::default()) }
    }

    /// Waits for the next request, at most for `timeout`: `{"path": ..., "body": ...}` as JSON, or `None` when
    /// none came. A timeout of zero never blocks on the network. One caller at a time.
    ///
    /// # Errors
    /// Those of a request, and `cancelled` when it was [closed](Self::close) meanwhile.
    pub fn next(&self, timeout: Option<Duration>) -> Result<Option<String>> {
        let question = {
            let mut slot = self.question();
            let question = match slot.take() {
                Some(question) => question,
                None => {
                    let options = CallOptions::default();
                    Arc::new(self.calls.start("tui.control.next", "", options, Ok)?)
                }
            };
            Arc::clone(slot.insert(question))
        };
        // Without the lock: it may be closed meanwhile.
        let Some(result) = question.wait(timeout) else { return Ok(None) };
        self.question().take_if(|open| Arc::ptr_eq(open, &question));
        result?.text().map(|text| Some(text.to_owned()))
    }

    /// Whether [`next`](Self::next) has nothing to give now: the server was asked. Never blocks.
    pub fn is_idle(&self) -> bool {
        self.question().as_ref().is_some_and(|question| !question.is_done())
    }

    /// Whether a request came for [`next`](Self::next), or a failure. The client's descriptor is quiet about it
    /// afterwards: for event loops that note who is ready and take later. Never blocks.
    pub fn is_ready(&self) -> bool {
        self.question().as_ref().is_some_and(|question| question.is_ready())
    }

    /// Answers the request that [`next`](Self::next) gave, with any JSON. Blocks for one request.
    ///
    /// # Errors
    /// `invalid_argument` for what is no JSON, and those of a request.
    pub fn respond(&self, json: &str) -> Result<()> {
        let body: serde_json::Value = serde_json::from_str(json)
            .map_err(|e| Error::invalid(format!("tui_control: the response is no JSON: {e}")))?;
        let arguments = json!({ "body": body }).to_string();
        self.calls.call("tui.control.response", &arguments, &CallOptions::default()).map(drop)
    }

    /// Ends the open question; whoever waits for its answer gets `cancelled`. The next call of
    /// [`next`](Self::next) asks again.
    pub fn close(&self) {
        let question = self.question().take();
        if let Some(question) = question {
            question.cancel();
        }
    }

    fn question(&self) -> MutexGuard<'_, Option<Arc<Call>>> {
        self.question.get(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for TuiControl {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for TuiControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TuiControl").finish_non_exhaustive()
    }
}
