//! Usage: what sessions cost.

use crate::client::OpencodeClient;
use crate::guard::{borrow, guard};
use crate::reply::OpencodeReply;
use crate::status::OpencodeStatus;
use crate::text::{optional, required};
use opencode_core::{CallOptions, UsageOptions};
use std::ffi::c_char;

/// Adds up what a session used. Blocks; opencode_call_start() with "usage" does not. Memory does not grow with the session.
///
/// @param session_id    The session.
/// @param options_json  An object, or NULL:
///                      {options usage}
/// @param reply         Receives {"sessionID","cost","tokens","count","models","agents","sessions","messages"}; each
///                      list holds {"name","cost","tokens","count"}.
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
            let options = optional(options_json, "options_json")?.unwrap_or("");
            let options = UsageOptions::from_json(options)?;
            let usage = client.usage(session, &options, &CallOptions::default())?;
            Ok(Some(OpencodeReply::json(usage.to_json())))
        })
    }
}
