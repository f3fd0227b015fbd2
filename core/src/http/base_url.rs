//! [`BaseUrl`]: where the server is, taken apart once, and the safe way to build targets below it.

use crate::base::error::{Error, Result};
use crate::http::credentials::Credentials;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::net::{IpAddr, Ipv4Addr};
use ureq::http::Uri;
use ureq::http::uri::Authority;

/// The address of a server. Never holds user or password: those are taken out while parsing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseUrl {
    /// `http://host:port/prefix`, without a slash at the end.
    text: String,
    host: String,
    port: u16,
    is_tls: bool,
}

impl BaseUrl {
    /// Reads an address such as `http://user:password@host:4096/prefix` or `127.0.0.1:4096`.
    pub(crate) fn parse(text: &str) -> Result<(BaseUrl, Option<Credentials>)> {
        let text = text.trim();
        let full = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        // An address that cannot be read may still hold a password or a token: it is shown without the part before
        // '@', and without what stands behind '?' or '#'.
        let shown = full.rsplit_once('@').map_or(full.as_str(), |(_, host)| host);
        let shown = match shown.find(['?', '#']) {
            Some(end) => format!("{}...", shown.get(..=end).unwrap_or_default()),
            None => shown.to_owned(),
        };
        let wrong = |why: &str| {
            Error::invalid(format!(
                "base_url '{shown}': {why}; write it like http://127.0.0.1:4096"
            ))
        };
        let uri: Uri = full.parse().map_err(|_| wrong("this is no web address"))?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") if cfg!(feature = "tls") => true,
            Some("https") => return Err(wrong("this build has no https support")),
            _ => return Err(wrong("only http and https are supported")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("the host is missing"))?;
        let host = authority.host().to_owned();
        if host.is_empty() {
            return Err(wrong("the host is missing"));
        }
        if uri.query().is_some() || full.contains('#') {
            return Err(wrong("a query ('?...') or fragment ('#...') has no place here"));
        }
        // A password with a slash in it would end the host early, and be sent to somebody else.
        if uri.path().contains('@') {
            return Err(wrong("write '/' in a password as %2F, and '@' in a path as %40"));
        }
        let default = if is_tls { 443 } else { 80 };
        let port = port_of(authority, default).ok_or_else(|| wrong("the port is no number"))?;
        let credentials = authority.as_str().rsplit_once('@').map(|(user, _)| {
            let (name, password) = user.split_once(':').unwrap_or((user, ""));
            Credentials::new(percent_decode(name), percent_decode(password))
        });
        let prefix = uri.path().trim_end_matches('/');
        let scheme = if is_tls { "https" } else { "http" };
        let text = format!("{scheme}://{host}:{port}{prefix}");
        Ok((BaseUrl { text, host, port, is_tls }, credentials))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The host as written; an IPv6 address keeps its brackets.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// Whether the server is on this machine: such requests never go through a proxy.
    pub(crate) fn is_loopback(&self) -> bool {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        let ip = bare.parse::<IpAddr>().ok().or_else(|| old_spelling(bare).map(IpAddr::V4));
        match ip {
            // What a server prints that listens everywhere, 0.0.0.0, is reached on this machine too.
            Some(ip) => ip.to_canonical().is_loopback() || ip.is_unspecified(),
            None => {
                let name = bare.strip_suffix('.').unwrap_or(bare).to_ascii_lowercase();
                name == "localhost" || name.ends_with(".localhost") || is_own_name(&name)
            }
        }
    }

    /// The full address of a path that starts with a slash and is percent-encoded already.
    pub(crate) fn join(&self, path: &str) -> String {
        let mut url = String::with_capacity(self.text.len() + path.len());
        url.push_str(&self.text);
        url.push_str(path);
        url
    }

    /// Whether an absolute address has this scheme, host and port: only then may credentials go there.
    pub(crate) fn is_same_origin(&self, other: &str) -> bool {
        match BaseUrl::parse(other.split(['?', '#']).next().unwrap_or(other)) {
            Ok((other, _)) => {
                self.is_tls == other.is_tls
                    && self.port == other.port
                    && self.host.eq_ignore_ascii_case(&other.host)
            }
            Err(_) => false,
        }
    }
}

/// An IPv4 address as the system reads it too: with fewer parts, of which the last is as long as the missing ones
/// (`127.1`, `2130706433`), in octal or hexadecimal.
fn old_spelling(host: &str) -> Option<Ipv4Addr> {
    let mut address = 0_u64;
    let parts: Vec<&str> = host.split('.').collect();
    if parts.len() > 4 {
        return None;
    }
    for (at, part) in parts.iter().enumerate() {
        let number = match part.strip_prefix('0') {
            Some("") => 0,
            Some(rest) => match rest.strip_prefix(['x', 'X']) {
                Some(hex) => u64::from_str_radix(hex, 16).ok()?,
                None => u64::from_str_radix(rest, 8).ok()?,
            },
            None => part.parse().ok()?,
        };
        let bits = if at + 1 == parts.len() { 8 * (4 - at) } else { 8 };
        if number >> bits != 0 {
            return None;
        }
        address = address << bits | number;
    }
    Some(Ipv4Addr::from_bits(u32::try_from(address).ok()?))
}

/// Whether this machine is called so, also in the local network.
fn is_own_name(name: &str) -> bool {
    let own = own_name().unwrap_or_default().to_ascii_lowercase();
    !own.is_empty() && (name == own || name.strip_suffix(".local") == Some(&own))
}

#[cfg(unix)]
fn own_name() -> Option<String> {
    nix::unistd::gethostname().ok()?.into_string().ok()
}

#[cfg(not(unix))]
fn own_name() -> Option<String> {
    std::env::var("COMPUTERNAME").ok()
}

/// The port of an address, or the default without one; `None` for what is no port.
fn port_of(authority: &Authority, default: u16) -> Option<u16> {
    let bare = authority.as_str().rsplit_once('@').map_or(authority.as_str(), |(_, host)| host);
    match bare.strip_prefix(authority.host()).unwrap_or_default() {
        "" | ":" => Some(default),
        _ => authority.port_u16().filter(|port| *port > 0),
    }
}

/// What stands as it is in one path segment and one query value.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Appends `text` percent-encoded so that it is one path segment or one query value.
pub(crate) fn percent_encode(out: &mut String, text: &str) {
    out.extend(utf8_percent_encode(text, PLAIN));
}

/// Undoes percent-encoding; a `%` that starts no valid escape stays as it is.
pub(crate) fn percent_decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> BaseUrl {
        BaseUrl::parse(text).unwrap().0
    }

    #[test]
    fn user_and_password_are_taken_out() {
        let (url, credentials) = BaseUrl::parse("http://me:p%40ss@host:1/x/").unwrap();
        assert_eq!(url.as_str(), "http://host:1/x");
        assert_eq!(credentials.unwrap().header(), Credentials::new("me", "p@ss").header());
        assert_eq!(url.join("/session"), "http://host:1/x/session");
    }

    #[test]
    fn a_scheme_is_not_needed() {
        assert_eq!(parse("127.0.0.1:4096").as_str(), "http://127.0.0.1:4096");
        assert_eq!(parse("localhost:1").as_str(), "http://localhost:1");
    }

    #[test]
    fn wrong_addresses_say_why_and_show_no_password() {
        for text in [
            "",
            "http://",
            "ftp://h",
            "http://u:secret@",
            "http://u:secret@h o",
            "a b",
            "http://u:secret/2@h",
            "http://u:1/secret@h",
            "http://u:1#secret@h",
            "http://u:1?secret@h",
            "http://u:secret@h:99999",
            "http://h:port",
            "http://h/?token=secret",
            "http://h/x#secret",
            "http://h o/?token=secret",
            "http://h:0",
            "http://[::1",
            "::1",
        ] {
            let error = BaseUrl::parse(text).unwrap_err();
            assert!(error.message().contains("http://127.0.0.1:4096"), "{error}");
            assert!(!error.message().contains("secret"), "{text}: {error}");
        }
        assert!(BaseUrl::parse("http://h/?a=1").is_err());
        assert_eq!(parse("http://h:/x%40y").as_str(), "http://h:80/x%40y");
        assert_eq!(parse("http://[2001:db8::1]").as_str(), "http://[2001:db8::1]:80");
    }

    #[test]
    fn loopback_is_seen_in_all_its_spellings() {
        for text in [
            "127.0.0.1",
            "127.9.9.9:1",
            "http://[::1]:2",
            "http://[::ffff:127.0.0.1]:2",
            "0.0.0.0:4096",
            "LOCALHOST:3",
            "a.localhost",
            "localhost.:4",
            "127.1",
            "127.0.1:5",
            "2130706433",
            "0x7f.0.0.1",
            "0177.1",
            "0",
        ] {
            assert!(parse(text).is_loopback(), "{text}");
        }
        let own = own_name().unwrap();
        for text in [own.clone(), own.to_uppercase(), format!("{own}."), format!("{own}.local")] {
            assert!(parse(&text).is_loopback(), "{text}");
        }
        for text in
            ["10.0.0.1", "10.1", "example.com", "localhost.example.com", "1.127", "134744072"]
        {
            assert!(!parse(text).is_loopback(), "{text}");
        }
    }

    #[test]
    fn origins_compare_scheme_host_and_port() {
        let url = parse("http://h:80/x");
        assert!(url.is_same_origin("http://H/y?z=1"));
        assert!(!url.is_same_origin("http://h:81/"));
        assert!(!url.is_same_origin("http://g/"));
    }

    #[test]
    fn encoding_round_trips() {
        for text in ["a/b", "ä €😀", "100%", "+&=?#", "%zz", ".."] {
            let mut encoded = String::new();
            percent_encode(&mut encoded, text);
            assert!(encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b"%-._~".contains(&b)));
            assert_eq!(percent_decode(&encoded), text);
        }
    }
}
