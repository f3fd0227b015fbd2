//! Texts that come in.

use crate::handle::null;
use crate::json::mistake_in;
use opencode_core::{Error, ErrorKind, Result};
use std::ffi::{CStr, c_char};

/// A text that must be there.
///
/// # Safety
/// `text` is NULL or points to memory that ends with NUL and stays for the length of the call.
pub(crate) unsafe fn required<'a>(text: *const c_char, name: &str) -> Result<&'a str> {
    // SAFETY: the same promise is passed on.
    unsafe { optional(text, name) }?.ok_or_else(|| null(name))
}

/// A text that may be NULL.
///
/// # Safety
/// As [`required`].
pub(crate) unsafe fn optional<'a>(text: *const c_char, name: &str) -> Result<Option<&'a str>> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, and the caller promises the rest.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str()
        .map(Some)
        .map_err(|e| Error::new(ErrorKind::InvalidArgument, format!("{name} is not UTF-8: {e}")))
}

/// JSON that must be there.
///
/// # Safety
/// As [`required`].
pub(crate) unsafe fn required_json<'a>(json: *const c_char, name: &str) -> Result<&'a str> {
    // SAFETY: the same promise is passed on.
    unsafe { optional_json(json, name) }?.ok_or_else(|| null(name))
}

/// JSON that may be NULL. What a builder gives after a mistake fails with the words of the builder.
///
/// # Safety
/// As [`required`].
pub(crate) unsafe fn optional_json<'a>(json: *const c_char, name: &str) -> Result<Option<&'a str>> {
    // SAFETY: the same promise is passed on.
    let json = unsafe { optional(json, name) }?;
    match json.and_then(mistake_in) {
        None => Ok(json),
        Some(mistake) => {
            let text = format!("{name} comes from a builder with a mistake: {mistake}");
            Err(Error::new(ErrorKind::InvalidArgument, text))
        }
    }
}

/// A JSON object that may be NULL: then it has no fields.
///
/// # Safety
/// As [`required`].
pub(crate) unsafe fn fields<'a>(json: *const c_char, name: &str) -> Result<&'a str> {
    // SAFETY: the same promise is passed on.
    Ok(unsafe { optional_json(json, name) }?.unwrap_or(""))
}
