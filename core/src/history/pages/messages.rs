//! The messages of a session, newest first.

use super::Page;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::fields::Fields;
use crate::base::json::{Object, with_field};
use crate::base::log::Level;
use crate::base::option_names;
use crate::call::calls::Calls;
use crate::call::options::CallOptions;
use crate::http::traceparent;
use crate::protocol::page::ListPage;
use crate::protocol::stored;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

/// How the messages of a session are fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageOptions {
    /// Messages per request.
    pub page: usize,
    /// The span of the host's own tracing that the list belongs to, in the form of W3C: the header `traceparent` of its
    /// requests.
    pub traceparent: Option<String>,
}

impl Default for MessageOptions {
    fn default() -> Self {
        MessageOptions { page: 50, traceparent: None }
    }
}

impl MessageOptions {
    /// Reads the JSON object of a binding: `page`, `traceparent`.
    ///
    /// # Errors
    /// `invalid_argument` that names the wrong field.
    pub fn from_json(json: &str) -> Result<Self> {
        let mut fields = Fields::new("messages", json, &option_names::MESSAGES)?;
        let traceparent = traceparent::take(&mut fields)?;
        Ok(MessageOptions { page: page(&mut fields)?, traceparent })
    }
}

/// The size of a page, which the server takes for "everything" when it is 0.
pub(super) fn page(fields: &mut Fields) -> Result<usize> {
    match fields.count("page")? {
        None => Ok(MessageOptions::default().page),
        Some(0) => Err(Error::invalid("page must be 1 or more")),
        Some(page) => Ok(page as usize),
    }
}

/// The longest page that 2.x gives.
const LONGEST_TWO: usize = 200;

pub(in crate::history) struct MessagePages {
    session_id: String,
    page: usize,
    traceparent: Option<String>,
    cursor: Option<String>,
    /// The server cannot write a page down that reaches back to the session's beginning and holds a prompt with a
    /// format. Read one by one, all messages but such a one at the very beginning can be had.
    is_single: bool,
    is_cut: bool,
    reverted: Reverted,
}

/// Where a list of messages goes on.
pub(in crate::history) struct ListPlace {
    cursor: Option<String>,
    is_single: bool,
    reverted: Reverted,
}

/// Which messages a revert took back. The server lists them until the next prompt deletes them.
#[derive(Clone)]
enum Reverted {
    /// The session was not asked yet.
    Unknown,
    Nothing,
    /// This message and those after it. `is_whole` is false where it lost only its last parts.
    From {
        id: String,
        is_whole: bool,
    },
    /// On 2.x, where ids say nothing of their age: all that comes before this message in the list, and it.
    Until(String),
}

impl MessagePages {
    pub(in crate::history) fn new(session_id: &str, options: MessageOptions) -> Self {
        MessagePages {
            session_id: session_id.to_owned(),
            page: options.page.max(1),
            traceparent: options.traceparent,
            cursor: None,
            is_single: false,
            is_cut: false,
            reverted: Reverted::Unknown,
        }
    }

    pub(in crate::history) fn is_complete(&self) -> bool {
        !self.is_cut
    }

    /// Where the next page begins.
    pub(in crate::history) fn place(&self) -> ListPlace {
        let reverted = self.reverted.clone();
        ListPlace { cursor: self.cursor.clone(), is_single: self.is_single, reverted }
    }

    /// Goes on from another place.
    pub(in crate::history) fn go_to(&mut self, place: &ListPlace) {
        self.cursor = place.cursor.clone();
        self.is_single = place.is_single;
        self.reverted = place.reverted.clone();
    }

    pub(in crate::history) fn fetch(
        &mut self,
        calls: &dyn Calls,
        options: &CallOptions,
    ) -> Result<Page> {
        let options = &options.within_span(self.traceparent.as_deref());
        let me = std::cell::RefCell::new(self);
        calls.caller().either(
            || me.borrow_mut().fetch_one(calls, options),
            || me.borrow_mut().fetch_two(calls, options),
        )
    }

    /// A page of a server of 2.x, in the form of 1.x.
    fn fetch_two(&mut self, calls: &dyn Calls, options: &CallOptions) -> Result<Page> {
        // Newest first without saying so; a cursor takes no order beside it.
        let arguments = json!({
            "sessionID": self.session_id,
            "limit": self.page.min(LONGEST_TWO),
            "cursor": self.cursor,
        });
        let answer = calls.call_plain("v2.session.messages", &arguments.to_string(), options)?;
        let mut page = ListPage::read(&answer)?;
        if matches!(self.reverted, Reverted::Unknown) && !page.items.is_empty() {
            self.reverted = reverted_two(calls, &self.session_id, options)?;
        }
        let mut items = Vec::with_capacity(page.items.len());
        for raw in &page.items {
            let made = stored::message(raw, &self.session_id);
            let is_reverted = match &self.reverted {
                Reverted::Until(last) => {
                    let is_last =
                        Object::read(raw).and_then(|o| o.text("id")).as_ref() == Some(last);
                    if is_last {
                        self.reverted = Reverted::Nothing;
                    }
                    true
                }
                _ => false,
            };
            items.extend(made.map(|made| match is_reverted {
                true => with_field(&made, "reverted", "true"),
                false => made,
            }));
        }
        self.cursor = page.next_after(self.cursor.as_deref());
        Ok(Page { items, is_last: self.cursor.is_none() })
    }

    fn fetch_one(&mut self, calls: &dyn Calls, options: &CallOptions) -> Result<Page> {
        let limit = if self.is_single { 1 } else { self.page };
        // A query that is null is none.
        let arguments =
            json!({ "sessionID": self.session_id, "limit": limit, "before": self.cursor });
        match calls.call_plain("session.messages", &arguments.to_string(), options) {
            Ok(answer) => {
                let page = ListPage::read(&answer)?;
                // Before the list moves on: whoever cancels this gets the same page again.
                if matches!(self.reverted, Reverted::Unknown) && !page.items.is_empty() {
                    self.reverted = reverted(calls, &self.session_id, options)?;
                }
                Ok(self.page(page))
            }
            Err(error) if is_unwritable(&error) && !self.is_single => {
                self.is_single = true;
                Ok(Page { items: Vec::new(), is_last: false })
            }
            Err(error) if is_unwritable(&error) => {
                self.is_cut = true;
                calls.options().log.write(Level::Warn, || {
                    let session = &self.session_id;
                    format!(
                        "messages: the server cannot give the first message of {session}: {error}"
                    )
                });
                Ok(Page { items: Vec::new(), is_last: true })
            }
            Err(error) => Err(error),
        }
    }

    fn page(&mut self, mut page: ListPage<'_>) -> Page {
        let mut items: Vec<_> = page.items.iter().rev().map(|raw| (*raw).to_owned()).collect();
        self.mark(&mut items);
        self.cursor = page.next_after(self.cursor.as_deref());
        Page { items, is_last: self.cursor.is_none() }
    }

    /// Marks what was taken back with `"reverted": true`.
    fn mark(&self, items: &mut [Box<RawValue>]) {
        let Reverted::From { id: first, is_whole } = &self.reverted else { return };
        for item in items {
            // Ids sort by age: the server compares them, too.
            let id = id(item).unwrap_or_default();
            if id > *first || (id == *first && *is_whole) {
                *item = with_field(item, "reverted", "true");
            }
        }
    }
}

/// Asks the session what was taken back. Only a cancel fails: the messages are there all the same.
fn reverted(calls: &dyn Calls, session: &str, options: &CallOptions) -> Result<Reverted> {
    let arguments = json!({ "sessionID": session }).to_string();
    let options = CallOptions { max_retries: Some(0), ..options.clone() };
    let answer = match calls.call_plain("session.get", &arguments, &options) {
        Ok(answer) => answer,
        Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
        Err(_) => return Ok(Reverted::Nothing),
    };
    let session = Object::parse(answer.bytes()).unwrap_or_default();
    let revert = session.object("revert").unwrap_or_default();
    Ok(match revert.text("messageID") {
        Some(id) => Reverted::From { id, is_whole: revert.get("partID").is_none() },
        None => Reverted::Nothing,
    })
}

/// The same of 2.x.
fn reverted_two(calls: &dyn Calls, session: &str, options: &CallOptions) -> Result<Reverted> {
    let arguments = json!({ "sessionID": session }).to_string();
    let options = CallOptions { max_retries: Some(0), ..options.clone() };
    let answer = match calls.call_plain("v2.session.get", &arguments, &options) {
        Ok(answer) => answer,
        Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
        Err(_) => return Ok(Reverted::Nothing),
    };
    let session = Object::parse(answer.bytes()).unwrap_or_default();
    let revert = session.object("data").and_then(|session| session.object("revert"));
    let message = revert.and_then(|revert| revert.text("messageID"));
    Ok(message.map_or(Reverted::Nothing, Reverted::Until))
}

fn id(message: &RawValue) -> Option<String> {
    Object::read(message)?.object("info")?.text("id")
}

/// Whether the server failed to write its own answer down.
fn is_unwritable(error: &Error) -> bool {
    #[derive(Deserialize)]
    struct Shape {
        data: Data,
    }
    #[derive(Deserialize)]
    struct Data {
        kind: String,
    }
    let body = error.body().unwrap_or_default();
    error.status() == Some(400)
        && serde_json::from_str::<Shape>(body).is_ok_and(|shape| shape.data.kind == "Body")
}
