//! Locks and atomics of [`Mailbox`](crate::base::mailbox::Mailbox), in one place: the model check in `tests/loom` puts its own
//! in their stead.

pub(crate) use std::sync::atomic::{AtomicU8, Ordering};
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
pub(crate) use std::thread::yield_now;
