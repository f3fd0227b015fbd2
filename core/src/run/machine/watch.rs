//! Watching a run that was sent: events wake it up, the server's state decides.

use super::*;
use crate::base::depth::json_depth;
use crate::run::transcript::{Channel, Piece};
use crate::run::update::TextUpdate;
use crate::run::wire::{Content, Page, Part, Tool, raw_info};
use serde_json::Value;
use serde_json::value::RawValue;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Messages read at once on the way back to the run's own prompt.
const PAGE: usize = 50;
/// Pages read at most in one look at a session that works.
const BUSY_PAGES: u32 = 8;

impl Machine {
    pub(super) fn on_fact(&mut self, session: Option<&str>, fact: Fact) {
        match (session, fact) {
            (None, Fact::Disposed { directory }) => self.on_disposed(directory),
            (None, _) => {}
            (Some(session), fact) if self.is_mine(session) => self.on_own_fact(session, fact),
            (Some(session), fact) if self.is_child(session) => self.on_child_fact(session, fact),
            (Some(session), Fact::SubagentOf { parent }) => self.on_subagent(session, &parent),
            (Some(_), _) => {}
        }
    }

    fn on_own_fact(&mut self, session: &str, fact: Fact) {
        let is_running = self.phase == Phase::Running;
        match fact {
            Fact::TurnEnded => match self.phase {
                Phase::Running => self.check_now(),
                Phase::Preparing if self.retry_at.is_some() => self.retry_at = Some(self.now),
                _ => {}
            },
            // The answer is there; what cannot be gathered any more is left out.
            Fact::SessionDeleted if self.phase == Phase::Collecting => {}
            Fact::SessionDeleted => {
                let text = format!("run: session {session} was deleted while the prompt ran");
                self.over(Some(Error::new(ErrorKind::NotFound, text)));
            }
            Fact::Status(Status::Idle | Status::Unreadable) if is_running => self.check_now(),
            Fact::Status(Status::Idle | Status::Unreadable) => {}
            Fact::Status(status) => {
                if matches!(self.phase, Phase::Sending | Phase::Verifying | Phase::Running) {
                    // Before the prompt is stored it may be an echo of the one before.
                    self.was_busy |= self.user_seen;
                    self.set_status(status);
                }
            }
            Fact::Failed(failure) if self.sent.is_some() || self.phase == Phase::Sending => {
                self.on_trouble(failure);
                if is_running {
                    self.check_now();
                }
            }
            Fact::PromptStored { id } => self.user_seen |= id == self.message_id,
            Fact::AnswerChanged(info, raw) => self.on_answer_fact(*info, raw),
            Fact::PartChanged(part) => {
                if self.assistants.iter().any(|info| info.id == part.message_id) {
                    self.absorb_part(*part, false, true);
                }
            }
            Fact::TextDelta { message_id, part_id, order, delta } => {
                if self.assistants.iter().any(|info| info.id == message_id) {
                    let mut pieces = Vec::new();
                    self.transcript.delta(&part_id, &order, &delta, &mut pieces);
                    self.show(pieces);
                }
            }
            Fact::PartRemoved(part) => {
                let mut pieces = Vec::new();
                self.transcript.remove(&part, &mut pieces);
                self.show(pieces);
            }
            Fact::Todos(raw) if is_running => self.tell_todos(raw),
            Fact::FilesChanged(raw) if is_running => self.tell_diff(&raw),
            fact => self.on_inquiry_fact(fact),
        }
    }

    fn on_answer_fact(&mut self, info: Info, raw: Arc<RawValue>) {
        let is_running = self.phase == Phase::Running;
        let parent = info.parent_id.as_deref().unwrap_or_default();
        if !self.own_prompts.contains(parent) {
            // Somebody else's, or the run goes on behind a message that the server put in.
            if is_running
                && !self.foreign_prompts.contains_key(parent)
                && self.looked_up.insert(parent.to_owned())
            {
                self.want_messages();
            }
            return;
        }
        let is_end = info.is_completed() && !info.calls_tools();
        self.update(Update::Message(raw));
        self.upsert(info);
        if is_end && is_running {
            // The session is idle 20 to 60 ms from now, and its event will say so; this is the safety net.
            self.next_check = self.next_check.min(self.now + 250);
        }
    }

    /// Takes a part in. `is_final`: nothing will change it any more. `is_live`: it came with the events.
    fn absorb_part(&mut self, part: Part, is_final: bool, is_live: bool) {
        let Part { id, message_id, content, is_inserted, raw } = part;
        let (channel, text, is_ended) = match content {
            Content::Tool(tool) => return self.absorb_tool(id, *tool, raw, is_live),
            Content::Text { text, is_ended } if !is_inserted => (Channel::Text, text, is_ended),
            Content::Reasoning { text, is_ended } => (Channel::Reasoning, text, is_ended),
            _ => return,
        };
        // A text that cannot be read says nothing about the one that was told.
        let Some(text) = text else { return };
        let is_ended = is_ended || is_final;
        // While deltas come, what the server has stored of a growing part lags behind them.
        if is_live || is_ended || !self.is_stream_up {
            let mut pieces = Vec::new();
            self.transcript.whole(channel, &message_id, &id, &text, is_ended, &mut pieces);
            self.show(pieces);
        }
    }

    fn absorb_tool(&mut self, id: String, tool: Tool, raw: Box<RawValue>, is_live: bool) {
        if let Some(child) = &tool.child {
            self.add_child(child);
        }
        if tool.is_busy {
            self.busy_tool = Some(tool.name);
        } else if self.busy_tool.as_ref() == Some(&tool.name) {
            self.busy_tool = None;
        }
        // Its event may have been lost, or there are none.
        if let Some(todos) = tool.todos.filter(|_| !is_live) {
            self.tell_todos(todos);
        }
        let form = fingerprint(raw.get());
        if self.tools.insert(id, form) != Some(form) {
            self.update(Update::Tool(Arc::from(raw)));
        }
    }

    fn tell_todos(&mut self, raw: Arc<RawValue>) {
        let todos = canonical(raw.get());
        if self.todos.as_ref() != Some(&todos) {
            self.todos = Some(todos);
            self.update(Update::Todo(raw));
        }
    }

    /// Tells which files were changed, when that is something new.
    pub(super) fn tell_diff(&mut self, raw: &Arc<RawValue>) {
        if raw.get() != "[]" && self.diff.as_ref().is_none_or(|told| told.get() != raw.get()) {
            self.diff = Some(Arc::clone(raw));
            self.update(Update::Diff(Arc::clone(raw)));
        }
    }

    fn show(&mut self, pieces: Vec<Piece>) {
        for piece in pieces {
            self.first_token.get_or_insert(self.now);
            let text = TextUpdate {
                delta: piece.delta,
                replaces: piece.replaces,
                message_id: piece.message_id,
                part_id: piece.part_id,
            };
            self.update(match piece.channel {
                Channel::Text => Update::Text(text),
                Channel::Reasoning => Update::Reasoning(text),
            });
        }
    }

    fn upsert(&mut self, info: Info) {
        match self.assistants.iter_mut().find(|known| known.id == info.id) {
            // A message that was completed stays so: an older form may come late.
            Some(known) if known.is_completed() && !info.is_completed() => {}
            Some(known) => {
                if info.is_completed() && !known.is_completed() {
                    self.idle_since = None;
                }
                *known = info;
            }
            None => {
                (self.interval, self.idle_since) = (100, None);
                let at = self.assistants.partition_point(|k| k.time.created <= info.time.created);
                self.assistants.insert(at, info);
                self.claim();
            }
        }
        self.check_limits();
    }

    fn set_status(&mut self, status: Status) {
        if let Status::Retry { attempt, message, next } = &status
            && self.status.as_ref() != Some(&status)
        {
            self.update(Update::Retry { attempt: *attempt, reason: message.clone(), next: *next });
            if let Some(max) = self.prompt.limits.max_retries
                && *attempt > max
            {
                let text = format!("the provider failed again after {max} retries: {message}");
                self.end_at("max_retries", &text);
            }
        }
        if status != Status::Idle {
            self.idle_since = None;
        }
        self.status = Some(status);
    }

    pub(super) fn check_limits(&mut self) {
        let limits = self.prompt.limits;
        if self.ending.is_some() || self.phase != Phase::Running {
            return;
        }
        let (cost, tokens) = self.usage();
        let steps = self.assistants.len();
        let (limit, text) = if let Some(max) = limits.max_cost.filter(|max| cost > *max) {
            ("max_cost", format!("the run cost {cost}, more than {max}"))
        } else if let Some(max) = limits.max_tokens.filter(|max| tokens.total() > *max) {
            ("max_tokens", format!("the run used {} tokens, more than {max}", tokens.total()))
        } else if let Some(max) = limits.max_steps.filter(|max| steps > *max as usize) {
            ("max_steps", format!("the run began step {steps}, more than {max}"))
        } else {
            return;
        };
        self.end_at(limit, &text);
    }

    /// Looks at the truth now, or again when a look is under way: it may have been taken too early.
    pub(super) fn check_now(&mut self) {
        if self.check.is_some() {
            self.check_again = true;
            return;
        }
        self.retry_at = None;
        self.asked = self.now;
        self.check = Some(Check {
            started: self.now,
            has_begun: self.was_busy || !self.assistants.is_empty(),
            is_idle: None,
            needs_messages: std::mem::take(&mut self.needs_messages),
        });
        let (directory, with_lists) =
            (self.directory.clone(), std::mem::take(&mut self.needs_lists));
        self.out.push(Output::TakeSnapshot { directory, with_lists });
    }

    /// Looks at the messages too, although the events seem to tell all.
    pub(super) fn want_messages(&mut self) {
        self.needs_messages = true;
        // A look that does not know the status yet will read them itself.
        if self.check.is_none_or(|check| check.is_idle.is_some()) {
            self.check_now();
        }
    }

    pub(super) fn on_snapshot(&mut self, snapshot: &DirectorySnapshot) {
        if snapshot.refused.is_some() {
            // Perhaps they can be read the next time.
            self.needs_lists = true;
            self.unlisted.clone_from(&snapshot.refused);
        } else if snapshot.has_permissions && snapshot.has_questions {
            self.unlisted = None;
        }
        match self.phase {
            Phase::Preparing => self.on_first_snapshot(snapshot),
            Phase::Running => {
                self.review(snapshot);
                self.on_new_status(snapshot);
            }
            _ => {}
        }
    }

    fn on_new_status(&mut self, snapshot: &DirectorySnapshot) {
        let Some(session) = &self.session else { return };
        let status = snapshot.status.get(session).cloned().unwrap_or(Status::Idle);
        let Some(check) =
            self.check.filter(|c| c.is_idle.is_none() && snapshot.started >= c.started)
        else {
            return;
        };
        // Whether the look succeeds is known when its messages are read.
        self.reach.hear(self.now);
        if status == Status::Unreadable {
            self.note(vec!["the status of the session".to_owned()]);
        }
        // Where the status says nothing the messages have to tell whether it is over.
        let is_idle = matches!(status, Status::Idle | Status::Unreadable);
        self.was_busy |= !is_idle;
        self.note_busy_children(snapshot);
        self.set_status(status);
        if self.phase != Phase::Running {
            return;
        }
        let needs_messages = check.needs_messages || std::mem::take(&mut self.needs_messages);
        self.check = Some(Check { is_idle: Some(is_idle), needs_messages, ..check });
        // A busy session needs no look at its messages while events tell about them.
        if !is_idle && self.is_stream_up && self.ending.is_none() && !needs_messages {
            self.reachable();
            self.end_check();
            return;
        }
        self.start_collection();
        let limit = if is_idle { (2 + self.assistants.len()).min(PAGE) } else { 3 };
        self.ask_messages(limit, None);
    }

    /// The server cannot write a page down that reaches back to the session's beginning and holds a prompt with
    /// a format. Read one by one, all messages but such a one at the very beginning can be had.
    fn on_unreadable_page(&mut self) -> bool {
        if self.reads_singly {
            return true;
        }
        self.reads_singly = true;
        self.start_collection();
        self.ask_messages(1, None);
        false
    }

    fn start_collection(&mut self) {
        self.collection += 1;
        self.pages = 0;
        self.collected.clear();
    }

    fn ask_messages(&mut self, limit: usize, before: Option<&str>) {
        let limit = if self.reads_singly { 1 } else { limit };
        let (session, before) = (self.session_id(), before.map(str::to_owned));
        let request = Request::Messages { session, limit, before };
        self.ask(RequestKind::Messages(self.collection), request);
    }

    pub(super) fn on_sweep_failed(&mut self, error: &Error) {
        if !matches!(self.phase, Phase::Preparing | Phase::Running) {
            return;
        }
        self.check_failed(error.clone());
    }

    fn check_failed(&mut self, error: Error) {
        self.needs_messages |= self.check.take().is_some_and(|check| check.needs_messages);
        // A wrong password stays wrong; all else may pass.
        match error.kind() {
            ErrorKind::Unauthorized | ErrorKind::Forbidden | ErrorKind::Closed => {
                self.over(Some(error));
            }
            _ => self.unreachable(error),
        }
    }

    pub(super) fn on_messages(&mut self, collection: u32, result: Result<Response>) {
        let Some(check) = self.check.filter(|_| collection == self.collection) else { return };
        let is_idle = check.is_idle == Some(true);
        let page = match result {
            Ok(Response::Messages(page)) => page,
            Ok(_) => return,
            Err(error) if error.kind() == ErrorKind::NotFound && !is_transient(&error) => {
                return self.over(Some(error));
            }
            Err(error) => return self.check_failed(error),
        };
        let (mut messages, next) = match page {
            Ok(Page::Read { messages, next, odd }) => {
                self.note(odd);
                (messages, next)
            }
            Ok(Page::Refused) => {
                if self.on_unreadable_page() {
                    self.user_seen = true;
                    self.collected_all(check, is_idle, true);
                }
                return;
            }
            Err(error) => return self.over(Some(error)),
        };
        self.reachable();
        messages.append(&mut self.collected);
        self.collected = messages;
        self.pages += 1;
        // To the prompt, when it is to be judged; else only to what is known already.
        let is_start = |m: &Message| {
            m.info.id == self.message_id
                || Some(&m.info.id) == self.last_before_send.as_ref()
                || (!is_idle && self.is_known(&m.info.id))
        };
        let has_start = self.collected.iter().any(is_start);
        if (is_idle || self.pages < BUSY_PAGES)
            && let (false, Some(next)) = (has_start, next)
        {
            return self.ask_messages(PAGE, Some(&next));
        }
        self.collected_all(check, is_idle, false);
    }

    /// What was collected is judged. `is_cut`: the prompt itself stands before it and cannot be read.
    fn collected_all(&mut self, check: Check, is_idle: bool, is_cut: bool) {
        let collected = std::mem::take(&mut self.collected);
        self.absorb(collected, is_idle, is_cut);
        if self.phase != Phase::Running {
            return;
        }
        let has_answers = self.messages.iter().any(|message| message.info.is_assistant());
        if !is_idle {
            self.judge_busy();
        } else if has_answers && !check.has_begun {
            // It began between the two looks: the status was taken too early to say that it ended.
            self.check_again = true;
            self.end_check();
        } else {
            self.judge();
        }
    }

    fn is_known(&self, message: &str) -> bool {
        self.own_prompts.contains(message) || self.assistants.iter().any(|info| info.id == message)
    }

    /// Takes messages in. `is_whole`: they reach back to the run's own prompt, and the session is idle.
    fn absorb(&mut self, messages: Vec<Message>, is_whole: bool, is_cut: bool) {
        let mut is_after = is_cut;
        let mut mine = Vec::new();
        if is_whole {
            self.answered_strangers.clear();
        }
        let was_seen = self.user_seen || !self.assistants.is_empty();
        // Whether an answer of this run is complete, and the newest there is.
        let mut is_complete = false;
        // Whose answer one is that does not say so.
        let mut newest_prompt = is_cut.then(|| self.message_id.clone());
        self.stranger_works = false;
        for message in messages {
            let info = &message.info;
            if !info.is_assistant() {
                newest_prompt = Some(info.id.clone());
            }
            if info.id == self.message_id {
                (self.user_seen, is_after) = (true, true);
                mine.push(message);
                continue;
            }
            if !info.is_assistant() {
                is_after |= self.own_prompts.contains(&info.id);
                if is_after && message.is_inserted() {
                    self.own_prompts.insert(info.id.clone());
                    mine.push(message);
                } else if is_after && info.role == "user" {
                    self.foreign_prompts.insert(info.id.clone(), info.time.created);
                    // What comes next is an answer to this one, whoever was answered so far.
                    self.stranger_works |= is_complete;
                }
                continue;
            }
            let parent = info.parent_id.as_ref().or(newest_prompt.as_ref());
            let parent = parent.cloned().unwrap_or_default();
            let is_mine = self.own_prompts.contains(&parent);
            self.stranger_works = !is_mine && (was_seen || is_after);
            is_complete = is_mine && info.is_completed();
            if is_mine {
                is_after = true;
                self.absorb_answer(&message, is_whole);
                mine.push(message);
            } else if is_whole && self.foreign_prompts.contains_key(&parent) {
                self.answered_strangers.push(parent);
            }
        }
        if is_whole {
            let parts = mine.iter().flat_map(|message| &message.parts);
            let order: Vec<&str> = parts.map(|part| part.id.as_str()).collect();
            let mut pieces = Vec::new();
            self.transcript.arrange(&order, &mut pieces);
            self.messages = mine;
            self.show(pieces);
        }
    }

    fn absorb_answer(&mut self, message: &Message, is_final: bool) {
        let known = self.assistants.iter().find(|known| known.id == message.info.id);
        let is_news = known.is_none_or(|k| k.is_completed() != message.info.is_completed());
        self.upsert(message.info.clone());
        if let Some(info) = is_news.then(|| raw_info(message)).flatten() {
            self.update(Update::Message(info));
        }
        for part in message.parts.clone() {
            self.absorb_part(part, is_final, false);
        }
    }

    /// Ends a look and plans the next.
    pub(super) fn end_check(&mut self) {
        self.check = None;
        if std::mem::take(&mut self.check_again) {
            self.check_now();
        } else {
            self.plan_check();
        }
    }

    pub(super) fn plan_check(&mut self) {
        let pause = if self.ending.is_some() {
            150
        } else if !self.is_stream_up {
            // Without events the looks are the only news: often at first, rarely in a long run.
            self.interval = (self.interval * 3 / 2).min(2_000);
            self.interval
        } else if self.was_busy && self.status != Some(Status::Idle) {
            // A stream may stall and still look alive: bounds must hold all the same.
            if self.prompt.limits.need_looks() { 2_000 } else { 10_000 }
        } else {
            500
        };
        self.next_check = self.now + pause;
    }
}

/// JSON in one form, whatever the order of its keys and the spaces between: the server writes a list in two ways.
fn canonical(json: &str) -> String {
    // No list of the agent is deeper, and a deep tree would need a stack as deep.
    const LEVELS: usize = 16;
    let tree = (json_depth(json.as_bytes()) <= LEVELS).then(|| serde_json::from_str::<Value>(json));
    tree.and_then(|tree| tree.ok()).map_or_else(|| json.to_owned(), |tree| tree.to_string())
}

/// Tells one form of a part from another.
fn fingerprint(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
