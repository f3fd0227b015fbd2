//! What sessions cost, against the server's own sums.

use opencode_core::{
    CallOptions, Client, ClientOptions, ErrorKind, PermissionPolicy, Prompt, UsageOptions,
};
use opencode_tests::{Directory, Plan, Proxy, prompt, shared};
use serde_json::{Value, json};

fn client(url: &str) -> Client {
    let server = &shared().server;
    let mut options = ClientOptions::default();
    options.base_url = url.to_owned();
    options.username = Some(server.username().to_owned());
    options.password = server.password().map(str::to_owned);
    Client::new(options).unwrap()
}

fn session(client: &Client, id: &str) -> Value {
    client.call("session.get", json!({ "sessionID": id })).unwrap().json().unwrap()
}

fn is_near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

#[test]
fn sums_are_those_of_the_server() {
    let client = client(&shared().server.url());
    let child = prompt(
        "child-usage",
        json!([{ "text": "c", "usage": { "input": 1_000, "output": 7, "reasoning": 3, "cached": 11 } }]),
    );
    let task = json!({ "name": "task", "arguments": {
        "description": "d", "prompt": child, "subagent_type": "general" } });
    let steps = json!([
        { "tools": [task], "usage": { "input": 100, "output": 20, "reasoning": 0, "cached": 5 } },
        { "text": "done", "usage": { "input": 200, "output": 30, "reasoning": 1, "cached": 0 } },
    ]);
    let mut made = Prompt::new(prompt("parent-usage", steps));
    made.permission = Some(PermissionPolicy::from_value(&json!("once")).unwrap());
    let reply = client.ask(made).unwrap();
    let mut options = UsageOptions::default();
    options.messages = true;
    let call = CallOptions::default();
    let tree = client.usage(&reply.session_id, &options, &call).unwrap();
    options.tree = false;
    let alone = client.usage(&reply.session_id, &options, &call).unwrap();
    // One session at a time the server adds up itself.
    let parent = session(&client, &reply.session_id);
    let below = session(&client, &reply.children[0]);
    let cost = |session: &Value| session["cost"].as_f64().unwrap();
    assert!(cost(&parent) > 0.0 && is_near(alone.cost, cost(&parent)), "{alone:?} {parent}");
    assert!(is_near(tree.cost, cost(&parent) + cost(&below)), "{tree:?} {below}");
    let mut tokens = json!(alone.tokens);
    let total = tokens.as_object_mut().unwrap().remove("total");
    assert_eq!((tokens, total), (parent["tokens"].clone(), Some(json!(356))));
    let of_reply = serde_json::from_str::<Value>(&reply.to_json()).unwrap()["tokens"].clone();
    assert_eq!(json!(tree.tokens), of_reply, "one shape for both");
    assert_eq!(tree.tokens, reply.tokens);
    assert!(is_near(tree.cost, reply.cost));
    assert_eq!((alone.count, tree.count, tree.messages.len()), (2, 3, 3));
    assert_eq!(
        tree.sessions.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(),
        [reply.session_id.as_str(), reply.children[0].as_str()]
    );
    assert_eq!(
        tree.agents.iter().map(|s| (s.name.as_str(), s.count)).collect::<Vec<_>>(),
        [("build", 2), ("general", 1)]
    );
    assert_eq!(tree.models.len(), 1);
    let sum: f64 = tree.messages.iter().map(|message| message.cost).sum();
    assert!(is_near(sum, tree.cost));
}

#[test]
fn a_long_session_is_read_page_by_page() {
    let direct = client(&shared().server.url());
    let made: Value = direct.call("session.create", ()).unwrap().json().unwrap();
    let id = made["id"].as_str().unwrap();
    // One answer at the very beginning, behind many messages without one.
    let mut first = Prompt::new(prompt("first-usage", json!([{ "text": "x" }])));
    first.session = Some(id.to_owned());
    direct.ask(first).unwrap();
    for n in 0..120 {
        let body = json!({ "sessionID": id, "noReply": true, "parts": [{ "type": "text", "text": format!("note {n}") }] });
        direct.call("session.prompt", body).unwrap();
    }
    let proxy = Proxy::start(&shared().server.url()).unwrap();
    let usage =
        client(&proxy.url()).usage(id, &UsageOptions::default(), &CallOptions::default()).unwrap();
    assert_eq!((usage.count, usage.tokens.input), (1, 10));
    let pages = proxy.requests().iter().filter(|line| line.contains("/message?")).count();
    assert_eq!(pages, 3, "{:?}", proxy.requests());
}

/// The server cannot show the first message of such a session.
#[test]
fn a_session_that_begins_with_a_format_is_counted() {
    let client = client(&shared().server.url());
    let mut made = Prompt::new(prompt("format-usage", json!([{ "text": "x" }])));
    made.format = Some(json!({ "type": "text" }).into());
    let reply = client.ask(made).unwrap();
    let usage =
        client.usage(&reply.session_id, &UsageOptions::default(), &CallOptions::default()).unwrap();
    assert_eq!((usage.count, usage.tokens.input), (1, 10));
    assert!(is_near(usage.cost, reply.cost) && usage.cost > 0.0);
}

#[test]
fn an_unknown_session_is_told() {
    let client = client(&shared().server.url());
    let usage = |id| client.usage(id, &UsageOptions::default(), &CallOptions::default());
    assert_eq!(usage("ses_none").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(usage("").unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn all_sessions_of_a_directory_are_counted_by_day_and_within_two_moments() {
    let client = client(&shared().server.url());
    let folder = Directory::new("usage").unwrap();
    let directory = folder.path().canonicalize().unwrap().display().to_string();
    let mut replies = Vec::new();
    for words in ["all-1", "all-2"] {
        let mut made = Prompt::new(prompt(words, json!([{ "text": "x" }])));
        made.directory = Some(directory.clone());
        replies.push(client.ask(made).unwrap());
    }
    let call = CallOptions::default();
    let mut options = UsageOptions::default();
    options.directory = Some(directory.clone());
    let whole = client.usage_of_all(&options, &call).unwrap();
    assert_eq!((whole.session_id.as_deref(), whole.count, whole.sessions.len()), (None, 2, 2));
    assert!(is_near(whole.cost, replies[0].cost + replies[1].cost), "{whole:?}");
    let days: u64 = whole.days.iter().map(|day| day.count).sum();
    assert!(days == 2 && whole.days[0].name.starts_with("20"), "{whole:?}");
    // Between both answers.
    let session = session(&client, &replies[1].session_id);
    options.since = session["time"]["created"].as_u64();
    let later = client.usage_of_all(&options, &call).unwrap();
    assert_eq!((later.count, &later.sessions[0].name), (1, &replies[1].session_id));
    (options.since, options.until) = (None, options.since);
    let earlier = client.usage_of_all(&options, &call).unwrap();
    assert_eq!((earlier.count, &earlier.sessions[0].name), (1, &replies[0].session_id));
    options.until = None;
    options.since = Some(u64::MAX);
    assert_eq!(client.usage_of_all(&options, &call).unwrap().count, 0);
    let arguments = json!({ "directory": directory, "since": "2020-01-01" });
    let started = client.start("usage_of_all", arguments).unwrap();
    let answer: Value = started.wait(None).unwrap().unwrap().json().unwrap();
    assert_eq!((&answer["sessionID"], &answer["count"]), (&Value::Null, &json!(2)));
}

#[test]
fn a_session_that_is_deleted_while_all_are_counted_ends_no_sum() {
    let direct = client(&shared().server.url());
    let folder = Directory::new("usage").unwrap();
    let directory = folder.path().canonicalize().unwrap().display().to_string();
    let mut sessions = Vec::new();
    for words in ["stays", "goes"] {
        let mut made = Prompt::new(prompt(words, json!([{ "text": "x" }])));
        made.directory = Some(directory.clone());
        sessions.push(direct.ask(made).unwrap().session_id.clone());
    }
    let mut options = UsageOptions::default();
    options.directory = Some(directory.clone());
    let proxy = Proxy::start(&shared().server.url()).unwrap();
    let through = client(&proxy.url());
    let sum = || through.usage_of_all(&options, &CallOptions::default());
    // What stands before the server says nothing of a session.
    let page = "HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\ncontent-length: 2\r\n\r\nno";
    proxy.always(&format!("GET /session/{}/message*", sessions[1]), Plan::instead(page));
    assert_eq!(sum().unwrap_err().status(), Some(404));
    // It is listed, and deleted before its messages are read.
    let gone = sessions[1].clone();
    proxy.hook(move |asked| {
        if asked.is(&format!("GET /session/{gone}/message*")) {
            let arguments = json!({ "sessionID": gone, "directory": directory });
            direct.call("session.delete", arguments).unwrap();
        }
        Plan::pass()
    });
    let found = sum().unwrap();
    assert_eq!((found.count, &found.sessions[0].name), (1, &sessions[0]), "{found:?}");
}
