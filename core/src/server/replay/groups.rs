//! [`Groups`]: which sessions go together, and what belongs to them: what happens in one group of sessions waits for nothing
//! that was asked of another.

use super::paths::is_id;
use crate::protocol::event::Event;
use serde_json::Value;
use std::collections::HashMap;

/// What the recording says of its sessions.
#[derive(Default)]
pub(super) struct Groups {
    /// The sessions that others are subagents of.
    parents: HashMap<String, String>,
    /// The sessions that messages, permissions and questions belong to.
    owners: HashMap<String, String>,
}

impl Groups {
    /// Notes whatever a value says of sessions.
    pub(super) fn learn(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.learn(item)),
            Value::Object(fields) => {
                let text = |name: &str| fields.get(name).and_then(Value::as_str);
                let (id, session, parent) = (text("id"), text("sessionID"), text("parentID"));
                let is_session = |text: &&str| text.starts_with("ses_");
                let session = session.filter(is_session);
                let child = id.filter(is_session).or(session);
                if let (Some(child), Some(parent)) = (child, parent.filter(is_session)) {
                    self.parents.insert(child.to_owned(), parent.to_owned());
                }
                if let (Some(id), Some(session)) = (id.filter(|id| is_id(id)), session) {
                    self.owners.insert(id.to_owned(), session.to_owned());
                }
                fields.values().for_each(|value| self.learn(value));
            }
            _ => {}
        }
    }

    /// The group of what a path names.
    pub(super) fn of_path(&self, path: &str) -> Option<String> {
        path.split('/').filter(|segment| is_id(segment)).find_map(|id| self.of_id(id))
    }

    /// The group of a session that a request has made.
    pub(super) fn made_by(&self, answer: &Value) -> Option<String> {
        let ids = [&answer["id"], &answer["data"]["id"]].into_iter().filter_map(Value::as_str);
        ids.filter(|id| id.starts_with("ses_")).map(|id| self.root(id)).next()
    }

    pub(super) fn of_event(&self, data: &[u8]) -> Option<String> {
        let session = Event::read(data).ok()??.session_id()?.to_owned();
        Some(self.root(&session))
    }

    fn of_id(&self, id: &str) -> Option<String> {
        match id.starts_with("ses_") {
            true => Some(self.root(id)),
            false => self.owners.get(id).map(|session| self.root(session)),
        }
    }

    /// The session that all others of its group descend from.
    fn root(&self, session: &str) -> String {
        let mut session = session;
        // What a file says may be a circle.
        for _ in 0..100 {
            match self.parents.get(session) {
                Some(parent) => session = parent,
                None => break,
            }
        }
        session.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_subagent_and_what_it_asks_belong_to_the_first_session() {
        let mut groups = Groups::default();
        groups.learn(&json!({ "data": [{ "id": "ses_2", "parentID": "ses_1" }] }));
        groups.learn(&json!({ "id": "per_1", "sessionID": "ses_2", "parentID": "msg_1" }));
        groups.learn(&json!({ "id": "ses_8", "parentID": "ses_9" }));
        groups.learn(&json!({ "id": "ses_9", "parentID": "ses_8" }));
        let of = |path: &str| groups.of_path(path);
        assert_eq!(of("/permission/per_1/reply").as_deref(), Some("ses_1"));
        assert_eq!(of("/session/ses_2/message").as_deref(), Some("ses_1"));
        assert_eq!(of("/session"), None);
        assert!(of("/session/ses_8").is_some());
        let event = br#"{"id":"e","type":"x","data":{"sessionID":"ses_2"}}"#;
        assert_eq!(groups.of_event(event).as_deref(), Some("ses_1"));
        assert_eq!(groups.made_by(&json!({ "data": { "id": "ses_3" } })).as_deref(), Some("ses_3"));
    }
}
