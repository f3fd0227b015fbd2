//! Values of a body by JSON pointer, without a tree: each object and each list that lies on a way is looked through
//! once, and where its values begin and end is remembered.

use opencode_core::pointer::{index, steps};
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::ops::Range;

/// Where the values of the objects and lists lie that were looked through, by their own places in the body.
#[derive(Debug, Default)]
pub(crate) struct Places(HashMap<(usize, usize), Inside>);

#[derive(Debug)]
enum Inside {
    Fields(HashMap<String, Range<usize>>),
    Items(Vec<Range<usize>>),
    /// Neither an object nor a list.
    Nothing,
}

impl Places {
    /// The text of the value that lies at a pointer (RFC 6901) of a body.
    pub(crate) fn find<'a>(&mut self, body: &'a [u8], pointer: &str) -> Option<&'a [u8]> {
        let mut steps = steps(pointer)?;
        if pointer.is_empty() {
            return serde_json::from_slice::<&RawValue>(body).ok().map(|raw| raw.get().as_bytes());
        }
        let whole = trimmed(body)?;
        let found = steps.try_fold(whole, |place, step| self.enter(body, place, &step))?;
        body.get(found)
    }

    fn enter(&mut self, body: &[u8], place: Range<usize>, step: &str) -> Option<Range<usize>> {
        let inside = self.0.entry((place.start, place.end)).or_insert_with(|| {
            let text = body.get(place.clone()).unwrap_or_default();
            // A slice of the body lies in it: its beginning is so far from that of the body.
            let range = |raw: &RawValue| {
                let start = (raw.get().as_ptr() as usize).saturating_sub(body.as_ptr() as usize);
                start..start + raw.get().len()
            };
            // Passing over a value needs no stack, however deep it is.
            let read = match text.first() {
                Some(b'{') => {
                    serde_json::from_slice::<HashMap<String, &RawValue>>(text).map(|all| {
                        Inside::Fields(all.into_iter().map(|(n, r)| (n, range(r))).collect())
                    })
                }
                Some(b'[') => serde_json::from_slice::<Vec<&RawValue>>(text)
                    .map(|all| Inside::Items(all.into_iter().map(range).collect())),
                _ => Ok(Inside::Nothing),
            };
            read.unwrap_or(Inside::Nothing)
        });
        match inside {
            Inside::Fields(fields) => fields.get(step).cloned(),
            Inside::Items(items) => items.get(index(step)?).cloned(),
            Inside::Nothing => None,
        }
    }
}

/// The kind of a value, by its first character.
pub(crate) fn kind(json: &[u8]) -> &'static std::ffi::CStr {
    match json.first() {
        Some(b'{') => c"object",
        Some(b'[') => c"array",
        Some(b'"') => c"string",
        Some(b't' | b'f') => c"boolean",
        Some(b'n') => c"null",
        _ => c"number",
    }
}

/// A body without the spaces around it; `None` when nothing is left.
fn trimmed(body: &[u8]) -> Option<Range<usize>> {
    let start = body.len() - body.trim_ascii_start().len();
    let end = body.trim_ascii_end().len();
    (start < end).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_where_they_lie() {
        let body =
            " {\"a/b\": {\"~\": [0, null, \"x\"]}, \"\": 1, \"d\": 1, \"d\": [ ], \"ä\\n\": 7} ";
        let mut places = Places::default();
        for (pointer, found) in [
            ("/a~1b/~0/0", Some("0")),
            ("/a~1b/~0/1", Some("null")),
            ("/a~1b/~0/2", Some("\"x\"")),
            ("/a~1b/~0/2/0", None),
            ("/a~1b/~0/3", None),
            ("/a~1b/~0/01", None),
            ("/a~1b/~0/-", None),
            ("/", Some("1")),
            ("/d", Some("[ ]")),
            ("/ä\n", Some("7")),
            ("/x", None),
            ("a", None),
            ("", Some(body.trim())),
        ] {
            let at = places.find(body.as_bytes(), pointer);
            assert_eq!(at, found.map(str::as_bytes), "{pointer}");
        }
        assert_eq!(Places::default().find(b"", ""), None);
        assert_eq!(Places::default().find(b"no json", "/a"), None);
        assert_eq!(Places::default().find(b"no json", ""), None);
        assert_eq!(Places::default().find(b"{\"a\":\"\xff\"}", "/a"), None);
    }

    #[test]
    #[allow(clippy::disallowed_methods)] // A stack of another size is what is tested.
    fn a_deep_value_needs_no_stack_and_a_long_list_is_looked_through_once() {
        let levels = 200_000;
        let deep = format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        let body = format!(r#"{{"type":"tool","input":{deep},"after":2}}"#);
        let small = std::thread::Builder::new().stack_size(32 << 10);
        let found = small.spawn(move || {
            let mut places = Places::default();
            let mut at = |pointer| places.find(body.as_bytes(), pointer).map(<[u8]>::len);
            (at("/type"), at("/after"), at("/input/0/0/0"), at("/input/x"))
        });
        let deep = 2 * levels + 1 - 6;
        assert_eq!(found.unwrap().join().unwrap(), (Some(6), Some(1), Some(deep), None));

        let list = format!("[{}]", vec![r#"{"id":"x"}"#; 20_000].join(","));
        let mut places = Places::default();
        for i in 0..20_000 {
            assert_eq!(places.find(list.as_bytes(), &format!("/{i}/id")), Some(&b"\"x\""[..]));
        }
        assert_eq!(places.0.len(), 20_001, "the list and its items");
    }
}
