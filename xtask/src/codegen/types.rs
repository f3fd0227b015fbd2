//! The types of the server as names and shapes: what Python and Lua declare.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::spec::{name, schema};

/// A type without a declaration of its own.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Type {
    /// One of the declarations.
    Named(String),
    String,
    Integer,
    Number,
    Boolean,
    Null,
    Any,
    /// These values only.
    Literal(Vec<Value>),
    Array(Box<Type>),
    /// From texts to one type.
    Map(Box<Type>),
    Union(Vec<Type>),
}

#[derive(Debug, PartialEq)]
pub(super) enum Declaration {
    Object(Vec<Field>),
    Alias(Type),
}

#[derive(Debug, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) shape: Type,
    pub(super) required: bool,
}

/// All declarations, and how to make a type of a schema.
pub(super) struct Types {
    pub(super) declarations: BTreeMap<String, Declaration>,
    /// From the server's spelling to an identifier.
    names: BTreeMap<String, String>,
    /// The schema that is being declared under its own name.
    lifting: String,
}

impl Types {
    /// Declares every schema. `renamed` are those that do not get the name that the rule gives.
    pub(super) fn new(
        schemas: &Map<String, Value>,
        renamed: &BTreeMap<String, String>,
    ) -> Result<Self, String> {
        let mut names = BTreeMap::new();
        for schema in schemas.keys() {
            let name = renamed.get(schema).cloned().unwrap_or_else(|| identifier(schema));
            if let Some((other, _)) = names.iter().find(|(_, taken)| **taken == name) {
                return Err(format!("types `{other}` and `{schema}` are both called {name}"));
            }
            names.insert(schema.clone(), name);
        }
        let mut types = Self { declarations: BTreeMap::new(), names, lifting: String::new() };
        for (schema_name, schema) in schemas {
            let name = types.names[schema_name].clone();
            types.lifting.clone_from(&name);
            let lifted = types.lift(schema, &name)?;
            if lifted != Type::Named(name.clone()) {
                types.declare(name, Declaration::Alias(lifted))?;
            }
        }
        types.lifting.clear();
        Ok(types)
    }

    /// The type of a schema. An object without a name is declared under `hint`.
    pub(super) fn lift(&mut self, schema: &Value, hint: &str) -> Result<Type, String> {
        if let Some(target) = schema::reference(schema) {
            let name = self.names.get(target).ok_or_else(|| format!("no type `{target}`"))?;
            return Ok(Type::Named(name.clone()));
        }
        if let Some(members) = schema.get("anyOf").or_else(|| schema.get("oneOf")) {
            return self.lift_union(members.as_array().map_or(&[], Vec::as_slice), hint);
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            return Ok(Type::Literal(values.clone()));
        }
        Ok(match schema.get("type").and_then(Value::as_str) {
            Some("string") => Type::String,
            Some("integer") => Type::Integer,
            Some("number") => Type::Number,
            Some("boolean") => Type::Boolean,
            Some("null") => Type::Null,
            Some("array") => Type::Array(Box::new(self.lift_items(schema, hint)?)),
            Some("object") => return self.lift_object(schema, hint),
            _ => Type::Any,
        })
    }

    /// The texts that a type is limited to, or nothing when it takes others as well.
    pub(super) fn closed_set(&self, shape: &Type) -> Vec<String> {
        match shape {
            Type::Literal(values) => {
                values.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            Type::Named(name) => match self.declarations.get(name) {
                Some(Declaration::Alias(alias)) => self.closed_set(alias),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    fn lift_items(&mut self, schema: &Value, hint: &str) -> Result<Type, String> {
        let hint = format!("{hint}Item");
        match (schema.get("items"), schema.get("prefixItems").and_then(Value::as_array)) {
            (Some(items), _) => self.lift(items, &hint),
            // A JSON array is a list in every language, also one of fixed length.
            (None, Some(members)) => self.lift_union(members, &hint),
            (None, None) => Ok(Type::Any),
        }
    }

    fn lift_union(&mut self, members: &[Value], hint: &str) -> Result<Type, String> {
        let is_inline = |member: &&Value| member.get("properties").is_some();
        let inline = members.iter().filter(is_inline).count();
        let mut lifted = Vec::new();
        for (position, member) in members.iter().enumerate() {
            let hint = match tag(member) {
                Some(tag) if inline > 1 => format!("{hint}{}", name::pascal(tag)),
                None if inline > 1 => format!("{hint}{}", position + 1),
                _ => hint.to_owned(),
            };
            lifted.push(self.lift(member, &hint)?);
        }
        Ok(union(lifted))
    }

    fn lift_object(&mut self, schema: &Value, hint: &str) -> Result<Type, String> {
        // `Model.api` is not `ModelApi` where the server has a type of that name.
        let is_taken = self.names.values().any(|name| name == hint);
        let own = format!("{hint}Field");
        let hint = if is_taken && self.lifting != hint { &own } else { hint };
        let properties = schema.get("properties").and_then(Value::as_object);
        let properties: Vec<(&String, &Value)> = properties.into_iter().flatten().collect();
        let patterns = schema.get("patternProperties").and_then(Value::as_object);
        let rest = schema.get("additionalProperties").filter(|rest| rest.is_object());
        let rest = rest.or_else(|| patterns.and_then(|patterns| patterns.values().next()));
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let mut fields = Vec::new();
        for (name, property) in properties {
            let shape = self.lift(property, &format!("{hint}{}", name::pascal(name)))?;
            let required = required.contains(&name.as_str());
            fields.push(Field { name: name.clone(), shape, required });
        }
        let rest = rest.map(|rest| self.lift(rest, &format!("{hint}Value"))).transpose()?;
        match rest {
            // Known names beside others of one type are a map, with hints that nobody needs.
            Some(rest) if rest != Type::Any && fields.iter().all(|field| !field.required) => {
                let mut members: Vec<Type> = vec![rest];
                members.extend(fields.into_iter().map(|field| field.shape));
                Ok(Type::Map(Box::new(union(members))))
            }
            _ if fields.is_empty() => Ok(Type::Map(Box::new(rest.unwrap_or(Type::Any)))),
            _ => {
                self.declare(hint.to_owned(), Declaration::Object(fields))?;
                Ok(Type::Named(hint.to_owned()))
            }
        }
    }

    fn declare(&mut self, name: String, declaration: Declaration) -> Result<(), String> {
        match self.declarations.get(&name) {
            Some(same) if *same == declaration => Ok(()),
            Some(_) => Err(format!("two types are called {name}")),
            None => {
                self.declarations.insert(name, declaration);
                Ok(())
            }
        }
    }
}

/// A union without unions in it, without repetitions, and with all its literals in one.
fn union(members: Vec<Type>) -> Type {
    let (mut values, mut others) = (Vec::new(), Vec::new());
    for member in members {
        match member {
            Type::Any => return Type::Any,
            // A union that was lifted before has at most one literal, and no union in it.
            Type::Union(inner) => {
                inner.into_iter().for_each(|m| sort_in(m, &mut values, &mut others))
            }
            other => sort_in(other, &mut values, &mut others),
        }
    }
    if !values.is_empty() {
        others.insert(0, Type::Literal(values));
    }
    if others.len() == 1 { others.remove(0) } else { Type::Union(others) }
}

fn sort_in(member: Type, values: &mut Vec<Value>, others: &mut Vec<Type>) {
    match member {
        Type::Literal(more) => more.into_iter().for_each(|value| {
            if !values.contains(&value) {
                values.push(value);
            }
        }),
        other if others.contains(&other) => {}
        other => others.push(other),
    }
}

/// The single value that tells a member of a union from the others.
fn tag(schema: &Value) -> Option<&str> {
    let properties = schema.get("properties")?.as_object()?;
    ["type", "status", "role", "mode"].iter().find_map(|key| {
        match properties.get(*key)?.get("enum")?.as_array()?.as_slice() {
            [single] => single.as_str(),
            _ => None,
        }
    })
}

/// `Models-devRefreshed` becomes `ModelsDevRefreshed`; what is an identifier stays as it is.
fn identifier(schema: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if schema.chars().all(is_word) { schema.to_owned() } else { name::pascal(schema) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn types(schemas: Value) -> Types {
        Types::new(schemas.as_object().unwrap(), &BTreeMap::new()).unwrap()
    }

    fn named(name: &str) -> Type {
        Type::Named(name.to_owned())
    }

    #[test]
    fn inline_objects_are_called_after_where_they_stand() {
        let time = json!({"type": "object", "properties": {"at": {"type": "integer"}}});
        let types = types(json!({
            "Session": {
                "type": "object",
                "properties": {"time": time, "list": {"type": "array", "items": time}},
                "required": ["time"],
            },
        }));
        let names: Vec<&String> = types.declarations.keys().collect();
        assert_eq!(names, ["Session", "SessionListItem", "SessionTime"]);
        let Declaration::Object(fields) = &types.declarations["Session"] else { panic!() };
        assert_eq!(fields[0].shape, Type::Array(Box::new(named("SessionListItem"))));
        assert!(fields[1].required);
    }

    #[test]
    fn members_of_a_union_are_called_after_their_tag() {
        let member = |tag: &str| json!({"type": "object", "properties": {"type": {"type": "string", "enum": [tag]}}});
        let mut types = types(json!({}));
        let schema = json!({"anyOf": [member("idle"), member("busy"), {"type": "null"}]});
        let members = vec![named("StatusIdle"), named("StatusBusy"), Type::Null];
        assert_eq!(types.lift(&schema, "Status"), Ok(Type::Union(members)));
    }

    #[test]
    fn unions_are_flat_and_literals_are_joined() {
        let mut types = types(json!({}));
        let schema = json!({"anyOf": [
            {"type": "string", "enum": ["a"]},
            {"anyOf": [{"type": "string", "enum": ["b"]}, {"type": "boolean"}]},
            {"type": "boolean"},
        ]});
        let joined = Type::Literal(vec![json!("a"), json!("b")]);
        assert_eq!(types.lift(&schema, "X"), Ok(Type::Union(vec![joined, Type::Boolean])));
    }

    #[test]
    fn objects_of_any_name_are_maps() {
        let mut types = types(json!({}));
        let map = json!({"type": "object", "additionalProperties": {"type": "integer"}});
        assert_eq!(types.lift(&map, "X"), Ok(Type::Map(Box::new(Type::Integer))));
        let known = json!({
            "type": "object",
            "properties": {"a": {"type": "string"}},
            "additionalProperties": {"type": "integer"},
        });
        let either = Type::Union(vec![Type::Integer, Type::String]);
        assert_eq!(types.lift(&known, "X"), Ok(Type::Map(Box::new(either))));
        assert_eq!(types.lift(&json!({"type": "object"}), "X"), Ok(Type::Map(Box::new(Type::Any))));
        assert!(types.declarations.is_empty());
    }

    #[test]
    fn an_inline_object_does_not_take_the_name_of_a_type() {
        let object =
            |field: &str| json!({"type": "object", "properties": {field: {"type": "string"}}});
        let types = types(json!({
            "Model": {"type": "object", "properties": {"api": object("a")}},
            "ModelApi": object("b"),
        }));
        let names: Vec<&String> = types.declarations.keys().collect();
        assert_eq!(names, ["Model", "ModelApi", "ModelApiField"]);
    }

    #[test]
    fn two_spellings_of_one_identifier_are_refused() {
        let schemas = json!({"a.b": {}, "AB": {}});
        let refused = Types::new(schemas.as_object().unwrap(), &BTreeMap::new()).err();
        assert_eq!(refused.as_deref(), Some("types `AB` and `a.b` are both called AB"));
    }
}
