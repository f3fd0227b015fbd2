//! [`Examiner`]: the single checks of a server that answers.

use super::{Check, CheckStatus};
use crate::base::cancel::CancelToken;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::limits::Limits;
use crate::call::caller::Caller;
use crate::call::options::CallOptions;
use crate::http::answer::Answer;
use crate::protocol::dialect::Dialect;
use serde_json::Value;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long 2.x may take to read what belongs to a directory.
const LOADING: Duration = Duration::from_secs(2);
/// More than clocks that are set by the network are apart.
const SKEW: u64 = 60;

pub(super) struct Examiner<'a> {
    caller: &'a Caller,
    dialect: Dialect,
    until: Instant,
    /// Ends all checks; each request has a child of it.
    token: &'a CancelToken,
}

impl<'a> Examiner<'a> {
    pub(super) fn new(
        caller: &'a Caller,
        dialect: Dialect,
        until: Instant,
        token: &'a CancelToken,
    ) -> Self {
        Examiner { caller, dialect, until, token }
    }

    /// The name of what this server has.
    fn named(&self, one: &'static str, two: &'static str) -> &'static str {
        if self.dialect == Dialect::Two { two } else { one }
    }

    /// The directory of the client, as the server sees it.
    pub(super) fn directory(&self) -> Check {
        const NAME: &str = "directory";
        let given = self.caller.options().directory.as_deref();
        if let Some(given) = given
            && self.caller.transport().base().is_loopback()
            && !std::path::Path::new(given).is_dir()
        {
            // The server takes any name, and would work in nowhere.
            let text = format!("there is no directory '{given}'");
            return fail(NAME, text, "set directory to the project");
        }
        match self.json(self.named("path.get", "v2.location.get"), "") {
            Ok(paths) => {
                let text = paths["directory"].as_str().unwrap_or("(unnamed)").to_owned();
                if paths["worktree"] == "/" || paths["project"]["id"] == "global" {
                    let text = format!("{text} is in no git repository");
                    return warn(NAME, text, "undo and diffs need one: run `git init` there");
                }
                ok(NAME, text)
            }
            Err(error) => unknown(NAME, &error),
        }
    }

    /// Whether the configured model belongs to a provider that can be used. No model is called.
    pub(super) fn model(&self) -> Check {
        const NAME: &str = "model";
        const ADVICE: &str =
            "run `opencode auth login`, or set model and provider in opencode.json";
        let providers = match self.json("config.providers", "") {
            Ok(found) => found,
            Err(error) => return unknown(NAME, &error),
        };
        let known = providers["providers"].as_array().map(Vec::as_slice).unwrap_or_default();
        if known.is_empty() {
            return fail(NAME, "no provider can be used".to_owned(), ADVICE);
        }
        let config = match self.json("config.get", "") {
            Ok(found) => found,
            Err(error) => return unknown(NAME, &error),
        };
        let Some(named) = config["model"].as_str() else {
            let names: Vec<_> = known.iter().filter_map(|one| one["id"].as_str()).collect();
            let text = format!("none is configured; providers: {}", names.join(", "));
            return warn(
                NAME,
                text,
                "the server chooses one: name it in the prompt or in opencode.json",
            );
        };
        let (provider, model) = named.split_once('/').unwrap_or((named, ""));
        let Some(found) = known.iter().find(|one| one["id"] == provider) else {
            return fail(NAME, format!("{named}: provider '{provider}' cannot be used"), ADVICE);
        };
        match found["models"].get(model) {
            Some(_) => ok(NAME, named.to_owned()),
            None => fail(NAME, format!("provider '{provider}' has no model '{model}'"), ADVICE),
        }
    }

    /// The model that is used when none is named. No model is called.
    pub(super) fn model_two(&self) -> Check {
        const NAME: &str = "model";
        const ADVICE: &str =
            "run `opencode auth login`, or set model and provider in opencode.json";
        // In the first seconds of a directory these lists are empty, which proves nothing.
        loop {
            let is_last = self.left() < LOADING;
            let providers = match self.json("v2.provider.list", "") {
                Ok(found) => found,
                Err(error) => return unknown(NAME, &error),
            };
            let has_provider = providers["data"].as_array().is_some_and(|list| !list.is_empty());
            let model = match self.json("v2.model.default", "") {
                Ok(found) => found["data"].clone(),
                Err(error) => return unknown(NAME, &error),
            };
            if let (Some(provider), Some(id)) = (model["providerID"].as_str(), model["id"].as_str())
            {
                return ok(NAME, format!("{provider}/{id}"));
            }
            if is_last || !self.token.sleep(LOADING / 10) {
                return match has_provider {
                    true => warn(
                        NAME,
                        "none is configured".to_owned(),
                        "name it in the prompt or in opencode.json",
                    ),
                    false => fail(NAME, "no provider can be used".to_owned(), ADVICE),
                };
            }
        }
    }

    /// Whether the server can search: without ripgrep its search tools fail too.
    pub(super) fn ripgrep(&self) -> Check {
        const NAME: &str = "ripgrep";
        // Found rarely, so that the answer is short.
        match self.json("find.text", r#"{"pattern":"libopencode-doctor-looks-for-ripgrep"}"#) {
            Ok(_) => ok(NAME, "the server can search".to_owned()),
            Err(error) if error.kind() == ErrorKind::Server => fail(
                NAME,
                "the server cannot search: ripgrep is missing".to_owned(),
                "install ripgrep (`rg`) where the server runs",
            ),
            Err(error) if error.kind() == ErrorKind::Timeout => {
                warn(NAME, "a search takes long: it could not be told".to_owned(), "")
            }
            Err(error) => unknown(NAME, &error),
        }
    }

    /// Whether events come through: proxies like to hold them back.
    pub(super) fn events(&self) -> Check {
        const NAME: &str = "events";
        const ADVICE: &str = "a proxy may hold the stream back; without it runs ask the server often, and text comes in pieces (events = false)";
        match self.first_event() {
            Ok(true) => ok(NAME, "the stream is alive".to_owned()),
            Ok(false) => warn(NAME, "the stream ended before anything came".to_owned(), ADVICE),
            Err(error) => warn(NAME, format!("no event came: {error}"), ADVICE),
        }
    }

    /// Whether both clocks agree: times of messages are compared with ours.
    pub(super) fn clock(&self) -> Check {
        const NAME: &str = "clock";
        if self.caller.transport().base().is_loopback() {
            return ok(NAME, "the same machine".to_owned());
        }
        let there = match self.read(self.named("global.health", "v2.server.info"), "") {
            Ok(answer) => answer.header("date").and_then(seconds),
            Err(error) => return unknown(NAME, &error),
        };
        let here = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        match there {
            None => ok(NAME, "the server does not tell the time".to_owned()),
            Some(there) if there.abs_diff(here) <= SKEW => ok(NAME, "both agree".to_owned()),
            Some(there) => warn(
                NAME,
                format!("the clocks are {} s apart", there.abs_diff(here)),
                "set the clock of both machines by the network",
            ),
        }
    }

    fn first_event(&self) -> Result<bool> {
        let left = self.left();
        let limits =
            Limits { connect: left, total: Some(left), idle: Some(left), ..Limits::default() };
        let token = self.token.child();
        let _waiting = self.caller.begin("doctor", &token)?;
        let name = self.named("event.subscribe", "v2.event.subscribe");
        let mut stream = self.caller.open(name, "", limits, &token)?;
        Ok(stream.next_event()?.is_some())
    }

    fn json(&self, operation: &'static str, arguments: &str) -> Result<Value> {
        self.read(operation, arguments)?.json()
    }

    fn read(&self, operation: &'static str, arguments: &str) -> Result<Answer> {
        let options = CallOptions {
            // Half: the other one is for the question what else the server may be.
            timeout: Some(self.left() / 2),
            max_retries: Some(0),
            ..CallOptions::default()
        };
        self.caller.call(operation, arguments, &options, &self.token.child())
    }

    /// Without the moment that ending a thread takes.
    fn left(&self) -> Duration {
        let left = self.until.saturating_duration_since(Instant::now());
        left.saturating_sub(Duration::from_millis(200))
    }
}

fn ok(name: &'static str, message: String) -> Check {
    Check::new(name, CheckStatus::Ok, message, "")
}

fn warn(name: &'static str, message: String, advice: &str) -> Check {
    Check::new(name, CheckStatus::Warn, message, advice)
}

fn fail(name: &'static str, message: String, advice: &str) -> Check {
    Check::new(name, CheckStatus::Fail, message, advice)
}

fn unknown(name: &'static str, error: &Error) -> Check {
    // The server reads its configuration anew for each directory, and says which file keeps it from working there.
    if error.code().is_some_and(|code| code.starts_with("Config")) {
        return fail(name, error.to_string(), "mend the configuration file that is named");
    }
    warn(name, format!("could not be told: {error}"), "look at the log of the server")
}

/// Seconds since 1970 of an HTTP date: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn seconds(date: &str) -> Option<u64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let mut words = date.split_once(", ")?.1.split(' ');
    let day: i64 = words.next()?.parse().ok()?;
    let month = MONTHS.find(words.next()?)? as i64 / 3 + 1;
    let year: i64 = words.next()?.parse().ok()?;
    let mut clock = words.next()?.split(':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    // The year begins in March, so that the leap day is its last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    let days = days - 719_468;
    u64::try_from(days * 86_400 + hour * 3600 + minute * 60 + second).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_dates_are_read() {
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(seconds("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(seconds("Thu, 29 Feb 2024 12:00:00 GMT"), Some(1_709_208_000));
        assert_eq!(seconds("yesterday"), None);
    }
}
