//! Tools of the host: functions of this program that the agent can call.

use crate::call::timeout;
use crate::client::OpencodeClient;
use crate::guard::{borrow, guard, null};
use crate::reply::OpencodeReply;
use crate::status::OpencodeStatus;
use crate::text::{required, required_json};
use opencode_core::{Tool, ToolAnswer, Update};
use std::ffi::c_char;
use std::time::Duration;

/// Offers a function of this program to the agent, or replaces the one of this name. Nothing is sent: the server is told
/// before the next prompt. It must be on this machine. Calls come as updates of type TOOL_CALL, of whichever run of the
/// client is polled first, or from opencode_tool_next(), and wait for opencode_tool_reply().
///
/// @param tool_json  An object: {"name":"spawn","description":"Makes a creature","parameters":{...}}. parameters is a
///                   JSON schema of type object; arguments that do not fit it never come here. timeout_ms is how long a
///                   call may wait for its answer: 60000 unless given, a day at most.
/// @param error      NULL, or receives the reply of a failure, and NULL on success.
/// @return INVALID_ARGUMENT for a name, a schema or a time that cannot be used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_tool_add(
    client: *const OpencodeClient,
    tool_json: *const c_char,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(error, || {
            let client = &borrow(client, "client")?.client;
            client.tool(Tool::from_json(required_json(tool_json, "tool_json")?)?)?;
            Ok(None)
        })
    }
}

/// Answers a call. Never blocks; any thread.
///
/// @param id           That of the call: opencode_update_id().
/// @param answer_json  An object: {"text":"..."}, {"value":any JSON}, {"images":[{"mime":"image/png","data":"base64"}]}, any
///                     of them together, or {"error":"..."}, which the agent reads as the failure of the tool.
/// @param error        NULL, or receives the reply of a failure, and NULL on success.
/// @return NOT_FOUND when nobody waits for the answer: it was given, the time of the tool is up, or its run was cancelled.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_tool_reply(
    client: *const OpencodeClient,
    id: *const c_char,
    answer_json: *const c_char,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(error, || {
            let client = &borrow(client, "client")?.client;
            let answer = ToolAnswer::from_json(required_json(answer_json, "answer_json")?)?;
            client.reply_tool(required(id, "id")?, answer)?;
            Ok(None)
        })
    }
}

/// Takes the oldest call that nobody took, for loops that poll no run.
///
/// @param timeout_ms  0 returns at once: use this inside a tick. Negative waits as long as it takes.
/// @param call        Receives an update of type TOOL_CALL, or NULL when there is none.
/// @return OK also when there is none; CLOSED when none will come any more, as the client is closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_tool_next(
    client: *const OpencodeClient,
    timeout_ms: i64,
    call: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(call, || {
            let client = &borrow(client, "client")?.client;
            if call.is_null() {
                return Err(null("call"));
            }
            let found = client.next_tool_call(timeout(timeout_ms).unwrap_or(Duration::MAX));
            if found.is_none() {
                client.check_tools()?;
            }
            Ok(found.map(|call| OpencodeReply::update(&Update::ToolCall(call))))
        })
    }
}
