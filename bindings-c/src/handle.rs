//! Handles: how they are handed out, borrowed and freed.

use opencode_core::{Error, ErrorKind, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Does the work of a function that gives a plain value; `otherwise` when it panics.
pub(crate) fn shield<T>(otherwise: T, work: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(otherwise)
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
