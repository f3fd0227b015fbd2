//! Cancels of runs whose tools and subagents are at work.

use super::world::{Way, World};
use super::*;
use opencode_core::{ErrorKind, PermissionPolicy};
use opencode_tests::{Directory, is_alive};

/// The pid that a command wrote into a file.
fn pid_in(file: &Path) -> u32 {
    let read = || std::fs::read_to_string(file).ok()?.trim().parse().ok();
    eventually("the command at work", read)
}

/// A command that notes its pid and takes five minutes.
fn command(world: &World, file: &Path, before: &str) -> Value {
    world.bash(&format!("{before} echo $$ > {}; while :; do sleep 0.2; done", file.display()))
}

fn start(client: &Client, words: &str, steps: Value) -> Run {
    let mut prompt = scripted(words, steps);
    prompt.permission = Some(PermissionPolicy::from_value(&json!("once")).unwrap());
    client.run(prompt).unwrap()
}

#[test]
fn subagents_and_their_tools_end_with_the_run() {
    with_events_and_without(|client| {
        let folder = Directory::new("tree").unwrap();
        let files = [0, 1].map(|n| folder.path().join(n.to_string()));
        let world = client.world();
        let tasks: Vec<Value> = files
            .iter()
            .map(|file| {
                let steps = json!([command(world, file, ""), { "text": "x" }]);
                let task = world.subagent(&opencode_tests::prompt("child", steps));
                task["tools"][0].clone()
            })
            .collect();
        let steps = json!([{ "tools": tasks }, { "text": "never" }]);
        let run = start(client, "tree", steps);
        let pids = files.map(|file| pid_in(&file));
        run.cancel(LIMIT);
        let alive: Vec<_> = pids.iter().filter(|pid| is_alive(**pid)).collect();
        assert!(alive.is_empty(), "{alive:?} of {pids:?}");
        assert_eq!(error(&run).kind(), ErrorKind::Cancelled);
        for child in &run.reply().unwrap().children {
            assert!(!world.is_working(child), "{child}");
        }
    });
}

#[test]
fn a_command_that_ignores_signals_holds_no_cancel_and_is_told() {
    with_events_and_without(|client| {
        let folder = Directory::new("deaf").unwrap();
        let file = folder.path().join("pid");
        let deaf = command(client.world(), &file, "trap '' TERM INT HUP;");
        let run = start(client, "deaf", json!([deaf, { "text": "never" }]));
        let pid = pid_in(&file);
        assert_eq!(run.cancel(Duration::from_secs(1)), State::Pending, "{:?}", run.error());
        // The abort needs a moment on a busy machine.
        eventually("what is not settled", || run.why().contains("not settled").then_some(()));
        run.cancel(LIMIT);
        assert_eq!(error(&run).kind(), ErrorKind::Cancelled);
        // A busy server kills it a moment later.
        eventually("it is killed", || (!is_alive(pid)).then_some(()));
    });
}

/// 2.x tells each command as interrupted, and by an event when it has ended.
#[test]
fn a_command_that_ends_with_the_abort_is_not_waited_for_as_one_that_ignores_it() {
    steadily(|client| {
        let folder = Directory::new("quick").unwrap();
        let took = |name: &str, before: &str| {
            let file = folder.path().join(name);
            let command = command(client.world(), &file, before);
            let run = start(client, name, json!([command, { "text": "never" }]));
            let pid = pid_in(&file);
            let began = std::time::Instant::now();
            run.cancel(LIMIT);
            assert_eq!(error(&run).kind(), ErrorKind::Cancelled);
            eventually("its end", || (!is_alive(pid)).then_some(()));
            began.elapsed()
        };
        let deaf = took("deaf", "trap '' TERM INT HUP;");
        let tries = ["one", "two", "three"].map(|name| took(name, ""));
        let quickest = tries.iter().min().unwrap();
        assert!(*quickest * 2 < deaf, "{tries:?}, and {deaf:?} of one that ignores it");
    });
}

#[test]
fn a_cancel_of_what_waits_takes_it_back_and_hits_nobody_else() {
    with_events_and_without(|client| {
        let world = client.world();
        let other = world.client();
        let steps = json!([{ "text": "a b c d e f g h i j", "delay_ms": 200 }]);
        let first = other.run(scripted("other", steps)).unwrap();
        until(&first, |update| matches!(update, Update::Message(_)));
        let session = first.session_id().unwrap();
        let mut behind = scripted("behind", json!([{ "text": "never" }]));
        behind.session = Some(session.clone());
        behind.when_busy = opencode_core::WhenBusy::Send;
        let run = client.run(behind).unwrap();
        eventually("its place", || (world.waiting(&session) > 0).then_some(()));
        assert_eq!(run.cancel(LIMIT), State::Failed, "{:?}", run.error());
        assert_eq!(world.waiting(&session), 0);
        assert_eq!(reply(&first).text, "a b c d e f g h i j", "the other one goes on");
    });
}

#[test]
fn an_abort_by_somebody_else_asks_2_x_nothing_that_it_does_not_tell() {
    on_both(|world| {
        let proxy = Proxy::start(&world.server().url()).unwrap();
        let client = world.behind(&proxy.url(), Way::Deaf);
        let steps = json!([{ "text": "a b c", "stall": { "after": 1, "ms": 60_000 } }]);
        let run = client.run(scripted("aborted", steps)).unwrap();
        let session = eventually("the session", || run.session_id());
        let is_begun = || run.message_id().filter(|id| !world.answers(&session, id).is_empty());
        eventually("work", is_begun);
        world.abort(&session);
        let error = error(&run);
        assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
        let asked = proxy.requests();
        assert!(!asked.iter().any(|line| line.contains("/api/location")), "{asked:?}");
    });
}
