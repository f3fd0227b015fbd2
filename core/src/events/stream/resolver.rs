//! [`Resolver`]: asks the server what it calls a directory.
//!
//! Events name directories as the server does: absolute, without symbolic links. Only the server can tell what
//! a relative path or a link is there, and opening a stream must not wait for it.

use super::queue::EventQueue;
use crate::base::cancel::CancelToken;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::pool::Pool;
use crate::base::thread::caught;
use crate::call::caller::Caller;
use crate::call::dialect::NO_DIRECTORY;
use crate::protocol::operation::Pace;
use serde::Deserialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Asks for one directory after the other, in the background: many streams hold one thread at most.
pub(crate) struct Resolver {
    caller: Arc<Caller>,
    pool: Arc<Pool>,
    state: Mutex<ResolverState>,
}

#[derive(Default)]
struct ResolverState {
    asked: Vec<(Arc<EventQueue>, Option<String>)>,
    is_busy: bool,
}

impl Resolver {
    pub(crate) fn new(caller: Arc<Caller>, pool: Arc<Pool>) -> Self {
        Resolver { caller, pool, state: Mutex::default() }
    }

    /// Tells the queue what its directory is called, as soon as the server says so.
    pub(super) fn resolve(self: &Arc<Self>, queue: &Arc<EventQueue>, directory: Option<String>) {
        let mut state = self.state();
        state.asked.push((Arc::clone(queue), directory));
        if std::mem::replace(&mut state.is_busy, true) {
            return;
        }
        drop(state);
        let (me, token) = (Arc::clone(self), CancelToken::default());
        let mine = token.clone();
        let work = move || {
            if let Err(error) = caught(|| me.work(&mine)) {
                me.fall(&error);
            }
        };
        if let Err(error) = self.pool.submit(token, work) {
            self.fall(&error);
        }
    }

    /// Nobody asks for the directories any more.
    fn fall(&self, error: &Error) {
        let mut state = self.state();
        state.is_busy = false;
        for (queue, _) in state.asked.drain(..) {
            queue.fail(error);
        }
    }

    fn work(&self, token: &CancelToken) {
        let mut pause = FIRST_PAUSE;
        loop {
            let Some(directory) = self.next() else { return };
            match self.ask(directory.as_deref(), token) {
                Ok(name) => {
                    pause = FIRST_PAUSE;
                    self.settle(&directory, |queue| queue.resolved(name.clone()));
                }
                Err(error)
                    if is_missing(&error)
                        || matches!(
                            error.kind(),
                            ErrorKind::Unauthorized
                                | ErrorKind::Forbidden
                                | ErrorKind::Unsupported
                                | ErrorKind::Closed
                                | ErrorKind::InvalidArgument
                        ) =>
                {
                    self.settle(&directory, |queue| queue.fail(&error));
                }
                // The feed tells about a server that is away.
                Err(_) => {
                    if !token.sleep(pause) {
                        return;
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// The next directory to ask for; without one this thread is done.
    fn next(&self) -> Option<Option<String>> {
        let mut state = self.state();
        state.asked.retain(|(queue, _)| !queue.is_over());
        let next = state.asked.first().map(|(_, directory)| directory.clone());
        state.is_busy = next.is_some();
        // Those that cannot be asked for now must not keep the others from their turn.
        if state.asked.len() > 1 {
            state.asked.rotate_left(1);
        }
        next
    }

    /// Tells all who asked for the same.
    fn settle(&self, directory: &Option<String>, tell: impl Fn(&EventQueue)) {
        let mut state = self.state();
        state.asked.retain(|(queue, asked)| {
            let is_same = asked == directory;
            if is_same {
                tell(queue);
            }
            !is_same
        });
    }

    fn ask(&self, directory: Option<&str>, token: &CancelToken) -> Result<String> {
        resolve(&self.caller, directory, token)
    }

    fn state(&self) -> MutexGuard<'_, ResolverState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the server has no such directory; one of 1.x works in any.
fn is_missing(error: &Error) -> bool {
    error.kind() == ErrorKind::NotFound && error.code() == Some(NO_DIRECTORY)
}

/// What the server calls a directory; its own for `None`. Blocks for one short request.
pub(crate) fn resolve(
    caller: &Caller,
    directory: Option<&str>,
    token: &CancelToken,
) -> Result<String> {
    #[derive(Deserialize)]
    struct Path {
        directory: String,
    }
    let arguments = serde_json::json!({ "directory": directory }).to_string();
    let limits = caller.options().limits(Pace::Quick);
    let ask = |name| caller.ask(name, &arguments, limits, token);
    let path: Path = caller.either(|| ask("path.get"), || ask("v2.location.get"))?.json()?;
    Ok(path.directory)
}
