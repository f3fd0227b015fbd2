//! What goes into a [`Machine`](super::Machine), and what comes out.

use crate::base::error::{Error, Result};
use crate::protocol::permission::{PermissionPolicy, PermissionReply, QuestionPolicy};
use crate::run::prompt::Prompt;
use crate::run::reply::Reply;
use crate::run::update::Update;
use crate::run::wire::{DirectorySnapshot, Fact, Request, Response};
use std::sync::Arc;

/// What a run is made from.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub prompt: Prompt,
    pub permission: PermissionPolicy,
    pub question: QuestionPolicy,
    pub directory: Option<String>,
    /// Whether an event stream is to be used at all.
    pub events: bool,
    /// Whether the host has tools, which the server must know before the prompt is sent.
    pub has_tools: bool,
    /// Whether the server ever answered this client.
    pub is_known: bool,
    pub aim: Aim,
}

/// What a run is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Aim {
    /// The prompt is sent.
    Prompt,
    /// This user message, in the prompt's session, is picked up.
    Resume(String),
    /// The prompt's session is summarized.
    Compact,
}

impl Setup {
    /// The policy that leaves something to the host.
    pub(crate) fn asks(&self) -> Option<&'static str> {
        match (self.permission.asks(), self.question == QuestionPolicy::Ask) {
            (true, _) => Some("permission"),
            (false, true) => Some("question"),
            (false, false) => None,
        }
    }
}

/// Something that the machine is told.
#[derive(Debug)]
pub(crate) enum Input<'a> {
    /// What happened to a session that it asked for with [`Output::Track`], or to the server as a whole.
    Fact { session: Option<&'a str>, fact: Fact },
    /// The event stream connected (`true`) or was lost. Whatever happened in between is unknown.
    Stream(bool),
    /// The event stream tells everything from now on; the moments after it connected may be missing.
    Settled,
    /// The result of a request.
    Answer(RequestKind, Result<Response>),
    /// What the session's directory looks like.
    Snapshot(&'a DirectorySnapshot),
    /// The same, where another run had asked for it.
    Seen(&'a DirectorySnapshot),
    /// The directory could not be looked at.
    SnapshotFailed(&'a Error),
    /// A subagent of a subagent, of which perhaps no event told.
    Child { session: &'a str, parent: &'a str },
    /// It is this run's turn in its session.
    Turn,
    /// The host leaves: nobody will listen, and what is not sent soon is lost.
    Leave,
    /// The host wants the run to end.
    Cancel,
    /// The host answered a permission.
    Permission { id: String, reply: PermissionReply, message: Option<String> },
    /// The host answered a question; `None` rejects it.
    Question { id: String, answers: Option<Vec<Vec<String>>> },
    /// A request is under way over a connection that stands.
    Listens,
    /// Time passed.
    Time,
}

/// Something that the machine wants.
#[derive(Debug)]
pub(crate) enum Output {
    /// A request, and what it is for.
    Ask(RequestKind, Request),
    /// A fresh look at a directory.
    TakeSnapshot { directory: Option<String>, lists: Lists },
    /// The server is to know the host's tools in this directory; [`RequestKind::Tools`] says how that went.
    PlaceTools { directory: Option<String> },
    /// Events of this session from now on.
    Track(String),
    /// A turn in this session.
    Queue(String),
    /// Something for the host.
    Update(Update),
    /// Something for the log: what could not be read, or was refused without the host.
    Warn(String),
    /// The end.
    Over(Outcome),
}

/// Whether a look reads the permissions and questions too that are open, which takes two more requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lists {
    /// Not for this one.
    #[default]
    Unread,
    /// When they were last read a while ago, or no events tell of them.
    WhenOld,
    /// However fresh the last look.
    Now,
}

/// What a request was for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RequestKind {
    Create,
    FindCreated,
    /// Whether the server that makes the session is alive.
    Health,
    /// A session that came too late goes away.
    Discard,
    Session,
    /// The newest message, of the look before the send with this number.
    LastBeforeSend(u32),
    Agents,
    Models,
    /// Whether the server knows the host's tools.
    Tools,
    Send,
    Verify,
    /// Messages, of the collection with this number.
    Messages(u32),
    Abort,
    /// A subagent that went on after the abort of its parent.
    AbortChild,
    /// The answer to a permission or a question.
    Reply(String),
    Child(String),
    Diff,
    /// Whether the session's directory is there.
    Place,
    /// Since when the server works in it.
    Instance,
    /// What failed is not to be begun again by the next prompt.
    Withdraw,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub reply: Arc<Reply>,
    pub error: Option<Error>,
}
