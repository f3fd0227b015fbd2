//! Scenes of servers that hardly get a processor: they answer a look after seconds, and do as late what they do next.

use super::*;
use std::cell::Cell;

/// What a look of the server's takes.
const PACE: Millis = 1_700;

/// What one look finds: whether the session works, and its newest answer.
type LookResult = (bool, Option<Value>);

/// Answers looks, each after this time, with what the server has at the n-th of them.
fn answers(scene: &mut Scene, pace: Millis, found: impl Fn(&Scene, usize) -> LookResult) {
    let mut looks = 0;
    while scene.outcome.is_none() {
        assert!(scene.now < 120_000, "{}", scene.machine.why());
        for list in ["file.list", "session.diff"] {
            if scene.wants(list) {
                scene.ok(list, json!([]));
            }
        }
        for (names, what) in [("app.agents", json!([])), ("config.providers", json!({}))] {
            if scene.wants(names) {
                scene.ok(names, what);
            }
        }
        while scene.wants("session.abort") {
            scene.ok("session.abort", json!(true));
        }
        if scene.snapshots == 0 {
            scene.wait(10);
            continue;
        }
        let (is_busy, answer) = found(scene, looks);
        looks += 1;
        scene.now += pace;
        scene.snapshot(if is_busy { &[MINE] } else { &[] }, &[]);
        if scene.wants("session.messages") {
            let stored = [Some(scene.user()), answer];
            scene.ok("session.messages", stored.into_iter().flatten().collect());
        }
    }
}

/// An answer that ended with this error.
fn failed(scene: &Scene, name: &str) -> Value {
    let mut answer = scene.answer("msg_a", None);
    answer["info"]["time"]["completed"] = 2.into();
    answer["info"]["error"] = json!({ "name": name, "data": { "message": "no" } });
    answer
}

/// A turn that begins at the fifth look and ends with the sixth.
fn begun_late(scene: &Scene, look: usize) -> LookResult {
    match look {
        0..4 => (false, None),
        4 => (true, Some(scene.answer("msg_a", None))),
        _ => (false, Some(scene.answer("msg_a", Some("stop")))),
    }
}

fn aborted_answer(scene: &Scene) -> Value {
    failed(scene, "MessageAbortedError")
}

#[test]
fn why_the_agent_failed_may_be_written_long_after_its_session_rests() {
    for events in [true, false] {
        for pace in [0, 40, 300, PACE, 6_000] {
            let mut scene = Scene::running(Setup { events, ..setup() });
            answers(&mut scene, pace, |scene, look| {
                let answer =
                    if look < 4 { scene.answer("msg_a", None) } else { failed(scene, "APIError") };
                (false, Some(answer))
            });
            let error = scene.error().unwrap();
            assert_eq!(error.kind(), ErrorKind::Agent, "{pace}: {error}");
        }
    }
}

#[test]
fn what_stopped_is_told_as_soon_as_a_quick_server_allows() {
    for (pace, at_most) in [(10, 2_800), (100, 4_000), (PACE, 20_000)] {
        for has_begun in [true, false] {
            let mut scene = Scene::running(setup());
            scene.event("session.idle", json!({}));
            let began = scene.now;
            answers(&mut scene, pace, |scene, _| {
                (false, has_begun.then(|| scene.answer("msg_a", None)))
            });
            assert_eq!(scene.error().unwrap().kind(), ErrorKind::Interrupted);
            let took = scene.now - began;
            assert!(took >= 2_000 && took < at_most, "{pace}: {took}");
        }
    }
}

#[test]
fn a_prompt_that_a_slow_server_begins_after_an_outage_is_answered() {
    for events in [true, false] {
        let mut scene = Scene::sending(Setup { events, ..setup() });
        scene.ok("session.prompt_async", Value::Null);
        scene.input(Input::Stream(false));
        answers(&mut scene, PACE, begun_late);
        assert!(scene.error().is_none(), "{:?}", scene.error());
    }
}

#[test]
fn an_error_of_the_prompt_before_is_not_that_of_one_that_is_begun_late() {
    let mut scene = Scene::sending(setup());
    let error = json!({ "error": { "name": "UnknownError", "data": { "message": "old" } } });
    scene.event("session.error", error);
    scene.ok("session.prompt_async", Value::Null);
    answers(&mut scene, PACE, begun_late);
    assert!(scene.error().is_none(), "{:?}", scene.error());
}

#[test]
fn the_reason_of_a_slow_server_may_come_long_before_its_session_rests() {
    let mut scene = Scene::running(setup());
    let error = json!({ "error": { "name": "UnknownError", "data": { "message": "why" } } });
    let answer = scene.answer("msg_a", None);
    scene.event("message.updated", json!({ "info": answer["info"] }));
    scene.event("session.error", error);
    scene.wait(9_000);
    scene.event("session.idle", json!({}));
    answers(&mut scene, PACE, |_, _| (false, Some(answer.clone())));
    let error = scene.error().unwrap();
    assert_eq!(error.message(), "run: UnknownError: why");
}

#[test]
fn a_cancel_of_a_slow_server_is_not_settled_by_time() {
    // The abort came between two steps, and the next one learns of it late.
    let mut scene = Scene::running(setup());
    scene.input(Input::Cancel);
    answers(&mut scene, 1_400, |scene, look| match look {
        0 => (true, None),
        1..3 => (false, None),
        _ => (false, Some(aborted_answer(scene))),
    });
    let error = scene.error().unwrap();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    let reply = &scene.outcome.as_ref().unwrap().reply;
    assert!(reply.messages.len() > 1, "the step that came late is in the reply");
}

#[test]
fn a_cancel_over_a_slow_line_settles_when_every_look_says_that_the_session_rests() {
    for events in [true, false] {
        for pace in [10, 1_000, PACE, 2_500] {
            for has_begun in [true, false] {
                let mut scene = Scene::running(Setup { events, ..setup() });
                scene.input(Input::Cancel);
                answers(&mut scene, pace, |scene, _| {
                    (false, has_begun.then(|| scene.answer("msg_a", None)))
                });
                let error = scene.error().unwrap();
                assert_eq!(error.kind(), ErrorKind::Cancelled, "{pace}");
                assert!(!error.message().contains("confirm"), "{pace} {has_begun}: {error}");
            }
        }
    }
}

#[test]
fn a_cancel_ends_although_the_session_comes_to_rest_and_works_again_for_ever() {
    let mut scene = Scene::running(setup());
    scene.input(Input::Cancel);
    let began = scene.now;
    answers(&mut scene, PACE, |_, look| (look % 4 == 3, None));
    let error = scene.error().unwrap();
    assert!(error.message().contains("did not confirm"), "{error}");
    assert!(scene.now - began <= 4 * SETTLE_LIMIT, "{}", scene.now - began);
}

#[test]
fn a_command_that_ignores_the_abort_is_waited_for_until_a_look_after_its_end() {
    let mut scene = Scene::running(setup());
    scene.input(Input::Cancel);
    let (aborted, last) = (Cell::new(0), Cell::new(0));
    answers(&mut scene, 700, |scene, look| {
        last.set(scene.now);
        if look == 0 {
            aborted.set(scene.now + 700);
            return (true, None);
        }
        let mut answer = aborted_answer(scene);
        answer["parts"] = json!([{
            "id": "prt_t", "messageID": "msg_a", "type": "tool", "tool": "bash", "callID": "c",
            "state": { "status": "error", "error": "Tool execution aborted" },
        }]);
        (false, Some(answer))
    });
    assert!(last.get() >= aborted.get() + 3_200, "{} {}", aborted.get(), last.get());
}

#[test]
fn events_that_come_behind_a_look_take_nothing_back() {
    let mut scene = Scene::running(setup());
    let (user, mut answer) = (scene.user(), scene.answer("msg_a", Some("tool-calls")));
    let tool = |status: &str| {
        json!({
            "id": "prt_tool", "messageID": "msg_a", "sessionID": MINE, "type": "tool", "tool": "bash",
            "callID": "c", "state": { "status": status, "input": {} },
        })
    };
    answer["parts"] = json!([tool("completed")]);
    scene.input(Input::Stream(false));
    while !scene.wants("session.messages") {
        scene.wait(1_000);
        if scene.snapshots > 0 {
            scene.snapshot(&[MINE], &[]);
        }
    }
    scene.ok("session.messages", json!([user, answer]));
    scene.input(Input::Stream(true));
    scene.event("message.updated", json!({ "info": scene.answer("msg_a", None)["info"] }));
    scene.event("message.part.updated", json!({ "part": tool("running") }));
    let told = |update: &Update| serde_json::from_str::<Value>(&update.to_json()).unwrap();
    let told: Vec<Value> = scene.updates.iter().map(told).collect();
    let last = |kind: &str| told.iter().rfind(|told| told["type"] == kind).unwrap();
    assert_eq!(last("message")["info"]["finish"], "tool-calls");
    assert_eq!(last("tool")["part"]["state"]["status"], "completed");
}
