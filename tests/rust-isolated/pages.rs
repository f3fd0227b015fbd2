//! Long lists in constant memory.

use crate::isolated;
use crate::process::memory;
use opencode_core::{CallOptions, Client, ClientOptions, MessageOptions};
use opencode_tests::{Answer, Fake};
use serde_json::{Value, json};

/// Messages of the session, and bytes of each: 80 MB in all.
const COUNT: usize = 10_000;
const SIZE: usize = 8_000;

/// The real server would need a minute to store them; these have its shape.
fn server() -> Fake {
    let text = "x".repeat(SIZE);
    Fake::start(move |request| {
        let number = |name: &str| {
            let (_, query) = request.target.split_once('?')?;
            query.split('&').find_map(|pair| pair.strip_prefix(name)?.parse::<usize>().ok())
        };
        let end = number("before=").unwrap_or(COUNT);
        let begin = end.saturating_sub(number("limit=").unwrap());
        let list: Vec<_> = (begin..end)
            .map(|i| {
                json!({
                    "info": {
                        "id": format!("msg_{i}"), "sessionID": "ses_1", "role": "user", "agent": "build",
                        "time": { "created": i }, "model": { "providerID": "p", "modelID": "m" },
                    },
                    "parts": [{
                        "id": format!("prt_{i}"), "sessionID": "ses_1", "messageID": format!("msg_{i}"),
                        "type": "text", "text": text,
                    }],
                })
            })
            .collect();
        let body = Value::from(list).to_string();
        let cursor = if begin > 0 { format!("x-next-cursor: {begin}\r\n") } else { String::new() };
        Answer::silence().send(format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{cursor}content-length: {}\r\n\r\n{body}",
            body.len()
        ))
    })
    .unwrap()
}

#[test]
fn ten_thousand_messages_take_the_memory_of_a_page() {
    let _isolated = isolated();
    let server = server();
    let mut options = ClientOptions::default();
    options.base_url = server.url();
    let client = Client::new(options).unwrap();
    let mut page = MessageOptions::default();
    page.page = 100;
    let walk = |client: &Client, limit: usize| {
        let (mut count, mut most) = (0, 0);
        for message in client.messages("ses_1", page.clone()).take(limit) {
            assert_eq!(message.unwrap().text().len(), SIZE);
            count += 1;
            if count % 100 == 50 {
                most = most.max(memory());
            }
        }
        (count, most)
    };
    // What the first pages cost stays for those that follow.
    let (_, few) = walk(&client, 500);
    let (count, most) = walk(&client, usize::MAX);
    assert_eq!(count, COUNT);
    let grown = most.saturating_sub(few);
    assert!(grown < 16 << 20, "{grown} bytes more for {} pages", COUNT / 100);
    // One at a time, and as JSON, is no different.
    let mut messages = client.messages("ses_1", page);
    let mut most = 0;
    while messages.next_json(&CallOptions::default()).unwrap().is_some() {
        most = most.max(memory());
    }
    assert!(most.saturating_sub(few) < 16 << 20, "{most} bytes, not {few}");
}
