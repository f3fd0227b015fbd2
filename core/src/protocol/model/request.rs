//! What the agent asks its user: permissions and questions.

use super::or_default;
use serde::Deserialize;
use serde_json::Value;

/// The agent wants to do something that needs to be allowed.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Permission {
    /// Such as `per_1`.
    pub id: String,
    /// The session that asks.
    #[serde(rename = "sessionID")]
    pub session_id: String,
    /// The kind of thing, such as `bash` or `edit`.
    pub permission: String,
    /// What exactly, such as the command.
    pub patterns: Vec<String>,
    /// What `always` would allow.
    pub always: Vec<String>,
    /// What else is known, such as the diff of an edit.
    pub metadata: Value,
    /// The call that waits.
    pub tool: Option<ToolCall>,
}

/// The agent wants to know something.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Question {
    /// Such as `que_1`.
    pub id: String,
    /// The session that asks.
    #[serde(rename = "sessionID")]
    pub session_id: String,
    /// What it asks; each wants an answer of its own.
    pub questions: Vec<QuestionInfo>,
    /// The call that waits.
    pub tool: Option<ToolCall>,
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct QuestionInfo {
    /// The question in full.
    pub question: String,
    /// The same in a word or two.
    pub header: String,
    /// The answers to choose from; own words are an answer too.
    pub options: Vec<QuestionOption>,
    /// Whether several may be chosen.
    #[serde(deserialize_with = "or_default")]
    pub multiple: bool,
}

/// One answer to choose.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct QuestionOption {
    /// What to answer with.
    pub label: String,
    /// What it means.
    pub description: String,
}

/// The call of a tool that asks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ToolCall {
    /// The message of the call.
    #[serde(rename = "messageID")]
    pub message_id: String,
    /// The model's id of the call.
    #[serde(rename = "callID")]
    pub call_id: String,
}
