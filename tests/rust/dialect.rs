//! Servers of 1.x and of 2.x: which one it is, and what each is asked.

use opencode_core::{CallOptions, Client, ClientOptions, Dialect, ErrorKind, EventOptions};
use opencode_tests::{
    Answer, End, Fake, Generation, LIMIT, Plan, Proxy, Shared, shared, shared_two,
};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn options(shared: &Shared) -> ClientOptions {
    let mut options = ClientOptions::default();
    options.base_url = shared.server.url();
    options.password = shared.server.password().map(str::to_owned);
    options
}

fn client(url: &str) -> Client {
    let mut options = ClientOptions::default();
    options.base_url = url.to_owned();
    options.max_retries = 0;
    Client::new(options).unwrap()
}

/// A server of 2.x before or after it is another one: JSON here, a web page elsewhere.
fn fake(place: &'static str, status: u16, version: &'static str) -> Fake {
    Fake::start(move |request| match request.path() {
        path if path == place => Answer::json(status, &json!({"version": version, "pid": 7})),
        path if path.starts_with("/api/") => Answer::body(404, "text/plain", ""),
        _ => Answer::body(200, "text/html", "<html></html>"),
    })
    .unwrap()
}

#[test]
fn a_client_tells_what_its_server_is() {
    for (shared, version, dialect) in
        [(shared(), "1.18.33", Dialect::One), (shared_two(), "2.0.15", Dialect::Two)]
    {
        let info = Client::new(options(shared)).unwrap().server().unwrap();
        assert_eq!((info.version.as_str(), info.dialect), (version, dialect));
        let mut stranger = options(shared);
        stranger.password = None;
        let error = Client::new(stranger).unwrap().server().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
    }
}

#[test]
fn servers_that_start_and_the_first_of_2_x_are_told() {
    // While it starts, a server says what it is with 503.
    let starting = fake("/api/info", 503, "2.0.9");
    let info = client(&starting.url()).server().unwrap();
    assert_eq!((info.version.as_str(), info.is_early()), ("2.0.9", false));
    let first = fake("/api/health", 200, "2.0.2");
    let early = client(&first.url());
    let info = early.server().unwrap();
    assert_eq!((info.dialect, info.is_early()), (Dialect::Two, true));
    let found = early.doctor().to_string();
    assert!(found.contains("2.0.2 (an early version of 2.x)"), "{found}");
    // What says no version at all is something else; 1.x says so much at this place.
    let page = fake("/nowhere", 200, "2.0.9");
    let error = client(&page.url()).server().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
}

#[test]
fn one_lost_request_does_not_hide_what_a_server_is() {
    for end in [End::Reset, End::Close] {
        let proxy = Proxy::start(&shared_two().server.url()).unwrap();
        proxy.once("GET /api/info", Plan::refuse(end));
        let mut options = options(shared_two());
        options.base_url = proxy.url();
        let error = Client::new(options).unwrap().call("session.list", ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.message().contains("2.0.15"), "{error}");
    }
}

#[test]
fn what_2_x_does_not_have_is_unsupported_and_is_not_sent_again() {
    let shared = shared_two();
    let proxy = Proxy::start(&shared.server.url()).unwrap();
    let mut options = options(shared);
    options.base_url = proxy.url();
    let client = Client::new(options).unwrap();
    let refused = |operation: &str, arguments: serde_json::Value| {
        let error = client.call(operation, arguments).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.message().contains("this is an OpenCode 2.0.15 server"), "{error}");
        assert_eq!(error.operation(), operation);
    };
    // 405 for the one, a web page for the other.
    refused("session.create", json!({}));
    refused("session.list", json!({"directory": "/tmp"}));
    refused("session.abort", json!({"sessionID": "ses_1"}));
    let requests = proxy.requests();
    let sent = |path: &str| requests.iter().filter(|line| line.contains(path)).count();
    assert_eq!(sent("/session"), 1, "{requests:?}");
    assert_eq!(sent("directory="), 0, "{requests:?}");
    // What both have needs no question.
    let before = proxy.requests().len();
    client.call("v2.session.active", ()).unwrap();
    assert_eq!(proxy.requests().len(), before + 1);
    // Events have a way for each.
    let stream = client.events(EventOptions::default()).unwrap();
    assert!(stream.next(Some(LIMIT)).unwrap().is_some());
}

#[test]
fn what_a_server_does_not_have_is_named_with_what_does_it_there() {
    let client = |shared| Client::new(options(shared)).unwrap();
    let (one, two) = (client(shared()), client(shared_two()));
    let session = json!({"sessionID": "ses_1"});
    for (client, operation, arguments, part) in [
        (&two, "session.create", json!({}), "use v2.session.create"),
        (&two, "session.messages", session.clone(), "use v2.session.messages"),
        (&two, "v2.session.wait", session.clone(), "use v2.experimental.session.wait"),
        (&two, "tui.open_help", json!({}), "2.x has nothing in its place"),
        (&one, "v2.session.fork", session, "is one of 2.x"),
        (&one, "v2.server.info", json!({}), "this is an OpenCode 1.18.33 server"),
    ] {
        // The second time it is refused before it is sent.
        for _ in 0..2 {
            let error = client.call(operation, arguments.clone()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            assert!(error.message().contains(part), "{error}");
        }
    }
}

#[test]
fn a_session_of_2_x_is_made_in_the_directory_of_the_call_or_of_the_client() {
    let shared = shared_two();
    let place = opencode_tests::Directory::new("place").unwrap();
    let wanted = place.path().display().to_string();
    let mut options = options(shared);
    options.directory = Some(wanted.clone());
    let client = Client::new(options).unwrap();
    for arguments in [json!({}), json!({"directory": wanted})] {
        let made: serde_json::Value =
            client.call("v2.session.create", arguments).unwrap().json().unwrap();
        assert_eq!(made["data"]["location"]["directory"], wanted, "{made}");
    }
    let other = shared.server.directory().display().to_string();
    let given = json!({"location": {"directory": other}});
    let made: serde_json::Value = client.call("v2.session.create", given).unwrap().json().unwrap();
    assert_eq!(made["data"]["location"]["directory"], other, "{made}");
}

#[test]
fn a_server_of_1_x_is_asked_nothing_more_than_before() {
    let proxy = Proxy::start(&shared().server.url()).unwrap();
    let mut options = options(shared());
    options.base_url = proxy.url();
    let client = Client::new(options).unwrap();
    client.call("session.list", ()).unwrap();
    client.call("session.get", json!({"sessionID": "ses_none"})).unwrap_err();
    assert_eq!(proxy.requests().len(), 2, "{:?}", proxy.requests());
}

#[test]
fn a_server_that_takes_the_place_of_the_other_generation_is_noticed() {
    let is_two = Arc::new(AtomicBool::new(true));
    let state = Arc::clone(&is_two);
    let fake = Fake::start(move |request| match (state.load(Ordering::SeqCst), request.path()) {
        (true, "/api/info") => Answer::json(200, &json!({"version": "2.0.15", "pid": 7})),
        (false, "/global/health") => Answer::json(200, &json!({"version": "1.18.33"})),
        (false, "/session") => Answer::json(200, &json!([])),
        (true, _) if request.method == "GET" => Answer::body(200, "text/html", "<html></html>"),
        _ => Answer::body(405, "text/plain", ""),
    })
    .unwrap();
    let client = client(&fake.url());
    for two in [true, true, false, false, true] {
        is_two.store(two, Ordering::SeqCst);
        let result = client.call("session.list", ());
        assert_eq!(result.is_err(), two, "{result:?}");
        if let Err(error) = result {
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        }
    }
}

#[test]
fn a_dialect_that_is_given_is_kept_to() {
    let fake = fake("/api/info", 200, "2.0.15");
    let mut options = ClientOptions::default();
    options.base_url = fake.url();
    options.dialect = Some(Dialect::Two);
    let client = Client::new(options).unwrap();
    let error = client.call("session.list", ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.message().contains("made for servers of 2.x only"), "{error}");
    assert!(fake.requests().is_empty());
    let options = ClientOptions::from_json(r#"{"dialect": 1}"#).unwrap();
    assert_eq!(options.dialect, Some(Dialect::One));
    assert_eq!(ClientOptions::from_json(r#"{"dialect": "auto"}"#).unwrap().dialect, None);
    let error = ClientOptions::from_json(r#"{"dialect": 3}"#).unwrap_err();
    assert!(error.message().contains("\"auto\", 1 or 2"), "{error}");
}

#[test]
fn a_client_that_is_held_to_the_other_generation_is_told_so() {
    for (shared, chosen) in [(shared(), Dialect::Two), (shared_two(), Dialect::One)] {
        let mut options = options(shared);
        options.dialect = Some(chosen);
        let client = Client::new(options).unwrap();
        let told = |error: opencode_core::Error| {
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            let text = error.message();
            assert!(text.contains("make one with dialect \"auto\""), "{error}");
            assert!(text.contains(&format!("servers of {} only", chosen.as_str())), "{error}");
        };
        told(client.ask("hello").unwrap_err());
        let unknown = match chosen {
            Dialect::Two => client.call("v2.session.inbox.list", json!({"sessionID": "ses_x"})),
            _ => client.call("config.get", ()),
        };
        told(unknown.unwrap_err());
    }
    // What a server says to who chose right stays what it is.
    let mut right = options(shared());
    right.dialect = Some(Dialect::One);
    let error = Client::new(right).unwrap().call("session.get", json!({"sessionID": "ses_x"}));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_client_that_is_held_to_2_x_changes_nothing_on_1_x() {
    let shared = shared();
    let sessions = || {
        let listed = Client::new(options(shared)).unwrap().call("session.list", ()).unwrap();
        let listed: Vec<serde_json::Value> = listed.json().unwrap();
        listed.iter().filter(|session| session["title"] == "held to 2.x").count()
    };
    let mut options = options(shared);
    options.dialect = Some(Dialect::Two);
    let client = Client::new(options).unwrap();
    let mut prompt = opencode_core::Prompt::new("hello");
    prompt.title = Some("held to 2.x".to_owned());
    let arguments = json!({ "title": "held to 2.x" });
    for error in [
        client.run(prompt).unwrap().wait(Some(LIMIT)).unwrap_err(),
        client.call("v2.session.create", arguments).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.message().contains("1.18.33 server, and the client was made for"), "{error}");
    }
    assert_eq!(sessions(), 0, "a session is left");
    // One that chose right asks once.
    let proxy = Proxy::start(&shared_two().server.url()).unwrap();
    let mut right = self::options(shared_two());
    (right.base_url, right.dialect) = (proxy.url(), Some(Dialect::Two));
    let client = Client::new(right).unwrap();
    for _ in 0..3 {
        client.call("v2.session.create", json!({})).unwrap();
    }
    let requests = proxy.requests();
    assert!(requests.len() <= 3 * 2 + 2, "{requests:?}");
}

/// A server of 1.x that does not reach the web, where it looks for whatever it does not know.
fn alone(paths: serde_json::Value) -> Fake {
    Fake::start(move |request| match request.path() {
        "/doc" => Answer::json(200, &json!({ "info": { "title": "opencode" }, "paths": paths })),
        "/global/health" if paths.get("/global/health").is_some() => {
            Answer::json(200, &json!({ "healthy": true, "version": "1.3.2" }))
        }
        _ => Answer::json(
            500,
            &json!({ "name": "UnknownError", "data": {
                "message": "Error: Unable to connect. Is the computer able to access the url?\n    at x",
            } }),
        ),
    })
    .unwrap()
}

#[test]
fn a_server_that_is_too_old_is_told_also_where_it_does_not_reach_the_web() {
    let old = alone(json!({ "/session": {} }));
    let client = client(&old.url());
    let error = client.server().unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unsupported, Some("too_old")), "{error}");
    assert!(error.message().contains("needs 1.1 or newer"), "{error}");
    let found = client.doctor().to_string();
    assert!(found.contains("npm install -g opencode-ai@1"), "{found}");
    let error = client.call("v2.pty.create", json!({})).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unsupported, Some("too_old")), "{error}");
    // A failure of one that is not too old stays what it is.
    let broken = Fake::start(|request| match request.path() {
        "/doc" => Answer::json(
            200,
            &json!({ "info": { "title": "opencode" }, "paths": { "/global/health": {} } }),
        ),
        _ => Answer::body(500, "text/plain", ""),
    })
    .unwrap();
    let error = self::client(&broken.url()).server().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server, "{error}");
}

#[test]
fn an_operation_that_an_older_server_does_not_have_names_the_version_that_has_it() {
    let fake = alone(json!({ "/global/health": {}, "/session": {}, "/session/{id}": {} }));
    let client = client(&fake.url());
    let version = Client::new(options(shared())).unwrap().server().unwrap().version;
    for operation in ["v2.model.list", "mcp.status"] {
        let error = client.call(operation, ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        let wanted = format!(
            "OpenCode 1.3.2 server, which does not have the operation yet; {version} has it"
        );
        assert!(error.message().contains(&wanted), "{error}");
    }
    // What it has and fails at stays what it is.
    let error = client.call("session.get", json!({ "sessionID": "ses_1" })).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server, "{error}");
}

const OF_ONE: &[&str] =
    &["session.create", "app.agents", "config.providers", "command.list", "mcp.status"];

#[test]
fn a_directory_that_only_the_server_has_is_worked_in() {
    // The server is behind a port of this machine, and sees other files.
    let fake = Fake::start(|request| match request.path() {
        "/file" | "/agent" => Answer::json(200, &json!([])),
        _ => Answer::body(404, "text/plain", ""),
    })
    .unwrap();
    let mut options = ClientOptions::default();
    options.base_url = fake.url();
    options.directory = Some("/only/over/there".to_owned());
    let client = Client::new(options).unwrap();
    for _ in 0..3 {
        client.call("app.agents", ()).unwrap();
    }
    let asked: Vec<String> = fake.requests().iter().map(|asked| asked.path().to_owned()).collect();
    assert_eq!(asked, ["/file", "/agent", "/agent", "/agent"]);
}

#[test]
fn a_directory_that_is_not_there_is_a_clear_error() {
    for shared in [shared(), shared_two()] {
        let mut options = options(shared);
        options.directory = Some("/no/such/folder".to_owned());
        let client = Client::new(options).unwrap();
        for operation in ["v2.location.get", "v2.agent.list", "v2.model.list"] {
            let error = client.call(operation, ()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
            assert!(error.message().contains("no directory '/no/such/folder'"), "{error}");
        }
        let error = client.call("v2.session.create", json!({})).unwrap_err();
        assert!(error.message().contains("no directory '/no/such/folder'"), "{error}");
        for operation in
            if shared.server.generation() == Generation::Two { &[][..] } else { OF_ONE }
        {
            let error = client.call(operation, json!({})).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{operation}: {error}");
            assert!(error.message().contains("no directory '/no/such/folder'"), "{error}");
        }
        let error = client.ask("hello").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        // What is stored of sessions may be of a directory that is gone.
        let stored = if shared.server.generation() == Generation::Two {
            "v2.session.list"
        } else {
            "session.list"
        };
        assert!(client.call(stored, ()).unwrap().is_json());
        // Another failure stays what it is.
        let directory = shared.server.directory().display().to_string();
        let arguments = json!({"directory": directory, "path": "no/such/folder"});
        let error = client.call("v2.fs.list", arguments).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server, "{error}");
    }
}

#[test]
fn a_path_of_the_hosts_own_that_the_server_does_not_have_is_unsupported_and_names_the_way() {
    let client = Client::new(options(shared_two())).unwrap();
    let ask = |method: &str, path: &str| {
        let body = (method == "POST").then_some("{}");
        client.request(method, path, &[], body, &CallOptions::default())
    };
    for (method, path, way) in [
        ("GET", "/session", "use GET /api/session (v2.session.list)"),
        ("POST", "/session", "use POST /api/session (v2.session.create)"),
        ("GET", "/session/ses_1/message", "use GET /api/session/{sessionID}/message"),
        ("DELETE", "/session/ses_1", "use DELETE /api/session/{sessionID}"),
        ("GET", "/find?pattern=x", "2.x has nothing in its place"),
        ("GET", "/nowhere", "it has no such path; its own are below /api"),
        ("POST", "/nowhere", "it has no such path; its own are below /api"),
        ("GET", "/", "send the header accept: text/html"),
    ] {
        let error = ask(method, path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{method} {path}: {error}");
        assert!(error.message().contains(way), "{method} {path}: {error}");
        assert!(error.message().contains("2.0.15"), "{method} {path}: {error}");
    }
    // What is there is no page, and a file may be one.
    assert!(ask("GET", "/api/session").unwrap().is_json());
    assert_eq!(ask("GET", "/api/nowhere").unwrap_err().kind(), ErrorKind::NotFound);
    let file = shared_two().server.directory().join("page.html");
    std::fs::write(&file, "<!doctype html><p>mine").unwrap();
    let file = ask("GET", "/api/fs/read/page.html").unwrap();
    assert_eq!(file.text().unwrap(), "<!doctype html><p>mine");
    let read = client.call("v2.fs.read", json!({ "path": "page.html" })).unwrap();
    assert_eq!(read.text().unwrap(), "<!doctype html><p>mine");
    // Who asks for a page is given it.
    let mut page = CallOptions::default();
    page.headers = vec![("Accept".to_owned(), "text/html".to_owned())];
    let given = client.request("GET", "/", &[], None, &page).unwrap();
    assert!(given.text().unwrap().contains("<html"));
    let error = Client::new(options(shared())).unwrap();
    let error = error.request("GET", "/api/fs/nowhere", &[], None, &CallOptions::default());
    assert!(error.is_err(), "{error:?}");
}
