//! Whether a text is JSON, and how deep: one pass over the bytes that builds nothing.

use crate::base::scan::{HIGHEST, below, marks};

/// The levels of lists and objects in a JSON text; `None` for what is no JSON. As strict as a reader of values, but for the
/// bytes of strings: whether they are UTF-8 is another question.
pub(crate) fn levels(json: &[u8]) -> Option<usize> {
    let mut deepest = 0;
    let rest = after_value(after_spaces(json), &mut deepest)?;
    after_spaces(rest).is_empty().then_some(deepest)
}

/// Behind the value at the front, whose levels `deepest` is raised to; `None` where it is no JSON. What it follows it keeps
/// in a bit a level.
pub(crate) fn after_value<'a>(mut rest: &'a [u8], deepest: &mut usize) -> Option<&'a [u8]> {
    let mut around = Around::default();
    loop {
        let (first, behind) = rest.split_first()?;
        rest = match first {
            b'"' => after_string(behind)?,
            b'{' | b'[' => {
                let is_object = *first == b'{';
                let inside = after_spaces(behind);
                *deepest = (*deepest).max(around.depth + 1);
                match inside.split_first()? {
                    // The closing ones lie two behind the opening ones.
                    (close, behind) if *close == first + 2 => behind,
                    _ => {
                        around.push(is_object);
                        rest = if is_object { after_name(inside)? } else { inside };
                        continue;
                    }
                }
            }
            b't' => behind.strip_prefix(b"rue")?,
            b'f' => behind.strip_prefix(b"alse")?,
            b'n' => behind.strip_prefix(b"ull")?,
            b'-' => {
                let (first, behind) = behind.split_first()?;
                after_number(*first, behind)?
            }
            first => after_number(*first, behind)?,
        };
        // Behind a value.
        loop {
            if around.depth == 0 {
                return Some(rest);
            }
            rest = after_spaces(rest);
            let (next, behind) = rest.split_first()?;
            let is_object = around.is_object();
            if *next == b',' {
                rest = after_spaces(behind);
                if is_object {
                    rest = after_name(rest)?;
                }
                break;
            }
            if *next != if is_object { b'}' } else { b']' } {
                return None;
            }
            around.pop();
            rest = behind;
        }
    }
}

/// Which of the values around are objects, and not lists.
#[derive(Default)]
struct Around {
    depth: usize,
    /// The innermost 64, a bit each.
    near: u64,
    far: Vec<u64>,
}

impl Around {
    #[inline(always)]
    fn is_object(&self) -> bool {
        self.near & 1 == 1
    }

    #[inline(always)]
    fn push(&mut self, is_object: bool) {
        if self.depth.is_multiple_of(64) && self.depth > 0 {
            self.far.push(self.near);
        }
        self.near = (self.near << 1) | u64::from(is_object);
        self.depth += 1;
    }

    #[inline(always)]
    fn pop(&mut self) {
        self.depth -= 1;
        self.near >>= 1;
        if self.depth.is_multiple_of(64)
            && let Some(near) = self.far.pop()
        {
            self.near = near;
        }
    }
}

#[inline(always)]
pub(crate) fn after_spaces(mut rest: &[u8]) -> &[u8] {
    // Mostly there is none, which is known at one look.
    while let [first, behind @ ..] = rest
        && *first <= b' '
        && matches!(first, b' ' | b'\n' | b'\r' | b'\t')
    {
        rest = behind;
    }
    rest
}

/// The value behind a name.
#[inline(always)]
fn after_name(rest: &[u8]) -> Option<&[u8]> {
    let rest = after_spaces(after_string(rest.strip_prefix(b"\"")?)?);
    Some(after_spaces(rest.strip_prefix(b":")?))
}

/// Behind a string, whose first quotation mark was passed.
#[inline(always)]
fn after_string(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        while let Some((eight, behind)) = rest.split_first_chunk::<8>() {
            let ends = ends(u64::from_le_bytes(*eight));
            if ends != 0 {
                rest = rest.get(ends.trailing_zeros() as usize / 8..)?;
                break;
            }
            rest = behind;
        }
        let (first, behind) = rest.split_first()?;
        rest = match first {
            b'"' => return Some(behind),
            b'\\' => after_escape(behind)?,
            0..0x20 => return None,
            // Fewer than eight are left.
            _ => behind,
        };
    }
}

/// Of eight bytes, a bit in the first that is a quotation mark, a backslash or a control character; what it has for those behind
/// it means nothing.
#[inline(always)]
fn ends(eight: u64) -> u64 {
    (marks(eight) | below(eight, 0x20)) & HIGHEST
}

#[inline(always)]
fn after_escape(rest: &[u8]) -> Option<&[u8]> {
    match rest.split_first()? {
        (b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', behind) => Some(behind),
        (b'u', behind) => {
            let (digits, behind) = behind.split_first_chunk::<4>()?;
            digits.iter().all(u8::is_ascii_hexdigit).then_some(behind)
        }
        _ => None,
    }
}

/// Behind a number that begins with this digit.
#[inline(always)]
fn after_number(first: u8, behind: &[u8]) -> Option<&[u8]> {
    let mut rest = match first {
        b'0' => behind,
        b'1'..=b'9' => after_digits(behind),
        _ => return None,
    };
    if let [b'.', behind @ ..] = rest {
        rest = after_some_digits(behind)?;
    }
    if let [b'e' | b'E', behind @ ..] = rest {
        let digits = match behind {
            [b'+' | b'-', behind @ ..] => behind,
            _ => behind,
        };
        rest = after_some_digits(digits)?;
    }
    Some(rest)
}

fn after_some_digits(rest: &[u8]) -> Option<&[u8]> {
    match rest {
        [b'0'..=b'9', behind @ ..] => Some(after_digits(behind)),
        _ => None,
    }
}

#[inline(always)]
fn after_digits(mut rest: &[u8]) -> &[u8] {
    while let [b'0'..=b'9', behind @ ..] = rest {
        rest = behind;
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::depth::json_depth;
    use serde::de::IgnoredAny;

    /// Whether a reader of values takes it.
    fn is_read(json: &[u8]) -> bool {
        serde_json::from_slice::<IgnoredAny>(json).is_ok()
    }

    const TEXTS: &[&str] = &[
        r#"{"a":[1,-2.5e+3,0,-0,0.10E9,1e5],"b":{"c":[true,false,null,[],{}]},"d":"x\n\u00e4\"\\/\/\b\f\r\t"}"#,
        " [ 1 , 2 ] ",
        "\t{\r\n \"a\" : \"b\" , \"c\":\t[ [ [ ] ] ] }\n",
        r#""a text that is longer than eight bytes, with \"quotes\" and für beide""#,
        "\"\u{7f}\u{80}\u{a2}\u{dc}\u{ff}\u{122}\u{15c}\"",
        "123456789012345678901234567890",
        "-1.0e-10",
        "null",
        "[[[[[[[[{\"a\":[[[]]]}]]]]]]]]",
    ];

    #[test]
    fn what_a_reader_takes_is_taken_and_its_levels_are_counted() {
        for text in TEXTS {
            assert!(is_read(text.as_bytes()), "{text}");
            assert_eq!(levels(text.as_bytes()), Some(json_depth(text.as_bytes())), "{text}");
        }
        for depth in [1, 63, 64, 65, 127, 128, 129, 200, 1_000, 100_000] {
            let text = format!("{}1{}", r#"{"a":["#.repeat(depth), "]}".repeat(depth));
            assert_eq!(levels(text.as_bytes()), Some(2 * depth));
            let wrong = format!("{}1{}", r#"{"a":["#.repeat(depth), "}]".repeat(depth));
            assert_eq!(levels(wrong.as_bytes()), None);
            // The kinds of the levels far outside are known at the end.
            let mixed = format!("[{}1{}]", r#"{"a":"#.repeat(depth), "}".repeat(depth));
            assert_eq!(levels(mixed.as_bytes()), Some(depth + 1));
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in [
            "",
            " ",
            "{",
            "}",
            "[",
            "]",
            "[1",
            "[1,",
            "[1,]",
            "[,1]",
            "[1 2]",
            "[1}",
            "{1:2}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\":1 \"b\":2}",
            "{,}",
            "{]",
            "[}",
            "01",
            "-",
            "-a",
            "1.",
            ".5",
            "1e",
            "1e+",
            "+1",
            "tru",
            "truex",
            "nulll",
            "True",
            "\"",
            "\"a",
            "\"\\\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\\u12",
            "\"a\nb\"",
            "\"0123456789\u{1f}\"",
            "1 2",
            "[]]",
            "{}{}",
            "\u{feff}1",
            "'a'",
            "\"a\":1",
            "NaN",
            "\u{a0}1",
        ] {
            assert!(!is_read(text.as_bytes()), "{text}");
            assert_eq!(levels(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn it_is_as_strict_as_a_reader_wherever_a_byte_is_wrong() {
        for text in TEXTS {
            for at in 0..text.len() {
                let cut = &text.as_bytes()[..at];
                assert_eq!(levels(cut).is_some(), is_read(cut), "{text} up to {at}");
                for byte in 0..=u8::MAX {
                    let mut other = text.as_bytes().to_vec();
                    other[at] = byte;
                    let (mine, wanted) = (levels(&other).is_some(), is_read(&other));
                    assert_eq!(mine, wanted, "{}", String::from_utf8_lossy(&other));
                }
            }
        }
    }
}
