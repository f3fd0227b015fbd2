//! [`PtyOpening`]: a terminal that is made in the background.

use super::Pty;
use crate::base::cancel::{CancelToken, Interrupt};
use crate::base::error::Result;
use crate::call::Call;
use crate::call::options::CallOptions;
use crate::http::answer::Answer;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// How long the making and the end of a terminal may take that nobody wants any more.
const KILL: Duration = Duration::from_secs(5);

/// A terminal that is made in the background. Once the [call](Self::call) is over, it can be [taken](Self::take).
///
/// A program that starts although the call was cancelled is ended: nobody would know of it.
#[must_use = "the terminal comes out of this"]
pub struct PtyOpening {
    call: Call,
    made: Arc<Mutex<Option<Pty>>>,
}

/// Work of a call.
type OpeningWork = Box<dyn FnOnce(&CancelToken) -> Result<Answer> + Send>;

impl PtyOpening {
    pub(crate) fn start(
        start: impl FnOnce(OpeningWork) -> Result<Call>,
        create: impl FnOnce(&CallOptions) -> Result<Pty> + Send + 'static,
        is_closed: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<PtyOpening> {
        let made: Arc<Mutex<Option<Pty>>> = Arc::default();
        let slot = Arc::clone(&made);
        let call = start(Box::new(move |token| {
            let pty = create(&patient(token, is_closed))?;
            {
                let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
                if !token.is_cancelled() {
                    *slot = Some(pty);
                    return Ok(Answer::made("pty", String::new()));
                }
            }
            let options = CallOptions { timeout: Some(KILL), ..CallOptions::default() };
            pty.kill(&options)?;
            Ok(Answer::made("pty", String::new()))
        }))?;
        Ok(PtyOpening { call, made })
    }

    /// Tells when the terminal is there, or why it cannot be made. Its answer is empty.
    pub fn call(&self) -> &Call {
        &self.call
    }

    /// The terminal, once; `None` while it is made, and when it cannot be made.
    pub fn take(&self) -> Option<Pty> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner).take();
        made.map(|pty| pty.keeping(self.call.keeper()))
    }

    /// Ends the making. A terminal that was made already is given back: nobody else will end its program.
    #[must_use = "its program goes on until it is killed"]
    pub fn cancel(&self) -> Option<Pty> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        self.call.cancel();
        made.take().map(|pty| pty.keeping(self.call.keeper()))
    }
}

/// The call that makes a terminal. When nobody waits for it any more it goes on for a while: only its answer says which
/// program is to be ended.
fn patient(
    token: &CancelToken,
    is_closed: impl Fn() -> bool + Send + Sync + 'static,
) -> CallOptions {
    let (token, since) = (token.clone(), OnceLock::new());
    let is_late = move || {
        token.is_cancelled() && (is_closed() || since.get_or_init(Instant::now).elapsed() > KILL)
    };
    CallOptions { interrupt: Some(Interrupt::new(is_late)), ..CallOptions::default() }
}

impl fmt::Debug for PtyOpening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PtyOpening").field("call", &self.call).finish()
    }
}
