//! Scenes of servers that are away, slow, or answer otherwise than they should.

use super::*;

fn refused() -> Error {
    Error::new(ErrorKind::Connection, "no server listens").with_retryable(true)
}

fn fail_looks(scene: &mut Scene, error: &Error, time: Millis) {
    let end = scene.now + time;
    while scene.now < end && scene.outcome.is_none() {
        if scene.snapshots > 0 {
            scene.snapshots = 0;
            scene.input(Input::SnapshotFailed(error));
        }
        scene.wait(100);
    }
}

#[test]
fn an_event_stream_that_lives_means_that_the_server_is_there() {
    let mut scene = Scene::running(setup());
    scene.input(Input::Stream(false));
    fail_looks(&mut scene, &refused(), 10_000);
    scene.input(Input::Stream(true));
    // A heartbeat every ten seconds, and no look that is answered.
    for _ in 0..3 {
        scene.machine.hear(scene.now);
        fail_looks(&mut scene, &refused(), 10_000);
        assert!(scene.outcome.is_none(), "{:?}", scene.error());
    }
    scene.machine.hear(scene.now);
    if scene.snapshots == 0 {
        scene.wait(2_000);
    }
    finish(&mut scene);
    assert!(scene.error().is_none());
}

#[test]
fn a_slow_server_that_listens_again_is_waited_for() {
    let mut scene = Scene::running(setup());
    scene.input(Input::Stream(false));
    fail_looks(&mut scene, &refused(), 10_000);
    scene.wait(2_000);
    assert!(scene.snapshots > 0, "a look is under way");
    scene.input(Input::Listens);
    scene.wait(12_000);
    assert!(scene.outcome.is_none(), "{:?}", scene.error());
    scene.snapshot(&[], &[]);
    let (user, answer) = (scene.user(), scene.answer("msg_a", Some("stop")));
    scene.ok("session.messages", json!([user, answer]));
    assert!(scene.error().is_none());
}

#[test]
fn messages_that_are_never_readable_end_the_run_with_the_servers_words() {
    let mut scene = Scene::running(setup());
    scene.event("session.idle", json!({}));
    while scene.outcome.is_none() {
        assert!(scene.now < 60_000, "{}", scene.machine.why());
        if scene.snapshots > 0 {
            scene.snapshot(&[], &[]);
        }
        if scene.wants("session.messages") {
            scene.fails("session.messages", status(500, ErrorKind::Server));
            assert!(scene.outcome.is_some() || scene.machine.why().contains("cannot say"));
        }
        scene.wait(100);
    }
    let error = scene.error().unwrap();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Server, Some(500)));
    assert!(!error.message().contains("out of reach"), "{error}");
}

/// A look whose lists were answered with an error.
fn without_lists(scene: &mut Scene, busy: &[&str]) {
    assert!(scene.snapshots > 0, "nobody looked; {}", scene.machine.why());
    scene.snapshots = 0;
    let refused = Some(status(404, ErrorKind::NotFound));
    let mut snapshot =
        DirectorySnapshot { started: scene.now, refused, ..DirectorySnapshot::default() };
    for session in busy {
        snapshot.status.insert((*session).to_owned(), Status::Busy);
    }
    scene.input(Input::Snapshot(&snapshot));
}

#[test]
fn lists_that_cannot_be_read_hold_nothing_up() {
    let mut scene = Scene::new(setup());
    scene.input(Input::Stream(true));
    scene.ok("session.get", json!({ "id": MINE, "directory": "/p" }));
    without_lists(&mut scene, &[]);
    scene.ok("session.messages", json!([]));
    scene.ok("session.prompt_async", Value::Null);
    let answer = scene.answer("msg_a", None);
    scene.event("session.status", json!({ "status": { "type": "busy" } }));
    scene.event("message.updated", json!({ "info": answer["info"] }));
    // What events tell is answered.
    scene.event("permission.asked", permission("per_1", MINE, "msg_a"));
    scene.ok("permission.reply", json!(true));
    scene.wait(10_000);
    without_lists(&mut scene, &[MINE]);
    assert!(scene.machine.why().contains("only events tell"), "{}", scene.machine.why());
    if scene.wants("session.messages") {
        let user = scene.user();
        scene.ok("session.messages", json!([user, answer]));
    }
    scene.wait(20_000);
    assert!(scene.outcome.is_none(), "{:?}", scene.error());
    without_lists(&mut scene, &[]);
    let (user, answer) = (scene.user(), scene.answer("msg_a", Some("stop")));
    scene.ok("session.messages", json!([user, answer]));
    assert!(scene.error().is_none());
    assert_eq!(decision(&scene), ("reject", "policy"));
}

#[test]
fn what_is_not_listed_is_not_taken_for_gone() {
    let mut scene = asking();
    scene.wait(10_000);
    without_lists(&mut scene, &[MINE]);
    assert!(scene.machine.waits_for_host(), "{}", scene.machine.why());
}

#[test]
fn a_server_that_keeps_its_connections_and_says_nothing_is_given_up_in_the_time_that_was_set() {
    for (time, at_most) in [(8_000, 10_500), (100, 7_500)] {
        let mut setup = setup();
        setup.prompt.limits.server_timeout = Some(std::time::Duration::from_millis(time));
        let mut scene = Scene::running(setup);
        let frozen = scene.now;
        scene.machine.hear(frozen);
        while scene.outcome.is_none() {
            assert!(scene.now < 60_000, "{}", scene.machine.why());
            scene.wait(100);
        }
        let took = scene.now - frozen;
        assert!((time.max(SILENCE)..=at_most).contains(&took), "{took}");
        let error = scene.error().unwrap();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.is_sent() && error.message().contains("out of reach"), "{error}");
    }
    // One that says anything is there.
    let mut setup = setup();
    setup.prompt.limits.server_timeout = Some(std::time::Duration::from_secs(6));
    let mut scene = Scene::running(setup);
    for _ in 0..10 {
        scene.wait(4_000);
        scene.machine.hear(scene.now);
        assert!(scene.outcome.is_none(), "{:?}", scene.error());
    }
}
