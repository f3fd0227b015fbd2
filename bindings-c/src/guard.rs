//! What stands between every function and its caller: no panic gets out, and every failure becomes a reply.

use crate::reply::OpencodeReply;
use crate::status::OpencodeStatus;
use opencode_core::{Error, ErrorKind, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Does the work of a function that hands something out. `*reply` gets what `work` gives, or the error;
/// a caller who passes NULL for it wants the status alone.
///
/// # Safety
/// `reply` is NULL or points to writable memory for one pointer.
pub(crate) unsafe fn guard(
    reply: *mut *mut OpencodeReply,
    work: impl FnOnce() -> Result<Option<OpencodeReply>>,
) -> OpencodeStatus {
    let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(panicked()));
    let (status, made) = match result {
        Ok(made) => (OpencodeStatus::Ok, made),
        Err(error) => (OpencodeStatus::of(error.kind()), Some(OpencodeReply::failure(&error))),
    };
    if !reply.is_null() {
        let made = made.map_or(std::ptr::null_mut(), |made| Box::into_raw(Box::new(made)));
        // SAFETY: the caller promises that a reply that is not NULL can be written.
        unsafe { reply.write(made) };
    }
    status
}

/// As [`guard`], for a function that hands a handle out too: on failure `*out` is NULL, so that a program that uses its
/// variable again never frees the old one twice.
///
/// # Safety
/// As [`guard`]; `out` is NULL or points to writable memory for one pointer.
pub(crate) unsafe fn guard_out<T>(
    out: *mut *mut T,
    reply: *mut *mut OpencodeReply,
    work: impl FnOnce() -> Result<Option<OpencodeReply>>,
) -> OpencodeStatus {
    // SAFETY: the caller promises that an out that is not NULL can be written.
    if let Some(out) = unsafe { out.as_mut() } {
        *out = std::ptr::null_mut();
    }
    // SAFETY: the same promise is passed on.
    unsafe { guard(reply, work) }
}

/// Does the work of a function that gives a plain value; `otherwise` when it panics.
pub(crate) fn shield<T>(otherwise: T, work: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(otherwise)
}

fn panicked() -> Error {
    Error::new(ErrorKind::Internal, "a bug in libopencode: it panicked; please report it")
}

/// Writes a handle out.
///
/// # Safety
/// `out` points to writable memory for one pointer, or is NULL.
pub(crate) unsafe fn hand_out<T>(out: *mut *mut T, name: &str, value: T) -> Result<()> {
    if out.is_null() {
        return Err(null(name));
    }
    // SAFETY: checked for NULL above, and the caller promises the rest.
    unsafe { out.write(Box::into_raw(Box::new(value))) };
    Ok(())
}

/// Borrows a handle for the length of a call.
///
/// # Safety
/// `handle` is NULL or came from this library and was not freed.
pub(crate) unsafe fn borrow<'a, T>(handle: *const T, name: &str) -> Result<&'a T> {
    // SAFETY: the caller promises that a handle that is not NULL is alive.
    unsafe { handle.as_ref() }.ok_or_else(|| null(name))
}

/// Frees a handle; NULL is fine.
///
/// # Safety
/// `handle` is NULL, or came from this library and was not freed.
pub(crate) unsafe fn free<T>(handle: *mut T) {
    if !handle.is_null() {
        // SAFETY: it was made by `Box::into_raw` in this library, and the caller gives it up.
        let handle = unsafe { Box::from_raw(handle) };
        shield((), || {
            drop(handle);
            // Who frees by hand may unload the library next.
            opencode_core::settle();
        });
    }
}

pub(crate) fn null(name: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("{name} is NULL"))
}
