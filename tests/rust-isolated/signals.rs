//! Signals are the host's.

use crate::client::*;
use crate::isolated;
use crate::process::{blocked, tasks};
use opencode_core::{Client, EventOptions, PtyOptions, Server, ServerOptions, discover};
use opencode_tests::{LIMIT, binary, eventually, shared};
use serde_json::json;
use std::collections::HashSet;
use std::time::Duration;

/// The bits of SIGHUP, SIGINT, SIGUSR1, SIGUSR2, SIGALRM, SIGTERM and SIGCHLD.
const HOSTS: u64 = 1 | 1 << 1 | 1 << 9 | 1 << 11 | 1 << 13 | 1 << 14 | 1 << 16;

#[test]
fn no_thread_of_the_library_takes_one() {
    let _isolated = isolated();
    let stage = shared();
    // Threads of the harness that start meanwhile are named after what they do; these names are the library's.
    let is_ours = |name: &str| name.starts_with("opencode-") || name.starts_with("mDNS");
    let client = Client::new(options(&stage.server, &stage.server.url())).unwrap();
    let steps = json!([{ "text": "a b c", "stall": { "after": 1, "ms": 60_000 } }]);
    let run = client.run(scripted("signals", steps)).unwrap();
    run.next_update(Some(LIMIT)).unwrap();
    let _events = client.events(EventOptions::default()).unwrap();
    let _call = client.start("tui.control.next", ()).unwrap();
    let mut terminal = PtyOptions::default();
    terminal.command = Some("cat".to_owned());
    let terminal = client.pty(terminal).unwrap();
    terminal.write("x\n").unwrap();
    let named = options(&stage.server, &stage.server.url().replace("127.0.0.1", "localhost"));
    Client::new(named).unwrap().call("session.list", ()).unwrap();
    let looking = std::thread::spawn(|| discover(Duration::from_secs(4)));
    // As long as the system lets names be.
    let wanted = ["runs", "events", "reques", "call", "pty", "discov"];
    let mut missing: HashSet<String> = wanted.iter().map(|n| format!("opencode-{n}")).collect();
    missing.insert("mDNS_daemon".to_owned());
    eventually("every thread", || {
        for (name, pid) in tasks() {
            if is_ours(&name) {
                let mask = blocked(pid);
                // It may have ended in between.
                assert!(mask.is_none_or(|mask| mask & HOSTS == HOSTS), "{name}: {mask:x?}");
                missing.remove(&name);
            }
        }
        missing.is_empty().then_some(())
    });
    looking.join().unwrap();
    client.close();
}

#[test]
fn what_it_starts_takes_them_all() {
    let _isolated = isolated();
    let world = shared().server.world();
    let mut options = ServerOptions::default();
    options.binary = Some(binary::path().unwrap());
    options.directory = Some(shared().server.directory().to_owned());
    options.environment = world.into_iter().map(|(name, value)| (name, Some(value))).collect();
    options.start_timeout = LIMIT;
    let server = Server::start(options).unwrap();
    assert_eq!(blocked(server.pid().unwrap()), Some(0));
    let reapers: Vec<u32> = children("opencode-reaper");
    assert!(!reapers.is_empty());
    for reaper in reapers {
        assert_eq!(blocked(reaper).unwrap_or(0) & HOSTS, 0);
    }
    server.close();
}

/// Processes with a word in their command.
fn children(word: &str) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let has_word = |pid: &u32| {
        std::fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(word))
    };
    pids.filter(has_word).collect()
}
