//! [`Stage`]: the server that programs of other languages are tested against, and such programs as jobs.

use std::process::Command;
use std::time::Duration;

use opencode_fake_provider::Model;
use opencode_tests::binary::Generation;
use opencode_tests::{End, Error, Fake, Plan, Proxy, Result, Server, swift};
use serde_json::json;

use crate::progress;

/// The server that all languages are tested against.
pub(super) struct Stage {
    pub(super) server: Server,
    _model: Model,
    /// A second one that answers at once.
    pub(super) swift: Fake,
}

impl Stage {
    pub(super) fn start() -> Result<Stage> {
        let model = Model::start(0).map_err(|e| Error::wrap("the scripted model", e))?;
        let config = json!({ "permission": { "bash": "ask" } });
        let server = Server::builder(&model.url()).config(config).start()?;
        // The first prompt in a directory makes the server load its plugins.
        server.post("/session", &json!({}))?;
        Ok(Stage { server, _model: model, swift: Fake::start(swift())? })
    }

    /// The same with a server of 2.x.
    pub(super) fn start_two() -> Result<Stage> {
        let model = Model::start(0).map_err(|e| Error::wrap("the scripted model", e))?;
        let server = Server::builder(&model.url()).generation(Generation::Two).start()?;
        Ok(Stage { server, _model: model, swift: Fake::start(swift())? })
    }

    /// Runs a program against the server, with a second address whose server goes away soon after the
    /// first prompt that names its doom. Gives what it printed.
    pub(super) fn run(&self, program: &mut Command, note: &progress::Note) -> Result<String> {
        let proxy = std::sync::Arc::new(Proxy::start(&self.server.url())?);
        let doomed = std::sync::Arc::downgrade(&proxy);
        proxy.hook(move |asked| {
            if asked.is("POST */prompt_async*")
                && let Some(proxy) = doomed.upgrade()
            {
                std::thread::spawn(move || {
                    std::thread::sleep(Duration::from_millis(700));
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
        progress::follow(program, note)
    }
}

/// A program with a server of its own, as something to be done beside others: most of the time such programs wait.
pub(super) fn job<'a>(what: String, mut program: Command) -> progress::Job<'a> {
    (what, Box::new(move |note| Stage::start()?.run(&mut program, note).map(drop)))
}

/// Programs that share a server, one after the other: each takes some seconds. Each is run, whatever became of those before it.
pub(super) fn in_turn<'a>(
    what: &str,
    start: fn() -> Result<Stage>,
    programs: Vec<Command>,
) -> progress::Job<'a> {
    let run = move |note: &progress::Note| {
        let stage = start()?;
        let ends = programs.into_iter().map(|mut program| stage.run(&mut program, note));
        let failed: Vec<String> = ends.filter_map(|end| Some(end.err()?.to_string())).collect();
        if failed.is_empty() { Ok(()) } else { Err(Error::new(failed.join("\n"))) }
    };
    (what.to_owned(), Box::new(run))
}
