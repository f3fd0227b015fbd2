//! Why a run failed: in the server's own words, where it has any.

use super::{DirectoryState, Ending, EndingContext};
use crate::base::error::{Error, ErrorKind, is_locked};
use crate::run::wire::{Failure, Info};

impl Ending {
    /// The error that the server wrote into the message.
    pub(super) fn own_error(&self, info: &Info, context: &EndingContext<'_>) -> Option<Error> {
        if info.error.is_none() && info.finish.is_none() {
            // What an abort leaves behind while the provider is being retried.
            let text = "run: the server ended the prompt without an answer; send it again";
            return Some(Error::new(ErrorKind::Interrupted, text).with_retryable(true));
        }
        let Failure { code, words, is_abort, is_retryable, body } = info.error.as_ref()?;
        if *is_abort {
            return Some(self.aborted_by_others(code, context).with_body(body.get().as_bytes()));
        }
        Some(
            Error::new(ErrorKind::Agent, format!("run: {code}: {words}"))
                .with_code(Some(code.clone()))
                .with_body(body.get().as_bytes())
                .with_retryable(*is_retryable || is_locked(words))
                .with_sent(true),
        )
    }

    /// An error of the run in the server's words.
    pub(super) fn told(&self, failure: &Failure, context: &EndingContext<'_>) -> Error {
        let Failure { code, words, .. } = failure;
        if failure.is_abort {
            return self.aborted_by_others(code, context);
        }
        let gone = context.directory.filter(|directory| {
            words.contains(directory.as_str())
                && ["NotFound", "ENOENT", "no such file"].iter().any(|name| words.contains(name))
        });
        let error = match gone {
            Some(directory) => Error::new(
                ErrorKind::NotFound,
                format!("run: {code}: {words}; the session's directory {directory} is gone"),
            ),
            None => Error::new(ErrorKind::Agent, format!("run: {code}: {words}")),
        };
        error.with_code(Some(code.clone())).with_retryable(is_locked(words)).with_sent(true)
    }

    /// The prompt was aborted, and not by this run.
    fn aborted_by_others(&self, code: &str, context: &EndingContext<'_>) -> Error {
        let error = if self.is_disposed {
            Error::new(ErrorKind::Interrupted, disposed(context)).with_retryable(true)
        } else {
            Error::new(ErrorKind::Cancelled, "run: the prompt was aborted on the server")
        };
        error.with_code(Some(code.to_owned())).with_sent(true)
    }

    /// The server stopped without a word.
    pub(super) fn stopped(&self, info: Option<&Info>, context: &EndingContext<'_>) -> Error {
        if self.place == DirectoryState::Gone {
            let directory = context.directory.map_or("", String::as_str);
            let text = format!(
                "run: the server stopped working on the prompt before it was answered: it cannot read the session's directory {directory}; it was moved or deleted"
            );
            return Error::new(ErrorKind::NotFound, text).with_sent(true);
        }
        let text = if self.is_disposed {
            disposed(context)
        } else if info.is_some_and(|info| info.is_completed() && info.finish.is_none()) {
            "run: the server ended the prompt without an answer; send it again".to_owned()
        } else {
            "run: the server stopped working on the prompt before it was answered: it was killed, restarted or disposed; send it again".to_owned()
        };
        Error::new(ErrorKind::Interrupted, text).with_retryable(true).with_sent(true)
    }
}

fn disposed(context: &EndingContext<'_>) -> String {
    let directory = context.directory.map_or("", String::as_str);
    format!(
        "run: the server ended everything in {directory} before the prompt was answered: its configuration was changed, or somebody disposed the instance; send it again"
    )
}
