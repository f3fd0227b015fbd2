//! Long lists, page by page.

use crate::call::timeout;
use crate::client::OpencodeClient;
use crate::guard::{borrow, free, guard, guard_out, hand_out, null, shield};
use crate::reply::OpencodeReply;
use crate::status::OpencodeStatus;
use crate::text::{fields, required};
use opencode_core::{CallOptions, MessageOptions, NextItem, PageFetcher, Pages, SessionOptions};
use std::ffi::c_char;

/// A long list that is fetched page by page, newest first; it holds one page at a time. May be used from any thread. It
/// keeps its client alive.
pub struct OpencodePages {
    pages: PageFetcher,
}

impl OpencodePages {
    pub(crate) fn new<T>(pages: Pages<T>) -> Self {
        OpencodePages { pages: pages.in_background() }
    }
}

/// The messages of a session, newest first: an object with info and parts each. No request is sent.
///
/// @param session_id    The session.
/// @param options_json  NULL, or an object:
///                      {options messages}
/// @param pages         Receives the list. Free it with opencode_pages_free().
/// @param error         NULL, or receives the reply of a failure, and NULL on success.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_messages_open(
    client: *const OpencodeClient,
    session_id: *const c_char,
    options_json: *const c_char,
    pages: *mut *mut OpencodePages,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard_out(pages, error, || {
            let client = &borrow(client, "client")?.client;
            let session = required(session_id, "session_id")?;
            let options = fields(options_json, "options_json")?;
            client.check_open("messages")?;
            let made = client.messages(session, MessageOptions::from_json(options)?);
            hand_out(pages, "pages", OpencodePages::new(made))?;
            Ok(None)
        })
    }
}

/// The sessions of a directory or of the whole server, the one that changed last first. No request is sent.
///
/// @param options_json  NULL, or an object:
///                      {options sessions}
/// @param pages         Receives the list. Free it with opencode_pages_free().
/// @param error         NULL, or receives the reply of a failure, and NULL on success.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_sessions_open(
    client: *const OpencodeClient,
    options_json: *const c_char,
    pages: *mut *mut OpencodePages,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard_out(pages, error, || {
            let client = &borrow(client, "client")?.client;
            let options = fields(options_json, "options_json")?;
            client.check_open("sessions")?;
            let made = client.sessions(SessionOptions::from_json(options)?);
            hand_out(pages, "pages", OpencodePages::new(made))?;
            Ok(None)
        })
    }
}

/// Takes the next item. Blocks when a page has to be fetched; opencode_pages_poll() does not.
///
/// @param item  Receives the item, or NULL at the end. After a failure the list is at its end.
/// @return OK also at the end; otherwise the status of the request.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_pages_next(
    pages: *const OpencodePages,
    item: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(item, || {
            let pages = borrow(pages, "pages")?;
            if item.is_null() {
                return Err(null("item"));
            }
            let found = pages.pages.next_json(&CallOptions::default())?;
            Ok(found.map(|json| OpencodeReply::json(json.get().to_owned())))
        })
    }
}

/// Takes the next item, and fetches its page in the background.
///
/// @param timeout_ms  0 returns at once: use this inside a tick. Negative waits as long as it takes.
/// @param is_end      NULL, or receives 1 at the end of the list, and 0 before it.
/// @param item        Receives the item; NULL when none came in time, and at the end. After a failure the list is at its
///                    end.
/// @return OK also when there is none; otherwise the status of the request.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_pages_poll(
    pages: *const OpencodePages,
    timeout_ms: i64,
    is_end: *mut i32,
    item: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        let mut is_end = is_end.as_mut();
        if let Some(is_end) = is_end.as_deref_mut() {
            *is_end = 0;
        }
        guard(item, || {
            let pages = borrow(pages, "pages")?;
            if item.is_null() {
                return Err(null("item"));
            }
            Ok(match pages.pages.next_item(timeout(timeout_ms))? {
                NextItem::Item(json) => Some(OpencodeReply::json(json.get().to_owned())),
                NextItem::Pending => None,
                NextItem::End => {
                    if let Some(is_end) = is_end {
                        *is_end = 1;
                    }
                    None
                }
            })
        })
    }
}

/// Whether nothing was left out so far. The server cannot give the first message of a session when that was a prompt
/// with a format: at the end of such a list this is 0. 0 for NULL too. Never blocks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_pages_is_complete(pages: *const OpencodePages) -> i32 {
    // SAFETY: the header's first page states what pointers must be.
    let pages = unsafe { pages.as_ref() };
    shield(0, || pages.is_some_and(|pages| pages.pages.is_complete()).into())
}

/// Frees a list. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_pages_free(pages: *mut OpencodePages) {
    // SAFETY: the header's first page states what pointers must be.
    unsafe { free(pages) }
}
