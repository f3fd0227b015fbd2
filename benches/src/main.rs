//! What `cargo xtask bench` measures the core with: `opencode-benches CLIENT ROW URL COUNT`.
//!
//! `CLIENT` is `core`, or `ureq` for the HTTP client that it stands on. The rows that need the real server bring it
//! (`prompt`, `waiting`, `history`), and `fake KIND` serves what nginx cannot. Each prints one JSON object a line.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its output is its result")]

mod client;
mod crowd;
mod fakes;
mod prompts;
mod sample;
mod stock;
mod system;
mod waiting;

use std::process::ExitCode;

/// What any row may fail with.
pub(crate) type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["fake", kind] => fakes::serve(kind),
        ["core", row, url, count] => count.parse().map_err(Into::into).and_then(|n| client::row(row, url, n)),
        ["ureq", row, url, count] => count.parse().map_err(Into::into).and_then(|n| stock::row(row, url, n)),
        ["crowd", url, count] => count.parse().map_err(Into::into).and_then(|n| crowd::row(url, n)),
        ["prompt", history] => history.parse().map_err(Into::into).and_then(prompts::row),
        ["waiting", count] => count.parse().map_err(Into::into).and_then(waiting::row),
        ["close", url, count] => count.parse().map_err(Into::into).and_then(|n| client::close(url, n)),
        _ => Err("usage: opencode-benches (core|ureq) ROW URL COUNT, or fake KIND, crowd URL RUNS, prompt HISTORY, waiting RUNS, close URL COUNT".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
