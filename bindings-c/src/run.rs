//! Runs: one prompt on its way to its reply.

use crate::call::timeout;
use crate::client::OpencodeClient;
use crate::guard::{borrow, free, guard, guard_out, hand_out, null, shield};
use crate::reply::OpencodeReply;
use crate::status::OpencodeStatus;
use crate::text::{fields, optional, optional_json, required, required_json};
use opencode_core::{CompactOptions, Error, ErrorKind, PermissionReply, Prompt, Run, State};
use serde_json::{Value, json};
use std::ffi::c_char;
use std::time::Duration;

/// One prompt on its way to its reply. May be used from any thread, by one at a time for polling.
pub struct OpencodeRun {
    pub(crate) run: Run,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum OpencodeRunState {
    /// Being sent, queued or running.
    Pending = 0,
    /// A permission or question is open, and only the host can answer it.
    Waiting = 1,
    /// The reply is there.
    Done = 2,
    /// It ended without one; opencode_run_wait() gives the error.
    Failed = 3,
}

impl From<State> for OpencodeRunState {
    fn from(state: State) -> Self {
        match state {
            State::Pending => Self::Pending,
            State::Waiting => Self::Waiting,
            State::Done => Self::Done,
            State::Failed => Self::Failed,
        }
    }
}

/// Sends a prompt and returns at once; nothing on this thread waits for the network.
///
/// @param prompt_json  An object: {"prompt":"Say pong"}. Its names:
///                     {options prompt}
/// @param run          Receives the run. Free it with opencode_run_free().
/// @param error        NULL, or receives the reply of a failure, and NULL on success.
/// @return INVALID_ARGUMENT when the prompt cannot be sent. All else shows in the run.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_run_start(
    client: *const OpencodeClient,
    prompt_json: *const c_char,
    run: *mut *mut OpencodeRun,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard_out(run, error, || {
            let client = &borrow(client, "client")?.client;
            let prompt = Prompt::from_json(required_json(prompt_json, "prompt_json")?)?;
            if run.is_null() {
                return Err(null("run"));
            }
            let made = client.run(prompt)?;
            hand_out(run, "run", OpencodeRun { run: made })?;
            Ok(None)
        })
    }
}

/// Sends a text as it is, and returns at once: like opencode_run_start(), and nothing has to be quoted.
///
/// @param text          The prompt.
/// @param options_json  NULL, or an object with the names of opencode_run_start() but "prompt".
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_run_text(
    client: *const OpencodeClient,
    text: *const c_char,
    options_json: *const c_char,
    run: *mut *mut OpencodeRun,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard_out(run, error, || {
            let client = &borrow(client, "client")?.client;
            let options = fields(options_json, "options_json")?;
            let prompt = Prompt::with_options(required(text, "text")?, options)?;
            if run.is_null() {
                return Err(null("run"));
            }
            let made = client.run(prompt)?;
            hand_out(run, "run", OpencodeRun { run: made })?;
            Ok(None)
        })
    }
}

/// Picks a run up that was started elsewhere, and returns at once.
///
/// @param session_id    The session of the run.
/// @param message_id    Its user message: what opencode_run_detach() gave.
/// @param options_json  NULL, or an object with the names of a prompt that concern the waiting: permission, question,
///                      format, and the limits.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_run_resume(
    client: *const OpencodeClient,
    session_id: *const c_char,
    message_id: *const c_char,
    options_json: *const c_char,
    run: *mut *mut OpencodeRun,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard_out(run, error, || {
            let client = &borrow(client, "client")?.client;
            let session = required(session_id, "session_id")?;
            let message = required(message_id, "message_id")?;
            let options = fields(options_json, "options_json")?;
            if run.is_null() {
                return Err(null("run"));
            }
            let made = client.resume(session, message, Prompt::options_from_json(options)?)?;
            hand_out(run, "run", OpencodeRun { run: made })?;
            Ok(None)
        })
    }
}

/// Has a session summarized by its model, so that what comes next begins with the summary in place of all that was said:
/// a run, whose text is the summary. Returns at once. Where nothing was said since the last summary the run fails with
/// OPENCODE_STATUS_AGENT and the code "compaction.unavailable".
///
/// @param session_id    The session.
/// @param options_json  NULL, or an object with any of:
/// {options compact}
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_compact(
    client: *const OpencodeClient,
    session_id: *const c_char,
    options_json: *const c_char,
    run: *mut *mut OpencodeRun,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard_out(run, error, || {
            let client = &borrow(client, "client")?.client;
            let session = required(session_id, "session_id")?;
            let options = fields(options_json, "options_json")?;
            if run.is_null() {
                return Err(null("run"));
            }
            let made = client.compact(session, CompactOptions::from_json(options)?)?;
            hand_out(run, "run", OpencodeRun { run: made })?;
            Ok(None)
        })
    }
}

/// Takes the oldest update that was not taken yet.
///
/// @param timeout_ms  0 returns at once: use this inside a tick. Negative waits as long as it takes.
/// @param update      Receives an update, an object with a "type", or NULL when there is none. The last one of a run is
///                    "done" or "failed"; after it there is none, and this function returns at once.
/// @return OK also when there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_run_poll(
    run: *const OpencodeRun,
    timeout_ms: i64,
    update: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(update, || {
            let run = &borrow(run, "run")?.run;
            if update.is_null() {
                return Err(null("update"));
            }
            let found = match timeout_ms {
                0 => run.poll_one().1,
                _ => run.next_update(timeout(timeout_ms)),
            };
            Ok(found.as_ref().map(OpencodeReply::update))
        })
    }
}

/// Where the run stands. Never blocks; FAILED for NULL. A run that is DONE or FAILED may have updates that were not taken:
/// a loop that shows them ends at the update "done" or "failed", not here.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_run_state(run: *const OpencodeRun) -> OpencodeRunState {
    // SAFETY: the header's first page states what pointers must be.
    let run = unsafe { run.as_ref() };
    let read = || run.map_or(OpencodeRunState::Failed, |run| run.run.state().into());
    shield(OpencodeRunState::Failed, read)
}

/// Blocks until the run is over, at most for timeout_ms.
///
/// @param timeout_ms  At most this long; negative for as long as it takes.
/// @param reply       Receives the reply, or the failure. A new one every time.
/// @return The status of the run; TIMEOUT when it is not over, and it goes on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_run_wait(
    run: *const OpencodeRun,
    timeout_ms: i64,
    reply: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(reply, || {
            let made = borrow(run, "run")?.run.wait(timeout(timeout_ms))?;
            Ok(Some(OpencodeReply::json(made.to_json())))
        })
    }
}

/// Ends the run: the server is told to stop, and the run is over when it did. A run that is over stays as it is.
///
/// @param timeout_ms  Blocks at most this long; 0 only asks for it: use this inside a tick.
/// @param error       NULL, or receives the reply of a failure, and NULL on success.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_run_cancel(
    run: *const OpencodeRun,
    timeout_ms: i64,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(error, || {
            let limit = timeout(timeout_ms).unwrap_or(Duration::MAX);
            borrow(run, "run")?.run.cancel(limit);
            Ok(None)
        })
    }
}

/// What is known of the run: an object with state, why (one line: why is it not moving), text (so far), sessionID,
/// messageID (null until the prompt is sent, unless message_id gave it), reply and error (null until it is over; a failed
/// run has both).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_run_info(
    run: *const OpencodeRun,
    reply: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(reply, || {
            let run = &borrow(run, "run")?.run;
            Ok(Some(OpencodeReply::json(run.to_json())))
        })
    }
}

/// Answers a permission that came as an update. Returns at once; a request that is not open any more is left alone.
///
/// @param id       The "id" of the update.
/// @param answer   "once", "always" or "reject".
/// @param message  NULL, or what the agent is told about a rejection.
/// @param error    NULL, or receives the reply of a failure, and NULL on success.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_run_reply_permission(
    run: *const OpencodeRun,
    id: *const c_char,
    answer: *const c_char,
    message: *const c_char,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(error, || {
            let run = &borrow(run, "run")?.run;
            let id = required(id, "id")?;
            let answer = PermissionReply::parse(required(answer, "answer")?)?;
            let message = optional(message, "message")?;
            run.reply_permission(id, answer, message);
            Ok(None)
        })
    }
}

/// Answers a question that came as an update. Returns at once.
///
/// @param id            The "id" of the update.
/// @param answers_json  One list of labels or own words per question: [["A"],["X","Y"]]. NULL dismisses it.
/// @param error         NULL, or receives the reply of a failure, and NULL on success.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_run_reply_question(
    run: *const OpencodeRun,
    id: *const c_char,
    answers_json: *const c_char,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(error, || {
            let run = &borrow(run, "run")?.run;
            let id = required(id, "id")?;
            match optional_json(answers_json, "answers_json")? {
                None => run.reject_question(id),
                Some(json) => {
                    let answers: Vec<Vec<String>> = serde_json::from_str(json).map_err(|e| {
                        let text = format!("answers_json must be a list of lists of texts: {e}");
                        Error::new(ErrorKind::InvalidArgument, text)
                    })?;
                    run.reply_question(id, &answers);
                }
            }
            Ok(None)
        })
    }
}

/// Leaves the run to the server. Blocks until the prompt is sent, at most for timeout_ms.
///
/// @param timeout_ms  At most this long; negative for as long as it takes.
/// @param reply       Receives {"sessionID": ..., "messageID": ...}: what opencode_run_resume() needs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_run_detach(
    run: *const OpencodeRun,
    timeout_ms: i64,
    reply: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(reply, || {
            let limit = timeout(timeout_ms).unwrap_or(Duration::MAX);
            let run = &borrow(run, "run")?.run;
            if reply.is_null() {
                return Err(null("reply"));
            }
            let detached = run.detach(limit)?;
            let json: Value =
                json!({ "sessionID": detached.session_id, "messageID": detached.message_id });
            Ok(Some(OpencodeReply::json(json.to_string())))
        })
    }
}

/// Frees a run. NULL is fine. The prompt goes its way, and its permissions are still answered by its policy as long as
/// the client lives.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_run_free(run: *mut OpencodeRun) {
    // SAFETY: the header's first page states what pointers must be.
    unsafe { free(run) }
}
