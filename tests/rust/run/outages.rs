//! Servers that are away for a while, come back slowly, or answer some requests with errors.

use super::world::{Way, World};
use super::*;
use opencode_core::{ErrorKind, PermissionPolicy};
use std::time::Instant;

/// Six seconds of text.
fn long(words: &str) -> Prompt {
    scripted(words, json!([{ "text": "a b c d e f g h i j k l", "delay_ms": 500 }]))
}

#[test]
fn a_server_that_comes_back_ends_the_run_within_seconds() {
    for_both(|generation| {
        let world = World::start(generation, |server| server.persistent());
        for way in [Way::Steady, Way::Deaf] {
            let client = world.place(way);
            // Without events nothing is told while the text grows.
            let run = client.run(long("restarted")).unwrap();
            eventually("its prompt at work", || run.why().contains("working").then_some(()));
            world.server().restart().unwrap();
            let back = Instant::now();
            let error = error(&run);
            let kinds = [ErrorKind::Interrupted, ErrorKind::Cancelled];
            let kinds = world.word(&kinds[..1], &kinds[..]);
            assert!(kinds.contains(&error.kind()), "{error}");
            let took = back.elapsed();
            assert!(took < Duration::from_secs(13), "{took:?}");
        }
    });
}

#[test]
fn a_prompt_that_goes_down_with_its_server_is_neither_lost_nor_doubled() {
    for_both(|generation| {
        let world = World::start(generation, |server| server.persistent());
        for way in [Way::Steady, Way::Deaf].repeat(world.word(2, 1)) {
            let client = world.place(way);
            let run = client.run(scripted("down", json!([{ "text": "up again" }]))).unwrap();
            let is_sent = || run.message_id().filter(|_| run.why().contains("sent; "));
            eventually("its prompt sent", is_sent);
            world.server().restart().unwrap();
            let is_answered = match run.wait(Some(Duration::from_secs(60))) {
                Ok(reply) => {
                    assert_eq!(reply.text, "up again");
                    true
                }
                Err(error) => {
                    let kinds = [ErrorKind::Interrupted, ErrorKind::Cancelled];
                    let kinds = world.word(&kinds[..1], &kinds[..]);
                    assert!(kinds.contains(&error.kind()), "{error}");
                    assert!(error.is_sent());
                    false
                }
            };
            let session = run.session_id().unwrap();
            let prompts = world.prompts(&session).len();
            // One of 2.x that was not begun is taken back: nobody would begin it.
            let least = if is_answered || !world.is_two() { 1 } else { 0 };
            assert!((least..=1).contains(&prompts), "{way:?}: {prompts}");
            let is_empty = || (world.waiting(&session) == 0).then_some(());
            eventually("the prompt is taken back", is_empty);
        }
    });
}

#[test]
fn a_look_that_hangs_after_an_outage_is_repeated() {
    on_both(|world| {
        let proxy = Proxy::start(&world.server().url()).unwrap();
        let status = world.word("GET /session/status*", "GET /api/session/active*");
        let looks = [
            (Way::Steady, world.word("GET /global/event*", "GET /api/event*")),
            (Way::Deaf, status),
            (Way::Steady, status),
            (Way::Deaf, "GET */message?*"),
        ];
        // What a run does then is the same on both; each way once is enough on the second.
        for (way, request) in &looks[..world.word(4, 2)] {
            let (way, request) = (*way, *request);
            let client = world.behind(&proxy.url(), way);
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
    });
}

#[test]
fn a_server_that_is_slow_after_an_outage_is_waited_for() {
    on_both(|world| {
        let proxy = Proxy::start(&world.server().url()).unwrap();
        let ways = [Way::Steady, Way::Deaf];
        for way in &ways[..world.word(2, 1)] {
            let client = world.behind(&proxy.url(), *way);
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
                let is_ready = asked.is("GET /global/*") || asked.is("GET /api/info");
                if is_ready { Plan::pass() } else { Plan::pass().delay(left) }
            });
            proxy.up().unwrap();
            assert_eq!(reply(&run).text, "a b c d e f g h i j k l");
            proxy.pass();
        }
    });
}

#[test]
fn lists_that_are_answered_with_errors_hold_no_run_up() {
    for_both(|generation| {
        let config = json!({ "permission": { "bash": "ask" } });
        let world = World::start(generation, |server| server.config(config));
        let proxy = Proxy::start(&world.server().url()).unwrap();
        let client = world.behind(&proxy.url(), Way::Steady);
        let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>";
        let lists = world.word(
            ["GET /permission?*", "GET /question?*"],
            ["GET /api/permission/request*", "GET /api/form*"],
        );
        for list in lists {
            let answers = [
                "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n",
                page,
                "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
                "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            ];
            for answer in &answers[..world.word(4, 2)] {
                proxy.always(list, Plan::instead(answer));
                let steps = json!([client.bash("echo 7"), { "text": "seen" }]);
                let mut prompt = scripted("unlisted", steps);
                prompt.permission = Some(PermissionPolicy::from_value(&json!("once")).unwrap());
                let run = client.run(prompt).unwrap();
                let mut has_said = false;
                for update in run.updates() {
                    has_said |= matches!(&update, Update::Status { why } if why.contains("only events tell"));
                }
                let reply = reply(&run);
                assert_eq!(reply.text, "seen", "{list} {answer}");
                assert_eq!(reply.decisions[0].reply, "once");
                assert!(has_said, "{list} {answer}");
                proxy.pass();
            }
        }
    });
}
