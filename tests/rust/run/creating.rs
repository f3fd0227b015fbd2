//! Sessions that the server takes long to make, or whose run is over when they come.

use super::*;
use opencode_core::ErrorKind;
use opencode_tests::eventually;
use std::time::Instant;

/// The marked sessions of the server: one for each that a run made.
fn sessions(title: &str) -> usize {
    let arguments = json!({ "search": title });
    let listed = client(false).call("session.list", arguments).unwrap();
    listed.json::<Vec<Value>>().unwrap().iter().filter(|session| session["title"] == title).count()
}

fn titled(title: &str) -> Prompt {
    let mut prompt = scripted(title, json!([{ "text": "made" }]));
    prompt.title = Some(title.to_owned());
    prompt
}

fn behind(plan: Plan) -> (Proxy, Client) {
    let proxy = Proxy::start(&shared().server.url()).unwrap();
    proxy.hook(move |asked| match asked.is("POST /session") || asked.is("POST /session?*") {
        true => plan,
        false => Plan::pass(),
    });
    let client = Client::new(options(&shared().server, &proxy.url())).unwrap();
    (proxy, client)
}

#[test]
fn a_session_that_takes_longer_than_a_request_is_made_once() {
    // Longer than any other request of a run may take.
    let (_proxy, client) = behind(Plan::pass().stall_answer(0, Duration::from_secs(18)));
    let run = client.run(titled("takes long")).unwrap();
    eventually("it says how long", || run.why().contains("for 5 s").then_some(()));
    assert_eq!(reply(&run).text, "made");
    assert_eq!(sessions("takes long"), 1);
}

#[test]
fn a_session_that_comes_too_late_is_deleted() {
    let (_proxy, client) = behind(Plan::pass().stall_answer(0, Duration::from_secs(3)));
    let run = client.run(titled("too late")).unwrap();
    eventually("it is made", || (sessions("too late") == 1).then_some(()));
    let began = Instant::now();
    run.cancel(LIMIT);
    assert_eq!(error(&run).kind(), ErrorKind::Cancelled);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    eventually("it is deleted", || (sessions("too late") == 0).then_some(()));
}

#[test]
fn a_close_does_not_wait_for_a_session() {
    let (_proxy, client) = behind(Plan::pass().stall_answer(0, Duration::from_secs(60)));
    let run = client.run(titled("closed")).unwrap();
    eventually("it is asked for", || (sessions("closed") == 1).then_some(()));
    let began = Instant::now();
    // A second for what is not sent, and another for the threads.
    assert!(client.close().is_some(), "its loss is told");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(error(&run).kind(), ErrorKind::Closed);
}

#[test]
fn a_directory_that_the_server_would_misread_is_refused() {
    let parent = opencode_tests::Directory::new("misread").unwrap();
    for name in ["r%20s", "r s", "100%"] {
        std::fs::create_dir(parent.path().join(name)).unwrap();
    }
    let at = |name: &str| parent.path().join(name).display().to_string();
    let proxy = Proxy::start(&shared().server.url()).unwrap();
    let client = Client::new(options(&shared().server, &proxy.url())).unwrap();
    let mut prompt = scripted("misread", json!([{ "text": "never" }]));
    prompt.directory = Some(at("r%20s"));
    let failed = error(&client.run(prompt.clone()).unwrap());
    let refused = client.call("session.create", json!({ "directory": at("r%20s") })).unwrap_err();
    for error in [&failed, &refused] {
        assert_eq!((error.kind(), error.is_sent()), (ErrorKind::InvalidArgument, false), "{error}");
        assert!(error.message().contains(&format!("'{}'", at("r s"))), "{error}");
    }
    assert!(!proxy.requests().iter().any(|asked| asked.starts_with("POST")));
    // What cannot be decoded stays what it is.
    prompt.directory = Some(at("100%"));
    let run = client.run(prompt).unwrap();
    assert_eq!(reply(&run).text, "never");
}
