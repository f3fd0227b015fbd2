//! What the standard library cannot say about a socket or a process.

use std::ffi::c_int;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd;

/// Ends a connection with RST instead of FIN.
///
/// The reset leaves when the last handle of the socket is dropped; readers that are blocked in
/// another thread see the end of the stream at once, so that they can let go of theirs.
pub fn reset(stream: &TcpStream) {
    let linger = Linger { on: 1, seconds: 0 };
    let size = size_of::<Linger>() as u32;
    // SAFETY: the descriptor is open for the duration of the call, and the option is read from a
    // live struct of the size given.
    unsafe {
        setsockopt(stream.as_raw_fd(), SOL_SOCKET, SO_LINGER, (&raw const linger).cast(), size);
    }
    // SHUT_RD sends nothing to the peer.
    let _ = stream.shutdown(Shutdown::Read);
}

/// Whether the peer has closed its side and nothing is left to read. Does not disturb a thread
/// that is blocked on the same socket.
pub fn is_closed(stream: &TcpStream) -> bool {
    let mut byte = 0u8;
    // SAFETY: the descriptor is open for the duration of the call, and one byte may be written.
    let count =
        unsafe { recv(stream.as_raw_fd(), (&raw mut byte).cast(), 1, MSG_PEEK | MSG_DONTWAIT) };
    match count {
        -1 => io::Error::last_os_error().kind() != io::ErrorKind::WouldBlock,
        count => count == 0,
    }
}

/// Raises the soft limit of open files to the hard one: a thousand streams need more than the
/// usual 1,024.
pub fn raise_file_limit() {
    let mut limit = Limit { soft: 0, hard: 0 };
    // SAFETY: the struct has the layout of `struct rlimit` and outlives both calls.
    unsafe {
        if getrlimit(RLIMIT_NOFILE, &raw mut limit) == 0 && limit.soft < limit.hard {
            limit.soft = limit.hard;
            // A refusal (macOS caps the value) leaves the old limit, which is all there is then.
            setrlimit(RLIMIT_NOFILE, &raw const limit);
        }
    }
}

#[repr(C)]
struct Linger {
    on: c_int,
    seconds: c_int,
}

#[repr(C)]
struct Limit {
    soft: u64,
    hard: u64,
}

const MSG_PEEK: c_int = 2;
#[cfg(target_os = "linux")]
const MSG_DONTWAIT: c_int = 0x40;
#[cfg(target_os = "linux")]
const SOL_SOCKET: c_int = 1;
#[cfg(target_os = "linux")]
const SO_LINGER: c_int = 13;
#[cfg(target_os = "linux")]
const RLIMIT_NOFILE: c_int = 7;
#[cfg(not(target_os = "linux"))]
const MSG_DONTWAIT: c_int = 0x80;
#[cfg(not(target_os = "linux"))]
const SOL_SOCKET: c_int = 0xffff;
#[cfg(not(target_os = "linux"))]
const SO_LINGER: c_int = 0x80;
#[cfg(not(target_os = "linux"))]
const RLIMIT_NOFILE: c_int = 8;

unsafe extern "C" {
    fn setsockopt(
        socket: c_int,
        level: c_int,
        name: c_int,
        value: *const std::ffi::c_void,
        size: u32,
    ) -> c_int;
    fn recv(socket: c_int, buffer: *mut std::ffi::c_void, size: usize, flags: c_int) -> isize;
    fn getrlimit(resource: c_int, limit: *mut Limit) -> c_int;
    fn setrlimit(resource: c_int, limit: *const Limit) -> c_int;
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_reset_reaches_the_peer_as_a_reset() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        assert!(!is_closed(&server));
        reset(&server);
        drop(server);
        let error = client.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert!(is_closed(&client));
    }
}
