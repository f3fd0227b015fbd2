//! Servers that stop before there is an answer, and what of it is told.

use super::world::World;
use super::*;
use opencode_core::ErrorKind;

/// The model looks with a tool first, and answers then.
fn two_steps(words: &str) -> Prompt {
    let mut look = bash("true");
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
    let world = World::start(|server| server.persistent());
    let client = world.client(true);
    reply(&client.run(scripted("warm", json!([{ "text": "up" }]))).unwrap());
    for _ in 0..2 {
        let run = client.run(two_steps("between")).unwrap();
        until_between_steps(&run);
        world.server.kill();
        world.server.restart().unwrap();
        let error = error(&run);
        assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
        assert!(!run.reply().unwrap().transcript.contains("the answer"));
    }
}

#[test]
fn a_directory_that_is_gone_is_told_in_the_servers_words() {
    let world = World::start(|server| server.persistent());
    let place = opencode_tests::Directory::new("gone").unwrap();
    let sessions: Vec<_> = [0, 1, 2]
        .map(|i| {
            let directory = place.path().join(i.to_string());
            std::fs::create_dir(&directory).unwrap();
            let mut prompt = scripted("here", json!([{ "text": "up" }]));
            prompt.directory = Some(directory.display().to_string());
            let reply = reply(&world.client(true).run(prompt).unwrap());
            std::fs::remove_dir_all(&directory).unwrap();
            (reply.session_id.clone(), directory.display().to_string())
        })
        .into();
    // A server that has the directory open goes on as if it were there.
    world.server.restart().unwrap();
    let sessions = std::sync::Mutex::new(sessions);
    world.everywhere(|client| {
        let (session, directory) = sessions.lock().unwrap().pop().unwrap();
        let mut prompt = scripted("gone", json!([{ "text": "up" }]));
        prompt.session = Some(session);
        let error = error(&client.run(prompt).unwrap());
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert!(error.message().contains(&directory), "{error}");
        if client.options().events && client.options().base_url == world.server.url() {
            assert!(error.message().contains("FileSystem.realPath"), "{error}");
        }
    });
}
