//! What was dropped and is not over yet. Whoever drops a client or a terminal, a garbage collector perhaps, waits for
//! nothing: threads that have to end do so here. The end of the process waits for them, and so does who unloads this
//! library.

use crate::base::hooks;
use crate::base::pool::join;
use crate::base::thread;
use std::any::Any;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Somebody whose threads work for a handle: it lives as long as the handle does.
pub(crate) type Keeper = Arc<dyn Any + Send + Sync>;

static THREADS: Mutex<Vec<JoinHandle<()>>> = Mutex::new(Vec::new());
/// How many there are: mostly none, and then nothing is locked.
static COUNT: AtomicUsize = AtomicUsize::new(0);
/// The process that they are in: after a fork the child has none of them.
static OWNER: AtomicU32 = AtomicU32::new(0);

/// Does work that takes a while on a thread of its own.
pub(crate) fn hand_over(work: impl FnOnce() + Send + 'static) {
    if let Some(thread) = thread::start_or_here("opencode-close", work) {
        leave(vec![thread]);
    }
}

/// Keeps an eye on threads that end by themselves, soon.
pub(crate) fn leave(threads: Vec<JoinHandle<()>>) {
    let Some(mut all) = all() else { return };
    all.retain(|thread| !thread.is_finished());
    all.extend(threads);
    COUNT.store(all.len(), Ordering::Release);
    drop(all);
    hooks::at_exit(settle);
}

/// Waits until all that was dropped in this process is over: clients get a second for prompts that are not sent yet. For
/// the end of a program, and for who frees handles himself and counts on it.
#[doc(hidden)]
pub fn settle() {
    if COUNT.load(Ordering::Acquire) == 0 {
        return;
    }
    let threads = all().map(|mut all| {
        COUNT.store(0, Ordering::Release);
        std::mem::take(&mut *all)
    });
    join(threads.unwrap_or_default());
}

/// The threads; nothing in a copy of the process, where nobody may ever open the lock again.
fn all() -> Option<MutexGuard<'static, Vec<JoinHandle<()>>>> {
    let me = std::process::id();
    let owner = OWNER.compare_exchange(0, me, Ordering::AcqRel, Ordering::Acquire);
    let is_mine = owner.is_ok() || owner == Err(me);
    is_mine.then(|| THREADS.lock().unwrap_or_else(PoisonError::into_inner))
}
