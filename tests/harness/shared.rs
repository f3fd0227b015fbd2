//! One server and one model for all tests of a process.

use std::sync::OnceLock;

use crate::binary::Generation;
use crate::{Model, Result, Server};

/// The server and the model that the tests of a process share.
#[derive(Debug)]
pub struct Shared {
    /// The real server, in its own project.
    pub server: Server,
    /// The model behind it.
    pub model: Model,
}

/// The shared pair: started by the first call, which blocks for seconds, and stopped when the
/// process ends. Never stop this server; start an own one for that.
///
/// # Panics
/// When it cannot be started, in every call.
pub fn shared() -> &'static Shared {
    static SHARED: OnceLock<Result<Shared>> = OnceLock::new();
    started(&SHARED, Generation::One)
}

/// As [`shared`], with a server of 2.x.
///
/// # Panics
/// As [`shared`].
pub fn shared_two() -> &'static Shared {
    static SHARED: OnceLock<Result<Shared>> = OnceLock::new();
    started(&SHARED, Generation::Two)
}

fn started(cell: &'static OnceLock<Result<Shared>>, generation: Generation) -> &'static Shared {
    match cell.get_or_init(|| start(generation)) {
        Ok(shared) => shared,
        Err(error) => panic!("the shared server did not start: {error}"),
    }
}

fn start(generation: Generation) -> Result<Shared> {
    let model = Model::start(0)?;
    let server = Server::builder(&model.url()).generation(generation).start()?;
    Ok(Shared { server, model })
}
