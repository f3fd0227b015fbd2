//! What comes before the first prompt.

use super::Client;
use crate::base::cancel::CancelToken;
use crate::base::error::Result;
use crate::call::options::CallOptions;
use crate::inspect::ready::{self, Ready, ReadyOptions};

impl Client {
    /// Blocks until a directory has its agents, and the models and MCP servers that `options` name, and says what there is.
    /// In its first seconds a server has empty lists, and a prompt that names something of them would fail.
    /// [`start`](Self::start) does it in the background, as `wait_until_ready`.
    ///
    /// # Errors
    /// `start` at once, with the code `mcp`, when an MCP server has failed, is disabled or needs somebody to log in; `timeout`,
    /// with what is missing; those of a request.
    pub fn wait_until_ready(&self, options: &ReadyOptions) -> Result<Ready> {
        let token = CancelToken::default();
        let _begun = self.0.caller.begin("wait_until_ready", &token)?;
        ready::wait(&self.0.caller, options, &CallOptions::within(&token), &token)
    }
}
