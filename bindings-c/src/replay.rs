//! Replays: recordings that answer in place of a server.

use crate::guard::{free, guard_out, hand_out};
use crate::reply::OpencodeReply;
use crate::status::OpencodeStatus;
use crate::text::required;
use opencode_core::{Error, ErrorKind, Replay};
use std::ffi::{CString, c_char};

/// A server on this machine that plays a recording back, without a model and without a password.
pub struct OpencodeReplay {
    _replay: Replay,
    url: CString,
}

/// Starts to play a file that a client with the option record, or with OPENCODE_RECORD, has written. The same requests
/// get the same answers, and the events come when they came. Blocks while the file is read: it is for tests, and so there
/// is no function that does not.
///
/// @param path    The file.
/// @param replay  Receives the replay. Free it with opencode_replay_free().
/// @param error   NULL, or receives the reply of a failure, and NULL on success.
/// @return NOT_FOUND when there is no such file, DECODE when it is no recording.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_replay_start(
    path: *const c_char,
    replay: *mut *mut OpencodeReplay,
    error: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard_out(replay, error, || {
            let made = Replay::start(required(path, "path")?)?;
            let url = CString::new(made.url())
                .map_err(|_| Error::new(ErrorKind::Internal, "replay: its address holds a NUL"))?;
            hand_out(replay, "replay", OpencodeReplay { _replay: made, url })?;
            Ok(None)
        })
    }
}

/// The address for opencode_client_new(): {"base_url":"..."}.
///
/// @return "" for NULL. Belongs to the replay.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_replay_url(replay: *const OpencodeReplay) -> *const c_char {
    // SAFETY: the header demands a live replay or NULL.
    unsafe { replay.as_ref() }.map_or(c"".as_ptr(), |replay| replay.url.as_ptr())
}

/// Ends a replay and frees it, within a second. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_replay_free(replay: *mut OpencodeReplay) {
    // SAFETY: the header's first page states what pointers must be.
    unsafe { free(replay) }
}
