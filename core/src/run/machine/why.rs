//! Why a run is not moving, in one line.

use super::*;

impl Machine {
    /// Says in one line why the run is not moving, when that changed.
    pub(super) fn explain(&mut self) {
        let why = self.reason();
        if why != self.why {
            self.why.clone_from(&why);
            self.update(Update::Status { why });
        }
    }

    fn reason(&self) -> String {
        if let Some(error) = self.reach.failure() {
            let how = if error.status().is_some() { "cannot say" } else { "does not answer" };
            return format!("the server {how}: {error}");
        }
        if let Some(ending) = &self.ending {
            return format!("ending the run: {}{}", ending.error, ending.leftovers.reason());
        }
        match self.phase {
            Phase::Opening => self.creation_reason(),
            // Nobody else is in a session that was just made.
            Phase::Queued if self.is_new_session => "preparing to send".to_owned(),
            Phase::Queued => {
                "waiting for its turn: another prompt of this client runs in the session".to_owned()
            }
            Phase::Preparing if self.status.as_ref().is_some_and(|s| *s != Status::Idle) => {
                "waiting for its turn: the session is busy with somebody else's prompt".to_owned()
            }
            Phase::Preparing => "preparing to send".to_owned(),
            Phase::Sending => "sending the prompt".to_owned(),
            Phase::Verifying => "looking whether the prompt arrived".to_owned(),
            Phase::Collecting => "gathering the reply".to_owned(),
            Phase::Over => String::new(),
            Phase::Running => self.running_reason(),
        }
    }

    fn running_reason(&self) -> String {
        if let Some(open) = self.requests.values().find(|open| open.waits_for_host) {
            let Inquiry { id, permission, patterns, is_question, .. } = &*open.inquiry;
            return if *is_question {
                format!("waiting for an answer to question {id}")
            } else {
                format!("waiting for permission {id}: {permission} {}", patterns.join(", "))
            };
        }
        let how =
            if self.is_stream_up || !self.setup.events { "" } else { "; the event stream is lost" };
        let how = match &self.unlisted {
            Some(error) => format!("{how}; only events tell of permissions and questions: {error}"),
            None => how.to_owned(),
        };
        match (&self.status, &self.busy_tool) {
            (Some(Status::Retry { attempt, message, .. }), _) => {
                format!("the provider failed (retry {attempt}): {message}{how}")
            }
            (_, Some(tool)) => format!("the tool {tool} is running{how}"),
            (Some(Status::Idle) | None, None) if self.assistants.is_empty() => {
                format!("sent; the server has not begun yet{how}")
            }
            _ => format!("the model is working{how}"),
        }
    }
}
