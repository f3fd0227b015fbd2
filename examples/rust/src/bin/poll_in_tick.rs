//! A game that goes on while the agent works: the tick polls, and never waits. `poll_in_tick PROMPT`

use opencode_core::{Client, Result, State, Update};
use std::io::Write;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

const FRAME: Duration = Duration::from_millis(16);

fn main() -> Result<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let prompt = if words.is_empty() { "Say pong".to_owned() } else { words.join(" ") };
    let client = Client::from_env()?;
    let run = client.run(prompt)?;
    let (mut ticks, mut slowest, mut state) = (0, Duration::ZERO, State::Pending);
    while !state.is_over() {
        // The host draws a frame.
        thread::sleep(FRAME);
        let before = Instant::now();
        let (now, updates) = run.poll();
        slowest = slowest.max(before.elapsed());
        for update in updates {
            match update {
                Update::Text(text) => {
                    print!("{}", text.delta);
                    let _ = std::io::stdout().flush();
                }
                Update::Failed(error) => eprintln!("{error}"),
                _ => {}
            }
        }
        state = now;
        ticks += 1;
    }
    println!("\n[{ticks} ticks, the slowest poll took {} us]", slowest.as_micros());
    Ok(if state == State::Done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
