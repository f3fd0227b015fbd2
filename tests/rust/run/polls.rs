//! Polls: a host that stops at the last state has seen everything.

use super::*;
use opencode_tests::{Fake, SWIFT_ANSWER, swift};
use std::time::Instant;

/// The loop of the README: what it has when it ends. `take` polls.
fn looped(run: &Run, take: impl Fn(&Run) -> (State, Vec<Update>)) -> (State, Vec<Update>) {
    let (mut all, end) = (Vec::new(), Instant::now() + LIMIT);
    loop {
        let (state, updates) = take(run);
        all.extend(updates);
        if state.is_over() {
            return (state, all);
        }
        assert!(Instant::now() < end, "{}", run.why());
        std::thread::yield_now();
    }
}

fn all(run: &Run) -> (State, Vec<Update>) {
    run.poll()
}

fn one(run: &Run) -> (State, Vec<Update>) {
    let (state, update) = run.poll_one();
    (state, update.into_iter().collect())
}

#[test]
fn a_loop_of_polls_shows_what_the_reply_holds() {
    everywhere(|client| {
        for take in [all, one] {
            let steps = json!([{ "text": "a b c d", "delay_ms": 20 }]);
            let run = client.run(scripted("poll", steps)).unwrap();
            let (state, updates) = looped(&run, take);
            assert_eq!(state, State::Done);
            assert!(matches!(updates.last(), Some(Update::Done(_))), "{updates:?}");
            assert_eq!(shown(updates.into_iter()), reply(&run).transcript);
            assert!(run.is_drained() && !run.is_ready());
            assert!(run.poll().1.is_empty() && run.poll_one().1.is_none());
        }
    });
}

#[test]
fn a_loop_of_polls_ends_with_why_it_failed() {
    without_events(|client| {
        let steps = json!([{ "text": "x", "hang_ms": 60_000 }]);
        let run = client.run(scripted("poll", steps)).unwrap();
        run.cancel(Duration::ZERO);
        let (state, updates) = looped(&run, all);
        assert_eq!(state, State::Failed);
        assert!(matches!(updates.last(), Some(Update::Failed(_))), "{updates:?}");
    });
}

/// Runs at a time: each takes a while, and most of that is waiting.
const BATCH: usize = 200;

/// More of them with `OPENCODE_LOOPS`.
#[test]
fn loops_without_a_stream_lose_nothing() {
    let count = std::env::var("OPENCODE_LOOPS").ok().and_then(|count| count.parse().ok());
    let fake = Fake::start(swift()).unwrap();
    let mut options = ClientOptions::default();
    options.base_url = fake.url();
    options.events = false;
    let client = Client::new(options).unwrap();
    for round in 0..count.unwrap_or(1_000) / BATCH {
        let mut loops: Vec<(Run, Vec<Update>)> =
            (0..BATCH).map(|_| (client.run("x").unwrap(), Vec::new())).collect();
        let end = Instant::now() + LIMIT;
        while !loops.is_empty() {
            assert!(Instant::now() < end, "{}", loops[0].0.why());
            loops.retain_mut(|(run, all)| {
                let (state, updates) = if round % 2 == 0 { run.poll() } else { one(run) };
                all.extend(updates);
                if state.is_over() {
                    let shown = shown(std::mem::take(all).into_iter());
                    assert_eq!((state, shown.as_str()), (State::Done, SWIFT_ANSWER), "{round}");
                }
                !state.is_over()
            });
        }
    }
}
