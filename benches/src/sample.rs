//! [`Sample`]: times of the same thing, and what they say.

use std::time::{Duration, Instant};

/// Times of one thing.
pub(crate) struct Sample {
    name: &'static str,
    times: Vec<Duration>,
}

impl Sample {
    /// Does the work so many times.
    pub(crate) fn of(name: &'static str, rounds: usize, mut work: impl FnMut()) -> Sample {
        let times = (0..rounds).map(|_| {
            let began = Instant::now();
            work();
            began.elapsed()
        });
        Sample::new(name, times.collect())
    }

    pub(crate) fn new(name: &'static str, mut times: Vec<Duration>) -> Sample {
        times.sort_unstable();
        Sample { name, times }
    }

    /// One line of the table.
    pub(crate) fn line(&self) -> String {
        let at = |share: usize| {
            let index = (self.times.len() * share / 1000).min(self.times.len().saturating_sub(1));
            self.times.get(index).copied().unwrap_or_default()
        };
        let text = |time: Duration| format!("{:.1} us", time.as_nanos() as f64 / 1_000.0);
        format!(
            "{:42} {:>9} {:>14} {:>14} {:>14}",
            self.name,
            self.times.len(),
            text(at(500)),
            text(at(990)),
            text(self.times.last().copied().unwrap_or_default())
        )
    }
}
