//! JSON schemas of the document, reduced to facts.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// Where a reference of the reduced files points to: `spec/types.json` by the name in it.
const REFERENCE: &str = "types.json#/";

/// Keywords whose value is copied as it is.
const PLAIN: &[&str] = &[
    "type",
    "enum",
    "const",
    "pattern",
    "format",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minItems",
    "maxItems",
    "minLength",
    "maxLength",
    "contentMediaType",
    "contentEncoding",
];
/// Keywords that hold one schema, several, or (`properties`, below) several by name.
const NESTED: &[&str] =
    &["items", "additionalProperties", "contentSchema", "anyOf", "oneOf", "allOf", "prefixItems"];
/// Prose, and what only the server's own framework understands.
const DROPPED: &[&str] =
    &["description", "summary", "title", "example", "examples", "default", "$comment"];

/// The schema without its prose. An unknown keyword is an error: someone has to decide what it is.
pub(super) fn facts(schema: &Value) -> Result<Value, String> {
    let Some(schema) = schema.as_object() else { return Ok(schema.clone()) };
    let mut facts = Map::new();
    for (key, value) in schema {
        let fact = match key.as_str() {
            "$ref" => json!(format!("{REFERENCE}{}", reference_name(value)?)),
            "required" => sorted(value),
            "properties" | "patternProperties" => Value::Object(
                value
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(name, inner)| Ok((name.clone(), facts_of(inner)?)))
                    .collect::<Result<_, String>>()?,
            ),
            key if PLAIN.contains(&key) => value.clone(),
            key if NESTED.contains(&key) => facts_of(value)?,
            key if DROPPED.contains(&key) || key.starts_with("x-") => continue,
            unknown => return Err(format!("unknown schema keyword `{unknown}`")),
        };
        facts.insert(key.clone(), fact);
    }
    Ok(Value::Object(facts))
}

fn facts_of(value: &Value) -> Result<Value, String> {
    match value {
        Value::Array(items) => items.iter().map(facts).collect::<Result<_, _>>().map(Value::Array),
        single => facts(single),
    }
}

/// The type name that a reduced schema refers to.
pub(crate) fn reference(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix(REFERENCE)
}

/// Follows references until there is a schema of its own.
pub(crate) fn resolve<'a>(schema: &'a Value, types: &'a Map<String, Value>) -> &'a Value {
    let mut schema = schema;
    while let Some(target) = reference(schema).and_then(|name| types.get(name)) {
        schema = target;
    }
    schema
}

/// Replaces inline copies of a named type by references to it.
///
/// The document repeats every event in full wherever a union lists it. Only tagged types (one with
/// a property of a single value) are recognised: two untagged objects may look alike by chance.
pub(super) fn share_copies(types: &mut Map<String, Value>) {
    let named = tagged(types);
    // The types themselves stay: only what is inside them may be a copy of another.
    types.iter_mut().for_each(|(_, schema)| share_nested(schema, &named));
}

/// The same for the schemas of one operation.
pub(super) fn share_copies_in_row(row: &mut Value, types: &Map<String, Value>) {
    share_nested(row, &tagged(types));
}

fn tagged(types: &Map<String, Value>) -> Vec<(String, Value)> {
    let is_tagged = |schema: &Value| {
        let properties = schema.get("properties").and_then(Value::as_object);
        properties.into_iter().flatten().any(|(_, property)| {
            property.get("enum").and_then(Value::as_array).is_some_and(|values| values.len() == 1)
        })
    };
    types
        .iter()
        .filter(|(_, schema)| is_tagged(schema))
        .map(|(name, schema)| (name.clone(), schema.clone()))
        .collect()
}

fn share(schema: &mut Value, named: &[(String, Value)]) {
    if let Some((name, _)) = named.iter().find(|(_, candidate)| candidate == schema) {
        *schema = json!({ "$ref": format!("{REFERENCE}{name}") });
    } else {
        share_nested(schema, named);
    }
}

fn share_nested(value: &mut Value, named: &[(String, Value)]) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| share(item, named)),
        Value::Object(map) => map.iter_mut().for_each(|(_, item)| share(item, named)),
        _ => {}
    }
}

/// Only those types that an operation needs, directly or through another type.
pub(super) fn reachable(
    operations: &[Value],
    types: Map<String, Value>,
) -> Result<Map<String, Value>, String> {
    let mut wanted = BTreeSet::new();
    let mut waiting: Vec<&Value> = operations.iter().collect();
    while let Some(value) = waiting.pop() {
        match value {
            Value::Array(items) => waiting.extend(items),
            Value::Object(map) => {
                waiting.extend(map.values());
                if let Some(name) = reference(value)
                    && wanted.insert(name.to_owned())
                {
                    waiting.push(types.get(name).ok_or_else(|| format!("no type {name}"))?);
                }
            }
            _ => {}
        }
    }
    Ok(types.into_iter().filter(|(name, _)| wanted.contains(name)).collect())
}

fn reference_name(value: &Value) -> Result<&str, String> {
    value
        .as_str()
        .and_then(|text| text.strip_prefix("#/components/schemas/"))
        .ok_or_else(|| format!("reference to something that is not a schema: {value}"))
}

fn sorted(value: &Value) -> Value {
    let mut names: Vec<String> = value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    names.sort();
    json!(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn prose_goes_and_fields_that_are_called_like_prose_stay() {
        let schema = json!({
            "type": "object",
            "description": "prose",
            "properties": {"description": {"type": "string", "title": "prose"}},
            "required": ["b", "a"],
            "x-framework": {},
        });
        let expected = json!({
            "type": "object",
            "properties": {"description": {"type": "string"}},
            "required": ["a", "b"],
        });
        assert_eq!(facts(&schema), Ok(expected));
    }

    #[test]
    fn an_unknown_keyword_is_not_dropped_silently() {
        let outcome = facts(&json!({"items": {"unevaluatedItems": false}}));
        assert_eq!(outcome, Err("unknown schema keyword `unevaluatedItems`".to_owned()));
    }

    #[test]
    fn copies_of_tagged_types_become_references() {
        let tagged = json!({"type": "object", "properties": {"type": {"enum": ["a"]}}});
        let plain = json!({"type": "object", "properties": {"x": {"type": "string"}}});
        let mut types = map(json!({
            "Tagged": tagged, "Plain": plain, "Both": {"anyOf": [tagged, plain]},
        }));
        share_copies(&mut types);
        assert_eq!(types["Tagged"], tagged);
        assert_eq!(types["Both"], json!({"anyOf": [{"$ref": "types.json#/Tagged"}, plain]}));
    }

    #[test]
    fn unreachable_types_are_left_out() {
        let types = map(json!({"A": {"items": {"$ref": "types.json#/B"}}, "B": {}, "C": {}}));
        let rows = [json!({"answer": {"schema": {"$ref": "types.json#/A"}}})];
        let kept = reachable(&rows, types).unwrap();
        assert_eq!(kept.keys().collect::<Vec<_>>(), ["A", "B"]);
    }
}
