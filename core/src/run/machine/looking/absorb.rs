//! What messages say, whether events brought them or a look.

use super::{FIRST_PAUSE, Looking, LookingContext, LookingEffect};
use crate::run::transcript::Channel;
use crate::run::update::Update;
use crate::run::wire::{Info, PartContent, Status, StoredMessage, StoredPart, ToolUse, raw_info};
use serde_json::value::RawValue;
use std::sync::Arc;

impl Looking {
    /// An answer began or ended, as an event says.
    pub(super) fn on_answer(
        &mut self,
        info: Info,
        raw: Arc<RawValue>,
        context: &LookingContext<'_>,
        out: &mut Vec<LookingEffect>,
    ) {
        let parent = info.parent_id.as_deref().unwrap_or_default();
        if !self.own_prompts.contains(parent) {
            // Somebody else's, or the run goes on behind a message that the server put in.
            if context.is_running
                && !self.foreign_prompts.contains_key(parent)
                && self.looked_up.insert(info.parent_id.as_ref().unwrap_or(&info.id).clone())
            {
                self.want_messages(context, out);
            }
            return;
        }
        if self.is_outdated(&info) {
            return;
        }
        let is_end = info.is_completed() && !info.calls_tools();
        out.push(LookingEffect::Tell(Update::Message(raw)));
        self.upsert(info, context, out);
        if is_end && context.is_running {
            // The session is idle 20 to 60 ms from now, and its event will say so; this is the safety net.
            self.look_within(250, context);
        }
    }

    /// Takes a part in. `is_final`: nothing will change it any more. `is_live`: it came with the events.
    pub(super) fn absorb_part(
        &mut self,
        part: StoredPart,
        is_final: bool,
        is_live: bool,
        context: &LookingContext<'_>,
        out: &mut Vec<LookingEffect>,
    ) {
        let StoredPart { id, message_id, content, is_inserted, raw } = part;
        let (channel, text, is_ended) = match content {
            PartContent::Tool(tool) => {
                let is_over = !tool.is_busy;
                if !is_over && self.told_tools.get(&id).is_some_and(|told| told.is_over) {
                    // A look was faster than this event.
                    return;
                }
                self.absorb_tool(*tool, is_live, context, out);
                return self.tell_tool(id, is_over, raw, out);
            }
            PartContent::Text { text, is_ended } if !is_inserted => (Channel::Text, text, is_ended),
            PartContent::Reasoning { text, is_ended } => (Channel::Reasoning, text, is_ended),
            _ => return,
        };
        // A text that cannot be read says nothing about the one that was told.
        let Some(text) = text else { return };
        let is_ended = is_ended || is_final;
        // While deltas come, what the server has stored of a growing part lags behind them.
        if is_live || is_ended || !context.is_stream_up {
            let mut pieces = Vec::new();
            self.transcript.whole(channel, &message_id, &id, &text, is_ended, &mut pieces);
            self.show(pieces, context.now, out);
        }
    }

    fn absorb_tool(
        &mut self,
        tool: ToolUse,
        is_live: bool,
        context: &LookingContext<'_>,
        out: &mut Vec<LookingEffect>,
    ) {
        if let Some(child) = &tool.child {
            self.add_child(child, context, out);
        }
        if tool.is_busy {
            self.busy_tool = Some(tool.name);
        } else if self.busy_tool.as_ref() == Some(&tool.name) {
            self.busy_tool = None;
        }
        // Its event may have been lost, or there are none.
        if let Some(todos) = tool.todos.filter(|_| !is_live) {
            self.tell_todos(todos, out);
        }
    }

    /// Whether a message was seen complete before this form of it was written: a look can be faster than the events.
    fn is_outdated(&self, info: &Info) -> bool {
        let known = self.answers.iter().find(|known| known.id == info.id);
        known.is_some_and(Info::is_completed) && !info.is_completed()
    }

    fn upsert(&mut self, info: Info, context: &LookingContext<'_>, out: &mut Vec<LookingEffect>) {
        if let Some(retry) = info.retry.clone().filter(|_| context.is_running) {
            self.set_status(retry, out);
        }
        match self.answers.iter_mut().find(|known| known.id == info.id) {
            Some(known) => {
                if info.is_completed() && !known.is_completed() {
                    out.push(LookingEffect::Worked);
                }
                *known = info;
            }
            None => {
                self.interval = FIRST_PAUSE;
                let at = self.answers.partition_point(|k| k.time.created <= info.time.created);
                self.answers.insert(at, info);
                out.extend([LookingEffect::Worked, LookingEffect::Known]);
            }
        }
        self.check_limits(context, out);
    }

    pub(super) fn set_status(&mut self, status: Status, out: &mut Vec<LookingEffect>) {
        if let Status::Retry { attempt, message, next } = &status
            && self.told_retry.as_ref() != Some(&status)
        {
            self.told_retry = Some(status.clone());
            let (attempt, reason, next) = (*attempt, message.clone(), *next);
            out.push(LookingEffect::Tell(Update::Retry { attempt, reason, next }));
            if let Some(max) = self.limits.max_retries.filter(|max| attempt > *max) {
                let text = format!("the provider failed again after {max} retries: {message}");
                out.push(LookingEffect::Limit("max_retries", text));
            }
        }
        if status != Status::Idle {
            out.push(LookingEffect::Worked);
        }
        self.status = Some(status);
    }

    pub(super) fn check_limits(&self, context: &LookingContext<'_>, out: &mut Vec<LookingEffect>) {
        if context.is_cancelled || !context.is_running {
            return;
        }
        let (cost, tokens) = self.usage();
        let steps = self.answers.len();
        let (limit, text) = if let Some(max) = self.limits.max_cost.filter(|max| cost > *max) {
            ("max_cost", format!("the run cost {cost}, more than {max}"))
        } else if let Some(max) = self.limits.max_tokens.filter(|max| tokens.total() > *max) {
            ("max_tokens", format!("the run used {} tokens, more than {max}", tokens.total()))
        } else if let Some(max) = self.limits.max_steps.filter(|max| steps > *max as usize) {
            ("max_steps", format!("the run began step {steps}, more than {max}"))
        } else {
            return;
        };
        out.push(LookingEffect::Limit(limit, text));
    }

    /// Takes messages in. `is_whole`: they reach back to the run's own prompt, and the session is idle. `is_cut`: the
    /// prompt itself stands before them and cannot be read.
    pub(super) fn absorb(
        &mut self,
        messages: Vec<StoredMessage>,
        is_whole: bool,
        is_cut: bool,
        context: &LookingContext<'_>,
        out: &mut Vec<LookingEffect>,
    ) {
        let mut is_after = is_cut;
        let mut mine = Vec::new();
        if is_whole {
            self.answered_foreign.clear();
        }
        let was_seen = self.is_stored || !self.answers.is_empty();
        // Whether an answer of this run is complete, and the newest there is.
        let mut is_complete = false;
        // Whose answer one is that does not say so.
        let mut newest_prompt = is_cut.then(|| context.message_id.to_owned());
        self.works_for_others = false;
        for message in messages {
            let info = &message.info;
            let is_own = info.id == context.message_id;
            if info.is_summary_of_itself() && !is_own {
                // Whoever asked for it, it answers no prompt.
                continue;
            }
            if !info.is_assistant() {
                newest_prompt = Some(info.id.clone());
            }
            if is_own {
                (self.is_stored, is_after) = (true, true);
                if !info.is_assistant() {
                    mine.push(message);
                    continue;
                }
            }
            if !info.is_assistant() {
                is_after |= self.own_prompts.contains(&info.id);
                if is_after && message.is_inserted() {
                    self.own_prompts.insert(info.id.clone());
                    mine.push(message);
                } else if is_after && info.role == "user" {
                    self.foreign_prompts.insert(info.id.clone(), info.time.created);
                    // What comes next is an answer to this one, whoever was answered so far.
                    self.works_for_others |= is_complete;
                } else if is_after && info.is_mark() {
                    self.was_busy = true;
                    if !mine.iter().any(|message| message.info.is_assistant())
                        && let Some(failure) = info.error.clone()
                    {
                        out.push(LookingEffect::RestedWith(failure));
                    }
                    // What comes later is no answer to this run.
                    is_after = false;
                }
                continue;
            }
            if info.parent_id.is_none() && newest_prompt.is_none() && self.is_answer(&info.id) {
                // The page begins behind the prompt.
                newest_prompt = Some(context.message_id.to_owned());
            }
            let parent = info.parent_id.as_ref().or(newest_prompt.as_ref());
            let parent = parent.cloned().unwrap_or_default();
            let is_mine = self.own_prompts.contains(&parent);
            self.works_for_others = !is_mine && (was_seen || is_after);
            is_complete = is_mine && info.is_completed();
            if is_mine {
                is_after = true;
                self.absorb_answer(&message, is_whole, context, out);
                mine.push(message);
            } else if is_whole && self.foreign_prompts.contains_key(&parent) {
                self.answered_foreign.push(parent);
            }
        }
        if is_whole {
            let parts = mine.iter().flat_map(|message| &message.parts);
            let order: Vec<&str> = parts.map(|part| part.id.as_str()).collect();
            let mut pieces = Vec::new();
            self.transcript.arrange(&order, &mut pieces);
            self.messages = mine;
            self.show(pieces, context.now, out);
        }
    }

    fn absorb_answer(
        &mut self,
        message: &StoredMessage,
        is_final: bool,
        context: &LookingContext<'_>,
        out: &mut Vec<LookingEffect>,
    ) {
        let known = self.answers.iter().find(|known| known.id == message.info.id);
        let is_news = known.is_none_or(|k| k.is_completed() != message.info.is_completed());
        if !self.is_outdated(&message.info) {
            self.upsert(message.info.clone(), context, out);
            if let Some(info) = is_news.then(|| raw_info(message)).flatten() {
                out.push(LookingEffect::Tell(Update::Message(info)));
            }
        }
        for part in message.parts.clone() {
            self.absorb_part(part, is_final, false, context, out);
        }
    }
}
