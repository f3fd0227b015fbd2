//! [`CancelToken`]: ends a blocking request from another thread, at once.

use crate::base::limits::after;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// A switch that is thrown once. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct CancelToken(Arc<TokenState>);

/// Asks the host whether a blocking call shall end: Ctrl-C in Python is noticed by asking. Clones share it.
#[derive(Clone)]
pub struct Interrupt(Way);

#[derive(Clone)]
enum Way {
    Ask(Arc<dyn Fn() -> bool + Send + Sync>),
    /// A call in the background has a switch already.
    Token(CancelToken),
}

impl Interrupt {
    /// How often the host is asked while a call blocks.
    pub(crate) const PERIOD: Duration = Duration::from_millis(64);

    /// `ask` says true when the call shall end. It is called on the thread that blocks, every 64 ms and when a
    /// signal arrives.
    pub fn new(ask: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Interrupt(Way::Ask(Arc::new(ask)))
    }
}

impl Interrupt {
    /// Whether it is the token of a call that was cancelled. The host is not asked.
    pub(crate) fn is_thrown(&self) -> bool {
        matches!(&self.0, Way::Token(token) if token.is_cancelled())
    }

    fn asks(&self) -> bool {
        match &self.0 {
            Way::Ask(ask) => ask(),
            Way::Token(token) => token.is_cancelled(),
        }
    }
}

impl std::fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Interrupt")
    }
}

#[derive(Default)]
struct TokenState {
    is_cancelled: AtomicBool,
    /// The socket that the request blocks on right now.
    socket: Mutex<Option<Weak<TcpStream>>>,
    woken: Condvar,
    interrupt: Option<Interrupt>,
}

impl CancelToken {
    /// A token that is also thrown when the host says so.
    pub(crate) fn with_interrupt(interrupt: Option<Interrupt>) -> Self {
        match interrupt {
            Some(Interrupt(Way::Token(token))) => token,
            interrupt => CancelToken(Arc::new(TokenState { interrupt, ..TokenState::default() })),
        }
    }

    /// What makes a call that takes options use this very token.
    pub(crate) fn interrupt(&self) -> Interrupt {
        Interrupt(Way::Token(self.clone()))
    }

    /// A token of its own for one of several requests at the same time: it is thrown with this one.
    pub(crate) fn child(&self) -> Self {
        let parent = self.clone();
        CancelToken::with_interrupt(Some(Interrupt::new(move || parent.is_cancelled())))
    }

    /// Asks the host, if it wants to be asked; true when the token is thrown now.
    pub(crate) fn ask(&self) -> bool {
        if !self.is_cancelled() && self.0.interrupt.as_ref().is_some_and(Interrupt::asks) {
            self.cancel();
        }
        self.is_cancelled()
    }

    /// The longest that a system call may block.
    pub(crate) fn slice(&self, wanted: Duration) -> Duration {
        match self.0.interrupt {
            Some(_) => wanted.min(Interrupt::PERIOD),
            None => wanted,
        }
    }

    pub(crate) fn has_interrupt(&self) -> bool {
        self.0.interrupt.is_some()
    }

    /// Ends the request that uses this token, now or as soon as it begins. Never blocks on the network.
    pub(crate) fn cancel(&self) {
        let socket = {
            let mut slot = self.slot();
            self.0.is_cancelled.store(true, Ordering::Release);
            slot.take()
        };
        if let Some(socket) = socket.and_then(|weak| weak.upgrade()) {
            // An error means that the socket is closed already.
            let _ = socket.shutdown(Shutdown::Both);
        }
        self.0.woken.notify_all();
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.is_cancelled.load(Ordering::Acquire)
    }

    /// Whether both are the same switch.
    pub(crate) fn is_same(&self, other: &CancelToken) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Names the socket to be shut down by [`cancel`](Self::cancel); false when that has happened already.
    pub(crate) fn attach(&self, socket: &Arc<TcpStream>) -> bool {
        let mut slot = self.slot();
        if self.is_cancelled() {
            return false;
        }
        let is_known =
            slot.as_ref().is_some_and(|known| std::ptr::eq(known.as_ptr(), Arc::as_ptr(socket)));
        if !is_known {
            *slot = Some(Arc::downgrade(socket));
        }
        true
    }

    /// The socket that the request of this token uses.
    pub(crate) fn socket(&self) -> Option<Arc<TcpStream>> {
        self.slot().as_ref().and_then(Weak::upgrade)
    }

    /// Forgets the socket: it may go back to a pool and serve somebody else.
    pub(crate) fn detach(&self) {
        *self.slot() = None;
    }

    /// Sleeps; false when it was cut short by a cancel.
    pub(crate) fn sleep(&self, time: Duration) -> bool {
        let until = after(time);
        loop {
            if self.ask() {
                return false;
            }
            let slot = self.slot();
            if self.is_cancelled() {
                return false;
            }
            let Some(left) = until.checked_duration_since(Instant::now()).filter(|d| !d.is_zero())
            else {
                return true;
            };
            drop(self.0.woken.wait_timeout(slot, self.slice(left)));
        }
    }

    fn slot(&self) -> MutexGuard<'_, Option<Weak<TcpStream>>> {
        self.0.socket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::TcpListener;

    #[test]
    fn a_blocked_read_ends_when_cancelled() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = Arc::new(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
        let token = CancelToken::default();
        assert!(token.attach(&socket));
        let other = token.clone();
        let canceller = std::thread::spawn(move || other.cancel());
        let mut byte = [0];
        assert!(matches!((&*socket).read(&mut byte), Ok(0) | Err(_)));
        canceller.join().unwrap();
        assert!(!token.attach(&socket), "a thrown switch stays thrown");
    }

    #[test]
    fn a_detached_socket_is_left_alone() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = Arc::new(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
        let token = CancelToken::default();
        token.attach(&socket);
        token.detach();
        token.cancel();
        socket.set_nonblocking(true).unwrap();
        let error = (&*socket).read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    }

    #[test]
    fn the_host_is_asked_while_something_blocks() {
        let asked = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let count = Arc::clone(&asked);
        let interrupt = Interrupt::new(move || count.fetch_add(1, Ordering::Relaxed) >= 2);
        let token = CancelToken::with_interrupt(Some(interrupt));
        assert!(!token.sleep(Duration::from_secs(600)));
        assert_eq!(asked.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn options_carry_a_token_and_children_follow_it() {
        let token = CancelToken::default();
        let same = CancelToken::with_interrupt(Some(token.interrupt()));
        let child = token.child();
        assert!(!same.ask() && !child.ask());
        token.cancel();
        assert!(same.is_cancelled() && child.ask());
    }

    #[test]
    fn sleep_ends_early_when_cancelled() {
        let token = CancelToken::default();
        assert!(token.sleep(Duration::from_millis(1)));
        let other = token.clone();
        let sleeper = std::thread::spawn(move || other.sleep(Duration::from_secs(600)));
        token.cancel();
        assert!(!sleeper.join().unwrap());
    }
}
