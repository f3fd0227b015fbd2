//! Judging, ending and settling: the ways out of a run.

use super::*;
use crate::base::error::is_locked;
use crate::base::json::Json;
use crate::protocol::tokens::Tokens;
use crate::run::reply::Timings;
use crate::run::transcript::Channel;
use crate::run::wire::{Content, Part};

/// How often the list of changed files is asked for, and the pause between.
const MAX_DIFF_ASKS: u32 = 10;
const DIFF_PAUSE: Millis = 250;
/// How long a session stays idle after an abort until that is believed.
const STAYS_IDLE: Millis = 250;
/// An error that came before the prompt was seen to be stored is this prompt's when nothing began for this long.
const ECHO_PAUSE: Millis = 1_000;
const STORED_ECHO_PAUSE: Millis = 5_000;

impl Machine {
    /// The session is idle and its messages are known back to the run's own prompt.
    pub(super) fn judge(&mut self) {
        let newest = self.messages.iter().rev().find(|m| m.info.is_assistant());
        let newest = newest.map(|m| m.info.clone());
        if let Some(ending) = self.ending.clone() {
            return self.judge_ending(&ending, newest.as_ref());
        }
        match newest {
            Some(info) if info.is_completed() && self.is_overtaken(&info) => {
                self.conclude(Some(self.superseded()));
            }
            Some(info) if info.is_completed() && self.is_end(&info) => self.judge_end(&info),
            // It may be at work: only a status that can be read says that it is not.
            Some(_) if self.status == Some(Status::Unreadable) => self.end_check(),
            Some(info) => self.judge_stopped(&info),
            None => self.judge_unanswered(),
        }
    }

    /// Whether a prompt of somebody else came before this answer and took the next one.
    fn is_overtaken(&self, info: &Info) -> bool {
        info.is_between_steps()
            && self.answered_strangers.iter().any(|parent| {
                let came = self.foreign_prompts.get(parent).copied().unwrap_or(f64::MAX);
                came < info.time.completed.unwrap_or(0.0)
            })
    }

    /// The newest answer is the last one.
    fn judge_end(&mut self, info: &Info) {
        let error = self.own_error(info);
        if error.as_ref().is_some_and(|e| e.kind() == ErrorKind::Cancelled) && self.is_stream_up {
            // Why it was aborted is told a moment later.
            let since = *self.idle_since.get_or_insert(self.now);
            if self.now < since + STAYS_IDLE {
                self.end_check();
                self.next_check = self.next_check.min(self.now + STAYS_IDLE);
                return;
            }
        }
        self.conclude(error);
    }

    fn judge_unanswered(&mut self) {
        if !self.answered_strangers.is_empty() {
            return self.conclude(Some(self.superseded()));
        }
        // Before the prompt was stored it may be what the prompt before failed with; of a prompt that is stored by
        // now that is likely.
        let pause = if self.user_seen { STORED_ECHO_PAUSE } else { ECHO_PAUSE };
        if let Some(last) = &self.last_error
            && (last.is_own || self.now >= last.at + pause)
        {
            let error = self.told(&last.failure);
            return self.conclude(Some(error));
        }
        let since = *self.idle_since.get_or_insert(self.now);
        let sent = self.sent.unwrap_or(self.now);
        let has_stopped = self.was_busy && self.now >= since + DEAD_AFTER;
        if (has_stopped || self.now >= sent + SILENT_AFTER)
            && !std::mem::replace(&mut self.has_checked_names, true)
        {
            self.ask_names();
        }
        // A name that is wrong is a better reason.
        if has_stopped && self.name_check == NameCheck::Known {
            return self.judge_dead(None);
        }
        let is_forgotten = self.outage != Outage::None && self.now >= since + FORGOTTEN_AFTER;
        if is_forgotten && self.name_check == NameCheck::Known {
            return match self.outage {
                Outage::Survived => self.judge_dead(None),
                _ => {
                    self.end_check();
                    self.verify();
                }
            };
        }
        if self.now >= sent.saturating_add(self.start_timeout()) {
            let text = format!(
                "run: the server took the prompt and then did nothing for {} ms; probably agent or model are wrong, or a plugin hangs",
                self.now - sent
            );
            let error = Error::new(ErrorKind::NeverStarted, text).with_retryable(true);
            return self.conclude(Some(error));
        }
        self.end_check();
    }

    /// The session is busy while the run is watched without events, or is being ended.
    pub(super) fn judge_busy(&mut self) {
        if let Some(ending) = &self.ending {
            if self.stranger_works {
                // Whoever works in the session now, it is not this run: an abort would hit the wrong one.
                let error = ending.error.clone();
                return self.conclude(Some(error));
            }
            let is_due = ending.aborted.is_none_or(|at| self.now >= at + 1_000);
            if is_due && !ending.is_aborting {
                self.abort();
            }
        }
        self.end_check();
    }

    fn judge_ending(&mut self, ending: &Ending, newest: Option<&Info>) {
        match (newest, ending.aborted) {
            (Some(info), aborted) if info.is_completed() && !info.is_between_steps() => {
                // It may have been over before the abort: then it is simply done.
                let was_aborted = aborted.is_some() || ending.is_aborting;
                // The server may show a session idle for a moment before its next step learns of the abort.
                let since = *self.idle_since.get_or_insert(self.now);
                if was_aborted && (self.now < since + STAYS_IDLE || self.has_leftovers()) {
                    return self.end_check();
                }
                let is_whole = info.finish.is_some() && info.error.is_none();
                let error = if was_aborted && !is_whole {
                    Some(ending.error.clone())
                } else {
                    self.own_error(info)
                };
                self.conclude(error);
            }
            (newest, Some(aborted)) => {
                // An abort between two steps may come too early for the next one: the session has to stay idle.
                let since = *self.idle_since.get_or_insert(self.now);
                let grace = if newest.is_some() { DEAD_AFTER } else { ABORT_GRACE };
                if self.now >= aborted.max(since) + grace && !self.has_leftovers() {
                    self.conclude(Some(ending.error.clone()));
                } else {
                    self.end_check();
                }
            }
            (_, None) => {
                if !ending.is_aborting {
                    self.abort();
                }
                self.end_check();
            }
        }
    }

    /// Ends the run from this side: at once when nothing was sent, else by an abort that is watched.
    pub(super) fn end(&mut self, error: Error) {
        match self.phase {
            Phase::Opening | Phase::Queued | Phase::Preparing => self.over(Some(error)),
            Phase::Sending | Phase::Verifying | Phase::Running if self.ending.is_none() => {
                let leftovers = leftovers::Leftovers::beside(self.requests.values());
                self.ending = Some(Ending {
                    error,
                    since: self.now,
                    aborted: None,
                    is_aborting: false,
                    leftovers,
                });
                if self.phase == Phase::Running {
                    self.check_now();
                }
            }
            _ => {}
        }
    }

    /// Ends the run at one of its own limits.
    pub(super) fn end_at(&mut self, limit: &str, text: &str) {
        let error = Error::new(ErrorKind::Limit, format!("run: {limit}: {text}"));
        self.end(error.with_code(Some(limit.to_owned())).with_sent(self.sent.is_some()));
    }

    fn abort(&mut self) {
        if let Some(ending) = &mut self.ending {
            ending.is_aborting = true;
        }
        self.ask(RequestKind::Abort, Request::Abort { session: self.session_id() });
    }

    pub(super) fn on_aborted(&mut self, result: Result<Response>) {
        let now = self.now;
        if let Some(ending) = &mut self.ending {
            ending.is_aborting = false;
            if result.as_ref().err().is_none_or(Error::is_sent) {
                ending.aborted = Some(now);
            }
        }
        match result {
            Err(error) if error.kind() == ErrorKind::NotFound => self.over(Some(error)),
            _ => {
                self.reject_open();
                self.check_now();
            }
        }
    }

    /// The error that the server wrote into the message.
    fn own_error(&self, info: &Info) -> Option<Error> {
        if info.error.is_none() && info.finish.is_none() {
            // What an abort leaves behind while the provider is being retried.
            let text = "run: the server ended the prompt without an answer; send it again";
            return Some(Error::new(ErrorKind::Interrupted, text).with_retryable(true));
        }
        let Failure { code, words, is_abort, is_retryable, body } = info.error.as_ref()?;
        if *is_abort {
            return Some(self.aborted(code).with_body(body.get().as_bytes()));
        }
        Some(
            Error::new(ErrorKind::Agent, format!("run: {code}: {words}"))
                .with_code(Some(code.clone()))
                .with_body(body.get().as_bytes())
                .with_retryable(*is_retryable || is_locked(words))
                .with_sent(true),
        )
    }

    fn superseded(&self) -> Error {
        let other = self.answered_strangers.last().map_or("", String::as_str);
        let text = format!(
            "run: another prompt ({other}) was sent to the session before this one was answered, and the server answers both in one; its answer is that message's"
        );
        Error::new(ErrorKind::Superseded, text)
    }

    /// The outcome is known; what the reply still needs is gathered.
    pub(super) fn conclude(&mut self, error: Option<Error>) {
        self.phase = Phase::Collecting;
        self.collecting = Some(self.now);
        self.check = None;
        self.verdict = Some(error);
        self.collect();
    }

    pub(super) fn collect(&mut self) {
        self.waiting_answers = self.children.len();
        for child in self.children.clone() {
            let kind = RequestKind::Child(child.clone());
            self.ask(kind, Request::Session { session: child });
        }
        let writes = |part: &Part| match &part.content {
            Content::Patch => true,
            Content::Tool(tool) => tool.writes,
            _ => false,
        };
        if self.messages.iter().any(|m| m.parts.iter().any(writes)) {
            self.waiting_answers += 1;
            self.ask_diff();
        }
        if self.waiting_answers == 0 {
            self.finish();
        }
    }

    /// Asks which files were changed.
    pub(super) fn ask_diff(&mut self) {
        self.diff_asks += 1;
        let (session, message) = (self.session_id(), self.message_id.clone());
        self.ask(RequestKind::Diff, Request::Files { session, message });
    }

    pub(super) fn on_collected(&mut self, kind: RequestKind, result: Result<Response>) {
        // What cannot be had is left out: the answer itself is complete.
        match (kind, result) {
            (RequestKind::Child(child), Ok(Response::Session(session))) => {
                self.child_usage.insert(child, (session.cost, session.tokens));
            }
            (_, Ok(Response::Files(Some(raw)))) => {
                // The server counts the changes after it has answered; a patch says that there are some.
                let is_early = raw.get() == "[]" && self.has_patch();
                if is_early && self.diff_asks < MAX_DIFF_ASKS {
                    self.retry_at = Some(self.now + DIFF_PAUSE);
                    return;
                }
                self.tell_diff(&raw);
                self.files = Some(raw);
            }
            _ => {}
        }
        self.waiting_answers = self.waiting_answers.saturating_sub(1);
        if self.waiting_answers == 0 && self.phase == Phase::Collecting {
            self.finish();
        }
    }

    fn has_patch(&self) -> bool {
        self.messages
            .iter()
            .flat_map(|m| &m.parts)
            .any(|part| matches!(part.content, Content::Patch))
    }

    pub(super) fn finish(&mut self) {
        let mut error = self.verdict.take().flatten();
        let newest = self.messages.iter().rev().find(|m| m.info.is_assistant());
        if error.is_none()
            && let Some((_, Some(schema))) = self.prompt.output_format()
        {
            let structured = newest.and_then(|m| m.info.structured.as_ref());
            error = check_structured(structured, &schema);
        }
        self.over(error);
    }

    /// Ends without having sent anything.
    pub(super) fn over_early(&mut self, error: Error) {
        self.over(Some(error));
    }

    pub(super) fn over_unsettled(&mut self) {
        if let Some(ending) = &self.ending {
            let words = format!("the server did not confirm the end within {SETTLE_LIMIT} ms");
            let error = ending.error.clone().and(&words);
            self.over(Some(self.with_late_prompt(error)));
        }
    }

    /// Says of a prompt whose sending was not confirmed what may still become of it.
    pub(super) fn with_late_prompt(&self, error: Error) -> Error {
        if self.sent.is_some() || self.send_tries == 0 {
            return error;
        }
        let words = "not settled: nobody confirmed that the prompt arrived; what holds it up on its way may deliver it later, and the agent begins then";
        error.and(words).with_sent(true)
    }

    pub(super) fn over_unreachable(&mut self) {
        let verdict = self.reach.verdict(self.now, self.server_timeout());
        let error = match (&self.ending, verdict.or_else(|| self.silence())) {
            (Some(ending), why) => {
                let error = ending.error.clone();
                let why = why.map(|why| format!("not settled: {why}"));
                self.with_late_prompt(why.map_or(error.clone(), |why| error.and(&why)))
            }
            (None, Some(error)) => {
                error.with_sent(self.sent.is_some() || self.send_error.is_some())
            }
            (None, None) => return,
        };
        self.over(Some(error));
    }

    /// The end, with what there is.
    pub(super) fn over(&mut self, error: Option<Error>) {
        self.phase = Phase::Over;
        self.why.clear();
        self.record_rest();
        let is_sent = self.sent.is_some();
        let error = error.map(|e| {
            let e = if is_sent { e.with_sent(true) } else { e };
            if e.operation().is_empty() { e.with_operation("run") } else { e }
        });
        let reply = Arc::new(self.reply());
        self.update(match &error {
            None => Update::Done(Arc::clone(&reply)),
            Some(error) => Update::Failed(error.clone()),
        });
        self.out.push(Output::Over(Outcome { reply, error }));
    }

    /// Cost and tokens so far, those of subagents included.
    pub(super) fn usage(&self) -> (f64, Tokens) {
        let mut cost = 0.0;
        let mut tokens = Tokens::default();
        let mut add = |c: f64, t: &Tokens| {
            cost += c;
            tokens.add(t);
        };
        for info in &self.assistants {
            add(info.cost, &info.tokens);
        }
        for child in &self.children {
            match (self.child_usage.get(child), self.child_messages.get(child)) {
                (Some((cost, tokens)), _) => add(*cost, tokens),
                (None, Some(messages)) => {
                    messages.values().for_each(|info| add(info.cost, &info.tokens));
                }
                (None, None) => {}
            }
        }
        (cost, tokens)
    }

    pub(super) fn reply(&self) -> Reply {
        let newest = self.messages.iter().rev().find(|m| m.info.is_assistant());
        let (cost, tokens) = self.usage();
        let texts = newest.iter().flat_map(|m| &m.parts).filter(|part| !part.is_inserted);
        let texts = texts.filter_map(|part| match &part.content {
            Content::Text { text, .. } => text.as_deref().filter(|text| !text.is_empty()),
            _ => None,
        });
        let info = newest.map(|m| &m.info);
        let parts = newest.map_or_else(Vec::new, |m| {
            m.parts.iter().map(|part| Arc::from(part.raw.clone())).collect()
        });
        let transcript = self.transcript.text(Channel::Text);
        Reply {
            session_id: self.session.clone().unwrap_or_default(),
            message_id: self.message_id.clone(),
            text: match newest {
                Some(_) => texts.collect::<Vec<_>>().join("\n\n"),
                // Ended before its messages were read: what was streamed is all there is.
                None => transcript.clone(),
            },
            transcript,
            reasoning: self.transcript.text(Channel::Reasoning),
            structured: info.and_then(|info| info.structured.clone()),
            finish: info.and_then(|info| info.finish.clone()),
            cost,
            tokens,
            agent: info.and_then(|info| info.agent.clone()),
            provider_id: info.and_then(|info| info.provider_id.clone()),
            model_id: info.and_then(|info| info.model_id.clone()),
            messages: self.messages.iter().map(|m| Arc::from(m.raw.clone())).collect(),
            parts,
            decisions: self.decisions.clone(),
            files: self.files.clone(),
            children: self.children.clone(),
            time: Timings {
                queued_ms: self.queued_ms,
                first_token_ms: self.first_token.map(|at| at - self.started),
                total_ms: self.now - self.started,
            },
        }
    }
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
