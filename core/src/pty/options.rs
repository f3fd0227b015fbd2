//! [`PtyOptions`]: which program runs in a terminal, and how it is reached.

use crate::base::error::{Error, Result};
use crate::base::fields::Fields;
use crate::base::option_names;
use crate::http::traceparent;
use serde_json::{Map, Value};
use std::fmt;
use std::time::Duration;

/// Which program runs in a terminal, and how it is reached. All fields may stay as they are.
#[derive(Clone, PartialEq, Eq)]
pub struct PtyOptions {
    /// The program; the server's shell when absent. Shells get `-l` as their last argument.
    pub command: Option<String>,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its working directory; the project's when absent.
    pub cwd: Option<String>,
    /// Variables added to the server's environment.
    pub env: Vec<(String, String)>,
    /// The name that lists show.
    pub title: Option<String>,
    /// The size as columns and rows; the server begins with 80 and 24.
    pub size: Option<(u16, u16)>,
    /// Where an existing terminal's output begins, in UTF-16 units; the oldest that the server keeps when
    /// absent, what comes from now on when negative.
    pub cursor: Option<i64>,
    /// The directory that the terminal belongs to; the client's when absent.
    pub directory: Option<String>,
    /// Connects with a ticket that is fetched before, in place of user and password: for proxies that drop
    /// the `Authorization` header of a websocket.
    pub ticket: bool,
    /// How long the server may be out of reach before the terminal fails.
    pub server_timeout: Duration,
    /// The span of the host's own tracing that the terminal belongs to, in the form of W3C: the header `traceparent` of its
    /// requests, and of the one that opens its websocket, again after a lost connection.
    pub traceparent: Option<String>,
}

impl Default for PtyOptions {
    fn default() -> Self {
        PtyOptions {
            command: None,
            args: Vec::new(),
            cwd: None,
            env: Vec::new(),
            title: None,
            size: None,
            cursor: None,
            directory: None,
            ticket: false,
            server_timeout: Duration::from_secs(15),
            traceparent: None,
        }
    }
}

impl PtyOptions {
    /// Reads the JSON object of a binding: the names are those of the fields, the size is `cols` and `rows`,
    /// times are in milliseconds (`server_timeout_ms`). `""` and `null` are the defaults.
    ///
    /// # Errors
    /// `invalid_argument` that names the wrong field and its nearest correct spelling.
    pub fn from_json(json: &str) -> Result<Self> {
        let mut fields = Fields::new("pty", json, &option_names::PTY)?;
        let mut options = PtyOptions {
            command: fields.text("command")?,
            cwd: fields.text("cwd")?,
            title: fields.text("title")?,
            directory: fields.text("directory")?,
            args: fields.texts("args")?.unwrap_or_default(),
            ticket: fields.flag("ticket")?.unwrap_or_default(),
            traceparent: traceparent::take(&mut fields)?,
            ..PtyOptions::default()
        };
        if let Some(env) = fields.object("env")? {
            let pairs = env.as_object().into_iter().flatten().map(|(name, value)| {
                // The value may be a secret: it is not shown.
                let text = value.as_str().ok_or_else(|| {
                    Error::invalid(format!("pty: the variable '{name}' in env must be a text"))
                })?;
                Ok((name.clone(), text.to_owned()))
            });
            options.env = pairs.collect::<Result<_>>()?;
        }
        if let Some(cursor) = fields.value("cursor")? {
            let wrong = || Error::invalid(format!("pty: cursor must be a number, not {cursor}"));
            // Lua has no integers of its own everywhere.
            let number = cursor.as_i64().or_else(|| cursor.as_f64().map(|n| n as i64));
            options.cursor = Some(number.ok_or_else(wrong)?);
        }
        if let Some(time) = fields.time("server_timeout_ms")? {
            options.server_timeout = time;
        }
        options.size = match (fields.count("cols")?, fields.count("rows")?) {
            (None, None) => None,
            (Some(cols), Some(rows)) => Some(size(cols, rows)?),
            _ => return Err(Error::invalid("pty: give both cols and rows, or none of them")),
        };
        Ok(options)
    }

    /// The arguments of the operation that creates the terminal.
    pub(super) fn to_arguments(&self) -> String {
        let mut fields = Map::new();
        let texts = [("command", &self.command), ("cwd", &self.cwd), ("title", &self.title)];
        for (name, text) in texts {
            if let Some(text) = text {
                fields.insert(name.to_owned(), Value::from(text.as_str()));
            }
        }
        if !self.args.is_empty() {
            fields.insert("args".to_owned(), Value::from(self.args.clone()));
        }
        if !self.env.is_empty() {
            let env =
                self.env.iter().map(|(name, text)| (name.clone(), Value::from(text.as_str())));
            fields.insert("env".to_owned(), Value::Object(env.collect()));
        }
        if let Some(directory) = &self.directory {
            fields.insert("directory".to_owned(), Value::from(directory.as_str()));
        }
        Value::Object(fields).to_string()
    }
}

/// Without the values of variables: they may be secrets.
impl fmt::Debug for PtyOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.env.iter().map(|(name, _)| name).collect();
        f.debug_struct("PtyOptions")
            .field("command", &self.command)
            .field("args", &self.args)
            .field("cwd", &self.cwd)
            .field("env", &names)
            .field("size", &self.size)
            .field("cursor", &self.cursor)
            .finish_non_exhaustive()
    }
}

/// Checks a size.
///
/// # Errors
/// `invalid_argument` when it is none that a terminal can have.
pub(super) fn size(cols: u32, rows: u32) -> Result<(u16, u16)> {
    match (u16::try_from(cols), u16::try_from(rows)) {
        (Ok(cols @ 1..), Ok(rows @ 1..)) => Ok((cols, rows)),
        _ => Err(Error::invalid(format!(
            "pty: a terminal of {cols} columns and {rows} rows cannot be; give 1 to 65535 of each"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_becomes_options_and_arguments() {
        let options = PtyOptions::from_json(
            r#"{"command":"sh","args":["-c","x"],"env":{"A":"b"},"cols":100,"rows":30,"cursor":-1}"#,
        )
        .unwrap();
        assert_eq!((options.size, options.cursor), (Some((100, 30)), Some(-1)));
        assert_eq!(options.to_arguments(), r#"{"args":["-c","x"],"command":"sh","env":{"A":"b"}}"#);
        assert_eq!(PtyOptions::from_json("").unwrap(), PtyOptions::default());
    }

    #[test]
    fn mistakes_are_named() {
        for (json, part) in [
            (r#"{"comand":"x"}"#, "did you mean 'command'"),
            (r#"{"cols":80}"#, "both cols and rows"),
            (r#"{"cols":0,"rows":1}"#, "0 columns"),
            (r#"{"cols":80,"rows":70000}"#, "70000 rows"),
            (r#"{"args":[1]}"#, "list of texts"),
            (r#"{"cursor":"x"}"#, "cursor must be a number"),
        ] {
            let error = PtyOptions::from_json(json).unwrap_err();
            assert!(error.message().contains(part), "{error}");
        }
        let error = PtyOptions::from_json(r#"{"env":{"KEY":["hunter2"]}}"#).unwrap_err();
        assert!(error.message().contains("KEY") && !error.message().contains("hunter2"));
        let shown = format!("{:?}", PtyOptions::from_json(r#"{"env":{"KEY":"hunter2"}}"#).unwrap());
        assert!(shown.contains("KEY") && !shown.contains("hunter2"), "{shown}");
    }
}
