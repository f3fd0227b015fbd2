//! Long lists, page by page: everything once, in order, in constant memory.

use crate::client::options;
use crate::run::client;
use opencode_core::model::{Message, MessageInfo, Part};
use opencode_core::{
    CallOptions, Client, ClientOptions, ErrorKind, MessageOptions, Scope, SessionOptions,
};
use opencode_tests::{Answer, Directory, Fake, eventually, shared};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn page(size: usize) -> MessageOptions {
    let mut options = MessageOptions::default();
    options.page = size;
    options
}

fn sessions_of(directory: &str, size: usize) -> SessionOptions {
    let mut options = SessionOptions::default();
    options.directory = Some(directory.to_owned());
    options.page = size;
    options
}

fn session(client: &Client) -> String {
    let session: Value = client.call("session.create", json!({})).unwrap().json().unwrap();
    session["id"].as_str().unwrap().to_owned()
}

/// Stores a message without an answer; `more` is added to the request.
fn note(client: &Client, session: &str, text: &str, more: Value) {
    let mut arguments = json!({
        "sessionID": session, "noReply": true, "parts": [{ "type": "text", "text": text }],
    });
    for (name, value) in more.as_object().unwrap() {
        arguments[name] = value.clone();
    }
    client.call("session.prompt", arguments).unwrap();
}

fn texts(messages: impl Iterator<Item = opencode_core::Result<Message>>) -> Vec<String> {
    messages.map(|message| message.unwrap().text()).collect()
}

fn newest_first(numbers: impl DoubleEndedIterator<Item = usize>) -> Vec<String> {
    numbers.rev().map(|number| number.to_string()).collect()
}

#[test]
fn messages_come_once_and_newest_first() {
    let client = client(false);
    let session = session(&client);
    for i in 0..500 {
        note(&client, &session, &i.to_string(), json!({}));
    }
    for size in [1_000, 50, 7] {
        assert_eq!(texts(client.messages(&session, page(size))), newest_first(0..500), "{size}");
    }
    assert_eq!(texts(client.messages(&session, page(50)).take(2)), ["499", "498"]);
    let messages = client.messages(&session, page(500));
    assert!(matches!(messages.last().unwrap().unwrap().info, MessageInfo::User(_)));
}

#[test]
fn an_empty_session_and_an_unknown_one() {
    let client = client(false);
    assert_eq!(client.messages(&session(&client), page(5)).count(), 0);
    let mut unknown = client.messages("ses_none", page(5));
    assert_eq!(unknown.next().unwrap().unwrap_err().kind(), ErrorKind::NotFound);
    assert!(unknown.next().is_none(), "an error is the end");
}

#[test]
fn a_prompt_with_a_format_hides_nothing_else() {
    let client = client(false);
    let format = json!({ "format": { "type": "text" } });
    for poisoned in 0..7 {
        let session = session(&client);
        for i in 0..7 {
            let more = if i == poisoned { format.clone() } else { json!({}) };
            note(&client, &session, &i.to_string(), more);
        }
        for size in [1, 2, 7, 50] {
            let mut messages = client.messages(&session, page(size));
            // At the very beginning it cannot be had.
            let wanted = newest_first(usize::from(poisoned == 0)..7);
            assert_eq!(texts(messages.by_ref()), wanted, "{poisoned} {size}");
            assert_eq!(messages.is_complete(), poisoned != 0);
        }
    }
}

#[test]
fn messages_that_a_revert_took_back_are_marked() {
    let client = client(false);
    let session = session(&client);
    for i in 0..5 {
        note(&client, &session, &i.to_string(), json!({}));
    }
    let reverted = |size| -> Vec<String> {
        let messages = client.messages(&session, page(size)).map(Result::unwrap);
        messages.filter(|message| message.reverted).map(|message| message.text()).collect()
    };
    assert_eq!(reverted(2), [""; 0]);
    let third = client.messages(&session, page(50)).nth(2).unwrap().unwrap();
    let arguments = json!({ "sessionID": session, "messageID": third.id() });
    client.call("session.revert", arguments).unwrap();
    for size in [1, 2, 50] {
        assert_eq!(reverted(size), newest_first(2..5), "{size}");
        assert_eq!(texts(client.messages(&session, page(size))), newest_first(0..5));
    }
    client.call("session.unrevert", json!({ "sessionID": session })).unwrap();
    assert_eq!(reverted(2), [""; 0]);
}

#[test]
fn messages_of_a_real_answer_have_their_types() {
    let client = client(true);
    let steps = json!([
        { "reasoning": "hm", "text": "see", "tools": [{ "name": "glob", "arguments": { "pattern": "*.x" } }] },
        { "text": "done" },
    ]);
    let reply = client.ask(opencode_tests::prompt("typed", steps)).unwrap();
    let messages: Vec<_> =
        client.messages(&reply.session_id, page(2)).map(Result::unwrap).collect();
    assert_eq!(messages.len(), 3);
    let MessageInfo::Assistant(last) = &messages[0].info else { panic!("{messages:?}") };
    assert_eq!(last.finish.as_deref(), Some("stop"));
    assert!(last.time.completed.unwrap() >= last.time.created && last.tokens.total() > 0);
    assert_eq!(messages[0].text(), "done");
    let tool = messages[1].parts.iter().find_map(|part| match part {
        Part::Tool(tool) => Some(tool),
        _ => None,
    });
    assert_eq!(tool.unwrap().tool, "glob");
    assert_eq!(tool.unwrap().state.status, "completed");
    let kinds: Vec<_> = messages[1].parts.iter().map(Part::kind).collect();
    assert!(kinds.contains(&"reasoning") && kinds.contains(&"step-start"), "{kinds:?}");
    assert!(messages[1].parts.iter().all(|part| part.id().starts_with("prt_")));
    let MessageInfo::User(user) = &messages[2].info else { panic!("{messages:?}") };
    assert_eq!((last.parent_id.as_str(), user.model.provider_id.as_str()), (&*user.id, "local"));
}

/// A server with so many messages, which counts the requests.
fn many(total: usize, asked: Arc<AtomicUsize>) -> Fake {
    let filler = "x".repeat(2_000);
    Fake::start(move |request| {
        asked.fetch_add(1, Ordering::SeqCst);
        let number = |name: &str| {
            let (_, query) = request.target.split_once('?')?;
            query.split('&').find_map(|pair| pair.strip_prefix(name)?.parse::<usize>().ok())
        };
        let end = number("before=").unwrap_or(total);
        let begin = end.saturating_sub(number("limit=").unwrap());
        let list: Vec<_> = (begin..end)
            .map(|i| json!({ "info": { "id": format!("msg_{i}"), "role": "user" }, "filler": filler }))
            .collect();
        let body = Value::from(list).to_string();
        let cursor = if begin > 0 { format!("x-next-cursor: {begin}\r\n") } else { String::new() };
        let length = body.len();
        Answer::silence().send(format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{cursor}content-length: {length}\r\n\r\n{body}"
        ))
    })
    .unwrap()
}

#[test]
fn ten_thousand_messages_take_the_memory_of_a_page() {
    let asked = Arc::new(AtomicUsize::new(0));
    let server = many(10_000, Arc::clone(&asked));
    let mut options = ClientOptions::default();
    options.base_url = server.url();
    let client = Client::new(options).unwrap();
    let mut messages = client.messages("ses_1", page(100));
    let (mut count, mut held) = (0, 0);
    while let Some(message) = messages.next_json(&CallOptions::default()).unwrap() {
        assert!(message.get().contains(&format!("msg_{}\"", 9_999 - count)));
        count += 1;
        let shown = format!("{messages:?}");
        let now = shown.split("held: ").nth(1).unwrap().split(',').next().unwrap();
        held = held.max(now.parse::<usize>().unwrap());
    }
    assert_eq!((count, held), (10_000, 99), "never more than a page");
    assert_eq!(asked.load(Ordering::SeqCst), 101, "the pages, and what was taken back");
    // Nothing is fetched that nobody asked for.
    let mut messages = client.messages("ses_1", page(100));
    assert!(messages.next().unwrap().is_ok());
    assert_eq!(asked.load(Ordering::SeqCst), 103);
}

#[test]
fn sessions_come_once_and_beyond_the_hundred() {
    let client = client(false);
    let folder = Directory::new("many").unwrap();
    let directory = folder.path().to_str().unwrap();
    for i in 0..230 {
        let arguments = json!({ "directory": directory, "title": i.to_string() });
        client.call("session.create", arguments).unwrap();
    }
    let list: Vec<Value> =
        client.call("session.list", json!({ "directory": directory })).unwrap().json().unwrap();
    assert_eq!(list.len(), 100, "what the server gives by itself");
    for size in [1_000, 50, 3] {
        let all: Vec<_> =
            client.sessions(sessions_of(directory, size)).map(Result::unwrap).collect();
        let ids: HashSet<_> = all.iter().map(|session| session.id.clone()).collect();
        assert_eq!((all.len(), ids.len()), (230, 230), "page of {size}");
        assert!(all.is_sorted_by(|a, b| a.time.updated >= b.time.updated));
        assert!(all.iter().all(|session| session.directory == directory));
    }
    let mut search = sessions_of(directory, 2);
    search.search = Some("22".to_owned());
    let found: Vec<_> = client.sessions(search).map(|session| session.unwrap().title).collect();
    assert_eq!(found.len(), 12, "{found:?}");
}

#[test]
fn sessions_of_all_directories_of_one_and_of_the_servers_own() {
    let server = &shared().server;
    let own = Directory::new("sessions").unwrap();
    let mut options = options(server, &server.url());
    options.directory = Some(own.path().to_str().unwrap().to_owned());
    let (mine, plain) = (Client::new(options).unwrap(), client(false));
    let inside = session(&mine);
    let outside = session(&plain);
    let ids = |client: &Client, options: SessionOptions| -> HashSet<String> {
        client.sessions(options).map(|session| session.unwrap().id).collect()
    };
    assert_eq!(ids(&mine, SessionOptions::default()), HashSet::from([inside.clone()]));
    let servers = ids(&plain, SessionOptions::default());
    assert!(servers.contains(&outside) && !servers.contains(&inside));
    let mut global = SessionOptions::default();
    global.scope = Scope::Global;
    let all = ids(&mine, global);
    assert!(all.contains(&outside) && all.contains(&inside));
    mine.call("session.update", json!({ "sessionID": inside, "time": { "archived": 1 } })).unwrap();
    let mut open = SessionOptions::default();
    open.archived = false;
    eventually("the session to be put away", || ids(&mine, open.clone()).is_empty().then_some(()));
    assert_eq!(ids(&mine, SessionOptions::default()).len(), 1, "those too");
}

#[test]
fn sessions_of_the_same_moment_are_not_lost() {
    // Times repeat: 1, 40 times 2, then one each.
    let times: Vec<u64> = (0..60)
        .map(|i| {
            if i < 10 {
                1_000 - i
            } else if i < 50 {
                500
            } else {
                400 - i
            }
        })
        .collect();
    let server = Fake::start(move |request| {
        let number = |name: &str| {
            let (_, query) = request.target.split_once('?')?;
            query.split('&').find_map(|pair| pair.strip_prefix(name)?.parse::<u64>().ok())
        };
        let (cursor, limit) = (number("cursor=").unwrap_or(u64::MAX), number("limit=").unwrap());
        let list: Vec<_> = times
            .iter()
            .enumerate()
            .filter(|(_, time)| **time < cursor)
            .take(limit as usize)
            .map(|(i, time)| json!({ "id": format!("ses_{i}"), "time": { "updated": time } }))
            .collect();
        Answer::json(200, &Value::from(list))
    })
    .unwrap();
    let mut options = ClientOptions::default();
    options.base_url = server.url();
    let client = Client::new(options).unwrap();
    for size in [1, 3, 20, 60, 100] {
        let ids: Vec<_> =
            client.sessions(sessions_of("/p", size)).map(|session| session.unwrap().id).collect();
        let wanted: Vec<_> = (0..60).map(|i| format!("ses_{i}")).collect();
        assert_eq!(ids, wanted, "page of {size}");
    }
}
