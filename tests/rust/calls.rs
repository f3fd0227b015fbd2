//! What one call does differently from its client, and many calls at once.

use crate::client::options;
use crate::run::client;
use opencode_core::{CallOptions, Client, ClientOptions, ErrorKind, Level};
use opencode_tests::{Answer, Fake, LIMIT, eventually, shared};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

fn directory(answer: opencode_core::Answer) -> Value {
    answer.json::<Value>().unwrap()["directory"].take()
}

#[test]
fn a_call_has_its_own_directory() {
    let server = &shared().server;
    let mut settings = options(server, &server.url());
    settings.directory = Some("/".to_owned());
    let client = Client::new(settings).unwrap();
    let mut here = CallOptions::default();
    assert_eq!(directory(client.call("path.get", ()).unwrap()), "/");
    here.directory = Some("/tmp".to_owned());
    assert_eq!(directory(client.call_json("path.get", "", &here).unwrap()), "/tmp");
    let argument = r#"{"directory":"/usr"}"#;
    assert_eq!(directory(client.call_json("path.get", argument, &here).unwrap()), "/usr");
    let call = client.start_json("path.get", "", here.clone()).unwrap();
    assert_eq!(directory(call.wait(Some(LIMIT)).unwrap().unwrap()), "/tmp");
    assert_eq!(directory(client.request("GET", "/path", &[], None, &here).unwrap()), "/tmp");
}

#[test]
fn a_call_has_its_own_workspace_headers_and_time() {
    let client = client(false);
    let mut other = CallOptions::default();
    other.workspace = Some("wrk_none".to_owned());
    let error = client.call_json("session.list", "", &other).unwrap_err();
    assert!(error.message().contains("wrk_none"), "{error}");
    let mut stranger = CallOptions::default();
    stranger.headers = vec![("authorization".to_owned(), "Basic eDp5".to_owned())];
    let error = client.call_json("session.list", "", &stranger).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    let mut short = CallOptions::default();
    short.timeout = Some(Duration::from_millis(100));
    let error = client.call_json("tui.control.next", "", &short).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

#[test]
fn an_answer_has_its_status_headers_and_bytes() {
    let answer = client(false).call("global.health", ()).unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.header("Content-Type").unwrap().starts_with("application/json"));
    assert!(answer.headers().any(|(name, _)| name == "content-type"));
    assert!(answer.text().unwrap().contains("\"healthy\":true"));
}

/// The threads of this process by name.
fn threads() -> BTreeMap<String, usize> {
    let mut names = BTreeMap::new();
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let name = std::fs::read_to_string(task.unwrap().path().join("comm")).unwrap_or_default();
        *names.entry(name.trim().to_owned()).or_default() += 1;
    }
    names
}

/// Threads of the library: other tests of this process must not be counted, so this runs in a process of its own.
const CHILD: &str = "OPENCODE_TEST_COUNTS_THREADS";

#[test]
fn many_calls_and_streams_need_few_threads() {
    if std::env::var_os(CHILD).is_none() {
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "calls::many_calls_and_streams_need_few_threads", "--nocapture"])
            .env(CHILD, "1")
            .status()
            .unwrap();
        assert!(status.success());
        return;
    }
    let server = Fake::start(|request| match request.path() {
        "/global/event" => Answer::events()
            .event(&json!({ "payload": { "type": "server.connected", "properties": {} } }))
            .pause(Duration::MAX),
        "/path" => Answer::json(200, &json!({ "directory": "/p" })),
        _ => Answer::silence().pause(Duration::from_millis(5)).send(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n[]",
        ),
    })
    .unwrap();
    let mut options = ClientOptions::default();
    options.base_url = server.url();
    let client = Client::new(options).unwrap();
    let ours = || -> usize {
        threads().into_iter().filter(|(name, _)| name.starts_with("opencode-")).map(|t| t.1).sum()
    };
    assert_eq!(ours(), 0, "a client starts none");
    let streams: Vec<_> = (0..100).map(|_| client.events(Default::default()).unwrap()).collect();
    let calls: Vec<_> = (0..1_000).map(|_| client.start("session.list", ()).unwrap()).collect();
    let mut most = 0;
    for call in &calls {
        assert!(call.wait(Some(LIMIT)).unwrap().is_ok());
        most = most.max(ours());
    }
    for stream in &streams {
        let event = stream.next(Some(LIMIT)).unwrap().unwrap();
        assert_eq!(event.kind(), "stream.connected");
    }
    // Calls 8, events 1, what streams ask 2.
    assert!((2..=11).contains(&most), "{most}: {:?}", threads());
    client.close();
    assert_eq!(ours(), 0, "{:?}", threads());
}

#[test]
fn logs_are_kept_for_who_fetches_them_without_secrets() {
    let server = &shared().server;
    let secret = "hunter2-very-secret";
    let mut settings = options(server, &server.url());
    settings.log_level = Some(Level::Debug);
    settings.password = Some(secret.to_owned());
    settings.headers = vec![("x-key".to_owned(), secret.to_owned())];
    let client = Client::new(settings).unwrap();
    let _ = client.call("session.list", ());
    let query = [("auth_token".to_owned(), secret.to_owned())];
    let _ = client.request("GET", "/path", &query, None, &CallOptions::default());
    let _ = client.ask("x");
    let stream = client.events(Default::default()).unwrap();
    assert!(stream.next(Some(LIMIT)).is_err());
    let mut text = String::new();
    eventually("everything to be logged", || {
        std::iter::from_fn(|| client.next_log()).for_each(|record| text += &format!("{record:?}"));
        let parts = [
            "GET /session",
            "auth_token=***",
            "run in a new session: failed",
            "the event stream broke",
        ];
        parts.iter().all(|part| text.contains(part)).then_some(())
    });
    assert!(!text.contains(secret) && !text.contains("aHVudGVy"), "{text}");
}
