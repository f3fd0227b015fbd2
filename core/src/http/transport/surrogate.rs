//! Half characters in JSON: the server cuts texts between the two halves of an emoji, and sends the half as `\ud83d`.
//!
//! That is no text in any host language, and most readers refuse the whole document for it.

use memchr::memmem::Finder;
use std::borrow::Cow;
use std::sync::LazyLock;

/// Made once: an event is shorter than what it takes to make one.
static ESCAPES: LazyLock<Finder> = LazyLock::new(|| Finder::new(b"\\u"));

/// The same where the document must stay as it is. Nearly none has such an escape.
pub(super) fn without_lone(json: &[u8]) -> Cow<'_, [u8]> {
    if ESCAPES.find(json).is_none() {
        return Cow::Borrowed(json);
    }
    let mut changed = json.to_vec();
    replace_lone(&mut changed);
    Cow::Owned(changed)
}

/// Replaces every half character that stands alone by U+FFFD, in place. The length stays the same.
///
/// Nothing but the escape `\\u` is looked for: documents are megabytes, full of other escapes.
pub(super) fn replace_lone(json: &mut [u8]) {
    let finder = &*ESCAPES;
    let mut at = 0;
    while let Some(found) = json.get(at..).and_then(|rest| finder.find(rest)) {
        let begin = at + found;
        let before = json.get(..begin).unwrap_or_default();
        let slashes = before.iter().rev().take_while(|byte| **byte == b'\\').count();
        at = begin
            + match unit(json, begin) {
                // Behind an odd number of backslashes this one is the second half of another escape.
                _ if slashes % 2 == 1 => 2,
                Some(0xD800..=0xDBFF) if matches!(unit(json, begin + 6), Some(0xDC00..=0xDFFF)) => {
                    12
                }
                Some(0xD800..=0xDFFF) => {
                    json[begin + 2..begin + 6].copy_from_slice(b"fffd");
                    6
                }
                Some(_) => 6,
                None => 2,
            };
    }
}

/// The UTF-16 unit of the escape `\uXXXX` that stands at `at`.
fn unit(json: &[u8], at: usize) -> Option<u32> {
    let digits = json.get(at..at + 6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(json: &str) -> String {
        let mut bytes = json.as_bytes().to_vec();
        replace_lone(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn halves_are_replaced_and_nothing_else_is() {
        for (json, wanted) in [
            (r#""a\ud83d b""#, r#""a\ufffd b""#),
            (r#""\uDE00""#, r#""\ufffd""#),
            (r#""\ude00\ud83d""#, r#""\ufffd\ufffd""#),
            (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#""\ud83d\n""#, r#""\ufffd\n""#),
            (r#""\ud83d\\ude00""#, r#""\ufffd\\ude00""#),
        ] {
            assert_eq!(replaced(json), wanted);
            assert_eq!(&*without_lone(json.as_bytes()), wanted.as_bytes());
            assert!(serde_json::from_str::<String>(wanted).is_ok());
        }
        for json in
            [r#""\ud83d\ude00""#, r#""\\ud83d""#, r#""\u00e4 \" \\""#, r#""\"#, r#""\ud8"#, ""]
        {
            assert_eq!(replaced(json), json);
            assert_eq!(&*without_lone(json.as_bytes()), json.as_bytes());
        }
    }

    #[test]
    fn a_half_is_found_wherever_it_stands() {
        for before in 0..200 {
            let json = format!("\"{}\\udc00{}\"", "x".repeat(before), "y".repeat(200 - before));
            assert_eq!(replaced(&json), json.replace("dc00", "fffd"), "{before}");
        }
    }
}
