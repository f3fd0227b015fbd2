//! Servers that the program starts itself.

use crate::call::{OpencodeCall, timeout};
use crate::client::OpencodeClient;
use crate::guard::{borrow, guard, guard_fd, guard_out, hand_out, null, shield};
use crate::reply::OpencodeReply;
use crate::status::OpencodeStatus;
use crate::text::fields;
use opencode_core::{ClientOptions, Result, Server, ServerOptions, ServerState};
use std::ffi::c_char;

/// A server that this program has started. It ends with everything that it has started when it is closed or
/// freed, when this process exits, and when this process is killed. May be used from any thread.
///
/// Tested on Linux; written for macOS and Windows, and not run there.
pub struct OpencodeServer {
    server: Server,
}

/// How far a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum OpencodeServerState {
    /// It was started and does not answer yet.
    Starting = 0,
    /// It answers.
    Ready = 1,
    /// It could not be started, or ended by itself: opencode_server_client() says why.
    Failed = 2,
    /// It was closed.
    Closed = 3,
}

/// Starts a server and blocks until it answers, at most for start_timeout_ms (30 s); opencode_server_launch() does not.
///
/// @param options_json  An object, or NULL:
///                      {options server}
/// @param server        Receives the server. Free it with opencode_server_free().
/// @param error         NULL, or receives the reply of a failure, and NULL on success. Its body's "code" is missing,
///                      exited, timeout, port, hostname or platform, its "body" the end of what the server printed.
/// @return INVALID_ARGUMENT when an option cannot be used, START when the server cannot be started.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_server_start(
    options_json: *const c_char,
    server: *mut *mut OpencodeServer,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe { begin(options_json, server, error, Server::start) }
}

/// Starts a server and returns at once: opencode_server_poll() tells when it is ready.
///
/// @return As opencode_server_start(); what goes wrong later shows in the state.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_server_launch(
    options_json: *const c_char,
    server: *mut *mut OpencodeServer,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe { begin(options_json, server, error, Server::launch) }
}

/// How far a server is. Never blocks.
///
/// @param server  NULL gives OPENCODE_SERVER_STATE_CLOSED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_server_poll(
    server: *const OpencodeServer,
) -> OpencodeServerState {
    // SAFETY: the header demands a live server or NULL.
    let server = unsafe { server.as_ref() };
    server.map_or(OpencodeServerState::Closed, |server| shield_state(|| server.server.poll()))
}

/// Blocks while a server is starting, at most for timeout_ms; gives how far it is then.
///
/// @param server      NULL gives OPENCODE_SERVER_STATE_CLOSED.
/// @param timeout_ms  At most this long; negative for as long as it takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_server_wait(
    server: *const OpencodeServer,
    timeout_ms: i64,
) -> OpencodeServerState {
    // SAFETY: the header demands a live server or NULL.
    let server = unsafe { server.as_ref() };
    server.map_or(OpencodeServerState::Closed, |server| {
        shield_state(|| server.server.wait(timeout(timeout_ms)))
    })
}

/// Makes a client of a server. Touches no network.
///
/// @param client  Receives the client. Free it with opencode_client_free(), before or after the server.
/// @param error   NULL, or receives the reply of a failure, and NULL on success.
/// @return START while the server is not ready and when it failed, with why; CLOSED when it was closed.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_server_client(
    server: *const OpencodeServer,
    client: *mut *mut OpencodeClient,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the same promises are passed on.
    unsafe { opencode_server_client_with(server, std::ptr::null(), client, error) }
}

/// Like opencode_server_client(), with options of the client.
///
/// @param options_json  As for opencode_client_new(), or NULL. Address, user and password are those of the server.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_server_client_with(
    server: *const OpencodeServer,
    options_json: *const c_char,
    client: *mut *mut OpencodeClient,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard_out(client, error, || {
            let server = &borrow(server, "server")?.server;
            let options = fields(options_json, "options_json")?;
            let made = server.client_with(ClientOptions::from_json(options)?)?;
            hand_out(client, "client", OpencodeClient { client: made })?;
            Ok(None)
        })
    }
}

/// The address of a server that is ready.
///
/// @param reply  Receives a JSON text; read it with opencode_reply_text(reply, "").
/// @return As opencode_server_client().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_server_url(
    server: *const OpencodeServer,
    reply: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(reply, || {
            let server = &borrow(server, "server")?.server;
            text(server.client()?.base_url())
        })
    }
}

/// The variables with which another program finds a server that is ready, its password included.
///
/// @param reply  Receives an object: OPENCODE_BASE_URL, OPENCODE_SERVER_USERNAME, OPENCODE_SERVER_PASSWORD, and
///               OPENCODE_PASSWORD, which programs of 2.x look for.
/// @return As opencode_server_client().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_server_environment(
    server: *const OpencodeServer,
    reply: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(reply, || {
            let pairs = borrow(server, "server")?.server.environment()?;
            let pairs = pairs.into_iter().map(|(name, value)| (name, value.into()));
            let object: serde_json::Map<_, _> = pairs.collect();
            Ok(Some(OpencodeReply::json(serde_json::Value::Object(object).to_string())))
        })
    }
}

/// The end of what a server printed, at most 64 KiB.
///
/// @param reply  Receives a JSON text; read it with opencode_reply_text(reply, "").
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_server_output(
    server: *const OpencodeServer,
    reply: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe { guard(reply, || text(&borrow(server, "server")?.server.output())) }
}

/// The process of a server while it lives. With the launcher script of npm, the server is a child of it.
///
/// @return 0 before it is started, from its end on, as its number may be that of another process then, in a copy of this
///         process that was made by fork(), and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_server_pid(server: *const OpencodeServer) -> u32 {
    // SAFETY: the header demands a live server or NULL.
    let server = unsafe { server.as_ref() };
    server.map_or(0, |server| shield(0, || server.server.pid().unwrap_or(0)))
}

/// Stops what is running in all sessions, so that it is stored as aborted, then ends the server with everything
/// that it has started. Blocks until that is done: usually a second, at most half a minute. In a copy of the
/// process that was made by fork() it leaves the server alone. opencode_server_close_start() does not block.
///
/// @param error  NULL, or receives the reply of a failure, and NULL on success.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_server_close(
    server: *const OpencodeServer,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(error, || {
            borrow(server, "server")?.server.close();
            Ok(None)
        })
    }
}

/// Does what opencode_server_close() does, in the background, and returns at once. When the call is over nothing of the
/// server is left, and opencode_server_free() does not block.
///
/// @param call   Receives the call. Free it with opencode_call_free(), which waits for its end.
/// @param error  NULL, or receives the reply of a failure, and NULL on success.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_server_close_start(
    server: *const OpencodeServer,
    call: *mut *mut OpencodeCall,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard_out(call, error, || {
            let server = &borrow(server, "server")?.server;
            if call.is_null() {
                return Err(null("call"));
            }
            let made = server.start_close();
            hand_out(call, "call", OpencodeCall::small("server_close", made, None))?;
            Ok(None)
        })
    }
}

/// A descriptor that is readable while the server is in a state that opencode_server_poll() has not told yet, and when a
/// call of opencode_server_close_start() is over; polling them clears it. It belongs to the server: watch it, and do
/// nothing else with it.
///
/// @param fd  Receives the descriptor; on Windows, a socket. -1 on failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_server_fd(
    server: *const OpencodeServer,
    fd: *mut i64,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe { guard_fd(fd, error, || borrow(server, "server")?.server.fd()) }
}

/// Closes a server and frees its handle; blocks like opencode_server_close(), and not when that is over. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_server_free(server: *mut OpencodeServer) {
    // SAFETY: the header demands a live server or NULL, and the caller gives it up.
    unsafe {
        opencode_server_close(server, std::ptr::null_mut());
        crate::guard::free(server);
    }
}

/// # Safety
/// As [`opencode_server_start`].
unsafe fn begin(
    options_json: *const c_char,
    server: *mut *mut OpencodeServer,
    error: *mut *mut OpencodeReply,
    make: impl FnOnce(ServerOptions) -> Result<Server>,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard_out(server, error, || {
            if server.is_null() {
                return Err(null("server"));
            }
            let options = fields(options_json, "options_json")?;
            let made = make(ServerOptions::from_json(options)?)?;
            hand_out(server, "server", OpencodeServer { server: made })?;
            Ok(None)
        })
    }
}

fn text(text: &str) -> Result<Option<OpencodeReply>> {
    Ok(Some(OpencodeReply::json(serde_json::Value::from(text).to_string())))
}

fn shield_state(work: impl FnOnce() -> ServerState) -> OpencodeServerState {
    match shield(ServerState::Failed, work) {
        ServerState::Starting => OpencodeServerState::Starting,
        ServerState::Ready => OpencodeServerState::Ready,
        ServerState::Closed => OpencodeServerState::Closed,
        _ => OpencodeServerState::Failed,
    }
}
