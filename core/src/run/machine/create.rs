//! Making a session, which may take minutes: the server fetches catalogues and starts what the project configures.

use super::*;

/// How often a server that makes a session is asked whether it lives, and `why` is told anew.
const LOOK_PAUSE: Millis = 5_000;
/// No session takes longer, unless the host says so.
const LIMIT: Millis = 600_000;
/// The pause between looks for a session whose creation was not confirmed.
const FIND_PAUSE: Millis = 500;

/// What is known of the session that is being made.
#[derive(Debug, Default)]
pub(super) struct Creation {
    /// When the first one was asked for.
    began: Option<Millis>,
    /// Since when a request for it is under way.
    since: Option<Millis>,
    /// When the server is to be asked whether it lives.
    look_at: Option<Millis>,
    /// The answer was lost: until then the session is looked for, and no other is made.
    find_until: Option<Millis>,
}

impl Creation {
    pub(super) fn is_under_way(&self) -> bool {
        self.since.is_some()
    }

    /// Whether the server was asked whether it lives, and has not answered.
    pub(super) fn awaits_health(&self) -> bool {
        self.is_under_way() && self.look_at.is_none()
    }

    pub(super) fn is_lost(&self) -> bool {
        self.find_until.is_some()
    }
}

impl Machine {
    pub(super) fn create(&mut self) {
        self.creation.began.get_or_insert(self.now);
        self.creation.since = Some(self.now);
        self.creation.look_at = Some(self.now + LOOK_PAUSE);
        // The mark lets a session be found again when the answer to its creation is lost.
        let (mark, title) = (self.nonce.clone(), self.prompt.title.clone());
        let directory = self.directory.clone();
        self.ask(RequestKind::Create, Request::Create { mark, title, directory });
    }

    /// The answer came, or never will. When the connection broke the server may go on, so the session may come as
    /// much later as it took until then.
    pub(super) fn on_created_or_lost(&mut self, error: Option<&Error>) {
        self.creation.look_at = None;
        if let Some(since) = self.creation.since.take()
            && error.is_some_and(|error| is_transient(error) && error.is_sent())
        {
            self.creation.find_until = Some(self.now + (self.now - since));
        }
    }

    /// The session may have been made although the server says otherwise: it is looked for before another is made.
    pub(super) fn find_first(&mut self) {
        self.creation.find_until = Some(self.now);
    }

    /// The session is not there.
    pub(super) fn find_again(&mut self) {
        if self.creation.find_until.is_some_and(|until| self.now < until) {
            self.retry_at = Some(self.now + FIND_PAUSE);
        } else {
            self.creation.find_until = None;
            self.open();
        }
    }

    /// Asks whether the server that makes the session is alive at all.
    pub(super) fn look_after_creation(&mut self) {
        self.creation.look_at = None;
        self.ask(RequestKind::Health, Request::Health);
    }

    pub(super) fn on_health(&mut self, result: Result<Response>) {
        if !self.creation.is_under_way() {
            return;
        }
        let pause = match result {
            Err(error) if is_transient(&error) => self.reach.failed(error, self.asked, self.now),
            // Whatever it says, it is alive.
            _ => {
                self.reachable();
                LOOK_PAUSE
            }
        };
        self.creation.look_at = Some(self.now + pause);
    }

    /// When something is due while the session is made.
    pub(super) fn creation_wake(&self) -> impl Iterator<Item = Millis> {
        [self.creation.look_at, self.creation_end()].into_iter().flatten()
    }

    fn creation_end(&self) -> Option<Millis> {
        let began = self.creation.began.filter(|_| self.phase == Phase::Opening)?;
        Some(began.saturating_add(self.creation_limit()))
    }

    fn creation_limit(&self) -> Millis {
        self.prompt.limits.start_timeout.map_or(LIMIT, millis)
    }

    /// What time does to a session that is being made.
    pub(super) fn creation_time(&mut self) {
        if self.creation_end().is_some_and(|at| self.now >= at) {
            let limit = self.creation_limit();
            let text = format!(
                "run: the server made no session within {limit} ms; it may be fetching catalogues or starting MCP servers, and its log says more; raise start_timeout_ms, or send it again"
            );
            self.over(Some(Error::new(ErrorKind::NeverStarted, text).with_retryable(true)));
        } else if self.creation.look_at.is_some_and(|at| self.now >= at) {
            self.look_after_creation();
        }
    }

    /// What is waited for, and for how long, in steps of the looks.
    pub(super) fn creation_reason(&self) -> String {
        let waited = self.creation.since.map_or(0, |since| self.now - since) / LOOK_PAUSE;
        if self.creation.is_lost() {
            "looking for the session whose creation was not confirmed".to_owned()
        } else if waited > 0 {
            format!(
                "waiting for the server to make the session, for {} s",
                waited * LOOK_PAUSE / 1_000
            )
        } else {
            "opening the session".to_owned()
        }
    }
}
