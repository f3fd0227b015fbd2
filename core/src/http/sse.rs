//! [`Frames`]: the events of a stream (`text/event-stream`) out of its bytes, however they are cut.

use memchr::memchr2;
use std::ops::Range;

/// What of a longest event's memory is kept for the next one.
const KEPT: usize = 1 << 20;
/// The mark that may stand before the first line.
const BOM: &[u8] = b"\xEF\xBB\xBF";
/// What stands before the data, as servers write it.
const DATA: &[u8] = b"data: ";
/// No name that matters is longer, the mark included.
const MAX_NAME: usize = 16;

/// Puts events together. Only `data` is kept: the server uses no other field. Never holds more than one event.
pub(crate) struct Frames {
    max: usize,
    data: Vec<u8>,
    has_data: bool,
    /// The last event was given and is to be forgotten.
    is_given: bool,
    name: Vec<u8>,
    part: LinePart,
    is_first_line: bool,
    /// A comment came that nobody was told of.
    has_comment: bool,
    /// A line ended with CR: an LF that comes next belongs to it.
    is_after_cr: bool,
}

/// An event has more bytes than are taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Where in a line the next byte stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LinePart {
    Name,
    /// Behind `data:`, where one space may stand that does not count.
    Gap,
    Data,
    /// In a comment, or the value of a field that nobody needs.
    Rest,
}

impl Frames {
    /// Events of at most `max` bytes.
    pub(crate) fn new(max: usize) -> Self {
        Frames {
            max,
            data: Vec::new(),
            has_data: false,
            is_given: false,
            name: Vec::new(),
            part: LinePart::Name,
            is_first_line: true,
            has_comment: false,
            is_after_cr: false,
        }
    }

    /// Where the data lies of an event that stands whole at the front, as servers write it, and where the event ends: then
    /// nothing has to be put together. `None` says nothing.
    pub(crate) fn whole(&mut self, bytes: &[u8]) -> Option<(Range<usize>, usize)> {
        let is_between = self.part == LinePart::Name
            && self.name.is_empty()
            && !self.has_data
            && !self.is_after_cr
            && (self.is_given || self.data.is_empty());
        let data = bytes.strip_prefix(DATA).filter(|_| is_between)?;
        let length =
            memchr2(b'\r', b'\n', data).filter(|length| (1..=self.max).contains(length))?;
        data.get(length..)?.strip_prefix(b"\n\n")?;
        self.is_first_line = false;
        Some((DATA.len()..DATA.len() + length, DATA.len() + length + 2))
    }

    /// Takes bytes up to the end of an event, at most all: how many it took, and whether the event is whole.
    ///
    /// # Errors
    /// For an event that is too long; nothing can be read from the stream after it.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<(usize, bool), TooLong> {
        if std::mem::take(&mut self.is_given) {
            self.forget();
        }
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            let is_after_cr = std::mem::take(&mut self.is_after_cr);
            if !matches!(byte, b'\r' | b'\n') {
                let rest = bytes.get(at..).unwrap_or_default();
                let length = memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
                self.add(rest.get(..length).unwrap_or_default())?;
                at += length;
                continue;
            }
            at += 1;
            if byte == b'\n' && is_after_cr {
                continue;
            }
            self.is_after_cr = byte == b'\r';
            if self.end_line()? {
                return Ok((at, true));
            }
        }
        Ok((at, false))
    }

    /// Whether a comment came since this was asked last: what a server sends to show that it is there.
    pub(crate) fn took_comment(&mut self) -> bool {
        std::mem::take(&mut self.has_comment)
    }

    /// The data of the event that is whole.
    pub(crate) fn data(&mut self) -> &mut [u8] {
        &mut self.data
    }

    /// Adds a piece of a line.
    fn add(&mut self, piece: &[u8]) -> Result<(), TooLong> {
        match self.part {
            LinePart::Rest => Ok(()),
            LinePart::Data => self.append(piece),
            LinePart::Gap => {
                self.part = LinePart::Data;
                self.append(piece.strip_prefix(b" ").unwrap_or(piece))
            }
            LinePart::Name => match piece.iter().position(|byte| *byte == b':') {
                None if self.name.len() + piece.len() > MAX_NAME => {
                    self.part = LinePart::Rest;
                    Ok(())
                }
                None => {
                    self.name.extend_from_slice(piece);
                    Ok(())
                }
                Some(colon) => {
                    let (name, value) = piece.split_at(colon);
                    self.name.extend_from_slice(name.get(..MAX_NAME).unwrap_or(name));
                    if self.name() != b"data" {
                        self.part = LinePart::Rest;
                        return Ok(());
                    }
                    self.part = LinePart::Gap;
                    self.begin()?;
                    match value.get(1..) {
                        None | Some([]) => Ok(()),
                        Some(value) => self.add(value),
                    }
                }
            },
        }
    }

    /// Ends a line; whether an event ends with it.
    fn end_line(&mut self) -> Result<bool, TooLong> {
        let is_bare = self.part == LinePart::Name;
        let (is_blank, is_data) = (self.name().is_empty(), self.name() == b"data");
        self.name.clear();
        self.part = LinePart::Name;
        self.is_first_line = false;
        if is_bare && is_data {
            self.begin()?;
        }
        if !is_bare || !is_blank {
            self.has_comment |= is_blank;
            return Ok(false);
        }
        self.is_given = !self.data.is_empty();
        self.has_data = false;
        Ok(self.is_given)
    }

    fn name(&self) -> &[u8] {
        match self.name.strip_prefix(BOM) {
            Some(name) if self.is_first_line => name,
            _ => &self.name,
        }
    }

    /// Begins a line of data.
    fn begin(&mut self) -> Result<(), TooLong> {
        if std::mem::replace(&mut self.has_data, true) { self.append(b"\n") } else { Ok(()) }
    }

    fn append(&mut self, piece: &[u8]) -> Result<(), TooLong> {
        if self.data.len() + piece.len() > self.max {
            self.forget();
            return Err(TooLong);
        }
        self.data.extend_from_slice(piece);
        Ok(())
    }

    fn forget(&mut self) {
        self.data.clear();
        self.data.shrink_to(KEPT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The events of a text that comes in pieces of this length.
    fn read(text: &str, piece: usize) -> Vec<String> {
        let (mut frames, mut events) = (Frames::new(1_000), Vec::new());
        for mut bytes in text.as_bytes().chunks(piece) {
            while !bytes.is_empty() {
                if let Some((data, end)) = frames.whole(bytes) {
                    events.push(String::from_utf8(bytes[data].to_vec()).unwrap());
                    bytes = &bytes[end..];
                    continue;
                }
                let (taken, is_whole) = frames.take(bytes).unwrap();
                if is_whole {
                    events.push(String::from_utf8(frames.data().to_vec()).unwrap());
                }
                bytes = &bytes[taken..];
            }
        }
        events
    }

    #[test]
    fn events_are_read_however_they_are_written_and_cut() {
        for (text, events) in [
            ("data: a\n\n", vec!["a"]),
            ("data:a\r\n\r\ndata:  b\r\n\r\n", vec!["a", " b"]),
            ("data: a\r\rdata: b\r\r", vec!["a", "b"]),
            ("data: a\n\r\ndata: b\r\n\r", vec!["a", "b"]),
            ("\u{feff}data: a\n\n\u{feff}data: b\n\n", vec!["a"]),
            ("\u{feff}\ndata: a\n\n", vec!["a"]),
            ("data: a\ndata\ndata:\ndata: b\n\n", vec!["a\n\n\nb"]),
            (": a comment\n\nevent: x\nid: 1\ndata: a\nretry: 5\n:\n\n", vec!["a"]),
            ("database: x\ndata : x\nDATA: x\n data: x\nnonsense\n\ndata: a\n\n", vec!["a"]),
            ("data\n\ndata:\n\n\n\ndata: a: b\n\n", vec!["a: b"]),
            (
                "data: a long name without a colon\n\nx0123456789012345678901\n\n",
                vec!["a long name without a colon"],
            ),
            ("data: ends without a blank line\n", vec![]),
            ("data: a\n\ndata: \n\ndata: b\n\n\ndata: c\n\n", vec!["a", "b", "c"]),
            ("data: a\ndata: b\n\ndata: c\n\n", vec!["a\nb", "c"]),
            ("x\ndata: a\n\n: x\ndata: b\n\n", vec!["a", "b"]),
            ("data: a\r\n\ndata: b\n\r\ndata: c\n\n", vec!["a", "b", "c"]),
        ] {
            for piece in 1..=text.len() {
                assert_eq!(read(text, piece), events, "{text:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn an_event_ends_with_its_last_byte() {
        // Behind a CR an LF may come, but nobody waits for it.
        let mut frames = Frames::new(100);
        assert_eq!(frames.take(b"data: a\r\r"), Ok((9, true)));
        assert_eq!(frames.data(), b"a");
        assert_eq!(frames.take(b"\ndata: b\n\ndata: c"), Ok((10, true)));
        assert_eq!(frames.data(), b"b");
    }

    #[test]
    fn comments_are_noticed() {
        let mut frames = Frames::new(100);
        for (text, is_comment) in [
            (": beat\n\n", true),
            ("data: a\n\n", false),
            (": be", false),
            ("at\n", true),
            ("event: :\n", false),
            (":\n", true),
        ] {
            frames.take(text.as_bytes()).unwrap();
            assert_eq!(frames.took_comment(), is_comment, "{text:?}");
        }
    }

    #[test]
    fn memory_is_bounded() {
        for line in ["data: x\n", "data:\n", "data: ", "data\r"] {
            let mut frames = Frames::new(1 << 15);
            let flood = line.repeat(1 << 16);
            assert_eq!(frames.take(flood.as_bytes()), Err(TooLong), "{line:?}");
        }
        let mut frames = Frames::new(100);
        for line in [": comment", "event: x", "nonsense", "x"] {
            let flood = line.repeat(1_000);
            for _ in 0..100 {
                assert_eq!(frames.take(flood.as_bytes()), Ok((flood.len(), false)));
            }
            assert!(frames.name.capacity() + frames.data.capacity() < 500, "{line:?}");
            frames.take(b"\n").unwrap();
        }
        let mut frames = Frames::new(8 << 20);
        let long = format!("data: {}\n\n", "x".repeat(4 << 20));
        assert_eq!(frames.take(long.as_bytes()), Ok((long.len(), true)));
        frames.take(b"data: a").unwrap();
        assert!(frames.data.capacity() <= KEPT, "one long event does not cost its memory for ever");
    }
}
