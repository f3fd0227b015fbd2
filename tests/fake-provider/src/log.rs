//! What the model was asked, bounded.

use std::collections::VecDeque;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::chat::Chat;

/// Requests kept; older ones are forgotten.
const LIMIT: usize = 10_000;
/// Characters kept of the latest user message.
const USER: usize = 2_000;
/// Characters kept of the system prompt.
const SYSTEM: usize = 200;

#[derive(Default)]
pub(crate) struct Log {
    entries: VecDeque<Value>,
    /// The number of the first entry that is still there.
    first: u64,
}

impl Log {
    /// Records a request and gives its number, for [`Log::finish`].
    pub(crate) fn add(&mut self, chat: &Chat, kind: &str) -> u64 {
        if self.entries.len() == LIMIT {
            self.entries.pop_front();
            self.first += 1;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let step = chat.prompt.is_some().then_some(chat.index);
        self.entries.push_back(json!({
            "time": now.as_millis() as u64,
            "kind": kind,
            "model": chat.model,
            "messages": chat.messages,
            "tools": chat.tools,
            "user": chat.user.chars().take(USER).collect::<String>(),
            "system": chat.system.chars().take(SYSTEM).collect::<String>(),
            "step": step,
            "session": chat.session,
            "parent": chat.parent,
            "response_format": chat.response_format,
            "tool_choice": chat.tool_choice,
            "outcome": null,
        }));
        self.first + self.entries.len() as u64 - 1
    }

    /// Says how the answer ended.
    pub(crate) fn finish(&mut self, number: u64, outcome: &str) {
        let index = number.checked_sub(self.first).map(|index| index as usize);
        if let Some(entry) = index.and_then(|index| self.entries.get_mut(index)) {
            entry["outcome"] = outcome.into();
        }
    }

    pub(crate) fn clear(&mut self) {
        self.first += self.entries.len() as u64;
        self.entries.clear();
    }

    pub(crate) fn entries(&self) -> Vec<Value> {
        self.entries.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Request;

    #[test]
    fn the_log_is_bounded_and_survives_late_endings() {
        let body = json!({"messages": [{"role": "user", "content": "x".repeat(5_000)}]});
        let request = Request { body: body.to_string().into_bytes(), ..Request::default() };
        let chat = Chat::read(&request).unwrap();
        let mut log = Log::default();
        let first = log.add(&chat, "default");
        for _ in 0..LIMIT {
            log.add(&chat, "default");
        }
        log.finish(first, "done");
        let entries = log.entries();
        assert_eq!(entries.len(), LIMIT);
        assert!(entries.iter().all(|entry| entry["outcome"].is_null()));
        assert_eq!(entries[0]["user"].as_str().unwrap().len(), USER);
        let running = log.add(&chat, "default");
        log.clear();
        log.finish(running, "done");
        let next = log.add(&chat, "default");
        log.finish(next, "done");
        assert_eq!(log.entries().len(), 1);
        assert_eq!(log.entries()[0]["outcome"], "done");
    }
}
