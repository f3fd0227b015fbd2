//! A server that lies: for what the real one cannot be made to do.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use opencode_fake_provider::{http, socket};
use serde_json::Value;

use crate::{Request, Result};

/// Requests kept for [`Fake::requests`].
const REQUESTS: usize = 10_000;
/// Stack of a connection thread: handlers are test code and may parse and print.
const STACK: usize = 1 << 20;
/// How often a pause looks whether anybody is still there.
const GLANCE: Duration = Duration::from_millis(10);

/// A running fake server. Dropping it closes its port and every connection.
pub struct Fake {
    address: SocketAddr,
    state: Arc<State>,
    acceptor: Option<JoinHandle<()>>,
}

/// What a fake server does with one request: steps, played in order. Then the connection takes
/// the next request, unless it was ended with [`close`](Answer::close) or
/// [`reset`](Answer::reset) or the client wanted it closed.
#[derive(Default)]
pub struct Answer {
    actions: Vec<Action>,
}

enum Action {
    Send(Vec<u8>),
    Repeat(Vec<u8>, u64),
    Pause(Duration),
    Close,
    Reset,
    Raw(Box<Work>),
}

type Work = dyn FnOnce(&TcpStream) -> io::Result<()> + Send;

type Handler = dyn Fn(&Request) -> Answer + Send + Sync;

struct State {
    handler: Box<Handler>,
    stopping: AtomicBool,
    connections: AtomicU64,
    requests: Mutex<VecDeque<Request>>,
    open: Mutex<Vec<Weak<TcpStream>>>,
}

impl Fake {
    /// Starts a server that answers every request as `handler` says, each connection in a thread
    /// of its own.
    ///
    /// # Errors
    /// When no port or thread is to be had.
    pub fn start(handler: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Result<Fake> {
        socket::raise_file_limit();
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            handler: Box::new(handler),
            stopping: AtomicBool::new(false),
            connections: AtomicU64::new(0),
            requests: Mutex::default(),
            open: Mutex::default(),
        });
        let shared = state.clone();
        let acceptor = thread::Builder::new()
            .name("fake".into())
            .stack_size(STACK)
            .spawn(move || accept(&listener, &shared))?;
        Ok(Fake { address, state, acceptor: Some(acceptor) })
    }

    /// The base URL for the client.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The last 10,000 requests that were complete, in the order they came.
    pub fn requests(&self) -> Vec<Request> {
        let requests = self.state.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.iter().cloned().collect()
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> u64 {
        self.state.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.state.stopping.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        let open = self.state.open.lock().unwrap_or_else(PoisonError::into_inner);
        for stream in open.iter().filter_map(Weak::upgrade) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fake").field("url", &self.url()).finish_non_exhaustive()
    }
}

impl Answer {
    /// Nothing at all, and the connection waits for the next request.
    pub fn silence() -> Answer {
        Answer::default()
    }

    /// A complete answer with this status, content type and body.
    pub fn body(status: u16, kind: &str, body: impl AsRef<[u8]>) -> Answer {
        let mut bytes = Vec::new();
        http::write_answer(&mut bytes, status, &[("content-type", kind)], body.as_ref())
            .expect("writing to memory succeeds");
        Answer::silence().send(bytes)
    }

    /// A complete answer in JSON.
    pub fn json(status: u16, body: &Value) -> Answer {
        Answer::body(status, "application/json", body.to_string())
    }

    /// The head of an event stream, which ends with the connection; go on with
    /// [`event`](Answer::event).
    pub fn events() -> Answer {
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
        Answer::silence().send(head)
    }

    /// One event of a stream.
    #[must_use]
    pub fn event(self, event: &Value) -> Answer {
        self.send(format!("data: {event}\n\n"))
    }

    /// Any bytes.
    #[must_use]
    pub fn send(mut self, bytes: impl Into<Vec<u8>>) -> Answer {
        self.actions.push(Action::Send(bytes.into()));
        self
    }

    /// The same bytes so many times; `u64::MAX` floods until the client is gone.
    #[must_use]
    pub fn repeat(mut self, bytes: impl Into<Vec<u8>>, times: u64) -> Answer {
        self.actions.push(Action::Repeat(bytes.into(), times));
        self
    }

    /// Silence for so long; `Duration::MAX` lasts until the client is gone.
    #[must_use]
    pub fn pause(mut self, time: Duration) -> Answer {
        self.actions.push(Action::Pause(time));
        self
    }

    /// The orderly end of the connection (FIN).
    #[must_use]
    pub fn close(mut self) -> Answer {
        self.actions.push(Action::Close);
        self
    }

    /// The sudden end of the connection (RST).
    #[must_use]
    pub fn reset(mut self) -> Answer {
        self.actions.push(Action::Reset);
        self
    }

    /// Whatever else can be done with a socket. An error ends the connection.
    #[must_use]
    pub fn raw(
        mut self,
        work: impl FnOnce(&TcpStream) -> io::Result<()> + Send + 'static,
    ) -> Answer {
        self.actions.push(Action::Raw(Box::new(work)));
        self
    }

    /// Plays the steps; false when the connection is over.
    fn play(self, mut stream: &TcpStream, state: &State) -> io::Result<bool> {
        for action in self.actions {
            match action {
                Action::Send(bytes) => stream.write_all(&bytes)?,
                Action::Repeat(bytes, times) => {
                    for _ in 0..times {
                        stream.write_all(&bytes)?;
                    }
                }
                Action::Pause(time) => {
                    let start = Instant::now();
                    while let left @ 1.. = time.saturating_sub(start.elapsed()).as_nanos() {
                        if state.stopping.load(Ordering::SeqCst) || socket::is_closed(stream) {
                            return Ok(false);
                        }
                        let left = u64::try_from(left).unwrap_or(u64::MAX);
                        thread::sleep(GLANCE.min(Duration::from_nanos(left)));
                    }
                }
                Action::Close => {
                    stream.shutdown(Shutdown::Write)?;
                    // Closing with unread bytes would be a reset.
                    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
                    let mut sink = [0; 4096];
                    while matches!(stream.read(&mut sink), Ok(1..)) {}
                    return Ok(false);
                }
                Action::Reset => {
                    socket::reset(stream);
                    return Ok(false);
                }
                Action::Raw(work) => work(stream)?,
            }
        }
        Ok(true)
    }
}

fn accept(listener: &TcpListener, state: &Arc<State>) {
    loop {
        let accepted = listener.accept();
        if state.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok((stream, _)) = accepted else {
            thread::yield_now();
            continue;
        };
        state.connections.fetch_add(1, Ordering::Relaxed);
        let stream = Arc::new(stream);
        let mut open = state.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|stream| stream.strong_count() > 0);
        open.push(Arc::downgrade(&stream));
        drop(open);
        let shared = state.clone();
        // A thread that cannot be started drops the stream, which closes the connection.
        let _ = thread::Builder::new()
            .name("fake".into())
            .stack_size(STACK)
            .spawn(move || serve(&stream, &shared));
    }
}

fn serve(stream: &TcpStream, state: &State) {
    let _ = stream.set_nodelay(true);
    let mut reader = BufReader::new(stream);
    while let Ok(Some(request)) = http::read_request(&mut reader) {
        let mut requests = state.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if requests.len() == REQUESTS {
            requests.pop_front();
        }
        requests.push_back(request.clone());
        drop(requests);
        let answer = (state.handler)(&request);
        if !matches!(answer.play(stream, state), Ok(true)) || request.wants_close() {
            return;
        }
    }
}
