//! Updates of a run without pointers: what a loop that shows an answer needs.

use crate::call::timeout;
use crate::guard::{borrow, guard, null};
use crate::look::opencode_reply_text;
use crate::reply::{OpencodeReply, view};
use crate::run::{OpencodeRun, OpencodeRunState};
use crate::status::OpencodeStatus;
use crate::update_type::OpencodeUpdateType;
use opencode_core::{Result, Run, State, TextUpdate, Update};
use std::ffi::c_char;

/// Like opencode_run_poll(), with the state of that moment: it is DONE or FAILED when the last update was taken, and
/// never before, so that a loop may end by it.
///
/// @param timeout_ms  0 returns at once: use this inside a tick. Negative waits as long as it takes.
/// @param state       Receives the state; FAILED when this function fails.
/// @param update      Receives an update, or NULL when there is none.
/// @return OK also when there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_run_next(
    run: *const OpencodeRun,
    timeout_ms: i64,
    state: *mut OpencodeRunState,
    update: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        next(run, state, update, |run| {
            if timeout_ms == 0 {
                return Ok(run.poll_one());
            }
            let found = run.next_update(timeout(timeout_ms));
            Ok((left(run), found))
        })
    }
}

/// Like opencode_run_next(), and every update is a TEXT whose text is to be appended: what the run says and nothing else. The
/// texts add up to what was said. What the model takes back, because its answer was cut and made anew, cannot be taken out of
/// a stream: the new form follows as a paragraph. Updates of other kinds are passed over.
/// Calls of tools are left: another run that is polled, or opencode_tool_next(), gets them, on this thread between two texts or
/// on another; one that nobody takes fails when its time is up.
///
/// @return After the last text the status of the run, and of a run that failed the failure in update; INVALID_ARGUMENT when
///         permission or question is "ask", as what is asked would show nowhere; else OK, also when there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_run_next_text(
    run: *const OpencodeRun,
    timeout_ms: i64,
    state: *mut OpencodeRunState,
    update: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        next(run, state, update, |run| {
            let found = run.next_text(timeout(timeout_ms))?.map(|delta| {
                let (replaces, message_id, part_id) = (false, String::new(), String::new());
                Update::Text(TextUpdate { delta, replaces, message_id, part_id })
            });
            Ok((left(run), found))
        })
    }
}

/// Hands out what a run gives: an update, and the state when it was taken.
///
/// # Safety
/// `run` is NULL or a run of the library; `state` and `update` are NULL or can be written.
unsafe fn next(
    run: *const OpencodeRun,
    state: *mut OpencodeRunState,
    update: *mut *mut OpencodeReply,
    take: impl FnOnce(&Run) -> Result<(State, Option<Update>)>,
) -> OpencodeStatus {
    // SAFETY: the caller promises what is read and written here.
    unsafe {
        let mut state = state.as_mut();
        if let Some(state) = state.as_deref_mut() {
            *state = OpencodeRunState::Failed;
        }
        guard(update, || {
            let run = &borrow(run, "run")?.run;
            if update.is_null() {
                return Err(null("update"));
            }
            let Some(state) = state else { return Err(null("state")) };
            let (now, found) = take(run)?;
            *state = now.into();
            Ok(found.as_ref().map(OpencodeReply::update))
        })
    }
}

/// The state of a run: one that ended has its last update still to give.
fn left(run: &Run) -> State {
    let now = run.state();
    if now.is_over() && !run.is_drained() { State::Pending } else { now }
}

/// What an update says.
///
/// @param update  What opencode_run_poll() or opencode_run_next() gave.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_update_type(update: *const OpencodeReply) -> OpencodeUpdateType {
    // SAFETY: the header demands a live reply or NULL.
    unsafe { view(update, OpencodeUpdateType::None, |update| update.update) }
}

/// The text of an update: of TEXT and REASONING what is to be appended, or the whole when opencode_update_replaces()
/// says so; of DONE the text of the reply, which was shown if all TEXT was; of FAILED why, of RETRY the words of the
/// provider, of STATUS why the run is not moving. All others have none.
///
/// @return Never NULL; "" when there is none. A NUL in it ends it. Belongs to the update.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_update_text(update: *const OpencodeReply) -> *const c_char {
    // SAFETY: the header demands a live reply or NULL.
    let text = unsafe { opencode_reply_text(update, opencode_update_type(update).text().as_ptr()) };
    if text.is_null() { c"".as_ptr() } else { text }
}

/// Whether the text of a TEXT or REASONING update takes the place of all that was shown before: 1 or 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_update_replaces(update: *const OpencodeReply) -> i32 {
    // SAFETY: the header demands a live reply or NULL.
    unsafe {
        match opencode_update_type(update) {
            OpencodeUpdateType::Text | OpencodeUpdateType::Reasoning => {
                crate::look::opencode_reply_bool(update, c"/replaces".as_ptr(), 0)
            }
            _ => 0,
        }
    }
}

/// The id of a permission, a question or a call of a tool, with which it is answered.
///
/// @return Never NULL; "" for all other updates. Belongs to the update.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_update_id(update: *const OpencodeReply) -> *const c_char {
    // SAFETY: the header demands a live reply or NULL.
    unsafe {
        let id = match opencode_update_type(update) {
            OpencodeUpdateType::Permission
            | OpencodeUpdateType::Question
            | OpencodeUpdateType::ToolCall => opencode_reply_text(update, c"/id".as_ptr()),
            _ => std::ptr::null(),
        };
        if id.is_null() { c"".as_ptr() } else { id }
    }
}
