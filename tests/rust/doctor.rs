//! What works and what does not, told within its time; servers that are not what they should be.

use opencode_core::{CheckStatus, Client, ClientOptions, Diagnosis, ErrorKind};
use opencode_tests::{Answer, Directory, Fake, LIMIT, shared};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::time::Duration;

fn client(url: &str, password: Option<&str>) -> Client {
    let mut options = ClientOptions::default();
    options.base_url = url.to_owned();
    options.password = password.map(str::to_owned);
    options.max_retries = 0;
    Client::new(options).unwrap()
}

fn doctor(url: &str) -> Diagnosis {
    let found = client(url, None).doctor();
    // Its own time is five seconds; a loaded machine may need more to get a turn.
    assert!(found.elapsed < Duration::from_secs(15), "{:?}", found.elapsed);
    found
}

fn status(found: &Diagnosis, name: &str) -> Option<CheckStatus> {
    found.checks.iter().find(|check| check.name == name).map(|check| check.status)
}

fn fails(found: &Diagnosis, name: &str, part: &str) {
    assert!(!found.is_ok(), "{found}");
    let check = found.checks.iter().find(|check| check.name == name).unwrap();
    assert_eq!(check.status, CheckStatus::Fail, "{found}");
    assert!(format!("{} {}", check.message, check.advice).contains(part), "{found}");
}

#[test]
fn a_server_in_good_health_has_nothing_to_advise() {
    let server = &shared().server;
    let mut options = ClientOptions::default();
    options.base_url = server.url();
    options.username = Some(server.username().to_owned());
    options.password = server.password().map(str::to_owned);
    options.directory = Some(server.directory().display().to_string());
    let found = Client::new(options.clone()).unwrap().doctor();
    let names: Vec<_> = found.checks.iter().map(|check| check.name).collect();
    let all = ["server", "password", "version", "directory", "model", "ripgrep", "events", "clock"];
    assert_eq!(names, all);
    for name in ["server", "password", "version", "directory", "model", "clock"] {
        assert_eq!(status(&found, name), Some(CheckStatus::Ok), "{found}");
    }
    assert!(found.is_ok(), "{found}");
    let text = found.to_string();
    assert!(text.lines().count() == all.len() && text.contains("1.18.33 (1.x)"), "{text}");
    let json: Value = serde_json::from_str(&found.to_json()).unwrap();
    assert_eq!(json["checks"][4]["check"], "model");
    assert_eq!(json["checks"][4]["message"], "local/test");
    assert!(!found.to_json().contains(server.password().unwrap()));

    options.directory = Some("/no/such/place".to_owned());
    fails(&Client::new(options.clone()).unwrap().doctor(), "directory", "'/no/such/place'");
    options.password = Some("wrong".to_owned());
    fails(&Client::new(options.clone()).unwrap().doctor(), "password", "refuses");
    options.password = None;
    fails(&Client::new(options).unwrap().doctor(), "password", "none is set");
}

#[test]
fn a_dead_server_is_told_how_to_be_started() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    fails(&doctor(&format!("http://127.0.0.1:{port}")), "server", "opencode serve");
}

#[test]
fn a_server_that_hangs_costs_no_more_than_the_budget() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    fails(&doctor(&url), "server", "does not answer");
    // Healthy, and then nothing more.
    let fake = Fake::start(|request| match request.path() {
        "/global/health" => Answer::json(200, &json!({"healthy": true, "version": "1.18.33"})),
        _ => Answer::silence().pause(Duration::MAX),
    });
    let found = doctor(&fake.unwrap().url());
    assert_eq!(status(&found, "version"), Some(CheckStatus::Ok));
    assert_eq!(status(&found, "events"), Some(CheckStatus::Warn), "{found}");
    assert_eq!(found.checks.len(), 8);
}

#[test]
fn a_web_page_is_no_server() {
    let fake = Fake::start(|_| Answer::body(200, "text/html", "<html>hello</html>")).unwrap();
    fails(&doctor(&fake.url()), "server", "no OpenCode server");
}

/// What OpenCode 2.x says: nothing that 1.x says.
fn second() -> Fake {
    Fake::start(|request| match request.path() {
        "/api/info" => Answer::json(200, &json!({"version": "2.0.5", "pid": 7})),
        "/session" => Answer::body(200, "text/html", "<html></html>"),
        _ => Answer::body(404, "text/plain", ""),
    })
    .unwrap()
}

#[test]
fn a_server_of_2_x_is_named_as_such() {
    let fake = second();
    let found = doctor(&fake.url());
    assert_eq!(status(&found, "version"), Some(CheckStatus::Ok), "{found}");
    assert!(found.to_string().contains("2.0.5 (2.x)"), "{found}");
    let client = client(&fake.url(), None);
    for operation in ["session.list", "config.get"] {
        let Err(error) = client.call(operation, ()) else { panic!("{operation} worked") };
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.message().contains("OpenCode 2.0.5"), "{error}");
        assert_eq!(error.operation(), operation);
    }
}

#[test]
fn a_server_of_1_0_is_told_as_too_old() {
    let fake = Fake::start(|request| match request.path() {
        "/doc" => {
            let info = json!({"title": "opencode", "version": "0.0.3"});
            Answer::json(200, &json!({"openapi": "3.1.1", "info": info, "paths": {}}))
        }
        "/session" if request.method == "POST" => Answer::json(200, &json!({"id": "ses_1"})),
        _ => Answer::body(404, "text/plain", "404 Not Found"),
    })
    .unwrap();
    fails(&doctor(&fake.url()), "version", "older than 1.1");
    let client = client(&fake.url(), None);
    let prompt = json!({"sessionID": "ses_1", "parts": []});
    let error = client.call("session.prompt_async", prompt).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.message().contains("needs 1.1 or newer"), "{error}");
    let error = client.ask("hello").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.message().contains("needs 1.1 or newer"), "{error}");
}

#[test]
fn what_is_missing_on_a_server_of_1_x_stays_missing() {
    let fake = Fake::start(|request| match request.path() {
        "/session/ses_1" => Answer::json(
            404,
            &json!({"name": "NotFoundError", "data": {"message": "Session not found: ses_1"}}),
        ),
        _ => Answer::body(200, "text/html", "<html></html>"),
    })
    .unwrap();
    let client = client(&fake.url(), None);
    let error = client.call("session.get", json!({"sessionID": "ses_1"})).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(fake.requests().len(), 1, "nobody asks who says what is missing");
    let error = client.call("session.list", ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(!error.message().contains("2."), "{error}");
}

#[test]
fn a_bad_configuration_is_told_with_file_field_and_reason() {
    // The shared server reads no configuration of directories.
    let model = opencode_tests::Model::start(0).unwrap();
    let server = opencode_tests::Server::builder(&model.url())
        .variable("OPENCODE_DISABLE_PROJECT_CONFIG", "0")
        .start()
        .unwrap();
    for (config, wanted) in [
        (r#"{"model": [], "agent": {"a": 7}}"#, ["model: Expected string", "agent"]),
        ("{\"model\": \"hunter2\",\n nope }", ["line 2", "opencode.json"]),
    ] {
        let folder = Directory::new("config").unwrap();
        std::fs::write(folder.path().join("opencode.json"), config).unwrap();
        let mut options = ClientOptions::default();
        options.base_url = server.url();
        options.username = Some(server.username().to_owned());
        options.password = server.password().map(str::to_owned);
        options.directory = Some(folder.path().display().to_string());
        let client = Client::new(options).unwrap();
        let run = client.run("hello").unwrap();
        let Err(of_run) = run.wait(Some(LIMIT)) else { panic!("it ran") };
        let of_call = client.call("session.create", json!({})).unwrap_err();
        let found = client.doctor();
        for error in [of_run, of_call] {
            let text = error.message();
            let is_whole = wanted.iter().all(|part| text.contains(part));
            assert!(is_whole && text.contains("opencode.json"), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
        wanted.iter().for_each(|part| fails(&found, "directory", part));
    }
}
