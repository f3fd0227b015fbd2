//! [`OwnServer`]: a server that this program has started, as its clients know it: why it ended, once it has.

use crate::base::error::{Error, ErrorKind};
use crate::base::per_process::PerProcess;
use once_cell::race::OnceBox;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Those that are there, by their addresses.
type Known = Vec<(String, Weak<OwnServer>)>;

fn known() -> MutexGuard<'static, Known> {
    static KNOWN: OnceBox<PerProcess<Mutex<Known>>> = OnceBox::new();
    let known = KNOWN.get_or_init(|| Box::new(PerProcess::new(Mutex::default())));
    known.get(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Default)]
pub(crate) struct OwnServer {
    end: OnceBox<Error>,
}

impl OwnServer {
    /// From now on clients of this address are clients of this server.
    pub(crate) fn listens_at(self: &Arc<Self>, address: &str) {
        let mut servers = known();
        servers.retain(|(known, server)| known != address && server.strong_count() > 0);
        servers.push((address.to_owned(), Arc::downgrade(self)));
    }

    /// The server at this address, if this program has started it and it has not ended.
    pub(crate) fn at(address: &str) -> Option<Arc<OwnServer>> {
        let servers = known();
        let (_, server) = servers.iter().find(|(known, _)| known == address)?;
        server.upgrade().filter(|server| server.end.get().is_none())
    }

    /// The program closes it.
    pub(crate) fn was_closed(&self) {
        self.end("run: the server was closed by this program; the run ended with it".to_owned());
    }

    /// It ended by itself.
    pub(crate) fn has_ended(&self, why: &Error) {
        self.end(format!("run: the server ended, and the run with it; {why}"));
    }

    /// Why a run that it had not answered is over; `None` while it is there.
    pub(crate) fn error(&self) -> Option<&Error> {
        self.end.get()
    }

    fn end(&self, text: String) {
        let error = Error::new(ErrorKind::Interrupted, text).with_operation("run");
        let _ = self.end.set(Box::new(error));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_of_an_address_is_one_of_the_server_that_is_there_now() {
        let address = "http://own.test:1";
        assert!(OwnServer::at(address).is_none());
        let first = Arc::new(OwnServer::default());
        first.listens_at(address);
        let known = OwnServer::at(address).expect("it is there");
        first.was_closed();
        let error = known.error().expect("it has ended");
        assert!(error.message().contains("closed by this program"), "{error}");
        first.has_ended(&Error::invalid("later"));
        assert!(known.error().is_some_and(|error| !error.message().contains("later")));
        // Whoever listens there now is somebody else, until this program starts another one.
        assert!(OwnServer::at(address).is_none());
        let second = Arc::new(OwnServer::default());
        second.listens_at(address);
        assert!(OwnServer::at(address).is_some_and(|server| server.error().is_none()));
        drop(second);
        assert!(OwnServer::at(address).is_none());
    }
}
