//! [`SeenParts`]: tool parts of sessions, as events tell of them. A call over MCP names no session; the tool part of the same
//! tool with the same arguments does.

use super::tool::CallPlace;
use crate::base::json::{Json, Object};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::{HashSet, VecDeque};

/// Parts that are kept for calls which may come. One whose call never comes was refused by a permission.
const MAX_PARTS: usize = 1_000;

/// Parts that no call was found for.
#[derive(Default)]
pub(super) struct SeenParts {
    parts: VecDeque<SeenPart>,
    /// The calls that were found: a part changes often.
    known: HashSet<CallPlace>,
    order: VecDeque<CallPlace>,
}

struct SeenPart {
    tool: String,
    input: Value,
    place: CallPlace,
}

impl SeenParts {
    /// Notes a part; whether it runs, and no call was found for it yet. `tool` reads the name of the host's tool out of the name that the server gives it.
    pub(super) fn note(
        &mut self,
        session: &str,
        part: &RawValue,
        tool: impl Fn(&str) -> Option<String>,
    ) -> bool {
        let Some(part) = Object::read(part) else { return false };
        let (Some(name), Some(call_id)) = (part.text("tool"), part.text("callID")) else {
            return false;
        };
        let Some(tool) = tool(&name) else { return false };
        // Providers count the calls of each answer from one: the id alone is that of many calls.
        let place = CallPlace {
            session_id: session.to_owned(),
            message_id: part.text("messageID").unwrap_or_default(),
            call_id,
        };
        let state = part.object("state").unwrap_or_default();
        match state.text("status").as_deref() {
            Some("running") if !self.known.contains(&place) => {}
            Some("completed" | "error") => {
                self.parts.retain(|part| part.place != place);
                return false;
            }
            _ => return false,
        }
        let input = state.json("input").and_then(|input| input.read().ok()).unwrap_or_default();
        self.remember(place.clone());
        if self.parts.len() >= MAX_PARTS {
            self.parts.pop_front();
        }
        self.parts.push_back(SeenPart { tool, input, place });
        true
    }

    /// Takes the oldest part that fits a call.
    pub(super) fn take(&mut self, tool: &str, arguments: &Json) -> Option<CallPlace> {
        if self.parts.is_empty() {
            return None;
        }
        let arguments: Value = arguments.read().ok()?;
        let fits = |part: &SeenPart| part.tool == tool && part.input == arguments;
        let at = self.parts.iter().position(fits)?;
        self.parts.remove(at).map(|part| part.place)
    }

    fn remember(&mut self, place: CallPlace) {
        if self.order.len() >= MAX_PARTS
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(place.clone());
        self.known.insert(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn raw(value: Value) -> Box<RawValue> {
        serde_json::value::to_raw_value(&value).unwrap()
    }

    #[test]
    fn a_call_is_found_by_its_tool_and_its_arguments() {
        let mut seen = SeenParts::default();
        let tool = |name: &str| name.strip_prefix("host_").map(str::to_owned);
        let part = |tool: &str, call: &str, status: &str, a: i32| {
            raw(json!({ "tool": tool, "callID": call, "messageID": "msg_1",
                "state": { "status": status, "input": { "a": a, "b": 1 } } }))
        };
        assert!(!seen.note("ses_1", &part("bash", "c0", "running", 1), tool));
        assert!(!seen.note("ses_1", &part("host_x", "c1", "pending", 1), tool));
        assert!(seen.note("ses_1", &part("host_x", "c1", "running", 1), tool));
        assert!(seen.note("ses_1", &part("host_x", "c2", "running", 2), tool));
        let arguments = |a: i32| Json::from(json!({ "b": 1, "a": a }));
        assert!(seen.take("x", &arguments(3)).is_none());
        assert!(seen.take("y", &arguments(2)).is_none());
        assert_eq!(seen.take("x", &arguments(2)).unwrap().call_id, "c2");
        assert!(!seen.note("ses_1", &part("host_x", "c2", "running", 2), tool));
        assert!(seen.take("x", &arguments(2)).is_none());
        assert!(!seen.note("ses_1", &part("host_x", "c1", "completed", 1), tool));
        assert!(seen.take("x", &arguments(1)).is_none());
    }

    #[test]
    fn calls_of_one_id_in_two_places_are_two_calls() {
        let mut seen = SeenParts::default();
        let tool = |name: &str| name.strip_prefix("host_").map(str::to_owned);
        let part = |message: &str, status: &str| {
            raw(json!({ "tool": "host_x", "callID": "call_0", "messageID": message,
                "state": { "status": status, "input": {} } }))
        };
        let places = [("ses_1", "msg_1"), ("ses_1", "msg_2"), ("ses_2", "msg_1")];
        for (session, message) in places {
            assert!(seen.note(session, &part(message, "running"), tool), "{session} {message}");
            assert!(!seen.note(session, &part(message, "running"), tool), "{session} {message}");
        }
        assert!(!seen.note("ses_1", &part("msg_1", "completed"), tool));
        let none = Json::from(json!({}));
        for (session, message) in &places[1..] {
            let place = seen.take("x", &none).unwrap();
            assert_eq!(
                (place.session_id.as_str(), place.message_id.as_str()),
                (*session, *message)
            );
        }
        assert!(seen.take("x", &none).is_none());
    }
}
