//! Servers that announce themselves on the local network: `opencode serve --mdns`.

use super::Source;
use super::candidate::Candidate;
use crate::base::cancel::{CancelToken, Interrupt};
use crate::base::limits::after;
use crate::base::mask::Blocked;
use mdns_sd::{ScopedIp, ServiceDaemon, ServiceEvent};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// The servers share their type with every other web server; their names begin alike.
const TYPE: &str = "_http._tcp.local.";
const PREFIX: &str = "opencode-";
/// How long its thread may take to end; it is woken at once.
const END: Duration = Duration::from_secs(1);

/// Listens for so long, unless the token is thrown, and offers what is announced. A system without multicast gives
/// nothing.
pub(super) fn browse(time: Duration, token: &CancelToken, offer: &mut impl FnMut(Candidate)) {
    let until = after(time);
    let blocked = Blocked::begin();
    let daemon = ServiceDaemon::new();
    drop(blocked);
    let Ok(daemon) = daemon else { return };
    if let Ok(events) = daemon.browse(TYPE) {
        while !token.is_cancelled() {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(event) = events.recv_timeout(left.min(Interrupt::PERIOD)) else {
                if left.is_zero() || events.is_disconnected() {
                    break;
                }
                continue;
            };
            if let ServiceEvent::ServiceResolved(service) = event
                && service.fullname.starts_with(PREFIX)
            {
                let addresses = service.addresses.iter().map(ScopedIp::to_ip_addr);
                let found = address(addresses, service.port)
                    .and_then(|address| Candidate::new(&format!("http://{address}"), Source::Mdns));
                found.into_iter().for_each(&mut *offer);
            }
        }
    }
    // A host may unload this library next: the thread must be gone.
    if let Ok(ended) = daemon.shutdown() {
        let _ = ended.recv_timeout(END);
    }
}

/// One address per server, or it would be listed once per network. Link-local ones need a zone that no URL has.
fn address(addresses: impl Iterator<Item = IpAddr>, port: u16) -> Option<SocketAddr> {
    let rank = |ip: &IpAddr| (!ip.is_loopback(), ip.is_ipv6(), *ip);
    let is_usable = |ip: &IpAddr| match ip {
        IpAddr::V4(_) => true,
        IpAddr::V6(ip) => !ip.is_unicast_link_local(),
    };
    let best = addresses.filter(is_usable).min_by_key(rank)?;
    Some(SocketAddr::new(best, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mdns_sd::ServiceInfo;

    #[test]
    fn one_usable_address_is_taken() {
        let ips = ["fe80::1", "2001:db8::1", "10.0.0.2", "10.0.0.1"].map(|ip| ip.parse().unwrap());
        let taken = address(ips.into_iter(), 4096).unwrap();
        assert_eq!(taken.to_string(), "10.0.0.1:4096");
        assert_eq!(address(ips.into_iter().take(2), 1).unwrap().to_string(), "[2001:db8::1]:1");
        assert!(address(ips.into_iter().take(1), 1).is_none());
    }

    #[test]
    fn an_announced_server_is_offered_and_a_printer_is_not() {
        // Announced and heard by two daemons of this machine: it never leaves it.
        let responder = ServiceDaemon::new().unwrap();
        for name in ["opencode-49152", "printer"] {
            let info = ServiceInfo::new(
                TYPE,
                name,
                "opencode.local.",
                "127.0.0.1",
                49152,
                &[("path", "/")][..],
            );
            responder.register(info.unwrap()).unwrap();
        }
        let mut offered = Vec::new();
        let until = Instant::now() + Duration::from_secs(60);
        while offered.is_empty() && Instant::now() < until {
            browse(Duration::from_secs(2), &CancelToken::default(), &mut |candidate: Candidate| {
                offered.push(candidate.key())
            });
        }
        let _ = responder.shutdown();
        offered.dedup();
        assert_eq!(offered, ["127.0.0.1:49152"]);
    }
}
