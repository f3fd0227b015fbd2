//! The few facts of messages, parts and requests that a run must understand. Everything else stays as it came.
//!
//! Each thing is read field by field, and a field of another shape than expected counts as absent. What cannot be
//! told apart from others at all, because it has no id, is not there.

use crate::base::depth::excess;
use crate::base::json::{Json, Object, list, shallow, words};
use crate::protocol::tokens::Tokens;
use serde_json::value::RawValue;

/// A message with its parts, as lists and single reads give it.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub info: Info,
    pub parts: Vec<Part>,
    /// The whole message as it came, but for parts that no host could take.
    pub raw: Box<RawValue>,
}

impl Message {
    /// Reads a message; what is left out of it is told in `odd`. `None` when it is no message at all.
    pub(crate) fn read(raw: &RawValue, odd: &mut Vec<String>) -> Option<Self> {
        let object = Object::read(raw);
        let info = object.as_ref().and_then(|object| object.get("info"));
        let Some((object, info, known)) =
            object.zip(info).and_then(|(o, info)| Some((o, info, Info::read(info)?)))
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
            match Part::read(part) {
                Ok(part) => parts.push(part),
                Err(why) => {
                    odd.push(format!("a part of message {id}, {why}"));
                    is_whole &= !why.starts_with(TOO_DEEP);
                }
            }
        }
        let raw = if is_whole { raw.to_owned() } else { without_the_rest(&whole, &parts)? };
        Some(Message { info: known, parts, raw })
    }

    /// Reads a list of messages.
    pub(crate) fn read_all(raws: &[&RawValue], odd: &mut Vec<String>) -> Vec<Self> {
        raws.iter().filter_map(|raw| Message::read(raw, odd)).collect()
    }

    /// Whether the server put this user message in by itself: after a compaction, to go on.
    pub(crate) fn is_inserted(&self) -> bool {
        let inserted = |part: &Part| match part.kind.as_str() {
            "compaction" => part.auto.unwrap_or(false),
            _ => part.synthetic.unwrap_or(false),
        };
        !self.parts.is_empty() && self.parts.iter().all(inserted)
    }
}

/// A message of nothing but what was read.
fn without_the_rest(info: &RawValue, parts: &[Part]) -> Option<Box<RawValue>> {
    let parts: Vec<&str> = parts.iter().map(|part| part.raw.get()).collect();
    let (info, parts) = (info.get(), parts.join(","));
    RawValue::from_string(format!(r#"{{"info":{info},"parts":[{parts}]}}"#)).ok()
}

/// What is known of a message without its parts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Info {
    pub id: String,
    pub role: String,
    pub parent_id: Option<String>,
    pub time: Time,
    pub finish: Option<String>,
    pub error: Option<Json>,
    pub structured: Option<Json>,
    pub cost: f64,
    pub tokens: Tokens,
    pub provider_id: Option<String>,
    pub model_id: Option<String>,
    pub agent: Option<String>,
}

impl Info {
    /// `None` when it has no id.
    pub(crate) fn read(raw: &RawValue) -> Option<Self> {
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
                completed: time
                    .get("completed")
                    .map(|_| time.number("completed").unwrap_or_default()),
            },
            // Without a time only the way in which it ended says that it did.
            None => Time {
                created: 0.0,
                completed: (finish.is_some() || error.is_some()).then_some(0.0),
            },
        };
        Some(Info {
            id: object.text("id").filter(|id| !id.is_empty())?,
            role,
            parent_id,
            time,
            finish,
            error,
            structured: object.json("structured"),
            cost: object.cost("cost"),
            tokens: object.get("tokens").map(Tokens::read).unwrap_or_default(),
            provider_id: object.text("providerID"),
            model_id: object.text("modelID"),
            agent: object.text("agent"),
        })
    }

    pub(crate) fn is_assistant(&self) -> bool {
        self.role == "assistant"
    }

    pub(crate) fn is_completed(&self) -> bool {
        self.time.completed.is_some()
    }

    /// The server's name and words for what went wrong.
    pub(crate) fn failure(&self) -> Option<(String, String)> {
        self.error.as_ref().map(failure)
    }
}

/// Name and words of an error as the server writes it into messages and events.
pub(crate) fn failure(error: &Json) -> (String, String) {
    let name = error.text_at("/name").unwrap_or_else(|| "UnknownError".to_owned());
    let message = error
        .text_at("/data/message")
        .or_else(|| error.text_at("/message"))
        .unwrap_or_else(|| words(error.at("/data").as_ref().unwrap_or(error).raw()));
    // A stack trace of the server helps nobody here.
    let end = message.find("\n    at ").unwrap_or(message.len());
    (name, message[..end].to_owned())
}

/// Milliseconds since 1970 by the server's clock.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Time {
    pub created: f64,
    pub completed: Option<f64>,
}

/// One part of a message.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub id: String,
    pub message_id: String,
    pub kind: String,
    pub text: Option<String>,
    pub is_ended: bool,
    pub synthetic: Option<bool>,
    pub auto: Option<bool>,
    /// The session of the subagent that a `task` tool started.
    pub child: Option<String>,
    /// The tool's name, and whether it is still at work.
    pub tool: Option<(String, bool)>,
    pub raw: Box<RawValue>,
}

const TOO_DEEP: &str = "which is nested";

impl Part {
    /// # Errors
    /// Why it cannot be read, in words that follow its name.
    pub(crate) fn read(raw: &RawValue) -> Result<Self, String> {
        if let Some(depth) = excess(raw.get().as_bytes()) {
            return Err(format!("{TOO_DEEP} {depth} levels deep"));
        }
        let object = Object::read(raw).ok_or("which is no object")?;
        let state = object.object("state").unwrap_or_default();
        let metadata = state.object("metadata").unwrap_or_default();
        let is_busy = matches!(state.text("status").as_deref(), Some("pending" | "running"));
        let tool = object.text("tool");
        let is_task = tool.as_deref() == Some("task");
        Ok(Part {
            id: object.text("id").ok_or("which has no id")?,
            message_id: object.text("messageID").unwrap_or_default(),
            kind: object.text("type").unwrap_or_default(),
            text: object.text("text"),
            is_ended: object.object("time").is_some_and(|time| time.get("end").is_some()),
            synthetic: object.flag("synthetic"),
            auto: object.flag("auto"),
            child: metadata.text("sessionId").filter(|_| is_task),
            tool: tool.map(|tool| (tool, is_busy)),
            raw: raw.to_owned(),
        })
    }
}

/// A permission or a question that waits for an answer.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub id: String,
    pub session_id: String,
    /// What is asked for, such as `bash`; empty for a question.
    pub permission: String,
    pub patterns: Vec<String>,
    /// The labels of each question's options; empty for a permission.
    pub options: Vec<Vec<String>>,
    /// The message whose tool asked.
    pub message_id: Option<String>,
    pub raw: Box<RawValue>,
}

impl Request {
    /// # Errors
    /// Why it cannot be read, and so cannot be answered.
    pub(crate) fn read(raw: &RawValue) -> Result<Self, String> {
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
        Ok(Request {
            id: object.text("id").ok_or("it has no id")?,
            session_id: object.text("sessionID").ok_or("it names no session")?,
            permission: object.words("permission").unwrap_or_default(),
            patterns,
            options: object.list("questions").into_iter().map(labels).collect(),
            message_id: object.object("tool").and_then(|tool| tool.text("messageID")),
            raw: raw.clone(),
        })
    }
}

/// What a session does, by the server's status list. A session that is not listed is idle.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Status {
    Idle,
    Busy,
    Retry {
        attempt: u32,
        message: String,
        /// When the next try is due, in milliseconds since 1970.
        next: f64,
    },
    /// A word of a newer server: not idle.
    Other,
    /// Nothing that says anything: the messages have to tell.
    Unreadable,
}

impl Status {
    pub(crate) fn read(raw: &RawValue) -> Self {
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
        let message = Message::read(&message, &mut odd).unwrap();
        assert_eq!(message.info.tokens, Tokens::default());
        assert!(message.info.is_completed() && message.info.finish.as_deref() == Some("3"));
        assert_eq!((message.parts.len(), message.parts[0].kind.as_str()), (1, "hologram"));
        assert_eq!(odd.len(), 2, "{odd:?}");
        for text in ["7", "{}", r#"{"info":7}"#, r#"{"info":{"id":[]}}"#] {
            assert!(Message::read(&raw(text), &mut odd).is_none(), "{text}");
        }
        assert_eq!(Status::read(&raw(r#"{"type":"dreaming","deep":true}"#)), Status::Other);
        assert_eq!(Status::read(&raw(r#"{"type":7}"#)), Status::Unreadable);
        let patterns = |text: &str| Request::read(&raw(text)).unwrap().patterns;
        assert_eq!(patterns(r#"{"id":"p","sessionID":"s","patterns":["a",7]}"#), ["a", "7"]);
        assert_eq!(patterns(r#"{"id":"p","sessionID":"s","patterns":"rm x"}"#), ["rm x"]);
    }

    #[test]
    fn a_part_that_no_host_could_take_is_left_out() {
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        let message = |levels: usize| {
            let text = r#"{"info":{"id":"m","role":"assistant"},"parts":[{"id":"a","input":DEEP},{"id":"b"}]}"#;
            let mut odd = Vec::new();
            let message = Message::read(&raw(&text.replace("DEEP", &nested(levels))), &mut odd);
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
        let part = Part::read(&raw(r#"{"id":"p","messageID":"m","type":"tool","tool":"task",
                "state":{"status":"running","metadata":{"sessionId":"ses_2"}}}"#))
        .unwrap();
        assert_eq!(part.child.as_deref(), Some("ses_2"));
        assert_eq!(part.tool, Some(("task".to_owned(), true)));
    }

    #[test]
    fn messages_of_a_compaction_are_told_from_those_of_people() {
        let user = |parts: &str| {
            let text = format!(r#"{{"info":{{"id":"m","role":"user"}},"parts":[{parts}]}}"#);
            Message::read(&raw(&text), &mut Vec::new()).unwrap()
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
        let failure = |value: &serde_json::Value| failure(&Json::from(&*raw(&value.to_string())));
        let value = serde_json::json!({"name": "APIError", "data": {"message": "no", "x": 1}});
        assert_eq!(failure(&value), ("APIError".to_owned(), "no".to_owned()));
        let value = serde_json::json!({"name": "Odd", "data": {"x": 1}});
        assert_eq!(failure(&value), ("Odd".to_owned(), r#"{"x":1}"#.to_owned()));
        let value = serde_json::json!({"name": "E", "data": {"message": "no\n    at x.js:1"}});
        assert_eq!(failure(&value).1, "no");
    }
}
