//! [`Signal`]: a descriptor that is readable while something waits to be polled.

use crate::error::{Error, ErrorKind, Result};
use std::io::{Read, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicIsize, Ordering, fence};

#[cfg(unix)]
type Socket = std::os::unix::net::UnixStream;
#[cfg(not(unix))]
type Socket = std::net::TcpStream;

/// Counts the handles that have something new. As long as nobody asked for the descriptor there is none,
/// and counting costs no system call. Nobody ever waits here: a tick counts too.
#[derive(Default)]
pub(crate) struct Signal {
    /// Below zero for a moment when a handle is polled before the engine came to count it.
    waiting: AtomicIsize,
    /// The first is readable while bytes are in it. There may be more than one for a moment.
    pair: OnceLock<(Socket, Socket)>,
}

impl Signal {
    /// The descriptor to be watched for reading. It belongs to the signal: never read, write or close it.
    ///
    /// # Errors
    /// `internal` when the system gives no descriptor.
    pub(crate) fn descriptor(&self) -> Result<i64> {
        if self.pair.get().is_none() {
            let pair = pair().map_err(|e| {
                Error::new(ErrorKind::Internal, format!("the system gives no descriptor: {e}"))
            })?;
            // Whoever was first has made one as good.
            let _ = self.pair.set(pair);
            self.show();
        }
        Ok(self.pair.get().map_or(-1, |(reader, _)| raw(reader)))
    }

    /// One more handle has something new.
    pub(crate) fn add(&self) {
        if self.waiting.fetch_add(1, Ordering::SeqCst) == 0 {
            self.show();
        }
    }

    /// A handle was polled.
    pub(crate) fn remove(&self) {
        if self.waiting.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.show();
        }
    }

    /// Makes the descriptor say what the count says. Between the two another thread may count too, so each looks
    /// again after its bytes: whoever is last leaves them as the count wants them, and nobody holds a lock.
    fn show(&self) {
        fence(Ordering::SeqCst);
        let Some((reader, writer)) = self.pair.get() else { return };
        loop {
            let is_wanted = self.is_wanted();
            // Neither end blocks, whatever happened to the socket.
            if is_wanted {
                let _ = (&*writer).write(&[1]);
            } else {
                empty(reader);
            }
            if self.is_wanted() == is_wanted {
                return;
            }
        }
    }

    fn is_wanted(&self) -> bool {
        fence(Ordering::SeqCst);
        self.waiting.load(Ordering::SeqCst) > 0
    }
}

fn empty(mut reader: &Socket) {
    while reader.read(&mut [0; 64]).is_ok_and(|length| length == 64) {}
}

#[cfg(unix)]
fn pair() -> std::io::Result<(Socket, Socket)> {
    let (reader, writer) = Socket::pair()?;
    reader.set_nonblocking(true)?;
    writer.set_nonblocking(true)?;
    Ok((reader, writer))
}

#[cfg(not(unix))]
fn pair() -> std::io::Result<(Socket, Socket)> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let writer = Socket::connect(listener.local_addr()?)?;
    let (reader, _) = listener.accept()?;
    reader.set_nonblocking(true)?;
    writer.set_nonblocking(true)?;
    Ok((reader, writer))
}

#[cfg(unix)]
fn raw(socket: &Socket) -> i64 {
    use std::os::fd::AsRawFd;
    i64::from(socket.as_raw_fd())
}

#[cfg(windows)]
fn raw(socket: &Socket) -> i64 {
    use std::os::windows::io::AsRawSocket;
    socket.as_raw_socket() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_readable(signal: &Signal) -> bool {
        // Looks without taking: a peek is not in the standard library for these sockets.
        let (reader, writer) = signal.pair.get().unwrap();
        let found = (&*reader).read(&mut [0]).is_ok();
        if found {
            (&*writer).write_all(&[1]).unwrap();
        }
        found
    }

    #[test]
    fn readable_while_something_waits() {
        let signal = Signal::default();
        signal.add();
        assert!(signal.descriptor().unwrap() >= 0);
        assert!(is_readable(&signal), "what came before the descriptor counts");
        signal.add();
        signal.remove();
        assert!(is_readable(&signal));
        signal.remove();
        assert!(!is_readable(&signal));
        signal.remove();
        signal.add();
        assert!(!is_readable(&signal), "polled before it was counted");
        signal.add();
        assert!(is_readable(&signal));
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
                            signal.add();
                            signal.remove();
                        }
                    });
                }
            });
            assert!(!is_readable(&signal));
            signal.add();
            assert!(is_readable(&signal));
            signal.remove();
        }
    }
}
