//! [`Signal`]: a descriptor that is readable while something waits to be polled.

use crate::error::{Error, ErrorKind, Result};
use std::io::{Read, Write};
use std::sync::{Mutex, OnceLock, PoisonError};

#[cfg(unix)]
type Socket = std::os::unix::net::UnixStream;
#[cfg(not(unix))]
type Socket = std::net::TcpStream;

/// Counts the handles that have something new. As long as nobody asked for the descriptor there is none,
/// and counting costs no system call.
#[derive(Default)]
pub(crate) struct Signal {
    /// Below zero for a moment when a handle is polled before the engine came to count it.
    waiting: Mutex<isize>,
    pair: OnceLock<(Socket, Socket)>,
}

impl Signal {
    /// The descriptor to be watched for reading. It belongs to the signal: never read, write or close it.
    ///
    /// # Errors
    /// `internal` when the system gives no descriptor.
    pub(crate) fn descriptor(&self) -> Result<i64> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if self.pair.get().is_none() {
            let pair = pair().map_err(|e| {
                Error::new(ErrorKind::Internal, format!("the system gives no descriptor: {e}"))
            })?;
            let _ = self.pair.set(pair);
            if *waiting > 0 {
                self.raise();
            }
        }
        drop(waiting);
        Ok(self.pair.get().map_or(-1, |(reader, _)| raw(reader)))
    }

    /// One more handle has something new.
    pub(crate) fn add(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        *waiting += 1;
        if *waiting == 1 {
            self.raise();
        }
    }

    /// A handle was polled.
    pub(crate) fn remove(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        *waiting -= 1;
        if *waiting == 0
            && let Some((reader, _)) = self.pair.get()
        {
            // Exactly one byte was written. The socket does not block, whatever happened to it.
            let _ = (&*reader).read(&mut [0]);
        }
    }

    fn raise(&self) {
        if let Some((_, writer)) = self.pair.get() {
            let _ = (&*writer).write(&[1]);
        }
    }
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
}
