//! What the reply still needs once the outcome is known: what subagents cost, and which files were changed.

use super::{Ending, EndingContext, EndingEffect, Millis, RequestKind};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::json::Json;
use crate::run::wire::{PartContent, Request, Response, StoredPart};
use serde_json::value::RawValue;
use std::sync::Arc;

/// What the reply still needs is waited for no longer than this; the answer itself is there.
const LIMIT: Millis = 10_000;
/// How often the list of changed files is asked for, or a summary taken back, and the pause between.
const MAX_TRIES: u32 = 10;
const PAUSE: Millis = 250;

/// A reply that is being gathered.
pub(super) struct Gathering {
    /// The outcome.
    error: Option<Error>,
    since: Millis,
    /// Answers that are waited for.
    waiting: usize,
    /// How often that was asked for.
    tries: u32,
    files: Option<Arc<RawValue>>,
}

impl Gathering {
    pub(super) fn end(&self) -> Millis {
        self.since + LIMIT
    }

    pub(super) fn files(&self) -> Option<&Arc<RawValue>> {
        self.files.as_ref()
    }
}

impl Ending {
    /// The outcome is known; what the reply still needs is gathered.
    pub(super) fn conclude(
        &mut self,
        error: Option<Error>,
        context: &EndingContext<'_>,
        out: &mut Vec<EndingEffect>,
    ) {
        out.push(EndingEffect::Gather);
        for child in context.children {
            let kind = RequestKind::Child(child.clone());
            out.push(EndingEffect::Ask(kind, Request::Session { session: child.clone() }));
        }
        let writes = |part: &StoredPart| match &part.content {
            PartContent::Patch => true,
            PartContent::Tool(tool) => tool.writes,
            _ => false,
        };
        // On 1.x the next prompt would begin it again, and would have the summary for its answer. A run of this library takes
        // back what is left of one before it sends its prompt; other clients do not.
        let is_left = error.is_some() && context.is_compaction;
        if is_left {
            withdraw(context, out);
        }
        let has_files = context.messages.iter().any(|m| m.parts.iter().any(writes));
        let waiting = context.children.len() + usize::from(has_files) + usize::from(is_left);
        let (since, files) = (context.now, None);
        self.gathering = Some(Gathering { error, since, waiting, tries: 0, files });
        if has_files {
            self.ask_files(context, out);
        }
        if waiting == 0 {
            self.finish(context, out);
        }
    }

    /// What the server said to the request to take a summary back. One that got lost, or came while the session was
    /// working still, is sent again.
    pub(super) fn withdrawn(
        &mut self,
        result: Result<Response>,
        context: &EndingContext<'_>,
        out: &mut Vec<EndingEffect>,
    ) {
        let is_lost = result.is_err_and(|e| e.is_transient() || e.status() == Some(409));
        match &mut self.gathering {
            Some(gathering) if is_lost && gathering.tries < MAX_TRIES => {
                gathering.tries += 1;
                out.push(EndingEffect::RetryAt(context.now + PAUSE));
            }
            _ => self.gathered(Ok(Response::Done), context, out),
        }
    }

    /// Asks again for what did not come.
    pub(super) fn ask_again(&mut self, context: &EndingContext<'_>, out: &mut Vec<EndingEffect>) {
        match context.is_compaction {
            true => withdraw(context, out),
            false => self.ask_files(context, out),
        }
    }

    /// Asks which files were changed.
    pub(super) fn ask_files(&mut self, context: &EndingContext<'_>, out: &mut Vec<EndingEffect>) {
        let Some(gathering) = &mut self.gathering else { return };
        gathering.tries += 1;
        let (session, message) = (context.session.to_owned(), context.message_id.to_owned());
        out.push(EndingEffect::Ask(RequestKind::Diff, Request::Files { session, message }));
    }

    pub(super) fn gathered(
        &mut self,
        result: Result<Response>,
        context: &EndingContext<'_>,
        out: &mut Vec<EndingEffect>,
    ) {
        let Some(gathering) = &mut self.gathering else { return };
        // What cannot be had is left out: the answer itself is complete.
        if let Ok(Response::Files(Some(raw))) = result {
            // The server counts the changes after it has answered; a patch says that there are some.
            let mut parts = context.messages.iter().flat_map(|m| &m.parts);
            let has_patch = parts.any(|part| matches!(part.content, PartContent::Patch));
            if raw.get() == "[]" && has_patch && gathering.tries < MAX_TRIES {
                out.push(EndingEffect::RetryAt(context.now + PAUSE));
                return;
            }
            out.push(EndingEffect::Files(Arc::clone(&raw)));
            gathering.files = Some(raw);
        }
        gathering.waiting = gathering.waiting.saturating_sub(1);
        if gathering.waiting == 0 {
            self.finish(context, out);
        }
    }

    /// The end, with what there is.
    pub(super) fn finish(&mut self, context: &EndingContext<'_>, out: &mut Vec<EndingEffect>) {
        let Some(gathering) = &mut self.gathering else { return };
        let mut error = gathering.error.take();
        if error.is_none()
            && let Some((_, Some(schema))) = context.prompt.output_format()
        {
            let newest = context.messages.iter().rev().find(|m| m.info.is_assistant());
            let structured = newest.and_then(|m| m.info.structured.as_ref());
            error = check_structured(structured, &schema);
        }
        out.push(EndingEffect::Over(error));
    }
}

fn withdraw(context: &EndingContext<'_>, out: &mut Vec<EndingEffect>) {
    let (session, message) = (context.session.to_owned(), context.message_id.to_owned());
    let request = Request::Withdraw { session, message };
    out.push(EndingEffect::Ask(RequestKind::Withdraw, request));
}

fn check_structured(value: Option<&Json>, schema: &Json) -> Option<Error> {
    let Some(value) = value else {
        return Some(Error::new(
            ErrorKind::Agent,
            "run: the model gave no value for the format; try again, or another model",
        ));
    };
    crate::protocol::schema::mismatch(value, schema).map(|why| {
        let text = format!("run: the model's value does not fit the format: {why}");
        Error::new(ErrorKind::Agent, text).with_code(Some("StructuredOutputError".to_owned()))
    })
}
