//! What the wire can bring: servers that lie, connections that break, addresses with everything in them.

use crate::client::options;
use crate::run::client;
use opencode_core::{CallOptions, Client, ClientOptions, Error, ErrorKind, Interrupt, Level, Log};
use opencode_tests::{Answer, Directory, Fake, Model, Server, shared};
use serde_json::{Value, json};
use std::io::{BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// What no text should do to a request.
const STRANGE: [&str; 14] = [
    "a/b",
    "a?b=c",
    "a#b",
    "100%",
    "%2F",
    "%zz",
    "a b+c&d",
    "ä€😀",
    "..%2f..",
    "a\nb",
    "a\rb",
    "a\0b",
    "\"'<>\\^`{}|",
    "*",
];

fn to(url: &str) -> Client {
    let mut options = ClientOptions::default();
    options.base_url = url.to_owned();
    options.max_retries = 0;
    Client::new(options).unwrap()
}

fn fails(client: &Client, operation: &str, arguments: Value) -> Error {
    let error = client.call(operation, arguments).unwrap_err();
    assert!(error.message().starts_with(&format!("{operation}: ")), "{error}");
    assert_eq!(error.operation(), operation, "{error}");
    error
}

/// A server that says always the same bytes and then closes the connection.
fn says(bytes: impl Into<Vec<u8>>) -> Fake {
    let bytes = bytes.into();
    Fake::start(move |_| Answer::silence().send(bytes.clone()).close()).unwrap()
}

#[test]
fn an_id_is_one_piece_of_the_path_whatever_is_in_it() {
    let fake = Fake::start(|_| Answer::json(200, &json!({}))).unwrap();
    for id in STRANGE {
        to(&fake.url()).call("session.message", json!({"sessionID": id, "messageID": id})).unwrap();
        let target = fake.requests().last().unwrap().target.clone();
        let pieces: Vec<_> = target.split('/').collect();
        assert_eq!((pieces.len(), pieces[1], pieces[3]), (5, "session", "message"), "{target}");
        assert!(pieces[2] == pieces[4] && pieces[2].is_ascii(), "{target}");
    }
    // The real server takes it for an id, and not for another path.
    for id in STRANGE {
        let error = fails(&client(false), "session.get", json!({"sessionID": format!("ses_{id}")}));
        assert_eq!(
            (error.kind(), error.code()),
            (ErrorKind::NotFound, Some("NotFoundError")),
            "{id:?}: {error}"
        );
    }
    for id in ["", ".", ".."] {
        let error = fails(&client(false), "session.get", json!({"sessionID": id}));
        assert_eq!((error.kind(), error.is_sent()), (ErrorKind::InvalidArgument, false), "{id}");
    }
}

#[test]
fn a_directory_and_a_file_may_have_any_name() {
    let client = client(false);
    let folder = Directory::new("names").unwrap();
    // But a backslash: the server takes it for a slash.
    for name in
        ["a?b=c&d", "a#b", "100%", "%2F", "a%20b", "a b+c", "ä€😀", "\"'<>^`{}|", "a\nb", "*"]
    {
        let directory = folder.path().join(name);
        std::fs::create_dir(&directory).unwrap();
        std::fs::write(directory.join(name), format!("in {name}")).unwrap();
        let directory = directory.to_str().unwrap();
        let mut call = CallOptions::default();
        call.directory = Some(directory.to_owned());
        // What the server would take for another directory in a session is refused; one of somebody else can be read.
        let made = match name.contains("%2") {
            true => {
                let body = json!({"title": name}).to_string();
                client.request("POST", "/session", &[], Some(body.as_str()), &call)
            }
            false => {
                let arguments = json!({"directory": directory, "title": name});
                client.call("session.create", arguments)
            }
        };
        let session: Value = made.unwrap().json().unwrap();
        assert_eq!((&session["directory"], &session["title"]), (&json!(directory), &json!(name)));
        let arguments = json!({"directory": directory, "path": name});
        let file: Value = client.call("file.read", arguments).unwrap().json().unwrap();
        assert_eq!(file["content"], format!("in {name}"));
        let path = client.request("GET", "/path", &[], None, &call).unwrap();
        assert_eq!(path.json::<Value>().unwrap()["directory"], directory);
        let arguments = json!({"directory": directory, "limit": 5});
        let found = client.call("experimental.session.list", arguments).unwrap();
        assert_eq!(found.json::<Value>().unwrap()[0]["id"], session["id"]);
        let mut options = options(&shared().server, &shared().server.url());
        options.directory = Some(directory.to_owned());
        let mut sessions = Client::new(options).unwrap().sessions(Default::default());
        assert_eq!(sessions.next().unwrap().unwrap().id, session["id"].as_str().unwrap());
    }
}

#[test]
fn a_request_without_a_body_says_so() {
    let fake = Fake::start(|_| Answer::json(200, &json!(true))).unwrap();
    let client = to(&fake.url());
    client.call("session.abort", json!({"sessionID": "ses_1"})).unwrap();
    client.request("POST", "/x", &[], None, &CallOptions::default()).unwrap();
    client.request("PUT", "/x", &[], None, &CallOptions::default()).unwrap();
    client.call("session.delete", json!({"sessionID": "ses_1"})).unwrap();
    for request in fake.requests() {
        // Strict proxies refuse a body in chunks of which nobody knows the length.
        assert_eq!(request.header("transfer-encoding"), None, "{request:?}");
        let length = if request.method == "DELETE" { None } else { Some("0") };
        assert_eq!(request.header("content-length"), length, "{request:?}");
    }
}

#[test]
fn a_server_that_repeats_the_request_shows_no_secret() {
    /// What a client sends, in each of the forms in which it may come back.
    const SECRETS: [&str; 5] =
        ["hunter2\"pass", "b3BlbmNvZGU6aHVudGVyMiJwYXNz", "own-token-1", "call-token-2", "tok3n"];
    let fake = Fake::start(|request| {
        let said = format!("{} {} {:?}", request.method, request.target, request.headers);
        // The headers of one call are the secrets of that call.
        let own: Vec<&str> = SECRETS.into_iter().filter(|s| !s.starts_with("call")).collect();
        let words = format!("{said} {}", own.join(" "));
        match request.path() {
            "/session" => Answer::json(400, &json!({"name": "Echo", "data": {"message": words}})),
            "/path" => Answer::body(500, "text/plain", words),
            "/config" => Answer::body(200, "text/html", format!("<html>{words}")),
            "/agent" => Answer::json(200, &json!({ "echo": words })),
            "/command" => Answer::json(200, &json!([])),
            _ => Answer::body(418, "text/plain", words),
        }
    })
    .unwrap();
    let folder = Directory::new("echo").unwrap();
    let record = folder.path().join("tape.jsonl");
    let lines: Arc<std::sync::Mutex<Vec<String>>> = Arc::default();
    let sink = Arc::clone(&lines);
    let mut options = ClientOptions::default();
    options.base_url = fake.url();
    options.password = Some(SECRETS[0].to_owned());
    let own = [("X-Own", SECRETS[2]), ("Cookie", "a=b; session=tok3n")];
    options.headers = own.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    options.record = Some(record.clone());
    options.log = Log::new(Level::Debug, move |_, text| sink.lock().unwrap().push(text.to_owned()));
    options.max_retries = 0;
    let client = Client::new(options).unwrap();
    let mut call = CallOptions::default();
    call.headers = vec![("Authorization".to_owned(), format!("Bearer {}", SECRETS[3]))];
    let mut shown = Vec::new();
    let mut note = |error: Error| {
        shown.push(format!("{error} {} {error:#?}", error.to_json()));
    };
    for operation in ["session.list", "path.get", "config.get"] {
        note(client.call_json(operation, "", &call).unwrap_err());
    }
    let agents = client.call_json("app.agents", "", &call).unwrap();
    assert!(agents.text().unwrap().contains(SECRETS[2]), "an answer is the host's own");
    note(agents.json::<Vec<Value>>().unwrap_err());
    note(agents.json::<std::collections::HashMap<String, u8>>().unwrap_err());
    note(client.request("GET", "/x?code=tok3n", &[], None, &call).unwrap_err());
    note(client.run("hello").unwrap().wait(Some(Duration::from_secs(60))).unwrap_err());
    let stream = client.events(Default::default()).unwrap();
    while let Ok(Some(event)) = stream.next(Some(Duration::from_secs(60))) {
        if let opencode_core::StreamEvent::Gap(error) = event {
            note(error);
            break;
        }
    }
    client.close();
    assert!(shown[0].contains("***") && shown[0].contains("Echo"), "{}", shown[0]);
    let record = std::fs::read_to_string(record).unwrap();
    let log = lines.lock().unwrap().join("\n");
    assert!(log.contains("code=***") && record.contains("code=***"), "{log}");
    let escaped = SECRETS[0].replace('"', "\\\"");
    for (place, text) in [("errors", shown.join("\n")), ("log", log), ("record", record)] {
        for secret in SECRETS.into_iter().chain([escaped.as_str()]) {
            assert!(!text.contains(secret), "{secret} in the {place}: {text}");
        }
    }
}

#[test]
fn line_breaks_reach_no_header() {
    for (name, value) in
        [("x-a", "b\r\nx-evil: 1"), ("x-a", "b\n"), ("x-a\r\nx-evil", "1"), ("", "1"), ("x a", "1")]
    {
        let mut call = CallOptions::default();
        call.headers = vec![(name.to_owned(), value.to_owned())];
        let error = client(false).call_json("session.list", "", &call).unwrap_err();
        assert_eq!((error.kind(), error.is_sent()), (ErrorKind::InvalidArgument, false), "{error}");
        assert!(!error.message().contains("evil: 1"), "a value may be a secret: {error}");
        let mut options = ClientOptions::default();
        options.headers = call.headers;
        assert_eq!(Client::new(options).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
    for (name, value) in [
        ("content-length", "1"),
        ("Transfer-Encoding", "chunked"),
        ("x-long", &*"x".repeat(20_000)),
    ] {
        let mut call = CallOptions::default();
        call.headers = vec![(name.to_owned(), value.to_owned())];
        let error = client(false).call_json("session.create", "{}", &call).unwrap_err();
        assert_eq!((error.kind(), error.is_sent()), (ErrorKind::InvalidArgument, false), "{error}");
        assert!(error.message().contains(name), "{error}");
    }
}

#[test]
fn a_request_of_ones_own_is_checked_like_an_operation() {
    let client = client(false);
    let secret = "hunter2";
    for (method, path, body, part) in [
        ("GET", "/path#x", None, "percent-encoded"),
        ("GET", "path", None, "begin with '/'"),
        ("GET", "", None, "begin with '/'"),
        ("GET", "/a b", None, "percent-encoded"),
        ("GET", "/a\r\nx-evil: 1", None, "percent-encoded"),
        ("GET", "/<x>?auth_token=hunter2", None, "auth_token=***"),
        ("GET", "/ä", None, "percent-encoded"),
        ("BREW", "/path", None, "'BREW' is no HTTP method"),
        ("CONNECT", "/path", None, "no HTTP method"),
        ("HEAD", "/path", Some("{}"), "takes no body"),
        ("POST", "/session", Some("{"), "no JSON"),
    ] {
        let error = client.request(method, path, &[], body, &CallOptions::default()).unwrap_err();
        assert_eq!((error.kind(), error.is_sent()), (ErrorKind::InvalidArgument, false), "{error}");
        assert!(error.message().contains(part) && !error.message().contains(secret), "{error}");
    }
    for method in ["get", "OPTIONS"] {
        client.request(method, "/path", &[], None, &CallOptions::default()).unwrap();
    }
    // What the server makes of it is its own affair; there is no body to wait for.
    let head = client.request("HEAD", "/path", &[], None, &CallOptions::default());
    assert_eq!(head.unwrap_err().status(), Some(500));
    let query = [("auth_token".to_owned(), secret.to_owned())];
    let error = client.request("GET", "/nope", &query, None, &CallOptions::default()).unwrap_err();
    assert!(!format!("{error} {error:?} {}", error.to_json()).contains(secret), "{error:?}");
}

#[test]
fn a_request_of_ones_own_takes_the_time_it_is_given() {
    let fake = Fake::start(|_| {
        Answer::silence().pause(Duration::from_millis(600)).send(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
        )
    })
    .unwrap();
    let mut options = ClientOptions::default();
    options.base_url = fake.url();
    options.timeout = Duration::from_millis(100);
    let client = Client::new(options).unwrap();
    let mut call = CallOptions::default();
    let error = client.request("POST", "/x", &[], None, &call).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    call.timeout = Some(Duration::from_secs(60));
    client.request("POST", "/x", &[], None, &call).unwrap();
}

#[test]
fn names_and_passwords_may_hold_anything_but_a_colon() {
    let (name, word) = ("jörg müller", "pä:s/@#?% \"'\\");
    let model = Model::start(0).unwrap();
    let server = Server::builder(&model.url()).username(name).password(word).start().unwrap();
    let client = Client::new(options(&server, &server.url())).unwrap();
    client.call("global.health", ()).unwrap();
    let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let (name, word) = (encoded(name), encoded(word));
    let url = server.url().replace("://", &format!("://{name}:{word}@"));
    let client = to(&url);
    client.call("global.health", ()).unwrap();
    assert_eq!(client.base_url(), server.url());
    assert!(!format!("{client:?} {:?}", client.options()).contains(&word));
    let mut wrong = ClientOptions::default();
    wrong.username = Some("a:b".to_owned());
    wrong.password = Some("x".to_owned());
    assert_eq!(Client::new(wrong).unwrap_err().kind(), ErrorKind::InvalidArgument);
    let mut long = ClientOptions::default();
    long.password = Some("x".repeat(16_000));
    let error = Client::new(long).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.message().contains("a server takes 15500"), "{error}");
}

#[test]
fn an_address_of_six_parts_and_a_path_before_all_others() {
    let listener = TcpListener::bind("[::1]:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let request =
            opencode_fake_provider::http::read_request(&mut BufReader::new(&stream)).unwrap();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n";
        write!(&stream, "{head}{{}}").unwrap();
        request.unwrap()
    });
    to(&format!("http://[::1]:{port}/one/two/")).call("path.get", ()).unwrap();
    let request = server.join().unwrap();
    assert_eq!(request.line(), "GET /one/two/path");
    assert_eq!(request.header("host"), Some(&*format!("[::1]:{port}")));
}

#[test]
fn a_redirect_is_followed_by_reads_on_the_same_server_only() {
    let other = Fake::start(|_| Answer::json(200, &json!({}))).unwrap();
    let elsewhere = format!("{}/path", other.url());
    let fake = Fake::start(move |request| {
        let location = match request.path() {
            "/path" => "/moved?x=1".to_owned(),
            "/moved" => return Answer::json(200, &json!({"ok": true})),
            "/project" => elsewhere.clone(),
            "/agent" => "//evil.example/agent".to_owned(),
            "/command" => "/command".to_owned(),
            _ => "/moved".to_owned(),
        };
        let head = format!("HTTP/1.1 307 X\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
        Answer::silence().send(head)
    })
    .unwrap();
    let mut options = ClientOptions::default();
    options.base_url = fake.url();
    options.password = Some("hunter2".to_owned());
    let client = Client::new(options).unwrap();
    client.call("path.get", ()).unwrap();
    let last = fake.requests().pop().unwrap();
    assert_eq!(last.line(), "GET /moved?x=1");
    assert!(last.header("authorization").is_some());
    for operation in ["project.list", "app.agents", "session.create"] {
        let error = fails(&client, operation, json!({}));
        assert_eq!(error.status(), Some(307), "{error}");
        assert!(error.message().contains("redirects elsewhere, to "), "{error}");
    }
    assert!(other.requests().is_empty(), "nobody else is asked");
    let error = fails(&client, "command.list", json!({}));
    assert!(error.message().contains("in a circle"), "{error}");
    // The way to the second address has its own time.
    let late = Fake::start(|request| {
        match request.path() {
        "/path" => Answer::silence().pause(Duration::from_millis(700)).send(
            "HTTP/1.1 307 X\r\nlocation: /moved\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        ).close(),
        _ => Answer::json(200, &json!({})),
    }
    })
    .unwrap();
    let mut options = ClientOptions::default();
    options.base_url = late.url();
    options.connect_timeout = Duration::from_millis(500);
    Client::new(options).unwrap().call("path.get", ()).unwrap();
}

#[test]
fn an_answer_that_is_not_what_its_head_says_is_an_error() {
    const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    for (head, body, kind, part) in [
        // Cut, by an end and by a length that was never meant.
        ("content-length: 100\r\n\r\n", "{\"a\":", ErrorKind::Connection, "broke"),
        ("content-length: 9999999999\r\n\r\n", "{}", ErrorKind::Decode, "max_body_bytes"),
        ("content-length: 18446744073709551616\r\n\r\n", "{}", ErrorKind::Connection, "broke"),
        ("content-length: -1\r\n\r\n", "{}", ErrorKind::Connection, "broke"),
        ("content-length: 1\r\n\r\n", "{}", ErrorKind::Decode, "cannot be read"),
        ("content-length: 2\r\ncontent-length: 3\r\n\r\n", "{} ", ErrorKind::Connection, "broke"),
        ("transfer-encoding: chunked\r\n\r\n", "5\r\n{\"a\"", ErrorKind::Connection, "broke"),
        (
            "transfer-encoding: chunked\r\n\r\n",
            "zz\r\n{}\r\n0\r\n\r\n",
            ErrorKind::Connection,
            "broke",
        ),
        (
            "transfer-encoding: chunked\r\n\r\n",
            "2\r\n{}x\r\n0\r\n\r\n",
            ErrorKind::Connection,
            "broke",
        ),
        (
            "transfer-encoding: chunked\r\n\r\n",
            "ffffffffffffffffff\r\n{}",
            ErrorKind::Connection,
            "broke",
        ),
        ("\r\n", "{\"a\":", ErrorKind::Decode, "cannot be read"),
        (
            "content-encoding: gzip\r\ncontent-length: 2\r\n\r\n",
            "\u{1f}x",
            ErrorKind::Decode,
            "compressed (gzip)",
        ),
        ("content-length: 0\r\n\r\n", "", ErrorKind::Decode, "empty answer"),
    ] {
        let fake = says(format!("{HEAD}{head}{body}"));
        let read = |answer: opencode_core::Answer| answer.json::<Value>();
        let error = to(&fake.url()).call("path.get", ()).and_then(read).expect_err(head);
        assert_eq!(error.kind(), kind, "{head}{body}: {error}");
        assert!(error.message().contains(part), "{head}{body}: {error}");
        assert!(error.message().starts_with("path.get: ") && error.is_sent(), "{error}");
    }
    for bytes in
        ["", "\r\n\r\n", "SSH-2.0-OpenSSH\r\n", "HTTP/9.9 200 OK\r\n\r\n", "HTTP/1.1 9 X\r\n\r\n"]
    {
        let error = fails(&to(&says(bytes).url()), "path.get", json!({}));
        assert_eq!(error.kind(), ErrorKind::Connection, "{bytes:?}: {error}");
    }
    let flood =
        Fake::start(|_| Answer::silence().send("HTTP/1.1 200 OK\r\n").repeat("x: y\r\n", u64::MAX))
            .unwrap();
    let error = fails(&to(&flood.url()), "path.get", json!({}));
    assert_eq!(error.kind(), ErrorKind::Connection, "a head without an end: {error}");
}

#[test]
fn a_server_that_refuses_a_body_before_it_is_whole_says_why() {
    for answer in [&b"HTTP/1.1 413 Payload Too Large\r\ncontent-length: 0\r\n\r\n"[..], b""] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_exact(&mut [0; 1000]).unwrap();
            // What was not read makes the system tell the other side that its bytes are not wanted.
            stream.write_all(answer).unwrap();
        });
        let log = json!({"level": "info", "service": "x", "message": "m".repeat(20 << 20)});
        let error = fails(&to(&url), "app.log", log);
        server.join().unwrap();
        match answer {
            b"" => assert_eq!(error.kind(), ErrorKind::Connection, "{error}"),
            _ => assert_eq!(error.status(), Some(413), "{error}"),
        }
        assert!(error.is_sent());
    }
}

#[test]
fn a_compressed_answer_that_a_header_asked_for_says_so() {
    let mut call = CallOptions::default();
    call.headers = vec![("accept-encoding".to_owned(), "gzip".to_owned())];
    let error = client(false).call_json("doc.get", "", &call).unwrap_err();
    assert!(error.message().contains("compressed (gzip)"), "{error}");
}

#[test]
fn a_body_without_an_end_is_cut_off_at_the_limit() {
    let fake = Fake::start(|_| {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n[";
        Answer::silence().send(head).repeat("1,".repeat(5_000), u64::MAX)
    })
    .unwrap();
    let mut options = ClientOptions::default();
    options.base_url = fake.url();
    options.max_body_bytes = 1 << 20;
    let error = fails(&Client::new(options).unwrap(), "path.get", json!({}));
    assert_eq!(error.kind(), ErrorKind::Decode, "{error}");
    assert!(error.message().contains("longer than 1048576 bytes"), "{error}");
}

#[test]
fn a_reset_is_no_end_of_an_answer() {
    let fake = Fake::start(|_| {
        Answer::silence()
            .send("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\nhalf a te")
            .pause(Duration::from_millis(50))
            .reset()
    })
    .unwrap();
    let error = fails(&to(&fake.url()), "vcs.diff_raw", json!({}));
    assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
}

#[test]
fn a_server_that_dribbles_is_ended_by_the_time_of_the_call() {
    for head in
        ["", "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n"]
    {
        let fake = Fake::start(move |_| {
            let first = if head.is_empty() { "HTTP/1.1 200 OK\r\nx-slow: " } else { head };
            (0..100_000).fold(Answer::silence().send(first), |answer, _| {
                answer.pause(Duration::from_millis(20)).send("1")
            })
        })
        .unwrap();
        let mut call = CallOptions::default();
        call.timeout = Some(Duration::from_millis(500));
        let error = to(&fake.url()).call_json("path.get", "", &call).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert!(error.message().contains("500 ms"), "{error}");
    }
}

/// A server that is silent from a certain point on.
fn silent(begin: &'static str) -> Fake {
    Fake::start(move |_| Answer::silence().send(begin).pause(Duration::MAX)).unwrap()
}

#[test]
fn a_call_is_cancelled_wherever_it_is() {
    const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    let busy = "HTTP/1.1 503 X\r\ncontent-length: 0\r\nretry-after: 29\r\n\r\n";
    let fakes = [
        silent(""),
        silent("HTTP/1.1 200 OK\r\nx: "),
        silent(Box::leak(format!("{HEAD}content-length: 9\r\n\r\n{{").into_boxed_str())),
        silent(Box::leak(format!("{HEAD}\r\n{{").into_boxed_str())),
        silent(Box::leak(
            format!("{HEAD}transfer-encoding: chunked\r\n\r\n9\r\n{{").into_boxed_str(),
        )),
    ];
    let queue = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut urls: Vec<_> = fakes.iter().map(Fake::url).collect();
    // Accepts nothing: the request waits in the kernel.
    urls.push(format!("http://{}", queue.local_addr().unwrap()));
    let pause = Fake::start(move |_| Answer::silence().send(busy)).unwrap();
    for url in &urls {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let mut call = CallOptions::default();
        call.interrupt = Some(Interrupt::new(move || count.fetch_add(1, Ordering::SeqCst) > 3));
        let error = to(url).call_json("path.get", "", &call).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled, "{url}: {error}");
        assert!(!error.is_retryable(), "{error}");
        let client = to(url);
        let call = client.start("path.get", ()).unwrap();
        assert!(call.wait(Some(Duration::from_millis(100))).is_none());
        call.cancel();
        assert_eq!(call.poll().unwrap().unwrap_err().kind(), ErrorKind::Cancelled);
    }
    // In the pause before the next try the last error says more.
    let mut call = CallOptions::default();
    call.max_retries = Some(3);
    let asked = AtomicUsize::new(0);
    call.interrupt = Some(Interrupt::new(move || asked.fetch_add(1, Ordering::SeqCst) > 3));
    let error = to(&pause.url()).call_json("path.get", "", &call).unwrap_err();
    assert_eq!((error.status(), pause.requests().len()), (Some(503), 1), "{error}");
}

#[test]
fn what_cannot_be_repeated_never_meets_a_connection_that_was_closed() {
    let fake = Fake::start(|_| Answer::json(200, &json!({})).close()).unwrap();
    let client = to(&fake.url());
    for _ in 0..5 {
        client.call("session.create", json!({})).unwrap();
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(fake.requests().len(), 5);
}

#[test]
fn half_characters_make_nothing_unreadable() {
    let client = client(true);
    let stream = client.events(Default::default()).unwrap();
    assert_eq!(
        stream.next(Some(opencode_tests::LIMIT)).unwrap().unwrap().kind(),
        "stream.connected"
    );
    // As the server itself makes them when it shortens a text: no client of ours can send one.
    let body = r#"{"title":"half \ud83d","metadata":{"x":"\ude00 \ud83d\ude00"}}"#;
    let session: Value = client
        .request("POST", "/session", &[], Some(body), &CallOptions::default())
        .unwrap()
        .json()
        .unwrap();
    assert_eq!(session["title"], "half \u{fffd}");
    assert_eq!(session["metadata"]["x"], "\u{fffd} 😀");
    let titles = std::iter::from_fn(|| stream.next(Some(opencode_tests::LIMIT)).unwrap())
        .filter(|event| event.kind() == "session.created")
        .map(|event| serde_json::from_str::<Value>(&event.to_json()).unwrap())
        .map(|event| event["properties"]["info"]["title"].as_str().unwrap().to_owned());
    assert!(titles.into_iter().any(|title| title == "half \u{fffd}"));
    let path = format!("/session/{}/message", session["id"].as_str().unwrap());
    let body = r#"{"noReply":true,"parts":[{"type":"text","text":"cut \ud83d"}]}"#;
    client.request("POST", &path, &[], Some(body), &CallOptions::default()).unwrap();
    let id = session["id"].as_str().unwrap();
    let list = client.call("session.messages", json!({"sessionID": id})).unwrap();
    assert_eq!(list.json::<Value>().unwrap()[0]["parts"][0]["text"], "cut \u{fffd}");
    let message = client.messages(id, Default::default()).next().unwrap().unwrap();
    assert_eq!(message.text(), "cut \u{fffd}");
}

#[test]
fn what_is_no_text_is_an_error_that_says_so() {
    let answer = |kind: &str, body: &[u8]| {
        let mut bytes = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        bytes.extend_from_slice(body);
        says(bytes)
    };
    let error =
        to(&answer("application/json", b"{\"a\":\"\xff\"}").url()).call("path.get", ()).unwrap();
    assert_eq!(error.json::<Value>().unwrap_err().kind(), ErrorKind::Decode);
    let text = to(&answer("text/plain", b"\xff\xfe").url()).call("vcs.diff_raw", ()).unwrap();
    assert_eq!(text.text().unwrap_err().kind(), ErrorKind::Decode);
    assert_eq!(text.bytes(), b"\xff\xfe");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep = to(&answer("application/json", deep.as_bytes()).url()).call("path.get", ());
    assert_eq!(deep.unwrap_err().kind(), ErrorKind::Decode);
}

#[test]
fn an_error_may_have_any_body() {
    let long = format!(r#"{{"name":"X","data":{{"message":"{}"}}}}"#, "long ".repeat(100_000));
    let deep = format!(r#"{{"error":{}1{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    for body in [
        "",
        "null",
        "7",
        "[]",
        "{}",
        "\"text\"",
        "{\"name\":7}",
        "{\"message\":{\"a\":1}}",
        "{\"data\":[]}",
        "{\"name\":\"A\",\"name\":\"B\"}",
        "{\"error\":{\"message\":\"m\"}}",
        "{\"data\":{\"message\":null}}",
        "{",
        "\u{0}\u{1b}[31m",
        "a\r\nb\u{2028}c",
        "<html>",
        &long,
        &deep,
    ] {
        let fake = Fake::start({
            let body = body.to_owned();
            move |_| Answer::body(400, "application/json", body.clone())
        })
        .unwrap();
        let error = fails(&to(&fake.url()), "path.get", json!({}));
        let message = error.message();
        assert_eq!((error.kind(), error.status()), (ErrorKind::BadRequest, Some(400)), "{message}");
        assert!(message.starts_with("path.get: 400") && message.len() < 5_000, "{message}");
        assert!(!message.contains(char::is_control), "{message:?}");
        assert!(error.body().unwrap_or_default().len() <= 64 << 10);
    }
}

#[test]
fn a_mistake_of_any_length_is_answered_soon() {
    let long = "x".repeat(20_000_000);
    let error = client(false).call(&long, ()).unwrap_err();
    assert!(error.message().len() < 5_000);
    let error = client(false).call("session.list", json!({ long: 1 })).unwrap_err();
    assert!(error.message().len() < 5_000);
    let twice = r#"{"sessionID":"ses_one","sessionID":"ses_two"}"#;
    let error = client(false).call_json("session.get", twice, &CallOptions::default()).unwrap_err();
    assert!(error.message().contains("ses_two"), "the last one counts: {error}");
}

#[test]
fn slow_calls_do_not_keep_quick_ones_waiting() {
    let client = client(false);
    let session: Value = client.call("session.create", json!({})).unwrap().json().unwrap();
    let steps = json!([{"text": "a b", "stall": {"after": 1, "ms": 60_000}}]);
    let parts = json!([{"type": "text", "text": opencode_tests::prompt("slow", steps)}]);
    let arguments = json!({"sessionID": session["id"], "parts": parts});
    let slow: Vec<_> =
        (0..20).map(|_| client.start("session.prompt", arguments.clone()).unwrap()).collect();
    let quick: Vec<_> =
        (0..20).map(|_| client.start("session.status", json!({})).unwrap()).collect();
    for call in &quick {
        call.wait(Some(opencode_tests::LIMIT)).unwrap().unwrap();
    }
    assert!(slow.iter().all(|call| !call.is_done()));
    client.call("session.delete", json!({"sessionID": session["id"]})).unwrap();
}
