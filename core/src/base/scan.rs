//! A walk over the bytes of a JSON text that was checked before: no tree, no recursion, no allocation. On a text that
//! is no JSON it ends too, with nothing of use.

use std::borrow::Cow;

/// Where the next byte lies that is no space.
pub fn after_spaces(body: &[u8], at: usize) -> usize {
    let rest = body.get(at..).unwrap_or_default();
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
    at + rest.iter().take_while(|byte| is_space(byte)).count()
}

/// Where the value ends that begins at `at`.
pub fn value_end(body: &[u8], at: usize) -> usize {
    match body.get(at) {
        Some(b'"') => string_end(body, at),
        Some(b'{' | b'[') => container_end(body, at),
        _ => {
            let rest = body.get(at..).unwrap_or_default();
            let is_over =
                |byte: &u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t');
            at + rest.iter().position(is_over).unwrap_or(rest.len())
        }
    }
}

fn container_end(body: &[u8], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while let Some(byte) = body.get(at) {
        match byte {
            b'"' => {
                at = string_end(body, at);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return at;
        }
    }
    body.len()
}

/// Bytes of a string that are looked at eight by eight: most are shorter, and a search takes a moment to begin.
const SHORT: usize = 32;

/// Where the string ends that begins at `at` with its quotation mark.
pub fn string_end(body: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    let long = at + SHORT;
    while let Some(byte) = body.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => {
                let rest = body.get(at..).unwrap_or_default();
                at += match rest.first_chunk::<8>() {
                    Some(eight) if at < long => ends(u64::from_le_bytes(*eight)),
                    _ => memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len()),
                };
            }
        }
    }
    body.len()
}

/// How many of eight bytes stand in front of a quotation mark or a backslash.
#[inline(always)]
fn ends(eight: u64) -> usize {
    (marks(eight) & HIGHEST).trailing_zeros() as usize / 8
}

/// A byte of value one in each of eight.
const ONES: u64 = u64::MAX / 255;
/// The bit of each of eight bytes in which [`marks`] and [`below`] tell what they found.
pub(super) const HIGHEST: u64 = ONES << 7;

/// Of eight bytes, the highest bit in the first that is a quotation mark or a backslash; what it has for those behind it, and
/// in other bits, means nothing.
#[inline(always)]
pub(super) fn marks(eight: u64) -> u64 {
    below(eight ^ (ONES * 0x22), 1) | below(eight ^ (ONES * 0x5C), 1)
}

/// The same for the first that is less than `bound`, which is at most 128.
#[inline(always)]
pub(super) fn below(eight: u64, bound: u64) -> u64 {
    eight.wrapping_sub(ONES * bound) & !eight
}

/// How many bytes stand in front of a quotation mark, a backslash or a control character: what of a string is as it looks.
pub fn plain(json: &[u8]) -> usize {
    let mut length = 0;
    for word in json.as_chunks::<8>().0 {
        let word = u64::from_le_bytes(*word);
        let found = (marks(word) | below(word, 0x20)) & HIGHEST;
        if found != 0 {
            return length + found.trailing_zeros() as usize / 8;
        }
        length += 8;
    }
    let rest = json.get(length..).unwrap_or_default();
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    length + rest.iter().position(is_special).unwrap_or(rest.len())
}

/// The name of a field, without its quotes and escapes.
pub fn name_of(body: &[u8], entry: Entry) -> Cow<'_, [u8]> {
    let quoted = body.get(entry.at..entry.name_end).unwrap_or_default();
    let raw = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    match memchr::memchr(b'\\', raw) {
        None => Cow::Borrowed(raw),
        Some(_) => {
            let name: String = serde_json::from_slice(quoted).unwrap_or_default();
            Cow::Owned(name.into_bytes())
        }
    }
}

/// Whether a field has this name.
pub fn is_named(body: &[u8], entry: Entry, name: &str) -> bool {
    let raw = body.get(entry.at + 1..(entry.name_end).saturating_sub(1));
    // Most names are what they look like.
    raw == Some(name.as_bytes()) && !name.contains('\\')
        || *name_of(body, entry) == *name.as_bytes()
}

/// A field of an object or an item of a list.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Where it begins: at the name of a field, or at the item.
    pub at: usize,
    /// Where the name of a field ends, with its quotes; `at` for an item.
    pub name_end: usize,
    /// Where the value begins.
    pub value: usize,
}

/// The entry that begins at `at`.
pub fn entry(body: &[u8], at: usize, is_object: bool) -> Entry {
    if !is_object {
        return Entry { at, name_end: at, value: at };
    }
    let name_end = string_end(body, at);
    // A colon stands behind the name.
    let value = after_spaces(body, after_spaces(body, name_end) + 1);
    Entry { at, name_end, value }
}

/// The entries of an object or list, one after the other.
#[derive(Debug)]
pub struct Entries<'a> {
    /// The whole text.
    pub body: &'a [u8],
    is_object: bool,
    /// Where the next entry begins.
    at: Option<usize>,
    /// The entry that was given last: it is passed over when the next one is asked for.
    last: Option<Entry>,
    /// Where the last entry that was passed over ends.
    pub end: usize,
}

impl<'a> Entries<'a> {
    /// All entries of the object or list that begins at `at`; none of another value.
    pub fn of(body: &'a [u8], at: usize) -> Self {
        let first = after_spaces(body, at + 1);
        let is_container = matches!(body.get(at), Some(b'{' | b'['));
        let is_entry = |byte: &&u8| is_container && !matches!(byte, b'}' | b']');
        let at_first = body.get(first).filter(is_entry).map(|_| first);
        Entries { at: at_first, end: first, ..Self::from(body, at, first) }
    }

    /// The entries from the one that begins at `entry`, of the object or list that begins at `at`.
    pub fn from(body: &'a [u8], at: usize, entry: usize) -> Self {
        let is_object = body.get(at) == Some(&b'{');
        Entries { body, is_object, at: Some(entry), last: None, end: entry }
    }
}

impl Iterator for Entries<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        if let Some(last) = self.last.take() {
            self.end = value_end(self.body, last.value);
            let comma = after_spaces(self.body, self.end);
            let is_more = self.body.get(comma) == Some(&b',');
            self.at = is_more.then(|| after_spaces(self.body, comma + 1));
        }
        let at = self.at.take().filter(|at| *at < self.body.len())?;
        self.last = Some(entry(self.body, at, self.is_object));
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_end_where_they_end() {
        for (body, length) in [
            ("12.5e3,", 6),
            ("null }", 4),
            ("true", 4),
            (r#""a\"]b" "#, 7),
            (r#"{"a}":[1,{"b":"]"}]}x"#, 20),
            ("[]", 2),
        ] {
            assert_eq!(value_end(body.as_bytes(), 0), length, "{body}");
        }
    }

    #[test]
    fn a_string_ends_at_its_quotation_mark_however_long_it_is() {
        for length in 0..100 {
            for filler in ["x", "\u{0}", "!", "#", "[", "]", "\u{a2}", "\u{dc}"] {
                let text = filler.repeat(length);
                for (body, behind) in [
                    (format!("\"{text}\""), 0),
                    (format!("\"{text}\",\"x\""), 4),
                    (format!("\"{text}\\\"{text}\\\\\" "), 1),
                ] {
                    assert_eq!(string_end(body.as_bytes(), 0), body.len() - behind, "{body}");
                }
                let open = format!("\"{text}");
                assert_eq!(string_end(open.as_bytes(), 0), open.len(), "{open}");
            }
        }
    }

    #[test]
    fn what_is_plain_ends_at_the_first_byte_that_is_not() {
        for length in 0..40 {
            for end in 0..=u8::MAX {
                let mut text = "\u{7f}ä ]".repeat(20).into_bytes();
                text.truncate(length);
                text.push(end);
                let is_special = matches!(end, b'"' | b'\\' | 0..0x20);
                assert_eq!(plain(&text), length + usize::from(!is_special), "{length} {end}");
                text.extend_from_slice(b"123456789\"");
                assert_eq!(
                    plain(&text),
                    length + if is_special { 0 } else { 10 },
                    "{length} {end}"
                );
            }
        }
    }

    #[test]
    fn what_is_no_json_ends_too() {
        for body in [
            "", "{", "[", "\"", "\"\\", "{\"a", "{\"a\"", "{\"a\":", "[1", "[1,", "]", "{]}",
            "[,]", "{:,:}",
        ] {
            let body = body.as_bytes();
            assert!(value_end(body, 0) <= body.len().max(1) + 1);
            for at in 0..=body.len() {
                assert!(Entries::of(body, at).count() <= body.len());
            }
        }
    }
}
