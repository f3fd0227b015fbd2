//! [`Sample`]: times of the same thing, and what they say.

use std::time::{Duration, Instant};

/// Times of one thing.
pub(crate) struct Sample(Vec<Duration>);

impl Sample {
    /// Does the work so many times, after a tenth of it that is not counted.
    ///
    /// # Errors
    /// The first of the work.
    pub(crate) fn of<E>(
        count: usize,
        mut work: impl FnMut() -> Result<(), E>,
    ) -> Result<Sample, E> {
        for _ in 0..count / 10 + 1 {
            work()?;
        }
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let began = Instant::now();
            work()?;
            times.push(began.elapsed());
        }
        Ok(Sample::new(times))
    }

    pub(crate) fn new(mut times: Vec<Duration>) -> Sample {
        times.sort_unstable();
        Sample(times)
    }

    /// What so many of a thousand do not exceed, in microseconds.
    pub(crate) fn us(&self, of_thousand: usize) -> f64 {
        let index = (self.0.len() * of_thousand / 1_000).min(self.0.len().saturating_sub(1));
        self.0.get(index).copied().unwrap_or_default().as_secs_f64() * 1e6
    }
}
