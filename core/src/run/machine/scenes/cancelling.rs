//! Scenes of cancels that the server does not settle at once.

use super::*;

/// A run that is being cancelled, whose abort was answered and whose session is idle.
fn cancelled(tool: Option<&str>) -> Scene {
    let mut scene = Scene::running(setup());
    let info = json!({ "id": "ses_child", "parentID": MINE });
    scene.event("session.created", json!({ "sessionID": "ses_child", "info": info }));
    scene.input(Input::Cancel);
    look(&mut scene, &[MINE], tool);
    scene.ok("session.abort", json!(true));
    scene
}

/// One look: which sessions are busy, and the newest answer with the words of its tool.
fn look(scene: &mut Scene, busy: &[&str], tool: Option<&str>) {
    while scene.snapshots == 0 {
        scene.wait(50);
        // What the reply still needs.
        while let Some(at) = scene
            .asked
            .iter()
            .position(|(kind, _, _)| matches!(kind, RequestKind::Child(_) | RequestKind::Diff))
        {
            let operation = scene.asked[at].1;
            scene.asked.swap(0, at);
            scene.ok(operation, json!([]));
        }
        if scene.outcome.is_some() {
            return;
        }
        assert!(scene.now < 60_000, "{}", scene.machine.why());
    }
    scene.snapshot(busy, &[]);
    let mut answer = scene.answer("msg_a", None);
    if let Some(words) = tool {
        answer["info"]["time"]["completed"] = 2.into();
        answer["info"]["error"] =
            json!({ "name": "MessageAbortedError", "data": { "message": "Aborted" } });
        answer["parts"] = json!([{
            "id": "prt_t", "messageID": "msg_a", "type": "tool", "tool": "bash", "callID": "c",
            "state": { "status": "error", "error": words, "input": {}, "time": { "start": 1, "end": 2 } },
        }]);
    }
    let user = scene.user();
    if scene.wants("session.messages") {
        scene.ok("session.messages", json!([user, answer]));
    }
}

#[test]
fn a_command_that_ignores_the_abort_is_waited_for_until_it_is_killed() {
    for (words, at_least, at_most) in
        [("Tool execution aborted", 3_000, 4_500), ("the user rejected it", 0, 1_500)]
    {
        let mut scene = cancelled(Some(words));
        let began = scene.now;
        while scene.outcome.is_none() {
            look(&mut scene, &[], Some(words));
            if at_least > 0 && (1_000..2_500).contains(&(scene.now - began)) {
                assert!(scene.machine.why().contains("not settled"), "{}", scene.machine.why());
            }
        }
        assert_eq!(scene.error().unwrap().kind(), ErrorKind::Cancelled);
        let took = scene.now - began;
        assert!((at_least..=at_most).contains(&took), "{words}: {took}");
    }
}

#[test]
fn subagents_that_go_on_are_aborted_before_the_run_is_over() {
    let mut scene = cancelled(Some("something else"));
    for _ in 0..8 {
        look(&mut scene, &["ses_child"], Some("something else"));
    }
    assert!(scene.outcome.is_none(), "its subagent works");
    assert!(scene.machine.why().contains("subagent"), "{}", scene.machine.why());
    let asked = scene.ok("session.abort", json!(true));
    assert_eq!(asked["sessionID"], "ses_child");
    while scene.outcome.is_none() {
        look(&mut scene, &[], Some("something else"));
    }
    assert_eq!(scene.error().unwrap().kind(), ErrorKind::Cancelled);
}

#[test]
fn a_command_that_waited_for_a_permission_is_not_waited_for() {
    let words = "Tool execution aborted";
    let mut scene = Scene::running(ask());
    let answer = scene.answer("msg_a", None);
    scene.event("message.updated", json!({ "info": answer["info"] }));
    scene.event("permission.asked", permission("per_1", MINE, "msg_a"));
    scene.input(Input::Cancel);
    look(&mut scene, &[MINE], Some(words));
    scene.ok("session.abort", json!(true));
    scene.ok("permission.reply", json!(true));
    let began = scene.now;
    while scene.outcome.is_none() {
        look(&mut scene, &[], Some(words));
    }
    assert!(scene.now - began < 1_500, "{}", scene.now - began);
    assert_eq!(scene.error().unwrap().kind(), ErrorKind::Cancelled);
}

#[test]
fn what_was_asked_for_is_rejected_once_the_abort_was_answered() {
    let asked = |scene: &Scene| scene.wants("permission.reply");
    for comes_late in [false, true] {
        let mut scene = Scene::running(ask());
        let answer = scene.answer("msg_a", None);
        scene.event("message.updated", json!({ "info": answer["info"] }));
        let request = permission("per_1", MINE, "msg_a");
        if !comes_late {
            scene.event("permission.asked", request.clone());
        }
        scene.input(Input::Cancel);
        look(&mut scene, &[MINE], None);
        assert!(!asked(&scene), "a subagent's rejection would let the agent go on");
        scene.ok("session.abort", json!(true));
        if comes_late {
            assert!(!asked(&scene));
            scene.event("permission.asked", request);
        }
        let words = "Tool execution aborted";
        for _ in 0..30 {
            look(&mut scene, &[], Some(words));
        }
        assert!(scene.outcome.is_none(), "it is not rejected yet");
        assert!(scene.machine.why().contains("not settled"), "{}", scene.machine.why());
        let arguments = scene.ok("permission.reply", json!(true));
        assert_eq!(
            (&arguments["requestID"], &arguments["reply"]),
            (&"per_1".into(), &"reject".into())
        );
        while scene.outcome.is_none() {
            look(&mut scene, &[], Some(words));
        }
        assert_eq!(scene.error().unwrap().message(), "the run was cancelled");
        assert_eq!(decision(&scene), ("reject", "policy"));
    }
}

#[test]
fn a_cancel_of_a_prompt_that_nobody_confirmed_says_that_it_may_come_late() {
    let mut scene = Scene::sending(setup());
    scene.input(Input::Cancel);
    scene.fails("session.prompt_async", broken());
    while scene.outcome.is_none() {
        if scene.wants("session.message") {
            scene.fails("session.message", status(404, ErrorKind::NotFound));
        }
        scene.wait(100);
    }
    let error = scene.error().unwrap();
    assert_eq!((error.kind(), error.is_sent()), (ErrorKind::Cancelled, true));
    assert!(error.message().contains("not settled"), "{error}");
    // A gateway that says nothing at all.
    let mut scene = Scene::sending(setup());
    scene.input(Input::Cancel);
    scene.wait(SETTLE_LIMIT);
    let error = scene.error().unwrap();
    assert!(error.message().contains("may deliver it later") && error.is_sent(), "{error}");
}

#[test]
fn a_cancel_that_did_not_reach_the_server_says_so() {
    let mut scene = Scene::running(setup());
    scene.input(Input::Cancel);
    while scene.outcome.is_none() {
        if scene.snapshots > 0 {
            scene.snapshots = 0;
            scene.input(Input::SnapshotFailed(&broken()));
        }
        scene.wait(100);
    }
    let error = scene.error().unwrap();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert!(error.message().contains("did not confirm"), "{error}");
}
