//! Usage: what sessions cost.

use crate::client::OpencodeClient;
use crate::guard::{borrow, guard};
use crate::reply::OpencodeReply;
use crate::status::OpencodeStatus;
use crate::text::{fields, required};
use opencode_core::{CallOptions, UsageOptions};
use std::ffi::c_char;

/// Adds up what a session used. Blocks; opencode_call_start() with "usage" does not. Memory does not grow with the
/// session.
///
/// @param session_id    The session.
/// @param options_json  An object, or NULL:
///                      {options usage}
/// @param reply         Receives {"sessionID","cost","tokens","count","models","agents","sessions","days","messages"};
///                      each list holds {"name","cost","tokens","count"}.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_usage(
    client: *const OpencodeClient,
    session_id: *const c_char,
    options_json: *const c_char,
    reply: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(reply, || {
            let client = &borrow(client, "client")?.client;
            let session = required(session_id, "session_id")?;
            let options = fields(options_json, "options_json")?;
            let options = UsageOptions::from_json(options)?;
            let usage = client.usage(session, &options, &CallOptions::default())?;
            Ok(Some(OpencodeReply::json(usage.to_json())))
        })
    }
}

/// Adds up what the sessions of a directory, or of the whole server, used. Blocks; opencode_call_start() with
/// "usage_of_all" does not. With since, sessions that did not change since the day before are not read.
///
/// @param options_json  An object, or NULL: as for opencode_usage().
/// @param reply         Receives what opencode_usage() gives, its sessionID being null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_usage_of_all(
    client: *const OpencodeClient,
    options_json: *const c_char,
    reply: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(reply, || {
            let client = &borrow(client, "client")?.client;
            let options = fields(options_json, "options_json")?;
            let options = UsageOptions::from_json(options)?;
            let usage = client.usage_of_all(&options, &CallOptions::default())?;
            Ok(Some(OpencodeReply::json(usage.to_json())))
        })
    }
}
