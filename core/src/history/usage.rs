//! [`Usage`]: what a session cost, and who spent it.

use crate::base::cancel::CancelToken;
use crate::base::error::{Error, Result};
use crate::base::fields::Fields;
use crate::base::json::{Object, put};
use crate::base::{moment, option_names};
use crate::call::caller::Caller;
use crate::call::calls::Calls;
use crate::call::options::CallOptions;
use crate::events::stream::Scope;
use crate::history::children::{children_two, each_item};
use crate::history::pages::SessionOptions;
use crate::history::pages::sessions::SessionPages;
use crate::http::answer::Answer;
use crate::http::traceparent;
use crate::protocol::dialect::Dialect;
use crate::protocol::page::ListPage;
use crate::protocol::stored;
use crate::protocol::tokens::Tokens;
use crate::run::{Info, is_absent, read_info};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::cell::RefCell;
use std::collections::HashSet;

/// Messages read at a time: memory does not grow with the length of a session.
const PAGE: u32 = 50;

/// What is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageOptions {
    /// Whether the sessions of subagents count, and those of their subagents.
    pub tree: bool,
    /// Whether every message is listed; otherwise only sums are kept.
    pub messages: bool,
    /// The directory of the project; the client's when absent. Of many sessions only those of it count.
    pub directory: Option<String>,
    /// Only answers from this moment on, in milliseconds since 1970 by the server's clock.
    pub since: Option<u64>,
    /// Only answers before this moment.
    pub until: Option<u64>,
    /// Which sessions count where none is named.
    pub scope: Scope,
    /// The span of the host's own tracing that the sum belongs to, in the form of W3C: the header `traceparent` of its
    /// requests.
    pub traceparent: Option<String>,
}

impl Default for UsageOptions {
    fn default() -> Self {
        UsageOptions {
            tree: true,
            messages: false,
            directory: None,
            since: None,
            until: None,
            scope: Scope::default(),
            traceparent: None,
        }
    }
}

impl UsageOptions {
    /// Reads the JSON object of a binding: `tree`, `messages`, `directory`, `since`, `until`, `scope`,
    /// `traceparent`. A moment is a text such
    /// as `2026-11-29` or `2026-11-29T19:03:00Z`, in UTC, or milliseconds since 1970.
    ///
    /// # Errors
    /// `invalid_argument` that names the wrong field and its nearest correct spelling.
    pub fn from_json(json: &str) -> Result<Self> {
        UsageOptions::take(&mut Fields::new("usage", json, &option_names::USAGE)?)
    }

    pub(crate) fn take(fields: &mut Fields) -> Result<Self> {
        let options = UsageOptions {
            tree: fields.flag("tree")?.unwrap_or(true),
            messages: fields.flag("messages")?.unwrap_or_default(),
            directory: fields.text("directory")?,
            since: moment::take(fields, "since")?,
            until: moment::take(fields, "until")?,
            scope: fields
                .text("scope")?
                .map_or(Ok(Scope::default()), |text| Scope::parse(&text))?,
            traceparent: traceparent::take(fields)?,
        };
        if options.scope == Scope::Global && options.directory.is_some() {
            return Err(Error::invalid("usage: scope global takes no directory"));
        }
        Ok(options)
    }
}

/// What a session cost, and who spent it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Usage {
    /// The session that was asked for; `None` when it was all of them.
    #[serde(rename = "sessionID")]
    pub session_id: Option<String>,
    /// In the currency of the provider's price list.
    pub cost: f64,
    /// Tokens of all messages.
    pub tokens: Tokens,
    /// Answers of models that were counted.
    pub count: u64,
    /// By model, in the order in which they were first used.
    pub models: Vec<Share>,
    /// By agent.
    pub agents: Vec<Share>,
    /// By session, the one that was asked for first.
    pub sessions: Vec<Share>,
    /// By day in UTC, such as `2026-11-29`, the first one first.
    pub days: Vec<Share>,
    /// By message, when that was asked for.
    pub messages: Vec<Share>,
}

/// What one model, agent, session, day or message spent.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Share {
    /// `provider/model`, the agent's name, a day, or an id.
    pub name: String,
    /// In the currency of the provider's price list.
    pub cost: f64,
    /// Tokens of its messages.
    pub tokens: Tokens,
    /// Answers of models that were counted.
    pub count: u64,
}

impl Usage {
    /// The usage as one JSON object: what the bindings hand to their hosts.
    pub fn to_json(&self) -> String {
        // Numbers and texts only: it cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The days in their order: sessions were read one after the other.
    fn sorted(mut self) -> Self {
        self.days.sort_by(|a, b| a.name.cmp(&b.name));
        self
    }

    fn add(&mut self, session: &str, message: &Info, is_listed: bool) {
        let Info { id, cost, tokens, .. } = message;
        self.cost += cost;
        self.tokens.add(tokens);
        self.count += 1;
        let word = |word: &Option<String>| word.clone().unwrap_or_default();
        let model = format!("{}/{}", word(&message.provider_id), word(&message.model_id));
        // A cast saturates.
        let day = moment::day(message.time.created as u64);
        for (shares, name) in [
            (&mut self.days, day.as_str()),
            (&mut self.models, model.as_str()),
            (&mut self.agents, message.agent.as_deref().unwrap_or("")),
            (&mut self.sessions, session),
        ] {
            Share::of(shares, name).add(*cost, tokens);
        }
        if is_listed {
            let name = id.clone();
            self.messages.push(Share { name, cost: *cost, tokens: *tokens, count: 1 });
        }
    }
}

impl Share {
    fn of<'a>(shares: &'a mut Vec<Share>, name: &str) -> &'a mut Share {
        // The one that is counted now stands last.
        let at = shares.iter().rposition(|share| share.name == name).unwrap_or_else(|| {
            shares.push(Share { name: name.to_owned(), ..Share::default() });
            shares.len() - 1
        });
        &mut shares[at]
    }

    fn add(&mut self, cost: f64, tokens: &Tokens) {
        self.cost += cost;
        self.tokens.add(tokens);
        self.count += 1;
    }
}

/// Adds up what a session used, page by page.
pub(crate) fn usage(
    caller: &Caller,
    session: &str,
    options: &UsageOptions,
    call: &CallOptions,
) -> Result<Usage> {
    if session.is_empty() {
        return Err(Error::invalid("usage: the session is an empty text"));
    }
    let call = &call.within_span(options.traceparent.as_deref());
    let token = CancelToken::with_interrupt(call.interrupt.clone());
    let ask = |operation: &'static str, mut arguments: serde_json::Value| {
        if let Some(directory) = &options.directory {
            put(&mut arguments, "directory", json!(directory));
        }
        caller.call(operation, &arguments.to_string(), call, &token)
    };
    let asked = |operation: &'static str, arguments: serde_json::Value| {
        caller.call(operation, &arguments.to_string(), call, &token)
    };
    let usage = RefCell::new(Usage { session_id: Some(session.to_owned()), ..Usage::default() });
    let mut waiting = vec![session.to_owned()];
    let mut known: HashSet<String> = waiting.iter().cloned().collect();
    while let Some(session) = waiting.pop() {
        Share::of(&mut usage.borrow_mut().sessions, &session);
        // On a server of 2.x the first way ends with its first request, before it counts anything.
        let children = caller.either(
            || of_one(&ask, &mut usage.borrow_mut(), &session, options),
            || of_two(&asked, &mut usage.borrow_mut(), &session, options),
        )?;
        waiting.extend(children.into_iter().filter(|id| known.insert(id.clone())));
    }
    Ok(usage.into_inner().sorted())
}

/// A session may go on for so long after the change that its list is sorted by.
const LONGEST_RUN: u64 = 86_400_000;

/// Adds up what all sessions of a directory, or of the server, used. Those of subagents are listed like the others. Of one that
/// is deleted meanwhile counts what was read of it.
pub(crate) fn usage_of_all(
    calls: &dyn Calls,
    options: &UsageOptions,
    call: &CallOptions,
) -> Result<Usage> {
    let mut list = SessionPages::new(SessionOptions {
        scope: options.scope,
        directory: options.directory.clone(),
        roots: !options.tree,
        ..SessionOptions::default()
    });
    let caller = calls.caller();
    let call = &call.within_span(options.traceparent.as_deref());
    let token = CancelToken::with_interrupt(call.interrupt.clone());
    let asked = |operation: &'static str, arguments: serde_json::Value| {
        caller.call(operation, &arguments.to_string(), call, &token)
    };
    let alone = UsageOptions { tree: false, ..options.clone() };
    let usage = RefCell::new(Usage::default());
    loop {
        let page = list.fetch(calls, call)?;
        for session in &page.items {
            let head = Object::read(session).unwrap_or_default();
            let time = head.object("time").unwrap_or_default();
            let Some(id) = head.text("id") else { continue };
            let is_old = |since| time.count("updated").saturating_add(LONGEST_RUN) < since;
            let is_late = |until| time.count("created") >= until;
            if options.since.is_some_and(is_old) {
                // On 1.x the one that changed last comes first.
                if caller.dialect() != Some(Dialect::Two) {
                    return Ok(usage.into_inner().sorted());
                }
                continue;
            }
            if options.until.is_some_and(is_late) {
                continue;
            }
            let directory = head.text("directory");
            let ask = |operation: &'static str, mut arguments: serde_json::Value| {
                if let Some(directory) = &directory {
                    put(&mut arguments, "directory", json!(directory));
                }
                asked(operation, arguments)
            };
            let counted = caller.either(
                || of_one(&ask, &mut usage.borrow_mut(), &id, &alone),
                || of_two(&asked, &mut usage.borrow_mut(), &id, &alone),
            );
            // It was deleted since it was listed.
            if let Err(error) = counted
                && !is_absent(&error)
            {
                return Err(error);
            }
        }
        if page.is_last {
            return Ok(usage.into_inner().sorted());
        }
    }
}

/// Adds up a session, and gives its children.
fn of_one(
    ask: &dyn Fn(&'static str, serde_json::Value) -> Result<Answer>,
    usage: &mut Usage,
    session: &str,
    options: &UsageOptions,
) -> Result<Vec<String>> {
    let messages = json!({ "sessionID": session, "limit": PAGE });
    each_item(ask, "session.messages", messages, "before", |row| {
        count(usage, session, row, options);
    })?;
    if !options.tree {
        return Ok(Vec::new());
    }
    let children = ask("session.children", json!({ "sessionID": session }))?;
    let children = ListPage::read(&children)?.items;
    Ok(children.into_iter().filter_map(|child| Object::read(child)?.text("id")).collect())
}

/// The same of a server of 2.x.
fn of_two(
    ask: &dyn Fn(&'static str, serde_json::Value) -> Result<Answer>,
    usage: &mut Usage,
    session: &str,
    options: &UsageOptions,
) -> Result<Vec<String>> {
    let messages = json!({ "sessionID": session, "limit": PAGE });
    each_item(ask, "v2.session.messages", messages, "cursor", |row| {
        if let Some(message) = stored::message(row, session) {
            count(usage, session, &message, options);
        }
    })?;
    let children = if options.tree { children_two(ask, session)? } else { Vec::new() };
    Ok(children.into_iter().filter_map(|child| Object::read(&child)?.text("id")).collect())
}

fn count(usage: &mut Usage, session: &str, row: &RawValue, options: &UsageOptions) {
    let info = Object::read(row).and_then(|row| read_info(row.get("info")?));
    if let Some(info) = info.filter(Info::is_assistant) {
        // A cast saturates.
        let created = info.time.created as u64;
        if options.since.is_none_or(|since| created >= since)
            && options.until.is_none_or(|until| created < until)
        {
            usage.add(session, &info, options.messages);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up() {
        let message = |id: &str, model: &str, cost| Info {
            id: id.to_owned(),
            role: "assistant".to_owned(),
            cost,
            tokens: Tokens { input: 10, output: 4, ..Tokens::default() },
            provider_id: Some("p".to_owned()),
            model_id: Some(model.to_owned()),
            agent: Some("build".to_owned()),
            ..Info::default()
        };
        let mut usage = Usage::default();
        usage.add("s", &message("1", "a", 1.0), true);
        usage.add("t", &message("2", "b", 2.0), true);
        usage.add("s", &message("3", "a", 4.0), true);
        assert_eq!((usage.cost, usage.count, usage.tokens.input), (7.0, 3, 30));
        let shares: Vec<_> = usage.models.iter().map(|s| (s.name.as_str(), s.cost)).collect();
        assert_eq!(shares, [("p/a", 5.0), ("p/b", 2.0)]);
        assert_eq!(usage.agents[0].tokens.output, 12);
        assert_eq!(usage.sessions.len(), 2);
        assert_eq!(usage.messages[2].name, "3");
        let mut later = message("4", "a", 0.5);
        later.time.created = 86_400_000.0;
        usage.add("s", &later, false);
        usage.add("s", &message("5", "a", 0.5), false);
        let days: Vec<_> = usage.sorted().days.into_iter().map(|s| (s.name, s.count)).collect();
        assert_eq!(days, [("1970-01-01".to_owned(), 4), ("1970-01-02".to_owned(), 1)]);
    }
}
