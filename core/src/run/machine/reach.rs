//! [`Reach`]: whether the server can be reached, by what came from it and by what did not.
//!
//! Out of reach is a server from which nothing comes. One that answers otherwise than it should, and one that is
//! alive but leaves looks unanswered, are not out of reach, and not waited for without an end either.

use super::Millis;
use crate::base::error::{Error, ErrorKind};

/// A server that is alive and leaves the looks of a run unanswered is waited for this many times as long.
const ALIVE_FACTOR: Millis = 8;

/// What is known of the way to the server.
#[derive(Debug, Default)]
pub(super) struct Reach {
    /// When the server was last heard of.
    heard: Millis,
    /// Since when nothing came from it.
    silent: Option<Millis>,
    /// Since when it answers with errors.
    refused: Option<Millis>,
    /// Since when no request was answered as it should be.
    failing: Option<Millis>,
    /// Where nobody listened, somebody does again.
    has_listener: bool,
    failures: u32,
    failure: Option<Error>,
}

/// Why a server is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Silent,
    Refused,
    Failing,
}

impl Reach {
    /// A request was answered as it should be.
    pub(super) fn answered(&mut self, now: Millis) {
        *self = Reach { heard: now, ..Reach::default() };
    }

    /// Something came from the server at this time: an answer to anybody, an event, a sign of life.
    pub(super) fn hear(&mut self, at: Millis) {
        if at > self.heard {
            self.heard = at;
            if self.silent.is_some_and(|since| since <= at) {
                (self.silent, self.has_listener) = (None, false);
            }
        }
    }

    /// A request is under way on a connection that stands. Once in an outage the wait begins anew then.
    pub(super) fn listens(&mut self, now: Millis) {
        let was_gone = self.failure.as_ref().is_some_and(|e| e.kind() == ErrorKind::Connection);
        if was_gone && self.silent.is_some() && !std::mem::replace(&mut self.has_listener, true) {
            self.silent = Some(now);
        }
    }

    /// A request that was asked for at this time failed. Gives the pause before the next.
    pub(super) fn failed(&mut self, error: Error, asked: Millis, now: Millis) -> Millis {
        self.failures += 1;
        self.failing.get_or_insert(now);
        if error.status().is_some() && !error.is_transient() || error.kind() == ErrorKind::Decode {
            self.hear(now);
            self.refused.get_or_insert(now);
        } else {
            // What ran out of time was silent from its beginning; what broke, from now on.
            let is_timeout = error.kind() == ErrorKind::Timeout;
            let since = if is_timeout { asked.max(self.heard).min(now) } else { now };
            self.silent.get_or_insert(since);
        }
        self.failure = Some(error);
        100 << self.failures.min(4)
    }

    /// When something last came.
    pub(super) fn heard(&self) -> Millis {
        self.heard
    }

    /// The last failure, when nothing was answered since.
    pub(super) fn failure(&self) -> Option<&Error> {
        self.failure.as_ref()
    }

    /// When the server is given up, if nothing changes.
    pub(super) fn end(&self, limit: Millis) -> Option<Millis> {
        self.ends(limit).map(|(_, at)| at).min()
    }

    fn ends(&self, limit: Millis) -> impl Iterator<Item = (End, Millis)> {
        let after = |end, since: Option<Millis>, limit| {
            since.map(|since| (end, since.saturating_add(limit)))
        };
        [
            after(End::Silent, self.silent, limit),
            after(End::Refused, self.refused, limit),
            after(End::Failing, self.failing, limit.saturating_mul(ALIVE_FACTOR)),
        ]
        .into_iter()
        .flatten()
    }

    /// Why it is given up now, if it is.
    pub(super) fn verdict(&self, now: Millis, limit: Millis) -> Option<Error> {
        let (end, _) = self.ends(limit).find(|(_, at)| now >= *at)?;
        let Some(error) = &self.failure else {
            return Some(Error::new(ErrorKind::Connection, "the server is out of reach"));
        };
        let text = match end {
            End::Silent => format!("{error}; the server was out of reach for {limit} ms"),
            End::Refused => format!("{error}; the server answered so for {limit} ms"),
            End::Failing => {
                let time = limit.saturating_mul(ALIVE_FACTOR);
                format!("{error}; the server is alive and left this unanswered for {time} ms")
            }
        };
        let status = error.status();
        let error = Error::new(error.kind(), text).with_code(error.code().map(str::to_owned));
        let error = error.with_retryable(true);
        Some(match status {
            Some(status) => error.with_status(status),
            None => error,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Millis = 15_000;

    fn refused() -> Error {
        Error::new(ErrorKind::Connection, "no server listens")
    }

    fn late() -> Error {
        Error::new(ErrorKind::Timeout, "nothing came").with_sent(true)
    }

    fn status(status: u16) -> Error {
        Error::new(ErrorKind::Server, "no").with_status(status).with_sent(true)
    }

    #[test]
    fn any_sign_of_life_ends_an_outage() {
        let mut reach = Reach::default();
        reach.failed(refused(), 0, 1_000);
        assert_eq!(reach.end(LIMIT), Some(16_000));
        reach.hear(900);
        assert_eq!(reach.end(LIMIT), Some(16_000), "that was before");
        reach.hear(12_000);
        assert!(reach.verdict(16_000, LIMIT).is_none());
        reach.failed(refused(), 16_000, 16_100);
        assert_eq!(reach.end(LIMIT), Some(31_100));
        reach.answered(20_000);
        assert_eq!(reach.end(LIMIT), None);
    }

    #[test]
    fn what_ran_out_of_time_was_silent_from_its_beginning() {
        let mut reach = Reach::default();
        reach.failed(late(), 1_000, 16_000);
        let error = reach.verdict(16_000, LIMIT).unwrap();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.message().contains("out of reach for 15000 ms"), "{error}");
        // One that waited for its turn behind others that were answered was not silent all the time.
        let mut reach = Reach::default();
        reach.hear(15_500);
        reach.failed(late(), 1_000, 16_000);
        assert_eq!(reach.end(LIMIT), Some(30_500));
    }

    #[test]
    fn who_listens_again_is_given_its_time_once() {
        let mut reach = Reach::default();
        reach.listens(500);
        reach.failed(refused(), 0, 1_000);
        reach.listens(9_000);
        assert_eq!(reach.end(LIMIT), Some(24_000));
        reach.listens(20_000);
        assert_eq!(reach.end(LIMIT), Some(24_000));
        // One that is there and says nothing was there all the time.
        let mut reach = Reach::default();
        reach.failed(late(), 0, 5_000);
        reach.listens(9_000);
        assert_eq!(reach.end(LIMIT), Some(15_000));
    }

    #[test]
    fn a_server_that_says_no_is_not_out_of_reach_and_not_waited_for_for_ever() {
        let mut reach = Reach::default();
        reach.failed(refused(), 0, 0);
        for at in (1_000..16_000).step_by(1_000) {
            assert!(reach.verdict(at, LIMIT).is_none(), "{at}");
            reach.failed(status(500), at, at);
        }
        let error = reach.verdict(16_000, LIMIT).unwrap();
        assert!(error.message().contains("answered so for 15000 ms"), "{error}");
        assert_eq!(error.status(), Some(500));
        // A gateway that says so speaks for nobody.
        let mut reach = Reach::default();
        reach.failed(status(502), 0, 0);
        assert!(reach.verdict(15_000, LIMIT).unwrap().message().contains("out of reach"));
    }

    #[test]
    fn a_server_that_lives_and_leaves_this_unanswered_is_waited_for_longer() {
        let mut reach = Reach::default();
        for at in (0..120_000).step_by(5_000) {
            assert!(reach.verdict(at, LIMIT).is_none(), "{at}");
            reach.failed(late(), at, at);
            reach.hear(at + 1);
        }
        let error = reach.verdict(120_000, LIMIT).unwrap();
        assert!(error.message().contains("is alive"), "{error}");
    }
}
