//! The few facts of messages, parts and requests that a run must understand. Everything else stays as it came.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// A message with its parts, as lists and single reads give it.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub info: Info,
    pub parts: Vec<Part>,
    /// The whole message as it came.
    pub raw: Box<RawValue>,
}

impl Message {
    pub(crate) fn read(raw: Box<RawValue>) -> serde_json::Result<Self> {
        #[derive(Deserialize)]
        struct Shape {
            info: Info,
            #[serde(default)]
            parts: Vec<Box<RawValue>>,
        }
        let shape: Shape = serde_json::from_str(raw.get())?;
        let parts = shape.parts.into_iter().map(Part::read).collect::<serde_json::Result<_>>()?;
        Ok(Message { info: shape.info, parts, raw })
    }

    /// Whether the server put this user message in by itself: after a compaction, to go on.
    pub(crate) fn is_inserted(&self) -> bool {
        let inserted = |part: &Part| match part.kind.as_str() {
            "compaction" => part.auto.unwrap_or(false),
            _ => part.synthetic.unwrap_or(false),
        };
        !self.parts.is_empty() && self.parts.iter().all(inserted)
    }
}

/// What is known of a message without its parts.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Info {
    pub id: String,
    #[serde(rename = "sessionID")]
    pub session_id: String,
    pub role: String,
    #[serde(rename = "parentID")]
    pub parent_id: Option<String>,
    pub time: Time,
    pub finish: Option<String>,
    pub error: Option<Value>,
    pub structured: Option<Value>,
    #[serde(deserialize_with = "lenient")]
    pub cost: f64,
    #[serde(deserialize_with = "lenient")]
    pub tokens: Tokens,
    #[serde(rename = "providerID")]
    pub provider_id: Option<String>,
    #[serde(rename = "modelID")]
    pub model_id: Option<String>,
    pub agent: Option<String>,
}

impl Info {
    pub(crate) fn is_assistant(&self) -> bool {
        self.role == "assistant"
    }

    pub(crate) fn is_completed(&self) -> bool {
        self.time.completed.is_some()
    }

    /// The server's name and words for what went wrong.
    pub(crate) fn failure(&self) -> Option<(String, String)> {
        self.error.as_ref().map(failure)
    }
}

/// Name and words of an error as the server writes it into messages and events.
pub(crate) fn failure(error: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let name = error.get("name").and_then(text).unwrap_or_else(|| "UnknownError".to_owned());
    let data = error.get("data");
    let message = data
        .and_then(|data| data.get("message"))
        .or_else(|| error.get("message"))
        .and_then(text)
        .unwrap_or_else(|| data.unwrap_or(error).to_string());
    // A stack trace of the server helps nobody here.
    let end = message.find("\n    at ").unwrap_or(message.len());
    (name, message[..end].to_owned())
}

/// Milliseconds since 1970 by the server's clock.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Time {
    pub created: f64,
    pub completed: Option<f64>,
}

/// Tokens by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, serde::Serialize)]
#[serde(default)]
pub struct Tokens {
    /// Read by the model, without what came from a cache.
    #[serde(deserialize_with = "count")]
    pub input: u64,
    /// Written by the model.
    #[serde(deserialize_with = "count")]
    pub output: u64,
    /// Spent on thinking.
    #[serde(deserialize_with = "count")]
    pub reasoning: u64,
    /// Read from and written to the provider's cache.
    pub cache: CacheTokens,
}

/// Tokens of the provider's cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, serde::Serialize)]
#[serde(default)]
pub struct CacheTokens {
    /// Taken from the cache.
    #[serde(deserialize_with = "count")]
    pub read: u64,
    /// Put into the cache.
    #[serde(deserialize_with = "count")]
    pub write: u64,
}

impl Tokens {
    /// All of them together.
    pub fn total(&self) -> u64 {
        self.input + self.output + self.reasoning + self.cache.read + self.cache.write
    }

    pub(crate) fn add(&mut self, other: &Tokens) {
        self.input += other.input;
        self.output += other.output;
        self.reasoning += other.reasoning;
        self.cache.read += other.cache.read;
        self.cache.write += other.cache.write;
    }
}

/// One part of a message.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub id: String,
    pub message_id: String,
    pub kind: String,
    pub text: Option<String>,
    pub is_ended: bool,
    pub synthetic: Option<bool>,
    pub auto: Option<bool>,
    /// The session of the subagent that a `task` tool started.
    pub child: Option<String>,
    /// The tool's name, and whether it is still at work.
    pub tool: Option<(String, bool)>,
    pub raw: Box<RawValue>,
}

impl Part {
    pub(crate) fn read(raw: Box<RawValue>) -> serde_json::Result<Self> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Shape {
            id: String,
            #[serde(rename = "messageID")]
            message_id: String,
            r#type: String,
            text: Option<String>,
            time: Option<PartTime>,
            synthetic: Option<bool>,
            auto: Option<bool>,
            tool: Option<String>,
            state: Option<ToolState>,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct PartTime {
            end: Option<f64>,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct ToolState {
            status: String,
            #[serde(deserialize_with = "lenient")]
            metadata: ToolMetadata,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct ToolMetadata {
            #[serde(rename = "sessionId", deserialize_with = "lenient")]
            session_id: Option<String>,
        }
        let shape: Shape = serde_json::from_str(raw.get())?;
        let state = shape.state.unwrap_or_default();
        let is_busy = matches!(state.status.as_str(), "pending" | "running");
        let is_task = shape.tool.as_deref() == Some("task");
        Ok(Part {
            id: shape.id,
            message_id: shape.message_id,
            kind: shape.r#type,
            text: shape.text,
            is_ended: shape.time.is_some_and(|time| time.end.is_some()),
            synthetic: shape.synthetic,
            auto: shape.auto,
            child: state.metadata.session_id.filter(|_| is_task),
            tool: shape.tool.map(|tool| (tool, is_busy)),
            raw,
        })
    }
}

/// A permission or a question that waits for an answer.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub id: String,
    pub session_id: String,
    /// What is asked for, such as `bash`; empty for a question.
    pub permission: String,
    pub patterns: Vec<String>,
    /// The labels of each question's options; empty for a permission.
    pub options: Vec<Vec<String>>,
    /// The message whose tool asked.
    pub message_id: Option<String>,
    pub raw: Box<RawValue>,
}

impl Request {
    pub(crate) fn read(raw: Box<RawValue>) -> serde_json::Result<Self> {
        #[derive(Deserialize)]
        struct Shape {
            id: String,
            #[serde(rename = "sessionID")]
            session_id: String,
            #[serde(default)]
            permission: String,
            #[serde(default)]
            patterns: Vec<String>,
            #[serde(default)]
            questions: Vec<Question>,
            #[serde(default)]
            tool: Option<Tool>,
        }
        #[derive(Deserialize)]
        struct Question {
            #[serde(default)]
            options: Vec<Choice>,
        }
        #[derive(Deserialize)]
        struct Choice {
            label: String,
        }
        #[derive(Deserialize)]
        struct Tool {
            #[serde(rename = "messageID")]
            message_id: Option<String>,
        }
        let shape: Shape = serde_json::from_str(raw.get())?;
        let labels = |question: Question| question.options.into_iter().map(|o| o.label).collect();
        Ok(Request {
            id: shape.id,
            session_id: shape.session_id,
            permission: shape.permission,
            patterns: shape.patterns,
            options: shape.questions.into_iter().map(labels).collect(),
            message_id: shape.tool.and_then(|tool| tool.message_id),
            raw,
        })
    }
}

/// What a session does, by the server's status list. A session that is not listed is idle.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Status {
    Idle,
    Busy,
    Retry {
        #[serde(default)]
        attempt: u32,
        #[serde(default)]
        message: String,
        /// When the next try is due, in milliseconds since 1970.
        #[serde(default)]
        next: f64,
    },
    /// A word of a newer server: not idle.
    #[serde(other)]
    Other,
}

/// A number of things, however the provider wrote it.
fn count<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(value.as_u64().unwrap_or_else(|| value.as_f64().unwrap_or(0.0) as u64))
}

/// Takes the default where a newer server writes something of another shape.
fn lenient<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + serde::de::DeserializeOwned,
{
    let value = Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn unknown_fields_parts_and_shapes_never_fail() {
        let message = Message::read(raw(
            r#"{"info":{"id":"msg_1","role":"assistant","tokens":"many","cost":null,"new":[1]},
                "parts":[{"id":"prt_1","type":"hologram","state":{"status":"x","metadata":7}}]}"#,
        ))
        .unwrap();
        assert_eq!(message.info.tokens, Tokens::default());
        assert_eq!(message.parts[0].kind, "hologram");
        let status: Status = serde_json::from_str(r#"{"type":"dreaming","deep":true}"#).unwrap();
        assert_eq!(status, Status::Other);
    }

    #[test]
    fn the_child_of_a_task_is_seen() {
        let part = Part::read(raw(r#"{"id":"p","messageID":"m","type":"tool","tool":"task",
                "state":{"status":"running","metadata":{"sessionId":"ses_2"}}}"#))
        .unwrap();
        assert_eq!(part.child.as_deref(), Some("ses_2"));
        assert_eq!(part.tool, Some(("task".to_owned(), true)));
    }

    #[test]
    fn messages_of_a_compaction_are_told_from_those_of_people() {
        let user = |parts: &str| {
            Message::read(raw(&format!(
                r#"{{"info":{{"id":"m","role":"user"}},"parts":[{parts}]}}"#
            )))
            .unwrap()
        };
        assert!(user(r#"{"type":"compaction","auto":true}"#).is_inserted());
        assert!(user(r#"{"type":"text","text":"go on","synthetic":true}"#).is_inserted());
        assert!(!user(r#"{"type":"compaction","auto":false}"#).is_inserted());
        assert!(
            !user(r#"{"type":"text","text":"hi"},{"type":"text","synthetic":true}"#).is_inserted()
        );
    }

    #[test]
    fn errors_are_named_in_the_servers_words() {
        let value = serde_json::json!({"name": "APIError", "data": {"message": "no", "x": 1}});
        assert_eq!(failure(&value), ("APIError".to_owned(), "no".to_owned()));
        let value = serde_json::json!({"name": "Odd", "data": {"x": 1}});
        assert_eq!(failure(&value), ("Odd".to_owned(), r#"{"x":1}"#.to_owned()));
        let value = serde_json::json!({"name": "E", "data": {"message": "no\n    at x.js:1"}});
        assert_eq!(failure(&value).1, "no");
    }
}
