//! The server of 2.x, in the same world as the one of 1.x.

use opencode_tests::{Generation, Model, Server, eventually, prompt, shared_two};
use serde_json::json;

#[test]
fn a_prompt_to_a_server_of_2_x_returns_the_scripted_text() {
    let shared = shared_two();
    let session = shared.server.post("/api/session", &json!({})).unwrap().json();
    let path = format!("/api/session/{}", session["data"]["id"].as_str().unwrap());
    let text = prompt("second generation", json!([{"text": "Zwei é€😀"}]));
    let sent = shared.server.post(&format!("{path}/prompt"), &json!({"text": text})).unwrap();
    assert_eq!(sent.status, 200, "{}", sent.text());
    let messages = eventually("the end of the prompt", || {
        let list = shared.server.get(&format!("{path}/message?order=asc")).unwrap().json();
        let list = list["data"].as_array().unwrap().clone();
        list.iter().any(|message| message["type"] == "idle").then_some(list)
    });
    let said = messages.iter().find(|message| message["type"] == "assistant").unwrap();
    assert_eq!(said["content"][0]["text"], "Zwei é€😀", "{said}");
    assert_eq!(shared.model.runs("second generation"), 1);
    let unknown = shared.server.post("/session", &json!({})).unwrap();
    assert_eq!(unknown.status, 405, "1.x has this operation, 2.x has not");
}

#[test]
fn a_server_of_2_x_ends_with_sigterm_and_comes_back_with_its_sessions() {
    let model = Model::start(0).unwrap();
    let builder = Server::builder(&model.url()).generation(Generation::Two).persistent();
    let server = builder.start().unwrap();
    let session = server.post("/api/session", &json!({})).unwrap().json();
    let path = format!("/api/session/{}", session["data"]["id"].as_str().unwrap());
    assert_eq!(server.terminate().unwrap().code(), Some(130));
    server.restart().unwrap();
    assert_eq!(server.get(&path).unwrap().status, 200);
    let info = server.get("/api/info").unwrap().json();
    assert_eq!(info["version"], Generation::Two.version());
}
