//! Terminals: programs on the server's machine.

use crate::call::{OpencodeCall, timeout};
use crate::client::OpencodeClient;
use crate::guard::{borrow, free, guard, guard_out, hand_out, null};
use crate::reply::OpencodeReply;
use crate::status::OpencodeStatus;
use crate::text::{fields, required};
use opencode_core::{CallOptions, Client, Error, ErrorKind, Pty, PtyOptions};
use std::ffi::{CString, c_char};

/// A program in a terminal on the server's machine. May be used from any thread. One thread of the library keeps it
/// connected and gathers its output, a megabyte at most; a lost connection is made again by itself, from the
/// character at which it broke.
pub struct OpencodePty {
    pty: Pty,
    id: CString,
    /// Keeps the threads alive that type into it.
    client: Client,
}

/// Starts a program in a new terminal. Blocks for one request, which opencode_pty_open_start() does not; the connection
/// is made in the background. A program that ends before that leaves its exit code, and no output.
///
/// @param options_json  An object, or NULL for a shell:
///                      {options pty without cursor}
/// @param pty           Receives the terminal. Free it with opencode_pty_free().
/// @param error         NULL, or receives the reply of a failure, and NULL on success.
/// @return INVALID_ARGUMENT, CLOSED, or the status of the request: SERVER for a program that does not exist.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_pty_open(
    client: *const OpencodeClient,
    options_json: *const c_char,
    pty: *mut *mut OpencodePty,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard_out(pty, error, || {
            let client = &borrow(client, "client")?.client;
            let options = PtyOptions::from_json(fields(options_json, "options_json")?)?;
            if pty.is_null() {
                return Err(null("pty"));
            }
            hand_out(pty, "pty", OpencodePty::new(client.pty(options)?, client)?)?;
            Ok(None)
        })
    }
}

/// Does what opencode_pty_open() does, in the background, and returns at once. When the call is over without a failure,
/// opencode_call_pty() gives the terminal.
///
/// @param call   Receives the call. Free it with opencode_call_free(); a terminal that nobody took goes on, and
///               opencode_call_cancel() ends it.
/// @param error  NULL, or receives the reply of a failure, and NULL on success.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_pty_open_start(
    client: *const OpencodeClient,
    options_json: *const c_char,
    call: *mut *mut OpencodeCall,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard_out(call, error, || {
            let client = &borrow(client, "client")?.client;
            let options = PtyOptions::from_json(fields(options_json, "options_json")?)?;
            if call.is_null() {
                return Err(null("call"));
            }
            hand_out(call, "call", OpencodeCall::terminal(client.start_pty(options)?, client))?;
            Ok(None)
        })
    }
}

/// Takes the terminal that a call of opencode_pty_open_start() has made. Never blocks.
///
/// @param pty    Receives the terminal, once, and NULL before it is made and after it was taken. Free it with
///               opencode_pty_free().
/// @param error  NULL, or receives the reply of a failure, and NULL on success.
/// @return OK also when there is none; the status of the call when it failed.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_call_pty(
    call: *const OpencodeCall,
    pty: *mut *mut OpencodePty,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard_out(pty, error, || {
            let call = borrow(call, "call")?;
            if pty.is_null() {
                return Err(null("pty"));
            }
            if let Some((made, client)) = call.take_terminal()? {
                hand_out(pty, "pty", OpencodePty::new(made, client)?)?;
            }
            Ok(None)
        })
    }
}

/// Connects to a terminal that exists, and returns at once. What is wrong shows when it is read. Terminals of
/// opencode_pty_open() are listed by opencode_v2_pty_list(), all others by opencode_pty_list().
///
/// @param pty_id        Its id.
/// @param options_json  An object, or NULL:
///                      {options pty without command args cwd env title}
/// @param pty           Receives the terminal. Free it with opencode_pty_free().
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_pty_connect(
    client: *const OpencodeClient,
    pty_id: *const c_char,
    options_json: *const c_char,
    pty: *mut *mut OpencodePty,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard_out(pty, error, || {
            let client = &borrow(client, "client")?.client;
            let id = required(pty_id, "pty_id")?;
            let options = PtyOptions::from_json(fields(options_json, "options_json")?)?;
            if pty.is_null() {
                return Err(null("pty"));
            }
            let made = OpencodePty::new(client.pty_connect(id, options)?, client)?;
            hand_out(pty, "pty", made)?;
            Ok(None)
        })
    }
}

/// Takes what the program printed.
///
/// @param timeout_ms  0 returns at once: use this inside a tick. Negative waits as long as it takes.
/// @param output      Receives {"type":"output","text":...,"cursor":...}; NULL when nothing came in time; and when the
///                    terminal is over and all was read {"type":"end","exitCode":...,"complete":...,"cursor":...},
///                    again every time. exitCode is null when it is not known; complete is false when output was lost.
/// @return OK also when there is none; NOT_FOUND for a terminal that does not exist, CONNECTION or TIMEOUT when the
///         server was out of reach for too long, CLOSED after opencode_client_close().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_pty_read(
    pty: *const OpencodePty,
    timeout_ms: i64,
    output: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(output, || {
            let pty = &borrow(pty, "pty")?.pty;
            if output.is_null() {
                return Err(null("output"));
            }
            Ok(pty.read_json(timeout(timeout_ms))?.map(OpencodeReply::json))
        })
    }
}

/// Types a text. Returns at once: it is sent in the background, in order with what else was typed. Text that was on
/// its way when a connection broke may be lost; it is never typed twice.
///
/// @param text   May hold control characters; "\x03" is Ctrl-C.
/// @param error  NULL, or receives the reply of a failure, and NULL on success.
/// @return CLOSED when the terminal is over, LIMIT when a megabyte waits to be sent: write it again later. One text
///         may be longer: it is sent in parts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_pty_write(
    pty: *const OpencodePty,
    text: *const c_char,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(error, || {
            borrow(pty, "pty")?.pty.write(required(text, "text")?)?;
            Ok(None)
        })
    }
}

/// Gives the terminal another size. Returns at once: it is done in the background, in order with what is typed.
///
/// @return INVALID_ARGUMENT for a size that no terminal can have, CLOSED when it is over.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_pty_resize(
    pty: *const OpencodePty,
    cols: i32,
    rows: i32,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(error, || {
            let count = |number: i32| u32::try_from(number).unwrap_or_default();
            borrow(pty, "pty")?.pty.resize(count(cols), count(rows))?;
            Ok(None)
        })
    }
}

/// The id of the terminal, for opencode_pty_connect().
///
/// @return "" for NULL. Belongs to the terminal.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_pty_id(pty: *const OpencodePty) -> *const c_char {
    // SAFETY: the header demands a live terminal or NULL.
    unsafe { pty.as_ref() }.map_or(c"".as_ptr(), |pty| pty.id.as_ptr())
}

/// Ends the program and makes the server forget the terminal. Blocks for one request; opencode_pty_kill_start() does not.
///
/// @return NOT_FOUND when it is gone already.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_pty_kill(
    pty: *const OpencodePty,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(error, || {
            borrow(pty, "pty")?.pty.kill(&CallOptions::default())?;
            Ok(None)
        })
    }
}

/// Does what opencode_pty_kill() does, in the background, and returns at once.
///
/// @param call   Receives the call. Free it with opencode_call_free().
/// @param error  NULL, or receives the reply of a failure, and NULL on success.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_pty_kill_start(
    pty: *const OpencodePty,
    call: *mut *mut OpencodeCall,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard_out(call, error, || {
            let OpencodePty { pty, client, .. } = borrow(pty, "pty")?;
            if call.is_null() {
                return Err(null("call"));
            }
            let made = client.start_pty_kill(pty)?;
            hand_out(call, "call", OpencodeCall::small("pty_kill", made, Some(client)))?;
            Ok(None)
        })
    }
}

/// Closes the connection and joins its thread: a moment, for the network is not waited for. The program goes on; what was
/// printed so far can still be read.
///
/// @param error  NULL, or receives the reply of a failure, and NULL on success.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_pty_close(
    pty: *const OpencodePty,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(error, || {
            borrow(pty, "pty")?.pty.close();
            Ok(None)
        })
    }
}

/// Closes and frees a terminal. NULL is fine. The program goes on until it ends or is killed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_pty_free(pty: *mut OpencodePty) {
    // SAFETY: the header's first page states what pointers must be.
    unsafe { free(pty) }
}

impl OpencodePty {
    fn new(pty: Pty, client: &Client) -> Result<Self, Error> {
        let id = CString::new(pty.id())
            .map_err(|_| Error::new(ErrorKind::Decode, "pty: its id holds a NUL"))?;
        Ok(OpencodePty { pty, id, client: client.clone() })
    }
}
