//! [`Pty`]: a program in a terminal on the server's machine.

mod link;
mod opening;
mod options;
mod state;

use crate::base::cancel::CancelToken;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::hooks::{Home, elsewhere};
use crate::base::leaving::{self, Keeper};
use crate::base::pool::{Pool, join};
use crate::base::signal::Signal;
use crate::base::thread::{self, caught};
use crate::call::caller::{Caller, closed};
use crate::call::options::CallOptions;
use crate::http::traceparent;
use link::{Link, TerminalInfo, TerminalKind};
pub use opening::PtyOpening;
pub use options::PtyOptions;
use serde_json::{Map, json};
use state::{Screen, TerminalEnd, TerminalInput};
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

/// Threads that type into the terminals of a client, started when there is something to type.
const WRITERS: usize = 4;
/// The code of the error of a program that the server could not start.
const NO_PROGRAM: &str = "program";

/// A program in a terminal on the server's machine.
///
/// One thread per terminal keeps it connected and gathers its output, a megabyte at most: then it reads on
/// when the host does. A lost connection is made again by itself, from the character at which it broke.
/// Input that was on its way at that moment may be lost; it is never typed twice. A handle may be used from
/// any thread, and keeps its client alive. Dropping it closes the connection; the program goes on until it ends or is killed.
#[must_use = "the terminal is left when this is dropped"]
pub struct Pty {
    shared: Arc<TerminalShared>,
    /// What a copy of the process sees in its place.
    copy: OnceLock<Screen>,
    /// Keeps the threads that type into it.
    _client: Option<Keeper>,
}

struct TerminalShared {
    link: Link,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// After a fork the thread is the parent's.
    home: Home,
}

/// The terminals of a client.
pub(crate) struct Terminals {
    writers: Arc<Pool>,
    open: Mutex<Vec<Weak<TerminalShared>>>,
}

impl Terminals {
    pub(crate) fn new() -> Self {
        Terminals { writers: Arc::new(Pool::new("opencode-pty", WRITERS)), open: Mutex::default() }
    }

    /// Starts a program in a new terminal. Blocks for one request.
    pub(crate) fn create(
        &self,
        caller: &Arc<Caller>,
        signal: &Arc<Signal>,
        options: PtyOptions,
        call: &CallOptions,
    ) -> Result<Pty> {
        if options.cursor.is_some() {
            return Err(Error::invalid("pty: a cursor is for a terminal that exists"));
        }
        let token = CancelToken::with_interrupt(call.interrupt.clone());
        let call = &call.within_span(options.traceparent.as_deref());
        let arguments = options.to_arguments();
        let create = |dialect: TerminalKind| {
            let answer = caller.call(dialect.create(), &arguments, call, &token)?;
            let info = answer.json::<TerminalInfo>()?.unwrapped();
            Ok::<_, Error>((dialect, info.id))
        };
        let (dialect, id) = match create(TerminalKind::New) {
            // An older server.
            Err(error) if error.kind() == ErrorKind::Unsupported => create(TerminalKind::Old),
            made => made,
        }
        .map_err(|error| not_begun(error, &options))?;
        self.attach(caller, signal, &id, Some(dialect), options)
    }

    /// Connects to a terminal that exists, and returns at once.
    pub(crate) fn connect(
        &self,
        caller: &Arc<Caller>,
        signal: &Arc<Signal>,
        id: &str,
        options: PtyOptions,
    ) -> Result<Pty> {
        let program = [&options.command, &options.cwd, &options.title];
        if program.iter().any(|field| field.is_some())
            || !options.args.is_empty()
            || !options.env.is_empty()
        {
            return Err(Error::invalid(
                "pty_connect: command, args, cwd, env and title are for a new terminal",
            ));
        }
        if !id.starts_with("pty") {
            return Err(Error::invalid(format!("pty_connect: '{id}' is no id of a terminal")));
        }
        if let Some(text) = &options.traceparent {
            traceparent::check("pty_connect", text)?;
        }
        self.attach(caller, signal, id, None, options)
    }

    fn attach(
        &self,
        caller: &Arc<Caller>,
        signal: &Arc<Signal>,
        id: &str,
        dialect: Option<TerminalKind>,
        options: PtyOptions,
    ) -> Result<Pty> {
        if caller.is_closed() {
            return Err(closed("pty"));
        }
        let screen = Screen::new(options.cursor.unwrap_or(0).max(0), Arc::clone(signal));
        let size = options.size;
        let shared = Arc::new_cyclic(|shared: &Weak<TerminalShared>| {
            let (shared, writers) = (Weak::clone(shared), Arc::downgrade(&self.writers));
            let wake = Box::new(move || wake(&shared, &writers));
            let (caller, id) = (Arc::clone(caller), id.to_owned());
            TerminalShared {
                link: Link::new(caller, id, dialect, options, screen, wake),
                thread: Mutex::default(),
                home: Home::here(),
            }
        });
        if let Some((cols, rows)) = size {
            shared.enter(TerminalInput::Size(cols, rows))?;
        }
        let (mine, fallen) = (Arc::clone(&shared), Arc::clone(&shared));
        let fall = move |error| fallen.link.screen.finish(TerminalEnd::Failed(error));
        let thread = thread::start("opencode-pty", move || mine.link.run(), fall)?;
        *shared.thread() = Some(thread);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|shared| shared.strong_count() > 0);
        open.push(Arc::downgrade(&shared));
        Ok(Pty { shared, copy: OnceLock::new(), _client: None })
    }

    /// Ends all terminals of this side: what they printed so far can be read, and then reading fails.
    pub(crate) fn end(&self) {
        self.open().iter().for_each(|shared| shared.end(TerminalEnd::Failed(closed("pty"))));
        self.writers.end();
    }

    /// Ends all terminals of this side and joins their threads, below a second.
    pub(crate) fn close(&self) {
        self.end();
        self.open().iter().for_each(|shared| shared.join());
        self.writers.close();
    }

    fn open(&self) -> Vec<Arc<TerminalShared>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.iter().filter_map(Weak::upgrade).collect()
    }
}

/// Says more of a terminal that the server could not begin, of which it says 500 and nothing more. Known words for a mistake of
/// the host's own come from elsewhere, and stay.
fn not_begun(error: Error, options: &PtyOptions) -> Error {
    let is_told = error.kind() != ErrorKind::Server || error.status() != Some(500);
    let Some(command) = options.command.as_ref().filter(|_| !is_told) else { return error };
    let cwd =
        options.cwd.as_ref().map_or(String::new(), |cwd| format!(", or no directory '{cwd}'"));
    let words = format!(
        "the server could not start '{command}': most likely its machine has no such program{cwd}; give one that the PATH of the server has, or an absolute path"
    );
    error.and(&words).with_code(Some(NO_PROGRAM.to_owned()))
}

/// Lets a thread see to the input of a terminal.
fn wake(shared: &Weak<TerminalShared>, writers: &Weak<Pool>) {
    let (Some(shared), Some(writers)) = (shared.upgrade(), writers.upgrade()) else { return };
    let token = shared.link.writer.clone();
    // Refused only when the client is closed, and then nobody waits for it.
    let _ = writers.submit(token, move || {
        if let Err(error) = caught(|| shared.link.write()) {
            shared.link.screen.finish(TerminalEnd::Failed(error));
        }
    });
}

impl Pty {
    /// The same, whose client lives as long as it.
    pub(crate) fn keeping(mut self, client: Option<Keeper>) -> Self {
        self._client = client;
        self
    }

    /// Nobody in a copy of the process reads or types, and the lock may be held for ever there.
    fn screen(&self) -> &Screen {
        if self.shared.home.is_here() {
            return &self.shared.link.screen;
        }
        self.copy.get_or_init(|| {
            let screen = Screen::new(0, Arc::default());
            screen.finish(TerminalEnd::Failed(elsewhere("pty")));
            screen
        })
    }

    fn enter(&self, input: TerminalInput) -> Result<()> {
        if self.shared.home.is_here() { self.shared.enter(input) } else { Err(elsewhere("pty")) }
    }

    /// The id of the terminal, for [`Client::pty_connect`](crate::Client::pty_connect).
    pub fn id(&self) -> &str {
        &self.shared.link.id
    }

    /// Takes what the program printed, waiting at most for `timeout`: a text; `""` when nothing came in time;
    /// `None` when the terminal is over and all was read. A timeout of zero never blocks, for use in a tick;
    /// `None` waits as long as it takes.
    ///
    /// # Errors
    /// `not_found` for a terminal that does not exist, `connection` or `timeout` when the server was out of
    /// reach for too long, `closed` when the client was closed, `unauthorized` and so on.
    pub fn read(&self, timeout: Option<Duration>) -> Result<Option<String>> {
        self.screen().read(timeout)
    }

    /// Blocks until [`read`](Self::read) has something, the end included; false when the time is up. Takes nothing:
    /// for hosts that look after their signals before they take.
    pub fn wait_ready(&self, timeout: Option<Duration>) -> bool {
        self.screen().wait_ready(timeout)
    }

    /// What is there now, as [`read`](Self::read) with a timeout of zero. Never blocks and makes no system
    /// call when nothing is there.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn try_read(&self) -> Result<Option<String>> {
        self.read(Some(Duration::ZERO))
    }

    /// Whether a read would give nothing now, not even the end. Never blocks, and makes no system call.
    pub fn is_idle(&self) -> bool {
        self.screen().is_idle()
    }

    /// Whether a read would give something now, the end included. Never blocks. The client's descriptor is
    /// quiet afterwards until there is more: for event loops that note who is ready and read later.
    pub fn is_ready(&self) -> bool {
        self.screen().look()
    }

    /// The number by which [`Client::take_new`](crate::Client::take_new) tells that there is something new.
    pub fn mark(&self) -> u64 {
        self.screen().mark()
    }

    /// Types a text. Returns at once: it is sent in the background, in order with what else was typed.
    ///
    /// # Errors
    /// `closed` when the terminal is over, `limit` when a megabyte waits to be sent: write it again later. One text
    /// may be longer: it is sent in parts.
    pub fn write(&self, text: &str) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        self.enter(TerminalInput::Text(text.to_owned()))
    }

    /// Gives the terminal another size. Returns at once: it is done in the background, in order with what is
    /// typed.
    ///
    /// # Errors
    /// `invalid_argument` for a size of zero, `closed` when the terminal is over.
    pub fn resize(&self, cols: u32, rows: u32) -> Result<()> {
        let (cols, rows) = options::size(cols, rows)?;
        self.enter(TerminalInput::Size(cols, rows))
    }

    /// Where the next read begins, in UTF-16 units since the terminal was made: what another handle needs to
    /// go on from here.
    pub fn cursor(&self) -> i64 {
        self.screen().cursor()
    }

    /// Whether the terminal is over, and everything that it printed was read. Never blocks.
    pub fn is_over(&self) -> bool {
        self.screen().is_over()
    }

    /// The exit code of the program, once it ended; `None` before, after it was killed, and for terminals of the
    /// server's older kind (`pty.create`), which keep none.
    pub fn exit_code(&self) -> Option<i64> {
        match self.screen().end() {
            Some(TerminalEnd::Exited(code)) => code,
            _ => None,
        }
    }

    /// Whether everything came through that was asked for. False when a reader was slower than the two
    /// megabytes that the server keeps, or the program ended while the connection was down.
    pub fn is_complete(&self) -> bool {
        !self.screen().has_gap()
    }

    /// What [`read`](Self::read) would give, as one JSON object for hosts without a richer type, or `None`
    /// when nothing came in time.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_json(&self, timeout: Option<Duration>) -> Result<Option<String>> {
        Ok(match self.read(timeout)? {
            Some(text) if text.is_empty() => None,
            Some(text) => {
                let json = json!({ "type": "output", "text": text, "cursor": self.cursor() });
                Some(json.to_string())
            }
            None => Some(
                json!({
                    "type": "end",
                    "exitCode": self.exit_code(),
                    "complete": self.is_complete(),
                    "cursor": self.cursor(),
                })
                .to_string(),
            ),
        })
    }

    /// Ends the program and makes the server forget the terminal. Blocks for one request.
    ///
    /// # Errors
    /// Those of a request; `not_found` when it is gone already.
    pub fn kill(&self, options: &CallOptions) -> Result<()> {
        self.shared.kill(options)
    }

    /// What kills it later, wherever the handle is then.
    pub(crate) fn killer(&self) -> impl FnOnce(&CallOptions) -> Result<()> + Send + 'static {
        let shared = Arc::clone(&self.shared);
        move |options| shared.kill(options)
    }

    /// Begins to close the connection and returns at once; [`close`](Self::close) waits for the end of it, which
    /// takes a moment.
    pub fn begin_close(&self) {
        self.shared.end(TerminalEnd::Closed);
    }

    /// Closes the connection and joins the thread, within a second. The program goes on. What was printed so
    /// far can still be read. Dropping the handle does the same, and waits for nothing.
    pub fn close(&self) {
        self.shared.end(TerminalEnd::Closed);
        self.shared.join();
    }
}

/// Nobody waits in a drop: the thread ends by itself.
impl Drop for Pty {
    fn drop(&mut self) {
        self.shared.end(TerminalEnd::Closed);
        if self.shared.home.is_here() {
            leaving::leave(self.shared.thread().take().into_iter().collect());
        }
    }
}

impl fmt::Debug for Pty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pty")
            .field("id", &self.id())
            .field("cursor", &self.cursor())
            .finish_non_exhaustive()
    }
}

impl TerminalShared {
    fn enter(&self, input: TerminalInput) -> Result<()> {
        if self.link.screen.enter(input)? {
            (self.link.wake_writer)();
        }
        Ok(())
    }

    fn kill(&self, options: &CallOptions) -> Result<()> {
        if !self.home.is_here() {
            return Err(elsewhere("pty"));
        }
        let link = &self.link;
        let token = CancelToken::with_interrupt(options.interrupt.clone());
        let arguments = link.arguments(Map::new());
        let options = link.traced(options);
        link.caller.call(link.dialect().remove(), &arguments, &options, &token)?;
        link.screen.finish(TerminalEnd::Removed);
        Ok(())
    }

    fn end(&self, end: TerminalEnd) {
        if !self.home.is_here() {
            // The socket is the parent's too: ending it here would end it there.
            return;
        }
        self.link.screen.finish(end);
        self.link.token.cancel();
        self.link.writer.cancel();
    }

    fn join(&self) {
        // First: after a fork the lock may be held for ever.
        if self.home.is_here() {
            join(self.thread().take().into_iter().collect());
        }
    }

    fn thread(&self) -> std::sync::MutexGuard<'_, Option<JoinHandle<()>>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
