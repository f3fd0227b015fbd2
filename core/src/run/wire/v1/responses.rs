//! What the answers of 1.x mean.

use super::messages::{read_inquiry, read_message, read_messages, read_status};
use super::summary_step::SummaryStep;
use super::unfinished::{after_look, after_newest, after_take_back, is_request};
use crate::base::depth::excess;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::json::{Json, Object, list};
use crate::http::answer::Answer;
use crate::protocol::directory::misread;
use crate::protocol::model_name::{Model, check_model};
use crate::protocol::page::ListPage;
use crate::protocol::permission::PermissionReply;
use crate::protocol::tokens::Tokens;
use crate::run::wire::{
    DirectorySnapshot, FoundPrompt, Meaning, MessagePage, NewestMessage, NextCall, OperationCall,
    Request, Response, SendPrompt, SessionFacts, SnapshotParts, is_foreign,
};
use serde_json::value::RawValue;
use std::sync::Arc;

pub(crate) fn read(request: &Request, answer: Result<Answer>) -> Meaning {
    Meaning::Done(match (request, answer) {
        (Request::Send(send), answer) if send.is_compaction => return newest(send, answer),
        (Request::Next(NextCall::One(step)), answer) => return read_step(step, answer),
        // The server cannot write down a message with a format, and no page that reaches back to the session's beginning
        // and holds one.
        (Request::LastMessage { .. }, Err(error)) if error.status() == Some(400) => {
            Ok(NewestMessage::settled(None))
        }
        (Request::LastMessage { .. }, Ok(answer)) => {
            items(&answer).map(|messages| after_newest(messages.last().copied()))
        }
        (Request::TakeBackOpen { session, newest }, answer) => {
            let (session, newest) = (session.clone(), newest.clone());
            return read_step(&SummaryStep::FindUnfinished { session, newest }, answer);
        }
        // It is there all the same.
        (Request::FindPrompt { .. }, Err(error)) if is_unreadable(&error) => {
            Ok(Response::Prompt(FoundPrompt::Prompt))
        }
        (Request::Messages { .. }, Err(error)) if is_unreadable(&error) => {
            Ok(Response::Messages(Ok(MessagePage::Refused)))
        }
        (Request::Place { .. }, answer) => {
            // What the server says where it cannot read a directory. A gateway, or a stand-in, has other words.
            let is_gone = answer.is_err_and(|e| {
                e.status() == Some(500) && matches!(e.code(), Some("UnknownError" | "directory"))
            });
            Ok(Response::Place { is_gone })
        }
        // A subagent may work in another directory than the run, and older servers know only the other way.
        (
            Request::ReplyPermission { id, session, reply: PermissionReply::Reject, .. },
            Err(error),
        ) if !error.leaves_open() && !is_foreign(&error) => {
            let (id, session) = (id.clone(), session.clone());
            let reply = PermissionReply::Reject;
            return Meaning::Then(Request::RespondPermission { id, session, reply });
        }
        (_, Err(error)) => Err(error),
        (request, Ok(answer)) => response(request, &answer),
    })
}

fn then(step: SummaryStep) -> Meaning {
    Meaning::Then(Request::Next(NextCall::One(step)))
}

/// What the calls before a summary say, and the summary itself.
fn read_step(step: &SummaryStep, answer: Result<Answer>) -> Meaning {
    match (step, answer) {
        (SummaryStep::ReadNewest(send), answer) => newest(send, answer),
        (SummaryStep::CheckModel(send, model), answer) => {
            let checked = answer.and_then(|answer| answer.json::<Json>());
            match checked.and_then(|config| check_model("compact", model, &config)) {
                Ok(()) => then(SummaryStep::Summarize(send.clone(), model.clone())),
                Err(error) => Meaning::Done(Err(error)),
            }
        }
        (SummaryStep::Summarize(..), answer) => Meaning::Done(answer.map(|_| Response::Done)),
        (SummaryStep::FindUnfinished { session, .. }, Ok(answer)) => match items(&answer) {
            Ok(messages) => after_look(session, &messages),
            Err(error) => Meaning::Done(Err(error)),
        },
        // What cannot be written down cannot be looked through.
        (SummaryStep::FindUnfinished { newest, .. }, Err(error)) if is_unreadable(&error) => {
            Meaning::Done(Ok(NewestMessage::settled(newest.clone())))
        }
        (SummaryStep::FindUnfinished { .. }, Err(error)) => Meaning::Done(Err(error)),
        // The prompt waits until it is known what became of it.
        (SummaryStep::TakeBack { .. }, Err(error)) if error.is_transient() => {
            Meaning::Done(Err(error))
        }
        // It is gone, or somebody works in the session again and it is not left any more.
        (SummaryStep::TakeBack { session, left, newest, .. }, _) => {
            after_take_back(session, left, newest.as_ref())
        }
    }
}

/// Whether there is something to summarize, by the session's newest message, and with which model: the server takes no
/// request without one.
fn newest(send: &SendPrompt, answer: Result<Answer>) -> Meaning {
    let refused = |text: String| Meaning::Done(Err(Error::invalid(text)));
    let session = &send.session;
    let newest = match &answer {
        // It is there, and cannot be written down.
        Err(error) if is_unreadable(error) => None,
        Err(error) => return Meaning::Done(Err(error.clone())),
        Ok(answer) => match items(answer) {
            Ok(messages) => match messages.last() {
                Some(raw) => Object::read(raw).and_then(|message| message.object("info")),
                None => return Meaning::Done(Err(nothing_to_compact(session))),
            },
            Err(error) => return Meaning::Done(Err(error)),
        },
    };
    let info = newest.unwrap_or_default();
    let is_summary = info.flag("summary") == Some(true);
    if is_summary && info.get("error").is_none() && info.text("finish").is_some() {
        return Meaning::Done(Err(nothing_to_compact(session)));
    }
    let named = info.object("model").unwrap_or(info);
    let named = named.text("providerID").zip(named.text("modelID"));
    let known = named.map(|(provider_id, model_id)| Model { provider_id, model_id });
    match send.prompt.model.clone().or(known) {
        Some(model) => then(SummaryStep::CheckModel(send.clone(), model)),
        None => refused(format!(
            "compact: the newest message of session {session} names no model; give one"
        )),
    }
}

/// What a server of 2.x says of a session like this.
fn nothing_to_compact(session: &str) -> Error {
    let code = "compaction.unavailable";
    let text = format!("compact: {code}: nothing was said in session {session} since its summary");
    Error::new(ErrorKind::Agent, text).with_code(Some(code.to_owned()))
}

/// The request for a summary among the newest messages, the oldest first: no other one came after `after`.
fn compaction(answer: &Answer, session: &str, after: Option<&str>) -> Result<Response> {
    let id = |raw: &RawValue| read_message(raw, &mut Vec::new()).map(|message| message.info.id);
    let messages = items(answer)?;
    let newer = messages.into_iter().rev().take_while(|raw| id(raw).as_deref() != after);
    match newer.filter(|raw| is_request(raw)).find_map(id) {
        Some(id) => Ok(Response::Compaction(id)),
        None => {
            let text = format!("compact: session {session} has no request for a summary");
            let code = Some("MessageNotFoundError".to_owned());
            Err(Error::new(ErrorKind::NotFound, text).with_code(code).with_sent(true))
        }
    }
}

/// Whether the server itself cannot write down what it has.
fn is_unreadable(error: &Error) -> bool {
    error.status() == Some(400) && !is_foreign(error)
}

fn response(request: &Request, answer: &Answer) -> Result<Response> {
    Ok(match request {
        Request::Create { .. } => session(&answer.json_ref::<Object<'_>>()?).made(answer)?,
        Request::Session { .. } => Response::Session(session(&answer.json_ref::<Object<'_>>()?)),
        Request::FindCreated { mark, .. } => {
            let sessions = items(answer)?;
            let mut sessions = sessions.into_iter().filter_map(Object::read);
            let found = sessions.find(|listed| SessionFacts::has_mark(listed, mark));
            Response::Found(found.map(|object| session(&object)))
        }
        Request::CheckAgent { agent, .. } => {
            Response::Name(answer.json::<Json>().and_then(|agents| check_agent(agent, &agents)))
        }
        Request::CheckModel { model, .. } => Response::Name(
            answer.json::<Json>().and_then(|config| check_model("run", model, &config)),
        ),
        Request::FindPrompt { .. } => {
            let role = answer.json::<Json>().ok().and_then(|message| message.text_at("/info/role"));
            Response::Prompt(match role.as_deref() {
                Some("assistant") => FoundPrompt::Answer,
                _ => FoundPrompt::Prompt,
            })
        }
        Request::FindCompaction { session, after, .. } => {
            compaction(answer, session, after.as_deref())?
        }
        Request::Messages { before, .. } => {
            Response::Messages(ListPage::read(answer).map(|mut page| {
                let mut odd = Vec::new();
                let messages = read_messages(&page.items, &mut odd);
                MessagePage::Read { messages, next: page.next_after(before.as_deref()), odd }
            }))
        }
        Request::Files { .. } => {
            let files = answer.json::<Box<RawValue>>().ok();
            Response::Files(files.filter(|raw| is_handed(raw)).map(Arc::from))
        }
        Request::Instance { .. } => {
            let project = answer.json_ref::<Object<'_>>()?;
            let begun = project.object("time").and_then(|time| time.number("updated"));
            Response::Instance { begun }
        }
        Request::Health
        | Request::Discard { .. }
        | Request::Send(_)
        | Request::Abort { .. }
        | Request::Place { .. }
        | Request::LastMessage { .. }
        | Request::TakeBackOpen { .. }
        | Request::Withdraw { .. }
        | Request::Next(_) => Response::Done,
        Request::ReplyPermission { .. }
        | Request::RespondPermission { .. }
        | Request::AnswerQuestion { .. } => match answer.bytes().trim_ascii() {
            b"false" => return Err(answer.decode_error("takes no answer", &"it is false")),
            _ => Response::Done,
        },
    })
}

fn session(object: &Object<'_>) -> SessionFacts {
    let directory = object.text("directory");
    SessionFacts {
        id: object.text("id").filter(|id| !id.is_empty()),
        misread: directory.as_deref().and_then(misread),
        directory,
        parent: object.text("parentID"),
        cost: object.cost("cost"),
        tokens: object.get("tokens").map(Tokens::read).unwrap_or_default(),
    }
}

/// Whether a list can be given to a host.
pub(crate) fn is_handed(raw: &RawValue) -> bool {
    list(raw).is_some() && excess(raw.get().as_bytes()).is_none()
}

/// Refuses an agent that is not listed. A list that cannot be read as a whole says nothing.
fn check_agent(wanted: &str, agents: &Json) -> Result<()> {
    let Some(agents) = list(agents.raw()) else { return Ok(()) };
    check_agent_in(wanted, agents, "name")
}

/// The same for a list of agents with a field that holds their names.
pub(crate) fn check_agent_in(wanted: &str, agents: Vec<&RawValue>, field: &str) -> Result<()> {
    let name = |agent: &RawValue| Object::read(agent)?.text(field);
    let Some(names) = agents.into_iter().map(name).collect::<Option<Vec<_>>>() else {
        return Ok(());
    };
    if names.is_empty() || names.iter().any(|name| name == wanted) {
        return Ok(());
    }
    let known = names.join(", ");
    let text = format!("run: agent '{wanted}' is not known; there are: {known}");
    Err(Error::new(ErrorKind::Agent, text))
}

/// Reads what a directory looks like. `started` is left to whoever has a clock.
pub(crate) fn snapshot(
    directory: Option<&str>,
    parts: SnapshotParts,
    mut ask: impl FnMut(OperationCall) -> Result<Answer>,
    odd: &mut Vec<String>,
) -> Result<DirectorySnapshot> {
    let arguments = match directory {
        Some(directory) => serde_json::json!({ "directory": directory }).to_string(),
        None => String::new(),
    };
    let mut call = |operation| ask(OperationCall { operation, arguments: arguments.clone() });
    let mut snapshot = DirectorySnapshot::default();
    match parts {
        SnapshotParts::Status => {
            let answer = call("session.status")?;
            let listed = answer.json_ref::<Object<'_>>()?;
            let status = listed.fields().map(|(id, raw)| (id.to_owned(), read_status(raw)));
            snapshot.status = status.collect();
        }
        SnapshotParts::Lists => {
            for (operation, is_question) in [("permission.list", false), ("question.list", true)] {
                snapshot.add(is_question, call(operation), items, read_inquiry, odd)?;
            }
        }
    }
    Ok(snapshot)
}

/// The list that an answer is.
fn items(answer: &Answer) -> Result<Vec<&RawValue>> {
    Ok(ListPage::read(answer)?.items)
}
