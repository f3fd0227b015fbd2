//! What a run asks for, as operations of 1.x.

use super::summary_step::SummaryStep;
use super::unfinished::AMONG;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::json::{Json, Object, put, with_field};
use crate::protocol::permission::PermissionReply;
use crate::run::wire::{NextCall, OperationCall, Request, SendPrompt};
use serde::Serialize;
use serde_json::{Value, json};

/// How many of the newest sessions are searched for one whose creation was not confirmed.
const FIND_AMONG: u32 = 50;

/// Messages that are read for the one that a request for a summary became: it and its answer are the newest.
const NEWEST: usize = 3;

/// A prompt as the server takes it.
#[derive(Serialize)]
struct PromptBody<'a> {
    #[serde(rename = "sessionID")]
    session: &'a str,
    #[serde(rename = "messageID")]
    message: &'a str,
    parts: &'a [Json],
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'a Json>,
}

pub(crate) fn call(request: &Request) -> Result<OperationCall> {
    let (operation, arguments) = match request {
        Request::Create { mark, title, directory, .. } => {
            let mut arguments = json!({ "metadata": { "libopencode": mark } });
            if let Some(title) = title {
                put(&mut arguments, "title", title.as_str());
            }
            ("session.create", within(arguments, directory))
        }
        Request::FindCreated { directory, .. } => {
            ("session.list", within(json!({ "limit": FIND_AMONG }), directory))
        }
        Request::Health => ("global.health", json!({})),
        Request::Discard { session } => ("session.delete", json!({ "sessionID": session })),
        Request::Session { session } => ("session.get", json!({ "sessionID": session })),
        Request::LastMessage { session } => {
            ("session.messages", json!({ "sessionID": session, "limit": 1 }))
        }
        Request::TakeBackOpen { session, newest } => {
            let (session, newest) = (session.clone(), newest.clone());
            step(&SummaryStep::FindUnfinished { session, newest })
        }
        Request::CheckAgent { directory, .. } => ("app.agents", within(json!({}), directory)),
        Request::CheckModel { directory, .. } => ("config.providers", within(json!({}), directory)),
        Request::FindPrompt { session, message } => {
            ("session.message", json!({ "sessionID": session, "messageID": message }))
        }
        Request::FindCompaction { session, .. } => {
            ("session.messages", json!({ "sessionID": session, "limit": NEWEST }))
        }
        Request::Messages { session, limit, before } => {
            let mut arguments = json!({ "sessionID": session, "limit": limit });
            if let Some(before) = before {
                put(&mut arguments, "before", before.as_str());
            }
            ("session.messages", arguments)
        }
        Request::Abort { session, .. } => ("session.abort", json!({ "sessionID": session })),
        // A bare rejection would end the agent's turn; only this operation takes a message.
        Request::ReplyPermission {
            id, reply: PermissionReply::Reject, message, directory, ..
        } => {
            let mut arguments = json!({ "requestID": id, "reply": "reject" });
            if let Some(message) = message {
                put(&mut arguments, "message", message.as_str());
            }
            ("permission.reply", within(arguments, directory))
        }
        // This one works from any directory.
        Request::ReplyPermission { id, session, reply, .. }
        | Request::RespondPermission { id, session, reply } => (
            "permission.respond",
            json!({ "sessionID": session, "permissionID": id, "response": reply.as_str() }),
        ),
        Request::AnswerQuestion { id, answers: Some(answers), directory, .. } => {
            ("question.reply", within(json!({ "requestID": id, "answers": answers }), directory))
        }
        Request::AnswerQuestion { id, answers: None, directory, .. } => {
            ("question.reject", within(json!({ "requestID": id }), directory))
        }
        Request::Files { session, message } => {
            ("session.diff", json!({ "sessionID": session, "messageID": message }))
        }
        Request::Place { directory } => {
            ("file.list", json!({ "path": ".", "directory": directory }))
        }
        // The project as the directory's instance found it when it began: that noted the time.
        Request::Instance { directory } => ("project.current", json!({ "directory": directory })),
        // Of prompts none waits on these servers.
        Request::Withdraw { session, message } => {
            ("session.delete_message", json!({ "sessionID": session, "messageID": message }))
        }
        Request::Next(NextCall::One(next)) => step(next),
        Request::Next(NextCall::Two(_)) => {
            return Err(Error::new(ErrorKind::Internal, "run: a call of 2.x on a server of 1.x"));
        }
        Request::Send(send) if send.is_compaction => step(&SummaryStep::ReadNewest(send.clone())),
        Request::Send(prompt) => {
            return Ok(OperationCall {
                operation: "session.prompt_async",
                arguments: send(prompt)?,
            });
        }
    };
    Ok(OperationCall { operation, arguments: arguments.to_string() })
}

fn step(step: &SummaryStep) -> (&'static str, Value) {
    match step {
        SummaryStep::ReadNewest(send) => {
            ("session.messages", json!({ "sessionID": send.session, "limit": 1 }))
        }
        SummaryStep::CheckModel(send, _) => {
            ("config.providers", within(json!({}), &send.directory))
        }
        SummaryStep::Summarize(send, model) => {
            let mut arguments = model.to_value();
            put(&mut arguments, "sessionID", send.session.as_str());
            ("session.summarize", arguments)
        }
        SummaryStep::FindUnfinished { session, .. } => {
            ("session.messages", json!({ "sessionID": session, "limit": AMONG }))
        }
        SummaryStep::TakeBack { session, message, .. } => {
            ("session.delete_message", json!({ "sessionID": session, "messageID": message }))
        }
    }
}

fn send(send: &SendPrompt) -> Result<String> {
    let SendPrompt { session, message, prompt, part_ids, .. } = send;
    // A part that is sent twice takes its own place instead of being appended.
    let with_id = |(part, id): (&Json, &String)| match Object::read(part.raw())
        .is_some_and(|part| part.get("id").is_none())
    {
        true => {
            let id = Value::from(id.as_str()).to_string();
            Json::from(&*with_field(part.raw(), "id", &id))
        }
        false => part.clone(),
    };
    let parts: Vec<Json> = prompt.parts.iter().zip(part_ids.iter()).map(with_id).collect();
    let format = prompt.output_format();
    let arguments = PromptBody {
        session,
        message,
        parts: &parts,
        agent: prompt.agent.as_deref(),
        model: prompt.model.as_ref().map(|model| model.to_value()),
        system: prompt.system.as_deref(),
        tools: prompt.tools.as_ref(),
        variant: prompt.variant.as_deref(),
        format: format.as_ref().map(|(format, _)| format),
    };
    serde_json::to_string(&arguments)
        .map_err(|e| Error::invalid(format!("run: the prompt is no JSON: {e}")))
}

fn within(mut arguments: Value, directory: &Option<String>) -> Value {
    if let Some(directory) = directory {
        put(&mut arguments, "directory", directory.as_str());
    }
    arguments
}
