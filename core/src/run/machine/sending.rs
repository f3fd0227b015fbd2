//! [`Sending`]: the prompt is sent once, whatever happens to the answer.

use super::{Millis, RequestKind};
use crate::base::error::{Error, ErrorKind, Result};
use crate::protocol::id;
use crate::run::prompt::Prompt;
use crate::run::wire::{FoundPrompt, Request, Response, SendPrompt, is_absent, is_foreign};
use std::sync::Arc;

/// Looks for the message before it is sent again: the server stores it a moment after it took the request.
const LOOKS: u32 = 4;
const LOOK_PAUSE: Millis = 150;
const SEND_TRIES: u32 = 8;
/// The same where something before the server refuses the prompt.
const REFUSED_TRIES: u32 = 3;

/// A prompt on its way to the server.
pub(super) struct Sending {
    prompt: Arc<Prompt>,
    /// Whether the prompt was sent by another process, and is picked up.
    is_resumed: bool,
    /// Whether the session is summarized, and no prompt is sent.
    is_compaction: bool,
    /// The id that its message is to have, where the server takes one.
    wanted_id: String,
    /// Whether the request for it is not answered yet: on 1.x it ends with the summary.
    is_under_way: bool,
    /// Whether it was answered well.
    was_answered: bool,
    is_looked_for: bool,
    began: Millis,
    /// The user message; empty until it is chosen.
    message_id: String,
    /// The ids that the prompt's parts keep over all tries.
    part_ids: Arc<[String]>,
    /// When the server was known to have it.
    sent: Option<Millis>,
    /// Why the last try may have failed.
    error: Option<Error>,
    tries: u32,
    /// Looks for the message since the last try.
    looks: u32,
}

/// What it is told.
pub(super) enum SendingInput {
    Send,
    /// What the server said to the prompt.
    Sent(Result<Response>),
    /// The prompt is to be looked for.
    Find,
    Found(Result<Response>),
}

/// What the run is at that moment.
pub(super) struct SendingContext<'a> {
    pub now: Millis,
    pub session: &'a str,
    pub directory: Option<&'a String>,
    /// The newest message before the send.
    pub last_before_send: Option<&'a String>,
    /// Why the run is being ended, if it is.
    pub ending: Option<&'a Error>,
}

/// What it wants.
pub(super) enum SendingEffect {
    Nothing,
    Ask(RequestKind, Request),
    /// The server has the prompt; whether its message was seen.
    Accepted {
        is_seen: bool,
    },
    /// The prompt is to be looked for.
    Find,
    /// The prompt never arrived, and is to be sent again.
    SendAgain,
    /// The same once more at this time.
    RetryAt(Millis),
    Unreachable(Error),
    Over(Error),
}

impl Sending {
    pub(super) fn new(
        prompt: Arc<Prompt>,
        is_resumed: bool,
        is_compaction: bool,
        message: Option<String>,
        now: Millis,
    ) -> Self {
        // The same message may be sent by others at the same time: by two clients, or twice by one.
        let part_id = |index| match &message {
            Some(message) => id::of_part(message, index),
            None => id::new("prt"),
        };
        Sending {
            is_resumed,
            is_compaction,
            wanted_id: String::new(),
            is_under_way: false,
            was_answered: false,
            is_looked_for: false,
            part_ids: (0..prompt.parts.len()).map(part_id).collect(),
            began: now,
            message_id: message.unwrap_or_default(),
            sent: None,
            error: None,
            tries: 0,
            looks: 0,
            prompt,
        }
    }

    pub(super) fn step(
        &mut self,
        input: SendingInput,
        context: &SendingContext<'_>,
    ) -> SendingEffect {
        match input {
            SendingInput::Send => self.send(context),
            SendingInput::Sent(result) if self.is_compaction => {
                self.on_compaction_sent(result, context)
            }
            SendingInput::Sent(result) => self.on_sent(result, context),
            SendingInput::Find if self.is_looked_for => SendingEffect::Nothing,
            SendingInput::Find => {
                self.is_looked_for = self.is_compaction;
                SendingEffect::Ask(RequestKind::Verify, self.find(context))
            }
            SendingInput::Found(result) => {
                self.is_looked_for = false;
                self.on_found(result, context)
            }
        }
    }

    pub(super) fn message_id(&self) -> &str {
        &self.message_id
    }

    /// When the server was known to have the prompt.
    pub(super) fn sent(&self) -> Option<Millis> {
        self.sent
    }

    /// Whether it was sent, whatever became of it.
    pub(super) fn was_tried(&self) -> bool {
        self.tries > 0
    }

    /// Whether the server has the prompt, or may have it although it did not say so.
    pub(super) fn may_be_there(&self) -> bool {
        self.sent.is_some() || self.error.is_some()
    }

    /// What the server says of a request that it had begun: there is something of it, and nothing more will come.
    pub(super) fn refusal(&self) -> Option<&Error> {
        let error = self.error.as_ref().filter(|_| self.is_compaction)?;
        (error.status() == Some(500) && error.code().is_some()).then_some(error)
    }

    /// Whether the server works on a request that it has not answered.
    pub(super) fn is_under_way(&self) -> bool {
        self.is_under_way
    }

    /// From the start to the server's acceptance.
    pub(super) fn queued_ms(&self) -> Millis {
        self.sent.map_or(0, |sent| sent - self.began)
    }

    /// Says of a prompt whose sending was not confirmed what may still become of it.
    pub(super) fn with_late_prompt(&self, error: Error) -> Error {
        if self.sent.is_some() || self.tries == 0 {
            return error;
        }
        let words = "not settled: nobody confirmed that the prompt arrived; what holds it up on its way may deliver it later, and the agent begins then";
        error.and(words).with_sent(true)
    }

    fn send(&mut self, context: &SendingContext<'_>) -> SendingEffect {
        self.tries += 1;
        self.looks = 0;
        let id = if self.is_compaction { &mut self.wanted_id } else { &mut self.message_id };
        if id.is_empty() {
            // Not before: servers up to 1.18.17 take a prompt for answered whose id is older than the newest answer's.
            *id = id::new("msg");
        }
        self.is_under_way = self.is_compaction;
        let send = SendPrompt {
            session: context.session.to_owned(),
            directory: context.directory.cloned(),
            message: id.clone(),
            is_compaction: self.is_compaction,
            prompt: Arc::clone(&self.prompt),
            part_ids: Arc::clone(&self.part_ids),
        };
        SendingEffect::Ask(RequestKind::Send, Request::Send(send))
    }

    fn on_sent(&mut self, result: Result<Response>, context: &SendingContext<'_>) -> SendingEffect {
        match result {
            Ok(_) => self.accepted(context.now, false),
            Err(error) if !error.is_sent() && error.is_transient() => {
                // Nothing of it left this machine: that was no sending.
                self.tries -= 1;
                match context.ending {
                    Some(ending) => SendingEffect::Over(self.with_late_prompt(ending.clone())),
                    None => SendingEffect::Unreachable(error),
                }
            }
            // The server's refusal ends the run. Silence, a status of 500 or more, and what has no word of the server leave
            // open whether the prompt arrived.
            Err(error) if !error.leaves_open() && !is_foreign(&error) => SendingEffect::Over(error),
            Err(error) => {
                self.error = Some(error);
                SendingEffect::Find
            }
        }
    }

    fn find(&self, context: &SendingContext<'_>) -> Request {
        let session = context.session.to_owned();
        if !self.is_compaction || !self.message_id.is_empty() {
            return Request::FindPrompt { session, message: self.message_id.clone() };
        }
        let after = context.last_before_send.cloned();
        Request::FindCompaction { session, message: self.wanted_id.clone(), after }
    }

    /// What the server says to the request for a summary.
    fn on_compaction_sent(
        &mut self,
        result: Result<Response>,
        context: &SendingContext<'_>,
    ) -> SendingEffect {
        self.is_under_way = false;
        match result {
            // Its messages tell the rest.
            _ if self.sent.is_some() => SendingEffect::Nothing,
            Ok(Response::Compaction(message)) => {
                self.message_id = message;
                self.accepted(context.now, false)
            }
            Ok(_) => {
                (self.was_answered, self.looks) = (true, 0);
                SendingEffect::Find
            }
            result => self.on_sent(result, context),
        }
    }

    fn on_found(
        &mut self,
        result: Result<Response>,
        context: &SendingContext<'_>,
    ) -> SendingEffect {
        let error = match result {
            Ok(Response::Prompt(FoundPrompt::Answer)) if self.is_resumed => {
                let text = format!(
                    "resume: message {} is no prompt but an answer; give the messageID of the run",
                    self.message_id
                );
                return SendingEffect::Over(Error::new(ErrorKind::NotFound, text));
            }
            Ok(Response::Compaction(message)) => {
                self.message_id = message;
                return self.accepted(context.now, true);
            }
            Ok(_) => {
                if self.message_id.is_empty() {
                    self.message_id.clone_from(&self.wanted_id);
                }
                return self.accepted(context.now, true);
            }
            Err(error) => error,
        };
        if !is_absent(&error) {
            return match error.is_transient() || is_foreign(&error) {
                true => SendingEffect::Unreachable(error),
                false => SendingEffect::Over(error),
            };
        }
        if self.is_under_way {
            return SendingEffect::RetryAt(context.now + LOOK_PAUSE);
        }
        // Also one that is picked up may have been sent a moment ago.
        self.looks += 1;
        if self.looks < LOOKS {
            return SendingEffect::RetryAt(context.now + LOOK_PAUSE * Millis::from(self.looks));
        }
        if self.is_resumed {
            let session = context.session;
            let text = format!("resume: session {session} has no message {}", self.message_id);
            return SendingEffect::Over(Error::new(ErrorKind::NotFound, text));
        }
        if self.was_answered {
            let text = format!(
                "compact: the server says that session {} is summarized, and has no summary of it; try again",
                context.session
            );
            return SendingEffect::Over(Error::new(ErrorKind::Agent, text));
        }
        match (context.ending, &self.error) {
            (Some(ending), _) => SendingEffect::Over(self.with_late_prompt(ending.clone())),
            (None, Some(error)) if self.tries >= tries_of(error) => {
                SendingEffect::Over(match self.tries {
                    0 | 1 => error.clone(),
                    tries => {
                        error.clone().and(&format!("it was sent {tries} times, and never arrived"))
                    }
                })
            }
            _ => SendingEffect::SendAgain,
        }
    }

    fn accepted(&mut self, now: Millis, is_seen: bool) -> SendingEffect {
        self.sent = Some(now);
        SendingEffect::Accepted { is_seen }
    }
}

/// How often a prompt is sent that fails so and is not there.
fn tries_of(error: &Error) -> u32 {
    if error.is_transient() {
        SEND_TRIES
    } else if is_foreign(error) {
        REFUSED_TRIES
    } else {
        1
    }
}
