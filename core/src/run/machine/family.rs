//! The sessions of subagents: found by events, by the tool that started them, or because they ask for something.

use super::*;

impl Machine {
    pub(super) fn is_mine(&self, session: &str) -> bool {
        self.session.as_deref() == Some(session)
    }

    pub(super) fn is_child(&self, session: &str) -> bool {
        self.children.iter().any(|child| child == session)
    }

    /// A session is a subagent's: of this run?
    pub(super) fn on_subagent(&mut self, session: &str, parent: &str) {
        if (self.is_mine(parent) || self.is_child(parent)) && self.sent.is_some() {
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

    pub(super) fn on_child_fact(&mut self, session: &str, fact: Fact) {
        match fact {
            Fact::AnswerChanged(info, _) => {
                let messages = self.child_messages.entry(session.to_owned()).or_default();
                messages.insert(info.id.clone(), *info);
                self.check_limits();
            }
            Fact::PartChanged(part) => {
                let Some(tool) = part.tool() else { return };
                self.note_killed_tool(tool);
                if let Some(child) = tool.child.clone() {
                    self.add_child(&child);
                }
                self.update(Update::Tool(Arc::from(part.raw)));
            }
            fact => self.on_inquiry_fact(fact),
        }
    }
}
