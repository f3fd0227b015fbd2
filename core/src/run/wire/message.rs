//! The few facts of messages, parts and inquiries that a run must understand. Everything else stays as it came.

use crate::base::json::Json;
use crate::protocol::tokens::Tokens;
use serde_json::value::RawValue;
use std::sync::Arc;

/// A message with its parts.
#[derive(Debug, Clone)]
pub(crate) struct StoredMessage {
    pub info: Info,
    pub parts: Vec<StoredPart>,
    /// The whole message as it came, but for parts that no host could take.
    pub raw: Box<RawValue>,
}

impl StoredMessage {
    /// Whether the server put this user message in by itself: after a compaction, to go on.
    pub(crate) fn is_inserted(&self) -> bool {
        !self.parts.is_empty() && self.parts.iter().all(|part| part.is_inserted)
    }
}

/// What is known of a message without its parts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Info {
    pub id: String,
    pub role: String,
    /// The prompt that it answers.
    pub parent_id: Option<String>,
    pub time: Time,
    pub finish: Option<String>,
    pub error: Option<Failure>,
    pub structured: Option<Json>,
    pub cost: f64,
    pub tokens: Tokens,
    pub provider_id: Option<String>,
    pub model_id: Option<String>,
    pub agent: Option<String>,
    /// The model was cut off in it, and the next answer goes on where it stopped.
    pub is_continued: bool,
    /// It is the summary of a session, or the request for one, or both.
    pub is_summary: bool,
    /// What it waits for, where an answer says that itself: the provider failed, and is asked again.
    pub retry: Option<Status>,
}

impl Info {
    pub(crate) fn is_assistant(&self) -> bool {
        self.role == "assistant"
    }

    /// Whether it is no message but the mark that the session came to rest; its error says how, when not well.
    pub(crate) fn is_mark(&self) -> bool {
        self.role == "idle"
    }

    pub(crate) fn is_completed(&self) -> bool {
        self.time.completed.is_some()
    }

    /// Whether it is a summary and the request for it as well.
    pub(crate) fn is_summary_of_itself(&self) -> bool {
        self.is_summary && self.parent_id.as_ref() == Some(&self.id)
    }

    /// Whether it ended because the model wants tools: the next step follows.
    pub(crate) fn calls_tools(&self) -> bool {
        self.finish.as_deref() == Some("tool-calls")
    }

    /// The message is complete and the next one may be about to begin.
    pub(crate) fn is_between_steps(&self) -> bool {
        self.calls_tools() && self.error.is_none() && self.structured.is_none()
    }
}

/// Milliseconds since 1970 by the server's clock.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Time {
    pub created: f64,
    pub completed: Option<f64>,
}

/// What went wrong, in the server's words.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Failure {
    /// The server's name for it.
    pub code: String,
    pub words: String,
    /// Somebody ended the turn.
    pub is_abort: bool,
    /// The server says that the same may succeed later.
    pub is_retryable: bool,
    /// All that the server wrote.
    pub body: Json,
}

/// One part of a message.
#[derive(Debug, Clone)]
pub(crate) struct StoredPart {
    pub id: String,
    pub message_id: String,
    pub content: PartContent,
    /// The server put it in by itself.
    pub is_inserted: bool,
    pub raw: Box<RawValue>,
}

/// What a part is. A text that cannot be read is absent.
#[derive(Debug, Clone)]
pub(crate) enum PartContent {
    Text {
        text: Option<String>,
        is_ended: bool,
    },
    Reasoning {
        text: Option<String>,
        is_ended: bool,
    },
    Tool(Box<ToolUse>),
    /// Files were changed.
    Patch,
    Other,
}

/// The use of a tool.
#[derive(Debug, Clone, Default)]
pub(crate) struct ToolUse {
    pub name: String,
    /// Whether it is still at work.
    pub is_busy: bool,
    /// The id of this use.
    pub call: Option<String>,
    /// Whether it may change files.
    pub writes: bool,
    /// Whether it runs a command.
    pub is_shell: bool,
    /// The server's id of that command, where it has one.
    pub command: Option<String>,
    pub failure: Option<ToolFailure>,
    /// The session of the subagent that it started.
    pub child: Option<String>,
    /// The list that the agent wrote with it.
    pub todos: Option<Arc<RawValue>>,
}

/// Why a tool failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ToolFailure {
    /// Somebody refused it, which ends the agent's turn.
    Refused,
    /// Somebody refused it with a word to the agent, which goes on.
    RefusedWithWords,
    /// It was aborted.
    Aborted,
    Other,
}

impl StoredPart {
    pub(crate) fn tool(&self) -> Option<&ToolUse> {
        match &self.content {
            PartContent::Tool(tool) => Some(tool),
            _ => None,
        }
    }
}

/// A permission or a question that waits for an answer.
#[derive(Debug, Clone)]
pub(crate) struct Inquiry {
    pub id: String,
    pub session_id: String,
    pub is_question: bool,
    /// What is asked for, such as `bash`; empty for a question.
    pub permission: String,
    pub patterns: Vec<String>,
    /// The labels of each question's options; empty for a permission.
    pub options: Vec<Vec<String>>,
    /// The message whose tool asked, and the use of that tool.
    pub message_id: Option<String>,
    pub call: Option<String>,
    pub raw: Box<RawValue>,
}

/// What a session does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Status {
    Idle,
    Busy,
    Retry {
        attempt: u32,
        message: String,
        /// When the next try is due, in milliseconds since 1970.
        next: f64,
    },
    /// A word of a newer server: not idle.
    Other,
    /// Nothing that says anything: the messages have to tell.
    Unreadable,
}
