//! The sessions of subagents: found by events, by the tool that started them, or because they ask for something.

use super::{Looking, LookingContext, LookingEffect};
use crate::run::update::Update;
use crate::run::wire::{DirectorySnapshot, Fact, Status};
use std::sync::Arc;

impl Looking {
    /// A subagent that was at work before it was heard of may have asked for something.
    pub(super) fn add_child(
        &mut self,
        session: &str,
        context: &LookingContext<'_>,
        out: &mut Vec<LookingEffect>,
    ) {
        if self.adopt(session, context, out) {
            self.needs_lists = true;
            self.look_if_running(context, out);
        }
    }

    pub(super) fn adopt(
        &mut self,
        session: &str,
        context: &LookingContext<'_>,
        out: &mut Vec<LookingEffect>,
    ) -> bool {
        let is_new = context.session != session && !self.is_child(session);
        if is_new {
            self.children.push(session.to_owned());
            out.push(LookingEffect::Track(session.to_owned()));
        }
        is_new
    }

    pub(super) fn on_child_fact(
        &mut self,
        session: &str,
        fact: Fact,
        context: &LookingContext<'_>,
        out: &mut Vec<LookingEffect>,
    ) {
        match fact {
            Fact::AnswerChanged(info, _) => {
                let answers = self.child_answers.entry(session.to_owned()).or_default();
                answers.insert(info.id.clone(), *info);
                self.check_limits(context, out);
            }
            Fact::PartChanged(part) => {
                let Some(tool) = part.tool() else { return };
                if context.is_cancelled {
                    out.push(LookingEffect::ChildTool(Box::new(tool.clone())));
                }
                if let Some(child) = tool.child.clone() {
                    self.add_child(&child, context, out);
                }
                out.push(LookingEffect::Tell(Update::Tool(Arc::from(part.raw))));
            }
            _ => {}
        }
    }

    /// The subagents that work, as a look says.
    pub(super) fn busy_children(&self, snapshot: &DirectorySnapshot) -> Vec<String> {
        let is_busy = |child: &&String| {
            let status = snapshot.status.get(*child);
            status.is_some_and(|s| !matches!(s, Status::Idle | Status::Unreadable))
        };
        self.children.iter().filter(is_busy).cloned().collect()
    }
}
