//! [`Service`]: the MCP server of a client's tools, on this machine. One thread does all of it, and waits for no peer.

use super::desk::{Asker, Desk};
use super::http::{self, Parsed, ToolRequest};
use super::rpc::{self, Reaction};
use crate::base::error::{Error, Result};
use crate::base::limits::after;
use crate::base::pool::join;
use crate::base::{random, thread};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const LISTENER: Token = Token(0);
const WAKER: Token = Token(1);
/// Each directory needs two: one for calls, and one on which it hears of changes.
const MAX_CONNECTIONS: usize = if cfg!(test) { 16 } else { 512 };
/// The pause before connections are taken again when the system could not give one.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long a connection may take to show its first request: anybody on this machine can make one.
const STRANGER: Duration = Duration::from_secs(10);
/// How long one may take to send the rest of a request, or to take an answer.
const SLOW: Duration = Duration::from_secs(30);
/// How often who waits for a tool is given a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
/// How long peers have to take their last answers at the close.
const PARTING: Duration = Duration::from_millis(200);

/// The server while it runs.
pub(super) struct Service {
    url: String,
    token: String,
    is_closing: Arc<AtomicBool>,
    waker: Arc<Waker>,
    thread: JoinHandle<()>,
}

impl Service {
    /// Starts to listen.
    ///
    /// # Errors
    /// `exhausted` when the system gives no port, descriptor, thread or random numbers.
    pub(super) fn start(desk: Arc<Desk>) -> Result<Self> {
        let failed = |e: io::Error| Error::exhausted("port or descriptor", e);
        let secret = random::bytes(32).map_err(|e| failed(io::Error::other(e)))?;
        let token = format!("Bearer {}", URL_SAFE_NO_PAD.encode(secret));
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut listener = TcpListener::bind(any).map_err(failed)?;
        let url = format!("http://{}", listener.local_addr().map_err(failed)?);
        let poll = Poll::new().map_err(failed)?;
        let registry = poll.registry();
        registry.register(&mut listener, LISTENER, Interest::READABLE).map_err(failed)?;
        let waker = Arc::new(Waker::new(registry, WAKER).map_err(failed)?);
        desk.set_waker(Arc::clone(&waker));
        let is_closing = Arc::new(AtomicBool::new(false));
        let work = ServiceWork {
            poll,
            listener,
            desk: Arc::clone(&desk),
            token: token.clone(),
            is_closing: Arc::clone(&is_closing),
            connections: HashMap::new(),
            next: 2,
            accept_at: None,
        };
        let thread = thread::start("opencode-tools", move || work.run(), move |_| desk.fall())?;
        Ok(Service { url, token, is_closing, waker, thread })
    }

    /// The address, without a path.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// What has to stand in `Authorization`.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Sends the answers that are there, and joins the thread.
    pub(super) fn close(self) {
        self.is_closing.store(true, Ordering::Release);
        // A thread that cannot be woken finds the mark at its next turn.
        let _ = self.waker.wake();
        join(vec![self.thread]);
    }
}

/// What the thread owns.
struct ServiceWork {
    poll: Poll,
    listener: TcpListener,
    desk: Arc<Desk>,
    token: String,
    is_closing: Arc<AtomicBool>,
    connections: HashMap<usize, Peer>,
    next: usize,
    /// When to take connections again that could not be taken.
    accept_at: Option<Instant>,
}

struct Peer {
    stream: TcpStream,
    inbound: Vec<u8>,
    outbound: Vec<u8>,
    /// Whether it ever showed the token.
    is_known: bool,
    /// A call of it is open: what comes next waits.
    open: Option<OpenAnswer>,
    /// It listens for changes of the list of tools.
    hears: Option<Hearing>,
    closes: bool,
    /// When what is not whole began: the connection, a request of it, or an answer. Single bytes do not move it.
    since: Instant,
}

struct OpenAnswer {
    request: String,
    is_stream: bool,
    sign_at: Instant,
}

struct Hearing {
    path: String,
    /// The list that it knows of.
    version: u64,
    sign_at: Instant,
}

impl ServiceWork {
    fn run(mut self) {
        let mut events = Events::with_capacity(64);
        let mut parting: Option<Instant> = None;
        loop {
            let due = [self.desk.tick(), self.due(), self.accept_at, parting];
            let due = due.into_iter().flatten().min();
            let wait = due.map(|due| due.saturating_duration_since(Instant::now()));
            // Rounded up: a time below a millisecond would spin.
            let wait = wait.map(|wait| wait.saturating_add(Duration::from_millis(1)));
            if self.poll.poll(&mut events, wait).is_err() {
                events.clear();
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(),
                    WAKER => {}
                    Token(id) => self.on_event(id, event),
                }
            }
            if self.accept_at.is_some_and(|at| Instant::now() >= at) {
                self.accept();
            }
            for (asker, result) in self.desk.take_answers() {
                self.deliver(&asker, &result);
            }
            self.tell_changes();
            self.look_after();
            if self.is_closing.load(Ordering::Acquire) {
                let until = *parting.get_or_insert_with(|| after(PARTING));
                let is_done = self.connections.values().all(|c| c.outbound.is_empty());
                if is_done || Instant::now() >= until {
                    return;
                }
            }
        }
    }

    fn accept(&mut self) {
        self.accept_at = None;
        // Until there are no more: they are told of once.
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => self.add(stream),
                Err(e) => match e.kind() {
                    io::ErrorKind::WouldBlock => return,
                    io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted => {}
                    // No descriptor is free, for one: nothing tells when there is.
                    _ => {
                        self.accept_at = Some(after(ACCEPT_PAUSE));
                        return;
                    }
                },
            }
        }
    }

    fn add(&mut self, mut stream: TcpStream) {
        if self.connections.len() >= MAX_CONNECTIONS {
            // Anybody can make connections, and must not keep the server out by them.
            let strangers = self.connections.iter().filter(|(_, peer)| !peer.is_known);
            let Some(oldest) = strangers.map(|(id, _)| *id).min() else { return };
            self.drop_connection(oldest);
        }
        let id = self.next;
        self.next += 1;
        let interest = Interest::READABLE | Interest::WRITABLE;
        if self.poll.registry().register(&mut stream, Token(id), interest).is_ok() {
            let _ = stream.set_nodelay(true);
            self.connections.insert(id, Peer::new(stream));
        }
    }

    fn on_event(&mut self, id: usize, event: &Event) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let mut is_alive = true;
        if event.is_readable() || event.is_read_closed() {
            is_alive = connection.fill();
        }
        self.react(id);
        // What came before the end is done first, and its answer may still be read.
        self.flush(id);
        if !is_alive || event.is_error() {
            self.drop_connection(id);
        }
    }

    /// Does the requests that are there in full.
    fn react(&mut self, id: usize) {
        while let Some(connection) = self.connections.get_mut(&id)
            && connection.open.is_none()
            && connection.hears.is_none()
            && !connection.closes
        {
            let request = match http::take(&mut connection.inbound, &self.token) {
                Parsed::Request(request) => request,
                Parsed::Partial => return,
                Parsed::Broken(status) => {
                    connection.closes = true;
                    connection.outbound.extend(http::answer(status, ""));
                    return;
                }
            };
            connection.is_known = true;
            // What is there of the next one begins now.
            connection.since = Instant::now();
            connection.closes = !request.keeps_alive;
            let reaction = self.answer(id, &request);
            let Some(connection) = self.connections.get_mut(&id) else { return };
            let bytes = match reaction {
                None if request.method == "GET" => {
                    connection.closes = false;
                    self.desk.set_listener(&request.path, true);
                    let (version, sign_at) = (self.desk.listed(&request.path), after(SIGN_OF_LIFE));
                    connection.hears = Some(Hearing { path: request.path, version, sign_at });
                    http::begin_stream()
                }
                None => http::answer(405, ""),
                Some(Reaction::Answer(json)) => http::answer(200, &json),
                Some(Reaction::Accepted) => http::answer(202, ""),
                Some(Reaction::Refused(json)) => http::answer(400, &json),
                Some(Reaction::Later(request)) => {
                    let sign_at = after(SIGN_OF_LIFE);
                    connection.open = Some(OpenAnswer { request, is_stream: false, sign_at });
                    return;
                }
            };
            connection.outbound.extend(bytes);
        }
    }

    /// Tells peers that listen of a list that they do not know.
    fn tell_changes(&mut self) {
        let version = self.desk.version();
        let is_behind = |peer: &Peer| peer.hears.as_ref().is_some_and(|h| h.version < version);
        let behind: Vec<usize> =
            self.connections.iter().filter(|(_, c)| is_behind(c)).map(|(id, _)| *id).collect();
        for id in behind {
            let Some(connection) = self.connections.get_mut(&id) else { continue };
            if let Some(hears) = &mut connection.hears {
                hears.version = version;
                if connection.outbound.is_empty() {
                    connection.since = Instant::now();
                }
                connection.outbound.extend(http::event(rpc::LIST_CHANGED));
            }
            self.flush(id);
        }
    }

    /// What a request leads to; nothing where it is no message: who asks for a stream listens, and there is no session to
    /// end.
    fn answer(&self, id: usize, request: &ToolRequest) -> Option<Reaction> {
        if request.method != "POST" {
            return None;
        }
        Some(rpc::handle(&self.desk, &request.body, id, &request.path))
    }

    /// Sends the answer to a call.
    fn deliver(&mut self, asker: &Asker, result: &str) {
        let Some(connection) = self.connections.get_mut(&asker.connection) else { return };
        let Some(open) = connection.open.take_if(|open| open.request == asker.request) else {
            return;
        };
        let json = rpc::answer(&asker.request, result);
        let bytes = match open.is_stream {
            true => http::end_stream(&json),
            false => http::answer(200, &json),
        };
        connection.outbound.extend(bytes);
        connection.since = Instant::now();
        self.react(asker.connection);
        self.flush(asker.connection);
    }

    fn flush(&mut self, id: usize) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let is_alive = http::flush(&mut connection.stream, &mut connection.outbound).is_ok();
        let is_over = connection.closes && connection.outbound.is_empty();
        if !is_alive || is_over && connection.open.is_none() {
            self.drop_connection(id);
        }
    }

    /// Forgets a connection. Who asked over it does not want the answer any more.
    fn drop_connection(&mut self, id: usize) {
        if let Some(mut connection) = self.connections.remove(&id) {
            let _ = self.poll.registry().deregister(&mut connection.stream);
            if let Some(hears) = &connection.hears {
                let has_another =
                    |peer: &Peer| peer.hears.as_ref().is_some_and(|other| other.path == hears.path);
                if !self.connections.values().any(has_another) {
                    self.desk.set_listener(&hears.path, false);
                }
            }
            if connection.open.is_some() {
                self.desk.cancel(|asker| asker.connection == id);
            }
        }
    }

    /// When a connection is to be looked after.
    fn due(&self) -> Option<Instant> {
        self.connections.values().filter_map(Peer::due).min()
    }

    /// Gives signs of life, and gives up who is too slow.
    fn look_after(&mut self) {
        let now = Instant::now();
        let is_due = |connection: &Peer| connection.due().is_some_and(|due| now >= due);
        let due: Vec<usize> =
            self.connections.iter().filter(|(_, c)| is_due(c)).map(|(id, _)| *id).collect();
        for id in due {
            let Some(connection) = self.connections.get_mut(&id) else { continue };
            match &mut connection.open {
                Some(open) if connection.outbound.is_empty() => {
                    if !std::mem::replace(&mut open.is_stream, true) {
                        connection.outbound.extend(http::begin_stream());
                    }
                    connection.outbound.extend(http::piece(": waiting\n\n"));
                    open.sign_at = after(SIGN_OF_LIFE);
                    connection.since = now;
                    self.flush(id);
                }
                _ => match &mut connection.hears {
                    Some(hears) if connection.outbound.is_empty() => {
                        hears.sign_at = after(SIGN_OF_LIFE);
                        connection.outbound.extend(http::piece(": here\n\n"));
                        connection.since = now;
                        self.flush(id);
                    }
                    _ => self.drop_connection(id),
                },
            }
        }
    }
}

impl Peer {
    fn new(stream: TcpStream) -> Self {
        Peer {
            stream,
            inbound: Vec::new(),
            outbound: Vec::new(),
            is_known: false,
            open: None,
            hears: None,
            closes: false,
            since: Instant::now(),
        }
    }

    /// Takes what came. Whether more may come.
    fn fill(&mut self) -> bool {
        let was_at_rest = self.is_known && self.inbound.is_empty();
        let is_alive = http::fill(&mut self.stream, &mut self.inbound).unwrap_or(false);
        if was_at_rest && self.outbound.is_empty() && !self.inbound.is_empty() {
            self.since = Instant::now();
        }
        is_alive
    }

    /// When it is to be looked after: one that rests between two requests never.
    fn due(&self) -> Option<Instant> {
        let is_busy = self.open.is_some() || self.hears.is_some();
        let is_stuck = !self.outbound.is_empty() || !is_busy && !self.inbound.is_empty();
        if let Some(hears) = &self.hears
            && !is_stuck
        {
            return Some(hears.sign_at);
        }
        match &self.open {
            _ if !self.is_known => self.since.checked_add(STRANGER),
            _ if is_stuck => self.since.checked_add(SLOW),
            Some(open) => Some(open.sign_at),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::{Tool, ToolAnswer};
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net;

    const LIMIT: Duration = Duration::from_secs(60);

    fn start() -> (Arc<Desk>, Service) {
        let desk = Arc::new(Desk::new("host", Arc::default()));
        desk.add(Tool::new("echo", "Echoes"));
        let service = Service::start(Arc::clone(&desk)).unwrap();
        (desk, service)
    }

    fn connect(service: &Service) -> BufReader<net::TcpStream> {
        let stream = net::TcpStream::connect(service.url().strip_prefix("http://").unwrap());
        let stream = stream.unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        BufReader::new(stream)
    }

    fn post(stream: &mut BufReader<net::TcpStream>, token: &str, body: &str) {
        let length = body.len();
        let head = format!(
            "POST /1 HTTP/1.1\r\nauthorization: {token}\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.get_mut().write_all(head.as_bytes()).unwrap();
    }

    /// The status and the body of the next answer.
    fn read(stream: &mut BufReader<net::TcpStream>) -> (u16, String) {
        let (mut status, mut length) = (0, 0);
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
                status = rest[..3].parse().unwrap();
            }
            if let Some(rest) = line.strip_prefix("content-length: ") {
                length = rest.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        (status, String::from_utf8(body).unwrap())
    }

    fn call(id: usize) -> String {
        let params = format!(r#"{{"name":"echo","arguments":{{"n":{id}}}}}"#);
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{params}}}"#)
    }

    #[test]
    fn a_thousand_calls_over_some_connections_are_answered_each_with_its_own() {
        let (desk, service) = start();
        let mut peers: Vec<_> = (0..10).map(|_| connect(&service)).collect();
        for round in 0..100 {
            for (at, peer) in peers.iter_mut().enumerate() {
                post(peer, service.token(), &call(round * 10 + at));
            }
            let mut open = 10;
            while open > 0 && desk.wait(Some(LIMIT)) {
                while let Some(call) = desk.take_plain() {
                    desk.reply(call.id(), ToolAnswer::text(call.arguments().get())).unwrap();
                    open -= 1;
                }
            }
            for (at, peer) in peers.iter_mut().enumerate() {
                let (status, body) = read(peer);
                let n = round * 10 + at;
                assert_eq!(status, 200);
                assert!(body.contains(&format!(r#""id":{n},"#)), "{body}");
                assert!(body.contains(&format!(r#"{{\"n\":{n}}}"#)), "{body}");
            }
        }
        service.close();
    }

    #[test]
    fn who_has_no_token_or_sends_nonsense_gets_nothing_and_holds_nobody() {
        let (desk, service) = start();
        let mut stuck = connect(&service);
        stuck.get_mut().write_all(b"POST /1 HTTP/1.1\r\nauthoriz").unwrap();
        for token in ["", "Bearer x"] {
            let mut stranger = connect(&service);
            post(&mut stranger, token, &call(1));
            assert_eq!(read(&mut stranger).0, 401);
        }
        let mut nonsense = connect(&service);
        nonsense.get_mut().write_all(&[0xff; 4096]).unwrap();
        assert_eq!(read(&mut nonsense).0, 400);
        let mut good = connect(&service);
        let head = format!("DELETE /1 HTTP/1.1\r\nauthorization: {}\r\n\r\n", service.token());
        good.get_mut().write_all(head.as_bytes()).unwrap();
        assert_eq!(read(&mut good).0, 405);
        post(&mut good, service.token(), "nonsense");
        assert_eq!(read(&mut good).0, 400);
        post(&mut good, service.token(), r#"{"id":1,"method":"ping"}"#);
        assert_eq!(read(&mut good), (200, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#.to_owned()));
        assert!(!desk.has_calls());
        service.close();
    }

    #[test]
    fn who_listens_is_told_that_the_list_changed() {
        let (desk, service) = start();
        let mut peer = connect(&service);
        post(&mut peer, service.token(), r#"{"id":1,"method":"tools/list"}"#);
        assert_eq!(read(&mut peer).0, 200);
        assert_eq!((desk.listed("/1"), desk.is_listener("/1")), (1, false));
        let mut listener = connect(&service);
        let head = format!("GET /1 HTTP/1.1\r\nauthorization: {}\r\n\r\n", service.token());
        listener.get_mut().write_all(head.as_bytes()).unwrap();
        let mut until = |words: &str| {
            let mut line = String::new();
            while !line.contains(words) {
                line.clear();
                assert_ne!(listener.read_line(&mut line).unwrap(), 0, "{words}");
            }
        };
        until("text/event-stream");
        assert!(desk.is_listener("/1"));
        desk.add(Tool::new("more", "More"));
        until(rpc::LIST_CHANGED);
        post(&mut peer, service.token(), r#"{"id":2,"method":"tools/list"}"#);
        assert!(read(&mut peer).1.contains("more"));
        assert_eq!(desk.listed("/1"), 2);
        drop(listener);
        let began = Instant::now();
        while desk.is_listener("/1") {
            assert!(began.elapsed() < LIMIT);
            std::thread::park_timeout(Duration::from_millis(1));
        }
        service.close();
    }

    #[test]
    fn strangers_hold_no_place_by_their_number_and_no_connection_by_single_bytes() {
        let (_desk, service) = start();
        let strangers: Vec<_> = (0..MAX_CONNECTIONS * 2).map(|_| connect(&service)).collect();
        let mut good = connect(&service);
        post(&mut good, service.token(), r#"{"id":1,"method":"ping"}"#);
        assert_eq!(read(&mut good).0, 200);
        drop(strangers);
        service.close();

        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut far = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (near, _) = listener.accept().unwrap();
        near.set_nonblocking(true).unwrap();
        let mut peer = Peer::new(TcpStream::from_std(near));
        let mut drip = |peer: &mut Peer, bytes: &[u8]| {
            let had = peer.inbound.len();
            far.write_all(bytes).unwrap();
            while peer.inbound.len() < had + bytes.len() {
                assert!(peer.fill());
            }
        };
        let due = peer.due();
        drip(&mut peer, b"P");
        assert!(due.is_some() && peer.due() == due, "of a stranger");
        (peer.is_known, peer.inbound) = (true, Vec::new());
        assert_eq!(peer.due(), None);
        drip(&mut peer, b"P");
        let due = peer.due();
        drip(&mut peer, b"O");
        assert!(due.is_some() && peer.due() == due, "of a request");
    }

    #[test]
    fn a_peer_that_goes_away_takes_its_calls_back_and_a_close_answers_the_others() {
        let (desk, service) = start();
        let mut gone = connect(&service);
        post(&mut gone, service.token(), &call(1));
        assert!(desk.wait(Some(LIMIT)));
        let call_of_gone = desk.take_plain().unwrap();
        drop(gone);
        let began = Instant::now();
        while !call_of_gone.is_over() {
            assert!(began.elapsed() < LIMIT);
            std::thread::park_timeout(Duration::from_millis(1));
        }
        let mut other = connect(&service);
        post(&mut other, service.token(), &call(2));
        assert!(desk.wait(Some(LIMIT)));
        desk.close();
        service.close();
        let (status, body) = read(&mut other);
        assert_eq!(status, 200);
        assert!(body.contains("has closed its client"), "{body}");
    }
}
