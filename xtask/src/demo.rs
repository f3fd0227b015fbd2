//! `cargo xtask demo`: the same streamed prompt from Lua, Python, C and Rust.

use std::env;
use std::process::Command;
use std::time::Instant;

use opencode_model::Model;
use opencode_tests::binary::workspace;
use opencode_tests::{Error, Result, Server};

use crate::artefact::{self, LUAS, Profile};
use crate::{progress, server, tools};

/// Runs the demo with a prompt.
///
/// # Errors
/// When something cannot be installed or built, or a program fails.
pub(crate) fn run(words: &[String]) -> Result<()> {
    let start = Instant::now();
    let prompt = match words {
        [] => "Say hello from libopencode".to_owned(),
        words => words.join(" "),
    };
    tools::ensure(tools::Need::Demo)?;
    let programs = build()?;
    let given = env::var("OPENCODE_BASE_URL").ok().filter(|url| !url.is_empty());
    let (_running, variables, place) = match given {
        Some(url) => (None, Vec::new(), format!("the server at {url}")),
        None => {
            server::ensure()?;
            let (model, server) =
                progress::step("start the server and the scripted model", |_| {
                    let model =
                        Model::start(0).map_err(|e| Error::wrap("the scripted model", e))?;
                    let server = Server::builder(&model.url()).start()?;
                    // The first prompt in a directory makes the server load its plugins.
                    server.post("/session", &serde_json::json!({}))?;
                    Ok((model, server))
                })?;
            let variables = server.env();
            (
                Some((model, server)),
                variables,
                "a server of its own, with the scripted model".into(),
            )
        }
    };
    println!("\nPrompt: {prompt}\nTo:     {place}");
    for (language, mut program) in programs {
        println!("\n== {language}");
        let status = program
            .arg(&prompt)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .status()
            .map_err(|e| Error::wrap(language, e))?;
        if !status.success() {
            return Err(Error::new(format!("the {language} program ended with {status}")));
        }
    }
    println!("\nDone in {:.0} s. The programs are in examples/.", start.elapsed().as_secs_f64());
    Ok(())
}

fn build() -> Result<Vec<(&'static str, Command)>> {
    let examples = workspace().join("examples");
    let profile = Profile::Release;
    let module = artefact::native(&LUAS[0], profile)?;
    let mut lua = Command::new(LUAS[0].hosts[0]);
    lua.env("LUA_CPATH", module.join("?.so")).arg(examples.join("lua/ask.lua"));
    let mut python = Command::new(artefact::python(profile, &[])?);
    python.arg(examples.join("python/ask.py"));
    let c = Command::new(artefact::compile(&examples.join("c/ask.c"), &["-std=c99"])?);
    let rust = Command::new(artefact::examples(&["ask"], profile)?.join("ask"));
    Ok(vec![("Lua", lua), ("Python", python), ("C", c), ("Rust", rust)])
}
