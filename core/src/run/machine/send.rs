//! Sending the prompt once, whatever happens to the answer.

use super::*;
use crate::run::wire::{FoundPrompt, SendPrompt};

/// Looks for the message before it is sent again: the server stores it a moment after it took the request.
const VERIFY_TRIES: u32 = 4;
const VERIFY_PAUSE: Millis = 150;
const SEND_TRIES: u32 = 8;

impl Machine {
    pub(super) fn send(&mut self) {
        self.phase = Phase::Sending;
        self.send_tries += 1;
        self.verify_tries = 0;
        (self.outage, self.idle_since) = (Outage::None, None);
        if self.message_id.is_empty() {
            // Not before: servers up to 1.18.17 take a prompt for answered whose id is older than the newest answer's.
            self.message_id = crate::protocol::id::new("msg");
            self.own_prompts.insert(self.message_id.clone());
        }
        let send = SendPrompt {
            session: self.session_id(),
            message: self.message_id.clone(),
            prompt: Arc::clone(&self.prompt),
            part_ids: Arc::clone(&self.part_ids),
        };
        self.ask(RequestKind::Send, Request::Send(send));
    }

    pub(super) fn on_sent(&mut self, result: Result<Response>) {
        match result {
            Ok(_) => self.accepted(),
            Err(error) if !error.is_sent() && is_transient(&error) => match &self.ending {
                Some(ending) => self.over(Some(ending.error.clone())),
                None => self.unreachable(error),
            },
            // A refusal ends the run. Silence, and a status of 500 or more, leave open whether the prompt arrived.
            Err(error) if !is_transient(&error) && error.status().is_none_or(|s| s < 500) => {
                self.over(Some(error));
            }
            Err(error) => {
                self.send_error = Some(error);
                self.verify();
            }
        }
    }

    /// Asks whether the message is there.
    pub(super) fn verify(&mut self) {
        self.phase = Phase::Verifying;
        let (session, message) = (self.session_id(), self.message_id.clone());
        self.ask(RequestKind::Verify, Request::FindPrompt { session, message });
    }

    pub(super) fn on_verified(&mut self, result: Result<Response>) {
        let error = match result {
            Ok(Response::Prompt(FoundPrompt::Answer)) if self.setup.resume.is_some() => {
                let text = format!(
                    "resume: message {} is no prompt but an answer; give the messageID of the run",
                    self.message_id
                );
                return self.over(Some(Error::new(ErrorKind::NotFound, text)));
            }
            Ok(_) => return self.found(),
            Err(error) => error,
        };
        if error.kind() != ErrorKind::NotFound {
            return if is_transient(&error) {
                self.unreachable(error)
            } else {
                self.over(Some(error))
            };
        }
        self.reachable();
        // Also one that is picked up may have been sent a moment ago.
        self.verify_tries += 1;
        if self.verify_tries < VERIFY_TRIES {
            self.retry_at = Some(self.now + VERIFY_PAUSE * Millis::from(self.verify_tries));
            return;
        }
        if self.setup.resume.is_some() {
            let session = self.session.as_deref().unwrap_or_default();
            let text = format!("resume: session {session} has no message {}", self.message_id);
            return self.over(Some(Error::new(ErrorKind::NotFound, text)));
        }
        match (&self.ending, &self.send_error) {
            (Some(ending), _) => {
                let error = ending.error.clone();
                self.over(Some(self.with_late_prompt(error)));
            }
            (None, Some(error)) if !is_transient(error) || self.send_tries >= SEND_TRIES => {
                let error = match self.send_tries {
                    0 | 1 => error.clone(),
                    tries => {
                        error.clone().and(&format!("it was sent {tries} times, and never arrived"))
                    }
                };
                self.over(Some(error));
            }
            _ => self.send(),
        }
    }

    /// The message is there.
    fn found(&mut self) {
        self.user_seen = true;
        if self.outage == Outage::Seen {
            self.outage = Outage::Survived;
        }
        self.accepted();
    }

    fn accepted(&mut self) {
        self.reachable();
        self.phase = Phase::Running;
        self.sent = Some(self.now);
        self.queued_ms = self.now - self.started;
        self.interval = 100;
        if !self.was_busy {
            self.status = None;
        }
        if self.setup.resume.is_some() {
            // What it did and asked before is in no event.
            (self.needs_messages, self.needs_lists) = (true, true);
        }
        self.claim();
        let is_ahead = !self.assistants.is_empty() || !self.unclaimed.is_empty();
        self.needs_messages |= !self.unclaimed.is_empty();
        if is_ahead || self.ending.is_some() || self.setup.resume.is_some() {
            self.check_now();
        } else {
            self.plan_check();
        }
    }
}
