//! How a server differs from the table of operations.

use crate::client::options;
use opencode_core::{Client, ErrorKind};
use opencode_tests::{Answer, Fake, shared};
use serde_json::{Value, json};

#[test]
fn the_pinned_server_has_just_what_the_table_has() {
    let server = &shared().server;
    let client = Client::new(options(server, &server.url())).unwrap();
    let drift = client.drift().unwrap();
    assert!(drift.is_empty(), "{}", drift.to_json());
}

#[test]
fn another_description_shows_what_is_new_gone_and_changed() {
    let mut document = shared().server.get("/doc").unwrap().json();
    change(&mut document);
    let fake = Fake::start(move |_| Answer::json(200, &document)).unwrap();
    let client = Client::new(options(&shared().server, &fake.url())).unwrap();
    let drift: Value = serde_json::from_str(&client.drift().unwrap().to_json()).unwrap();
    let new = json!([{"operation": "session.shine", "method": "PUT", "path": "/session/{sessionID}/shine"}]);
    let gone = json!([{"operation": "vcs.diff_raw", "method": "GET", "path": "/vcs/diff/raw"}]);
    assert_eq!((&drift["new"], &drift["gone"]), (&new, &gone));
    let changed = json!([
        {"operation": "file.list", "differences": [
            "the argument 'path' is no longer required", "the argument 'depth' is new"]},
        {"operation": "global.health", "differences": ["the path is /global/pulse, not /global/health"]},
        {"operation": "session.abort", "differences": ["the method is DELETE, not POST"]},
        {"operation": "session.create", "differences": ["the argument 'title' is gone"]},
    ]);
    assert_eq!(drift["changed"], changed);
}

fn change(document: &mut Value) {
    let paths = document["paths"].as_object_mut().unwrap();
    let shine = json!({"put": {"operationId": "session.shine"}});
    paths.insert("/session/{sessionID}/shine".to_owned(), shine);
    paths.remove("/vcs/diff/raw").unwrap();
    let health = paths.remove("/global/health").unwrap();
    paths.insert("/global/pulse".to_owned(), health);
    let abort = paths["/session/{sessionID}/abort"]["post"].take();
    paths.insert("/session/{sessionID}/abort".to_owned(), json!({"delete": abort}));
    let list = paths["/file"]["get"]["parameters"].as_array_mut().unwrap();
    list.iter_mut().find(|p| p["name"] == "path").unwrap()["required"] = json!(false);
    list.push(json!({"name": "depth", "in": "query"}));
    let body = &mut paths["/session"]["post"]["requestBody"]["content"]["application/json"];
    body["schema"]["properties"].as_object_mut().unwrap().remove("title").unwrap();
}

#[test]
fn a_server_without_a_description_is_an_error() {
    let fake = Fake::start(|_| Answer::body(404, "text/plain", "no")).unwrap();
    let client = Client::new(options(&shared().server, &fake.url())).unwrap();
    let error = client.drift().unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::NotFound, "doc.get"), "{error}");
}
