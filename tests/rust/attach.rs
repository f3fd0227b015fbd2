//! Local files in prompts: the model sees their content.

use opencode_core::{
    AttachOptions, Client, ClientOptions, ErrorKind, Prompt, attach, attach_bytes,
};
use opencode_tests::{Directory, prompt, shared};
use serde_json::{Value, json};

fn client() -> Client {
    let server = &shared().server;
    let mut options = ClientOptions::default();
    options.base_url = server.url();
    options.username = Some(server.username().to_owned());
    options.password = server.password().map(str::to_owned);
    Client::new(options).unwrap()
}

/// What the model was sent for a prompt with these parts.
fn seen(words: &str, parts: Vec<Value>) -> String {
    let mut made = Prompt::new(prompt(words, json!([{ "text": "seen" }])));
    made.parts.extend(parts.into_iter().map(opencode_core::Json::from));
    assert_eq!(client().ask(made).unwrap().text, "seen");
    sent(words)
}

fn sent(words: &str) -> String {
    let log = shared().model.log();
    let found = log.iter().map(|call| format!("{call:?}")).filter(|call| call.contains(words));
    found.collect::<Vec<_>>().join("\n")
}

#[test]
fn text_reaches_the_model_as_text() {
    let folder = Directory::new("attach").unwrap();
    let path = folder.path().join("notes.md");
    std::fs::write(&path, "first-line-x1\nsecond-line-x2\nthird-line-x3\n").unwrap();
    let options = AttachOptions::default();
    let all = seen("attach-whole.", vec![attach(&path, &options).unwrap()]);
    assert!(all.contains("first-line-x1") && all.contains("third-line-x3"), "{all}");
    let options = AttachOptions::from_json(r#"{"lines":"2-2"}"#).unwrap();
    let some = seen("attach-lines.", vec![attach(&path, &options).unwrap()]);
    assert!(some.contains("second-line-x2") && !some.contains("third-line-x3"), "{some}");
    // By name in the prompt of a binding, beside other texts.
    let text = prompt("attach-named.", json!([{ "text": "seen" }]));
    let path = path.to_str().unwrap();
    let json =
        json!({ "prompt": [text, "and-this"], "files": [path, { "path": path, "lines": "1" }] });
    client().ask(Prompt::from_json(&json.to_string()).unwrap()).unwrap();
    let named = sent("attach-named.");
    assert!(named.contains("and-this") && named.contains("second-line-x2"), "{named}");
}

#[test]
fn images_reach_the_model_as_images() {
    // One white pixel.
    let pixel = b"\x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00\x90\x77\x53\xde\x00\x00\x00\x0c\x49\x44\x41\x54\x78\x9c\x63\xf8\xff\xff\x3f\x00\x05\xfe\x02\xfe\x0d\xef\x46\xb8\x00\x00\x00\x00\x49\x45\x4e\x44\xae\x42\x60\x82";
    let part = attach_bytes("pixel.png", pixel, &AttachOptions::default()).unwrap();
    assert_eq!(part["mime"], "image/png");
    let mut made = Prompt::new(prompt("attach-image.", json!([{ "text": "seen" }])));
    made.parts.push(part.clone().into());
    let reply = client().ask(made).unwrap();
    let stored =
        reply.messages.iter().any(|message| message.get().contains(part["url"].as_str().unwrap()));
    assert!(stored, "{:?}", reply.messages);
}

#[test]
fn agents_and_subtasks_are_parts_of_a_prompt() {
    let text = prompt("attach-agent.", json!([{ "text": "seen" }]));
    let json = json!({ "prompt": [text, { "type": "agent", "name": "general" }] });
    client().ask(Prompt::from_json(&json.to_string()).unwrap()).unwrap();
    // The server turns it into a request to call that agent.
    let asked = sent("attach-agent.");
    assert!(asked.contains("subagent: general"), "{asked}");
    let task = prompt("attach-subtask.", json!([{ "text": "from-below" }]));
    let text = prompt("attach-above.", json!([{ "text": "seen" }]));
    let json = json!({ "prompt": [text, {
        "type": "subtask", "agent": "general", "description": "d", "prompt": task } ] });
    let reply = client().ask(Prompt::from_json(&json.to_string()).unwrap()).unwrap();
    assert_eq!(reply.children.len(), 1, "{reply:?}");
    assert!(sent("attach-subtask.").contains("from-below"));
}

/// Why everything that is text is sent as `text/plain`: JSON, XML or SVG under their own names never arrive.
#[test]
fn only_what_is_called_text_is_inlined_by_the_server() {
    for (mime, arrives) in [
        ("text/plain", true),
        ("text/markdown", true),
        ("text/x-python", true),
        ("application/json", false),
        ("application/xml", false),
        ("image/svg+xml", false),
        ("application/octet-stream", false),
    ] {
        let options = AttachOptions::from_json(&json!({ "mime": mime }).to_string()).unwrap();
        let words = format!("inline-{}.", mime.replace('/', "-"));
        let part = attach_bytes("x.txt", b"content-of-the-file", &options).unwrap();
        let mut made = Prompt::new(prompt(&words, json!([{ "text": "seen" }])));
        made.parts.push(part.into());
        let _ = client().ask(made);
        assert_eq!(sent(&words).contains("content-of-the-file"), arrives, "{mime}");
    }
}

#[test]
fn a_file_that_cannot_be_read_fails_before_anything_is_sent() {
    let json = json!({ "prompt": "attach-missing.", "files": ["/no/such/file"] });
    let error = Prompt::from_json(&json.to_string()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let json = json!({ "prompt": "x", "files": [{ "file": "x" }] });
    assert!(Prompt::from_json(&json.to_string()).unwrap_err().message().contains("'path'"));
}
