//! [`ClientOptions`] and [`CallOptions`]: how a client, or one call of it, is set up.

use crate::base::cancel::{CancelToken, Interrupt};
use crate::base::error::{Error, Result};
use crate::base::fields::Fields;
use crate::base::limits::Limits;
use crate::base::log::{Level, Log};
use crate::base::option_names;
use crate::call::retry::RetryPolicy;
use crate::http::base_url::BaseUrl;
use crate::http::credentials::Credentials;
use crate::http::traceparent;
use crate::http::transport::header;
use crate::protocol::dialect::Dialect;
use crate::protocol::operation::Pace;
use crate::protocol::permission::{PermissionPolicy, QuestionPolicy};
use serde_json::Value;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

const DEFAULT_URL: &str = "http://127.0.0.1:4096";

/// How a client is set up. [`from_env`](Self::from_env) is the usual beginning.
#[derive(Clone)]
pub struct ClientOptions {
    /// Such as `http://127.0.0.1:4096`; may hold `user:password@`.
    pub base_url: String,
    /// The server's user name, `opencode` unless the server was started with another one.
    pub username: Option<String>,
    /// The server's password.
    pub password: Option<String>,
    /// The directory of the project that calls and runs work in; the server's own when absent.
    pub directory: Option<String>,
    /// The workspace that calls work in.
    pub workspace: Option<String>,
    /// What the server speaks. When absent, that is found out by what it answers.
    pub dialect: Option<Dialect>,
    /// Headers added to every request.
    pub headers: Vec<(String, String)>,
    /// Connecting, name lookup and TLS included.
    pub connect_timeout: Duration,
    /// How long the server may be silent: until an answer begins, and between two pieces of it. The answers of
    /// operations that run a model may begin at any time. [`CallOptions::timeout`] is the limit of a whole call.
    pub timeout: Duration,
    /// How often a read is repeated when it failed in a way that passes.
    pub max_retries: u32,
    /// The longest answer that is taken.
    pub max_body_bytes: u64,
    /// How long the server's events may be silent before their connection counts as dead and is made anew. The
    /// server sends a sign of life every 10 seconds.
    pub stall_timeout: Duration,
    /// Whether runs listen to the server's events. Without, they look often, and text comes by the part.
    pub events: bool,
    /// Who answers the permission requests of runs.
    pub permission: PermissionPolicy,
    /// Who answers the questions of runs.
    pub question: QuestionPolicy,
    /// A file with the certificates, in PEM form, that the server's own one must come from: for an authority of
    /// your own. It takes the place of those of the operating system.
    pub ca_file: Option<PathBuf>,
    /// A file into which the traffic is written, without secrets; see [`Replay`](crate::Replay).
    pub record: Option<PathBuf>,
    /// What stands before the names of this program's [tools](crate::Tool), with a `_` between: the agent knows `spawn` as
    /// `host_spawn`. The server's configuration of MCP servers has them under this name, in one directory once: programs that
    /// bring tools to one directory take different ones. 1 to 15 letters, digits and `-`.
    pub tools_prefix: String,
    /// Where messages about what happens go.
    pub log: Log,
    /// Messages of this level, and of those that matter more, are also kept for [`Client::next_log`]: for hosts that
    /// fetch them.
    ///
    /// [`Client::next_log`]: crate::Client::next_log
    pub log_level: Option<Level>,
}

impl Default for ClientOptions {
    fn default() -> Self {
        ClientOptions {
            base_url: DEFAULT_URL.to_owned(),
            username: None,
            password: None,
            directory: None,
            workspace: None,
            dialect: None,
            headers: Vec::new(),
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(60),
            max_retries: RetryPolicy::default().max,
            max_body_bytes: Limits::default().body,
            stall_timeout: Duration::from_secs(30),
            events: true,
            permission: PermissionPolicy::default(),
            question: QuestionPolicy::default(),
            ca_file: None,
            record: None,
            tools_prefix: "host".to_owned(),
            log: Log::off(),
            log_level: None,
        }
    }
}

impl ClientOptions {
    /// The defaults, with what the environment says: `OPENCODE_BASE_URL`, `OPENCODE_SERVER_USERNAME`,
    /// `OPENCODE_SERVER_PASSWORD`, else `OPENCODE_PASSWORD`, `OPENCODE_RECORD`, a file for the traffic, and `OPENCODE_LOG`, a level whose
    /// messages go to standard error.
    pub fn from_env() -> Self {
        let read = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        ClientOptions {
            base_url: read("OPENCODE_BASE_URL").unwrap_or_else(|| DEFAULT_URL.to_owned()),
            username: read("OPENCODE_SERVER_USERNAME"),
            // The second one is what a server of 2.x is given.
            password: read("OPENCODE_SERVER_PASSWORD").or_else(|| read("OPENCODE_PASSWORD")),
            record: read("OPENCODE_RECORD").map(PathBuf::from),
            log: Log::from_env(),
            ..ClientOptions::default()
        }
    }

    /// Reads the JSON object of a binding over the environment: the names are those of the fields, times in
    /// milliseconds (`timeout_ms`), and `log` is the level of the messages that are kept. `""` and `null` are the environment alone.
    ///
    /// # Errors
    /// `invalid_argument` that names the wrong field and its nearest correct spelling.
    pub fn from_json(json: &str) -> Result<Self> {
        let mut options = ClientOptions::from_env();
        let mut fields = Fields::new("client", json, &option_names::CLIENT)?;
        if let Some(url) = fields.text("base_url")? {
            // An address that brings its own user is meant with it: the environment speaks of another server.
            if BaseUrl::parse(&url).is_ok_and(|(_, credentials)| credentials.is_some()) {
                (options.username, options.password) = (None, None);
            }
            options.base_url = url;
        }
        options.username = fields.text("username")?.or(options.username);
        options.password = fields.text("password")?.or(options.password);
        if let Some(choice) = fields.value("dialect")? {
            options.dialect = Dialect::choice(&choice)?;
        }
        if let Some(time) = fields.time("stall_timeout_ms")? {
            options.stall_timeout = time;
        }
        options.take(&mut fields)?;
        options.ca_file = fields.text("ca_file")?.map(PathBuf::from);
        options.record = fields.text("record")?.map(PathBuf::from).or(options.record);
        if let Some(prefix) = fields.text("tools_prefix")? {
            options.tools_prefix = prefix;
        }
        if let Some(text) = fields.text("log")? {
            let level = Level::parse(&text).ok_or_else(|| {
                let text =
                    format!("client: log must be one of error, warn, info, debug, not '{text}'");
                Error::invalid(text)
            })?;
            options.log_level = Some(level);
        }
        Ok(options)
    }

    /// Reads the JSON object of a binding over these options: what [`Client::with`](crate::Client::with) can change.
    /// `headers` are over those that are there, by name.
    ///
    /// # Errors
    /// `invalid_argument` that names the wrong field, also one that belongs to the connection.
    pub fn changed(&self, json: &str) -> Result<Self> {
        let mut fields = Fields::new("with", json, &option_names::CLIENT)?;
        let fixed =
            option_names::CLIENT.core.iter().filter(|name| !option_names::WITH.core.contains(name));
        for name in fixed {
            if fields.json(name).is_some() {
                return Err(fixed_error(option_names::CLIENT.shown(name)));
            }
        }
        let mut options = self.clone();
        options.take(&mut fields)?;
        Ok(options)
    }

    /// What a client and those that are made from it may have in different ways.
    fn take(&mut self, fields: &mut Fields) -> Result<()> {
        if let Some(directory) = fields.text("directory")? {
            self.directory = Some(directory);
        }
        if let Some(workspace) = fields.text("workspace")? {
            self.workspace = Some(workspace);
        }
        for (name, value) in headers(fields)? {
            self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(&name));
            self.headers.push((name, value));
        }
        if let Some(time) = fields.time("connect_timeout_ms")? {
            self.connect_timeout = time;
        }
        if let Some(time) = fields.time("timeout_ms")? {
            self.timeout = time;
        }
        if let Some(max) = fields.count("max_retries")? {
            self.max_retries = max;
        }
        if let Some(max) = fields.number("max_body_bytes")? {
            self.max_body_bytes = max as u64;
        }
        if let Some(events) = fields.flag("events")? {
            self.events = events;
        }
        if let Some(policy) = fields.value("permission")? {
            self.permission = PermissionPolicy::from_value(&policy)?;
        }
        if let Some(policy) = fields.value("question")? {
            self.question = QuestionPolicy::from_value(&policy)?;
        }
        Ok(())
    }

    /// The headers that others than these are sent with over the same connection.
    ///
    /// # Errors
    /// `invalid_argument` for what belongs to the connection.
    pub(crate) fn changed_to(&self, other: &Self) -> Result<Vec<(String, String)>> {
        let fixed = [
            ("base_url", self.base_url == other.base_url),
            ("username", self.username == other.username),
            ("password", self.password == other.password),
            ("dialect", self.dialect == other.dialect),
            ("stall_timeout", self.stall_timeout == other.stall_timeout),
            ("log_level", self.log_level == other.log_level),
            ("ca_file", self.ca_file == other.ca_file),
            ("record", self.record == other.record),
            ("tools_prefix", self.tools_prefix == other.tools_prefix),
        ];
        if let Some((name, _)) = fixed.into_iter().find(|(_, is_same)| !is_same) {
            return Err(fixed_error(option_names::CLIENT.shown(name)));
        }
        let has = |name: &str| other.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        if let Some((name, _)) = self.headers.iter().find(|(name, _)| !has(name)) {
            return Err(Error::invalid(format!(
                "with: the header '{name}' cannot be taken away; give it another value, or make another client"
            )));
        }
        let new = other.headers.iter().filter(|pair| !self.headers.contains(pair));
        new.map(|pair| header(pair).map(|_| pair.clone())).collect()
    }

    /// Address and credentials, checked.
    pub(crate) fn target(&self) -> Result<(BaseUrl, Option<Credentials>)> {
        let (base, in_url) = BaseUrl::parse(&self.base_url)?;
        let credentials = match (&self.username, &self.password) {
            (None, None) => in_url,
            // A name alone says nothing: the server may want no password.
            (Some(_), None) if in_url.is_none() => None,
            (username, password) => {
                let in_url = in_url.unwrap_or_else(|| Credentials::new("", ""));
                Some(in_url.with(username.as_deref(), password.as_deref()))
            }
        };
        if let Some(credentials) = &credentials {
            credentials.check()?;
        }
        Ok((base, credentials))
    }

    /// The limits of an operation of a pace.
    pub(crate) fn limits(&self, pace: Pace) -> Limits {
        let limits = Limits {
            connect: self.connect_timeout,
            first_byte: Some(self.timeout),
            idle: Some(self.timeout),
            total: None,
            body: self.max_body_bytes,
            is_fresh: false,
        };
        match pace {
            Pace::Quick => limits,
            Pace::Slow => Limits { first_byte: None, ..limits },
            Pace::Stream => Limits { idle: None, ..limits },
        }
    }
}

impl fmt::Debug for ClientOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = BaseUrl::parse(&self.base_url).map(|(url, _)| url.as_str().to_owned());
        f.debug_struct("ClientOptions")
            .field("base_url", &url.unwrap_or_else(|_| "(invalid)".to_owned()))
            .field("password", &self.password.as_ref().map(|_| "***"))
            .field("directory", &self.directory)
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}

/// What one call does differently from its client.
#[derive(Clone, Default)]
pub struct CallOptions {
    /// The whole call, repetitions included.
    pub timeout: Option<Duration>,
    /// The directory that the call works in, in place of the client's. An argument `directory` goes before it.
    pub directory: Option<String>,
    /// The workspace that the call works in, in place of the client's.
    pub workspace: Option<String>,
    /// How often it is repeated when it failed in a way that passes; only reads ever are.
    pub max_retries: Option<u32>,
    /// Headers added to the request.
    pub headers: Vec<(String, String)>,
    /// The span of the host's own tracing that the request belongs to, in the form of W3C: sent as the header
    /// `traceparent`. One of a list, an export, a sum of usage or a terminal goes before it.
    pub traceparent: Option<String>,
    /// Asked while the call blocks; for hosts with signals of their own.
    pub interrupt: Option<Interrupt>,
}

impl CallOptions {
    /// Those of a call in the background: its token ends it.
    pub(crate) fn within(token: &CancelToken) -> Self {
        CallOptions { interrupt: Some(token.interrupt()), ..CallOptions::default() }
    }

    /// The same for a request of something that may have a span of its own, which goes before that of the call.
    pub(crate) fn within_span(&self, span: Option<&str>) -> Self {
        let traceparent = span.map(str::to_owned).or_else(|| self.traceparent.clone());
        CallOptions { traceparent, ..self.clone() }
    }

    /// Reads the JSON object of a binding: `timeout_ms`, `directory`, `workspace`, `max_retries`, `headers`, `traceparent`.
    ///
    /// # Errors
    /// `invalid_argument` that names the wrong field.
    pub fn from_json(json: &str) -> Result<Self> {
        CallOptions::take(&mut Fields::new("call options", json, &option_names::CALL)?)
    }

    /// Those among other fields.
    pub(crate) fn take(fields: &mut Fields) -> Result<Self> {
        Ok(CallOptions {
            timeout: fields.time("timeout_ms")?,
            directory: fields.text("directory")?,
            workspace: fields.text("workspace")?,
            max_retries: fields.count("max_retries")?,
            headers: headers(fields)?,
            traceparent: traceparent::take(fields)?,
            interrupt: None,
        })
    }
}

/// Of headers only the names: a value may be a secret.
impl fmt::Debug for CallOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("CallOptions")
            .field("timeout", &self.timeout)
            .field("directory", &self.directory)
            .field("workspace", &self.workspace)
            .field("max_retries", &self.max_retries)
            .field("headers", &headers)
            .finish_non_exhaustive()
    }
}

/// Refuses what clients share that were made from each other.
fn fixed_error(name: &str) -> Error {
    Error::invalid(format!(
        "with: {name} belongs to the connection, which both clients share; make another client for it"
    ))
}

/// The headers of a host, each checked.
fn headers(fields: &mut Fields) -> Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    let Some(value) = fields.object("headers")? else { return Ok(headers) };
    for (key, value) in value.as_object().into_iter().flatten() {
        let Value::String(text) = value else {
            // The value may be a secret: it is not shown.
            let what = fields.what();
            return Err(Error::invalid(format!("{what}: header '{key}' must be a text")));
        };
        let pair = (key.clone(), text.clone());
        header(&pair)?;
        headers.push(pair);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_read_over_the_defaults() {
        let options = ClientOptions::from_json(
            r#"{"base_url":"http://h:1","password":"x","timeout_ms":1500,"events":false,
                "headers":{"x-a":"b"},"permission":"once","directory":null}"#,
        )
        .unwrap();
        assert_eq!(options.timeout, Duration::from_millis(1500));
        assert!(!options.events && options.directory.is_none());
        assert_eq!(options.headers, [("x-a".to_owned(), "b".to_owned())]);
        assert!(ClientOptions::from_json("").is_ok() && ClientOptions::from_json("[]").is_ok());
    }

    #[test]
    fn mistakes_are_named_and_secrets_are_not() {
        for (json, part) in [
            (r#"{"base_ulr":"x"}"#, "did you mean 'base_url'"),
            (r#"{"timeout_ms":"1"}"#, "timeout_ms must be a number"),
            (r#"{"headers":{"a b":"c"}}"#, "'a b'"),
            (r#"{"permission":"never"}"#, "reject, once, always, ask"),
            ("[1]", "must be an object"),
            ("{", "no JSON"),
        ] {
            let error = ClientOptions::from_json(json).unwrap_err();
            assert!(error.message().contains(part), "{error}");
        }
        let deep = |levels| {
            let json = format!(r#"{{"base_url":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
            ClientOptions::from_json(&json).unwrap_err().message().to_owned()
        };
        assert_eq!(deep(500), "client: base_url is nested 500 levels deep; the limit is 127");
        assert_eq!(deep(1_500), "client: the JSON is nested 1501 levels deep; the limit is 1000");
        let error = ClientOptions::from_json(r#"{"password":["hunter2"]}"#).unwrap_err();
        assert!(!error.message().contains("hunter2"));
        let options = ClientOptions {
            base_url: "http://me:hunter2@h".to_owned(),
            password: Some("hunter2".to_owned()),
            ..ClientOptions::default()
        };
        assert!(!format!("{options:?}").contains("hunter2"));
        let headers = vec![("authorization".to_owned(), "hunter2".to_owned())];
        let call = CallOptions { headers, ..CallOptions::default() };
        let shown = format!("{call:?}");
        assert!(!shown.contains("hunter2") && shown.contains("authorization"), "{shown}");
    }

    fn header(json: &str) -> Option<String> {
        let options = ClientOptions::from_json(json).unwrap();
        options.target().unwrap().1.map(|credentials| credentials.header())
    }

    #[test]
    fn what_is_said_of_user_and_password_adds_up() {
        let pair = |name: &str, word: &str| Some(Credentials::new(name, word).header());
        for (json, wanted) in [
            (r#"{"base_url":"http://h"}"#, None),
            (r#"{"base_url":"http://h","username":"me"}"#, None),
            (r#"{"base_url":"http://h","password":"x"}"#, pair("opencode", "x")),
            (r#"{"base_url":"http://me:x@h"}"#, pair("me", "x")),
            (r#"{"base_url":"http://me@h","password":"y"}"#, pair("me", "y")),
            (r#"{"base_url":"http://me:x@h","username":"you"}"#, pair("you", "x")),
            (r#"{"base_url":"http://me:x@h","username":"you","password":"y"}"#, pair("you", "y")),
            (r#"{"base_url":"http://:x@h"}"#, pair("opencode", "x")),
        ] {
            assert_eq!(header(json), wanted, "{json}");
        }
        let options = ClientOptions::from_json(r#"{"username":"a:b","password":"x"}"#).unwrap();
        let error = options.target().unwrap_err();
        assert!(error.message().contains("username"), "{error}");
    }
}
