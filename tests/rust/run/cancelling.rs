//! Cancels of runs whose tools and subagents are at work.

use super::*;
use opencode_core::{ErrorKind, PermissionPolicy};
use opencode_tests::{Directory, eventually, is_alive};
use std::path::Path;

/// The pid that a command wrote into a file.
fn pid_in(file: &Path) -> u32 {
    let read = || std::fs::read_to_string(file).ok()?.trim().parse().ok();
    eventually("the command at work", read)
}

/// A command that notes its pid and takes five minutes.
fn command(file: &Path, before: &str) -> Value {
    bash(&format!("{before} echo $$ > {}; while :; do sleep 0.2; done", file.display()))
}

fn start(client: &Client, words: &str, steps: Value) -> Run {
    let mut prompt = scripted(words, steps);
    prompt.permission = Some(PermissionPolicy::from_value(&json!("once")).unwrap());
    client.run(prompt).unwrap()
}

#[test]
fn subagents_and_their_tools_end_with_the_run() {
    let folder = Directory::new("tree").unwrap();
    for events in [true, false] {
        let files = [0, 1].map(|n| folder.path().join(format!("{events}-{n}")));
        let tasks: Vec<Value> = files
            .iter()
            .map(|file| {
                let child =
                    opencode_tests::prompt("child", json!([command(file, ""), { "text": "x" }]));
                json!({ "name": "task", "arguments": {
                    "description": "d", "prompt": child, "subagent_type": "general",
                } })
            })
            .collect();
        let steps = json!([{ "tools": tasks }, { "text": "never" }]);
        let client = client(events);
        let run = start(&client, "tree", steps);
        let pids = files.map(|file| pid_in(&file));
        run.cancel(LIMIT);
        let alive: Vec<_> = pids.iter().filter(|pid| is_alive(**pid)).collect();
        assert!(alive.is_empty(), "{alive:?} of {pids:?}");
        assert_eq!(error(&run).kind(), ErrorKind::Cancelled);
        for child in &run.reply().unwrap().children {
            let status: Value = client.call("session.status", ()).unwrap().json().unwrap();
            assert!(status.get(child).is_none(), "{status}");
        }
    }
}

#[test]
fn a_command_that_ignores_signals_holds_no_cancel_and_is_told() {
    let folder = Directory::new("deaf").unwrap();
    for events in [true, false] {
        let file = folder.path().join(events.to_string());
        let deaf = command(&file, "trap '' TERM INT HUP;");
        let client = client(events);
        let run = start(&client, "deaf", json!([deaf, { "text": "never" }]));
        let pid = pid_in(&file);
        assert_eq!(run.cancel(Duration::from_secs(1)), State::Pending, "{:?}", run.error());
        // The abort needs a moment on a busy machine.
        eventually("what is not settled", || run.why().contains("not settled").then_some(()));
        run.cancel(LIMIT);
        assert_eq!(error(&run).kind(), ErrorKind::Cancelled);
        // A busy server kills it a moment later.
        eventually("it is killed", || (!is_alive(pid)).then_some(()));
    }
}
