//! Clients: handles to one server.

use crate::guard::{borrow, free, guard, guard_fd, guard_out, hand_out};
use crate::reply::OpencodeReply;
use crate::status::OpencodeStatus;
use crate::text::{fields, required, required_json};
use opencode_core::{Answer, CallOptions, Client, ClientOptions, Prompt, RequestOptions, Result};
use std::ffi::c_char;

/// A handle to one server. May be used from any thread. Runs and calls made from it may outlive it.
pub struct OpencodeClient {
    pub(crate) client: Client,
}

/// Makes a client. Touches no network and starts no thread.
///
/// @param options_json  An object, or NULL for what the environment says (OPENCODE_BASE_URL,
///                      OPENCODE_SERVER_USERNAME, OPENCODE_SERVER_PASSWORD). Names:
///                      {options client}
///                      opencode_client_next_log() gives what `log` keeps, and opencode_replay_start() plays `record`.
/// @param client        Receives the client. Free it with opencode_client_free().
/// @param error         NULL, or receives the reply of a failure, and NULL on success.
/// @return INVALID_ARGUMENT when an option cannot be used.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_client_new(
    options_json: *const c_char,
    client: *mut *mut OpencodeClient,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard_out(client, error, || {
            let options = fields(options_json, "options_json")?;
            let made = Client::new(ClientOptions::from_json(options)?)?;
            hand_out(client, "client", OpencodeClient { client: made })?;
            Ok(None)
        })
    }
}

/// Makes a client with other settings that shares everything with another one: connections, threads, the event stream,
/// the descriptor and the log. Touches no network and costs nothing. Its settings go with all that is done through it,
/// runs too. opencode_client_close() of the first client ends all; of this one it refuses what is begun through it from
/// then on and ends its calls, and what was made with it, such as a run, goes on. Each is freed by itself, in any
/// order: the connections last as long as one of them.
///
/// @param options_json  An object:
///                      {options with}
/// @param derived       Receives the client. Free it with opencode_client_free().
/// @param error         NULL, or receives the reply of a failure, and NULL on success.
/// @return INVALID_ARGUMENT for what belongs to the connection, such as base_url; CLOSED after a close.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_client_with(
    client: *const OpencodeClient,
    options_json: *const c_char,
    derived: *mut *mut OpencodeClient,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard_out(derived, error, || {
            let options = fields(options_json, "options_json")?;
            let made = borrow(client, "client")?.client.with_json(options)?;
            hand_out(derived, "derived", OpencodeClient { client: made })?;
            Ok(None)
        })
    }
}

/// Ends all that goes on with this client, joins all threads and closes all connections, within a second whatever the
/// network does; opencode_client_close_start() waits for nothing. The server goes on with prompts that were sent.
/// Prompts that are not sent yet get a second before that. Whatever blocks in another thread, on the client or on what
/// was made from it, ends with CLOSED; what is begun later fails with CLOSED. The client stays a valid handle: its log
/// can still be read, and what was over keeps its result.
///
/// @param error  NULL, or receives the reply of a failure, and NULL on success.
/// @return TIMEOUT when prompts were lost, because they could not be sent in time; their runs say so, and the log. The
///         client is closed all the same.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_client_close(
    client: *const OpencodeClient,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe { guard(error, || borrow(client, "client")?.client.close().map_or(Ok(None), Err)) }
}

/// Frees a client. NULL is fine. Without runs or calls that are alive it closes too, and gives prompts that are not
/// sent yet a second: what is lost by that stands in the log only. opencode_client_close() tells it. After a close it
/// waits for nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_client_free(client: *mut OpencodeClient) {
    // SAFETY: the header's first page states what pointers must be.
    unsafe { free(client) }
}

/// A descriptor that is readable while any run or call of the client has something new; polling them clears it.
/// For select, poll, epoll and event loops. It belongs to the client: watch it, and do nothing else with it.
///
/// @param fd  Receives the descriptor; on Windows, a socket. -1 on failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_client_fd(
    client: *const OpencodeClient,
    fd: *mut i64,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe { guard_fd(fd, error, || borrow(client, "client")?.client.fd()) }
}

/// Takes the oldest message about what happened: an object with time (milliseconds since 1970), level and message. Never
/// blocks. A thousand are kept; secrets are never among them. The option log of opencode_client_new() asks for them.
///
/// @param record  Receives the message, or NULL when there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_client_next_log(
    client: *const OpencodeClient,
    record: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(record, || {
            let client = &borrow(client, "client")?.client;
            if record.is_null() {
                return Err(crate::guard::null("record"));
            }
            Ok(client.next_log().map(|record| OpencodeReply::json(record.to_json())))
        })
    }
}

/// Does an operation of the server and blocks until the answer is there; opencode_call_start() does not. Reads are
/// repeated when they fail in a way that passes; nothing else is.
///
/// @param operation       Such as "session.update".
/// @param arguments_json  One flat object, or NULL for none: {"sessionID":"ses_1","title":"x"}.
/// @param reply           Receives the answer, or the failure. NULL when only the status matters.
/// @return INVALID_ARGUMENT before anything is sent, with the nearest correct spelling in the message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_call(
    client: *const OpencodeClient,
    operation: *const c_char,
    arguments_json: *const c_char,
    reply: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the same promises are passed on.
    unsafe { opencode_call_with(client, operation, arguments_json, std::ptr::null(), reply) }
}

/// Like opencode_call(), with options of this call.
///
/// @param options_json  An object, or NULL:
///                      {options call}
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_call_with(
    client: *const OpencodeClient,
    operation: *const c_char,
    arguments_json: *const c_char,
    options_json: *const c_char,
    reply: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(reply, || {
            let client = borrow(client, "client")?;
            let operation = required(operation, "operation")?;
            let arguments = fields(arguments_json, "arguments_json")?;
            let options = fields(options_json, "options_json")?;
            let options = CallOptions::from_json(options)?;
            checked(client.client.call_json(operation, arguments, &options)?)
        })
    }
}

/// Sends a request that this version does not know as an operation. Blocks until the answer is there;
/// opencode_call_start() with "request" does not.
///
/// @param method        Such as "GET".
/// @param path          Begins with '/', percent-encoded.
/// @param options_json  An object, or NULL: query (an object of texts), body (any JSON), and
///                      {options call}
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_request(
    client: *const OpencodeClient,
    method: *const c_char,
    path: *const c_char,
    options_json: *const c_char,
    reply: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(reply, || {
            let client = borrow(client, "client")?;
            let method = required(method, "method")?;
            let path = required(path, "path")?;
            let options = fields(options_json, "options_json")?;
            let RequestOptions { query, body, call } = RequestOptions::from_json(options)?;
            checked(client.client.request(method, path, &query, body.as_deref(), &call)?)
        })
    }
}

/// Sends a prompt and blocks until its reply is there; opencode_run_start() does not.
///
/// @param prompt_json  As for opencode_run_start().
/// @param reply        Receives the reply, or the failure.
/// @return INVALID_ARGUMENT also when permission or question is "ask", here or in the client: without a run nobody could
///         answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_ask(
    client: *const OpencodeClient,
    prompt_json: *const c_char,
    reply: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(reply, || {
            let client = borrow(client, "client")?;
            let prompt = Prompt::from_json(required_json(prompt_json, "prompt_json")?)?;
            Ok(Some(OpencodeReply::json(client.client.ask(prompt)?.to_json())))
        })
    }
}

/// A host that reads JSON without checking must not get half of it.
fn checked(answer: Answer) -> Result<Option<OpencodeReply>> {
    answer.check_json()?;
    Ok(Some(OpencodeReply::answer(answer)))
}
