//! `cargo xtask demo`: the same streamed prompt from Lua, Python, C and Rust.

use std::env;
use std::process::Command;
use std::time::Instant;

use opencode_fake_provider::Model;
use opencode_tests::binary::{Generation, workspace};
use opencode_tests::{Error, Result, Server, http};

use crate::artefact::{self, LUAS};
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
    let given = env::var("OPENCODE_BASE_URL").ok().filter(|url| !url.is_empty());
    if let Some(url) = &given {
        // Before minutes of building.
        progress::step(&format!("look for {}", shown(url)), |_| look(url))?;
    }
    tools::ensure(tools::Need::Demo)?;
    // A build for https takes a minute more.
    let programs = build(given.as_ref().is_some_and(|url| url.starts_with("https")))?;
    let (_running, variables, place) = match given {
        Some(url) => (None, Vec::new(), format!("the server at {}", shown(&url))),
        None => {
            server::ensure_one(Generation::One)?;
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

/// An address as it may be shown: without user and password.
fn shown(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://{rest}"),
        _ => url.to_owned(),
    }
}

/// Whether something answers at an address. Whom it lets in, the programs will see.
fn look(url: &str) -> Result<()> {
    let url = shown(url);
    let Some(rest) = url.strip_prefix("http://") else { return Ok(()) };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let has_port = host.rsplit_once(']').map_or(host, |(_, rest)| rest).contains(':');
    let port = if has_port { "" } else { ":80" };
    let health = format!("http://{host}{port}{}/global/health", path.trim_end_matches('/'));
    http::send("GET", &health, &[], None).map(drop).map_err(|error| {
        Error::new(format!(
            "OPENCODE_BASE_URL: no server at {url}; start `opencode serve` there, or unset the \
             variable for a server of the demo's own ({error})"
        ))
    })
}

fn build(has_tls: bool) -> Result<Vec<(&'static str, Command)>> {
    let examples = workspace().join("examples");
    let built = artefact::demo(has_tls)?;
    let mut lua = Command::new(LUAS[0].hosts[0]);
    lua.env("LUA_CPATH", built.lua.join("?.so")).arg(examples.join("lua/ask.lua"));
    let mut python = Command::new("python3");
    python.env("PYTHONPATH", built.python).arg(examples.join("python/ask.py"));
    let c = artefact::compile_with(&built.libraries, &examples.join("c/ask.c"), &["-std=c99"])?;
    let (c, rust) = (Command::new(c), Command::new(built.rust));
    Ok(vec![("Lua", lua), ("Python", python), ("C", c), ("Rust", rust)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        assert_eq!(shown("http://me:p@ss@host:1/x"), "http://host:1/x");
        assert_eq!(shown("http://host:1"), "http://host:1");
    }

    #[test]
    fn an_address_without_a_server_is_told_before_anything_is_built() {
        let error = look("http://me:secret@127.0.0.1:9").unwrap_err().to_string();
        assert!(
            error.contains("no server at http://127.0.0.1:9; start `opencode serve`"),
            "{error}"
        );
        assert!(!error.contains("secret"), "{error}");
        assert!(look("https://127.0.0.1:9").is_ok());
    }
}
