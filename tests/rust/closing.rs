//! What a close does to those who wait in other threads, and who keeps a client from it.

use crate::client::{options, reply, scripted};
use crate::pty::until;
use opencode_core::{
    CallOptions, Client, ClientOptions, ErrorKind, EventOptions, MessageOptions, PtyOptions,
    Result, SessionOptions, UsageOptions,
};
use opencode_tests::{Answer, Fake, LIMIT, eventually, shared};
use serde_json::json;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// A server that takes every request and answers none.
fn silent() -> (Fake, Client) {
    let fake = Fake::start(|_| Answer::silence()).unwrap();
    let mut options = ClientOptions::default();
    options.base_url = fake.url();
    (fake, Client::new(options).unwrap())
}

type Wait = fn(&Client) -> Result<()>;

/// All that blocks, as long as the server says nothing.
const WAITS: &[(&str, Wait)] = &[
    ("call", |client| client.call("session.list", ()).map(drop)),
    ("request", |client| client.request("GET", "/x", &[], None, &CallOptions::default()).map(drop)),
    ("call.wait", |client| {
        client.start("tui.control.next", ()).and_then(|call| call.wait(None).unwrap()).map(drop)
    }),
    ("ask", |client| client.ask("x").map(drop)),
    ("run.wait", |client| client.run("x")?.wait(None).map(drop)),
    ("run.updates", |client| {
        let run = client.run("x")?;
        run.updates().for_each(drop);
        run.error().map_or(Ok(()), Err)
    }),
    ("run.detach", |client| {
        let run = client.run("x")?;
        let _ = run.next_update(Some(Duration::from_millis(200)));
        run.detach(Duration::MAX).map(drop)
    }),
    ("usage", |client| {
        client.usage("ses_1", &UsageOptions::default(), &CallOptions::default()).map(drop)
    }),
    ("messages", |client| {
        client.messages("ses_1", MessageOptions::default()).next().unwrap().map(drop)
    }),
    ("sessions", |client| client.sessions(SessionOptions::default()).next().unwrap().map(drop)),
    ("events", |client| {
        let stream = client.events(EventOptions::default())?;
        while stream.next(None)?.is_some() {}
        Ok(())
    }),
    ("drift", |client| client.drift().map(drop)),
    ("pty", |client| client.pty(PtyOptions::default()).map(drop)),
    ("pty.read", |client| {
        let pty = client.pty_connect("pty_1", PtyOptions::default())?;
        while pty.read(None)?.is_some() {}
        Ok(())
    }),
    ("pty.kill", |client| {
        client.pty_connect("pty_1", PtyOptions::default())?.kill(&CallOptions::default())
    }),
    ("tui_prompt", |client| client.tui_prompt("x", &CallOptions::default())),
    ("tui_control", |client| client.tui_control().next(None).map(drop)),
    ("tui_control.respond", |client| client.tui_control().respond("{}")),
];

#[test]
fn a_close_ends_all_waits_of_other_threads() {
    let (fake, client) = silent();
    let (sender, receiver) = mpsc::channel();
    for &(name, wait) in WAITS {
        let (client, sender) = (client.clone(), sender.clone());
        std::thread::spawn(move || {
            let result = wait(&client);
            drop(client);
            sender.send((name, result)).unwrap();
        });
    }
    let other = client.clone();
    let doctor = std::thread::spawn(move || other.doctor());
    // A few share a thread or a connection, and prompts wait for their session.
    eventually("requests", || (fake.requests().len() + 2 >= WAITS.len()).then_some(()));
    let began = Instant::now();
    client.close();
    for _ in WAITS {
        let (name, result) = receiver.recv_timeout(LIMIT).unwrap();
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed, "{name}: {error}");
    }
    assert!(doctor.join().unwrap().to_string().contains("the client is closed"));
    // Each of them would wait for at least ten seconds, and most for a minute.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn after_a_close_nothing_begins() {
    let (fake, client) = silent();
    client.close();
    for &(name, wait) in WAITS {
        let error = wait(&client).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed, "{name}: {error}");
    }
    assert!(client.doctor().to_string().contains("the client is closed"));
    assert_eq!(fake.requests().len(), 0);
}

#[test]
fn a_client_that_nobody_holds_lives_as_long_as_what_it_made() {
    let server = &shared().server;
    let new = || Client::new(options(server, &server.url())).unwrap();
    let mut cat = PtyOptions::default();
    cat.command = Some("cat".to_owned());
    let slow = scripted("kept", json!([{ "text": "a b c", "delay_ms": 300 }]));
    let session = reply(&new().run("said before").unwrap()).session_id.clone();
    // Each of them alone keeps its own client.
    let run = new().run(slow.clone()).unwrap();
    let call = new().start("session.list", ()).unwrap();
    let pages = new().messages(&session, MessageOptions::default());
    let stream = new().events(EventOptions::default()).unwrap();
    let opening = new().start_pty(cat.clone()).unwrap();
    let detached = new().run(slow).unwrap().start_detach();
    assert_eq!(reply(&run).text, "a b c");
    call.wait(Some(LIMIT)).unwrap().unwrap();
    assert_eq!(pages.map(Result::unwrap).count(), 2);
    assert!(stream.next(Some(LIMIT)).unwrap().is_some());
    opening.call().wait(Some(LIMIT)).unwrap().unwrap();
    for pty in [opening.take().unwrap(), new().pty(cat).unwrap()] {
        pty.write("echoed\n").unwrap();
        until(&pty, "echoed");
        pty.kill(&CallOptions::default()).unwrap();
    }
    detached.wait(Some(LIMIT)).unwrap().unwrap();
}
