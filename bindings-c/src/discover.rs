//! Which servers there are, and what is wrong with one.

use crate::call::timeout;
use crate::client::OpencodeClient;
use crate::guard::{borrow, guard};
use crate::reply::OpencodeReply;
use crate::status::OpencodeStatus;
use opencode_core::discover;
use std::time::Duration;

/// Lists the servers that answer: what OPENCODE_BASE_URL names, the default port of this machine, the background
/// service of OpenCode 2.x, and what announces itself on the local network (`opencode serve --mdns`).
/// Blocks, at most for timeout_ms; opencode_call_start() with "discover" does not.
///
/// @param timeout_ms  2000 is enough for most networks; no end is ten minutes.
/// @param reply       Receives a list of objects: url, version and dialect ("1.x" or "2.x"; null when only those
///                    who know the password are told), needs_password, source (environment, default, service, mdns).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_discover(
    timeout_ms: i64,
    reply: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(reply, || {
            let found = discover(timeout(timeout_ms).unwrap_or(Duration::MAX));
            let list: Vec<String> = found.iter().map(|one| one.to_json()).collect();
            Ok(Some(OpencodeReply::json(format!("[{}]", list.join(",")))))
        })
    }
}

/// Asks a server what it is. Blocks for one request, two with a server of OpenCode 2.x; opencode_call_start() with
/// "server" does not.
///
/// @param reply  Receives an object: version, such as "1.18.33", and dialect, "1.x" or "2.x".
/// @return UNAUTHORIZED, UNSUPPORTED or DECODE when it is no OpenCode server, CLOSED, CONNECTION, TIMEOUT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_client_server(
    client: *const OpencodeClient,
    reply: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(reply, || {
            let client = &borrow(client, "client")?.client;
            Ok(Some(OpencodeReply::json(client.server()?.to_json())))
        })
    }
}

/// Looks what works and what does not between a client and its server. Blocks, never more than five seconds;
/// opencode_call_start() with "doctor" does not. No model is called and nothing is changed.
///
/// @param reply  Receives an object: ok, elapsed_ms, checks (a list of check, status, message and advice; status is
///               "ok", "warn" or "fail"), and text, one line per check.
/// @return OK whatever was found, CLOSED when the client is closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_doctor(
    client: *const OpencodeClient,
    reply: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(reply, || {
            let client = &borrow(client, "client")?.client;
            let found = client.doctor();
            // What a close cut short says nothing about the server.
            client.check_open("doctor")?;
            Ok(Some(OpencodeReply::json(found.to_json())))
        })
    }
}
