//! [`Reply`]: the outcome of a run.

use crate::base::json::Json;
use crate::protocol::tokens::Tokens;
use serde::ser::{Serialize, SerializeStruct, Serializer};
use serde_json::value::RawValue;
use std::sync::Arc;

/// What a run brought. A failed run has one too, as far as it came.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Reply {
    /// The session that the prompt was sent to.
    pub session_id: String,
    /// The user message that the prompt became.
    pub message_id: String,
    /// The text of the last message: the answer.
    pub text: String,
    /// Everything that was said on the way to it: what the deltas of all text updates add up to.
    pub transcript: String,
    /// Everything that was thought on the way.
    pub reasoning: String,
    /// The value that fits the schema given as `format`, as the model wrote it.
    pub structured: Option<Json>,
    /// Why the model ended: `stop`, `length`, `tool-calls` after a rejected permission, and others.
    pub finish: Option<String>,
    /// In the currency of the provider's price list, subagents included.
    pub cost: f64,
    /// Subagents included.
    pub tokens: Tokens,
    /// The agent that answered.
    pub agent: Option<String>,
    /// The provider that answered.
    pub provider_id: Option<String>,
    /// The model that answered.
    pub model_id: Option<String>,
    /// The messages of the run in order, the user's first, each `{info, parts}` as the server has it.
    pub messages: Vec<Arc<RawValue>>,
    /// The parts of the last message, as the server has them.
    pub parts: Vec<Arc<RawValue>>,
    /// Every permission and question that was decided, and by whom.
    pub decisions: Vec<DecisionRecord>,
    /// The files that the run changed, as the server lists them.
    pub files: Option<Arc<RawValue>>,
    /// The sessions of subagents.
    pub children: Vec<String>,
    /// How long it took.
    pub time: Timings,
}

/// One permission or question that was decided.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct DecisionRecord {
    /// The id of the request.
    pub id: String,
    /// The session that asked: the run's own or a subagent's.
    #[serde(rename = "sessionID")]
    pub session_id: String,
    /// What was asked for, such as `bash`, or `question`.
    pub permission: String,
    /// What it was asked for, such as the command.
    pub patterns: Vec<String>,
    /// `once`, `always`, `reject` or `answer`; `gone` when it was open no more and nobody told why.
    pub reply: String,
    /// `policy`, `host`, or `other` when somebody else answered.
    pub by: &'static str,
}

/// Milliseconds, measured by this process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Timings {
    /// From the start to the server's acceptance of the prompt.
    pub queued_ms: u64,
    /// From the start to the first text or thought; absent when none was seen to come.
    pub first_token_ms: Option<u64>,
    /// From the start to the end.
    pub total_ms: u64,
}

impl Reply {
    /// The reply as one JSON object: what the bindings hand to their hosts.
    pub fn to_json(&self) -> String {
        // What is in it was JSON, or is texts and numbers: it cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The fields that hosts are given. What the server and the model wrote stays as they wrote it.
impl Serialize for Reply {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Reply", 18)?;
        fields.serialize_field("sessionID", &self.session_id)?;
        fields.serialize_field("messageID", &self.message_id)?;
        fields.serialize_field("text", &self.text)?;
        fields.serialize_field("transcript", &self.transcript)?;
        fields.serialize_field("reasoning", &self.reasoning)?;
        fields.serialize_field("finish", &self.finish)?;
        fields.serialize_field("cost", &self.cost)?;
        fields.serialize_field("tokens", &self.tokens)?;
        fields.serialize_field("agent", &self.agent)?;
        fields.serialize_field("providerID", &self.provider_id)?;
        fields.serialize_field("modelID", &self.model_id)?;
        fields.serialize_field("decisions", &self.decisions)?;
        fields.serialize_field("children", &self.children)?;
        fields.serialize_field("time", &self.time)?;
        fields.serialize_field("structured", &self.structured)?;
        match &self.files {
            Some(files) => fields.serialize_field("files", &**files)?,
            None => fields.serialize_field("files", &[(); 0])?,
        }
        fields.serialize_field("messages", &Raws(&self.messages))?;
        fields.serialize_field("parts", &Raws(&self.parts))?;
        fields.end()
    }
}

/// A list of what stays as it was written.
struct Raws<'a>(&'a [Arc<RawValue>]);

impl Serialize for Raws<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|raw| &**raw))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn json_is_one_object_with_the_servers_messages_in_it() {
        let raw = RawValue::from_string(r#"{"info":{"id":"m"},"parts":[]}"#.to_owned()).unwrap();
        let reply = Reply {
            text: "a \"b\"".to_owned(),
            messages: vec![Arc::from(raw)],
            structured: Some(
                serde_json::from_str(r#"{"z":1,"a":12345678901234567890123}"#).unwrap(),
            ),
            ..Reply::default()
        };
        let json: Value = serde_json::from_str(&reply.to_json()).unwrap();
        assert_eq!(json["text"], "a \"b\"");
        assert_eq!(json["messages"][0]["info"]["id"], "m");
        assert_eq!(json["tokens"]["cache"]["read"], 0);
        assert_eq!(json["files"], serde_json::json!([]));
        let structured = r#""structured":{"z":1,"a":12345678901234567890123}"#;
        assert!(reply.to_json().contains(structured), "{}", reply.to_json());
    }
}
