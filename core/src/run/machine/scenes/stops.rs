//! Scenes of servers that stop before there is an answer.

use super::*;

/// An answer that calls a tool, which ended like this.
fn step(scene: &Scene, state: Value) -> Value {
    let mut answer = scene.answer("msg_a", Some("tool-calls"));
    answer["parts"] = json!([
        { "id": "prt_1", "messageID": "msg_a", "type": "text", "text": "let me look" },
        { "id": "prt_2", "messageID": "msg_a", "type": "tool", "tool": "bash", "state": state },
    ]);
    answer
}

fn failed(words: &str) -> Value {
    json!({ "status": "error", "error": words })
}

/// Shows the run an idle session with this newest answer until the run is over, or ten seconds passed.
fn rest(scene: &mut Scene, answer: &Value) {
    rest_for(scene, answer, 10_000);
}

fn rest_for(scene: &mut Scene, answer: &Value, time: Millis) {
    let end = scene.now + time;
    while scene.outcome.is_none() && scene.now < end {
        if scene.snapshots > 0 {
            scene.snapshot(&[], &[]);
        }
        if scene.wants("session.messages") {
            let user = scene.user();
            scene.ok("session.messages", json!([user, answer]));
        }
        for list in ["file.list", "session.diff"] {
            if scene.wants(list) {
                scene.ok(list, json!([]));
            }
        }
        scene.wait(100);
    }
}

#[test]
fn a_server_that_was_killed_between_two_steps_gave_no_answer() {
    let feedback = "The user rejected permission to use this specific tool call with the following feedback: no";
    for events in [true, false] {
        for state in [
            json!({ "status": "completed", "output": "" }),
            failed("File not found: x"),
            failed(feedback),
        ] {
            let mut scene = Scene::running(Setup { events, ..setup() });
            let answer = step(&scene, state);
            scene.event("session.idle", json!({}));
            rest(&mut scene, &answer);
            let error = scene.error().expect("no answer was ever made");
            assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
            assert!(error.is_retryable() && error.is_sent());
        }
    }
}

#[test]
fn a_step_that_a_person_refused_and_a_value_are_ends() {
    for words in [
        "The user rejected permission to use this specific tool call.",
        "The user dismissed this question",
    ] {
        let mut scene = Scene::running(setup());
        let answer = step(&scene, failed(words));
        scene.event("session.idle", json!({}));
        rest(&mut scene, &answer);
        assert!(scene.error().is_none(), "{words}: {:?}", scene.error());
    }
    let mut scene = Scene::running(setup());
    let mut answer = step(&scene, json!({ "status": "completed" }));
    answer["info"]["structured"] = json!({ "n": 1 });
    scene.event("session.idle", json!({}));
    rest(&mut scene, &answer);
    assert!(scene.error().is_none());
}

#[test]
fn a_step_that_the_host_refused_in_a_server_of_other_words_is_an_end() {
    let mut scene = asking();
    scene.input(host(PermissionReply::Reject));
    scene.ok("permission.reply", json!(true));
    let answer = step(&scene, failed("verboten"));
    scene.event("session.idle", json!({}));
    rest(&mut scene, &answer);
    assert!(scene.error().is_none(), "{:?}", scene.error());
}

#[test]
fn what_the_server_says_after_the_end_is_the_reason() {
    let mut scene = Scene::running(setup());
    let answer = scene.answer("msg_a", None);
    scene.event("message.updated", json!({ "info": answer["info"] }));
    scene.event("session.idle", json!({}));
    scene.snapshot(&[], &[]);
    let user = scene.user();
    scene.ok("session.messages", json!([user, answer]));
    scene.wait(1_500);
    assert!(scene.outcome.is_none(), "the reason may come late");
    let words = "PlatformError: NotFound: FileSystem.realPath (/p)\n    at hw (/x.js:71)";
    let error = json!({ "error": { "name": "UnknownError", "data": { "message": words } } });
    scene.event("session.error", error);
    rest(&mut scene, &answer);
    let error = scene.error().unwrap();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let text = "run: UnknownError: PlatformError: NotFound: FileSystem.realPath (/p); the session's directory /p is gone";
    assert_eq!(error.message(), text);
}

#[test]
fn an_error_of_an_earlier_step_is_not_why_the_server_stopped() {
    let mut scene = Scene::running(setup());
    let answer = scene.answer("msg_a", None);
    scene.event("message.updated", json!({ "info": answer["info"] }));
    let error = json!({ "error": { "name": "ContextOverflowError", "data": { "message": "x" } } });
    scene.event("session.error", error);
    if scene.snapshots > 0 {
        scene.snapshot(&[MINE], &[]);
    }
    scene.wait(60_000);
    scene.input(Input::Stream(false));
    rest(&mut scene, &answer);
    assert_eq!(scene.error().unwrap().kind(), ErrorKind::Interrupted);
}

#[test]
fn a_directory_that_is_gone_is_told_without_events() {
    let unknown = Some("UnknownError");
    for (status_of_it, code, kind) in [
        (500, unknown, ErrorKind::NotFound),
        (500, Some("directory"), ErrorKind::NotFound),
        // What stands before the server, or in its place, has no such words.
        (500, None, ErrorKind::Interrupted),
        (404, None, ErrorKind::Interrupted),
        (404, Some("NotFoundError"), ErrorKind::Interrupted),
        (502, None, ErrorKind::Interrupted),
    ] {
        let mut scene = Scene::running(Setup { events: false, ..setup() });
        let answer = scene.answer("msg_a", None);
        while !scene.wants("file.list") {
            scene.wait(100);
            if scene.snapshots > 0 {
                scene.snapshot(&[], &[]);
                let user = scene.user();
                scene.ok("session.messages", json!([user, answer]));
            }
            assert!(scene.now < 20_000 && scene.outcome.is_none());
        }
        let error = status(status_of_it, ErrorKind::Server).with_code(code.map(str::to_owned));
        let arguments = scene.fails("file.list", error);
        assert_eq!(arguments["directory"], "/p");
        rest(&mut scene, &answer);
        assert_eq!(scene.error().unwrap().kind(), kind);
    }
}

#[test]
fn an_instance_that_somebody_disposed_is_no_cancel_of_the_host() {
    let mut scene = Scene::running(setup());
    let mut answer = scene.answer("msg_a", None);
    answer["info"]["time"]["completed"] = 2.into();
    answer["info"]["error"] =
        json!({ "name": "MessageAbortedError", "data": { "message": "Aborted" } });
    scene.event("message.updated", json!({ "info": answer["info"] }));
    scene.event("session.idle", json!({}));
    scene.snapshot(&[], &[]);
    let user = scene.user();
    scene.ok("session.messages", json!([user, answer]));
    let disposed = json!({
        "id": "", "type": "server.instance.disposed", "properties": { "directory": "/p" },
    });
    let event = Event::read(disposed.to_string().as_bytes()).unwrap().unwrap();
    scene.hear(&event);
    rest(&mut scene, &answer);
    let error = scene.error().unwrap();
    assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
    assert!(error.message().contains("/p") && error.is_retryable(), "{error}");
}

#[test]
fn a_directory_that_was_left_in_between_is_told_by_its_age() {
    let project =
        |begun: Value| json!({ "id": "global", "time": { "created": 1, "updated": begun } });
    for (project, kind) in [
        (Some(project(6.into())), ErrorKind::Interrupted),
        // The directory was there all the time: somebody aborted the prompt.
        (Some(project(4.into())), ErrorKind::Cancelled),
        (Some(project("6".into())), ErrorKind::Cancelled),
        (Some(json!([])), ErrorKind::Cancelled),
        (None, ErrorKind::Cancelled),
    ] {
        for events in [true, false] {
            let mut scene = Scene::running(Setup { events, ..setup() });
            let mut answer = scene.answer("msg_a", None);
            answer["info"]["time"] = json!({ "created": 5, "completed": 7 });
            answer["info"]["error"] =
                json!({ "name": "MessageAbortedError", "data": { "message": "Aborted" } });
            scene.event("session.idle", json!({}));
            while !scene.wants("project.current") {
                assert!(scene.outcome.is_none() && scene.now < 20_000, "{:?}", scene.error());
                rest_for(&mut scene, &answer, 100);
            }
            match &project {
                Some(project) => scene.ok("project.current", project.clone()),
                None => scene.fails("project.current", status(500, ErrorKind::Server)),
            };
            rest(&mut scene, &answer);
            let error = scene.error().unwrap();
            assert_eq!((error.kind(), error.code()), (kind, Some("MessageAbortedError")));
        }
    }
}

#[test]
fn a_server_that_stops_before_it_has_begun_an_answer_was_interrupted() {
    for events in [true, false] {
        let mut scene = Scene::sending(Setup { events, ..setup() });
        scene.ok("session.prompt_async", Value::Null);
        let user = scene.user();
        let mut busy = vec![MINE];
        while scene.outcome.is_none() {
            assert!(scene.now < 20_000, "{}", scene.machine.why());
            scene.wait(500);
            if scene.snapshots > 0 {
                scene.snapshot(&std::mem::take(&mut busy), &[]);
                scene.input(Input::Stream(false));
            }
            if scene.wants("session.messages") {
                scene.ok("session.messages", json!([user]));
            }
            if scene.wants("file.list") {
                scene.ok("file.list", json!([]));
            }
        }
        let error = scene.error().unwrap();
        assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
        assert!(error.is_retryable(), "{error}");
    }
}

/// Shows the run a server that ended right after it took the prompt and is back; `is_kept`: it still has the prompt.
/// Gives the time of the second sending.
fn back_again(scene: &mut Scene, is_kept: bool) -> Option<Millis> {
    scene.ok("session.prompt_async", Value::Null);
    scene.input(Input::Stream(false));
    let user = scene.user();
    while scene.outcome.is_none() && !scene.wants("session.prompt_async") {
        assert!(scene.now < 20_000, "{}", scene.machine.why());
        scene.wait(100);
        if scene.snapshots > 0 {
            scene.snapshot(&[], &[]);
        }
        if scene.wants("session.messages") {
            let stored = if is_kept { vec![user.clone()] } else { Vec::new() };
            scene.ok("session.messages", json!(stored));
        }
        if scene.wants("session.message") && is_kept {
            scene.ok("session.message", user.clone());
        } else if scene.wants("session.message") {
            scene.fails("session.message", status(404, ErrorKind::NotFound));
        }
        if scene.wants("file.list") {
            scene.ok("file.list", json!([]));
        }
    }
    scene.wants("session.prompt_async").then_some(scene.now)
}

#[test]
fn a_prompt_that_went_down_with_its_server_is_sent_again() {
    for events in [true, false] {
        let mut scene = Scene::sending(Setup { events, ..setup() });
        assert!(back_again(&mut scene, false).is_some(), "{:?}", scene.error());
        // It is nobody's fault if the second server does not begin.
        scene.ok("session.prompt_async", Value::Null);
        scene.input(Input::Stream(true));
        let answer = scene.answer("msg_a", Some("stop"));
        scene.event("session.idle", json!({}));
        rest(&mut scene, &answer);
        assert!(scene.error().is_none(), "{:?}", scene.error());
    }
}

#[test]
fn a_prompt_that_its_server_forgot_to_begin_was_interrupted() {
    for events in [true, false] {
        let mut scene = Scene::sending(Setup { events, ..setup() });
        assert_eq!(back_again(&mut scene, true), None);
        let error = scene.error().unwrap();
        assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
        assert!(error.is_sent() && error.is_retryable());
        assert!(scene.now < 10_000, "{}", scene.now);
    }
}

#[test]
fn what_the_server_took_was_sent_however_the_run_ends() {
    let mut scene = Scene::running(setup());
    scene.input(Input::Cancel);
    for _ in 0..100 {
        if scene.snapshots > 0 {
            scene.snapshot(&[], &[]);
        }
        if scene.wants("session.messages") {
            let user = scene.user();
            scene.ok("session.messages", json!([user]));
        }
        scene.wait(100);
    }
    let error = scene.error().unwrap();
    assert_eq!((error.kind(), error.is_sent()), (ErrorKind::Cancelled, true));
}
