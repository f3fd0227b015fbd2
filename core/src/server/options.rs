//! [`ServerOptions`]: how a server is started.

use crate::base::error::{Error, Result};
use crate::base::fields::Fields;
use crate::base::option_names;
use serde_json::{Map, Value};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How a server is started. The default is the `opencode` of the PATH in the current directory, on a free port
/// of 127.0.0.1, with a random password, and with the configuration that the user has.
#[derive(Clone)]
pub struct ServerOptions {
    /// The program; without it, what `OPENCODE_BIN` names, else `opencode` on the PATH.
    pub binary: Option<PathBuf>,
    /// The directory it works in; the current one when absent.
    pub directory: Option<PathBuf>,
    /// The port; without it a free one is chosen.
    pub port: Option<u16>,
    /// The address it listens on. With another one than 127.0.0.1, others can reach it.
    pub hostname: String,
    /// The user name that clients give.
    pub username: String,
    /// The password that clients give; without it a random one is made.
    pub password: Option<String>,
    /// Configuration, laid over that of the user and the project; the same fields as in `opencode.json`. It takes the place of
    /// `OPENCODE_CONFIG_CONTENT`.
    pub config: Option<Map<String, Value>>,
    /// Variables added to the environment of this process; `None` takes one away.
    pub environment: Vec<(String, Option<String>)>,
    /// Arguments added behind `opencode serve`.
    pub arguments: Vec<String>,
    /// `DEBUG`, `INFO`, `WARN` or `ERROR`: its log then is part of the output. Without it, it prints little.
    pub log_level: Option<String>,
    /// How long it may take until it answers.
    pub start_timeout: Duration,
}

impl Default for ServerOptions {
    fn default() -> Self {
        ServerOptions {
            binary: None,
            directory: None,
            port: None,
            hostname: "127.0.0.1".to_owned(),
            username: crate::http::credentials::DEFAULT_USERNAME.to_owned(),
            password: None,
            config: None,
            environment: Vec::new(),
            arguments: Vec::new(),
            log_level: None,
            start_timeout: Duration::from_secs(30),
        }
    }
}

const LEVELS: [&str; 4] = ["DEBUG", "INFO", "WARN", "ERROR"];

impl ServerOptions {
    /// Reads the JSON object of a binding: the names are those of the fields, times in milliseconds
    /// (`start_timeout_ms`), `environment` an object of texts and nulls. `""` and `null` are the defaults.
    ///
    /// # Errors
    /// `invalid_argument` that names the wrong field and its nearest correct spelling.
    pub fn from_json(json: &str) -> Result<Self> {
        let mut options = ServerOptions::default();
        let mut fields = Fields::new("server", json, &option_names::SERVER)?;
        options.binary = fields.text("binary")?.map(PathBuf::from);
        options.directory = fields.text("directory")?.map(PathBuf::from);
        options.port = fields.value("port")?.map(|value| port(&value)).transpose()?;
        options.hostname = fields.text("hostname")?.unwrap_or(options.hostname);
        options.username = fields.text("username")?.unwrap_or(options.username);
        options.password = fields.text("password")?;
        options.config = fields.value("config")?.map(config).transpose()?;
        options.environment = fields.value("environment")?.map_or(Ok(Vec::new()), environment)?;
        options.arguments = fields.texts("arguments")?.unwrap_or_default();
        options.log_level = fields.text("log_level")?;
        if let Some(time) = fields.time("start_timeout_ms")? {
            options.start_timeout = time;
        }
        Ok(options)
    }

    /// What can be said before anything is started.
    pub(super) fn check(&self) -> Result<()> {
        if self.password.as_deref() == Some("") {
            return Err(invalid(
                "password must not be empty; leave it out for a random one".to_owned(),
            ));
        }
        if let Some(level) = &self.log_level
            && !LEVELS.contains(&level.to_ascii_uppercase().as_str())
        {
            return Err(invalid(format!(
                "log_level must be DEBUG, INFO, WARN or ERROR, not '{level}'"
            )));
        }
        if let Some(directory) = &self.directory
            && !directory.is_dir()
        {
            return Err(invalid(format!("there is no directory '{}'", directory.display())));
        }
        let has_nul = |text: &str| text.contains('\0');
        for (name, value) in &self.environment {
            if name.is_empty() || name.contains('=') || has_nul(name) {
                return Err(invalid(format!("environment: '{name}' is no name of a variable")));
            }
            if value.as_deref().is_some_and(has_nul) {
                return Err(invalid(format!("environment: the value of '{name}' has a NUL")));
            }
        }
        let texts = [&self.hostname, &self.username].into_iter();
        if texts.chain(&self.arguments).chain(&self.password).any(|text| has_nul(text)) {
            return Err(invalid("a text has a NUL".to_owned()));
        }
        Ok(())
    }
}

fn port(value: &Value) -> Result<u16> {
    // Some hosts have no whole numbers.
    let number = value.as_f64().filter(|number| number.fract() == 0.0);
    match number {
        Some(number) if (1.0..=65535.0).contains(&number) => Ok(number as u16),
        _ => Err(invalid(format!("port must be a number from 1 to 65535, not {value}"))),
    }
}

fn config(value: Value) -> Result<Map<String, Value>> {
    match value {
        Value::Object(config) => Ok(config),
        Value::Array(items) if items.is_empty() => Ok(Map::new()),
        // It may hold keys of providers: it is not shown.
        _ => Err(invalid("config must be an object".to_owned())),
    }
}

fn environment(value: Value) -> Result<Vec<(String, Option<String>)>> {
    let fields = match value {
        Value::Object(fields) => fields,
        Value::Array(items) if items.is_empty() => Map::new(),
        _ => return Err(invalid("environment must be an object of texts".to_owned())),
    };
    let read = |(name, value)| match value {
        Value::Null => Ok((name, None)),
        Value::String(text) => Ok((name, Some(text))),
        _ => Err(invalid(format!("environment: the value of '{name}' must be a text or null"))),
    };
    fields.into_iter().map(read).collect()
}

pub(super) fn invalid(text: String) -> Error {
    Error::invalid(format!("server: {text}"))
}

impl fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions")
            .field("binary", &self.binary)
            .field("directory", &self.directory)
            .field("port", &self.port)
            .field("hostname", &self.hostname)
            .field("password", &self.password.as_ref().map(|_| "***"))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_read_over_the_defaults() {
        let options = ServerOptions::from_json(
            r#"{"binary":"/x/opencode","port":4100.0,"password":"p","config":{"model":"a/b"},
                "environment":{"A":"1","B":null},"arguments":["--pure"],"start_timeout_ms":1500}"#,
        )
        .unwrap();
        options.check().unwrap();
        assert_eq!(options.port, Some(4100));
        assert_eq!(options.environment[1], ("B".to_owned(), None));
        assert_eq!(options.start_timeout, Duration::from_millis(1500));
        assert_eq!(options.hostname, "127.0.0.1");
        assert!(ServerOptions::from_json("").is_ok() && ServerOptions::from_json("[]").is_ok());
    }

    #[test]
    fn mistakes_are_named_and_secrets_are_not() {
        for (json, part) in [
            (r#"{"bianry":"x"}"#, "did you mean 'binary'"),
            (r#"{"port":70000}"#, "port must be a number from 1 to 65535"),
            (r#"{"port":0}"#, "port must be a number from 1 to 65535"),
            (r#"{"arguments":[1]}"#, "arguments must be a list"),
            (r#"{"environment":{"A":1}}"#, "value of 'A'"),
            (r#"{"config":"hunter2"}"#, "config must be an object"),
        ] {
            let error = ServerOptions::from_json(json).unwrap_err();
            assert!(error.message().contains(part), "{error}");
            assert!(!error.message().contains("hunter2"), "{error}");
        }
        for (json, part) in [
            (r#"{"password":""}"#, "password must not be empty"),
            (r#"{"log_level":"loud"}"#, "not 'loud'"),
            (r#"{"directory":"/no/such/place"}"#, "no directory '/no/such/place'"),
            (r#"{"environment":{"A=B":"1"}}"#, "'A=B' is no name"),
        ] {
            let error = ServerOptions::from_json(json).unwrap().check().unwrap_err();
            assert!(error.message().contains(part), "{error}");
        }
        let options = ServerOptions::from_json(r#"{"password":"hunter2"}"#).unwrap();
        assert!(!format!("{options:?}").contains("hunter2"));
    }
}
