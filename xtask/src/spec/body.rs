//! Turns a request body into flat arguments.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::operation;
use super::schema;

/// A body's shape and its fields as arguments.
pub(super) struct Body {
    /// `none`, `object`, `open` (takes any field) or `any` (any JSON value).
    pub(super) shape: &'static str,
    pub(super) arguments: Vec<Value>,
}

/// Reads the reduced schema of a body.
pub(super) fn flatten(body: Option<&Value>, types: &Map<String, Value>) -> Body {
    let Some(body) = body else { return Body { shape: "none", arguments: Vec::new() } };
    let variants = variants(body, types);
    let is_object = |schema: &&Value| schema.get("type") == Some(&json!("object"));
    if !variants.iter().all(is_object) {
        // The server checks that a body is there, so it may be anything but absent.
        let whole = operation::argument("body", "body", false, body, types);
        return Body { shape: "any", arguments: vec![whole] };
    }
    let is_closed = variants.len() == 1 && body_is_closed(variants[0]);
    let mut fields: Vec<(String, Field)> = merge(&variants).into_iter().collect();
    fields.sort_by_key(|(_, field)| field.found < variants.len() || !field.required);
    let arguments = fields
        .iter()
        .map(|(name, field)| {
            let required = field.required && field.found == variants.len();
            operation::argument(name, "body", required, &field.schema(), types)
        })
        .collect();
    Body { shape: if is_closed { "object" } else { "open" }, arguments }
}

/// One field as the variants of a union know it.
struct Field {
    schemas: Vec<Value>,
    found: usize,
    required: bool,
}

impl Field {
    /// Single values of a tag (`type`) are joined into one closed set, all else into a union.
    fn schema(&self) -> Value {
        if let [single] = self.schemas.as_slice() {
            return single.clone();
        }
        let values: Option<Vec<&Vec<Value>>> = self
            .schemas
            .iter()
            .map(|schema| schema.get("enum").and_then(Value::as_array))
            .collect();
        match values {
            Some(values) => {
                let values: Vec<&Value> = values.into_iter().flatten().collect();
                json!({ "type": "string", "enum": values })
            }
            None => json!({ "anyOf": self.schemas }),
        }
    }
}

fn merge(variants: &[&Value]) -> BTreeMap<String, Field> {
    let mut fields = BTreeMap::new();
    for variant in variants {
        let required = variant.get("required").and_then(Value::as_array);
        for (name, schema) in
            variant.get("properties").and_then(Value::as_object).into_iter().flatten()
        {
            let field = fields.entry(name.clone()).or_insert(Field {
                schemas: Vec::new(),
                found: 0,
                required: true,
            });
            field.found += 1;
            field.required &= required.is_some_and(|names| names.contains(&json!(name)));
            if !field.schemas.contains(schema) {
                field.schemas.push(schema.clone());
            }
        }
    }
    fields
}

fn variants<'a>(body: &'a Value, types: &'a Map<String, Value>) -> Vec<&'a Value> {
    let body = schema::resolve(body, types);
    match body.get("anyOf").or_else(|| body.get("oneOf")).and_then(Value::as_array) {
        Some(members) => members.iter().flat_map(|member| variants(member, types)).collect(),
        None => vec![body],
    }
}

fn body_is_closed(body: &Value) -> bool {
    body.get("additionalProperties") == Some(&json!(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape_and_names(body: &Value) -> (&'static str, Vec<String>) {
        let body = flatten(Some(body), &Map::new());
        let mark = |a: &Value| if a["required"] == true { "!" } else { "" };
        let name = |a: &Value| format!("{}{}", a["name"].as_str().unwrap(), mark(a));
        (body.shape, body.arguments.iter().map(name).collect())
    }

    #[test]
    fn an_object_becomes_its_fields_required_ones_first() {
        let body = json!({
            "type": "object",
            "properties": {"a": {"type": "string"}, "z": {"type": "string"}},
            "required": ["z"],
            "additionalProperties": false,
        });
        assert_eq!(shape_and_names(&body), ("object", vec!["z!".to_owned(), "a".to_owned()]));
    }

    #[test]
    fn a_union_is_open_and_only_what_all_members_require_is_required() {
        let member = |tag: &str, other: &str| {
            json!({
                "type": "object",
                "properties": {"type": {"type": "string", "enum": [tag]}, other: {"type": "string"}},
                "required": ["type", other],
                "additionalProperties": false,
            })
        };
        let body = json!({"anyOf": [member("text", "text"), member("file", "url")]});
        let names = vec!["type!".to_owned(), "text".to_owned(), "url".to_owned()];
        assert_eq!(shape_and_names(&body), ("open", names));
        let arguments = flatten(Some(&body), &Map::new()).arguments;
        assert_eq!(arguments[0]["schema"]["enum"], json!(["text", "file"]));
    }

    #[test]
    fn a_map_is_open_without_fields_and_anything_is_one_argument() {
        let map = json!({"type": "object", "additionalProperties": {"type": "integer"}});
        assert_eq!(shape_and_names(&map), ("open", Vec::new()));
        assert_eq!(shape_and_names(&json!({})), ("any", vec!["body".to_owned()]));
        assert_eq!(flatten(None, &Map::new()).shape, "none");
    }
}
