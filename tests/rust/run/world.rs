//! Where a scenario is played: a server of either generation, and the ways to meet it.

use super::*;
use opencode_tests::{Generation, Model, ServerBuilder, Shared, shared, shared_two};
use std::ops::Deref;

/// A server with its model: the one that all tests share, or one with a configuration of its own.
pub(super) struct World {
    machine: Machine,
    /// Spoils the event streams of those who come this way.
    proxy: Proxy,
}

enum Machine {
    Shared(&'static Shared),
    Own(Box<Shared>),
}

/// How a client hears of what happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// By an event stream.
    Steady,
    /// By looking.
    Deaf,
    /// By an event stream that comes late, drops, stalls and repeats.
    Rough,
}

impl World {
    /// The shared server of this generation.
    pub(super) fn shared(generation: Generation) -> &'static World {
        static ONE: OnceLock<World> = OnceLock::new();
        static TWO: OnceLock<World> = OnceLock::new();
        let (cell, machine) = match generation {
            Generation::One => (&ONE, shared as fn() -> &'static Shared),
            Generation::Two => (&TWO, shared_two as fn() -> &'static Shared),
        };
        cell.get_or_init(|| World::new(Machine::Shared(machine())))
    }

    /// A server where commands have to be asked for; one for all tests: a start costs seconds.
    pub(super) fn asking(generation: Generation) -> &'static World {
        static ONE: OnceLock<World> = OnceLock::new();
        static TWO: OnceLock<World> = OnceLock::new();
        let cell = if generation == Generation::Two { &TWO } else { &ONE };
        cell.get_or_init(|| {
            let config = json!({ "permission": { "bash": "ask" } });
            World::start(generation, |server| server.config(config))
        })
    }

    pub(super) fn start(
        generation: Generation,
        configure: impl FnOnce(ServerBuilder) -> ServerBuilder,
    ) -> World {
        let model = Model::start(0).unwrap();
        let builder = Server::builder(&model.url()).generation(generation);
        let server = configure(builder).start().unwrap();
        World::new(Machine::Own(Box::new(Shared { server, model })))
    }

    fn new(machine: Machine) -> World {
        let proxy = Proxy::start(&machine.server.url()).unwrap();
        spoil_streams(&proxy);
        World { machine, proxy }
    }

    pub(super) fn server(&self) -> &Server {
        &self.machine.server
    }

    pub(super) fn model(&self) -> &Model {
        &self.machine.model
    }

    pub(super) fn is_two(&self) -> bool {
        self.server().generation() == Generation::Two
    }

    /// What it is called on 1.x, and what on 2.x.
    pub(super) fn word<T>(&self, one: T, two: T) -> T {
        if self.is_two() { two } else { one }
    }

    pub(super) fn options(&self) -> ClientOptions {
        options(self.server(), &self.server().url())
    }

    /// A client with its event stream.
    pub(super) fn client(&self) -> Client {
        Client::new(self.options()).unwrap()
    }

    pub(super) fn place(&self, way: Way) -> Place<'_> {
        let url = if way == Way::Rough { self.proxy.url() } else { self.server().url() };
        self.behind(&url, way)
    }

    /// A client that meets the server at another address.
    pub(super) fn behind(&self, url: &str, way: Way) -> Place<'_> {
        let mut options = options(self.server(), url);
        options.events = way != Way::Deaf;
        Place { client: Client::new(options).unwrap(), world: self, way }
    }

    /// In all these ways; on 2.x in one of them, unless the list says that it differs there.
    pub(super) fn ways<F: Fn(&Place<'_>)>(&self, ways: &[Way], test: &F) {
        let all = !self.is_two() || list::differs(&list::name_of::<F>());
        // The last of them sees the most: what a stream tells, and what a look does.
        let ways = if all { ways } else { &ways[ways.len().saturating_sub(1)..] };
        ways.iter().for_each(|way| test(&self.place(*way)));
    }

    /// As [`everywhere`](super::everywhere), on this server.
    pub(super) fn everywhere<F: Fn(&Place<'_>)>(&self, test: F) {
        self.ways(&[Way::Steady, Way::Deaf, Way::Rough], &test);
    }
}

impl Deref for Machine {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        match self {
            Machine::Shared(shared) => shared,
            Machine::Own(own) => own,
        }
    }
}

/// A client, and the server that it talks to.
pub(super) struct Place<'a> {
    client: Client,
    world: &'a World,
    way: Way,
}

impl Place<'_> {
    /// Whether nothing is wrong with its event stream.
    pub(super) fn is_steady(&self) -> bool {
        self.way == Way::Steady
    }

    pub(super) fn has_events(&self) -> bool {
        self.way != Way::Deaf
    }

    pub(super) fn world(&self) -> &World {
        self.world
    }
}

impl Deref for Place<'_> {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}
