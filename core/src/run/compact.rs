//! [`CompactOptions`]: with what a session is summarized, and within which bounds.

use super::prompt::{Prompt, RunLimits, WhenBusy};
use crate::base::error::Result;
use crate::base::fields::Fields;
use crate::base::option_names;
use crate::http::traceparent;
use crate::protocol::model_name::Model;

/// How a session is summarized.
#[derive(Debug, Clone, Default)]
pub struct CompactOptions {
    /// The model; that of the session's last prompt when absent. On 2.x the session keeps it.
    pub model: Option<Model>,
    /// Bounds that end the run. There is one answer, so that `max_steps` bounds nothing.
    pub limits: RunLimits,
    /// What to do when somebody else's prompt runs in the session.
    pub when_busy: WhenBusy,
    /// The span of the host's own tracing that the run belongs to, in the form of W3C: its requests carry it as the
    /// header `traceparent`.
    pub traceparent: Option<String>,
}

impl CompactOptions {
    /// Reads the JSON object of a binding: the names are those of the fields, with times in milliseconds (`deadline_ms`).
    ///
    /// # Errors
    /// `invalid_argument` that names the wrong field and its nearest correct spelling.
    pub fn from_json(json: &str) -> Result<Self> {
        let mut fields = Fields::new("compact", json, &option_names::COMPACT)?;
        Ok(CompactOptions {
            model: fields.value("model")?.as_ref().map(Model::from_value).transpose()?,
            when_busy: WhenBusy::take("compact", &mut fields)?,
            traceparent: fields.text(traceparent::NAME)?,
            limits: RunLimits::take(&mut fields)?,
        })
    }

    /// A prompt without words, which has the rest of it.
    pub(crate) fn into_prompt(self, session: &str) -> Prompt {
        let CompactOptions { model, limits, when_busy, traceparent } = self;
        let session = Some(session.to_owned());
        Prompt { session, model, limits, when_busy, traceparent, ..Prompt::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn options_are_read_and_mistakes_are_named() {
        let text = r#"{"model":"p/m","deadline_ms":5,"when_busy":"refuse","max_cost":0.5}"#;
        let options = CompactOptions::from_json(text).unwrap();
        assert_eq!(options.model.unwrap().model_id, "m");
        assert_eq!(options.limits.deadline, Some(Duration::from_millis(5)));
        assert_eq!((options.when_busy, options.limits.max_cost), (WhenBusy::Refuse, Some(0.5)));
        for (text, part) in [
            (r#"{"modle":"p/m"}"#, "did you mean 'model'"),
            (r#"{"model":"m"}"#, "provider/model"),
            (r#"{"when_busy":"now"}"#, "write queue, refuse or send"),
            (r#"{"prompt":"x"}"#, "compact"),
            (r#"{"max_steps":1}"#, "unknown option 'max_steps'"),
        ] {
            let error = CompactOptions::from_json(text).unwrap_err();
            assert!(error.message().contains(part), "{error}");
        }
    }
}
