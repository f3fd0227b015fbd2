//! [`Transcript`]: the text of a run, built from deltas that may be lost, repeated or late.
//!
//! A delta carries no offset, so a lost one cannot be seen. Three facts help: the server sends the whole
//! part when it ends, event ids rise, and we know when the stream was cut. After a cut or a late event the
//! text of a part waits for the whole part. What was said already is taken back only when the whole part
//! does not begin with it.

use std::collections::HashMap;

/// Which text: what the model says, or what it thinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Channel {
    Text,
    Reasoning,
}

/// A piece of text for the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub channel: Channel,
    pub message_id: String,
    pub part_id: String,
    /// What to append; with `replaces`, the whole text of the channel from its beginning.
    pub delta: String,
    pub replaces: bool,
}

/// Bytes of early deltas kept for one part whose kind is not known yet.
const MAX_EARLY: usize = 1 << 20;
/// Parts with early deltas kept at the same time.
const MAX_EARLY_PARTS: usize = 64;
const BETWEEN: &str = "\n\n";

/// All text of one run, in the order in which its parts began.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    parts: Vec<TranscriptPart>,
    index: HashMap<String, usize>,
    /// Deltas of parts that the server has not introduced yet.
    early: HashMap<String, Vec<(String, String)>>,
}

#[derive(Debug)]
struct TranscriptPart {
    id: String,
    message_id: String,
    channel: Channel,
    text: String,
    /// Something may be missing: wait for the whole part.
    has_gap: bool,
    is_whole: bool,
    newest_event: String,
}

impl Transcript {
    /// A delta of a part. Unknown parts keep theirs until [`whole`](Self::whole) introduces them.
    pub(crate) fn delta(
        &mut self,
        part_id: &str,
        event_id: &str,
        delta: String,
        out: &mut Vec<Piece>,
    ) {
        let Some(&at) = self.index.get(part_id) else {
            self.keep_early(part_id, event_id, delta);
            return;
        };
        let part = &mut self.parts[at];
        if part.is_whole || part.has_gap {
            return;
        }
        if !is_later(event_id, &part.newest_event) {
            // Late or repeated: repeated ones are dropped before they come here, so the order is broken.
            part.has_gap = true;
            return;
        }
        part.newest_event = event_id.to_owned();
        if delta.is_empty() {
            return;
        }
        let is_first = part.text.is_empty();
        part.text.push_str(&delta);
        self.append(at, is_first, delta, out);
    }

    /// A part as the server has it now; `is_ended` when its text will not grow any more.
    pub(crate) fn whole(
        &mut self,
        channel: Channel,
        message_id: &str,
        part_id: &str,
        text: &str,
        is_ended: bool,
        out: &mut Vec<Piece>,
    ) {
        let at = match self.index.get(part_id) {
            Some(&at) => at,
            None => {
                self.index.insert(part_id.to_owned(), self.parts.len());
                self.parts.push(TranscriptPart {
                    id: part_id.to_owned(),
                    message_id: message_id.to_owned(),
                    channel,
                    text: String::new(),
                    has_gap: false,
                    is_whole: false,
                    // Deltas that came before their part are older than it, and in order all the same.
                    newest_event: String::new(),
                });
                self.parts.len() - 1
            }
        };
        let early = self.early.remove(part_id).unwrap_or_default();
        let part = &mut self.parts[at];
        // While a part grows, the server shows less of it than the deltas told.
        let has_news = !text.is_empty() && (is_ended || text.len() > part.text.len());
        if has_news || (is_ended && text != part.text) {
            self.set(at, text, out);
        }
        let part = &mut self.parts[at];
        if is_ended {
            part.is_whole = true;
            part.has_gap = false;
            return;
        }
        for (event, delta) in early {
            self.delta(part_id, &event, delta, out);
        }
    }

    /// Events may have been lost: parts that are growing wait until they are whole.
    pub(crate) fn mark_gap(&mut self) {
        self.early.clear();
        for part in self.parts.iter_mut().filter(|part| !part.is_whole) {
            part.has_gap = true;
        }
    }

    /// The server took a part back.
    pub(crate) fn remove(&mut self, part_id: &str, out: &mut Vec<Piece>) {
        if let Some(&at) = self.index.get(part_id) {
            self.set(at, "", out);
            self.parts[at].is_whole = true;
        }
    }

    /// Brings the parts into the order of the messages and forgets those that are not listed: events that were
    /// lost may have introduced them in another.
    pub(crate) fn arrange(&mut self, order: &[&str], out: &mut Vec<Piece>) {
        let before =
            [Channel::Text, Channel::Reasoning].map(|channel| (channel, self.text(channel)));
        let place = |part: &TranscriptPart| order.iter().position(|id| *id == part.id);
        self.parts.retain(|part| place(part).is_some());
        self.parts.sort_by_key(place);
        self.index = self.parts.iter().enumerate().map(|(at, p)| (p.id.clone(), at)).collect();
        for (channel, text) in before {
            let delta = self.text(channel);
            if delta != text {
                let (message_id, part_id) =
                    match self.parts.iter().rev().find(|part| part.channel == channel) {
                        Some(part) => (part.message_id.clone(), part.id.clone()),
                        None => (String::new(), String::new()),
                    };
                out.push(Piece { channel, message_id, part_id, delta, replaces: true });
            }
        }
    }

    /// The text of a channel: what the host gets by appending every delta.
    pub(crate) fn text(&self, channel: Channel) -> String {
        let mut all = String::new();
        for part in self.parts.iter().filter(|p| p.channel == channel && !p.text.is_empty()) {
            if !all.is_empty() {
                all.push_str(BETWEEN);
            }
            all.push_str(&part.text);
        }
        all
    }

    fn keep_early(&mut self, part_id: &str, event_id: &str, delta: String) {
        if self.early.len() >= MAX_EARLY_PARTS && !self.early.contains_key(part_id) {
            return;
        }
        let kept = self.early.entry(part_id.to_owned()).or_default();
        if kept.iter().map(|(_, delta)| delta.len()).sum::<usize>() + delta.len() <= MAX_EARLY {
            kept.push((event_id.to_owned(), delta));
        }
    }

    fn set(&mut self, at: usize, text: &str, out: &mut Vec<Piece>) {
        let part = &mut self.parts[at];
        let is_first = part.text.is_empty();
        let is_last = !self.parts[at + 1..]
            .iter()
            .any(|p| p.channel == self.parts[at].channel && !p.text.is_empty());
        let part = &mut self.parts[at];
        match text.strip_prefix(part.text.as_str()) {
            Some("") => {}
            Some(rest) if is_last => {
                let rest = rest.to_owned();
                part.text = text.to_owned();
                self.append(at, is_first, rest, out);
            }
            _ => {
                part.text = text.to_owned();
                self.replace(at, out);
            }
        }
    }

    fn append(&self, at: usize, is_first: bool, delta: String, out: &mut Vec<Piece>) {
        let part = &self.parts[at];
        let others = |parts: &[TranscriptPart]| {
            parts.iter().any(|p| p.channel == part.channel && !p.text.is_empty())
        };
        if others(&self.parts[at + 1..]) {
            // A later part spoke before this one: only the whole text shows both in order.
            self.replace(at, out);
            return;
        }
        let delta =
            if is_first && others(&self.parts[..at]) { format!("{BETWEEN}{delta}") } else { delta };
        out.push(self.piece(at, delta, false));
    }

    fn replace(&self, at: usize, out: &mut Vec<Piece>) {
        out.push(self.piece(at, self.text(self.parts[at].channel), true));
    }

    fn piece(&self, at: usize, delta: String, replaces: bool) -> Piece {
        let part = &self.parts[at];
        Piece {
            channel: part.channel,
            message_id: part.message_id.clone(),
            part_id: part.id.clone(),
            delta,
            replaces,
        }
    }
}

/// Whether event `new` was made after event `old`. The clock in an event id has 48 bits and wraps.
fn is_later(new: &str, old: &str) -> bool {
    let clock = |id: &str| {
        let digits = id.split_once('_').map_or(id, |(_, rest)| rest).get(..12)?;
        u64::from_str_radix(digits, 16).ok()
    };
    match (clock(new), clock(old)) {
        (Some(new), Some(old)) => {
            let ahead = new.wrapping_sub(old) & 0xffff_ffff_ffff;
            ahead != 0 && ahead < 1 << 47
        }
        // Ids of another form say nothing about order.
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Channel::{Reasoning, Text};

    #[derive(Default)]
    struct Host {
        transcript: Transcript,
        shown: String,
        clock: u64,
    }

    impl Host {
        fn event(&mut self) -> String {
            self.clock += 1;
            format!("evt_{:012x}abc", self.clock)
        }
        fn show(&mut self, pieces: Vec<Piece>) {
            for piece in pieces.into_iter().filter(|p| p.channel == Text) {
                if piece.replaces {
                    self.shown.clear();
                }
                self.shown.push_str(&piece.delta);
            }
            assert_eq!(self.shown, self.transcript.text(Text));
        }
        fn delta(&mut self, part: &str, delta: &str) {
            let event = self.event();
            self.delta_at(part, &event, delta);
        }
        fn delta_at(&mut self, part: &str, event: &str, delta: &str) {
            let mut out = Vec::new();
            self.transcript.delta(part, event, delta.to_owned(), &mut out);
            self.show(out);
        }
        fn whole(&mut self, part: &str, text: &str, is_ended: bool) {
            self.event();
            let mut out = Vec::new();
            self.transcript.whole(Text, "msg", part, text, is_ended, &mut out);
            self.show(out);
        }
    }

    #[test]
    fn deltas_then_the_whole_part_say_everything_once() {
        let mut host = Host::default();
        host.whole("a", "", false);
        host.delta("a", "Hel");
        host.delta("a", "lo");
        assert_eq!(host.shown, "Hello");
        host.whole("a", "Hello", true);
        host.delta("a", "lo");
        assert_eq!(host.shown, "Hello");
    }

    #[test]
    fn deltas_before_the_part_wait_for_it() {
        let mut host = Host::default();
        host.delta("a", "Hel");
        assert_eq!(host.shown, "");
        host.whole("a", "", false);
        host.delta("a", "lo");
        assert_eq!(host.shown, "Hello");
    }

    #[test]
    fn after_a_gap_the_rest_comes_with_the_whole_part() {
        let mut host = Host::default();
        host.whole("a", "", false);
        host.delta("a", "one ");
        host.transcript.mark_gap();
        host.delta("a", "three");
        assert_eq!(host.shown, "one ");
        host.whole("a", "one two three", true);
        assert_eq!(host.shown, "one two three");
    }

    #[test]
    fn late_and_repeated_deltas_do_no_harm() {
        let mut host = Host::default();
        host.whole("a", "", false);
        let (first, second) = (host.event(), host.event());
        host.delta_at("a", &second, "two ");
        host.delta_at("a", &first, "one ");
        host.delta_at("a", &second, "two ");
        host.whole("a", "one two ", true);
        assert_eq!(host.shown, "one two ");
    }

    #[test]
    fn parts_are_paragraphs_and_empty_ones_do_not_count() {
        let mut host = Host::default();
        host.whole("a", "", false);
        host.delta("a", "p 0 p 1");
        host.whole("a", "", true);
        assert_eq!(host.shown, "", "a cut answer of the model is taken back");
        host.whole("b", "", false);
        host.delta("b", "ok");
        host.whole("c", "", false);
        host.delta("c", "more");
        assert_eq!(host.shown, "ok\n\nmore");
        host.whole("b", "okay", true);
        assert_eq!(host.shown, "okay\n\nmore");
    }

    #[test]
    fn channels_do_not_mix() {
        let mut host = Host::default();
        let mut out = Vec::new();
        host.transcript.whole(Reasoning, "msg", "r", "hm", true, &mut out);
        host.show(out);
        host.whole("a", "yes", true);
        assert_eq!(host.shown, "yes");
        assert_eq!(host.transcript.text(Reasoning), "hm");
    }

    #[test]
    fn parts_come_into_the_order_of_the_messages() {
        let mut host = Host::default();
        host.whole("b", "second", true);
        host.whole("a", "first", true);
        host.whole("x", "gone", true);
        let mut out = Vec::new();
        host.transcript.arrange(&["a", "b"], &mut out);
        assert_eq!(out.len(), 1);
        host.show(out);
        assert_eq!(host.shown, "first\n\nsecond");
        let mut out = Vec::new();
        host.transcript.arrange(&["a", "b"], &mut out);
        assert!(out.is_empty());
    }

    #[test]
    fn event_clocks_wrap() {
        assert!(is_later("evt_000000000001x", "evt_ffffffffffffx"));
        assert!(!is_later("evt_ffffffffffffx", "evt_000000000001x"));
        assert!(!is_later("evt_000000000001x", "evt_000000000001y"));
        assert!(is_later("whatever", "evt_000000000001y"));
    }
}
