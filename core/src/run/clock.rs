//! The time of the engine.

/// Milliseconds since the engine started.
pub(crate) type Millis = u64;

pub(crate) fn millis(time: std::time::Duration) -> Millis {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
