//! What a server of 2.x stores, in the form that one of 1.x gives: for whoever reads lists of either.

use crate::base::json::{put, tree, with_field};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::HashMap;

/// A message with its parts; `None` for what is no message, such as the mark that a session became idle, and for
/// what cannot be read.
pub(crate) fn message(raw: &RawValue, session: &str) -> Option<Box<RawValue>> {
    let mut stored = tree(raw);
    let id = stored["id"].as_str()?.to_owned();
    let kind = stored["type"].as_str()?.to_owned();
    let mut info = json!({ "id": id, "sessionID": session, "time": stored["time"] });
    let parts = match kind.as_str() {
        "idle" => return None,
        "user" => {
            put(&mut info, "role", "user");
            user(&stored)
        }
        "synthetic" => {
            put(&mut info, "role", "user");
            vec![noted(&stored["text"])]
        }
        "assistant" => {
            answer(&mut info, &mut stored);
            steps(&mut stored)
        }
        "compaction" => {
            answer(&mut info, &mut stored);
            put(&mut info, "agent", "compaction");
            put(&mut info, "summary", true);
            vec![json!({ "type": "text", "text": text(&stored["summary"]) })]
        }
        _ => {
            put(&mut info, "role", kind.as_str());
            let parts = stored["text"].is_string().then(|| noted(&stored["text"]));
            if let Value::Object(fields) = &mut stored {
                for name in ["id", "type", "time", "text"] {
                    fields.remove(name);
                }
                for (name, value) in fields.iter_mut() {
                    put(&mut info, name, value.take());
                }
            }
            parts.into_iter().collect()
        }
    };
    let mut count: HashMap<String, usize> = HashMap::new();
    let parts: Vec<Value> = parts
        .into_iter()
        .map(|part| {
            let ordinal = count.entry(text(&part["type"]).to_owned()).or_default();
            let named = named(part, *ordinal, &id, session);
            *ordinal += 1;
            named
        })
        .collect();
    serde_json::value::to_raw_value(&json!({ "info": info, "parts": parts })).ok()
}

/// A part of an answer that is being written: the part of its kind with this number.
pub(crate) fn part(
    content: Value,
    ordinal: usize,
    message: &str,
    session: &str,
) -> Option<Box<RawValue>> {
    let part = if content["type"] == "tool" { tool(&content) } else { content };
    serde_json::value::to_raw_value(&named(part, ordinal, message, session)).ok()
}

/// 2.x has no ids of parts. Its events tell texts of one kind apart by their number, and tools by the id of their use.
fn named(mut part: Value, ordinal: usize, message: &str, session: &str) -> Value {
    let id = match part["callID"].as_str() {
        Some(call) => format!("{message}.{call}"),
        None => format!("{message}.{}.{ordinal}", text(&part["type"])),
    };
    put(&mut part, "id", id);
    put(&mut part, "messageID", message);
    put(&mut part, "sessionID", session);
    part
}

/// A session with its directory where 1.x has it, and with a title: 2.x leaves it out until there is one.
pub(crate) fn session(raw: &RawValue) -> Box<RawValue> {
    let session = tree(raw);
    let mut made = raw.to_owned();
    if let Some(directory) = session["location"]["directory"].as_str() {
        made = with_field(&made, "directory", &Value::from(directory).to_string());
    }
    if session.is_object() && session.get("title").is_none() {
        made = with_field(&made, "title", "\"\"");
    }
    made
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What the server said to the model, and no person did.
fn noted(said: &Value) -> Value {
    json!({ "type": "text", "text": text(said), "synthetic": true })
}

fn user(stored: &Value) -> Vec<Value> {
    let mut parts = vec![json!({ "type": "text", "text": text(&stored["text"]) })];
    for file in stored["files"].as_array().into_iter().flatten() {
        let mime = text(&file["mime"]);
        let url = format!("data:{mime};base64,{}", text(&file["data"]));
        parts.push(json!({
            "type": "file", "mime": mime, "filename": file["name"], "url": url, "source": file["source"],
        }));
    }
    for agent in stored["agents"].as_array().into_iter().flatten() {
        parts.push(json!({ "type": "agent", "name": agent["name"] }));
    }
    parts
}

/// What is known of an answer as a whole.
fn answer(info: &mut Value, stored: &mut Value) {
    put(info, "role", "assistant");
    let model = stored["model"].take();
    put(info, "providerID", model["providerID"].clone());
    put(info, "modelID", model["id"].clone());
    for name in ["variant"] {
        if !model[name].is_null() {
            put(info, name, model[name].clone());
        }
    }
    for name in ["agent", "cost", "tokens", "finish", "retry"] {
        if let Some(value) = stored.get_mut(name) {
            put(info, name, value.take());
        }
    }
    if let Some(error) = stored.get("error") {
        let mut data = json!({ "message": error["message"] });
        if !error["status"].is_null() {
            put(&mut data, "statusCode", error["status"].clone());
        }
        put(info, "error", json!({ "name": error["type"], "data": data }));
    }
}

fn steps(stored: &mut Value) -> Vec<Value> {
    let content = stored["content"].as_array_mut().map(std::mem::take).unwrap_or_default();
    let mut parts: Vec<Value> = content
        .into_iter()
        .map(|mut part| match text(&part["type"]) {
            "tool" => tool(&part),
            _ => {
                if let Some(time) = span(&part["time"]) {
                    put(&mut part, "time", time);
                }
                part
            }
        })
        .collect();
    let snapshot = &stored["snapshot"];
    if snapshot["files"].as_array().is_some_and(|files| !files.is_empty()) {
        parts.push(json!({
            "type": "patch", "hash": text(&snapshot["end"]), "files": snapshot["files"],
        }));
    }
    parts
}

/// From when to when something was done, in the words of 1.x.
fn span(theirs: &Value) -> Option<Value> {
    let start = [&theirs["ran"], &theirs["created"]].into_iter().find(|time| time.is_number())?;
    let mut time = json!({ "start": start });
    if theirs["completed"].is_number() {
        put(&mut time, "end", theirs["completed"].clone());
    }
    Some(time)
}

fn tool(part: &Value) -> Value {
    let theirs = &part["state"];
    let status = match text(&theirs["status"]) {
        "streaming" => "pending",
        status => status,
    };
    let said = theirs["content"].as_array().into_iter().flatten();
    let said: Vec<&str> = said.filter_map(|piece| piece["text"].as_str()).collect();
    let mut state = json!({ "status": status, "input": theirs["input"] });
    match status {
        "completed" => put(&mut state, "output", said.join("\n")),
        "error" => put(&mut state, "error", text(&theirs["error"]["message"])),
        _ => {}
    }
    if !theirs["metadata"].is_null() {
        put(&mut state, "metadata", theirs["metadata"].clone());
    }
    if let Some(time) = span(&part["time"]).filter(|_| status != "pending") {
        put(&mut state, "time", time);
    }
    json!({ "type": "tool", "callID": part["id"], "tool": part["name"], "state": state })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::model::{Message, MessageInfo, Part};

    fn read(stored: Value) -> Option<Message> {
        let raw = serde_json::value::to_raw_value(&stored).unwrap();
        message(&raw, "ses_1").map(|raw| serde_json::from_str(raw.get()).unwrap())
    }

    #[test]
    fn an_answer_has_its_parts() {
        let message = read(json!({
            "id": "msg_2", "type": "assistant", "time": {"created": 1, "completed": 2}, "agent": "build",
            "model": {"id": "m", "providerID": "p"}, "cost": 0.5, "finish": "error",
            "tokens": {"input": 1, "output": 2, "reasoning": 3, "cache": {"read": 4, "write": 5}},
            "error": {"type": "aborted", "message": "Aborted", "status": 429},
            "content": [
                {"type": "reasoning", "text": "hm", "time": {"created": 1, "completed": 2}},
                {"type": "text", "text": "yes"},
                {"type": "tool", "id": "call_1", "name": "shell", "time": {"created": 1, "ran": 2, "completed": 3}, "state": {
                    "status": "completed", "input": {"command": "x"}, "content": [
                        {"type": "text", "text": "a"}, {"type": "file"}, {"type": "text", "text": "b"}]}},
                {"type": "tool", "id": "call_2", "name": "shell", "time": {"created": 1}, "state": {
                    "status": "error", "input": {}, "error": {"type": "t", "message": "no"}}},
            ],
            "snapshot": {"end": "h", "files": ["a.txt"]},
        }));
        let message = message.unwrap();
        assert_eq!((message.id(), message.text().as_str()), ("msg_2", "yes"));
        let MessageInfo::Assistant(info) = &message.info else { panic!("{message:?}") };
        assert_eq!((info.session_id.as_str(), info.model_id.as_str()), ("ses_1", "m"));
        assert_eq!((info.cost, info.tokens.total()), (0.5, 15));
        let error = info.error.as_ref().unwrap();
        assert_eq!((error.name.as_str(), error.message()), ("aborted", "Aborted"));
        assert_eq!(info.time.completed, Some(2));
        let kinds: Vec<_> = message.parts.iter().map(Part::kind).collect();
        assert_eq!(kinds, ["reasoning", "text", "tool", "tool", "patch"]);
        let Part::Tool(tool) = &message.parts[2] else { panic!("{message:?}") };
        assert_eq!((tool.tool.as_str(), tool.call_id.as_str()), ("shell", "call_1"));
        assert_eq!(tool.state.output.as_deref(), Some("a\nb"));
        let Part::Tool(tool) = &message.parts[3] else { panic!("{message:?}") };
        assert_eq!(tool.state.error.as_deref(), Some("no"));
    }

    #[test]
    fn what_was_done_has_its_times_where_1_x_has_them() {
        let content = |status: &str, time: Value| json!({"type": "tool", "id": "c", "name": "shell", "state": {"status": status}, "time": time});
        let thought =
            json!({"type": "reasoning", "text": "", "time": {"created": 1, "completed": 2}});
        let whole = json!({"created": 1, "ran": 2, "completed": 3});
        let stored = json!({"id": "msg_2", "type": "assistant", "content": [
            thought, content("completed", whole), content("running", json!({"created": 4})),
            content("streaming", json!({"created": 5})), content("completed", json!("odd"))]});
        let made = message(&serde_json::value::to_raw_value(&stored).unwrap(), "ses_1").unwrap();
        let made: Value = serde_json::from_str(made.get()).unwrap();
        assert_eq!(made["parts"][0]["time"], json!({"start": 1, "end": 2}));
        let times: Vec<_> = (1..5).map(|at| made["parts"][at]["state"]["time"].clone()).collect();
        let odd = [json!({"start": 2, "end": 3}), json!({"start": 4}), Value::Null, Value::Null];
        assert_eq!(times, odd);
    }

    #[test]
    fn what_else_is_stored_is_told_apart() {
        let user =
            read(json!({"id": "msg_1", "type": "user", "time": {"created": 1}, "text": "hi",
            "files": [{"data": "AA==", "mime": "image/png", "name": "x.png", "source": {}}]}));
        let user = user.unwrap();
        assert_eq!((user.text().as_str(), user.parts.len()), ("hi", 2));
        let Part::File(file) = &user.parts[1] else { panic!("{user:?}") };
        assert_eq!(file.url, "data:image/png;base64,AA==");
        let note = read(json!({"id": "msg_1", "type": "synthetic", "time": {}, "text": "go on"}));
        let note = note.unwrap();
        assert!(matches!(note.info, MessageInfo::User(_)) && note.text().is_empty(), "{note:?}");
        let other = read(json!({"id": "msg_1", "type": "shell", "time": {}, "command": "ls"}));
        let Some(Message { info: MessageInfo::Other(info), .. }) = other else {
            panic!("{other:?}")
        };
        assert_eq!((&info["role"], &info["command"]), (&json!("shell"), &json!("ls")));
        for nothing in [
            json!({"id": "msg_1", "type": "idle", "outcome": "succeeded"}),
            json!({"type": "user"}),
            json!([]),
        ] {
            assert!(read(nothing).is_none());
        }
        let raw =
            serde_json::value::to_raw_value(&json!({"id": "s", "location": {"directory": "/p"}}));
        let made: Value = serde_json::from_str(session(&raw.unwrap()).get()).unwrap();
        assert_eq!((&made["directory"], &made["title"]), (&json!("/p"), &json!("")));
        let raw = serde_json::value::to_raw_value(&json!({"id": "s", "title": "named"})).unwrap();
        assert_eq!(session(&raw).get(), raw.get());
    }
}
