//! What was decided, and by whom.

use super::*;

impl Inquiries {
    pub(super) fn decided(&mut self, id: &str, out: &mut Vec<InquiriesEffect>) {
        if let Some(open) = self.open.remove(id) {
            self.record(id, open, out);
        }
    }

    pub(super) fn closed(&mut self, id: &str, reply: &str, out: &mut Vec<InquiriesEffect>) {
        self.unclaimed.retain(|one| one.inquiry.id != id);
        let Some(open) = self.open.get_mut(id) else { return };
        if open.reply == reply {
            // Most likely the answer that is on its way, told back.
            open.may_be_there = true;
            return;
        }
        (open.by, open.reply) = ("other", reply.to_owned());
        // What is on its way is waited for, though it comes too late.
        if open.waits_for_host {
            self.decided(id, out);
        }
    }

    /// What was answered last, and the server did not confirm before the run was over.
    pub(super) fn record_rest(&mut self, out: &mut Vec<InquiriesEffect>) {
        for (id, open) in std::mem::take(&mut self.open) {
            if !open.waits_for_host && !open.reply.is_empty() {
                self.record(&id, open, out);
            }
        }
    }

    pub(super) fn record(&mut self, id: &str, open: Open, out: &mut Vec<InquiriesEffect>) {
        self.handled.insert(id.to_owned());
        let inquiry = &open.inquiry;
        self.decisions.push(DecisionRecord {
            id: id.to_owned(),
            session_id: inquiry.session_id.clone(),
            permission: match inquiry.is_question {
                true => "question".to_owned(),
                false => inquiry.permission.clone(),
            },
            patterns: inquiry.patterns.clone(),
            reply: open.reply,
            by: if open.by == END { "policy" } else { open.by },
        });
        out.push(InquiriesEffect::LookWithin(LOOK_AFTER));
    }
}
