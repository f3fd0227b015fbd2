//! What an abort leaves behind: subagents that go on, and tools that take no notice.
//!
//! Measured with 1.18.33: an abort reaches the whole tree of subagents. A shell whose command ignores signals is told
//! as `Tool execution aborted` at once, the session is idle, and the command is killed three seconds after the abort;
//! any other shell ends with the abort and is told as `completed`.

use super::stopped::tool_error;
use super::*;
use crate::base::json::Json;
use crate::run::message::Part;
use serde_json::json;

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
        let waits = open.filter(|open| !open.is_question && open.verdict.is_none());
        let calls = waits.filter_map(|open| Json::from(&*open.request.raw).text_at("/tool/callID"));
        Leftovers { never_began: calls.collect(), ..Leftovers::default() }
    }

    /// Whether a shell's command took no notice of an abort.
    fn is_deaf(&self, part: &Part) -> bool {
        let has_begun = || {
            let call = Json::from(&*part.raw).text_at("/callID");
            call.is_none_or(|call| !self.never_began.contains(&call))
        };
        part.tool.as_ref().is_some_and(|(name, _)| name == "bash")
            && tool_error(part).is_some_and(|words| words.contains("execution aborted"))
            && has_begun()
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
    pub(super) fn note_killed_tool(&mut self, part: &Part) {
        if let Some(ending) = &mut self.ending {
            ending.leftovers.has_deaf_child |= ending.leftovers.is_deaf(part);
        }
    }

    /// Whether something of the run may still be at work although its session is idle. Aborts what can be.
    pub(super) fn has_leftovers(&mut self) -> bool {
        let now = self.now;
        let is_rejecting = self.is_rejecting();
        let Some(ending) = &mut self.ending else { return false };
        let mut parts = self.messages.iter().flat_map(|message| &message.parts);
        let own = parts.any(|part| ending.leftovers.is_deaf(part));
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
                self.ask(RequestKind::AbortChild, "session.abort", json!({ "sessionID": child }));
            }
        }
        true
    }
}
