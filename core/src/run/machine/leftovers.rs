//! What an abort leaves behind: subagents that go on, and tools that take no notice.
//!
//! Measured with 1.18.33: an abort reaches the whole tree of subagents. A shell whose command ignores signals is told
//! as `Tool execution aborted` at once, the session is idle, and the command is killed three seconds after the abort;
//! any other shell ends with the abort and is told as `completed`.

use super::*;
use crate::run::wire::{Tool, ToolFailure};

/// How long after the abort the server kills what ignored it.
const KILL_AFTER: Millis = 3_200;
/// The pause between two aborts of the same subagent.
const ABORT_PAUSE: Millis = 1_000;

#[derive(Debug, Clone, Default)]
pub(super) struct Leftovers {
    /// Subagents that work, as the last look says.
    busy: Vec<String>,
    /// When they were aborted last.
    aborted: Option<Millis>,
    /// The calls of tools that waited for a permission when the run was ended: they never began.
    never_began: Vec<String>,
    /// A subagent's command took no notice of the abort.
    has_deaf_child: bool,
    /// What is waited for, for `why`.
    waits_for: &'static str,
}

impl Leftovers {
    /// What there is when a run is ended while these requests are open.
    pub(super) fn beside<'a>(open: impl Iterator<Item = &'a Open>) -> Self {
        let waits = open.filter(|open| !open.inquiry.is_question && open.verdict.is_none());
        let calls = waits.filter_map(|open| open.inquiry.call.clone());
        Leftovers { never_began: calls.collect(), ..Leftovers::default() }
    }

    /// Whether a shell's command took no notice of an abort.
    fn is_deaf(&self, tool: &Tool) -> bool {
        let has_begun = || tool.call.as_ref().is_none_or(|call| !self.never_began.contains(call));
        tool.is_shell && tool.failure == Some(ToolFailure::Aborted) && has_begun()
    }

    pub(super) fn reason(&self) -> &'static str {
        self.waits_for
    }
}

impl Machine {
    /// Notes which subagents work.
    pub(super) fn note_busy_children(&mut self, snapshot: &DirectorySnapshot) {
        let Some(ending) = &mut self.ending else { return };
        let is_busy = |child: &&String| {
            snapshot
                .status
                .get(*child)
                .is_some_and(|s| !matches!(s, Status::Idle | Status::Unreadable))
        };
        ending.leftovers.busy = self.children.iter().filter(is_busy).cloned().collect();
    }

    /// Notes a subagent's tool that did not end with the abort.
    pub(super) fn note_killed_tool(&mut self, tool: &Tool) {
        if let Some(ending) = &mut self.ending {
            ending.leftovers.has_deaf_child |= ending.leftovers.is_deaf(tool);
        }
    }

    /// Whether something of the run may still be at work although its session is idle. Aborts what can be.
    pub(super) fn has_leftovers(&mut self) -> bool {
        let now = self.now;
        let is_rejecting = self.is_rejecting();
        let Some(ending) = &mut self.ending else { return false };
        let mut parts = self.messages.iter().flat_map(|message| &message.parts);
        let own = parts.any(|part| part.tool().is_some_and(|t| ending.leftovers.is_deaf(t)));
        let killed = ending.aborted.map(|aborted| aborted + KILL_AFTER);
        let is_deaf = own || ending.leftovers.has_deaf_child;
        let waits_for_kill = is_deaf && killed.is_none_or(|at| now < at);
        let busy = std::mem::take(&mut ending.leftovers.busy);
        ending.leftovers.waits_for = match (busy.is_empty(), waits_for_kill, is_rejecting) {
            (false, ..) => "; not settled: a subagent is still at work",
            (true, true, _) => {
                "; not settled: a command ignores the abort until the server kills it"
            }
            (true, false, true) => "; not settled: what it asked for is being rejected",
            (true, false, false) => "",
        };
        if busy.is_empty() {
            return waits_for_kill || is_rejecting;
        }
        if ending.leftovers.aborted.is_none_or(|at| now >= at + ABORT_PAUSE) {
            ending.leftovers.aborted = Some(now);
            for child in busy {
                self.ask(RequestKind::AbortChild, Request::Abort { session: child });
            }
        }
        true
    }
}
