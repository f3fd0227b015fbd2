//! The sessions of a directory, or of the whole server, the one that changed last first.

use super::Page;
use super::messages::page;
use crate::base::error::{Error, Result};
use crate::base::fields::Fields;
use crate::base::json::Object;
use crate::base::log::Level;
use crate::base::option_names;
use crate::call::calls::Calls;
use crate::call::options::CallOptions;
use crate::events::stream::Scope;
use crate::http::traceparent;
use crate::protocol::page::ListPage;
use crate::protocol::stored;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::HashSet;

/// Which sessions are fetched, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionOptions {
    /// Sessions per request.
    pub page: usize,
    /// Whose sessions.
    pub scope: Scope,
    /// The directory of [`Scope::Directory`]; the client's when absent, and the server's own when that is absent.
    pub directory: Option<String>,
    /// Only those with this in their title.
    pub search: Option<String>,
    /// Only those that no other session started.
    pub roots: bool,
    /// Those that were put away too.
    pub archived: bool,
    /// The span of the host's own tracing that the list belongs to, in the form of W3C: the header `traceparent` of its
    /// requests.
    pub traceparent: Option<String>,
}

impl Default for SessionOptions {
    fn default() -> Self {
        SessionOptions {
            page: 50,
            scope: Scope::default(),
            directory: None,
            search: None,
            roots: false,
            archived: true,
            traceparent: None,
        }
    }
}

impl SessionOptions {
    /// Reads the JSON object of a binding: `page`, `scope`, `directory`, `search`, `roots`, `archived`,
    /// `traceparent`.
    ///
    /// # Errors
    /// `invalid_argument` that names the wrong field.
    pub fn from_json(json: &str) -> Result<Self> {
        let mut fields = Fields::new("sessions", json, &option_names::SESSIONS)?;
        let defaults = SessionOptions::default();
        let options = SessionOptions {
            page: page(&mut fields)?,
            scope: fields.text("scope")?.map_or(Ok(defaults.scope), |text| Scope::parse(&text))?,
            directory: fields.text("directory")?,
            search: fields.text("search")?,
            roots: fields.flag("roots")?.unwrap_or(defaults.roots),
            archived: fields.flag("archived")?.unwrap_or(defaults.archived),
            traceparent: traceparent::take(&mut fields)?,
        };
        if options.scope == Scope::Global && options.directory.is_some() {
            return Err(Error::invalid("sessions: scope global takes no directory"));
        }
        Ok(options)
    }
}

/// `session.list` gives the newest hundred and no way to the rest. `experimental.session.list` has a cursor: the time of
/// the last change, and what changed earlier comes next. Several sessions may have the same time, so the cursor is set
/// one higher, and those that were given already are left out.
pub(in crate::history) struct SessionPages {
    options: SessionOptions,
    directory: Option<String>,
    /// Where the list of a server of 2.x goes on.
    cursor: Option<String>,
    /// The time of the last session that was given, and all those of that time.
    boundary: Option<(u64, HashSet<String>)>,
    /// Grows while a whole page has the same time.
    limit: usize,
}

/// What a page needs of a session: its id, and when it changed last.
fn head(raw: &RawValue) -> Option<(String, u64)> {
    let object = Object::read(raw)?;
    let time = object.object("time").filter(|time| time.number("updated").is_some())?;
    Some((object.text("id")?, time.count("updated")))
}

impl SessionPages {
    pub(in crate::history) fn new(options: SessionOptions) -> Self {
        let limit = options.page.max(1);
        SessionPages { options, directory: None, cursor: None, boundary: None, limit }
    }

    pub(in crate::history) fn fetch(
        &mut self,
        calls: &dyn Calls,
        options: &CallOptions,
    ) -> Result<Page> {
        let options = &options.within_span(self.options.traceparent.as_deref());
        let me = std::cell::RefCell::new(self);
        calls.caller().either(
            || me.borrow_mut().fetch_one(calls, options),
            || me.borrow_mut().fetch_two(calls, options),
        )
    }

    /// A page of a server of 2.x, in the form of 1.x.
    fn fetch_two(&mut self, calls: &dyn Calls, options: &CallOptions) -> Result<Page> {
        if self.options.scope == Scope::Directory && self.directory.is_none() {
            self.directory = Some(self.find_directory(calls, options)?);
        }
        let arguments = json!({
            "limit": self.options.page.max(1),
            // Without one, that of the client would be a filter.
            "directory": self.directory,
            "cursor": self.cursor,
            "search": self.options.search,
            "parentID": self.options.roots.then_some("null"),
        });
        let answer = calls.call("v2.session.list", &arguments.to_string(), options)?;
        let mut page = ListPage::read(&answer)?;
        let is_archived = |raw: &RawValue| {
            let time = Object::read(raw).and_then(|session| session.object("time"));
            time.is_some_and(|time| time.number("archived").is_some())
        };
        let items = page.items.iter();
        let items = items.filter(|raw| self.options.archived || !is_archived(raw));
        let items = items.map(|raw| stored::session(raw)).collect();
        self.cursor = page.next_after(self.cursor.as_deref());
        Ok(Page { items, is_last: self.cursor.is_none() })
    }

    fn fetch_one(&mut self, calls: &dyn Calls, options: &CallOptions) -> Result<Page> {
        if self.options.scope == Scope::Directory && self.directory.is_none() {
            self.directory = Some(self.find_directory(calls, options)?);
        }
        let arguments = json!({
            "limit": self.limit,
            "directory": self.directory,
            "cursor": self.boundary.as_ref().map(|(time, _)| time.saturating_add(1)),
            "search": self.options.search,
            "roots": self.options.roots.then_some(true),
            "archived": self.options.archived.then_some(true),
        });
        let answer = calls.call("experimental.session.list", &arguments.to_string(), options)?;
        let raws = ListPage::read(&answer)?.items;
        let is_last = raws.len() < self.limit;
        let mut items = Vec::with_capacity(raws.len());
        let before = self.boundary.take();
        let (mut time, mut ids) = before.clone().unwrap_or((u64::MAX, HashSet::new()));
        for raw in raws {
            let Some((id, updated)) = head(raw) else {
                calls.options().log.write(Level::Warn, || {
                    "experimental.session.list: left out, as it cannot be read: a session without an id or a time"
                        .to_owned()
                });
                continue;
            };
            if before.as_ref().is_some_and(|(time, ids)| {
                // What changed meanwhile came to the front: the cursor leaves it out by itself.
                updated == *time && ids.contains(&id)
            }) {
                continue;
            }
            if updated != time {
                (time, ids) = (updated, HashSet::new());
            }
            ids.insert(id);
            items.push(raw.to_owned());
        }
        self.boundary = Some((time, ids));
        let size = self.options.page.max(1);
        self.limit = if items.is_empty() { self.limit.saturating_mul(2) } else { size };
        Ok(Page { items, is_last })
    }

    fn find_directory(&self, calls: &dyn Calls, options: &CallOptions) -> Result<String> {
        let own = self.options.directory.as_ref().or(calls.options().directory.as_ref());
        if let Some(directory) = own {
            return Ok(directory.clone());
        }
        let ask = |name| calls.call(name, "", options);
        let answer = calls.caller().either(|| ask("path.get"), || ask("v2.location.get"))?;
        let path: Value = answer.json()?;
        match path["directory"].as_str() {
            Some(directory) => Ok(directory.to_owned()),
            None => Err(answer.decode_error("has no directory", &"")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_mistakes_are_named() {
        let options = SessionOptions::from_json(r#"{"page":7,"scope":"global"}"#).unwrap();
        assert_eq!((options.page, options.scope, options.archived), (7, Scope::Global, true));
        for (json, part) in [
            (r#"{"page":0}"#, "1 or more"),
            (r#"{"pages":1}"#, "did you mean 'page'"),
            (r#"{"scope":"global","directory":"/"}"#, "takes no directory"),
        ] {
            let error = SessionOptions::from_json(json).unwrap_err();
            assert!(error.message().contains(part), "{error}");
        }
    }
}
