//! [`ToolPlaces`]: the directories in which the OpenCode server was told of the tools.

use super::desk::NAME;
use super::tool::LONGEST;
use crate::base::cancel::CancelToken;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::json::Object;
use crate::base::limits::{Limits, after};
use crate::call::caller::Caller;
use crate::protocol::dialect::Dialect;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::{IpAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a server of 2.x is looked at that connects in the background.
const PAUSE: Duration = Duration::from_millis(50);
/// How long it may take to read the list then.
const LIST: Duration = Duration::from_secs(10);
/// And how long it needs then to offer to the model what it has read, which nothing tells.
const LEARN: Duration = Duration::from_millis(300);
/// What one request of the leaving may take.
const LEAVE: Duration = Duration::from_millis(300);

/// Where the MCP server of the tools is, and which list of tools it has.
pub(super) struct Offer<'a> {
    pub(super) url: &'a str,
    pub(super) token: &'a str,
    pub(super) version: u64,
    /// Whether the list was read at this path.
    pub(super) was_listed: &'a dyn Fn(&str) -> bool,
}

#[derive(Default)]
pub(super) struct ToolPlaces {
    /// Which list of tools is known where.
    placed: Mutex<HashMap<Option<String>, u64>>,
    /// Stands in the next address: each MCP client counts its requests from one.
    next: AtomicU64,
    /// Held while a server is told, so that runs that begin at the same time tell it once.
    busy: Mutex<()>,
}

/// What the server says of the MCP server of our name.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    Absent,
    Pending,
    Connected,
    /// Switched off, or broken: why.
    Off(String),
}

impl ToolPlaces {
    /// Lets the server know the tools in a directory, if it does not yet: it forgets them whenever it reloads the
    /// directory, and when it is started again.
    pub(super) fn place(
        &self,
        caller: &Caller,
        directory: Option<&str>,
        offer: &Offer<'_>,
        limits: Limits,
        token: &CancelToken,
    ) -> Result<()> {
        let _busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        let server = Learner { caller, directory, limits, token };
        let key = directory.map(str::to_owned);
        let known = self.placed().get(&key).copied();
        let standing = server.standing()?;
        match (&standing, known) {
            (Standing::Connected, Some(version)) if version == offer.version => return Ok(()),
            // Somebody else's, perhaps of a program that has ended: then it cannot be connected again.
            (Standing::Connected | Standing::Pending, None) => {
                server.connect()?;
                if server.settled()? == Standing::Connected {
                    return Err(taken(directory));
                }
            }
            // What is added once more in its place is not read again by one of 2.x.
            (_, Some(_)) if caller.dialect() == Some(Dialect::Two) => drop(server.remove()),
            _ => {}
        }
        let path = format!("/{}", self.next.fetch_add(1, Ordering::Relaxed));
        self.placed().insert(key, offer.version);
        server.add(&format!("{}{path}", offer.url), offer.token)?;
        match server.settled()? {
            Standing::Connected => {
                // One of 2.x says so before it has read the list.
                let until = after(LIST);
                while !(offer.was_listed)(&path) && Instant::now() < until && token.sleep(PAUSE) {}
                if caller.dialect() == Some(Dialect::Two) {
                    token.sleep(LEARN);
                }
                Ok(())
            }
            other => {
                let why = match other {
                    Standing::Off(why) => why,
                    _ => "it does not connect".to_owned(),
                };
                let text = format!(
                    "run: the server cannot use the tools of this program at {}: {why}; it must run on this machine, and reach 127.0.0.1",
                    offer.url
                );
                Err(Error::new(ErrorKind::Unsupported, text).with_operation("run"))
            }
        }
    }

    /// Takes the tools away again, wherever they are known.
    pub(super) fn leave(&self, caller: &Caller, until: Option<Instant>) {
        for directory in std::mem::take(&mut *self.placed()).into_keys() {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let total = left.unwrap_or(LEAVE).min(LEAVE);
            if total.is_zero() {
                return;
            }
            let limits = Limits { total: Some(total), connect: total, ..Limits::default() };
            let token = CancelToken::default();
            let server = Learner { caller, directory: directory.as_deref(), limits, token: &token };
            // A server that is gone knows them no more.
            let _ = server.remove();
        }
    }

    fn placed(&self) -> MutexGuard<'_, HashMap<Option<String>, u64>> {
        self.placed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An OpenCode server, in one directory.
struct Learner<'a> {
    caller: &'a Caller,
    directory: Option<&'a str>,
    limits: Limits,
    token: &'a CancelToken,
}

impl Learner<'_> {
    fn ask(
        &self,
        one: (&'static str, Value),
        two: (&'static str, Value),
    ) -> Result<crate::http::answer::Answer> {
        let ask = |(name, mut arguments): (&'static str, Value)| {
            if let Some(directory) = self.directory {
                crate::base::json::put(&mut arguments, "directory", directory);
            }
            self.caller.ask(name, &arguments.to_string(), self.limits, self.token)
        };
        self.caller.either(|| ask(one), || ask(two))
    }

    fn standing(&self) -> Result<Standing> {
        let answer = self.ask(("mcp.status", json!({})), ("v2.mcp.list", json!({})))?;
        let Ok(all) = Object::parse(answer.bytes()) else { return Ok(Standing::Absent) };
        let status = match self.caller.dialect() {
            Some(Dialect::Two) => {
                let servers = all.list("data").into_iter().filter_map(Object::read);
                let mut own = servers.filter(|s| s.text("name").as_deref() == Some(NAME));
                own.next().and_then(|server| server.get("status").and_then(Object::read))
            }
            _ => all.object(NAME),
        };
        let Some(status) = status else { return Ok(Standing::Absent) };
        Ok(match status.text("status").as_deref() {
            Some("connected") => Standing::Connected,
            Some("pending") => Standing::Pending,
            Some(other) => Standing::Off(status.text("error").unwrap_or_else(|| other.to_owned())),
            None => Standing::Absent,
        })
    }

    /// The standing, once it is no more pending; one that stays so is given up with the limit of a request.
    fn settled(&self) -> Result<Standing> {
        let limit = self.limits.first_byte.unwrap_or(Duration::from_secs(15));
        let until = after(limit);
        loop {
            let standing = self.standing()?;
            if standing != Standing::Pending || Instant::now() >= until || !self.token.sleep(PAUSE)
            {
                return Ok(standing);
            }
        }
    }

    fn connect(&self) -> Result<()> {
        let (one, two) = (json!({ "name": NAME }), json!({ "server": NAME }));
        self.ask(("mcp.connect", one), ("v2.experimental.mcp.connect", two)).map(drop)
    }

    fn add(&self, url: &str, token: &str) -> Result<()> {
        let headers = json!({ "Authorization": token });
        let longest = LONGEST.as_millis() as u64;
        let one = json!({ "name": NAME, "config": {
            "type": "remote", "url": url, "headers": headers, "oauth": false, "timeout": longest,
        } });
        let two = json!({ "server": NAME, "config": {
            "type": "remote", "url": url, "headers": headers, "oauth": false, "codemode": false,
            "timeout": { "execution": longest },
        } });
        self.ask(("mcp.add", one), ("v2.experimental.mcp.add", two)).map(drop)
    }

    fn remove(&self) -> Result<()> {
        let (one, two) = (json!({ "name": NAME }), json!({ "server": NAME }));
        self.ask(("mcp.disconnect", one), ("v2.experimental.mcp.remove", two)).map(drop)
    }
}

fn taken(directory: Option<&str>) -> Error {
    let place = directory.map_or_else(String::new, |directory| format!(" in {directory}"));
    let text = format!(
        "run: the server has another MCP server '{NAME}'{place}: that of another program with tools, or of the configuration; close that one, or use another directory"
    );
    Error::new(ErrorKind::Conflict, text).with_operation("run")
}

/// The address that a host is, when it is no name.
pub(super) fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Whether an address that is not one of the loopback belongs to this machine all the same: what is sent there would
/// leave from the very address. Nothing is sent.
pub(super) fn is_this_machine(host: &str, port: u16) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let find = || {
        let any = if host.contains(':') { "[::]:0" } else { "0.0.0.0:0" };
        let socket = UdpSocket::bind(any).ok()?;
        socket.connect((host, port)).ok()?;
        Some(socket.local_addr().ok()?.ip() == socket.peer_addr().ok()?.ip())
    };
    find().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_machine_is_told_from_this_one() {
        assert!(is_this_machine("127.0.0.1", 4096));
        // An address of documentation: nobody has it.
        assert!(!is_this_machine("192.0.2.1", 4096));
    }
}
