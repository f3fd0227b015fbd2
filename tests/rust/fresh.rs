//! The first thing that a client does at a server of 2.x that it knows nothing of: whatever it is, it works.

use crate::client::{options, scripted};
use opencode_core::model::Message;
use opencode_core::{
    CallOptions, Client, Error, ErrorKind, EventOptions, ExportOptions, MessageOptions, Prompt,
    PtyOptions, ReadyOptions, Result, SessionOptions, State, Tool, Update, UsageOptions,
};
use opencode_tests::{Directory, End, LIMIT, Plan, Proxy, Server, shared_two};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// What is there before the client.
struct Known {
    session: String,
    message: String,
    terminal: String,
}

/// What becomes of it when one of its requests is lost.
#[derive(Clone, Copy, PartialEq)]
enum Loss {
    /// Nothing: it is asked again.
    Mended,
    /// It fails with `connection` where the request is one that is sent once.
    Told,
}
use Loss::{Mended, Told};

type Use = fn(&Client, &Known) -> Result<()>;

const WORKS: &[(&str, Loss, Use)] = &[
    ("an operation of both", Mended, |client, _| client.call("v2.session.active", ()).map(drop)),
    ("an operation of 2.x", Mended, |client, _| client.call("v2.server.info", ()).map(drop)),
    ("a POST of both", Told, |client, _| client.call("v2.session.create", json!({})).map(drop)),
    ("a request", Mended, |client, _| {
        client.request("GET", "/api/session/active", &[], None, &CallOptions::default()).map(drop)
    }),
    ("a call in the background", Mended, |client, _| {
        client.start("v2.session.active", ())?.wait(Some(LIMIT)).unwrap().map(drop)
    }),
    ("ask", Mended, |client, _| {
        let reply = client.ask(scripted("fresh", json!([{"text": "done"}])))?;
        assert_eq!(reply.text, "done");
        Ok(())
    }),
    ("a stream of text", Mended, |client, _| {
        let run = client.run(scripted("fresh", json!([{"text": "one two"}])))?;
        let text: Result<String> = run.text_stream().collect();
        assert_eq!(text?, "one two");
        Ok(())
    }),
    ("a prompt with a file", Mended, |client, _| {
        let mut prompt = scripted("fresh", json!([{"text": "seen"}]));
        let part = json!({"type": "file", "filename": "a", "mime": "text/plain", "url": "data:text/plain,a"});
        prompt.parts.push(part.into());
        client.ask(prompt).map(drop)
    }),
    ("a cancel", Told, |client, _| {
        let run =
            client.run(scripted("fresh", json!([{"text": "slow one", "delay_ms": 5_000}])))?;
        while run.next_update(Some(LIMIT)).is_some_and(|update| !matches!(update, Update::Text(_)))
        {
        }
        assert_eq!(run.cancel(LIMIT), State::Failed);
        match run.wait(Some(LIMIT)) {
            Err(error) if error.kind() == ErrorKind::Cancelled => Ok(()),
            other => other.map(drop),
        }
    }),
    ("resume", Mended, |client, known| {
        let run = client.resume(&known.session, &known.message, Prompt::default())?;
        assert_eq!(run.wait(Some(LIMIT))?.text, "known");
        Ok(())
    }),
    ("a tool", Mended, |client, _| {
        client.tool(Tool::new("fresh", "Say it").handler(|_| Ok("yes".into())))?;
        let call = json!([{"tools": [{"name": "host_fresh", "arguments": {}}]}, {"text": "end"}]);
        assert_eq!(client.ask(scripted("fresh", call))?.text, "end");
        Ok(())
    }),
    ("events", Mended, |client, _| {
        let stream = client.events(EventOptions::default())?;
        loop {
            let event = stream.next(Some(LIMIT))?.expect("an event came in time");
            if event.kind() == "stream.connected" {
                return Ok(());
            }
        }
    }),
    ("messages", Mended, |client, known| {
        let pages = client.messages(&known.session, MessageOptions::default());
        let all: Result<Vec<Message>> = pages.collect();
        assert_eq!(all?.len(), 2);
        Ok(())
    }),
    ("sessions", Mended, |client, _| {
        client.sessions(SessionOptions::default()).next().unwrap().map(drop)
    }),
    ("usage", Mended, |client, known| {
        let usage =
            client.usage(&known.session, &UsageOptions::default(), &CallOptions::default())?;
        assert_eq!(usage.tokens.input, 1000);
        Ok(())
    }),
    ("export", Mended, |client, known| {
        let all: Result<String> = client.export(&known.session, ExportOptions::default()).collect();
        assert!(all?.contains("known"));
        Ok(())
    }),
    ("pty", Told, |client, _| {
        let mut options = PtyOptions::default();
        options.command = Some("sh".to_owned());
        options.args = ["-c", "echo x; read y"].map(str::to_owned).to_vec();
        assert!(client.pty(options)?.read(Some(LIMIT))?.is_some());
        Ok(())
    }),
    ("pty_connect", Mended, |client, known| {
        let pty = client.pty_connect(&known.terminal, PtyOptions::default())?;
        let mut all = String::new();
        while !all.contains("here") {
            all += &pty.read(Some(LIMIT))?.expect("a terminal goes on");
        }
        Ok(())
    }),
    ("waiting until it is ready", Mended, |client, _| {
        client.wait_until_ready(&ReadyOptions::default()).map(drop)
    }),
    ("server", Mended, |client, _| client.server().map(drop)),
];

/// What 2.x does not have: said so, with its version.
const REFUSED: &[(&str, Loss, Use)] = &[
    ("a GET", Mended, |client, _| client.call("session.list", ()).map(drop)),
    ("a POST", Told, |client, _| client.call("session.create", json!({})).map(drop)),
    ("a DELETE", Told, |client, known| {
        client.call("session.delete", json!({"sessionID": known.session})).map(drop)
    }),
    ("a path", Told, |client, _| {
        client.request("POST", "/session", &[], Some("{}"), &CallOptions::default()).map(drop)
    }),
    ("tui_prompt", Told, |client, _| client.tui_prompt("x", &CallOptions::default())),
    ("tui_control", Told, |client, _| client.tui_control().next(Some(LIMIT)).map(drop)),
    ("drift", Mended, |client, _| client.drift().map(drop)),
];

fn known(server: &Server) -> (Client, Known) {
    let client = Client::new(options(server, &server.url())).unwrap();
    let steps = json!([{"text": "known", "usage": {"input": 1000, "output": 20}}]);
    let reply = client.ask(scripted("known", steps)).unwrap();
    let made = client.call(
        "v2.pty.create",
        json!({"command": "bash", "args": ["--norc", "-c", "echo here; read x"]}),
    );
    let made: Value = made.unwrap().json().unwrap();
    let known = Known {
        session: reply.session_id.clone(),
        message: reply.message_id.clone(),
        terminal: made["data"]["id"].as_str().unwrap().to_owned(),
    };
    (client, known)
}

/// Uses a fresh client whose nth request is lost; what came, and what was asked.
fn first(
    server: &Server,
    password: Option<&str>,
    lost: Option<usize>,
    using: Use,
    known: &Known,
) -> (Result<()>, Vec<String>) {
    let proxy = Proxy::start(&server.url()).unwrap();
    let count = AtomicUsize::new(0);
    proxy.hook(move |_| match Some(count.fetch_add(1, Ordering::SeqCst)) == lost {
        true => Plan::refuse(End::Reset),
        false => Plan::pass(),
    });
    let mut options = options(server, &proxy.url());
    if let Some(password) = password {
        options.password = Some(password.to_owned());
    }
    let client = Client::new(options).unwrap();
    let result = using(&client, known);
    client.close();
    (result, proxy.requests())
}

/// Each in a thread of its own; what is wrong, in words.
fn all(check: impl Fn(&str, bool, Loss, Use) -> Vec<String> + Sync) {
    let of =
        |list: &'static [(&str, Loss, Use)], works: bool| list.iter().map(move |row| (row, works));
    let wrong: Vec<String> = thread::scope(|scope| {
        let check = &check;
        let threads: Vec<_> = of(WORKS, true)
            .chain(of(REFUSED, false))
            .map(|((name, loss, using), works)| {
                scope.spawn(move || check(name, works, *loss, *using))
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn is_refused(error: &Error) -> bool {
    error.kind() == ErrorKind::Unsupported && error.message().contains("2.0.15")
}

#[test]
fn whatever_is_used_first_works_at_a_server_that_is_not_known_yet_also_when_a_request_is_lost() {
    let server = &shared_two().server;
    let (_keep, known) = known(server);
    all(|name, works, loss, using| {
        let mut wrong = Vec::new();
        for lost in [None, Some(0), Some(1), Some(2)] {
            let (result, asked) = first(server, None, lost, using, &known);
            let is_right = match &result {
                Ok(()) => works,
                Err(error) if lost.is_some() && loss == Told => {
                    error.kind() == ErrorKind::Connection || !works && is_refused(error)
                }
                Err(error) => !works && is_refused(error),
            };
            if !is_right {
                wrong.push(format!("{name}, {lost:?} lost: {result:?}; {asked:?}"));
            }
        }
        wrong
    });
}

#[test]
fn a_wrong_password_is_told_whatever_is_used_first() {
    let server = &shared_two().server;
    let (_keep, known) = known(server);
    all(|name, _, _, using| {
        let (result, asked) = first(server, Some("wrong"), None, using, &known);
        match result {
            Err(error) if error.kind() == ErrorKind::Unauthorized => Vec::new(),
            other => vec![format!("{name}: {other:?}; {asked:?}")],
        }
    });
}

#[test]
fn a_directory_that_both_servers_read_in_two_ways_is_named_right_at_once() {
    let server = &shared_two().server;
    let folder = Directory::new("with%20percent").unwrap();
    let place = folder.path().canonicalize().unwrap().display().to_string();
    let (client, _) = known(server);
    client.call("v2.session.create", json!({"directory": place})).unwrap();
    let fresh = Client::new(options(server, &server.url())).unwrap();
    let listed = fresh.call("v2.session.list", json!({"directory": place})).unwrap();
    let listed: Value = listed.json().unwrap();
    assert_eq!(listed["data"].as_array().unwrap().len(), 1, "{listed}");
}
