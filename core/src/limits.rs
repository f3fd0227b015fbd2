//! [`Limits`]: how long each stage of a request may take, and how much may come back.

use std::time::Duration;

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
