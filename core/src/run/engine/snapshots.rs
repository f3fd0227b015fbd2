//! When snapshots of a directory are taken, and which runs get them.

use super::*;

/// Lists of permissions and questions are read again after this time while events tell about them.
const LISTS_AGE: Millis = 5_000;

/// One directory that runs look at together.
#[derive(Default)]
pub(super) struct SnapshotPoller {
    pub(super) is_busy: bool,
    /// Somebody asked while a snapshot was under way: that one may have been taken too early.
    pub(super) is_wanted: bool,
    /// Whether the next snapshot reads the lists too, by those who asked for it.
    pub(super) lists: Lists,
    pub(super) lists_read: Option<Millis>,
    /// The log says that the lists cannot be read.
    pub(super) has_told: bool,
    pub(super) waiting: HashSet<RunId>,
}

impl SnapshotPoller {
    /// Begins a snapshot, and says whether it reads the lists too: without events they are the only news of
    /// permissions and questions.
    pub(super) fn begin(&mut self, now: Millis, is_stream_up: bool) -> bool {
        self.is_busy = true;
        let is_old = self.lists_read.is_none_or(|read| now >= read + LISTS_AGE);
        let with_lists = match std::mem::take(&mut self.lists) {
            Lists::Unread => false,
            Lists::WhenOld => is_old || !is_stream_up,
            Lists::Now => true,
        };
        if with_lists {
            self.lists_read = Some(now);
        }
        with_lists
    }
}

impl Work {
    pub(super) fn on_snapshot(
        &mut self,
        directory: Option<String>,
        result: Result<DirectorySnapshot>,
    ) {
        let Some(poller) = self.pollers.get_mut(&directory) else { return };
        poller.is_busy = false;
        let is_wanted = std::mem::take(&mut poller.is_wanted);
        let waiting = std::mem::take(&mut poller.waiting);
        if result.is_err() {
            poller.lists_read = None;
        }
        if is_wanted {
            // Those who asked too late for this one are served by the next.
            poller.waiting.clone_from(&waiting);
            let with_lists = poller.begin(millis(self.began.elapsed()), self.is_stream_up);
            self.requests.snapshot(directory.clone(), with_lists);
        }
        if let Ok(snapshot) = &result {
            if let Some(error) = &snapshot.refused
                && !std::mem::replace(&mut poller.has_told, true)
            {
                let log = &self.caller.options().log;
                log.write(Level::Warn, || format!("only events tell what runs wait for: {error}"));
            }
            self.look_for_descendants(snapshot);
        }
        for &id in &waiting {
            match &result {
                Ok(snapshot) => self.step(id, Input::Snapshot(snapshot)),
                Err(error) => self.step(id, Input::SnapshotFailed(error)),
            }
        }
        let Ok(snapshot) = result else { return };
        let is_beside = |id: &RunId, slot: &RunSlot| {
            !waiting.contains(id) && slot.machine.directory() == directory.as_ref()
        };
        let others = self.runs.iter().filter(|(id, slot)| is_beside(id, slot));
        let others: Vec<RunId> = others.map(|(id, _)| *id).collect();
        for id in others {
            self.step(id, Input::Seen(&snapshot));
        }
    }
}
