//! The sessions of subagents: found by events, by the tool that started them, or because they ask for something.

use super::watch::{fields, read_info, read_part};
use super::*;

impl Machine {
    pub(super) fn is_mine(&self, session: &str) -> bool {
        self.session.as_deref() == Some(session)
    }

    pub(super) fn is_child(&self, session: &str) -> bool {
        self.children.iter().any(|child| child == session)
    }

    /// A session was created: of a subagent of this run?
    pub(super) fn on_created(&mut self, session: &str, event: &Event) {
        if let Some(parent) = parent_session(event)
            && (self.is_mine(&parent) || self.is_child(&parent))
            && self.sent.is_some()
        {
            self.adopt(session);
        }
    }

    /// A subagent that was at work before it was heard of may have asked for something.
    pub(super) fn add_child(&mut self, session: &str) {
        if self.adopt(session) {
            self.needs_lists = true;
            if self.phase == Phase::Running {
                self.check_now();
            }
        }
    }

    fn adopt(&mut self, session: &str) -> bool {
        let is_new = !self.is_mine(session) && !self.is_child(session);
        if is_new {
            self.children.push(session.to_owned());
            self.out.push(Output::Track(session.to_owned()));
        }
        is_new
    }

    pub(super) fn on_child_event(&mut self, session: &str, event: &Event) {
        match event.kind.as_str() {
            "message.updated" => {
                if let Some(info) = read_info(event).filter(Info::is_assistant) {
                    let messages = self.child_messages.entry(session.to_owned()).or_default();
                    messages.insert(info.id.clone(), info);
                    self.check_limits();
                }
            }
            "message.part.updated" => {
                if let Some(part) = read_part(event).filter(|part| part.tool.is_some()) {
                    self.note_killed_tool(&part);
                    if let Some(child) = part.child.clone() {
                        self.add_child(&child);
                    }
                    self.update(Update::Tool(Arc::from(part.raw)));
                }
            }
            _ => self.on_request_event(event),
        }
    }
}

/// The session whose subagent the session of this event is.
pub(crate) fn parent_session(event: &Event) -> Option<String> {
    if !matches!(event.kind.as_str(), "session.created" | "session.updated") {
        return None;
    }
    fields(event).object("info").and_then(|info| info.text("parentID"))
}
