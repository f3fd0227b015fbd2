//! Attachments: local files as parts of a prompt.

use crate::guard::{guard, null};
use crate::reply::OpencodeReply;
use crate::status::OpencodeStatus;
use crate::text::{fields, required};
use opencode_core::{AttachOptions, attach, attach_bytes};
use std::ffi::c_char;

/// Reads a local file and makes a part of a prompt of it. Its content travels with the prompt, so the server may be on
/// another machine. Blocks while the file is read; opencode_call_start() with "attach" does not. A prompt also takes
/// paths itself: {"prompt":"...","files":["..."]}.
///
/// @param path          The file.
/// @param options_json  An object, or NULL:
///                      {options attach}
/// @param reply         Receives the part, {"type":"file","mime":...,"filename":...,"url":"data:..."}, or the failure.
/// @return NOT_FOUND, FORBIDDEN when it cannot be read, INVALID_ARGUMENT for a directory, a file that is too large, and
///         lines that it has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_attach(
    path: *const c_char,
    options_json: *const c_char,
    reply: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        guard(reply, || {
            let path = required(path, "path")?;
            let options = fields(options_json, "options_json")?;
            let part = attach(path, &AttachOptions::from_json(options)?)?;
            Ok(Some(OpencodeReply::json(part.to_string())))
        })
    }
}

/// The same for bytes that are in memory. Waits for nothing.
///
/// @param name    What the model sees as the file's name.
/// @param bytes   The content; NULL is fine when length is 0.
/// @param length  Its bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_attach_bytes(
    name: *const c_char,
    bytes: *const u8,
    length: usize,
    options_json: *const c_char,
    reply: *mut *mut OpencodeReply,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be, and `length` bytes are there.
    unsafe {
        guard(reply, || {
            let name = required(name, "name")?;
            let options = fields(options_json, "options_json")?;
            let bytes = match (bytes.is_null(), length) {
                (_, 0) => &[],
                (true, _) => return Err(null("bytes")),
                (false, length) => std::slice::from_raw_parts(bytes, length),
            };
            let part = attach_bytes(name, bytes, &AttachOptions::from_json(options)?)?;
            Ok(Some(OpencodeReply::json(part.to_string())))
        })
    }
}
