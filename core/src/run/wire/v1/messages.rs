//! Messages, parts, inquiries and status as 1.x writes them.
//!
//! Each thing is read field by field, and a field of another shape than expected counts as absent. What cannot be
//! told apart from others at all, because it has no id, is not there.

use crate::base::depth::excess;
use crate::base::json::{Json, Object, list, shallow, words};
use crate::protocol::tokens::Tokens;
use crate::run::wire::{
    Failure, Info, Inquiry, PartContent, Status, StoredMessage, StoredPart, Time, ToolFailure,
    ToolUse,
};
use serde_json::value::RawValue;
use std::sync::Arc;

/// Tools that change files.
const WRITERS: &[&str] = &["edit", "write", "multiedit", "patch", "apply_patch", "bash", "task"];

/// Reads a message; what is left out of it is told in `odd`. `None` when it is no message at all.
pub(crate) fn read_message(raw: &RawValue, odd: &mut Vec<String>) -> Option<StoredMessage> {
    let object = Object::read(raw);
    let info = object.as_ref().and_then(|object| object.get("info"));
    let Some((object, info, mut known)) =
        object.zip(info).and_then(|(o, info)| Some((o, info, read_info(info)?)))
    else {
        odd.push("a message without an id".to_owned());
        return None;
    };
    let id = &known.id;
    let whole = shallow(info);
    if whole.get().len() < info.get().len() {
        odd.push(format!("fields of message {id}, which are nested too deep"));
    }
    let mut parts = Vec::new();
    let mut is_whole = excess(raw.get().as_bytes()).is_none();
    for part in object.list("parts") {
        match read_part(part) {
            Ok(part) => parts.push(part),
            Err(why) => {
                odd.push(format!("a part of message {id}, {why}"));
                is_whole &= !why.starts_with(TOO_DEEP);
            }
        }
    }
    known.is_summary |= parts.iter().any(asks_for_summary);
    let raw = if is_whole { raw.to_owned() } else { without_the_rest(&whole, &parts)? };
    Some(StoredMessage { info: known, parts, raw })
}

/// Whether a part asks for a summary of the session.
fn asks_for_summary(part: &StoredPart) -> bool {
    matches!(part.content, PartContent::Other) && summary_request(&part.raw).is_some()
}

/// A part that asks for a summary of the session.
pub(super) fn summary_request(part: &RawValue) -> Option<Object<'_>> {
    Object::read(part).filter(|part| part.text("type").as_deref() == Some("compaction"))
}

/// Reads a list of messages.
pub(super) fn read_messages(raws: &[&RawValue], odd: &mut Vec<String>) -> Vec<StoredMessage> {
    raws.iter().filter_map(|raw| read_message(raw, odd)).collect()
}

/// A message of nothing but what was read.
fn without_the_rest(info: &RawValue, parts: &[StoredPart]) -> Option<Box<RawValue>> {
    let parts: Vec<&str> = parts.iter().map(|part| part.raw.get()).collect();
    let (info, parts) = (info.get(), parts.join(","));
    RawValue::from_string(format!(r#"{{"info":{info},"parts":[{parts}]}}"#)).ok()
}

/// A message as it came, without its parts.
pub(crate) fn raw_info(message: &StoredMessage) -> Option<Arc<RawValue>> {
    let fields = Object::read(&message.raw)?;
    fields.get("info").map(|info| Arc::from(info.to_owned()))
}

/// `None` when it has no id.
pub(crate) fn read_info(raw: &RawValue) -> Option<Info> {
    let object = Object::read(raw)?;
    let parent_id = object.text("parentID");
    let (finish, error) = (object.words("finish"), object.json("error"));
    // Only answers have a parent.
    let role = object
        .text("role")
        .unwrap_or_else(|| if parent_id.is_some() { "assistant" } else { "" }.to_owned());
    let time = match object.object("time") {
        Some(time) => Time {
            created: time.number("created").unwrap_or_default(),
            // Whatever is written there, there is an end.
            completed: time.get("completed").map(|_| time.number("completed").unwrap_or_default()),
        },
        // Without a time only the way in which it ended says that it did.
        None => {
            Time { created: 0.0, completed: (finish.is_some() || error.is_some()).then_some(0.0) }
        }
    };
    Some(Info {
        id: object.text("id").filter(|id| !id.is_empty())?,
        role,
        parent_id,
        time,
        finish,
        error: error.map(read_failure),
        structured: object.json("structured"),
        cost: object.cost("cost"),
        tokens: object.get("tokens").map(Tokens::read).unwrap_or_default(),
        provider_id: object.text("providerID"),
        model_id: object.text("modelID"),
        agent: object.text("agent"),
        is_continued: false,
        is_summary: object.flag("summary") == Some(true),
        retry: None,
    })
}

/// An error as the server writes it into messages and events.
pub(crate) fn read_failure(error: Json) -> Failure {
    let code = error.text_at("/name").unwrap_or_else(|| "UnknownError".to_owned());
    let mut words = error
        .text_at("/data/message")
        .or_else(|| error.text_at("/message"))
        .unwrap_or_else(|| words(error.at("/data").as_ref().unwrap_or(&error).raw()));
    // A stack trace of the server helps nobody here.
    if let Some(end) = words.find("\n    at ") {
        words.truncate(end);
    }
    let retryable = error.at("/data/isRetryable");
    Failure {
        is_abort: code == "MessageAbortedError",
        is_retryable: retryable.is_some_and(|flag| flag.get() == "true"),
        code,
        words,
        body: error,
    }
}

const TOO_DEEP: &str = "which is nested";

/// # Errors
/// Why it cannot be read, in words that follow its name.
pub(crate) fn read_part(raw: &RawValue) -> Result<StoredPart, String> {
    if let Some(depth) = excess(raw.get().as_bytes()) {
        return Err(format!("{TOO_DEEP} {depth} levels deep"));
    }
    let object = Object::read(raw).ok_or("which is no object")?;
    let kind = object.text("type").unwrap_or_default();
    let text = || object.text("text");
    let is_ended = || object.object("time").is_some_and(|time| time.get("end").is_some());
    let content = match (object.text("tool"), kind.as_str()) {
        (Some(name), kind) => PartContent::Tool(Box::new(read_tool(name, kind, &object))),
        (None, "text") => PartContent::Text { text: text(), is_ended: is_ended() },
        (None, "reasoning") => PartContent::Reasoning { text: text(), is_ended: is_ended() },
        (None, "patch") => PartContent::Patch,
        (None, _) => PartContent::Other,
    };
    let inserted = if kind == "compaction" { "auto" } else { "synthetic" };
    Ok(StoredPart {
        id: object.text("id").ok_or("which has no id")?,
        message_id: object.text("messageID").unwrap_or_default(),
        content,
        is_inserted: object.flag(inserted).unwrap_or(false),
        raw: raw.to_owned(),
    })
}

fn read_tool(name: String, kind: &str, part: &Object<'_>) -> ToolUse {
    let state = part.object("state").unwrap_or_default();
    let status = state.text("status");
    let is_busy = matches!(status.as_deref(), Some("pending" | "running"));
    let child = || state.object("metadata").and_then(|metadata| metadata.text("sessionId"));
    let todos = || {
        let todos = state.object("input")?.get("todos")?;
        list(todos)?;
        Some(Arc::from(todos.to_owned()))
    };
    let failure = || tool_failure(&state.words("error").unwrap_or_default());
    ToolUse {
        is_busy,
        call: part.text("callID"),
        writes: kind == "patch" || WRITERS.contains(&name.as_str()),
        is_shell: name == "bash",
        command: None,
        failure: (status.as_deref() == Some("error")).then(failure),
        child: (name == "task").then(child).flatten(),
        todos: (name == "todowrite" && !is_busy).then(todos).flatten(),
        name,
    }
}

fn tool_failure(words: &str) -> ToolFailure {
    if words.contains("feedback") {
        ToolFailure::RefusedWithWords
    } else if words.contains("rejected") || words.contains("dismissed") {
        ToolFailure::Refused
    } else if words.contains("execution aborted") {
        ToolFailure::Aborted
    } else {
        ToolFailure::Other
    }
}

/// Reads a permission or a question.
///
/// # Errors
/// Why it cannot be read, and so cannot be answered.
pub(crate) fn read_inquiry(raw: &RawValue, is_question: bool) -> Result<Inquiry, String> {
    // It waits for an answer: what is too deep to be handed on is left out of it, and the rest is told.
    let raw = shallow(raw);
    let object = Object::read(&raw).ok_or("it is no object")?;
    let label = |option: &RawValue| Object::read(option)?.text("label");
    let labels = |question: &RawValue| {
        let options = Object::read(question).map(|question| question.list("options"));
        options.into_iter().flatten().filter_map(label).collect()
    };
    // What is asked for must stay visible to the rules, whatever it looks like.
    let patterns = match object.get("patterns") {
        None => Vec::new(),
        Some(raw) => match list(raw) {
            Some(items) => items.into_iter().map(words).collect(),
            None => vec![words(raw)],
        },
    };
    let tool = object.object("tool").unwrap_or_default();
    Ok(Inquiry {
        id: object.text("id").ok_or("it has no id")?,
        session_id: object.text("sessionID").ok_or("it names no session")?,
        is_question,
        permission: object.words("permission").unwrap_or_default(),
        patterns,
        options: object.list("questions").into_iter().map(labels).collect(),
        message_id: tool.text("messageID"),
        call: tool.text("callID"),
        raw: raw.clone(),
    })
}

/// What a session does, by the server's status list.
pub(crate) fn read_status(raw: &RawValue) -> Status {
    let Some(object) = Object::read(raw) else { return Status::Unreadable };
    match object.text("type").as_deref() {
        Some("idle") => Status::Idle,
        Some("busy") => Status::Busy,
        Some("retry") => Status::Retry {
            attempt: u32::try_from(object.count("attempt")).unwrap_or(u32::MAX),
            message: object.words("message").unwrap_or_default(),
            next: object.number("next").unwrap_or_default(),
        },
        Some(_) => Status::Other,
        None => Status::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn unknown_fields_parts_and_shapes_never_fail() {
        let mut odd = Vec::new();
        let message = raw(
            r#"{"info":{"id":"msg_1","role":"assistant","tokens":"many","cost":null,"new":[1],"time":7,"finish":3},
                "parts":[{"id":"prt_1","type":"hologram","state":{"status":"x","metadata":7}},7,{"id":1}]}"#,
        );
        let message = read_message(&message, &mut odd).unwrap();
        assert_eq!(message.info.tokens, Tokens::default());
        assert!(message.info.is_completed() && message.info.finish.as_deref() == Some("3"));
        assert_eq!(
            (message.parts.len(), matches!(message.parts[0].content, PartContent::Other)),
            (1, true)
        );
        assert_eq!(odd.len(), 2, "{odd:?}");
        for text in ["7", "{}", r#"{"info":7}"#, r#"{"info":{"id":[]}}"#] {
            assert!(read_message(&raw(text), &mut odd).is_none(), "{text}");
        }
        assert_eq!(read_status(&raw(r#"{"type":"dreaming","deep":true}"#)), Status::Other);
        assert_eq!(read_status(&raw(r#"{"type":7}"#)), Status::Unreadable);
        let patterns = |text: &str| read_inquiry(&raw(text), false).unwrap().patterns;
        assert_eq!(patterns(r#"{"id":"p","sessionID":"s","patterns":["a",7]}"#), ["a", "7"]);
        assert_eq!(patterns(r#"{"id":"p","sessionID":"s","patterns":"rm x"}"#), ["rm x"]);
    }

    #[test]
    fn a_part_that_no_host_could_take_is_left_out() {
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        let message = |levels: usize| {
            let text = r#"{"info":{"id":"m","role":"assistant"},"parts":[{"id":"a","input":DEEP},{"id":"b"}]}"#;
            let mut odd = Vec::new();
            let message = read_message(&raw(&text.replace("DEEP", &nested(levels))), &mut odd);
            (message.unwrap(), odd)
        };
        let (whole, odd) = message(900);
        assert!(odd.is_empty() && whole.parts.len() == 2 && whole.raw.get().len() > 1_800);
        let (cut, odd) = message(100_000);
        assert_eq!(odd, ["a part of message m, which is nested 100001 levels deep"]);
        let wanted = r#"{"info":{"id":"m","role":"assistant"},"parts":[{"id":"b"}]}"#;
        assert_eq!((cut.parts.len(), cut.raw.get()), (1, wanted));
    }

    #[test]
    fn the_child_of_a_task_is_seen() {
        let part = read_part(&raw(r#"{"id":"p","messageID":"m","type":"tool","tool":"task",
                "state":{"status":"running","metadata":{"sessionId":"ses_2"}}}"#))
        .unwrap();
        let tool = part.tool().unwrap();
        assert_eq!(tool.child.as_deref(), Some("ses_2"));
        assert_eq!((tool.name.as_str(), tool.is_busy), ("task", true));
    }

    #[test]
    fn messages_of_a_compaction_are_told_from_those_of_people() {
        let user = |parts: &str| {
            let text = format!(r#"{{"info":{{"id":"m","role":"user"}},"parts":[{parts}]}}"#);
            read_message(&raw(&text), &mut Vec::new()).unwrap()
        };
        assert!(user(r#"{"id":"p","type":"compaction","auto":true}"#).is_inserted());
        assert!(user(r#"{"id":"p","type":"text","text":"go on","synthetic":true}"#).is_inserted());
        assert!(!user(r#"{"id":"p","type":"compaction","auto":false}"#).is_inserted());
        assert!(
            !user(
                r#"{"id":"p","type":"text","text":"hi"},{"id":"q","type":"text","synthetic":true}"#
            )
            .is_inserted()
        );
    }

    #[test]
    fn errors_are_named_in_the_servers_words() {
        let failure = |value: &serde_json::Value| {
            let Failure { code, words, .. } = read_failure(Json::from(&*raw(&value.to_string())));
            (code, words)
        };
        let value = serde_json::json!({"name": "APIError", "data": {"message": "no", "x": 1}});
        assert_eq!(failure(&value), ("APIError".to_owned(), "no".to_owned()));
        let value = serde_json::json!({"name": "Odd", "data": {"x": 1}});
        assert_eq!(failure(&value), ("Odd".to_owned(), r#"{"x":1}"#.to_owned()));
        let value = serde_json::json!({"name": "E", "data": {"message": "no\n    at x.js:1"}});
        assert_eq!(failure(&value).1, "no");
    }
}
