//! [`Json`]: a value as it was written; [`Object`]: its fields, read one by one, so that an odd one harms no other.
//!
//! Both stay with the text. A tree loses the order of keys and the digits of large numbers, and the depth that a
//! model chose would become the depth of our own stack.

use crate::base::depth::{MAX_DEPTH, excess, json_depth};
use crate::base::pointer::{index, steps};
use crate::base::scan::{Entries, is_named, value_end};
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

/// A JSON value as it was written: the order of keys, every digit of a number and any depth are kept. Cheap to
/// clone. Two are equal when their texts are.
#[derive(Clone)]
pub struct Json(Arc<RawValue>);

impl Json {
    /// The text.
    pub fn get(&self) -> &str {
        self.0.get()
    }

    /// The value as a `T`.
    ///
    /// # Errors
    /// When it does not fit `T`. A tree of values takes no more than 127 levels.
    pub fn read<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_str(self.get())
    }

    /// What lies at a JSON pointer (RFC 6901), such as `/files/0`; `None` when there is nothing.
    pub fn at(&self, pointer: &str) -> Option<Json> {
        find(&self.0, pointer).map(|raw| Json(Arc::from(raw.to_owned())))
    }

    /// The text that lies at a JSON pointer; `None` when there is nothing, or no text.
    pub fn text_at(&self, pointer: &str) -> Option<String> {
        find(&self.0, pointer).and_then(text)
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        is_null(&self.0)
    }

    pub(crate) fn is_object(&self) -> bool {
        self.get().starts_with('{')
    }

    pub(crate) fn raw(&self) -> &Arc<RawValue> {
        &self.0
    }
}

impl Default for Json {
    fn default() -> Self {
        Json(Arc::from(RawValue::NULL.to_owned()))
    }
}

impl From<&RawValue> for Json {
    fn from(raw: &RawValue) -> Self {
        Json(Arc::from(raw.to_owned()))
    }
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        Json(Arc::from(RawValue::from_string(value.to_string()).unwrap_or_default()))
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Eq for Json {}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.get())
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.get())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|raw| Json(Arc::from(raw)))
    }
}

/// The fields of an object, values unread. What is null counts as absent, and of two equal names the last one counts.
#[derive(Debug, Default)]
pub(crate) struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    /// `None` when it is no object.
    pub(crate) fn read(raw: &'a RawValue) -> Option<Self> {
        Object::parse(raw.get().as_bytes()).ok()
    }

    /// Reads an object that stands in bytes.
    pub(crate) fn parse(json: &'a [u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(json)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        let found = self.0.iter().rev().find(|(known, _)| known == name);
        found.map(|(_, raw)| *raw).filter(|raw| !is_null(raw))
    }

    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(name, raw)| (name.as_ref(), *raw))
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.get(name).and_then(text)
    }

    /// A text; anything else as it is written: it says something all the same.
    pub(crate) fn words(&self, name: &str) -> Option<String> {
        self.get(name).map(words)
    }

    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        self.get(name).and_then(|raw| serde_json::from_str(raw.get()).ok())
    }

    /// A number of things: whole, not negative, and at most what fits.
    pub(crate) fn count(&self, name: &str) -> u64 {
        let whole = self.get(name).and_then(|raw| serde_json::from_str::<u64>(raw.get()).ok());
        // A cast saturates, and makes nothing of what is no number.
        whole.unwrap_or_else(|| self.number(name).unwrap_or_default() as u64)
    }

    /// What something cost: a finite number that is not negative.
    pub(crate) fn cost(&self, name: &str) -> f64 {
        self.number(name).filter(|cost| cost.is_finite() && *cost > 0.0).unwrap_or_default()
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name)?.get() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    pub(crate) fn object(&self, name: &str) -> Option<Object<'a>> {
        self.get(name).and_then(Object::read)
    }

    /// The items of a list; none when it is no list.
    pub(crate) fn list(&self, name: &str) -> Vec<&'a RawValue> {
        self.get(name).and_then(list).unwrap_or_default()
    }

    pub(crate) fn json(&self, name: &str) -> Option<Json> {
        self.get(name).map(Json::from)
    }
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Object<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                #[derive(Deserialize)]
                struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
                let mut fields = Vec::new();
                while let Some((Name(name), raw)) = map.next_entry()? {
                    fields.push((name, raw));
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

/// An object without those of its fields that make it deeper than is handed on; anything else as it is.
pub(crate) fn shallow(raw: &RawValue) -> Box<RawValue> {
    if excess(raw.get().as_bytes()).is_none() {
        return raw.to_owned();
    }
    let object = Object::read(raw).unwrap_or_default();
    let is_kept = |raw: &RawValue| json_depth(raw.get().as_bytes()) < MAX_DEPTH;
    let kept = object.0.iter().filter(|(_, raw)| is_kept(raw));
    let kept: Vec<_> =
        kept.map(|(name, raw)| format!("{}:{}", Value::from(name.as_ref()), raw.get())).collect();
    RawValue::from_string(format!("{{{}}}", kept.join(","))).unwrap_or_default()
}

/// An object with one more field, which is JSON, in front of the others; anything else as it is.
pub(crate) fn with_field(raw: &RawValue, name: &str, value: &str) -> Box<RawValue> {
    let Some(rest) = raw.get().strip_prefix('{') else { return raw.to_owned() };
    let comma = if rest.trim_start().starts_with('}') { "" } else { "," };
    let text = format!("{{\"{name}\":{value}{comma}{rest}");
    RawValue::from_string(text).unwrap_or_else(|_| raw.to_owned())
}

/// Levels that a tree has at most: its reader and whoever walks through it follow each with the stack.
const TREE_DEPTH: usize = 100;

/// A value as a tree. Of what no tree can hold, numbers that are too large and what is nested too deep, there is null in
/// its place, and the rest stays.
pub(crate) fn tree(raw: &RawValue) -> Value {
    level(raw, TREE_DEPTH)
}

fn level(raw: &RawValue, left: usize) -> Value {
    if let Ok(value) = serde_json::from_str(raw.get()) {
        return value;
    }
    let Some(left) = left.checked_sub(1) else { return Value::Null };
    if let Some(items) = list(raw) {
        return items.into_iter().map(|item| level(item, left)).collect();
    }
    let Some(fields) = Object::read(raw) else { return Value::Null };
    Value::Object(fields.fields().map(|(name, raw)| (name.to_owned(), level(raw, left))).collect())
}

/// The items of a list, unread; `None` when it is no list.
pub(crate) fn list(raw: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(raw.get()).ok()
}

/// A text without its quotes and escapes; `None` when it is no text.
pub(crate) fn text(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

/// A text; anything else as it is written.
pub(crate) fn words(raw: &RawValue) -> String {
    text(raw).unwrap_or_else(|| raw.get().to_owned())
}

pub(crate) fn is_null(raw: &RawValue) -> bool {
    raw.get() == "null"
}

/// What lies at a JSON pointer.
pub(crate) fn find<'a>(raw: &'a RawValue, pointer: &str) -> Option<&'a RawValue> {
    let body = raw.get().as_bytes();
    let found = steps(pointer)?.try_fold(0, |at, step| {
        let mut entries = Entries::of(body, at);
        let entry = match body.get(at)? {
            b'[' => entries.nth(index(&step)?),
            // Of two with one name it is the last, as in every tree.
            _ => entries.filter(|entry| is_named(body, *entry, &step)).last(),
        };
        entry.map(|entry| entry.value)
    })?;
    serde_json::from_str(raw.get().get(found..value_end(body, found))?).ok()
}

/// Writes a text as JSON, with its quotes and escapes.
pub fn write_text(out: &mut String, text: &str) {
    struct Out<'a>(&'a mut String);
    impl Write for Out<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.push_str(std::str::from_utf8(bytes).map_err(io::Error::other)?);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    // A text is cut only where an escape stands: each piece is UTF-8, and a String takes it.
    let _ = serde_json::to_writer(Out(out), text);
}

/// Sets a field of an object. What is no object has no fields, and stays as it is: writing by index would panic.
pub(crate) fn put(object: &mut Value, name: &str, value: impl Into<Value>) {
    if let Value::Object(fields) = object {
        fields.insert(name.to_owned(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn every_field_is_read_by_itself() {
        let raw = raw(
            r#"{"t":"a\"b","n":1.5,"f":true,"o":{"x":1},"l":[1,"a"],"z":null,"t2":7,"c":-3,"big":1e400,
                "d":1,"d":2,"\u0061":"name"}"#,
        );
        let object = Object::read(&raw).unwrap();
        assert_eq!(object.text("t").as_deref(), Some("a\"b"));
        assert_eq!((object.text("t2"), object.words("t2").as_deref()), (None, Some("7")));
        assert_eq!(
            (object.number("n"), object.number("big"), object.number("t")),
            (Some(1.5), None, None)
        );
        assert_eq!((object.count("n"), object.count("c"), object.count("o")), (1, 0, 0));
        assert_eq!((object.cost("n"), object.cost("c")), (1.5, 0.0));
        assert_eq!((object.flag("f"), object.flag("n")), (Some(true), None));
        assert_eq!(object.object("o").map(|o| o.count("x")), Some(1));
        assert!(object.object("l").is_none() && object.get("z").is_none());
        assert_eq!((object.list("l").len(), object.list("o").len()), (2, 0));
        assert_eq!((object.count("d"), object.text("a").as_deref()), (2, Some("name")));
        assert!(Object::read(RawValue::NULL).is_none());
    }

    #[test]
    fn pointers_find_what_they_name_at_any_depth() {
        let levels = 100_000;
        let deep = format!("{}7{}", "[".repeat(levels), "]".repeat(levels));
        let value: Json =
            serde_json::from_str(&format!(r#"{{"a/b":{{"~":[0,null]}},"deep":{deep},"":1}}"#))
                .unwrap();
        let at = |pointer: &str| value.at(pointer).map(|json| json.to_string());
        assert_eq!(at("/a~1b/~0/0").as_deref(), Some("0"));
        assert_eq!(at("/a~1b/~0/1").as_deref(), Some("null"));
        assert_eq!(at("/").as_deref(), Some("1"));
        assert_eq!(at("/deep/0/0").map(|text| text.len()), Some(deep.len() - 4));
        assert_eq!(at("").as_deref(), Some(value.get()));
        for pointer in ["a", "/b", "/a~1b/~0/2", "/a~1b/~0/00", "/a~1b/~0/-", "/deep/x", "//x"] {
            assert_eq!(at(pointer), None, "{pointer}");
        }
    }

    #[test]
    fn texts_are_written_with_their_escapes() {
        let mut out = String::from("[");
        write_text(&mut out, "a\"\\\n\r\t\u{8}\u{c}\u{1}/\u{7f}ä\u{2028}😀");
        assert_eq!(out, "[\"a\\\"\\\\\\n\\r\\t\\b\\f\\u0001/\u{7f}ä\u{2028}😀\"");
        assert_eq!(serde_json::from_str::<String>(&out[1..]).unwrap().chars().count(), 14);
    }

    #[test]
    fn a_tree_has_all_that_a_tree_can_hold() {
        let deep = format!("{}7{}", "[".repeat(1_500), "]".repeat(1_500));
        let found =
            tree(&raw(&format!(r#"{{"a":[1e400,2],"deep":{{"x":{deep},"y":3}},"b":"c"}}"#)));
        assert_eq!(
            (&found["a"], &found["b"], &found["deep"]["y"]),
            (&json!([null, 2]), &json!("c"), &json!(3))
        );
        // Nobody's stack is too small for it.
        let levels = serde_json::to_string(&found["deep"]["x"]).unwrap();
        assert!(levels.len() < 300, "{}", levels.len());
        assert_eq!(tree(&raw("1e400")), Value::Null);
    }

    #[test]
    fn only_objects_have_fields() {
        for (mut value, wanted) in [
            (json!({ "a": 1 }), json!({ "a": 2 })),
            (json!("a"), json!("a")),
            (json!([1]), json!([1])),
        ] {
            put(&mut value, "a", 2);
            assert_eq!(value, wanted);
        }
    }

    #[test]
    fn a_field_in_front_leaves_the_rest_as_it_was_written() {
        for (json, wanted) in [
            (r#"{"info":{"a":1.0}}"#, r#"{"reverted":true,"info":{"a":1.0}}"#),
            ("{ }", r#"{"reverted":true }"#),
            ("7", "7"),
        ] {
            let raw = RawValue::from_string(json.to_owned()).unwrap();
            assert_eq!(with_field(&raw, "reverted", "true").get(), wanted);
        }
    }
}
