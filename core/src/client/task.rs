//! [`Task`]: what this library does beyond the operations of a server, called by name as those are. So a host that must
//! not block begins all of it in one way.

use crate::base::cancel::CancelToken;
use crate::base::error::{Error, Result};
use crate::base::fields::Fields;
use crate::base::host_names::OptionNames;
use crate::base::option_names;
use crate::call::caller::{Caller, closed};
use crate::call::calls::CallerAlone;
use crate::call::options::CallOptions;
use crate::call::raw_route;
use crate::call::tui;
use crate::history::export::{self, ExportOptions};
use crate::history::usage::{self, UsageOptions};
use crate::http::answer::Answer;
use crate::inspect::discover;
use crate::inspect::doctor;
use crate::inspect::drift::Drift;
use crate::inspect::ready::{self, ReadyOptions};
use crate::protocol::operation::Pace;
use crate::run::attach::{AttachOptions, attach};
use std::sync::Arc;

/// One of them. Names of operations have a dot, and these have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    Attach,
    Discover,
    Doctor,
    Drift,
    Export,
    Request,
    Server,
    TuiPrompt,
    Usage,
    UsageOfAll,
    WaitUntilReady,
}

const ALL: [Task; 11] = [
    Task::Attach,
    Task::Discover,
    Task::Doctor,
    Task::Drift,
    Task::Export,
    Task::Request,
    Task::Server,
    Task::TuiPrompt,
    Task::Usage,
    Task::UsageOfAll,
    Task::WaitUntilReady,
];

impl Task {
    pub(super) fn find(name: &str) -> Option<Task> {
        ALL.into_iter().find(|task| task.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Task::Attach => "attach",
            Task::Discover => "discover",
            Task::Doctor => "doctor",
            Task::Drift => "drift",
            Task::Export => "export",
            Task::Request => "request",
            Task::Server => "server",
            Task::TuiPrompt => "tui_prompt",
            Task::Usage => "usage",
            Task::UsageOfAll => "usage_of_all",
            Task::WaitUntilReady => "wait_until_ready",
        }
    }

    /// A file may lie on a disk that is away, a network is listened to for as long as the host says, and a long session, or all
    /// of them, is many requests: beside these an operation must not wait.
    pub(super) fn pace(self) -> Pace {
        match self {
            Task::Attach
            | Task::Discover
            | Task::Export
            | Task::Usage
            | Task::UsageOfAll
            | Task::WaitUntilReady => Pace::Slow,
            Task::Doctor | Task::Drift | Task::Request | Task::Server | Task::TuiPrompt => {
                Pace::Quick
            }
        }
    }

    /// Does it, with its arguments in one flat object. Blocks.
    pub(super) fn perform(
        self,
        caller: &Arc<Caller>,
        json: &str,
        options: &CallOptions,
        token: &CancelToken,
    ) -> Result<Answer> {
        let name = self.name();
        let _begun = caller.begin(name, token)?;
        let options = &CallOptions { interrupt: Some(token.interrupt()), ..options.clone() };
        let json = match self {
            Task::Attach => {
                let mut fields = Fields::beside(&["path"], name, json, &option_names::ATTACH)?;
                let path = needed(&mut fields, "path")?;
                attach(path, &AttachOptions::take(&mut fields)?)?.to_string()
            }
            Task::Discover => discover::list(discover::discover_timeout(json)?, token),
            Task::Doctor => {
                Fields::new(name, json, &OptionNames::NONE)?;
                doctor::examine(caller, token).to_json()
            }
            Task::Drift => {
                Fields::new(name, json, &OptionNames::NONE)?;
                let document = caller.call("doc.get", "", options, token)?;
                Drift::from_document(document.bytes())?.to_json()
            }
            Task::Export => {
                let own = ["sessionID", "path"];
                let mut fields = Fields::beside(&own, name, json, &option_names::EXPORT)?;
                let session = needed(&mut fields, "sessionID")?;
                let path = needed(&mut fields, "path")?;
                let written = ExportOptions::take(&mut fields)?;
                let calls = CallerAlone::new(caller);
                let found = export::file::write(&calls, &session, path.as_ref(), &written, options);
                found?.to_json()
            }
            // What came is the answer, with its status and headers.
            Task::Request => return request(caller, json, options, token),
            Task::Server => {
                Fields::new(name, json, &OptionNames::NONE)?;
                let limit = options.timeout.unwrap_or(caller.options().timeout);
                caller.identify(limit, token)?.to_json()
            }
            Task::TuiPrompt => {
                let mut fields = Fields::beside(&["text"], name, json, &OptionNames::NONE)?;
                tui::prompt(caller, &needed(&mut fields, "text")?, options)?;
                String::new()
            }
            Task::Usage => {
                let mut fields = Fields::beside(&["sessionID"], name, json, &option_names::USAGE)?;
                let session = needed(&mut fields, "sessionID")?;
                let counted = UsageOptions::take(&mut fields)?;
                usage::usage(caller, &session, &counted, options)?.to_json()
            }
            Task::UsageOfAll => {
                let mut fields = Fields::new(name, json, &option_names::USAGE)?;
                let counted = UsageOptions::take(&mut fields)?;
                usage::usage_of_all(&CallerAlone::new(caller), &counted, options)?.to_json()
            }
            Task::WaitUntilReady => {
                ready::wait(caller, &ReadyOptions::from_json(json)?, options, token)?.to_json()
            }
        };
        // What a close cut short says nothing about the server.
        if caller.is_closed() {
            return Err(closed(name));
        }
        Ok(Answer::made(name, json))
    }
}

fn request(
    caller: &Caller,
    json: &str,
    options: &CallOptions,
    token: &CancelToken,
) -> Result<Answer> {
    let mut fields =
        Fields::beside(&["method", "path", "query", "body"], "request", json, &OptionNames::NONE)?;
    let (method, path) = (needed(&mut fields, "method")?, needed(&mut fields, "path")?);
    let (query, body) = (raw_route::query(&mut fields)?, raw_route::body(&mut fields));
    let query = super::scoped(&query, options);
    let routed = raw_route::raw_route(&method, &path, &query, body.as_deref())?;
    caller.request(routed, options, token)
}

fn needed(fields: &mut Fields, name: &str) -> Result<String> {
    let found = fields.text(name)?;
    found.ok_or_else(|| Error::invalid(format!("{}: '{name}' is missing", fields.what())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::operation;

    #[test]
    fn names_of_tasks_are_none_of_operations() {
        for task in ALL {
            assert_eq!(Task::find(task.name()), Some(task));
            assert!(operation::find(task.name()).is_none(), "{}", task.name());
        }
        assert_eq!(Task::find("session.list"), None);
    }
}
