//! From flat arguments to a request: each goes where the table says, after it was checked.

use super::flat_arguments::FlatArguments;
use super::{
    AnswerKind, Argument, BodyShape, DirectoryScope, Kind, Method, ModelShape, Operation, Place,
    Turn,
};
use crate::base::depth::{check_given, json_depth};
use crate::base::error::{Error, Result};
use crate::http::base_url::percent_encode;
use crate::http::transport::Expect;
use crate::protocol::directory::{is_worked_in_by, misread, refuse_misread, twice};
use crate::protocol::model_name::Model;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A request that is ready to be sent.
#[derive(Debug)]
pub(crate) struct Routed {
    pub method: ureq::http::Method,
    /// Path and query.
    pub target: String,
    pub body: Option<Vec<u8>>,
    pub expect: Expect,
    /// Headers that the server insists on.
    pub headers: &'static [(&'static str, &'static str)],
    /// The directory that it names.
    pub directory: Option<String>,
    /// Secrets of the body, as headers: they are not sent as such, and hidden where the server repeats them.
    pub hidden: Vec<(String, String)>,
}

/// The project that a client works in unless a call says otherwise.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Project<'a> {
    pub directory: Option<&'a str>,
    pub workspace: Option<&'a str>,
    /// Whether the server decodes a directory in a query once, as one of 2.x does.
    pub decodes_once: bool,
    /// Whether a run asks: it knows the directory of its session, which need not be this one.
    pub is_of_run: bool,
}

/// Routes the fields of a JSON object, or nothing for `""` and `null`.
pub(crate) fn route(
    operation: &Operation,
    arguments: &str,
    project: Project<'_>,
) -> Result<Routed> {
    check_given(operation.name, arguments).map_err(|e| e.with_operation(operation.name))?;
    let fields = match arguments.trim() {
        "" | "null" => FlatArguments(Vec::new()),
        text => serde_json::from_str::<FlatArguments<'_>>(text).map_err(|e| {
            Error::invalid(format!("{}: the arguments must be a JSON object: {e}", operation.name))
                .with_operation(operation.name)
        })?,
    };
    let mut route = Route {
        operation,
        decodes_once: project.decodes_once,
        is_of_run: project.is_of_run,
        path: Vec::new(),
        query: Query::default(),
        body: Vec::new(),
        turn: None,
    };
    let scope = route.take(fields, project).map_err(|e| e.with_operation(operation.name))?;
    route.finish(scope).map_err(|e| e.with_operation(operation.name))
}

struct Route<'a> {
    operation: &'a Operation,
    decodes_once: bool,
    is_of_run: bool,
    path: Vec<(&'static str, String)>,
    query: Query,
    body: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// The argument that turns another one, when it is true.
    turn: Option<(&'static str, Turn)>,
}

impl<'a> Route<'a> {
    fn take(
        &mut self,
        fields: FlatArguments<'a>,
        project: Project<'_>,
    ) -> Result<(Option<String>, Option<String>)> {
        let mut directory = project.directory.map(str::to_owned);
        let mut workspace = project.workspace.map(str::to_owned);
        let mut given: Vec<&str> = Vec::new();
        for (name, raw) in fields.0 {
            // A keyword of a language has a `_` behind it there, as in `from_`.
            let argument = self
                .operation
                .argument(&name)
                .or_else(|| name.strip_suffix('_').and_then(|name| self.operation.argument(name)));
            if let Some(argument) = argument {
                if self.place(argument, raw)? {
                    given.push(argument.name);
                }
                continue;
            }
            let slot = match &*name {
                "directory" => &mut directory,
                "workspace" => &mut workspace,
                _ if matches!(self.operation.body, BodyShape::Open | BodyShape::Any) => {
                    self.body.push((name, Cow::Borrowed(raw.get())));
                    continue;
                }
                _ => return Err(self.unknown(&name)),
            };
            if self.operation.scope == DirectoryScope::None && raw.get() != "null" {
                return Err(self.unknown(&name));
            }
            *slot = match parse(raw) {
                Value::Null => None,
                Value::String(text) => Some(text),
                other => return Err(self.wrong(&name, "must be a text", &other)),
            };
        }
        for argument in self.operation.arguments.iter().filter(|a| a.required) {
            let is_given = given.contains(&argument.name)
                || self.path.iter().any(|(name, _)| *name == argument.name)
                || self.body.iter().any(|(name, _)| name == argument.name);
            if !is_given {
                return Err(Error::invalid(format!(
                    "{}: the argument '{}' is missing",
                    self.operation.name, argument.name
                )));
            }
        }
        self.turn()?;
        Ok((directory, workspace))
    }

    /// `remember` makes a permission that is allowed once one that is allowed always.
    fn turn(&mut self) -> Result<()> {
        let Some((name, turn)) = self.turn else { return Ok(()) };
        let other = self.body.iter_mut().find(|(name, _)| name == turn.argument);
        let value = other.as_ref().map(|(_, raw)| raw.trim_matches('"').to_owned());
        match (other, value.unwrap_or_default()) {
            (_, value) if value == turn.to => Ok(()),
            (Some((_, raw)), value) if value == turn.from => {
                *raw = Cow::Owned(Value::from(turn.to).to_string());
                Ok(())
            }
            (_, value) => {
                let what = format!("goes with {} '{}' only", turn.argument, turn.from);
                Err(self.wrong(name, &what, &Value::from(value)))
            }
        }
    }

    /// Puts one argument where it belongs; false when it counts as not given.
    fn place(&mut self, argument: &'static Argument, raw: &'a RawValue) -> Result<bool> {
        let name = argument.name;
        if raw.get() == "null" {
            if argument.place == Place::Body {
                self.body.push((Cow::Borrowed(name), Cow::Borrowed("null")));
                return Ok(true);
            }
            return Ok(false);
        }
        if let Some(shape) = argument.model {
            return self.model(argument, shape, raw);
        }
        if let Some(turn) = argument.turns {
            self.check(argument, raw)?;
            self.turn = (raw.get() == "true").then_some((name, turn));
            return Ok(true);
        }
        if let Some((_, value)) = argument.aliases.iter().find(|(word, _)| parse(raw) == **word) {
            self.body.push((Cow::Borrowed(name), Cow::Owned(Value::from(*value).to_string())));
            return Ok(true);
        }
        self.check(argument, raw)?;
        match argument.place {
            Place::Path | Place::Tail => {
                let Value::String(text) = parse(raw) else {
                    return Err(self.wrong(name, "must be a text", &parse(raw)));
                };
                let encoded = encode_path(&text).ok_or_else(|| {
                    self.wrong(name, "cannot stand in a path", &Value::from(text.as_str()))
                })?;
                self.path.push((name, encoded));
            }
            Place::Query => match parse(raw) {
                Value::String(text) => self.query.add(name, &text),
                _ => self.query.add(name, raw.get()),
            },
            Place::Body => self.body.push((Cow::Borrowed(name), Cow::Borrowed(raw.get()))),
        }
        if let Some(field) = argument.copy_to
            && !self.body.iter().any(|(name, _)| name == field)
        {
            self.body.push((Cow::Borrowed(field), Cow::Borrowed(raw.get())));
        }
        Ok(true)
    }

    /// The server spells a model in three ways; the caller may write `"provider/model"` for all of them.
    fn model(
        &mut self,
        argument: &'static Argument,
        shape: ModelShape,
        raw: &RawValue,
    ) -> Result<bool> {
        let value = parse(raw);
        let model = Model::from_value(&value)
            .map_err(|_| self.wrong(argument.name, "must be \"provider/model\"", &value))?;
        let text = |text: &str| Cow::Owned(Value::from(text).to_string());
        let Model { provider_id, model_id } = &model;
        // What else is in the object, such as a variant, goes with it.
        let mut rest = match value {
            Value::Object(fields) => fields,
            _ => serde_json::Map::new(),
        };
        for name in ["providerID", "modelID", "id"] {
            rest.remove(name);
        }
        let object = |name: &str, mut rest: serde_json::Map<String, Value>| {
            rest.insert("providerID".to_owned(), Value::from(provider_id.as_str()));
            rest.insert(name.to_owned(), Value::from(model_id.as_str()));
            Cow::Owned(Value::Object(rest).to_string())
        };
        let name = Cow::Borrowed(argument.name);
        match shape {
            ModelShape::Object => self.body.push((name, object("modelID", rest))),
            ModelShape::Reference => self.body.push((name, object("id", rest))),
            ModelShape::Text => self.body.push((name, text(&format!("{provider_id}/{model_id}")))),
            ModelShape::Fields => {
                self.body.push((Cow::Borrowed("providerID"), text(provider_id)));
                self.body.push((Cow::Borrowed("modelID"), text(model_id)));
            }
        }
        Ok(true)
    }

    fn check(&self, argument: &Argument, raw: &RawValue) -> Result<()> {
        let first = raw.get().as_bytes().first().copied().unwrap_or(b' ');
        let is_number = first == b'-' || first.is_ascii_digit();
        let (fits, what) = match argument.kind {
            Kind::String => (first == b'"', "must be a text"),
            Kind::Integer => (
                is_number && parse(raw).as_f64().is_some_and(|n| n.fract() == 0.0),
                "must be a whole number",
            ),
            Kind::Number => (is_number, "must be a number"),
            Kind::Boolean => (matches!(first, b't' | b'f'), "must be true or false"),
            Kind::Array => (first == b'[', "must be a list"),
            Kind::Object => (first == b'{', "must be an object"),
            Kind::Any => (true, ""),
        };
        if !fits {
            let text = raw.get();
            return Err(match json_depth(text.as_bytes()) {
                0..=16 => self.wrong(argument.name, what, &parse(raw)),
                _ => self.wrong(argument.name, what, &Value::from(text)),
            });
        }
        let Value::String(text) = (if first == b'"' { parse(raw) } else { Value::Null }) else {
            return Ok(());
        };
        if let Some(max) = argument.max_length
            && text.len() > max as usize
        {
            return Err(Error::invalid(format!(
                "{}: '{}' has {} bytes; the server bears {max}",
                self.operation.name,
                argument.name,
                text.len()
            )));
        }
        if !argument.values.is_empty() && !argument.values.contains(&text.as_str()) {
            let what = format!("must be one of {}", argument.values.join(", "));
            return Err(self.wrong(argument.name, &what, &Value::from(text)));
        }
        Ok(())
    }

    fn finish(self, (directory, workspace): (Option<String>, Option<String>)) -> Result<Routed> {
        let operation = self.operation;
        let mut target = operation.path.to_owned();
        for (name, value) in &self.path {
            let place = if operation.argument(name).is_some_and(|a| a.place == Place::Tail) {
                "*".to_owned()
            } else {
                format!("{{{name}}}")
            };
            target = target.replacen(&place, value, 1);
        }
        let mut query = self.query;
        let scope = match operation.scope {
            DirectoryScope::None | DirectoryScope::Body => None,
            DirectoryScope::Directory => Some(("directory", "workspace")),
            DirectoryScope::Location => Some(("location[directory]", "location[workspace]")),
        };
        // Where a call says itself where, nothing else does.
        let is_given = operation.scope == DirectoryScope::Body
            && self.body.iter().any(|(name, _)| name == "location");
        let directory = directory.filter(|text| {
            !text.is_empty() && operation.scope != DirectoryScope::None && !is_given
        });
        let mut body = self.body;
        if operation.scope == DirectoryScope::Body
            && let Some(directory) = &directory
        {
            let location = serde_json::json!({ "directory": directory }).to_string();
            body.push((Cow::Borrowed("location"), Cow::Owned(location)));
        }
        let may_be_elsewhere = self.is_of_run && operation.name != "session.create";
        if is_worked_in_by(operation.name)
            && !may_be_elsewhere
            && let Some(directory) = &directory
            && let Some(other) = misread(directory)
        {
            return Err(refuse_misread(operation.name, directory, &other));
        }
        if let Some((for_directory, for_workspace)) = scope {
            if let Some(directory) = &directory {
                let is_twice = operation.scope == DirectoryScope::Directory && !self.decodes_once;
                let directory = Cow::Borrowed(directory.as_str());
                query.add(
                    for_directory,
                    &if is_twice { Cow::Owned(twice(&directory)) } else { directory },
                );
            }
            if let Some(workspace) = workspace.filter(|text| !text.is_empty()) {
                query.add(for_workspace, &workspace);
            }
        }
        target.push_str(&query.0);
        let body = match operation.body {
            BodyShape::None => None,
            BodyShape::Any => Some(match body.iter().find(|(name, _)| name == "body") {
                Some((_, raw)) => raw.as_bytes().to_vec(),
                None => object(&body),
            }),
            BodyShape::Object | BodyShape::Open => Some(object(&body)),
        };
        Ok(Routed {
            method: match operation.method {
                Method::Get => ureq::http::Method::GET,
                Method::Post => ureq::http::Method::POST,
                Method::Put => ureq::http::Method::PUT,
                Method::Patch => ureq::http::Method::PATCH,
                Method::Delete => ureq::http::Method::DELETE,
            },
            target,
            body,
            expect: match operation.answer {
                AnswerKind::Json | AnswerKind::Websocket => Expect::Json,
                AnswerKind::Nothing => Expect::Nothing,
                AnswerKind::Text => Expect::NoPage,
                AnswerKind::Bytes => Expect::Anything,
                AnswerKind::Events => Expect::Events,
            },
            headers: operation.headers,
            directory,
            hidden: Vec::new(),
        })
    }

    fn unknown(&self, name: &str) -> Error {
        let near = match self.operation.nearest_argument(name) {
            Some(near) => format!("; did you mean '{near}'?"),
            None => {
                let names: Vec<_> = self.operation.arguments.iter().map(|a| a.name).collect();
                match names.as_slice() {
                    [] => "; it takes none".to_owned(),
                    names => format!("; it takes {}", names.join(", ")),
                }
            }
        };
        Error::invalid(format!("{}: unknown argument '{name}'{near}", self.operation.name))
    }

    fn wrong(&self, name: &str, what: &str, value: &Value) -> Error {
        let mut shown = value.to_string();
        if let Some((end, _)) = shown.char_indices().nth(80) {
            shown.truncate(end);
            shown.push_str("...");
        }
        Error::invalid(format!(
            "{}: the argument '{name}' {what}, not {shown}",
            self.operation.name
        ))
    }
}

/// `?a=1&b=2`, or nothing.
#[derive(Default)]
struct Query(String);

impl Query {
    fn add(&mut self, name: &str, value: &str) {
        self.0.push(if self.0.is_empty() { '?' } else { '&' });
        percent_encode(&mut self.0, name);
        self.0.push('=');
        percent_encode(&mut self.0, value);
    }
}

/// A path segment, slashes included; `None` for what a server would take for another path.
fn encode_path(text: &str) -> Option<String> {
    if matches!(text, "" | "." | "..") {
        return None;
    }
    let mut encoded = String::with_capacity(text.len());
    percent_encode(&mut encoded, text);
    Some(encoded)
}

fn object(fields: &[(Cow<'_, str>, Cow<'_, str>)]) -> Vec<u8> {
    let mut text = String::from("{");
    for (i, (name, raw)) in fields.iter().enumerate() {
        if i > 0 {
            text.push(',');
        }
        text.push_str(&Value::from(&**name).to_string());
        text.push(':');
        text.push_str(raw);
    }
    text.push('}');
    text.into_bytes()
}

fn parse(raw: &RawValue) -> Value {
    // Whoever asks wants a text, a number or a small object. A deep one would need a stack as deep.
    if json_depth(raw.get().as_bytes()) > 16 {
        return Value::Null;
    }
    // A raw value is valid JSON by construction.
    serde_json::from_str(raw.get()).unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::operation;

    fn routed(name: &str, arguments: &str) -> Result<(String, String)> {
        let operation = operation::find(name).unwrap();
        let project = Project { directory: Some("/p ä"), ..Project::default() };
        let routed = route(operation, arguments, project)?;
        let body = routed.body.map(|body| String::from_utf8(body).unwrap()).unwrap_or_default();
        Ok((format!("{} {}", routed.method, routed.target), body))
    }

    fn ok(name: &str, arguments: &str) -> (String, String) {
        routed(name, arguments).unwrap()
    }

    fn error(name: &str, arguments: &str) -> String {
        let error = routed(name, arguments).unwrap_err();
        assert_eq!(error.operation(), name);
        error.message().to_owned()
    }

    const DIRECTORY: &str = "?directory=%2Fp%20%C3%A4";

    #[test]
    fn arguments_go_where_the_table_says() {
        let (line, body) = ok("session.update", r#"{"sessionID":"ses_1","title":"x \"y\""}"#);
        assert_eq!(line, format!("PATCH /session/ses_1{DIRECTORY}"));
        assert_eq!(body, r#"{"title":"x \"y\""}"#);
        let (line, body) = ok("session.messages", r#"{"sessionID":"a/b","limit":5}"#);
        assert_eq!(line, "GET /session/a%2Fb/message?limit=5&directory=%2Fp%20%C3%A4");
        assert_eq!(body, "");
        assert_eq!(ok("global.health", "").0, "GET /global/health");
        assert_eq!(ok("session.create", "null").1, "{}");
    }

    #[test]
    fn a_call_overrides_the_directory_of_the_client() {
        let (line, _) = ok("session.list", r#"{"directory":"/q"}"#);
        assert_eq!(line, "GET /session?directory=%2Fq");
        assert_eq!(ok("session.list", r#"{"directory":null}"#).0, "GET /session");
        let (line, _) = ok("session.list", r#"{"directory":"/a%20b"}"#);
        assert_eq!(line, "GET /session?directory=%2Fa%252520b");
        let (line, _) = ok("v2.agent.list", r#"{"directory":"/a%20b"}"#);
        assert_eq!(line, "GET /api/agent?location%5Bdirectory%5D=%2Fa%2520b");
        let (line, _) = ok("v2.agent.list", r#"{"directory":"/q"}"#);
        assert_eq!(line, "GET /api/agent?location%5Bdirectory%5D=%2Fq");
    }

    #[test]
    fn models_may_be_written_in_one_way_everywhere() {
        let parts = r#""parts":[],"sessionID":"s""#;
        let (_, body) = ok("session.prompt", &format!(r#"{{{parts},"model":"p/m/x"}}"#));
        assert!(body.contains(r#""model":{"modelID":"m/x","providerID":"p"}"#), "{body}");
        let (_, body) = ok("session.create", r#"{"model":"p/m"}"#);
        assert!(body.contains(r#""model":{"id":"m","providerID":"p"}"#), "{body}");
        let (_, body) = ok(
            "session.command",
            r#"{"sessionID":"s","command":"c","arguments":"","model":{"providerID":"p","modelID":"m"}}"#,
        );
        assert!(body.contains(r#""model":"p/m""#), "{body}");
        assert!(error("session.create", r#"{"model":"gpt"}"#).contains("provider/model"));
    }

    #[test]
    fn permissions_are_answered_in_our_words_too() {
        for (name, id, field) in [
            ("permission.reply", r#""requestID":"p""#, "reply"),
            ("permission.respond", r#""sessionID":"s","permissionID":"p""#, "response"),
            ("v2.session.permission.reply", r#""sessionID":"s","requestID":"p""#, "reply"),
        ] {
            for (given, remember, sent) in [
                ("once", "false", "once"),
                ("allow", "false", "once"),
                ("allow", "true", "always"),
                ("always", "true", "always"),
                ("deny", "false", "reject"),
            ] {
                let json = format!(r#"{{"remember":{remember},{id},"{field}":"{given}"}}"#);
                assert_eq!(ok(name, &json).1, format!(r#"{{"{field}":"{sent}"}}"#), "{json}");
            }
            let text = error(name, &format!(r#"{{{id},"{field}":"deny","remember":true}}"#));
            assert!(text.contains("'remember' goes with") && text.contains("\"reject\""), "{text}");
            let text = error(name, &format!(r#"{{{id},"{field}":"yes"}}"#));
            assert!(text.contains("once, always, reject"), "{text}");
        }
    }

    #[test]
    fn mistakes_are_caught_before_anything_is_sent() {
        assert!(error("session.get", "{}").contains("'sessionID' is missing"));
        assert!(error("session.get", r#"{"sessionID":null}"#).contains("'sessionID' is missing"));
        assert!(error("session.get", r#"{"sessionID":7}"#).contains("must be a text"));
        assert!(error("session.get", r#"{"sessionID":""}"#).contains("path"));
        assert!(error("session.get", r#"{"sessionID":".."}"#).contains("path"));
        assert!(
            error("session.update", r#"{"sessionID":"s","tilte":"x"}"#)
                .contains("did you mean 'title'")
        );
        assert!(error("session.messages", r#"{"sessionID":"s","limit":"x"}"#).contains("number"));
        assert!(error("global.health", r#"{"x":1}"#).contains("takes none"));
        assert!(error("session.get", "[1]").contains("JSON object"));
        assert!(error("session.get", "{").contains("JSON object"));
        assert!(
            error("find.files", &format!(r#"{{"query":"{}"}}"#, "x".repeat(5000))).contains("5000")
        );
    }

    #[test]
    fn deep_arguments_are_passed_on_and_deeper_ones_are_refused() {
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        let deep = nested(990);
        let (_, body) = ok("config.update", &format!(r#"{{"new":{deep}}}"#));
        assert_eq!(body, format!(r#"{{"new":{deep}}}"#));
        assert!(error("session.get", &format!(r#"{{"sessionID":{deep}}}"#)).contains("a text"));
        let text = error("config.update", &format!(r#"{{"new":{}}}"#, nested(1_200)));
        assert_eq!(text, "config.update: the JSON is nested 1201 levels deep; the limit is 1000");
    }

    #[test]
    fn open_bodies_take_any_field() {
        let (_, body) = ok("config.update", r#"{"model":"a/b","new":{"x":[1]}}"#);
        assert!(body.contains(r#""new":{"x":[1]}"#), "{body}");
    }
}
