//! Terminals on the real server.

mod losses;
mod programs;
pub(crate) mod tls;

use opencode_core::{Client, ClientOptions, Pty, PtyOptions};
use opencode_tests::{LIMIT, Server, shared};
use std::time::{Duration, Instant};

fn options(server: &Server, url: &str) -> ClientOptions {
    let mut options = ClientOptions::default();
    options.base_url = url.to_owned();
    options.username = Some(server.username().to_owned());
    options.password = server.password().map(str::to_owned);
    options.log = opencode_core::Log::from_env();
    options
}

fn client() -> Client {
    let server = &shared().server;
    Client::new(options(server, &server.url())).unwrap()
}

/// A script in bash, without the user's settings.
fn script(text: &str) -> PtyOptions {
    program("bash", &["--norc", "-c", text])
}

fn program(command: &str, args: &[&str]) -> PtyOptions {
    let mut options = PtyOptions::default();
    options.command = Some(command.to_owned());
    options.args = args.iter().map(|arg| (*arg).to_owned()).collect();
    options
}

/// Reads until the output holds something; everything that was read.
pub(crate) fn until(pty: &Pty, wanted: &str) -> String {
    let end = Instant::now() + LIMIT;
    let mut all = String::new();
    while !all.contains(wanted) {
        assert!(Instant::now() < end, "waited for {wanted:?}, got {all:?}");
        match pty.read(Some(Duration::from_secs(1))).unwrap() {
            Some(text) => all.push_str(&text),
            None => panic!("it ended before {wanted:?}: {all:?}"),
        }
    }
    all
}

/// Reads to the end.
fn rest(pty: &Pty) -> String {
    let end = Instant::now() + LIMIT;
    let mut all = String::new();
    while let Some(text) = pty.read(Some(Duration::from_secs(1))).unwrap() {
        assert!(Instant::now() < end, "no end after {} bytes", all.len());
        all.push_str(&text);
    }
    all
}
