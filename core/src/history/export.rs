//! [`ExportPages`]: a session with its subagents as one text, piece by piece: JSON for programs, Markdown for people.
//!
//! The server lists messages newest first, and a text begins with the oldest. So the list is walked to its end once, and of
//! each page only its place is kept; then the pages are fetched again from the last one on. The first and the last page are
//! kept whole: the first may have grown meanwhile, and of a short session there is no other.

mod data;
pub(crate) mod file;
mod markdown;

use crate::base::error::{Error, Result};
use crate::base::fields::Fields;
use crate::base::json::Object;
use crate::base::option_names;
use crate::call::calls::Calls;
use crate::call::options::CallOptions;
use crate::history::children::children_two;
use crate::history::pages::messages::{ListPlace, MessageOptions, MessagePages};
use crate::history::pages::{Page, PageReader, Pages};
use crate::http::traceparent;
use crate::protocol::stored;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

/// What a session is written as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ExportFormat {
    /// One object: `info`, `messages` and, with the tree, `children` of the same form.
    #[default]
    Json,
    /// For people to read.
    Markdown,
}

/// How a session is exported.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportOptions {
    /// What it is written as.
    pub format: ExportFormat,
    /// Whether the content of files that stands in messages as a `data:` URL is written out, too.
    pub data: bool,
    /// Whether the sessions of subagents are written behind it, and those of their subagents.
    pub tree: bool,
    /// The directory of the project; the client's when absent.
    pub directory: Option<String>,
    /// The span of the host's own tracing that the export belongs to, in the form of W3C: the header `traceparent` of its
    /// requests.
    pub traceparent: Option<String>,
}

impl Default for ExportOptions {
    fn default() -> Self {
        ExportOptions {
            format: ExportFormat::Json,
            data: false,
            tree: true,
            directory: None,
            traceparent: None,
        }
    }
}

impl ExportOptions {
    /// Reads the JSON object of a binding: `format`, `data`, `tree`, `directory`, `traceparent`.
    ///
    /// # Errors
    /// `invalid_argument` that names the wrong field and its nearest correct spelling.
    pub fn from_json(json: &str) -> Result<Self> {
        ExportOptions::take(&mut Fields::new("export", json, &option_names::EXPORT)?)
    }

    pub(crate) fn take(fields: &mut Fields) -> Result<Self> {
        Ok(ExportOptions {
            format: match fields.text("format")?.as_deref() {
                None | Some("json") => ExportFormat::Json,
                Some("markdown") => ExportFormat::Markdown,
                Some(other) => {
                    let text = format!("export: format '{other}': write json or markdown");
                    return Err(Error::invalid(text));
                }
            },
            data: fields.flag("data")?.unwrap_or_default(),
            tree: fields.flag("tree")?.unwrap_or(true),
            directory: fields.text("directory")?,
            traceparent: traceparent::take(fields)?,
        })
    }
}

/// The text of a session, piece by piece.
pub(crate) fn pages(calls: Arc<dyn Calls>, session: &str, options: ExportOptions) -> Pages<String> {
    Pages::of(calls, ExportPages::new(session, options))
}

/// The text of a session, as pages of pieces.
pub(crate) struct ExportPages {
    options: ExportOptions,
    /// The session that is asked for, until it is begun.
    root: Option<String>,
    /// The sessions that are being written, outermost first.
    open: Vec<OpenSession>,
    /// Every session that was met: one that is its own ancestor is written once.
    known: HashSet<String>,
    sessions: u64,
    messages: u64,
    is_complete: bool,
}

struct OpenSession {
    id: String,
    list: MessagePages,
    stage: ExportStage,
    /// Where the pages begin that hold something, newest first.
    places: Vec<ListPlace>,
    newest: Vec<Box<RawValue>>,
    oldest: Vec<Box<RawValue>>,
    has_messages: bool,
    children: VecDeque<String>,
    has_children: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ExportStage {
    Head,
    /// To the beginning of the list of messages.
    Walk,
    /// Back, with so many pages left.
    Read(usize),
    Children,
}

impl OpenSession {
    fn new(id: String) -> Self {
        OpenSession {
            list: MessagePages::new(&id, MessageOptions::default()),
            id,
            stage: ExportStage::Head,
            places: Vec::new(),
            newest: Vec::new(),
            oldest: Vec::new(),
            has_messages: false,
            children: VecDeque::new(),
            has_children: false,
        }
    }
}

impl ExportPages {
    pub(crate) fn new(session: &str, options: ExportOptions) -> Self {
        ExportPages {
            options,
            root: Some(session.to_owned()),
            open: Vec::new(),
            known: HashSet::from([session.to_owned()]),
            sessions: 0,
            messages: 0,
            is_complete: true,
        }
    }

    /// How many sessions and messages were written so far.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.sessions, self.messages)
    }

    fn within(&self, options: &CallOptions) -> CallOptions {
        let directory = self.options.directory.clone().or_else(|| options.directory.clone());
        CallOptions { directory, ..options.within_span(self.options.traceparent.as_deref()) }
    }
}

impl PageReader for ExportPages {
    fn name(&self) -> &'static str {
        "export"
    }

    fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// A request or a few, and perhaps a piece of the text.
    fn fetch(&mut self, calls: &dyn Calls, options: &CallOptions) -> Result<Page> {
        let options = &self.within(options);
        if let Some(root) = &self.root {
            if root.is_empty() {
                return Err(Error::invalid("export: the session is an empty text"));
            }
            self.open.push(OpenSession::new(root.clone()));
            self.root = None;
        }
        let depth = self.open.len().saturating_sub(1);
        let Some(session) = self.open.last_mut() else {
            return Ok(Page { items: Vec::new(), is_last: true });
        };
        let mut text = String::new();
        match session.stage {
            ExportStage::Head => {
                let (info, children) = about(calls, &session.id, self.options.tree, options)?;
                session.children =
                    children.into_iter().filter(|id| self.known.insert(id.clone())).collect();
                self.sessions = self.sessions.saturating_add(1);
                text = match self.options.format {
                    ExportFormat::Json => format!("{{\"info\":{},\"messages\":[", info.get()),
                    ExportFormat::Markdown => markdown::head(&info, &session.id, depth),
                };
                session.stage = ExportStage::Walk;
            }
            ExportStage::Walk => {
                let place = session.list.place();
                let page = session.list.fetch(calls, options)?;
                if !page.items.is_empty() {
                    let items = self.options.trimmed(page.items);
                    if session.places.is_empty() {
                        session.newest = items
                    } else {
                        session.oldest = items
                    }
                    session.places.push(place);
                }
                if page.is_last {
                    session.stage = ExportStage::Read(session.places.len());
                    if !session.list.is_complete() {
                        self.is_complete = false;
                        text.push_str(self.options.incomplete());
                    }
                }
            }
            ExportStage::Read(0) => session.stage = ExportStage::Children,
            ExportStage::Read(left) => {
                let at = left.saturating_sub(1);
                let items = if at == 0 {
                    std::mem::take(&mut session.newest)
                } else if left == session.places.len() {
                    std::mem::take(&mut session.oldest)
                } else {
                    if let Some(place) = session.places.get(at) {
                        session.list.go_to(place);
                    }
                    self.options.trimmed(session.list.fetch(calls, options)?.items)
                };
                self.messages = self.messages.saturating_add(items.len() as u64);
                for message in items.iter().rev() {
                    text.push_str(&self.options.message(message, depth, session.has_messages));
                    session.has_messages = true;
                }
                session.stage = ExportStage::Read(at);
            }
            ExportStage::Children => {
                let is_json = self.options.format == ExportFormat::Json;
                let next = session.children.pop_front();
                if is_json {
                    text.push_str(match (next.is_some(), session.has_children) {
                        (true, true) => ",\n",
                        (true, false) => "\n],\"children\":[\n",
                        (false, true) => "\n]}",
                        (false, false) if self.options.tree => "\n],\"children\":[]}",
                        (false, false) => "\n]}",
                    });
                }
                session.has_children = true;
                match next {
                    Some(child) => self.open.push(OpenSession::new(child)),
                    None => {
                        self.open.pop();
                        if is_json && self.open.is_empty() {
                            text.push('\n');
                        }
                    }
                }
            }
        }
        let items = match text.is_empty() {
            true => Vec::new(),
            false => serde_json::value::to_raw_value(&text).into_iter().collect(),
        };
        Ok(Page { items, is_last: self.open.is_empty() })
    }
}

impl ExportOptions {
    /// Messages without what shall not be written.
    fn trimmed(&self, items: Vec<Box<RawValue>>) -> Vec<Box<RawValue>> {
        if self.data { items } else { items.iter().map(|message| data::cut(message)).collect() }
    }

    fn message(&self, message: &RawValue, depth: usize, is_next: bool) -> String {
        match self.format {
            ExportFormat::Json => format!("{}\n{}", if is_next { "," } else { "" }, message.get()),
            ExportFormat::Markdown => markdown::message(message, depth),
        }
    }

    /// JSON is for programs: they ask the list whether it is complete.
    fn incomplete(&self) -> &'static str {
        match self.format {
            ExportFormat::Json => "",
            ExportFormat::Markdown => markdown::incomplete(),
        }
    }
}

/// A session, and with `tree` the ids of its subagents' sessions, the oldest first.
fn about(
    calls: &dyn Calls,
    session: &str,
    tree: bool,
    options: &CallOptions,
) -> Result<(Box<RawValue>, Vec<String>)> {
    let arguments = json!({ "sessionID": session }).to_string();
    calls.caller().either(
        || {
            let answer = calls.call_plain("session.get", &arguments, options)?;
            let info = answer.json::<Box<RawValue>>()?;
            if !tree {
                return Ok((info, Vec::new()));
            }
            let children = calls.call_plain("session.children", &arguments, options)?;
            let children = children.json::<Vec<Box<RawValue>>>()?;
            Ok((info, by_age(&children)))
        },
        || {
            let answer = calls.call_plain("v2.session.get", &arguments, options)?;
            let found = Object::parse(answer.bytes()).unwrap_or_default();
            let Some(info) = found.get("data") else {
                return Err(answer.decode_error("has no data", &""));
            };
            if !tree {
                return Ok((stored::session(info), Vec::new()));
            }
            let ask = |operation, arguments: Value| {
                calls.call_plain(operation, &arguments.to_string(), options)
            };
            Ok((stored::session(info), by_age(&children_two(&ask, session)?)))
        },
    )
}

fn by_age(sessions: &[Box<RawValue>]) -> Vec<String> {
    let head = |raw: &RawValue| {
        let session = Object::read(raw)?;
        let created = session.object("time").map(|time| time.count("created"));
        Some((created.unwrap_or_default(), session.text("id")?))
    };
    let mut found: Vec<(u64, String)> = sessions.iter().filter_map(|raw| head(raw)).collect();
    found.sort();
    found.into_iter().map(|(_, id)| id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_mistakes_are_named() {
        let options = ExportOptions::from_json(r#"{"format":"markdown","data":true}"#).unwrap();
        assert_eq!(
            (options.format, options.data, options.tree),
            (ExportFormat::Markdown, true, true)
        );
        assert_eq!(ExportOptions::from_json("").unwrap(), ExportOptions::default());
        for (json, part) in [
            (r#"{"format":"html"}"#, "write json or markdown"),
            (r#"{"formats":"json"}"#, "did you mean 'format'"),
            (r#"{"data":1}"#, "true or false"),
        ] {
            let error = ExportOptions::from_json(json).unwrap_err();
            assert!(error.message().contains(part), "{error}");
        }
    }

    #[test]
    fn subagents_come_in_the_order_in_which_they_were_made() {
        let raw = |value: Value| serde_json::value::to_raw_value(&value).unwrap();
        let sessions = [
            raw(json!({"id": "b", "time": {"created": 2}})),
            raw(json!({"id": "a", "time": {"created": 3}})),
            raw(json!({"id": "c", "time": {"created": 1}})),
            raw(json!({"no": "id"})),
        ];
        assert_eq!(by_age(&sessions), ["c", "b", "a"]);
    }
}
