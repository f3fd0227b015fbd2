//! How the cost of runs grows with their number: against a fake server, as the real one would be most of it.

use crate::Outcome;
use crate::client::{client, say};
use crate::system::{descriptors, own_cpu_seconds, status};
use opencode_core::{Prompt, Run, State};
use serde_json::json;
use std::time::{Duration, Instant};

/// How long the runs wait while they are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Begins so many runs that are never over, and says what they cost.
pub(crate) fn row(url: &str, count: usize) -> Outcome {
    let client = client(url)?;
    let (memory, cpu, began) = (status("VmRSS"), own_cpu_seconds(), Instant::now());
    let runs = (0..count).map(|_| client.run(Prompt::new("wait")));
    let runs = runs.collect::<opencode_core::Result<Vec<Run>>>()?;
    let is_sent = |run: &Run| run.message_id().is_some() && run.state() == State::Pending;
    while !runs.iter().all(is_sent) || opencode_core::wait_until_sent(Duration::from_millis(10)) > 0
    {
        if let Some(error) = runs.iter().find_map(Run::error) {
            return Err(error.into());
        }
        if began.elapsed() > Duration::from_secs(60) {
            return Err("the prompts were not sent within a minute".into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let sent = began.elapsed();
    // What follows the send is over then.
    std::thread::sleep(Duration::from_secs(1));
    let begun = own_cpu_seconds() - cpu;
    for run in &runs {
        while !run.poll().1.is_empty() {}
    }
    let cpu = own_cpu_seconds();
    std::thread::sleep(LOOK);
    let idle = (own_cpu_seconds() - cpu) / LOOK.as_secs_f64();
    let ticks = 1_000;
    let began = Instant::now();
    for _ in 0..ticks {
        for run in &runs {
            drop(run.poll());
        }
    }
    let tick = began.elapsed().as_secs_f64() * 1e6 / f64::from(ticks);
    say(&json!({
        "client": "core",
        "send_ms": sent.as_secs_f64() * 1e3,
        "cpu_ms": begun * 1e3,
        "idle_percent": idle * 100.0,
        "tick_us": tick,
        "kb_each": (status("VmRSS") - memory) / count.max(1) as f64,
        "threads": status("Threads"),
        "descriptors": descriptors(),
    }));
    Ok(())
}
