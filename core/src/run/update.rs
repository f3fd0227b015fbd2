//! [`Update`]: what happened to a run since the host last looked.

use super::reply::Reply;
use crate::base::error::Error;
use crate::tools::HostToolCall;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// One thing that happened. Raw values are the server's own objects, every field included.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Update {
    /// The model said something.
    Text(TextUpdate),
    /// The model thought something.
    Reasoning(TextUpdate),
    /// A tool part changed: its newest form.
    Tool(Arc<RawValue>),
    /// A message of the run began or ended: its newest form, without parts.
    Message(Arc<RawValue>),
    /// A permission is asked for, and only the host can answer.
    Permission {
        /// The request's id, for [`Run::reply_permission`](super::Run::reply_permission).
        id: String,
        /// The request as the server has it.
        request: Arc<RawValue>,
    },
    /// A question is asked, and only the host can answer.
    Question {
        /// The request's id, for [`Run::reply_question`](super::Run::reply_question).
        id: String,
        /// The request as the server has it.
        request: Arc<RawValue>,
    },
    /// A tool of this program is called that has no handler: the agent waits for
    /// [`Client::reply_tool`](crate::Client::reply_tool). It may be a call of another run of the client, or of none.
    ToolCall(Arc<HostToolCall>),
    /// The provider failed and the server tries again.
    Retry {
        /// 1 for the first repetition.
        attempt: u32,
        /// The provider's words.
        reason: String,
        /// When it tries again, in milliseconds since 1970.
        next: f64,
    },
    /// Why the run is not moving, in one line.
    Status {
        /// The same as [`Run::why`](super::Run::why).
        why: String,
    },
    /// The agent's list of things to do changed.
    Todo(Arc<RawValue>),
    /// The files that the session changed.
    Diff(Arc<RawValue>),
    /// The last update of a run that has its reply.
    Done(Arc<Reply>),
    /// The last update of a run that has none, or only a part of it.
    Failed(Error),
}

/// A piece of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextUpdate {
    /// What to append to what was shown so far.
    pub delta: String,
    /// When true, `delta` is the whole text: forget what was shown before.
    pub replaces: bool,
    /// The message it belongs to.
    pub message_id: String,
    /// The part it belongs to.
    pub part_id: String,
}

impl Update {
    /// The word for the kind: `text`, `reasoning`, `tool` and so on.
    pub fn kind(&self) -> &'static str {
        match self {
            Update::Text(_) => "text",
            Update::Reasoning(_) => "reasoning",
            Update::Tool(_) => "tool",
            Update::Message(_) => "message",
            Update::Permission { .. } => "permission",
            Update::Question { .. } => "question",
            Update::ToolCall(_) => "tool_call",
            Update::Retry { .. } => "retry",
            Update::Status { .. } => "status",
            Update::Todo(_) => "todo",
            Update::Diff(_) => "diff",
            Update::Done(_) => "done",
            Update::Failed(_) => "failed",
        }
    }

    /// The update as one JSON object with a `type`: what the bindings hand to their hosts.
    pub fn to_json(&self) -> String {
        // What is in it was JSON, or is texts and numbers: it cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// An object with a `type`, as hosts are given it. What the server wrote stays as it wrote it.
impl Serialize for Update {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_map(None)?;
        fields.serialize_entry("type", self.kind())?;
        match self {
            Update::Text(text) | Update::Reasoning(text) => {
                fields.serialize_entry("delta", &text.delta)?;
                fields.serialize_entry("replaces", &text.replaces)?;
                fields.serialize_entry("messageID", &text.message_id)?;
                fields.serialize_entry("partID", &text.part_id)?;
            }
            Update::Tool(part) => fields.serialize_entry("part", &**part)?,
            Update::Message(info) => fields.serialize_entry("info", &**info)?,
            Update::Permission { id, request } | Update::Question { id, request } => {
                fields.serialize_entry("id", id)?;
                fields.serialize_entry("request", &**request)?;
            }
            Update::ToolCall(call) => {
                call.put_fields(&mut fields)?;
            }
            Update::Retry { attempt, reason, next } => {
                fields.serialize_entry("attempt", attempt)?;
                fields.serialize_entry("reason", reason)?;
                fields.serialize_entry("next", next)?;
            }
            Update::Status { why } => fields.serialize_entry("why", why)?,
            Update::Todo(todos) => fields.serialize_entry("todos", &**todos)?,
            Update::Diff(diff) => fields.serialize_entry("diff", &**diff)?,
            Update::Done(reply) => fields.serialize_entry("reply", &**reply)?,
            Update::Failed(error) => fields.serialize_entry("error", error)?,
        }
        fields.end()
    }
}

/// The updates that the host has not seen. Bounded by what there is to show, not by how often it changed:
/// a later form of the same thing takes the place of the earlier one.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    updates: VecDeque<Update>,
    /// The number of the oldest one; the others count on from it.
    first: usize,
    /// The numbers of those that a later form may replace.
    places: HashMap<Thing, usize>,
}

/// What an update is about, when only its newest form counts.
type Thing = (&'static str, Option<String>);

impl Queue {
    pub(crate) fn push(&mut self, update: Update) {
        if let Update::Text(new) | Update::Reasoning(new) = &update {
            if new.replaces {
                self.drop_kind(update.kind());
            } else if self.append(update.kind(), new) {
                return;
            }
        }
        if let Some(thing) = thing(&update) {
            let next = self.first + self.updates.len();
            let place = *self.places.entry(thing).or_insert(next);
            if let Some(old) = self.updates.get_mut(place - self.first) {
                *old = update;
                return;
            }
        }
        self.updates.push_back(update);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.updates.is_empty()
    }

    pub(crate) fn take(&mut self) -> Vec<Update> {
        self.places.clear();
        std::mem::take(&mut self.updates).into()
    }

    /// Takes the oldest one.
    pub(crate) fn pop(&mut self) -> Option<Update> {
        let update = self.updates.pop_front()?;
        if let Some(thing) = thing(&update) {
            self.places.remove(&thing);
        }
        self.first += 1;
        Some(update)
    }

    /// Adds a piece of text to the one that waits last.
    fn append(&mut self, kind: &str, new: &TextUpdate) -> bool {
        match self.updates.back_mut() {
            Some(last) if last.kind() == kind => match last {
                Update::Text(old) | Update::Reasoning(old) if old.part_id == new.part_id => {
                    old.delta.push_str(&new.delta);
                    true
                }
                _ => false,
            },
            _ => false,
        }
    }

    /// What was not shown yet need not be shown and then taken back.
    fn drop_kind(&mut self, kind: &str) {
        let before = self.updates.len();
        self.updates.retain(|old| old.kind() != kind);
        if self.updates.len() < before {
            let things = self.updates.iter().enumerate();
            self.places =
                things.filter_map(|(at, update)| Some((thing(update)?, self.first + at))).collect();
        }
    }
}

fn thing(update: &Update) -> Option<Thing> {
    let id = match update {
        Update::Tool(raw) | Update::Message(raw) => Some(id_of(raw.get())?),
        Update::Status { .. } | Update::Retry { .. } | Update::Todo(_) | Update::Diff(_) => None,
        _ => return None,
    };
    Some((update.kind(), id))
}

fn id_of(json: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Shape {
        id: String,
    }
    serde_json::from_str::<Shape>(json).ok().map(|shape| shape.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Arc<RawValue> {
        Arc::from(RawValue::from_string(text.to_owned()).unwrap())
    }

    fn text(part: &str, delta: &str, replaces: bool) -> Update {
        Update::Text(TextUpdate {
            delta: delta.to_owned(),
            replaces,
            message_id: "m".to_owned(),
            part_id: part.to_owned(),
        })
    }

    #[test]
    fn a_host_that_never_looks_costs_no_more_than_what_there_is_to_show() {
        let mut queue = Queue::default();
        for i in 0..10_000 {
            queue.push(text("p", "x", false));
            queue.push(Update::Status { why: i.to_string() });
            queue.push(Update::Tool(raw(r#"{"id":"t"}"#)));
        }
        assert!(queue.updates.len() <= 4, "{}", queue.updates.len());
    }

    #[test]
    fn a_replacement_drops_what_was_not_shown() {
        let mut queue = Queue::default();
        queue.push(text("p", "wrong", false));
        queue.push(text("p", "right", true));
        queue.push(text("p", "!", false));
        let updates = queue.take();
        assert_eq!(updates.len(), 1);
        assert!(matches!(&updates[0], Update::Text(t) if t.delta == "right!" && t.replaces));
    }

    #[test]
    fn what_was_taken_is_not_changed_any_more() {
        let tool = |text: &str| Update::Tool(raw(text));
        let mut queue = Queue::default();
        queue.push(text("p", "wrong", false));
        queue.push(tool(r#"{"id":"a","n":1}"#));
        queue.push(tool(r#"{"id":"b","n":1}"#));
        queue.push(text("p", "right", true));
        queue.push(tool(r#"{"id":"b","n":2}"#));
        let first = queue.pop().unwrap().to_json();
        assert!(first.contains(r#""id":"a""#), "{first}");
        queue.push(tool(r#"{"id":"a","n":2}"#));
        queue.push(tool(r#"{"id":"b","n":3}"#));
        let rest: Vec<String> = std::iter::from_fn(|| queue.pop()).map(|u| u.to_json()).collect();
        assert_eq!(rest.len(), 3, "{rest:?}");
        assert!(rest[0].contains(r#""id":"b","n":3"#), "{rest:?}");
        assert!(rest[1].contains("right") && rest[2].contains(r#""id":"a","n":2"#), "{rest:?}");
        assert!(queue.is_empty() && queue.places.is_empty());
    }

    #[test]
    fn a_host_that_never_looks_makes_no_update_dearer_than_another() {
        let mut queue = Queue::default();
        for i in 0..20_000 {
            queue.push(Update::Tool(raw(&format!(r#"{{"id":"{i}"}}"#))));
        }
        assert_eq!((queue.updates.len(), queue.places.len()), (20_000, 20_000));
        while queue.pop().is_some() {}
        assert!(queue.places.is_empty());
    }

    #[test]
    fn every_update_is_written_with_its_type_and_its_fields() {
        let id = || "x".to_owned();
        let updates = [
            (
                text("p", "a\"b", false),
                r#"{"type":"text","delta":"a\"b","replaces":false,"messageID":"m","partID":"p"}"#,
            ),
            (
                Update::Permission { id: id(), request: raw("{}") },
                r#"{"type":"permission","id":"x","request":{}}"#,
            ),
            (
                Update::Retry { attempt: 1, reason: id(), next: 2.5 },
                r#"{"type":"retry","attempt":1,"reason":"x","next":2.5}"#,
            ),
            (Update::Status { why: id() }, r#"{"type":"status","why":"x"}"#),
            (Update::Todo(raw("[1.0]")), r#"{"type":"todo","todos":[1.0]}"#),
        ];
        for (update, json) in updates {
            assert_eq!(update.to_json(), json);
        }
        let reply = Reply { text: id(), messages: vec![raw(r#"{"n":1.00}"#)], ..Reply::default() };
        let done = Update::Done(Arc::new(reply.clone())).to_json();
        assert_eq!(done, format!(r#"{{"type":"done","reply":{}}}"#, reply.to_json()));
        assert!(done.contains(r#""messages":[{"n":1.00}]"#), "{done}");
        let error = Error::invalid("wrong");
        let failed = Update::Failed(error.clone()).to_json();
        assert_eq!(failed, format!(r#"{{"type":"failed","error":{}}}"#, error.to_json()));
    }

    #[test]
    fn json_carries_the_servers_own_objects() {
        let update = Update::Tool(raw(r#"{"id":"t","new":[1,2]}"#));
        assert_eq!(update.to_json(), r#"{"type":"tool","part":{"id":"t","new":[1,2]}}"#);
    }
}
