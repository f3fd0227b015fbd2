//! Messages of 2.x.
//!
//! An answer names no prompt: the order says whose it is. So only what counts for that is kept: prompts, answers, and the
//! marks at which a session came to rest.

use crate::base::json::{Json, Object};
use crate::protocol::stored;
use crate::run::wire::{
    Failure, Info, PartContent, Status, StoredMessage, StoredPart, Time, ToolFailure, ToolUse, v1,
};
use serde_json::json;
use serde_json::value::RawValue;

/// The code of an error of somebody who ended the turn.
const ABORTED: &str = "aborted";

/// Reads a list of messages, the newest first; gives the oldest first.
pub(super) fn read_messages(
    raws: &[&RawValue],
    session: &str,
    odd: &mut Vec<String>,
) -> Vec<StoredMessage> {
    let mut messages: Vec<StoredMessage> = Vec::with_capacity(raws.len());
    for raw in raws.iter().rev() {
        if let Some(mut message) = read_message(raw, session, odd) {
            if message.info.role == "user" {
                came_before(&mut message.info, messages.last());
            }
            messages.push(message);
        }
    }
    messages
}

/// Whether a message is one of those that count.
pub(super) fn counts(raw: &RawValue) -> bool {
    let kind = Object::read(raw).and_then(|message| message.text("type"));
    matches!(kind.as_deref(), Some("user" | "assistant" | "idle"))
}

fn read_message(raw: &RawValue, session: &str, odd: &mut Vec<String>) -> Option<StoredMessage> {
    if let Some(summary) = read_summary(raw, session, odd) {
        return Some(summary);
    }
    if !counts(raw) {
        return None;
    }
    let object = Object::read(raw)?;
    if object.text("type").as_deref() == Some("idle") {
        let (id, role) = (object.text("id")?, "idle".to_owned());
        let created = object.object("time").and_then(|time| time.number("created"));
        let time = Time { created: created.unwrap_or_default(), completed: None };
        let error = object.text("outcome").and_then(outcome);
        let info = Info { id, role, time, error, ..Info::default() };
        return Some(StoredMessage { info, parts: Vec::new(), raw: raw.to_owned() });
    }
    let Some(made) = stored::message(raw, session) else {
        odd.push("a message without an id".to_owned());
        return None;
    };
    let mut message = v1::read_message(&made, odd)?;
    message.parts.iter_mut().for_each(adapt_part);
    let retry = object.object("retry");
    adapt_info(&mut message.info, retry.is_some());
    message.info.retry = retry.filter(|_| !message.info.is_completed()).map(|r| read_retry(&r));
    if message.parts.iter().any(was_declined) && message.info.error.as_ref().is_some_and(is_abort) {
        // The turn ends because a person said no: that is no failure.
        (message.info.error, message.info.finish) = (None, Some("tool-calls".to_owned()));
    }
    Some(message)
}

/// The summary that somebody asked for. What the server summarizes by itself is no message of anybody.
fn read_summary(raw: &RawValue, session: &str, odd: &mut Vec<String>) -> Option<StoredMessage> {
    let object = Object::read(raw)?;
    let is_kind = |name: &str, word: &str| object.text(name).as_deref() == Some(word);
    if !is_kind("type", "compaction") || !is_kind("reason", "manual") {
        return None;
    }
    let made = stored::message(raw, session)?;
    let mut message = v1::read_message(&made, odd)?;
    let info = &mut message.info;
    summarizes(info);
    adapt_info(info, false);
    if !is_kind("status", "running") {
        info.time.completed = Some(info.time.created);
        info.finish.get_or_insert_with(|| "stop".to_owned());
    }
    Some(message)
}

/// A summary is the answer to itself.
pub(super) fn summarizes(info: &mut Info) {
    (info.is_summary, info.parent_id) = (true, Some(info.id.clone()));
}

/// A provider that failed and is asked again, as an event and the answer itself tell it.
pub(super) fn read_retry(fields: &Object<'_>) -> Status {
    let error = fields.object("error").unwrap_or_default();
    // It counts the tries, and 1.x the repetitions.
    let attempt = fields.count("attempt").saturating_sub(1);
    Status::Retry {
        attempt: u32::try_from(attempt).unwrap_or(u32::MAX),
        message: error.words("message").unwrap_or_default(),
        next: fields.number("at").unwrap_or_default(),
    }
}

/// How a session came to rest, when not well. Of a failure the reason is told by an event alone.
fn outcome(word: String) -> Option<Failure> {
    let words = match word.as_str() {
        "interrupted" => "somebody ended it",
        "failed" => {
            "the server told why in an event that did not come; probably the model is not known: v2.model.list says which are"
        }
        _ => return None,
    };
    Some(Failure {
        is_abort: word == "interrupted",
        code: word,
        words: words.to_owned(),
        is_retryable: false,
        body: Json::from(json!({})),
    })
}

/// What an answer of 2.x has in words of its own.
pub(super) fn adapt_info(info: &mut Info, has_retry: bool) {
    if let Some(error) = &mut info.error {
        error.is_abort = is_abort(error);
    }
    info.is_continued =
        has_retry && info.error.is_some() && info.finish.as_deref() == Some("error");
    if has_retry && info.error.is_some() && !info.is_completed() {
        // The same answer is tried again.
        info.error = None;
    }
}

fn is_abort(error: &Failure) -> bool {
    error.code == ABORTED
}

pub(super) fn adapt_part(part: &mut StoredPart) {
    if let PartContent::Tool(tool) = &mut part.content {
        adapt_tool(tool, &part.raw);
    }
}

fn adapt_tool(tool: &mut ToolUse, raw: &RawValue) {
    let state = Object::read(raw).and_then(|part| part.object("state")).unwrap_or_default();
    match tool.name.as_str() {
        "shell" => {
            (tool.is_shell, tool.writes) = (true, true);
            tool.command = state.object("metadata").and_then(|metadata| metadata.text("shellID"));
        }
        "subagent" => {
            tool.writes = true;
            tool.child = state.object("metadata").and_then(|metadata| metadata.text("sessionID"));
        }
        _ => {}
    }
    if tool.failure.is_some() {
        let words = state.words("error").unwrap_or_default();
        tool.failure = Some(match words.as_str() {
            "The user declined this tool call" | "The user dismissed this question" => {
                ToolFailure::Refused
            }
            "Tool execution interrupted" => ToolFailure::Aborted,
            _ => ToolFailure::Other,
        });
    }
}

fn was_declined(part: &StoredPart) -> bool {
    part.tool().is_some_and(|tool| tool.failure == Some(ToolFailure::Refused))
}

/// A prompt that is delivered between two steps came before the first of them had ended. Its message has the time of
/// its delivery.
fn came_before(info: &mut Info, last: Option<&StoredMessage>) {
    let Some(last) = last.map(|message| &message.info) else { return };
    if last.is_assistant()
        && last.is_between_steps()
        && let Some(completed) = last.time.completed
    {
        info.time.created = info.time.created.min(completed - 1.0);
    }
}
