//! What an abort leaves behind: subagents that go on, and tools that take no notice.
//!
//! Measured with 1.18.33: an abort reaches the whole tree of subagents. A shell whose command ignores signals is told
//! as `Tool execution aborted` at once, the session is idle, and the command is killed three seconds after the abort;
//! any other shell ends with the abort and is told as `completed`. 2.0.15 tells every command that was aborted as interrupted,
//! and says by an event when it has ended.

use super::{ABORT_PAUSE, EndingContext, Millis};
use crate::run::wire::{ToolFailure, ToolUse};
use std::collections::HashSet;

/// How long after the abort the server kills what ignored it.
const KILL_AFTER: Millis = 3_200;

#[derive(Default)]
pub(super) struct Leftovers {
    /// Subagents that work, as the last look says.
    busy: Vec<String>,
    /// When they were aborted last.
    aborted: Option<Millis>,
    /// The uses of tools that waited for a permission when the run was ended: they never began.
    never_began: Vec<String>,
    /// Commands of subagents that may have taken no notice of the abort, each with its id.
    deaf_children: Vec<Option<String>>,
    /// Commands that have ended since the run was to end, as the server says.
    ended: HashSet<String>,
    /// What is waited for, for `why`.
    waits_for: &'static str,
}

impl Leftovers {
    /// What there is when a run is ended while these uses of tools wait for a permission.
    pub(super) fn beside(never_began: Vec<String>) -> Self {
        Leftovers { never_began, ..Leftovers::default() }
    }

    pub(super) fn reason(&self) -> &'static str {
        self.waits_for
    }

    /// Notes which subagents work.
    pub(super) fn busy(&mut self, children: Vec<String>) {
        self.busy = children;
    }

    /// Notes a subagent's tool that did not end with the abort.
    pub(super) fn child_tool(&mut self, tool: &ToolUse) {
        if self.is_deaf(tool) && !self.deaf_children.contains(&tool.command) {
            self.deaf_children.push(tool.command.clone());
        }
    }

    /// Notes that a command has ended.
    pub(super) fn command_ended(&mut self, id: String) {
        self.deaf_children.retain(|command| command.as_ref() != Some(&id));
        self.ended.insert(id);
    }

    /// Whether something may still be at work, and the subagents that are to be aborted now. `aborted`: when the run's own
    /// session was.
    pub(super) fn look<'a>(
        &mut self,
        mut tools: impl Iterator<Item = &'a ToolUse>,
        aborted: Option<Millis>,
        context: &EndingContext<'_>,
    ) -> (bool, Vec<String>) {
        let (now, is_rejecting) = (context.now, context.is_rejecting);
        let is_deaf = tools.any(|tool| self.is_deaf(tool)) || !self.deaf_children.is_empty();
        // Whoever answers a look that began after that has killed what there was to kill before.
        let waits_for_kill = is_deaf && aborted.is_none_or(|at| context.looked < at + KILL_AFTER);
        let busy = std::mem::take(&mut self.busy);
        self.waits_for = match (busy.is_empty(), waits_for_kill, is_rejecting) {
            (false, ..) => "; not settled: a subagent is still at work",
            (true, true, _) => {
                "; not settled: a command ignores the abort until the server kills it"
            }
            (true, false, true) => "; not settled: what it asked for is being rejected",
            (true, false, false) => "",
        };
        if busy.is_empty() {
            return (waits_for_kill || is_rejecting, busy);
        }
        if self.aborted.is_some_and(|at| now < at + ABORT_PAUSE) {
            return (true, Vec::new());
        }
        self.aborted = Some(now);
        (true, busy)
    }

    /// Whether a shell's command may have taken no notice of an abort.
    fn is_deaf(&self, tool: &ToolUse) -> bool {
        let has_begun = || tool.call.as_ref().is_none_or(|call| !self.never_began.contains(call));
        let has_ended = || tool.command.as_ref().is_some_and(|id| self.ended.contains(id));
        tool.is_shell && tool.failure == Some(ToolFailure::Aborted) && has_begun() && !has_ended()
    }
}
