//! What networks and servers do to event streams.

use super::*;
use opencode_core::ClientOptions;
use opencode_tests::{Answer, End, Fake, Plan, Proxy};
use std::sync::atomic::{AtomicUsize, Ordering};

fn fake(url: &str) -> Client {
    let mut options = ClientOptions::default();
    options.base_url = url.to_owned();
    options.log = opencode_core::Log::from_env();
    Client::new(options).unwrap()
}

/// A server whose events are what `events` says.
fn serve(events: impl Fn() -> Answer + Send + Sync + 'static) -> Fake {
    Fake::start(move |request| match request.path() {
        "/global/health" => Answer::json(200, &json!({ "healthy": true })),
        _ => events(),
    })
    .unwrap()
}

fn event(id: &str, kind: &str) -> Value {
    let payload = match id {
        "" => json!({ "type": kind, "properties": { "n": 1 } }),
        id => json!({ "id": id, "type": kind, "properties": { "n": 1 } }),
    };
    json!({ "directory": "/p", "payload": payload })
}

fn hello() -> Value {
    json!({ "payload": { "id": "evt_0", "type": "server.connected", "properties": {} } })
}

/// The next gap, whether the stream counted as connected before it or not.
fn gap_after_greeting(stream: &EventStream) -> opencode_core::Error {
    loop {
        match next(stream) {
            StreamEvent::Gap(error) => return error,
            StreamEvent::Connected => {}
            other => panic!("{other:?}"),
        }
    }
}

fn gap(stream: &EventStream) -> opencode_core::Error {
    loop {
        match next(stream) {
            StreamEvent::Gap(error) => return error,
            StreamEvent::Server(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_cut_is_told_and_mended() {
    let server = &shared().server;
    let proxy = Proxy::start(&server.url()).unwrap();
    let client = Client::new(options(server, &proxy.url())).unwrap();
    let folder = Directory::new("cut").unwrap();
    let path = folder.path().to_str().unwrap();
    let stream = client.events(of(path)).unwrap();
    connected(&stream);
    for (end, title) in [(End::Reset, "after a reset"), (End::Close, "after a close")] {
        proxy.cut_all(end);
        assert_eq!(gap(&stream).kind(), ErrorKind::Connection);
        connected(&stream);
        create(&client, path, title);
        until(&stream, |event| is_session(event, "session.created", title));
    }
}

#[test]
fn silence_is_noticed() {
    let server = &shared().server;
    let proxy = Proxy::start(&server.url()).unwrap();
    let mut options = options(server, &proxy.url());
    options.stall_timeout = Duration::from_secs(2);
    let client = Client::new(options).unwrap();
    // The greeting comes, and then nothing although the connection stays.
    let stall = Plan::pass().stall_answer(500, Duration::MAX);
    proxy.always("GET /global/event*", stall);
    let stream = client.events(global()).unwrap();
    connected(&stream);
    let error = gap(&stream);
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.message().contains("2000 ms"), "{error}");
    proxy.pass();
    connected(&stream);
}

#[test]
fn heartbeats_keep_a_stream_alive_and_are_not_told() {
    let beat = json!({ "payload": { "type": "server.heartbeat", "properties": {} } });
    let server = serve(move || {
        let mut answer = Answer::events().event(&hello());
        for _ in 0..40 {
            answer = answer.pause(Duration::from_millis(100)).event(&beat);
        }
        answer.event(&event("evt_1", "a.b")).pause(Duration::MAX)
    });
    let mut options = ClientOptions::default();
    options.base_url = server.url();
    options.stall_timeout = Duration::from_secs(3);
    let stream = Client::new(options).unwrap().events(global()).unwrap();
    connected(&stream);
    assert_eq!(next(&stream).kind(), "a.b", "four seconds with signs of life only");
    assert_eq!(gap(&stream).kind(), ErrorKind::Timeout);
}

#[test]
fn a_server_that_comes_later_is_found() {
    let server = &shared().server;
    let proxy = Proxy::start(&server.url()).unwrap();
    proxy.down().unwrap();
    let client = Client::new(options(server, &proxy.url())).unwrap();
    let streams = [client.events(global()).unwrap(), client.events(of("/tmp")).unwrap()];
    for stream in &streams {
        assert!(gap(stream).message().contains("no server listens"));
    }
    proxy.up().unwrap();
    for stream in &streams {
        connected(stream);
    }
}

#[test]
fn what_will_never_work_is_an_error() {
    let server = &shared().server;
    let mut options = options(server, &server.url());
    options.password = Some("wrong".to_owned());
    let client = Client::new(options).unwrap();
    for options in [global(), EventOptions::default()] {
        let stream = client.events(options).unwrap();
        let mut seen = stream.iter();
        assert_eq!(seen.next().unwrap().unwrap_err().kind(), ErrorKind::Unauthorized);
        assert!(seen.next().is_none() && stream.is_over());
    }
    let web = Fake::start(|_| Answer::body(200, "text/html", "<html>")).unwrap();
    let stream = fake(&web.url()).events(global()).unwrap();
    assert_eq!(stream.next(Some(LIMIT)).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn repetitions_are_dropped_and_the_unknown_comes_through() {
    let connections = AtomicUsize::new(0);
    let server = serve(move || {
        let mut answer = Answer::events().event(&hello());
        // The second connection tells the same once more.
        for id in ["evt_1", "evt_2", "evt_1", "", "", "evt_2"] {
            answer = answer.event(&event(id, "hologram.started"));
        }
        let sync = json!({ "payload": { "type": "sync", "syncEvent": { "id": "evt_9" } } });
        let answer = answer.event(&sync).send(": a comment\n\ndata:{\"payload\":\r\n");
        let answer = answer.send("data: {\"id\":\"evt_3\",\"type\":\"two.lines\"}}\r\n\r\n");
        match connections.fetch_add(1, Ordering::SeqCst) {
            0 => answer.close(),
            _ => answer.event(&event("evt_4", "last.one")).pause(Duration::MAX),
        }
    });
    let stream = fake(&server.url()).events(global()).unwrap();
    let mut seen = Vec::new();
    loop {
        match next(&stream) {
            StreamEvent::Server(event) => {
                if event.kind() == "hologram.started" {
                    assert_eq!(event.properties(), r#"{"n":1}"#);
                    assert_eq!(event.directory(), Some("/p"));
                }
                seen.push(event.id().to_owned());
                if event.kind() == "last.one" {
                    break;
                }
            }
            other => seen.push(other.kind().to_owned()),
        }
    }
    let wanted = [
        "stream.connected",
        "evt_1",
        "evt_2",
        "",
        "",
        "evt_3",
        "stream.gap",
        "stream.connected",
        "",
        "",
        "evt_4",
    ];
    assert_eq!(seen, wanted);
}

/// A server that sends a hundred thousand events at once, and then one of the type `end`.
fn flood() -> Fake {
    let one = format!("data: {}\n\n", event("", "flood"));
    serve(move || {
        Answer::events()
            .event(&hello())
            .repeat(one.clone(), 100_000)
            .event(&event("evt_1", "end"))
            .pause(Duration::MAX)
    })
}

#[test]
fn a_flood_is_bounded_and_a_slow_reader_is_told() {
    let server = flood();
    let client = fake(&server.url());
    let mut options = global();
    options.max_events = 500;
    let slow = client.events(options.clone()).unwrap();
    let fast = client.events(options).unwrap();
    let reader = std::thread::spawn(move || {
        let mut count = 0;
        loop {
            match next(&fast) {
                StreamEvent::Server(event) if event.kind() == "end" => return count,
                StreamEvent::Server(_) => count += 1,
                StreamEvent::Lagged(dropped) => count += dropped,
                _ => {}
            }
        }
    });
    let fast = reader.join().unwrap();
    assert!((100_000..=100_001).contains(&fast), "every event is told or counted: {fast}");
    let StreamEvent::Lagged(dropped) = next(&slow) else { panic!("it did not lag") };
    let mut kept = 0;
    loop {
        match next(&slow) {
            StreamEvent::Server(event) if event.kind() == "end" => break,
            StreamEvent::Server(_) => kept += 1,
            other => panic!("{other:?}"),
        }
    }
    // The older half goes at once.
    assert!((250..500).contains(&kept), "{kept}");
    // The stream's own greeting was the first to go.
    assert_eq!(dropped + kept, 100_001);
}

#[test]
fn a_reader_that_goes_on_taking_is_waited_for() {
    let server = flood();
    let client = fake(&server.url());
    let mut options = global();
    options.max_events = 100;
    let stream = client.events(options).unwrap();
    let (mut got, mut lost) = (0, 0);
    loop {
        match next(&stream) {
            StreamEvent::Server(event) if event.kind() == "end" => break,
            StreamEvent::Server(_) => got += 1,
            StreamEvent::Lagged(count) => lost += count,
            _ => {}
        }
        // Now and then it has something else to do.
        if got % 20_000 == 0 {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    // On a machine that lets it rest for long some are lost all the same.
    assert!(got >= 90_000, "{got} of 100000 came, {lost} were lost");
}

#[test]
fn a_client_is_closed_in_the_middle_of_a_flood() {
    let one = format!("data: {}\n\n", event("", "flood"));
    let server =
        Fake::start(move |_| Answer::events().event(&hello()).repeat(one.clone(), u64::MAX))
            .unwrap();
    let client = fake(&server.url());
    let stream = client.events(global()).unwrap();
    connected(&stream);
    let began = Instant::now();
    client.close();
    let took = began.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(stream.next(None).unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn a_content_type_is_read_as_the_standard_says() {
    let head = |kind: &str| format!("HTTP/1.1 200 OK\r\n{kind}connection: close\r\n\r\n");
    let with = |head: String| {
        serve(move || {
            let answer = Answer::silence().send(head.clone()).event(&hello());
            answer.event(&event("evt_1", "a.b")).pause(Duration::MAX)
        })
    };
    for kind in [
        "text/event-stream",
        "text/event-stream; charset=utf-8",
        "text/event-stream ;charset=UTF-8",
        "Text/Event-Stream",
        "TEXT/EVENT-STREAM; charset=UTF-8",
    ] {
        let server = with(head(&format!("content-type: {kind}\r\n")));
        let stream = fake(&server.url()).events(global()).unwrap();
        connected(&stream);
        assert_eq!(next(&stream).kind(), "a.b", "{kind}");
    }
    // Something else that has no end: it is told at once, and what it is.
    for kind in ["application/json", "text/plain; charset=utf-8", "text/event-streams", ""] {
        let line =
            if kind.is_empty() { String::new() } else { format!("content-type: {kind}\r\n") };
        let server = with(head(&line));
        let stream = fake(&server.url()).events(global()).unwrap();
        let error = gap(&stream);
        assert_eq!(error.kind(), ErrorKind::Decode, "{error}");
        let named = if kind.is_empty() { "no content type" } else { kind };
        assert!(error.message().contains(&format!("200 with {named} where")), "{error}");
    }
    let failing = "HTTP/1.1 500 X\r\ncontent-type: text/plain\r\n\r\nout of order";
    let server = serve(move || {
        let answer = Answer::silence().send(failing).repeat("x".repeat(1_000), 1_000);
        answer.pause(Duration::MAX)
    });
    let stream = fake(&server.url()).events(global()).unwrap();
    let error = gap(&stream);
    assert!(error.message().contains("500: out of order"), "{error}");
    assert!(error.body().is_some_and(|body| body.starts_with("out of order")));
}

#[test]
fn a_stream_that_ends_as_soon_as_it_began_is_made_ever_less_often() {
    for events in ["", "data: {no json}\n\n"] {
        let server = serve(move || Answer::events().event(&hello()).send(events).close());
        let stream = fake(&server.url()).events(global()).unwrap();
        gap(&stream);
        let began = Instant::now();
        for _ in 0..4 {
            gap(&stream);
        }
        // Pauses of 0.1, 0.2, 0.4 and 0.8 s.
        assert!(began.elapsed() > Duration::from_millis(1_400), "{:?}", began.elapsed());
        assert!(server.connections() < 12, "{}", server.connections());
    }
}

#[test]
fn an_event_without_an_end_is_a_gap() {
    let connections = AtomicUsize::new(0);
    let server = serve(move || {
        let answer = Answer::events().event(&hello());
        match connections.fetch_add(1, Ordering::SeqCst) {
            0 => answer.repeat(format!("data: {}\n", "x".repeat(1 << 16)), u64::MAX),
            _ => answer.event(&event("evt_1", "a.b")).pause(Duration::MAX),
        }
    });
    let stream = fake(&server.url()).events(global()).unwrap();
    let error = gap_after_greeting(&stream);
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.message().contains("longer than"), "{error}");
    connected(&stream);
    assert_eq!(next(&stream).kind(), "a.b");
}

#[test]
fn an_event_that_cannot_be_read_is_left_out_and_the_stream_goes_on() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let server = serve(move || {
        let mut answer = Answer::events().event(&hello()).event(&event("evt_1", "a.b"));
        for odd in ["{no json}", "7", "[]", r#"{"payload":{"type":7}}"#, r#"{"payload":[]}"#, &deep]
        {
            answer = answer.send(format!("data: {odd}\n\n"));
        }
        answer.event(&event("evt_2", "c.d")).pause(Duration::MAX)
    });
    let mut options = ClientOptions::default();
    options.base_url = server.url();
    options.log_level = Some(opencode_core::Level::Warn);
    let client = Client::new(options).unwrap();
    let stream = client.events(global()).unwrap();
    connected(&stream);
    assert_eq!(next(&stream).kind(), "a.b");
    assert_eq!(next(&stream).kind(), "c.d", "no gap between them");
    let told: Vec<_> = std::iter::from_fn(|| client.next_log()).map(|r| r.message).collect();
    let left_out = told.iter().filter(|text| text.contains("it is left out")).count();
    assert_eq!(left_out, 6, "{told:?}");
}

#[test]
fn types_that_nobody_asked_for_are_not_even_read() {
    let noise =
        r#"data: {"directory":"/p","payload":{"id":"evt_9","type":"noise.a", no json at all"#;
    let server = serve(move || {
        let answer = Answer::events().event(&hello()).event(&event("evt_1", "a.b"));
        let answer = answer.repeat(format!("{noise}\n\n"), 1_000).event(&event("evt_2", "a.c"));
        answer.event(&event("evt_3", "session.idle")).pause(Duration::MAX)
    });
    let mut options = ClientOptions::default();
    options.base_url = server.url();
    options.log_level = Some(opencode_core::Level::Warn);
    let client = Client::new(options).unwrap();
    let mut wanted = global();
    wanted.types = Some(vec!["a.*".to_owned(), "session.idle".to_owned()]);
    let stream = client.events(wanted.clone()).unwrap();
    connected(&stream);
    for kind in ["a.b", "a.c", "session.idle"] {
        assert_eq!(next(&stream).kind(), kind);
    }
    assert!(client.next_log().is_none(), "an event was read that nobody wanted");
    // A stream of all on the same connection has them read, and the one that chose gets no more by it.
    let client = fake(&server.url());
    let (chosen, all) = (client.events(wanted).unwrap(), client.events(global()).unwrap());
    connected(&all);
    until(&all, |event| event.kind() == "session.idle");
    connected(&chosen);
    let kinds: Vec<_> = until(&chosen, |event| event.kind() == "session.idle")
        .iter()
        .map(|event| event.kind().to_owned())
        .collect();
    assert_eq!(kinds, ["a.b", "a.c", "session.idle"]);
}
