//! The operations of both generations of the server as one table: `operations.json` and `types.json` are those of 1.x,
//! `operations-2.json` and `types-2.json` those of 2.x.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::spec::name;

/// What a name of 2.x begins with: 1.x calls its newer operations so, and many of them are the same.
const SPACE: &str = "v2.";
/// Requests that have the id of another request of 1.x.
const RENAMED: &[(&str, &str)] = &[("session.revert.clear", "session.revert.remove")];
/// What a reference to a type begins with.
const TYPE: &str = "types.json#/";

/// Rows and types of both. A row that only one of them has says so in `only`, 1 or 2.
pub(super) fn join(
    one: &Value,
    types_one: &Value,
    two: &Value,
    types_two: &Value,
) -> Result<(Value, Value), String> {
    let mut types = types_one.as_object().cloned().ok_or("types.json is not an object")?;
    for (name, schema) in types_two.as_object().ok_or("types-2.json is not an object")? {
        types.insert(format!("V2.{name}"), renamed(schema));
    }
    let mut rows: Vec<Value> = one.as_array().cloned().ok_or("operations.json is no list")?;
    rows.iter_mut().for_each(|row| row["only"] = json!(1));
    let mut added = Vec::new();
    for row in two.as_array().ok_or("operations-2.json is no list")? {
        let row = renamed(row);
        let is_same = |have: &&mut Value| {
            have["method"] == row["method"]
                && have["path"] == row["path"]
                && have["id"].as_str().is_some_and(|id| id.starts_with(SPACE))
        };
        match rows.iter_mut().find(is_same) {
            Some(have) => merge(have, &row),
            None => added.push(row),
        }
    }
    for row in &mut added {
        let own = row["id"].as_str().unwrap_or_default();
        let id = RENAMED.iter().find(|(id, _)| *id == own).map_or(own, |(_, id)| id);
        let id = format!("{SPACE}{id}");
        if rows.iter().any(|have| have["id"] == id.as_str()) {
            return Err(format!("`{id}` is another request in 1.x: give it a name of its own"));
        }
        row["id"] = json!(id);
        row["only"] = json!(2);
    }
    rows.append(&mut added);
    let ids: Vec<String> =
        rows.iter().filter_map(|row| row["id"].as_str().map(str::to_owned)).collect();
    let ids: BTreeSet<&str> = ids.iter().map(String::as_str).collect();
    for row in &mut rows {
        row["name"] = json!(name::operation(row["id"].as_str().unwrap_or_default(), &ids));
    }
    Ok((Value::Array(rows), Value::Object(types)))
}

/// Lays what 2.x says over what 1.x says of the same request.
fn merge(row: &mut Value, two: &Value) {
    if let Some(fields) = row.as_object_mut() {
        fields.remove("only");
    }
    let own: Vec<Value> = row["arguments"].as_array().cloned().unwrap_or_default();
    let theirs: Vec<Value> = two["arguments"].as_array().cloned().unwrap_or_default();
    let same = |list: &[Value], wanted: &Value| {
        list.iter().find(|a| a["name"] == wanted["name"] && a["place"] == wanted["place"]).cloned()
    };
    let mut arguments: Vec<Value> = own
        .iter()
        .map(|argument| {
            let mut argument = argument.clone();
            match same(&theirs, &argument) {
                Some(other) => {
                    if other["kind"] != argument["kind"] {
                        argument["kind"] = json!("any");
                    }
                    argument["required"] =
                        json!(argument["required"] == true && other["required"] == true);
                    argument["schema"] = either(&argument["schema"], &other["schema"]);
                }
                None => argument["only"] = json!(1),
            }
            argument
        })
        .collect();
    for argument in theirs.iter().filter(|argument| same(&own, argument).is_none()) {
        let mut argument = argument.clone();
        argument["only"] = json!(2);
        arguments.push(argument);
    }
    // Those of the path come first, then the required ones; the order is kept otherwise.
    arguments.sort_by_key(|argument| {
        let place = ["path", "query", "body"].iter().position(|p| argument["place"] == *p);
        (place, argument["required"] != true || !argument["only"].is_null())
    });
    row["arguments"] = json!(arguments);
    if row["body"] == "none" {
        row["body"] = two["body"].clone();
    }
    if row["scope"] == "none" {
        row["scope"] = two["scope"].clone();
    }
    let (own, theirs) = (row["answer"].clone(), &two["answer"]);
    row["answer"] = match (own["kind"].as_str(), theirs["kind"].as_str()) {
        (Some("json"), Some("json")) => {
            json!({ "kind": "json", "schema": either(&own["schema"], &theirs["schema"]) })
        }
        // Who waits for nothing takes what comes, too.
        (Some("nothing"), Some("json")) => {
            json!({ "kind": "nothing", "schema": theirs["schema"] })
        }
        _ => own,
    };
}

fn either(one: &Value, two: &Value) -> Value {
    if one == two { one.clone() } else { json!({ "anyOf": [one, two] }) }
}

/// The same with the names of types as they are in the common table.
fn renamed(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(renamed).collect()),
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| {
                let target = value.as_str().filter(|_| name == "$ref");
                let value = match target.and_then(|target| target.strip_prefix(TYPE)) {
                    Some(target) => json!(format!("{TYPE}V2.{target}")),
                    None => renamed(value),
                };
                (name.clone(), value)
            };
            Value::Object(fields.iter().map(field).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, method: &str, path: &str, arguments: Value) -> Value {
        json!({"id": id, "method": method, "path": path, "arguments": arguments, "scope": "none",
            "body": "none", "answer": {"kind": "nothing"}})
    }

    #[test]
    fn the_same_request_is_one_row_and_the_others_say_whose_they_are() {
        let argument = |name: &str| {
            json!({"name": name, "place": "body", "required": true, "kind": "string",
                "schema": {"type": "string"}})
        };
        let one = json!([
            row("v2.a", "POST", "/api/a", json!([argument("x"), argument("y")])),
            row("v2.b", "POST", "/api/b", json!([])),
            row("c", "GET", "/c", json!([])),
        ]);
        let two = json!([
            row("a", "POST", "/api/a", json!([argument("x"), argument("z")])),
            row("session.revert.clear", "DELETE", "/api/b", json!([])),
            row("d", "GET", "/api/d", json!([{"schema": {"$ref": "types.json#/D"}}])),
        ]);
        let (rows, types) = join(&one, &json!({"D": 1}), &two, &json!({"D": 2})).unwrap();
        let seen: Vec<(&str, &Value)> = rows
            .as_array()
            .unwrap()
            .iter()
            .map(|row| (row["id"].as_str().unwrap(), &row["only"]))
            .collect();
        let (both, one, two) = (&json!(null), &json!(1), &json!(2));
        let wanted = [
            ("v2.a", both),
            ("v2.b", one),
            ("c", one),
            ("v2.session.revert.remove", two),
            ("v2.d", two),
        ];
        assert_eq!(seen, wanted);
        let owners: Vec<(&Value, &Value)> = rows[0]["arguments"]
            .as_array()
            .unwrap()
            .iter()
            .map(|argument| (&argument["name"], &argument["only"]))
            .collect();
        let names = [json!("x"), json!("y"), json!("z")];
        assert_eq!(owners, [(&names[0], both), (&names[1], one), (&names[2], two)]);
        assert_eq!(types, json!({"D": 1, "V2.D": 2}));
        assert_eq!(rows[4]["arguments"][0]["schema"]["$ref"], "types.json#/V2.D");
    }
}
