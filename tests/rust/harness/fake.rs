//! The server that lies.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use opencode_tests::{Answer, Fake, LIMIT, http};
use serde_json::json;

#[test]
fn the_handler_sees_the_request_and_its_answer_arrives() {
    let fake = Fake::start(|request| {
        Answer::json(201, &json!({"line": request.line(), "body": request.json()}))
    })
    .unwrap();
    let url = format!("{}/a?b=c", fake.url());
    let response = http::send("POST", &url, &[("x-y", "z")], Some(b"{\"k\":1}")).unwrap();
    assert_eq!(response.status, 201);
    assert_eq!(response.json(), json!({"line": "POST /a?b=c", "body": {"k": 1}}));
    assert_eq!(fake.requests()[0].header("x-y"), Some("z"));
    assert_eq!(fake.connections(), 1);
}

#[test]
fn half_answers_floods_and_resets_are_possible() {
    let fake = Fake::start(|request| match request.path() {
        "/half" => {
            Answer::silence().send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc").close()
        }
        "/reset" => Answer::silence().send("HTTP/1.1 200 OK\r\n").reset(),
        "/flood" => Answer::events().repeat("data: {}\n\n", u64::MAX),
        "/late" => Answer::silence()
            .pause(Duration::from_millis(120))
            .send("HTTP/1.1 204 \r\n\r\n")
            .close(),
        "/events" => Answer::events().event(&json!({"type": "a"})).close(),
        "/hold" => Answer::silence().pause(Duration::MAX),
        "/raw" => Answer::silence().raw(|mut stream| stream.write_all(b"SSH-2.0\r\n")).close(),
        other => Answer::body(404, "text/html", format!("<p>{other}</p>")),
    })
    .unwrap();
    let get = |path: &str| http::send("GET", &format!("{}{path}", fake.url()), &[], None);
    assert!(get("/half").unwrap_err().to_string().contains("ends early"));
    assert!(get("/reset").unwrap_err().to_string().contains("reset"));
    assert!(get("/raw").unwrap_err().to_string().contains("status line"));
    let start = Instant::now();
    assert_eq!(get("/late").unwrap().status, 204);
    assert!(start.elapsed() >= Duration::from_millis(120));
    assert_eq!(get("/events").unwrap().text(), "data: {\"type\":\"a\"}\n\n");
    let flood = http::open("GET", &format!("{}/flood", fake.url()), &[], None, LIMIT).unwrap();
    let mut bytes = Vec::new();
    flood.take(10_000_000).read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len(), 10_000_000);
    let mut hold = http::open("GET", &format!("{}/hold", fake.url()), &[], None, LIMIT).unwrap();
    hold.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert!(hold.read(&mut [0]).is_err());
    hold.set_read_timeout(Some(LIMIT)).unwrap();
    drop(fake);
    assert!(matches!(hold.read(&mut [0]), Ok(0) | Err(_)), "dropping ends what is held");
}
