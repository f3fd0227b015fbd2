//! Whatever a program does wrong: one line that says what, with which value, and what to do. The same as
//! `mistakes` of the other languages.

use crate::client::options;
use opencode_core::{
    Client, ClientOptions, Decision, Error, ErrorKind, PermissionPolicy, Prompt, QuestionPolicy,
};
use opencode_tests::shared;
use serde_json::json;
use std::time::Duration;

fn client() -> Client {
    let server = &shared().server;
    Client::new(options(server, &server.url())).unwrap()
}

fn at(url: &str) -> opencode_core::Result<Client> {
    let mut options = ClientOptions::default();
    options.base_url = url.to_owned();
    Client::new(options)
}

fn is(error: &Error, kind: ErrorKind, words: &str) {
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.message().contains(words) && !error.message().contains('\n'), "{error}");
}

/// A prompt that gives up soon when nobody is there.
fn hasty(text: &str) -> Prompt {
    let mut prompt = Prompt::from(text);
    prompt.limits.server_timeout = Some(Duration::from_millis(300));
    prompt
}

#[test]
fn no_server() {
    let client = at("http://127.0.0.1:9").unwrap();
    let error = client.call("session.list", ()).unwrap_err();
    is(&error, ErrorKind::Connection, "opencode serve");
    assert!(error.is_retryable() && !error.is_sent());
    is(&client.ask(hasty("x")).unwrap_err(), ErrorKind::Connection, "no server listens");
}

#[test]
fn wrong_password() {
    let server = &shared().server;
    let mut options = options(server, &server.url());
    options.password = Some("hunter2".to_owned());
    let client = Client::new(options).unwrap();
    for error in [client.call("session.list", ()).unwrap_err(), client.ask("x").unwrap_err()] {
        is(&error, ErrorKind::Unauthorized, "OPENCODE_SERVER_PASSWORD");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}

#[test]
fn wrong_address() {
    for url in ["ftp://x", "http://", "http://user:hunter2@", "not a url"] {
        let error = at(url).unwrap_err();
        is(&error, ErrorKind::InvalidArgument, "base_url");
        assert!(!error.message().contains("hunter2"), "{error}");
    }
}

#[test]
fn unknown_session() {
    let error = client().call("session.get", json!({ "sessionID": "ses_none" })).unwrap_err();
    is(&error, ErrorKind::NotFound, "Session not found: ses_none");
    let mut prompt = hasty("x");
    prompt.session = Some("ses_none".to_owned());
    is(&client().ask(prompt).unwrap_err(), ErrorKind::NotFound, "ses_none");
}

#[test]
fn unknown_operation_and_wrong_arguments() {
    let client = client();
    for (operation, arguments, words) in [
        ("session.lst", json!({}), "did you mean 'session.list'"),
        ("session.get", json!({}), "'sessionID' is missing"),
        ("session.get", json!({ "sessionID": true }), "must be a text"),
        ("session.update", json!({ "sessionID": "ses_1", "tilte": "x" }), "did you mean 'title'"),
        ("session.get", json!([1]), "JSON object"),
    ] {
        let error = client.call(operation, arguments).unwrap_err();
        is(&error, ErrorKind::InvalidArgument, words);
        assert!(!error.is_sent());
    }
}

#[test]
fn an_ask_that_nobody_could_answer() {
    let client = at("http://127.0.0.1:9").unwrap();
    let mut prompt = hasty("x");
    prompt.permission = Some(PermissionPolicy::always(Decision::Ask));
    is(&client.ask(prompt.clone()).unwrap_err(), ErrorKind::InvalidArgument, "permission is 'ask'");
    // With a run there is somebody.
    client.run(prompt).unwrap();
    let rules = json!([{ "permission": "bash", "reply": "ask" }]);
    let mut prompt = hasty("x");
    prompt.permission = Some(PermissionPolicy::from_value(&rules).unwrap());
    is(&client.ask(prompt).unwrap_err(), ErrorKind::InvalidArgument, "use run");
    let mut options = ClientOptions::default();
    options.base_url = "http://127.0.0.1:9".to_owned();
    options.question = QuestionPolicy::Ask;
    let error = Client::new(options).unwrap().ask(hasty("x")).unwrap_err();
    is(&error, ErrorKind::InvalidArgument, "question is 'ask'");
}

#[test]
fn wrong_prompts() {
    let client = client();
    is(&client.run("").unwrap_err(), ErrorKind::InvalidArgument, "empty");
    is(&client.run(" \n").unwrap_err(), ErrorKind::InvalidArgument, "empty");
    for (json, words) in [
        (r#"{"prompt":"x","sesion":"y"}"#, "unknown option 'sesion'"),
        (r#"{"prompt":"x","model":"gpt"}"#, "provider/model"),
        (r#"{"prompt":5}"#, "prompt"),
        ("{", "JSON"),
    ] {
        is(&Prompt::from_json(json).unwrap_err(), ErrorKind::InvalidArgument, words);
    }
    let unknown = Prompt::from_json(r#"{"prompt":"x","model":"no/such"}"#).unwrap();
    is(&client.ask(unknown).unwrap_err(), ErrorKind::Agent, "no/such");
    let unknown = Prompt::from_json(r#"{"prompt":"x","agent":"nobody"}"#).unwrap();
    is(&client.ask(unknown).unwrap_err(), ErrorKind::Agent, "nobody");
}

#[test]
fn a_closed_client() {
    let client = client();
    client.close();
    is(&client.call("session.list", ()).unwrap_err(), ErrorKind::Closed, "closed");
    is(&client.run("x").unwrap_err(), ErrorKind::Closed, "closed");
}
