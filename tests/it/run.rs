//! Runs against the real server. Each test stands for a row of what the server was seen to do.

mod ask;
mod ends;
mod losses;
mod queue;
mod text;

use opencode_core::{Client, ClientOptions, Prompt, Reply, Run, Update};
use opencode_tests::{LIMIT, Server, shared};
use serde_json::{Value, json};
use std::sync::Arc;

/// Client options for a server, or for something that stands before it.
fn options(server: &Server, url: &str) -> ClientOptions {
    let mut options = ClientOptions::default();
    options.base_url = url.to_owned();
    options.username = Some(server.username().to_owned());
    options.password = server.password().map(str::to_owned);
    // OPENCODE_LOG=debug shows what a failing test does.
    options.log = opencode_core::Log::from_env();
    options
}

/// A client of the shared server, with and without its event stream.
fn client(events: bool) -> Client {
    let server = &shared().server;
    let mut options = options(server, &server.url());
    options.events = events;
    Client::new(options).unwrap()
}

/// A prompt that the model answers as the steps say.
fn scripted(words: &str, steps: Value) -> Prompt {
    Prompt::new(opencode_tests::prompt(words, steps))
}

/// A call of a tool, as a step of the model.
fn tool(name: &str, arguments: Value) -> Value {
    json!({ "tools": [{ "name": name, "arguments": arguments }] })
}

fn bash(command: &str) -> Value {
    tool("bash", json!({ "command": command, "description": "d" }))
}

/// Waits for the reply; a run that hangs fails the test.
fn reply(run: &Run) -> Arc<Reply> {
    run.wait(Some(LIMIT)).unwrap_or_else(|error| panic!("{error}; {}", run.why()))
}

fn error(run: &Run) -> opencode_core::Error {
    match run.wait(Some(LIMIT)) {
        Ok(reply) => panic!("it did not fail: {reply:?}"),
        Err(error) => error,
    }
}

/// Takes updates until one is wanted.
fn until(run: &Run, mut wanted: impl FnMut(&Update) -> bool) -> Update {
    for update in run.updates() {
        if wanted(&update) {
            return update;
        }
        assert!(!matches!(update, Update::Done(_) | Update::Failed(_)), "{update:?}");
    }
    panic!("no more updates");
}

/// The text that a host shows which follows the updates.
fn shown(updates: impl Iterator<Item = Update>) -> String {
    let mut text = String::new();
    for update in updates {
        if let Update::Text(piece) = update {
            if piece.replaces {
                text.clear();
            }
            text.push_str(&piece.delta);
        }
    }
    text
}
