//! [`Caller`]: does operations: finds them in the table, routes their arguments, repeats what may be repeated.

mod server_kind;

use crate::base::cancel::CancelToken;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::limits::Limits;
use crate::base::log::Level;
use crate::base::own_servers::OwnServer;
use crate::base::per_process::PerProcess;
use crate::base::random;
use crate::call::options::{CallOptions, ClientOptions};
use crate::call::retry::RetryPolicy;
use crate::call::workaround;
use crate::http::answer::Answer;
use crate::http::transport::{Expect, HttpRequest, Stream, Transport, WebSocket, header};
use crate::http::{redact, traceparent};
use crate::protocol::dialect::{Dialect, ServerInfo};
use crate::protocol::operation::route::{Project, Routed, route};
use crate::protocol::operation::{self, AnswerKind, Operation, Pace};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use ureq::http::Method;

/// The way in which operations reach one server, with the settings of one client.
pub(crate) struct Caller {
    line: Arc<ServerLine>,
    options: ClientOptions,
    /// Those that the connection does not send by itself: of a client that shares the one of another.
    headers: Vec<(String, String)>,
    /// Tells its own from what others began on the same line.
    number: u64,
    /// Nothing begins here any more, while others go on.
    is_left: AtomicBool,
}

/// What clients share that were made from each other.
struct ServerLine {
    transport: Transport,
    /// Nothing begins any more; prompts that are not sent yet have a moment left.
    is_closing: AtomicBool,
    begun: PerProcess<Mutex<Begun>>,
    /// The server, if this program has started it.
    own_server: PerProcess<Mutex<Option<Arc<OwnServer>>>>,
    is_closed: AtomicBool,
    /// What the server turned out to be, once somebody had to ask.
    found: PerProcess<Mutex<Option<ServerInfo>>>,
    /// Directories that the server has and this machine does not.
    elsewhere: PerProcess<Mutex<HashSet<String>>>,
    /// Numbers of callers.
    next: AtomicU64,
}

/// What the host waits for, each with the number of its caller.
#[derive(Default)]
struct Begun {
    next: u64,
    tokens: HashMap<u64, (u64, CancelToken)>,
}

/// Something that the host waits for, until this is dropped.
pub(crate) struct Waiting<'a> {
    caller: &'a Caller,
    key: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.caller.begun().tokens.remove(&self.key);
    }
}

impl Caller {
    pub(crate) fn new(options: ClientOptions) -> Result<Self> {
        let (base, credentials) = options.target()?;
        let (ca_file, record) = (options.ca_file.as_deref(), options.record.as_deref());
        let credentials = credentials.as_ref();
        let record = record.map(|path| (path, &options.log));
        let transport = Transport::new(base, credentials, &options.headers, ca_file, record)?;
        let (is_closing, is_closed) = (AtomicBool::new(false), AtomicBool::new(false));
        let begun = PerProcess::new(Mutex::default());
        let found = PerProcess::new(Mutex::default());
        let own_server = PerProcess::new(Mutex::new(OwnServer::at(transport.base().as_str())));
        let (next, elsewhere) = (AtomicU64::new(1), PerProcess::new(Mutex::default()));
        let line = ServerLine {
            transport,
            is_closing,
            is_closed,
            begun,
            own_server,
            found,
            elsewhere,
            next,
        };
        Ok(Caller::on(Arc::new(line), options, Vec::new(), 0))
    }

    fn on(
        line: Arc<ServerLine>,
        options: ClientOptions,
        headers: Vec<(String, String)>,
        number: u64,
    ) -> Self {
        Caller { line, options, headers, number, is_left: AtomicBool::new(false) }
    }

    /// The same way to the server with other settings.
    ///
    /// # Errors
    /// `invalid_argument` for a setting that belongs to the connection.
    pub(crate) fn with(&self, options: ClientOptions) -> Result<Self> {
        let headers = self.options.changed_to(&options)?;
        let mut all = self.headers.clone();
        all.retain(|(name, _)| !headers.iter().any(|(new, _)| new.eq_ignore_ascii_case(name)));
        all.extend(headers);
        let number = self.line.next.fetch_add(1, Ordering::Relaxed);
        Ok(Caller::on(Arc::clone(&self.line), options, all, number))
    }

    /// The same settings, for what outlives the client that it was made with.
    pub(crate) fn kept(self: &Arc<Self>) -> Arc<Self> {
        if self.number == 0 {
            return Arc::clone(self);
        }
        let (line, options) = (Arc::clone(&self.line), self.options.clone());
        let number = self.line.next.fetch_add(1, Ordering::Relaxed);
        Arc::new(Caller::on(line, options, self.headers.clone(), number))
    }

    /// Why runs that the server had not answered are over, where this program has started it and it has ended.
    pub(crate) fn server_end(&self) -> Option<Error> {
        self.own_server().as_ref()?.error().cloned()
    }

    /// Where this program has started another server in the place of one that has ended, what begins now is asked of that one.
    pub(crate) fn renew_server(&self) {
        let mut own = self.own_server();
        if own.as_ref().is_none_or(|server| server.error().is_some())
            && let Some(server) = OwnServer::at(self.line.transport.base().as_str())
        {
            *own = Some(server);
        }
    }

    fn own_server(&self) -> MutexGuard<'_, Option<Arc<OwnServer>>> {
        self.line.own_server.get(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn options(&self) -> &ClientOptions {
        &self.options
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.line.transport
    }

    /// Whether an operation takes these arguments. Sends nothing.
    pub(crate) fn check(&self, name: &str, arguments: &str, options: &CallOptions) -> Result<()> {
        let operation = find(name)?;
        check_single(operation)?;
        route(operation, arguments, self.project_of(options)).map(drop)
    }

    /// Does an operation, with repetitions when it may be repeated.
    pub(crate) fn call(
        &self,
        name: &str,
        arguments: &str,
        options: &CallOptions,
        token: &CancelToken,
    ) -> Result<Answer> {
        let operation = find(name)?;
        check_single(operation)?;
        let project = self.project_of(options);
        let policy = self.retries(operation, options);
        let began = Instant::now();
        let result = self.plain(operation.name, arguments, options, token);
        let operate = |name: &str, arguments: &str| {
            let operation = find(name)?;
            let routed = route(operation, arguments, project)?;
            let _begun = self.begin(operation.name, token)?;
            let left = options.timeout.map(|time| time.saturating_sub(began.elapsed()));
            let limits = Limits { total: left, ..self.limits(operation.pace, options) };
            self.repeat(operation.name, &routed, options, policy, limits, token)
        };
        let answer =
            workaround::apply(operation.name, arguments, result, &operate, &self.options.log)?;
        answer.check_depth()?;
        Ok(answer)
    }

    /// Does an operation as [`call`](Self::call) does, and leaves what the server answers as it is.
    pub(crate) fn plain(
        &self,
        name: &'static str,
        arguments: &str,
        options: &CallOptions,
        token: &CancelToken,
    ) -> Result<Answer> {
        let operation = find(name)?;
        let limits = self.limits(operation.pace, options);
        let routed =
            self.route(operation, arguments, || self.project_of(options), limits.total, token)?;
        let _begun = self.begin(operation.name, token)?;
        let policy = self.retries(operation, options);
        self.admit(operation, limits.total, token)?;
        self.check_directory(operation, &routed, true, limits.total, token)?;
        self.repeat(operation.name, &routed, options, policy, limits, token)
    }

    /// Does an operation under stated limits. One that only reads is repeated as usual; of any other, whoever asks
    /// has a better idea of what to do when it fails.
    pub(crate) fn ask(
        &self,
        name: &'static str,
        arguments: &str,
        limits: Limits,
        token: &CancelToken,
    ) -> Result<Answer> {
        self.ask_traced(name, arguments, None, limits, token)
    }

    /// Like [`ask`](Self::ask), for a span of the host's tracing.
    pub(crate) fn ask_traced(
        &self,
        name: &'static str,
        arguments: &str,
        traceparent: Option<&str>,
        limits: Limits,
        token: &CancelToken,
    ) -> Result<Answer> {
        self.ask_hiding(name, arguments, traceparent, &[], limits, token)
    }

    /// Like [`ask_traced`](Self::ask_traced), with secrets in the arguments, as headers that are not sent.
    pub(crate) fn ask_hiding(
        &self,
        name: &'static str,
        arguments: &str,
        traceparent: Option<&str>,
        hidden: &[(String, String)],
        limits: Limits,
        token: &CancelToken,
    ) -> Result<Answer> {
        let operation = find(name)?;
        let mut routed =
            self.route(operation, arguments, || self.project(), limits.total, token)?;
        routed.hidden = hidden.to_vec();
        self.admit(operation, limits.total, token)?;
        self.check_directory(operation, &routed, false, limits.total, token)?;
        let max = if operation.may_repeat { self.options.max_retries } else { 0 };
        // One that ran out of time has taken all the time there is.
        let policy = RetryPolicy { max, after_timeout: false };
        let traceparent = traceparent.map(str::to_owned);
        let options = CallOptions { traceparent, ..CallOptions::default() };
        self.repeat(operation.name, &routed, &options, policy, limits, token)
    }

    /// Opens an event stream.
    pub(crate) fn open(
        &self,
        name: &'static str,
        arguments: &str,
        limits: Limits,
        token: &CancelToken,
    ) -> Result<Stream> {
        let operation = find(name)?;
        let routed = route(operation, arguments, self.project())?;
        self.check_open(operation.name)?;
        self.admit(operation, limits.total, token)?;
        self.line
            .transport
            .open(&request(operation.name, &routed, &self.headers, limits), token)
            .map_err(|error| self.explain(error, &routed, limits.total, token))
    }

    /// Opens a websocket, for a span of the host's tracing; without `is_authorized` a ticket in the arguments speaks for the
    /// client.
    pub(crate) fn websocket(
        &self,
        name: &'static str,
        arguments: &str,
        is_authorized: bool,
        traceparent: Option<&str>,
        limits: Limits,
        token: &CancelToken,
    ) -> Result<WebSocket> {
        let operation = find(name)?;
        let routed = route(operation, arguments, self.project())?;
        let _begun = self.begin(operation.name, token)?;
        self.admit(operation, limits.total, token)?;
        let traced = traced(operation.name, traceparent)?;
        let headers: Vec<_> = self.headers.iter().cloned().chain(traced).collect();
        let request = request(operation.name, &routed, &headers, limits);
        self.line
            .transport
            .websocket(&request, is_authorized, token)
            .map_err(|error| self.explain(error, &routed, limits.total, token))
    }

    /// Sends what the table does not know. A GET is repeated like any read. A web page is no answer, unless a header `accept`
    /// asks for one.
    pub(crate) fn request(
        &self,
        mut routed: Routed,
        options: &CallOptions,
        token: &CancelToken,
    ) -> Result<Answer> {
        let mut headers = self.options.headers.iter().chain(&self.headers).chain(&options.headers);
        if headers.any(|(name, value)| {
            name.eq_ignore_ascii_case("accept") && value.to_ascii_lowercase().contains("text/html")
        }) {
            routed.expect = Expect::Anything;
        }
        let name = format!("{} {}", routed.method, routed.target.split('?').next().unwrap_or(""));
        let _begun = self.begin(&name, token)?;
        let is_read = routed.method == Method::GET;
        let max = options.max_retries.unwrap_or(self.options.max_retries);
        let policy = RetryPolicy { max: if is_read { max } else { 0 }, ..RetryPolicy::default() };
        let limits = self.limits(Pace::Quick, options);
        let answer = self.repeat(&name, &routed, options, policy, limits, token)?;
        answer.check_depth()?;
        Ok(answer)
    }

    /// Refuses whatever the host begins from now on, and ends what it waits for.
    pub(crate) fn refuse(&self) {
        self.line.is_closing.store(true, Ordering::Release);
        self.end_begun(|_| true);
    }

    /// The same for what begins here, and nothing else.
    pub(crate) fn leave(&self) {
        self.is_left.store(true, Ordering::Release);
        self.end_begun(|number| number == self.number);
    }

    fn end_begun(&self, is_meant: impl Fn(u64) -> bool) {
        let tokens: Vec<CancelToken> = {
            // What a copy of the process inherited goes on in the other one, over the same sockets.
            let begun = self.begun();
            let meant = begun.tokens.values().filter(|(number, _)| is_meant(*number));
            meant.map(|(_, token)| token.clone()).collect()
        };
        tokens.iter().for_each(CancelToken::cancel);
    }

    /// Notes what the host begins to wait for: a close ends it.
    pub(crate) fn begin(&self, name: &str, token: &CancelToken) -> Result<Waiting<'_>> {
        let mut begun = self.begun();
        // Under the lock: the close finds this, or this finds the close.
        self.check_begin(name)?;
        let key = begun.next;
        begun.next += 1;
        begun.tokens.insert(key, (self.number, token.clone()));
        Ok(Waiting { caller: self, key })
    }

    fn begun(&self) -> MutexGuard<'_, Begun> {
        self.line.begun.get(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses all further work and ends what is under way.
    pub(crate) fn close(&self) {
        self.refuse();
        self.line.is_closed.store(true, Ordering::Release);
        self.line.transport.close();
    }

    /// Whether it was closed, as the host sees it.
    pub(crate) fn is_closed(&self) -> bool {
        self.line.is_closing.load(Ordering::Acquire) || self.is_left.load(Ordering::Acquire)
    }

    /// Whether nothing goes out any more.
    fn is_shut(&self) -> bool {
        self.line.is_closed.load(Ordering::Acquire)
    }

    /// The project of one call.
    fn project_of<'a>(&'a self, options: &'a CallOptions) -> Project<'a> {
        let own = self.project();
        Project {
            decodes_once: own.decodes_once,
            is_of_run: false,
            directory: options.directory.as_deref().or(own.directory),
            workspace: options.workspace.as_deref().or(own.workspace),
        }
    }

    fn retries(&self, operation: &Operation, options: &CallOptions) -> RetryPolicy {
        let max = options.max_retries.unwrap_or(self.options.max_retries);
        RetryPolicy { max: if operation.may_repeat { max } else { 0 }, ..RetryPolicy::default() }
    }

    fn project(&self) -> Project<'_> {
        Project {
            decodes_once: self.dialect() == Some(Dialect::Two),
            is_of_run: true,
            directory: self.options.directory.as_deref(),
            workspace: self.options.workspace.as_deref(),
        }
    }

    fn limits(&self, pace: Pace, options: &CallOptions) -> Limits {
        let limits = self.options.limits(pace);
        match options.timeout {
            // A caller who names a time means that time, shorter or longer than the usual one.
            Some(time) => Limits { first_byte: None, idle: None, total: Some(time), ..limits },
            None => limits,
        }
    }

    fn repeat(
        &self,
        name: &str,
        routed: &Routed,
        options: &CallOptions,
        policy: RetryPolicy,
        limits: Limits,
        token: &CancelToken,
    ) -> Result<Answer> {
        let began = Instant::now();
        for pair in &options.headers {
            header(pair)?;
        }
        let all;
        let headers = match traced(name, options.traceparent.as_deref())? {
            Some(own) => {
                all = options.headers.iter().cloned().chain([own]).collect::<Vec<_>>();
                &all
            }
            None => &options.headers,
        };
        let total = limits.total;
        let mut left = total;
        let mut tries = 0;
        loop {
            let limits = Limits { total: left, ..limits };
            let error = match self.send(name, routed, headers, limits, token) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            tries += 1;
            left = total.map(|total| total.saturating_sub(began.elapsed()));
            let Some(pause) = policy.pause(&error, tries, error.retry_after(), random::number())
            else {
                return Err(error);
            };
            if left.is_some_and(|left| left <= pause) {
                return Err(error);
            }
            if !token.sleep(pause) {
                return Err(if self.is_closed() { closed(name) } else { error });
            }
        }
    }

    fn send(
        &self,
        name: &str,
        routed: &Routed,
        headers: &[(String, String)],
        limits: Limits,
        token: &CancelToken,
    ) -> Result<Answer> {
        self.check_open(name)?;
        let all;
        let headers = if routed.headers.is_empty() && self.headers.is_empty() {
            headers
        } else {
            let own = routed.headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
            all = own.chain(self.headers.iter().chain(headers).cloned()).collect::<Vec<_>>();
            &all
        };
        let began = Instant::now();
        let result = self.line.transport.send(&request(name, routed, headers, limits), token);
        self.options.log.write(Level::Debug, || {
            let how = match &result {
                Ok(answer) => format!("{}, {} bytes", answer.status(), answer.bytes().len()),
                Err(error) => format!("{}: {error}", error.kind()),
            };
            let target = redact::address(&routed.target);
            format!("{} {target} in {:?}: {how}", routed.method, began.elapsed())
        });
        match result {
            // What looks like a broken connection is our own doing.
            Err(error)
                if error.status().is_none()
                    && (self.is_shut() || self.is_closed() && token.is_cancelled()) =>
            {
                Err(closed(name))
            }
            Err(error) => {
                if error.kind() == ErrorKind::Connection {
                    self.forget();
                }
                Err(self.explain(error, routed, limits.total, token))
            }
            answer => answer,
        }
    }

    /// Whether the host may begin something.
    pub(crate) fn check_begin(&self, name: &str) -> Result<()> {
        if self.is_closed() { Err(closed(name)) } else { Ok(()) }
    }

    fn check_open(&self, name: &str) -> Result<()> {
        if self.is_shut() { Err(closed(name)) } else { Ok(()) }
    }
}

/// The header that says which span of the host's tracing a request belongs to.
fn traced(name: &str, traceparent: Option<&str>) -> Result<Option<(String, String)>> {
    let Some(text) = traceparent else { return Ok(None) };
    traceparent::check(name, text)?;
    Ok(Some((traceparent::NAME.to_owned(), text.to_owned())))
}

fn request<'a>(
    operation: &'a str,
    routed: &'a Routed,
    headers: &'a [(String, String)],
    limits: Limits,
) -> HttpRequest<'a> {
    HttpRequest {
        operation,
        method: &routed.method,
        target: &routed.target,
        body: routed.body.as_deref(),
        headers,
        hidden: &routed.hidden,
        limits,
        expect: routed.expect,
    }
}

pub(crate) fn closed(name: &str) -> Error {
    Error::new(ErrorKind::Closed, format!("{name}: the client is closed; make a new one"))
        .with_operation(name.to_owned())
}

/// Refuses a stream: reading it to its end would take for ever.
fn check_single(operation: &Operation) -> Result<()> {
    let what = match operation.answer {
        AnswerKind::Events => "a stream of events; read it with events",
        AnswerKind::Websocket => "a websocket; open it with pty_connect",
        _ => return Ok(()),
    };
    Err(Error::invalid(format!("{}: is {what}, it has no single answer", operation.name))
        .with_operation(operation.name))
}

/// Finds an operation that answers once; streams have their own ways in.
fn find(name: &str) -> Result<&'static Operation> {
    operation::find(name).ok_or_else(|| {
        let near = operation::nearest(name)
            .map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
        Error::invalid(format!("there is no operation '{name}'{near}"))
    })
}
