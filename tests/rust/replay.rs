//! What was recorded with the real server is played back without one.

use opencode_core::{Client, ClientOptions, ErrorKind, PermissionPolicy, Prompt, Replay, Update};
use opencode_tests::{Directory, LIMIT, prompt, shared};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn folder() -> Directory {
    Directory::new("replay").unwrap()
}

fn recording(path: &Path) -> Client {
    let server = &shared().server;
    let mut options = ClientOptions::default();
    options.base_url = server.url();
    options.username = Some(server.username().to_owned());
    options.password = server.password().map(str::to_owned);
    options.record = Some(path.to_owned());
    Client::new(options).unwrap()
}

fn replaying(replay: &Replay) -> Client {
    let mut options = ClientOptions::default();
    options.base_url = replay.url();
    options.log = opencode_core::Log::from_env();
    Client::new(options).unwrap()
}

/// What a script sees of a prompt: the text, how many pieces it came in, and its tools.
fn ask(client: &Client, made: Prompt) -> (String, bool, Vec<String>) {
    let run = client.run(made).unwrap();
    let (mut text, mut pieces, mut tools) = (String::new(), 0, Vec::new());
    let end = std::time::Instant::now() + LIMIT;
    loop {
        assert!(std::time::Instant::now() < end, "{}", run.why());
        match run.next_update(Some(std::time::Duration::from_secs(1))) {
            Some(Update::Text(piece)) => {
                if piece.replaces {
                    text.clear();
                }
                text.push_str(&piece.delta);
                pieces += 1;
            }
            Some(Update::Failed(error)) => panic!("{error}"),
            Some(Update::Done(reply)) => {
                assert_eq!(reply.transcript, text);
                tools.extend(
                    reply.decisions.iter().map(|d| format!("{} {}", d.permission, d.reply)),
                );
                return (reply.text.clone(), pieces > 1, tools);
            }
            _ => {}
        }
    }
}

/// A script of a user: two prompts in one session, a call, and an error.
fn play(client: &Client) -> Vec<String> {
    let mut seen = Vec::new();
    let steps = json!([
        { "tools": [{ "name": "bash", "arguments": { "command": "echo hunted", "description": "d" } }] },
        { "text": "one two three é😀", "delay_ms": 300 },
    ]);
    let session: Value =
        client.call("session.create", json!({ "title": "taped" })).unwrap().json().unwrap();
    let id = session["id"].as_str().unwrap().to_owned();
    for words in ["first", "second"] {
        let mut made = Prompt::new(prompt(words, steps.clone()));
        made.session = Some(id.clone());
        made.permission = Some(PermissionPolicy::from_value(&json!("once")).unwrap());
        let (text, is_streamed, decisions) = ask(client, made);
        // The very first prompt of a server may be answered before its stream is open.
        assert!(is_streamed || words == "first", "the text came in one piece");
        seen.push(format!("{text} {decisions:?}"));
    }
    let messages: Vec<Value> =
        client.call("session.messages", json!({ "sessionID": id })).unwrap().json().unwrap();
    seen.push(messages.len().to_string());
    let missing = client.call("session.get", json!({ "sessionID": "ses_none" })).unwrap_err();
    seen.push(format!("{} {missing}", missing.kind()));
    seen
}

#[test]
fn a_script_sees_the_same_without_a_server() {
    let folder = folder();
    let path: PathBuf = folder.path().join("tape.jsonl");
    let client = recording(&path);
    let real = play(&client);
    client.close();
    let replay = Replay::start(&path).unwrap();
    let again = play(&replaying(&replay));
    assert_eq!(again, real);
    // What was not recorded is told.
    let error = replaying(&replay).call("find.text", json!({ "pattern": "x" })).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains("nothing is recorded for GET /find"), "{error}");
    let tape = std::fs::read_to_string(&path).unwrap();
    assert!(!tape.contains(shared().server.password().unwrap()), "the password is on the tape");
    assert!(!tape.to_ascii_lowercase().contains("authorization"));
}

#[test]
fn one_question_is_answered_from_the_tape() {
    let folder = folder();
    let path = folder.path().join("tape.jsonl");
    let client = recording(&path);
    let text = prompt("Say pong", json!([{ "text": "pong" }]));
    assert_eq!(client.ask(text.as_str()).unwrap().text, "pong");
    client.close();
    for events in [true, false] {
        let replay = Replay::start(&path).unwrap();
        let mut options = ClientOptions::default();
        options.base_url = replay.url();
        options.events = events;
        let reply =
            Client::new(options).unwrap().run(text.as_str()).unwrap().wait(Some(LIMIT)).unwrap();
        assert_eq!((reply.text.as_str(), reply.tokens.input), ("pong", 10));
        assert!(reply.cost > 0.0);
    }
}

#[test]
fn what_is_no_recording_is_told() {
    let folder = folder();
    let path = folder.path().join("x");
    let kind = |path: &Path| Replay::start(path).unwrap_err().kind();
    assert_eq!(kind(&path), ErrorKind::NotFound);
    std::fs::write(&path, "").unwrap();
    assert_eq!(kind(&path), ErrorKind::Decode);
    std::fs::write(&path, "{\"type\":\"start\"}\nhello\n").unwrap();
    let error = Replay::start(&path).unwrap_err();
    assert!(error.message().contains("line 2 of"), "{error}");
}

#[test]
fn clients_that_write_into_one_file_at_the_same_time_are_kept_apart() {
    let folder = folder();
    let path = folder.path().join("tape.jsonl");
    let clients = [recording(&path), recording(&path)];
    let title = |client: &Client, title: &str| {
        let made: Value =
            client.call("session.create", json!({ "title": title })).unwrap().json().unwrap();
        made["title"].as_str().unwrap().to_owned()
    };
    // The first question of both is on the way before the first answer is there.
    std::thread::scope(|scope| {
        for client in &clients {
            scope.spawn(|| client.call("path.get", ()).unwrap());
            scope.spawn(|| client.call("app.agents", ()).unwrap());
        }
    });
    assert_eq!(title(&clients[0], "one"), "one");
    assert_eq!(title(&clients[1], "two"), "two");
    drop(clients);
    let replay = Replay::start(&path).unwrap();
    let client = replaying(&replay);
    let directory = client.call("path.get", ()).unwrap().json::<Value>().unwrap();
    assert!(directory["directory"].is_string(), "{directory}");
    let agents = client.call("app.agents", ()).unwrap().json::<Value>().unwrap();
    assert!(agents.is_array(), "{agents}");
    assert_eq!([title(&client, "x"), title(&client, "x")], ["one", "two"]);
}

#[test]
fn a_recording_that_ends_in_the_middle_of_a_line_is_played_to_that_point() {
    let folder = folder();
    let path = folder.path().join("tape.jsonl");
    let client = recording(&path);
    client.call("path.get", ()).unwrap();
    client.call("app.agents", ()).unwrap();
    client.close();
    let whole = std::fs::read(&path).unwrap();
    // In the middle of a character, too.
    for cut in [1, 2, whole.len() / 4] {
        let end = whole.len() - cut;
        std::fs::write(&path, &whole[..end]).unwrap();
        let replay = Replay::start(&path).unwrap();
        replaying(&replay).call("path.get", ()).unwrap();
        // Another client goes on behind the torn line.
        let client = recording(&path);
        client.call("session.list", ()).unwrap();
        client.close();
        let replay = Replay::start(&path).unwrap();
        replaying(&replay).call("session.list", ()).unwrap();
    }
    let mut broken = whole.clone();
    broken.splice(200..210, *b"\n");
    std::fs::write(&path, broken).unwrap();
    assert_eq!(Replay::start(&path).unwrap_err().kind(), ErrorKind::Decode);
}
