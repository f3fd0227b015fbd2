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
        if let Some(reason) = self.ending.reason() {
            return reason;
        }
        match self.phase {
            Phase::Opening => self.opening.reason(self.now),
            Phase::Sending => "sending the prompt".to_owned(),
            Phase::Verifying => "looking whether the prompt arrived".to_owned(),
            Phase::Collecting => "gathering the reply".to_owned(),
            Phase::Over => String::new(),
            Phase::Running => self.running_reason(),
        }
    }

    fn running_reason(&self) -> String {
        if let Some(reason) = self.inquiries.reason() {
            return reason;
        }
        let how =
            if self.is_stream_up || !self.wants_events { "" } else { "; the event stream is lost" };
        let how = match self.inquiries.unlisted() {
            Some(error) => format!("{how}; only events tell of permissions and questions: {error}"),
            None => how.to_owned(),
        };
        match (self.looking.status(), self.looking.busy_tool()) {
            (Some(Status::Retry { attempt, message, .. }), _) => {
                format!("the provider failed (retry {attempt}): {message}{how}")
            }
            (_, Some(tool)) => format!("the tool {tool} is running{how}"),
            (Some(Status::Idle) | None, None) if self.looking.answers().is_empty() => {
                format!("sent; the server has not begun yet{how}")
            }
            _ => format!("the model is working{how}"),
        }
    }
}
