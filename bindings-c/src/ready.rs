//! What comes before the first prompt.

use crate::client::OpencodeClient;
use crate::guard::{borrow, guard};
use crate::reply::OpencodeReply;
use crate::status::OpencodeStatus;
use crate::text::fields;
use opencode_core::ReadyOptions;
use std::ffi::c_char;

/// Blocks until a directory has its agents, and the models and MCP servers that are named; opencode_call_start() with
/// "wait_until_ready" does not. In its first seconds a server has empty lists.
///
/// @param options_json  An object, or NULL:
///                      {options ready}
/// @param reply         Receives {"agents","models","mcp"}: what is there.
/// @return START when an MCP server has failed, and TIMEOUT when something is missing; the message says what.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_client_wait_until_ready(
    client: *const OpencodeClient,
    options_json: *const c_char,
    reply: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(reply, || {
            let client = &borrow(client, "client")?.client;
            let options = fields(options_json, "options_json")?;
            let ready = client.wait_until_ready(&ReadyOptions::from_json(options)?)?;
            Ok(Some(OpencodeReply::json(ready.to_json())))
        })
    }
}
