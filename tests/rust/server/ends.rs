//! How a server goes, with everything that it has started.

use super::{await_end, options, pid_in, scripted};
use opencode_core::{
    Client, Decision, ErrorKind, PermissionPolicy, PermissionReply, Prompt, Server, ServerState,
};
use opencode_tests::{Directory, eventually, is_alive, prompt};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// Starts a run whose shell tool leaves processes behind in three ways; gives their pids: in the server's tree,
/// in a session of its own, and without any environment.
fn busy(client: &Client, folder: &Path) -> [u32; 3] {
    let at = |name: &str| folder.join(name);
    let command = format!(
        "setsid sh -c 'echo $$ > {1}; exec sleep 4321' >/dev/null 2>&1 &
         env -i sh -c 'echo $$ > {2}; exec sleep 4322' & echo $$ > {0}; sleep 4323; echo end",
        at("plain").display(),
        at("session").display(),
        at("bare").display()
    );
    let call = json!({"name": "bash", "arguments": {"command": command, "description": "Wait"}});
    let text = prompt("wait", json!([{"tools": [call]}, {"text": "never"}]));
    let mut prompt = Prompt::new(text);
    prompt.permission = Some(PermissionPolicy::always(Decision::Reply(PermissionReply::Once)));
    let run = client.run(prompt).unwrap();
    run.detach(opencode_tests::LIMIT).unwrap();
    ["plain", "session", "bare"].map(|name| pid_in(&at(name)))
}

#[test]
fn closing_ends_all_that_its_tools_have_started() {
    let folder = Directory::new("end").unwrap();
    let server = Server::start(options()).unwrap();
    let mut pids = busy(&server.client().unwrap(), folder.path()).to_vec();
    pids.extend(server.pid());
    assert!(pids.len() == 4 && pids.iter().all(|pid| is_alive(*pid)));
    server.close();
    let left: Vec<_> = pids.iter().filter(|pid| is_alive(**pid)).collect();
    assert!(left.is_empty(), "{left:?} of {pids:?}");
}

#[test]
fn a_server_that_has_ended_has_no_pid() {
    let folder = Directory::new("end").unwrap();
    let file = folder.path().join("pid");
    let script = format!("echo $$ > {}; exec sleep 4321", file.display());
    let server = Server::launch(scripted(&folder, &script)).unwrap();
    let pid = pid_in(&file);
    // It may have written its number before the one that started it has noted that.
    assert_eq!(eventually("its process", || server.pid()), pid);
    // It ends by itself.
    opencode_tests::kill(pid);
    eventually("its end", || (server.poll() == ServerState::Failed).then_some(()));
    assert_eq!(server.pid(), None);

    // What the last try was is none either.
    let server = Server::launch(scripted(&folder, "exit 1")).unwrap();
    assert_eq!((server.wait(None), server.pid()), (ServerState::Failed, None));

    let server = Server::launch(scripted(&folder, "exec sleep 4321")).unwrap();
    eventually("its process", || server.pid());
    server.close();
    assert_eq!(server.pid(), None);
}

#[test]
fn closing_stores_what_runs_as_aborted() {
    let folder = Directory::new("end").unwrap();
    let mut options = options();
    let database = folder.path().join("opencode.db").display().to_string();
    options.environment.push(("OPENCODE_DB".to_owned(), Some(database)));
    let server = Server::start(options.clone()).unwrap();
    busy(&server.client().unwrap(), folder.path());
    server.close();
    let again = Server::start(options).unwrap();
    let client = again.client().unwrap();
    let sessions = client.call("session.list", ()).unwrap().json::<Value>().unwrap();
    let id = sessions[0]["id"].as_str().unwrap();
    let messages = client.call("session.messages", json!({"sessionID": id})).unwrap();
    let last = messages.json::<Vec<Value>>().unwrap().pop().unwrap();
    assert!(last["info"]["time"]["completed"].is_number(), "{last}");
}

#[test]
fn a_run_ends_with_the_server_that_its_program_closes() {
    for is_closed in [true, false] {
        let server = Server::start(options()).unwrap();
        let client = server.client().unwrap();
        let words = prompt("slow", json!([{ "text": "a b c d e f g h", "delay_ms": 400 }]));
        let run = client.run(Prompt::new(words)).unwrap();
        eventually("its prompt sent", || run.message_id().filter(|_| run.why().contains("work")));
        let began = Instant::now();
        match is_closed {
            true => server.close(),
            false => drop(opencode_tests::kill(server.pid().unwrap())),
        }
        let error = run.wait(Some(opencode_tests::LIMIT)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
        let expected = if is_closed { "closed by this program" } else { "the server ended" };
        assert!(error.message().contains(expected), "{error}");
        assert!(error.is_sent() && began.elapsed() < Duration::from_secs(14), "{error}");
    }
}

#[test]
fn dropping_ends_it_in_the_background() {
    let server = Server::start(options()).unwrap();
    let pid = server.pid().unwrap();
    drop(server);
    await_end(pid);
}

#[test]
fn what_ignores_the_polite_signal_is_killed() {
    let folder = Directory::new("end").unwrap();
    let file = folder.path().join("pid");
    let script = format!("trap '' TERM; echo $$ > {}; while :; do sleep 1; done", file.display());
    let server = Server::launch(scripted(&folder, &script)).unwrap();
    let pid = pid_in(&file);
    server.close();
    assert!(!is_alive(pid));
}

#[test]
fn a_server_that_hangs_is_ended_all_the_same() {
    let server = Server::start(options()).unwrap();
    let pid = server.pid().unwrap();
    opencode_tests::stop(pid);
    let found = server.client().unwrap().doctor();
    assert!(!found.is_ok() && found.to_string().contains("does not answer"), "{found}");
    server.close();
    assert!(!is_alive(pid));
}

#[test]
fn closing_in_the_middle_of_the_start_leaves_nothing() {
    for _ in 0..5 {
        let server = Server::launch(options()).unwrap();
        server.close();
        assert_eq!((server.poll(), server.pid()), (ServerState::Closed, None));
    }
}

#[test]
fn a_killed_reaper_is_replaced_when_it_is_needed() {
    let folder = Directory::new("end").unwrap();
    let file = folder.path().join("pid");
    let script = format!("echo $$ > {}; sleep 4321", file.display());
    let server = Server::launch(scripted(&folder, &script)).unwrap();
    let pid = pid_in(&file);
    let reaper = eventually("the reaper", || reaper_of(pid));
    opencode_tests::kill(reaper);
    server.close();
    assert!(!is_alive(pid));
}

/// The reaper that holds the tag of a process.
fn reaper_of(pid: u32) -> Option<u32> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let environment = String::from_utf8_lossy(&environment).into_owned();
    let tag = environment.split('\0').find_map(|v| v.strip_prefix("LIBOPENCODE_SERVER="))?;
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let other: u32 = entry.file_name().to_str()?.parse().ok()?;
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).into_owned();
        (line.contains("opencode-reaper") && line.contains(tag)).then_some(other)
    })
}
