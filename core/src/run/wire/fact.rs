//! [`Fact`]: what happened to a session, whatever the server calls it.

use super::message::{Failure, Info, Inquiry, Status, StoredPart};
use serde_json::value::RawValue;
use std::sync::Arc;

/// Something that an event tells of a session.
///
/// Facts wake a run up and carry text; they may be lost, repeated and late. What is true is read from the server.
///
/// | fact | 1.x | 2.x |
/// |---|---|---|
/// | `TurnEnded` | `session.idle` | `session.execution.succeeded`, `failed`, `interrupted` |
/// | `Status` | `session.status` | `session.execution.started`, `session.retry.scheduled` |
/// | `Failed` | `session.error` | `session.execution.failed` |
/// | `PromptStored` | `message.updated` of a user | `session.inbox.delivered` |
/// | `AnswerChanged` | `message.updated` of an assistant | `session.step.started`, `ended`, `failed` |
/// | `PartChanged` | `message.part.updated` | `session.text.ended`, `session.tool.*`, `session.reasoning.ended` |
/// | `TextDelta` | `message.part.delta` | `session.text.delta`, `session.reasoning.delta` |
/// | `PartRemoved`, `Todos` | `message.part.removed`, `todo.updated` | never |
/// | `FilesChanged` | `session.diff` | `session.step.ended` |
/// | `Asked`, `InquiryAnswered` | `permission.*`, `question.*` | `permission.*`, `form.*` |
/// | `SubagentOf` | `session.created`, `session.updated` | `session.created` |
/// | `Disposed` | `server.instance.disposed` | never |
/// | `CommandEnded` | never | `shell.exited` |
///
/// An answer of 2.x names no prompt: its translator keeps the prompt that was delivered last, of each session.
#[derive(Debug, Clone)]
pub(crate) enum Fact {
    /// The session seems to have come to rest.
    TurnEnded,
    /// What the session does.
    Status(Status),
    /// The session is gone.
    SessionDeleted,
    /// Something went wrong in the session.
    Failed(Failure),
    /// A prompt, or another message that is no answer, is stored.
    PromptStored {
        /// Its message.
        id: String,
    },
    /// An answer began or ended: what is known of it, and the same as the server wrote it.
    AnswerChanged(Box<Info>, Arc<RawValue>),
    /// A part of an answer in its newest form.
    PartChanged(Box<StoredPart>),
    /// More of a part that grows.
    TextDelta {
        message_id: String,
        part_id: String,
        /// Rises from one delta to the next.
        order: String,
        delta: String,
    },
    /// A part was taken back.
    PartRemoved(String),
    /// The agent's list of things to do.
    Todos(Arc<RawValue>),
    /// The files that the session changed.
    FilesChanged(Arc<RawValue>),
    /// A permission or a question waits for an answer.
    Asked(Box<Inquiry>),
    /// A permission or a question was answered, with this word.
    InquiryAnswered { id: String, reply: String },
    /// The session is a subagent's.
    SubagentOf { parent: String },
    /// The server ended everything in this directory; in each when it names none.
    Disposed { directory: Option<String> },
    /// A command that a tool ran has ended, whoever it was of.
    CommandEnded {
        /// The server's id of it, as [`ToolUse::command`](super::message::ToolUse::command).
        id: String,
    },
    /// Something that the runs should know cannot be read.
    Unreadable(String),
}
