//! Which proxy stands on the way to a server, as the variables of the environment say it.
//!
//! ureq reads them too, and takes the first one that it understands, whatever it is for.

use crate::base::error::{Error, Result};
use crate::http::base_url::BaseUrl;
use std::net::IpAddr;
use ureq::Proxy;

/// The proxy of the environment for this server.
///
/// # Errors
/// `invalid_argument` for one that cannot be used.
pub(super) fn for_server(base: &BaseUrl) -> Result<Option<Proxy>> {
    // The variables would be meant for 127.0.0.1 too.
    if base.is_loopback() {
        return Ok(None);
    }
    choose(base, |name| std::env::var(name).ok())
}

/// The same with the variables that `read` gives. The scheme decides, small letters go first, and an empty one is none.
fn choose(base: &BaseUrl, read: impl Fn(&str) -> Option<String>) -> Result<Option<Proxy>> {
    let names = match base.is_tls() {
        true => ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
        false => ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
    };
    let first = |names: &[&'static str]| {
        let value = |name: &&'static str| read(name).map(|value| (*name, value.trim().to_owned()));
        names.iter().filter_map(value).find(|(_, value)| !value.is_empty())
    };
    let Some((name, value)) = first(&names) else { return Ok(None) };
    if first(&["no_proxy", "NO_PROXY"]).is_some_and(|(_, list)| is_exempt(base, &list)) {
        return Ok(None);
    }
    made(name, &value).map(Some)
}

fn made(name: &str, value: &str) -> Result<Proxy> {
    // The value is not shown: it may hold a password.
    let refuse = |what: &str| {
        Error::invalid(format!(
            "client: {name} {what}; write http://host:port, unset it, or name the server's host in NO_PROXY"
        ))
    };
    let (scheme, rest) = value.split_once("://").unwrap_or(("http", value));
    let scheme = scheme.to_ascii_lowercase();
    match scheme.as_str() {
        "http" => {}
        "https" if cfg!(feature = "tls") => {}
        "https" => return Err(refuse("is a proxy of https://, and this library has no TLS")),
        scheme if scheme.starts_with("socks") => {
            return Err(refuse("is a proxy of SOCKS, which cannot be used"));
        }
        _ => return Err(refuse("is no address of a proxy")),
    }
    // ureq takes a port that is none for the usual one.
    let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    BaseUrl::parse(&format!("http://{place}")).map_err(|_| refuse("is no address of a proxy"))?;
    Proxy::new(&format!("{scheme}://{rest}")).map_err(|_| refuse("is no address of a proxy"))
}

/// Whether a list such as `localhost, .example.com, 10.0.0.0/8, box:4096` has this server.
fn is_exempt(base: &BaseUrl, list: &str) -> bool {
    let host = base.host().trim_start_matches('[').trim_end_matches(']');
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let mut entries = list.split(|c: char| c == ',' || c.is_whitespace());
    entries.any(|entry| !entry.is_empty() && fits(&entry.to_ascii_lowercase(), &host, base.port()))
}

fn fits(entry: &str, host: &str, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    if let Some((network, bits)) = entry.split_once('/') {
        return is_within(host, network, bits);
    }
    let (name, wanted) = match entry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, after)) => (name, after.strip_prefix(':')),
        // More than one colon is an address of IPv6.
        None => match entry.split_once(':') {
            Some((name, port)) if !port.contains(':') => (name, Some(port)),
            _ => (entry, None),
        },
    };
    if wanted.is_some_and(|wanted| wanted.parse() != Ok(port)) {
        return false;
    }
    if let (Ok(one), Ok(other)) = (name.parse::<IpAddr>(), host.parse::<IpAddr>()) {
        return one.to_canonical() == other.to_canonical();
    }
    let name = name.strip_prefix('*').unwrap_or(name);
    let name = name.strip_prefix('.').unwrap_or(name);
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_below = || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'));
    !name.is_empty() && (host == name || is_below())
}

/// Whether an address lies in a network such as `10.0.0.0/8`.
fn is_within(host: &str, network: &str, bits: &str) -> bool {
    let (Ok(host), Ok(network), Ok(bits)) =
        (host.parse::<IpAddr>(), network.parse::<IpAddr>(), bits.parse::<u32>())
    else {
        return false;
    };
    match (host.to_canonical(), network) {
        (IpAddr::V4(host), IpAddr::V4(network)) if bits <= 32 => {
            let differ = u32::from(host) ^ u32::from(network);
            differ.leading_zeros() >= bits
        }
        (IpAddr::V6(host), IpAddr::V6(network)) if bits <= 128 => {
            let differ = u128::from(host) ^ u128::from(network);
            differ.leading_zeros() >= bits
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(url: &str, variables: &[(&str, &str)]) -> Result<Option<String>> {
        let base = BaseUrl::parse(url).unwrap().0;
        let value = |name: &str| variables.iter().find(|(known, _)| *known == name);
        let proxy = choose(&base, |name| value(name).map(|(_, value)| (*value).to_owned()))?;
        Ok(proxy.map(|proxy| format!("{}:{}", proxy.host(), proxy.port())))
    }

    #[test]
    fn the_scheme_decides_and_small_letters_go_first() {
        let all = [
            ("http_proxy", "a:1"),
            ("HTTP_PROXY", "http://b:2"),
            ("HTTPS_PROXY", " HTTP://u:p@c:3/ "),
            ("ALL_PROXY", "http://d:4"),
        ];
        for (url, variables, expected) in [
            ("http://box:9", &all[..], Some("a:1")),
            ("http://box:9", &all[1..], Some("b:2")),
            ("http://box:9", &all[2..], Some("d:4")),
            ("http://box:9", &all[2..3], None),
            ("https://box", &all[..], Some("c:3")),
            ("https://box", &all[..2], None),
            ("http://box:9", &[("http_proxy", " "), all[1]], Some("b:2")),
            ("http://box:9", &[], None),
        ] {
            if url.starts_with("https:") && !cfg!(feature = "tls") {
                continue; // Such an address is refused before a proxy is chosen.
            }
            let found = chosen(url, variables).unwrap();
            assert_eq!(found.as_deref(), expected, "{url} {variables:?}");
        }
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_told_and_not_passed_over() {
        for (value, words) in [
            ("socks5://me:secret@a:1", "SOCKS"),
            ("socks5h://a:1", "SOCKS"),
            ("htp://a:1", "no address"),
            ("http://a:99999", "no address"),
            ("http://", "no address"),
            ("me:secret", "no address"),
        ] {
            let variables = [("ALL_PROXY", value), ("HTTPS_PROXY", "http://b:2")];
            let error = chosen("http://box:9", &variables).unwrap_err();
            assert!(error.message().contains("client: ALL_PROXY is"), "{error}");
            assert!(error.message().contains(words), "{error}");
            assert!(!error.message().contains("secret"), "{error}");
            // Who is exempt needs none.
            let variables = [("ALL_PROXY", value), ("NO_PROXY", "box")];
            assert_eq!(chosen("http://box:9", &variables).unwrap(), None);
        }
    }

    #[test]
    fn a_list_of_exemptions_is_read_as_curl_reads_it() {
        let cases = [
            ("http://10.0.0.7:9", "x, 10.0.0.7", true),
            ("http://10.0.0.7:9", "x\t10.0.0.7 y", true),
            ("http://10.0.0.7:9", "10.0.0.0/24", true),
            ("http://10.0.1.7:9", "10.0.0.0/24", false),
            ("http://10.0.1.7:9", "0.0.0.0/0", true),
            ("http://10.0.0.7:9", "10.0.0.0/99,10.0.0.x/8", false),
            ("http://10.0.0.7:9", "10.0.0.7:9", true),
            ("http://10.0.0.7:9", "10.0.0.7:10", false),
            ("http://[fd00::7]:9", "fd00::7", true),
            ("http://[fd00::7]:9", "[fd00:0::7]:9", true),
            ("http://[fd00::7]:9", "fd00::/8", true),
            ("http://[fd00::7]:9", "[fd00::7]:1", false),
            ("http://a.Example.com:9", "example.com", true),
            ("http://a.example.com:9", ".EXAMPLE.com.", true),
            ("http://a.example.com:9", "*.example.com:9", true),
            ("http://example.com.:9", ".example.com", true),
            ("http://badexample.com:9", "example.com", false),
            ("http://box:9", "*", true),
            ("http://box:9", ", .,:9,/", false),
        ];
        for (url, list, is_exempt) in cases {
            let variables = [("HTTP_PROXY", "http://a:1"), ("NO_PROXY", list)];
            assert_eq!(chosen(url, &variables).unwrap().is_none(), is_exempt, "{url} {list}");
        }
        // Small letters go first here too.
        let variables = [("HTTP_PROXY", "a:1"), ("no_proxy", "other"), ("NO_PROXY", "box")];
        assert!(chosen("http://box:9", &variables).unwrap().is_some());
    }
}
