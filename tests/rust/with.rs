//! Clients with other settings that share everything.

use crate::client::*;
use crate::run::client;
use opencode_core::{Client, ClientOptions, ErrorKind, EventOptions, StreamEvent};
use opencode_tests::{Answer, Directory, Fake, LIMIT, eventually, swift};
use serde_json::{Value, json};
use std::time::Duration;

fn of(fake: &Fake) -> Client {
    let mut options = ClientOptions::default();
    options.base_url = fake.url();
    options.headers = vec![("x-tenant".to_owned(), "one".to_owned())];
    Client::new(options).unwrap()
}

#[test]
fn settings_go_with_all_that_is_done_through_a_client_and_with_nothing_else() {
    let fake = Fake::start(swift()).unwrap();
    let first = of(&fake);
    let other = first
        .with_json(r#"{"directory":"/two","timeout_ms":1,"headers":{"X-Tenant":"two","x-b":"b"}}"#)
        .unwrap();
    let third = other.with_json(r#"{"headers":{"x-b":"c"},"timeout_ms":60000}"#).unwrap();
    for client in [&first, &third] {
        client.call("session.list", ()).unwrap();
        let run = client.run("x").unwrap();
        reply(&run);
    }
    let mut sent = [0, 0];
    for request in fake.requests() {
        let header = |name: &str| request.header(name).unwrap_or_default().to_owned();
        let is_third = header("x-tenant") == "two";
        assert_eq!(header("x-b"), if is_third { "c" } else { "" }, "{}", request.target);
        let is_own = request.method == "POST" || request.path() == "/session";
        let has_directory = request.target.contains("directory=");
        assert!(!is_own || has_directory == is_third, "{}", request.target);
        sent[usize::from(is_third)] += 1;
    }
    assert!(sent[0] >= 4 && sent[1] >= 4, "{sent:?}: calls and runs, of both");
    assert_eq!(other.options().timeout, Duration::from_millis(1));
    assert_eq!(first.options().directory, None);
}

#[test]
fn what_belongs_to_the_connection_is_refused_with_words() {
    let client = client(true);
    for (name, value) in [
        ("base_url", json!("http://h:1")),
        ("username", json!("me")),
        ("password", json!("hunter2")),
        ("dialect", json!(2)),
        ("stall_timeout_ms", json!(1)),
        ("log", json!("debug")),
        ("ca_file", json!("/x")),
        ("record", json!("/x")),
        ("tools_prefix", json!("mod")),
    ] {
        let error = client.with_json(&json!({ name: value }).to_string()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        let part = format!("with: {name} belongs to the connection");
        assert!(error.message().contains(&part), "{error}");
        assert!(!error.message().contains("hunter2"));
    }
    let error = client.with_json(r#"{"directori":"/x"}"#).unwrap_err();
    assert!(error.message().contains("did you mean 'directory'"), "{error}");
    let mut options = client.options().clone();
    options.password = Some("hunter2".to_owned());
    let error = client.with(options).unwrap_err();
    assert!(error.message().contains("password belongs to the connection"), "{error}");
    let headed = client.with_json(r#"{"headers":{"x-a":"1"}}"#).unwrap();
    let mut options = headed.options().clone();
    options.headers.clear();
    let error = headed.with(options).unwrap_err();
    assert!(error.message().contains("'x-a' cannot be taken away"), "{error}");
}

#[test]
fn a_run_works_in_the_directory_of_its_client_over_the_one_event_stream() {
    let first = client(true);
    let directory = Directory::new("with").unwrap();
    let path = directory.path().to_str().unwrap().to_owned();
    let other = first.with_json(&json!({ "directory": path }).to_string()).unwrap();
    let stream = other.events(EventOptions::default()).unwrap();
    while !matches!(stream.next(Some(LIMIT)).unwrap(), Some(StreamEvent::Connected)) {}
    let run = other.run(scripted("where", json!([{ "text": "here" }]))).unwrap();
    assert_eq!(reply(&run).text, "here");
    let id = run.session_id().unwrap();
    let session: Value =
        first.call("session.get", json!({ "sessionID": id })).unwrap().json().unwrap();
    assert_eq!(session["directory"], json!(path));
    let event = eventually("an event of the directory", || stream.poll().unwrap());
    assert!(!matches!(event, StreamEvent::Gap(_)), "{event:?}");
    assert_eq!(first.fd().unwrap(), other.fd().unwrap(), "one descriptor");
}

#[test]
fn the_close_of_the_first_ends_all_and_of_another_one_itself() {
    let fake = Fake::start(|_| Answer::silence()).unwrap();
    let first = of(&fake);
    let (left, kept) = (first.with_json("").unwrap(), first.with_json("").unwrap());
    let ending = left.start("session.list", ()).unwrap();
    let staying = kept.start("session.list", ()).unwrap();
    let run = left.run("x").unwrap();
    eventually("both calls are at the server", || (fake.requests().len() >= 3).then_some(()));
    assert!(left.close().is_none());
    let error = ending.wait(Some(LIMIT)).unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    for result in [
        left.call("session.list", ()).map(drop),
        left.run("x").map(drop),
        left.events(EventOptions::default()).map(drop),
        left.with_json("").map(drop),
    ] {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Closed);
    }
    assert!(!staying.is_done() && !run.state().is_over(), "others go on, and so does a run");
    first.close();
    let error = staying.wait(Some(LIMIT)).unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    assert_eq!(run.wait(Some(LIMIT)).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(kept.call("session.list", ()).unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn connections_last_as_long_as_one_of_the_clients() {
    let first = client(true);
    let other = first.with_json("").unwrap();
    let run = other.run(scripted("stay", json!([{ "text": "on" }]))).unwrap();
    assert!(first.release().is_none());
    assert_eq!(reply(&run).text, "on");
    other.call("session.list", ()).unwrap();
}
