//! A session as one text.

use crate::client::OpencodeClient;
use crate::guard::{borrow, guard, guard_out, hand_out};
use crate::pages::OpencodePages;
use crate::reply::OpencodeReply;
use crate::status::OpencodeStatus;
use crate::text::{fields, required};
use opencode_core::{CallOptions, ExportOptions};
use std::ffi::c_char;

/// A session with its subagents as one text, piece by piece, a page of messages each. No request is sent. Take the pieces with
/// opencode_pages_next() or opencode_pages_poll(); each is a text, which opencode_reply_text() gives at the pointer "".
///
/// @param session_id    The session.
/// @param options_json  An object, or NULL:
///                      {options export}
/// @param pages         Receives the list. Free it with opencode_pages_free().
/// @param error         NULL, or receives the reply of a failure, and NULL on success.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_export_open(
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
            client.check_open("export")?;
            let made = client.export(session, ExportOptions::from_json(options)?);
            hand_out(pages, "pages", OpencodePages::new(made))?;
            Ok(None)
        })
    }
}

/// Writes a session with its subagents into a file, which appears when it is complete, in place of one that was there.
/// Blocks; opencode_call_start() with "export" does not. Memory does not grow with the session.
///
/// @param session_id    The session.
/// @param path          The file.
/// @param options_json  An object, or NULL: as for opencode_export_open().
/// @param reply         Receives {"path","bytes","sessions","messages","complete"}.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_export_to(
    client: *const OpencodeClient,
    session_id: *const c_char,
    path: *const c_char,
    options_json: *const c_char,
    reply: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(reply, || {
            let client = &borrow(client, "client")?.client;
            let session = required(session_id, "session_id")?;
            let path = required(path, "path")?;
            let options = fields(options_json, "options_json")?;
            let options = ExportOptions::from_json(options)?;
            let written = client.export_to(session, path, &options, &CallOptions::default())?;
            Ok(Some(OpencodeReply::json(written.to_json())))
        })
    }
}
