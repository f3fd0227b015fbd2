//! Scenes of the look before the send: what is asked, and what side by side.

use super::*;

/// A prompt for a session whose directory is known.
fn known(setup: Setup) -> Scene {
    let mut scene = Scene::placed(setup, Some("/p".to_owned()));
    scene.input(Input::Stream(true));
    scene
}

fn asked(scene: &Scene) -> Vec<&'static str> {
    scene.asked.iter().map(|(_, operation, _)| *operation).collect()
}

#[test]
fn a_session_that_is_known_is_looked_at_by_two_requests_side_by_side() {
    for is_status_first in [true, false] {
        let mut scene = known(setup());
        assert_eq!((asked(&scene), scene.snapshots), (vec!["session.messages"], 1));
        assert_eq!(scene.lists, [Lists::Unread], "a third request, and a fourth");
        if is_status_first {
            scene.snapshot(&[], &[]);
            assert!(!scene.wants("session.prompt_async"), "the newest message is not known");
            scene.ok("session.messages", json!([]));
        } else {
            scene.ok("session.messages", json!([]));
            assert!(!scene.wants("session.prompt_async"), "it may be busy");
            scene.snapshot(&[], &[]);
        }
        assert_eq!((asked(&scene), scene.snapshots), (vec!["session.prompt_async"], 0));
        assert_eq!(scene.machine.directory(), Some(&"/p".to_owned()));
    }
}

#[test]
fn a_session_that_is_not_known_is_asked_for_beside_its_newest_message() {
    let mut scene = Scene::new(setup());
    scene.input(Input::Stream(true));
    assert_eq!((asked(&scene), scene.snapshots), (vec!["session.get", "session.messages"], 0));
    scene.ok("session.messages", json!([]));
    scene.ok("session.get", json!({ "id": MINE, "directory": "/p" }));
    assert_eq!((asked(&scene), scene.snapshots), (vec![], 1), "one more, for its directory");
    scene.snapshot(&[], &[]);
    assert!(scene.wants("session.prompt_async"));
}

#[test]
fn a_known_session_that_is_gone_is_asked_for_and_says_so() {
    let mut scene = known(setup());
    scene.fails("session.messages", status(404, ErrorKind::NotFound));
    scene.snapshot(&[], &[]);
    assert!(!scene.wants("session.prompt_async"));
    let gone = Error::new(ErrorKind::NotFound, "the session is not there").with_status(404);
    scene.fails("session.get", gone.with_code(Some("NotFoundError".to_owned())));
    assert!(scene.error().unwrap().message().contains("the session is not there"));

    // It is there all the same.
    let mut scene = known(setup());
    scene.fails("session.messages", status(404, ErrorKind::NotFound));
    scene.ok("session.get", json!({ "id": MINE, "directory": "/q" }));
    scene.snapshot(&[], &[]);
    scene.ok("session.messages", json!([]));
    assert!(scene.wants("session.prompt_async"));
    assert_eq!(scene.machine.directory(), Some(&"/q".to_owned()));
}

#[test]
fn what_was_the_newest_message_while_the_session_was_busy_counts_no_more() {
    let mut scene = known(setup());
    scene.ok("session.messages", json!([message("msg_0", "user", None)]));
    scene.snapshot(&[MINE], &[]);
    assert!(asked(&scene).is_empty(), "what is not finished may be at work");
    scene.wait(200);
    assert!(asked(&scene).is_empty() && scene.snapshots == 1);
    scene.snapshot(&[], &[]);
    let mut done = scene.answer("msg_1", Some("stop"));
    done["info"]["finish"] = "stop".into();
    scene.ok("session.messages", json!([done]));
    assert!(scene.wants("session.prompt_async"));
}

#[test]
fn a_look_that_failed_is_taken_anew_and_its_other_half_counts() {
    let mut scene = known(setup());
    scene.ok("session.messages", json!([]));
    scene.input(Input::SnapshotFailed(&broken()));
    scene.wait(600);
    assert!(asked(&scene).is_empty() && scene.snapshots > 0);
    scene.snapshot(&[], &[]);
    assert!(scene.wants("session.prompt_async"));

    let mut scene = known(setup());
    scene.fails("session.messages", broken());
    scene.snapshot(&[], &[]);
    scene.ok("session.messages", json!([]));
    assert!(scene.wants("session.prompt_async"));
}

#[test]
fn a_summary_is_asked_for_behind_what_the_session_ended_with() {
    let mut scene = known(Setup { aim: Aim::Compact, ..setup() });
    assert_eq!((asked(&scene), scene.snapshots), (vec![], 1));
    scene.snapshot(&[], &[]);
    assert_eq!(asked(&scene), ["session.messages"]);
}

#[test]
fn without_events_the_lists_are_read_before_the_send() {
    let mut scene = Scene::placed(Setup { events: false, ..setup() }, Some("/p".to_owned()));
    assert_eq!(scene.lists, [Lists::Now]);
    scene.snapshot(&[], &[]);
}

#[test]
fn what_was_open_before_the_send_and_names_no_message_is_told_by_its_age() {
    let old = crate::protocol::id::new("per");
    let answer_id = crate::protocol::id::new("msg");
    let young = crate::protocol::id::new("per");
    let bare = |id: &str| {
        let mut permission = permission(id, MINE, "");
        permission["tool"] = Value::Null;
        permission
    };
    let mut scene = known(setup());
    scene.snapshot(&[], &[]);
    scene.ok("session.messages", json!([]));
    scene.ok("session.prompt_async", Value::Null);
    scene.wait(600);
    // Nothing is answered yet: whose it is shows later.
    scene.snapshot(&[MINE], &[bare(&old)]);
    let user = scene.user();
    scene.ok("session.messages", json!([user]));
    assert!(!scene.wants("permission.reply"));
    let answer = scene.answer(&answer_id, None);
    scene.event("message.updated", json!({ "info": answer["info"] }));
    scene.wait(10_000);
    scene.snapshot(&[MINE], &[bare(&old), bare(&young)]);
    assert_eq!(scene.take("permission.reply").1["requestID"], young);
    assert!(!scene.wants("permission.reply"), "it is somebody else's");
    // What an event tells is asked now.
    let now = crate::protocol::id::new("per");
    scene.event("permission.asked", bare(&now));
    assert_eq!(scene.take("permission.reply").1["requestID"], now);
}
