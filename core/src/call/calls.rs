//! [`Calls`]: what the nouns that a client makes need of it.

use crate::base::cancel::CancelToken;
use crate::base::error::Result;
use crate::base::leaving::Keeper;
use crate::base::pool::Pool;
use crate::base::signal::Signal;
use crate::call::Call;
use crate::call::caller::{Caller, closed};
use crate::call::options::{CallOptions, ClientOptions};
use crate::http::answer::Answer;
use crate::protocol::operation::{self, Pace};
use std::sync::Arc;

/// A client, for those below it: they do operations with it, and whoever holds it keeps the client.
pub(crate) trait Calls: Send + Sync {
    fn caller(&self) -> &Arc<Caller>;

    fn signal(&self) -> &Arc<Signal>;

    /// The threads for operations of this pace, those of this process.
    fn pool(&self, pace: Pace) -> Arc<Pool>;

    /// The same, for handles that need it and do nothing with it.
    fn keeper(self: Arc<Self>) -> Keeper;
}

/// A caller alone, for work in the background that must not keep its client. It begins nothing.
pub(crate) struct CallerAlone {
    caller: Arc<Caller>,
    signal: Arc<Signal>,
}

impl CallerAlone {
    pub(crate) fn new(caller: &Arc<Caller>) -> Self {
        CallerAlone { caller: Arc::clone(caller), signal: Arc::default() }
    }
}

impl Calls for CallerAlone {
    fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }

    fn signal(&self) -> &Arc<Signal> {
        &self.signal
    }

    fn pool(&self, _: Pace) -> Arc<Pool> {
        Arc::new(Pool::new("opencode-call", 1))
    }

    fn keeper(self: Arc<Self>) -> Keeper {
        self
    }
}

impl dyn Calls + '_ {
    pub(crate) fn options(&self) -> &ClientOptions {
        self.caller().options()
    }

    /// Does an operation, with its arguments as JSON text. Blocks.
    pub(crate) fn call(&self, name: &str, json: &str, options: &CallOptions) -> Result<Answer> {
        let token = CancelToken::with_interrupt(options.interrupt.clone());
        self.caller().call(name, json, options, &token)
    }

    /// Does an operation whose answer is left as the server gave it. Blocks.
    pub(crate) fn call_plain(
        &self,
        name: &'static str,
        json: &str,
        options: &CallOptions,
    ) -> Result<Answer> {
        let token = CancelToken::with_interrupt(options.interrupt.clone());
        let answer = self.caller().plain(name, json, options, &token)?;
        answer.check_depth()?;
        Ok(answer)
    }
}

impl dyn Calls {
    /// Does an operation in the background, and its thread makes something of the answer.
    pub(crate) fn start<T: Clone + Send + 'static>(
        self: &Arc<Self>,
        name: &str,
        json: &str,
        options: CallOptions,
        make: impl FnOnce(Answer) -> Result<T> + Send + 'static,
    ) -> Result<Call<T>> {
        let caller = Arc::clone(self.caller());
        let (owned, json) = (name.to_owned(), json.to_owned());
        let pace = operation::find(name).map_or(Pace::Quick, |operation| operation.pace);
        let work =
            move |token: &CancelToken| caller.call(&owned, &json, &options, token).and_then(make);
        self.start_work(name, pace, work)
    }

    /// Does what takes several requests in the background, as one call.
    pub(crate) fn start_work<T: Clone + Send + 'static>(
        self: &Arc<Self>,
        name: &str,
        pace: Pace,
        work: impl FnOnce(&CancelToken) -> Result<T> + Send + 'static,
    ) -> Result<Call<T>> {
        if self.caller().is_closed() {
            return Err(closed(name));
        }
        let call = Call::start(&self.pool(pace), self.signal(), name, work)?;
        Ok(call.keeping(Arc::clone(self).keeper()))
    }
}
