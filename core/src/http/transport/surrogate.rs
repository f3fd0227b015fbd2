//! Half characters in JSON: the server cuts texts between the two halves of an emoji, and sends the half as `\ud83d`.
//!
//! That is no text in any host language, and most readers refuse the whole document for it.

/// Replaces every half character that stands alone by U+FFFD, in place. The length stays the same.
pub(super) fn replace_lone(json: &mut [u8]) {
    let mut at = 0;
    while let Some(found) = json.get(at..).and_then(find_backslash) {
        at += found;
        at += match unit(json, at) {
            Some(0xD800..=0xDBFF) if matches!(unit(json, at + 6), Some(0xDC00..=0xDFFF)) => 12,
            Some(0xD800..=0xDFFF) => {
                json[at + 2..at + 6].copy_from_slice(b"fffd");
                6
            }
            Some(_) => 6,
            // Some other escape, whose second byte may be a backslash too.
            None => 2,
        };
    }
}

/// The UTF-16 unit of the escape `\uXXXX` that stands at `at`.
fn unit(json: &[u8], at: usize) -> Option<u32> {
    let digits = json.get(at..at + 6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
}

fn find_backslash(bytes: &[u8]) -> Option<usize> {
    // A block at a time, without a branch for each byte: documents are megabytes.
    const BLOCK: usize = 64;
    let is_there = |block: &[u8]| block.iter().fold(false, |any, byte| any | (*byte == b'\\'));
    let blocks = bytes.chunks(BLOCK).position(is_there)?;
    let rest = bytes[blocks * BLOCK..].iter().position(|byte| *byte == b'\\')?;
    Some(blocks * BLOCK + rest)
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
            assert!(serde_json::from_str::<String>(wanted).is_ok());
        }
        for json in
            [r#""\ud83d\ude00""#, r#""\\ud83d""#, r#""\u00e4 \" \\""#, r#""\"#, r#""\ud8"#, ""]
        {
            assert_eq!(replaced(json), json);
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
