//! [`Exchange`]: one request in flight on this thread: its limits, its switch, and how far it got.
//!
//! ureq calls its transport on the thread that runs the request, so the socket finds the exchange that it
//! serves in a thread-local slot. That keeps limits and cancelling out of ureq's configuration, which would
//! cost a system call per stage, and lets a pooled connection serve requests with different limits.

use crate::base::cancel::CancelToken;
use crate::base::limits::{Limits, Stage};
use std::cell::{Cell, RefCell};
use std::io;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::time::{Duration, Instant};

thread_local! {
    /// Never destroyed, so that a request works in an exit handler too. It is empty while no request is in flight.
    static CURRENT: ManuallyDrop<RefCell<Option<Rc<Exchange>>>> =
        const { ManuallyDrop::new(RefCell::new(None)) };
}

/// One request in flight.
pub(super) struct Exchange {
    pub(super) token: CancelToken,
    pub(super) limits: Limits,
    started: Instant,
    /// When the connection of this hop began to be made; each redirect is a hop of its own.
    hop: Cell<Instant>,
    /// When bytes of the request were last written.
    sent: Cell<Option<Instant>>,
    has_head: Cell<bool>,
    /// Connections that are being made now, one inside the other: the one to a proxy is part of the one to the server.
    making: Cell<u32>,
    /// The proxy that this request goes through.
    proxy: RefCell<Option<String>>,
    /// Whether what answered was TLS, where nobody asked for it.
    heard_tls: Cell<bool>,
    /// Whether it cannot be sent again when the connection turns out to be dead.
    is_single: Cell<bool>,
    /// Whether a read that finds nothing ends at once.
    is_instant: bool,
}

impl Exchange {
    pub(super) fn new(token: CancelToken, limits: Limits) -> Rc<Self> {
        Rc::new(Exchange::begin(token, limits, false))
    }

    /// One whose reads take what is there and never wait; the head of the answer came long ago.
    pub(super) fn instant(token: CancelToken, limits: Limits) -> Rc<Self> {
        Rc::new(Exchange::begin(token, limits, true))
    }

    fn begin(token: CancelToken, limits: Limits, is_instant: bool) -> Self {
        Exchange {
            token,
            limits,
            started: Instant::now(),
            hop: Cell::new(Instant::now()),
            sent: Cell::new(None),
            has_head: Cell::new(is_instant),
            making: Cell::new(0),
            proxy: RefCell::default(),
            heard_tls: Cell::new(false),
            is_single: Cell::new(false),
            is_instant,
        }
    }

    pub(super) fn is_instant(&self) -> bool {
        self.is_instant
    }

    /// Makes this the exchange of the current thread until the guard is dropped.
    pub(super) fn enter(self: &Rc<Self>) -> Entered {
        let before = CURRENT.with(|slot| slot.replace(Some(Rc::clone(self))));
        Entered { before }
    }

    /// The exchange of the current thread.
    pub(super) fn current() -> Option<Rc<Exchange>> {
        CURRENT.with(|slot| slot.borrow().clone())
    }

    pub(super) fn mark_sent(&self) {
        self.sent.set(Some(Instant::now()));
    }

    /// Whether the server may have seen a part of the request. What goes out while the connection is made, for a proxy
    /// or for TLS, is none.
    pub(super) fn is_sent(&self) -> bool {
        self.sent.get().is_some() && self.making.get() == 0
    }

    /// A connection to `host` is being made.
    pub(super) fn begin_connection(&self, host: &str) {
        self.making.set(self.making.get() + 1);
        if self.making.get() > 1 {
            *self.proxy.borrow_mut() = Some(host.to_owned());
        }
    }

    /// It stands, and nothing of the request was sent over it.
    pub(super) fn end_connection(&self) {
        self.making.set(self.making.get().saturating_sub(1));
        if self.making.get() == 0 {
            self.sent.set(None);
        }
    }

    /// Whether a connection is being made.
    pub(super) fn is_connecting(&self) -> bool {
        self.making.get() > 0
    }

    /// The proxy that did not answer, or did not let us through.
    pub(super) fn failed_proxy(&self) -> Option<String> {
        self.proxy.borrow().clone().filter(|_| self.making.get() > 0)
    }

    /// The proxy to which the connection is being made, as long as it does not stand.
    #[cfg(feature = "tls")]
    pub(super) fn proxy_ahead(&self) -> Option<String> {
        self.proxy.borrow().clone().filter(|_| self.making.get() > 1)
    }

    /// Looks at the first bytes that came.
    pub(super) fn hear(&self, bytes: &[u8]) {
        // An alert of TLS; an answer of HTTP begins with a letter.
        if self.awaits_head() && bytes.starts_with(&[0x15, 0x03]) {
            self.heard_tls.set(true);
        }
    }

    pub(super) fn has_heard_tls(&self) -> bool {
        self.heard_tls.get()
    }

    pub(super) fn mark_single(&self) {
        self.is_single.set(true);
    }

    /// Whether a connection must be known to be alive before anything of this is sent over it.
    pub(super) fn needs_probe(&self) -> bool {
        self.is_single.get() && !self.is_sent()
    }

    /// A redirect: everything begins anew but the time for the whole request.
    pub(super) fn mark_hop(&self) {
        self.hop.set(Instant::now());
        self.has_head.set(false);
        self.making.set(0);
    }

    pub(super) fn mark_head(&self) {
        self.has_head.set(true);
    }

    /// Whether the server has yet to say what it thinks of the request.
    pub(super) fn awaits_head(&self) -> bool {
        !self.has_head.get()
    }

    /// Time left to connect.
    pub(super) fn left_to_connect(&self) -> io::Result<Duration> {
        let left = self.left(Stage::Connect, Some(self.limits.connect), self.hop.get())?;
        Ok(left.unwrap_or(self.limits.connect))
    }

    /// Time left to write; `since` is when this write began.
    pub(super) fn left_to_write(&self, since: Instant) -> io::Result<Option<Duration>> {
        self.left(Stage::Send, self.limits.idle, since)
    }

    /// Time left to read; `since` is when this read began.
    pub(super) fn left_to_read(&self, since: Instant) -> io::Result<Option<Duration>> {
        if self.making.get() > 0 {
            self.left(Stage::Connect, Some(self.limits.connect), self.hop.get())
        } else if self.has_head.get() {
            self.left(Stage::Body, self.limits.idle, since)
        } else {
            self.left(Stage::FirstByte, self.limits.first_byte, self.sent.get().unwrap_or(since))
        }
    }

    /// The time for which the kernel may block: a power of two below what is left, so that requests with the
    /// same limits need no further system call to set it.
    pub(super) fn slice(&self, left: Option<Duration>) -> Option<Duration> {
        let left = match left {
            Some(left) => self.token.slice(left),
            None if self.token.has_interrupt() => self.token.slice(Duration::MAX),
            None => return None,
        };
        let ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX).clamp(1, 1 << 14);
        Some(Duration::from_millis(1 << (63 - ms.leading_zeros())))
    }

    fn left(
        &self,
        stage: Stage,
        limit: Option<Duration>,
        since: Instant,
    ) -> io::Result<Option<Duration>> {
        if self.token.is_cancelled() {
            return Err(Cancelled.into());
        }
        let left = |limit: Duration, since: Instant| limit.checked_sub(since.elapsed());
        let mut least: Option<Duration> = None;
        for (stage, limit, since) in
            [(stage, limit, since), (Stage::Total, self.limits.total, self.started)]
        {
            let Some(limit) = limit else { continue };
            match left(limit, since).filter(|left| !left.is_zero()) {
                Some(left) => least = Some(least.map_or(left, |least| least.min(left))),
                None => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, Expired { stage, limit }));
                }
            }
        }
        Ok(least)
    }
}

/// Restores the exchange that was current before.
pub(super) struct Entered {
    before: Option<Rc<Exchange>>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let before = self.before.take();
        CURRENT.with(|slot| *slot.borrow_mut() = before);
    }
}

/// A limit ran out.
#[derive(Debug)]
pub(super) struct Expired {
    pub(super) stage: Stage,
    pub(super) limit: Duration,
}

impl std::fmt::Display for Expired {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "limit of {:?} reached while {}", self.limit, self.stage.describe())
    }
}

impl std::error::Error for Expired {}

/// The handshake of TLS failed; says why, and what to do.
#[derive(Debug)]
pub(super) struct TlsFailed(pub(super) String);

impl std::fmt::Display for TlsFailed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TlsFailed {}

/// The switch was thrown.
#[derive(Debug)]
pub(super) struct Cancelled;

impl std::fmt::Display for Cancelled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cancelled")
    }
}

impl std::error::Error for Cancelled {}

/// Never of a kind that ureq takes for the end of a body: half an answer would count as a whole one.
impl From<Cancelled> for io::Error {
    fn from(cancelled: Cancelled) -> Self {
        io::Error::other(cancelled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::cancel::Interrupt;

    #[test]
    fn slices_are_powers_of_two_and_never_longer_than_what_is_left() {
        let exchange = Exchange::new(CancelToken::default(), Limits::default());
        for left in [1, 2, 3, 999, 1000, 1024, 16_384, 60_000] {
            let slice = exchange.slice(Some(Duration::from_millis(left))).unwrap();
            assert!(slice <= Duration::from_millis(left));
            assert!(slice.as_millis().is_power_of_two());
        }
        let short = exchange.slice(Some(Duration::from_micros(10)));
        assert_eq!(short, Some(Duration::from_millis(1)));
        assert_eq!(exchange.slice(None), None);
    }

    #[test]
    fn nothing_is_sent_while_the_connection_is_made() {
        let exchange = Exchange::new(CancelToken::default(), Limits::default());
        exchange.begin_connection("server");
        exchange.begin_connection("proxy");
        exchange.mark_sent();
        assert_eq!(
            (exchange.is_sent(), exchange.failed_proxy()),
            (false, Some("proxy".to_owned()))
        );
        exchange.end_connection();
        exchange.mark_sent();
        assert!(!exchange.is_sent());
        exchange.end_connection();
        assert_eq!((exchange.is_sent(), exchange.failed_proxy()), (false, None));
        exchange.mark_sent();
        assert!(exchange.is_sent());
    }

    #[test]
    fn a_host_that_wants_to_be_asked_is_asked_often() {
        let token = CancelToken::with_interrupt(Some(Interrupt::new(|| false)));
        let exchange = Exchange::new(token, Limits::default());
        assert_eq!(exchange.slice(None), Some(Interrupt::PERIOD));
        assert_eq!(exchange.slice(Some(Duration::from_secs(9))), Some(Interrupt::PERIOD));
    }
}
