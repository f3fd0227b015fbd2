//! Which machine is told what happened.

use super::*;

impl Machine {
    /// Something happened to a session, or to the server as a whole.
    pub(super) fn on_fact(&mut self, session: Option<&str>, fact: Fact) {
        match (session, fact) {
            (None, Fact::Disposed { directory }) => {
                if directory.is_none() || directory.as_ref() == self.opening.directory() {
                    if self.is_sent() {
                        self.ending(EndingInput::Disposed);
                    }
                    self.look_if_running();
                }
            }
            (_, Fact::CommandEnded { id }) => {
                self.ending(EndingInput::CommandEnded(id));
                if self.ending.is_aborted() {
                    self.look_if_running();
                }
            }
            (None, _) => {}
            (Some(session), fact) if self.session() == Some(session) => {
                self.on_own_fact(fact);
            }
            (Some(session), fact) if self.looking.is_child(session) => match fact {
                Fact::Asked(_) | Fact::InquiryAnswered { .. } | Fact::Unreadable(_) => {
                    self.on_inquiry_fact(fact);
                }
                fact => self.looking(LookingInput::ChildFact { session, fact }),
            },
            (Some(session), Fact::SubagentOf { parent }) => {
                self.looking(LookingInput::Subagent { session, parent: &parent });
            }
            (Some(_), _) => {}
        }
    }

    pub(super) fn on_own_fact(&mut self, fact: Fact) {
        match fact {
            Fact::TurnEnded if self.phase == Phase::Opening => {
                self.opening(OpeningInput::TurnEnded);
            }
            Fact::TurnEnded => self.look_if_running(),
            // It may be what was asked for: events begin to tell of the answer now.
            Fact::PromptStored { .. }
                if self.phase == Phase::Sending && self.sending.is_under_way() =>
            {
                self.retry_at = Some(self.now);
            }
            // The answer is there; what cannot be gathered any more is left out.
            Fact::SessionDeleted if self.phase == Phase::Collecting => {}
            // As every event it only wakes: whoever looks for the session is told that it is gone.
            Fact::SessionDeleted => match self.phase {
                Phase::Opening => self.opening(OpeningInput::TurnEnded),
                Phase::Running => self.looking(LookingInput::WantMessages),
                _ => {}
            },
            Fact::Failed(failure) => {
                if self.is_sent() || self.phase == Phase::Sending {
                    let is_own = self.looking.is_stored() || !self.looking.answers().is_empty();
                    self.ending(EndingInput::Failed { failure, is_own });
                    self.look_if_running();
                }
            }
            Fact::Asked(_) | Fact::InquiryAnswered { .. } | Fact::Unreadable(_) => {
                self.on_inquiry_fact(fact);
            }
            fact => self.looking(LookingInput::Fact(fact)),
        }
    }

    pub(super) fn on_snapshot(&mut self, snapshot: &DirectorySnapshot) {
        if self.phase == Phase::Opening && self.opening.looks() {
            self.inquire(InquiriesInput::Before(snapshot));
        }
        self.inquire(InquiriesInput::Snapshot(snapshot));
        match self.phase {
            Phase::Opening => self.opening(OpeningInput::Snapshot(snapshot)),
            Phase::Running => self.looking(LookingInput::Snapshot(snapshot)),
            _ => {}
        }
    }

    /// What other runs have seen is news for one that goes on, and nothing that the others wait for.
    pub(super) fn on_seen(&mut self, snapshot: &DirectorySnapshot) {
        if self.phase == Phase::Running {
            self.inquire(InquiriesInput::Snapshot(snapshot));
            self.looking(LookingInput::Seen(snapshot));
        }
    }

    pub(super) fn on_snapshot_failed(&mut self, error: &Error) {
        if self.phase == Phase::Running || (self.phase == Phase::Opening && self.opening.looks()) {
            self.looking(LookingInput::SnapshotFailed(error.clone()));
        }
    }

    /// What an event tells of permissions and questions.
    pub(super) fn on_inquiry_fact(&mut self, fact: Fact) {
        match fact {
            Fact::Asked(inquiry) => self.inquire(InquiriesInput::Asked(Arc::from(inquiry))),
            Fact::InquiryAnswered { id, reply } => {
                self.inquire(InquiriesInput::Answered { id: &id, reply: &reply });
            }
            Fact::Unreadable(what) => self.note(vec![what]),
            _ => {}
        }
    }
}
