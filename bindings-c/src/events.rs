//! Event streams: what happens on the server.

use crate::call::timeout;
use crate::client::OpencodeClient;
use crate::guard::{borrow, free, guard, guard_out, hand_out, null};
use crate::reply::OpencodeReply;
use crate::status::OpencodeStatus;
use crate::text::fields;
use opencode_core::{EventOptions, EventStream};
use std::ffi::c_char;
use std::time::Duration;

/// What happens on the server, one event after the other. May be used from any thread; each event goes to one reader.
/// It keeps its client alive.
pub struct OpencodeEvents {
    stream: EventStream,
}

/// Opens a stream of events and returns at once. The connection is made in the background, and made again whenever it
/// breaks; all streams and runs of a client share it.
///
/// @param options_json  NULL, or an object:
///                      {options events}
/// @param events        Receives the stream. Free it with opencode_events_free().
/// @param error         NULL, or receives the reply of a failure, and NULL on success.
/// @return INVALID_ARGUMENT or CLOSED. All else shows in the stream.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_events_open(
    client: *const OpencodeClient,
    options_json: *const c_char,
    events: *mut *mut OpencodeEvents,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard_out(events, error, || {
            let client = &borrow(client, "client")?.client;
            let options = fields(options_json, "options_json")?;
            if events.is_null() {
                return Err(null("events"));
            }
            let stream = client.events(EventOptions::from_json(options)?)?;
            hand_out(events, "events", OpencodeEvents { stream })?;
            Ok(None)
        })
    }
}

/// Takes the next event.
///
/// @param timeout_ms  0 returns at once: use this inside a tick. Negative waits as long as it takes.
/// @param event       Receives an event, an object with id, type, properties and, if known, directory; NULL when there
///                    is none. Types of the stream itself: "stream.connected" (from here on nothing is missed),
///                    "stream.gap" (the connection is lost and tried again; reason, kind), "stream.lagged" (count
///                    events were dropped because nobody took them). After each of them, what happened before is to be
///                    read from the server. All other types are the server's, known or not.
/// @return OK also when there is none. CLOSED after opencode_events_close() or opencode_client_close(); UNAUTHORIZED,
///         FORBIDDEN or UNSUPPORTED when the server will never give its events.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_events_next(
    events: *const OpencodeEvents,
    timeout_ms: i64,
    event: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(event, || {
            let stream = &borrow(events, "events")?.stream;
            if event.is_null() {
                return Err(null("event"));
            }
            let found = match timeout(timeout_ms) {
                Some(Duration::ZERO) => stream.poll()?,
                limit => stream.next(limit)?,
            };
            Ok(found.map(|event| OpencodeReply::json(event.to_json())))
        })
    }
}

/// Ends a stream; a thread that waits in opencode_events_next() is woken. The stream stays a valid handle.
///
/// @param error  NULL, or receives the reply of a failure, and NULL on success.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_events_close(
    events: *const OpencodeEvents,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(error, || {
            borrow(events, "events")?.stream.close();
            Ok(None)
        })
    }
}

/// Ends a stream and frees it. NULL is fine. No thread may wait in it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_events_free(events: *mut OpencodeEvents) {
    // SAFETY: the header's first page states what pointers must be.
    unsafe { free(events) }
}
