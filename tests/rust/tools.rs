//! Tools of the host on the real server: the scripted model calls them.

use crate::client::*;
use opencode_core::{
    Client, ErrorKind, HostToolCall, PermissionPolicy, Prompt, Run, State, Tool, ToolAnswer, Update,
};
use opencode_tests::{Directory, Generation, LIMIT, Model, Server, eventually, shared, shared_two};
use serde_json::{Value, json};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A client of the shared server in a directory of its own: the tools of each directory are apart.
fn client() -> (Client, Directory) {
    client_of(&shared().server)
}

fn client_of(server: &Server) -> (Client, Directory) {
    let directory = Directory::new("tools").unwrap();
    let mut options = options(server, &server.url());
    options.directory = Some(directory.path().display().to_string());
    (Client::new(options).unwrap(), directory)
}

fn calls(list: &[(&str, Value)]) -> Value {
    let tools = list
        .iter()
        .map(|(name, arguments)| json!({ "name": format!("host_{name}"), "arguments": arguments }));
    json!({ "tools": tools.collect::<Vec<_>>() })
}

/// A prompt in which the model makes these calls at once, and then says `end`.
fn once(list: &[(&str, Value)]) -> Prompt {
    scripted("use the tools", json!([calls(list), { "text": "end" }]))
}

/// What the tools gave, in the order of the calls: outputs, and errors behind a `!`.
fn outputs(run: &Run) -> Vec<String> {
    let reply = reply(run);
    let messages =
        reply.messages.iter().map(|raw| serde_json::from_str::<Value>(raw.get()).unwrap());
    let parts = messages.flat_map(|m| m["parts"].as_array().cloned().unwrap_or_default());
    let tools = parts.filter(|part| part["type"] == "tool");
    tools
        .map(|part| match part["state"]["error"].as_str() {
            Some(error) => format!("!{error}"),
            None => part["state"]["output"].as_str().unwrap_or_default().to_owned(),
        })
        .collect()
}

fn numbers() -> Value {
    json!({ "type": "object", "properties": { "n": { "type": "integer" } }, "required": ["n"] })
}

fn number(call: &HostToolCall) -> i64 {
    call.arguments().at("/n").unwrap().read().unwrap()
}

#[test]
fn handlers_answer_on_the_thread_that_waits_in_order_and_know_their_session() {
    let (client, _directory) = client();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&seen);
    let add = Tool::new("add", "Adds one").parameters(numbers()).handler(move |call| {
        let place = (call.session_id().map(str::to_owned), call.call_id().is_some());
        note.lock().unwrap().push((number(call), std::thread::current().id(), place));
        Ok(ToolAnswer::json(&json!({ "sum": number(call) + 1 })))
    });
    client.tool(add).unwrap();
    let steps = json!([
        calls(&[("add", json!({ "n": 1 }))]),
        calls(&[("add", json!({ "n": 2 })), ("add", json!({ "n": 3 }))]),
        { "text": "end" },
    ]);
    let run = client.run(scripted("add", steps)).unwrap();
    assert_eq!(outputs(&run), [r#"{"sum":2}"#, r#"{"sum":3}"#, r#"{"sum":4}"#]);
    let seen = seen.lock().unwrap();
    let me = std::thread::current().id();
    let place = (run.session_id(), true);
    let wanted = [1, 2, 3].map(|n| (n, me, place.clone()));
    assert_eq!(*seen, wanted);
}

#[test]
fn calls_without_a_handler_are_updates_and_are_answered_in_any_order() {
    let (client, _directory) = client();
    client.tool(Tool::new("wait", "Waits").parameters(numbers())).unwrap();
    let list = [1, 2, 3].map(|n| ("wait", json!({ "n": n })));
    let run = client.run(once(&list)).unwrap();
    let mut open = Vec::new();
    let fd_wakes = client.fd().unwrap();
    assert!(fd_wakes >= 0);
    while open.len() < 3 {
        match run.next_update(Some(LIMIT)).expect("three calls come") {
            Update::ToolCall(call) => open.push(call),
            Update::Failed(error) => panic!("{error}"),
            _ => {}
        }
    }
    let shown: Value =
        serde_json::from_str(&Update::ToolCall(Arc::clone(&open[0])).to_json()).unwrap();
    assert_eq!((&shown["type"], &shown["name"]), (&json!("tool_call"), &json!("wait")));
    assert_eq!(shown["sessionID"], json!(run.session_id()));
    for call in open.iter().rev() {
        client.reply_tool(call.id(), format!("n is {}", number(call))).unwrap();
    }
    assert_eq!(outputs(&run), ["n is 1", "n is 2", "n is 3"]);
    assert_eq!(client.reply_tool(open[0].id(), "again").unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn what_a_tool_answers_reaches_the_model_as_it_is() {
    let (client, _directory) = client();
    let long = "x".repeat(1_000_000);
    let text = long.clone();
    client.tool(Tool::new("long", "Long").handler(move |_| Ok(text.clone().into()))).unwrap();
    let raises = |_: &HostToolCall| Err("the world has no such place: 42".to_owned());
    client.tool(Tool::new("raise", "Raises").handler(raises)).unwrap();
    let panics = |_: &HostToolCall| panic!("a bug of the host");
    client.tool(Tool::new("panic", "Panics").handler(panics)).unwrap();
    let never = |_: &HostToolCall| panic!("wrong arguments reached the handler");
    client.tool(Tool::new("strict", "Strict").parameters(numbers()).handler(never)).unwrap();
    let late = Tool::new("late", "Nobody answers").timeout(Duration::from_millis(200));
    client.tool(late).unwrap();
    let none = || json!({});
    let run = client
        .run(once(&[
            ("long", none()),
            ("raise", none()),
            ("panic", none()),
            ("strict", json!({ "n": "one" })),
            ("late", none()),
        ]))
        .unwrap();
    let outputs = outputs(&run);
    // The server cuts what the model is shown, and keeps the whole of it in a file.
    assert!(outputs[0].contains("1000000 bytes truncated"), "{}", outputs[0]);
    assert_eq!(outputs[1], "!the world has no such place: 42");
    assert!(outputs[2].contains("a bug of the host"), "{}", outputs[2]);
    assert!(outputs[3].starts_with("!wrong arguments: value.n"), "{}", outputs[3]);
    assert!(outputs[4].starts_with("!nobody answered the call within 200 ms"), "{}", outputs[4]);
}

#[test]
fn a_handler_may_use_its_client_and_prompts_of_a_handler_may_call_tools() {
    let (client, _directory) = client();
    client.tool(Tool::new("inner", "Inner").handler(|_| Ok("deep".into()))).unwrap();
    let mine = client.clone();
    let outer = Tool::new("outer", "Asks in another session").handler(move |_| {
        let run = mine.run(once(&[("inner", json!({}))])).map_err(|error| error.to_string())?;
        Ok(outputs(&run).concat().into())
    });
    client.tool(outer).unwrap();
    let run = client.run(once(&[("outer", json!({}))])).unwrap();
    assert_eq!(outputs(&run), ["deep"]);
}

#[test]
fn polls_of_the_client_alone_serve_tools() {
    let (client, _directory) = client();
    client.tool(Tool::new("a", "A").handler(|_| Ok("1".into()))).unwrap();
    client.tool(Tool::new("b", "B")).unwrap();
    let run = client.run(once(&[("a", json!({})), ("b", json!({}))])).unwrap();
    let mut count = 0;
    eventually("both calls", || {
        count += client.poll_tools();
        if let Some(call) = client.next_tool_call(Duration::ZERO) {
            client.reply_tool(call.id(), "2").unwrap();
            count += 1;
        }
        (count == 2).then_some(())
    });
    assert_eq!(outputs(&run), ["1", "2"]);
}

#[test]
fn a_run_that_is_cancelled_tells_its_calls() {
    let (client, _directory) = client();
    client.tool(Tool::new("slow", "Slow")).unwrap();
    let run = client.run(once(&[("slow", json!({}))])).unwrap();
    let call = eventually("the call", || client.next_tool_call(Duration::ZERO));
    assert!(!call.is_over());
    assert_eq!(run.cancel(LIMIT), State::Failed);
    eventually("the call is over", || call.is_over().then_some(()));
    let error = client.reply_tool(call.id(), "late").unwrap_err();
    assert!(error.message().contains("its run was cancelled"), "{error}");
}

#[test]
fn tools_are_there_again_when_the_server_forgot_them_and_new_ones_are_learned() {
    let (client, _directory) = client();
    client.tool(Tool::new("a", "A").handler(|_| Ok("1".into()))).unwrap();
    let a = || once(&[("a", json!({}))]);
    assert_eq!(outputs(&client.run(a()).unwrap()), ["1"]);
    client.call("instance.dispose", json!({})).unwrap();
    assert_eq!(outputs(&client.run(a()).unwrap()), ["1"]);
    client.tool(Tool::new("b", "B").handler(|_| Ok("2".into()))).unwrap();
    let both = once(&[("a", json!({})), ("b", json!({}))]);
    assert_eq!(outputs(&client.run(both).unwrap()), ["1", "2"]);
}

#[test]
fn a_tool_that_is_added_leaves_open_calls_alone() {
    for server in [&shared().server, &shared_two().server] {
        let (client, _directory) = client_of(server);
        client.tool(Tool::new("slow", "Slow")).unwrap();
        let waits = client.run(once(&[("slow", json!({}))])).unwrap();
        let call = eventually("the call", || client.next_tool_call(Duration::ZERO));
        client.tool(Tool::new("later", "Later").handler(|_| Ok("learned".into()))).unwrap();
        let run = client.run(once(&[("later", json!({}))])).unwrap();
        assert_eq!(outputs(&run), ["learned"]);
        client.reply_tool(call.id(), "still here").unwrap();
        assert_eq!(outputs(&waits), ["still here"]);
    }
}

#[test]
fn tools_are_there_again_when_the_server_was_started_again() {
    for generation in [Generation::One, Generation::Two] {
        let model = Model::start(0).unwrap();
        let server = Server::builder(&model.url()).generation(generation).start().unwrap();
        let (client, _directory) = client_of(&server);
        client.tool(Tool::new("a", "A").handler(|_| Ok("1".into()))).unwrap();
        let a = || once(&[("a", json!({}))]);
        assert_eq!(outputs(&client.run(a()).unwrap()), ["1"]);
        server.restart().unwrap();
        assert_eq!(outputs(&client.run(a()).unwrap()), ["1"], "{generation:?}");
    }
}

#[test]
fn a_name_that_another_program_has_is_told_and_is_free_after_its_close() {
    let (first, directory) = client();
    let server = &shared().server;
    let mut options = options(server, &server.url());
    options.directory = Some(directory.path().display().to_string());
    let second = Client::new(options).unwrap();
    for client in [&first, &second] {
        client.tool(Tool::new("a", "A").handler(|_| Ok("1".into()))).unwrap();
    }
    let a = || once(&[("a", json!({}))]);
    assert_eq!(outputs(&first.run(a()).unwrap()), ["1"]);
    let error = second.run(a()).unwrap().wait(Some(LIMIT)).unwrap_err();
    assert_eq!((error.kind(), error.is_sent()), (ErrorKind::Conflict, false), "{error}");
    for part in ["another MCP server 'host'", "give one of the two clients another tools_prefix"] {
        assert!(error.message().contains(part), "{error}");
    }
    first.close();
    assert_eq!(outputs(&second.run(a()).unwrap()), ["1"]);
}

/// A client of a server in a directory, whose tools have this prefix.
fn prefixed(server: &Server, directory: &Directory, prefix: &str) -> Client {
    let mut options = options(server, &server.url());
    options.directory = Some(directory.path().display().to_string());
    options.tools_prefix = prefix.to_owned();
    Client::new(options).unwrap()
}

fn named(names: &[&str]) -> Prompt {
    let tools: Vec<_> = names.iter().map(|n| json!({ "name": n, "arguments": {} })).collect();
    scripted("use the tools", json!([{ "tools": tools }, { "text": "end" }]))
}

#[test]
fn programs_with_prefixes_of_their_own_bring_tools_to_one_directory() {
    for server in [&shared().server, &shared_two().server] {
        let directory = Directory::new("prefixes").unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let [first, second] = ["game", "editor-2"].map(|prefix| {
            let client = prefixed(server, &directory, prefix);
            let note = Arc::clone(&seen);
            let tool = Tool::new("a", "A").handler(move |call| {
                note.lock().unwrap().push((prefix, call.session_id().map(str::to_owned)));
                Ok(prefix.into())
            });
            client.tool(tool).unwrap();
            client
        });
        // Both at the same time, each with its own.
        let runs = [first.run(named(&["game_a"])), second.run(named(&["editor-2_a"]))];
        let [game, editor] = runs.map(Result::unwrap);
        assert_eq!(
            (outputs(&game), outputs(&editor)),
            (vec!["game".into()], vec!["editor-2".into()])
        );
        let place = |prefix, run: &Run| (prefix, Some(run.session_id().unwrap()));
        let mut calls = std::mem::take(&mut *seen.lock().unwrap());
        calls.sort();
        assert_eq!(calls, [place("editor-2", &editor), place("game", &game)]);

        // One agent, the tools of two programs.
        let run = first.run(named(&["editor-2_a", "game_a"])).unwrap();
        eventually("the call of the other program", || (second.poll_tools() > 0).then_some(()));
        assert_eq!(outputs(&run), ["editor-2", "game"]);

        // What one leaves is no loss of the other one.
        first.close();
        assert_eq!(outputs(&second.run(named(&["editor-2_a"])).unwrap()), ["editor-2"]);
    }
}

#[test]
fn the_longest_prefix_and_name_reach_the_model_as_they_are() {
    let (prefix, name) = ("Prefix-of-15-ab", "n_-9".repeat(12));
    for server in [&shared().server, &shared_two().server] {
        let directory = Directory::new("prefixes").unwrap();
        let client = prefixed(server, &directory, prefix);
        client.tool(Tool::new(&name, "A").handler(|_| Ok("1".into()))).unwrap();
        let full = format!("{prefix}_{name}");
        assert_eq!(full.len(), 64);
        assert_eq!(outputs(&client.run(named(&[&full])).unwrap()), ["1"]);
    }
}

#[test]
fn a_prefix_that_is_none_is_refused_when_the_client_is_made() {
    for prefix in ["", "a b", "a_b", "a.b", "é", "sixteen-letters-"] {
        let mut options = opencode_core::ClientOptions::default();
        options.tools_prefix = prefix.to_owned();
        let error = Client::new(options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        let words = format!("client: tools_prefix '{prefix}': a prefix is 1 to 15 letters");
        assert!(error.message().starts_with(&words), "{error}");
    }
}

#[test]
fn a_server_on_another_machine_is_refused_before_anything_is_sent() {
    let mut options = opencode_core::ClientOptions::default();
    // An address of documentation: nobody has it.
    options.base_url = "http://192.0.2.1:4096".to_owned();
    let client = Client::new(options).unwrap();
    client.tool(Tool::new("a", "A")).unwrap();
    let error = client.run("hi").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("is on another machine"), "{error}");
}

#[test]
fn a_close_with_open_calls_takes_no_longer_and_the_agent_reads_why() {
    let why = "!the program whose tool this is has closed its client";
    // A server that has much to do may meet the end of the connection before it has read the answer.
    let read: Vec<_> = (0..3).map(|_| closed_with_an_open_call()).collect();
    assert!(read.iter().any(|outputs| *outputs == [why]), "{read:?}");
    let failed = |output: &String| output.starts_with('!');
    assert!(
        read.iter().all(|outputs| outputs.len() == 1 && outputs.iter().all(failed)),
        "{read:?}"
    );
}

/// What the agent reads of a tool whose call is open when the client is closed.
fn closed_with_an_open_call() -> Vec<String> {
    let (client, directory) = client();
    client.tool(Tool::new("slow", "Slow")).unwrap();
    let run = client.run(once(&[("slow", json!({}))])).unwrap();
    let call = eventually("the call", || client.next_tool_call(Duration::ZERO));
    let (sender, receiver) = mpsc::channel();
    let waits = client.clone();
    let waiter = std::thread::spawn(move || {
        sender.send(()).unwrap();
        waits.next_tool_call(LIMIT)
    });
    receiver.recv().unwrap();
    let began = Instant::now();
    assert!(client.close().is_none());
    assert!(began.elapsed() < LIMIT / 4, "{:?}", began.elapsed());
    assert!(call.is_over() && waiter.join().unwrap().is_none());
    let error = client.tool(Tool::new("late", "Late")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    let server = &shared().server;
    let mut options = options(server, &server.url());
    options.directory = Some(directory.path().display().to_string());
    let other = Client::new(options).unwrap();
    let (session, message) = (run.session_id().unwrap(), run.message_id().unwrap());
    outputs(&other.resume(&session, &message, Prompt::default()).unwrap())
}

#[test]
fn permissions_name_tools_and_show_in_the_decisions() {
    let (client, _directory) = client();
    client.tool(Tool::new("a", "A").handler(|_| Ok("1".into()))).unwrap();
    client.tool(Tool::new("b", "B").handler(|_| Ok("2".into()))).unwrap();
    let rules = json!([{ "permission": "host_*", "pattern": "*", "action": "ask" }]);
    let made = client.call("session.create", json!({ "permission": rules })).unwrap();
    let made: Value = made.json().unwrap();
    // One after the other: a rejection takes with it what else is asked for.
    let steps = json!([calls(&[("a", json!({}))]), calls(&[("b", json!({}))]), { "text": "end" }]);
    let mut prompt = scripted("ask", steps);
    prompt.session = made["id"].as_str().map(str::to_owned);
    let policy = json!([
        { "permission": "host_*", "reply": "once" },
        { "permission": "host_b", "reply": "reject" },
    ]);
    prompt.permission = Some(PermissionPolicy::from_value(&policy).unwrap());
    let run = client.run(prompt).unwrap();
    let outputs = outputs(&run);
    assert_eq!(outputs[0], "1");
    assert!(outputs[1].starts_with('!'), "{outputs:?}");
    let decided: Vec<_> = reply(&run)
        .decisions
        .iter()
        .map(|decision| (decision.permission.clone(), decision.reply.clone()))
        .collect();
    let wanted = [("host_a", "once"), ("host_b", "reject")];
    for pair in wanted {
        let pair = (pair.0.to_owned(), pair.1.to_owned());
        assert!(decided.contains(&pair), "{decided:?}");
    }
}

#[test]
fn a_stream_of_text_leaves_calls_and_waits_for_calls_end_with_the_client() {
    let (client, _directory) = client();
    client.tool(Tool::new("ask", "Asks the program")).unwrap();
    let (first, second) = std::thread::scope(|scope| {
        let wait = || {
            let call = client.next_tool_call(LIMIT);
            call.map(|call| client.reply_tool(call.id(), "answered").unwrap())
        };
        // Each of two that wait gets a call, though the first call wakes both.
        let waiting = [scope.spawn(wait), scope.spawn(wait)];
        for _ in 0..2 {
            let run = client.run(once(&[("ask", json!({}))])).unwrap();
            let text: Result<Vec<_>, _> = run.text_stream().collect();
            assert_eq!(text.unwrap().concat(), "end");
            assert_eq!(outputs(&run), ["answered"]);
        }
        let [first, second] = waiting.map(|thread| thread.join().unwrap());
        (first, second)
    });
    assert!(first.is_some() && second.is_some());
    let began = Instant::now();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| client.next_tool_call(LIMIT));
        client.close();
        assert!(waiting.join().unwrap().is_none());
    });
    assert!(began.elapsed() < LIMIT);
    assert_eq!(client.check_tools().unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn a_server_of_2_x_calls_tools_as_well() {
    let (client, _directory) = client_of(&shared_two().server);
    let add = |call: &HostToolCall| match number(call) {
        9 => Err("nine is too much".to_owned()),
        n => Ok(ToolAnswer::json(&json!({ "n": n + 1 }))),
    };
    client.tool(Tool::new("add", "Adds one").parameters(numbers()).handler(add)).unwrap();
    client.tool(Tool::new("slow", "Slow")).unwrap();
    let list = [1, 2, 9].map(|n| ("add", json!({ "n": n })));
    let run = client.run(once(&list)).unwrap();
    let given = outputs(&run);
    assert_eq!(given[..2], [r#"{"n":2}"#, r#"{"n":3}"#]);
    assert!(given[2].starts_with('!') && given[2].contains("nine is too much"), "{given:?}");
    let run = client.run(once(&[("slow", json!({}))])).unwrap();
    let call = eventually("the call", || client.next_tool_call(Duration::ZERO));
    assert_eq!(run.cancel(LIMIT), State::Failed);
    eventually("the call is over", || call.is_over().then_some(()));
    client.tool(Tool::new("later", "Later").handler(|_| Ok("learned".into()))).unwrap();
    let run = client.run(once(&[("later", json!({}))])).unwrap();
    assert_eq!(outputs(&run), ["learned"]);
}
