//! What is sent again when it fails, and what never is. A proxy counts.

use crate::client::options;
use opencode_core::{CallOptions, Client, ErrorKind};
use opencode_tests::{Answer, End, Fake, Plan, Proxy, shared};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn behind(url: &str, max_retries: u32) -> Client {
    let mut options = options(&shared().server, url);
    options.max_retries = max_retries;
    Client::new(options).unwrap()
}

/// Cuts the first `count` requests that fit, and counts all that fit.
fn cut(proxy: &Proxy, pattern: &'static str, count: usize, plan: Plan) -> Arc<AtomicUsize> {
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&seen);
    proxy.hook(move |asked| {
        if asked.is(pattern) && counter.fetch_add(1, Ordering::SeqCst) < count {
            return plan;
        }
        Plan::pass()
    });
    seen
}

#[test]
fn a_read_survives_as_many_broken_connections_as_it_may() {
    let proxy = Proxy::start(&shared().server.url()).unwrap();
    for plan in [
        Plan::refuse(End::Reset),
        Plan::refuse(End::Close),
        Plan::pass().cut_request(20, End::Reset),
        Plan::pass().cut_answer(0, End::Close),
        Plan::pass().cut_answer(150, End::Reset),
    ] {
        let client = behind(&proxy.url(), 2);
        let seen = cut(&proxy, "GET /session*", 2, plan);
        client
            .call("session.list", json!({"limit": 1}))
            .unwrap_or_else(|e| panic!("{plan:?}: {e}"));
        assert_eq!(seen.load(Ordering::SeqCst), 3, "{plan:?}");

        let seen = cut(&proxy, "GET /session*", 3, plan);
        let error = client.call("session.list", json!({"limit": 1})).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
        assert_eq!(seen.load(Ordering::SeqCst), 3, "{plan:?}");
    }
}

#[test]
fn a_call_may_try_more_often_than_its_client_or_never() {
    let proxy = Proxy::start(&shared().server.url()).unwrap();
    let client = behind(&proxy.url(), 0);
    let seen = cut(&proxy, "GET /session*", 4, Plan::refuse(End::Reset));
    client.call("session.list", json!({})).unwrap_err();
    assert_eq!(seen.load(Ordering::SeqCst), 1);
    let four = CallOptions::from_json(r#"{"max_retries":4}"#).unwrap();
    client.call_json("session.list", "", &four).unwrap();
    assert_eq!(seen.load(Ordering::SeqCst), 5);

    let client = behind(&proxy.url(), 5);
    let seen = cut(&proxy, "GET /session*", 1, Plan::refuse(End::Reset));
    let none = CallOptions::from_json(r#"{"max_retries":0}"#).unwrap();
    client.call_json("session.list", "", &none).unwrap_err();
    assert_eq!(seen.load(Ordering::SeqCst), 1);
    let seen = cut(&proxy, "GET /global/health*", 1, Plan::refuse(End::Reset));
    client.request("GET", "/global/health", &[], None, &CallOptions::default()).unwrap();
    assert_eq!(seen.load(Ordering::SeqCst), 2, "a GET of one's own is a read too");
}

#[test]
fn what_changes_something_is_sent_once() {
    let proxy = Proxy::start(&shared().server.url()).unwrap();
    let client = behind(&proxy.url(), 5);
    let many = CallOptions::from_json(r#"{"max_retries":9}"#).unwrap();
    for (operation, arguments, pattern) in [
        ("session.create", json!({}), "POST /session*"),
        ("session.update", json!({"sessionID": "ses_none", "title": "x"}), "PATCH /session*"),
        ("session.delete", json!({"sessionID": "ses_none"}), "DELETE /session*"),
        ("auth.set", json!({"providerID": "x", "type": "api", "key": "k"}), "PUT /auth*"),
        // A read of the queue takes an item off it.
        ("tui.control.next", json!({}), "GET /tui*"),
    ] {
        for plan in [Plan::refuse(End::Reset), Plan::pass().cut_answer(0, End::Reset)] {
            // What waits for ever has no answer that could be cut.
            if operation == "tui.control.next" && plan != Plan::refuse(End::Reset) {
                continue;
            }
            let seen = cut(&proxy, pattern, 1, plan);
            let error = client.call_json(operation, &arguments.to_string(), &many).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Connection, "{operation}: {error}");
            assert_eq!(seen.load(Ordering::SeqCst), 1, "{operation}");
            assert!(error.message().starts_with(operation), "{error}");
        }
    }
    let seen = cut(&proxy, "POST /session*", 1, Plan::refuse(End::Reset));
    client.request("POST", "/session", &[], Some("{}"), &many).unwrap_err();
    assert_eq!(seen.load(Ordering::SeqCst), 1);
}

#[test]
fn statuses_that_pass_are_tried_again_and_others_are_not() {
    for status in [408, 429, 502, 503, 504] {
        assert_eq!(tries(status, 2), 3, "{status}");
    }
    for status in [400, 401, 403, 404, 409, 413, 500, 501] {
        assert_eq!(tries(status, 2), 1, "{status}");
    }
}

/// How often a read is sent to a server that always answers with this status.
fn tries(status: u16, max_retries: u32) -> usize {
    let fake = Fake::start(move |_| Answer::body(status, "text/plain", "no")).unwrap();
    let error = behind(&fake.url(), max_retries).call("session.list", json!({})).unwrap_err();
    assert_eq!(error.status(), Some(status), "{error}");
    // A 404 is also looked into: is it a server of another kind?
    fake.requests().iter().filter(|request| request.path() == "/session").count()
}

#[test]
fn the_server_says_how_long_to_wait() {
    let busy = |headers: &str| {
        let head = format!("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n{headers}\r\n\r\n");
        let first = AtomicUsize::new(0);
        Fake::start(move |_| match first.fetch_add(1, Ordering::SeqCst) {
            0 => Answer::silence().send(head.clone()),
            _ => Answer::json(200, &json!([])),
        })
        .unwrap()
    };
    for (headers, least) in [("retry-after: 1", 1000), ("retry-after-ms: 700", 700)] {
        let fake = busy(headers);
        let start = Instant::now();
        behind(&fake.url(), 1).call("session.list", json!({})).unwrap();
        assert!(start.elapsed() >= Duration::from_millis(least), "{headers}");
        assert_eq!(fake.requests().len(), 2);
    }
    // Nobody waits for an hour: the error says that it may be tried later.
    let fake = busy("retry-after: 3600");
    let error = behind(&fake.url(), 1).call("session.list", json!({})).unwrap_err();
    assert!(error.is_retryable() && fake.requests().len() == 1, "{error}");
}

#[test]
fn a_pause_never_outlasts_the_time_of_the_call() {
    let fake = Fake::start(|_| {
        Answer::silence().send("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nretry-after: 20\r\n\r\n")
    })
    .unwrap();
    let options = CallOptions::from_json(r#"{"timeout_ms":5000,"max_retries":5}"#).unwrap();
    let start = Instant::now();
    behind(&fake.url(), 0).call_json("session.list", "", &options).unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(20));
    assert_eq!(fake.requests().len(), 1);
}

#[test]
fn a_stalled_answer_is_given_up_and_asked_for_again() {
    let proxy = Proxy::start(&shared().server.url()).unwrap();
    let mut options = options(&shared().server, &proxy.url());
    options.timeout = Duration::from_millis(1500);
    options.max_retries = 3;
    let client = Client::new(options).unwrap();
    let seen = cut(&proxy, "GET /session*", 1, Plan::pass().stall_answer(0, Duration::MAX));
    client.call("session.list", json!({"limit": 1})).unwrap();
    assert!(seen.load(Ordering::SeqCst) >= 2);
}
