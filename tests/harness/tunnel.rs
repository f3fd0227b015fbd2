//! The two threads that carry one connection through the proxy.
//!
//! The one that reads the client knows where a request starts and ends, asks the hook for a plan
//! and counts. The one that reads the server belongs to the answer of the latest request:
//! clients do not send the next one before they have it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use opencode_fake_provider::socket;

use crate::chunk_duplicator::ChunkDuplicator;
use crate::plan::Flow;
use crate::proxy::{STACK, State};
use crate::{Asked, End, Plan};

/// Longest request head, in bytes.
const HEAD: u64 = 1 << 20;
/// Bytes carried at a time.
const CHUNK: usize = 16 * 1024;
/// How often a pause looks whether anybody is still there.
const GLANCE: Duration = Duration::from_millis(10);
/// How long a client may go on sending after an orderly end.
const DRAIN: Duration = Duration::from_secs(5);

/// One connection: both sockets and what is going on.
pub(crate) struct Link {
    number: u64,
    client: TcpStream,
    target: SocketAddr,
    server: OnceLock<TcpStream>,
    over: AtomicBool,
    exchange: Mutex<Exchange>,
}

/// The answer that is on its way.
#[derive(Clone, Copy, Default)]
struct Exchange {
    /// The number of its request.
    request: u64,
    flow: Flow,
    /// Bytes so far.
    passed: u64,
}

impl Link {
    pub(crate) fn new(number: u64, client: TcpStream, target: SocketAddr) -> Link {
        Link {
            number,
            client,
            target,
            server: OnceLock::new(),
            over: AtomicBool::new(false),
            exchange: Mutex::default(),
        }
    }

    /// Ends the connection towards both sides.
    pub(crate) fn cut(&self, end: End) {
        self.over.store(true, Ordering::SeqCst);
        match end {
            End::Reset => socket::reset(&self.client),
            End::Close => {
                let _ = self.client.shutdown(Shutdown::Write);
                // Wakes the reader of the client sooner or later: the client closes, or this.
                let _ = self.client.set_read_timeout(Some(DRAIN));
            }
        }
        if let Some(server) = self.server.get() {
            let _ = server.shutdown(Shutdown::Both);
        }
    }

    /// Ends the connection without regard for what is on its way.
    pub(crate) fn close(&self) {
        self.cut(End::Close);
        let _ = self.client.shutdown(Shutdown::Both);
    }

    fn exchange(&self) -> MutexGuard<'_, Exchange> {
        self.exchange.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carries a connection until it is over.
pub(crate) fn run(state: &Arc<State>, link: Arc<Link>) {
    let _ = link.client.set_nodelay(true);
    let answers = carry_requests(state, &link).ok();
    if link.over.load(Ordering::SeqCst) {
        drain(&link.client);
    } else if let Some(server) = link.server.get() {
        // The client is done; the server may still be answering.
        let _ = server.shutdown(Shutdown::Write);
    }
    if let Some(thread) = answers.flatten() {
        let _ = thread.join();
    }
}

/// Reads and drops what the client still sends: closing a socket that holds unread bytes would
/// turn the orderly end into a reset.
fn drain(mut client: &TcpStream) {
    let end = Instant::now() + DRAIN;
    let mut chunk = [0; 4096];
    while matches!(client.read(&mut chunk), Ok(1..)) && Instant::now() < end {}
}

type Answers = Option<thread::JoinHandle<()>>;

/// Ends without error when the client is done, when a plan ended the connection, or when the
/// server is gone.
fn carry_requests(state: &Arc<State>, link: &Arc<Link>) -> io::Result<Answers> {
    let mut reader = BufReader::with_capacity(CHUNK, &link.client);
    let mut answers = None;
    for request in 0.. {
        let Ok(Some(mut head)) = read_head(&mut reader) else { break };
        let plan = ask(state, link, request, &head);
        pad_target(&mut head, plan.pad);
        if let Some(end) = plan.refuse {
            state.cuts.fetch_add(1, Ordering::Relaxed);
            link.cut(end);
            break;
        }
        if let Some(answer) = plan.instead {
            let _ = (&link.client).write_all(answer.as_bytes());
            link.cut(End::Close);
            break;
        }
        if !pause(state, link, plan.delay) {
            break;
        }
        let server = match link.server.get() {
            Some(server) => server,
            None => match TcpStream::connect(link.target) {
                Ok(server) => {
                    let _ = server.set_nodelay(true);
                    let server = link.server.get_or_init(|| server);
                    answers = Some(spawn_answers(state, link)?);
                    server
                }
                Err(_) => {
                    link.cut(End::Reset);
                    break;
                }
            },
        };
        let mut gate = Gate { state, link, flow: plan.request, passed: 0 };
        let carried = gate
            .pass(server, &head, &state.request_bytes)
            .and_then(|()| carry_body(&mut reader, &head, server, &mut gate));
        if carried.is_err() {
            break;
        }
    }
    Ok(answers)
}

fn ask(state: &State, link: &Link, request: u64, head: &[u8]) -> Plan {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
    let asked = Asked {
        method: words.next().unwrap_or_default(),
        target: words.next().unwrap_or_default(),
        headers: headers.collect(),
        connection: link.number,
        request,
    };
    let plan = state.plan(&asked);
    *link.exchange() = Exchange { request, flow: plan.answer, passed: 0 };
    plan
}

fn spawn_answers(state: &Arc<State>, link: &Arc<Link>) -> io::Result<thread::JoinHandle<()>> {
    let (state, link) = (state.clone(), link.clone());
    thread::Builder::new().name("proxy".into()).stack_size(STACK).spawn(move || {
        let Some(mut server) = link.server.get() else { return };
        let mut chunk = vec![0; CHUNK];
        let mut chunk_duplicator = ChunkDuplicator::default();
        while let Ok(count @ 1..) = server.read(&mut chunk) {
            let Exchange { request, flow, passed } = *link.exchange();
            let mut gate = Gate { state: &state, link: &link, flow, passed };
            let doubled = flow.twice.then(|| chunk_duplicator.feed(&chunk[..count]));
            let bytes = doubled.as_deref().unwrap_or(&chunk[..count]);
            let carried = gate.pass(&link.client, bytes, &state.answer_bytes);
            // With the end of this answer the client may have sent the next request already.
            let mut exchange = link.exchange();
            if exchange.request == request {
                *exchange = Exchange { request, flow: gate.flow, passed: gate.passed };
            }
            drop(exchange);
            if carried.is_err() {
                break;
            }
        }
        // The reader of the client must learn of it, and the client gets what was sent.
        if !link.over.load(Ordering::SeqCst) {
            let _ = link.client.shutdown(Shutdown::Both);
        }
        let _ = server.shutdown(Shutdown::Both);
    })
}

/// Reads up to the empty line; `None` at the end of the connection.
fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let left = HEAD.saturating_sub(head.len() as u64);
        if reader.take(left).read_until(b'\n', &mut head)? == 0 {
            // What is no complete request has no plan and goes nowhere.
            return Ok(None);
        }
    }
    Ok(Some(head))
}

/// Lengthens the address in the first line of a head.
fn pad_target(head: &mut Vec<u8>, bytes: usize) {
    let mut spaces = head.iter().enumerate().filter(|(_, byte)| **byte == b' ').map(|(at, _)| at);
    let (Some(begin), Some(end)) = (spaces.next(), spaces.next()) else { return };
    let mark = if head[begin..end].contains(&b'?') { b'&' } else { b'?' };
    let padding = [mark].into_iter().chain(std::iter::repeat_n(b'x', bytes.saturating_sub(1)));
    if bytes > 0 {
        head.splice(end..end, padding);
    }
}

fn carry_body(
    reader: &mut impl BufRead,
    head: &[u8],
    server: &TcpStream,
    gate: &mut Gate,
) -> io::Result<()> {
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let header = |name: &str| {
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    };
    if header("upgrade").is_some() {
        return carry(reader, u64::MAX, server, gate);
    }
    if !header("transfer-encoding").is_some_and(|value| value.contains("chunked")) {
        let length = header("content-length").and_then(|value| value.parse().ok());
        return carry(reader, length.unwrap_or(0), server, gate);
    }
    loop {
        let mut line = Vec::new();
        reader.take(HEAD).read_until(b'\n', &mut line)?;
        let size = String::from_utf8_lossy(&line);
        let size = size.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
        gate.pass(server, &line, &gate.state.request_bytes)?;
        // The chunk and its line end; without trailers the last chunk is just that line end.
        carry(reader, size + 2, server, gate)?;
        if size == 0 {
            return Ok(());
        }
    }
}

fn carry(
    reader: &mut impl BufRead,
    mut left: u64,
    server: &TcpStream,
    gate: &mut Gate,
) -> io::Result<()> {
    while left > 0 {
        let chunk = reader.fill_buf()?;
        if chunk.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let count = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        gate.pass(server, &chunk[..count], &gate.state.request_bytes)?;
        reader.consume(count);
        left -= count as u64;
    }
    Ok(())
}

/// Lets bytes of one direction pass as the plan wants it.
struct Gate<'a> {
    state: &'a State,
    link: &'a Link,
    flow: Flow,
    passed: u64,
}

impl Gate<'_> {
    /// An error means that the connection is over.
    fn pass(&mut self, mut to: &TcpStream, mut bytes: &[u8], count: &AtomicU64) -> io::Result<()> {
        loop {
            if let Some((_, time)) = self.flow.stall.filter(|(at, _)| *at == self.passed) {
                self.flow.stall = None;
                if !pause(self.state, self.link, time) {
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
            }
            if let Some((_, end)) = self.flow.cut.filter(|(at, _)| *at == self.passed) {
                self.state.cuts.fetch_add(1, Ordering::Relaxed);
                self.link.cut(end);
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            if bytes.is_empty() {
                return Ok(());
            }
            let (now, later) = bytes.split_at(self.step(bytes.len()));
            to.write_all(now)?;
            count.fetch_add(now.len() as u64, Ordering::Relaxed);
            self.passed += now.len() as u64;
            bytes = later;
            if let Some(speed) = self.flow.speed {
                let time = Duration::from_nanos(now.len() as u64 * 1_000_000_000 / speed);
                if !pause(self.state, self.link, time) {
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
            }
        }
    }

    /// How many of the waiting bytes pass before something has to be decided.
    fn step(&self, waiting: usize) -> usize {
        let marks = [self.flow.cut.map(|(at, _)| at), self.flow.stall.map(|(at, _)| at)];
        let next = marks.into_iter().flatten().filter(|&at| at > self.passed).min();
        let mut step = next.map_or(u64::MAX, |at| at - self.passed);
        if let Some(speed) = self.flow.speed {
            // Twenty pieces a second look like a slow line, not like bursts.
            step = step.min((speed / 20).max(1));
        }
        waiting.min(usize::try_from(step).unwrap_or(usize::MAX))
    }
}

/// Sleeps, but not beyond the end of the connection; false when that has come.
fn pause(state: &State, link: &Link, time: Duration) -> bool {
    let start = Instant::now();
    loop {
        if state.stopping.load(Ordering::SeqCst) || link.over.load(Ordering::SeqCst) {
            return false;
        }
        let left = time.saturating_sub(start.elapsed());
        if left.is_zero() {
            return true;
        }
        if left > GLANCE && socket::is_closed(&link.client) {
            return false;
        }
        thread::sleep(left.min(GLANCE));
    }
}
