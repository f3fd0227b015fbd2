//! What the answers of 2.x mean.

use super::inquiry::{read_form, read_permission};
use super::messages::{counts, read_messages};
use super::step::Step;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::json::Object;
use crate::call::dialect::NO_DIRECTORY;
use crate::http::answer::Answer;
use crate::protocol::model_name::Model;
use crate::protocol::page::ListPage;
use crate::protocol::tokens::Tokens;
use crate::run::wire::{
    DirectorySnapshot, FoundPrompt, Inquiry, Meaning, MessagePage, NewestMessage, NextCall,
    OperationCall, Request, Response, SendPrompt, SessionFacts, SnapshotParts, Status, is_absent,
    v1,
};
use serde_json::value::RawValue;
use std::sync::Arc;

pub(crate) fn read(request: &Request, answer: Result<Answer>) -> Meaning {
    match (request, answer) {
        (Request::Send(send), answer) => read_step(&Step::of_send(send), answer),
        (Request::Next(NextCall::Two(step)), answer) => read_step(step, answer),
        (Request::Abort { session, message: Some(message) }, Ok(_)) => {
            let (session, message) = (session.clone(), message.clone());
            then(Step::FindCurrent { session, message })
        }
        // It is no message before its turn.
        (
            Request::FindPrompt { session, message }
            | Request::FindCompaction { session, message, .. },
            Err(error),
        ) if is_absent(&error) => {
            let (session, message) = (session.clone(), message.clone());
            then(Step::FindWaiting { session, message })
        }
        (Request::Place { .. }, answer) => {
            let is_gone = answer.is_err_and(|e| e.code() == Some(NO_DIRECTORY));
            done(Ok(Response::Place { is_gone }))
        }
        (_, Err(error)) => done(Err(error)),
        (request, Ok(answer)) => done(response(request, &answer)),
    }
}

fn done(response: Result<Response>) -> Meaning {
    Meaning::Done(response)
}

fn then(step: Step) -> Meaning {
    Meaning::Then(Request::Next(NextCall::Two(step)))
}

fn read_step(step: &Step, answer: Result<Answer>) -> Meaning {
    let answer = match (step, answer) {
        (Step::FindBegun { .. }, Err(error)) if is_absent(&error) => {
            // Either the session is gone, which the next look tells, or the prompt was never begun.
            return done(Ok(Response::Withdrawn));
        }
        (Step::FindPlace { directory, error }, answer) => {
            let is_gone = answer.is_err_and(|e| e.code() == Some(NO_DIRECTORY));
            return done(Err(if is_gone { gone(directory) } else { error.clone() }));
        }
        // It was sent before, and arrived.
        (Step::Compact(send), Err(error)) if error.code() == Some("ConflictError") => {
            return done(Ok(Response::Compaction(send.message.clone())));
        }
        (Step::Prompt(send) | Step::Compact(send), Err(error)) if says_nothing(&error) => {
            return match send.directory.clone() {
                Some(directory) => then(Step::FindPlace { directory, error }),
                None => done(Err(error)),
            };
        }
        (_, Err(error)) => return done(Err(error)),
        (_, Ok(answer)) => answer,
    };
    match step {
        Step::CheckAgent(send) => match check_agent(send, &answer) {
            Ok(()) => then(Step::SwitchAgent(send.clone())),
            Err(error) => done(Err(error)),
        },
        Step::SwitchAgent(send) => then(Step::with_agent(send)),
        Step::CheckModel(send) => match check_model(send, &answer) {
            Ok(()) => then(Step::SwitchModel(send.clone())),
            Err(error) => done(Err(error)),
        },
        Step::SwitchModel(send) => then(Step::with_model(send)),
        Step::Compact(send) => done(Ok(Response::Compaction(send.message.clone()))),
        Step::FindWaiting { session, message } => done(waiting(session, message, &answer)),
        Step::FindCurrent { session, message } => match items(&answer) {
            Ok(messages) => current(session, message, &messages),
            Err(error) => done(Err(error)),
        },
        Step::FindBegun { session, is_last: true, .. } => {
            then(Step::Interrupt { session: session.clone() })
        }
        // An end of what the session does now would end another prompt.
        Step::FindBegun { is_last: false, .. } => done(Ok(Response::Done)),
        Step::Prompt(_) | Step::FindPlace { .. } | Step::Interrupt { .. } => {
            done(Ok(Response::Done))
        }
    }
}

/// Whether the server failed, and has no word for it.
fn says_nothing(error: &Error) -> bool {
    error.status() == Some(500) && error.body().is_none_or(str::is_empty)
}

/// The error of a session whose directory is gone.
fn gone(directory: &str) -> Error {
    let text = format!(
        "run: the server cannot read the session's directory {directory}; it was moved or deleted"
    );
    Error::new(ErrorKind::NotFound, text).with_code(Some(NO_DIRECTORY.to_owned())).with_sent(true)
}

/// How an abort goes on, by the newest messages, the newest first: an interrupt ends whatever the session works on.
fn current(session: &str, message: &str, messages: &[&RawValue]) -> Meaning {
    let mut is_last = true;
    for object in messages.iter().filter_map(|raw| Object::read(raw)) {
        match object.text("type").as_deref() {
            Some("user" | "compaction") if object.text("id").as_deref() == Some(message) => {
                return match is_last {
                    true => then(Step::Interrupt { session: session.to_owned() }),
                    false => done(Ok(Response::Done)),
                };
            }
            Some("user" | "idle") => is_last = false,
            _ => {}
        }
    }
    let (session, message) = (session.to_owned(), message.to_owned());
    then(Step::FindBegun { session, message, is_last })
}

/// What is in the `data` of an answer.
fn data(answer: &Answer) -> Result<&RawValue> {
    let object = answer.json_ref::<Object<'_>>()?;
    object.get("data").ok_or_else(|| answer.decode_error("has no data", &"the field is missing"))
}

/// The list in the `data` of an answer.
fn items(answer: &Answer) -> Result<Vec<&RawValue>> {
    Ok(ListPage::read(answer)?.items)
}

fn object(answer: &Answer) -> Result<Object<'_>> {
    Object::read(data(answer)?)
        .ok_or_else(|| answer.decode_error("has no object", &"it is something else"))
}

fn response(request: &Request, answer: &Answer) -> Result<Response> {
    Ok(match request {
        Request::Create { .. } => session(&object(answer)?).made(answer)?,
        Request::Session { .. } => Response::Session(session(&object(answer)?)),
        Request::FindCreated { mark, .. } => {
            let mut sessions = items(answer)?.into_iter().filter_map(Object::read);
            let found = sessions.find(|listed| SessionFacts::has_mark(listed, mark));
            Response::Found(found.map(|object| session(&object)))
        }
        Request::LastMessage { .. } | Request::TakeBackOpen { .. } => {
            let newest = items(answer)?.into_iter().find(|raw| counts(raw));
            NewestMessage::settled(newest.and_then(|raw| Object::read(raw)?.text("id")))
        }
        Request::CheckAgent { agent, .. } => Response::Name(is_agent(agent, &items(answer)?)),
        Request::CheckModel { model, .. } => Response::Name(is_model(model, &items(answer)?)),
        Request::FindPrompt { .. } => {
            let kind = object(answer).ok().and_then(|message| message.text("type"));
            Response::Prompt(match kind.as_deref() {
                Some("assistant") => FoundPrompt::Answer,
                _ => FoundPrompt::Prompt,
            })
        }
        Request::FindCompaction { message, .. } => Response::Compaction(message.clone()),
        Request::Messages { session, before, .. } => {
            Response::Messages(ListPage::read(answer).map(|mut page| {
                let mut odd = Vec::new();
                let messages = read_messages(&page.items, session, &mut odd);
                MessagePage::Read { messages, next: page.next_after(before.as_deref()), odd }
            }))
        }
        Request::Files { .. } => {
            let files = data(answer).ok().filter(|raw| v1::is_handed(raw));
            Response::Files(files.map(|raw| Arc::from(raw.to_owned())))
        }
        Request::Health
        | Request::Discard { .. }
        | Request::Send(_)
        | Request::Abort { .. }
        | Request::ReplyPermission { .. }
        | Request::RespondPermission { .. }
        | Request::AnswerQuestion { .. }
        | Request::Place { .. }
        | Request::Instance { .. }
        | Request::Withdraw { .. }
        | Request::Next(_) => Response::Done,
    })
}

fn session(object: &Object<'_>) -> SessionFacts {
    SessionFacts {
        id: object.text("id").filter(|id| !id.is_empty()),
        misread: None,
        directory: object.object("location").and_then(|location| location.text("directory")),
        parent: object.text("parentID"),
        cost: object.cost("cost"),
        tokens: object.get("tokens").map(Tokens::read).unwrap_or_default(),
    }
}

/// Whether a prompt is among those that wait.
fn waiting(session: &str, message: &str, answer: &Answer) -> Result<Response> {
    let is_it = |raw: &&RawValue| {
        Object::read(raw).and_then(|item| item.text("id")).as_deref() == Some(message)
    };
    match items(answer)?.iter().any(is_it) {
        true => Ok(Response::Prompt(FoundPrompt::Prompt)),
        false => {
            let text = format!("run: session {session} has no message {message}");
            let code = Some("MessageNotFoundError".to_owned());
            Err(Error::new(ErrorKind::NotFound, text).with_code(code).with_sent(true))
        }
    }
}

fn check_agent(send: &SendPrompt, answer: &Answer) -> Result<()> {
    match &send.prompt.agent {
        Some(agent) => is_agent(agent, &items(answer)?),
        None => Ok(()),
    }
}

fn check_model(send: &SendPrompt, answer: &Answer) -> Result<()> {
    match &send.prompt.model {
        Some(model) => is_model(model, &items(answer)?),
        None => Ok(()),
    }
}

/// Refuses an agent that is not listed. In the first seconds of a directory the list is empty, which says nothing.
fn is_agent(wanted: &str, agents: &[&RawValue]) -> Result<()> {
    v1::check_agent_in(wanted, agents.to_vec(), "id")
}

/// The same for a model.
fn is_model(wanted: &Model, models: &[&RawValue]) -> Result<()> {
    let name = |model: &&RawValue| {
        let model = Object::read(model)?;
        Some(format!("{}/{}", model.text("providerID")?, model.text("id")?))
    };
    let Some(names) = models.iter().map(name).collect::<Option<Vec<_>>>() else { return Ok(()) };
    let wanted = format!("{}/{}", wanted.provider_id, wanted.model_id);
    if names.is_empty() || names.contains(&wanted) {
        return Ok(());
    }
    let text = format!("run: model '{wanted}' is not known; v2.model.list tells which are");
    Err(Error::new(ErrorKind::Agent, text))
}

/// Reads what a directory looks like. `started` is left to whoever has a clock.
pub(crate) fn snapshot(
    directory: Option<&str>,
    parts: SnapshotParts,
    mut ask: impl FnMut(OperationCall) -> Result<Answer>,
    odd: &mut Vec<String>,
) -> Result<DirectorySnapshot> {
    let mut snapshot = DirectorySnapshot::default();
    if parts == SnapshotParts::Status {
        let operation = "v2.session.active";
        let answer = ask(OperationCall { operation, arguments: String::new() })?;
        // Only those that work are listed.
        let listed = object(&answer)?;
        snapshot.status = listed.fields().map(|(id, _)| (id.to_owned(), Status::Busy)).collect();
        return Ok(snapshot);
    }
    let arguments = match directory {
        Some(directory) => serde_json::json!({ "directory": directory }).to_string(),
        None => String::new(),
    };
    for (operation, is_form) in [("v2.permission.request.list", false), ("v2.form.list", true)] {
        let answer = ask(OperationCall { operation, arguments: arguments.clone() });
        snapshot.add(is_form, answer, items, read_inquiry, odd)?;
    }
    Ok(snapshot)
}

fn read_inquiry(raw: &RawValue, is_form: bool) -> std::result::Result<Inquiry, String> {
    match is_form {
        true => read_form(raw),
        false => read_permission(raw),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::to_raw_value;
    use serde_json::{Value, json};

    #[test]
    fn an_abort_interrupts_nothing_but_its_own_prompt() {
        let after = |newest: Value| {
            let list = newest.as_array().unwrap().iter().map(|m| to_raw_value(m).unwrap());
            let list: Vec<_> = list.collect();
            let refs: Vec<&RawValue> = list.iter().map(|raw| &**raw).collect();
            format!("{:?}", current("ses_1", "msg_1", &refs))
        };
        let mine = json!({ "type": "user", "id": "msg_1" });
        let other = json!({ "type": "user", "id": "msg_2" });
        let (answer, idle) = (json!({ "type": "assistant" }), json!({ "type": "idle" }));
        assert!(after(json!([answer, mine, idle, other])).contains("Interrupt"));
        // It is over, and somebody else's may be at work.
        for newest in [json!([idle, answer, mine]), json!([answer, other, answer, mine])] {
            assert!(after(newest.clone()).contains("Done(Ok(Done))"), "{}", after(newest));
        }
        let summary = json!({ "type": "compaction", "id": "msg_1" });
        assert!(after(json!([summary, idle, answer, other])).contains("Interrupt"));
        assert!(after(json!([answer, answer])).contains("is_last: true"));
        assert!(after(json!([answer, other])).contains("is_last: false"));
    }
}
