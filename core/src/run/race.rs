//! [`Race`]: one request that reads, tried again over a new connection while the first try hangs.
//!
//! OpenCode 1.18 never answers a request of its first milliseconds, and a connection may be dead without anybody
//! knowing. Waiting for the time limit would take all the time that a run gives a server; giving the first try up
//! would lose the answer of a server that is slow. So both go on, and the first answer is taken.

use crate::base::cancel::CancelToken;
use crate::base::error::{Error, Result};
use crate::base::thread::caught;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long after its beginning a request is tried a second and a third time.
const AGAIN_AFTER: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(6)];
/// A request that is under way for this long over a connection that stands shows that somebody listens.
const LISTENS_AFTER: Duration = Duration::from_secs(1);

/// One try.
pub(super) struct Try {
    pub token: CancelToken,
    /// Whether a connection that was used before may be dead.
    pub is_fresh: bool,
    /// When the first try began.
    pub began: Instant,
}

/// The tries of one request.
pub(super) struct Race<T>(Mutex<RaceState<T>>);

type Notify<T> = Box<dyn FnOnce(Result<T>) + Send>;

struct RaceState<T> {
    /// Who is told; nobody once it is over.
    notify: Option<Notify<T>>,
    began: Option<Instant>,
    /// The tries that are under way.
    running: Vec<CancelToken>,
    /// The tries that were asked for and have not begun.
    waiting: usize,
    tries: usize,
}

/// What the engine sees of any race.
pub(super) trait Watched: Send + Sync {
    fn is_over(&self) -> bool;
    /// Whether another try is due; it counts as asked for then.
    fn wants_try(&self) -> bool;
    /// Whether a try is under way over a connection that stands.
    fn is_connected(&self) -> bool;
}

impl<T> Race<T> {
    pub(super) fn new(notify: impl FnOnce(Result<T>) + Send + 'static) -> Arc<Self> {
        Arc::new(Race(Mutex::new(RaceState {
            notify: Some(Box::new(notify)),
            began: None,
            running: Vec::new(),
            waiting: 1,
            tries: 1,
        })))
    }

    fn state(&self) -> MutexGuard<'_, RaceState<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one try on this thread.
    pub(super) fn run(&self, token: &CancelToken, work: impl FnOnce(&Try) -> Result<T>) {
        let (is_fresh, began) = {
            let mut state = self.state();
            state.waiting -= 1;
            if state.notify.is_none() {
                return;
            }
            let is_fresh = state.began.is_some();
            state.running.push(token.clone());
            (is_fresh, *state.began.get_or_insert_with(Instant::now))
        };
        let attempt = Try { token: token.clone(), is_fresh, began };
        // Whoever waits must hear of it: a run would wait for ever.
        let result = caught(|| work(&attempt)).and_then(|result| result);
        let mut state = self.state();
        state.running.retain(|running| !running.is_same(token));
        // A failure counts when nobody can do better.
        if result.is_err() && !state.running.is_empty() {
            return;
        }
        let (notify, losers) = (state.notify.take(), std::mem::take(&mut state.running));
        drop(state);
        losers.iter().for_each(CancelToken::cancel);
        if let Some(notify) = notify {
            notify(result);
        }
    }
}

impl<T> Race<T> {
    /// It cannot be run at all.
    pub(super) fn refuse(&self, error: Error) {
        let notify = self.state().notify.take();
        if let Some(notify) = notify {
            notify(Err(error));
        }
    }
}

impl<T: Send> Watched for Race<T> {
    fn is_over(&self) -> bool {
        self.state().notify.is_none()
    }

    fn wants_try(&self) -> bool {
        let mut state = self.state();
        let due = AGAIN_AFTER.get(state.tries - 1);
        let is_due = state.notify.is_some()
            && state.waiting == 0
            && due.zip(state.began).is_some_and(|(due, began)| began.elapsed() >= *due);
        if is_due {
            (state.tries, state.waiting) = (state.tries + 1, 1);
        }
        is_due
    }

    fn is_connected(&self) -> bool {
        let state = self.state();
        state.began.is_some_and(|began| began.elapsed() >= LISTENS_AFTER)
            && state.running.iter().any(|token| token.socket().is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::error::ErrorKind;
    use std::sync::mpsc;

    fn failure() -> Result<u32> {
        Err(Error::new(ErrorKind::Connection, "no"))
    }

    #[test]
    fn the_first_answer_is_told_and_the_others_are_ended() {
        let (sender, told) = mpsc::channel();
        let race = Race::new(move |result: Result<u32>| sender.send(result).unwrap());
        let (hangs, quick) = (CancelToken::default(), CancelToken::default());
        std::thread::scope(|scope| {
            let (began, has_begun) = mpsc::channel();
            let (first, token) = (&race, hangs.clone());
            scope.spawn(move || {
                first.run(&token, |attempt| {
                    assert!(!attempt.is_fresh);
                    began.send(()).unwrap();
                    attempt.token.sleep(Duration::from_secs(600));
                    failure()
                });
            });
            has_begun.recv().unwrap();
            race.state().waiting += 1;
            race.run(&quick, |attempt| {
                assert!(attempt.is_fresh);
                Ok(7)
            });
        });
        assert_eq!(told.recv().unwrap().unwrap(), 7);
        assert!(hangs.is_cancelled() && race.is_over());
        assert!(told.recv().is_err(), "told once");
    }

    /// Lets time pass for a race that has begun.
    fn began_before(race: &Race<u32>, time: Duration) {
        let mut state = race.state();
        assert!(state.began.is_some());
        state.began = Instant::now().checked_sub(time);
    }

    #[test]
    fn what_hangs_is_tried_a_second_and_a_third_time_over_new_connections() {
        let (sender, told) = mpsc::channel();
        let race = Race::new(move |result: Result<u32>| sender.send(result).unwrap());
        let [first, second, third] = std::array::from_fn(|_| CancelToken::default());
        let minute = Duration::from_secs(60);
        assert!(!race.wants_try(), "it has not begun");
        race.run(&first, |attempt| {
            assert!(!attempt.is_fresh && !race.wants_try());
            began_before(&race, AGAIN_AFTER[0]);
            assert!(race.wants_try());
            assert!(!race.wants_try(), "one is asked for already");
            began_before(&race, minute);
            assert!(!race.wants_try(), "it has not begun yet");
            race.run(&second, |attempt| {
                assert!(attempt.is_fresh && attempt.began.elapsed() >= minute, "one limit for all");
                began_before(&race, AGAIN_AFTER[0]);
                assert!(!race.wants_try(), "the third comes later");
                began_before(&race, AGAIN_AFTER[1]);
                assert!(race.wants_try());
                race.run(&third, |attempt| {
                    assert!(attempt.is_fresh);
                    began_before(&race, minute);
                    assert!(!race.wants_try(), "there is no fourth");
                    failure()
                });
                assert!(!race.is_over(), "two may still answer");
                Ok(2)
            });
            assert!(first.is_cancelled() && race.is_over());
            Ok(1)
        });
        assert_eq!(told.recv().unwrap().unwrap(), 2);
        assert!(told.recv().is_err(), "told once");
        assert!(!race.wants_try(), "it is over");
    }

    #[test]
    fn a_try_that_comes_too_late_does_nothing() {
        let race = Race::new(|_: Result<u32>| ());
        race.run(&CancelToken::default(), |_| {
            began_before(&race, AGAIN_AFTER[0]);
            assert!(race.wants_try());
            Ok(1)
        });
        race.run(&CancelToken::default(), |_| panic!("nobody waits for it"));
    }

    #[test]
    fn a_failure_is_told_when_nobody_else_can_answer() {
        let (sender, told) = mpsc::channel();
        let race = Race::new(move |result: Result<u32>| sender.send(result.is_ok()).unwrap());
        let (first, second) = (CancelToken::default(), CancelToken::default());
        race.run(&first, |_| {
            race.state().waiting += 1;
            race.run(&second, |_| failure());
            assert!(!race.is_over(), "the first may still answer");
            Ok(1)
        });
        assert!(told.recv().unwrap());
        let (sender, told) = mpsc::channel();
        let race = Race::new(move |result: Result<u32>| sender.send(result.is_ok()).unwrap());
        race.run(&first, |_| failure());
        assert!(!told.recv().unwrap());
    }
}
