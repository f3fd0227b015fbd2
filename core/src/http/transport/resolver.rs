//! [`CachingResolver`]: looks a host name up once, not on every request.

use super::exchange::{Cancelled, Exchange, Expired};
use crate::base::limits::{Stage, after};
use crate::base::thread;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;
use ureq::{Error, http};

/// How long an answer of the name service is trusted.
const LIFETIME: Duration = Duration::from_secs(60);
const MAX_ADDRESSES: usize = 16;

/// A resolver that needs no name service for literal addresses and asks it rarely for names.
#[derive(Debug, Default)]
pub(super) struct CachingResolver {
    names: Mutex<HashMap<String, (Instant, Vec<SocketAddr>)>>,
}

impl Resolver for CachingResolver {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.host().ok_or(Error::HostNotFound)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(match uri.scheme() {
            Some(scheme) if *scheme == http::uri::Scheme::HTTPS => 443,
            _ => 80,
        });
        let mut found = self.empty();
        if let Ok(ip) = host.parse::<IpAddr>() {
            found.push(SocketAddr::new(ip, port));
            return Ok(found);
        }
        // The dot is for name services, and not all systems know this name with one.
        let host = match host.strip_suffix('.') {
            Some(bare) if bare.eq_ignore_ascii_case("localhost") => bare,
            _ => host,
        };
        for address in self.look_up(&format!("{host}:{port}"))?.into_iter().take(MAX_ADDRESSES) {
            found.push(address);
        }
        if found.is_empty() { Err(Error::HostNotFound) } else { Ok(found) }
    }
}

impl CachingResolver {
    fn look_up(&self, name: &str) -> Result<Vec<SocketAddr>, Error> {
        let known = self.names().get(name).cloned();
        if let Some((when, addresses)) = &known
            && when.elapsed() < LIFETIME
        {
            return Ok(addresses.clone());
        }
        match ask(name) {
            Ok(addresses) => {
                self.names().insert(name.to_owned(), (Instant::now(), addresses.clone()));
                Ok(addresses)
            }
            // An old address is better than none while the name service is away.
            Err(error) => known.map(|(_, addresses)| addresses).ok_or(error),
        }
    }

    fn names(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Instant, Vec<SocketAddr>)>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The addresses of a host, if there are any. Of a name, the operating system says them.
pub(super) fn addresses(host: &str, port: u16) -> Option<Vec<SocketAddr>> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse::<IpAddr>() {
        Ok(ip) => Some(vec![SocketAddr::new(ip, port)]),
        Err(_) => ask(&format!("{host}:{port}")).ok().filter(|found| !found.is_empty()),
    }
}

/// The system gives no thread to look a name up on.
#[derive(Debug)]
pub(super) struct NoThread(pub(super) io::Error);

impl fmt::Display for NoThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the system gives no thread: {}", self.0)
    }
}

impl std::error::Error for NoThread {}

/// Asks the operating system, on a thread of its own: the call cannot be interrupted and may take a minute.
fn ask(name: &str) -> Result<Vec<SocketAddr>, Error> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let wanted = name.to_owned();
    let work = move || {
        let found = wanted.to_socket_addrs().map(Iterator::collect::<Vec<_>>);
        // Nobody waits any more when the limit was reached.
        let _ = sender.send(found);
    };
    thread::begin("opencode-resolve", work, drop).map_err(|e| io::Error::other(NoThread(e)))?;
    let exchange = Exchange::current();
    let limit = exchange.as_ref().map_or(LIFETIME, |exchange| exchange.limits.connect);
    let until = after(limit);
    loop {
        match receiver.recv_timeout(Duration::from_millis(50)) {
            Ok(Ok(addresses)) => return Ok(addresses),
            Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => return Err(Error::HostNotFound),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if exchange.as_ref().is_some_and(|exchange| exchange.token.ask()) {
            return Err(io::Error::from(Cancelled).into());
        }
        if Instant::now() >= until {
            let expired = Expired { stage: Stage::Connect, limit };
            return Err(io::Error::new(io::ErrorKind::TimedOut, expired).into());
        }
    }
}
