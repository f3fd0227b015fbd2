//! What updates of a run say.

use opencode_core::Update;
use std::ffi::CStr;

/// What an update says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum OpencodeUpdateType {
    /// No update: what NULL and all other replies are.
    None = 0,
    /// The model said something: opencode_update_text().
    Text = 1,
    /// The model thought something: opencode_update_text().
    Reasoning = 2,
    /// A tool part changed; "/part" is its newest form.
    Tool = 3,
    /// A message began or ended; "/info" is its newest form.
    Message = 4,
    /// A permission is asked for, and only the host can answer: opencode_update_id(), opencode_run_reply_permission().
    Permission = 5,
    /// A question is asked, and only the host can answer: opencode_update_id(), opencode_run_reply_question().
    Question = 6,
    /// The provider failed, and the server tries again.
    Retry = 7,
    /// Why the run is not moving.
    Status = 8,
    /// The agent's list of things to do changed; "/todos" is it.
    Todo = 9,
    /// The files changed that the session changes; "/diff" tells how.
    Diff = 10,
    /// The last update of a run that has its reply, which is "/reply".
    Done = 11,
    /// The last update of a run that failed; "/error" is why.
    Failed = 12,
    /// A tool of this program is called: opencode_update_id(), "/name", "/arguments", and "/sessionID" where it is known.
    /// The agent waits for opencode_tool_reply(). It may be a call of another run of the client.
    ToolCall = 13,
    /// What a newer library says and this header does not know: "/type".
    Other = 99,
}

impl OpencodeUpdateType {
    pub(crate) fn of(update: &Update) -> Self {
        match update {
            Update::Text(_) => Self::Text,
            Update::Reasoning(_) => Self::Reasoning,
            Update::Tool(_) => Self::Tool,
            Update::Message(_) => Self::Message,
            Update::Permission { .. } => Self::Permission,
            Update::Question { .. } => Self::Question,
            Update::Retry { .. } => Self::Retry,
            Update::Status { .. } => Self::Status,
            Update::Todo(_) => Self::Todo,
            Update::Diff(_) => Self::Diff,
            Update::Done(_) => Self::Done,
            Update::Failed(_) => Self::Failed,
            Update::ToolCall(_) => Self::ToolCall,
            // A kind that this header does not know yet.
            _ => Self::Other,
        }
    }

    /// Where in an update its text lies.
    pub(crate) fn text(self) -> &'static CStr {
        match self {
            Self::Text | Self::Reasoning => c"/delta",
            Self::Retry => c"/reason",
            Self::Status => c"/why",
            Self::Done => c"/reply/text",
            Self::Failed => c"/error/message",
            _ => c"/text",
        }
    }
}
