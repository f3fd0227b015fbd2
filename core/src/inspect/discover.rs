//! [`discover`]: the servers that answer right now.

mod candidate;
#[cfg(feature = "mdns")]
mod mdns;

use crate::base::cancel::CancelToken;
use crate::base::error::{ErrorKind, Result};
use crate::base::fields::Fields;
use crate::base::limits::after;
use crate::base::option_names;
use crate::base::thread::start_scoped;
use crate::call::Call;
use crate::call::dialect::identify;
use crate::http::answer::Answer;
use crate::http::credentials::Credentials;
use crate::http::transport::Transport;
use crate::protocol::dialect::{Dialect, ServerInfo};
use candidate::Candidate;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Servers asked at the same time.
const THREADS: usize = 8;
/// Servers asked at all: a network may announce any number.
const MOST: usize = 64;
/// Longer than anybody waits, and short enough for the clock.
const LONGEST: Duration = Duration::from_secs(600);

/// How long is listened to the network at most: whoever is there answers within a second or two.
#[cfg(feature = "mdns")]
const LISTEN: Duration = Duration::from_secs(5);

/// Where an address came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Source {
    /// `OPENCODE_BASE_URL`.
    Environment,
    /// The port that servers take by default.
    Default,
    /// The file in which OpenCode 2.x registers its background service.
    Service,
    /// The local network, by mDNS.
    Mdns,
}

impl Source {
    /// `environment`, `default`, `service` or `mdns`.
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Environment => "environment",
            Source::Default => "default",
            Source::Service => "service",
            Source::Mdns => "mdns",
        }
    }
}

/// A server that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// Its address, for [`ClientOptions`](crate::ClientOptions).
    pub url: String,
    /// Its version; `None` when it says so only to those who know its password.
    pub version: Option<String>,
    /// What it speaks; `None` as above.
    pub dialect: Option<Dialect>,
    /// Whether it wants a password.
    pub needs_password: bool,
    /// Where the address came from; the first of several.
    pub source: Source,
}

impl Found {
    /// The server as one JSON object.
    pub fn to_json(&self) -> String {
        serde_json::json!({
            "url": self.url,
            "version": self.version,
            "dialect": self.dialect.map(Dialect::as_str),
            "needs_password": self.needs_password,
            "source": self.source.as_str(),
        })
        .to_string()
    }
}

/// Lists the servers that answer: what the environment names, the default port of this machine, the background
/// service of OpenCode 2.x, and what announces itself on the local network by mDNS (with the feature `mdns`, which is on unless it is left out).
///
/// A password from the environment is sent only to the server that the environment means, and that of the
/// service only to the service.
///
/// # Blocking
/// At most for `timeout`, whatever the servers and the network do. With mDNS always for half of it, at most five
/// seconds: nobody knows how many will answer.
pub fn discover(timeout: Duration) -> Vec<Found> {
    search(timeout, &CancelToken::default())
}

/// Does what [`discover`] does in the background. The answer is a JSON list of [`Found`]. Its [`Call::fd`] tells when
/// it is there, and cancelling it ends its threads.
///
/// # Errors
/// `exhausted` when the system gives no thread.
pub fn start_discover(timeout: Duration) -> Result<Call> {
    const NAME: &str = "discover";
    Call::alone("opencode-discover", &Arc::default(), NAME, move |token| {
        Ok(Answer::made(NAME, list(timeout, token)))
    })
}

/// How long to look, in the JSON object of a binding: `timeout_ms`; two seconds when it says nothing.
///
/// # Errors
/// `invalid_argument` that names the wrong field and its nearest correct spelling.
pub fn discover_timeout(json: &str) -> Result<Duration> {
    const DEFAULT: Duration = Duration::from_secs(2);
    let mut fields = Fields::new("discover", json, &option_names::DISCOVER)?;
    Ok(fields.time("timeout_ms")?.unwrap_or(DEFAULT))
}

/// What [`discover`] finds, as a JSON list.
pub(crate) fn list(timeout: Duration, token: &CancelToken) -> String {
    let found: Vec<String> = search(timeout, token).iter().map(Found::to_json).collect();
    format!("[{}]", found.join(","))
}

fn search(timeout: Duration, token: &CancelToken) -> Vec<Found> {
    let until = after(timeout.min(LONGEST));
    let (sender, receiver) = mpsc::channel();
    let receiver = Mutex::new(receiver);
    let found = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            let work = || {
                while let Some(candidate) = next(&receiver) {
                    if let Some(one) = probe(candidate, until, &token.child()) {
                        found.lock().unwrap_or_else(PoisonError::into_inner).push(one);
                    }
                }
            };
            // With fewer threads it finds less, that is all.
            let _ = start_scoped(scope, "opencode-discover", work);
        }
        let mut seen = Vec::new();
        let mut offer = |candidate: Candidate| {
            let key = candidate.key();
            if seen.len() < MOST && !seen.contains(&key) {
                seen.push(key);
                // Without any thread nobody takes it.
                let _ = sender.send(candidate);
            }
        };
        candidate::known().into_iter().for_each(&mut offer);
        #[cfg(feature = "mdns")]
        mdns::browse((timeout / 2).min(LISTEN), token, &mut offer);
        drop(sender);
    });
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_by(|a, b| (a.source, &a.url).cmp(&(b.source, &b.url)));
    found
}

/// The next one to be asked; `None` when there will be no more.
fn next(receiver: &Mutex<Receiver<Candidate>>) -> Option<Candidate> {
    receiver.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

fn probe(candidate: Candidate, until: Instant, token: &CancelToken) -> Option<Found> {
    let ask = |credentials: Option<&Credentials>| {
        let left = until.saturating_duration_since(Instant::now());
        let transport = Transport::new(candidate.base.clone(), credentials, &[], None, None)?;
        identify(&transport, left, token)
    };
    let (identity, needs_password) = match ask(None) {
        Ok(identity) => (Some(identity), false),
        // A wrong password is no reason to hide the server.
        Err(error) if error.kind() == ErrorKind::Unauthorized => {
            let known = candidate.credentials.as_ref();
            (known.and_then(|credentials| ask(Some(credentials)).ok()), true)
        }
        Err(_) => return None,
    };
    let (version, dialect) =
        identity.map(|ServerInfo { version, dialect }| (version, dialect)).unzip();
    let url = candidate.base.as_str().to_owned();
    Some(Found { url, version, dialect, needs_password, source: candidate.source })
}
