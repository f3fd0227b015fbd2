//! CPython's collector rests while a large document is built: it would look for garbage among millions of objects that
//! were made a moment ago, again and again.

use pyo3::prelude::*;

/// Documents of this many bytes and more.
const LARGE: usize = 256 << 10;

/// The collector rests until this is dropped. The interpreter's lock is held meanwhile, so nobody sees it.
pub(super) struct Pause<'py>(Bound<'py, PyModule>);

impl<'py> Pause<'py> {
    /// None for a small document, where the program has switched the collector off, and on a Python without a lock, whose
    /// other threads would see it, and whose collector does not look again and again.
    pub(super) fn begin_for(py: Python<'py>, length: usize) -> Option<Self> {
        if length < LARGE {
            return None;
        }
        // Before Python 3.13 there is always a lock, and no such function.
        if let Ok(has_lock) = py.import("sys").ok()?.call_method0("_is_gil_enabled")
            && !has_lock.is_truthy().ok()?
        {
            return None;
        }
        let gc = py.import("gc").ok()?;
        let is_enabled = gc.call_method0("isenabled").ok()?.is_truthy().ok()?;
        is_enabled.then(|| gc.call_method0("disable").ok()).flatten()?;
        Some(Pause(gc))
    }
}

impl Drop for Pause<'_> {
    fn drop(&mut self) {
        // It takes no arguments and cannot fail.
        let _ = self.0.call_method0("enable");
    }
}
