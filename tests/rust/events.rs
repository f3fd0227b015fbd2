//! Event streams: nothing is lost in silence, nothing comes twice, and nothing grows without bound.

mod losses;

use crate::client::options;
use crate::run::client;
use opencode_core::{Client, ErrorKind, Event, EventOptions, EventStream, Scope, StreamEvent};
use opencode_tests::{Directory, LIMIT, eventually, shared};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn of(directory: &str) -> EventOptions {
    let mut options = EventOptions::default();
    options.directory = Some(directory.to_owned());
    options
}

fn global() -> EventOptions {
    let mut options = EventOptions::default();
    options.scope = Scope::Global;
    options
}

fn next(stream: &EventStream) -> StreamEvent {
    stream.next(Some(LIMIT)).unwrap().expect("an event came in time")
}

/// The stream is on the air: what happens from now on must be told.
fn connected(stream: &EventStream) {
    assert_eq!(next(stream).kind(), "stream.connected");
}

/// Takes server events until one is wanted.
fn until(stream: &EventStream, wanted: impl Fn(&Event) -> bool) -> Vec<Event> {
    let mut seen = Vec::new();
    loop {
        if let StreamEvent::Server(event) = next(stream) {
            seen.push(event.clone());
            if wanted(&event) {
                return seen;
            }
        }
    }
}

fn is_session(event: &Event, kind: &str, title: &str) -> bool {
    event.kind() == kind && event.properties().contains(&format!("\"title\":\"{title}\""))
}

fn create(client: &Client, directory: &str, title: &str) -> Value {
    let arguments = json!({ "directory": directory, "title": title });
    client.call("session.create", arguments).unwrap().json().unwrap()
}

#[test]
fn a_stream_of_a_directory_tells_its_events_and_no_others() {
    let client = client(true);
    let (mine, other) = (Directory::new("mine").unwrap(), Directory::new("other").unwrap());
    let link = mine.path().with_extension("link");
    std::os::unix::fs::symlink(mine.path(), &link).unwrap();
    let (mine, other) = (mine.path().to_str().unwrap(), other.path().to_str().unwrap());
    // A link and dots: the server has its own name for the directory.
    let stream = client.events(of(&format!("{}/x/..", link.display()))).unwrap();
    let all = client.events(global()).unwrap();
    connected(&stream);
    connected(&all);
    create(&client, other, "elsewhere");
    create(&client, mine, "first");
    create(&client, mine, "second");
    let seen = until(&stream, |event| is_session(event, "session.created", "second"));
    assert!(seen.iter().all(|event| event.directory() == Some(mine)), "{seen:?}");
    assert!(seen.iter().any(|event| is_session(event, "session.created", "first")));
    until(&all, |event| is_session(event, "session.created", "elsewhere"));
    let seen = until(&all, |event| is_session(event, "session.created", "second"));
    let ids: Vec<_> = seen.iter().map(|event| event.id()).filter(|id| !id.is_empty()).collect();
    let mut once = ids.clone();
    once.sort();
    once.dedup();
    assert_eq!(ids.len(), once.len(), "the server sends stored events twice");
    assert!(seen.iter().all(|event| event.kind() != "sync" && event.kind() != "server.heartbeat"));
    std::fs::remove_file(link).unwrap();
}

#[test]
fn without_a_directory_it_is_the_clients_or_the_servers() {
    let server = &shared().server;
    let folder = server.directory().canonicalize().unwrap();
    let stream = client(true).events(EventOptions::default()).unwrap();
    connected(&stream);
    create(&client(false), folder.to_str().unwrap(), "the server's");
    until(&stream, |event| is_session(event, "session.created", "the server's"));
    let own = Directory::new("own").unwrap();
    let mut options = options(server, &server.url());
    options.directory = Some(own.path().to_str().unwrap().to_owned());
    let stream = Client::new(options).unwrap().events(EventOptions::default()).unwrap();
    connected(&stream);
    create(&client(false), own.path().to_str().unwrap(), "the client's");
    let seen = until(&stream, |event| is_session(event, "session.created", "the client's"));
    assert!(seen.iter().all(|event| event.directory() == own.path().to_str()));
}

#[test]
fn a_stream_outlives_the_instance_of_its_directory() {
    let client = client(true);
    let folder = Directory::new("disposed").unwrap();
    let path = folder.path().to_str().unwrap();
    let stream = client.events(of(path)).unwrap();
    connected(&stream);
    client.call("instance.dispose", json!({ "directory": path })).unwrap();
    create(&client, path, "after");
    let seen = until(&stream, |event| is_session(event, "session.created", "after"));
    assert!(seen.iter().any(|event| event.kind() == "server.instance.disposed"), "{seen:?}");
}

#[test]
fn polling_gives_what_is_there() {
    let client = client(true);
    let stream = client.events(global()).unwrap();
    let event = eventually("the first event", || stream.poll().unwrap());
    assert_eq!(event.kind(), "stream.connected");
    create(&client, "/tmp", "polled");
    eventually("the session", || match stream.poll().unwrap() {
        Some(StreamEvent::Server(event)) => {
            is_session(&event, "session.created", "polled").then_some(())
        }
        _ => None,
    });
}

#[test]
fn closing_wakes_who_waits_and_ends_loops() {
    let client = client(true);
    let stream = Arc::new(client.events(global()).unwrap());
    connected(&stream);
    let reader = Arc::clone(&stream);
    let thread = std::thread::spawn(move || reader.iter().map(Result::unwrap).count());
    stream.close();
    thread.join().unwrap();
    assert_eq!(stream.next(None).unwrap_err().kind(), ErrorKind::Closed);
    assert!(stream.is_over());
    // The same when the whole client is closed, and a stream that is opened then.
    let stream = Arc::new(client.events(global()).unwrap());
    let reader = Arc::clone(&stream);
    let thread = std::thread::spawn(move || reader.iter().map(Result::unwrap).count());
    client.close();
    thread.join().unwrap();
    assert_eq!(stream.poll().unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(client.events(global()).unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn a_stream_keeps_its_client() {
    let stream = client(true).events(global()).unwrap();
    connected(&stream);
    create(&client(false), "/tmp", "still here");
    until(&stream, |event| is_session(event, "session.created", "still here"));
}

#[test]
fn runs_and_streams_share_a_connection() {
    let server = &shared().server;
    let proxy = opencode_tests::Proxy::start(&server.url()).unwrap();
    let client = Client::new(options(server, &proxy.url())).unwrap();
    let streams: Vec<_> =
        (0..50).map(|i| client.events(if i % 2 == 0 { global() } else { of("/tmp") })).collect();
    let reply = client.ask(opencode_tests::prompt("share", json!([{ "text": "one" }]))).unwrap();
    assert_eq!(reply.text, "one");
    for stream in streams {
        connected(&stream.unwrap());
    }
    let events = proxy.requests().iter().filter(|line| line.contains("/event")).count();
    assert_eq!(events, 1, "{:?}", proxy.requests());
    let began = Instant::now();
    client.close();
    assert!(began.elapsed() < Duration::from_secs(1));
}
