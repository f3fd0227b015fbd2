//! [`Candidate`]: an address that may be that of a server.

use super::Source;
use crate::call::options::ClientOptions;
use crate::http::base_url::BaseUrl;
use crate::http::credentials::Credentials;
use serde::Deserialize;
use std::path::PathBuf;

/// An address, where it came from, and the password that belongs to it.
pub(super) struct Candidate {
    pub(super) base: BaseUrl,
    pub(super) credentials: Option<Credentials>,
    pub(super) source: Source,
}

impl Candidate {
    pub(super) fn new(url: &str, source: Source) -> Option<Candidate> {
        let (base, credentials) = BaseUrl::parse(url).ok()?;
        Some(Candidate { base, credentials, source })
    }

    /// The same for all spellings of an address of this machine.
    pub(super) fn key(&self) -> String {
        let url = self.base.as_str();
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        match rest.strip_prefix(self.base.host()) {
            Some(port) if self.base.is_loopback() => format!("127.0.0.1{port}"),
            _ => url.to_owned(),
        }
    }
}

/// What is known without asking the network.
pub(super) fn known() -> Vec<Candidate> {
    let named = std::env::var("OPENCODE_BASE_URL").is_ok_and(|url| !url.is_empty());
    // Without an address, the credentials of the environment are meant for the default one.
    let source = if named { Source::Environment } else { Source::Default };
    let options = ClientOptions::from_env();
    let environment = options.target().ok();
    let environment =
        environment.map(|(base, credentials)| Candidate { base, credentials, source });
    let default = Candidate::new(&ClientOptions::default().base_url, Source::Default);
    let service = service_file().and_then(|file| std::fs::read_to_string(file).ok());
    let service = service.and_then(|text| registered(&text));
    [environment, default, service].into_iter().flatten().collect()
}

/// Where OpenCode 2.x registers its background service.
fn service_file() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || set("HOME").or_else(|| set("USERPROFILE"));
    let state = set("XDG_STATE_HOME").or_else(|| Some(home()?.join(".local/state")))?;
    Some(state.join("opencode/service.json"))
}

fn registered(text: &str) -> Option<Candidate> {
    #[derive(Deserialize)]
    struct Registration {
        url: String,
        password: Option<String>,
    }
    let registration: Registration = serde_json::from_str(text).ok()?;
    let candidate = Candidate::new(&registration.url, Source::Service)?;
    // The file of this user names a process of this user: nobody else gets its password.
    if !candidate.base.is_loopback() {
        return None;
    }
    let credentials = registration.password.map(|password| Credentials::new("", password));
    Some(Candidate { credentials: credentials.or(candidate.credentials), ..candidate })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_address_are_one() {
        let key = |url| Candidate::new(url, Source::Default).unwrap().key();
        assert_eq!(key("http://127.0.0.1:4096"), key("http://localhost:4096/"));
        assert_eq!(key("http://[::1]:4096"), key("127.0.0.1:4096"));
        assert_ne!(key("http://127.0.0.1:4097"), key("http://127.0.0.1:4096"));
        assert_ne!(key("http://10.0.0.1:4096"), key("http://10.0.0.2:4096"));
    }

    #[test]
    fn the_service_is_read_from_its_file() {
        let text =
            r#"{"id":"x","url":"http://127.0.0.1:49374","pid":7,"password":"p","version":"2.0.5"}"#;
        let found = registered(text).unwrap();
        assert_eq!(found.base.as_str(), "http://127.0.0.1:49374");
        assert!(found.credentials == Some(Credentials::new("opencode", "p")));
        for text in ["", "{}", "[]", r#"{"url":7}"#, r#"{"url":"http://10.0.0.1:1"}"#] {
            assert!(registered(text).is_none(), "{text}");
        }
    }
}
