//! [`ReadyOptions`]: waiting until a directory has its agents, models and MCP servers.
//!
//! What a server knows of a directory comes in the first seconds after it was asked for: until then a list may be empty, and
//! says so without an error.

use crate::base::cancel::CancelToken;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::fields::Fields;
use crate::base::limits::shown;
use crate::base::option_names;
use crate::call::caller::Caller;
use crate::call::options::CallOptions;
use crate::http::traceparent;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long it is waited when nothing is said.
const LIMIT: Duration = Duration::from_secs(30);
/// The pauses between two looks: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));
/// Names that an error lists.
const SHOWN: usize = 12;

/// What is to be there before the first prompt.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReadyOptions {
    /// Agents by name. Without a name it is waited until there is any.
    pub agents: Vec<String>,
    /// Models, as `provider/model`.
    pub models: Vec<String>,
    /// MCP servers by name: they must be connected.
    pub mcp: Vec<String>,
    /// The directory of the project; the client's when absent.
    pub directory: Option<String>,
    /// How long it is waited.
    pub timeout: Duration,
    /// The span of the host's own tracing that the waiting belongs to, in the form of W3C: the header `traceparent` of its
    /// requests.
    pub traceparent: Option<String>,
}

impl Default for ReadyOptions {
    fn default() -> Self {
        let (agents, models, mcp) = Default::default();
        let (directory, traceparent) = Default::default();
        ReadyOptions { agents, models, mcp, directory, timeout: LIMIT, traceparent }
    }
}

impl ReadyOptions {
    /// Reads the JSON object of a binding: `agents`, `models`, `mcp`, `directory`, `timeout_ms`, `traceparent`.
    ///
    /// # Errors
    /// `invalid_argument` that names the wrong field.
    pub fn from_json(json: &str) -> Result<Self> {
        let mut fields = Fields::new("wait_until_ready", json, &option_names::READY)?;
        Ok(ReadyOptions {
            agents: fields.texts("agents")?.unwrap_or_default(),
            models: fields.texts("models")?.unwrap_or_default(),
            mcp: fields.texts("mcp")?.unwrap_or_default(),
            directory: fields.text("directory")?,
            timeout: fields.time("timeout_ms")?.unwrap_or(LIMIT),
            traceparent: traceparent::take(&mut fields)?,
        })
    }
}

/// What a directory has.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct Ready {
    /// The names of its agents.
    pub agents: Vec<String>,
    /// Its models, as `provider/model`, when models were asked for.
    pub models: Vec<String>,
    /// Its MCP servers and how they are, when some were asked for.
    pub mcp: BTreeMap<String, String>,
}

impl Ready {
    /// As one JSON object: what the bindings hand to their hosts.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Blocks until all of it is there.
pub(crate) fn wait(
    caller: &Arc<Caller>,
    options: &ReadyOptions,
    call: &CallOptions,
    token: &CancelToken,
) -> Result<Ready> {
    if let Some(model) = options.models.iter().find(|model| !model.contains('/')) {
        let text = format!("wait_until_ready: models: write '{model}' as provider/model");
        return Err(Error::invalid(text));
    }
    let began = Instant::now();
    let directory = options.directory.clone().or_else(|| call.directory.clone());
    let call = &call.within_span(options.traceparent.as_deref());
    let mut pause = PAUSES.0;
    let mut missing = vec!["the server has not answered yet".to_owned()];
    loop {
        let left = options.timeout.saturating_sub(began.elapsed());
        if left.is_zero() {
            let (time, missing) = (shown(options.timeout), missing.join("; "));
            let text = format!("wait_until_ready: not ready within {time}: {missing}");
            return Err(Error::new(ErrorKind::Timeout, text).with_operation("wait_until_ready"));
        }
        let limits =
            CallOptions { timeout: Some(left), directory: directory.clone(), ..call.clone() };
        match (DirectoryLook { caller, options, call: limits, token }).all() {
            Ok((ready, lacking)) if lacking.is_empty() => return Ok(ready),
            Ok((_, lacking)) => missing = lacking,
            // A server of 1.x answers for MCP servers when all of them have begun: what it knew before says more.
            Err(error) if error.kind() == ErrorKind::Timeout => {}
            Err(error) => return Err(error),
        }
        let left = options.timeout.saturating_sub(began.elapsed());
        if !token.sleep(pause.min(left)) {
            return Err(crate::call::cancelled("wait_until_ready"));
        }
        pause = pause.saturating_mul(2).min(PAUSES.1);
    }
}

struct DirectoryLook<'a> {
    caller: &'a Arc<Caller>,
    options: &'a ReadyOptions,
    call: CallOptions,
    token: &'a CancelToken,
}

impl DirectoryLook<'_> {
    /// What is there, and what is missing in words.
    fn all(&self) -> Result<(Ready, Vec<String>)> {
        let ReadyOptions { agents, models, mcp, .. } = self.options;
        let mut missing = Vec::new();
        let mut ready = Ready { agents: self.agents()?, ..Ready::default() };
        if ready.agents.is_empty() {
            missing.push("there are no agents yet".to_owned());
        } else {
            missing.extend(absent("agent", agents, &ready.agents));
        }
        if !models.is_empty() {
            ready.models = self.models()?;
            missing.extend(absent("model", models, &ready.models));
        }
        if !mcp.is_empty() {
            for (name, server) in self.servers()? {
                if mcp.contains(&name) && server.is_lost() {
                    return Err(server.error(&name));
                }
                if mcp.contains(&name) && server.status != "connected" {
                    missing.push(format!("mcp server '{name}' is {}", server.status));
                }
                ready.mcp.insert(name, server.status);
            }
            let known: Vec<String> = ready.mcp.keys().cloned().collect();
            missing.extend(absent("mcp server", mcp, &known));
        }
        Ok((ready, missing))
    }

    fn agents(&self) -> Result<Vec<String>> {
        let one = || self.json("app.agents").map(|found| names(&found, "name"));
        self.caller
            .either(one, || self.json("v2.agent.list").map(|found| names(&found["data"], "id")))
    }

    fn models(&self) -> Result<Vec<String>> {
        let one = || {
            let found = self.json("config.providers")?;
            let providers = found["providers"].as_array().into_iter().flatten();
            let of = |provider: &Value| {
                let id = provider["id"].as_str().unwrap_or_default().to_owned();
                let models = provider["models"].as_object().into_iter().flatten();
                models.map(|(model, _)| format!("{id}/{model}")).collect::<Vec<_>>()
            };
            Ok(providers.flat_map(of).collect())
        };
        let two = || {
            let found = self.json("v2.model.list")?;
            let models = found["data"].as_array().into_iter().flatten();
            let name = |model: &Value| {
                Some(format!("{}/{}", model["providerID"].as_str()?, model["id"].as_str()?))
            };
            Ok(models.filter_map(name).collect())
        };
        self.caller.either(one, two)
    }

    fn servers(&self) -> Result<Vec<(String, McpServer)>> {
        let one = || {
            let found = self.json("mcp.status")?;
            let servers = found.as_object().into_iter().flatten();
            Ok(servers.map(|(name, status)| (name.clone(), McpServer::read(status))).collect())
        };
        let two = || {
            let found = self.json("v2.mcp.list")?;
            let servers = found["data"].as_array().into_iter().flatten();
            let read = |server: &Value| {
                let name = server["name"].as_str()?.to_owned();
                Some((name, McpServer::read(&server["status"])))
            };
            Ok(servers.filter_map(read).collect())
        };
        self.caller.either(one, two)
    }

    fn json(&self, operation: &str) -> Result<Value> {
        self.caller.call(operation, "", &self.call, self.token)?.json()
    }
}

/// How an MCP server is.
struct McpServer {
    status: String,
    error: String,
}

impl McpServer {
    fn read(status: &Value) -> Self {
        let text = |name: &str| status[name].as_str().unwrap_or_default().to_owned();
        McpServer { status: text("status"), error: text("error") }
    }

    /// Whether it will not come by itself.
    fn is_lost(&self) -> bool {
        let lost = ["failed", "disabled", "needs_auth", "needs_client_registration"];
        lost.contains(&self.status.as_str())
    }

    fn error(&self, name: &str) -> Error {
        let why = match self.status.as_str() {
            "disabled" => "is disabled; enable it in opencode.json",
            "needs_auth" => "needs authentication: run `opencode mcp auth`",
            "needs_client_registration" => "needs a client that is registered with it",
            _ => "failed",
        };
        let error = if self.error.is_empty() { String::new() } else { format!(": {}", self.error) };
        let text = format!("wait_until_ready: mcp server '{name}' {why}{error}");
        Error::new(ErrorKind::Start, text)
            .with_operation("wait_until_ready")
            .with_code(Some("mcp".to_owned()))
    }
}

fn names(list: &Value, field: &str) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(|item| item[field].as_str().map(str::to_owned)).collect()
}

/// What is wanted and not there, in words.
fn absent(what: &str, wanted: &[String], known: &[String]) -> Vec<String> {
    let listed = match known.len() {
        0 => "there are none".to_owned(),
        count => {
            let more = if count > SHOWN { ", ..." } else { "" };
            let first: Vec<&str> = known.iter().take(SHOWN).map(String::as_str).collect();
            format!("there are: {}{more}", first.join(", "))
        }
    };
    let lacking = wanted.iter().filter(|name| !known.contains(name));
    lacking.map(|name| format!("there is no {what} '{name}'; {listed}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_mistakes_are_named() {
        let options =
            ReadyOptions::from_json(r#"{"agents":["build"],"mcp":{},"timeout_ms":5}"#).unwrap();
        assert_eq!((options.agents.len(), options.mcp.len()), (1, 0));
        assert_eq!(options.timeout, Duration::from_millis(5));
        for (json, part) in [
            (r#"{"agent":["x"]}"#, "did you mean 'agents'"),
            (r#"{"agents":"x"}"#, "agents must be a list of texts"),
            (r#"{"mcp":[1]}"#, "mcp must be a list of texts"),
        ] {
            let error = ReadyOptions::from_json(json).unwrap_err();
            assert!(error.message().contains(part), "{error}");
        }
    }
}
