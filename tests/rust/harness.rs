//! The harness keeps its own promises.

mod fake;
mod guard;
mod model;
mod proxy;
mod restart;
mod server;
mod two;

use opencode_tests::Server;
use serde_json::{Value, json};

/// Creates a session and gives its id.
fn session(server: &Server) -> String {
    let session = server.post("/session", &json!({})).unwrap().json();
    session["id"].as_str().unwrap().to_owned()
}

/// Sends a prompt in a new session and blocks until the answer is there.
fn ask(server: &Server, text: &str) -> Value {
    ask_in(server, &session(server), text)
}

/// Sends a prompt and blocks until the answer is there.
fn ask_in(server: &Server, session: &str, text: &str) -> Value {
    let body = json!({"parts": [{"type": "text", "text": text}]});
    let response = server.post(&format!("/session/{session}/message"), &body).unwrap();
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()
}

/// The text of a reply.
fn text(reply: &Value) -> String {
    let parts = reply["parts"].as_array().unwrap().iter();
    parts.filter(|part| part["type"] == "text").filter_map(|part| part["text"].as_str()).collect()
}
