//! A thousand at once.

use crate::client::*;
use crate::isolated;
use crate::process::{connections, memory, sleeps, threads};
use opencode_core::{Client, Run, State};
use opencode_tests::{Answer, Fake, Model, Request, Server, eventually, shared};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

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

/// A server whose prompts are taken and never answered.
fn busy_server() -> Fake {
    let made = AtomicUsize::new(0);
    Fake::start(move |request: &Request| match (request.method.as_str(), request.path()) {
        ("POST", "/session") => {
            let id = format!("ses_{}", made.fetch_add(1, Ordering::Relaxed));
            let time = json!({ "created": 1 });
            let session = json!({ "id": id, "directory": "/p", "title": "t", "time": time });
            Answer::json(200, &session)
        }
        ("POST", path) if path.ends_with("/prompt_async") => {
            Answer::body(204, "application/json", "")
        }
        ("GET", "/global/event") => {
            let hello = json!({ "payload": { "type": "server.connected", "properties": {} } });
            Answer::events().event(&hello).pause(Duration::MAX)
        }
        ("GET", "/session/status") => {
            let all = (0..made.load(Ordering::Relaxed)).map(|n| format!("ses_{n}"));
            let busy = |id| (id, json!({ "type": "busy" }));
            Answer::json(200, &Value::Object(all.map(busy).collect()))
        }
        _ => Answer::json(200, &json!([])),
    })
    .unwrap()
}

#[test]
fn a_thousand_runs_that_wait_take_little_memory_and_a_cancel_never_waits() {
    let _isolated = isolated();
    let fake = busy_server();
    let client = Client::new(options(&shared().server, &fake.url())).unwrap();
    let start = |count: usize| -> Vec<Run> {
        let runs: Vec<Run> = (0..count).map(|n| client.run(format!("{n}")).unwrap()).collect();
        let is_busy = |run: &Run| run.why().contains("the model is working");
        eventually("all runs are at work", || runs.iter().all(is_busy).then_some(()));
        runs
    };
    // Threads, connections and the allocator settle first.
    let first = start(100);
    let (few, before) = (threads(), memory());
    let runs = start(1_000);
    let each = memory().saturating_sub(before) / 1_000;
    assert!(each <= 20 << 10, "{each} bytes a run");
    assert_eq!(threads(), few, "a thousand runs need no more threads than a hundred");
    let before = sleeps();
    runs.iter().for_each(|run| assert_ne!(run.cancel(Duration::ZERO), State::Done));
    let slept = sleeps() - before;
    // A thousand requests would be a thousand at least; the lock of the inbox may be held now and then.
    assert!(slept <= 100, "the thread that cancelled slept {slept} times");
    drop((first, runs));
    client.close();
}
