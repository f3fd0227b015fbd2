//! What networks and servers do: nothing is lost, nothing is done twice, nothing hangs.

use super::world::{Place, Way, World};
use super::*;
use opencode_core::{ErrorKind, State};
use std::time::Instant;

/// The server has one prompt of these words and the model saw it once.
fn assert_once(world: &World, run: &Run, words: &str) {
    let prompts = world.prompts(&run.session_id().unwrap());
    assert_eq!(prompts, [(message_id(run), 1)], "{words}");
    assert_eq!(world.model().runs(words), 1, "{words}");
}

#[test]
fn a_send_that_is_cut_anywhere_happens_once() {
    on_both(|world| {
        let proxy = Proxy::start(&world.server().url()).unwrap();
        let client = world.behind(&proxy.url(), Way::Steady);
        let steps = json!([{ "text": "answer" }]);
        // Through the whole request and the whole answer, and beyond both.
        let cuts =
            (0..900).step_by(41).map(|n| (n, true)).chain((0..240).step_by(23).map(|n| (n, false)));
        for (n, (bytes, is_request)) in cuts.enumerate() {
            // Each in both ways on the one, in turns on the other.
            let ends = [End::Close, End::Reset];
            for end in if world.is_two() { &ends[n % 2..=n % 2] } else { &ends[..] } {
                let plan = if is_request {
                    Plan::pass().cut_request(bytes, *end)
                } else {
                    Plan::pass().cut_answer(bytes, *end)
                };
                proxy.once(world.word("POST */prompt_async*", "POST */prompt"), plan);
                let words = format!("cut-{bytes}-{is_request}-{end:?}.");
                let run = client.run(scripted(&words, steps.clone())).unwrap();
                assert_eq!(reply(&run).text, "answer", "{words}");
                assert_once(world, &run, &words);
                proxy.pass();
            }
        }
    });
}

#[test]
fn the_creation_of_a_session_that_is_cut_makes_one_session() {
    on_both(|world| {
        let proxy = Proxy::start(&world.server().url()).unwrap();
        let client = world.behind(&proxy.url(), Way::Steady);
        // What it is, is known by then.
        client.server().unwrap();
        for (bytes, is_request) in
            [(0, true), (60, true), (400, true), (0, false), (30, false), (300, false)]
        {
            let plan = if is_request {
                Plan::pass().cut_request(bytes, End::Reset)
            } else {
                Plan::pass().cut_answer(bytes, End::Reset)
            };
            proxy.once("POST *session*", plan);
            let title = format!("cut-session-{bytes}-{is_request}");
            let mut prompt = scripted(&title, json!([{ "text": "answer" }]));
            prompt.title = Some(title.clone());
            let run = client.run(prompt).unwrap();
            assert_eq!(reply(&run).text, "answer");
            assert_eq!(world.sessions(&title), 1, "{title}");
            proxy.pass();
        }
    });
}

#[test]
fn a_stream_that_drops_again_and_again_loses_no_text() {
    on_both(|world| {
        let proxy = Proxy::start(&world.server().url()).unwrap();
        let client = world.behind(&proxy.url(), Way::Steady);
        for bytes in [200, 1_500, 4_000, 6_000, 9_000] {
            proxy.hook(move |asked| match is_stream(asked) {
                true => Plan::pass().cut_answer(bytes, End::Reset),
                false => Plan::pass(),
            });
            let text = "one two three four five six seven eight nine ten";
            let words = format!("drop-{bytes}.");
            let steps = json!([{ "text": text, "delay_ms": 40 }]);
            let run = client.run(scripted(&words, steps)).unwrap();
            assert_eq!(shown(run.updates()), text, "cut after {bytes} bytes");
            assert_eq!(reply(&run).text, text);
            assert_once(world, &run, &words);
            proxy.pass();
        }
    });
}

#[test]
fn a_stream_that_is_refused_is_done_without() {
    on_both(|world| {
        let proxy = Proxy::start(&world.server().url()).unwrap();
        proxy.hook(|asked| match is_stream(asked) {
            true => Plan::refuse(End::Reset),
            false => Plan::pass(),
        });
        let client = world.behind(&proxy.url(), Way::Steady);
        let run = client.run(scripted("refused", json!([{ "text": "all the same" }]))).unwrap();
        assert_eq!(reply(&run).text, "all the same");
        let mut prompt = Prompt::new("x");
        prompt.agent = Some("nobody".to_owned());
        let error = error(&client.run(prompt).unwrap());
        assert_eq!(error.kind(), ErrorKind::Agent, "checked before the send: {error}");
    });
}

#[test]
fn a_stream_that_stalls_in_silence_does_not_hold_the_answer() {
    on_both(|world| {
        let proxy = Proxy::start(&world.server().url()).unwrap();
        let client = world.behind(&proxy.url(), Way::Steady);
        proxy.hook(|asked| match is_stream(asked) {
            true => Plan::pass().stall_answer(1_000, Duration::from_secs(120)),
            false => Plan::pass(),
        });
        let run = client.run(scripted("stalled", json!([{ "text": "in spite of it" }]))).unwrap();
        assert_eq!(reply(&run).text, "in spite of it");
    });
}

#[test]
fn every_request_may_fail_now_and_then() {
    on_both(|world| {
        let proxy = Proxy::start(&world.server().url()).unwrap();
        let count = AtomicU64::new(0);
        proxy.hook(move |_| match count.fetch_add(1, Ordering::Relaxed) % 5 {
            1 => Plan::pass().cut_answer(0, End::Reset),
            3 => Plan::refuse(End::Close),
            _ => Plan::pass(),
        });
        for way in [Way::Steady, Way::Deaf] {
            let client = world.behind(&proxy.url(), way);
            for i in 0..world.word(6, 3) {
                let words = format!("flaky-{way:?}-{i}.");
                let run = client.run(scripted(&words, json!([{ "text": "answer" }]))).unwrap();
                assert_eq!(reply(&run).text, "answer");
                assert_once(world, &run, &words);
            }
        }
    });
}

fn slow(words: &str, server_timeout: u64) -> Prompt {
    let steps = json!([{ "text": "a b c d e f g h i j k l", "delay_ms": 500 }]);
    let mut prompt = scripted(words, steps);
    prompt.limits.server_timeout = Some(Duration::from_secs(server_timeout));
    prompt
}

#[test]
fn a_server_that_is_killed_ends_the_run() {
    let test = |client: &Place<'_>| {
        let world = client.world();
        // Killed, and it stays away.
        let run = client.run(slow("killed", 1)).unwrap();
        until(&run, |update| matches!(update, Update::Message(_)));
        world.server().kill();
        let error = self::error(&run);
        assert_eq!(error.kind(), ErrorKind::Connection);
        assert!(error.message().contains("out of reach"), "{error}");
        world.server().restart().unwrap();
        // Killed, and back before the run gives up.
        let run = client.run(slow("killed", 60)).unwrap();
        until(&run, |update| matches!(update, Update::Message(_)));
        world.server().restart().unwrap();
        let error = self::error(&run);
        assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
        // The session works on.
        let mut next = scripted("after", json!([{ "text": "alive" }]));
        next.session = run.session_id();
        assert_eq!(reply(&client.run(next).unwrap()).text, "alive");
    };
    for_both(|generation| World::start(generation, |server| server.persistent()).everywhere(test));
}

#[test]
fn a_server_that_hangs_ends_the_run_and_close_stays_quick() {
    for_both(|generation| {
        let world = World::start(generation, |server| server);
        let mut options = world.options();
        options.timeout = Duration::from_secs(1);
        let client = Client::new(options).unwrap();
        client.call(world.word("session.list", "v2.session.list"), ()).unwrap();
        let steps = json!([{ "text": "a b c d e f g h i j k l", "delay_ms": 500 }]);
        let mut prompt = scripted("hangs", steps);
        prompt.limits.server_timeout = Some(Duration::from_secs(2));
        let run = client.run(prompt).unwrap();
        until(&run, |update| matches!(update, Update::Message(_)));
        // 2.x has no request that waits; this one does because nothing answers.
        world.server().stop();
        let waits = world.word("tui.control.next", "v2.session.active");
        let forever = client.start(waits, ()).unwrap();
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
        world.server().cont();
    });
}

#[test]
fn an_instance_that_is_disposed_ends_the_run() {
    let test = |client: &Place<'_>| {
        let run = client.run(slow("disposed", 15)).unwrap();
        until(&run, |update| matches!(update, Update::Message(_)));
        client.call("instance.dispose", ()).unwrap();
        // Told by an event, or by the age of what the server has of the directory.
        let error = error(&run);
        assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
    };
    for_both(|generation| World::start(generation, |server| server).everywhere(test));
}

#[test]
fn a_thousand_runs_do_not_wait_for_a_server_that_hangs_one_after_the_other() {
    for_both(|generation| {
        let world = World::start(generation, |server| server);
        let mut options = world.options();
        options.timeout = Duration::from_secs(1);
        let client = Client::new(options).unwrap();
        let directory = world.server().directory().display().to_string();
        let list = world.word("session.list", "v2.session.list");
        // It has just started, and may need more than a second.
        eventually("the server", || client.call(list, ()).ok());
        world.server().stop();
        let began = Instant::now();
        let start = |_| {
            let mut prompt = slow("never", 2);
            prompt.directory = Some(directory.clone());
            client.run(prompt).unwrap()
        };
        let runs: Vec<Run> = (0..1_000).map(start).collect();
        for run in &runs {
            let error = error(run);
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        }
        // Four at a time, a second each, they would take minutes.
        let took = began.elapsed();
        assert!(took < Duration::from_secs(60), "{took:?}");
        world.server().cont();
    });
}

#[test]
fn a_client_is_closed_in_a_second_wherever_its_run_stands() {
    on_both(|world| {
        let proxy = Proxy::start(&world.server().url()).unwrap();
        for (way, one, two) in [
            (Way::Steady, "GET /global/event*", "GET /api/event*"),
            (Way::Steady, "POST /session*", "POST /api/session"),
            (Way::Steady, "POST */prompt_async*", "POST */prompt"),
            (Way::Deaf, "GET /session/status*", "GET /api/session/active*"),
            (Way::Deaf, "GET */message?*", "GET */message?*"),
            (Way::Steady, "GET */message?*", "GET */message?*"),
            (Way::Steady, "POST */abort*", "DELETE */inbox/*"),
        ] {
            let pattern = world.word(one, two);
            let seen = std::sync::Arc::new(AtomicU64::new(0));
            let counter = std::sync::Arc::clone(&seen);
            proxy.hook(move |asked| {
                if !asked.is(pattern) {
                    return Plan::pass();
                }
                counter.fetch_add(1, Ordering::Relaxed);
                Plan::pass().stall_request(0, Duration::MAX)
            });
            let client = world.behind(&proxy.url(), way);
            client.server().unwrap();
            let steps = json!([{ "text": "a b c d", "delay_ms": 100 }]);
            let run = client.run(scripted("stalls", steps)).unwrap();
            let is_abort = one.contains("abort");
            if is_abort {
                until(&run, |update| matches!(update, Update::Message(_)));
                run.cancel(Duration::ZERO);
            }
            let is_asked = || (seen.load(Ordering::Relaxed) > 0).then_some(());
            eventually("the request that hangs", is_asked);
            let began = Instant::now();
            client.close();
            let took = began.elapsed();
            // A prompt that is not sent yet gets a second.
            let limit = if is_abort { 1 } else { 2 };
            assert!(took < Duration::from_secs(limit), "{pattern}: {took:?}");
            assert_eq!(error(&run).kind(), ErrorKind::Closed, "{pattern}");
        }
    });
}
