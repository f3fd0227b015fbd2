//! [`Stage`]: the server that programs of other languages are tested against.

use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::{End, Fake, Generation, Model, Plan, Proxy, Result, Server, swift};

/// How long the server of the second address answers after the first prompt: its program shall meet it alive and gone.
const UNTIL_DOOM: Duration = Duration::from_millis(700);

/// A server with the scripted model, for programs of other languages. In 1.x its agent asks before it uses `bash`.
#[derive(Debug)]
pub struct Stage {
    /// The real server.
    pub server: Server,
    _model: Model,
    /// A second one that answers at once.
    pub swift: Fake,
}

impl Stage {
    /// One with a server of 1.x. Blocks for seconds.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start() -> Result<Stage> {
        let stage = Stage::of(Generation::One)?;
        // The first prompt in a directory makes the server load its plugins.
        stage.server.post("/session", &json!({}))?;
        Ok(stage)
    }

    /// The same with a server of 2.x.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_two() -> Result<Stage> {
        Stage::of(Generation::Two)
    }

    fn of(generation: Generation) -> Result<Stage> {
        let model = Model::start(0)?;
        let mut server = Server::builder(&model.url()).generation(generation);
        if generation == Generation::One {
            server = server.config(json!({ "permission": { "bash": "ask" } }));
        }
        Ok(Stage { server: server.start()?, _model: model, swift: Fake::start(swift())? })
    }

    /// Makes a program find the server, and a second address whose server goes away soon after the first prompt. Drop what this
    /// gives when the program is over.
    ///
    /// # Errors
    /// When there is no port for that address.
    pub fn set(&self, program: &mut Command) -> Result<Doomed> {
        let proxy = Arc::new(Proxy::start(&self.server.url())?);
        let doomed = Arc::downgrade(&proxy);
        proxy.hook(move |asked| {
            if asked.is("POST */prompt_async*")
                && let Some(proxy) = doomed.upgrade()
            {
                thread::spawn(move || {
                    thread::sleep(UNTIL_DOOM);
                    // Going down twice is no failure.
                    let _ = proxy.down();
                    proxy.cut_all(End::Reset);
                });
            }
            Plan::pass()
        });
        program
            .current_dir(self.server.directory())
            // What programs start themselves lives in the same world. Cargo is one of the programs.
            .envs(self.server.world().into_iter().filter(|(name, _)| name != "HOME"))
            .envs(self.server.env())
            .env("OPENCODE_SERVER_PID", self.server.pid().to_string())
            .env("OPENCODE_DOOMED_URL", proxy.url())
            .env("OPENCODE_SWIFT_URL", self.swift.url());
        Ok(Doomed(proxy))
    }
}

/// The address of a server that goes away.
#[derive(Debug)]
pub struct Doomed(#[expect(dead_code, reason = "it lives as long as this")] Arc<Proxy>);
