//! [`SocketConnector`]: TCP for ureq, with our limits, our cancelling and fewer system calls.

use super::exchange::{Cancelled, Exchange, Expired};
use crate::base::limits::Stage;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};
use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
};

/// How long one of several addresses is tried before the next one; twice as long in each round.
const FIRST_TRY: Duration = Duration::from_millis(900);
/// How often an attempt to connect looks whether it succeeded.
const FIRST_GLANCE: Duration = Duration::from_millis(1);
const LONGEST_GLANCE: Duration = Duration::from_millis(10);
/// A pooled connection that was used this recently is not probed before the next request, if that can be repeated.
const FRESH: Duration = Duration::from_secs(1);

/// Opens TCP connections under the limits of the current [`Exchange`].
#[derive(Debug)]
pub(super) struct SocketConnector;

impl<In: Transport> Connector<In> for SocketConnector {
    type Out = Either<In, Socket>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        if let Some(chained) = chained {
            return Ok(Some(Either::A(chained)));
        }
        let stream = connect(&details.addrs)?;
        stream.set_nodelay(true)?;
        let config = details.config;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        Ok(Some(Either::B(Socket {
            stream: Arc::new(stream),
            buffers,
            read_slice: None,
            write_slice: None,
            refusal: None,
            last_used: Instant::now(),
        })))
    }
}

/// Goes round the addresses until one answers, all refuse, or the limit is reached.
fn connect(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let exchange = Exchange::current();
    let mut time = match addresses {
        [_] => Duration::MAX,
        _ => FIRST_TRY,
    };
    loop {
        let mut refusal = None;
        let mut is_silent = false;
        for address in addresses {
            match attempt(address, time, exchange.as_deref()) {
                Ok(Some(stream)) => return Ok(stream),
                Ok(None) => is_silent = true,
                Err(error)
                    if error
                        .get_ref()
                        .is_some_and(|e| e.is::<Expired>() || e.is::<Cancelled>()) =>
                {
                    return Err(error);
                }
                Err(error) => refusal = Some(error),
            }
        }
        if !is_silent {
            let none =
                || io::Error::new(io::ErrorKind::AddrNotAvailable, "the host has no address");
            return Err(refusal.unwrap_or_else(none));
        }
        time = time.saturating_mul(2);
    }
}

/// Tries to connect to one address for at most `time`; `None` when neither success nor refusal came. It never waits
/// inside the system call, which a cancel could not end.
fn attempt(
    address: &SocketAddr,
    time: Duration,
    exchange: Option<&Exchange>,
) -> io::Result<Option<TcpStream>> {
    let began = Instant::now();
    let socket =
        socket2::Socket::new(socket2::Domain::for_address(*address), socket2::Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&(*address).into()) {
        Ok(()) => {}
        Err(error) if is_under_way(&error) => {}
        Err(error) => return Err(error),
    }
    let (mut glance, token) = (FIRST_GLANCE, exchange.map(|e| e.token.clone()).unwrap_or_default());
    loop {
        if let Some(error) = socket.take_error()? {
            return Err(error);
        }
        // On this machine it stands at once.
        if socket.peer_addr().is_ok() {
            break;
        }
        if let Some(exchange) = exchange {
            exchange.left_to_connect()?;
        }
        if began.elapsed() >= time {
            return Ok(None);
        }
        if !token.sleep(glance) {
            return Err(Cancelled.into());
        }
        glance = (glance * 2).min(LONGEST_GLANCE);
    }
    socket.set_nonblocking(false)?;
    Ok(Some(socket.into()))
}

/// Whether a connection is being made in the background.
fn is_under_way(error: &io::Error) -> bool {
    // EINPROGRESS of Linux, and of macOS and the BSDs.
    let codes: &[i32] = if cfg!(windows) { &[] } else { &[115, 36] };
    is_pause(error) || error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

/// Whether nothing happened yet: the time for one system call is up, or a signal came.
fn is_pause(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), TimedOut | WouldBlock | Interrupted)
}

/// Lets the host end what blocks; the next look at the limits then says so.
fn ask(exchange: Option<&Exchange>) {
    if let Some(exchange) = exchange {
        exchange.token.ask();
    }
}

/// The first of the connectors: what goes out from here on is for the connection.
#[derive(Debug)]
pub(super) struct BeginConnection;

impl<In: Transport> Connector<In> for BeginConnection {
    type Out = In;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<In>, Error> {
        if let Some(exchange) = Exchange::current() {
            let host = details.uri.authority().map_or("", |authority| authority.as_str());
            // Without user and password.
            exchange.begin_connection(host.rsplit_once('@').map_or(host, |(_, host)| host));
        }
        Ok(chained)
    }
}

/// The last of the connectors: what goes out from here on is the request.
#[derive(Debug)]
pub(super) struct EndConnection;

impl<In: Transport> Connector<In> for EndConnection {
    type Out = In;

    fn connect(&self, _: &ConnectionDetails, chained: Option<In>) -> Result<Option<In>, Error> {
        if let Some(exchange) = Exchange::current() {
            exchange.end_connection();
        }
        Ok(chained)
    }
}

/// A TCP connection in the form that ureq wants.
pub(super) struct Socket {
    stream: Arc<TcpStream>,
    buffers: LazyBuffers,
    read_slice: Option<Duration>,
    write_slice: Option<Duration>,
    /// Why the server takes no more of the request. It may have said why itself before it stopped reading.
    refusal: Option<io::Error>,
    last_used: Instant,
}

impl Socket {
    /// Registers with the current exchange, so that a cancel reaches this socket.
    fn exchange(&self) -> io::Result<Option<std::rc::Rc<Exchange>>> {
        let exchange = Exchange::current();
        if let Some(exchange) = &exchange
            && !exchange.token.attach(&self.stream)
        {
            return Err(Cancelled.into());
        }
        Ok(exchange)
    }

    /// Takes what has arrived; `WouldBlock` when that is nothing.
    fn take_input(&mut self) -> io::Result<bool> {
        self.stream.set_nonblocking(true)?;
        let taken = (&*self.stream).read(self.buffers.input_append_buf());
        self.stream.set_nonblocking(false)?;
        let n = taken?;
        self.buffers.input_appended(n);
        Ok(n > 0)
    }
}

impl Transport for Socket {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
        let exchange = self.exchange()?;
        let mut since = Instant::now();
        let mut written = 0;
        while written < amount && self.refusal.is_none() {
            if let Some(exchange) = &exchange {
                let wanted = exchange.slice(exchange.left_to_write(since)?);
                if wanted != self.write_slice {
                    self.stream.set_write_timeout(wanted)?;
                    self.write_slice = wanted;
                }
                // Marked before the write: from here on nobody can say that the server saw nothing.
                exchange.mark_sent();
            }
            match (&*self.stream).write(&self.buffers.output()[written..amount]) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(n) => {
                    written += n;
                    since = Instant::now();
                }
                Err(error) if is_pause(&error) => ask(exchange.as_deref()),
                // Kept until it is known whether an answer came: it says more than a broken pipe.
                Err(error) if exchange.as_ref().is_some_and(|e| e.awaits_head()) => {
                    self.refusal = Some(error);
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.last_used = since;
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
        let exchange = self.exchange()?;
        let since = Instant::now();
        if exchange.as_ref().is_some_and(|exchange| exchange.is_instant()) {
            return Ok(self.take_input()?);
        }
        loop {
            if let Some(exchange) = &exchange {
                let left = match exchange.left_to_read(since) {
                    // A process that was stopped finds its time run out, and the answer there all the same.
                    Err(error) if is_silence(&error) && self.take_input().unwrap_or_default() => {
                        exchange.hear(self.buffers.input());
                        self.last_used = Instant::now();
                        return Ok(true);
                    }
                    left => left?,
                };
                let wanted = exchange.slice(left);
                if wanted != self.read_slice {
                    self.stream.set_read_timeout(wanted)?;
                    self.read_slice = wanted;
                }
            }
            match (&*self.stream).read(self.buffers.input_append_buf()) {
                Ok(n) => {
                    if n == 0
                        && let Some(exchange) = &exchange
                    {
                        // A socket that was shut down by a cancel reads like one that the server closed.
                        exchange.left_to_read(since)?;
                    }
                    if n == 0
                        && let Some(refusal) = self.refusal.take()
                    {
                        return Err(refusal.into());
                    }
                    if let Some(exchange) = &exchange {
                        let input = self.buffers.input_append_buf();
                        exchange.hear(input.get(..n).unwrap_or_default());
                    }
                    self.buffers.input_appended(n);
                    self.last_used = Instant::now();
                    return Ok(n > 0);
                }
                Err(error) if is_pause(&error) => ask(exchange.as_deref()),
                // For ureq a reset is the end of a body like any other, also where bytes are missing.
                Err(error) => {
                    let error = self.refusal.take().unwrap_or(error);
                    return Err(io::Error::other(error).into());
                }
            }
        }
    }

    fn is_open(&mut self) -> bool {
        let exchange = Exchange::current();
        if exchange.as_ref().is_some_and(|exchange| exchange.limits.is_fresh) {
            return false;
        }
        let needs_probe = exchange.is_some_and(|exchange| exchange.needs_probe());
        let is_fresh = !needs_probe && self.last_used.elapsed() < FRESH;
        self.refusal.is_none() && (is_fresh || is_silent(&self.stream))
    }
}

/// Whether the time ran out in which something had to come.
fn is_silence(error: &io::Error) -> bool {
    let expired = error.get_ref().and_then(|e| e.downcast_ref::<Expired>());
    expired.is_some_and(|expired| matches!(expired.stage, Stage::FirstByte | Stage::Body))
}

/// Whether the other side has neither closed the connection nor said something unasked.
fn is_silent(mut stream: &TcpStream) -> bool {
    if stream.set_nonblocking(true).is_err() {
        return false;
    }
    let blocked = matches!(stream.read(&mut [0]), Err(e) if e.kind() == io::ErrorKind::WouldBlock);
    blocked && stream.set_nonblocking(false).is_ok()
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("peer", &self.stream.peer_addr().ok()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::cancel::CancelToken;
    use crate::base::limits::Limits;
    use std::net::TcpListener;

    #[test]
    fn what_came_while_the_process_was_stopped_is_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let mut socket = Socket {
            stream: Arc::new(stream),
            buffers: LazyBuffers::new(1 << 10, 1 << 10),
            read_slice: None,
            write_slice: None,
            refusal: None,
            last_used: Instant::now(),
        };
        let time = Duration::from_millis(5);
        let limits = Limits { first_byte: Some(time), ..Limits::default() };
        let exchange = Exchange::new(CancelToken::default(), limits);
        let _entered = exchange.enter();
        exchange.mark_sent();
        server.write_all(b"HTTP/1.1 200 OK").unwrap();
        // As long as the process is stopped, its time runs out, and nobody reads.
        std::thread::sleep(time * 4);
        assert!(socket.await_input(NextTimeout::default()).unwrap());
        assert_eq!(socket.buffers.input(), b"HTTP/1.1 200 OK");
        assert!(socket.await_input(NextTimeout::default()).is_err(), "there is nothing more");
    }
}
