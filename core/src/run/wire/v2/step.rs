//! [`Step`]: what one request of a run takes on a server of 2.x, one call after the other.

use crate::base::error::Error;
use crate::run::wire::SendPrompt;

/// One call of several.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Whether the agent is known: a prompt for an unknown one waits for ever.
    CheckAgent(SendPrompt),
    SwitchAgent(SendPrompt),
    /// Whether the model is known: why one that is not fails is told by an event alone.
    CheckModel(SendPrompt),
    SwitchModel(SendPrompt),
    Prompt(SendPrompt),
    /// The summary, in place of a prompt.
    Compact(SendPrompt),
    /// Whether the directory is there: the server says no more of one that is gone than that something went wrong.
    FindPlace {
        directory: String,
        error: Error,
    },
    /// Whether a prompt that is no message yet waits to become one.
    FindWaiting {
        session: String,
        message: String,
    },
    /// Whether the session works on a prompt that does not wait any more, or on somebody else's by now.
    FindCurrent {
        session: String,
        message: String,
    },
    /// Whether a prompt that does not wait any more was begun.
    FindBegun {
        session: String,
        message: String,
        /// Whether nobody else's came after it.
        is_last: bool,
    },
    /// The end of what the session does.
    Interrupt {
        session: String,
    },
}

impl Step {
    /// The first step of a send.
    pub(super) fn of_send(send: &SendPrompt) -> Step {
        match send.prompt.agent {
            Some(_) => Step::CheckAgent(send.clone()),
            None => Step::with_agent(send),
        }
    }

    /// The step after the agent was chosen.
    pub(super) fn with_agent(send: &SendPrompt) -> Step {
        match send.prompt.model {
            Some(_) => Step::CheckModel(send.clone()),
            None => Step::with_model(send),
        }
    }

    /// The step after the model was chosen.
    pub(super) fn with_model(send: &SendPrompt) -> Step {
        match send.is_compaction {
            true => Step::Compact(send.clone()),
            false => Step::Prompt(send.clone()),
        }
    }
}
