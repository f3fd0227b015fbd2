//! The terminal interface that somebody has attached to the server.

use crate::call::timeout;
use crate::client::OpencodeClient;
use crate::guard::{borrow, free, guard, guard_out, hand_out, null};
use crate::reply::OpencodeReply;
use crate::status::OpencodeStatus;
use crate::text::{required, required_json};
use opencode_core::{CallOptions, TuiControl};
use std::ffi::c_char;

/// The requests of a terminal interface that is controlled by programs. May be used from any thread, by one at a time.
pub struct OpencodeTuiControl {
    control: TuiControl,
}

/// Types a prompt into every terminal interface that is attached to the server (`opencode attach`) and submits it, in
/// place of what stood there. Blocks for three short requests; opencode_call_start() with "tui_prompt" does not. OK says
/// that the server accepted it: it does not tell whether anybody is attached, or ready yet.
///
/// @param error  NULL, or receives the reply of a failure, and NULL on success.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_tui_prompt(
    client: *const OpencodeClient,
    text: *const c_char,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(error, || {
            let client = &borrow(client, "client")?.client;
            client.tui_prompt(required(text, "text")?, &CallOptions::default())?;
            Ok(None)
        })
    }
}

/// Takes the requests of a terminal interface that is controlled by programs. Touches no network.
///
/// @param control  Receives the handle. Free it with opencode_tui_control_free().
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_tui_control_open(
    client: *const OpencodeClient,
    control: *mut *mut OpencodeTuiControl,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard_out(control, error, || {
            let client = &borrow(client, "client")?.client;
            client.check_open("tui_control")?;
            let made = client.tui_control();
            hand_out(control, "control", OpencodeTuiControl { control: made })?;
            Ok(None)
        })
    }
}

/// Waits for the next request. None is lost between two calls, whatever the timeouts.
///
/// @param timeout_ms  0 never waits for the network. Negative waits as long as it takes.
/// @param request     Receives {"path":...,"body":...}, or NULL when none came. Itself it must not be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_tui_control_poll(
    control: *const OpencodeTuiControl,
    timeout_ms: i64,
    request: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(request, || {
            let control = &borrow(control, "control")?.control;
            if request.is_null() {
                // The server gives a request once: it must not be taken for nobody.
                return Err(null("request"));
            }
            let found = control.next(timeout(timeout_ms))?;
            Ok(found.map(OpencodeReply::json))
        })
    }
}

/// Answers the request that opencode_tui_control_poll() gave. Blocks for one request; opencode_call_start() with the
/// operation "tui.control.response" and {"body":...} does not.
///
/// @param json  Any JSON.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_tui_control_respond(
    control: *const OpencodeTuiControl,
    json: *const c_char,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(error, || {
            borrow(control, "control")?.control.respond(required_json(json, "json")?)?;
            Ok(None)
        })
    }
}

/// Ends the waiting and frees the handle. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_tui_control_free(control: *mut OpencodeTuiControl) {
    // SAFETY: the header's first page states what pointers must be.
    unsafe { free(control) }
}
