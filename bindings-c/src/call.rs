//! Calls: operations in the background.

use crate::client::OpencodeClient;
use crate::guard::{borrow, free, guard, guard_out, hand_out, null};
use crate::reply::{Content, OpencodeReply};
use crate::status::OpencodeStatus;
use crate::text::{fields, required};
use opencode_core::{Call, CallOptions, Client, Error, ErrorKind, Pty, PtyOpening, Result};
use std::ffi::c_char;
use std::sync::Arc;
use std::time::Duration;

/// An operation in the background. May be used from any thread, by one at a time.
pub struct OpencodeCall {
    work: Work,
    operation: String,
    /// Keeps the threads alive that work on the call.
    client: Option<Client>,
}

enum Work {
    /// Its answer was checked and made ready by the thread that read it.
    Ready(Call<Arc<Content>>),
    /// What answers next to nothing.
    Small(Call),
    Terminal(PtyOpening),
}

impl OpencodeCall {
    pub(crate) fn small(operation: &str, call: Call, client: Option<&Client>) -> Self {
        Self::new(operation, Work::Small(call), client)
    }

    pub(crate) fn terminal(opening: PtyOpening, client: &Client) -> Self {
        Self::new("pty", Work::Terminal(opening), Some(client))
    }

    fn new(operation: &str, work: Work, client: Option<&Client>) -> Self {
        OpencodeCall { work, operation: operation.to_owned(), client: client.cloned() }
    }

    /// The terminal that it made, and the client that it belongs to, once.
    pub(crate) fn take_terminal(&self) -> Result<Option<(Pty, &Client)>> {
        match (&self.work, &self.client) {
            (Work::Terminal(opening), Some(client)) => {
                opening.call().poll().transpose()?;
                Ok(opening.take().map(|pty| (pty, client)))
            }
            _ => {
                let text = format!("{}: the call makes no terminal", self.operation);
                Err(Error::new(ErrorKind::InvalidArgument, text))
            }
        }
    }

    fn poll(&self) -> Option<Result<OpencodeReply>> {
        match &self.work {
            Work::Ready(call) => call.poll().map(|found| found.map(OpencodeReply::content)),
            Work::Small(call) => call.poll().map(|found| found.map(OpencodeReply::answer)),
            Work::Terminal(opening) => {
                opening.call().poll().map(|found| found.map(OpencodeReply::answer))
            }
        }
    }

    fn wait(&self, limit: Option<Duration>) -> Option<Result<OpencodeReply>> {
        match &self.work {
            Work::Ready(call) => call.wait(limit).map(|found| found.map(OpencodeReply::content)),
            Work::Small(call) => call.wait(limit).map(|found| found.map(OpencodeReply::answer)),
            Work::Terminal(opening) => {
                opening.call().wait(limit).map(|found| found.map(OpencodeReply::answer))
            }
        }
    }

    fn cancel(&self) -> Result<()> {
        match &self.work {
            Work::Ready(call) => call.cancel(),
            Work::Small(call) => call.cancel(),
            Work::Terminal(opening) => {
                // Nobody else would end its program.
                if let (Some(pty), Some(client)) = (opening.cancel(), &self.client) {
                    client.start_pty_kill(&pty)?;
                }
            }
        }
        Ok(())
    }
}

/// Starts an operation in the background and returns at once. What this library does beyond the operations of a server
/// has a name too, without a dot, and the arguments of the function that blocks for it in one object:
///
/// | name       | arguments                                      | answers as             |
/// |------------|------------------------------------------------|------------------------|
/// | usage      | sessionID, and the options of opencode_usage() | opencode_usage()       |
/// | usage_of_all | the options of opencode_usage_of_all()       | opencode_usage_of_all() |
/// | export     | sessionID, path, and the options of opencode_export_to() | opencode_export_to() |
/// | wait_until_ready | the options of opencode_client_wait_until_ready() | opencode_client_wait_until_ready() |
/// | doctor     |                                                | opencode_doctor()      |
/// | server     |                                                | opencode_client_server() |
/// | drift      |                                                | opencode_drift()       |
/// | tui_prompt | text                                           | nothing                |
/// | discover   | timeout_ms (2000)                              | opencode_discover()    |
/// | attach     | path, and the options of opencode_attach()     | opencode_attach()      |
/// | request    | method, path, query, body                      | opencode_request()     |
///
/// @param operation       Such as "session.update".
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
            let arguments = fields(arguments_json, "arguments_json")?;
            let options = fields(options_json, "options_json")?;
            let options = CallOptions::from_json(options)?;
            if call.is_null() {
                return Err(null("call"));
            }
            let made = client.start_and(operation, arguments, options, |answer| {
                answer.check_json()?;
                Ok(Arc::new(Content::from(answer)))
            })?;
            let made = OpencodeCall::new(operation, Work::Ready(made), Some(client));
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
    unsafe { guard(reply, || borrow(call, "call")?.poll().transpose()) }
}

/// Blocks until the answer is there, at most for timeout_ms.
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
            match call.wait(timeout(timeout_ms)) {
                Some(reply) => Ok(Some(reply?)),
                None => Err(not_yet(call, timeout_ms)),
            }
        })
    }
}

/// Ends the request, whatever it waits for: the call then fails with CANCELLED, unless the answer was faster. The
/// server may have done its work all the same. A terminal that was made and not taken is ended. What closes something
/// goes on with it.
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
            borrow(call, "call")?.cancel()?;
            Ok(None)
        })
    }
}

/// Does what opencode_client_close() does, in the background, and returns at once. The call is over when all threads have
/// ended; it fails with TIMEOUT when prompts were lost. Free the client after that, and nothing waits.
///
/// @param call   Receives the call. Free it with opencode_call_free(), which waits for its end.
/// @param error  NULL, or receives the reply of a failure, and NULL on success.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_client_close_start(
    client: *const OpencodeClient,
    call: *mut *mut OpencodeCall,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard_out(call, error, || {
            let client = &borrow(client, "client")?.client;
            if call.is_null() {
                return Err(null("call"));
            }
            let nothing = Arc::new(Content::from(String::new()));
            let made = client.start_close_and(|lost| lost.map_or(Ok(nothing), Err));
            hand_out(call, "call", OpencodeCall::new("close", Work::Ready(made), Some(client)))?;
            Ok(None)
        })
    }
}

/// Frees a call. NULL is fine. The request goes its way; one that closes something is waited for.
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
