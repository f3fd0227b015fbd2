//! [`Tool`] and [`HostToolCall`]: a function of the host, and a call of it.

use super::answer::ToolAnswer;
use crate::base::error::{Error, Result};
use crate::base::fields::Fields;
use crate::base::json::Json;
use crate::base::option_names;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::json;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// How long a call waits for its answer when nothing else is said.
const TIMEOUT: Duration = Duration::from_secs(60);
/// What the OpenCode server is told to wait for; no tool may take longer.
pub(super) const LONGEST: Duration = Duration::from_secs(86_400);
/// Models take names of 64 letters; servers take longer ones, and the provider would refuse the prompt. Of these so many are
/// the tool's own, behind a prefix and a `_`.
const MAX_NAME: usize = 48;
const MAX_PREFIX: usize = 15;

/// Answers a call on the thread that polls or waits. An error becomes the tool's error, which the model reads.
pub type ToolHandler =
    Arc<dyn Fn(&HostToolCall) -> std::result::Result<ToolAnswer, String> + Send + Sync>;

/// A function of this program that the agent can call.
#[derive(Clone)]
#[non_exhaustive]
pub struct Tool {
    /// 1 to 48 letters, digits, `_` and `-`. The agent knows it as `host_` and this name, or with another
    /// [`tools_prefix`](crate::ClientOptions::tools_prefix).
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// A JSON schema of its arguments, an object. Arguments that do not fit it never reach the handler.
    pub parameters: Json,
    /// How long a call may wait for its answer; 60 s unless said otherwise, a day at most.
    pub timeout: Duration,
    /// Who answers; without one, calls come as updates.
    pub handler: Option<ToolHandler>,
}

impl Tool {
    /// A tool without arguments and without a handler.
    pub fn new(name: impl Into<String>, description: impl Into<String>) -> Self {
        Tool {
            name: name.into(),
            description: description.into(),
            parameters: Json::from(json!({ "type": "object", "properties": {} })),
            timeout: TIMEOUT,
            handler: None,
        }
    }

    /// The same with a schema of its arguments.
    #[must_use]
    pub fn parameters(mut self, schema: impl Into<Json>) -> Self {
        self.parameters = schema.into();
        self
    }

    /// The same with a time for its answers.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The same with a function that answers. It runs on the thread of the host that polls or waits, never elsewhere.
    #[must_use]
    pub fn handler(
        mut self,
        handler: impl Fn(&HostToolCall) -> std::result::Result<ToolAnswer, String>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.handler = Some(Arc::new(handler));
        self
    }

    /// Reads the JSON object of a binding: the names are those of the fields, and `timeout_ms`.
    ///
    /// # Errors
    /// `invalid_argument` that names the wrong field and its nearest correct spelling.
    pub fn from_json(json: &str) -> Result<Self> {
        let mut fields = Fields::new("tool", json, &option_names::TOOL)?;
        let name = fields.text("name")?.ok_or_else(|| Error::invalid("tool: 'name' is missing"))?;
        let mut tool = Tool::new(name, fields.text("description")?.unwrap_or_default());
        if let Some(schema) = fields.object_json("parameters")? {
            tool.parameters = schema;
        }
        if let Some(timeout) = fields.time("timeout_ms")? {
            tool.timeout = timeout;
        }
        tool.check()?;
        Ok(tool)
    }

    /// Checks what every server would refuse.
    pub(super) fn check(&self) -> Result<()> {
        let Tool { name, timeout, .. } = self;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(is_plain) {
            return Err(Error::invalid(format!(
                "tool '{name}': a name is 1 to {MAX_NAME} letters, digits, '_' and '-'"
            )));
        }
        if self.description.trim().is_empty() {
            return Err(Error::invalid(format!(
                "tool '{name}': the description is missing; say what it does, the model reads it"
            )));
        }
        if self.parameters.text_at("/type").as_deref() != Some("object") {
            return Err(Error::invalid(format!(
                "tool '{name}': parameters must be a JSON schema with \"type\": \"object\""
            )));
        }
        if timeout.is_zero() || *timeout > LONGEST {
            return Err(Error::invalid(format!(
                "tool '{name}': {} must be between 1 and {}",
                option_names::TOOL.shown("timeout_ms"),
                LONGEST.as_millis()
            )));
        }
        Ok(())
    }
}

/// Checks what stands before the names of tools: a server would write `_` for what a model does not take, and never say so.
/// Without a `_` in it, no two prefixes make one name of two tools: the server would call either of the programs.
pub(crate) fn check_prefix(prefix: &str) -> Result<()> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if (1..=MAX_PREFIX).contains(&prefix.len()) && prefix.chars().all(is_plain) {
        return Ok(());
    }
    let option = option_names::CLIENT.shown("tools_prefix");
    Err(Error::invalid(format!(
        "client: {option} '{prefix}': a prefix is 1 to {MAX_PREFIX} letters, digits and '-'"
    )))
}

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tool").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A call of a tool: the agent waits for its answer.
pub struct HostToolCall {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: Json,
    pub(super) place: OnceLock<CallPlace>,
    pub(super) is_over: AtomicBool,
    pub(super) handler: Option<ToolHandler>,
}

/// Where in a session a call stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct CallPlace {
    pub(super) session_id: String,
    pub(super) message_id: String,
    pub(super) call_id: String,
}

impl HostToolCall {
    /// What it is answered by.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The name of the tool.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The arguments, an object that fits the tool's schema.
    pub fn arguments(&self) -> &Json {
        &self.arguments
    }

    /// The session that called, where events told of it.
    pub fn session_id(&self) -> Option<&str> {
        self.place.get().map(|place| place.session_id.as_str())
    }

    /// The message of the model that called, where events told of it.
    pub fn message_id(&self) -> Option<&str> {
        self.place.get().map(|place| place.message_id.as_str())
    }

    /// The `callID` of the tool part, where events told of it.
    pub fn call_id(&self) -> Option<&str> {
        self.place.get().map(|place| place.call_id.as_str())
    }

    /// Whether nobody waits for the answer any more: it was given, its time is up, or its run was cancelled. One load.
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    pub(super) fn handler(&self) -> Option<ToolHandler> {
        self.handler.clone()
    }

    /// As one JSON object, that of its update: `type`, `id`, `name`, `arguments`, and `sessionID`, `messageID`, `callID`
    /// where they are known.
    pub fn to_json(&self) -> String {
        // What is in it was JSON, or is texts: it cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Writes what is in an update of it, but the `type`.
    pub(crate) fn put_fields<M: SerializeMap>(
        &self,
        fields: &mut M,
    ) -> std::result::Result<(), M::Error> {
        fields.serialize_entry("id", &self.id)?;
        fields.serialize_entry("name", &self.name)?;
        fields.serialize_entry("sessionID", &self.session_id())?;
        fields.serialize_entry("messageID", &self.message_id())?;
        fields.serialize_entry("callID", &self.call_id())?;
        fields.serialize_entry("arguments", &**self.arguments.raw())
    }
}

/// The object that its update is.
impl Serialize for HostToolCall {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_map(None)?;
        fields.serialize_entry("type", "tool_call")?;
        self.put_fields(&mut fields)?;
        fields.end()
    }
}

impl fmt::Debug for HostToolCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostToolCall")
            .field("id", &self.id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(json: &str) -> String {
        Tool::from_json(json).unwrap_err().message().to_owned()
    }

    #[test]
    fn mistakes_of_a_tool_are_named() {
        assert!(error("{}").contains("'name' is missing"));
        assert!(error(r#"{"name":"a b","description":"x"}"#).contains("letters, digits"));
        assert!(error(r#"{"name":"a"}"#).contains("description is missing"));
        assert!(error(r#"{"name":"a","descripton":"x"}"#).contains("did you mean 'description'"));
        let json = r#"{"name":"a","description":"x","parameters":{"type":"string"}}"#;
        assert!(error(json).contains("\"type\": \"object\""));
        assert!(error(r#"{"name":"a","description":"x","timeout_ms":0}"#).contains("timeout_ms"));
        let tool = Tool::from_json(r#"{"name":"a","description":"x","timeout_ms":1500}"#).unwrap();
        assert_eq!(tool.timeout, Duration::from_millis(1500));
    }
}
