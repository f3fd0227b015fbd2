//! What a tick pays.

use crate::isolated;
use opencode_tests::{Fake, SURGE, Server, flood, prompt, shared, surge, trickle};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;

/// What the poller says, and the system calls that its thread made while it polled; the library's own threads are
/// not traced.
fn polled(rounds: u64, url: &str, prompt: &str) -> (Value, Vec<String>) {
    let trace = std::env::temp_dir().join(format!("opencode-trace-{}", std::process::id()));
    let server: &Server = &shared().server;
    let output = Command::new("strace")
        .args(["-qq", "-o"])
        .arg(&trace)
        .arg(poller())
        .arg(rounds.to_string())
        .envs(server.env())
        .env("OPENCODE_BASE_URL", url)
        .env("OPENCODE_TEST_PROMPT", prompt)
        .output()
        .expect("strace is installed by the project's set-up");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = serde_json::from_slice(&output.stdout).unwrap();
    let lines = std::fs::read_to_string(&trace).unwrap();
    let _ = std::fs::remove_file(&trace);
    let (begin, end) = ("/begin-of-polls", "/end-of-polls");
    assert!(lines.contains(begin), "the mark is in the trace");
    let between = lines.lines().skip_while(|line| !line.contains(begin)).skip(1);
    let between = between.take_while(|line| !line.contains(end));
    (said, between.map(str::to_owned).collect())
}

fn poller() -> PathBuf {
    // .../deps/rust_isolated-HASH and .../examples/poller
    let me = std::env::current_exe().unwrap();
    me.ancestors().nth(2).unwrap().join("examples/poller")
}

/// Allocations of a poll for each text that it takes.
const MOST: u64 = 3;

#[test]
fn an_idle_poll_makes_no_system_call_and_no_allocation() {
    let _isolated = isolated();
    let steps = json!([{ "text": "a b c", "stall": { "after": 1, "ms": 60_000 } }]);
    let url = shared().server.url();
    let (said, calls) = polled(100_000, &url, &prompt("idle", steps));
    assert_eq!(calls, Vec::<String>::new());
    assert_eq!((said["allocations"].as_u64(), said["updates"].as_u64()), (Some(0), Some(0)));
}

#[test]
fn a_poll_in_a_flood_never_waits() {
    let _isolated = isolated();
    let fake = Fake::start(flood()).unwrap();
    let (said, calls) = polled(20_000_000, &fake.url(), "flood");
    assert!(said["text_bytes"].as_u64().unwrap() > 5_000, "a flood: {said}");
    // What is handed over was made by the engine: the poll makes the list that it gives, and what grows with it.
    let (allocations, updates) =
        (said["allocations"].as_u64().unwrap(), said["updates"].as_u64().unwrap());
    assert!(updates > 0 && allocations <= MOST * updates, "{said}");
    // Taking text costs memory. The poller's allocator has no locks, so every futex would be one of ours.
    let memory = ["brk(", "mmap(", "munmap(", "mremap(", "madvise(", "mprotect("];
    let others: Vec<_> =
        calls.iter().filter(|call| !memory.iter().any(|name| call.contains(name))).collect();
    assert!(others.is_empty(), "{others:?}");
    // The flood never ends. A loaded machine polls as slowly as it closes.
    assert!(said["close_ms"].as_u64() < said["polled_ms"].as_u64(), "{said}");
    assert_eq!(said["threads"], 1, "close joins every thread");
}

/// Allocations of all threads for a delta, from the socket to the list that the host gets. There are about thirty when it
/// comes alone; a slow machine gives the looks at the server, which are made by the clock, a larger share of them.
const MOST_OF_A_DELTA: u64 = 60;

#[test]
fn a_delta_costs_few_allocations_from_the_socket_to_the_host() {
    let _isolated = isolated();
    let fake = Fake::start(trickle()).unwrap();
    let (said, _) = polled(20_000_000, &fake.url(), "trickle");
    let (all, deltas) =
        (said["all_allocations"].as_u64().unwrap(), said["polled_bytes"].as_u64().unwrap());
    assert!(deltas > 100, "one byte each: {said}");
    assert!(all <= MOST_OF_A_DELTA * deltas, "{} for each of {deltas}: {said}", all / deltas);
}

/// Copies of a delta on its way from the socket to the host that need memory: the event, and its text. Then it is added
/// to the transcript and to the text of the run.
const MOST_COPIES: u64 = 2;

#[test]
fn a_delta_is_copied_few_times_from_the_socket_to_the_host() {
    let _isolated = isolated();
    let fake = Fake::start(surge()).unwrap();
    let (said, _) = polled(20_000_000, &fake.url(), "surge");
    let text = said["polled_bytes"].as_u64().unwrap();
    let (copies, deltas) = (said["long_allocations"].as_u64().unwrap(), text / SURGE as u64);
    assert!(deltas > 10, "long deltas: {said}");
    // The next one may be on its way.
    assert!(copies <= MOST_COPIES * (deltas + 1), "{copies} copies of {deltas}: {said}");
}
