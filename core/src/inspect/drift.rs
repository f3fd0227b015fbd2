//! [`Drift`]: how a running server differs from the table of operations.
//!
//! The table was made from one version of the server. A newer one goes on working; this says what of it
//! the table does not know yet: [`Client::request`](crate::Client::request) reaches that too.

use crate::base::error::{Error, ErrorKind, Result};
use crate::protocol::dialect::Dialect;
use crate::protocol::operation::{self, Argument, DirectoryScope, Operation, Place};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What the description of a running server and the table of operations do not have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Drift {
    /// What the server has and the table has not.
    pub new: Vec<Endpoint>,
    /// What the table has and the server has not.
    pub gone: Vec<Endpoint>,
    /// What both have, and differently.
    pub changed: Vec<Change>,
}

/// One operation of either side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Endpoint {
    /// Our name; of a new one, the server's id.
    pub operation: String,
    /// Such as `GET`.
    pub method: String,
    /// With `{argument}` for each argument in it.
    pub path: String,
}

/// An operation that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// Our name.
    pub operation: String,
    /// One sentence per difference, such as `the argument 'color' is new`.
    pub differences: Vec<String>,
}

/// A server of 1.14 describes next to nothing of what it has: one in so many is no description.
const MIN_SHARE: usize = 10;

/// How many operations a server describes.
fn described(document: &Value) -> usize {
    let paths = document["paths"].as_object().into_iter().flatten();
    let methods = paths.filter_map(|(_, methods)| methods.as_object()).flatten();
    methods.filter(|(_, facts)| facts["operationId"].is_string()).count()
}

impl Drift {
    /// Reads the body of an answer to `doc.get`, for those who asked for it in their own way.
    ///
    /// # Errors
    /// `decode` when it is no JSON, `unsupported` when the server describes next to nothing of what it has.
    pub fn from_document(json: &[u8]) -> Result<Drift> {
        let document = serde_json::from_slice(json).map_err(|e| {
            let text = format!("doc.get: the server's answer cannot be read: {e}");
            Error::new(ErrorKind::Decode, text).with_operation("doc.get").with_sent(true)
        })?;
        let table = operation::all();
        let count = described(&document);
        let known = table.iter().filter(|ours| ours.dialect != Some(Dialect::Two)).count();
        if count * MIN_SHARE < known {
            let text = format!(
                "doc.get: the server describes {count} operations, of {} in the table: it leaves out most of what it has, and nothing can be said about that",
                known
            );
            let error = Error::new(ErrorKind::Unsupported, text);
            return Err(error.with_operation("doc.get").with_sent(true));
        }
        Ok(Drift::between(&document, table))
    }

    /// Whether the server has just what the table has.
    pub fn is_empty(&self) -> bool {
        self.new.is_empty() && self.gone.is_empty() && self.changed.is_empty()
    }

    /// `{new: [{operation, method, path}], gone: [...], changed: [{operation, differences}]}`.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    fn between(document: &Value, table: &[Operation]) -> Drift {
        let mut theirs = BTreeMap::new();
        for (path, methods) in document["paths"].as_object().into_iter().flatten() {
            for (method, facts) in methods.as_object().into_iter().flatten() {
                if let Some(id) = facts["operationId"].as_str() {
                    theirs.insert(id, Theirs::read(method, path, facts, document));
                }
            }
        }
        let mut drift = Drift::default();
        // Only a server of 1.x describes itself where this looks.
        for ours in table.iter().filter(|ours| ours.dialect != Some(Dialect::Two)) {
            match theirs.remove(ours.id) {
                Some(theirs) => drift.changed.extend(theirs.compare(ours)),
                // The description does not describe itself.
                None if ours.path == "/doc" => {}
                None => drift.gone.push(Endpoint {
                    operation: ours.name.to_owned(),
                    method: ours.method.as_str().to_owned(),
                    path: ours.path.to_owned(),
                }),
            }
        }
        drift.new = theirs.into_iter().map(|(id, new)| new.endpoint(id)).collect();
        drift
    }
}

/// An operation as the server describes it.
struct Theirs {
    method: String,
    path: String,
    scope: DirectoryScope,
    /// By name and whether it is in the body; whether it is required.
    arguments: BTreeMap<(String, bool), bool>,
}

impl Theirs {
    fn read(method: &str, path: &str, facts: &Value, document: &Value) -> Theirs {
        let mut scope = DirectoryScope::None;
        let mut arguments = BTreeMap::new();
        for parameter in facts["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap_or_default();
            match (parameter["in"].as_str(), name) {
                (Some("query"), "directory" | "workspace") => scope = DirectoryScope::Directory,
                (Some("query"), name) if name.split('[').next() == Some("location") => {
                    scope = DirectoryScope::Location;
                }
                (Some("query" | "path"), name) => {
                    arguments.insert((name.to_owned(), false), parameter["required"] == true);
                }
                _ => {}
            }
        }
        let content = facts["requestBody"]["content"].as_object();
        if let Some(media) = content.and_then(|kinds| kinds.values().next()) {
            let body = fields(&media["schema"], document).into_iter();
            arguments.extend(body.map(|(name, required)| ((name, true), required)));
        }
        let method = method.to_ascii_uppercase();
        Theirs { method, path: path.to_owned(), scope, arguments }
    }

    fn compare(mut self, ours: &Operation) -> Option<Change> {
        let mut differences = Vec::new();
        if self.method != ours.method.as_str() {
            differences.push(format!(
                "the method is {}, not {}",
                self.method,
                ours.method.as_str()
            ));
        }
        if self.path != ours.path {
            differences.push(format!("the path is {}, not {}", self.path, ours.path));
        }
        let scope =
            if ours.scope == DirectoryScope::Body { DirectoryScope::None } else { ours.scope };
        if self.scope != scope {
            differences.push("it is told its directory in another way".to_owned());
        }
        for (name, in_body, required) in ours.arguments.iter().flat_map(sent) {
            match self.arguments.remove(&(name.to_owned(), in_body)) {
                None => differences.push(format!("the argument '{name}' is gone")),
                Some(true) if required == Some(false) => {
                    differences.push(format!("the argument '{name}' is required"));
                }
                Some(false) if required == Some(true) => {
                    differences.push(format!("the argument '{name}' is no longer required"));
                }
                Some(_) => {}
            }
        }
        for ((name, _), required) in &self.arguments {
            let need = if *required { " and required" } else { "" };
            differences.push(format!("the argument '{name}' is new{need}"));
        }
        let operation = ours.name.to_owned();
        (!differences.is_empty()).then_some(Change { operation, differences })
    }

    fn endpoint(self, id: &str) -> Endpoint {
        Endpoint { operation: id.to_owned(), method: self.method, path: self.path }
    }
}

/// What the server gets of an argument: name, whether in the body, whether required. Arguments of our own
/// send nothing under their name, and some send a second one.
fn sent(argument: &'static Argument) -> Vec<(&'static str, bool, Option<bool>)> {
    use operation::ModelShape::Fields;
    let mut sent = Vec::new();
    if argument.dialect == Some(Dialect::Two) {
        return sent;
    }
    let is_ours = argument.turns.is_some() || argument.model == Some(Fields);
    if !is_ours && argument.place != Place::Tail {
        let required = argument.required || argument.required_there;
        sent.push((argument.name, argument.place == Place::Body, Some(required)));
    }
    sent.extend(argument.copy_to.map(|field| (field, true, None)));
    sent
}

/// The fields of a body and whether each is required; of a union, those of all its members. What is no
/// object is one argument, as it is in the table.
fn fields(schema: &Value, document: &Value) -> Vec<(String, bool)> {
    let members = members(schema, document, 0);
    if !members.iter().all(|member| member["type"] == "object") {
        return vec![("body".to_owned(), false)];
    }
    let properties = members.iter().filter_map(|member| member["properties"].as_object());
    let names: BTreeSet<&String> = properties.flat_map(|fields| fields.keys()).collect();
    let is_required = |name: &str| {
        members.iter().all(|member| {
            member["required"].as_array().is_some_and(|all| all.iter().any(|n| n == name))
        })
    };
    names.into_iter().map(|name| (name.clone(), is_required(name))).collect()
}

fn members<'a>(schema: &'a Value, document: &'a Value, depth: u8) -> Vec<&'a Value> {
    // A description that refers to itself must not lead us in circles.
    if depth > 16 {
        return vec![schema];
    }
    if let Some(reference) = schema["$ref"].as_str() {
        let target = reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer));
        return target.map_or_else(|| vec![schema], |found| members(found, document, depth + 1));
    }
    match schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array) {
        Some(all) => all.iter().flat_map(|one| members(one, document, depth + 1)).collect(),
        None => vec![schema],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document(update: Value) -> Value {
        json!({
            "paths": {"/session/{sessionID}": {"patch": update}},
            "components": {"schemas": {"Update": {
                "type": "object",
                "properties": {"title": {}, "metadata": {}, "permission": {}, "time": {}},
            }}},
        })
    }

    fn update(body: Value) -> Value {
        json!({
            "operationId": "session.update",
            "parameters": [
                {"name": "sessionID", "in": "path", "required": true},
                {"name": "directory", "in": "query"},
            ],
            "requestBody": {"content": {"application/json": {"schema": body}}},
        })
    }

    fn drift(document: &Value) -> Drift {
        let table = operation::find("session.update").expect("in the table");
        Drift::between(document, std::slice::from_ref(table))
    }

    #[test]
    fn what_is_the_same_is_no_drift() {
        let same = document(update(json!({"$ref": "#/components/schemas/Update"})));
        assert!(drift(&same).is_empty(), "{:?}", drift(&same));
        assert_eq!(drift(&same).to_json(), r#"{"new":[],"gone":[],"changed":[]}"#);
    }

    #[test]
    fn what_differs_is_named() {
        let body = json!({
            "type": "object",
            "properties": {"title": {}, "metadata": {}, "time": {}, "color": {}},
            "required": ["title", "color"],
        });
        let change = drift(&document(update(body))).changed.remove(0);
        assert_eq!(change.operation, "session.update");
        let differences = [
            "the argument 'permission' is gone",
            "the argument 'title' is required",
            "the argument 'color' is new and required",
        ];
        for difference in differences {
            assert!(change.differences.iter().any(|d| d == difference), "{change:?}");
        }
        assert_eq!(change.differences.len(), differences.len(), "{change:?}");
    }

    #[test]
    fn new_and_gone_operations_are_named() {
        let other = json!({"paths": {"/new": {"post": {"operationId": "session.shine"}}}});
        let drift = drift(&other);
        assert_eq!(
            (drift.new[0].operation.as_str(), drift.new[0].path.as_str()),
            ("session.shine", "/new")
        );
        assert_eq!(
            (drift.new[0].method.as_str(), drift.gone[0].method.as_str()),
            ("POST", "PATCH")
        );
        assert_eq!(drift.gone[0].operation, "session.update");
    }

    #[test]
    fn next_to_no_description_says_nothing_about_what_is_gone() {
        let error =
            Drift::from_document(br#"{"paths":{"/x":{"get":{"operationId":"x"}}}}"#).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.message().contains("describes 1 operations"), "{error}");
        assert!(Drift::from_document(b"7").is_err());
    }

    #[test]
    fn a_description_that_is_none_or_refers_to_itself_does_no_harm() {
        assert_eq!(drift(&json!(7)).gone.len(), 1);
        let mut circle = document(update(json!({"$ref": "#/components/schemas/Update"})));
        circle["components"]["schemas"]["Update"] = json!({"$ref": "#/components/schemas/Update"});
        assert_eq!(drift(&circle).changed.len(), 1);
    }
}
