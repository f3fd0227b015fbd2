//! What a client does on a server of 2.x as on one of 1.x: events, lists, sums, terminals, recordings.

use opencode_core::model::{Message, MessageInfo, Part};
use opencode_core::{
    CallOptions, CheckStatus, Client, ClientOptions, ErrorKind, Event, EventOptions, EventStream,
    MessageOptions, PtyOptions, Replay, Scope, SessionOptions, StreamEvent, UsageOptions,
};
use opencode_tests::{Directory, End, LIMIT, Proxy, eventually, prompt, shared_two};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

fn options(url: &str) -> ClientOptions {
    let mut options = ClientOptions::default();
    options.base_url = url.to_owned();
    options.password = shared_two().server.password().map(str::to_owned);
    options.log = opencode_core::Log::from_env();
    options
}

fn client() -> Client {
    Client::new(options(&shared_two().server.url())).unwrap()
}

fn call(client: &Client, operation: &str, arguments: Value) -> Value {
    let answer = client.call(operation, arguments).unwrap();
    if answer.bytes().is_empty() { Value::Null } else { answer.json().unwrap() }
}

/// A session in a directory.
fn session(client: &Client, directory: &Path, title: &str) -> String {
    let made = call(
        client,
        "v2.session.create",
        json!({"directory": directory.display().to_string(), "title": title}),
    );
    made["data"]["id"].as_str().unwrap().to_owned()
}

/// Plays a prompt to its end; the messages that the server has then, oldest first.
fn play(client: &Client, session: &str, words: &str, steps: Value) -> Vec<Value> {
    let ends = |list: &[Value]| list.iter().filter(|message| message["type"] == "idle").count();
    let before = ends(&stored(client, session));
    let text = prompt(words, steps);
    call(client, "v2.session.prompt", json!({"sessionID": session, "text": text}));
    eventually("the end of the prompt", || {
        Some(stored(client, session)).filter(|list| ends(list) > before)
    })
}

fn stored(client: &Client, session: &str) -> Vec<Value> {
    let arguments = json!({"sessionID": session, "order": "asc", "limit": 200});
    let list = call(client, "v2.session.messages", arguments);
    list["data"].as_array().unwrap().clone()
}

fn next(stream: &EventStream) -> StreamEvent {
    stream.next(Some(LIMIT)).unwrap().expect("an event came in time")
}

/// Takes events until one of this type is about the session.
fn until(stream: &EventStream, kind: &str, session: &str) -> Vec<Event> {
    let mut seen: Vec<Event> = Vec::new();
    loop {
        if let StreamEvent::Server(event) = next(stream) {
            let is_last = event.kind() == kind && event.session_id() == Some(session);
            seen.push(event);
            if is_last {
                return seen;
            }
        }
    }
}

#[test]
fn a_stream_of_a_directory_tells_all_of_its_events_and_no_others() {
    let client = client();
    let (mine, other) = (Directory::new("mine").unwrap(), Directory::new("other").unwrap());
    let mut of_mine = EventOptions::default();
    of_mine.directory = Some(mine.path().display().to_string());
    let mut of_all = EventOptions::default();
    of_all.scope = Scope::Global;
    let (narrow, wide) = (client.events(of_mine).unwrap(), client.events(of_all).unwrap());
    for stream in [&narrow, &wide] {
        assert_eq!(next(stream).kind(), "stream.connected");
    }
    let foreign = session(&client, other.path(), "other");
    play(&client, &foreign, "elsewhere", json!([{"text": "there"}]));
    let own = session(&client, mine.path(), "mine");
    play(&client, &own, "here", json!([{"text": "here"}]));
    let last = "session.execution.succeeded";
    let seen = until(&narrow, last, &own);
    let directory = mine.path().canonicalize().unwrap().display().to_string();
    assert!(seen.iter().all(|event| event.directory() == Some(directory.as_str())), "{seen:?}");
    assert!(seen.iter().all(|event| event.session_id() != Some(foreign.as_str())), "{seen:?}");
    for kind in ["session.inbox.delivered", "session.execution.started", "session.text.ended", last]
    {
        assert!(seen.iter().any(|event| event.kind() == kind), "{kind} in {seen:?}");
    }
    // What the server itself leaves without a directory.
    let text = seen.last().unwrap().to_json();
    let event: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&event["type"], &event["directory"]), (&json!(last), &json!(directory)), "{text}");
    assert!(event["id"].is_string() && event["properties"]["sessionID"] == own.as_str(), "{text}");
    let seen = until(&wide, last, &own);
    assert!(seen.iter().any(|event| event.session_id() == Some(foreign.as_str())));
}

#[test]
fn a_stream_that_breaks_says_so_and_goes_on() {
    let proxy = Proxy::start(&shared_two().server.url()).unwrap();
    let client = Client::new(options(&proxy.url())).unwrap();
    let stream = client.events(EventOptions::default()).unwrap();
    let own = |kind: &str| loop {
        let event = next(&stream);
        if event.kind() == kind {
            return event;
        }
    };
    own("stream.connected");
    proxy.cut_all(End::Close);
    let StreamEvent::Gap(error) = own("stream.gap") else { panic!() };
    assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
    own("stream.connected");
    let id = session(&client, shared_two().server.directory(), "after the gap");
    until(&stream, "session.created", &id);
    // The directory of a stream that is not there is not waited for.
    let mut nowhere = EventOptions::default();
    nowhere.directory = Some("/no/such/folder".to_owned());
    let stream = client.events(nowhere).unwrap();
    let end = Instant::now() + LIMIT;
    let error = loop {
        match stream.next(Some(Duration::from_secs(1))) {
            Err(error) => break error,
            Ok(_) => assert!(Instant::now() < end),
        }
    };
    assert!(error.message().contains("no directory '/no/such/folder'"), "{error}");
}

#[test]
fn messages_come_page_by_page_in_the_form_of_1_x() {
    let client = client();
    let id = session(&client, shared_two().server.directory(), "messages");
    let tool = json!({"name": "read", "arguments": {"path": "README.md"}});
    play(&client, &id, "first", json!([{"text": "look", "tools": [tool]}, {"text": "one"}]));
    let all = play(&client, &id, "second", json!([{"text": "two"}]));
    let wanted: Vec<&str> = all
        .iter()
        .filter(|message| message["type"] != "idle")
        .map(|message| message["id"].as_str().unwrap())
        .rev()
        .collect();
    let mut options = MessageOptions::default();
    options.page = 2;
    let pages = || client.messages(&id, options.clone());
    let messages: Vec<Message> = pages().map(|message| message.unwrap()).collect();
    assert_eq!(messages.iter().map(Message::id).collect::<Vec<_>>(), wanted);
    assert_eq!(messages[0].text(), "two");
    let MessageInfo::Assistant(info) = &messages[0].info else { panic!("{messages:?}") };
    assert_eq!((info.provider_id.as_str(), info.model_id.as_str()), ("local", "test"));
    assert!(info.cost > 0.0 && info.tokens.total() > 0 && info.finish.as_deref() == Some("stop"));
    assert!(matches!(&messages[1].info, MessageInfo::User(user) if user.session_id == id));
    let mut tools = messages.iter().flat_map(|message| &message.parts);
    assert!(tools.any(|part| matches!(part, Part::Tool(tool) if tool.tool == "read")));
    assert!(messages.iter().all(|message| !message.reverted));
    // What a revert takes back is marked: the second prompt and what came of it.
    let second = messages[1].id().to_owned();
    call(&client, "v2.session.revert.stage", json!({"sessionID": id, "messageID": second}));
    let marked = pages().map(|message| message.unwrap().reverted).filter(|is| *is).count();
    assert_eq!(marked, 2);
    let error = client.messages("ses_none", MessageOptions::default()).next().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}

#[test]
fn sessions_come_page_by_page() {
    let client = client();
    // A directory with a character that 1.x would decode twice.
    let parent = Directory::new("sessions").unwrap();
    let folder = parent.path().join("50%25 ä");
    std::fs::create_dir(&folder).unwrap();
    let mut made: Vec<String> =
        (0..5).map(|number| session(&client, &folder, &format!("number {number}"))).collect();
    made.reverse();
    let directory = folder.canonicalize().unwrap().display().to_string();
    let mut options = SessionOptions::default();
    options.page = 2;
    options.directory = Some(directory.clone());
    let list = |options: &SessionOptions| {
        client.sessions(options.clone()).map(|session| session.unwrap()).collect::<Vec<_>>()
    };
    let found = list(&options);
    assert_eq!(found.iter().map(|session| session.id.clone()).collect::<Vec<_>>(), made);
    assert!(found.iter().all(|session| session.directory == directory && session.time.created > 0));
    options.search = Some("number 3".to_owned());
    options.roots = true;
    assert_eq!(list(&options).len(), 1);
    let mut global = SessionOptions::default();
    global.scope = Scope::Global;
    assert!(list(&global).len() >= 5);
}

#[test]
fn usage_counts_every_answer_and_those_of_subagents() {
    let client = client();
    let id = session(&client, shared_two().server.directory(), "usage");
    let child = prompt("child", json!([{"text": "c", "usage": {"input": 1000, "output": 7}}]));
    let task = json!({"name": "subagent", "arguments": {
        "agent": "general", "description": "d", "prompt": child}});
    let steps = json!([
        {"tools": [task], "usage": {"input": 100, "output": 20}},
        {"text": "done", "usage": {"input": 200, "output": 30}},
    ]);
    let messages = play(&client, &id, "parent", steps);
    let own: f64 = messages.iter().filter_map(|message| message["cost"].as_f64()).sum();
    let mut options = UsageOptions::default();
    options.messages = true;
    let tree = client.usage(&id, &options, &CallOptions::default()).unwrap();
    options.tree = false;
    let alone = client.usage(&id, &options, &CallOptions::default()).unwrap();
    assert!(own > 0.0 && (alone.cost - own).abs() < 1e-9, "{alone:?} {messages:?}");
    assert_eq!((alone.count, alone.tokens.input, alone.tokens.output), (2, 300, 50), "{alone:?}");
    assert_eq!((tree.count, tree.tokens.input, tree.sessions.len()), (3, 1300, 2), "{tree:?}");
    assert_eq!(tree.models[0].name, "local/test");
    let all = client.usage_of_all(&UsageOptions::default(), &CallOptions::default()).unwrap();
    let of_all = |name: &str| all.sessions.iter().find(|share| share.name == name).cloned();
    let shares = tree.sessions.iter().map(|share| of_all(&share.name).map(|share| share.count));
    assert_eq!(shares.collect::<Vec<_>>(), [Some(2), Some(1)], "{all:?}");
}

#[test]
fn a_terminal_is_typed_into_and_tells_its_end() {
    let client = client();
    let mut options = PtyOptions::default();
    options.command = Some("bash".to_owned());
    options.args =
        ["--norc", "-c", "read x; echo \"got $x\"; stty size; exit 3"].map(str::to_owned).into();
    options.size = Some((90, 31));
    let pty = client.pty(options).unwrap();
    pty.write("é€😀\n").unwrap();
    let end = Instant::now() + LIMIT;
    let mut all = String::new();
    while let Some(text) = pty.read(Some(Duration::from_secs(1))).unwrap() {
        assert!(Instant::now() < end, "{all}");
        all.push_str(&text);
    }
    assert!(all.contains("got é€😀") && all.contains("31 90"), "{all:?}");
    assert_eq!(pty.exit_code(), Some(3));
}

#[test]
fn a_terminal_that_never_was_is_not_found() {
    let client = client();
    let missing = client.pty_connect("pty_nobody", PtyOptions::default()).unwrap();
    let error = missing.read(Some(LIMIT)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(error.message().contains("pty_nobody"), "{error}");
}

#[test]
fn what_was_recorded_is_played_back() {
    let folder = Directory::new("record").unwrap();
    let file = folder.path().join("traffic.jsonl");
    let mut recorded = options(&shared_two().server.url());
    recorded.record = Some(file.clone());
    let seen = |client: &Client| {
        let info = client.server().unwrap();
        let id = session(client, shared_two().server.directory(), "recorded");
        let list = play(client, &id, "recorded", json!([{"text": "kept"}]));
        let kinds: Vec<Value> = list.iter().map(|message| message["type"].clone()).collect();
        let texts: Vec<String> = client
            .messages(&id, MessageOptions::default())
            .map(|message| message.unwrap().text())
            .collect();
        (info.version, kinds, texts[0].clone())
    };
    let first = seen(&Client::new(recorded).unwrap());
    assert_eq!(first.2, "kept");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains(shared_two().server.password().unwrap()));
    let replay = Replay::start(&file).unwrap();
    let mut options = ClientOptions::default();
    options.base_url = replay.url();
    assert_eq!(seen(&Client::new(options).unwrap()), first);
}

#[test]
fn a_doctor_looks_at_what_2_x_has() {
    let shared = shared_two();
    let mut options = options(&shared.server.url());
    options.directory = Some(shared.server.directory().display().to_string());
    let found = Client::new(options.clone()).unwrap().doctor();
    let names: Vec<_> = found.checks.iter().map(|check| check.name).collect();
    assert_eq!(
        names,
        ["server", "password", "version", "directory", "model", "events", "clock"],
        "{found}"
    );
    for check in &found.checks {
        assert_eq!(check.status, CheckStatus::Ok, "{found}");
    }
    assert!(found.to_string().contains("local/test"), "{found}");
    options.directory = Some("/no/such/place".to_owned());
    let found = Client::new(options).unwrap().doctor();
    assert!(found.to_string().contains("no directory '/no/such/place'"), "{found}");
}
