//! Scenes in which something else answers in the server's place, or tells what is not so.

use super::*;

fn missing() -> Error {
    foreign(404, ErrorKind::NotFound)
}

fn question(id: &str) -> Value {
    json!({
        "id": id, "sessionID": MINE, "questions": [{
            "question": "which?", "header": "h", "options": [{ "label": "a", "description": "" }],
        }],
        "tool": { "messageID": "msg_a", "callID": "c" },
    })
}

/// A run that works and asked something.
fn asked(setup: Setup, event: &str, what: Value) -> Scene {
    let mut scene = Scene::running(setup);
    let answer = scene.answer("msg_a", None);
    scene.event("message.updated", json!({ "info": answer["info"] }));
    scene.event(event, what);
    scene
}

#[test]
fn an_answer_to_which_something_else_says_404_is_given_again() {
    let first = Setup { question: QuestionPolicy::First, ..setup() };
    let once = Setup {
        permission: PermissionPolicy::always(Decision::Reply(PermissionReply::Once)),
        ..setup()
    };
    let cases = [
        (
            "permission.respond",
            asked(once, "permission.asked", permission("per_1", MINE, "msg_a")),
            "once",
        ),
        ("question.reply", asked(first, "question.asked", question("que_1")), "answer"),
    ];
    for (operation, mut scene, reply) in cases {
        for error in [missing(), foreign(400, ErrorKind::BadRequest), missing()] {
            scene.fails(operation, error);
            assert!(!scene.wants(operation), "not at once");
            scene.wait(1_000);
        }
        scene.ok(operation, json!(false));
        scene.wait(2_000);
        scene.ok(operation, json!(true));
        finish_looking(&mut scene);
        assert_eq!(decision(&scene), (reply, "policy"));
    }
}

/// The session comes to rest, however often it was looked at before.
fn finish_looking(scene: &mut Scene) {
    while scene.outcome.is_none() {
        if scene.snapshots > 0 {
            scene.snapshot(&[], &[]);
        }
        if scene.wants("session.messages") {
            let (user, answer) = (scene.user(), scene.answer("msg_a", Some("stop")));
            scene.ok("session.messages", json!([user, answer]));
        }
        while let Some((_, operation, _)) = scene.asked.first() {
            scene.ok(operation, json!([]));
        }
        scene.wait(500);
        assert!(scene.now < 60_000, "{}", scene.machine.why());
    }
}

#[test]
fn what_a_later_list_does_not_have_is_answered() {
    let mut scene = asking();
    scene.input(host(PermissionReply::Once));
    let request = permission("per_1", MINE, "msg_a");
    let mut given = 0;
    // It is there for a while, and then it is not.
    while scene.wants("permission.respond") || scene.now < 20_000 {
        if scene.wants("permission.respond") {
            scene.fails("permission.respond", missing());
            given += 1;
        }
        if scene.snapshots > 0 {
            let listed = if given < 6 { vec![request.clone()] } else { Vec::new() };
            scene.snapshot(&[MINE], &listed);
        }
        if scene.wants("session.messages") {
            let (user, answer) = (scene.user(), scene.answer("msg_a", None));
            scene.ok("session.messages", json!([user, answer]));
        }
        scene.wait(100);
        assert!(scene.now < 40_000, "it is answered for ever");
    }
    assert!(given >= 6, "{given}");
    assert!(!scene.machine.waits_for_host());
    finish_looking(&mut scene);
    assert_eq!(decision(&scene), ("once", "host"));
}

#[test]
fn an_answer_that_is_refused_for_ever_ends_the_run() {
    let once = Setup {
        permission: PermissionPolicy::always(Decision::Reply(PermissionReply::Once)),
        ..setup()
    };
    let request = permission("per_1", MINE, "msg_a");
    for error in [missing(), foreign(403, ErrorKind::Forbidden), status(500, ErrorKind::Server)] {
        let mut scene = asked(once.clone(), "permission.asked", request.clone());
        let (mut was_aborted, mut why) = (false, String::new());
        while scene.outcome.is_none() {
            if scene.wants("permission.respond") {
                scene.fails("permission.respond", error.clone());
                let now = scene.machine.why();
                why = if now.starts_with("ending") { why } else { now.to_owned() };
            }
            if scene.snapshots > 0 {
                let working: &[&str] = if was_aborted { &[] } else { &[MINE] };
                scene.snapshot(working, std::slice::from_ref(&request));
            }
            if scene.wants("session.messages") {
                let (user, answer) = (scene.user(), scene.answer("msg_a", None));
                scene.ok("session.messages", json!([user, answer]));
            }
            if scene.wants("session.abort") {
                was_aborted = true;
                scene.ok("session.abort", json!(true));
            }
            scene.wait(100);
            assert!(scene.now < 40_000, "{}", scene.machine.why());
        }
        let failed = scene.error().unwrap();
        assert!(was_aborted && failed.kind() == error.kind(), "{failed}");
        assert!(
            failed.message().contains("the answer to permission per_1 was refused"),
            "{failed}"
        );
        assert!(scene.now >= 15_000, "{}", scene.now);
        assert!(why.contains("the answer to permission per_1 again"), "{why}");
    }
}

#[test]
fn what_is_open_at_the_end_is_rejected_whatever_something_else_says() {
    let mut scene = asking();
    scene.input(Input::Cancel);
    scene.snapshot(&[MINE], &[]);
    let (user, answer) = (scene.user(), scene.answer("msg_a", None));
    scene.ok("session.messages", json!([user, answer]));
    scene.ok("session.abort", json!(true));
    for pause in [200, 400, 800, 1_600] {
        assert_eq!(scene.fails("permission.reply", missing())["reply"], "reject");
        scene.wait(pause);
    }
    // A server may know only the other way.
    assert_eq!(scene.ok("permission.respond", json!(true))["response"], "reject");
}

#[test]
fn an_abort_to_which_something_else_says_404_is_sent_again() {
    let mut scene = Scene::running(setup());
    scene.input(Input::Cancel);
    let mut aborts = 0;
    while scene.outcome.is_none() {
        if scene.snapshots > 0 {
            let is_working = aborts < 3;
            scene.snapshot(if is_working { &[MINE] } else { &[] }, &[]);
        }
        if scene.wants("session.messages") {
            let (user, answer) = (scene.user(), scene.answer("msg_a", None));
            scene.ok("session.messages", json!([user, answer]));
        }
        if scene.wants("session.abort") {
            aborts += 1;
            match aborts {
                1 | 2 => scene.fails("session.abort", missing()),
                _ => scene.ok("session.abort", json!(true)),
            };
        }
        scene.wait(50);
    }
    assert_eq!((aborts, scene.error().unwrap().kind()), (3, ErrorKind::Cancelled));
    assert_eq!(scene.error().unwrap().message(), "the run was cancelled");
}

#[test]
fn a_prompt_that_something_else_refuses_is_looked_for_before_that_is_believed() {
    for error in [missing(), foreign(400, ErrorKind::BadRequest)] {
        let mut scene = Scene::sending(setup());
        scene.fails("session.prompt_async", error.clone());
        assert!(scene.outcome.is_none(), "{:?}", scene.error());
        // Nor is what it says of the message.
        scene.fails("session.message", error);
        scene.wait(1_000);
        let user = scene.user();
        scene.ok("session.message", user);
        assert!(scene.machine.is_sent(), "{}", scene.machine.why());
    }
    // The server's own word is one.
    let mut scene = Scene::sending(setup());
    scene.fails("session.prompt_async", status(404, ErrorKind::NotFound));
    assert_eq!(scene.error().unwrap().status(), Some(404));
}

#[test]
fn a_prompt_that_something_else_keeps_refusing_fails_with_its_words() {
    let mut scene = Scene::sending(setup());
    while scene.outcome.is_none() {
        if scene.wants("session.prompt_async") {
            scene.fails("session.prompt_async", missing());
        }
        if scene.wants("session.message") {
            scene.fails("session.message", status(404, ErrorKind::NotFound));
        }
        scene.wait(100);
    }
    let error = scene.error().unwrap();
    assert_eq!((error.kind(), error.status()), (ErrorKind::NotFound, Some(404)));
    assert!(scene.now < 10_000, "{}", scene.now);
}

/// A look that reads the messages.
fn messages_wanted(scene: &mut Scene) {
    while !scene.wants("session.messages") {
        if scene.snapshots > 0 {
            scene.snapshot(&[MINE], &[]);
        } else {
            scene.wait(100);
        }
        assert!(scene.now < 30_000, "{}", scene.machine.why());
    }
}

#[test]
fn a_404_of_something_else_does_not_delete_a_session() {
    let mut scene = Scene::running(Setup { events: false, ..setup() });
    for error in [missing(), foreign(400, ErrorKind::BadRequest)] {
        messages_wanted(&mut scene);
        scene.fails("session.messages", error);
        assert!(scene.outcome.is_none(), "{:?}", scene.error());
    }
    messages_wanted(&mut scene);
    scene.fails("session.messages", status(404, ErrorKind::NotFound));
    assert!(scene.error().unwrap().message().contains("was deleted"), "{:?}", scene.error());
}

#[test]
fn an_event_that_a_session_was_deleted_is_looked_into() {
    for is_true in [false, true] {
        let mut scene = Scene::running(setup());
        scene.event("session.deleted", json!({ "info": { "id": MINE } }));
        assert!(scene.outcome.is_none(), "{:?}", scene.error());
        scene.snapshot(&[MINE], &[]);
        if is_true {
            scene.fails("session.messages", status(404, ErrorKind::NotFound));
            let error = scene.error().unwrap();
            let text = "run: session ses_1 was deleted while the prompt ran";
            assert_eq!((error.kind(), error.message()), (ErrorKind::NotFound, text));
        } else {
            let (user, answer) = (scene.user(), scene.answer("msg_a", None));
            scene.ok("session.messages", json!([user, answer]));
            finish_looking(&mut scene);
            assert!(scene.error().is_none(), "{:?}", scene.error());
        }
    }
}

#[test]
fn a_run_is_picked_up_whatever_something_else_says_first() {
    let mut scene = Scene::new(Setup { aim: Aim::Resume("msg_far".to_owned()), ..setup() });
    scene.input(Input::Stream(true));
    scene.fails("session.get", missing());
    scene.wait(500);
    scene.ok("session.get", json!({ "id": MINE, "directory": "/p" }));
    scene.fails("session.message", missing());
    scene.wait(500);
    let user = scene.user();
    scene.ok("session.message", user);
    assert!(scene.machine.is_sent(), "{}", scene.machine.why());
    // Of a session that is not there nothing can be picked up.
    let mut scene = Scene::new(Setup { aim: Aim::Resume("msg_far".to_owned()), ..setup() });
    scene.fails("session.get", status(404, ErrorKind::NotFound));
    assert_eq!(scene.error().unwrap().kind(), ErrorKind::NotFound);
}
