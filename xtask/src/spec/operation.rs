//! The operations of the document as rows of `spec/operations.json`.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{body, name, schema};

/// Query parameters that choose the directory of a call. They are the row's `scope`, not arguments.
const DIRECTORY: &[&str] = &["directory", "workspace"];
const LOCATION: &[&str] = &["location", "location[directory]", "location[workspace]"];

/// One row per operation, sorted by id. `types` are the reduced schemas.
pub(super) fn rows(document: &Value, types: &Map<String, Value>) -> Result<Vec<Value>, String> {
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let id = operation["operationId"].as_str();
            let id = id.ok_or_else(|| format!("{method} {path} has no operationId"))?;
            found.push((id, method, path, operation));
        }
    }
    found.sort_unstable_by_key(|(id, ..)| *id);
    let ids: BTreeSet<&str> = found.iter().map(|(id, ..)| *id).collect();
    if ids.len() < found.len() {
        return Err("two operations share an id".to_owned());
    }
    let row = |(id, method, path, operation): &(&str, &String, &String, &Value)| {
        row(id, &name::operation(id, &ids), method, path, operation, types)
            .map_err(|e| format!("{id}: {e}"))
    };
    found.iter().map(row).collect()
}

fn row(
    id: &str,
    name: &str,
    method: &str,
    path: &str,
    operation: &Value,
    types: &Map<String, Value>,
) -> Result<Value, String> {
    let parameters = Parameters::read(operation, path, types)?;
    let content = &operation["requestBody"]["content"];
    let body = match content.as_object().and_then(|kinds| kinds.values().next()) {
        Some(media) => Some(schema::facts(&media["schema"])?),
        None => None,
    };
    let body = body::flatten(body.as_ref(), types);
    let mut arguments = parameters.arguments;
    arguments.extend(body.arguments);
    let mut row = json!({
        "id": id,
        "name": name,
        "method": method.to_ascii_uppercase(),
        "path": path,
        "scope": parameters.scope,
        "arguments": arguments,
        "body": body.shape,
        "answer": answer(operation, types)?,
        "errors": errors(operation),
    });
    if operation["deprecated"] == json!(true) {
        row["deprecated"] = json!(true);
    }
    Ok(row)
}

/// One argument: what it is called, where it goes, and what it may be.
pub(super) fn argument(
    name: &str,
    place: &str,
    required: bool,
    schema: &Value,
    types: &Map<String, Value>,
) -> Value {
    json!({
        "name": name,
        "place": place,
        "required": required,
        "kind": kind(schema, types),
        "schema": schema,
    })
}

struct Parameters {
    scope: &'static str,
    arguments: Vec<Value>,
}

impl Parameters {
    fn read(operation: &Value, path: &str, types: &Map<String, Value>) -> Result<Self, String> {
        let mut scope = "none";
        let mut in_path = Vec::new();
        let mut in_query = Vec::new();
        let mut seen = BTreeSet::new();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().ok_or("a parameter has no name")?;
            let place = parameter["in"].as_str().unwrap_or_default();
            // Some versions of the document list a parameter twice.
            if !seen.insert((place, name)) {
                continue;
            }
            let required = parameter["required"] == json!(true);
            match place {
                "query" if DIRECTORY.contains(&name) => scope = "directory",
                "query" if LOCATION.contains(&name) => scope = "location",
                "query" | "path" => {
                    let schema = schema::facts(&parameter["schema"])?;
                    let argument = argument(name, place, required, &schema, types);
                    if place == "path" { &mut in_path } else { &mut in_query }.push(argument);
                }
                // What the server insists on is in the overrides, with its value.
                "header" => {}
                other => return Err(format!("parameter `{name}` is in `{other}`")),
            }
        }
        let position = |argument: &Value| {
            path.find(&format!("{{{}}}", argument["name"].as_str().unwrap_or_default()))
        };
        in_path.sort_by_key(position);
        in_query.sort_by_key(|argument| argument["required"] != json!(true));
        in_path.extend(in_query);
        Ok(Self { scope, arguments: in_path })
    }
}

/// `string|integer|number|boolean|array|object|any`; null is left out, it is always let through.
fn kind(schema: &Value, types: &Map<String, Value>) -> &'static str {
    let schema = schema::resolve(schema, types);
    if let Some(members) =
        schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array)
    {
        let mut kinds: Vec<&str> = members.iter().map(|member| kind(member, types)).collect();
        kinds.retain(|kind| *kind != "null");
        kinds.dedup();
        return if let [single] = kinds.as_slice() { single } else { "any" };
    }
    // The server's spelling of a boolean in a query.
    if schema.get("enum") == Some(&json!(["true", "false"])) {
        return "boolean";
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("string") => "string",
        Some("integer") => "integer",
        Some("number") => "number",
        Some("boolean") => "boolean",
        Some("array") => "array",
        Some("object") => "object",
        Some("null") => "null",
        _ => "any",
    }
}

fn answer(operation: &Value, types: &Map<String, Value>) -> Result<Value, String> {
    if operation["x-websocket"] == json!(true) {
        return Ok(json!({ "kind": "websocket" }));
    }
    let responses = operation["responses"].as_object().ok_or("no responses")?;
    let (_, success) = responses
        .iter()
        .find(|(status, _)| status.starts_with('2'))
        .ok_or("no answer with a status of 2xx")?;
    let content = success.get("content").and_then(Value::as_object);
    let Some((media_type, media)) = content.and_then(|kinds| kinds.iter().next()) else {
        return Ok(json!({ "kind": "nothing" }));
    };
    let schema = schema::facts(&media["schema"])?;
    Ok(match media_type.split(';').next().unwrap_or_default() {
        "application/json" => json!({ "kind": "json", "schema": schema }),
        "text/event-stream" => json!({ "kind": "events", "schema": event(&schema, types) }),
        text if text.starts_with("text/") => json!({ "kind": "text" }),
        _ => json!({ "kind": "bytes" }),
    })
}

/// What one event of a stream is. Where the schema describes the frame (id, event, data), it is
/// the JSON in its data.
fn event(schema: &Value, types: &Map<String, Value>) -> Value {
    let data = schema.get("properties").and_then(|fields| fields.get("data"));
    let content = data.and_then(|data| schema::resolve(data, types).get("contentSchema"));
    content.unwrap_or(schema).clone()
}

fn errors(operation: &Value) -> Vec<u16> {
    let responses = operation["responses"].as_object().into_iter().flatten();
    responses
        .filter_map(|(status, _)| status.parse().ok())
        .filter(|status| *status >= 400)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn single_row(path: &str, operation: Value) -> Value {
        let document = json!({"paths": {path: {"get": operation}}});
        rows(&document, &Map::new()).unwrap().remove(0)
    }

    fn parameter(name: &str, place: &str, required: bool) -> Value {
        json!({"name": name, "in": place, "required": required, "schema": {"type": "string"}})
    }

    #[test]
    fn arguments_come_in_path_order_then_required_first() {
        let row = single_row(
            "/a/{first}/b/{second}",
            json!({
                "operationId": "a.b",
                "parameters": [
                    parameter("optional", "query", false), parameter("needed", "query", true),
                    parameter("second", "path", true), parameter("first", "path", true),
                    parameter("first", "path", true), parameter("directory", "query", false),
                ],
                "responses": {"204": {}, "404": {}},
            }),
        );
        let arguments = row["arguments"].as_array().unwrap();
        let names: Vec<&Value> = arguments.iter().map(|a| &a["name"]).collect();
        assert_eq!(names, ["first", "second", "needed", "optional"]);
        assert_eq!(row["scope"], "directory");
        assert_eq!(row["answer"], json!({"kind": "nothing"}));
        assert_eq!(row["errors"], json!([404]));
    }

    #[test]
    fn a_union_has_a_kind_only_when_its_members_agree() {
        let types = Map::new();
        let of = |schema: Value| kind(&schema, &types);
        let text_or_flag = json!({"anyOf": [{"type": "boolean"}, {"enum": ["true", "false"]}]});
        assert_eq!(of(text_or_flag), "boolean");
        assert_eq!(of(json!({"anyOf": [{"type": "string"}, {"type": "null"}]})), "string");
        assert_eq!(of(json!({"anyOf": [{"type": "string"}, {"type": "object"}]})), "any");
        assert_eq!(of(json!({})), "any");
    }

    #[test]
    fn the_content_of_a_framed_event_is_its_answer() {
        let frame = json!({
            "properties": {"data": {"type": "string", "contentSchema": {"$ref": "types.json#/X"}}},
        });
        assert_eq!(event(&frame, &Map::new()), json!({"$ref": "types.json#/X"}));
    }
}
