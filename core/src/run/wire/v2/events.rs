//! What the events of 2.x mean.

use super::inquiry::{read_form, read_permission};
use super::memory::{AnswerInProgress, Memory};
use super::messages::{adapt_info, adapt_part, read_retry, summarizes};
use crate::base::json::{Json, Object, put};
use crate::protocol::event::Event;
use crate::protocol::stored;
use crate::run::wire::{Fact, Status, v1};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) fn fact(event: &Event, memory: &mut Memory) -> Option<Fact> {
    let fields = event.fields();
    if is_for_all(event) {
        return Some(Fact::CommandEnded { id: fields.text("id")? });
    }
    let session = event.session_id()?;
    match event.kind() {
        "session.execution.started" => Some(Fact::Status(Status::Busy)),
        "session.execution.succeeded" | "session.execution.interrupted" => Some(Fact::TurnEnded),
        "session.execution.failed" => {
            let error = fields.json("error").unwrap_or_else(|| Json::from(json!({})));
            let mut failure = v1::read_failure(error);
            // 1.x calls it a name, and so does the reading.
            failure.code = failure.body.text_at("/type").unwrap_or(failure.code);
            failure.is_abort = failure.code == "aborted";
            Some(Fact::Failed(failure))
        }
        "session.retry.scheduled" => Some(Fact::Status(read_retry(&fields))),
        "session.deleted" => Some(Fact::SessionDeleted),
        "session.created" => parent(event).map(|parent| Fact::SubagentOf { parent }),
        "session.inbox.enqueued" => {
            let kind = fields.object("item").and_then(|item| item.text("type"));
            if let Some(id) = fields.text("inboxID")
                && kind.is_some_and(|kind| kind != "user")
            {
                memory.of(session).notes.insert(id);
            }
            None
        }
        "session.inbox.delivered" => {
            let id = fields.text("inboxID")?;
            let known = memory.of(session);
            if known.notes.contains(&id) {
                return None;
            }
            known.prompt = Some(id.clone());
            Some(Fact::PromptStored { id })
        }
        "permission.asked" => Some(match read_permission(event.value()) {
            Ok(inquiry) => Fact::Asked(Box::new(inquiry)),
            Err(why) => Fact::Unreadable(format!("what the event {} asks: {why}", event.kind())),
        }),
        "form.created" => Some(match fields.get("form").map(read_form) {
            Some(Ok(inquiry)) => Fact::Asked(Box::new(inquiry)),
            Some(Err(why)) => {
                Fact::Unreadable(format!("what the event {} asks: {why}", event.kind()))
            }
            None => {
                Fact::Unreadable(format!("what the event {} asks: it has no form", event.kind()))
            }
        }),
        "permission.replied" => Some(Fact::InquiryAnswered {
            id: fields.text("requestID")?,
            reply: fields.text("reply").unwrap_or_default(),
        }),
        "form.replied" => {
            Some(Fact::InquiryAnswered { id: fields.text("id")?, reply: "answer".to_owned() })
        }
        "form.cancelled" => {
            Some(Fact::InquiryAnswered { id: fields.text("id")?, reply: "reject".to_owned() })
        }
        kind => match kind.strip_prefix("session.compaction.") {
            Some(moment) => of_summary(moment, event, &fields, session, memory),
            None => of_answer(event, &fields, session, memory),
        },
    }
}

/// What an event tells of a summary that is being written. Only the first one says who asked for it.
fn of_summary(
    moment: &str,
    event: &Event,
    fields: &Object<'_>,
    session: &str,
    memory: &mut Memory,
) -> Option<Fact> {
    let known = memory.of(session);
    if moment == "started" {
        (known.summary, known.has_summary_text) = (fields.text("inputID"), false);
    }
    let message = known.summary.clone()?;
    if moment == "delta" {
        if !std::mem::replace(&mut known.has_summary_text, true) {
            // No event says that the text begins.
            let content = json!({ "type": "text", "text": fields.text("text")? });
            return changed(content, 0, &message, session);
        }
        return Some(Fact::TextDelta {
            part_id: format!("{message}.text.0"),
            message_id: message,
            order: event.id().to_owned(),
            delta: fields.text("text")?,
        });
    }
    // When it began and ended its message tells.
    let mut stored = json!({ "type": "compaction", "id": message, "summary": "" });
    for name in ["model", "cost", "tokens", "error"] {
        if let Some(raw) = fields.get(name) {
            put(&mut stored, name, serde_json::from_str::<Value>(raw.get()).unwrap_or_default());
        }
    }
    if moment != "started" {
        known.summary = None;
        put(&mut stored, "finish", if moment == "ended" { "stop" } else { "error" });
    }
    let made = stored::message(&to_raw_value(&stored).ok()?, session)?;
    let raw = Object::read(&made)?.get("info")?.to_owned();
    let mut info = v1::read_info(&raw)?;
    summarizes(&mut info);
    adapt_info(&mut info, false);
    Some(Fact::AnswerChanged(Box::new(info), Arc::from(raw)))
}

/// What an event tells of an answer that is being written.
fn of_answer(
    event: &Event,
    fields: &Object<'_>,
    session: &str,
    memory: &mut Memory,
) -> Option<Fact> {
    let kind = event.kind().strip_prefix("session.")?;
    let message = fields.text("assistantMessageID")?;
    let known = memory.of(session);
    let prompt = known.prompt.clone();
    let answer = known.answer(&message);
    match kind {
        "step.started" | "step.ended" | "step.failed" => {
            note_step(kind, event, fields, session, prompt, answer);
            let raw = to_raw_value(&answer.info).ok()?;
            let mut info = v1::read_info(&raw)?;
            adapt_info(&mut info, false);
            Some(Fact::AnswerChanged(Box::new(info), Arc::from(raw)))
        }
        "text.delta" | "reasoning.delta" => Some(Fact::TextDelta {
            part_id: format!("{message}.{}.{}", kind.split('.').next()?, fields.count("ordinal")),
            message_id: message,
            order: event.id().to_owned(),
            delta: fields.text("delta")?,
        }),
        "text.started" | "reasoning.started" | "text.ended" | "reasoning.ended" => {
            let (channel, moment) = kind.split_once('.')?;
            let mut content =
                json!({ "type": channel, "text": fields.text("text").unwrap_or_default() });
            if moment == "ended" {
                put(&mut content, "time", json!({ "end": 1 }));
            }
            changed(content, fields.count("ordinal"), &message, session)
        }
        _ if kind.starts_with("tool.") => {
            let id = fields.text("id")?;
            let tool = answer.tools.entry(id.clone()).or_insert_with(|| {
                json!({ "type": "tool", "id": id, "name": "", "state": {
                    "status": "streaming", "input": {} } })
            });
            note_tool(kind, fields, tool);
            // Which tool it is was said in an event that is lost: the messages tell.
            if tool["name"] == "" {
                return None;
            }
            changed(tool.clone(), 0, &message, session)
        }
        _ => None,
    }
}

fn note_step(
    kind: &str,
    event: &Event,
    fields: &Object<'_>,
    session: &str,
    prompt: Option<String>,
    answer: &mut AnswerInProgress,
) {
    if answer.info.is_null() {
        answer.info =
            json!({ "id": answer.id, "sessionID": session, "role": "assistant", "time": {} });
    }
    let info = &mut answer.info;
    if let Some(prompt) = prompt
        && info["parentID"].is_null()
    {
        put(info, "parentID", prompt);
    }
    let value = |name: &str| fields.get(name).and_then(|raw| serde_json::from_str(raw.get()).ok());
    if kind == "step.started" {
        let model: Value = value("model").unwrap_or_default();
        put(info, "agent", fields.text("agent"));
        put(info, "providerID", model["providerID"].clone());
        put(info, "modelID", model["id"].clone());
        info["time"]["created"] = json!(fields.number("started").unwrap_or_default());
        return;
    }
    let created = info["time"]["created"].as_f64().unwrap_or_default();
    info["time"]["completed"] = json!(time_of(event.id(), created));
    for name in ["cost", "tokens", "finish"] {
        if let Some(value) = value(name) {
            put(info, name, value);
        }
    }
    if kind == "step.failed" {
        let error: Value = value("error").unwrap_or_default();
        put(info, "finish", "error");
        put(
            info,
            "error",
            json!({ "name": error["type"], "data": { "message": error["message"] } }),
        );
    }
}

fn note_tool(kind: &str, fields: &Object<'_>, tool: &mut Value) {
    let value = |name: &str| -> Option<Value> {
        fields.get(name).and_then(|raw| serde_json::from_str(raw.get()).ok())
    };
    match kind {
        "tool.input.started" => {
            if let Some(name) = value("name") {
                put(tool, "name", name);
            }
        }
        "tool.called" => tool["state"]["status"] = json!("running"),
        "tool.success" => tool["state"]["status"] = json!("completed"),
        "tool.failed" => tool["state"]["status"] = json!("error"),
        _ => {}
    }
    for name in ["input", "content", "metadata", "error"] {
        if let Some(value) = value(name) {
            tool["state"][name] = value;
        }
    }
}

fn changed(content: Value, ordinal: u64, message: &str, session: &str) -> Option<Fact> {
    let ordinal = usize::try_from(ordinal).ok()?;
    let raw = stored::part(content, ordinal, message, session)?;
    let mut part = v1::read_part(&raw).ok()?;
    adapt_part(&mut part);
    Some(Fact::PartChanged(Box::new(part)))
}

/// When an event was made, in milliseconds: its id holds the lower 36 bits of that, and it was not long after `near`.
fn time_of(id: &str, near: f64) -> f64 {
    const SPAN: u64 = 1 << 36;
    let low = id.get(4..13).and_then(|hex| u64::from_str_radix(hex, 16).ok());
    let Some(low) = low.filter(|_| near > 0.0) else { return near };
    let near = near as u64;
    let at = (near / SPAN * SPAN).saturating_add(low);
    (if at.saturating_add(SPAN / 2) < near { at.saturating_add(SPAN) } else { at }) as f64
}

/// That a command ended is told without the session whose tool ran it.
pub(crate) fn is_for_all(event: &Event) -> bool {
    event.kind() == "shell.exited"
}

pub(crate) fn parent(event: &Event) -> Option<String> {
    if event.kind() != "session.created" {
        return None;
    }
    event.fields().text("parentID")
}

pub(crate) fn parent_of_new(event: &Event) -> Option<String> {
    let is_new = event.kind() == "session.created" && event.properties().contains("\"parentID\"");
    is_new.then(|| parent(event)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_says_in_its_id_when_it_was_made() {
        assert_eq!(time_of("evt_2249f417f001tvC8I4VMiptswt", 1795910746347.0), 1795910746495.0);
        assert_eq!(time_of("odd", 5.0), 5.0);
        assert_eq!(time_of("evt_2249f417f001", 1e30), u64::MAX as f64);
    }

    #[test]
    fn a_summary_is_told_to_who_asked_for_it() {
        let mut memory = Memory::default();
        let mut tell = |kind: &str, mut data: Value| {
            put(&mut data, "sessionID", "ses_1");
            let text = json!({"id": "evt_2249f417f001x", "type": kind, "data": data}).to_string();
            let event = Event::read(text.as_bytes()).unwrap().unwrap();
            fact(&event, &mut memory)
        };
        // The server's own belongs to nobody.
        assert!(tell("session.compaction.started", json!({"reason": "auto"})).is_none());
        assert!(tell("session.compaction.delta", json!({"text": "x"})).is_none());
        let began = tell("session.compaction.started", json!({"inputID": "msg_1"}));
        let Some(Fact::AnswerChanged(info, _)) = began else { panic!() };
        assert_eq!((info.parent_id.as_deref(), info.is_completed()), (Some("msg_1"), false));
        let Some(Fact::PartChanged(part)) =
            tell("session.compaction.delta", json!({"text": "## O"}))
        else {
            panic!()
        };
        let Some(Fact::TextDelta { part_id, .. }) =
            tell("session.compaction.delta", json!({"text": "bjective"}))
        else {
            panic!()
        };
        assert_eq!((part.id.as_str(), part_id.as_str()), ("msg_1.text.0", "msg_1.text.0"));
        let model = json!({"id": "m", "providerID": "p"});
        let ended = tell("session.compaction.ended", json!({"model": model, "cost": 0.5}));
        let Some(Fact::AnswerChanged(info, _)) = ended else { panic!() };
        assert_eq!((info.finish.as_deref(), info.cost), (Some("stop"), 0.5));
        tell("session.compaction.started", json!({"inputID": "msg_2"}));
        let error = json!({"type": "aborted", "message": "Compaction cancelled"});
        let failed = tell("session.compaction.failed", json!({"inputID": "msg_2", "error": error}));
        let Some(Fact::AnswerChanged(info, _)) = failed else { panic!() };
        assert!(info.error.unwrap().is_abort && info.finish.as_deref() == Some("error"));
    }

    #[test]
    fn an_answer_is_to_the_prompt_that_was_delivered_last() {
        let mut memory = Memory::default();
        let mut tell = |kind: &str, data: Value| {
            let text = json!({"id": "evt_2249f417f001x", "type": kind, "data": data}).to_string();
            let event = Event::read(text.as_bytes()).unwrap().unwrap();
            fact(&event, &mut memory)
        };
        let of = |more: Value| {
            let mut data = json!({"sessionID": "ses_1", "assistantMessageID": "msg_2"});
            for (name, value) in more.as_object().unwrap() {
                put(&mut data, name, value.clone());
            }
            data
        };
        tell("session.inbox.enqueued", of(json!({"inboxID": "n", "item": {"type": "synthetic"}})));
        tell("session.inbox.delivered", of(json!({"inboxID": "msg_1"})));
        assert!(tell("session.inbox.delivered", of(json!({"inboxID": "n"}))).is_none());
        let model = json!({"id": "m", "providerID": "p"});
        let started = json!({"agent": "build", "model": model, "started": 1795910746347u64});
        let Some(Fact::AnswerChanged(info, _)) = tell("session.step.started", of(started)) else {
            panic!()
        };
        assert_eq!((info.parent_id.as_deref(), info.is_completed()), (Some("msg_1"), false));
        tell("session.tool.input.started", of(json!({"id": "c", "name": "shell"})));
        let Some(Fact::PartChanged(part)) =
            tell("session.tool.called", of(json!({"id": "c", "input": {"command": "ls"}})))
        else {
            panic!()
        };
        assert!(part.id == "msg_2.c" && part.tool().unwrap().is_busy, "{part:?}");
        let delta = tell("session.text.delta", of(json!({"ordinal": 1, "delta": "x"})));
        let Some(Fact::TextDelta { part_id, .. }) = delta else { panic!() };
        assert_eq!(part_id, "msg_2.text.1");
        let ended = tell("session.step.ended", of(json!({"finish": "stop", "cost": 0.5})));
        let Some(Fact::AnswerChanged(info, _)) = ended else { panic!() };
        assert_eq!((info.finish.as_deref(), info.cost), (Some("stop"), 0.5));
        assert_eq!(info.model_id.as_deref(), Some("m"));
        assert_eq!(info.time.completed, Some(1795910746495.0));
    }
}
