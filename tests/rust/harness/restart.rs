//! Servers that die, freeze and come back.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use opencode_tests::{Server, eventually, http, is_alive, prompt, shared};
use serde_json::json;

use super::{ask_in, session, text};

#[test]
fn a_persistent_server_comes_back_with_its_sessions() {
    let server = Server::builder(&shared().model.url()).persistent().start().unwrap();
    let (url, pid, id) = (server.url(), server.pid(), session(&server));
    ask_in(&server, &id, &prompt("before", json!([{"text": "first"}])));
    server.kill();
    assert!(!is_alive(pid));
    assert!(server.get("/global/health").is_err());
    server.restart().unwrap();
    assert_eq!(server.url(), url);
    assert_ne!(server.pid(), pid);
    let messages = server.get(&format!("/session/{id}/message")).unwrap().json();
    assert_eq!(text(&messages[1]), "first");
    let reply = ask_in(&server, &id, &prompt("after", json!([{"text": "second"}])));
    assert_eq!(text(&reply), "second");
    server.restart().unwrap();
    assert_eq!(server.get(&format!("/session/{id}")).unwrap().status, 200);
}

#[test]
fn a_server_in_memory_forgets() {
    let server = Server::builder(&shared().model.url()).start().unwrap();
    let id = session(&server);
    let status = server.terminate().unwrap();
    assert_eq!(status.signal(), Some(15), "{status}");
    server.restart().unwrap();
    assert_eq!(server.get(&format!("/session/{id}")).unwrap().status, 404);
}

#[test]
fn a_frozen_server_is_silent_and_goes_on_later() {
    let server = Server::builder(&shared().model.url()).no_password().start().unwrap();
    server.stop();
    let url = format!("{}/global/health", server.url());
    let mut frozen = http::open("GET", &url, &[], None, Duration::from_secs(30)).unwrap();
    frozen.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(frozen.read(&mut [0]).is_err(), "no answer while it is frozen");
    server.cont();
    frozen.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut answer = String::new();
    frozen.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    server.stop();
    let pid = server.pid();
    drop(server);
    eventually("the frozen server to be gone", || (!is_alive(pid)).then_some(()));
}
