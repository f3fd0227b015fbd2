//! Tells each machine what it has to know, and does what it wants. What one needs of another is told here.

use super::*;

impl Machine {
    /// Tells the opening something, and does what it wants.
    pub(super) fn opening(&mut self, input: opening::Input<'_>) {
        let around = opening::Around { now: self.now, is_stream_up: self.is_stream_up };
        for effect in self.opening.step(input, &around) {
            match effect {
                opening::Effect::Ask(kind, request) => self.ask(kind, request),
                opening::Effect::TakeSnapshot => {
                    self.asked = self.now;
                    let directory = self.opening.directory().cloned();
                    self.out.push(Output::TakeSnapshot { directory, with_lists: true });
                }
                opening::Effect::Track(session) => self.out.push(Output::Track(session)),
                opening::Effect::Queue(session) => self.out.push(Output::Queue(session)),
                opening::Effect::FindPrompt => self.find_prompt(),
                opening::Effect::Send => self.send(),
                opening::Effect::Reachable => self.reachable(),
                opening::Effect::Unreachable(error) => self.unreachable(error),
                opening::Effect::HealthFailed(error) => {
                    let at = self.now + self.reach.failed(error, self.asked, self.now);
                    self.opening(opening::Input::HealthAt(at));
                }
                opening::Effect::WrongName(error) if self.looking.answers().is_empty() => {
                    self.ending(ending::Input::Conclude(error));
                }
                opening::Effect::WrongName(_) => self.opening(opening::Input::CheckNames),
                opening::Effect::NamesUnchecked => self.ending(ending::Input::NamesUnchecked),
                opening::Effect::Over(error) => self.over(Some(error)),
            }
        }
    }

    /// Tells the sending something, and does what it wants.
    pub(super) fn sending(&mut self, input: sending::Input) {
        let around = sending::Around {
            now: self.now,
            session: self.opening.session().map_or("", String::as_str),
            directory: self.opening.directory(),
            ending: self.ending.error(),
        };
        match self.sending.step(input, &around) {
            sending::Effect::Ask(kind, request) => self.ask(kind, request),
            sending::Effect::Accepted { is_seen } => self.accepted(is_seen),
            sending::Effect::Find => self.find_prompt(),
            sending::Effect::SendAgain => {
                self.reachable();
                self.send();
            }
            sending::Effect::RetryAt(at) => {
                self.reachable();
                self.retry_at = Some(at);
            }
            sending::Effect::Unreachable(error) => self.unreachable(error),
            sending::Effect::Over(error) => self.over(Some(error)),
        }
    }

    pub(super) fn send(&mut self) {
        self.phase = Phase::Sending;
        self.ending(ending::Input::Worked);
        self.sending(sending::Input::Send);
        let message = self.sending.message_id().to_owned();
        self.looking(looking::Input::Sending { message: &message });
    }

    /// Asks whether the server has the prompt.
    pub(super) fn find_prompt(&mut self) {
        self.phase = Phase::Verifying;
        self.sending(sending::Input::Find);
    }

    /// The server has the prompt.
    pub(super) fn accepted(&mut self, is_stored: bool) {
        self.reachable();
        self.phase = Phase::Running;
        self.inquire(inquiries::Input::Known);
        let reads_all = self.is_resumed;
        self.looking(looking::Input::Accepted { is_stored, reads_all });
    }

    /// Tells the looking something, and does what it wants.
    pub(super) fn looking(&mut self, input: looking::Input<'_>) {
        let is_running = self.phase == Phase::Running;
        let around = looking::Around {
            now: self.now,
            session: self.opening.session().map_or("", String::as_str),
            message_id: self.sending.message_id(),
            last_before_send: self.opening.last_before_send(),
            is_stream_up: self.is_stream_up,
            may_be_sent: is_running || matches!(self.phase, Phase::Sending | Phase::Verifying),
            is_sent: self.is_sent(),
            is_running,
            is_cancelled: self.ending.is_cancelled(),
            has_unclaimed: self.inquiries.has_unclaimed(),
        };
        for effect in self.looking.step(input, &around) {
            match effect {
                looking::Effect::Ask(kind, request) => self.ask(kind, request),
                looking::Effect::TakeSnapshot { with_lists } => {
                    self.asked = self.now;
                    let directory = self.opening.directory().cloned();
                    self.out.push(Output::TakeSnapshot { directory, with_lists });
                }
                looking::Effect::Track(session) => self.out.push(Output::Track(session)),
                looking::Effect::Tell(update) => self.update(update),
                looking::Effect::Note(odd) => self.note(odd),
                looking::Effect::Known => self.inquire(inquiries::Input::Known),
                looking::Effect::Worked => self.ending(ending::Input::Worked),
                looking::Effect::Limit(limit, text) => self.end_at(limit, &text),
                looking::Effect::ChildTool(tool) => self.ending(ending::Input::ChildTool(&tool)),
                looking::Effect::BusyChildren(children) => {
                    self.ending(ending::Input::BusyChildren(children));
                }
                looking::Effect::Rest => self.judge(),
                looking::Effect::Busy { for_others } => {
                    self.ending(ending::Input::Busy { for_others });
                }
                looking::Effect::RestedWith(failure) => {
                    self.ending(ending::Input::RestedWith(failure));
                }
                looking::Effect::Heard => self.reach.hear(self.now),
                looking::Effect::Reachable => self.reachable(),
                looking::Effect::Unreachable(error) => self.unreachable(error),
                looking::Effect::Over(error) => self.over(Some(error)),
            }
        }
    }

    pub(super) fn look_if_running(&mut self) {
        if self.phase == Phase::Running {
            self.looking(looking::Input::Look);
        }
    }

    /// Tells the inquiries something, and does what they want.
    pub(super) fn inquire(&mut self, input: inquiries::Input<'_>) {
        let may_have = matches!(self.phase, Phase::Sending | Phase::Verifying | Phase::Running);
        let around = inquiries::Around {
            now: self.now,
            directory: self.opening.directory(),
            session: self.opening.session().map(String::as_str),
            children: self.looking.children(),
            answers: self.looking.answers(),
            may_be_sent: may_have,
            is_cancelled: self.ending.is_cancelled(),
            is_aborted: self.ending.is_aborted(),
            is_running: self.phase == Phase::Running,
        };
        for effect in self.inquiries.step(input, &around) {
            match effect {
                inquiries::Effect::Ask(id, request) => self.ask(RequestKind::Reply(id), request),
                inquiries::Effect::Tell(update) => self.update(update),
                inquiries::Effect::Warn(text) => self.out.push(Output::Warn(text)),
                inquiries::Effect::WantMessages => self.looking(looking::Input::WantMessages),
                inquiries::Effect::WantLists => self.looking(looking::Input::WantLists),
                inquiries::Effect::LookWithin(time) => {
                    self.looking(looking::Input::LookWithin(time));
                }
                inquiries::Effect::Reachable => self.reachable(),
            }
        }
    }

    /// Tells the ending something, and does what it wants.
    pub(super) fn ending(&mut self, input: ending::Input<'_>) {
        // It sees the rest of the run as it is, and none of itself.
        let mut ending = std::mem::take(&mut self.ending);
        let effects = ending.step(input, &self.around_ending());
        self.ending = ending;
        self.do_ending(effects);
    }

    /// The session rests, and its messages are known back to the run's own prompt.
    pub(super) fn judge(&mut self) {
        let mut ending = std::mem::take(&mut self.ending);
        let (foreign, foreign_times): (Vec<&str>, Vec<f64>) =
            self.looking.answered_foreign().unzip();
        let rest = Rest {
            sent: self.sending.sent().unwrap_or(self.now),
            start_timeout: self.start_timeout(),
            is_stored: self.looking.is_stored(),
            was_busy: self.looking.was_busy(),
            outage: self.looking.outage(),
            is_status_unreadable: self.looking.status() == Some(&Status::Unreadable),
            is_stream_up: self.is_stream_up,
            knows_names: self.opening.knows_names(),
            has_rejected: self.session().is_some_and(|id| self.inquiries.has_rejected(id)),
            answered_foreign: foreign.last().copied(),
            foreign_times: &foreign_times,
        };
        let effects = ending.step(ending::Input::Rest(&rest), &self.around_ending());
        self.ending = ending;
        self.do_ending(effects);
    }

    pub(super) fn around_ending(&self) -> ending::Around<'_> {
        ending::Around {
            now: self.now,
            session: self.opening.session().map_or("", String::as_str),
            message_id: self.sending.message_id(),
            prompt: &self.prompt,
            directory: self.opening.directory(),
            children: self.looking.children(),
            messages: self.looking.messages(),
            is_rejecting: self.inquiries.is_rejecting(),
        }
    }

    pub(super) fn do_ending(&mut self, effects: Vec<ending::Effect>) {
        for effect in effects {
            match effect {
                ending::Effect::Ask(kind, request) => self.ask(kind, request),
                ending::Effect::RejectOpen => self.inquire(inquiries::Input::Aborted),
                ending::Effect::Look => self.looking(looking::Input::Look),
                ending::Effect::EndLook => self.looking(looking::Input::EndLook),
                ending::Effect::LookWithin(time) => {
                    self.looking(looking::Input::LookWithin(time));
                }
                ending::Effect::CheckNames => self.opening(opening::Input::CheckNames),
                ending::Effect::FindPrompt => self.find_prompt(),
                ending::Effect::Gather => {
                    self.phase = Phase::Collecting;
                    self.looking(looking::Input::Stop);
                }
                ending::Effect::RetryAt(at) => self.retry_at = Some(at),
                ending::Effect::Files(raw) => self.looking(looking::Input::Files(&raw)),
                ending::Effect::Unsettled(error) => {
                    self.over(Some(self.sending.with_late_prompt(error)));
                }
                ending::Effect::Over(error) => self.over(error),
            }
        }
    }
}
