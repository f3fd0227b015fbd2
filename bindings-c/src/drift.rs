//! Drift: how a running server differs from the operations that this library knows.

use crate::client::OpencodeClient;
use crate::guard::{borrow, guard};
use crate::reply::OpencodeReply;
use crate::status::OpencodeStatus;

/// Compares what the server says it can do with the operations that this library knows. Blocks for one request;
/// opencode_call_start() with "drift" does not. What is new is reached by opencode_request().
///
/// @param reply  Receives {"new": [...], "gone": [...], "changed": [...]}, three empty lists where there is no
///               difference: new and gone operations as {operation, method, path}, changed ones as {operation,
///               differences}, a list of sentences. Or the failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_drift(
    client: *const OpencodeClient,
    reply: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(reply, || {
            let drift = borrow(client, "client")?.client.drift()?;
            Ok(Some(OpencodeReply::json(drift.to_json())))
        })
    }
}
