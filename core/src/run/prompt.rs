//! [`Prompt`]: what is asked, of whom, and within which bounds.

use crate::base::error::{Error, Result};
use crate::base::fields::Fields;
use crate::base::json::{self, Json, Object};
use crate::base::option_names;
use crate::http::traceparent;
use crate::protocol::model_name::Model;
use crate::protocol::permission::{PermissionPolicy, QuestionPolicy};
use crate::run::attach::attach_value;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::time::Duration;

/// A prompt and everything that belongs to it. Made from a string, or from the JSON object of a binding.
#[derive(Debug, Clone, Default)]
pub struct Prompt {
    /// Message parts as the server takes them; text becomes `{"type": "text", "text": ...}`.
    pub parts: Vec<Json>,
    /// The session to use; a new one is created when absent.
    pub session: Option<String>,
    /// The title of a new session.
    pub title: Option<String>,
    /// The agent's name; the server's default when absent.
    pub agent: Option<String>,
    /// The model; the agent's default when absent.
    pub model: Option<Model>,
    /// Added to the system prompt.
    pub system: Option<String>,
    /// Which tools the model may use: name to true or false.
    pub tools: Option<Json>,
    /// The variant of the model, such as `high`.
    pub variant: Option<String>,
    /// A JSON schema that the answer must fit, or the server's own `{"type": "json_schema", ...}`.
    pub format: Option<Json>,
    /// The directory of the project; the client's when absent.
    pub directory: Option<String>,
    /// The id of the user message; chosen when absent. Never use one twice.
    pub message_id: Option<String>,
    /// Who answers permission requests; the client's policy when absent.
    pub permission: Option<PermissionPolicy>,
    /// Who answers questions; the client's policy when absent.
    pub question: Option<QuestionPolicy>,
    /// Bounds that end the run.
    pub limits: RunLimits,
    /// What to do when somebody else's prompt runs in the session.
    pub when_busy: WhenBusy,
    /// The span of the host's own tracing that the run belongs to, in the form of W3C: its requests carry it as the
    /// header `traceparent`.
    pub traceparent: Option<String>,
}

/// Bounds of a run. When one is hit the run is aborted and fails with `limit`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RunLimits {
    /// From the start to the end, waiting for a turn included.
    pub deadline: Option<Duration>,
    /// In the currency of the provider's price list.
    pub max_cost: Option<f64>,
    /// All tokens together.
    pub max_tokens: Option<u64>,
    /// Messages of the model; each tool loop is one.
    pub max_steps: Option<u32>,
    /// Repetitions after failures of the provider.
    pub max_retries: Option<u32>,
    /// How long after sending a prompt the server may show no sign of it; 30 s when absent.
    pub start_timeout: Option<Duration>,
    /// How long the server may be out of reach during the run. When absent 15 s, and 5 s as long as it never
    /// answered this client.
    pub server_timeout: Option<Duration>,
}

impl RunLimits {
    /// Reads the options of these names. Where one is no option, its name was refused before.
    pub(super) fn take(fields: &mut Fields) -> Result<Self> {
        Ok(RunLimits {
            deadline: fields.time("deadline_ms")?,
            max_cost: fields.number("max_cost")?,
            max_tokens: fields.whole("max_tokens")?,
            max_steps: fields.count("max_steps")?,
            max_retries: fields.count("max_retries")?,
            start_timeout: fields.time("start_timeout_ms")?,
            server_timeout: fields.time("server_timeout_ms")?,
        })
    }

    /// Whether there are bounds that only a look at the server can enforce.
    pub(crate) fn need_looks(&self) -> bool {
        self.server_timeout.is_some()
            || self.max_cost.is_some()
            || self.max_tokens.is_some()
            || self.max_steps.is_some()
            || self.max_retries.is_some()
    }
}

/// What to do when the session is busy with a prompt that this client did not send.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WhenBusy {
    /// Wait until the session is idle.
    #[default]
    Queue,
    /// Fail with `conflict`.
    Refuse,
    /// Send at once: the server may merge both prompts into one answer.
    Send,
}

impl WhenBusy {
    /// Reads the option of this name, of what is called `owner` in errors.
    pub(super) fn take(owner: &str, fields: &mut Fields) -> Result<Self> {
        match fields.text("when_busy")?.as_deref() {
            None | Some("queue") => Ok(WhenBusy::Queue),
            Some("refuse") => Ok(WhenBusy::Refuse),
            Some("send") => Ok(WhenBusy::Send),
            Some(other) => Err(Error::invalid(format!(
                "{owner}: when_busy '{other}': write queue, refuse or send"
            ))),
        }
    }
}

impl Prompt {
    /// A prompt of one text.
    pub fn new(text: impl Into<String>) -> Self {
        Prompt { parts: vec![text_part(text.into())], ..Prompt::default() }
    }

    /// Reads the JSON object of a binding: `prompt` is a text, or a list of texts and parts; `files` are local
    /// files that are attached, each a path or an object with a `path` and how to attach it; the other names
    /// are those of the fields, with times in milliseconds (`deadline_ms`).
    ///
    /// # Errors
    /// `invalid_argument` that names the wrong field and its nearest correct spelling.
    pub fn from_json(json: &str) -> Result<Self> {
        let prompt = Prompt::options_from_json(json)?;
        if prompt.parts.is_empty() {
            return Err(Error::invalid("run: the prompt is missing; give a text"));
        }
        Ok(prompt)
    }

    /// A prompt of one text with the options of [`from_json`](Self::from_json): nobody has to write the text as JSON.
    ///
    /// # Errors
    /// As [`from_json`](Self::from_json), and when the options hold a `prompt` too.
    pub fn with_options(text: impl Into<String>, json: &str) -> Result<Self> {
        Prompt::read(json, Some(text.into()))
    }

    /// Like [`from_json`](Self::from_json), without the need for a prompt: what a resumed run takes.
    ///
    /// # Errors
    /// As [`from_json`](Self::from_json).
    pub fn options_from_json(json: &str) -> Result<Self> {
        Prompt::read(json, None)
    }

    fn read(json: &str, text: Option<String>) -> Result<Self> {
        let mut fields = Fields::new("run", json, &option_names::PROMPT)?;
        let mut parts = match (fields.json("prompt"), text) {
            (None, text) => text.map(text_part).into_iter().collect(),
            (Some(_), Some(_)) => {
                return Err(Error::invalid(
                    "run: the prompt is given twice; take it out of the options",
                ));
            }
            (Some(prompt), None) => match (json::text(prompt.raw()), json::list(prompt.raw())) {
                (Some(text), _) => vec![text_part(text)],
                (None, Some(items)) => items.into_iter().map(part).collect::<Result<Vec<_>>>()?,
                (None, None) => {
                    return Err(Error::invalid(
                        "run: the prompt must be a text or a list of parts",
                    ));
                }
            },
        };
        if let Some(files) = fields.json("files") {
            match json::list(files.raw()) {
                Some(files) => {
                    for file in files {
                        parts.push(attach_value(&Json::from(file))?);
                    }
                }
                None => parts.push(attach_value(&files)?),
            }
        }
        Ok(Prompt {
            parts,
            session: fields.text("session")?,
            title: fields.text("title")?,
            agent: fields.text("agent")?,
            model: fields.value("model")?.as_ref().map(Model::from_value).transpose()?,
            system: fields.text("system")?,
            tools: fields.object_json("tools")?,
            variant: fields.text("variant")?,
            format: fields.object_json("format")?,
            directory: fields.text("directory")?,
            message_id: fields.text("message_id")?,
            permission: (fields.value("permission")?.as_ref())
                .map(PermissionPolicy::from_value)
                .transpose()?,
            question: (fields.value("question")?.as_ref())
                .map(QuestionPolicy::from_value)
                .transpose()?,
            when_busy: WhenBusy::take("run", &mut fields)?,
            traceparent: fields.text(traceparent::NAME)?,
            limits: RunLimits::take(&mut fields)?,
        })
    }

    /// Checks what a run that is picked up takes too.
    pub(crate) fn check_options(&self) -> Result<()> {
        self.traceparent.as_ref().map_or(Ok(()), |text| traceparent::check("run", text))
    }

    /// Checks what can be checked without a server.
    pub(crate) fn check(&self) -> Result<()> {
        if let Some(part) = self.parts.iter().find(|part| !part.is_object()) {
            let text = format!(
                "run: the part {part} is no object; a text is {{\"type\": \"text\", \"text\": ...}}"
            );
            return Err(Error::invalid(text));
        }
        let is_blank = |part: &Json| {
            let part = Object::read(part.raw()).unwrap_or_default();
            part.text("type").as_deref() == Some("text")
                && part.text("text").is_none_or(|text| text.trim().is_empty())
        };
        if self.parts.iter().all(is_blank) {
            return Err(Error::invalid("run: the prompt is empty; say what the agent shall do"));
        }
        if let Some(id) = &self.message_id
            && !(id.strip_prefix("msg_").is_some_and(|rest| {
                !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric())
            }))
        {
            return Err(Error::invalid(format!(
                "run: message_id '{id}' must be 'msg_' and letters or digits"
            )));
        }
        if let Some(session) = &self.session
            && session.is_empty()
        {
            return Err(Error::invalid(
                "run: the session is an empty text; leave it out for a new one",
            ));
        }
        if self.session.is_some() && self.title.is_some() {
            return Err(Error::invalid(
                "run: a title is for a new session; use session.update to rename one",
            ));
        }
        Ok(())
    }

    /// The value of `format` as the server wants it, and the schema in it.
    pub(crate) fn output_format(&self) -> Option<(Json, Option<Json>)> {
        #[derive(Serialize)]
        struct Format<'a> {
            r#type: &'a str,
            schema: &'a Json,
        }
        let format = self.format.as_ref()?;
        let fields = Object::read(format.raw()).unwrap_or_default();
        let schema = fields.json("schema");
        match fields.text("type").as_deref() {
            Some("json_schema") if schema.is_some() => Some((format.clone(), schema)),
            Some("text") => Some((format.clone(), schema)),
            _ => {
                let made = Format { r#type: "json_schema", schema: format };
                let made = serde_json::value::to_raw_value(&made).ok()?;
                Some((Json::from(&*made), Some(format.clone())))
            }
        }
    }
}

impl<T: Into<String>> From<T> for Prompt {
    fn from(text: T) -> Self {
        Prompt::new(text)
    }
}

fn text_part(text: String) -> Json {
    Json::from(json!({ "type": "text", "text": text }))
}

fn part(item: &RawValue) -> Result<Json> {
    if let Some(text) = json::text(item) {
        return Ok(text_part(text));
    }
    match Object::read(item).and_then(|part| part.text("type")) {
        Some(_) => Ok(Json::from(item)),
        None => Err(Error::invalid(format!(
            "run: a part of the prompt must be a text or an object with a 'type', not {item}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(json: &str) -> String {
        match Prompt::from_json(json).and_then(|prompt| prompt.check()) {
            Ok(()) => panic!("{json} was taken"),
            Err(error) => error.message().to_owned(),
        }
    }

    #[test]
    fn a_part_that_is_no_object_is_refused() {
        let mut prompt = Prompt::new("x");
        prompt.parts.push(json!(7).into());
        let error = prompt.check().unwrap_err();
        assert!(error.message().contains("the part 7 is no object"), "{error}");
    }

    #[test]
    fn texts_and_parts_mix() {
        let prompt = Prompt::from_json(
            r#"{"prompt":["a",{"type":"file","mime":"text/plain","url":"data:,x"}],"model":"p/m/x",
                "deadline_ms":1500,"title":null}"#,
        )
        .unwrap();
        assert_eq!(prompt.parts[0].text_at("/text").as_deref(), Some("a"));
        assert_eq!(prompt.parts[1].text_at("/type").as_deref(), Some("file"));
        assert_eq!(prompt.model.unwrap().model_id, "m/x");
        assert_eq!(prompt.limits.deadline, Some(Duration::from_millis(1500)));
        assert!(prompt.title.is_none());
    }

    #[test]
    fn mistakes_are_named() {
        assert!(error("{}").contains("prompt is missing"));
        assert!(error(r#"{"prompt":" "}"#).contains("empty"));
        assert!(error(r#"{"prompt":[]}"#).contains("missing"));
        assert!(error(r#"{"prompt":"x","sesion":"s"}"#).contains("did you mean 'session'"));
        assert!(error(r#"{"prompt":"x","model":"gpt"}"#).contains("provider/model"));
        assert!(error(r#"{"prompt":"x","agent":7}"#).contains("agent must be a text"));
        assert!(error(r#"{"prompt":"x","deadline_ms":-1}"#).contains("deadline_ms"));
        assert!(error(r#"{"prompt":"x","message_id":"abc"}"#).contains("msg_"));
        for option in ["max_tokens", "max_steps"] {
            let error = error(&format!(r#"{{"prompt":"x","{option}":1.5}}"#));
            assert!(error.contains(option) && error.contains("whole number"), "{error}");
        }
        assert!(error(r#"{"prompt":["a",7]}"#).contains("part of the prompt"));
        assert!(error("[1]").contains("object"));
        assert!(error("{").contains("JSON"));
    }

    #[test]
    fn a_text_needs_no_quoting() {
        let prompt = Prompt::with_options("a \"b\"\n", r#"{"title":"t"}"#).unwrap();
        assert_eq!(
            (prompt.parts[0].text_at("/text").as_deref(), prompt.title.as_deref()),
            (Some("a \"b\"\n"), Some("t"))
        );
        assert!(Prompt::with_options("a", "").is_ok());
        assert!(Prompt::with_options("a", r#"{"prompt":"b"}"#).is_err());
        let file = json!({ "files": concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml") });
        let prompt = Prompt::with_options("a", &file.to_string()).unwrap();
        let name = prompt.parts[1].text_at("/filename");
        assert_eq!((prompt.parts.len(), name.as_deref()), (2, Some("Cargo.toml")));
    }

    #[test]
    fn a_bare_schema_becomes_a_format() {
        let prompt = Prompt { format: Some(json!({"type":"object"}).into()), ..Prompt::new("x") };
        let (format, schema) = prompt.output_format().unwrap();
        let wanted = json!({"type":"json_schema","schema":{"type":"object"}});
        assert_eq!(format.read::<serde_json::Value>().unwrap(), wanted);
        assert_eq!(schema, Some(json!({"type":"object"}).into()));
        let prompt = Prompt { format: Some(format.clone()), ..Prompt::new("x") };
        assert_eq!(prompt.output_format().unwrap().0, format);
    }

    #[test]
    fn what_the_server_gets_as_it_is_may_be_nested_a_thousand_levels() {
        let deep = |levels: usize| format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
        let json = |levels: usize| {
            let (deep, shallow) = (deep(levels), deep(levels - 1));
            format!(
                r#"{{"prompt":["x",{{"type":"x","more":{shallow}}}],"format":{deep},"tools":{deep}}}"#
            )
        };
        // On a stack as small as those of coroutines.
        let small = std::thread::Builder::new().stack_size(64 << 10);
        let (given, read) = (json(997), deep(997));
        let prompt =
            small.spawn(move || Prompt::from_json(&given).unwrap()).unwrap().join().unwrap();
        assert_eq!(prompt.tools.as_ref().map(Json::get), Some(read.as_str()));
        let (format, schema) = prompt.output_format().unwrap();
        assert_eq!((schema.as_ref().map(Json::get), prompt.parts.len()), (Some(read.as_str()), 2));
        assert!(format.get().contains(&read));
        assert!(error(&json(1_200)).contains("nested"));
    }
}
