//! The parts of a message.

use super::{Tokens, or_default};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// One part of a message.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Part {
    /// Text of the prompt or the answer.
    Text(TextPart),
    /// What the model thought.
    Reasoning(ReasoningPart),
    /// A file that belongs to the message.
    File(FilePart),
    /// A call of a tool.
    Tool(ToolPart),
    /// The end of a step.
    StepFinish(StepFinishPart),
    /// The files that a step changed.
    Patch(PatchPart),
    /// Any other kind, known to this version or not.
    Other(OtherPart),
}

impl Part {
    /// The kind as the server says it: `text`, `tool`, `step-start` and others.
    pub fn kind(&self) -> &str {
        match self {
            Part::Text(_) => "text",
            Part::Reasoning(_) => "reasoning",
            Part::File(_) => "file",
            Part::Tool(_) => "tool",
            Part::StepFinish(_) => "step-finish",
            Part::Patch(_) => "patch",
            Part::Other(part) => part.json["type"].as_str().unwrap_or_default(),
        }
    }

    /// The id of the part, such as `prt_1`.
    pub fn id(&self) -> &str {
        match self {
            Part::Text(part) => &part.id,
            Part::Reasoning(part) => &part.id,
            Part::File(part) => &part.id,
            Part::Tool(part) => &part.id,
            Part::StepFinish(part) => &part.id,
            Part::Patch(part) => &part.id,
            Part::Other(part) => part.json["id"].as_str().unwrap_or_default(),
        }
    }
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        // What does not look as it should is kept, and stands in nobody's way.
        let read = match value["type"].as_str() {
            Some("text") => TextPart::deserialize(&value).map(Part::Text).ok(),
            Some("reasoning") => ReasoningPart::deserialize(&value).map(Part::Reasoning).ok(),
            Some("file") => FilePart::deserialize(&value).map(Part::File).ok(),
            Some("tool") => ToolPart::deserialize(&value).map(Part::Tool).ok(),
            Some("step-finish") => StepFinishPart::deserialize(&value).map(Part::StepFinish).ok(),
            Some("patch") => PatchPart::deserialize(&value).map(Part::Patch).ok(),
            _ => None,
        };
        Ok(read.unwrap_or(Part::Other(OtherPart { json: value })))
    }
}

/// Text of the prompt or the answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct TextPart {
    /// Such as `prt_1`.
    pub id: String,
    /// The text; empty while it grows.
    pub text: String,
    /// The server wrote it, not a person or a model.
    #[serde(deserialize_with = "or_default")]
    pub synthetic: bool,
    /// The model does not see it.
    #[serde(deserialize_with = "or_default")]
    pub ignored: bool,
}

/// What the model thought.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ReasoningPart {
    /// Such as `prt_1`.
    pub id: String,
    /// The thought.
    pub text: String,
}

/// A file that belongs to a message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct FilePart {
    /// Such as `prt_1`.
    pub id: String,
    /// Such as `image/png`.
    pub mime: String,
    /// What it is called.
    pub filename: Option<String>,
    /// Where it is, or its content: `file:` or `data:`.
    pub url: String,
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ToolPart {
    /// Such as `prt_1`.
    pub id: String,
    /// The model's id of the call.
    #[serde(rename = "callID")]
    pub call_id: String,
    /// Such as `bash`.
    pub tool: String,
    /// How far it is.
    pub state: ToolState,
}

/// How far a call of a tool is.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ToolState {
    /// `pending`, `running`, `completed` or `error`.
    pub status: String,
    /// The arguments.
    pub input: Value,
    /// What it does, in a few words.
    pub title: Option<String>,
    /// What came out, once it is completed.
    pub output: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// What else the tool tells.
    pub metadata: Value,
}

/// The end of a step.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct StepFinishPart {
    /// Such as `prt_1`.
    pub id: String,
    /// Why the model stopped.
    pub reason: String,
    /// What the step cost, in dollars.
    #[serde(deserialize_with = "or_default")]
    pub cost: f64,
    /// What the step used.
    #[serde(deserialize_with = "or_default")]
    pub tokens: Tokens,
}

/// The files that a step changed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct PatchPart {
    /// Such as `prt_1`.
    pub id: String,
    /// The server's name of the state after the step.
    pub hash: String,
    /// Absolute paths.
    pub files: Vec<String>,
}

/// A part of any other kind.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct OtherPart {
    /// The part as it came.
    pub json: Value,
}
