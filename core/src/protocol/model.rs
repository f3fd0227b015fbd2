//! The objects that people touch daily, as Rust types: `answer.json::<Session>()`.
//!
//! They are lenient: fields that this version does not know are ignored, those that are absent have their default,
//! and a kind of part or message that is not known is kept as JSON. Times are milliseconds since 1970.

mod message;
mod part;
mod request;
mod session;

pub use crate::protocol::tokens::{CacheTokens, Tokens};
pub use message::{AssistantMessage, Message, MessageError, MessageInfo, MessageTime, UserMessage};
pub use part::{
    FilePart, OtherPart, Part, PatchPart, ReasoningPart, StepFinishPart, TextPart, ToolPart,
    ToolState,
};
pub use request::{Permission, Question, QuestionInfo, QuestionOption, ToolCall};
pub use session::{FileDiff, ModelRef, Session, SessionSummary, SessionTime, Todo};

use serde::{Deserialize, Deserializer};

/// A number that may come as 1 or 1.0.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or_default() as u64)
}

/// The same where it may be absent.
fn maybe_whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.map(|number| number as u64))
}

/// A value whose absence is sometimes written as null.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
