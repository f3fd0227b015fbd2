//! The end of a run, and its reply.

use super::*;
use crate::base::option_names::PROMPT;
use crate::run::reply::Timings;
use crate::run::transcript::Channel;
use crate::run::wire::{PartContent, StoredMessage};

impl Machine {
    /// Ends the run from this side: at once when nothing was sent, else by an abort that is watched.
    pub(super) fn end(&mut self, error: Error) {
        match self.phase {
            Phase::Opening => self.over(Some(error)),
            Phase::Sending | Phase::Verifying | Phase::Running if !self.ending.is_cancelled() => {
                let waiting = self.inquiries.waiting_calls();
                self.ending(EndingInput::Cancel { error, waiting });
                self.look_if_running();
            }
            _ => {}
        }
    }

    /// Ends the run at one of its own limits.
    pub(super) fn end_at(&mut self, limit: &str, text: &str) {
        let limit = PROMPT.shown(limit);
        let error = Error::new(ErrorKind::Limit, format!("run: {limit}: {text}"));
        self.end(error.with_code(Some(limit.to_owned())).with_sent(self.is_sent()));
    }

    pub(super) fn over_unreachable(&mut self) {
        let verdict = self.reach.verdict(self.now, self.server_timeout());
        let error = match (self.ending.error().cloned(), verdict.or_else(|| self.silence())) {
            (Some(error), why) => {
                let error = match why {
                    Some(why) => error.and(&format!("not settled: {why}")),
                    None => error,
                };
                self.sending.with_late_prompt(error)
            }
            (None, Some(error)) => error.with_sent(self.sending.may_be_there()),
            (None, None) => return,
        };
        self.over(Some(error));
    }

    /// The end, with what there is.
    pub(super) fn over(&mut self, error: Option<Error>) {
        self.phase = Phase::Over;
        self.why.clear();
        self.inquire(InquiriesInput::End);
        let is_sent = self.is_sent();
        let error = error.map(|e| {
            let e = if is_sent { e.with_sent(true) } else { e };
            let name = if self.is_compaction { "compact" } else { "run" };
            let e = if self.is_compaction { e.begun_with("run:", "compact:") } else { e };
            if e.operation().is_empty() { e.with_operation(name) } else { e }
        });
        let reply = Arc::new(self.reply());
        self.update(match &error {
            None => Update::Done(Arc::clone(&reply)),
            Some(error) => Update::Failed(error.clone()),
        });
        self.out.push(Output::Over(Outcome { reply, error }));
    }

    pub(super) fn reply(&self) -> Reply {
        let messages = self.looking.messages();
        let newest = messages.iter().rev().find(|m| m.info.is_assistant());
        let (cost, tokens) = self.looking.usage();
        let text_of = |message: &StoredMessage| {
            let parts = message.parts.iter().filter(|part| !part.is_inserted);
            let texts = parts.filter_map(|part| match &part.content {
                PartContent::Text { text, .. } => text.as_deref().filter(|text| !text.is_empty()),
                _ => None,
            });
            texts.collect::<Vec<_>>().join("\n\n")
        };
        // What the model said before it was cut off, and where it went on.
        let answers = messages.iter().rev().filter(|m| m.info.is_assistant());
        let cut = answers.skip(1).take_while(|m| m.info.is_continued);
        let mut texts: Vec<String> = newest.into_iter().chain(cut).map(text_of).collect();
        texts.reverse();
        let info = newest.map(|m| &m.info);
        let parts = newest.map_or_else(Vec::new, |m| {
            m.parts.iter().map(|part| Arc::from(part.raw.clone())).collect()
        });
        let transcript = self.looking.text(Channel::Text);
        Reply {
            session_id: self.session_id(),
            message_id: self.message_id().to_owned(),
            text: match newest {
                Some(_) => texts.concat(),
                // Ended before its messages were read: what was streamed is all there is.
                None => transcript.clone(),
            },
            transcript,
            reasoning: self.looking.text(Channel::Reasoning),
            structured: info.and_then(|info| info.structured.clone()),
            finish: info.and_then(|info| info.finish.clone()),
            cost,
            tokens,
            agent: info.and_then(|info| info.agent.clone()),
            provider_id: info.and_then(|info| info.provider_id.clone()),
            model_id: info.and_then(|info| info.model_id.clone()),
            messages: messages.iter().map(|m| Arc::from(m.raw.clone())).collect(),
            parts,
            decisions: self.inquiries.decisions().to_vec(),
            files: self.ending.files().cloned(),
            children: self.looking.children().to_vec(),
            time: Timings {
                queued_ms: self.sending.queued_ms(),
                first_token_ms: self.looking.first_token().map(|at| at - self.started),
                total_ms: self.now - self.started,
            },
        }
    }
}
