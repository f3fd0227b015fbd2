//! A proxy between client and server that does to a connection what networks do.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::tunnel::{self, Link};
use crate::wait::LIMIT;
use crate::{Asked, End, Error, Plan, Result, http};

/// Request lines kept for [`Proxy::requests`].
const LINES: usize = 10_000;
/// Stack of a connection thread.
pub(crate) const STACK: usize = 128 * 1024;

/// A running proxy. Dropping it closes its port and every connection.
///
/// A hook decides for every request, also for the later ones of a connection. Creating a proxy
/// costs one thread, a connection two more while it lasts.
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    acceptor: Option<JoinHandle<()>>,
}

/// What a proxy has seen since it was started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections accepted.
    pub connections: u64,
    /// Connections that are open now.
    pub open: u64,
    /// Requests that were passed to the hook.
    pub requests: u64,
    /// Connections ended by a plan, refusals included.
    pub cuts: u64,
    /// Bytes that reached the server.
    pub request_bytes: u64,
    /// Bytes that reached the client.
    pub answer_bytes: u64,
}

type Hook = dyn Fn(&Asked) -> Plan + Send + Sync;

/// What the threads of a proxy share.
pub(crate) struct State {
    target: SocketAddr,
    hook: RwLock<Arc<Hook>>,
    pub(crate) stopping: AtomicBool,
    port: Mutex<Port>,
    port_changed: Condvar,
    links: Mutex<HashMap<u64, Weak<Link>>>,
    lines: Mutex<VecDeque<String>>,
    connections: AtomicU64,
    requests: AtomicU64,
    pub(crate) cuts: AtomicU64,
    pub(crate) request_bytes: AtomicU64,
    pub(crate) answer_bytes: AtomicU64,
}

/// Whether the port is to be open, and whether it is.
#[derive(Clone, Copy)]
struct Port {
    wanted: bool,
    open: bool,
}

impl Proxy {
    /// Starts a proxy in front of the server at `url`; everything passes until a hook is set.
    ///
    /// # Errors
    /// When the URL names no address, or no port or thread is to be had.
    pub fn start(url: &str) -> Result<Proxy> {
        opencode_fake_provider::socket::raise_file_limit();
        let (host, _) = http::split(url)?;
        let target = host.to_socket_addrs()?.next();
        let target = target.ok_or_else(|| Error::new(format!("{host} has no address")))?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            target,
            hook: RwLock::new(Arc::new(|_: &Asked| Plan::pass())),
            stopping: AtomicBool::new(false),
            port: Mutex::new(Port { wanted: true, open: true }),
            port_changed: Condvar::new(),
            links: Mutex::default(),
            lines: Mutex::default(),
            connections: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            cuts: AtomicU64::new(0),
            request_bytes: AtomicU64::new(0),
            answer_bytes: AtomicU64::new(0),
        });
        let shared = state.clone();
        let acceptor = thread::Builder::new()
            .name("proxy".into())
            .stack_size(STACK)
            .spawn(move || shared.accept(listener, address))?;
        Ok(Proxy { address, state, acceptor: Some(acceptor) })
    }

    /// The base URL for the client.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Decides about every request from now on, also about those of open connections.
    pub fn hook(&self, hook: impl Fn(&Asked) -> Plan + Send + Sync + 'static) {
        *self.state.hook.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(hook);
    }

    /// Does this to every request that fits the pattern (see [`Asked::is`]), in place of the
    /// hook so far.
    pub fn always(&self, pattern: &str, plan: Plan) {
        let pattern = pattern.to_owned();
        self.hook(move |asked| if asked.is(&pattern) { plan } else { Plan::pass() });
    }

    /// Does this to the next request that fits the pattern, in place of the hook so far.
    pub fn once(&self, pattern: &str, plan: Plan) {
        let pattern = pattern.to_owned();
        let left = AtomicBool::new(true);
        self.hook(move |asked| match asked.is(&pattern) && left.swap(false, Ordering::SeqCst) {
            true => plan,
            false => Plan::pass(),
        });
    }

    /// Lets everything pass from now on. What is stalled or cut stays so.
    pub fn pass(&self) {
        self.hook(|_| Plan::pass());
    }

    /// Ends every open connection.
    pub fn cut_all(&self, end: End) {
        for link in self.state.links() {
            self.state.cuts.fetch_add(1, Ordering::Relaxed);
            link.cut(end);
        }
    }

    /// Closes the port: new connections are refused by the kernel, open ones stay. Returns when
    /// it is so.
    ///
    /// # Errors
    /// When it does not happen within a minute.
    pub fn down(&self) -> Result<()> {
        self.set_port(false)
    }

    /// Opens the port again after [`Proxy::down`]. Returns when it is so.
    ///
    /// # Errors
    /// When somebody else has taken the port and keeps it for a minute.
    pub fn up(&self) -> Result<()> {
        self.set_port(true)
    }

    /// What has happened so far.
    pub fn counters(&self) -> Counters {
        let state = &self.state;
        Counters {
            connections: state.connections.load(Ordering::Relaxed),
            open: state.links().len() as u64,
            requests: state.requests.load(Ordering::Relaxed),
            cuts: state.cuts.load(Ordering::Relaxed),
            request_bytes: state.request_bytes.load(Ordering::Relaxed),
            answer_bytes: state.answer_bytes.load(Ordering::Relaxed),
        }
    }

    /// The last 10,000 requests, as `METHOD target`, in the order they came.
    pub fn requests(&self) -> Vec<String> {
        locked(&self.state.lines).iter().cloned().collect()
    }

    fn set_port(&self, wanted: bool) -> Result<()> {
        let mut port = locked(&self.state.port);
        port.wanted = wanted;
        self.state.port_changed.notify_all();
        if !wanted && port.open {
            // Wakes the acceptor, which looks at the wish.
            let _ = TcpStream::connect(self.address);
        }
        let end = Instant::now() + LIMIT;
        while port.open != wanted {
            if Instant::now() > end {
                return Err(Error::new(format!("port of {} does not change", self.address)));
            }
            let waited = self.state.port_changed.wait_timeout(port, Duration::from_millis(50));
            port = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.stopping.store(true, Ordering::SeqCst);
        self.state.port_changed.notify_all();
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        for link in self.state.links() {
            link.close();
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("url", &self.url()).finish_non_exhaustive()
    }
}

impl State {
    /// Asks the hook.
    pub(crate) fn plan(&self, asked: &Asked) -> Plan {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let mut lines = locked(&self.lines);
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(format!("{} {}", asked.method, asked.target));
        drop(lines);
        let hook = self.hook.read().unwrap_or_else(PoisonError::into_inner).clone();
        hook(asked)
    }

    fn links(&self) -> Vec<Arc<Link>> {
        locked(&self.links).values().filter_map(Weak::upgrade).collect()
    }

    fn accept(self: &Arc<State>, listener: TcpListener, address: SocketAddr) {
        let mut listener = Some(listener);
        while !self.stopping.load(Ordering::SeqCst) {
            if !locked(&self.port).wanted {
                listener = None;
            } else if listener.is_none() {
                listener = TcpListener::bind(address).ok();
            }
            let mut port = locked(&self.port);
            if port.open != listener.is_some() {
                port.open = listener.is_some();
                self.port_changed.notify_all();
            }
            let Some(listener) = &listener else {
                let pause = Duration::from_millis(5);
                drop(self.port_changed.wait_timeout(port, pause));
                continue;
            };
            drop(port);
            match listener.accept() {
                Ok((client, _)) if self.is_serving() => self.connect(client),
                // Out of descriptors, or woken: the loop looks which.
                _ => thread::yield_now(),
            }
        }
    }

    fn is_serving(&self) -> bool {
        !self.stopping.load(Ordering::SeqCst) && locked(&self.port).wanted
    }

    fn connect(self: &Arc<State>, client: TcpStream) {
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        let link = Arc::new(Link::new(number, client, self.target));
        locked(&self.links).insert(number, Arc::downgrade(&link));
        let state = self.clone();
        // A thread that cannot be started drops the link, which closes the connection.
        let _ = thread::Builder::new().name("proxy".into()).stack_size(STACK).spawn(move || {
            tunnel::run(&state, link);
            locked(&state.links).remove(&number);
        });
    }
}

/// A thread that panicked leaves nothing half done in these maps.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
