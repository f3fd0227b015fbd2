//! Polls a run again and again and says what that cost its own thread: `poller ROUNDS`.
//!
//! The run's first text starts the count. Two names of files that are not there mark its bounds for a tracer
//! of system calls.
#![expect(clippy::print_stdout, reason = "its output is its result")]

use mimalloc::MiMalloc;
use opencode_core::{Client, Result, Update};
use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Those of all threads together.
static ALL: AtomicU64 = AtomicU64::new(0);
/// Of those, the ones for a single long delta: the text of an answer is longer.
static LONG: AtomicU64 = AtomicU64::new(0);

/// Counts what each thread asks for, and what all do.
struct Counting;

// SAFETY: everything is passed on to an allocator that keeps the contract; the counter neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALL.fetch_add(1, Ordering::Relaxed);
        LONG.fetch_add(u64::from((60_000..120_000).contains(&layout.size())), Ordering::Relaxed);
        // Gone while its thread ends.
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are the inner allocator's.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above; the pointer came from `alloc`.
        unsafe { MiMalloc.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> Result<()> {
    let rounds: u64 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1_000);
    let prompt = std::env::var("OPENCODE_TEST_PROMPT").unwrap_or_default();
    // The first look at a file also asks the system whether it can.
    let _ = Path::new("/nothing").exists();
    let client = Client::from_env()?;
    let run = client.run(prompt)?;
    for update in run.updates() {
        match update {
            Update::Text(_) => break,
            Update::Failed(error) => return Err(error),
            _ => {}
        }
    }
    // What follows the first text has come when nothing more does.
    while run.next_update(Some(Duration::from_millis(500))).is_some() && rounds < 1_000_000 {}
    let mut updates = 0;
    let began = Instant::now();
    let _ = Path::new("/begin-of-polls").exists();
    let text_before = run.text().len();
    let (before, all_before) = (ALLOCATIONS.with(Cell::get), ALL.load(Ordering::Relaxed));
    let long_before = LONG.load(Ordering::Relaxed);
    for _ in 0..rounds {
        updates += run.poll().1.len();
    }
    let allocations = ALLOCATIONS.with(Cell::get) - before;
    let all_allocations = ALL.load(Ordering::Relaxed) - all_before;
    let long_allocations = LONG.load(Ordering::Relaxed) - long_before;
    let polled_bytes = run.text().len() - text_before;
    let _ = Path::new("/end-of-polls").exists();
    let polled = began.elapsed();
    let closing = Instant::now();
    client.close();
    println!(
        "{}",
        serde_json::json!({
            "allocations": allocations,
            "all_allocations": all_allocations,
            "long_allocations": long_allocations,
            "polled_bytes": polled_bytes,
            "updates": updates,
            "text_bytes": run.text().len(),
            "polled_ms": polled.as_millis() as u64,
            "close_ms": closing.elapsed().as_millis() as u64,
            "threads": std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count),
        })
    );
    Ok(())
}
