//! [`Mailbox`]: what threads of this library write and a host reads, without either waiting for the other.

use super::signal::Signal;
use super::sync::{AtomicU8, Condvar, Mutex, MutexGuard, Ordering, yield_now};
use std::ops::Deref;
use std::sync::{Arc, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// What lies in a mailbox.
pub(crate) trait Content {
    /// What is seen of it from outside.
    fn face(&self) -> Face;
}

/// What is seen of a mailbox without opening it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Face {
    /// Where it stands, by a number of the content's own below 64.
    pub(crate) state: u8,
    /// The state is the last one.
    pub(crate) is_over: bool,
    /// There is something to take.
    pub(crate) has_news: bool,
}

const OVER: u8 = 0x40;
const NEWS: u8 = 0x80;

impl Face {
    fn pack(self) -> u8 {
        let over = if self.is_over { OVER } else { 0 };
        let news = if self.has_news { NEWS } else { 0 };
        (self.state & (OVER - 1)) | over | news
    }

    fn unpack(byte: u8) -> Self {
        Face { state: byte & (OVER - 1), is_over: byte & OVER != 0, has_news: byte & NEWS != 0 }
    }
}

/// State and items of one thing that goes on in the background.
///
/// A poll gives both as they were at one moment, and the last state only when nothing is left to take. It never waits
/// for a writer: while the mailbox is held it tells what it told last.
pub(crate) struct Mailbox<T: Content> {
    /// The face of the content. Changed only under the lock, so that one load gives what belongs together.
    face: AtomicU8,
    /// The state that a poll told last.
    told: AtomicU8,
    slot: Mutex<Slot<T>>,
    changed: Condvar,
    signal: Option<Arc<Signal>>,
    /// What the signal calls it.
    mark: u64,
}

struct Slot<T> {
    content: T,
    /// Whether the signal counts this mailbox as having something new.
    is_counted: bool,
    /// Threads that wait for a change. Without one, waking costs no system call.
    sleepers: usize,
}

/// The content, to be read. The mailbox is locked while this lives, so no work is done with it.
pub(crate) struct Reading<'a, T>(MutexGuard<'a, Slot<T>>);

impl<T> Deref for Reading<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.content
    }
}

impl<T: Content> Mailbox<T> {
    /// The signal, if any, counts the mailbox from a write that brings something until all is taken.
    pub(crate) fn new(content: T, signal: Option<Arc<Signal>>) -> Self {
        let face = content.face();
        Mailbox {
            face: AtomicU8::new(face.pack()),
            told: AtomicU8::new(face.state),
            slot: Mutex::new(Slot { content, is_counted: false, sleepers: 0 }),
            changed: Condvar::new(),
            mark: signal.as_ref().map_or(0, |signal| signal.mark()),
            signal,
        }
    }

    /// The number by which the signal tells that there is something to take.
    pub(crate) fn mark(&self) -> u64 {
        self.mark
    }

    /// One load.
    pub(crate) fn face(&self) -> Face {
        Face::unpack(self.face.load(Ordering::Acquire))
    }

    /// The state, and what `take` gives if there is something to take. Without news this is two loads.
    pub(crate) fn poll<R>(&self, take: impl FnOnce(&mut T) -> R) -> (u8, Option<R>) {
        let face = self.face();
        if !face.has_news {
            return (self.tell(face.state), None);
        }
        let Some(mut slot) = self.try_open(face) else {
            return (self.told.load(Ordering::Relaxed), None);
        };
        let taken = take(&mut slot.content);
        let left = self.close(slot, false);
        if left.is_over && left.has_news {
            // Who stops at the last state must have got everything.
            return (self.told.load(Ordering::Relaxed), Some(taken));
        }
        (self.tell(left.state), Some(taken))
    }

    /// What a poll tells that takes nothing; `None` when there is something to take. Two loads.
    pub(crate) fn idle(&self) -> Option<u8> {
        let face = self.face();
        (!face.has_news).then(|| self.tell(face.state))
    }

    /// What `take` gives when there is something to take or the last state is reached. Without either it is one load.
    pub(crate) fn try_take<R>(&self, take: impl FnOnce(&mut T) -> R) -> Option<R> {
        let face = self.face();
        if !face.has_news && !face.is_over {
            return None;
        }
        let mut slot = self.try_open(face)?;
        let taken = take(&mut slot.content);
        self.close(slot, false);
        Some(taken)
    }

    /// Changes the content for the host. Waits for whoever holds the mailbox; nobody does so for long.
    pub(crate) fn edit<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let mut slot = self.open();
        let changed = change(&mut slot.content);
        self.close(slot, false);
        changed
    }

    /// The writer's side. `change` says whether it brought something to take: that wakes whoever watches the signal.
    pub(crate) fn write(&self, change: impl FnOnce(&mut T) -> bool) -> bool {
        // Spins instead of sleeping on the lock: a host that finds a sleeper has to wake it by a system call.
        let mut slot = loop {
            match self.slot.try_lock() {
                Ok(slot) => break slot,
                Err(TryLockError::Poisoned(poisoned)) => break poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => yield_now(),
            }
        };
        let has_brought = change(&mut slot.content);
        self.close(slot, has_brought);
        has_brought
    }

    /// Blocks until `look` finds something, at most for `timeout`; `None` waits as long as it takes.
    pub(crate) fn wait<R>(
        &self,
        timeout: Option<Duration>,
        mut look: impl FnMut(&mut T) -> Option<R>,
    ) -> Option<R> {
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut slot = self.open();
        loop {
            if let Some(found) = look(&mut slot.content) {
                self.close(slot, false);
                return Some(found);
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return None;
            }
            slot.sleepers += 1;
            slot = match left {
                None => self.changed.wait(slot).unwrap_or_else(PoisonError::into_inner),
                Some(left) => {
                    let waited = self.changed.wait_timeout(slot, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
            slot.sleepers -= 1;
        }
    }

    /// Blocks until there is something to take, or the last state is reached; false when the time is up.
    pub(crate) fn wait_ready(&self, timeout: Option<Duration>) -> bool {
        let is_ready = |face: Face| face.has_news || face.is_over;
        self.wait(timeout, |content| is_ready(content.face()).then_some(())).is_some()
    }

    /// Whether nobody holds it.
    pub(crate) fn is_free(&self) -> bool {
        !matches!(self.slot.try_lock(), Err(TryLockError::WouldBlock))
    }

    /// The content as it is. Waits for whoever holds the mailbox.
    pub(crate) fn read(&self) -> Reading<'_, T> {
        Reading(self.open())
    }

    /// Whether there is something to take. The signal forgets it until something more comes: for hosts that note who is
    /// ready and take later.
    pub(crate) fn is_ready(&self) -> bool {
        let has_news = self.face().has_news;
        if has_news {
            let mut slot = self.open();
            let was_counted = std::mem::take(&mut slot.is_counted);
            drop(slot);
            self.count(was_counted, false);
        }
        has_news
    }

    /// Notes what a poll tells.
    fn tell(&self, state: u8) -> u8 {
        if self.told.load(Ordering::Relaxed) != state {
            self.told.store(state, Ordering::Relaxed);
        }
        state
    }

    /// Opens the mailbox unless somebody holds it. After the end that is waited for: it takes a moment, and what is left
    /// to take must not be missed by a host that looks once more.
    fn try_open(&self, face: Face) -> Option<MutexGuard<'_, Slot<T>>> {
        match self.slot.try_lock() {
            Ok(slot) => Some(slot),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if face.is_over => Some(self.open()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn open(&self) -> MutexGuard<'_, Slot<T>> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows what the content is now, and wakes who waits for it.
    fn close(&self, mut slot: MutexGuard<'_, Slot<T>>, has_brought: bool) -> Face {
        let face = slot.content.face();
        let was_counted = slot.is_counted;
        slot.is_counted = face.has_news && (was_counted || has_brought);
        let (is_counted, has_sleepers) = (slot.is_counted, slot.sleepers > 0);
        self.face.store(face.pack(), Ordering::Release);
        // Who is woken must find the mailbox free.
        drop(slot);
        self.count(was_counted, is_counted);
        if has_sleepers {
            self.changed.notify_all();
        }
        face
    }

    fn count(&self, was_counted: bool, is_counted: bool) {
        let Some(signal) = &self.signal else { return };
        match (was_counted, is_counted) {
            (false, true) => signal.add(self.mark),
            (true, false) => signal.remove(),
            _ => {}
        }
    }
}

impl<T: Content> Drop for Mailbox<T> {
    fn drop(&mut self) {
        let slot = self.slot.get_mut().unwrap_or_else(PoisonError::into_inner);
        let was_counted = std::mem::take(&mut slot.is_counted);
        self.count(was_counted, false);
        if let Some(signal) = &self.signal {
            signal.forget(self.mark);
        }
    }
}
