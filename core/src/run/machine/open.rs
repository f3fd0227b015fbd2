//! Getting a session, a turn in it, and a look at it before the prompt is sent.

use super::*;
use crate::run::prompt::WhenBusy;
use crate::run::wire::Session;

/// The pause before a session is asked for once more.
const AGAIN_PAUSE: Millis = 500;

impl Machine {
    /// Asks for the session: an existing one, or a new one.
    pub(super) fn open(&mut self) {
        match self.session.clone() {
            Some(session) => self.ask(RequestKind::Session, Request::Session { session }),
            None if self.creation.is_lost() => {
                let (mark, directory) = (self.nonce.clone(), self.directory.clone());
                self.ask(RequestKind::FindCreated, Request::FindCreated { mark, directory });
            }
            None => self.create(),
        }
    }

    pub(super) fn on_opened(&mut self, kind: RequestKind, result: Result<Response>) {
        if kind == RequestKind::Create {
            self.on_created_or_lost(result.as_ref().err());
        }
        match (kind, result) {
            (_, Ok(Response::Found(found))) => {
                self.reachable();
                match found {
                    Some(session) => self.opened(session),
                    None => self.find_again(),
                }
            }
            (kind, Ok(Response::Session(session))) => {
                self.reachable();
                self.is_new_session = kind == RequestKind::Create;
                self.opened(session);
            }
            (_, Ok(_)) => {}
            (_, Err(error)) if is_transient(&error) => {
                self.unreachable(error);
            }
            // The first request of a directory may fail while the server prepares it.
            (kind, Err(error)) if error.status() == Some(500) && self.may_open_again() => {
                if kind == RequestKind::Create {
                    self.find_first();
                }
                self.retry_at = Some(self.now + AGAIN_PAUSE);
            }
            (_, Err(error)) => self.over_early(error),
        }
    }

    /// Once: what fails again is told.
    fn may_open_again(&mut self) -> bool {
        !std::mem::replace(&mut self.has_opened_again, true)
    }

    fn opened(&mut self, session: Session) {
        if session.directory.is_some() {
            self.directory = session.directory;
        }
        let is_given = self.session.is_some();
        let Some(id) = session.id.or(self.session.clone()) else { return };
        self.session = Some(id.clone());
        self.out.push(Output::Track(id.clone()));
        if self.setup.resume.is_some() {
            self.verify();
            return;
        }
        self.phase = Phase::Queued;
        if !is_given {
            self.out.push(Output::Queue(id));
        } else if self.has_turn {
            self.on_turn();
        }
    }

    pub(super) fn on_turn(&mut self) {
        self.has_turn = true;
        if self.phase == Phase::Queued {
            self.phase = Phase::Preparing;
            self.prepare();
        }
    }

    /// Sends without what only serves to listen.
    pub(super) fn on_leave(&mut self) {
        self.goes_without_stream = true;
        self.name_check = NameCheck::Known;
        self.prepared();
    }

    /// Looks at the session: is it idle, what is listed already, what is its newest message?
    pub(super) fn prepare(&mut self) {
        if self.is_new_session {
            // Nothing can be in a session that was just made.
            self.status = Some(Status::Idle);
            self.has_baseline = true;
            self.prepared();
        } else if !self.has_baseline {
            (self.snapshot_asked, self.asked) = (Some(self.now), self.now);
            // With the lists: what is open now is not this run's.
            self.out
                .push(Output::TakeSnapshot { directory: self.directory.clone(), with_lists: true });
        } else {
            self.prepared();
        }
    }

    /// What the snapshot before the send says.
    pub(super) fn on_first_snapshot(&mut self, snapshot: &DirectorySnapshot) {
        let Some(session) = self.session.clone() else { return };
        if self.snapshot_asked.is_none_or(|asked| snapshot.started < asked) {
            // Another run's look, taken before this one asked.
            return;
        }
        (self.snapshot_asked, self.retry_at) = (None, None);
        self.reachable();
        let status = snapshot.status.get(&session).cloned().unwrap_or(Status::Idle);
        let listed = snapshot.inquiries.iter().filter(|inquiry| inquiry.session_id == session);
        self.stale_requests.extend(listed.map(|inquiry| inquiry.id.clone()));
        let is_idle = status == Status::Idle;
        self.status = Some(status);
        match self.prompt.when_busy {
            _ if is_idle => {}
            WhenBusy::Send => {}
            WhenBusy::Refuse => {
                let text =
                    format!("run: session {session} is busy; wait, or leave when_busy at 'queue'");
                self.over_early(Error::new(ErrorKind::Conflict, text).with_retryable(true));
                return;
            }
            WhenBusy::Queue => {
                self.interval = (self.interval * 3 / 2).clamp(100, 1_000);
                self.retry_at = Some(self.now + self.interval);
                return;
            }
        }
        self.ask(RequestKind::LastBeforeSend, Request::LastMessage { session });
    }

    pub(super) fn on_prepared(&mut self, kind: RequestKind, result: Result<Response>) {
        if self.phase == Phase::Running && kind != RequestKind::LastBeforeSend {
            return self.on_names_of_a_silent_run(&kind, result);
        }
        if self.phase != Phase::Preparing {
            // The stream came up meanwhile, and the prompt went out without an answer to this.
            return;
        }
        let response = match result {
            Ok(response) => response,
            Err(error) if is_transient(&error) => return self.unreachable(error),
            Err(error) => return self.over_early(error),
        };
        self.reachable();
        match response {
            Response::LastMessage(newest) => {
                (self.last_before_send, self.has_baseline) = (newest, true);
            }
            Response::Name(checked) => {
                self.checked_name(&kind);
                if let Err(error) = checked {
                    return self.over_early(error);
                }
            }
            _ => {}
        }
        self.prepared();
    }

    /// Sends, once everything that must be known before is known.
    pub(super) fn prepared(&mut self) {
        if self.phase != Phase::Preparing || !self.has_baseline || self.retry_at.is_some() {
            return;
        }
        if !self.is_stream_up {
            if !self.goes_without_stream {
                return;
            }
            if self.ask_names() {
                return;
            }
        }
        self.send();
    }

    /// Asks for what tells whether agent or model are known; false when there is nothing left to ask.
    pub(super) fn ask_names(&mut self) -> bool {
        if self.name_check == NameCheck::Agent && self.prompt.agent.is_none() {
            self.name_check = NameCheck::Model;
        }
        if self.name_check == NameCheck::Model && self.prompt.model.is_none() {
            self.name_check = NameCheck::Known;
        }
        let directory = self.directory.clone();
        match (self.name_check, &self.prompt.agent, &self.prompt.model) {
            (NameCheck::Agent, Some(agent), _) => {
                let request = Request::CheckAgent { agent: agent.clone(), directory };
                self.ask(RequestKind::Agents, request);
            }
            (NameCheck::Model, _, Some(model)) => {
                let request = Request::CheckModel { model: model.clone(), directory };
                self.ask(RequestKind::Models, request);
            }
            _ => return false,
        }
        true
    }

    fn checked_name(&mut self, kind: &RequestKind) {
        let is_agent = *kind == RequestKind::Agents;
        self.name_check = if is_agent { NameCheck::Model } else { NameCheck::Known };
    }

    /// Nothing came of the prompt, and the event that would say why may have been lost.
    fn on_names_of_a_silent_run(&mut self, kind: &RequestKind, result: Result<Response>) {
        let Ok(Response::Name(checked)) = result else {
            // What cannot be asked now is asked at the next look.
            self.has_checked_names = false;
            return;
        };
        self.checked_name(kind);
        match checked {
            Err(error) if self.assistants.is_empty() => self.conclude(Some(error)),
            _ => {
                self.ask_names();
            }
        }
    }
}
