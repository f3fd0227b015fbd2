//! Whether a server can listen at the hostname that it is given: it tells so after seconds only, and as if its port were
//! taken.

use super::failure::failed;
use super::state::ServerShared;
use crate::base::error::{Error, Result};
use crate::base::thread;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How often the wait for the name service looks whether the server was closed.
const GLANCE: Duration = Duration::from_millis(50);

/// Fails when no address of the hostname is one of this machine. What cannot be said is left to the server.
pub(super) fn check(shared: &ServerShared, hostname: &str, until: Instant) -> Result<()> {
    let bare = hostname.trim_start_matches('[').trim_end_matches(']');
    if bare.is_empty() {
        return Ok(());
    }
    let addresses = match bare.parse::<IpAddr>() {
        Ok(ip) => vec![SocketAddr::new(ip, 0)],
        Err(_) => match look_up(shared, bare, until)? {
            Some(addresses) => addresses,
            None => return Ok(()),
        },
    };
    let is_foreign = |address: &SocketAddr| {
        TcpListener::bind(address).is_err_and(|e| e.kind() == ErrorKind::AddrNotAvailable)
    };
    if !addresses.is_empty() && addresses.iter().all(is_foreign) {
        return Err(wrong(bare, "is no address of this machine"));
    }
    Ok(())
}

/// Asks the operating system, on a thread of its own: the call cannot be interrupted and may take a minute. `None` when
/// it takes too long.
fn look_up(shared: &ServerShared, name: &str, until: Instant) -> Result<Option<Vec<SocketAddr>>> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let wanted = (name.to_owned(), 0);
    let work = move || {
        // Nobody waits any more when the server was closed.
        let _ = sender.send(wanted.to_socket_addrs().map(Iterator::collect::<Vec<_>>));
    };
    thread::begin("opencode-resolve", work, drop).map_err(|e| Error::exhausted("thread", e))?;
    loop {
        match receiver.recv_timeout(GLANCE) {
            Ok(Ok(addresses)) => return Ok(Some(addresses)),
            Ok(Err(error)) => return Err(wrong(name, &format!("is not known: {error}"))),
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
            Err(RecvTimeoutError::Timeout) => shared.pause(Duration::ZERO)?,
        }
        if Instant::now() >= until {
            return Ok(None);
        }
    }
}

fn wrong(name: &str, why: &str) -> Error {
    failed(
        "hostname",
        format!(
            "hostname '{name}' {why}; leave it out for 127.0.0.1, or write 0.0.0.0 for all addresses"
        ),
    )
}
