//! Values of a body by JSON pointer, without a tree. Short objects and lists are walked through at every look; of long
//! ones it is remembered what lies where, with a few bytes for some kilobytes of body.

use opencode_core::pointer::{index, steps};
use opencode_core::scan::{Entries, Entry, after_spaces, entry, is_named, name_of};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// Bytes that are walked through again rather than remembered.
const STRIDE: usize = 4096;

/// Names that are remembered of one object; those behind them are looked for by walking.
const NAMES: usize = 1 << 20;

/// What is known of the long objects and lists that were looked into, by where they begin.
#[derive(Debug, Default)]
pub(crate) struct Places {
    known: HashMap<usize, Inside>,
    hasher: RandomState,
}

/// What is known of one object or list.
#[derive(Debug, Default)]
struct Inside {
    /// Entries at least [`STRIDE`] bytes apart: their index and where they begin.
    marks: Vec<(usize, usize)>,
    /// The number of entries, once all were seen: of an object, always.
    count: Option<usize>,
    /// Of an object: where its last entry begins that begins in the first [`STRIDE`] bytes.
    head_end: usize,
    /// Of an object: where the entries behind those begin, by the hash of their name. Of two with one name, the last.
    names: HashMap<u64, usize>,
    /// Where the first entry begins that found no room in `names`.
    unnamed: Option<usize>,
}

impl Places {
    /// Where the value begins that lies at a pointer (RFC 6901) of a body that is JSON.
    pub(crate) fn find(&mut self, body: &[u8], pointer: &str) -> Option<usize> {
        let start = after_spaces(body, 0);
        body.get(start)?;
        if pointer.is_empty() {
            return Some(start);
        }
        steps(pointer)?.try_fold(start, |at, step| match body.get(at)? {
            b'{' => self.field(body, at, &step),
            b'[' => Some(self.nth(body, at, index(&step)?)?.value),
            _ => None,
        })
    }

    /// How many entries the object or list has that begins at `at`; `None` for another value.
    pub(crate) fn count(&mut self, body: &[u8], at: usize) -> Option<usize> {
        let is_object = is_object(body, at)?;
        match self.known.get(&at).and_then(|inside| inside.count) {
            Some(count) => Some(count),
            None if is_object => Some(self.walk_object(body, at, None).1),
            // No list has so many items.
            None => Some(self.walk_to(body, at, usize::MAX).1),
        }
    }

    /// The entry with this index of an object or list.
    pub(crate) fn nth(&mut self, body: &[u8], at: usize, wanted: usize) -> Option<Entry> {
        if is_object(body, at)? && !self.known.contains_key(&at) {
            self.walk_object(body, at, None);
        }
        self.walk_to(body, at, wanted).0
    }

    /// Walks to the entry with this index, from the last one before it that is known. Gives the entry, or how many
    /// there are.
    fn walk_to(&mut self, body: &[u8], at: usize, wanted: usize) -> (Option<Entry>, usize) {
        let inside = self.known.get(&at);
        if let Some(count) = inside.and_then(|inside| inside.count)
            && wanted >= count
        {
            return (None, count);
        }
        let marks = inside.map_or(&[][..], |inside| &inside.marks);
        let behind = marks.partition_point(|(index, _)| *index <= wanted);
        let mark = behind.checked_sub(1).and_then(|before| marks.get(before));
        let mut marked = marks.last().map_or(at, |(_, begin)| *begin);
        let (mut number, entries) = match mark {
            Some((number, begin)) => (*number, Entries::from(body, at, *begin)),
            None => (0, Entries::of(body, at)),
        };
        for entry in entries {
            if entry.at >= marked + STRIDE {
                self.known.entry(at).or_default().marks.push((number, entry.at));
                marked = entry.at;
            }
            if number == wanted {
                return (Some(entry), number);
            }
            number += 1;
        }
        if let Some(inside) = self.known.get_mut(&at) {
            inside.count = Some(number);
        }
        (None, number)
    }

    /// Where the value of a field begins. Of two with one name it is the last, as in every tree.
    fn field(&mut self, body: &[u8], at: usize, name: &str) -> Option<usize> {
        let Some(inside) = self.known.get(&at) else {
            return self.walk_object(body, at, Some(name)).0;
        };
        if let Some(begin) = inside.unnamed
            && let Some(found) = last_named(Entries::from(body, at, begin), name, usize::MAX)
        {
            return Some(found);
        }
        let Some(begin) = inside.names.get(&self.hasher.hash_one(name.as_bytes())) else {
            return last_named(Entries::of(body, at), name, inside.head_end);
        };
        let entry = entry(body, *begin, true);
        match is_named(body, entry, name) {
            true => Some(entry.value),
            // Another name has the same hash.
            false => last_named(Entries::of(body, at), name, usize::MAX),
        }
    }

    /// Walks through a whole object: where the value of the last field with this name begins, and how many fields
    /// there are. What lies in a long one is remembered.
    fn walk_object(
        &mut self,
        body: &[u8],
        at: usize,
        name: Option<&str>,
    ) -> (Option<usize>, usize) {
        let mut inside = Inside::default();
        let (mut found, mut count, mut marked) = (None, 0, at);
        let mut entries = Entries::of(body, at);
        for entry in entries.by_ref() {
            if name.is_some_and(|name| is_named(body, entry, name)) {
                found = Some(entry.value);
            }
            if entry.at < at + STRIDE {
                inside.head_end = entry.at;
            } else if inside.names.len() < NAMES {
                let hash = self.hasher.hash_one(&*name_of(body, entry));
                inside.names.insert(hash, entry.at);
            } else if inside.unnamed.is_none() {
                inside.unnamed = Some(entry.at);
            }
            if entry.at >= marked + STRIDE {
                inside.marks.push((count, entry.at));
                marked = entry.at;
            }
            count += 1;
        }
        if entries.end >= at + STRIDE {
            inside.count = Some(count);
            self.known.insert(at, inside);
        }
        (found, count)
    }
}

/// Where the value of the last field with this name begins, up to the field that begins at `end`. That one may be as
/// long as the body: it is not walked over.
fn last_named(entries: Entries<'_>, name: &str, end: usize) -> Option<usize> {
    let body = entries.body;
    let mut found = None;
    for entry in entries {
        if is_named(body, entry, name) {
            found = Some(entry.value);
        }
        if entry.at == end {
            break;
        }
    }
    found
}

/// Whether it is an object or a list that begins there; `None` when it is neither.
fn is_object(body: &[u8], at: usize) -> Option<bool> {
    match body.get(at)? {
        b'{' => Some(true),
        b'[' => Some(false),
        _ => None,
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

#[cfg(test)]
mod tests {
    use super::*;
    use opencode_core::scan::value_end;

    fn at<'a>(places: &mut Places, body: &'a str, pointer: &str) -> Option<&'a str> {
        let start = places.find(body.as_bytes(), pointer)?;
        body.get(start..value_end(body.as_bytes(), start))
    }

    #[test]
    fn values_are_found_where_they_lie() {
        let body = " {\"a/b\": {\"~\": [0, null, \"x\"]}, \"\": 1, \"d\": 1, \"d\": [ ], \"ä\\n\": 7, \"\\\\n\": 8} ";
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
            ("/\\n", Some("8")),
            ("/x", None),
            ("a", None),
            ("", Some(body.trim())),
        ] {
            assert_eq!(at(&mut places, body, pointer), found, "{pointer}");
        }
        assert_eq!(places.known.len(), 0, "nothing long is there");
        assert_eq!(Places::default().find(b"", ""), None);
    }

    #[test]
    #[allow(clippy::disallowed_methods)] // A stack of another size is what is tested.
    fn a_deep_value_needs_no_stack() {
        let levels = 200_000;
        let deep = format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        let body = format!(r#"{{"type":"tool","input":{deep},"after":2}}"#);
        let small = std::thread::Builder::new().stack_size(32 << 10);
        let found = small.spawn(move || {
            let mut places = Places::default();
            let mut at = |pointer: &str| at(&mut places, &body, pointer).map(str::len);
            (
                at("/type"),
                at("/after"),
                at("/input/0/0/0"),
                at(&format!("/input{}", "/0".repeat(levels))),
                at("/input/x"),
            )
        });
        let deep = 2 * levels + 1 - 6;
        assert_eq!(found.unwrap().join().unwrap(), (Some(6), Some(1), Some(deep), Some(1), None));
    }

    #[test]
    fn long_objects_and_lists_are_the_same_as_their_trees() {
        let long = "x".repeat(3000);
        let list: Vec<_> =
            (0..2000).map(|i| if i % 97 == 0 { long.clone() } else { i.to_string() }).collect();
        let mut fields: Vec<_> = (0..2000).map(|i| format!("\"k{i}\": {i}")).collect();
        fields.insert(5, format!("\"list\": {}", serde_json::to_string(&list).unwrap()));
        // In the head, behind it and with an escape: the last of one name is found.
        fields.extend(
            ["\"k3\": \"last\"", "\"k1500\": \"last\"", "\"k\\u0034\": \"last\""]
                .map(str::to_owned),
        );
        let body = format!("{{ {} }}", fields.join(" , "));
        let tree: serde_json::Value = serde_json::from_str(&body).unwrap();
        for order in [0, 1] {
            let mut places = Places::default();
            let check = |places: &mut Places, pointer: &str| {
                let found =
                    at(places, &body, pointer).map(|json| serde_json::from_str(json).unwrap());
                assert_eq!(found.as_ref(), tree.pointer(pointer), "{pointer}");
            };
            for step in 0..2000 {
                let i = if order == 0 { step } else { (step * 7919) % 2000 };
                check(&mut places, &format!("/k{i}"));
                check(&mut places, &format!("/list/{i}"));
            }
            check(&mut places, "/list/2000");
            check(&mut places, "/none");
            let list = places.find(body.as_bytes(), "/list").unwrap();
            assert_eq!(places.count(body.as_bytes(), list), Some(2000));
            assert_eq!(places.count(body.as_bytes(), 0), Some(2004));
            let named = |places: &mut Places, index| {
                let entry = places.nth(body.as_bytes(), 0, index)?;
                Some(String::from_utf8(name_of(body.as_bytes(), entry).into_owned()).unwrap())
            };
            assert_eq!(named(&mut places, 1999).as_deref(), Some("k1998"));
            assert_eq!(named(&mut places, 2003).as_deref(), Some("k4"));
            assert_eq!(named(&mut places, 2004), None);
        }
    }

    #[test]
    fn a_name_that_found_no_room_is_found() {
        let mut places = Places::default();
        let body = format!("{{\"head\":\"{}\",\"a\":1,\"b\":2,\"a\":3}}", "x".repeat(STRIDE));
        places.find(body.as_bytes(), "/a");
        let inside = places.known.get_mut(&0).unwrap();
        assert_eq!(inside.names.len(), 2);
        // As if there had been room for one name alone.
        inside.names.retain(|_, begin| body[*begin..].starts_with("\"b"));
        inside.unnamed = body.rfind("\"a");
        assert_eq!(at(&mut places, &body, "/a"), Some("3"));
        assert_eq!(at(&mut places, &body, "/b"), Some("2"));
        assert_eq!(at(&mut places, &body, "/c"), None);
    }
}
