//! Scenes of the way to the server: the turn in a session, the session itself, the send.

use super::*;

/// A run in a session that is given, behind another one of the same client.
fn queued(setup: Setup) -> Scene {
    let mut scene = Scene::begin(setup, true);
    scene.input(Input::Stream(true));
    scene
}

#[test]
fn the_turn_in_a_session_that_is_given_is_taken_before_any_answer() {
    let mut scene = queued(setup());
    assert_eq!(scene.turns, 1, "the order of the answers would be the order of the prompts");
    scene.ok("session.get", json!({ "id": MINE, "directory": "/p" }));
    assert_eq!((scene.turns, scene.snapshots), (1, 0), "{}", scene.machine.why());
    assert!(scene.machine.why().contains("its turn"), "{}", scene.machine.why());
    scene.input(Input::Turn);
    scene.snapshot(&[], &[]);
    scene.ok("session.messages", json!([]));
    scene.ok("session.prompt_async", Value::Null);
    assert!(scene.machine.is_sent());
}

#[test]
fn a_turn_that_comes_before_the_session_is_known_is_kept() {
    let mut scene = queued(setup());
    scene.input(Input::Turn);
    assert_eq!(scene.snapshots, 0);
    scene.ok("session.get", json!({ "id": MINE, "directory": "/p" }));
    scene.snapshot(&[], &[]);
    scene.ok("session.messages", json!([]));
    assert!(scene.wants("session.prompt_async"));
}

#[test]
fn the_message_id_is_chosen_when_the_prompt_is_sent_and_then_kept() {
    let mut scene = queued(setup());
    scene.ok("session.get", json!({ "id": MINE, "directory": "/p" }));
    assert_eq!(scene.machine.message_id(), "");
    // The answer to the prompt before gets its id while this one waits.
    let before = crate::protocol::id::new("msg");
    scene.input(Input::Turn);
    scene.snapshot(&[MINE], &[]);
    // What the newest message was then says nothing.
    scene.ok("session.messages", json!([]));
    assert_eq!(scene.machine.message_id(), "", "somebody else's prompt is waited for");
    scene.wait(1_000);
    scene.snapshot(&[], &[]);
    scene.ok("session.messages", json!([]));
    let mine = scene.machine.message_id().to_owned();
    assert!(mine > before, "{mine} {before}");
    // The answer to the send is lost, and so was the prompt.
    assert_eq!(scene.fails("session.prompt_async", broken())["messageID"], *mine);
    while !scene.wants("session.prompt_async") {
        scene.fails("session.message", status(404, ErrorKind::NotFound));
        scene.wait(1_000);
    }
    assert_eq!(scene.ok("session.prompt_async", Value::Null)["messageID"], *mine);
    assert_eq!(scene.machine.message_id(), mine);
}

#[test]
fn a_message_id_that_is_given_is_there_from_the_start() {
    let prompt = Prompt { message_id: Some("msg_own".to_owned()), ..setup().prompt };
    let mut scene = Scene::sending(Setup { prompt, ..setup() });
    assert_eq!(scene.machine.message_id(), "msg_own");
    assert_eq!(scene.ok("session.prompt_async", Value::Null)["messageID"], "msg_own");
}

#[test]
fn a_message_that_is_given_has_the_same_parts_whoever_sends_it() {
    let sent = |message: Option<&str>| {
        let mut prompt = setup().prompt;
        prompt.message_id = message.map(str::to_owned);
        let mut scene = Scene::sending(Setup { prompt, ..setup() });
        if scene.wants("session.message") {
            scene.fails("session.message", status(404, ErrorKind::NotFound));
            scene.wait(1_000);
        }
        scene.ok("session.prompt_async", Value::Null)["parts"][0]["id"].clone()
    };
    assert_eq!(sent(Some("msg_mine")), "prt_mine0000");
    assert_eq!(sent(Some("msg_mine")), sent(Some("msg_mine")));
    assert_ne!(sent(None), sent(None));
}

#[test]
fn the_server_knows_the_tools_before_the_prompt_is_sent() {
    let with_tools = || Setup { has_tools: true, ..setup() };
    let mut scene = Scene::sending(with_tools());
    assert_eq!(scene.placed, [Some("/p".to_owned())]);
    assert!(!scene.wants("session.prompt_async"));
    assert!(scene.machine.why().contains("to learn the tools"), "{}", scene.machine.why());
    scene.input(Input::Answer(RequestKind::Tools, Err(broken())));
    while scene.placed.len() < 2 {
        assert!(scene.now < 60_000 && scene.outcome.is_none());
        scene.wait(500);
    }
    scene.input(Input::Answer(RequestKind::Tools, Ok(Response::Done)));
    scene.ok("session.prompt_async", Value::Null);
    assert!(scene.machine.is_sent());

    let mut scene = Scene::sending(with_tools());
    let taken = Error::new(ErrorKind::Conflict, "run: the name is taken");
    scene.input(Input::Answer(RequestKind::Tools, Err(taken)));
    assert_eq!(scene.error().map(Error::kind), Some(ErrorKind::Conflict));
    assert!(!scene.wants("session.prompt_async"), "nothing is sent");

    // Who leaves answers no calls, and the prompt waits for none: before, while and after the server is told.
    let mut scene = Scene::new(with_tools());
    scene.input(Input::Leave);
    scene.ok("session.get", json!({ "id": MINE, "directory": "/p" }));
    scene.snapshot(&[], &[]);
    scene.ok("session.messages", json!([]));
    assert!(scene.wants("session.prompt_async") && scene.placed.is_empty());
    let mut scene = Scene::sending(with_tools());
    scene.input(Input::Leave);
    scene.ok("session.prompt_async", Value::Null);
    scene.input(Input::Answer(RequestKind::Tools, Ok(Response::Done)));
    assert!(scene.machine.is_sent() && !scene.wants("session.prompt_async"));
    let mut scene = Scene::sending(with_tools());
    let closed = Error::new(ErrorKind::Closed, "run: the client is closed; make a new one");
    scene.input(Input::Answer(RequestKind::Tools, Err(closed)));
    assert!(scene.wants("session.prompt_async"));

    let mut scene = Scene::resumed(with_tools());
    assert_eq!(scene.placed.len(), 1, "the agent may be at work already");
    scene.input(Input::Answer(RequestKind::Tools, Ok(Response::Done)));
    assert!(scene.wants("session.message"));
}
