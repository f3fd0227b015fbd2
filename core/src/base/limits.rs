//! [`Limits`]: how long each stage of a request may take, and how much may come back.

use std::time::{Duration, Instant};

/// No limit is longer: a clock counts no further than a few centuries.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);

/// The moment so long from now, however long that is.
pub(crate) fn after(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(time.min(LONGEST)).unwrap_or(now)
}

/// A time that a host gave in milliseconds, with its fraction. One without an end is a century, and what is no time is
/// none.
pub fn milliseconds(time: f64) -> Duration {
    const CENTURY: f64 = 3.2e12;
    Duration::try_from_secs_f64(time.clamp(0.0, CENTURY) / 1_000.0).unwrap_or_default()
}

/// A time for people: in milliseconds, with three digits of a fraction at most, and never told as less than it is.
pub(crate) fn shown(time: Duration) -> String {
    let micros = time.as_nanos().div_ceil(1_000);
    let (ms, rest) = (micros / 1_000, micros % 1_000);
    match rest {
        0 => format!("{ms} ms"),
        _ => format!("{ms}.{} ms", format!("{rest:03}").trim_end_matches('0')),
    }
}

/// The limits of one request. A stage without a limit waits until it is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Name lookup, TCP and TLS together.
    pub connect: Duration,
    /// From the last byte sent to the head of the answer.
    pub first_byte: Option<Duration>,
    /// Between two reads of the answer's body.
    pub idle: Option<Duration>,
    /// The whole request.
    pub total: Option<Duration>,
    /// Bytes of the answer's body.
    pub body: u64,
    /// Only a new connection may serve it: one that stands may be dead, and nobody knows.
    pub is_fresh: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connect: Duration::from_secs(5),
            first_byte: Some(Duration::from_secs(60)),
            idle: Some(Duration::from_secs(60)),
            total: None,
            // The history of a long session is tens of megabytes; the provider catalogue is 6.5 MB.
            body: 512 << 20,
            is_fresh: false,
        }
    }
}

/// The stage in which a limit ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Connect,
    Send,
    FirstByte,
    Body,
    Total,
}

impl Stage {
    /// The end of the sentence "nothing came within the limit while ...".
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Stage::Connect => "connecting",
            Stage::Send => "sending the request",
            Stage::FirstByte => "waiting for the answer to begin",
            Stage::Body => "reading the answer",
            Stage::Total => "doing the whole request",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_as_it_is_and_never_as_less() {
        for (nanos, text) in [
            (0, "0 ms"),
            (1, "0.001 ms"),
            (100_000, "0.1 ms"),
            (500_000, "0.5 ms"),
            (999_999, "1 ms"),
            (1_500_000, "1.5 ms"),
            (1_000_050_000, "1000.05 ms"),
            (60_000_000_000, "60000 ms"),
        ] {
            assert_eq!(shown(Duration::from_nanos(nanos)), text);
        }
    }

    #[test]
    fn a_time_keeps_its_fraction_and_has_bounds() {
        for (ms, micros) in [(0.5, 500), (30.0, 30_000), (1500.25, 1_500_250)] {
            assert_eq!(milliseconds(ms), Duration::from_micros(micros));
        }
        assert_eq!(milliseconds(-1.0), Duration::ZERO);
        assert_eq!(milliseconds(f64::NAN), Duration::ZERO);
        assert!(milliseconds(f64::INFINITY) < LONGEST.saturating_mul(2));
    }

    #[test]
    fn any_time_has_a_moment_after_it() {
        let now = Instant::now();
        assert!(after(Duration::MAX) > after(Duration::from_secs(86_400)));
        assert!(after(Duration::ZERO) >= now);
    }
}
