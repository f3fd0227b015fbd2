//! Nothing outlives the tests.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::{fs, thread};

use opencode_tests::{Model, Server, eventually, http, is_alive, prompt, shared};
use serde_json::{Value, json};

/// A script that leaves a process of its own session behind and then waits.
fn leave_behind(file: &Path) -> Value {
    let command = format!(
        "setsid sh -c 'echo $$ > {}; exec sleep 4321' >/dev/null 2>&1 & sleep 4321",
        file.display()
    );
    let call = json!({"name": "bash", "arguments": {"command": command, "description": "Wait"}});
    json!([{"tools": [call]}, {"text": "never"}])
}

/// The process that [`leave_behind`] has started.
fn left_behind(file: &Path) -> u32 {
    eventually("the tool", || fs::read_to_string(file).ok()?.trim().parse().ok())
}

fn is_gone(pid: u32) -> Option<()> {
    (!is_alive(pid)).then_some(())
}

#[test]
fn dropping_a_server_ends_what_its_tools_have_started() {
    let server = Server::builder(&shared().model.url()).start().unwrap();
    let file = server.directory().join("pid");
    let id = super::session(&server);
    let part = json!({"type": "text", "text": prompt("wait", leave_behind(&file))});
    let path = format!("/session/{id}/prompt_async");
    assert_eq!(server.post(&path, &json!({"parts": [part]})).unwrap().status, 204);
    let (tool, pid, directory) = (left_behind(&file), server.pid(), server.directory().to_owned());
    drop(server);
    assert!(!is_alive(pid) && !is_alive(tool));
    assert!(!directory.exists());
}

/// A process of its own that holds a server and a model.
fn stack() -> (Child, Value) {
    let mut stack = Command::new(env!("CARGO_BIN_EXE_opencode-stack"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(stack.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let variables = serde_json::from_str(&line).unwrap();
    (stack, variables)
}

/// The server that belongs to these variables.
fn server_pid(variables: &Value) -> u32 {
    let port = variables["OPENCODE_BASE_URL"].as_str().unwrap().rsplit(':').next().unwrap();
    let wanted = format!("serve\0--hostname\0127.0.0.1\0--port\0{port}\0");
    let pids = fs::read_dir("/proc").unwrap().flatten();
    let mut pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_it = |pid: &u32| {
        fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains(&wanted))
    };
    pids.find(is_it).unwrap()
}

#[test]
fn killing_the_parent_leaves_no_process_and_no_file() {
    let (mut stack, variables) = stack();
    let directory = Path::new(variables["OPENCODE_DIRECTORY"].as_str().unwrap());
    let server = server_pid(&variables);
    let file = directory.join("pid");
    let username = variables["OPENCODE_SERVER_USERNAME"].as_str().unwrap();
    let password = variables["OPENCODE_SERVER_PASSWORD"].as_str().unwrap();
    let authorization = http::basic(username, password);
    let post = |path: &str, body: Value| {
        let url = format!("{}{path}", variables["OPENCODE_BASE_URL"].as_str().unwrap());
        let headers =
            [("authorization", authorization.as_str()), ("content-type", "application/json")];
        http::send("POST", &url, &headers, Some(body.to_string().as_bytes())).unwrap()
    };
    let session = post("/session", json!({})).json();
    let part = json!({"type": "text", "text": prompt("wait", leave_behind(&file))});
    let path = format!("/session/{}/prompt_async", session["id"].as_str().unwrap());
    assert_eq!(post(&path, json!({"parts": [part]})).status, 204);
    let tool = left_behind(&file);
    assert!(is_alive(server) && is_alive(tool));
    stack.kill().unwrap();
    stack.wait().unwrap();
    eventually("the end of the server", || is_gone(server));
    eventually("the end of the tool", || is_gone(tool));
    let root = directory.parent().unwrap();
    assert!(root.file_name().unwrap().to_str().unwrap().starts_with("opencode-tests-"));
    eventually("the end of the files", || (!root.exists()).then_some(()));
}

#[test]
fn the_end_of_the_process_is_the_end_of_its_server() {
    let (mut stack, variables) = stack();
    let server = server_pid(&variables);
    drop(stack.stdin.take());
    assert!(stack.wait().unwrap().success());
    eventually("the end of the server", || is_gone(server));
}

#[test]
fn a_command_finds_the_server_by_its_variables() {
    let output = Command::new(env!("CARGO_BIN_EXE_opencode-stack"))
        .args(["--", "sh", "-c", "echo $OPENCODE_BASE_URL; pwd; echo $OPENCODE_DIRECTORY; exit 7"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(7));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("http://127.0.0.1:"), "{text}");
    assert_eq!(lines[1], lines[2]);
}

#[test]
fn a_thread_that_started_a_server_may_end_before_it() {
    let model = Model::start(0).unwrap();
    let url = model.url();
    let server = thread::spawn(move || Server::builder(&url).start().unwrap()).join().unwrap();
    assert_eq!(server.get("/global/health").unwrap().status, 200);
    assert!(is_alive(server.pid()));
}
