//! [`Update`]: what happened to a run since the host last looked.

use super::reply::Reply;
use crate::error::Error;
use serde_json::value::RawValue;
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
        let kind = self.kind();
        let wrap = |name: &str, raw: &str| format!(r#"{{"type":"{kind}","{name}":{raw}}}"#);
        match self {
            Update::Text(text) | Update::Reasoning(text) => serde_json::json!({
                "type": kind,
                "delta": text.delta,
                "replaces": text.replaces,
                "messageID": text.message_id,
                "partID": text.part_id,
            })
            .to_string(),
            Update::Tool(part) => wrap("part", part.get()),
            Update::Message(info) => wrap("info", info.get()),
            Update::Permission { id, request } | Update::Question { id, request } => {
                let id = serde_json::Value::from(id.as_str());
                format!(r#"{{"type":"{kind}","id":{id},"request":{}}}"#, request.get())
            }
            Update::Retry { attempt, reason, next } => serde_json::json!({
                "type": kind, "attempt": attempt, "reason": reason, "next": next,
            })
            .to_string(),
            Update::Status { why } => serde_json::json!({ "type": kind, "why": why }).to_string(),
            Update::Todo(todos) => wrap("todos", todos.get()),
            Update::Diff(diff) => wrap("diff", diff.get()),
            Update::Done(reply) => wrap("reply", &reply.to_json()),
            Update::Failed(error) => wrap("error", &error.to_json()),
        }
    }
}

/// The updates that the host has not seen. Bounded by what there is to show, not by how often it changed:
/// a later form of the same thing takes the place of the earlier one.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    updates: Vec<Update>,
}

impl Queue {
    pub(crate) fn push(&mut self, update: Update) {
        if !self.merge(&update) {
            self.updates.push(update);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.updates.is_empty()
    }

    pub(crate) fn take(&mut self) -> Vec<Update> {
        std::mem::take(&mut self.updates)
    }

    /// Takes the oldest one.
    pub(crate) fn pop(&mut self) -> Option<Update> {
        (!self.updates.is_empty()).then(|| self.updates.remove(0))
    }

    fn merge(&mut self, update: &Update) -> bool {
        let mut waiting = self.updates.iter_mut().rev();
        match update {
            Update::Text(new) | Update::Reasoning(new) => {
                if new.replaces {
                    // What was not shown yet need not be shown and then taken back.
                    let kind = update.kind();
                    self.updates.retain(|old| old.kind() != kind);
                    return false;
                }
                match waiting.next() {
                    Some(old) if old.kind() == update.kind() => match old {
                        Update::Text(old) | Update::Reasoning(old)
                            if old.part_id == new.part_id =>
                        {
                            old.delta.push_str(&new.delta);
                            true
                        }
                        _ => false,
                    },
                    _ => false,
                }
            }
            Update::Tool(_) | Update::Message(_) => {
                let id = |raw: &RawValue| id_of(raw.get());
                let same = |old: &&mut Update| match (&**old, update) {
                    (Update::Tool(old), Update::Tool(new))
                    | (Update::Message(old), Update::Message(new)) => id(old) == id(new),
                    _ => false,
                };
                match waiting.find(same) {
                    Some(old) => {
                        *old = update.clone();
                        true
                    }
                    None => false,
                }
            }
            Update::Status { .. } | Update::Retry { .. } | Update::Todo(_) | Update::Diff(_) => {
                match waiting.find(|old| old.kind() == update.kind()) {
                    Some(old) => {
                        *old = update.clone();
                        true
                    }
                    None => false,
                }
            }
            _ => false,
        }
    }
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
    fn json_carries_the_servers_own_objects() {
        let update = Update::Tool(raw(r#"{"id":"t","new":[1,2]}"#));
        assert_eq!(update.to_json(), r#"{"type":"tool","part":{"id":"t","new":[1,2]}}"#);
    }
}
