//! How deep JSON is nested: counted in the bytes, before anything is built from them.
//!
//! A reader that follows every level with its own stack ends the whole process where the stack is small, and a
//! model may nest the input of a tool as deep as it likes. So the depth is looked at first, and what core reads
//! of deep values it reads level by level.

use crate::base::check::levels;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::scan::string_end;

/// Levels of lists and objects that an answer, an event or an argument may have.
pub const MAX_DEPTH: usize = 1_000;

/// Levels of what is handed to a host: updates, replies and pages put a few around what the server sent.
pub const MAX_HANDED_DEPTH: usize = MAX_DEPTH + 24;

/// The levels of lists and objects in a JSON text; 0 for a text, a number, true, false and null. One pass over
/// the bytes that needs no memory; what it says of a text that is no JSON means nothing.
pub fn json_depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest, mut at) = (0_usize, 0_usize, 0);
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => {
                at = string_end(json, at);
                continue;
            }
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    deepest
}

/// Refuses JSON that is nested deeper than [`MAX_DEPTH`]; `what` names the operation in the message.
///
/// # Errors
/// `decode` that says the depth and the limit.
pub fn check_depth(what: &str, json: &[u8]) -> Result<()> {
    refuse(what, excess(json))
}

/// The same for what was looked at.
pub(crate) fn refuse(what: &str, excess: Option<usize>) -> Result<()> {
    match excess {
        None => Ok(()),
        Some(depth) => Err(Error::new(ErrorKind::Decode, words(what, depth))),
    }
}

/// The same for what a host gives: `invalid_argument`.
pub(crate) fn check_given(what: &str, json: &str) -> Result<()> {
    excess(json.as_bytes()).map_or(Ok(()), |depth| Err(Error::invalid(words(what, depth))))
}

/// How deep JSON is that is nested deeper than [`MAX_DEPTH`].
pub(crate) fn excess(json: &[u8]) -> Option<usize> {
    look(json).excess
}

/// What a look at a text says of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Depth {
    /// How deep it is nested, where that is more than [`MAX_DEPTH`].
    pub(crate) excess: Option<usize>,
    /// It is JSON; false says nothing.
    pub(crate) is_json: bool,
}

/// Looks how deep a text is nested, and sees by the way whether it is JSON, where every byte has to be looked at.
pub(crate) fn look(json: &[u8]) -> Depth {
    // Most texts have fewer openings than the limit, and counting those is much faster than following them. Of a long text
    // the first part says that it has more.
    if json.len() <= MAX_DEPTH || openings(json) <= MAX_DEPTH {
        return Depth { excess: None, is_json: false };
    }
    let checked = levels(json);
    let depth = checked.unwrap_or_else(|| json_depth(json));
    Depth { excess: Some(depth).filter(|depth| *depth > MAX_DEPTH), is_json: checked.is_some() }
}

/// How many bytes could open a list or an object, as far as to the limit. In blocks of one length: then the processor counts
/// a block at a time.
fn openings(json: &[u8]) -> usize {
    // The two differ in one bit.
    let is_opening = |byte: &u8| u8::from(byte | 0x20 == b'{');
    let mut rest = json;
    let mut count = 0;
    while let Some((block, behind)) = rest.split_first_chunk::<64>()
        && count <= MAX_DEPTH
    {
        count += usize::from(block.iter().map(is_opening).sum::<u8>());
        rest = behind;
    }
    if count > MAX_DEPTH {
        return count;
    }
    count + rest.iter().map(|byte| usize::from(is_opening(byte))).sum::<usize>()
}

fn words(what: &str, depth: usize) -> String {
    format!("{what}: the JSON is nested {depth} levels deep; the limit is {MAX_DEPTH}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(levels: usize) -> String {
        let (open, close) = (r#"{"a":["#, "]}");
        format!("{}1{}", open.repeat(levels / 2), close.repeat(levels / 2))
    }

    #[test]
    fn levels_are_counted_and_texts_are_not() {
        for (json, depth) in [
            ("", 0),
            ("7", 0),
            (r#""[[[{""#, 0),
            ("[]", 1),
            (r#"[{"a":[1]},[],[[]]]"#, 3),
            (r#"{"[\"[":"]]]\\","b":[{}]}"#, 3),
            (r#"["\\",[1]]"#, 2),
            ("]]][", 1),
            (r#"["open"#, 1),
        ] {
            assert_eq!(json_depth(json.as_bytes()), depth, "{json}");
        }
        for before in 0..80 {
            let json = format!(r#"["{}\"[[[",[1]]"#, "x".repeat(before));
            assert_eq!(json_depth(json.as_bytes()), 2, "{json}");
        }
    }

    #[test]
    fn whatever_could_open_is_counted() {
        for length in [0, 1, 254, 255, 256, 511, 10_000] {
            for (text, each) in [("[{", 2), ("]};z\u{5b}", 1)] {
                let (found, all) = (openings(text.repeat(length).as_bytes()), each * length);
                assert!(found == all || (all > found && found > MAX_DEPTH), "{found} of {all}");
            }
        }
    }

    #[test]
    fn a_thousand_levels_are_taken_and_more_are_refused_in_one_line() {
        assert!(check_depth("x", nested(MAX_DEPTH).as_bytes()).is_ok());
        let many = format!("[{}]", vec![nested(6); 1_000].join(","));
        assert!(check_depth("x", many.as_bytes()).is_ok());
        let error = check_depth("session.get", nested(1_200).as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        let wanted = "session.get: the JSON is nested 1200 levels deep; the limit is 1000";
        assert_eq!(error.message(), wanted);
        assert_eq!(json_depth(nested(1_000_000).as_bytes()), 1_000_000);
        // What is no JSON is refused as well: it would go on the stack of a reader before it is seen to be wrong.
        let cut = &nested(1_200)[..4_000];
        assert_eq!(look(cut.as_bytes()), Depth { excess: Some(1_200), is_json: false });
        assert_eq!(look(many.as_bytes()), Depth { excess: None, is_json: true });
        let error = check_given("run", &nested(1_002)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    }
}
