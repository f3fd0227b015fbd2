//! [`Unsent`]: prompts that are not sent yet. Whoever closes a client, or ends the program, gives them a moment.

use crate::base::error::{Error, ErrorKind};
use crate::base::hooks::Home;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::time::{Duration, Instant};

/// How long a close waits for prompts that are not sent yet.
const PATIENCE: Duration = Duration::from_secs(1);

/// The engines of this process, for its end.
static ENGINES: Mutex<Vec<Weak<Unsent>>> = Mutex::new(Vec::new());

/// What dropped clients lost and nobody was told, with the process that they were in.
static UNTOLD: Mutex<Vec<(u32, Error)>> = Mutex::new(Vec::new());

/// The prompts of one engine that are not sent yet.
pub(crate) struct Unsent {
    /// After a fork the prompts are the parent's.
    home: Home,
    /// Tells the engine that they are waited for.
    hurry: Box<dyn Fn() + Send + Sync>,
    state: Mutex<UnsentState>,
    fell: Condvar,
}

#[derive(Default)]
struct UnsentState {
    count: usize,
    /// They were waited for in vain: nobody does that twice.
    is_given_up: bool,
    /// What was lost in the end, one line for each prompt.
    lost: Vec<String>,
}

/// One prompt that is not sent yet; it counts until it is dropped.
pub(crate) struct UnsentPrompt(Arc<Unsent>);

impl Unsent {
    pub(super) fn new(hurry: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        let (home, state) = (Home::here(), Mutex::default());
        let (hurry, fell) = (Box::new(hurry), Condvar::new());
        let unsent = Arc::new(Unsent { home, hurry, state, fell });
        if let Some(mut engines) = engines(after(PATIENCE)) {
            engines.retain(|engine| engine.strong_count() > 0);
            engines.push(Arc::downgrade(&unsent));
        }
        unsent
    }

    pub(super) fn add(self: &Arc<Self>) -> UnsentPrompt {
        let mut state = self.state();
        state.count += 1;
        state.is_given_up = false;
        drop(state);
        UnsentPrompt(Arc::clone(self))
    }

    /// Blocks until all are sent or over, for a moment at most.
    pub(super) fn wait_a_moment(&self) {
        self.wait(after(PATIENCE));
    }

    /// Blocks until all are sent or over, at most to `until`; how many are neither.
    fn wait(&self, until: Instant) -> usize {
        // First: in a copy of the process a thread that stayed behind may have the lock for ever.
        if !self.home.is_here() {
            return 0;
        }
        let mut state = self.state();
        if state.count == 0 || state.is_given_up {
            return 0;
        }
        drop(state);
        (self.hurry)();
        state = self.state();
        while state.count > 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state.is_given_up = true;
                break;
            }
            let waited = self.fell.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.count
    }

    /// Notes a prompt that will not be sent any more.
    pub(super) fn lose(&self, what: String) {
        self.state().lost.push(what);
    }

    /// What to tell whoever closed, when something was lost.
    pub(super) fn loss(&self) -> Option<Error> {
        let lost = std::mem::take(&mut self.state().lost);
        let first = lost.first()?;
        let what = match lost.len() {
            1 => "1 prompt was".to_owned(),
            count => format!("{count} prompts were"),
        };
        let text = format!(
            "close: {what} not sent within {} ms and will not be: {first}; wait for a run or detach it before closing",
            PATIENCE.as_millis()
        );
        Some(Error::new(ErrorKind::Timeout, text).with_operation("close"))
    }

    fn state(&self) -> MutexGuard<'_, UnsentState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UnsentPrompt {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.count = state.count.saturating_sub(1);
        self.0.fell.notify_all();
    }
}

/// Blocks until all prompts that this process started are sent or over, at most for `limit`; how many are neither, and
/// will be lost when the program ends now. For the end of a program whose clients nobody closes.
pub fn wait_until_sent(limit: Duration) -> usize {
    let until = after(limit);
    let all = engines(until).map(|engines| engines.clone()).unwrap_or_default();
    all.iter().filter_map(Weak::upgrade).map(|unsent| unsent.wait(until)).sum()
}

/// Keeps what a dropped client lost: nobody waits for the end of one. The oldest go when nobody ever asks.
pub(crate) fn keep_loss(loss: Error) {
    const KEPT: usize = 100;
    let mut untold = UNTOLD.lock().unwrap_or_else(PoisonError::into_inner);
    if untold.len() == KEPT {
        untold.remove(0);
    }
    untold.push((std::process::id(), loss));
}

/// What the clients lost that were dropped, in this process and since the last time. Never waits.
#[doc(hidden)]
pub fn take_losses() -> Vec<Error> {
    // A fork may have left the lock to a thread that the child does not have.
    let Ok(mut untold) = UNTOLD.try_lock() else { return Vec::new() };
    let mine = std::mem::take(&mut *untold).into_iter();
    mine.filter(|(pid, _)| *pid == std::process::id()).map(|(_, loss)| loss).collect()
}

fn after(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(time).unwrap_or(now)
}

/// Never waits for ever: a fork may have left the lock to a thread that the child does not have.
fn engines(until: Instant) -> Option<MutexGuard<'static, Vec<Weak<Unsent>>>> {
    loop {
        match ENGINES.try_lock() {
            Ok(engines) => return Some(engines),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if Instant::now() >= until => return None,
            Err(TryLockError::WouldBlock) => std::thread::yield_now(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_twice_for_what_is_not_sent() {
        let unsent = Unsent::new(|| {});
        let soon = || after(Duration::from_millis(20));
        assert_eq!(unsent.wait(soon()), 0);
        let pending = unsent.add();
        assert_eq!(unsent.wait(soon()), 1);
        let far = after(Duration::from_secs(600));
        unsent.wait(far);
        drop(pending);
        assert!(Instant::now() < far);
        assert!(unsent.loss().is_none());
        unsent.lose("run to ses_1: why".to_owned());
        assert!(unsent.loss().is_some_and(|error| error.message().contains("1 prompt was")));
    }

    #[test]
    fn who_waits_is_woken_when_the_last_one_is_sent() {
        let unsent = Unsent::new(|| {});
        let pending = (unsent.add(), unsent.add());
        let sender = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            drop(pending);
        });
        assert_eq!(unsent.wait(after(Duration::from_secs(600))), 0);
        assert_eq!(unsent.state().count, 0, "they are sent by then");
        sender.join().unwrap();
    }
}
