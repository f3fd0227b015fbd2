//! A program of 2.x in place of one of 1.x: started, used and ended in the same way.

use super::{options, pid_in};
use opencode_core::{Client, ClientOptions, Dialect, ErrorKind, Server, ServerOptions};
use opencode_tests::{Directory, Generation, eventually, is_alive, prompt, shared_two};
use serde_json::{Value, json};

/// Options for the server of 2.x in the world of the shared one.
fn two() -> ServerOptions {
    let mut options = options();
    let server = &shared_two().server;
    options.binary = Some(Generation::Two.binary().unwrap());
    options.directory = Some(server.directory().to_owned());
    let world = server.world().into_iter();
    options.environment = world.map(|(name, value)| (name, Some(value))).collect();
    options
}

fn json(client: &Client, operation: &str, arguments: Value) -> Value {
    client.call(operation, arguments).unwrap().json().unwrap()
}

#[test]
fn a_program_of_2_x_is_started_and_ends_with_all_that_it_has_started() {
    let folder = Directory::new("two").unwrap();
    let mut options = two();
    let database = folder.path().join("opencode.db").display().to_string();
    options.environment.push(("OPENCODE_DB".to_owned(), Some(database)));
    // What stands in the environment of the host is not the password of this server.
    options.environment.push(("OPENCODE_PASSWORD".to_owned(), Some("another".to_owned())));
    options.log_level = Some("WARN".to_owned());
    let world = shared_two().server.world();
    let own = world.iter().find(|(name, _)| name == "OPENCODE_CONFIG_CONTENT").unwrap();
    let mut config: Value = serde_json::from_str(&own.1).unwrap();
    config["model"] = json!("local/other");
    options.config = config.as_object().cloned();
    let server = Server::start(options.clone()).unwrap();
    let client = server.client().unwrap();
    let info = client.server().unwrap();
    assert_eq!((info.version.as_str(), info.dialect), ("2.0.15", Dialect::Two));
    let mut stranger = ClientOptions::default();
    stranger.base_url = server.url().unwrap();
    let error = Client::new(stranger).unwrap().call("v2.server.info", ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    // The config of 1.x is understood.
    eventually("the model of the config", || {
        let model = json(&client, "v2.model.default", json!({}));
        (model["data"]["id"] == "other").then_some(())
    });
    // Its end tells what runs, and takes along what that has started.
    let made = json(
        &client,
        "v2.session.create",
        json!({"permissions": [
        {"action": "*", "resource": "*", "effect": "allow"}]}),
    );
    let id = made["data"]["id"].as_str().unwrap().to_owned();
    let file = folder.path().join("pid");
    let command = format!("setsid sh -c 'echo $$ > {}; exec sleep 4321'", file.display());
    let call = json!({"name": "shell", "arguments": {"command": command}});
    let text = prompt("wait", json!([{"tools": [call]}, {"text": "never"}]));
    json(&client, "v2.session.prompt", json!({"sessionID": id, "text": text}));
    let pids = [pid_in(&file), server.pid().unwrap()];
    server.close();
    assert!(pids.iter().all(|pid| !is_alive(*pid)), "{pids:?}");
    options.log_level = None;
    let again = Server::start(options).unwrap();
    let stored = json(&again.client().unwrap(), "v2.session.get", json!({"sessionID": id}));
    assert_eq!(stored["data"]["outcome"], "interrupted", "{stored}");
}

#[test]
fn a_user_that_2_x_does_not_know_is_named() {
    let mut options = two();
    options.username = "somebody".to_owned();
    let error = Server::start(options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Start, "{error}");
    assert!(error.message().contains("knows no user but 'opencode'"), "{error}");
}

#[test]
fn a_client_goes_on_with_the_server_that_its_program_starts_in_place_of_the_first() {
    let first = Server::start(options()).unwrap();
    let (url, client) = (first.url().unwrap(), first.client().unwrap());
    let environment = first.environment().unwrap();
    let of_first = |name: &str| environment.iter().find(|(key, _)| key == name).unwrap().1.clone();
    assert_eq!(client.server().unwrap().dialect, Dialect::One);
    first.close();
    let error = client.ask("nobody is there").unwrap_err();
    assert!(error.message().contains("closed by this program"), "{error}");
    let mut second = two();
    second.password = Some(of_first("OPENCODE_SERVER_PASSWORD"));
    second.port = url.rsplit(':').next().and_then(|port| port.trim_end_matches('/').parse().ok());
    let second = Server::start(second).unwrap();
    assert_eq!(second.url().unwrap(), url);
    assert!(!client.ask("is anybody there?").unwrap().text.is_empty());
    assert_eq!(client.server().unwrap().dialect, Dialect::Two);
}
