//! Scenes of summaries: what is left of one that failed, and what it does to the next prompt.

use super::*;

/// A request for a summary that somebody made.
fn request(id: &str) -> Value {
    let mut message = message(id, "user", None);
    message["parts"][0] = json!({ "type": "compaction", "auto": false, "id": "p" });
    message
}

fn failed(mut answer: Value) -> Value {
    answer["info"]["summary"] = true.into();
    answer["info"]["time"]["completed"] = 2.into();
    answer["info"]["error"] = json!({ "name": "APIError", "data": { "message": "no" } });
    answer
}

/// As far as the look at the newest message before the send.
fn looking() -> Scene {
    let mut scene = Scene::new(setup());
    scene.input(Input::Stream(true));
    scene.ok("session.get", json!({ "id": MINE, "directory": "/p" }));
    scene.snapshot(&[], &[]);
    scene
}

#[test]
fn what_is_left_of_a_summary_is_taken_back_before_a_prompt_is_sent() {
    let done = {
        let mut done = message("msg_0", "assistant", Some("msg_before"));
        done["info"]["finish"] = "stop".into();
        done
    };
    let left = failed(message("msg_2", "assistant", Some("msg_1")));
    let all = json!([done, request("msg_1"), left]);
    let mut scene = looking();
    assert_eq!(scene.ok("session.messages", json!([left]))["limit"], 1);
    assert!(!scene.wants("session.prompt_async"), "it is sent too early");
    scene.ok("session.messages", all.clone());
    // It got lost: the prompt waits, and looks again.
    scene.fails("session.delete_message", broken());
    assert!(!scene.wants("session.prompt_async"), "it is sent although it is not known");
    scene.wait(1_000);
    scene.snapshot(&[], &[]);
    scene.ok("session.messages", json!([left]));
    scene.ok("session.messages", all);
    assert_eq!(scene.ok("session.delete_message", json!(true))["messageID"], "msg_1");
    scene.ok("session.prompt_async", Value::Null);
    assert!(scene.outcome.is_none(), "{:?}", scene.outcome);
}

#[test]
fn what_cannot_be_taken_back_holds_no_prompt() {
    for error in [status(404, ErrorKind::NotFound), status(409, ErrorKind::Conflict)] {
        let mut scene = looking();
        scene.ok("session.messages", json!([request("msg_1")]));
        scene.ok("session.messages", json!([request("msg_1")]));
        scene.fails("session.delete_message", error);
        scene.ok("session.prompt_async", Value::Null);
    }
    let mut scene = looking();
    scene.ok("session.messages", json!([request("msg_1")]));
    scene.fails("session.messages", status(400, ErrorKind::InvalidArgument));
    scene.ok("session.prompt_async", Value::Null);
}

#[test]
fn a_summary_is_never_taken_for_the_answer_to_a_prompt() {
    for events in [true, false] {
        let mut scene = Scene::running(Setup { events, ..setup() });
        let mut summary = scene.answer("msg_a", Some("stop"));
        summary["info"]["summary"] = true.into();
        end_with(&mut scene, &summary);
        let error = scene.error().expect("it has no answer");
        assert_eq!(error.kind(), ErrorKind::Superseded, "{error}");
        assert!(error.is_sent() && error.message().contains("a summary of the session"), "{error}");
        let mut scene = Scene::running(Setup { events, ..setup() });
        let summary = failed(scene.answer("msg_a", None));
        end_with(&mut scene, &summary);
        let error = scene.error().expect("it has no answer");
        assert_eq!(error.kind(), ErrorKind::Agent, "{error}");
        assert!(error.message().contains("a summary of the session"), "{error}");
    }
}

fn end_with(scene: &mut Scene, newest: &Value) {
    while scene.outcome.is_none() && scene.now < 20_000 {
        if scene.snapshots > 0 {
            scene.snapshot(&[], &[]);
        }
        if scene.wants("session.messages") {
            let user = scene.user();
            scene.ok("session.messages", json!([user, newest]));
        }
        scene.wait(100);
    }
}

#[test]
fn what_a_failed_summary_leaves_is_taken_back_until_it_is_gone() {
    let aim = Aim::Compact;
    let mut scene = Scene::new(Setup { aim, ..setup() });
    scene.input(Input::Stream(true));
    scene.ok("session.get", json!({ "id": MINE, "directory": "/p" }));
    scene.snapshot(&[], &[]);
    let mut before = scene.answer("msg_0", Some("stop"));
    before["info"]["providerID"] = "local".into();
    before["info"]["modelID"] = "test".into();
    scene.ok("session.messages", json!([before]));
    scene.ok("session.messages", json!([before]));
    scene.ok("config.providers", json!({}));
    scene.wait(200);
    scene.ok("session.messages", json!([before, request("msg_1")]));
    let summary = failed(message("msg_2", "assistant", Some("msg_1")));
    let mut tries = 0;
    while scene.outcome.is_none() && scene.now < 20_000 {
        if scene.snapshots > 0 {
            scene.snapshot(&[], &[]);
        }
        if scene.wants("session.messages") {
            scene.ok("session.messages", json!([before, request("msg_1"), summary]));
        }
        if scene.wants("session.delete_message") {
            tries += 1;
            match tries {
                1 => scene.fails("session.delete_message", broken()),
                2 => scene.fails("session.delete_message", status(409, ErrorKind::Conflict)),
                _ => scene.ok("session.delete_message", json!(true)),
            };
        }
        scene.wait(100);
    }
    let error = scene.error().expect("it failed");
    assert_eq!((error.kind(), tries), (ErrorKind::Agent, 3), "{error}");
}
