//! [`Memory`]: what events of 2.x leave out because one before them said it.

use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// What is known of the sessions that runs hear of. It is lost with the stream: what came in between may be missing.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    sessions: HashMap<String, SessionMemory>,
}

/// What is known of a session.
#[derive(Debug, Default)]
pub(super) struct SessionMemory {
    /// The prompt that was delivered last: an answer names none.
    pub(super) prompt: Option<String>,
    /// What waits and is no prompt.
    pub(super) notes: HashSet<String>,
    /// The answer that is being written.
    pub(super) answer: AnswerInProgress,
    /// The summary that is being written, when somebody asked for it.
    pub(super) summary: Option<String>,
    /// Whether some of its text came.
    pub(super) has_summary_text: bool,
}

/// An answer that is being written.
#[derive(Debug, Default)]
pub(super) struct AnswerInProgress {
    pub(super) id: String,
    /// What is known of it as a whole, in the form of 1.x.
    pub(super) info: Value,
    /// The uses of its tools, by their ids, as 2.x stores them.
    pub(super) tools: HashMap<String, Value>,
}

impl Memory {
    /// Nobody wants to hear of this session any more.
    pub(crate) fn forget(&mut self, session: &str) {
        self.sessions.remove(session);
    }

    pub(crate) fn clear(&mut self) {
        self.sessions.clear();
    }

    pub(super) fn of(&mut self, session: &str) -> &mut SessionMemory {
        self.sessions.entry(session.to_owned()).or_default()
    }
}

impl SessionMemory {
    /// The answer with this id. Another one than before is a new one.
    pub(super) fn answer(&mut self, id: &str) -> &mut AnswerInProgress {
        if self.answer.id != id {
            self.answer = AnswerInProgress { id: id.to_owned(), ..AnswerInProgress::default() };
        }
        &mut self.answer
    }
}
