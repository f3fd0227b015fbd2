//! What the proxy does to one request and its answer.

use std::time::Duration;

/// How a connection is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Orderly (FIN): the peer reads what was sent, then the end.
    Close,
    /// With a reset (RST): the peer gets an error.
    Reset,
}

/// The request that a hook decides about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// `GET`, `POST` and so on.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case, values trimmed.
    pub headers: Vec<(String, String)>,
    /// The number of the connection since the proxy was started, from 0.
    pub connection: u64,
    /// The number of the request on its connection, from 0.
    pub request: u64,
}

impl Asked {
    /// Whether `METHOD target` fits the pattern, in which `*` stands for any text, as in
    /// `POST */prompt_async*`.
    pub fn is(&self, pattern: &str) -> bool {
        matches(pattern, &format!("{} {}", self.method, self.target))
    }
}

/// What happens to one request and its answer. Everything that is not said passes unchanged.
///
/// Bytes count from the start of the head of this request or of its answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Plan {
    pub(crate) refuse: Option<End>,
    pub(crate) instead: Option<&'static str>,
    pub(crate) delay: Duration,
    pub(crate) pad: usize,
    pub(crate) request: Flow,
    pub(crate) answer: Flow,
}

/// What happens to the bytes of one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Flow {
    /// End the connection after so many bytes.
    pub(crate) cut: Option<(u64, End)>,
    /// Forward nothing for so long after so many bytes.
    pub(crate) stall: Option<(u64, Duration)>,
    /// Bytes per second.
    pub(crate) speed: Option<u64>,
    /// Every chunk twice.
    pub(crate) twice: bool,
}

impl Plan {
    /// Lets everything pass.
    pub fn pass() -> Plan {
        Plan::default()
    }

    /// Ends the connection before the server hears of the request.
    pub fn refuse(end: End) -> Plan {
        Plan { refuse: Some(end), ..Plan::default() }
    }

    /// Gives this answer, head and body, instead of the server's, and ends the connection.
    pub fn instead(answer: &'static str) -> Plan {
        Plan { instead: Some(answer), ..Plan::default() }
    }

    /// Holds the request back for so long.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Plan {
        self.delay = delay;
        self
    }

    /// Makes path and query longer by so many bytes, with a parameter that means nothing: the server gets an
    /// address that no client would send.
    #[must_use]
    pub fn pad_target(mut self, bytes: usize) -> Plan {
        self.pad = bytes;
        self
    }

    /// Ends the connection when so many bytes of the request have reached the server.
    #[must_use]
    pub fn cut_request(mut self, after: u64, end: End) -> Plan {
        self.request.cut = Some((after, end));
        self
    }

    /// Ends the connection when so many bytes of the answer have reached the client. With 0 the
    /// server has done its work, and the client learns nothing of it.
    #[must_use]
    pub fn cut_answer(mut self, after: u64, end: End) -> Plan {
        self.answer.cut = Some((after, end));
        self
    }

    /// Forwards nothing for so long after so many bytes of the request; `Duration::MAX` is for
    /// ever. The connection stays open.
    #[must_use]
    pub fn stall_request(mut self, after: u64, pause: Duration) -> Plan {
        self.request.stall = Some((after, pause));
        self
    }

    /// As [`Plan::stall_request`], for the answer.
    #[must_use]
    pub fn stall_answer(mut self, after: u64, pause: Duration) -> Plan {
        self.answer.stall = Some((after, pause));
        self
    }

    /// Sends every chunk of the (chunked) answer twice, as a stream does that repeats itself.
    #[must_use]
    pub fn repeat_answer(mut self) -> Plan {
        self.answer.twice = true;
        self
    }

    /// Lets so many bytes per second pass, in each direction.
    #[must_use]
    pub fn slow(mut self, speed: u64) -> Plan {
        self.request.speed = Some(speed.max(1));
        self.answer.speed = Some(speed.max(1));
        self
    }
}

/// Whether `text` fits a pattern in which `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut last = None;
    for piece in pieces {
        // Each piece but the last may take its first match; the last one must reach the end.
        if let Some(earlier) = last.replace(piece) {
            match rest.split_once(earlier) {
                Some((_, tail)) => rest = tail,
                None => return false,
            }
        }
    }
    last.map_or(rest.is_empty(), |piece| rest.ends_with(piece))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        let text = "POST /session/ses_1/prompt_async?directory=%2Fa";
        for pattern in ["*", "POST *", "POST */prompt_async*", "*=%2Fa", "POST*ses_1*dir*a", text] {
            assert!(matches(pattern, text), "{pattern}");
        }
        for pattern in ["", "GET *", "*/prompt_async", "POST", "*ses_1*ses_1*", "* *x"] {
            assert!(!matches(pattern, text), "{pattern}");
        }
        assert!(!matches("ab*ba", "aba"), "the same text never counts twice");
    }
}
