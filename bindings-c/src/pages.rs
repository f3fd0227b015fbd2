//! Long lists, page by page.

use crate::client::OpencodeClient;
use crate::guard::{borrow, free, guard, guard_out, hand_out, null, shield};
use crate::reply::OpencodeReply;
use crate::status::OpencodeStatus;
use crate::text::{optional, required};
use opencode_core::{CallOptions, MessageOptions, Pages, SessionOptions};
use std::ffi::c_char;
use std::sync::{Mutex, PoisonError};

/// A long list that is fetched page by page, newest first; it holds one page at a time. May be used from any thread. It
/// keeps its client alive.
pub struct OpencodePages {
    pages: Mutex<Pages<()>>,
}

impl OpencodePages {
    fn new<T>(pages: Pages<T>) -> Self {
        OpencodePages { pages: Mutex::new(pages.untyped()) }
    }
}

/// The messages of a session, newest first: an object with info and parts each. No request is sent.
///
/// @param session_id    The session.
/// @param options_json  NULL, or an object: page (messages per request, 50).
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
            let options = optional(options_json, "options_json")?.unwrap_or("");
            client.check_open("messages")?;
            let made = client.messages(session, MessageOptions::from_json(options)?);
            hand_out(pages, "pages", OpencodePages::new(made))?;
            Ok(None)
        })
    }
}

/// The sessions of a directory or of the whole server, the one that changed last first. No request is sent.
///
/// @param options_json  NULL, or an object: page (sessions per request, 50), scope ("directory" or "global"), directory
///                      (the client's when absent, and the server's own when that is absent), search (a part of the
///                      title), roots (true leaves subagents out), archived (false leaves out what was put away).
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
            let options = optional(options_json, "options_json")?.unwrap_or("");
            client.check_open("sessions")?;
            let made = client.sessions(SessionOptions::from_json(options)?);
            hand_out(pages, "pages", OpencodePages::new(made))?;
            Ok(None)
        })
    }
}

/// Takes the next item. Blocks when a page has to be fetched.
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
            let mut pages = pages.pages.lock().unwrap_or_else(PoisonError::into_inner);
            let found = pages.next_json(&CallOptions::default())?;
            Ok(found.map(|json| OpencodeReply::json(json.get().to_owned())))
        })
    }
}

/// Whether nothing was left out so far. The server cannot give the first message of a session when that was a prompt
/// with a format: at the end of such a list this is 0. 0 for NULL too. Blocks while another thread fetches a page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_pages_is_complete(pages: *const OpencodePages) -> i32 {
    // SAFETY: the header's first page states what pointers must be.
    let pages = unsafe { pages.as_ref() };
    let look = |pages: &OpencodePages| {
        pages.pages.lock().unwrap_or_else(PoisonError::into_inner).is_complete()
    };
    shield(0, || pages.is_some_and(look).into())
}

/// Frees a list. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_pages_free(pages: *mut OpencodePages) {
    // SAFETY: the header's first page states what pointers must be.
    unsafe { free(pages) }
}
