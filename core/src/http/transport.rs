//! [`Transport`]: one request, one answer, over pooled connections, under stated limits.
//!
//! The transport knows nothing of operations or runs. It adds the credentials, checks that a success is of
//! the kind that was asked for, and turns everything else into an [`Error`].

mod exchange;
mod failure;
#[cfg(feature = "tls")]
mod file_verifier;
mod proxy;
mod resolver;
mod retry_after;
mod roots;
mod socket;
mod stream;
mod surrogate;
#[cfg(feature = "tls")]
mod tls;
mod websocket;

use crate::base::cancel::CancelToken;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::limits::Limits;
use crate::base::log::Log;
use crate::base::per_process::PerProcess;
use crate::http::answer::{self, Answer};
use crate::http::base_url::BaseUrl;
use crate::http::credentials::Credentials;
use crate::http::record::Recorder;
use crate::http::redact::Redactor;
use exchange::Exchange;
use std::borrow::Cow;
use std::fmt;
use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use stream::Recording;
pub(crate) use stream::{Sign, Stream};
use ureq::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use ureq::unversioned::transport::{ConnectProxyConnector, Connector};
use ureq::{Agent, Proxy};
pub(crate) use websocket::{Incoming, WebSocket};

/// Redirects followed within the same origin.
const MAX_REDIRECTS: usize = 5;
/// Path and query. The server ends at 16.2 kB with a 431, and the head must fit into the output buffer.
const MAX_TARGET: usize = 15_500;
/// The value of one header, for the same reasons.
const MAX_HEADER: usize = 15_500;
/// One event of a stream: a part with an inlined file is one.
const MAX_EVENT: usize = 128 << 20;
/// What is read of an answer in place of an event stream, and for how long: it may have no end either.
const MAX_REFUSAL: usize = 64 << 10;
const REFUSAL_TIME: Duration = Duration::from_secs(5);

/// What a success must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    /// A JSON document.
    Json,
    /// No body, or a JSON document that nobody needs.
    Nothing,
    /// Whatever comes, but no web page: that is what a server gives for a path that it does not know.
    NoPage,
    /// Whatever comes, a web page too.
    Anything,
    /// An event stream.
    Events,
}

/// One request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HttpRequest<'a> {
    /// The operation's name, for messages.
    pub operation: &'a str,
    pub method: &'a Method,
    /// Path and query, percent-encoded.
    pub target: &'a str,
    /// A JSON document.
    pub body: Option<&'a [u8]>,
    pub headers: &'a [(String, String)],
    /// Secrets of the body, as headers that are not sent.
    pub hidden: &'a [(String, String)],
    pub limits: Limits,
    pub expect: Expect,
}

/// The way to one server.
pub(crate) struct Transport {
    base: BaseUrl,
    authorization: Option<HeaderValue>,
    headers: Vec<(HeaderName, HeaderValue)>,
    roots: roots::Roots,
    /// What stands on the way, as the environment said.
    proxy: Option<Proxy>,
    /// A pooled socket must not be shared across a fork.
    agent: PerProcess<Agent>,
    recorder: Option<Arc<Recorder>>,
    redactor: Arc<Redactor>,
    has_answered: AtomicBool,
}

impl Transport {
    pub(crate) fn new(
        base: BaseUrl,
        credentials: Option<&Credentials>,
        headers: &[(String, String)],
        ca_file: Option<&Path>,
        record: Option<(&Path, &Log)>,
    ) -> Result<Self> {
        let authorization = match credentials {
            Some(credentials) => {
                let value = credentials.header();
                if value.len() > MAX_HEADER {
                    return Err(Error::invalid(format!(
                        "password: with the user name it makes a header of {} bytes; a server takes {MAX_HEADER}",
                        value.len()
                    )));
                }
                Some(secret(&value)?)
            }
            None => None,
        };
        let redactor = Arc::new(Redactor::new(credentials, headers));
        let headers = headers.iter().map(header).collect::<Result<_>>()?;
        let roots = roots::Roots::read(ca_file)?;
        let proxy = proxy::for_server(&base)?;
        let agent = PerProcess::new(new_agent(proxy.as_ref(), &roots));
        let recorder = match record {
            Some((path, log)) => Some(Arc::new(Recorder::open(path, log)?)),
            None => None,
        };
        let has_answered = AtomicBool::new(false);
        Ok(Transport {
            base,
            authorization,
            headers,
            roots,
            proxy,
            agent,
            recorder,
            redactor,
            has_answered,
        })
    }

    pub(crate) fn base(&self) -> &BaseUrl {
        &self.base
    }

    pub(crate) fn has_credentials(&self) -> bool {
        self.authorization.is_some()
    }

    /// Whether anything ever answered there.
    pub(crate) fn has_answered(&self) -> bool {
        self.has_answered.load(Ordering::Relaxed)
    }

    /// Sends a request and reads the whole answer. Blocks within the limits, or until cancelled.
    pub(crate) fn send(&self, request: &HttpRequest<'_>, token: &CancelToken) -> Result<Answer> {
        let exchange = Exchange::new(token.clone(), request.limits);
        if request.method != Method::GET {
            exchange.mark_single();
        }
        let entered = exchange.enter();
        let recording = self.recorder.as_ref().map(|recorder| {
            let method = request.method.as_str();
            let redactor = self.redactor.with(request.headers, request.hidden);
            (recorder, recorder.request(method, request.target, request.body, &redactor))
        });
        let result = self.exchange(request, &exchange).and_then(|(status, headers, body)| {
            let mut body = self.read(request, &exchange, &headers, body)?;
            if answer::content_type(&headers).is_some_and(answer::is_json) {
                surrogate::replace_lone(&mut body);
            }
            if let Some((recorder, number)) = recording {
                let redactor = self.redactor.with(request.headers, request.hidden);
                recorder.answer(number, status, &recorded(&headers), &body, &redactor);
            }
            self.check(request, status, &headers, &body)?;
            let redactor = self.redactor_of(request);
            Ok(Answer::new(request.operation, status, headers, body).guarded(redactor))
        });
        drop(entered);
        token.detach();
        result
    }

    /// Where the server is, as a request would find it. Blocks within the limit for connecting, or until cancelled.
    pub(crate) fn addresses(&self, limits: Limits, token: &CancelToken) -> Option<Vec<SocketAddr>> {
        let entered = Exchange::new(token.clone(), limits).enter();
        let found = resolver::addresses(self.base.host(), self.base.port());
        drop(entered);
        token.detach();
        found
    }

    /// Sends a request and gives the answer as a stream of events.
    pub(crate) fn open(&self, request: &HttpRequest<'_>, token: &CancelToken) -> Result<Stream> {
        let exchange = Exchange::new(token.clone(), request.limits);
        let _entered = exchange.enter();
        let redactor = self.redactor_of(request);
        let recording = self.recorder.as_ref().map(|recorder| {
            let method = request.method.as_str();
            (recorder, recorder.request(method, request.target, request.body, &redactor))
        });
        let (status, headers, body) = self.exchange(request, &exchange)?;
        if check(request, status, &headers, &[]).is_err() {
            let bytes = match status {
                // Something else than events, which may come for ever: its kind says enough.
                200..300 => Vec::new(),
                _ => beginning(body),
            };
            if let Some((recorder, number)) = recording {
                recorder.answer(number, status, &recorded(&headers), &bytes, &redactor);
            }
            self.check(request, status, &headers, &bytes)?;
            return Err(unexpected(request, status, &headers, &bytes));
        }
        let recording = recording.map(|(recorder, number)| {
            recorder.stream(number);
            let (recorder, target) = (Arc::clone(recorder), request.target.to_owned());
            Recording { recorder, target, redactor }
        });
        let exchange = Rc::clone(&exchange);
        Ok(Stream::new(body, exchange, request.operation, &self.base, MAX_EVENT, recording))
    }

    /// Throws all pooled connections away and refuses new requests.
    pub(crate) fn close(&self) {
        self.agent().shutdown();
    }

    fn exchange(
        &self,
        request: &HttpRequest<'_>,
        exchange: &Rc<Exchange>,
    ) -> Result<(u16, HeaderMap, ureq::Body)> {
        if request.target.len() > MAX_TARGET {
            return Err(Error::invalid(format!(
                "{}: the address has {} bytes; a server takes {MAX_TARGET}",
                request.operation,
                request.target.len()
            ))
            .with_operation(request.operation.to_owned()));
        }
        let agent = self.agent();
        let mut target = self.base.join(request.target);
        for _ in 0..=MAX_REDIRECTS {
            let response = self
                .build(request, &target)
                .and_then(|built| run(&agent, built, request.body))
                .map_err(|e| failure::from_wire(e, request.operation, &self.base, exchange))?;
            exchange.mark_head();
            self.has_answered.store(true, Ordering::Relaxed);
            let (parts, body) = response.into_parts();
            match self.redirect(request, &target, parts.status, &parts.headers) {
                Some(next) => {
                    exchange.mark_hop();
                    target = next;
                }
                None => return Ok((parts.status.as_u16(), parts.headers, body)),
            }
        }
        Err(Error::new(
            ErrorKind::Decode,
            format!("{}: the server redirects in a circle", request.operation),
        )
        .with_operation(request.operation.to_owned())
        .with_sent(true))
    }

    fn build(
        &self,
        request: &HttpRequest<'_>,
        target: &str,
    ) -> std::result::Result<ureq::http::Request<()>, ureq::Error> {
        let mut built = ureq::http::Request::new(());
        *built.method_mut() = request.method.clone();
        *built.uri_mut() = target.parse().map_err(|_| ureq::Error::BadUri(target.to_owned()))?;
        let headers = built.headers_mut();
        let accept = match request.expect {
            Expect::Events => {
                // A compressed stream would swallow events until a block is full.
                headers.insert("accept-encoding", HeaderValue::from_static("identity"));
                "text/event-stream"
            }
            Expect::Json | Expect::Nothing => "application/json",
            Expect::NoPage | Expect::Anything => "*/*",
        };
        headers.insert("accept", HeaderValue::from_static(accept));
        if request.body.is_some() {
            headers.insert("content-type", HeaderValue::from_static("application/json"));
        }
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
        if let Some(value) = &self.authorization {
            headers.insert("authorization", value.clone());
        }
        for pair in request.headers {
            // Checked when the call was made.
            if let Ok((name, value)) = header(pair) {
                headers.insert(name, value);
            }
        }
        Ok(built)
    }

    /// Where to go next: only reads are repeated, and credentials never leave the server's origin.
    fn redirect(
        &self,
        request: &HttpRequest<'_>,
        from: &str,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Option<String> {
        if !status.is_redirection() || request.method != Method::GET {
            return None;
        }
        let location = headers.get("location")?.to_str().ok()?;
        let next = if location.starts_with('/') && !location.starts_with("//") {
            let origin_end = from.find("://").map_or(0, |i| i + 3);
            let path = from[origin_end..].find('/').map_or(from.len(), |i| origin_end + i);
            format!("{}{location}", &from[..path])
        } else {
            location.to_owned()
        };
        self.base.is_same_origin(&next).then_some(next)
    }

    fn read(
        &self,
        request: &HttpRequest<'_>,
        exchange: &Exchange,
        headers: &HeaderMap,
        body: ureq::Body,
    ) -> Result<Vec<u8>> {
        let limit = request.limits.body;
        let too_long = || {
            Error::new(
                ErrorKind::Decode,
                format!(
                    "{}: the answer is longer than {limit} bytes; raise max_body_bytes or ask for less",
                    request.operation
                ),
            )
            .with_operation(request.operation.to_owned())
            .with_sent(true)
        };
        let length = headers
            .get("content-length")
            .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > limit) {
            return Err(too_long());
        }
        // A server that lies about the length must not make us reserve what never comes.
        let reserve = length.unwrap_or(0).min(16 << 20) as usize;
        let mut bytes = Vec::with_capacity(reserve);
        match body.into_reader().take(limit.saturating_add(1)).read_to_end(&mut bytes) {
            Ok(_) if bytes.len() as u64 > limit => Err(too_long()),
            Ok(_) => Ok(bytes),
            Err(e) => Err(failure::from_io(e, request.operation, &self.base, exchange.is_sent())),
        }
    }

    /// Checks that the answer is a success of the kind that was asked for. A page that repeats the request shows no
    /// secret of it.
    fn check(
        &self,
        request: &HttpRequest<'_>,
        status: u16,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<()> {
        check(request, status, headers, body).or_else(|error| {
            match self.redactor.with(request.headers, request.hidden).body(body) {
                Cow::Borrowed(_) => Err(error),
                Cow::Owned(body) => check(request, status, headers, &body),
            }
        })
    }

    /// Knows the secrets of a request.
    fn redactor_of(&self, request: &HttpRequest<'_>) -> Arc<Redactor> {
        match self.redactor.with(request.headers, request.hidden) {
            Cow::Borrowed(_) => Arc::clone(&self.redactor),
            Cow::Owned(redactor) => Arc::new(redactor),
        }
    }

    fn agent(&self) -> Agent {
        self.agent.get(|| new_agent(self.proxy.as_ref(), &self.roots)).clone()
    }
}

fn new_agent(proxy: Option<&Proxy>, roots: &roots::Roots) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .max_idle_connections(64)
        .max_idle_connections_per_host(64)
        .max_idle_age(Duration::from_secs(60))
        .input_buffer_size(64 << 10)
        .output_buffer_size(16 << 10)
        // Or it reads the environment itself.
        .proxy(proxy.cloned())
        .user_agent(concat!("libopencode/", env!("CARGO_PKG_VERSION")));
    Agent::with_parts(config.build(), connector(roots), resolver::CachingResolver::default())
}

/// How a connection is made: through a proxy when there is one, over our socket, with TLS when asked for.
fn connector(
    #[cfg_attr(not(feature = "tls"), expect(unused, reason = "there is no TLS"))]
    roots: &roots::Roots,
) -> impl Connector {
    let connector = ().chain(socket::BeginConnection).chain(ConnectProxyConnector::default());
    let connector = connector.chain(socket::SocketConnector);
    #[cfg(feature = "tls")]
    let connector = connector.chain(tls::TlsConnector::new(roots));
    connector.chain(socket::EndConnection)
}

fn run(
    agent: &Agent,
    request: ureq::http::Request<()>,
    body: Option<&[u8]>,
) -> std::result::Result<ureq::http::Response<ureq::Body>, ureq::Error> {
    match body {
        Some(body) => agent.run(request.map(|()| body)),
        // No body would go out in chunks, which strict proxies refuse: its length is told.
        None if has_body(request.method()) => agent.run(request.map(|()| &[][..])),
        None => agent.run(request),
    }
}

/// Whether requests of a method are expected to have a body.
fn has_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

/// The beginning of a body that nobody needs to the end.
fn beginning(body: ureq::Body) -> Vec<u8> {
    let (mut bytes, mut reader) = (Vec::new(), body.into_reader());
    let began = Instant::now();
    let mut piece = [0; 4 << 10];
    while bytes.len() < MAX_REFUSAL && began.elapsed() < REFUSAL_TIME {
        match reader.read(&mut piece) {
            Ok(n @ 1..) => bytes.extend_from_slice(piece.get(..n).unwrap_or_default()),
            // What came is what there is to show.
            _ => break,
        }
    }
    bytes
}

/// The headers that a replay needs.
fn recorded(headers: &HeaderMap) -> Vec<(&str, &str)> {
    let find = |name| Some((name, headers.get(name)?.to_str().ok()?));
    ["content-type", "x-next-cursor"].into_iter().filter_map(find).collect()
}

/// Checks that the answer is a success of the kind that was asked for.
fn check(request: &HttpRequest<'_>, status: u16, headers: &HeaderMap, body: &[u8]) -> Result<()> {
    if !(200..300).contains(&status) {
        return Err(failure::from_status(request.operation, status, headers, body));
    }
    if let Some(coding) = headers.get("content-encoding").filter(|name| *name != "identity") {
        return Err(encoded(request, status, coding));
    }
    let kind = answer::content_type(headers);
    let is_html = kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html"));
    let is_json = kind.is_some_and(answer::is_json);
    let fits = match request.expect {
        Expect::Json => is_json && !body.is_empty(),
        Expect::Nothing => status == 204 || body.is_empty() || is_json,
        Expect::NoPage => !is_html,
        Expect::Anything => true,
        Expect::Events => kind.is_some_and(answer::is_event_stream),
    };
    if fits { Ok(()) } else { Err(unexpected(request, status, headers, body)) }
}

/// Nobody asked for it, unless by a header of the call.
fn encoded(request: &HttpRequest<'_>, status: u16, coding: &HeaderValue) -> Error {
    let (operation, coding) = (request.operation, String::from_utf8_lossy(coding.as_bytes()));
    let text = format!(
        "{operation}: the answer is compressed ({coding}), which this library does not read; do not ask for it"
    );
    Error::new(ErrorKind::Decode, text)
        .with_operation(operation.to_owned())
        .with_status(status)
        .with_sent(true)
}

/// The server answered 2xx with something else: unknown paths give its web page.
fn unexpected(request: &HttpRequest<'_>, status: u16, headers: &HeaderMap, body: &[u8]) -> Error {
    let operation = request.operation;
    let kind = answer::content_type(headers).unwrap_or("no content type");
    let error = if kind.to_ascii_lowercase().starts_with("text/html") {
        let path = request.target.split('?').next().unwrap_or("");
        Error::new(
            ErrorKind::Unsupported,
            format!(
                "{operation}: this server does not know {} {path}: it answered with a web page; is base_url an OpenCode server, and new enough?",
                request.method
            ),
        )
    } else if request.expect == Expect::Events {
        let text = format!("{operation}: {status} with {kind} where an event stream was expected");
        Error::new(ErrorKind::Decode, text)
    } else if body.is_empty() {
        Error::new(ErrorKind::Decode, format!("{operation}: {status} with an empty answer"))
    } else {
        Error::new(
            ErrorKind::Decode,
            format!("{operation}: {status} with {kind} where {:?} was expected", request.expect),
        )
    };
    error.with_operation(operation.to_owned()).with_status(status).with_body(body).with_sent(true)
}

/// Checks a header that the caller gave.
pub(crate) fn header((name, value): &(String, String)) -> Result<(HeaderName, HeaderValue)> {
    let wrong = |what: &str| {
        Error::invalid(format!("headers: {what} '{name}' has a character that HTTP does not allow"))
    };
    let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong("the name"))?;
    if key == CONTENT_LENGTH || key == TRANSFER_ENCODING {
        return Err(Error::invalid(format!(
            "headers: '{name}' follows from the body; leave it out"
        )));
    }
    if value.len() > MAX_HEADER {
        let length = value.len();
        let text = format!("headers: '{name}' has {length} bytes; a server takes {MAX_HEADER}");
        return Err(Error::invalid(text));
    }
    let value = secret(value).map_err(|_| wrong("the value of"))?;
    Ok((key, value))
}

fn secret(value: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_bytes(value.as_bytes())
        .map_err(|_| Error::invalid("a header value has a character that HTTP does not allow"))?;
    value.set_sensitive(true);
    Ok(value)
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("base", &self.base).finish_non_exhaustive()
    }
}
