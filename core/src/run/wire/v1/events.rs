//! What the events of 1.x mean.

use super::messages::{read_failure, read_info, read_inquiry, read_part, read_status};
use crate::base::json::Object;
use crate::protocol::event::Event;
use crate::run::wire::{Fact, Status};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::Arc;

/// A delta as the server writes it.
#[derive(Deserialize)]
struct Delta<'a> {
    field: &'a str,
    #[serde(rename = "messageID")]
    message_id: String,
    #[serde(rename = "partID")]
    part_id: String,
    delta: String,
}

/// A delta, read at once: there are more of them than of all other events together. One of another shape is read field by
/// field.
fn delta(event: &Event) -> Option<Fact> {
    if event.kind() != "message.part.delta" {
        return None;
    }
    let Delta { field, message_id, part_id, delta } =
        serde_json::from_str(event.properties()).ok()?;
    let order = event.id().to_owned();
    (field == "text").then_some(Fact::TextDelta { message_id, part_id, order, delta })
}

pub(crate) fn fact(event: &Event) -> Option<Fact> {
    if let Some(delta) = delta(event) {
        return Some(delta);
    }
    let fields = event.fields();
    let raw = |name: &str| fields.get(name).map(|raw| Arc::<RawValue>::from(raw.to_owned()));
    match event.kind() {
        "session.idle" => Some(Fact::TurnEnded),
        "session.deleted" => Some(Fact::SessionDeleted),
        "session.status" => {
            Some(Fact::Status(fields.get("status").map_or(Status::Unreadable, read_status)))
        }
        "session.error" => fields.json("error").map(|error| Fact::Failed(read_failure(error))),
        "session.created" | "session.updated" => {
            parent(event).map(|parent| Fact::SubagentOf { parent })
        }
        "session.diff" => raw("diff").map(Fact::FilesChanged),
        "todo.updated" => raw("todos").map(Fact::Todos),
        "message.updated" => {
            let info = fields.get("info").and_then(read_info)?;
            match info.is_assistant() {
                true => Some(Fact::AnswerChanged(Box::new(info), raw("info")?)),
                false => Some(Fact::PromptStored { id: info.id }),
            }
        }
        "message.part.updated" => {
            let part = fields.get("part").and_then(|part| read_part(part).ok())?;
            Some(Fact::PartChanged(Box::new(part)))
        }
        "message.part.delta" => {
            let is_text = fields.text("field").as_deref() == Some("text");
            is_text.then_some(())?;
            Some(Fact::TextDelta {
                message_id: fields.text("messageID")?,
                part_id: fields.text("partID")?,
                order: event.id().to_owned(),
                delta: fields.text("delta")?,
            })
        }
        "message.part.removed" => fields.text("partID").map(Fact::PartRemoved),
        "permission.asked" | "permission.updated" | "question.asked" => {
            Some(match read_inquiry(event.value(), event.kind() == "question.asked") {
                Ok(inquiry) => Fact::Asked(Box::new(inquiry)),
                Err(why) => {
                    Fact::Unreadable(format!("what the event {} asks: {why}", event.kind()))
                }
            })
        }
        "permission.replied" => {
            let reply = fields.text("reply").or_else(|| fields.text("response"));
            answered(&fields, reply.unwrap_or_default())
        }
        "question.replied" => answered(&fields, "answer".to_owned()),
        "question.rejected" => answered(&fields, "reject".to_owned()),
        "server.instance.disposed" => Some(Fact::Disposed { directory: fields.text("directory") }),
        _ => None,
    }
}

fn answered(fields: &Object<'_>, reply: String) -> Option<Fact> {
    let id = fields.text("requestID").or_else(|| fields.text("permissionID"))?;
    Some(Fact::InquiryAnswered { id, reply })
}

pub(crate) fn is_for_all(event: &Event) -> bool {
    event.kind().starts_with("server.")
}

pub(crate) fn parent(event: &Event) -> Option<String> {
    if !matches!(event.kind(), "session.created" | "session.updated") {
        return None;
    }
    event.fields().object("info").and_then(|info| info.text("parentID"))
}

pub(crate) fn parent_of_new(event: &Event) -> Option<String> {
    let is_new = event.kind() == "session.created" && event.properties().contains("\"parentID\"");
    is_new.then(|| parent(event)).flatten()
}
