//! Servers that are found.

use crate::server::options;
use opencode_core::{Server, Source, discover};
use opencode_tests::eventually;
use std::time::Duration;

#[test]
fn a_server_that_announces_itself_is_found_by_its_address_in_the_network() {
    let mut options = options();
    options.hostname = "0.0.0.0".to_owned();
    options.arguments = vec!["--mdns".to_owned()];
    let server = Server::start(options).unwrap();
    let url = server.url().unwrap();
    let (_, port) = url.rsplit_once(':').unwrap();
    let found = eventually("the announcement", || {
        let found = discover(Duration::from_secs(2));
        found.into_iter().find(|one| one.source == Source::Mdns && one.url.ends_with(port))
    });
    let host = found.url.trim_start_matches("http://").trim_end_matches(port);
    let host: std::net::IpAddr = host.trim_matches([':', '[', ']']).parse().unwrap();
    assert!(!host.is_unspecified(), "{}", found.url);
    // Its password is not ours to send.
    assert!(found.needs_password && found.version.is_none() && found.dialect.is_none());
}
