//! What happens to those who wait for a thread of the library.

use crate::client::*;
use opencode_core::{CallOptions, Client, EventOptions, Level, Log, PtyOptions};
use opencode_tests::{LIMIT, shared};
use serde_json::json;
use std::time::Duration;

#[test]
fn a_log_that_panics_ends_nothing() {
    let server = &shared().server;
    let mut settings = options(server, &server.url());
    settings.log = Log::new(Level::Debug, |_, _| std::panic::panic_any("by the test"));
    let client = Client::new(settings).unwrap();
    let run = client.run(scripted("log", json!([{ "text": "still here" }]))).unwrap();
    assert_eq!(reply(&run).text, "still here");
    let call = client.start("session.list", ()).unwrap();
    call.wait(Some(LIMIT)).unwrap().unwrap();
    client.call("session.list", ()).unwrap();
}

#[test]
fn times_without_end_are_fine() {
    let server = &shared().server;
    let mut settings = options(server, &server.url());
    settings.connect_timeout = Duration::MAX;
    settings.timeout = Duration::MAX;
    settings.stall_timeout = Duration::MAX;
    let client = Client::new(settings).unwrap();
    let mut call = CallOptions::default();
    call.timeout = Some(Duration::MAX);
    client.call_json("session.list", "", &call).unwrap();
    let mut prompt = scripted("for ever", json!([{ "text": "done" }]));
    prompt.limits.deadline = Some(Duration::MAX);
    prompt.limits.start_timeout = Some(Duration::MAX);
    prompt.limits.server_timeout = Some(Duration::MAX);
    let run = client.run(prompt).unwrap();
    run.next_update(Some(Duration::MAX)).unwrap();
    assert_eq!(run.wait(Some(Duration::MAX)).unwrap().text, "done");
    let started = client.start_json("session.list", "", call.clone()).unwrap();
    started.wait(Some(Duration::MAX)).unwrap().unwrap();
    let events = client.events(EventOptions::default()).unwrap();
    events.next(Some(Duration::MAX)).unwrap().unwrap();
    let mut terminal = PtyOptions::default();
    // It stays: of a program that ends at once the server may say for ever that it runs.
    terminal.command = Some("bash".to_owned());
    terminal.args = ["--norc", "-c", "echo here; read x"].map(str::to_owned).to_vec();
    terminal.server_timeout = Duration::MAX;
    client.pty(terminal).unwrap().read(Some(Duration::MAX)).unwrap();
    // A name is looked up on a thread of its own.
    let mut named = options(server, &server.url().replace("127.0.0.1", "localhost"));
    named.connect_timeout = Duration::MAX;
    Client::new(named).unwrap().call("session.list", ()).unwrap();
}
