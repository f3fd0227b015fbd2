//! [`SummaryStep`]: what a request for a summary takes on a server of 1.x, one call after the other, and what one that was
//! not finished takes before the next prompt.

use crate::protocol::model_name::Model;
use crate::run::wire::SendPrompt;

/// One call of several.
#[derive(Debug, Clone)]
pub(crate) enum SummaryStep {
    /// What the session's newest message is: whose model it names, and whether anything was said since a summary.
    ReadNewest(SendPrompt),
    /// Whether the model is known: of one that is not a request stays in the session that the next prompt would begin
    /// again.
    CheckModel(SendPrompt, Model),
    /// The summary. The server answers when it is written.
    Summarize(SendPrompt, Model),
    /// Which requests were not finished; the newest message was this one.
    FindUnfinished { session: String, newest: Option<String> },
    /// This request goes away, then those that are left; the newest message is this one then.
    TakeBack { session: String, message: String, left: Vec<String>, newest: Option<String> },
}
