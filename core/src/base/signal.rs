//! [`Signal`]: a descriptor that is readable while something waits to be polled.

use crate::base::error::{Error, Result};
use crate::base::per_process::PerProcess;
use once_cell::race::OnceBox;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicIsize, AtomicU64, Ordering, fence};
use std::sync::{Mutex, PoisonError};

#[cfg(unix)]
type SignalSocket = std::os::unix::net::UnixStream;
#[cfg(not(unix))]
type SignalSocket = std::net::TcpStream;

/// Counts the handles that have something new. As long as nobody asked for the descriptor there is none,
/// and counting costs no system call. Nobody ever waits here: a tick counts too.
pub(crate) struct Signal {
    /// Below zero for a moment when a handle is polled before the engine came to count it.
    waiting: AtomicIsize,
    pair: PerProcess<OnceBox<Pair>>,
    /// The mark of the handle that was made last.
    marks: AtomicU64,
    /// The marks of those that had something new since the host asked last; nothing before it asks first.
    new: PerProcess<OnceBox<Mutex<BTreeSet<u64>>>>,
}

/// The ends of a socket. A copy of the process, made by fork, has one of its own: by a common one it would wake the
/// other up for nothing, and take what wakes it.
struct Pair {
    reader: SignalSocket,
    writer: SignalSocket,
}

impl Default for Signal {
    fn default() -> Self {
        Signal {
            waiting: AtomicIsize::new(0),
            pair: PerProcess::new(OnceBox::new()),
            marks: AtomicU64::new(0),
            new: PerProcess::new(OnceBox::new()),
        }
    }
}

impl Signal {
    /// The descriptor to be watched for reading. It belongs to the signal: never read, write or close it.
    ///
    /// # Errors
    /// `exhausted` when the system gives no descriptor.
    pub(crate) fn descriptor(&self) -> Result<i64> {
        if let Some(pair) = self.mine() {
            return Ok(raw(&pair.reader));
        }
        let made = pair().map_err(|e| Error::exhausted("descriptor", e))?;
        // Whoever was first has made one as good.
        let pair = self.pair.get(OnceBox::new).get_or_init(|| Box::new(made));
        fence(Ordering::SeqCst);
        self.show();
        Ok(raw(&pair.reader))
    }

    /// A number for one more handle, by which [`take_new`](Self::take_new) tells it.
    pub(crate) fn mark(&self) -> u64 {
        self.marks.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The marks of the handles that have had something new since the last time: a host with many of them looks at these
    /// alone. They are noted from the first time on, which gives none.
    pub(crate) fn take_new(&self) -> Vec<u64> {
        let new = self.new.get(OnceBox::new).get_or_init(Box::default);
        let taken = std::mem::take(&mut *new.lock().unwrap_or_else(PoisonError::into_inner));
        taken.into_iter().collect()
    }

    /// The handle with this mark has something new.
    pub(crate) fn add(&self, mark: u64) {
        // Before the descriptor shows it: who is woken finds the mark.
        if let Some(new) = self.new.made().and_then(OnceBox::get) {
            new.lock().unwrap_or_else(PoisonError::into_inner).insert(mark);
        }
        if self.waiting.fetch_add(1, Ordering::SeqCst) == 0 {
            fence(Ordering::SeqCst);
            self.show();
        }
    }

    /// The handle with this mark is gone.
    pub(crate) fn forget(&self, mark: u64) {
        if let Some(new) = self.new.made().and_then(OnceBox::get) {
            new.lock().unwrap_or_else(PoisonError::into_inner).remove(&mark);
        }
    }

    /// A handle was polled.
    pub(crate) fn remove(&self) {
        if self.waiting.fetch_sub(1, Ordering::SeqCst) == 1 {
            fence(Ordering::SeqCst);
            self.show();
        }
    }

    /// Makes the descriptor readable exactly when something is there. It takes no lock: the host that the byte wakes
    /// polls at once, while the thread that wrote it may not run again for long. Each thread compares again after its
    /// write, so the last write is right.
    fn show(&self) {
        let Some(pair) = self.mine() else { return };
        loop {
            let is_wanted = self.is_wanted();
            if is_wanted {
                pair.raise();
            } else {
                pair.lower();
            }
            fence(Ordering::SeqCst);
            if self.is_wanted() == is_wanted {
                return;
            }
        }
    }

    /// The pair of this process.
    fn mine(&self) -> Option<&Pair> {
        self.pair.made()?.get()
    }

    fn is_wanted(&self) -> bool {
        fence(Ordering::SeqCst);
        self.waiting.load(Ordering::SeqCst) > 0
    }
}

/// Neither end blocks, whatever happened to the socket.
impl Pair {
    fn raise(&self) {
        let _ = (&self.writer).write(&[1]);
    }

    /// There are as many bytes as threads that raised it at the same time.
    fn lower(&self) {
        let mut bytes = [0; 64];
        while matches!((&self.reader).read(&mut bytes), Ok(64)) {}
    }
}

#[cfg(unix)]
fn pair() -> std::io::Result<Pair> {
    let (reader, writer) = SignalSocket::pair()?;
    reader.set_nonblocking(true)?;
    writer.set_nonblocking(true)?;
    Ok(Pair { reader, writer })
}

#[cfg(not(unix))]
fn pair() -> std::io::Result<Pair> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let writer = SignalSocket::connect(listener.local_addr()?)?;
    let (reader, _) = listener.accept()?;
    reader.set_nonblocking(true)?;
    writer.set_nonblocking(true)?;
    Ok(Pair { reader, writer })
}

#[cfg(unix)]
fn raw(socket: &SignalSocket) -> i64 {
    use std::os::fd::AsRawFd;
    i64::from(socket.as_raw_fd())
}

#[cfg(windows)]
fn raw(socket: &SignalSocket) -> i64 {
    use std::os::windows::io::AsRawSocket;
    socket.as_raw_socket() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_readable(signal: &Signal) -> bool {
        // Looks without taking: a peek is not in the standard library for these sockets.
        let pair = signal.mine().unwrap();
        let found = (&pair.reader).read(&mut [0]).is_ok();
        if found {
            pair.raise();
        }
        found
    }

    #[test]
    fn readable_while_something_waits() {
        let signal = Signal::default();
        signal.add(1);
        assert!(signal.descriptor().unwrap() >= 0);
        assert!(is_readable(&signal), "what came before the descriptor counts");
        signal.add(1);
        signal.remove();
        assert!(is_readable(&signal));
        signal.remove();
        assert!(!is_readable(&signal));
        signal.remove();
        signal.add(1);
        assert!(!is_readable(&signal), "polled before it was counted");
        signal.add(1);
        assert!(is_readable(&signal));
    }

    #[test]
    fn handles_that_have_something_new_are_told_by_their_marks() {
        let signal = Signal::default();
        let (a, b, c) = (signal.mark(), signal.mark(), signal.mark());
        signal.add(a);
        assert!(signal.take_new().is_empty(), "noted from now on");
        signal.add(b);
        signal.add(c);
        signal.add(b);
        signal.remove();
        signal.forget(c);
        assert_eq!(signal.take_new(), [b], "once, and none that is gone");
        assert!(signal.take_new().is_empty());
    }

    #[test]
    fn who_is_woken_finds_it_quiet_after_a_poll_whatever_the_other_thread_does() {
        let signal = Signal::default();
        signal.descriptor().unwrap();
        // The thread that counts is stopped right behind its write.
        signal.waiting.fetch_add(1, Ordering::SeqCst);
        signal.mine().unwrap().raise();
        signal.remove();
        assert!(!is_readable(&signal));
        signal.show();
        assert!(!is_readable(&signal));
    }

    #[test]
    fn what_threads_count_at_the_same_time_is_shown_in_the_end() {
        let signal = Signal::default();
        signal.descriptor().unwrap();
        for _ in 0..200 {
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        for _ in 0..50 {
                            signal.add(1);
                            signal.remove();
                        }
                    });
                }
            });
            assert!(!is_readable(&signal));
            signal.add(1);
            assert!(is_readable(&signal));
            signal.remove();
        }
    }
}
