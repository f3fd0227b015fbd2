//! Waiting until a directory has what a prompt needs.

use crate::client::*;
use opencode_core::{Client, ErrorKind, ReadyOptions};
use opencode_tests::{Directory, Server, shared, shared_two};
use serde_json::json;
use std::time::{Duration, Instant};

/// An MCP server that has no tools.
const STUB: &str = r#"
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    result = {"tools": []} if asked["method"] == "tools/list" else {}
    if asked["method"] == "initialize":
        version = asked["params"]["protocolVersion"]
        result = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": {"name": "stub", "version": "1"}}
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
"#;

/// A client in a directory that its server has never heard of.
fn cold(server: &Server, directory: &Directory) -> Client {
    let mut options = options(server, &server.url());
    options.directory = Some(directory.path().to_str().unwrap().to_owned());
    Client::new(options).unwrap()
}

/// Adds an MCP server to the directory of the client.
fn add(client: &Client, name: &str, command: &[&str]) {
    let config = json!({ "type": "local", "command": command });
    let added = client.call("mcp.add", json!({ "name": name, "config": config }));
    if added.is_err_and(|error| error.kind() == ErrorKind::Unsupported) {
        let arguments = json!({ "server": name, "config": config });
        client.call("v2.experimental.mcp.add", arguments).unwrap();
    }
}

/// One that works, and one that does not.
fn add_both(client: &Client, directory: &Directory) {
    let stub = directory.path().join("stub.py");
    std::fs::write(&stub, STUB).unwrap();
    add(client, "good", &["python3", stub.to_str().unwrap()]);
    add(client, "broken", &["false"]);
}

fn wanted(agents: &[&str], models: &[&str], mcp: &[&str]) -> ReadyOptions {
    let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let mut options = ReadyOptions::default();
    (options.agents, options.models, options.mcp) = (texts(agents), texts(models), texts(mcp));
    options
}

#[test]
fn a_cold_directory_is_waited_for_on_both_servers() {
    for server in [&shared().server, &shared_two().server] {
        let directory = Directory::new("ready").unwrap();
        let client = cold(server, &directory);
        let options = wanted(&["build"], &["local/test"], &[]);
        let ready = client.wait_until_ready(&options).unwrap();
        assert!(ready.agents.contains(&"build".to_owned()), "{ready:?}");
        assert!(ready.models.contains(&"local/test".to_owned()), "{ready:?}");
        add_both(&client, &directory);
        let call = client.start("wait_until_ready", json!({ "mcp": ["good"] })).unwrap();
        let ready: serde_json::Value = call.wait(None).unwrap().unwrap().json().unwrap();
        assert!(ready["agents"].as_array().unwrap().contains(&json!("build")));
        assert_eq!(ready["mcp"]["good"], "connected");
    }
}

#[test]
fn what_is_missing_is_told_and_an_mcp_server_that_failed_at_once() {
    for server in [&shared().server, &shared_two().server] {
        let directory = Directory::new("missing").unwrap();
        let client = cold(server, &directory);
        add_both(&client, &directory);
        let began = Instant::now();
        let mut options = wanted(&[], &[], &["broken"]);
        options.timeout = Duration::from_secs(300);
        let error = client.wait_until_ready(&options).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Start, Some("mcp")), "{error}");
        assert!(error.message().contains("mcp server 'broken' failed: "), "{error}");
        assert!(began.elapsed() < Duration::from_secs(150));
        let error = client.wait_until_ready(&wanted(&[], &["none"], &[])).unwrap_err();
        assert!(error.message().contains("write 'none' as provider/model"), "{error}");
        for (options, part) in [
            (wanted(&["nobody"], &[], &[]), "there is no agent 'nobody'; there are: "),
            (
                wanted(&[], &["local/none"], &[]),
                "there is no model 'local/none'; there are: local/",
            ),
            (wanted(&[], &[], &["none"]), "there is no mcp server 'none'; there are: broken, good"),
        ] {
            let mut options = options;
            options.timeout = Duration::from_millis(1_500);
            let error = client.wait_until_ready(&options).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
            assert!(error.message().contains(part), "{error}");
        }
        let call = client.start("wait_until_ready", json!({ "agents": ["nobody"] })).unwrap();
        client.close();
        assert_eq!(call.wait(None).unwrap().unwrap_err().kind(), ErrorKind::Closed);
    }
}
