//! What an MCP client asks: JSON-RPC, as far as tools need it.

use super::desk::{Asker, BegunCall, Desk};
use super::tool::Tool;
use crate::base::json::Object;
use serde_json::json;
use serde_json::value::RawValue;
use std::sync::Arc;

/// The versions of the protocol that are spoken here, the newest first. Tools are the same in all of them.
const VERSIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

const PARSE_ERROR: i32 = -32_700;
const INVALID_REQUEST: i32 = -32_600;
const NO_METHOD: i32 = -32_601;
const INVALID_PARAMS: i32 = -32_602;

/// What is to be sent back.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reaction {
    /// This, with 200.
    Answer(String),
    /// Nothing, with 202.
    Accepted,
    /// This, with 400.
    Refused(String),
    /// The answer comes later, to the request with this id.
    Later(String),
}

/// Does what a message asks.
pub(super) fn handle(desk: &Desk, body: &[u8], connection: usize, peer: &str) -> Reaction {
    let Ok(text) = std::str::from_utf8(body) else { return refused(PARSE_ERROR, "no UTF-8") };
    let Ok(raw) = serde_json::from_str::<&RawValue>(text) else {
        return refused(PARSE_ERROR, "no JSON");
    };
    let Some(message) = Object::read(raw) else {
        return refused(INVALID_REQUEST, "a message is one object");
    };
    // Answers to what this server never asked.
    let Some(method) = message.text("method") else { return Reaction::Accepted };
    let params = message.object("params").unwrap_or_default();
    let Some(id) = message.get("id").map(RawValue::get).filter(|id| is_id(id)) else {
        if method == "notifications/cancelled"
            && let Some(request) = params.get("requestId")
        {
            desk.cancel(|asker| asker.peer == peer && asker.request == request.get());
        }
        return Reaction::Accepted;
    };
    let result = match method.as_str() {
        "initialize" => initialize(desk.prefix(), &params),
        "ping" => "{}".to_owned(),
        "tools/list" => {
            let (tools, version) = desk.tools();
            desk.note_listed(peer, version);
            list(&tools)
        }
        "tools/call" => {
            let Some(name) = params.text("name") else {
                return Reaction::Answer(error(id, INVALID_PARAMS, "the name is missing"));
            };
            let none = RawValue::NULL;
            let arguments = match params.get("arguments") {
                Some(arguments) if arguments.get() != none.get() => arguments.to_owned(),
                _ => empty(),
            };
            let (peer, request) = (peer.to_owned(), id.to_owned());
            match desk.begin(&name, &arguments, Asker { connection, peer, request }) {
                BegunCall::Open => return Reaction::Later(id.to_owned()),
                BegunCall::Result(result) => result,
                BegunCall::Unknown => {
                    let text = format!("there is no tool '{name}'");
                    return Reaction::Answer(error(id, INVALID_PARAMS, &text));
                }
            }
        }
        other => {
            let text = format!("there is no method '{other}'");
            return Reaction::Answer(error(id, NO_METHOD, &text));
        }
    };
    Reaction::Answer(answer(id, &result))
}

/// The answer to a request, with its result as JSON.
pub(super) fn answer(id: &str, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

fn error(id: &str, code: i32, message: &str) -> String {
    let error = json!({ "code": code, "message": message });
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#)
}

fn refused(code: i32, message: &str) -> Reaction {
    Reaction::Refused(error("null", code, message))
}

/// A number or a text; null makes a notification of nothing.
fn is_id(id: &str) -> bool {
    id.starts_with(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) && id.len() <= 256
}

fn initialize(name: &str, params: &Object<'_>) -> String {
    let wanted = params.text("protocolVersion").unwrap_or_default();
    let version = VERSIONS.into_iter().find(|known| *known == wanted).unwrap_or(VERSIONS[0]);
    json!({
        "protocolVersion": version,
        "capabilities": { "tools": { "listChanged": true } },
        "serverInfo": { "name": name, "version": env!("CARGO_PKG_VERSION") },
    })
    .to_string()
}

/// Says that the list is to be read again.
pub(super) const LIST_CHANGED: &str =
    r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;

fn list(tools: &[Arc<Tool>]) -> String {
    let tools = tools.iter().map(|tool| {
        let (name, about) = (json!(tool.name), json!(tool.description));
        let schema = tool.parameters.get();
        format!(r#"{{"name":{name},"description":{about},"inputSchema":{schema}}}"#)
    });
    format!(r#"{{"tools":[{}]}}"#, tools.collect::<Vec<_>>().join(","))
}

fn empty() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::error::ErrorKind;
    use crate::tools::{Tool, ToolAnswer};
    use serde_json::Value;
    use std::sync::Arc;
    use std::time::Duration;

    fn desk() -> Desk {
        let desk = Desk::new("host", Arc::default());
        let schema = json!({ "type": "object", "properties": { "a": { "type": "integer" } },
            "required": ["a"] });
        desk.add(Tool::new("add", "Adds").parameters(schema).timeout(Duration::from_millis(30)));
        desk
    }

    fn send(desk: &Desk, message: &Value) -> Reaction {
        handle(desk, message.to_string().as_bytes(), 1, "p")
    }

    fn result(reaction: Reaction) -> Value {
        let Reaction::Answer(text) = reaction else { panic!("{reaction:?}") };
        serde_json::from_str::<Value>(&text).unwrap()["result"].clone()
    }

    fn call(arguments: Value, id: u32) -> Value {
        json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": { "name": "add", "arguments": arguments } })
    }

    #[test]
    fn versions_are_negotiated() {
        let ask = |version: &str| {
            let params = json!({ "protocolVersion": version });
            let asked = json!({ "id": 0, "method": "initialize", "params": params });
            result(send(&desk(), &asked))["protocolVersion"].clone()
        };
        assert_eq!(ask("2025-03-26"), "2025-03-26");
        assert_eq!(ask("2099-01-01"), VERSIONS[0]);
    }

    #[test]
    fn wrong_arguments_never_become_a_call() {
        let desk = desk();
        for wrong in [json!({}), json!({ "a": "1" }), json!([1]), json!(7)] {
            let result = result(send(&desk, &call(wrong, 1)));
            assert_eq!(result["isError"], true, "{result}");
            let text = result["content"][0]["text"].as_str().unwrap();
            assert!(text.starts_with("wrong arguments: "), "{text}");
        }
        assert!(!desk.has_calls());
    }

    #[test]
    fn a_call_waits_for_its_answer_and_its_time() {
        let desk = desk();
        assert_eq!(send(&desk, &call(json!({ "a": 1 }), 7)), Reaction::Later("7".to_owned()));
        let taken = desk.take_plain().unwrap();
        desk.reply(taken.id(), ToolAnswer::text("1")).unwrap();
        let (asker, result) = desk.take_answers().pop_front().unwrap();
        assert_eq!((asker.connection, asker.request.as_str()), (1, "7"));
        assert!(result.contains(r#""text":"1""#), "{result}");
        assert_eq!(desk.reply(taken.id(), "again".into()).unwrap_err().kind(), ErrorKind::NotFound);

        send(&desk, &call(json!({ "a": 2 }), 8));
        while desk.tick().is_some() {
            std::thread::park_timeout(Duration::from_millis(5));
        }
        let (_, result) = desk.take_answers().pop_front().unwrap();
        assert!(result.contains("nobody answered the call within 30 ms"), "{result}");
        assert!(!desk.has_calls(), "what is over waits for nobody");
    }

    #[test]
    fn a_call_that_is_cancelled_is_taken_back() {
        let desk = desk();
        send(&desk, &call(json!({ "a": 1 }), 7));
        send(&desk, &call(json!({ "a": 2 }), 8));
        let taken = desk.take_plain().unwrap();
        for id in [7, 8] {
            let notice =
                json!({ "method": "notifications/cancelled", "params": { "requestId": id } });
            assert_eq!(send(&desk, &notice), Reaction::Accepted);
        }
        assert!(taken.is_over() && desk.take_plain().is_none());
        assert_eq!(desk.reply(taken.id(), "late".into()).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn what_is_no_request_does_no_harm() {
        let desk = desk();
        for body in ["", "{", "[]", "7", "\"a\"", "\u{0}"] {
            let reaction = handle(&desk, body.as_bytes(), 1, "p");
            assert!(matches!(reaction, Reaction::Refused(_)), "{body:?}");
        }
        assert!(matches!(handle(&desk, b"\xff", 1, "p"), Reaction::Refused(_)));
        assert_eq!(send(&desk, &json!({ "id": null, "method": "tools/call" })), Reaction::Accepted);
        assert_eq!(send(&desk, &json!({ "result": {} })), Reaction::Accepted);
        for method in ["tools/call", "resources/list"] {
            let Reaction::Answer(text) = send(&desk, &json!({ "id": "a", "method": method }))
            else {
                panic!("{method}")
            };
            assert!(text.contains(r#""error""#), "{text}");
        }
    }
}
