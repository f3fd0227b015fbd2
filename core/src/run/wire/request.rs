//! [`Request`] and [`Response`]: what a run asks a server for, and what the server makes known.

use super::NextCall;
use super::message::{Inquiry, Status, StoredMessage};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::json::Object;
use crate::http::answer::Answer;
use crate::protocol::model_name::Model;
use crate::protocol::permission::PermissionReply;
use crate::protocol::tokens::Tokens;
use crate::run::clock::Millis;
use crate::run::prompt::Prompt;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::sync::Arc;

/// What a run asks a server for.
#[derive(Debug, Clone)]
pub(crate) enum Request {
    /// A new session for a prompt. The mark lets it be found again when the answer is lost.
    Create { mark: String, title: Option<String>, directory: Option<String>, prompt: Arc<Prompt> },
    /// The session with this mark, if there is one.
    FindCreated { mark: String, directory: Option<String> },
    /// Whether the server is alive.
    Health,
    /// The session goes away.
    Discard { session: String },
    /// What the session is.
    Session { session: String },
    /// The newest message of the session.
    LastMessage { session: String },
    /// What the next prompt would begin again goes away; the newest message was this one.
    TakeBackOpen { session: String, newest: Option<String> },
    /// Whether the agent is known.
    CheckAgent { agent: String, directory: Option<String> },
    /// Whether the model is known.
    CheckModel { model: Model, directory: Option<String> },
    /// The prompt, to be done.
    Send(SendPrompt),
    /// Whether the server has the prompt.
    FindPrompt { session: String, message: String },
    /// The summary that was asked for: the message with this id, or, where the server chose it, one that came after
    /// another.
    FindCompaction { session: String, message: String, after: Option<String> },
    /// Messages of the session: the newest ones, or those before a place.
    Messages { session: String, limit: usize, before: Option<String> },
    /// The end of what the session does for this prompt, or of all that it does. A prompt that was not begun is taken
    /// back.
    Abort { session: String, message: Option<String> },
    /// An answer to a permission; a message only for a rejection.
    ReplyPermission {
        id: String,
        session: String,
        reply: PermissionReply,
        message: Option<String>,
        directory: Option<String>,
    },
    /// The same, for servers and places that take no message.
    RespondPermission { id: String, session: String, reply: PermissionReply },
    /// An answer to a question; `None` rejects it.
    AnswerQuestion {
        id: String,
        question: Arc<Inquiry>,
        answers: Option<Vec<Vec<String>>>,
        directory: Option<String>,
    },
    /// The files that were changed for a prompt.
    Files { session: String, message: String },
    /// Whether the directory is there.
    Place { directory: String },
    /// Since when the server works in the directory.
    Instance { directory: String },
    /// A prompt that was sent is not to wait any more, on a server that keeps it when its run has failed. The same for a
    /// request for a summary, which the next prompt would begin again.
    Withdraw { session: String, message: String },
    /// A further call that one of the above takes.
    Next(NextCall),
}

impl Request {
    /// Whether it may be asked again while the first try hangs: it changes nothing, or nothing the second time.
    pub(crate) fn only_reads(&self) -> bool {
        match self {
            Request::FindCreated { .. }
            | Request::Health
            | Request::Session { .. }
            | Request::LastMessage { .. }
            | Request::TakeBackOpen { .. }
            | Request::CheckAgent { .. }
            | Request::CheckModel { .. }
            | Request::FindPrompt { .. }
            | Request::FindCompaction { .. }
            | Request::Messages { .. }
            | Request::Files { .. }
            | Request::Place { .. }
            | Request::Instance { .. } => true,
            Request::Create { .. }
            | Request::Discard { .. }
            | Request::Send(_)
            | Request::Abort { .. }
            | Request::ReplyPermission { .. }
            | Request::RespondPermission { .. }
            | Request::AnswerQuestion { .. }
            | Request::Withdraw { .. }
            | Request::Next(_) => false,
        }
    }

    /// Whether the server may answer it when all is done, minutes later.
    pub(crate) fn may_last(&self) -> bool {
        matches!(self, Request::Send(send) if send.is_compaction)
    }
}

/// A prompt on its way.
#[derive(Debug, Clone)]
pub(crate) struct SendPrompt {
    pub session: String,
    pub message: String,
    /// Whether the session is to be summarized, without the words of a prompt.
    pub is_compaction: bool,
    pub prompt: Arc<Prompt>,
    /// An id for each part, the same at every try.
    pub part_ids: Arc<[String]>,
    /// The directory of the session.
    pub directory: Option<String>,
}

/// What a server makes known.
#[derive(Debug)]
pub(crate) enum Response {
    /// It did what was asked, and says nothing more.
    Done,
    /// The prompt was never begun, and never will be.
    Withdrawn,
    Session(SessionFacts),
    Found(Option<SessionFacts>),
    LastMessage(NewestMessage),
    /// What is wrong with the name of an agent or a model.
    Name(Result<()>),
    Prompt(FoundPrompt),
    /// The message that a request for a summary became.
    Compaction(String),
    /// The messages, or why they cannot be read.
    Messages(Result<MessagePage>),
    Files(Option<Arc<RawValue>>),
    Place {
        is_gone: bool,
    },
    /// When it began to work in a directory, by its own clock.
    Instance {
        begun: Option<f64>,
    },
}

/// What a session tells of itself.
#[derive(Debug, Default)]
pub(crate) struct SessionFacts {
    pub id: Option<String>,
    pub directory: Option<String>,
    /// The directory that the server works in, where it takes the session's for that one.
    pub misread: Option<String>,
    /// The session whose subagent it is.
    pub parent: Option<String>,
    pub cost: f64,
    pub tokens: Tokens,
}

impl SessionFacts {
    /// One that was just made, as its answer tells it: without an id there is none.
    pub(super) fn made(self, answer: &Answer) -> Result<Response> {
        match self.id {
            None => Err(answer.decode_error("has no session", &"the id is missing")),
            Some(_) => Ok(Response::Session(self)),
        }
    }

    /// Whether a session that is listed was made with this mark.
    pub(super) fn has_mark(listed: &Object<'_>, mark: &str) -> bool {
        let metadata = listed.object("metadata");
        metadata.and_then(|metadata| metadata.text("libopencode")).as_deref() == Some(mark)
    }
}

/// The newest message of a session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NewestMessage {
    /// When there is one that can be read.
    pub id: Option<String>,
    /// Whether the server may begin something again with the next prompt: the message is no finished answer.
    pub is_open: bool,
}

impl NewestMessage {
    /// One behind which nothing is begun again.
    pub(super) fn settled(id: Option<String>) -> Response {
        Response::LastMessage(NewestMessage { id, is_open: false })
    }
}

/// What stands where a prompt was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FoundPrompt {
    Prompt,
    /// An answer of the model.
    Answer,
}

/// Some messages of a session, the oldest first.
#[derive(Debug)]
pub(crate) enum MessagePage {
    Read {
        messages: Vec<StoredMessage>,
        /// Where the messages before these begin, when there are some.
        next: Option<String>,
        /// What cannot be read.
        odd: Vec<String>,
    },
    /// The server cannot write this page down. One of fewer messages may be readable.
    Refused,
}

/// An operation of the generated table with its arguments, a JSON object.
#[derive(Debug)]
pub(crate) struct OperationCall {
    pub operation: &'static str,
    pub arguments: String,
}

/// What an answer means.
#[derive(Debug)]
pub(crate) enum Meaning {
    Done(Result<Response>),
    /// Another request says it, or does it.
    Then(Request),
}

/// What a directory looks like at one moment.
#[derive(Debug, Default)]
pub(crate) struct DirectorySnapshot {
    /// When the first request of the snapshot was sent.
    pub started: Millis,
    /// A session that is not listed is idle.
    pub status: HashMap<String, Status>,
    pub inquiries: Vec<Arc<Inquiry>>,
    /// Whether the lists of permissions and of questions were read at all.
    pub has_permissions: bool,
    pub has_questions: bool,
    /// What the server said instead of a list.
    pub refused: Option<Error>,
}

impl DirectorySnapshot {
    /// What was looked at beside this, by another request.
    pub(crate) fn with(mut self, other: Self) -> Self {
        self.started = self.started.min(other.started);
        self.status.extend(other.status);
        self.inquiries.extend(other.inquiries);
        self.has_permissions |= other.has_permissions;
        self.has_questions |= other.has_questions;
        self.refused = self.refused.or(other.refused);
        self
    }

    /// Adds the list of permissions, or of questions: `items` finds it in the answer, and `read` reads one of them. One of
    /// a shape that is not known cannot be answered; it must not stop the others, and is told in `odd`.
    pub(super) fn add(
        &mut self,
        is_question: bool,
        answer: Result<Answer>,
        items: fn(&Answer) -> Result<Vec<&RawValue>>,
        read: fn(&RawValue, bool) -> std::result::Result<Inquiry, String>,
        odd: &mut Vec<String>,
    ) -> Result<()> {
        match answer.as_ref().map_err(Clone::clone).and_then(items) {
            Ok(raws) => {
                let mut left_out = |why: String| odd.push(format!("what somebody asks: {why}"));
                let inquiries = raws.into_iter().map(|raw| read(raw, is_question).map(Arc::new));
                self.inquiries.extend(inquiries.filter_map(|i| i.map_err(&mut left_out).ok()));
                match is_question {
                    true => self.has_questions = true,
                    false => self.has_permissions = true,
                }
            }
            // What the server says of its sessions shows whether it works: whatever it says to this is an answer.
            Err(error) if error.status().is_some() || error.kind() == ErrorKind::Decode => {
                self.refused.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
