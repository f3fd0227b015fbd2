//! Tells each machine what it has to know, and does what it wants. What one needs of another is told here.

use super::*;

/// How long after the request what it began is looked for.
const FIND_PAUSE: Millis = 100;

impl Machine {
    /// Tells the opening something, and does what it wants.
    pub(super) fn opening(&mut self, input: OpeningInput<'_>) {
        let context = OpeningContext { now: self.now, is_stream_up: self.is_stream_up };
        for effect in self.opening.step(input, &context) {
            match effect {
                OpeningEffect::Ask(kind, request) => self.ask(kind, request),
                OpeningEffect::TakeSnapshot { lists } => {
                    self.asked = self.now;
                    let directory = self.opening.directory().cloned();
                    self.out.push(Output::TakeSnapshot { directory, lists });
                }
                OpeningEffect::PlaceTools => {
                    self.asked = self.now;
                    let directory = self.opening.directory().cloned();
                    self.out.push(Output::PlaceTools { directory });
                }
                OpeningEffect::Track(session) => self.out.push(Output::Track(session)),
                OpeningEffect::Queue(session) => self.out.push(Output::Queue(session)),
                OpeningEffect::FindPrompt => self.find_prompt(),
                OpeningEffect::Send => self.send(),
                OpeningEffect::Reachable => self.reachable(),
                OpeningEffect::Unreachable(error) => self.unreachable(error),
                OpeningEffect::HealthFailed(error) => {
                    let at = self.now + self.reach.failed(error, self.asked, self.now);
                    self.opening(OpeningInput::HealthAt(at));
                }
                OpeningEffect::WrongName(error) if self.looking.answers().is_empty() => {
                    self.ending(EndingInput::Conclude(error));
                }
                OpeningEffect::WrongName(_) => self.opening(OpeningInput::CheckNames),
                OpeningEffect::NamesUnchecked => self.ending(EndingInput::NamesUnchecked),
                OpeningEffect::Over(error) => self.over(Some(error)),
            }
        }
    }

    /// Tells the sending something, and does what it wants.
    pub(super) fn sending(&mut self, input: SendingInput) {
        let context = SendingContext {
            now: self.now,
            session: self.opening.session().map_or("", String::as_str),
            directory: self.opening.directory(),
            ending: self.ending.error(),
            last_before_send: self.opening.last_before_send(),
        };
        match self.sending.step(input, &context) {
            SendingEffect::Nothing => {}
            SendingEffect::Ask(kind, request) => self.ask(kind, request),
            SendingEffect::Accepted { is_seen } => {
                self.accepted(is_seen);
                if let Some(error) = self.sending.refusal().cloned() {
                    self.ending(EndingInput::Conclude(error));
                }
            }
            SendingEffect::Find => self.find_prompt(),
            SendingEffect::SendAgain => {
                self.reachable();
                self.send();
            }
            SendingEffect::RetryAt(at) => {
                self.reachable();
                self.retry_at = Some(at);
            }
            SendingEffect::Unreachable(error) => self.unreachable(error),
            SendingEffect::Over(error) => self.over(Some(error)),
        }
    }

    pub(super) fn send(&mut self) {
        self.phase = Phase::Sending;
        self.ending(EndingInput::Worked);
        self.sending(SendingInput::Send);
        if self.is_compaction {
            // On 1.x the request ends with the summary: what it began is looked for meanwhile.
            self.retry_at = Some(self.now + FIND_PAUSE);
            return;
        }
        let message = self.sending.message_id().to_owned();
        self.looking(LookingInput::Sending { message: &message });
    }

    /// Asks whether the server has the prompt.
    pub(super) fn find_prompt(&mut self) {
        self.phase = Phase::Verifying;
        self.sending(SendingInput::Find);
    }

    /// The server has the prompt.
    pub(super) fn accepted(&mut self, is_stored: bool) {
        self.reachable();
        self.phase = Phase::Running;
        self.inquire(InquiriesInput::Known);
        if self.is_compaction {
            let message = self.sending.message_id().to_owned();
            self.looking(LookingInput::Sending { message: &message });
        }
        let reads_all = self.is_resumed || (self.is_compaction && is_stored);
        self.looking(LookingInput::Accepted { is_stored, reads_all });
    }

    /// Tells the looking something, and does what it wants.
    pub(super) fn looking(&mut self, input: LookingInput<'_>) {
        let is_running = self.phase == Phase::Running;
        let context = LookingContext {
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
        for effect in self.looking.step(input, &context) {
            match effect {
                LookingEffect::Ask(kind, request) => self.ask(kind, request),
                LookingEffect::TakeSnapshot { lists } => {
                    self.asked = self.now;
                    let directory = self.opening.directory().cloned();
                    self.out.push(Output::TakeSnapshot { directory, lists });
                }
                LookingEffect::Track(session) => self.out.push(Output::Track(session)),
                LookingEffect::Tell(update) => self.update(update),
                LookingEffect::Note(odd) => self.note(odd),
                LookingEffect::Known => self.inquire(InquiriesInput::Known),
                LookingEffect::Worked => self.ending(EndingInput::Worked),
                LookingEffect::Limit(limit, text) => self.end_at(limit, &text),
                LookingEffect::ChildTool(tool) => self.ending(EndingInput::ChildTool(&tool)),
                LookingEffect::BusyChildren(children) => {
                    self.ending(EndingInput::BusyChildren(children));
                }
                LookingEffect::Rest => self.judge(),
                LookingEffect::Busy { for_others } => {
                    self.ending(EndingInput::Busy { for_others });
                }
                LookingEffect::RestedWith(failure) => {
                    self.ending(EndingInput::RestedWith(failure));
                }
                LookingEffect::Heard => self.reach.hear(self.now),
                LookingEffect::Reachable => self.reachable(),
                LookingEffect::Unreachable(error) => self.unreachable(error),
                LookingEffect::Over(error) => self.over(Some(error)),
            }
        }
    }

    pub(super) fn look_if_running(&mut self) {
        if self.phase == Phase::Running {
            self.looking(LookingInput::Look);
        }
    }

    /// Tells the inquiries something, and does what they want.
    pub(super) fn inquire(&mut self, input: InquiriesInput<'_>) {
        let may_have = matches!(self.phase, Phase::Sending | Phase::Verifying | Phase::Running);
        let context = InquiriesContext {
            now: self.now,
            directory: self.opening.directory(),
            session: self.opening.session().map(String::as_str),
            children: self.looking.children(),
            answers: self.looking.answers(),
            may_be_sent: may_have,
            is_cancelled: self.ending.is_cancelled(),
            is_aborted: self.ending.is_aborted(),
            is_running: self.phase == Phase::Running,
            patience: self.server_timeout(),
        };
        for effect in self.inquiries.step(input, &context) {
            match effect {
                InquiriesEffect::Ask(id, request) => self.ask(RequestKind::Reply(id), request),
                InquiriesEffect::Tell(update) => self.update(update),
                InquiriesEffect::Warn(text) => self.out.push(Output::Warn(text)),
                InquiriesEffect::WantMessages => self.looking(LookingInput::WantMessages),
                InquiriesEffect::WantLists => self.looking(LookingInput::WantLists),
                InquiriesEffect::LookWithin(time) => {
                    self.looking(LookingInput::LookWithin(time));
                }
                InquiriesEffect::Reachable => self.reachable(),
                InquiriesEffect::Refused(error) => self.end(error.with_sent(self.is_sent())),
            }
        }
    }

    /// Tells the ending something, and does what it wants.
    pub(super) fn ending(&mut self, input: EndingInput<'_>) {
        // It sees the rest of the run as it is, and none of itself.
        let mut ending = std::mem::take(&mut self.ending);
        let effects = ending.step(input, &self.ending_context());
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
        let effects = ending.step(EndingInput::Rest(&rest), &self.ending_context());
        self.ending = ending;
        self.do_ending(effects);
    }

    pub(super) fn ending_context(&self) -> EndingContext<'_> {
        EndingContext {
            now: self.now,
            looked: self.looking.looks_since().unwrap_or(self.now),
            session: self.opening.session().map_or("", String::as_str),
            message_id: self.sending.message_id(),
            prompt: &self.prompt,
            directory: self.opening.directory(),
            children: self.looking.children(),
            messages: self.looking.messages(),
            is_rejecting: self.inquiries.is_rejecting(),
            is_compaction: self.is_compaction,
        }
    }

    pub(super) fn do_ending(&mut self, effects: Vec<EndingEffect>) {
        for effect in effects {
            match effect {
                EndingEffect::Ask(kind, request) => self.ask(kind, request),
                EndingEffect::RejectOpen => self.inquire(InquiriesInput::Aborted),
                EndingEffect::Look => self.looking(LookingInput::Look),
                EndingEffect::EndLook => self.looking(LookingInput::EndLook),
                EndingEffect::LookWithin(time) => {
                    self.looking(LookingInput::LookWithin(time));
                }
                EndingEffect::CheckNames => self.opening(OpeningInput::CheckNames),
                EndingEffect::FindPrompt => self.find_prompt(),
                EndingEffect::Gather => {
                    self.phase = Phase::Collecting;
                    self.looking(LookingInput::Stop);
                }
                EndingEffect::RetryAt(at) => self.retry_at = Some(at),
                EndingEffect::Files(raw) => self.looking(LookingInput::Files(&raw)),
                EndingEffect::Unsettled(error) => {
                    self.over(Some(self.sending.with_late_prompt(error)));
                }
                EndingEffect::Over(error) => self.over(error),
            }
        }
    }
}
