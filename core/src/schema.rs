//! Checks a value against a JSON schema, as far as it matters for the answers of a model.
//!
//! The server hands structured answers on unchecked. What is checked here: types, enumerations and
//! constants, objects (required, properties, additionalProperties), arrays (items, lengths), bounds of
//! numbers and texts, `allOf`, `anyOf`, `oneOf`, `not` and local references. Other keywords are ignored.

use serde_json::Value;

/// References may go in circles.
const MAX_DEPTH: usize = 128;

/// Where and why a value does not fit; `None` when it fits.
pub(crate) fn mismatch(value: &Value, schema: &Value) -> Option<String> {
    Check { root: schema }.value(value, schema, "value", 0)
}

/// A keyword, and how a value must stand to its limit.
type Bound = (&'static str, fn(&f64, &f64) -> bool);

const NUMBER_BOUNDS: &[Bound] = &[
    ("minimum", f64::ge),
    ("maximum", f64::le),
    ("exclusiveMinimum", f64::gt),
    ("exclusiveMaximum", f64::lt),
];
const TEXT_BOUNDS: &[Bound] = &[("minLength", f64::ge), ("maxLength", f64::le)];
const ARRAY_BOUNDS: &[Bound] = &[("minItems", f64::ge), ("maxItems", f64::le)];

struct Check<'a> {
    root: &'a Value,
}

impl Check<'_> {
    fn value(&self, value: &Value, schema: &Value, at: &str, depth: usize) -> Option<String> {
        if depth > MAX_DEPTH || schema == &Value::Bool(true) {
            return None;
        }
        if schema == &Value::Bool(false) {
            return Some(format!("{at} must be absent"));
        }
        if let Some(reference) = schema["$ref"].as_str() {
            let target = reference.strip_prefix('#').and_then(|path| self.root.pointer(path));
            return target.and_then(|schema| self.value(value, schema, at, depth + 1));
        }
        self.kind(value, schema, at)
            .or_else(|| self.bounds(value, schema, at))
            .or_else(|| self.object(value, schema, at, depth))
            .or_else(|| self.array(value, schema, at, depth))
            .or_else(|| self.combined(value, schema, at, depth))
    }

    fn kind(&self, value: &Value, schema: &Value, at: &str) -> Option<String> {
        let is = |kind: &Value| match kind.as_str() {
            Some("null") => value.is_null(),
            Some("boolean") => value.is_boolean(),
            Some("integer") => value.as_f64().is_some_and(|n| n.fract() == 0.0),
            Some("number") => value.is_number(),
            Some("string") => value.is_string(),
            Some("array") => value.is_array(),
            Some("object") => value.is_object(),
            _ => true,
        };
        let fits = match &schema["type"] {
            Value::Array(kinds) => kinds.iter().any(is),
            Value::Null => true,
            kind => is(kind),
        };
        if !fits {
            return Some(format!(
                "{at} must be of type {}, not {}",
                schema["type"],
                shorten(value)
            ));
        }
        if let Some(allowed) = schema["enum"].as_array()
            && !allowed.contains(value)
        {
            return Some(format!("{at} must be one of {}", schema["enum"]));
        }
        match schema.get("const") {
            Some(wanted) if wanted != value => Some(format!("{at} must be {wanted}")),
            _ => None,
        }
    }

    fn bounds(&self, value: &Value, schema: &Value, at: &str) -> Option<String> {
        let (what, size, bounds) = match value {
            Value::Number(number) => ("", number.as_f64()?, NUMBER_BOUNDS),
            Value::String(text) => ("length ", text.chars().count() as f64, TEXT_BOUNDS),
            Value::Array(items) => ("length ", items.len() as f64, ARRAY_BOUNDS),
            _ => return None,
        };
        bounds.iter().find_map(|(name, fits)| {
            let limit = schema[*name].as_f64().filter(|limit| !fits(&size, limit))?;
            Some(format!("{at}: {what}{size} breaks {name} {limit}"))
        })
    }

    fn object(&self, value: &Value, schema: &Value, at: &str, depth: usize) -> Option<String> {
        let fields = value.as_object()?;
        let required = schema["required"].as_array().into_iter().flatten();
        for name in required.filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                return Some(format!("{at}.{name} is missing"));
            }
        }
        fields.iter().find_map(|(name, field)| {
            let at = format!("{at}.{name}");
            match (schema["properties"].get(name), schema.get("additionalProperties")) {
                (Some(schema), _) => self.value(field, schema, &at, depth + 1),
                (None, Some(Value::Bool(false))) => Some(format!("{at} is not expected")),
                (None, Some(schema)) => self.value(field, schema, &at, depth + 1),
                (None, None) => None,
            }
        })
    }

    fn array(&self, value: &Value, schema: &Value, at: &str, depth: usize) -> Option<String> {
        let items = value.as_array()?;
        let schema = schema.get("items").filter(|schema| !schema.is_array())?;
        let check = |(i, item)| self.value(item, schema, &format!("{at}[{i}]"), depth + 1);
        items.iter().enumerate().find_map(check)
    }

    fn combined(&self, value: &Value, schema: &Value, at: &str, depth: usize) -> Option<String> {
        let list = |name: &str| schema[name].as_array().map(Vec::as_slice);
        let fits = |schema: &Value| self.value(value, schema, at, depth + 1).is_none();
        if let Some(why) = list("allOf")
            .and_then(|all| all.iter().find_map(|s| self.value(value, s, at, depth + 1)))
        {
            return Some(why);
        }
        if let Some(any) = list("anyOf")
            && !any.iter().any(fits)
        {
            return Some(format!("{at} fits none of the alternatives"));
        }
        if let Some(one) = list("oneOf") {
            let count = one.iter().filter(|schema| fits(schema)).count();
            if count != 1 {
                return Some(format!("{at} fits {count} of the alternatives instead of one"));
            }
        }
        match schema.get("not") {
            Some(schema) if fits(schema) => Some(format!("{at} fits what it must not")),
            _ => None,
        }
    }
}

fn shorten(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_checked() {
        let schema = json!({
            "type": "object",
            "required": ["n", "tags"],
            "additionalProperties": false,
            "properties": {
                "n": { "type": "integer", "minimum": 1, "exclusiveMaximum": 10 },
                "tags": { "type": "array", "items": { "$ref": "#/$defs/tag" }, "maxItems": 2 },
                "size": { "enum": ["s", "m"] },
                "id": { "anyOf": [{ "type": "string", "minLength": 2 }, { "const": 7 }] },
            },
            "$defs": { "tag": { "type": "string" } },
        });
        let why = |value: Value| mismatch(&value, &schema);
        assert_eq!(why(json!({ "n": 1, "tags": ["a"], "size": "s", "id": 7 })), None);
        assert_eq!(why(json!({ "n": 2.0, "tags": [] })), None);
        for (value, part) in [
            (json!([]), "must be of type"),
            (json!({ "tags": [] }), "value.n is missing"),
            (json!({ "n": "bad", "tags": [] }), "value.n must be of type"),
            (json!({ "n": 1.5, "tags": [] }), "value.n must be of type"),
            (json!({ "n": 0, "tags": [] }), "minimum 1"),
            (json!({ "n": 10, "tags": [] }), "exclusiveMaximum 10"),
            (json!({ "n": 1, "tags": [1] }), "value.tags[0]"),
            (json!({ "n": 1, "tags": ["a", "b", "c"] }), "maxItems 2"),
            (json!({ "n": 1, "tags": [], "size": "xl" }), "one of"),
            (json!({ "n": 1, "tags": [], "id": "x" }), "none of the alternatives"),
            (json!({ "n": 1, "tags": [], "more": 1 }), "value.more is not expected"),
        ] {
            let why = why(value.clone()).unwrap_or_else(|| panic!("{value} was taken"));
            assert!(why.contains(part), "{why}");
        }
    }

    #[test]
    fn references_in_a_circle_end() {
        let schema = json!({ "$ref": "#" });
        assert_eq!(mismatch(&json!(1), &schema), None);
        let schema = json!({ "properties": { "next": { "$ref": "#" } }, "required": ["next"] });
        assert!(mismatch(&json!({ "next": { "next": {} } }), &schema).is_some());
    }
}
