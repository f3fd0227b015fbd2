//! Servers that stop before there is an answer, and what of it is told.

use super::world::{Place, Way, World};
use super::*;
use opencode_core::ErrorKind;

/// The model looks with a tool first, and answers then.
fn two_steps(world: &World, words: &str) -> Prompt {
    let mut look = world.bash("true");
    look["text"] = "let me look".into();
    scripted(words, json!([look, { "text": "the answer", "delay_ms": 50 }]))
}

/// Waits until an answer of the run is complete and another step has to follow.
fn until_between_steps(run: &Run) {
    until(run, |update| match update {
        Update::Message(info) => {
            let info: Value = serde_json::from_str(info.get()).unwrap();
            info["finish"] == "tool-calls" && !info["time"]["completed"].is_null()
        }
        _ => false,
    });
}

#[test]
fn a_server_that_is_killed_between_two_steps_gave_no_answer() {
    for_both(|generation| {
        let world = World::start(generation, |server| server.persistent());
        let client = world.client();
        reply(&client.run(scripted("warm", json!([{ "text": "up" }]))).unwrap());
        for _ in 0..2 {
            let run = client.run(two_steps(&world, "between")).unwrap();
            until_between_steps(&run);
            world.server().kill();
            world.server().restart().unwrap();
            let error = error(&run);
            assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
            assert!(!run.reply().unwrap().transcript.contains("the answer"));
        }
    });
}

#[test]
fn a_directory_that_is_gone_is_told_in_the_servers_words() {
    for_both(|generation| {
        let world = World::start(generation, |server| server.persistent());
        let place = opencode_tests::Directory::new("gone").unwrap();
        let sessions: Vec<_> = [0, 1, 2]
            .map(|i| {
                let directory = place.path().join(i.to_string());
                std::fs::create_dir(&directory).unwrap();
                let mut prompt = scripted("here", json!([{ "text": "up" }]));
                prompt.directory = Some(directory.display().to_string());
                let reply = reply(&world.client().run(prompt).unwrap());
                std::fs::remove_dir_all(&directory).unwrap();
                (reply.session_id.clone(), directory.display().to_string())
            })
            .into();
        // A server that has the directory open goes on as if it were there.
        world.server().restart().unwrap();
        let sessions = std::sync::Mutex::new(sessions);
        world.everywhere(|client: &Place<'_>| {
            let (session, directory) = sessions.lock().unwrap().pop().unwrap();
            let mut prompt = scripted("gone", json!([{ "text": "up" }]));
            prompt.session = Some(session);
            let error = error(&client.run(prompt).unwrap());
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
            assert!(error.message().contains(&directory), "{error}");
            if client.is_steady() && !world.is_two() {
                assert!(error.message().contains("FileSystem.realPath"), "{error}");
            }
        });
    });
}

/// Somebody ends a server in the middle of a text: in its own time, and at once.
#[test]
fn a_server_that_is_ended_and_comes_back_ends_its_runs() {
    for_both(|generation| {
        let world = World::start(generation, |server| server.persistent());
        for is_killed in [true, false] {
            let clients = [Way::Steady, Way::Deaf].map(|way| world.place(way));
            let steps = json!([{ "text": "a b c d e f g h i j k l m n", "delay_ms": 1000 }]);
            let runs: Vec<Run> = clients
                .iter()
                .map(|client| client.run(scripted("gone", steps.clone())).unwrap())
                .collect();
            for run in &runs {
                let session = eventually("the session", || run.session_id());
                let is_begun =
                    || run.message_id().filter(|id| !world.answers(&session, id).is_empty());
                eventually("work", is_begun);
            }
            if is_killed {
                world.server().kill();
            } else {
                world.server().terminate().unwrap();
            }
            world.server().restart().unwrap();
            for run in &runs {
                let found = error(run);
                let kinds = [ErrorKind::Interrupted, ErrorKind::Cancelled];
                assert!(kinds.contains(&found.kind()), "{is_killed} {found:?}");
            }
        }
    });
}
