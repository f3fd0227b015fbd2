//! A server of one's own, met in the same three ways as the shared one.

use super::*;
use opencode_tests::{Model, ServerBuilder};

/// A server with a configuration of its own, and a proxy that spoils its event stream.
pub(super) struct World {
    pub(super) server: Server,
    proxy: Proxy,
    _model: Model,
}

impl World {
    pub(super) fn start(configure: impl FnOnce(ServerBuilder) -> ServerBuilder) -> World {
        let model = Model::start(0).unwrap();
        let server = configure(Server::builder(&model.url())).start().unwrap();
        let proxy = Proxy::start(&server.url()).unwrap();
        spoil_streams(&proxy);
        World { server, proxy, _model: model }
    }

    pub(super) fn client(&self, events: bool) -> Client {
        self.behind(&self.server.url(), events)
    }

    /// A client that meets the server at another address.
    pub(super) fn behind(&self, url: &str, events: bool) -> Client {
        let mut options = options(&self.server, url);
        options.events = events;
        Client::new(options).unwrap()
    }

    /// As [`everywhere`](super::everywhere).
    pub(super) fn everywhere(&self, test: impl Fn(Client)) {
        test(self.client(true));
        test(self.client(false));
        test(self.behind(&self.proxy.url(), true));
    }
}
