//! The hostile proxy does exactly what its plan says.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use opencode_tests::{Answer, End, Fake, LIMIT, Plan, Proxy, eventually, http, prompt, shared};
use serde_json::json;

/// The answer of [`echo`], whose length the tests count.
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nhello";

fn echo() -> Fake {
    Fake::start(|_| Answer::silence().send(ANSWER)).unwrap()
}

/// Sends a request and reads until the connection ends: the bytes, and how it ended.
fn raw(proxy: &Proxy, target: &str) -> (Vec<u8>, Option<ErrorKind>) {
    let url = format!("{}{target}", proxy.url());
    let mut stream = http::open("GET", &url, &[], None, LIMIT).unwrap();
    let mut bytes = Vec::new();
    let end = stream.read_to_end(&mut bytes).err().map(|error| error.kind());
    (bytes, end)
}

#[test]
fn without_a_plan_everything_passes() {
    let fake = echo();
    let proxy = Proxy::start(&fake.url()).unwrap();
    let body = vec![b'x'; 300_000];
    let url = format!("{}/a?b", proxy.url());
    assert_eq!(http::send("POST", &url, &[], Some(&body)).unwrap().text(), "hello");
    assert_eq!(fake.requests()[0].body, body);
    let mut stream = TcpStream::connect(proxy.url().replace("http://", "")).unwrap();
    let head = "POST /c HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n";
    write!(stream, "{head}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").unwrap();
    let mut answer = vec![0; ANSWER.len()];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, ANSWER);
    assert_eq!(fake.requests()[1].body, b"abcde");
    assert_eq!(proxy.requests(), ["POST /a?b", "POST /c"]);
    drop(stream);
    eventually("the end of both connections", || (proxy.counters().open == 0).then_some(()));
    let counters = proxy.counters();
    assert_eq!((counters.connections, counters.requests, counters.cuts), (2, 2, 0));
    assert_eq!(counters.answer_bytes, 2 * ANSWER.len() as u64);
    assert!(counters.request_bytes > 300_000);
}

#[test]
fn an_answer_is_cut_at_every_byte_in_both_ways() {
    let fake = echo();
    let proxy = Proxy::start(&fake.url()).unwrap();
    for after in 0..=ANSWER.len() {
        proxy.always("GET *", Plan::pass().cut_answer(after as u64, End::Close));
        assert_eq!(raw(&proxy, "/"), (ANSWER[..after].to_vec(), None), "{after}");
        proxy.always("GET *", Plan::pass().cut_answer(after as u64, End::Reset));
        let (bytes, end) = raw(&proxy, "/");
        assert!(ANSWER[..after].starts_with(&bytes), "{after}");
        assert_eq!(end, Some(ErrorKind::ConnectionReset), "{after}");
    }
    assert_eq!(fake.requests().len(), 2 * (ANSWER.len() + 1), "the server answered every one");
}

#[test]
fn an_address_is_lengthened_on_its_way() {
    let fake = echo();
    let proxy = Proxy::start(&fake.url()).unwrap();
    proxy.always("*", Plan::pass().pad_target(4));
    for target in ["/a", "/a?b=c"] {
        raw(&proxy, target);
    }
    let seen: Vec<_> = fake.requests().iter().map(|request| request.line()).collect();
    assert_eq!(seen, ["GET /a?xxx", "GET /a?b=c&xxx"]);
}

#[test]
fn a_request_is_cut_before_the_server_has_it() {
    let fake = echo();
    let proxy = Proxy::start(&fake.url()).unwrap();
    for after in [0, 1, 20, 60] {
        proxy.always("*", Plan::pass().cut_request(after, End::Close));
        let before = proxy.counters().request_bytes;
        let url = format!("{}/", proxy.url());
        assert!(http::send("POST", &url, &[], Some(&[b'x'; 100])).is_err());
        assert_eq!(proxy.counters().request_bytes - before, after);
    }
    proxy.always("*", Plan::refuse(End::Reset));
    assert_eq!(raw(&proxy, "/"), (vec![], Some(ErrorKind::ConnectionReset)));
    assert_eq!(fake.requests().len(), 0);
}

#[test]
fn the_hook_sees_every_request_of_a_connection() {
    let fake = echo();
    let proxy = Proxy::start(&fake.url()).unwrap();
    proxy.hook(|asked| match asked.is("GET /third") && asked.request == 2 {
        true => Plan::pass().cut_answer(10, End::Close),
        false => Plan::pass(),
    });
    let stream = TcpStream::connect(proxy.url().replace("http://", "")).unwrap();
    let mut reader = BufReader::new(&stream);
    for target in ["/first", "/second", "/third"] {
        write!(&stream, "GET {target} HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let mut answer = vec![0; ANSWER.len()];
        if target == "/third" {
            let mut rest = Vec::new();
            reader.read_to_end(&mut rest).unwrap();
            assert_eq!(rest, ANSWER[..10]);
        } else {
            reader.read_exact(&mut answer).unwrap();
        }
    }
    assert_eq!(proxy.counters().connections, 1);
}

#[test]
fn an_upgraded_connection_is_carried_both_ways() {
    let head = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n";
    let fake = Fake::start(move |_| {
        Answer::silence().send(head).raw(|mut stream| {
            let mut bytes = [0; 4];
            while stream.read_exact(&mut bytes).is_ok() {
                bytes.reverse();
                stream.write_all(&bytes)?;
            }
            Ok(())
        })
    })
    .unwrap();
    let proxy = Proxy::start(&fake.url()).unwrap();
    let mut stream = TcpStream::connect(proxy.url().replace("http://", "")).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    write!(stream, "GET /connect HTTP/1.1\r\nUpgrade: websocket\r\n\r\n").unwrap();
    let mut answer = vec![0; head.len()];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, head.as_bytes());
    for word in [b"abcd", b"\r\n\r\n", b"POST"] {
        stream.write_all(word).unwrap();
        let mut echo = [0; 4];
        stream.read_exact(&mut echo).unwrap();
        echo.reverse();
        assert_eq!(&echo, word);
    }
    assert_eq!(proxy.counters().requests, 1);
}

#[test]
fn once_is_once() {
    let fake = echo();
    let proxy = Proxy::start(&fake.url()).unwrap();
    proxy.once("GET /a*", Plan::refuse(End::Close));
    assert_eq!(raw(&proxy, "/b").0, ANSWER);
    assert_eq!(raw(&proxy, "/a?x").0, b"");
    assert_eq!(raw(&proxy, "/a?x").0, ANSWER);
}

#[test]
fn delays_stalls_and_slowness_take_their_time() {
    let fake = echo();
    let proxy = Proxy::start(&fake.url()).unwrap();
    let time = Duration::from_millis(150);
    for plan in [
        Plan::pass().delay(time),
        Plan::pass().stall_request(10, time),
        Plan::pass().stall_answer(0, time),
        Plan::pass().stall_answer(30, time),
        // 65 bytes of answer.
        Plan::pass().slow(400),
    ] {
        proxy.always("*", plan);
        let start = Instant::now();
        let url = format!("{}/", proxy.url());
        assert_eq!(http::send("GET", &url, &[], None).unwrap().text(), "hello");
        assert!(start.elapsed() >= time, "{plan:?} took {:?}", start.elapsed());
    }
}

#[test]
fn a_stall_for_ever_keeps_the_connection_open_until_the_client_leaves() {
    let fake = echo();
    let proxy = Proxy::start(&fake.url()).unwrap();
    proxy.always("*", Plan::pass().stall_answer(20, Duration::MAX));
    let url = format!("{}/", proxy.url());
    let mut stream = http::open("GET", &url, &[], None, LIMIT).unwrap();
    let mut bytes = [0; 20];
    stream.read_exact(&mut bytes).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let kind = stream.read(&mut [0]).unwrap_err().kind();
    assert!(matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut), "{kind}");
    assert_eq!(proxy.counters().open, 1);
    drop(stream);
    eventually("the end", || (proxy.counters().open == 0).then_some(()));
}

#[test]
fn open_connections_are_cut_and_the_port_closes_and_opens() {
    let fake = Fake::start(|_| Answer::events().pause(Duration::MAX)).unwrap();
    let proxy = Proxy::start(&fake.url()).unwrap();
    let url = format!("{}/event", proxy.url());
    for end in [End::Close, End::Reset] {
        let stream = http::open("GET", &url, &[], None, LIMIT).unwrap();
        let mut reader = BufReader::new(&stream);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        proxy.cut_all(end);
        let error = reader.read_to_end(&mut Vec::new()).err().map(|error| error.kind());
        assert_eq!(error, (end == End::Reset).then_some(ErrorKind::ConnectionReset));
    }
    for _ in 0..20 {
        proxy.down().unwrap();
        let refused = http::send("GET", &url, &[], None).unwrap_err().to_string();
        assert!(refused.contains("refused"), "{refused}");
        proxy.up().unwrap();
        http::open("GET", &url, &[], None, LIMIT).unwrap();
    }
    proxy.cut_all(End::Close);
}

#[test]
fn thousands_of_cuts_are_cheap_and_leave_nothing_behind() {
    let fake = echo();
    let start = Instant::now();
    let count = 3000;
    for number in 0..count {
        let proxy = Proxy::start(&fake.url()).unwrap();
        let end = if number % 2 == 0 { End::Close } else { End::Reset };
        proxy.always("*", Plan::pass().cut_answer(number % 60, end));
        raw(&proxy, "/");
    }
    assert!(start.elapsed() < LIMIT, "{count} proxies took {:?}", start.elapsed());
    eventually("their threads", || {
        let threads = std::fs::read_dir("/proc/self/task").unwrap().flatten();
        let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).ok();
        let proxies = threads.filter_map(name).filter(|name| name.trim() == "proxy").count();
        // Other tests have some of their own.
        (proxies < 100).then_some(())
    });
}

#[test]
fn a_dead_server_looks_dead_through_the_proxy() {
    let fake = echo();
    let proxy = Proxy::start(&fake.url()).unwrap();
    drop(fake);
    let (bytes, end) = raw(&proxy, "/");
    assert_eq!((bytes.len(), end), (0, Some(ErrorKind::ConnectionReset)));
}

#[test]
fn a_lost_answer_does_not_undo_a_prompt() {
    let shared = shared();
    let proxy = Proxy::start(&shared.server.url()).unwrap();
    proxy.once("POST */prompt_async*", Plan::pass().cut_answer(0, End::Reset));
    let id = super::session(&shared.server);
    let part = json!({"type": "text", "text": prompt("lost answer", json!([{"text": "ran"}]))});
    let password = shared.server.password().unwrap();
    let authorization = http::basic(shared.server.username(), password);
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    let url = format!("{}/session/{id}/prompt_async", proxy.url());
    let body = json!({"parts": [part]}).to_string();
    assert!(http::send("POST", &url, &headers, Some(body.as_bytes())).is_err());
    eventually("the answer", || {
        let messages = shared.server.get(&format!("/session/{id}/message")).unwrap().json();
        messages[1]["info"]["time"]["completed"].is_u64().then_some(())
    });
    assert_eq!(shared.model.runs("lost answer"), 1);
}
