//! [`Origin`]: what a client shares with those that were made from it, and how it ends.

use crate::base::error::Error;
use crate::base::leaving;
use crate::base::log::LogQueue;
use crate::base::per_process::PerProcess;
use crate::base::pool::Pool;
use crate::base::signal::Signal;
use crate::base::thread;
use crate::call::caller::Caller;
use crate::events::feed::Feed;
use crate::events::stream::Resolver;
use crate::pty::Terminals;
use crate::run::engine::Engine;
use crate::run::keep_loss;
use crate::tools::Tools;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Threads for calls in the background that the server answers from what it has.
const CALL_THREADS: usize = 8;
/// Threads for those that wait for a model, a program or a person. They are others: what these wait for, such as the
/// answer to a permission request, may be a call too.
const SLOW_CALL_THREADS: usize = 8;
/// How long a server may take at a close to forget the tools of the host.
const PARTING: std::time::Duration = std::time::Duration::from_millis(400);
/// Threads for short requests that event streams need. One may wait for a server that is away.
const CHORE_THREADS: usize = 2;

/// Connections, threads and the event stream.
pub(super) struct Origin {
    pub(super) caller: Arc<Caller>,
    pub(super) signal: Arc<Signal>,
    pub(super) logs: Arc<LogQueue>,
    pub(super) here: PerProcess<Here>,
}

/// What lives in this process: after a fork the child has none of its threads.
pub(super) struct Here {
    background: Mutex<Background>,
    pub(super) tools: Arc<Tools>,
    closing: Mutex<()>,
}

impl Here {
    fn new(caller: &Arc<Caller>, signal: &Arc<Signal>) -> Self {
        let tools = Arc::new(Tools::new(Arc::clone(caller), Arc::clone(signal)));
        let background = Mutex::new(Background::new(caller));
        Here { background, tools, closing: Mutex::default() }
    }

    pub(super) fn background(&self) -> MutexGuard<'_, Background> {
        self.background.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Background {
    pub(super) engine: Option<Engine>,
    pub(super) terminals: Option<Arc<Terminals>>,
    pub(super) calls: Arc<Pool>,
    pub(super) slow_calls: Arc<Pool>,
    /// Threads for what event streams have to ask the server.
    pub(super) chores: Arc<Pool>,
    pub(super) feed: Arc<Feed>,
    pub(super) resolver: Arc<Resolver>,
}

impl Background {
    /// Nothing of it runs before it is needed.
    fn new(caller: &Arc<Caller>) -> Self {
        let chores = Arc::new(Pool::new("opencode-chores", CHORE_THREADS));
        Background {
            engine: None,
            terminals: None,
            calls: Arc::new(Pool::new("opencode-call", CALL_THREADS)),
            slow_calls: Arc::new(Pool::new("opencode-slow", SLOW_CALL_THREADS)),
            feed: Arc::new(Feed::new(Arc::clone(caller), Arc::clone(&chores))),
            resolver: Arc::new(Resolver::new(Arc::clone(caller), Arc::clone(&chores))),
            chores,
        }
    }

    /// Takes out what has to end; what is refused from now on finds the rest closed.
    fn take(&mut self) -> Parts {
        let pools = [&self.calls, &self.slow_calls, &self.chores].map(Arc::clone);
        let (engine, terminals) = (self.engine.take(), self.terminals.take());
        Parts { engine, terminals, pools, feed: Arc::clone(&self.feed) }
    }
}

impl Origin {
    /// Starts nothing.
    pub(super) fn new(caller: &Arc<Caller>, logs: Arc<LogQueue>) -> Self {
        let signal = Arc::<Signal>::default();
        let here = PerProcess::new(Here::new(caller, &signal));
        Origin { caller: Arc::clone(caller), signal, logs, here }
    }

    pub(super) fn here(&self) -> &Here {
        self.here.get(|| Here::new(&self.caller, &self.signal))
    }

    pub(super) fn background(&self) -> MutexGuard<'_, Background> {
        self.here().background()
    }

    pub(super) fn close(&self) -> Option<Error> {
        self.caller.refuse();
        // A copy of the process that used nothing of it has nothing to end.
        let lost = self.here.made().and_then(|here| {
            // Whoever closes at the same time waits for the same end.
            let _closing = here.closing.lock().unwrap_or_else(PoisonError::into_inner);
            let parts = here.background().take();
            parts.close(&here.tools)
        });
        self.caller.close();
        lost
    }
}

/// Nobody waits in a drop: it may be that of a garbage collector, in the middle of a frame.
impl Drop for Origin {
    fn drop(&mut self) {
        self.caller.refuse();
        let parts =
            self.here.made().map(|here| (here.background().take(), Arc::clone(&here.tools)));
        let Some((parts, tools)) = parts.filter(|(parts, _)| !parts.is_idle()) else {
            return self.caller.close();
        };
        let caller = Arc::clone(&self.caller);
        leaving::hand_over(move || {
            if let Some(loss) = parts.close(&tools) {
                keep_loss(loss);
            }
            caller.close();
        });
    }
}

/// What has to end with a client.
struct Parts {
    engine: Option<Engine>,
    terminals: Option<Arc<Terminals>>,
    pools: [Arc<Pool>; 3],
    feed: Arc<Feed>,
}

impl Parts {
    /// Whether no thread was ever needed.
    fn is_idle(&self) -> bool {
        self.engine.is_none()
            && self.terminals.is_none()
            && self.pools.iter().all(|pool| pool.is_idle())
            && self.feed.is_idle()
    }

    /// Ends all and joins its threads. The error names prompts that were not sent.
    fn close(self, tools: &Tools) -> Option<Error> {
        if tools.is_idle() {
            tools.close(PARTING);
            return self.end();
        }
        // Beside the rest: the server is asked to forget the tools, and may be slow.
        std::thread::scope(|scope| {
            let closing = thread::start_scoped(scope, "opencode-close", || tools.close(PARTING));
            let lost = self.end();
            if closing.is_err() {
                tools.close(PARTING);
            }
            lost
        })
    }

    fn end(self) -> Option<Error> {
        let Parts { engine, terminals, pools, feed } = self;
        // All are told before the first is waited for.
        feed.end();
        pools.iter().for_each(|pool| pool.end());
        if let Some(terminals) = &terminals {
            terminals.end();
        }
        feed.close();
        pools.iter().for_each(|pool| pool.close());
        if let Some(terminals) = terminals {
            terminals.close();
        }
        // Last, for prompts that are not sent yet get a moment. Also after a drop: nobody else would send them.
        engine.and_then(|engine| engine.close())
    }
}
