//! Tools of the host: functions of the program that uses this library, which the agent can call.
//!
//! A small MCP server on this machine offers them, and the OpenCode server is told of it before a prompt is sent. Calls
//! wait in one mailbox, and whoever polls next, on a thread of the host, takes them.

mod answer;
mod desk;
mod http;
mod place;
mod rpc;
mod seen;
mod service;
mod tool;

use crate::base::cancel::CancelToken;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::signal::Signal;
use crate::base::thread::caught;
use crate::call::caller::{Caller, closed};
use desk::Desk;
use place::ToolPlaces;
use serde_json::value::RawValue;
use service::Service;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

pub use answer::ToolAnswer;
pub(crate) use place::Telling;
pub(crate) use tool::check_prefix;
pub use tool::{HostToolCall, Tool, ToolHandler};

/// How long the last answers have before the OpenCode server is asked to forget the tools.
const WORDS: Duration = Duration::from_millis(200);

/// What waits for whoever polls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct CallsWaiting {
    /// There are calls.
    pub any: bool,
    /// There are some among them that a handler answers.
    pub handled: bool,
    /// The host asked for polls to be more than a look: it goes on with handlers that have not answered yet.
    pub kept: bool,
}

/// Somebody who is polled by the host, and is to say that there are calls.
pub(crate) trait CallListener: Send + Sync {
    /// Notes what waits. Never blocks.
    fn tell_calls(&self, calls: CallsWaiting);
}

/// The tools of one client. Nothing of it runs before there is one.
pub(crate) struct Tools {
    caller: Arc<Caller>,
    desk: Arc<Desk>,
    places: ToolPlaces,
    service: Mutex<ServiceState>,
    has_tools: AtomicBool,
}

enum ServiceState {
    None,
    Running(Service),
    Closed,
}

impl Tools {
    pub(crate) fn new(caller: Arc<Caller>, signal: Arc<Signal>) -> Self {
        Tools {
            places: ToolPlaces::default(),
            desk: Arc::new(Desk::new(&caller.options().tools_prefix, signal)),
            caller,
            service: Mutex::new(ServiceState::None),
            has_tools: AtomicBool::new(false),
        }
    }

    /// Adds a tool, or replaces the one of this name.
    pub(crate) fn add(&self, tool: Tool) -> Result<()> {
        tool.check()?;
        self.caller.check_begin("tool")?;
        self.desk.add(tool);
        self.has_tools.store(true, Ordering::Release);
        Ok(())
    }

    /// Whether there are any. One load.
    pub(crate) fn has_tools(&self) -> bool {
        self.has_tools.load(Ordering::Acquire)
    }

    /// From now on this one is told that there are calls.
    pub(crate) fn listen(&self, listener: Weak<dyn CallListener>) {
        if self.has_tools() {
            self.desk.listen(listener);
        }
    }

    /// Refuses a server that is seen by its address to be on another machine. Never blocks: names are looked up later.
    ///
    /// # Errors
    /// `unsupported`.
    pub(crate) fn check_server(&self) -> Result<()> {
        let base = self.caller.transport().base();
        match place::address(base.host()) {
            Some(ip) if self.has_tools() && !base.is_loopback() => {
                match place::is_this_machine(SocketAddr::new(ip, base.port())) {
                    true => Ok(()),
                    false => Err(elsewhere(base.as_str())),
                }
            }
            _ => Ok(()),
        }
    }

    /// Lets the OpenCode server know the tools, in a directory. Blocks for up to three requests.
    ///
    /// # Errors
    /// What is wrong with the server or the name, in words; those of a request.
    pub(crate) fn place(&self, directory: Option<&str>, telling: &Telling<'_>) -> Result<()> {
        self.check_place(telling)?;
        let version = self.desk.version();
        let (url, token_text) = self.address()?;
        let listed = |path: &str| self.desk.listed(path);
        let listens = |path: &str| self.desk.is_listener(path);
        let (listed, listens) = (&listed, &listens);
        let offer = place::Offer { url: &url, token: &token_text, version, listed, listens };
        let placed = self.places.place(directory, &offer, telling);
        // The server cannot reach what is closed; that is no fault of its.
        placed.map_err(|error| if self.desk.is_closed() { closed("run") } else { error })
    }

    /// Whether the server is on this machine.
    fn check_place(&self, telling: &Telling<'_>) -> Result<()> {
        let transport = self.caller.transport();
        let base = transport.base();
        if base.is_loopback() {
            return Ok(());
        }
        match transport.addresses(telling.limits, telling.token) {
            Some(found) if found.iter().any(|one| place::is_this_machine(*one)) => Ok(()),
            Some(_) => Err(elsewhere(base.as_str())),
            None => {
                let host = base.host();
                let text = format!("run: no address is found for the server's name '{host}'");
                Err(Error::new(ErrorKind::Connection, text).with_operation("run"))
            }
        }
    }

    /// Where the MCP server listens; it is started when nobody did so before.
    fn address(&self) -> Result<(String, String)> {
        let mut service = self.service();
        if let ServiceState::None = *service {
            *service = ServiceState::Running(Service::start(Arc::clone(&self.desk))?);
        }
        match &*service {
            ServiceState::Running(running) => {
                Ok((running.url().to_owned(), running.token().to_owned()))
            }
            _ => Err(closed("run")),
        }
    }

    fn service(&self) -> MutexGuard<'_, ServiceState> {
        self.service.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A tool part of a session changed: its newest form.
    pub(crate) fn see(&self, session: &str, part: &RawValue) {
        if self.has_tools() {
            self.desk.see(session, part);
        }
    }

    /// Whether events tell of sessions in which runs of this client are at work.
    pub(crate) fn set_hearing(&self, hears: bool) {
        if self.has_tools() {
            self.desk.set_hearing(hears);
        }
    }

    /// Lets handlers answer calls, on this thread. Says how many calls it took.
    pub(crate) fn serve(&self) -> usize {
        let mut count = 0;
        while let Some(call) = self.desk.take_handled() {
            count += 1;
            let Some(handler) = call.handler() else { continue };
            let answer = match caught(|| handler(&call)) {
                Ok(Ok(answer)) => answer,
                Ok(Err(message)) => ToolAnswer::failure(message),
                Err(error) => ToolAnswer::failure(error.message()),
            };
            // Whoever was cancelled meanwhile waits for no answer.
            let _ = self.reply(call.id(), answer);
        }
        count
    }

    /// The oldest call that no handler answers. Never blocks for long.
    pub(crate) fn take_call(&self) -> Option<Arc<HostToolCall>> {
        self.desk.take_plain()
    }

    /// Whether a poll would find calls. One load.
    pub(crate) fn has_calls(&self) -> bool {
        self.desk.has_calls()
    }

    /// Blocks until there are calls or none will come, at most for `timeout`. Somebody else may take them first.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> bool {
        self.desk.wait(timeout)
    }

    /// Whether no call will come any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.desk.is_closed()
    }

    /// Whether polls of runs are to be more than a look.
    pub(crate) fn keep(&self, kept: bool) {
        self.desk.keep(kept);
    }

    /// What the client's signal calls the mailbox of calls.
    pub(crate) fn mark(&self) -> u64 {
        self.desk.mark()
    }

    /// Answers a call.
    ///
    /// # Errors
    /// `not_found` when nobody waits for it: it was answered, its time was up, or its run was cancelled.
    pub(crate) fn reply(&self, id: &str, answer: ToolAnswer) -> Result<()> {
        self.desk.reply(id, answer)
    }

    /// Whether a call waits for its answer.
    pub(crate) fn is_open(&self, id: &str) -> bool {
        self.desk.is_open(id)
    }

    /// Whether nothing of it runs.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(*self.service(), ServiceState::None)
    }

    /// Fails the open calls, takes the tools away from the OpenCode server, and ends the thread, all within `limit` and
    /// a moment.
    pub(crate) fn close(&self, limit: Duration) {
        let state = std::mem::replace(&mut *self.service(), ServiceState::Closed);
        let had_calls = self.desk.close();
        if let ServiceState::Running(service) = state {
            let until = Instant::now().checked_add(limit);
            if had_calls {
                // Why they failed is to be read before the connection ends.
                CancelToken::default().sleep(WORDS);
            }
            self.places.leave(&self.caller, until);
            service.close();
        }
    }
}

fn elsewhere(server: &str) -> Error {
    let text = format!(
        "run: the server at {server} is on another machine, and cannot call the tools of this program; use a server on this machine, or a client without tools"
    );
    Error::new(ErrorKind::Unsupported, text).with_operation("run")
}
