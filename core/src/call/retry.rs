//! [`RetryPolicy`]: when a request that failed is sent again.

use crate::base::error::{Error, ErrorKind};
use std::time::Duration;

/// How often, and after which pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RetryPolicy {
    /// Repetitions after the first try.
    pub max: u32,
    /// Whether one that ran out of time is repeated too.
    pub after_timeout: bool,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy { max: 2, after_timeout: true }
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The longest `Retry-After` that is waited for. With a longer one the request fails at once: the program can do something
/// else meanwhile, and a thread that waits cannot.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(30);

impl RetryPolicy {
    /// The pause before the next try, or `None` when there is none. `tries` counts those that failed, `retry_after`
    /// is the server's `Retry-After`, `jitter` any number.
    pub(crate) fn pause(
        self,
        error: &Error,
        tries: u32,
        retry_after: Option<Duration>,
        jitter: u64,
    ) -> Option<Duration> {
        let is_timeout = error.kind() == ErrorKind::Timeout;
        if tries > self.max || !is_worth_it(error) || (is_timeout && !self.after_timeout) {
            return None;
        }
        if let Some(retry_after) = retry_after {
            return (retry_after <= LONGEST_RETRY_AFTER).then_some(retry_after);
        }
        let full = (FIRST_PAUSE * (1 << (tries - 1).min(10))).min(LONGEST_PAUSE);
        // Half of it is left to chance, so that many clients do not come back at the same moment.
        let half = full / 2;
        Some(half + half.mul_f64((jitter % 1_000) as f64 / 1_000.0))
    }
}

fn is_worth_it(error: &Error) -> bool {
    error.is_transient() || error.status().is_none() && error.kind() == ErrorKind::Exhausted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let policy = RetryPolicy { max: 3, ..RetryPolicy::default() };
        let error = Error::new(ErrorKind::Connection, "x");
        let pause = |tries, jitter| policy.pause(&error, tries, None, jitter);
        assert_eq!(pause(1, 0), Some(Duration::from_millis(50)));
        assert_eq!(pause(2, 0), Some(Duration::from_millis(100)));
        assert!(pause(3, 999).unwrap() < Duration::from_millis(400));
        assert_eq!(pause(4, 0), None);
    }

    #[test]
    fn only_passing_failures_are_repeated() {
        let policy = RetryPolicy::default();
        let status = |status| Error::new(ErrorKind::Server, "x").with_status(status);
        for code in [408, 429, 502, 503, 504] {
            assert!(policy.pause(&status(code), 1, None, 0).is_some());
        }
        for code in [400, 401, 404, 409, 500, 501] {
            assert!(policy.pause(&status(code), 1, None, 0).is_none());
        }
        let cancelled = Error::new(ErrorKind::Cancelled, "x");
        assert!(policy.pause(&cancelled, 1, None, 0).is_none());
    }

    #[test]
    fn the_servers_wish_is_kept_within_reason() {
        let policy = RetryPolicy::default();
        let error = Error::new(ErrorKind::Server, "x").with_status(503);
        let retry_after = |s| policy.pause(&error, 1, Some(Duration::from_secs(s)), 0);
        assert_eq!(retry_after(2), Some(Duration::from_secs(2)));
        assert_eq!(retry_after(3_600), None);
    }
}
