//! [`PerProcess`]: what a copy of the process, made by fork, has of its own.

use crate::base::hooks::Home;
use once_cell::race::OnceBox;
use std::sync::Arc;

/// A value of which each copy of the process makes its own when it first needs it. That of another process is never
/// touched: a thread that stayed there may hold its locks for ever. It is not dropped either, which could wait for
/// threads, or end what the other process still uses.
pub(crate) struct PerProcess<T> {
    home: Home,
    value: Arc<T>,
    /// No lock makes it, so a fork in the middle of that does no harm.
    copy: OnceBox<PerProcess<T>>,
}

impl<T> PerProcess<T> {
    pub(crate) fn new(value: T) -> Self {
        PerProcess { home: Home::here(), value: Arc::new(value), copy: OnceBox::new() }
    }

    /// The value of this process, made now if there is none. Threads that come here at the same time may make one
    /// each, and all get the same. One load where there is one.
    pub(crate) fn get(&self, make: impl FnOnce() -> T) -> &T {
        match self.made() {
            Some(value) => value,
            None => {
                let mut last = self;
                while let Some(copy) = last.copy.get() {
                    last = copy;
                }
                &last.copy.get_or_init(|| Box::new(PerProcess::new(make()))).value
            }
        }
    }

    /// The value of this process, if it has one.
    pub(crate) fn made(&self) -> Option<&T> {
        let mut mine = self;
        while !mine.home.is_here() {
            mine = mine.copy.get()?;
        }
        Some(&mine.value)
    }
}

impl<T> Drop for PerProcess<T> {
    fn drop(&mut self) {
        if !self.home.is_here() {
            std::mem::forget(Arc::clone(&self.value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// As a copy of the process finds it.
    fn inherited<T>(value: T) -> PerProcess<T> {
        PerProcess { home: Home::elsewhere(), value: Arc::new(value), copy: OnceBox::new() }
    }

    #[test]
    fn a_copy_of_the_process_never_meets_a_lock_of_the_first_one() {
        let held = Arc::new(Mutex::new(1));
        let inherited = inherited(Arc::clone(&held));
        let _guard = held.lock().unwrap();
        assert!(inherited.made().is_none());
        let fresh = || Arc::new(Mutex::new(2));
        assert_eq!(*inherited.get(fresh).lock().unwrap(), 2);
        *inherited.get(|| unreachable!()).lock().unwrap() += 1;
        assert_eq!(inherited.made().map(|mine| *mine.lock().unwrap()), Some(3));
    }

    #[test]
    fn what_belongs_to_another_process_is_not_dropped() {
        struct Counts<'a>(&'a AtomicU32);
        impl Drop for Counts<'_> {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let (other, mine) = (AtomicU32::new(0), AtomicU32::new(0));
        let value = inherited(Counts(&other));
        value.get(|| Counts(&mine));
        drop(value);
        assert_eq!((other.into_inner(), mine.into_inner()), (0, 1));
    }
}
