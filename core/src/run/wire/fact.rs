//! [`Fact`]: what happened to a session, whatever the server calls it.

use super::message::{Failure, Info, Inquiry, Part, Status};
use serde_json::value::RawValue;
use std::sync::Arc;

/// Something that an event tells of a session.
///
/// Facts wake a run up and carry text; they may be lost, repeated and late. What is true is read from the server.
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
    PartChanged(Box<Part>),
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
    /// Something that the runs should know cannot be read.
    Unreadable(String),
}
