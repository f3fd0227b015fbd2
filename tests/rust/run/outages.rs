//! Servers that are away for a while, come back slowly, or answer some requests with errors.

use super::world::World;
use super::*;
use opencode_core::{ErrorKind, PermissionPolicy};
use opencode_tests::eventually;
use std::time::Instant;

/// Six seconds of text.
fn long(words: &str) -> Prompt {
    scripted(words, json!([{ "text": "a b c d e f g h i j k l", "delay_ms": 500 }]))
}

fn behind(proxy: &Proxy, events: bool) -> Client {
    let mut options = options(&shared().server, &proxy.url());
    options.events = events;
    Client::new(options).unwrap()
}

#[test]
fn a_server_that_comes_back_ends_the_run_within_seconds() {
    let world = World::start(|server| server.persistent());
    for events in [true, false] {
        let client = world.client(events);
        // Without events nothing is told while the text grows.
        let run = client.run(long("restarted")).unwrap();
        eventually("its prompt at work", || run.why().contains("working").then_some(()));
        world.server.restart().unwrap();
        let back = Instant::now();
        let error = error(&run);
        assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
        let took = back.elapsed();
        assert!(took < Duration::from_secs(13), "{took:?}");
    }
}

#[test]
fn a_prompt_that_goes_down_with_its_server_is_neither_lost_nor_doubled() {
    let world = World::start(|server| server.persistent());
    for events in [true, false, true, false] {
        let client = world.client(events);
        let run = client.run(scripted("down", json!([{ "text": "up again" }]))).unwrap();
        eventually("its prompt sent", || run.message_id().filter(|_| run.why().contains("sent; ")));
        world.server.restart().unwrap();
        match run.wait(Some(Duration::from_secs(60))) {
            Ok(reply) => assert_eq!(reply.text, "up again"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
                assert!(error.is_sent());
            }
        }
        let arguments = json!({ "sessionID": run.session_id().unwrap() });
        let messages: Value = client.call("session.messages", arguments).unwrap().json().unwrap();
        let prompts = messages.as_array().unwrap().iter().filter(|m| m["info"]["role"] == "user");
        assert_eq!(prompts.count(), 1, "{messages}");
    }
}

#[test]
fn a_look_that_hangs_after_an_outage_is_repeated() {
    let proxy = Proxy::start(&shared().server.url()).unwrap();
    for (events, request) in [
        (false, "GET /session/status*"),
        (true, "GET /session/status*"),
        (true, "GET /global/event*"),
        (false, "GET */message?*"),
    ] {
        let client = behind(&proxy, events);
        let run = client.run(long("hangs")).unwrap();
        eventually("its prompt at work", || run.why().contains("working").then_some(()));
        proxy.down().unwrap();
        std::thread::sleep(Duration::from_secs(1));
        // As 1.18 does with the requests of its first milliseconds.
        proxy.once(request, Plan::pass().stall_request(0, Duration::MAX));
        proxy.up().unwrap();
        let back = Instant::now();
        assert_eq!(reply(&run).text, "a b c d e f g h i j k l", "{request}");
        let took = back.elapsed();
        assert!(took < Duration::from_secs(14), "{request}: {took:?}");
        proxy.pass();
    }
}

#[test]
fn a_server_that_is_slow_after_an_outage_is_waited_for() {
    let proxy = Proxy::start(&shared().server.url()).unwrap();
    for events in [true, false] {
        let client = behind(&proxy, events);
        let mut prompt = long("slow");
        prompt.limits.server_timeout = Some(Duration::from_secs(4));
        let run = client.run(prompt).unwrap();
        eventually("its prompt at work", || run.why().contains("working").then_some(()));
        proxy.down().unwrap();
        std::thread::sleep(Duration::from_secs(2));
        // Away for two seconds, and three more until it answers about the directory.
        let ready = Instant::now() + Duration::from_secs(3);
        proxy.hook(move |asked| {
            let left = ready.saturating_duration_since(Instant::now());
            if asked.is("GET /global/*") { Plan::pass() } else { Plan::pass().delay(left) }
        });
        proxy.up().unwrap();
        assert_eq!(reply(&run).text, "a b c d e f g h i j k l");
        proxy.pass();
    }
}

#[test]
fn lists_that_are_answered_with_errors_hold_no_run_up() {
    let world = World::start(|server| server.config(json!({ "permission": { "bash": "ask" } })));
    let proxy = Proxy::start(&world.server.url()).unwrap();
    let client = world.behind(&proxy.url(), true);
    let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>";
    for list in ["GET /permission?*", "GET /question?*"] {
        for answer in [
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n",
            page,
        ] {
            proxy.always(list, Plan::instead(answer));
            let mut prompt = scripted("unlisted", json!([bash("echo 7"), { "text": "seen" }]));
            prompt.permission = Some(PermissionPolicy::from_value(&json!("once")).unwrap());
            let run = client.run(prompt).unwrap();
            let mut has_said = false;
            for update in run.updates() {
                has_said |=
                    matches!(&update, Update::Status { why } if why.contains("only events tell"));
            }
            let reply = reply(&run);
            assert_eq!(reply.text, "seen", "{list} {answer}");
            assert_eq!(reply.decisions[0].reply, "once");
            assert!(has_said, "{list} {answer}");
            proxy.pass();
        }
    }
}
