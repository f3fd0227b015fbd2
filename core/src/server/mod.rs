//! [`Server`]: a server as part of the program.

mod failure;
mod hostname;
mod launch;
mod launch_spec;
mod options;
mod output;
mod process;
mod reaper;
pub(crate) mod replay;
mod state;

pub use options::ServerOptions;
pub use state::ServerState;

use crate::base::error::{Error, Result};
use crate::base::hooks::Home;
use crate::base::thread;
use crate::call::Call;
use crate::call::options::ClientOptions;
use crate::client::Client;
use crate::http::answer::Answer;
use failure::failed;
use launch::{client_options, printed, settle};
use launch_spec::LaunchSpec;
use reaper::{Reaper, random};
use state::{ServerShared, closed};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long running sessions may take to stop when the server is closed.
const SETTLE: Duration = Duration::from_secs(3);
/// How long its processes may take to end.
const END: Duration = Duration::from_secs(15);

/// A server that this program has started: `opencode serve` of 1.x or 2.x on a free port, with a password of its own.
///
/// It ends with everything that it has started when it is [closed](Self::close) or dropped, when this process
/// exits, and when this process is killed. May be used from any thread.
///
/// Tested on Linux; written for macOS and Windows, and not run there.
#[must_use = "the server ends when this is dropped"]
pub struct Server {
    shared: Arc<ServerShared>,
    spec: Arc<LaunchSpec>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
    /// In a copy of the process, made by fork, nothing here ends the server.
    home: Home,
}

impl Server {
    /// Starts a server and blocks until it answers, at most for `start_timeout`.
    ///
    /// # Errors
    /// `invalid_argument` for an option that cannot be used. `start` when it cannot be started: `code` is
    /// `missing`, `exited`, `timeout`, `port` or `platform`, and `body` the end of what it printed.
    pub fn start(options: ServerOptions) -> Result<Server> {
        let server = Server::launch(options)?;
        match server.wait(None) {
            ServerState::Ready => Ok(server),
            _ => {
                let error = server.error().unwrap_or_else(closed);
                server.close();
                Err(error)
            }
        }
    }

    /// Starts a server and returns at once; [`poll`](Self::poll) tells when it is ready.
    ///
    /// # Errors
    /// `invalid_argument`, and `start` when there is no program. All else shows in the state.
    pub fn launch(options: ServerOptions) -> Result<Server> {
        if !cfg!(any(unix, windows)) {
            let text = "starting a server is not supported on this system; start `opencode serve` yourself and connect a client to it";
            return Err(failed("platform", text.to_owned()));
        }
        let password = match &options.password {
            Some(password) => password.clone(),
            None => random(24)?,
        };
        let spec = Arc::new(LaunchSpec::new(options, password, random(16)?)?);
        let shared = Arc::new(ServerShared::default());
        let (mine, fallen, work) = (Arc::clone(&shared), Arc::clone(&shared), Arc::clone(&spec));
        let work = move || launch::run(&mine, &work);
        let thread = thread::start("opencode-server", work, move |error| fallen.fall(error))?;
        let home = Home::here();
        Ok(Server { shared, spec, thread: Arc::new(Mutex::new(Some(thread))), home })
    }

    /// How far it is. Never blocks, and makes no system call when nothing is new.
    pub fn poll(&self) -> ServerState {
        // First: what changes between the two is seen the next time.
        self.shared.seen();
        self.shared.phase()
    }

    /// A descriptor that is readable while there is something new: another state, or the end of what
    /// [`start_close`](Self::start_close) began. Polling clears it. Watch it, and do nothing else with it.
    ///
    /// # Errors
    /// `exhausted` when the system gives no descriptor.
    pub fn fd(&self) -> Result<i64> {
        self.shared.signal.descriptor()
    }

    /// Blocks while it is starting, at most for `timeout`; gives how far it is then. In a copy of the process that was
    /// made by fork it gives how far it was at the fork.
    pub fn wait(&self, timeout: Option<Duration>) -> ServerState {
        if !self.home.is_here() {
            // Nobody here starts it.
            return self.shared.phase();
        }
        self.shared.wait_started(timeout)
    }

    /// Why it failed; `None` while it starts or runs.
    pub fn error(&self) -> Option<Error> {
        self.shared.error()
    }

    /// The address, once it is ready.
    pub fn url(&self) -> Option<String> {
        self.shared.url()
    }

    /// The process while it lives: `None` before it is started, from its end on, as its number may be that of another
    /// process then, and in a copy of this process that was made by fork. With the launcher script of npm, the server is a
    /// child of it.
    pub fn pid(&self) -> Option<u32> {
        // Nobody in a copy learns of its end.
        self.shared.pid().filter(|_| self.home.is_here())
    }

    /// The end of what it printed, at most 64 KiB.
    pub fn output(&self) -> String {
        if self.home.is_here() || self.shared.output.is_free() {
            printed(&self.spec, &self.shared.output)
        } else {
            String::new()
        }
    }

    /// The variables with which another program finds the server, its password included: give them to no one
    /// else.
    ///
    /// # Errors
    /// As [`client`](Self::client).
    pub fn environment(&self) -> Result<Vec<(String, String)>> {
        Ok(vec![
            ("OPENCODE_BASE_URL".to_owned(), self.ready_url()?),
            ("OPENCODE_SERVER_USERNAME".to_owned(), self.spec.options.username.clone()),
            ("OPENCODE_SERVER_PASSWORD".to_owned(), self.spec.password.clone()),
            ("OPENCODE_PASSWORD".to_owned(), self.spec.password.clone()),
        ])
    }

    /// A client of this server. Touches no network.
    ///
    /// # Errors
    /// `start` while it is not ready, with why; `closed` when it was closed.
    pub fn client(&self) -> Result<Client> {
        self.client_with(ClientOptions::from_json("")?)
    }

    /// A client of this server with other options; address, user and password are those of the server.
    ///
    /// # Errors
    /// As [`client`](Self::client), and `invalid_argument` for an option that cannot be used.
    pub fn client_with(&self, options: ClientOptions) -> Result<Client> {
        Client::new(self.client_options(options)?)
    }

    /// The options of a client of this server.
    ///
    /// # Errors
    /// As [`client`](Self::client).
    pub fn client_options(&self, options: ClientOptions) -> Result<ClientOptions> {
        let own = client_options(&self.spec, self.ready_url()?);
        Ok(ClientOptions {
            base_url: own.base_url,
            username: own.username,
            password: own.password,
            ..options
        })
    }

    /// Stops what is running in all sessions, so that it is stored as aborted, then ends the server and
    /// everything that it has started, and waits for that: usually a second, at most half a minute. May be
    /// called again. In a copy of the process that was made by fork it leaves the server alone.
    pub fn close(&self) {
        if !self.home.is_here() {
            self.shared.begin_close_in_copy();
            return;
        }
        end(&self.shared, &self.spec, &self.thread);
    }

    /// Does what [`close`](Self::close) does, in the background; the call is over when nothing of the server is left.
    /// Dropping the call cancels nothing, and neither does cancelling it.
    pub fn start_close(&self) -> Call {
        const NAME: &str = "server.close";
        let signal = &self.shared.signal;
        let gone = || Ok(Answer::made(NAME, String::new()));
        if !self.home.is_here() {
            self.shared.begin_close_in_copy();
            return Call::over(signal, NAME, gone());
        }
        let (shared, spec) = (Arc::clone(&self.shared), Arc::clone(&self.spec));
        let thread = Arc::clone(&self.thread);
        Call::alone_or_here("opencode-close", signal, NAME, move |_| {
            end(&shared, &spec, &thread);
            gone()
        })
    }

    /// For the child after a fork: lets go of what would keep the server alive when the parent is killed.
    pub fn leave_to_parent(&self) {
        if !self.home.is_here() {
            self.shared.begin_close_in_copy();
        }
    }

    fn ready_url(&self) -> Result<String> {
        match self.poll() {
            ServerState::Ready => {
                self.url().ok_or_else(|| failed("timeout", "it has no address".to_owned()))
            }
            ServerState::Starting => {
                Err(failed("timeout", "it is still starting; wait until it is ready".to_owned()))
            }
            ServerState::Failed | ServerState::Closed => Err(self.error().unwrap_or_else(closed)),
        }
    }
}

/// Ends a server, and waits until nothing of it is left.
fn end(shared: &Arc<ServerShared>, spec: &Arc<LaunchSpec>, thread: &Mutex<Option<JoinHandle<()>>>) {
    // First: what this ends is no failure of the runs that are told of it.
    shared.own.was_closed();
    if shared.phase() == ServerState::Ready
        && let (Some(url), Some(dialect)) = (shared.url(), shared.dialect())
        && let Ok(client) = Client::new(client_options(spec, url))
    {
        // When it does not answer there is nothing left to be nice to.
        let _ = settle(&client, dialect, SETTLE);
    }
    shared.begin_close();
    if !shared.wait_gone(END) {
        // The reaper that should have done it was killed.
        Reaper::sweep(&spec.tag);
        if !shared.wait_gone(END) {
            return;
        }
    }
    let thread = thread.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(thread) = thread {
        let _ = thread.join();
    }
}

/// Ends the server like [`close`](Server::close), but at once and without waiting: running sessions are not
/// told.
impl Drop for Server {
    fn drop(&mut self) {
        if self.home.is_here() {
            self.shared.own.was_closed();
            self.shared.begin_close();
        } else {
            self.shared.begin_close_in_copy();
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("state", &self.poll()).finish_non_exhaustive()
    }
}
