//! A thousand at once.

use crate::client::*;
use crate::isolated;
use crate::process::{connections, threads};
use opencode_core::{Client, Run, State};
use opencode_tests::{Model, Server};
use serde_json::json;

#[test]
fn a_thousand_runs_share_a_few_threads_and_all_finish() {
    let _isolated = isolated();
    let (server, _model) = quick_server();
    let client = Client::new(options(&server, &server.url())).unwrap();
    let first = client.run(scripted("first", json!([{ "text": "x" }]))).unwrap();
    reply(&first);
    let few = threads();
    let runs: Vec<Run> = (0..1_000)
        .map(|n| {
            let mut prompt =
                scripted("crowd", json!([{ "text": format!("answer {n}"), "delay_ms": 0 }]));
            // Without one the server asks the model for a title as well.
            prompt.title = Some(format!("crowd {n}"));
            client.run(prompt).unwrap()
        })
        .collect();
    let port = server.url().rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap();
    let (mut seen, mut open) = (Vec::new(), 0);
    // The last one to finish is not the last one to have begun.
    while runs.iter().any(|run| run.state() == State::Pending) {
        open = open.max(connections(port));
        let now = threads();
        if now.len() > seen.len() {
            seen = now;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    for (n, run) in runs.iter().enumerate() {
        assert_eq!(run.wait(None).unwrap().text, format!("answer {n}"));
    }
    // One that decides, one that listens, four that ask, and two that look again after the stream was lost.
    assert!(seen.len() <= 8, "one run needs {few:?}, a thousand {seen:?}");
    // Their descriptors are those of the connections, and no run has one of its own: as many as there are threads that ask.
    assert!((1..=12).contains(&open), "{open} connections for a thousand runs");
}

/// A server that takes no snapshot of its project at every step: thousands of prompts take half the time.
fn quick_server() -> (Server, Model) {
    let model = Model::start(0).unwrap();
    let config = json!({ "snapshot": false });
    let server = Server::builder(&model.url()).config(config).start().unwrap();
    (server, model)
}
