//! What stands between every function and its caller: no panic gets out, and every failure becomes a reply.

pub(crate) use crate::handle::{borrow, free, hand_out, null, shield};
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

/// As [`guard`], for a function that hands a descriptor out: on failure `*fd` is -1.
///
/// # Safety
/// As [`guard`]; `fd` is NULL or points to writable memory for one number.
pub(crate) unsafe fn guard_fd(
    fd: *mut i64,
    error: *mut *mut OpencodeReply,
    work: impl FnOnce() -> Result<i64>,
) -> OpencodeStatus {
    // SAFETY: the caller promises that an fd that is not NULL can be written.
    let mut fd = unsafe { fd.as_mut() };
    if let Some(fd) = fd.as_deref_mut() {
        *fd = -1;
    }
    // SAFETY: the same promise is passed on.
    unsafe {
        guard(error, || {
            let found = work()?;
            *fd.ok_or_else(|| null("fd"))? = found;
            Ok(None)
        })
    }
}

fn panicked() -> Error {
    Error::new(ErrorKind::Internal, "a bug in libopencode: it panicked; please report it")
}
