//! The script: what one answer of the model looks like.

use std::time::Duration;

use serde_json::{Map, Value};

/// The steps of one prompt, in the order of its requests.
#[derive(Debug, Clone)]
pub struct Script {
    steps: Vec<Step>,
}

/// Why a script cannot be played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptError {
    /// Not a JSON array of objects; the model says so in its answer.
    Json(String),
    /// A field that does not exist or holds the wrong thing; the model answers HTTP 400.
    Field(String),
}

/// One answer of the model; every field of the JSON form is optional.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// `text`: the answer, sent byte for byte.
    pub text: String,
    /// `chunk`: characters per delta; `None` splits after each space.
    pub chunk: Option<usize>,
    /// `delay_ms`: pause between deltas, 5 ms unless told.
    pub delay: Duration,
    /// `first_delay_ms`: silence before the response head.
    pub first_delay: Duration,
    /// `reasoning`: streamed as `reasoning_content` before the text.
    pub reasoning: String,
    /// `tools`: tool calls, streamed after the text.
    pub tools: Vec<ToolCall>,
    /// `finish`: the `finish_reason`, else `tool_calls` or `stop`.
    pub finish: Option<String>,
    /// `usage`: the tokens to report.
    pub usage: Usage,
    /// `status`, `headers`, `body`: an HTTP error in place of an answer.
    pub failure: Option<Failure>,
    /// `hang_ms`: say nothing for so long, then close.
    pub hang: Option<Duration>,
    /// `reset`: close the connection at once, with RST.
    pub reset: bool,
    /// `cut_after`: close the connection after so many deltas.
    pub cut_after: Option<usize>,
    /// `stall`: fall silent in mid-stream, then go on.
    pub stall: Option<Stall>,
    /// `error`: an error object in the stream, after the deltas and in place of the finish.
    pub error: Option<String>,
    /// `garbage`: a line that is not JSON, after the deltas.
    pub garbage: bool,
    /// `times` and `then`: this step for the first n requests that reach it, then the other one.
    pub then: Option<(u64, Box<Step>)>,
}

/// One tool call of the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// The tool, such as `bash`.
    pub name: String,
    /// The arguments as text: JSON, unless the script gave a raw string.
    pub arguments: String,
}

/// Token counts, spelled so that the server reports the same numbers for the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Input tokens that were not cached.
    pub input: u64,
    /// Output tokens without the reasoning.
    pub output: u64,
    /// Reasoning tokens.
    pub reasoning: u64,
    /// Input tokens read from the cache.
    pub cached: u64,
}

/// An HTTP error of the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The status code.
    pub status: u16,
    /// Extra response headers, such as `retry-after`.
    pub headers: Vec<(String, String)>,
    /// The response body.
    pub body: String,
}

/// A silence in mid-stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stall {
    /// Deltas sent before the silence.
    pub after: usize,
    /// How long it lasts.
    pub pause: Duration,
}

impl Default for Usage {
    fn default() -> Usage {
        Usage { input: 10, output: 4, reasoning: 0, cached: 0 }
    }
}

impl Script {
    /// The text that starts with the script in `prompt`, if there is one: what follows the first
    /// `@@` that has a bracket behind it. Any other `@@` (the hunk header of a diff) is just text.
    pub fn find(prompt: &str) -> Option<&str> {
        prompt
            .match_indices("@@")
            .map(|(at, _)| prompt[at + 2..].trim_start())
            .find(|rest| rest.starts_with(['[', '{']))
    }

    /// Reads the script at the start of `source`; text behind it is ignored.
    ///
    /// # Errors
    /// [`ScriptError::Json`] when it is no array of objects, [`ScriptError::Field`] when a step
    /// holds an unknown field or a wrong value.
    pub fn parse(source: &str) -> Result<Script, ScriptError> {
        let mut values = serde_json::Deserializer::from_str(source).into_iter::<Value>();
        let value = match values.next() {
            Some(Ok(value)) => value,
            Some(Err(error)) => return Err(ScriptError::Json(error.to_string())),
            None => return Err(ScriptError::Json("nothing after @@".into())),
        };
        let Value::Array(items) = value else {
            return Err(ScriptError::Json("a script is an array of steps".into()));
        };
        if items.is_empty() {
            return Err(ScriptError::Json("a script has at least one step".into()));
        }
        let mut steps = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let Value::Object(fields) = item else {
                return Err(ScriptError::Json(format!("step {index} is no object")));
            };
            let step = Step::parse(fields)
                .map_err(|text| ScriptError::Field(format!("step {index}: {text}")))?;
            steps.push(step);
        }
        Ok(Script { steps })
    }

    /// The step for a prompt that has already been answered `answers` times; the last one repeats.
    pub fn step(&self, answers: usize) -> &Step {
        &self.steps[self.position(answers)]
    }

    /// Where [`Script::step`] finds it.
    pub(crate) fn position(&self, answers: usize) -> usize {
        answers.min(self.steps.len() - 1)
    }
}

impl Step {
    /// A step that says `text` and stops.
    pub fn say(text: impl Into<String>) -> Step {
        Step { text: text.into(), delay: Duration::from_millis(5), ..Step::default() }
    }

    fn parse(fields: Map<String, Value>) -> Result<Step, String> {
        let mut step = Step::say("");
        let mut headers = None;
        let mut body = None;
        let mut times = None;
        let mut then = None;
        for (name, value) in fields {
            let field = Field { name: &name, value };
            match field.name {
                "text" => step.text = field.text()?,
                "chunk" => step.chunk = Some(field.count(1)?),
                "delay_ms" => step.delay = field.pause()?,
                "first_delay_ms" => step.first_delay = field.pause()?,
                "reasoning" => step.reasoning = field.text()?,
                "tools" => step.tools = field.tools()?,
                "finish" => step.finish = Some(field.text()?),
                "usage" => step.usage = field.usage()?,
                "status" => step.failure = Some(Failure::plain(field.status()?)),
                "headers" => headers = Some(field.headers()?),
                "body" => body = Some(field.value),
                "hang_ms" => step.hang = Some(field.pause()?),
                "reset" => step.reset = field.flag()?,
                "cut_after" => step.cut_after = Some(field.count(0)?),
                "stall" => step.stall = Some(field.stall()?),
                "error" => step.error = Some(field.text()?),
                "garbage" => step.garbage = field.flag()?,
                "times" => times = Some(field.count(1)? as u64),
                "then" => {
                    then = Some(Step::parse(field.object()?).map_err(|e| format!("then: {e}"))?)
                }
                _ => return Err(format!("unknown field {name:?}, known are: {FIELDS}")),
            }
        }
        match &mut step.failure {
            Some(failure) => failure.fill(headers, body),
            None if headers.is_some() || body.is_some() => {
                return Err("\"headers\" and \"body\" need a \"status\"".into());
            }
            None => {}
        }
        step.then = match (times, then) {
            (Some(times), Some(then)) => Some((times, Box::new(then))),
            (None, None) => None,
            _ => return Err("\"times\" and \"then\" need each other".into()),
        };
        Ok(step)
    }
}

const FIELDS: &str = "text chunk delay_ms first_delay_ms reasoning tools finish usage status \
                      headers body hang_ms reset cut_after stall error garbage times then";

impl Failure {
    fn plain(status: u16) -> Failure {
        let body = serde_json::json!({
            "error": {"message": format!("scripted error {status}"), "type": "scripted", "code": "scripted"}
        });
        Failure { status, headers: Vec::new(), body: body.to_string() }
    }

    fn fill(&mut self, headers: Option<Vec<(String, String)>>, body: Option<Value>) {
        self.headers = headers.unwrap_or_default();
        match body {
            Some(Value::String(text)) => self.body = text,
            Some(value) => self.body = value.to_string(),
            None => {}
        }
    }
}

/// One field of a step; each method says what the field must hold.
struct Field<'a> {
    name: &'a str,
    value: Value,
}

impl Field<'_> {
    fn wrong(&self, wanted: &str) -> String {
        format!("{:?} must be {wanted}, not {}", self.name, self.value)
    }

    fn text(self) -> Result<String, String> {
        match self.value {
            Value::String(text) => Ok(text),
            _ => Err(self.wrong("a string")),
        }
    }

    fn flag(self) -> Result<bool, String> {
        self.value.as_bool().ok_or_else(|| self.wrong("true or false"))
    }

    fn number(&self) -> Result<u64, String> {
        self.value.as_u64().ok_or_else(|| self.wrong("a whole number"))
    }

    fn pause(self) -> Result<Duration, String> {
        self.number().map(Duration::from_millis)
    }

    fn count(self, least: usize) -> Result<usize, String> {
        match self.number()? as usize {
            count if count >= least => Ok(count),
            _ => Err(self.wrong(&format!("at least {least}"))),
        }
    }

    fn status(self) -> Result<u16, String> {
        match self.number()? {
            status @ 200..=599 => Ok(status as u16),
            _ => Err(self.wrong("an HTTP status")),
        }
    }

    fn object(self) -> Result<Map<String, Value>, String> {
        match self.value {
            Value::Object(fields) => Ok(fields),
            _ => Err(self.wrong("an object")),
        }
    }

    fn headers(self) -> Result<Vec<(String, String)>, String> {
        let mut headers = Vec::new();
        for (name, value) in self.object()? {
            match value {
                Value::String(text) => headers.push((name, text)),
                Value::Number(number) => headers.push((name, number.to_string())),
                _ => return Err(format!("header {name:?} must be a string or a number")),
            }
        }
        Ok(headers)
    }

    fn tools(self) -> Result<Vec<ToolCall>, String> {
        let Value::Array(items) = self.value else { return Err(self.wrong("an array")) };
        items.into_iter().map(ToolCall::parse).collect()
    }

    fn usage(self) -> Result<Usage, String> {
        let mut usage = Usage::default();
        for (name, value) in self.object()? {
            let field = Field { name: &name, value };
            match field.name {
                "input" => usage.input = field.number()?,
                "output" => usage.output = field.number()?,
                "reasoning" => usage.reasoning = field.number()?,
                "cached" => usage.cached = field.number()?,
                _ => return Err(format!("unknown field {name:?} in \"usage\"")),
            }
        }
        Ok(usage)
    }

    fn stall(self) -> Result<Stall, String> {
        let mut stall = Stall { after: 0, pause: Duration::ZERO };
        for (name, value) in self.object()? {
            let field = Field { name: &name, value };
            match field.name {
                "after" => stall.after = field.count(0)?,
                "ms" => stall.pause = field.pause()?,
                _ => return Err(format!("unknown field {name:?} in \"stall\"")),
            }
        }
        Ok(stall)
    }
}

impl ToolCall {
    fn parse(value: Value) -> Result<ToolCall, String> {
        let mut call = ToolCall { name: String::new(), arguments: "{}".into() };
        for (name, value) in (Field { name: "tools", value }).object()? {
            match (name.as_str(), value) {
                ("name", Value::String(text)) => call.name = text,
                ("arguments", Value::String(raw)) => call.arguments = raw,
                ("arguments", value @ Value::Object(_)) => call.arguments = value.to_string(),
                (_, value) => return Err(format!("a tool has no {name:?} of {value}")),
            }
        }
        if call.name.is_empty() {
            return Err("a tool needs a \"name\"".into());
        }
        Ok(call)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(source: &str) -> ScriptError {
        Script::parse(source).unwrap_err()
    }

    #[test]
    fn a_script_is_found_behind_other_text_and_before_more() {
        let prompt = "patch @@ -1 +1 @@ now @@ [{\"text\":\"a\"},{\"text\":\"b\"}] thank you @@[]";
        let script = Script::parse(Script::find(prompt).unwrap()).unwrap();
        assert_eq!(script.step(0).text, "a");
        assert_eq!(script.step(7).text, "b", "the last step repeats");
        assert_eq!(Script::find("mail me @@ home"), None);
    }

    #[test]
    fn a_typo_is_named() {
        let ScriptError::Field(text) = error(r#"[{"text":"a"},{"txet":"b"}]"#) else { panic!() };
        assert!(text.starts_with("step 1: unknown field \"txet\""), "{text}");
        for bad in [
            r#"[{"text":5}]"#,
            r#"[{"chunk":0}]"#,
            r#"[{"delay_ms":-1}]"#,
            r#"[{"usage":{"in":1}}]"#,
            r#"[{"tools":[{"tool":"bash"}]}]"#,
            r#"[{"tools":[{}]}]"#,
            r#"[{"stall":{"for":1}}]"#,
            r#"[{"status":99}]"#,
            r#"[{"body":"x"}]"#,
            r#"[{"times":2}]"#,
            r#"[{"times":2,"then":{"x":1}}]"#,
        ] {
            assert!(matches!(error(bad), ScriptError::Field(_)), "{bad}");
        }
    }

    #[test]
    fn what_is_no_array_of_objects_is_not_a_script() {
        for bad in ["[", "{\"text\":\"a\"}", "[]", "[1]", "[{]", ""] {
            assert!(matches!(error(bad), ScriptError::Json(_)), "{bad}");
        }
    }

    #[test]
    fn arguments_are_an_object_or_raw_text() {
        let source = r#"[{"tools":[{"name":"a","arguments":{"k":"é\n"}},{"name":"b","arguments":"{half"}]}]"#;
        let script = Script::parse(source).unwrap();
        assert_eq!(script.step(0).tools[0].arguments, "{\"k\":\"é\\n\"}");
        assert_eq!(script.step(0).tools[1].arguments, "{half");
    }
}
