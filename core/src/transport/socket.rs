//! [`SocketConnector`]: TCP for ureq, with our limits, our cancelling and fewer system calls.

use super::exchange::{Cancelled, Exchange};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};
use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
};

/// One attempt to connect takes no longer, so that a cancel is noticed while a host does not answer.
const CONNECT_SLICE: Duration = Duration::from_millis(900);
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
    loop {
        let mut refusal = None;
        let mut is_silent = false;
        for address in addresses {
            let left = match &exchange {
                Some(exchange) => exchange.left_to_connect()?,
                None => CONNECT_SLICE,
            };
            match TcpStream::connect_timeout(address, left.min(CONNECT_SLICE)) {
                Ok(stream) => return Ok(stream),
                Err(error) if is_pause(&error) => {
                    is_silent = true;
                    ask(exchange.as_deref());
                }
                Err(error) => refusal = Some(error),
            }
        }
        if !is_silent {
            let none =
                || io::Error::new(io::ErrorKind::AddrNotAvailable, "the host has no address");
            return Err(refusal.unwrap_or_else(none));
        }
    }
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
                let wanted = exchange.slice(exchange.left_to_read(since)?);
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
