//! What tests of clients and runs have in common.

use opencode_core::{ClientOptions, Prompt, Reply, Run};
use opencode_tests::{LIMIT, Server};
use serde_json::Value;
use std::sync::Arc;

/// Client options for a server, or for something that stands before it.
pub(crate) fn options(server: &Server, url: &str) -> ClientOptions {
    let mut options = ClientOptions::default();
    options.base_url = url.to_owned();
    options.username = Some(server.username().to_owned());
    options.password = server.password().map(str::to_owned);
    // OPENCODE_LOG=debug shows what a failing test does.
    options.log = opencode_core::Log::from_env();
    options
}

/// A prompt that the model answers as the steps say.
pub(crate) fn scripted(words: &str, steps: Value) -> Prompt {
    Prompt::new(opencode_tests::prompt(words, steps))
}

/// Waits for the reply; a run that hangs fails the test.
pub(crate) fn reply(run: &Run) -> Arc<Reply> {
    run.wait(Some(LIMIT)).unwrap_or_else(|error| panic!("{error}; {}", run.why()))
}
