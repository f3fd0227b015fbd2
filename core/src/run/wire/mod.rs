//! What the servers' answers and events mean for a run, and what a run asks for.
//!
//! A run is told [`Fact`]s and wants [`Request`]s, in words that every generation of servers has a meaning for. The names
//! of operations and events, and the shapes of answers, stand in one folder a generation; [`Wire`] chooses it.

mod fact;
mod message;
mod request;
mod v1;
mod v2;

pub(crate) use fact::Fact;
pub(crate) use message::{
    Failure, Info, Inquiry, PartContent, Status, StoredMessage, StoredPart, Time, ToolFailure,
    ToolUse,
};
pub(crate) use request::{
    DirectorySnapshot, FoundPrompt, Meaning, MessagePage, NewestMessage, OperationCall, Request,
    Response, SendPrompt, SessionFacts,
};
pub(crate) use v1::{raw_info, read_info};
pub(crate) use v2::Memory;

#[cfg(test)]
pub(crate) use v1::{read_inquiry, read_message, read_status};

use crate::base::error::{Error, ErrorKind, Result};
use crate::http::answer::Answer;
use crate::protocol::event::Event;

/// The generation of servers that a client talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    /// 1.x.
    One,
    /// 2.x.
    Two,
}

/// A further call of those that a request takes, one after the other. Only the generation that it is for knows what it does.
#[derive(Debug, Clone)]
pub(crate) enum NextCall {
    One(v1::SummaryStep),
    Two(v2::Step),
}

/// What of a directory is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SnapshotParts {
    /// Which sessions work.
    Status,
    /// Permissions and questions that are open.
    Lists,
}

/// Whether the server itself says that a thing is not there: in words of its own, by which each generation knows its errors.
/// A bare 404 is that of a gateway, and says nothing of the thing.
pub(crate) fn is_absent(error: &Error) -> bool {
    error.kind() == ErrorKind::NotFound
        && error.code().is_some_and(|code| code.ends_with("NotFoundError"))
}

/// Whether something before the server refused, and the server may have done all the same what was asked: the answer has
/// none of the server's words.
pub(crate) fn is_foreign(error: &Error) -> bool {
    matches!(error.status(), Some(400 | 404 | 405 | 409 | 410))
        && error.code().is_none()
        && error.kind() != ErrorKind::Decode
}

impl Wire {
    /// What an event means for the runs that hear of its session; `None` when it means nothing for any.
    pub(crate) fn fact(self, event: &Event, memory: &mut Memory) -> Option<Fact> {
        match self {
            Wire::One => v1::fact(event),
            Wire::Two => v2::fact(event, memory),
        }
    }

    /// Whether an event without a session is for all runs.
    pub(crate) fn is_for_all(self, event: &Event) -> bool {
        match self {
            Wire::One => v1::is_for_all(event),
            Wire::Two => v2::is_for_all(event),
        }
    }

    /// The session whose subagent the session of this event is.
    pub(crate) fn parent(self, event: &Event) -> Option<String> {
        match self {
            Wire::One => v1::parent(event),
            Wire::Two => v2::parent(event),
        }
    }

    /// The same for an event that says that the session was just made. Reads no other event: this one decides over
    /// each of a busy server's.
    pub(crate) fn parent_of_new(self, event: &Event) -> Option<String> {
        match self {
            Wire::One => v1::parent_of_new(event),
            Wire::Two => v2::parent_of_new(event),
        }
    }

    /// The types of events that say that their session is not where it was.
    pub(crate) fn moves(self) -> &'static [&'static str] {
        match self {
            Wire::One => &["session.next.moved", "session.deleted"],
            Wire::Two => &["session.moved", "session.deleted"],
        }
    }

    /// Whether a prompt of a run that failed may still wait on the server, which would do it with the next one.
    pub(crate) fn keeps_what_waits(self) -> bool {
        self == Wire::Two
    }

    /// Whether the message of a tool names the session of its subagent only when it is over.
    pub(crate) fn hides_children(self) -> bool {
        self == Wire::Two
    }

    /// What a request would bring on every server of this generation: it is not asked then.
    pub(crate) fn known(self, request: &Request) -> Option<Response> {
        match self {
            Wire::One => None,
            Wire::Two => v2::known(request),
        }
    }

    /// The operation for a request, with its arguments.
    pub(crate) fn call(self, request: &Request) -> Result<OperationCall> {
        match self {
            Wire::One => v1::call(request),
            Wire::Two => v2::call(request),
        }
    }

    /// What came of a request.
    pub(crate) fn read(self, request: &Request, answer: Result<Answer>) -> Meaning {
        match self {
            Wire::One => v1::read(request, answer),
            Wire::Two => v2::read(request, answer),
        }
    }

    /// Looks at a directory, by calls that `ask` makes. What cannot be read is told in `odd`.
    pub(crate) fn snapshot(
        self,
        directory: Option<&str>,
        parts: SnapshotParts,
        ask: impl FnMut(OperationCall) -> Result<Answer>,
        odd: &mut Vec<String>,
    ) -> Result<DirectorySnapshot> {
        match self {
            Wire::One => v1::snapshot(directory, parts, ask, odd),
            Wire::Two => v2::snapshot(directory, parts, ask, odd),
        }
    }
}
