//! Sending the prompt once, whatever happens to the answer.

use super::*;
use crate::base::json::{Json, Object, with_field};
use serde::Serialize;
use serde_json::json;

/// Looks for the message before it is sent again: the server stores it a moment after it took the request.
const VERIFY_TRIES: u32 = 4;
const VERIFY_PAUSE: Millis = 150;
const SEND_TRIES: u32 = 8;

/// A prompt as the server takes it.
#[derive(Serialize)]
struct Arguments<'a> {
    #[serde(rename = "sessionID")]
    session: Option<&'a str>,
    #[serde(rename = "messageID")]
    message: &'a str,
    parts: &'a [Json],
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'a Json>,
}

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
        let prompt = &self.setup.prompt;
        // Part ids are kept: a part that is sent twice takes its own place instead of being appended.
        for part in &mut self.parts {
            if Object::read(part.raw()).is_some_and(|part| part.get("id").is_none()) {
                let id = Value::from(crate::protocol::id::new("prt")).to_string();
                *part = Json::from(&*with_field(part.raw(), "id", &id));
            }
        }
        let format = prompt.output_format();
        let arguments = Arguments {
            session: self.session.as_deref(),
            message: &self.message_id,
            parts: &self.parts,
            agent: prompt.agent.as_deref(),
            model: prompt.model.as_ref().map(|model| model.to_value()),
            system: prompt.system.as_deref(),
            tools: prompt.tools.as_ref(),
            variant: prompt.variant.as_deref(),
            format: format.as_ref().map(|(format, _)| format),
        };
        match serde_json::to_string(&arguments) {
            Ok(arguments) => self.ask_written(RequestKind::Send, "session.prompt_async", arguments),
            Err(e) => self.over(Some(Error::invalid(format!("run: the prompt is no JSON: {e}")))),
        }
    }

    pub(super) fn on_sent(&mut self, result: Result<Answer>) {
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
        let arguments = json!({ "sessionID": self.session, "messageID": self.message_id });
        self.ask(RequestKind::Verify, "session.message", arguments);
    }

    pub(super) fn on_verified(&mut self, result: Result<Answer>) {
        let error = match result {
            Ok(answer) if self.setup.resume.is_some() && is_answer(&answer) => {
                let text = format!(
                    "resume: message {} is no prompt but an answer; give the messageID of the run",
                    self.message_id
                );
                return self.over(Some(Error::new(ErrorKind::NotFound, text)));
            }
            Ok(_) => return self.found(),
            // The server cannot write down a message with a format: it is there all the same.
            Err(error) if error.status() == Some(400) => return self.found(),
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

/// Whether a message is the model's.
fn is_answer(answer: &Answer) -> bool {
    let message = answer.json::<Json>();
    message.is_ok_and(|message| message.text_at("/info/role").as_deref() == Some("assistant"))
}
