//! What it means when the run's session rests.

use super::{
    ABORT_PAUSE, DirectoryState, Ending, EndingContext, EndingEffect, InstanceState, Millis,
    RequestKind,
};
use crate::base::error::{Error, ErrorKind};
use crate::run::wire::{Info, Request, ToolFailure};

// How long a session rests is counted by [`RestClock`](super::rest_clock), of which each look is a step: no clock alone ends a run.

/// A session that is idle without an answer stays so for this long until its end is believed.
const DEAD_AFTER: Millis = 2_000;
/// A prompt of which nothing came for this long is looked into: are agent and model known?
const SILENT_AFTER: Millis = 2_000;
/// How long a session is idle after an outage until it is believed that the prompt before it is forgotten.
const FORGOTTEN_AFTER: Millis = 3_000;
/// After an abort, a run without any answer is over when nothing began for this long.
const ABORT_GRACE: Millis = 1_500;
/// How long a session stays idle after an abort until that is believed.
const STAYS_IDLE: Millis = 300;
/// An error that came before the prompt was seen to be stored is this prompt's when nothing began for this long.
const STALE_PAUSE: Millis = 1_000;
const STORED_STALE_PAUSE: Millis = 5_000;
/// The message itself may still be written, with the same error and more: its own is taken first.
const CAUSE_PAUSE: Millis = 500;
/// The pause between looks at a session that seems to have stopped.
const LOOK_PAUSE: Millis = 200;

/// Whether the server was away since it took the prompt. One that was killed a moment after that has forgotten the
/// prompt, or keeps it and does not begin it by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::run::machine) enum Outage {
    None,
    Seen,
    /// The prompt was looked for after it, and is there.
    Survived,
}

/// A session that rests, and what is known of the run.
pub(in crate::run::machine) struct Rest<'a> {
    /// When the server had the prompt.
    pub sent: Millis,
    /// How long the server may show no sign of it.
    pub start_timeout: Millis,
    /// Whether its message was seen.
    pub is_stored: bool,
    /// The server was seen to work since the prompt was sent.
    pub was_busy: bool,
    pub outage: Outage,
    /// Only a status that can be read says that the session does not work.
    pub is_status_unreadable: bool,
    pub is_stream_up: bool,
    /// Agent and model are known, or need not be.
    pub knows_names: bool,
    /// Something in the session was rejected by this run.
    pub has_rejected: bool,
    /// The newest prompt of somebody else that was answered.
    pub answered_foreign: Option<&'a str>,
    /// When each of those came.
    pub foreign_times: &'a [f64],
}

impl Ending {
    /// The session rests, and its messages are known back to the run's own prompt.
    pub(super) fn judge(
        &mut self,
        rest: &Rest<'_>,
        context: &EndingContext<'_>,
        out: &mut Vec<EndingEffect>,
    ) {
        let newest = context.messages.iter().rev().map(|m| &m.info).find(|i| i.is_assistant());
        if self.cancel.is_some() {
            return self.judge_cancelled(newest, context, out);
        }
        match newest {
            Some(info) if info.is_completed() && is_overtaken(info, rest) => {
                self.conclude(Some(superseded(rest)), context, out);
            }
            Some(info) if info.is_completed() && is_end(info, rest, context) => {
                self.judge_end(info, rest, context, out);
            }
            // It may be at work: only a status that can be read says that it is not.
            Some(_) if rest.is_status_unreadable => out.push(EndingEffect::EndLook),
            Some(info) => self.judge_stopped(info, rest, context, out),
            None => self.judge_unanswered(rest, context, out),
        }
    }

    /// The newest answer is the last one.
    fn judge_end(
        &mut self,
        info: &Info,
        rest: &Rest<'_>,
        context: &EndingContext<'_>,
        out: &mut Vec<EndingEffect>,
    ) {
        let error = self.own_error(info, context);
        if error.as_ref().is_some_and(|e| e.kind() == ErrorKind::Cancelled) {
            // Why it was aborted is told a moment later.
            if rest.is_stream_up && self.rest_clock.rested() < STAYS_IDLE {
                return look_soon(out);
            }
            return self.judge_aborted(info, context, out);
        }
        let error = match is_summary_instead(info, context) {
            true => Some(summarized_instead(error)),
            false => error,
        };
        self.conclude(error, context, out);
    }

    /// The prompt was aborted, and no event says why. A directory that the server began to work in after the answer had
    /// begun was left in between: everything in it was ended, and nobody meant this prompt.
    fn judge_aborted(
        &mut self,
        info: &Info,
        context: &EndingContext<'_>,
        out: &mut Vec<EndingEffect>,
    ) {
        match (self.instance, context.directory) {
            (InstanceState::Unknown, Some(directory)) => {
                self.instance = InstanceState::Asked;
                let request = Request::Instance { directory: directory.clone() };
                out.push(EndingEffect::Ask(RequestKind::Instance, request));
                return look_soon(out);
            }
            (InstanceState::Asked, _) => return look_soon(out),
            (InstanceState::Begun(Some(begun)), _) => {
                let created = info.time.created;
                self.is_disposed |= created > 0.0 && begun > created;
            }
            (InstanceState::Unknown | InstanceState::Begun(None), _) => {}
        }
        let error = self.own_error(info, context);
        self.conclude(error, context, out);
    }

    fn judge_unanswered(
        &mut self,
        rest: &Rest<'_>,
        context: &EndingContext<'_>,
        out: &mut Vec<EndingEffect>,
    ) {
        let now = context.now;
        if rest.answered_foreign.is_some() {
            return self.conclude(Some(superseded(rest)), context, out);
        }
        // Before the prompt was stored it may be what the prompt before failed with; of a prompt that is stored by
        // now that is likely.
        let pause = if rest.is_stored { STORED_STALE_PAUSE } else { STALE_PAUSE };
        if let Some(last) = &self.last_error
            && (last.is_own || self.rest_clock.rested() >= pause)
        {
            let error = self.told(&last.failure, context);
            return self.conclude(Some(error), context, out);
        }
        let rested = self.rest_clock.rested();
        let has_stopped = rest.was_busy && rested >= DEAD_AFTER;
        if (has_stopped || now >= rest.sent + SILENT_AFTER)
            && !std::mem::replace(&mut self.has_checked_names, true)
        {
            out.push(EndingEffect::CheckNames);
        }
        // A name that is wrong is a better reason.
        if has_stopped && rest.knows_names {
            return self.judge_dead(None, context, out);
        }
        let is_forgotten = rest.outage != Outage::None && rested >= FORGOTTEN_AFTER;
        if is_forgotten && rest.knows_names {
            return match rest.outage {
                Outage::Survived => self.judge_dead(None, context, out),
                _ => out.extend([EndingEffect::EndLook, EndingEffect::FindPrompt]),
            };
        }
        if now >= rest.sent.saturating_add(rest.start_timeout) {
            let text = format!(
                "run: the server took the prompt and then did nothing for {} ms; probably agent or model are wrong, or a plugin hangs",
                now - rest.sent
            );
            let error = Error::new(ErrorKind::NeverStarted, text).with_retryable(true);
            return self.conclude(Some(error), context, out);
        }
        // What waits for looks to be counted gets them.
        if rest.was_busy || rest.outage != Outage::None || self.last_error.is_some() {
            return look_soon(out);
        }
        out.push(EndingEffect::EndLook);
    }

    /// The session is idle, and its newest answer is no end.
    fn judge_stopped(
        &mut self,
        info: &Info,
        rest: &Rest<'_>,
        context: &EndingContext<'_>,
        out: &mut Vec<EndingEffect>,
    ) {
        let is_dead = self.rest_clock.rested() >= DEAD_AFTER;
        if let Some(error) = self.cause(is_dead, rest, context) {
            return self.conclude(Some(error), context, out);
        }
        if is_dead {
            return self.judge_dead(Some(info), context, out);
        }
        look_soon(out);
    }

    /// The session was busy with the prompt, and is idle for so long that nothing comes any more. `info` is the
    /// newest answer; there is none when the server ended before it had begun one.
    fn judge_dead(
        &mut self,
        info: Option<&Info>,
        context: &EndingContext<'_>,
        out: &mut Vec<EndingEffect>,
    ) {
        if !self.is_disposed && self.place == DirectoryState::Unknown {
            self.ask_place(context, out);
        }
        if self.place == DirectoryState::Asked {
            return look_soon(out);
        }
        let error = self.stopped(info, context);
        self.conclude(Some(error), context, out);
    }

    /// Without the event that says so, a directory that is gone looks like a server that was killed.
    fn ask_place(&mut self, context: &EndingContext<'_>, out: &mut Vec<EndingEffect>) {
        let Some(directory) = context.directory else {
            self.place = DirectoryState::There;
            return;
        };
        let request = Request::Place { directory: directory.clone() };
        self.place = DirectoryState::Asked;
        out.push(EndingEffect::Ask(RequestKind::Place, request));
    }

    /// What the server said of the end, which it may do after it.
    fn cause(&self, is_dead: bool, rest: &Rest<'_>, context: &EndingContext<'_>) -> Option<Error> {
        let last = self.last_error.as_ref().filter(|last| last.is_own)?;
        let is_due = is_dead || (!last.failure.is_abort && self.rest_clock.rested() >= CAUSE_PAUSE);
        let may_be_it = last.may_end(self.rest_clock.since(context.now), rest.outage);
        (is_due && may_be_it).then(|| self.told(&last.failure, context))
    }

    /// The session is busy while the run is watched without events, or is being ended.
    pub(super) fn judge_busy(
        &mut self,
        for_others: bool,
        context: &EndingContext<'_>,
        out: &mut Vec<EndingEffect>,
    ) {
        if let Some(cancel) = &self.cancel {
            if for_others {
                // Whoever works in the session now, it is not this run: an abort would hit the wrong one.
                let error = cancel.error.clone();
                return self.conclude(Some(error), context, out);
            }
            let is_due = cancel.aborted.is_none_or(|at| context.now >= at + ABORT_PAUSE);
            if is_due && !cancel.is_aborting {
                self.abort(context.session, context.message_id, out);
            }
        }
        out.push(EndingEffect::EndLook);
    }

    fn judge_cancelled(
        &mut self,
        newest: Option<&Info>,
        context: &EndingContext<'_>,
        out: &mut Vec<EndingEffect>,
    ) {
        let Some(cancel) = &self.cancel else { return };
        let (aborted, is_aborting) = (cancel.aborted, cancel.is_aborting);
        let may_be_aborted = cancel.may_be_aborted;
        let error = cancel.error.clone();
        match (newest, aborted) {
            (Some(info), _) if info.is_completed() && !info.is_between_steps() => {
                // It may have been over before the abort: then it is simply done.
                let was_aborted = aborted.is_some() || is_aborting || may_be_aborted;
                // The server may show a session idle for a moment before its next step learns of the abort.
                let is_over = !was_aborted
                    || self.rests_for(STAYS_IDLE, context) && !self.has_leftovers(context, out);
                if !is_over {
                    return out.push(EndingEffect::EndLook);
                }
                let is_whole = info.finish.is_some() && info.error.is_none();
                let error = match was_aborted && !is_whole {
                    true => Some(error),
                    false => self.own_error(info, context),
                };
                self.conclude(error, context, out);
            }
            (newest, Some(_)) => {
                // An abort between two steps may come too early for the next one: the session has to stay idle.
                let grace = if newest.is_some() { DEAD_AFTER } else { ABORT_GRACE };
                if self.rests_for(grace, context) && !self.has_leftovers(context, out) {
                    self.conclude(Some(error), context, out);
                } else {
                    out.push(EndingEffect::EndLook);
                }
            }
            (_, None) => {
                if !is_aborting {
                    self.abort(context.session, context.message_id, out);
                }
                out.push(EndingEffect::EndLook);
            }
        }
    }

    /// Whether the session of a run that is being ended rests for so long. While it does not, the looks that show it at rest
    /// give the ones that are still to come their time.
    fn rests_for(&mut self, pause: Millis, context: &EndingContext<'_>) -> bool {
        let is_long = self.rest_clock.rested() >= pause;
        if let Some(cancel) = self.cancel.as_mut().filter(|_| !is_long) {
            cancel.rests(context);
        }
        is_long
    }
}

fn look_soon(out: &mut Vec<EndingEffect>) {
    out.extend([EndingEffect::EndLook, EndingEffect::LookWithin(LOOK_PAUSE)]);
}

/// Whether a prompt of somebody else came before this answer and took the next one.
fn is_overtaken(info: &Info, rest: &Rest<'_>) -> bool {
    let completed = info.time.completed.unwrap_or(0.0);
    info.is_between_steps() && rest.foreign_times.iter().any(|came| *came < completed)
}

fn superseded(rest: &Rest<'_>) -> Error {
    let other = rest.answered_foreign.unwrap_or_default();
    let text = format!(
        "run: another prompt ({other}) was sent to the session before this one was answered, and the server answers both in one; its answer is that message's"
    );
    Error::new(ErrorKind::Superseded, text)
}

/// Whether this answer to the run's prompt is none: a request for a summary of the session came with it, and the server had
/// that done in its place.
fn is_summary_instead(info: &Info, context: &EndingContext<'_>) -> bool {
    let own = context.messages.iter().find(|message| message.info.id == context.message_id);
    info.is_summary
        && info.parent_id.as_deref() == Some(context.message_id)
        && own.is_some_and(|own| !own.info.is_summary)
}

fn summarized_instead(error: Option<Error>) -> Error {
    let words = "the server had a summary of the session written in the place of this prompt's answer, as somebody had asked for one that was not finished";
    match error {
        Some(error) => error.and(words),
        None => Error::new(ErrorKind::Superseded, format!("run: {words}; send the prompt again"))
            .with_retryable(true)
            .with_sent(true),
    }
}

/// Whether the server would have done nothing more after this answer.
fn is_end(info: &Info, rest: &Rest<'_>, context: &EndingContext<'_>) -> bool {
    if info.error.is_some() || info.structured.is_some() {
        true
    } else if info.calls_tools() {
        // The next step follows, unless a person refused the tool.
        was_refused(&info.id, rest, context)
    } else {
        // Without a reason it is what an abort leaves behind while the provider is being retried.
        info.finish.is_some()
    }
}

/// Whether somebody refused what a tool of this answer asked for: that ends the agent's turn.
fn was_refused(message: &str, rest: &Rest<'_>, context: &EndingContext<'_>) -> bool {
    let parts = context.messages.iter().filter(|m| m.info.id == message).flat_map(|m| &m.parts);
    parts.filter_map(|part| part.tool()?.failure).any(|failure| match failure {
        ToolFailure::Refused => true,
        ToolFailure::RefusedWithWords => false,
        ToolFailure::Aborted | ToolFailure::Other => rest.has_rejected,
    })
}
