//! [`WebSocket`]: messages in both directions over one connection, under the same limits as requests.

use super::exchange::Exchange;
use super::{HttpRequest, Transport, connector, failure, resolver};
use crate::base::cancel::CancelToken;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::limits::Limits;
use crate::http::base_url::BaseUrl;
use std::fmt;
use std::io;
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tungstenite::handshake::HandshakeError;
use tungstenite::handshake::client::generate_key;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Bytes, Message};
use ureq::http::HeaderValue;
use ureq::unversioned::resolver::Resolver;
use ureq::unversioned::transport::time::Instant;
use ureq::unversioned::transport::{
    ConnectionDetails, Connector, NextTimeout, Transport as Connection, TransportAdapter,
};

/// The longest message that is taken; the server's are 64 Ki characters at most.
const MAX_MESSAGE: usize = 16 << 20;

/// An open websocket. One thread reads; any thread may write, and blocks while another one does.
pub(crate) struct WebSocket {
    stream: Mutex<tungstenite::WebSocket<TransportAdapter>>,
    socket: Arc<TcpStream>,
    token: CancelToken,
    limits: Limits,
    operation: String,
    base: BaseUrl,
}

/// What the server sent.
#[derive(Debug)]
pub(crate) enum Incoming {
    Text(String),
    Binary(Bytes),
    /// The answer to a ping.
    Pong,
    /// It closes the connection; nothing comes after it.
    Closed,
}

impl Transport {
    /// Opens a websocket. Without `is_authorized` the credentials stay at home: a ticket in the target
    /// speaks for the client.
    pub(crate) fn websocket(
        &self,
        request: &HttpRequest<'_>,
        is_authorized: bool,
        token: &CancelToken,
    ) -> Result<WebSocket> {
        let exchange = Exchange::new(token.clone(), request.limits);
        let _entered = exchange.enter();
        let wire = |e| failure::from_wire(e, request.operation, self.base(), &exchange);
        let mut built = self.build(request, &self.base.join(request.target)).map_err(wire)?;
        let connection = self.connect(built.uri()).map_err(wire)?;
        // The same address under the name that the handshake wants: https becomes wss.
        let uri = built.uri().to_string().replacen("http", "ws", 1);
        *built.uri_mut() = uri.parse().map_err(|_| wire(ureq::Error::BadUri(uri.clone())))?;
        let host = built.uri().authority().map_or("", |authority| authority.as_str()).to_owned();
        let headers = built.headers_mut();
        if !is_authorized {
            headers.remove("authorization");
        }
        let texts = [("host", host), ("sec-websocket-key", generate_key())];
        for (name, text) in texts {
            let value = HeaderValue::from_str(&text)
                .map_err(|_| Error::invalid(format!("{name} '{text}' is no header")))?;
            headers.insert(name, value);
        }
        headers.insert("connection", HeaderValue::from_static("Upgrade"));
        headers.insert("upgrade", HeaderValue::from_static("websocket"));
        headers.insert("sec-websocket-version", HeaderValue::from_static("13"));
        let config = WebSocketConfig::default()
            .read_buffer_size(16 << 10)
            .write_buffer_size(0)
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        let stream = TransportAdapter::new(connection, Arc::new(Instant::now));
        let made = tungstenite::client::client_with_config(built, stream, Some(config));
        let (stream, _) = made.map_err(|error| match error {
            HandshakeError::Failure(error) => self.refused(request, &exchange, error),
            HandshakeError::Interrupted(_) => broken(request.operation, &"it was interrupted"),
        })?;
        exchange.mark_head();
        let socket =
            token.socket().ok_or_else(|| broken(request.operation, &"it has no socket"))?;
        Ok(WebSocket {
            stream: Mutex::new(stream),
            socket,
            token: token.clone(),
            limits: request.limits,
            operation: request.operation.to_owned(),
            base: self.base.clone(),
        })
    }

    fn connect(
        &self,
        uri: &ureq::http::Uri,
    ) -> std::result::Result<Box<dyn Connection>, ureq::Error> {
        let agent = self.agent();
        let resolver = resolver::CachingResolver::default();
        let addrs = match resolver.resolve(uri, agent.config(), NextTimeout::default()) {
            Ok(addrs) => addrs,
            // A name that only the proxy knows.
            Err(_) if agent.config().proxy().is_some() => resolver.empty(),
            Err(error) => return Err(error),
        };
        let roots = self.roots.clone();
        let open = move |details: &ConnectionDetails<'_>| {
            let made = connector(&roots).connect(details, None)?;
            Ok(made.ok_or(ureq::Error::ConnectionFailed)?.boxed())
        };
        let details = ConnectionDetails {
            uri,
            addrs,
            config: agent.config(),
            request_level: false,
            resolver: &resolver,
            now: Instant::now(),
            timeout: NextTimeout::default(),
            current_time: Arc::new(Instant::now),
            run_connector: Arc::new(open.clone()),
            // A websocket is ended by its token.
            register_shutdown: Arc::new(|_| Ok(())),
        };
        open(&details)
    }

    /// The server did not upgrade the connection.
    fn refused(
        &self,
        request: &HttpRequest<'_>,
        exchange: &Rc<Exchange>,
        error: tungstenite::Error,
    ) -> Error {
        match error {
            tungstenite::Error::Http(response) => {
                let (parts, body) = response.into_parts();
                let status = parts.status.as_u16();
                let body = body.unwrap_or_default();
                let redactor = self.redactor_of(request);
                let body = redactor.body(&body);
                if (200..300).contains(&status) {
                    return super::unexpected(request, status, &parts.headers, &body);
                }
                failure::from_status(request.operation, status, &parts.headers, &body)
            }
            tungstenite::Error::Io(error) => {
                failure::from_io(error, request.operation, &self.base, exchange.is_sent())
            }
            other => broken(request.operation, &other),
        }
    }
}

impl WebSocket {
    /// Blocks until there is something to read, at most for `timeout`; whether there is. Also true when the
    /// connection is over.
    pub(crate) fn wait(&self, timeout: Duration) -> bool {
        if self.socket.set_read_timeout(Some(timeout)).is_err() {
            return true;
        }
        match self.socket.peek(&mut [0]) {
            Ok(_) => true,
            Err(error) => !matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
            ),
        }
    }

    /// Takes the next message; `None` when none has arrived in full. Blocks only while another thread writes.
    ///
    /// # Errors
    /// `connection` when it broke, `cancelled`, `decode` for what is no websocket message.
    pub(crate) fn read(&self) -> Result<Option<Incoming>> {
        let mut stream = self.stream();
        let _entered = Exchange::instant(self.token.clone(), self.limits).enter();
        loop {
            return Ok(Some(match stream.read() {
                Ok(Message::Text(text)) => Incoming::Text(text.as_str().to_owned()),
                Ok(Message::Binary(bytes)) => Incoming::Binary(bytes),
                Ok(Message::Pong(_)) => Incoming::Pong,
                Ok(Message::Close(_)) => {
                    // Sends the farewell that the protocol wants; the server may be gone already.
                    let _ = stream.flush();
                    Incoming::Closed
                }
                // An answer to a ping has been queued by reading it.
                Ok(Message::Ping(_) | Message::Frame(_)) => {
                    stream.flush().map_err(|e| self.failed(e))?;
                    continue;
                }
                Err(tungstenite::Error::Io(e)) if e.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(None);
                }
                Err(tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed) => {
                    Incoming::Closed
                }
                Err(error) => return Err(self.failed(error)),
            }));
        }
    }

    /// Sends a text; blocks while the server takes nothing, within the limits.
    ///
    /// # Errors
    /// As [`read`](Self::read), and `timeout`.
    pub(crate) fn send(&self, text: &str) -> Result<()> {
        self.write(Message::text(text))
    }

    /// Asks for a sign of life, which [`read`](Self::read) gives as [`Incoming::Pong`].
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub(crate) fn ping(&self) -> Result<()> {
        self.write(Message::Ping(Bytes::new()))
    }

    fn write(&self, message: Message) -> Result<()> {
        let mut stream = self.stream();
        let exchange = Exchange::new(self.token.clone(), self.limits);
        exchange.mark_head();
        let _entered = exchange.enter();
        stream.send(message).map_err(|e| self.failed(e))
    }

    fn failed(&self, error: tungstenite::Error) -> Error {
        match error {
            tungstenite::Error::Io(error) => {
                failure::from_io(error, &self.operation, &self.base, true)
            }
            other => broken(&self.operation, &other),
        }
    }

    fn stream(&self) -> MutexGuard<'_, tungstenite::WebSocket<TransportAdapter>> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn broken(operation: &str, why: &dyn fmt::Display) -> Error {
    Error::new(ErrorKind::Connection, format!("{operation}: the websocket broke: {why}"))
        .with_operation(operation.to_owned())
        .with_retryable(true)
        .with_sent(true)
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket").field("operation", &self.operation).finish_non_exhaustive()
    }
}
