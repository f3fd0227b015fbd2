//! Tools of the host.

use super::Client;
use crate::base::error::Result;
use crate::tools::{HostToolCall, Tool, ToolAnswer, Tools};
use std::sync::Arc;
use std::time::Duration;

impl Client {
    /// Offers a function of this program to the agent, or replaces the one of this name. Nothing is sent: the server is
    /// told before the next prompt, in the directory of its session. It must be on this machine. Calls that are open stay so.
    ///
    /// Calls of a tool with a handler are answered by it, on a thread that polls or waits: in [`Run::poll`],
    /// [`Run::wait`] and their like, and in [`poll_tools`](Self::poll_tools). Without one they come as
    /// [`Update::ToolCall`], or from [`next_tool_call`](Self::next_tool_call), and wait for
    /// [`reply_tool`](Self::reply_tool).
    ///
    /// [`Run::poll`]: crate::Run::poll
    /// [`Run::wait`]: crate::Run::wait
    /// [`Update::ToolCall`]: crate::Update::ToolCall
    ///
    /// # Errors
    /// `invalid_argument` for a name, a schema or a time that cannot be used; `closed`.
    pub fn tool(&self, tool: Tool) -> Result<()> {
        self.tools().add(tool)
    }

    /// Lets handlers answer the calls that wait, on this thread; says how many. Never blocks, but for what they do
    /// themselves. For loops that poll no run.
    pub fn poll_tools(&self) -> usize {
        if self.tools().has_calls() { self.tools().serve() } else { 0 }
    }

    /// The oldest call that nobody took and no handler answers. Blocks until there is one, at most for `timeout`; zero
    /// only looks. Handlers of others run here. `None` at once when the client is closed.
    pub fn next_tool_call(&self, timeout: Duration) -> Option<Arc<HostToolCall>> {
        let tools = self.tools();
        let until = crate::base::limits::after(timeout);
        loop {
            if let Some(call) = tools.take_call() {
                return Some(call);
            }
            let left = until.saturating_duration_since(std::time::Instant::now());
            // Calls with a handler are for whoever polls: they would wake this one again and again.
            if left.is_zero() || tools.is_closed() || tools.serve() == 0 && !tools.wait(Some(left))
            {
                return None;
            }
        }
    }

    /// Whether calls may still come: for bindings, whose loops have to end with the client.
    ///
    /// # Errors
    /// `closed`.
    #[doc(hidden)]
    pub fn check_tools(&self) -> Result<()> {
        if self.tools().is_closed() {
            Err(crate::call::caller::closed("tool_next"))
        } else {
            Ok(())
        }
    }

    /// Whether a call of a tool waits for a poll. One load.
    pub fn has_tool_calls(&self) -> bool {
        self.tools().has_calls()
    }

    /// Answers a call, from any thread. Never blocks.
    ///
    /// # Errors
    /// `not_found` when nobody waits for the answer: it was given, the time of the tool is up, or the run was cancelled.
    pub fn reply_tool(&self, id: &str, answer: impl Into<ToolAnswer>) -> Result<()> {
        self.tools().reply(id, answer.into())
    }

    /// Whether the agent still waits for the answer to a call.
    pub fn is_tool_open(&self, id: &str) -> bool {
        self.tools().is_open(id)
    }

    /// Makes polls of runs more than a look, as long as a binding goes on with handlers that have not answered yet.
    #[doc(hidden)]
    pub fn keep_tools(&self, kept: bool) {
        self.tools().keep(kept);
    }

    /// The number by which [`take_new`](Self::take_new) tells that calls of tools wait.
    pub fn tools_mark(&self) -> u64 {
        self.tools().mark()
    }

    fn tools(&self) -> &Arc<Tools> {
        &self.0.origin.here().tools
    }
}
