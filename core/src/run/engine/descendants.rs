//! The search for the run that a session of a subagent belongs to, parent by parent.

use super::*;

/// Sessions of others whose parents are remembered.
const MAX_PARENTS: usize = 4_096;
/// Subagents of subagents that are followed up to a run.
const MAX_DEPTH: u32 = 8;

impl Work {
    /// A session that asked for something and belongs to no run may be that of a subagent's subagent, of which
    /// only events tell.
    pub(super) fn look_for_descendants(&mut self, snapshot: &DirectorySnapshot) {
        let inquiries = &snapshot.inquiries;
        let has_children = || self.runs.values().any(|slot| slot.tracks.len() > 1);
        if inquiries.is_empty() || !(self.choice.wire().hides_children() || has_children()) {
            return;
        }
        for inquiry in inquiries {
            self.look_up(&inquiry.session_id, MAX_DEPTH);
        }
    }

    /// Follows a session up to one that a run tracks.
    pub(super) fn look_up(&mut self, session: &str, depth: u32) {
        if self.sessions.contains_key(session) || depth == 0 {
            return;
        }
        match self.parents.get(session).cloned() {
            Some(Some(parent)) if self.sessions.contains_key(&parent) => {
                self.adopt(session, &parent);
            }
            Some(Some(parent)) => self.look_up(&parent, depth - 1),
            // It was asked for, or has none.
            Some(None) => {}
            None => {
                if self.parents.len() >= MAX_PARENTS {
                    self.parents.clear();
                }
                self.parents.insert(session.to_owned(), None);
                self.requests.parent(session.to_owned());
            }
        }
    }

    pub(super) fn on_parent(&mut self, session: String, parent: Result<Option<String>>) {
        match parent {
            Ok(Some(parent)) => {
                self.parents.insert(session.clone(), Some(parent));
                self.look_up(&session, MAX_DEPTH);
            }
            Ok(None) => {}
            Err(error) if is_absent(&error) => {}
            // Asked again when it is listed again.
            Err(_) => drop(self.parents.remove(&session)),
        }
    }

    /// Gives a session to the runs of its parent, and with it the sessions below it.
    pub(super) fn adopt(&mut self, session: &str, parent: &str) {
        for id in self.sessions.get(parent).cloned().unwrap_or_default() {
            self.step(id, Input::Child { session, parent });
        }
        if !self.sessions.contains_key(session) {
            return;
        }
        self.parents.remove(session);
        let is_below = |(child, parent): (&String, &Option<String>)| {
            (parent.as_deref() == Some(session)).then(|| child.clone())
        };
        let below: Vec<String> = self.parents.iter().filter_map(is_below).collect();
        for child in below {
            self.adopt(&child, session);
        }
    }
}
