//! [`TapeStanding`]: how far things have come, and what was said of them by then.

use super::paths::path_of;
use super::tape::TapeExchange;

/// How things stand in a group of sessions, or in all of them.
pub(super) struct TapeStanding {
    /// The newest thing that was asked for or told.
    pub(super) now: Option<usize>,
    /// The first change that is still to come.
    pub(super) limit: Option<usize>,
    /// The first event that is still to come.
    pub(super) coming: Option<usize>,
}

impl TapeStanding {
    /// The questions that a target asks again: those with the same query where they have been asked by now, else those with
    /// the same path, else those of the same shape.
    pub(super) fn asked_so(&self, all: &[TapeExchange], target: &str) -> Vec<usize> {
        let path = path_of(target);
        // A page of a list is no other page of it.
        let is_page = target.contains("cursor=") || target.contains("before=");
        let of = |is_same: &dyn Fn(&str) -> bool| -> Vec<usize> {
            (0..all.len()).filter(|at| is_same(&all[*at].target)).collect()
        };
        let exact = of(&|asked| asked == target);
        let same = of(&|asked| path_of(asked) == path);
        let has_come = |these: &[usize]| {
            these.first().is_some_and(|at| self.limit.is_none_or(|limit| all[*at].line < limit))
        };
        match (exact.is_empty(), same.is_empty()) {
            (false, _) if is_page || has_come(&exact) || !has_come(&same) => exact,
            (_, false) => same,
            _ => of(&|_| true),
        }
    }

    /// Which of some questions is answered, and whether it was asked when things stood so.
    pub(super) fn choose(
        &self,
        these: &[usize],
        all: &[TapeExchange],
        given: Option<usize>,
    ) -> (usize, bool) {
        let line = |at: usize| all[at].line;
        let is_before = |at: usize, line: Option<usize>| line.is_none_or(|l| all[at].line < l);
        let last_before = |bound: Option<usize>| {
            these.iter().copied().rfind(|at| is_before(*at, bound)).unwrap_or(these[0])
        };
        let after = |at: usize| self.now.is_none_or(|now| line(at) > now);
        let after_given = given.map_or(0, |given| given + 1);
        if self.coming.is_none() {
            // Nobody listens, or all is told: one after the other, up to the next change.
            let next = these.iter().copied().find(|at| after(*at) && *at >= after_given);
            let last = last_before(self.limit);
            return match next {
                Some(next) if is_before(next, self.limit) => (next, true),
                _ => (given.map_or(last, |given| given.max(last)), true),
            };
        }
        let bound = [self.coming, self.limit].into_iter().flatten().min();
        let now = |at: &usize| after(*at) && is_before(*at, bound);
        let next = these.iter().copied().filter(now).find(|at| *at >= after_given);
        match next.or_else(|| these.iter().copied().rfind(|at| now(at))) {
            Some(at) => (at, true),
            None => (last_before(self.now.or(bound)), false),
        }
    }
}
