//! What a run asks for, as operations of 2.x.

use super::inquiry::answer;
use super::step::Step;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::json::{Object, put};
use crate::run::prompt::Prompt;
use crate::run::wire::{NewestMessage, NextCall, OperationCall, Request, Response, SendPrompt};
use serde_json::{Value, json};

/// How many of the newest sessions are searched for one whose creation was not confirmed.
const FIND_AMONG: u32 = 50;
/// Messages are read at least so many at once: marks and notes of the server stand between those that count.
const PAGE: usize = 20;

pub(crate) fn call(request: &Request) -> Result<OperationCall> {
    let (operation, arguments) = match request {
        Request::Create { mark, title, directory, prompt } => {
            // What cannot be sent needs no session.
            check(prompt)?;
            let mut arguments = json!({ "metadata": { "libopencode": mark } });
            if let Some(title) = title {
                put(&mut arguments, "title", title.as_str());
            }
            ("v2.session.create", within(arguments, directory))
        }
        Request::FindCreated { directory, .. } => {
            ("v2.session.list", within(json!({ "limit": FIND_AMONG }), directory))
        }
        Request::Health => ("v2.server.info", json!({})),
        Request::Discard { session } => ("v2.session.remove", json!({ "sessionID": session })),
        Request::Session { session } => ("v2.session.get", json!({ "sessionID": session })),
        Request::LastMessage { session } | Request::TakeBackOpen { session, .. } => {
            ("v2.session.messages", json!({ "sessionID": session, "limit": PAGE }))
        }
        Request::CheckAgent { directory, .. } => ("v2.agent.list", within(json!({}), directory)),
        Request::CheckModel { directory, .. } => ("v2.model.list", within(json!({}), directory)),
        Request::FindPrompt { session, message }
        | Request::FindCompaction { session, message, .. } => message_of(session, message),
        Request::Messages { session, limit, before } => {
            let mut arguments = json!({ "sessionID": session, "limit": (*limit).max(PAGE) });
            if let Some(before) = before {
                put(&mut arguments, "cursor", before.as_str());
            }
            ("v2.session.messages", arguments)
        }
        // A prompt that waits is taken back first: the session may be at work for somebody else.
        Request::Abort { session, message: Some(message) } => withdraw(session, message),
        Request::Abort { session, message: None } => interrupt(session),
        Request::ReplyPermission { id, session, reply, message, .. } => {
            let mut arguments =
                json!({ "sessionID": session, "requestID": id, "decision": reply.as_str() });
            if let Some(message) = message {
                put(&mut arguments, "message", message.as_str());
            }
            ("v2.session.permission.reply", arguments)
        }
        Request::RespondPermission { id, session, reply } => (
            "v2.session.permission.reply",
            json!({ "sessionID": session, "requestID": id, "decision": reply.as_str() }),
        ),
        Request::AnswerQuestion { id, question, answers: Some(answers), .. } => (
            "v2.session.form.reply",
            json!({
                "sessionID": question.session_id, "formID": id, "answer": answer(question, answers),
            }),
        ),
        Request::AnswerQuestion { id, question, answers: None, .. } => {
            ("v2.session.form.cancel", json!({ "sessionID": question.session_id, "formID": id }))
        }
        Request::Files { session, message } => {
            ("v2.session.diff", json!({ "sessionID": session, "from": message }))
        }
        Request::Place { directory } | Request::Instance { directory } => {
            ("v2.location.get", json!({ "directory": directory }))
        }
        Request::Send(send) => {
            if !send.is_compaction {
                check(&send.prompt)?;
            }
            return step(&Step::of_send(send));
        }
        Request::Withdraw { session, message } => withdraw(session, message),
        Request::Next(NextCall::Two(of)) => return step(of),
        Request::Next(NextCall::One(_)) => {
            let text = "run: a call of 1.x on a server of 2.x";
            return Err(Error::new(ErrorKind::Internal, text));
        }
    };
    Ok(OperationCall { operation, arguments: arguments.to_string() })
}

/// 2.x does not say since when it works in a directory, and cannot be told to leave one. It begins nothing again.
pub(crate) fn known(request: &Request) -> Option<Response> {
    match request {
        Request::Instance { .. } => Some(Response::Instance { begun: None }),
        Request::TakeBackOpen { newest, .. } => Some(NewestMessage::settled(newest.clone())),
        _ => None,
    }
}

fn step(step: &Step) -> Result<OperationCall> {
    let (operation, arguments) = match step {
        Step::CheckAgent(send) => ("v2.agent.list", within(json!({}), &send.directory)),
        Step::SwitchAgent(send) => (
            "v2.session.switch_agent",
            json!({ "sessionID": send.session, "agent": send.prompt.agent }),
        ),
        Step::CheckModel(send) => ("v2.model.list", within(json!({}), &send.directory)),
        Step::SwitchModel(send) => {
            let mut model = json!({});
            if let Some(name) = &send.prompt.model {
                model = json!({ "providerID": name.provider_id, "id": name.model_id });
            }
            if let Some(variant) = &send.prompt.variant {
                put(&mut model, "variant", variant.as_str());
            }
            ("v2.session.switch_model", json!({ "sessionID": send.session, "model": model }))
        }
        Step::Prompt(send) => ("v2.session.prompt", prompt(send)?),
        Step::Compact(send) => (
            "v2.session.compact",
            json!({ "sessionID": send.session, "id": send.message, "delivery": "queue" }),
        ),
        Step::FindPlace { directory, .. } => ("v2.location.get", json!({ "directory": directory })),
        Step::FindWaiting { session, .. } => {
            ("v2.session.inbox.list", json!({ "sessionID": session }))
        }
        Step::FindCurrent { session, .. } => {
            ("v2.session.messages", json!({ "sessionID": session, "limit": PAGE }))
        }
        Step::FindBegun { session, message, .. } => message_of(session, message),
        Step::Interrupt { session } => interrupt(session),
    };
    Ok(OperationCall { operation, arguments: arguments.to_string() })
}

/// A prompt as 2.x takes it: one text, and files beside it. It waits for what the session does: one that does not
/// would be answered together with that.
fn prompt(send: &SendPrompt) -> Result<Value> {
    let mut arguments = content(&send.prompt)?;
    for (name, value) in
        [("sessionID", &*send.session), ("id", &send.message), ("delivery", "queue")]
    {
        put(&mut arguments, name, value);
    }
    Ok(arguments)
}

/// Refuses what 2.x does not take.
fn check(prompt: &Prompt) -> Result<()> {
    content(prompt).map(drop)
}

fn content(given: &Prompt) -> Result<Value> {
    let refused = [
        ("system", given.system.is_some(), "write it into the prompt"),
        ("tools", given.tools.is_some(), "choose an agent that has the right tools"),
        ("format", given.format.is_some(), "ask for JSON in the prompt, or use a server of 1.x"),
        ("variant", given.variant.is_some() && given.model.is_none(), "give the model with it"),
    ];
    if let Some((name, _, instead)) = refused.into_iter().find(|(_, is_given, _)| *is_given) {
        return Err(unsupported(&format!("{name} of a prompt"), instead));
    }
    let mut texts = Vec::new();
    let mut files = Vec::new();
    let mut agents = Vec::new();
    for part in &given.parts {
        let part = Object::read(part.raw()).unwrap_or_default();
        match part.text("type").as_deref() {
            Some("text") => texts.push(part.text("text").unwrap_or_default()),
            Some("file") => {
                let mut file = json!({ "uri": part.text("url").unwrap_or_default() });
                if let Some(name) = part.text("filename") {
                    put(&mut file, "name", name);
                }
                files.push(file);
            }
            Some("agent") => agents.push(json!({ "name": part.text("name").unwrap_or_default() })),
            kind => {
                let kind = kind.unwrap_or_default();
                return Err(unsupported(
                    &format!("a part of type '{kind}'"),
                    "give text and files",
                ));
            }
        }
    }
    let mut arguments = json!({ "text": texts.join("\n\n") });
    for (name, list) in [("files", files), ("agents", agents)] {
        if !list.is_empty() {
            put(&mut arguments, name, list);
        }
    }
    Ok(arguments)
}

fn unsupported(what: &str, instead: &str) -> Error {
    let text = format!("run: {what} is nothing that a server of 2.x takes; {instead}");
    Error::new(ErrorKind::Unsupported, text)
}

fn message_of(session: &str, message: &str) -> (&'static str, Value) {
    ("v2.session.message", json!({ "sessionID": session, "messageID": message }))
}

fn interrupt(session: &str) -> (&'static str, Value) {
    ("v2.session.interrupt", json!({ "sessionID": session }))
}

fn withdraw(session: &str, message: &str) -> (&'static str, Value) {
    ("v2.session.inbox.cancel", json!({ "sessionID": session, "inboxID": message }))
}

fn within(mut arguments: Value, directory: &Option<String>) -> Value {
    if let Some(directory) = directory {
        put(&mut arguments, "directory", directory.as_str());
    }
    arguments
}
