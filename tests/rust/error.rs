//! Every shape in which the server says that something is wrong: the message holds the operation, the status
//! and the server's own words.

use crate::client::options;
use opencode_core::{CallOptions, Client, Error, ErrorKind};
use opencode_tests::{Plan, Proxy, Server, shared};
use serde_json::{Value, json};

fn client() -> Client {
    let server = &shared().server;
    Client::new(options(server, &server.url())).unwrap()
}

fn session(client: &Client) -> String {
    let session: Value = client.call("session.create", json!({})).unwrap().json().unwrap();
    session["id"].as_str().unwrap().to_owned()
}

fn fails(client: &Client, operation: &str, arguments: Value) -> Error {
    let error = client.call(operation, arguments).unwrap_err();
    assert_eq!(error.operation(), operation, "{error}");
    error
}

/// Kind, status and code are these, and the message begins with operation and status and has the words.
fn is(error: &Error, kind: ErrorKind, status: u16, code: Option<&str>, words: &str) {
    let message = error.message();
    assert_eq!((error.kind(), error.status()), (kind, Some(status)), "{message}");
    assert_eq!(error.code(), code, "{message}");
    assert!(message.starts_with(&format!("{}: {status}", error.operation())), "{message}");
    assert!(message.contains(words) && !message.contains('\n'), "{message}");
    assert!(error.is_sent(), "{message}");
}

#[test]
fn a_name_with_a_message() {
    let error = fails(&client(), "session.get", json!({"sessionID": "ses_none"}));
    is(&error, ErrorKind::NotFound, 404, Some("NotFoundError"), "Session not found: ses_none");
}

#[test]
fn a_validation_with_line_breaks() {
    let client = client();
    let arguments = json!({"sessionID": session(&client), "messageID": "nope"});
    let error = fails(&client, "session.message", arguments);
    is(
        &error,
        ErrorKind::BadRequest,
        400,
        Some("BadRequest"),
        "Expected a string starting with \"msg\"",
    );
}

#[test]
fn a_tag_alone() {
    let client = client();
    let arguments = json!({"sessionID": session(&client), "limit": 1, "before": "xxx"});
    let error = fails(&client, "session.messages", arguments);
    is(&error, ErrorKind::BadRequest, 400, Some("BadRequest"), "session.messages: 400 BadRequest");
}

#[test]
fn a_name_with_empty_data() {
    let path = "/provider/local/oauth/authorize";
    let error =
        client().request("POST", path, &[], Some("{}"), &CallOptions::default()).unwrap_err();
    is(&error, ErrorKind::BadRequest, 400, Some("BadRequest"), "400 BadRequest");
    assert_eq!(error.operation(), format!("POST {path}"));
}

#[test]
fn an_operation_s_own_name() {
    let error = fails(&client(), "vcs.apply", json!({"patch": "garbage"}));
    is(&error, ErrorKind::BadRequest, 400, Some("VcsApplyError"), "Patch can't be applied");
    let error = fails(&client(), "worktree.reset", json!({"directory": "/nowhere"}));
    is(&error, ErrorKind::BadRequest, 400, Some("WorktreeResetFailedError"), "Worktree not found");
}

#[test]
fn a_bare_error_text() {
    let client = client();
    let config = json!({"type": "local", "command": ["false"]});
    client.call("mcp.add", json!({"name": "broken", "config": config})).unwrap();
    let error = fails(&client, "mcp.auth.start", json!({"name": "broken"}));
    is(&error, ErrorKind::BadRequest, 400, None, "MCP server broken does not support OAuth");
    let error = fails(&client, "global.upgrade", json!({"target": "0.0.1"}));
    is(&error, ErrorKind::BadRequest, 400, None, "Unknown installation method");
}

#[test]
fn a_tag_with_a_message() {
    for (operation, arguments, code, words) in [
        ("pty.get", json!({"ptyID": "pty_none"}), "PtyNotFoundError", "pty_none"),
        (
            "permission.reply",
            json!({"requestID": "per_none", "reply": "once"}),
            "PermissionNotFoundError",
            "per_none",
        ),
        ("question.reject", json!({"requestID": "que_none"}), "QuestionNotFoundError", "que_none"),
        // This one has a name beside the tag: that of what was asked for.
        ("mcp.connect", json!({"name": "nobody"}), "McpServerNotFoundError", "not found: nobody"),
        ("project.update", json!({"projectID": "nope"}), "ProjectNotFoundError", "nope"),
        (
            "v2.session.get",
            json!({"sessionID": "ses_none"}),
            "SessionNotFoundError",
            "Session not found: ses_none",
        ),
    ] {
        let error = fails(&client(), operation, arguments);
        is(&error, ErrorKind::NotFound, 404, Some(code), words);
    }
    let error = fails(&client(), "v2.session.get", json!({"sessionID": "nonsense"}));
    is(&error, ErrorKind::BadRequest, 400, Some("InvalidRequestError"), "Invalid session ID");
}

#[test]
fn a_refusal_a_conflict_and_a_service_that_is_not_there() {
    let client = client();
    let pty: Value = client.call("pty.create", json!({})).unwrap().json().unwrap();
    let path = format!("/pty/{}/connect-token", pty["id"].as_str().unwrap());
    let error = client.request("POST", &path, &[], None, &CallOptions::default()).unwrap_err();
    is(&error, ErrorKind::Forbidden, 403, Some("PtyForbiddenError"), "403 PtyForbiddenError: ");

    let session = session(&client);
    let prompt = opencode_tests::prompt(
        "busy",
        json!([{"text": "a b", "stall": {"after": 1, "ms": 60_000}}]),
    );
    let parts = json!([{"type": "text", "text": prompt}]);
    client.call("session.prompt_async", json!({"sessionID": session, "parts": parts})).unwrap();
    opencode_tests::eventually("the session to be busy", || {
        let status: Value = client.call("session.status", json!({})).unwrap().json().unwrap();
        (status[&session]["type"] == "busy").then_some(())
    });
    let arguments = json!({"sessionID": session, "messageID": "msg_none"});
    let error = fails(&client, "session.delete_message", arguments);
    is(&error, ErrorKind::Conflict, 409, Some("SessionBusyError"), &session);
    client.call("session.abort", json!({"sessionID": session})).unwrap();

    let options = CallOptions::from_json(r#"{"max_retries":0}"#).unwrap();
    let json = json!({"sessionID": session}).to_string();
    let error = client.call_json("v2.session.wait", &json, &options).unwrap_err();
    is(&error, ErrorKind::Server, 503, Some("ServiceUnavailableError"), "not available yet");
    assert!(error.is_retryable());
}

#[test]
fn a_client_s_mistake_that_looks_like_the_server_s() {
    let error = fails(&client(), "session.get", json!({"sessionID": "nonsense"}));
    is(&error, ErrorKind::Server, 500, Some("UnknownError"), "Unexpected server error");
    assert!(error.message().contains("(err_"), "the way to the server's log: {error}");
}

#[test]
fn plain_text() {
    let client = client();
    let mut options = CallOptions::default();
    options.headers = vec![("content-type".to_owned(), "text/plain".to_owned())];
    let json = json!({"sessionID": session(&client), "title": "x"}).to_string();
    let error = client.call_json("session.update", &json, &options).unwrap_err();
    is(&error, ErrorKind::BadRequest, 415, None, "Unsupported content-type: text/plain");
    let error = fails(&client, "session.list", json!({"workspace": "wrk_none"}));
    is(&error, ErrorKind::Server, 500, None, "Workspace not found: wrk_none");
}

#[test]
fn an_address_that_no_server_takes_is_not_sent() {
    let error = fails(&client(), "find.symbols", json!({"query": "x".repeat(20_000)}));
    assert_eq!((error.kind(), error.is_sent()), (ErrorKind::InvalidArgument, false), "{error}");
    assert!(error.message().starts_with("find.symbols: the address has 200"), "{error}");
    // What just passes gets its answer.
    client().call("find.symbols", json!({"query": "x".repeat(15_000)})).unwrap();
}

#[test]
fn an_address_that_grew_beyond_what_the_server_takes() {
    let proxy = Proxy::start(&shared().server.url()).unwrap();
    let client = Client::new(options(&shared().server, &proxy.url())).unwrap();
    proxy.always("*", Plan::pass().pad_target(18_000));
    for (operation, arguments) in
        [("session.list", json!({})), ("session.create", json!({"title": "x"}))]
    {
        let error = fails(&client, operation, arguments);
        is(&error, ErrorKind::BadRequest, 431, None, "the address or the headers are too long");
        assert_eq!(error.body(), None, "the server says nothing more");
        assert!(!error.is_retryable());
    }
    proxy.pass();
    client.call("session.create", json!({})).unwrap();
}

#[test]
fn nothing_but_a_status() {
    let server = &shared().server;
    let mut wrong = options(server, &server.url());
    wrong.password = Some("hunter2".to_owned());
    let wrong = Client::new(wrong).unwrap();
    let error = fails(&wrong, "session.list", json!({}));
    is(&error, ErrorKind::Unauthorized, 401, None, "OPENCODE_SERVER_PASSWORD");
    assert!(!error.message().contains("hunter2") && !error.to_json().contains("hunter2"));
    let error = fails(&wrong, "v2.session.list", json!({}));
    let words = "Authentication required";
    is(&error, ErrorKind::Unauthorized, 401, Some("UnauthorizedError"), words);
}

#[test]
fn a_web_page_in_place_of_an_answer() {
    let model = opencode_tests::Model::start(0).unwrap();
    let server = Server::builder(&model.url())
        .variable("OPENCODE_DISABLE_EMBEDDED_WEB_UI", "0")
        .start()
        .unwrap();
    let client = Client::new(options(&server, &server.url())).unwrap();
    let error = client.request("GET", "/nope", &[], None, &CallOptions::default()).unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Unsupported, Some(200)), "{error}");
    assert!(error.message().contains("send the header accept: text/html"), "{error}");
    let mut page = CallOptions::default();
    page.headers = vec![("accept".to_owned(), "text/html".to_owned())];
    let page = client.request("GET", "/nope", &[], None, &page).unwrap();
    assert_eq!((page.status(), page.is_json()), (200, false), "who asks for a page is given it");
    // An id with a slash would lead to another path, and so to the page; it is encoded.
    let error = fails(&client, "session.get", json!({"sessionID": "a/b"}));
    assert_ne!(error.kind(), ErrorKind::Unsupported, "{error}");
    let mut elsewhere = options(&server, &format!("{}/elsewhere", server.url()));
    elsewhere.max_retries = 0;
    let error = fails(&Client::new(elsewhere).unwrap(), "session.list", json!({}));
    assert_eq!((error.kind(), error.status()), (ErrorKind::Unsupported, Some(200)), "{error}");
    assert!(error.message().starts_with("session.list: ") && error.message().contains("web page"));
}

#[test]
fn an_unknown_model_of_a_summary_is_named() {
    let client = client();
    let session = session(&client);
    let given = json!({ "sessionID": session, "providerID": "nobody", "modelID": "test" });
    let error = fails(&client, "session.summarize", given);
    let wanted = "session.summarize: model 'nobody/test': provider 'nobody' is not known";
    assert!(error.message().starts_with(wanted), "{error}");
}
