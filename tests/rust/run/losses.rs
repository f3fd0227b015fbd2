//! What networks and servers do: nothing is lost, nothing is done twice, nothing hangs.

use super::world::World;
use super::*;
use opencode_core::{ErrorKind, State};
use opencode_tests::{Model, eventually};
use std::time::Instant;

fn behind(proxy: &Proxy, events: bool) -> Client {
    let mut options = options(&shared().server, &proxy.url());
    options.events = events;
    Client::new(options).unwrap()
}

/// The server has one prompt of these words and the model saw it once.
fn assert_once(run: &Run, words: &str) {
    let client = client(false);
    let session = run.session_id().unwrap();
    let messages: Value =
        client.call("session.messages", json!({ "sessionID": session })).unwrap().json().unwrap();
    let users: Vec<_> =
        messages.as_array().unwrap().iter().filter(|m| m["info"]["role"] == "user").collect();
    assert_eq!(users.len(), 1, "{words}");
    assert_eq!(users[0]["parts"].as_array().unwrap().len(), 1, "{words}");
    assert_eq!(shared().model.runs(words), 1, "{words}");
}

#[test]
fn a_send_that_is_cut_anywhere_happens_once() {
    let proxy = Proxy::start(&shared().server.url()).unwrap();
    let client = behind(&proxy, true);
    let steps = json!([{ "text": "answer" }]);
    // Through the whole request and the whole answer, and beyond both.
    let cuts =
        (0..900).step_by(41).map(|n| (n, true)).chain((0..240).step_by(23).map(|n| (n, false)));
    for (bytes, is_request) in cuts {
        for end in [End::Close, End::Reset] {
            let plan = if is_request {
                Plan::pass().cut_request(bytes, end)
            } else {
                Plan::pass().cut_answer(bytes, end)
            };
            proxy.once("POST */prompt_async*", plan);
            let words = format!("cut-{bytes}-{is_request}-{end:?}.");
            let run = client.run(scripted(&words, steps.clone())).unwrap();
            assert_eq!(reply(&run).text, "answer", "{words}");
            assert_once(&run, &words);
            proxy.pass();
        }
    }
}

#[test]
fn the_creation_of_a_session_that_is_cut_makes_one_session() {
    let proxy = Proxy::start(&shared().server.url()).unwrap();
    let client = behind(&proxy, true);
    for (bytes, is_request) in
        [(0, true), (60, true), (400, true), (0, false), (30, false), (300, false)]
    {
        let plan = if is_request {
            Plan::pass().cut_request(bytes, End::Reset)
        } else {
            Plan::pass().cut_answer(bytes, End::Reset)
        };
        proxy.once("POST /session*", plan);
        let title = format!("cut-session-{bytes}-{is_request}");
        let mut prompt = scripted(&title, json!([{ "text": "answer" }]));
        prompt.title = Some(title.clone());
        let run = client.run(prompt).unwrap();
        assert_eq!(reply(&run).text, "answer");
        let list: Value = client
            .call("session.list", json!({ "search": title, "limit": 50 }))
            .unwrap()
            .json()
            .unwrap();
        assert_eq!(list.as_array().unwrap().len(), 1, "{title}");
        proxy.pass();
    }
}

#[test]
fn a_stream_that_drops_again_and_again_loses_no_text() {
    let proxy = Proxy::start(&shared().server.url()).unwrap();
    let client = behind(&proxy, true);
    for bytes in [200, 1_500, 4_000, 6_000, 9_000] {
        proxy.always("GET /global/event*", Plan::pass().cut_answer(bytes, End::Reset));
        let text = "one two three four five six seven eight nine ten";
        let words = format!("drop-{bytes}.");
        let steps = json!([{ "text": text, "delay_ms": 40 }]);
        let run = client.run(scripted(&words, steps)).unwrap();
        assert_eq!(shown(run.updates()), text, "cut after {bytes} bytes");
        assert_eq!(reply(&run).text, text);
        assert_once(&run, &words);
        proxy.pass();
    }
}

#[test]
fn a_stream_that_is_refused_is_done_without() {
    let proxy = Proxy::start(&shared().server.url()).unwrap();
    proxy.always("GET /global/event*", Plan::refuse(End::Reset));
    let client = behind(&proxy, true);
    let run = client.run(scripted("refused", json!([{ "text": "all the same" }]))).unwrap();
    assert_eq!(reply(&run).text, "all the same");
    let mut prompt = Prompt::new("x");
    prompt.agent = Some("nobody".to_owned());
    assert_eq!(
        error(&client.run(prompt).unwrap()).kind(),
        ErrorKind::Agent,
        "checked before the send"
    );
}

#[test]
fn a_stream_that_stalls_in_silence_does_not_hold_the_answer() {
    let proxy = Proxy::start(&shared().server.url()).unwrap();
    let client = behind(&proxy, true);
    let stall = Plan::pass().stall_answer(1_000, Duration::from_secs(120));
    proxy.always("GET /global/event*", stall);
    let run = client.run(scripted("stalled", json!([{ "text": "in spite of it" }]))).unwrap();
    assert_eq!(reply(&run).text, "in spite of it");
}

#[test]
fn every_request_may_fail_now_and_then() {
    let proxy = Proxy::start(&shared().server.url()).unwrap();
    let count = std::sync::atomic::AtomicU64::new(0);
    proxy.hook(move |_| match count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 5 {
        1 => Plan::pass().cut_answer(0, End::Reset),
        3 => Plan::refuse(End::Close),
        _ => Plan::pass(),
    });
    for events in [true, false] {
        let client = behind(&proxy, events);
        for i in 0..6 {
            let words = format!("flaky-{events}-{i}.");
            let run = client.run(scripted(&words, json!([{ "text": "answer" }]))).unwrap();
            assert_eq!(reply(&run).text, "answer");
            assert_once(&run, &words);
        }
    }
}

fn slow(words: &str, server_timeout: u64) -> Prompt {
    let steps = json!([{ "text": "a b c d e f g h i j k l", "delay_ms": 500 }]);
    let mut prompt = scripted(words, steps);
    prompt.limits.server_timeout = Some(Duration::from_secs(server_timeout));
    prompt
}

#[test]
fn a_server_that_is_killed_ends_the_run() {
    let world = World::start(|server| server.persistent());
    world.everywhere(|client| {
        // Killed, and it stays away.
        let run = client.run(slow("killed", 1)).unwrap();
        until(&run, |update| matches!(update, Update::Message(_)));
        world.server.kill();
        let error = self::error(&run);
        assert_eq!(error.kind(), ErrorKind::Connection);
        assert!(error.message().contains("out of reach"), "{error}");
        world.server.restart().unwrap();
        // Killed, and back before the run gives up.
        let run = client.run(slow("killed", 60)).unwrap();
        until(&run, |update| matches!(update, Update::Message(_)));
        world.server.restart().unwrap();
        let error = self::error(&run);
        assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
        // The session works on.
        let mut next = scripted("after", json!([{ "text": "alive" }]));
        next.session = run.session_id();
        assert_eq!(reply(&client.run(next).unwrap()).text, "alive");
    });
}

#[test]
fn a_server_that_hangs_ends_the_run_and_close_stays_quick() {
    let model = Model::start(0).unwrap();
    let server = Server::builder(&model.url()).start().unwrap();
    let mut options = options(&server, &server.url());
    options.timeout = Duration::from_secs(1);
    let client = Client::new(options).unwrap();
    client.call("session.list", ()).unwrap();
    let steps = json!([{ "text": "a b c d e f g h i j k l", "delay_ms": 500 }]);
    let mut prompt = scripted("hangs", steps);
    prompt.limits.server_timeout = Some(Duration::from_secs(2));
    let run = client.run(prompt).unwrap();
    until(&run, |update| matches!(update, Update::Message(_)));
    let forever = client.start("tui.control.next", ()).unwrap();
    server.stop();
    let error = error(&run);
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    let waiting = client.run("never").unwrap();
    let began = Instant::now();
    client.close();
    let took = began.elapsed();
    // A second for the prompt that is not sent yet, and a moment for the end.
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(waiting.state(), State::Failed);
    assert!(forever.is_done());
    server.cont();
}

#[test]
fn an_instance_that_is_disposed_ends_the_run() {
    let world = World::start(|server| server);
    world.everywhere(|client| {
        let run = client.run(slow("disposed", 15)).unwrap();
        until(&run, |update| matches!(update, Update::Message(_)));
        client.call("instance.dispose", ()).unwrap();
        let error = error(&run);
        let kinds = [ErrorKind::Cancelled, ErrorKind::Interrupted];
        assert!(kinds.contains(&error.kind()), "{error}");
    });
}

#[test]
fn a_thousand_runs_do_not_wait_for_a_server_that_hangs_one_after_the_other() {
    let world = World::start(|server| server);
    let mut options = options(&world.server, &world.server.url());
    options.timeout = Duration::from_secs(1);
    let client = Client::new(options).unwrap();
    let directory = world.server.directory().display().to_string();
    client.call("session.list", ()).unwrap();
    world.server.stop();
    let began = Instant::now();
    let runs: Vec<Run> = (0..1_000)
        .map(|_| {
            let mut prompt = slow("never", 2);
            prompt.directory = Some(directory.clone());
            client.run(prompt).unwrap()
        })
        .collect();
    for run in &runs {
        let error = error(run);
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    }
    // Four at a time, a second each, they would take minutes.
    let took = began.elapsed();
    assert!(took < Duration::from_secs(60), "{took:?}");
    world.server.cont();
}

#[test]
fn a_client_is_closed_in_a_second_wherever_its_run_stands() {
    let proxy = Proxy::start(&shared().server.url()).unwrap();
    for (events, pattern) in [
        (true, "GET /global/event*"),
        (true, "POST /session*"),
        (true, "POST */prompt_async*"),
        (false, "GET /session/status*"),
        (false, "GET */message?*"),
        (true, "GET */message?*"),
        (true, "POST */abort*"),
    ] {
        let seen = std::sync::Arc::new(AtomicU64::new(0));
        let counter = std::sync::Arc::clone(&seen);
        proxy.hook(move |asked| {
            if !asked.is(pattern) {
                return Plan::pass();
            }
            counter.fetch_add(1, Ordering::Relaxed);
            Plan::pass().stall_request(0, Duration::MAX)
        });
        let client = behind(&proxy, events);
        let steps = json!([{ "text": "a b c d", "delay_ms": 100 }]);
        let run = client.run(scripted("stalls", steps)).unwrap();
        if pattern.contains("abort") {
            until(&run, |update| matches!(update, Update::Message(_)));
            run.cancel(Duration::ZERO);
        }
        eventually("the request that hangs", || (seen.load(Ordering::Relaxed) > 0).then_some(()));
        let began = Instant::now();
        client.close();
        let took = began.elapsed();
        // A prompt that is not sent yet gets a second.
        let limit = if pattern.contains("abort") { 1 } else { 2 };
        assert!(took < Duration::from_secs(limit), "{pattern}: {took:?}");
        assert_eq!(error(&run).kind(), ErrorKind::Closed, "{pattern}");
    }
}
