//! [`ToolPlaces`]: the directories in which the OpenCode server was told of the tools.

use super::tool::LONGEST;
use crate::base::cancel::CancelToken;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::json::Object;
use crate::base::limits::{Limits, after};
use crate::base::option_names;
use crate::call::caller::{Caller, closed};
use crate::http::answer::Answer;
use crate::protocol::dialect::Dialect;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a server of 2.x is looked at that connects in the background.
const PAUSE: Duration = Duration::from_millis(50);
/// How long it may take to read the list then.
const LIST: Duration = Duration::from_secs(10);
/// How long one that listens may take to read it again.
const HEAR: Duration = Duration::from_secs(10);
/// And how long it needs then to offer to the model what it has read, which nothing tells.
const LEARN: Duration = Duration::from_millis(300);
/// What one request of the leaving may take.
const LEAVE: Duration = Duration::from_millis(300);
/// Stands for the list that a server may or may not have got: an answer was lost. No list has this number.
const UNSURE: u64 = u64::MAX;

/// How a server is told, for whom.
pub(crate) struct Telling<'a> {
    /// With the headers of the run.
    pub(crate) caller: &'a Caller,
    pub(crate) traceparent: Option<&'a str>,
    pub(crate) limits: Limits,
    pub(crate) token: &'a CancelToken,
    /// Hears of each answer.
    pub(crate) note: &'a dyn Fn(&Result<Answer>),
}

/// Where the MCP server of the tools is, and which list of tools it has.
pub(super) struct Offer<'a> {
    pub(super) url: &'a str,
    pub(super) token: &'a str,
    pub(super) version: u64,
    /// Which list was read at this path; 0 for none.
    pub(super) listed: &'a dyn Fn(&str) -> u64,
    /// Whether changes of it are heard at this path.
    pub(super) listens: &'a dyn Fn(&str) -> bool,
}

#[derive(Default)]
pub(super) struct ToolPlaces {
    /// Which list of tools is known where.
    placed: Mutex<HashMap<Option<String>, PlacedList>>,
    /// Stands in the next address: each MCP client counts its requests from one.
    next: AtomicU64,
    /// The tools were taken away: what is told meanwhile is taken back by whoever tells it.
    is_left: AtomicBool,
}

/// What a server was told in one directory.
#[derive(Clone)]
struct PlacedList {
    path: String,
    version: u64,
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
    /// directory, and when it is started again. Called by one thread at a time, so that runs that begin together tell it
    /// once.
    pub(super) fn place(
        &self,
        directory: Option<&str>,
        offer: &Offer<'_>,
        telling: &Telling<'_>,
    ) -> Result<()> {
        let &Telling { caller, traceparent, limits, token, note } = telling;
        let hidden = [("Authorization".to_owned(), offer.token.to_owned())];
        let server =
            Learner { caller, directory, traceparent, hidden: &hidden, limits, token, note };
        let key = directory.map(str::to_owned);
        let known = self.placed().get(&key).cloned();
        let standing = server.standing()?;
        match (&standing, &known) {
            (Standing::Connected, Some(place)) if place.version == offer.version => return Ok(()),
            // One that is added again connects anew, and the calls that are open end unanswered.
            (Standing::Connected, Some(PlacedList { path, version }))
                if *version != UNSURE && has_heard(offer, path, token) =>
            {
                let place = PlacedList { path: path.clone(), version: offer.version };
                self.placed().insert(key, place);
                return Ok(());
            }
            // Somebody else's, perhaps of a program that has ended: then it cannot be connected again.
            (Standing::Connected | Standing::Pending, None) => {
                server.connect()?;
                if server.settled()? == Standing::Connected {
                    return Err(taken(server.name(), directory));
                }
            }
            // What is added once more in its place is not read again by one of 2.x.
            (_, Some(_)) if caller.dialect() == Some(Dialect::Two) => drop(server.remove()),
            _ => {}
        }
        let path = format!("/{}", self.next.fetch_add(1, Ordering::Relaxed));
        let unsure = PlacedList { path: path.clone(), version: UNSURE };
        self.placed().insert(key.clone(), unsure);
        if self.is_left() {
            return Err(closed("run"));
        }
        let added = server.add(&format!("{}{path}", offer.url), offer.token);
        if self.is_left() {
            // That of the run is thrown by the close.
            let token = &CancelToken::default();
            let _ = Learner { limits: parting(LEAVE), token, ..server }.remove();
            return Err(closed("run"));
        }
        match added {
            Ok(()) => {
                let place = PlacedList { path: path.clone(), version: offer.version };
                self.placed().insert(key, place);
            }
            Err(error) => {
                // A server that refused it has what it had.
                if error.status().is_some() {
                    let mut placed = self.placed();
                    match known {
                        Some(place) => drop(placed.insert(key, place)),
                        None => drop(placed.remove(&key)),
                    }
                }
                return Err(error);
            }
        }
        match server.settled()? {
            Standing::Connected => {
                // One of 2.x says so before it has read the list.
                offer.await_list(&path, LIST, token);
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
        self.is_left.store(true, Ordering::SeqCst);
        let placed = std::mem::take(&mut *self.placed());
        for directory in placed.into_keys() {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let total = left.unwrap_or(LEAVE).min(LEAVE);
            if total.is_zero() {
                return;
            }
            let token = CancelToken::default();
            let server = Learner {
                caller,
                directory: directory.as_deref(),
                traceparent: None,
                hidden: &[],
                limits: parting(total),
                token: &token,
                note: &|_| {},
            };
            // A server that is gone knows them no more.
            let _ = server.remove();
        }
    }

    fn is_left(&self) -> bool {
        self.is_left.load(Ordering::SeqCst)
    }

    fn placed(&self) -> MutexGuard<'_, HashMap<Option<String>, PlacedList>> {
        self.placed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Offer<'_> {
    /// Blocks until this list, or a later one, was read at a path. Whether it was.
    fn await_list(&self, path: &str, limit: Duration, token: &CancelToken) -> bool {
        let until = after(limit);
        while (self.listed)(path) < self.version {
            if Instant::now() >= until || !token.sleep(PAUSE) {
                return false;
            }
        }
        true
    }
}

/// Whether the server has read the newest list by itself, as it is told of changes.
fn has_heard(offer: &Offer<'_>, path: &str, token: &CancelToken) -> bool {
    let is_read = (offer.listens)(path) && offer.await_list(path, HEAR, token);
    if is_read {
        token.sleep(LEARN);
    }
    is_read
}

/// An OpenCode server, in one directory.
struct Learner<'a> {
    caller: &'a Caller,
    directory: Option<&'a str>,
    traceparent: Option<&'a str>,
    /// What no message may show.
    hidden: &'a [(String, String)],
    limits: Limits,
    token: &'a CancelToken,
    note: &'a dyn Fn(&Result<Answer>),
}

/// Limits of a request that nobody waits for.
fn parting(total: Duration) -> Limits {
    Limits { total: Some(total), connect: total, ..Limits::default() }
}

impl Learner<'_> {
    /// The name by which the server knows the tools.
    fn name(&self) -> &str {
        &self.caller.options().tools_prefix
    }

    /// Asks in the words of the server, and says whether they were those of 2.x.
    fn ask(
        &self,
        one: (&'static str, Value),
        two: (&'static str, Value),
    ) -> Result<(Answer, Dialect)> {
        let ask = |(name, mut arguments): (&'static str, Value)| {
            if let Some(directory) = self.directory {
                crate::base::json::put(&mut arguments, "directory", directory);
            }
            let (arguments, trace) = (arguments.to_string(), self.traceparent);
            let (limits, token) = (self.limits, self.token);
            let answer =
                self.caller.ask_hiding(name, &arguments, trace, self.hidden, limits, token);
            (self.note)(&answer);
            answer
        };
        self.caller.either(|| Ok((ask(one)?, Dialect::One)), || Ok((ask(two)?, Dialect::Two)))
    }

    fn standing(&self) -> Result<Standing> {
        let (answer, dialect) = self.ask(("mcp.status", json!({})), ("v2.mcp.list", json!({})))?;
        let Ok(all) = Object::parse(answer.bytes()) else { return Ok(Standing::Absent) };
        let status = match dialect {
            Dialect::Two => {
                let servers = all.list("data").into_iter().filter_map(Object::read);
                let mut own = servers.filter(|s| s.text("name").as_deref() == Some(self.name()));
                own.next().and_then(|server| server.get("status").and_then(Object::read))
            }
            Dialect::One => all.object(self.name()),
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
        let (one, two) = (json!({ "name": self.name() }), json!({ "server": self.name() }));
        self.ask(("mcp.connect", one), ("v2.experimental.mcp.connect", two)).map(drop)
    }

    fn add(&self, url: &str, token: &str) -> Result<()> {
        let headers = json!({ "Authorization": token });
        let longest = LONGEST.as_millis() as u64;
        let one = json!({ "name": self.name(), "config": {
            "type": "remote", "url": url, "headers": headers, "oauth": false, "timeout": longest,
        } });
        let two = json!({ "server": self.name(), "config": {
            "type": "remote", "url": url, "headers": headers, "oauth": false, "codemode": false,
            "timeout": { "execution": longest },
        } });
        self.ask(("mcp.add", one), ("v2.experimental.mcp.add", two)).map(drop)
    }

    fn remove(&self) -> Result<()> {
        let (one, two) = (json!({ "name": self.name() }), json!({ "server": self.name() }));
        self.ask(("mcp.disconnect", one), ("v2.experimental.mcp.remove", two)).map(drop)
    }
}

fn taken(name: &str, directory: Option<&str>) -> Error {
    let place = directory.map_or_else(String::new, |directory| format!(" in {directory}"));
    let option = option_names::CLIENT.shown("tools_prefix");
    let text = format!(
        "run: the server has another MCP server '{name}'{place}: that of another program with tools, or of the configuration; give one of the two clients another {option}, close that one, or use another directory"
    );
    Error::new(ErrorKind::Conflict, text).with_operation("run")
}

/// The address that a host is, when it is no name.
pub(super) fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Whether an address that is not one of the loopback belongs to this machine all the same: what is sent there would
/// leave from the very address. Nothing is sent.
pub(super) fn is_this_machine(address: SocketAddr) -> bool {
    let find = || {
        let any = if address.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" };
        let socket = UdpSocket::bind(any).ok()?;
        socket.connect(address).ok()?;
        Some(socket.local_addr().ok()?.ip() == socket.peer_addr().ok()?.ip())
    };
    find().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::options::ClientOptions;
    use std::cell::Cell;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    /// A server that says that it has no tools, and repeats what else it is asked.
    fn echo(listener: &TcpListener) {
        loop {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut asked, mut bytes) = (Vec::new(), [0; 4096]);
            while !asked.ends_with(b"}") && !asked.starts_with(b"GET") {
                let count = stream.read(&mut bytes).unwrap();
                asked.extend_from_slice(&bytes[..count]);
            }
            let asked = String::from_utf8(asked).unwrap();
            let (status, body) = match asked.starts_with("GET") {
                true => ("200 OK", "{}"),
                false => ("400 Bad Request", asked.as_str()),
            };
            let kind = "content-type: application/json\r\nconnection: close";
            let length = body.len();
            let answer =
                format!("HTTP/1.1 {status}\r\n{kind}\r\ncontent-length: {length}\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).unwrap();
            if status.starts_with('4') {
                return;
            }
        }
    }

    #[test]
    fn a_server_that_repeats_the_request_shows_no_token_and_is_told_again() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let dialect = Some(Dialect::One);
        let options = ClientOptions { base_url, dialect, ..ClientOptions::default() };
        let server = std::thread::spawn(move || echo(&listener));
        let caller = Caller::new(options).unwrap();
        let heard = Cell::new(0);
        let telling = Telling {
            caller: &caller,
            traceparent: None,
            limits: Limits::default(),
            token: &CancelToken::default(),
            note: &|answer| heard.set(heard.get() + i32::from(answer.is_ok())),
        };
        let offer = Offer {
            url: "http://127.0.0.1:9",
            token: "Bearer tok3n-of-the-tools",
            version: 1,
            listed: &|_| u64::MAX,
            listens: &|_| false,
        };
        let places = ToolPlaces::default();
        let error = places.place(None, &offer, &telling).unwrap_err();
        server.join().unwrap();
        let shown = format!("{error} {error:?} {}", error.to_json());
        assert_eq!(error.status(), Some(400), "{error}");
        assert!(shown.contains("***") && !shown.contains("tok3n"), "{shown}");
        assert_eq!(heard.get(), 1);
        assert!(places.placed().is_empty(), "it has nothing of ours");
    }

    #[test]
    fn another_machine_is_told_from_this_one() {
        assert!(is_this_machine(SocketAddr::from(([127, 0, 0, 1], 4096))));
        // An address of documentation: nobody has it.
        assert!(!is_this_machine(SocketAddr::from(([192, 0, 2, 1], 4096))));
    }
}
