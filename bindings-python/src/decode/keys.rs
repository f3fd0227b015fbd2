//! The keys of JSON objects as Python has them: the same few names come thousands of times.

use pyo3::prelude::*;
use pyo3::types::PyString;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

const SLOTS: usize = 1024;
const LONGEST_CACHED: usize = 64;

/// How many keys are interned in the life of a program: some versions of CPython keep what is interned for ever.
const MOST_INTERNED: usize = 4096;
static INTERNED: AtomicUsize = AtomicUsize::new(0);

/// A key, and the object made of it.
type Slot = Option<(Box<str>, Py<PyString>)>;

/// One cache for the whole program: an event has a dozen keys, and would never see one twice.
static CACHE: Mutex<Vec<Slot>> = Mutex::new(Vec::new());

/// The keys that were seen, and the objects made of them.
pub(crate) struct Keys<'py> {
    py: Python<'py>,
    /// None while somebody else uses the cache, which takes a Python without a lock, or a finalizer that reads JSON.
    slots: Option<MutexGuard<'static, Vec<Slot>>>,
}

impl<'py> Keys<'py> {
    pub(crate) fn new(py: Python<'py>) -> Self {
        let mut slots = CACHE.try_lock().ok();
        if let Some(slots) = &mut slots
            && slots.is_empty()
        {
            slots.resize_with(SLOTS, || None);
        }
        Keys { py, slots }
    }

    pub(crate) fn object(&mut self, text: &str) -> Bound<'py, PyString> {
        let slots = self.slots.as_mut().filter(|_| text.len() <= LONGEST_CACHED);
        let Some(slot) = slots.and_then(|slots| slots.get_mut(hash(text.as_bytes()) % SLOTS))
        else {
            return PyString::new(self.py, text);
        };
        if let Some((known, object)) = slot
            && &**known == text
        {
            return object.bind(self.py).clone();
        }
        // What a program looks up by is interned too, so that both are one object. Keys that are data, as ids and paths, are
        // not: they would pile up.
        let object = if is_name(text) && INTERNED.load(Ordering::Relaxed) < MOST_INTERNED {
            INTERNED.fetch_add(1, Ordering::Relaxed);
            PyString::intern(self.py, text)
        } else {
            PyString::new(self.py, text)
        };
        *slot = Some((text.into(), object.clone().unbind()));
        object
    }
}

/// Whether a key may be the name of a field.
fn is_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
}

/// Of the length, the first eight bytes and the last eight: names differ there.
fn hash(bytes: &[u8]) -> usize {
    let (first, last) = match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => (bytes.iter().fold(0, |word, byte| (word << 8) | u64::from(*byte)), 0),
    };
    let mixed =
        (first ^ last.rotate_left(23) ^ bytes.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 40) as usize
}
