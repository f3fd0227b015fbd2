//! How runs end: every way that the server was seen to end one.

use super::words::assert_idle;
use super::*;
use opencode_core::{ErrorKind, Json, State, WhenBusy};
use std::time::Instant;

#[test]
fn an_unknown_model() {
    everywhere(|client| {
        let mut prompt = Prompt::new("x");
        prompt.model = Some(opencode_core::Model {
            provider_id: "local".to_owned(),
            model_id: "nope".to_owned(),
        });
        let error = error(&client.run(prompt).unwrap());
        assert_eq!(error.kind(), ErrorKind::Agent);
        assert!(error.message().contains("nope"), "{error}");
        assert!(!error.message().contains(" at "), "no stack trace: {error}");
    });
}

#[test]
fn an_unknown_agent() {
    everywhere(|client| {
        let mut prompt = Prompt::new("x");
        prompt.agent = Some("nobody".to_owned());
        let error = error(&client.run(prompt).unwrap());
        assert_eq!(error.kind(), ErrorKind::Agent, "{error}");
        assert!(error.message().contains("nobody"), "{error}");
        assert!(error.message().contains("build"), "names those that there are: {error}");
    });
}

/// As it is when the lists of a directory are not there yet: the session has an agent that nobody knows.
#[test]
fn an_agent_of_a_session_that_nobody_knows() {
    everywhere(|client| {
        let session = client.world().make_session(json!({ "agent": "nobody" }));
        let mut prompt = Prompt::new("x");
        prompt.session = Some(session.clone());
        prompt.limits.start_timeout = Some(Duration::from_secs(4));
        let found = error(&client.run(prompt).unwrap());
        assert!(found.message().contains("nobody") || !client.is_steady(), "{found}");
        let is_empty = || (client.world().waiting(&session) == 0).then_some(());
        eventually("the prompt is taken back", is_empty);
    });
}

#[test]
fn a_model_of_a_session_that_is_gone() {
    everywhere(|client| {
        let model = json!({ "providerID": "local", "id": "nope" });
        let mut prompt = Prompt::new("x");
        prompt.session = Some(client.world().make_session(json!({ "model": model })));
        let found = error(&client.run(prompt).unwrap());
        assert_eq!(found.kind(), ErrorKind::Agent, "{found}");
        if client.is_steady() {
            assert!(found.message().contains("local/nope"), "{found}");
            assert_eq!(found.code(), Some("provider.no-route"));
        } else if !client.has_events() {
            // The reason is in an event alone.
            assert_eq!(found.code(), Some("failed"));
            assert!(found.message().contains("v2.model.list"), "{found}");
        }
    });
}

#[test]
fn an_agent_and_a_model_that_are_known_are_used() {
    everywhere(|client| {
        let mut prompt = scripted("chosen", json!([{ "text": "mine" }]));
        prompt.agent = Some("plan".to_owned());
        prompt.model = Some(opencode_core::Model {
            provider_id: "local".to_owned(),
            model_id: "other".to_owned(),
        });
        let reply = reply(&client.run(prompt).unwrap());
        let found = (reply.agent.as_deref(), reply.model_id.as_deref());
        assert_eq!(found, (Some("plan"), Some("other")));
    });
}

#[test]
fn an_unknown_session() {
    everywhere(|client| {
        let mut prompt = Prompt::new("x");
        prompt.session = Some("ses_none".to_owned());
        let error = error(&client.run(prompt).unwrap());
        assert_eq!(error.kind(), ErrorKind::NotFound);
    });
}

#[test]
fn a_provider_that_refuses() {
    everywhere(|client| {
        let steps = json!([{ "status": 401, "body": { "error": { "message": "no key" } } }]);
        let run = client.run(scripted("401", steps)).unwrap();
        let error = error(&run);
        let code = client.word("APIError", "provider.auth");
        assert_eq!((error.kind(), error.code()), (ErrorKind::Agent, Some(code)));
        assert!(error.message().contains("no key"), "{error}");
        assert_eq!(run.reply().unwrap().messages.len(), 2, "a failed run has what there is");
    });
}

#[test]
fn a_provider_that_fails_and_recovers() {
    everywhere(|client| {
        let steps = json!([{
            "status": 429, "headers": { "retry-after-ms": "300" },
            "times": 2, "then": { "text": "ok" },
        }]);
        let run = client.run(scripted("429", steps)).unwrap();
        let retried = run.updates().filter(|u| matches!(u, Update::Retry { .. })).count();
        assert_eq!(reply(&run).text, "ok");
        // Without all events a retry between two looks may go unseen.
        assert!(retried > 0 || !client.is_steady());
    });
}

#[test]
fn a_provider_that_stumbles() {
    everywhere(|client| {
        let stumbles = [
            json!({ "status": 500, "headers": { "retry-after-ms": "200" } }),
            json!({ "reset": true }),
            json!({ "text": "x", "error": "overloaded" }),
        ];
        // After some text 2.x goes on, as after a cut.
        let asked_again = &stumbles[..client.word(3, 2)];
        let runs: Vec<Run> = (asked_again.iter().cloned())
            .map(|mut step| {
                step["times"] = 1.into();
                step["then"] = json!({ "text": "ok" });
                client.run(scripted("stumbles", json!([step]))).unwrap()
            })
            .collect();
        for run in runs {
            let seen = shown(run.updates());
            assert_eq!((reply(&run).text.as_str(), seen.as_str()), ("ok", "ok"));
        }
    });
}

#[test]
fn a_stream_of_rubbish() {
    everywhere(|client| {
        let run =
            client.run(scripted("garbage", json!([{ "text": "x", "garbage": true }]))).unwrap();
        assert_eq!(error(&run).kind(), ErrorKind::Agent);
    });
}

#[test]
fn a_finish_by_length() {
    everywhere(|client| {
        let steps = json!([{ "text": "cut off", "finish": "length" }]);
        let reply = reply(&client.run(scripted("length", steps)).unwrap());
        assert_eq!((reply.text.as_str(), reply.finish.as_deref()), ("cut off", Some("length")));
    });
}

#[test]
fn a_content_filter() {
    everywhere(|client| {
        let steps = json!([{ "text": "x", "finish": "content_filter" }]);
        let error = error(&client.run(scripted("filter", steps)).unwrap());
        let code = client.word("ContentFilterError", "provider.content-filter");
        assert_eq!((error.kind(), error.code()), (ErrorKind::Agent, Some(code)), "{error}");
    });
}

#[test]
fn a_loop_without_an_end() {
    everywhere(|client| {
        // The server asks the model again for ever when it does not know the reason of a finish.
        let mut prompt = scripted("weird", json!([{ "text": "x", "finish": "weird" }]));
        prompt.limits.max_steps = Some(3);
        let run = client.run(prompt).unwrap();
        let error = error(&run);
        assert_eq!((error.kind(), error.code()), (ErrorKind::Limit, Some("max_steps")));
        assert!(error.message().contains("max_steps") && error.message().contains("3"), "{error}");
        assert_idle(client, &run);
    });
}

#[test]
fn a_deadline() {
    everywhere(|client| {
        let mut prompt = scripted("late", json!([{ "text": "a b c d e f g h", "delay_ms": 1000 }]));
        prompt.limits.deadline = Some(Duration::from_millis(1500));
        let run = client.run(prompt).unwrap();
        let error = error(&run);
        assert_eq!((error.kind(), error.code()), (ErrorKind::Limit, Some("deadline_ms")));
        assert!(error.message().contains("1500"), "{error}");
        assert_idle(client, &run);
    });
}

#[test]
fn limits_of_cost_and_tokens() {
    everywhere(|client| {
        let mut first = client.bash("true");
        // Below what the model can hold: the server would give it a summary in place of the next step.
        first["usage"] = json!({ "input": 100_000, "output": 10 });
        let steps = json!([first, { "text": "never", "first_delay_ms": 6000 }]);
        let mut prompt = scripted("dear", steps.clone());
        prompt.limits.max_cost = Some(0.05);
        let dear = client.run(prompt).unwrap();
        let mut prompt = scripted("long", steps);
        prompt.limits.max_tokens = Some(1000);
        let long = client.run(prompt).unwrap();
        let error = self::error(&dear);
        assert_eq!((error.kind(), error.code()), (ErrorKind::Limit, Some("max_cost")));
        assert!(
            error.message().contains("max_cost") && error.message().contains("0.05"),
            "{error}"
        );
        assert!(dear.reply().unwrap().cost > 0.05);
        let error = self::error(&long);
        assert_eq!((error.kind(), error.code()), (ErrorKind::Limit, Some("max_tokens")));
        assert!(error.message().contains("100010") && error.message().contains("1000"), "{error}");
        assert_idle(client, &dear);
        assert_idle(client, &long);
    });
}

#[test]
fn a_retry_is_told_with_its_reason_and_time() {
    everywhere(|client| {
        let steps = json!([{
            "status": 429, "headers": { "retry-after-ms": "2500" },
            "body": { "error": { "message": "too many at once" } },
            "times": 1, "then": { "text": "ok" },
        }]);
        let began = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let run = client.run(scripted("waits", steps)).unwrap();
        let of_retry = |update| match update {
            Update::Retry { attempt, reason, next } => Some((attempt, reason, next)),
            _ => None,
        };
        let retries: Vec<_> = run.updates().filter_map(of_retry).collect();
        assert_eq!(reply(&run).text, "ok");
        let [(1, reason, next)] = &retries[..] else { panic!("{retries:?}") };
        assert!(reason.contains("too many at once"), "{reason}");
        assert!(*next > began.as_millis() as f64, "{next}");
    });
}

#[test]
fn a_limit_of_retries() {
    everywhere(|client| {
        let steps = json!([{ "status": 500, "headers": { "retry-after-ms": "1500" } }]);
        let mut prompt = scripted("500", steps);
        prompt.limits.max_retries = Some(1);
        let run = client.run(prompt).unwrap();
        let error = error(&run);
        assert_eq!((error.kind(), error.code()), (ErrorKind::Limit, Some("max_retries")));
        assert!(error.message().contains("after 1 retries"), "{error}");
        assert_idle(client, &run);
    });
}

#[test]
fn a_cancel_in_mid_stream() {
    everywhere(|client| {
        let steps = json!([{ "text": "a b c d e f g h", "delay_ms": 500 }]);
        let run = client.run(scripted("cancel", steps)).unwrap();
        until(&run, |update| matches!(update, Update::Message(_)));
        assert_eq!(run.cancel(LIMIT), State::Failed);
        assert_eq!(error(&run).kind(), ErrorKind::Cancelled);
        assert_idle(client, &run);
        assert_eq!(run.cancel(LIMIT), State::Failed, "a second cancel changes nothing");
    });
}

#[test]
fn a_cancel_at_any_time() {
    everywhere(|client| {
        for delay in [0, 5, 20, 60, 150, 400] {
            // A busy machine lets much of it be said before the cancel, and never all.
            let steps = json!([{ "text": "word ".repeat(300), "delay_ms": 200 }]);
            let run = client.run(scripted("cancel", steps)).unwrap();
            std::thread::sleep(Duration::from_millis(delay));
            run.cancel(LIMIT);
            assert_eq!(error(&run).kind(), ErrorKind::Cancelled, "after {delay} ms");
            if run.session_id().is_some() {
                std::thread::sleep(Duration::from_millis(700));
                assert_idle(client, &run);
            }
        }
    });
}

#[test]
fn a_cancel_after_the_end() {
    everywhere(|client| {
        let run = client.run("Say pong").unwrap();
        reply(&run);
        assert_eq!(run.cancel(LIMIT), State::Done);
    });
}

#[test]
fn a_cancel_leaves_the_next_prompt_alone() {
    everywhere(|client| {
        let other = client.world().client();
        for delay in [0, 20, 60, 120] {
            let run = client.run(scripted("first", json!([{ "text": "short" }]))).unwrap();
            until(&run, |update| matches!(update, Update::Message(_)));
            // It waits for its turn, and has it as soon as the first one is answered.
            let steps = json!([{ "text": "a b c d", "delay_ms": 100 }]);
            let mut next = scripted("second", steps);
            next.session = run.session_id();
            let next = other.run(next).unwrap();
            std::thread::sleep(Duration::from_millis(delay));
            run.cancel(LIMIT);
            assert_eq!(reply(&next).text, "a b c d", "{delay} ms");
        }
    });
}

#[test]
fn a_directory_that_was_never_used() {
    everywhere(|client| {
        // The first prompt of a directory starts an instance: the session is busy half a second after the send.
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("cold-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = client.world().server().directory().join(name);
        std::fs::create_dir(&directory).unwrap();
        let mut prompt = scripted("cold", json!([{ "text": "warm" }]));
        prompt.directory = Some(directory.display().to_string());
        assert_eq!(reply(&client.run(prompt).unwrap()).text, "warm");
    });
}

#[test]
fn an_abort_by_somebody_else() {
    everywhere(|client| {
        let steps = json!([{ "text": "a b c d e f g h", "delay_ms": 500 }]);
        let run = client.run(scripted("abort", steps)).unwrap();
        until(&run, |update| matches!(update, Update::Message(_)));
        client.world().abort(&run.session_id().unwrap());
        let error = error(&run);
        let code = client.word("MessageAbortedError", "aborted");
        assert_eq!((error.kind(), error.code()), (ErrorKind::Cancelled, Some(code)), "{error}");
        assert!(error.message().contains("aborted on the server"), "{error}");
    });
}

#[test]
fn a_session_that_is_deleted() {
    everywhere(|client| {
        let steps = json!([{ "text": "a b c d e f g h", "delay_ms": 500 }]);
        let run = client.run(scripted("delete", steps)).unwrap();
        until(&run, |update| matches!(update, Update::Message(_)));
        client.world().delete(&run.session_id().unwrap());
        assert_eq!(error(&run).kind(), ErrorKind::NotFound);
    });
}

#[test]
fn a_structured_answer() {
    everywhere(|client| {
        let schema = json!({
            "type": "object", "properties": { "n": { "type": "integer" } }, "required": ["n"],
        });
        let answer = |value: Value| {
            let mut prompt = scripted("json", json!([tool("StructuredOutput", value)]));
            prompt.format = Some(schema.clone().into());
            prompt
        };
        let run = client.run(answer(json!({ "n": 5 }))).unwrap();
        let good = reply(&run);
        assert_eq!(good.structured.as_ref().map(Json::get), Some(r#"{"n":5}"#));
        // The session stays usable although the server can no longer list it whole.
        let mut next = scripted("next", json!([{ "text": "fine" }]));
        next.session = run.session_id();
        assert_eq!(reply(&client.run(next).unwrap()).text, "fine");
        let bad = error(&client.run(answer(json!({ "n": "five" }))).unwrap());
        assert!(bad.message().contains("value.n must be of type"), "{bad}");
        let mut text = scripted("text", json!([{ "text": "no json" }]));
        text.format = Some(schema.clone().into());
        assert_eq!(error(&client.run(text).unwrap()).kind(), ErrorKind::Agent);
    });
}

#[test]
fn a_context_that_overflows() {
    everywhere(|client| {
        let mut prompt = scripted(
            "overflow",
            json!([
                { "tools": [{ "name": "todowrite", "arguments": { "todos": [] } }],
                  "usage": { "input": 5000, "output": 4 } },
                { "text": "after all" },
            ]),
        );
        prompt.model = Some(opencode_core::Model {
            provider_id: "local".to_owned(),
            model_id: "tiny".to_owned(),
        });
        let run = client.run(prompt).unwrap();
        let reply = reply(&run);
        assert!(reply.messages.len() > 3, "the compaction belongs to the run");
        assert!(!reply.text.is_empty());
    });
}

#[test]
fn a_busy_session_may_be_refused() {
    everywhere(|client| {
        let other = client.world().client();
        let steps = json!([{ "text": "a b c", "delay_ms": 500 }]);
        let slow = other.run(scripted("slow", steps)).unwrap();
        until(&slow, |update| matches!(update, Update::Message(_)));
        let mut prompt = Prompt::new("x");
        prompt.session = slow.session_id();
        prompt.when_busy = WhenBusy::Refuse;
        assert_eq!(error(&client.run(prompt).unwrap()).kind(), ErrorKind::Conflict);
        assert_eq!(reply(&slow).text, "a b c");
    });
}

#[test]
fn a_wait_that_is_too_short() {
    steadily(|client| {
        let steps = json!([{ "text": "a b", "delay_ms": 500 }]);
        let run = client.run(scripted("slow", steps)).unwrap();
        let began = Instant::now();
        let error = run.wait(Some(Duration::from_millis(50))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(began.elapsed() < Duration::from_secs(5));
        assert!(!run.why().is_empty());
        assert_eq!(reply(&run).text, "a b");
        assert_eq!(run.why(), "");
    });
}
