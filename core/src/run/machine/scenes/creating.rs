//! Scenes of a session that takes long to be made.

use super::*;

/// A run that waits for its new session.
fn opening(change: impl FnOnce(&mut Setup)) -> Scene {
    let mut setup = setup();
    setup.prompt.session = None;
    change(&mut setup);
    Scene::new(setup)
}

fn lost() -> Error {
    Error::new(ErrorKind::Connection, "the connection broke").with_sent(true)
}

/// Waits so many times five seconds, in which the server says that it is alive.
fn wait_for(scene: &mut Scene, looks: u32) {
    for _ in 0..looks {
        scene.wait(5_000);
        scene.ok("global.health", json!({ "healthy": true }));
    }
}

#[test]
fn a_session_that_takes_minutes_is_asked_for_once_and_used() {
    let mut scene = opening(|_| {});
    scene.input(Input::Stream(true));
    wait_for(&mut scene, 60);
    assert!(scene.machine.why().contains("for 300 s"), "{}", scene.machine.why());
    let asked = scene.asked.iter().filter(|(_, name, _)| *name == "session.create").count();
    assert_eq!(asked, 1);
    scene.ok("session.create", json!({ "id": MINE, "directory": "/p" }));
    assert!(scene.wants("session.prompt_async"), "{}", scene.machine.why());
    scene.wait(5_000);
    assert!(!scene.wants("global.health"));
}

#[test]
fn a_server_that_dies_meanwhile_is_told() {
    let mut scene = opening(|_| {});
    wait_for(&mut scene, 4);
    let silent = || Error::new(ErrorKind::Timeout, "nothing came").with_sent(true);
    while scene.outcome.is_none() {
        assert!(scene.now < 60_000, "{}", scene.machine.why());
        scene.wait(5_000);
        if scene.outcome.is_none() && scene.wants("global.health") {
            scene.wait(15_000);
            if scene.outcome.is_none() {
                scene.fails("global.health", silent());
            }
        }
    }
    assert_eq!(scene.error().unwrap().kind(), ErrorKind::Timeout);
}

#[test]
fn the_limits_of_the_run_hold() {
    for (limit, end) in [(Some(20_000), 20_000), (None, 600_000)] {
        let mut scene = opening(|setup| {
            let limit = limit.map(std::time::Duration::from_millis);
            setup.prompt.limits.start_timeout = limit;
        });
        while scene.outcome.is_none() {
            assert!(scene.now < end, "{}", scene.machine.why());
            scene.wait(5_000);
            if scene.wants("global.health") {
                scene.ok("global.health", json!({}));
            }
        }
        assert_eq!(scene.error().unwrap().kind(), ErrorKind::NeverStarted);
    }
    let mut scene = opening(|_| {});
    wait_for(&mut scene, 3);
    scene.input(Input::Cancel);
    assert_eq!(scene.error().unwrap().kind(), ErrorKind::Cancelled);
}

#[test]
fn a_session_whose_creation_was_cut_is_looked_for_as_long_as_it_took() {
    for comes in [true, false] {
        let mut scene = opening(|_| {});
        wait_for(&mut scene, 12);
        let (kind, arguments) = scene.take("session.create");
        scene.input(Input::Answer(kind, Err(lost())));
        while scene.now < 119_000 {
            scene.wait(1_000);
            assert!(!scene.wants("session.create"), "the server may be at it");
            if scene.wants("session.list") {
                scene.ok("session.list", json!([]));
            }
        }
        assert!(scene.machine.why().contains("not confirmed"), "{}", scene.machine.why());
        while !scene.wants("session.list") {
            scene.wait(1_000);
        }
        if comes {
            let mark = &arguments["metadata"];
            let made = json!({ "id": MINE, "directory": "/p", "metadata": mark });
            scene.ok("session.list", json!([made]));
            assert_eq!(scene.machine.session(), Some(MINE));
        } else {
            scene.wait(2_000);
            scene.ok("session.list", json!([]));
            assert!(scene.wants("session.create"), "{}", scene.machine.why());
        }
    }
}

#[test]
fn an_error_for_the_first_request_of_a_directory_is_looked_at_once_more() {
    let broken = || Error::new(ErrorKind::Server, "500").with_status(500).with_sent(true);
    let mut scene = opening(|_| {});
    scene.input(Input::Stream(true));
    scene.fails("session.create", broken());
    assert!(scene.outcome.is_none());
    scene.wait(500);
    // Nothing was made by it.
    scene.ok("session.list", json!([]));
    scene.ok("session.create", json!({ "id": MINE, "directory": "/p" }));
    assert!(scene.wants("session.prompt_async"), "{}", scene.machine.why());
    let mut scene = Scene::new(setup());
    scene.fails("session.get", broken());
    scene.wait(500);
    scene.fails("session.get", broken());
    assert_eq!(scene.error().unwrap().status(), Some(500), "once");
}

#[test]
fn a_session_that_the_server_would_work_for_elsewhere_is_not_prompted() {
    let mut scene = Scene::new(setup());
    scene.input(Input::Stream(true));
    scene.ok("session.get", json!({ "id": MINE, "directory": "/p/r%20s" }));
    let error = scene.error().unwrap();
    assert_eq!((error.kind(), error.is_sent()), (ErrorKind::InvalidArgument, false), "{error}");
    assert!(error.message().contains("'/p/r s'"), "{error}");
    // What goes on there is picked up all the same.
    let mut scene = Scene::new(Setup { aim: Aim::Resume("msg_far".to_owned()), ..setup() });
    scene.ok("session.get", json!({ "id": MINE, "directory": "/p/r%20s" }));
    assert!(scene.wants("session.message"), "{:?}", scene.outcome);
}

#[test]
fn a_session_with_an_empty_id_cannot_be_read() {
    let mut scene = Scene::new(Setup { prompt: Prompt::new("hi"), ..setup() });
    scene.input(Input::Stream(true));
    scene.ok("session.create", json!({ "id": "", "directory": "/p" }));
    assert_eq!(scene.error().unwrap().kind(), ErrorKind::Decode, "{:?}", scene.error());
}
