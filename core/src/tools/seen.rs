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
    known: HashSet<String>,
    order: VecDeque<String>,
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
        let state = part.object("state").unwrap_or_default();
        match state.text("status").as_deref() {
            Some("running") if !self.known.contains(&call_id) => {}
            Some("completed" | "error") => {
                self.parts.retain(|part| part.place.call_id != call_id);
                return false;
            }
            _ => return false,
        }
        let input = state.json("input").and_then(|input| input.read().ok()).unwrap_or_default();
        let place = CallPlace {
            session_id: session.to_owned(),
            message_id: part.text("messageID").unwrap_or_default(),
            call_id,
        };
        self.remember(place.call_id.clone());
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

    fn remember(&mut self, call_id: String) {
        if self.order.len() >= MAX_PARTS
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(call_id.clone());
        self.known.insert(call_id);
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
}
