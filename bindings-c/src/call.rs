//! Calls: operations in the background.

use crate::client::OpencodeClient;
use crate::guard::{borrow, free, guard, guard_out, hand_out, null};
use crate::reply::{Content, OpencodeReply};
use crate::status::OpencodeStatus;
use crate::text::{optional, required};
use opencode_core::{Call, CallOptions, Client, Error, ErrorKind};
use std::ffi::c_char;
use std::sync::Arc;
use std::time::Duration;

/// An operation in the background. May be used from any thread, by one at a time.
pub struct OpencodeCall {
    /// Checked and made ready by the thread that read the answer.
    call: Call<Arc<Content>>,
    operation: String,
    /// Keeps the threads alive that work on the call.
    _client: Client,
}

/// Starts an operation in the background and returns at once.
///
/// @param arguments_json  As for opencode_call().
/// @param options_json    As for opencode_call_with().
/// @param call            Receives the call. Free it with opencode_call_free().
/// @param error           NULL, or receives the reply of a failure, and NULL on success.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_call_start(
    client: *const OpencodeClient,
    operation: *const c_char,
    arguments_json: *const c_char,
    options_json: *const c_char,
    call: *mut *mut OpencodeCall,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard_out(call, error, || {
            let client = &borrow(client, "client")?.client;
            let operation = required(operation, "operation")?;
            let arguments = optional(arguments_json, "arguments_json")?.unwrap_or("");
            let options = optional(options_json, "options_json")?.unwrap_or("");
            let options = CallOptions::from_json(options)?;
            if call.is_null() {
                return Err(null("call"));
            }
            let made = client.start_and(operation, arguments, options, |answer| {
                answer.check_json()?;
                Ok(Arc::new(Content::from(answer)))
            })?;
            let operation = operation.to_owned();
            let made = OpencodeCall { call: made, operation, _client: client.clone() };
            hand_out(call, "call", made)?;
            Ok(None)
        })
    }
}

/// Looks whether the answer is there. Never blocks, and takes no longer for a long answer than for a short one.
///
/// @param reply  Receives the answer or the failure, a new reply every time; NULL while there is none.
/// @return OK also while there is none; otherwise the status of the operation.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_call_poll(
    call: *const OpencodeCall,
    reply: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(reply, || match borrow(call, "call")?.call.poll() {
            Some(content) => Ok(Some(OpencodeReply::content(content?))),
            None => Ok(None),
        })
    }
}

/// Blocks until the answer is there.
///
/// @param timeout_ms  At most this long; negative for as long as it takes.
/// @param reply       As for opencode_call_poll().
/// @return The status of the operation; TIMEOUT when its answer is not there, and it goes on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_call_wait(
    call: *const OpencodeCall,
    timeout_ms: i64,
    reply: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(reply, || {
            let call = borrow(call, "call")?;
            match call.call.wait(timeout(timeout_ms)) {
                Some(content) => Ok(Some(OpencodeReply::content(content?))),
                None => Err(not_yet(call, timeout_ms)),
            }
        })
    }
}

/// Ends the request, whatever it waits for: the call then fails with CANCELLED, unless the answer was faster. The
/// server may have done its work all the same.
///
/// @param error  NULL, or receives the reply of a failure, and NULL on success.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_call_cancel(
    call: *const OpencodeCall,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(error, || {
            borrow(call, "call")?.call.cancel();
            Ok(None)
        })
    }
}

/// Frees a call. NULL is fine. The request goes its way.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_call_free(call: *mut OpencodeCall) {
    // SAFETY: the header's first page states what pointers must be.
    unsafe { free(call) }
}

fn not_yet(call: &OpencodeCall, timeout_ms: i64) -> Error {
    let text = format!(
        "{}: not answered within {timeout_ms} ms; wait again, or cancel the call",
        call.operation
    );
    Error::new(ErrorKind::Timeout, text)
}

/// Milliseconds as they come from C; negative is no limit.
pub(crate) fn timeout(timeout_ms: i64) -> Option<Duration> {
    u64::try_from(timeout_ms).ok().map(Duration::from_millis)
}
