//! What events say of the lists that a server keeps: who looks at one at a moment at which nobody looked when it was recorded
//! is told what had happened until then.

use super::paths::path_of;
use crate::protocol::event::Event;
use serde_json::Value;

/// Whether this is the path of a list that is kept by [`follow`].
pub(super) fn is_followed(target: &str) -> bool {
    let path = path_of(target);
    matches!(
        path,
        "/permission"
            | "/question"
            | "/session/status"
            | "/api/permission/request"
            | "/api/form"
            | "/api/session/active"
    ) || path.starts_with("/api/session/")
        && (path.ends_with("/permission") || path.ends_with("/form"))
}

/// Does to a list what an event says.
pub(super) fn follow(target: &str, list: &mut Value, data: &str) {
    let Ok(Some(event)) = Event::read(data.as_bytes()) else { return };
    let Ok(told) = serde_json::from_str::<Value>(event.properties()) else { return };
    let path = path_of(target);
    // Those of one session stand below it.
    let mut segments = path.split('/').skip(3);
    let only = segments.next().filter(|segment| segment.starts_with("ses_"));
    if only.is_some_and(|only| event.session_id() != Some(only)) {
        return;
    }
    let list = if path.starts_with("/api/") { &mut list["data"] } else { list };
    let session = event.session_id().unwrap_or_default().to_owned();
    let is_form = path == "/api/form" || path.ends_with("/form");
    let is_question = path == "/question";
    let is_permission = !is_form && (path == "/permission" || path.contains("/permission"));
    match (event.kind(), list) {
        ("permission.asked", Value::Array(items)) if is_permission => put(items, &told),
        ("permission.replied", Value::Array(items)) if is_permission => {
            remove(items, &told["requestID"]);
        }
        ("question.asked", Value::Array(items)) if is_question => put(items, &told),
        ("question.replied" | "question.rejected", Value::Array(items)) if is_question => {
            remove(items, &told["requestID"]);
        }
        ("form.created", Value::Array(items)) if is_form => put(items, &told["form"]),
        ("form.replied" | "form.cancelled", Value::Array(items)) if is_form => {
            remove(items, &told["id"]);
        }
        ("session.status", Value::Object(known)) if path == "/session/status" => {
            match told["status"]["type"].as_str() {
                Some("idle") | None => drop(known.remove(&session)),
                Some(_) => drop(known.insert(session, told["status"].clone())),
            }
        }
        ("session.execution.started", Value::Object(known)) => {
            known.insert(session, serde_json::json!({ "type": "running" }));
        }
        (kind, Value::Object(known)) if kind.starts_with("session.execution.") => {
            known.remove(&session);
        }
        _ => {}
    }
}

fn put(items: &mut Vec<Value>, item: &Value) {
    remove(items, &item["id"]);
    items.push(item.clone());
}

fn remove(items: &mut Vec<Value>, id: &Value) {
    items.retain(|item| item["id"] != *id);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A list after some events.
    fn after(target: &str, mut list: Value, events: &[Value]) -> Value {
        assert!(is_followed(target), "{target}");
        events.iter().for_each(|event| follow(target, &mut list, &event.to_string()));
        list
    }

    #[test]
    fn what_is_asked_and_answered_comes_and_goes() {
        let asked = |kind: &str, id: &str| {
            json!({ "payload": { "id": "e", "type": kind, "properties": {
                "id": id, "sessionID": "ses_1" } } })
        };
        let replied = |kind: &str, id: &str| {
            json!({ "payload": { "id": "e", "type": kind, "properties": {
                "requestID": id, "sessionID": "ses_1" } } })
        };
        let events = [asked("permission.asked", "per_1"), asked("question.asked", "que_1")];
        assert_eq!(after("/permission?a=b", json!([]), &events)[0]["id"], "per_1");
        assert_eq!(after("/question", json!([]), &events)[0]["id"], "que_1");
        let both = [asked("permission.asked", "per_1"), replied("permission.replied", "per_1")];
        assert_eq!(after("/permission", json!([]), &both), json!([]));
        let form = json!({ "id": "e", "type": "form.created", "data": { "form": {
            "id": "frm_1", "sessionID": "ses_1" } } });
        let list = json!({ "location": {}, "data": [] });
        let listed = after("/api/form", list.clone(), std::slice::from_ref(&form));
        assert_eq!(listed["data"][0]["id"], "frm_1");
        let other = after("/api/session/ses_2/form", list.clone(), std::slice::from_ref(&form));
        assert_eq!(other, list);
        let end = json!({ "id": "e", "type": "form.cancelled", "data": {
            "id": "frm_1", "sessionID": "ses_1" } });
        assert_eq!(after("/api/form", list.clone(), &[form, end]), list);
    }

    #[test]
    fn what_works_comes_and_goes() {
        let two = |kind: &str| json!({ "id": "e", "type": kind, "data": { "sessionID": "ses_1" } });
        let begun = two("session.execution.started");
        let list = json!({ "data": {} });
        let active = "/api/session/active";
        let listed = after(active, list.clone(), std::slice::from_ref(&begun));
        assert_eq!(listed["data"]["ses_1"]["type"], "running");
        let ended = [begun, two("session.execution.interrupted")];
        assert_eq!(after(active, list.clone(), &ended), list);
        let one = |kind: &str| {
            json!({ "payload": { "id": "e", "type": "session.status", "properties": {
                "sessionID": "ses_1", "status": { "type": kind } } } })
        };
        let listed = after("/session/status", json!({}), &[one("busy")]);
        assert_eq!(listed["ses_1"]["type"], "busy");
        assert_eq!(after("/session/status", json!({}), &[one("busy"), one("idle")]), json!({}));
    }
}
