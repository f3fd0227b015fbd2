//! The model as a running server.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};

use serde_json::Value;

use crate::chat::Chat;
use crate::log::Log;
use crate::script::{Script, Step};
use crate::{connection, socket};

/// Stack of a connection thread: enough for the deepest JSON that a debug build parses, and
/// small enough for thousands of them.
const STACK: usize = 256 * 1024;

/// A running model. Dropping it closes the port and every connection.
#[derive(Debug)]
pub struct Model {
    address: SocketAddr,
    state: Arc<State>,
    acceptor: Option<JoinHandle<()>>,
}

impl Model {
    /// Starts the model on a port of 127.0.0.1; 0 takes any free one. Does not block.
    ///
    /// # Errors
    /// When the port is taken or no thread can be started.
    pub fn start(port: u16) -> io::Result<Model> {
        socket::raise_file_limit();
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::default());
        let shared = state.clone();
        let acceptor = thread::Builder::new()
            .name("model".into())
            .stack_size(STACK)
            .spawn(move || accept(&listener, &shared))?;
        Ok(Model { address, state, acceptor: Some(acceptor) })
    }

    /// The base URL for a provider, as in `http://127.0.0.1:4000/v1`.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The port that it listens at.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The requests for a completion since the start or the last [`Model::clear_log`], oldest
    /// first, at most the last 10,000.
    ///
    /// An entry has `time` (epoch milliseconds), `kind` (`script`, `default`, `title` or `bad`),
    /// `model`, `messages` (how many), `tools` (names), `user` (the latest user message, 2,000
    /// characters), `system` (200 characters), `step` (null without a script), `session` and
    /// `parent` (as the server names them), `response_format`, `tool_choice` and `outcome`: null
    /// while the answer runs, then `done`, `closed` (by the script) or `client_gone`.
    pub fn log(&self) -> Vec<Value> {
        self.state.log().entries()
    }

    /// How many requests of the log had `words` in their latest user message, those that only
    /// name or summarise a session not counted. With words that no other prompt has: how many
    /// steps of that prompt ran.
    pub fn runs(&self, words: &str) -> usize {
        let of_prompt = |entry: &&Value| {
            entry["kind"] != "title" && entry["user"].as_str().is_some_and(|u| u.contains(words))
        };
        self.log().iter().filter(of_prompt).count()
    }

    /// Forgets the requests so far.
    pub fn clear_log(&self) {
        self.state.log().clear();
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.state.stopping.store(true, Ordering::SeqCst);
        // Wakes the acceptor, which looks at the flag.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        for connection in locked(&self.state.open).values() {
            if let Some(stream) = connection.upgrade() {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }
}

/// What the connections share.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) stopping: AtomicBool,
    log: Mutex<Log>,
    /// How many requests have reached a step that changes after some `times`.
    counts: Mutex<HashMap<u64, u64>>,
    open: Mutex<HashMap<u64, Weak<TcpStream>>>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("stopping", &self.stopping).finish_non_exhaustive()
    }
}

impl State {
    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        locked(&self.log)
    }

    /// The step to play, with `times` and `then` followed. The count belongs to one step of one
    /// prompt in one session.
    pub(crate) fn step<'a>(&self, script: &'a Script, chat: &Chat) -> &'a Step {
        let mut step = script.step(chat.index);
        if step.then.is_none() {
            return step;
        }
        let mut hasher = DefaultHasher::new();
        (&chat.session, &chat.prompt, script.position(chat.index)).hash(&mut hasher);
        let mut counts = locked(&self.counts);
        let count = counts.entry(hasher.finish()).or_default();
        let mut left = *count;
        *count += 1;
        while let Some((times, then)) = &step.then {
            if left < *times {
                break;
            }
            left -= times;
            step = then;
        }
        step
    }
}

fn accept(listener: &TcpListener, state: &Arc<State>) {
    for number in 0.. {
        let accepted = listener.accept();
        if state.stopping.load(Ordering::SeqCst) {
            return;
        }
        // Out of descriptors or a connection that is gone already: the next one may work.
        let Ok((stream, _)) = accepted else {
            thread::yield_now();
            continue;
        };
        let stream = Arc::new(stream);
        locked(&state.open).insert(number, Arc::downgrade(&stream));
        let shared = state.clone();
        let spawned =
            thread::Builder::new().name("model".into()).stack_size(STACK).spawn(move || {
                connection::serve(&stream, &shared);
                locked(&shared.open).remove(&number);
            });
        if spawned.is_err() {
            locked(&state.open).remove(&number);
        }
    }
}

/// A thread that panicked leaves nothing half done in these maps.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
