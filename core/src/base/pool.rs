//! [`Pool`]: a bounded number of threads for requests that block, started when there is work.

use crate::base::cancel::CancelToken;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::thread::{caught, start};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, ThreadId};

/// What a thread of a pool does, or what is done once something is over.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// Threads that do jobs in the order in which they came. Jobs that never ran are dropped when it closes.
pub(crate) struct Pool(Arc<PoolShared>);

struct PoolShared {
    name: &'static str,
    max: usize,
    state: Mutex<PoolState>,
    woken: Condvar,
}

#[derive(Default)]
struct PoolState {
    jobs: VecDeque<(CancelToken, Job)>,
    running: HashMap<u64, CancelToken>,
    next: u64,
    threads: Vec<JoinHandle<()>>,
    idle: usize,
    is_closed: bool,
}

impl Pool {
    pub(crate) fn new(name: &'static str, max: usize) -> Self {
        let state = Mutex::new(PoolState::default());
        Pool(Arc::new(PoolShared { name, max, state, woken: Condvar::new() }))
    }

    /// Does a job as soon as a thread is free. The token is thrown when the pool closes.
    ///
    /// # Errors
    /// `closed` after [`close`](Self::close); `exhausted` when the system gives no thread.
    pub(crate) fn submit(
        &self,
        token: CancelToken,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<()> {
        let shared = &self.0;
        let mut state = shared.state();
        if state.is_closed {
            return Err(Error::new(ErrorKind::Closed, "the client is closed; make a new one"));
        }
        state.jobs.push_back((token, Box::new(work)));
        if state.idle < state.jobs.len() && state.threads.len() < shared.max {
            let worker = Arc::clone(shared);
            // A job that panics tells its owner itself.
            match start(shared.name, move || worker.work(), drop) {
                Ok(thread) => state.threads.push(thread),
                // The threads that there are will come to it.
                Err(_) if !state.threads.is_empty() => {}
                Err(error) => {
                    state.jobs.pop_back();
                    return Err(error);
                }
            }
        }
        shared.woken.notify_one();
        Ok(())
    }

    /// Whether it has no thread.
    pub(crate) fn is_idle(&self) -> bool {
        self.0.state().threads.is_empty()
    }

    /// Ends all jobs, and waits for none of them.
    pub(crate) fn end(&self) {
        let jobs = {
            let mut state = self.0.state();
            state.is_closed = true;
            for token in state.running.values() {
                token.cancel();
            }
            self.0.woken.notify_all();
            std::mem::take(&mut state.jobs)
        };
        // Dropping a job tells its owner; that must not happen under the lock.
        drop(jobs);
    }

    /// Ends all jobs and joins all threads. Blocks for as long as a job takes to notice, below a second.
    pub(crate) fn close(&self) {
        self.end();
        let threads = std::mem::take(&mut self.0.state().threads);
        join(threads);
    }
}

/// Joins threads, but never the one that asks: the last handle of a client may be dropped on any thread.
pub(crate) fn join(threads: Vec<JoinHandle<()>>) {
    let me: ThreadId = thread::current().id();
    for thread in threads.into_iter().filter(|thread| thread.thread().id() != me) {
        // A job that panicked has told its owner already.
        let _ = thread.join();
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.close();
    }
}

impl PoolShared {
    fn state(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut state = self.state();
        loop {
            let Some((token, work)) = state.jobs.pop_front() else {
                if state.is_closed {
                    return;
                }
                state.idle += 1;
                state = self.woken.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
                continue;
            };
            let key = state.next;
            state.next += 1;
            state.running.insert(key, token);
            drop(state);
            // A panic in one job must not take the thread from the others.
            let _ = caught(work);
            state = self.state();
            state.running.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::sync::mpsc;
    use std::time::Duration;

    #[test]
    fn many_jobs_use_few_threads_and_all_finish() {
        let pool = Pool::new("test", 3);
        let (sender, receiver) = mpsc::channel();
        for _ in 0..1_000 {
            let sender = sender.clone();
            pool.submit(CancelToken::default(), move || {
                sender.send(thread::current().id()).unwrap();
            })
            .unwrap();
        }
        drop(sender);
        let ids: Vec<_> = receiver.into_iter().collect();
        assert_eq!(ids.len(), 1_000);
        assert!(ids.iter().collect::<HashSet<_>>().len() <= 3);
    }

    #[test]
    fn closing_ends_what_runs_and_drops_what_waits() {
        let pool = Pool::new("test", 1);
        let (token, other) = (CancelToken::default(), CancelToken::default());
        let sleeper = token.clone();
        let (sender, receiver) = mpsc::channel();
        pool.submit(token, move || {
            sender.send(()).unwrap();
            sleeper.sleep(Duration::from_secs(600));
        })
        .unwrap();
        receiver.recv().unwrap();
        let (dropped, was_dropped) = mpsc::channel::<()>();
        pool.submit(other, move || drop(dropped)).unwrap();
        pool.close();
        assert!(was_dropped.recv().is_err());
        assert!(pool.submit(CancelToken::default(), || {}).is_err());
    }

    #[test]
    fn a_panic_does_not_take_the_thread() {
        let pool = Pool::new("test", 1);
        pool.submit(CancelToken::default(), || std::panic::panic_any("expected by the test"))
            .unwrap();
        let (sender, receiver) = mpsc::channel();
        pool.submit(CancelToken::default(), move || sender.send(1).unwrap()).unwrap();
        assert_eq!(receiver.recv().unwrap(), 1);
    }
}
