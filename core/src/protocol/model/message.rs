//! Messages: a prompt, or one step of its answer.

use super::{ModelRef, Part, Tokens, maybe_whole, or_default, whole};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A message with its parts.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct Message {
    /// What is known of it as a whole.
    pub info: MessageInfo,
    /// Its parts in their order.
    #[serde(default)]
    pub parts: Vec<Part>,
    /// Whether a revert of the session took it back: the next prompt deletes it. [`Client::messages`] says so;
    /// operations do not.
    ///
    /// [`Client::messages`]: crate::Client::messages
    #[serde(default, deserialize_with = "or_default")]
    pub reverted: bool,
}

impl Message {
    /// The id of the message; empty for one of a kind that has none.
    pub fn id(&self) -> &str {
        match &self.info {
            MessageInfo::User(user) => &user.id,
            MessageInfo::Assistant(assistant) => &assistant.id,
            MessageInfo::Other(other) => other["id"].as_str().unwrap_or_default(),
        }
    }

    /// The text of all its text parts, as a person sees it.
    pub fn text(&self) -> String {
        let text = |part: &Part| match part {
            Part::Text(text) if !text.synthetic && !text.ignored => Some(text.text.clone()),
            _ => None,
        };
        self.parts.iter().filter_map(text).collect()
    }
}

/// Who wrote a message, and what is known of it as a whole.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum MessageInfo {
    /// A prompt.
    User(UserMessage),
    /// One step of an answer.
    Assistant(Box<AssistantMessage>),
    /// Of a kind that this version does not know.
    Other(Value),
}

impl<'de> Deserialize<'de> for MessageInfo {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let read = match value["role"].as_str() {
            Some("user") => UserMessage::deserialize(&value).map(MessageInfo::User).ok(),
            Some("assistant") => {
                AssistantMessage::deserialize(&value).map(Box::new).map(MessageInfo::Assistant).ok()
            }
            _ => None,
        };
        Ok(read.unwrap_or(MessageInfo::Other(value)))
    }
}

/// A prompt.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct UserMessage {
    /// Such as `msg_1`.
    pub id: String,
    /// The session.
    #[serde(rename = "sessionID")]
    pub session_id: String,
    /// Who shall answer.
    pub agent: String,
    /// Which model shall answer.
    pub model: ModelRef,
    /// What was said to the model beside the prompt.
    pub system: Option<String>,
    /// When it was made.
    pub time: MessageTime,
}

/// One step of an answer.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct AssistantMessage {
    /// Such as `msg_2`.
    pub id: String,
    /// The session.
    #[serde(rename = "sessionID")]
    pub session_id: String,
    /// The prompt that it answers.
    #[serde(rename = "parentID")]
    pub parent_id: String,
    /// Who answered.
    pub agent: String,
    /// The provider of the model.
    #[serde(rename = "providerID")]
    pub provider_id: String,
    /// The model that answered.
    #[serde(rename = "modelID")]
    pub model_id: String,
    /// What it cost, in dollars.
    #[serde(deserialize_with = "or_default")]
    pub cost: f64,
    /// What it used.
    #[serde(deserialize_with = "or_default")]
    pub tokens: Tokens,
    /// Why the model stopped: `stop`, `tool-calls`, `length` and others.
    pub finish: Option<String>,
    /// Why it failed.
    pub error: Option<MessageError>,
    /// The answer in the format that was asked for.
    pub structured: Option<Value>,
    /// When it was made, and when it was complete.
    pub time: MessageTime,
}

/// Why a step of an answer failed.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct MessageError {
    /// The server's name of the error, such as `MessageAbortedError`.
    pub name: String,
    /// What the server tells of it.
    pub data: Value,
}

impl MessageError {
    /// The server's words; empty when it has none.
    pub fn message(&self) -> &str {
        self.data["message"].as_str().unwrap_or_default()
    }
}

/// When things happened to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct MessageTime {
    /// When it was made.
    #[serde(deserialize_with = "whole")]
    pub created: u64,
    /// When it was complete; absent while it grows, and for ever when the server was killed.
    #[serde(deserialize_with = "maybe_whole")]
    pub completed: Option<u64>,
}
