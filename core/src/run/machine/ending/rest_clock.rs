//! [`RestClock`]: how long a session rests, by the server's own clock.
//!
//! A server that hardly gets a processor writes seconds later why it stopped, and answers looks as late. So time alone
//! says nothing: only a look that the server answered does, and each counts for so long at most.

use super::Millis;

/// What one look counts at most: the pause between looks at a session that seems to have stopped, and a quick answer.
const STEP: Millis = 250;

/// A rest, from the first look that showed it.
#[derive(Debug, Default)]
pub(super) struct RestClock {
    rest: Option<Counted>,
}

#[derive(Debug, Clone, Copy)]
struct Counted {
    since: Millis,
    looked: Millis,
    counted: Millis,
}

impl RestClock {
    /// A look was answered, and the session rests.
    pub(super) fn look(&mut self, now: Millis) {
        let (since, looked) = (now, now);
        let rest = self.rest.get_or_insert(Counted { since, looked, counted: 0 });
        rest.counted += (now - rest.looked).min(STEP);
        rest.looked = now;
    }

    /// It does not rest, or what it rests from is another thing.
    pub(super) fn begin_anew(&mut self) {
        self.rest = None;
    }

    /// How long it rests.
    pub(super) fn rested(&self) -> Millis {
        self.rest.map_or(0, |rest| rest.counted)
    }

    /// When it was first seen to rest, by the clock.
    pub(super) fn since(&self, now: Millis) -> Millis {
        self.rest.map_or(now, |rest| rest.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_is_as_long_as_the_looks_that_were_answered() {
        let mut clock = RestClock::default();
        assert_eq!(clock.rested(), 0);
        for now in (1_000..=3_000).step_by(200) {
            clock.look(now);
        }
        assert_eq!((clock.rested(), clock.since(3_000)), (2_000, 1_000));
        // A minute in which nothing was answered.
        clock.look(63_000);
        assert_eq!(clock.rested(), 2_000 + STEP);
        clock.begin_anew();
        clock.look(64_000);
        assert_eq!((clock.rested(), clock.since(64_000)), (0, 64_000));
    }
}
