//! [`Limits`]: how long each stage of a request may take, and how much may come back.

use std::time::{Duration, Instant};

/// No limit is longer: a clock counts no further than a few centuries.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);

/// The moment so long from now, however long that is.
pub(crate) fn after(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(time.min(LONGEST)).unwrap_or(now)
}

/// A time for people: in milliseconds, with a fraction only below one.
pub(crate) fn shown(time: Duration) -> String {
    match time.as_millis() {
        0 => format!("{} ms", time.as_secs_f64() * 1000.0),
        ms => format!("{ms} ms"),
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
    fn a_time_below_a_millisecond_is_not_told_as_nothing() {
        for (micros, text) in
            [(0, "0 ms"), (100, "0.1 ms"), (1500, "1 ms"), (60_000_000, "60000 ms")]
        {
            assert_eq!(shown(Duration::from_micros(micros)), text);
        }
    }

    #[test]
    fn any_time_has_a_moment_after_it() {
        let now = Instant::now();
        assert!(after(Duration::MAX) > after(Duration::from_secs(86_400)));
        assert!(after(Duration::ZERO) >= now);
    }
}
