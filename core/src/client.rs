//! [`Client`]: a handle to one server.

mod background;
mod origin;
mod preparing;
mod task;
mod tools;

use crate::base::cancel::CancelToken;
use crate::base::error::{Error, Result};
use crate::base::leaving::Keeper;
use crate::base::log::{Level, LogQueue, LogRecord};
use crate::base::pool::Pool;
use crate::base::signal::Signal;
use crate::call::Call;
use crate::call::caller::{Caller, closed};
use crate::call::calls::Calls;
use crate::call::options::{CallOptions, ClientOptions};
use crate::call::raw_route::raw_route;
use crate::call::tui::{self, TuiControl};
use crate::events::feed::Feed;
use crate::events::stream::{EventOptions, EventStream, Resolver};
use crate::history::export::{self, ExportOptions, file::Exported};
use crate::history::pages::{MessageOptions, Pages, SessionOptions};
use crate::history::usage::{self, Usage, UsageOptions};
use crate::http::answer::Answer;
use crate::inspect::doctor::Diagnosis;
use crate::inspect::drift::Drift;
use crate::protocol::dialect::ServerInfo;
use crate::protocol::directory::twice;
use crate::protocol::model::{Message, Session};
use crate::protocol::operation::Pace;
use crate::pty::{Pty, PtyOptions, Terminals};
use crate::run::engine::Engine;
use crate::run::{Aim, CompactOptions, Prompt, Reply, Run, Setup};
use crate::tools::check_prefix;
use origin::{Background, Origin};
use serde::Serialize;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, MutexGuard};
use task::Task;

/// A handle to one server. Clones share everything; it may be used from any thread.
///
/// Making one touches no network and starts no thread.
#[derive(Clone)]
pub struct Client(Arc<ClientInner>);

/// The settings of one client, and what it shares with those that were made from it.
struct ClientInner {
    caller: Arc<Caller>,
    origin: Arc<Origin>,
    is_derived: bool,
}

impl Client {
    /// Makes a client. No request is sent.
    ///
    /// # Errors
    /// `invalid_argument` when the address, a header or the prefix of tools cannot be used.
    pub fn new(options: ClientOptions) -> Result<Self> {
        check_prefix(&options.tools_prefix)?;
        let mut options = options;
        let logs = Arc::<LogQueue>::default();
        options.log = options.log.and(logs.log());
        logs.want(options.log_level);
        let caller = Arc::new(Caller::new(options)?);
        let origin = Arc::new(Origin::new(&caller, logs));
        Ok(Client(Arc::new(ClientInner { caller, origin, is_derived: false })))
    }

    /// A client with other settings that shares all that this one has: connections, threads, the event stream, the
    /// descriptor and the log. Costs nothing; touches no network. `options` are those of this client with other values:
    ///
    /// ```no_run
    /// # fn main() -> Result<(), opencode_core::Error> {
    /// let client = opencode_core::Client::from_env()?;
    /// let mut options = client.options().clone();
    /// options.directory = Some("/home/me/project".to_owned());
    /// let project = client.with(options)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Its settings go with all that is done through it, runs too. What all share, the event stream and looks at a
    /// directory for runs, keeps the settings of the first client. [`close`](Self::close) of the first client ends all.
    /// Of the new one it refuses what is begun through it from then on and ends its calls; what was made with it, such as
    /// a run, goes on with the others. The first client stays open as long as one of them is there.
    ///
    /// # Errors
    /// `invalid_argument` for what belongs to the connection: `base_url`, `username`, `password`, `dialect`,
    /// `stall_timeout`, `log_level`, `ca_file`, `record`, `tools_prefix`, and a header that is taken away. `closed` after a close.
    pub fn with(&self, options: ClientOptions) -> Result<Self> {
        self.check_open("with")?;
        let caller = Arc::new(self.0.caller.with(options)?);
        let origin = Arc::clone(&self.0.origin);
        Ok(Client(Arc::new(ClientInner { caller, origin, is_derived: true })))
    }

    /// Like [`with`](Self::with), with the changes as the JSON object of a binding.
    ///
    /// # Errors
    /// As [`with`](Self::with).
    pub fn with_json(&self, json: &str) -> Result<Self> {
        self.with(self.options().changed(json)?)
    }

    /// A client for the server that the environment names; see [`ClientOptions::from_env`].
    ///
    /// # Errors
    /// `invalid_argument` when the address cannot be used.
    pub fn from_env() -> Result<Self> {
        Client::new(ClientOptions::from_env())
    }

    /// The address of the server, without user and password.
    pub fn base_url(&self) -> &str {
        self.0.caller.transport().base().as_str()
    }

    /// What the client was made with.
    pub fn options(&self) -> &ClientOptions {
        self.0.caller.options()
    }

    /// Does an operation, such as `session.update`, with its arguments in one flat object. Blocks until the
    /// answer is there; reads are repeated when they fail in a way that passes.
    ///
    /// What this library does beyond operations has a name too: `usage` (`sessionID`, and the names of [`UsageOptions`]),
    /// `usage_of_all` (the same without a session), `wait_until_ready` (the names of [`ReadyOptions`](crate::ReadyOptions)),
    /// `doctor`, `server`, `drift`, `tui_prompt` (`text`), `discover` (`timeout_ms`), `export` (`sessionID`, `path`, and the
    /// names of [`ExportOptions`]), `attach` (`path`, and the names of [`AttachOptions`](crate::AttachOptions)) and
    /// `request` (`method`, `path`, `query`, `body`). So [`start`](Self::start) does all of it without blocking. The answer
    /// is what the method of this name gives, as JSON.
    ///
    /// # Errors
    /// `invalid_argument` before anything is sent; otherwise every kind of failure of a request.
    pub fn call(&self, operation: &str, arguments: impl Serialize) -> Result<Answer> {
        let json = to_json(operation, &arguments)?;
        self.call_json(operation, &json, &CallOptions::default())
    }

    /// Like [`call`](Self::call), with the arguments as JSON text (`""` for none) and options.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn call_json(&self, operation: &str, json: &str, options: &CallOptions) -> Result<Answer> {
        let token = CancelToken::with_interrupt(options.interrupt.clone());
        match Task::find(operation) {
            Some(task) => task.perform(&self.0.caller, json, options, &token),
            None => self.0.caller.call(operation, json, options, &token),
        }
    }

    /// Whether an operation takes these arguments, as JSON text (`""` for none): what a call would find before it sends
    /// anything. Never blocks.
    ///
    /// # Errors
    /// `invalid_argument`.
    pub fn check_json(&self, operation: &str, json: &str, options: &CallOptions) -> Result<()> {
        match Task::find(operation) {
            // It reads its arguments itself.
            Some(_) => Ok(()),
            None => self.0.caller.check(operation, json, options),
        }
    }

    /// Does an operation in the background.
    ///
    /// # Errors
    /// `closed`, `exhausted` when the system gives no thread. What is wrong with the arguments shows in the
    /// call's result.
    pub fn start(&self, operation: &str, arguments: impl Serialize) -> Result<Call> {
        let json = to_json(operation, &arguments)?;
        self.start_json(operation, &json, CallOptions::default())
    }

    /// Like [`start`](Self::start), with the arguments as JSON text and options.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_json(&self, operation: &str, json: &str, options: CallOptions) -> Result<Call> {
        self.start_and(operation, json, options, Ok)
    }

    /// Like [`start_json`](Self::start_json), and the thread that read the answer makes something of it: what takes a
    /// while, such as to check it, costs whoever polls the call nothing.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_and<T: Clone + Send + 'static>(
        &self,
        operation: &str,
        json: &str,
        options: CallOptions,
        make: impl FnOnce(Answer) -> Result<T> + Send + 'static,
    ) -> Result<Call<T>> {
        let Some(task) = Task::find(operation) else {
            return self.calls().start(operation, json, options, make);
        };
        let (caller, json) = (Arc::clone(&self.0.caller), json.to_owned());
        self.start_work(task.name(), task.pace(), move |token| {
            task.perform(&caller, &json, &options, token).and_then(make)
        })
    }

    /// Does what [`request`](Self::request) does, in the background.
    ///
    /// # Errors
    /// As [`start`](Self::start), and `invalid_argument` for what cannot be sent.
    pub fn start_request(
        &self,
        method: &str,
        path: &str,
        query: &[(String, String)],
        body: Option<&str>,
        options: CallOptions,
    ) -> Result<Call> {
        let routed = raw_route(method, path, &scoped(query, &options), body)?;
        let caller = Arc::clone(&self.0.caller);
        let work = move |token: &CancelToken| caller.request(routed, &options, token);
        self.start_work("request", Pace::Quick, work)
    }

    pub(crate) fn start_work<T: Clone + Send + 'static>(
        &self,
        operation: &str,
        pace: Pace,
        work: impl FnOnce(&CancelToken) -> Result<T> + Send + 'static,
    ) -> Result<Call<T>> {
        self.calls().start_work(operation, pace, work)
    }

    /// Sends a request that the table of operations does not know: a method, a path, query pairs, and a JSON
    /// body. Blocks until the answer is there. It is sent as it is given: a directory or a workspace of the options is
    /// added, one of the client is not.
    ///
    /// # Errors
    /// As [`call`](Self::call). `unsupported` for a path that the server does not know, also where it answers such a one with
    /// its web page: who wants a page sends the header `accept: text/html`.
    pub fn request(
        &self,
        method: &str,
        path: &str,
        query: &[(String, String)],
        body: Option<&str>,
        options: &CallOptions,
    ) -> Result<Answer> {
        let routed = raw_route(method, path, &scoped(query, options), body)?;
        let token = CancelToken::with_interrupt(options.interrupt.clone());
        self.0.caller.request(routed, options, &token)
    }

    /// Sends a prompt and returns at once; the run is polled or waited for.
    ///
    /// # Errors
    /// `invalid_argument` for a prompt that cannot be sent, `closed`, `internal`. All else shows in the run.
    pub fn run(&self, prompt: impl Into<Prompt>) -> Result<Run> {
        self.start_run(self.setup(prompt.into(), Aim::Prompt))
    }

    /// Like [`run`](Self::run), for who gives nobody the handle and only waits: what would be asked of the host would
    /// never be answered.
    ///
    /// # Errors
    /// As [`run`](Self::run), and `invalid_argument` when a policy of the prompt or of the client is `ask`.
    pub fn run_alone(&self, prompt: impl Into<Prompt>) -> Result<Run> {
        let setup = self.setup(prompt.into(), Aim::Prompt);
        let Some(name) = setup.asks() else { return self.start_run(setup) };
        let text = format!(
            "ask: {name} is 'ask', and nobody could answer: ask gives no run to answer with; use run, or another policy"
        );
        Err(Error::invalid(text).with_operation("run"))
    }

    /// Sends a prompt and blocks until the reply is there.
    ///
    /// # Errors
    /// As [`run_alone`](Self::run_alone), and the error of a run that failed.
    pub fn ask(&self, prompt: impl Into<Prompt>) -> Result<Arc<Reply>> {
        self.run_alone(prompt)?.wait(None)
    }

    /// Picks a run up that was started elsewhere: the same session and user message. The options of `prompt`
    /// that concern the waiting (policies, limits, format) apply; its text does not. Returns at once.
    ///
    /// # Errors
    /// `invalid_argument` when an id is missing, `closed`. An unknown run shows as `not_found` in the run.
    pub fn resume(&self, session_id: &str, message_id: &str, prompt: Prompt) -> Result<Run> {
        if session_id.is_empty() || message_id.is_empty() {
            return Err(Error::invalid("resume: give the session and the message of the run"));
        }
        let prompt = Prompt { session: Some(session_id.to_owned()), ..prompt };
        self.start_run(self.setup(prompt, Aim::Resume(message_id.to_owned())))
    }

    /// Has a session summarized by its model, so that what comes next begins with the summary in place of all that was
    /// said: a run, whose text is the summary. Returns at once. On 1.x the model is that of the session's last prompt,
    /// unless one is given.
    ///
    /// A session to which nothing was said since it was summarized last, or ever, fails with `agent` and the code
    /// `compaction.unavailable`. One that failed, or was cancelled, leaves the session as it was.
    ///
    /// # Errors
    /// `invalid_argument` when the session is missing, `closed`. An unknown session shows as `not_found` in the run.
    pub fn compact(&self, session_id: &str, options: CompactOptions) -> Result<Run> {
        if session_id.is_empty() {
            return Err(Error::invalid("compact: give the session to summarize"));
        }
        let prompt = options.into_prompt(session_id);
        let setup = self.setup(prompt, Aim::Compact);
        // Nothing is called while it is summarized, and nothing asked.
        self.start_run(Setup { has_tools: false, ..setup })
    }

    /// Starts a program in a terminal on the server's machine. Blocks for one request; the connection is made
    /// in the background. A program that ends before that leaves its exit code, and no output.
    ///
    /// # Errors
    /// `invalid_argument`, `closed`, and those of a request: `server` for a program that does not exist.
    pub fn pty(&self, options: PtyOptions) -> Result<Pty> {
        self.pty_with(options, &CallOptions::default())
    }

    /// Like [`pty`](Self::pty), with options for its one request.
    ///
    /// # Errors
    /// As [`pty`](Self::pty).
    pub fn pty_with(&self, options: PtyOptions, call: &CallOptions) -> Result<Pty> {
        let terminals = self.terminals();
        let made = terminals.create(&self.0.caller.kept(), self.signal(), options, call)?;
        Ok(made.keeping(Some(self.keeper())))
    }

    /// Connects to a terminal that exists, from `options.cursor` on, and returns at once. What is wrong shows
    /// when it is read.
    ///
    /// # Errors
    /// `invalid_argument` for what is no id or only for a new terminal, `closed`, `internal`.
    pub fn pty_connect(&self, id: &str, options: PtyOptions) -> Result<Pty> {
        self.check_open("pty_connect")?;
        let made = self.terminals().connect(&self.0.caller.kept(), self.signal(), id, options)?;
        Ok(made.keeping(Some(self.keeper())))
    }

    /// Adds up what a session used, and with `options.tree` its subagents too. Blocks; reads fifty messages at a
    /// time, so that memory does not grow with the session.
    ///
    /// # Errors
    /// `not_found` for an unknown session, and those of a request. `call.timeout` is for each request.
    pub fn usage(
        &self,
        session: &str,
        options: &UsageOptions,
        call: &CallOptions,
    ) -> Result<Usage> {
        usage::usage(&self.0.caller, session, options, call)
    }

    /// Adds up what the sessions of a directory, or of the whole server, used: by day, model, agent and session. Blocks;
    /// [`start`](Self::start) with `usage_of_all` does not. With `since`, sessions that did not change since the day before are not
    /// read.
    ///
    /// # Errors
    /// Those of a request. `call.timeout` is for each request.
    pub fn usage_of_all(&self, options: &UsageOptions, call: &CallOptions) -> Result<Usage> {
        usage::usage_of_all(&*self.calls(), options, call)
    }

    /// Types a prompt into every terminal interface that is attached to the server (`opencode attach`) and
    /// submits it, in place of what stood there. Blocks for three short requests. Success says that the server
    /// accepted it: it does not tell whether anybody is attached, or ready yet.
    ///
    /// # Errors
    /// `invalid_argument` for an empty prompt, and those of a request.
    pub fn tui_prompt(&self, text: &str, options: &CallOptions) -> Result<()> {
        tui::prompt(&self.0.caller, text, options)
    }

    /// The requests of a terminal interface that is controlled by programs. Touches no network.
    pub fn tui_control(&self) -> TuiControl {
        TuiControl::new(self.calls())
    }

    /// Looks what works and what does not: server, password, version, directory, model, ripgrep, events, clock;
    /// each with what to do. No model is called and nothing is changed.
    ///
    /// # Blocking
    /// Never more than five seconds, whatever the server does.
    pub fn doctor(&self) -> Diagnosis {
        crate::inspect::doctor::examine(&self.0.caller, &CancelToken::default())
    }

    /// Compares what the server says it can do with the table of operations. Blocks for one request.
    ///
    /// # Errors
    /// As [`call`](Client::call).
    pub fn drift(&self) -> Result<Drift> {
        self.drift_with(&CallOptions::default())
    }

    /// Like [`drift`](Client::drift), with options of this call.
    ///
    /// # Errors
    /// As [`call`](Client::call).
    pub fn drift_with(&self, options: &CallOptions) -> Result<Drift> {
        Drift::from_document(self.call_json("doc.get", "", options)?.bytes())
    }

    /// Asks the server what it is: its version, and what it speaks. Blocks for one request, two with a server of 2.x.
    ///
    /// # Errors
    /// `unauthorized`, `unsupported` or `decode` when it is no OpenCode server, and what keeps a request from being
    /// answered.
    pub fn server(&self) -> Result<ServerInfo> {
        self.0.caller.identify(self.options().timeout, &CancelToken::default())
    }

    pub(crate) fn server_within(&self, limit: std::time::Duration) -> Result<ServerInfo> {
        self.0.caller.identify(limit, &CancelToken::default())
    }

    /// What happens on the server, event by event: of one directory, or of all. Returns at once; the connection
    /// is made in the background, and made again whenever it breaks.
    ///
    /// # Errors
    /// `closed`, and `exhausted` when the system gives no thread. All else shows in the stream.
    pub fn events(&self, options: EventOptions) -> Result<EventStream> {
        EventStream::open(self.calls(), self.feed()?, &self.resolver(), options)
    }

    /// The messages of a session, newest first, fetched page by page. Blocks in the iterator only.
    pub fn messages(&self, session_id: &str, options: MessageOptions) -> Pages<Message> {
        Pages::of_messages(self.calls(), session_id, options)
    }

    /// The sessions of a directory or of the whole server, the one that changed last first, fetched page by page.
    /// Blocks in the iterator only. A session that changes meanwhile, before it was given, may be left out.
    pub fn sessions(&self, options: SessionOptions) -> Pages<Session> {
        Pages::of_sessions(self.calls(), options)
    }

    /// A session with its subagents as one text, piece by piece: a page of its messages each. Blocks in the iterator only,
    /// and memory does not grow with the session: the first and the last page are held, and the place of each other one,
    /// which is fetched twice. What is said while it is exported may be left out.
    pub fn export(&self, session_id: &str, options: ExportOptions) -> Pages<String> {
        export::pages(self.calls(), session_id, options)
    }

    /// Writes what [`export`](Self::export) gives into a file, which appears when it is complete, in place of one that was
    /// there. Blocks; [`start`](Self::start) with `export` does not.
    ///
    /// # Errors
    /// `not_found` for an unknown session or folder, `forbidden` and `invalid_argument` where no file can be written, and those
    /// of a request. `call.timeout` is for each request.
    pub fn export_to(
        &self,
        session_id: &str,
        path: impl AsRef<Path>,
        options: &ExportOptions,
        call: &CallOptions,
    ) -> Result<Exported> {
        export::file::write(&*self.calls(), session_id, path.as_ref(), options, call)
    }

    /// The oldest message about what happened that nobody took yet, when [`ClientOptions::log_level`] asks for them.
    /// A thousand are kept. Never blocks.
    pub fn next_log(&self) -> Option<LogRecord> {
        self.0.origin.logs.pop()
    }

    /// Asks for messages of another level from now on, as [`ClientOptions::log_level`] does in the beginning: for hosts
    /// whose own logging may change. `None` asks for no more.
    pub fn set_log_level(&self, level: Option<Level>) {
        self.0.origin.logs.want(level);
    }

    /// A descriptor that is readable while any run, call, event stream or terminal of this client has something new;
    /// polling clears
    /// it. It belongs to the client: watch it, and do nothing else with it.
    ///
    /// # Errors
    /// `exhausted` when the system gives no descriptor.
    pub fn fd(&self) -> Result<i64> {
        self.0.origin.signal.descriptor()
    }

    /// The marks ([`Run::mark`] and its like) of the runs, calls, streams and terminals that have had something new since
    /// the last time, so that a host with many of them looks at these alone when the descriptor is readable. They are
    /// noted from the first time on, which gives none: look at all of them then.
    pub fn take_new(&self) -> Vec<u64> {
        self.0.origin.signal.take_new()
    }

    /// Ends all runs and calls of this side, joins all threads and closes all connections, within a second
    /// whatever the network does. The server goes on with prompts that were sent. Prompts that are not sent yet get
    /// a second before that; the error, of kind `timeout`, names those that were lost all the same. One that was made by
    /// [`with`](Self::with) ends alone. The last handle
    /// that is dropped closes too, on a thread of its own, which the end of the process waits for; what was lost stands in
    /// the log only.
    pub fn close(&self) -> Option<Error> {
        self.0.close()
    }

    /// Drops this handle. When it was the last one, that closes the client, and gives what [`close`](Self::close)
    /// gives.
    pub fn release(self) -> Option<Error> {
        let origin = Arc::into_inner(self.0)?.origin;
        Arc::into_inner(origin).and_then(|origin| origin.close())
    }

    /// Whether anything can be done with it, for bindings that hand out what asks the server later.
    ///
    /// # Errors
    /// `closed` after [`close`](Self::close).
    #[doc(hidden)]
    pub fn check_open(&self, name: &str) -> Result<()> {
        self.0.caller.check_begin(name)
    }

    fn setup(&self, prompt: Prompt, aim: Aim) -> Setup {
        let options = self.options();
        Setup {
            permission: prompt.permission.clone().unwrap_or_else(|| options.permission.clone()),
            question: prompt.question.unwrap_or(options.question),
            directory: prompt.directory.clone().or_else(|| options.directory.clone()),
            events: options.events,
            has_tools: self.0.origin.here().tools.has_tools(),
            is_known: self.0.caller.transport().has_answered(),
            prompt,
            aim,
        }
    }

    fn start_run(&self, setup: Setup) -> Result<Run> {
        let mut background = self.background();
        // Under the lock: what starts after the close would be ended by nobody.
        if self.0.caller.is_closed() {
            return Err(closed("run"));
        }
        let (feed, chores) = (Arc::clone(&background.feed), Arc::clone(&background.chores));
        let tools = Arc::clone(&self.0.origin.here().tools);
        tools.check_server()?;
        let engine = match &mut background.engine {
            Some(engine) => engine,
            none => {
                let caller = Arc::clone(&self.0.origin.caller);
                none.insert(Engine::start(caller, feed, chores, tools)?)
            }
        };
        let (signal, caller) = (&self.0.origin.signal, Arc::clone(&self.0.caller));
        Run::start(engine, signal, setup, caller, self.keeper())
    }

    fn terminals(&self) -> Arc<Terminals> {
        let mut background = self.background();
        Arc::clone(background.terminals.get_or_insert_with(|| Arc::new(Terminals::new())))
    }

    fn keeper(&self) -> Keeper {
        self.calls().keeper()
    }

    /// This client, for what it makes.
    fn calls(&self) -> Arc<dyn Calls> {
        Arc::clone(&self.0) as Arc<dyn Calls>
    }

    fn feed(&self) -> Result<Arc<Feed>> {
        if self.0.caller.is_closed() {
            return Err(closed("events"));
        }
        Ok(Arc::clone(&self.background().feed))
    }

    /// The directory of the streams that open now is asked for here.
    fn resolver(&self) -> Arc<Resolver> {
        Arc::clone(&self.background().resolver)
    }

    fn signal(&self) -> &Arc<Signal> {
        &self.0.origin.signal
    }

    fn background(&self) -> MutexGuard<'_, Background> {
        self.0.origin.background()
    }
}

impl Calls for ClientInner {
    fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }

    fn signal(&self) -> &Arc<Signal> {
        &self.origin.signal
    }

    fn pool(&self, pace: Pace) -> Arc<Pool> {
        let background = self.origin.background();
        Arc::clone(match pace {
            Pace::Slow => &background.slow_calls,
            Pace::Quick | Pace::Stream => &background.calls,
        })
    }

    fn keeper(self: Arc<Self>) -> Keeper {
        self
    }
}

impl ClientInner {
    fn close(&self) -> Option<Error> {
        if self.is_derived {
            self.caller.leave();
            return None;
        }
        self.origin.close()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base_url", &self.base_url()).finish_non_exhaustive()
    }
}

/// The query of a raw request, with the directory and the workspace of its options.
fn scoped(query: &[(String, String)], options: &CallOptions) -> Vec<(String, String)> {
    let directory = options.directory.as_deref().map(twice);
    let scope = [("directory", directory), ("workspace", options.workspace.clone())];
    let given = scope.into_iter().filter_map(|(name, value)| Some((name, value?)));
    query.iter().cloned().chain(given.map(|(name, value)| (name.to_owned(), value))).collect()
}

fn to_json(operation: &str, arguments: &impl Serialize) -> Result<String> {
    serde_json::to_string(arguments).map_err(|e| {
        Error::invalid(format!("{operation}: the arguments cannot be written as JSON: {e}"))
    })
}
