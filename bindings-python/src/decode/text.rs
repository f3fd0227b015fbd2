//! The leaves of JSON: texts and numbers.

use opencode_core::scan::plain;

/// A text: as it stands in the document, or with its escapes resolved.
pub(super) enum Text<'a> {
    Plain(&'a str),
    Made(String),
}

impl Text<'_> {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Text::Plain(text) => text,
            Text::Made(text) => text,
        }
    }
}

/// A number. JSON sets no bounds to integers, and neither does Python.
pub(super) enum Number<'a> {
    Small(i64),
    /// Its digits.
    Large(&'a str),
    Float(f64),
}

/// The text that begins with the quotation mark at `begin`, and how many bytes it takes.
pub(super) fn text(json: &str, begin: usize) -> Option<(Text<'_>, usize)> {
    let bytes = json.as_bytes();
    let mut at = begin + 1;
    let mut has_escapes = false;
    loop {
        at += plain(bytes.get(at..)?);
        match bytes.get(at)? {
            b'"' => break,
            // What is escaped is looked at when it is resolved.
            b'\\' => {
                has_escapes = true;
                at += 2;
            }
            _ => return None,
        }
    }
    let found = if has_escapes {
        Text::Made(serde_json::from_str(json.get(begin..=at)?).ok()?)
    } else {
        Text::Plain(json.get(begin + 1..at)?)
    };
    Some((found, at + 1 - begin))
}

/// The number at the front, and how many bytes it takes.
pub(super) fn number(json: &[u8]) -> Option<(Number<'_>, usize)> {
    let digits = |from: usize| {
        let rest = json.get(from..).unwrap_or_default();
        rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len())
    };
    let start = usize::from(json.first() == Some(&b'-'));
    let whole = digits(start);
    if whole == 0 || (whole > 1 && json[start] == b'0') {
        return None;
    }
    let mut end = start + whole;
    let mut is_float = false;
    if json.get(end) == Some(&b'.') {
        let count = digits(end + 1);
        if count == 0 {
            return None;
        }
        (is_float, end) = (true, end + 1 + count);
    }
    if matches!(json.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(json.get(end + 1), Some(b'+' | b'-')));
        let count = digits(end + 1 + sign);
        if count == 0 {
            return None;
        }
        (is_float, end) = (true, end + 1 + sign + count);
    }
    let text = std::str::from_utf8(json.get(..end)?).ok()?;
    let found = if is_float {
        // One that is too large for a float is infinite, as for the `json` of Python.
        Number::Float(text.parse().ok()?)
    } else {
        text.parse().map_or(Number::Large(text), Number::Small)
    };
    Some((found, end))
}
