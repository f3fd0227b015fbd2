//! `spec/overrides.toml`: what the server's description cannot say. Every entry must hit something.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::model::{Answer, Argument, Body, Kind, ModelShape, Operation, Pace, Place, Scope};

/// The longest line of documentation: it must fit an editor's hint.
const LONGEST: usize = 110;

pub(super) struct Overrides {
    document: Value,
}

impl Overrides {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let document: Value =
            crate::spec::toml(text).map_err(|e| format!("spec/overrides.toml: {e}"))?;
        let known = ["seed", "add", "operation", "argument", "type", "documentation", "instead"];
        allow(&document, &known, "overrides.toml")?;
        Ok(Self { document })
    }

    /// The schemas that have another name as a type.
    pub(super) fn type_names(
        &self,
        schemas: &Map<String, Value>,
    ) -> Result<BTreeMap<String, String>, String> {
        let mut names = BTreeMap::new();
        for entry in self.entries("type") {
            let schema = text(entry, "schema")?;
            explain(entry, &["schema", "name"], schema)?;
            if !schemas.contains_key(schema) {
                return Err(format!("overrides.toml: no type `{schema}`"));
            }
            names.insert(schema.to_owned(), text(entry, "name")?.to_owned());
        }
        Ok(names)
    }

    /// Lays everything else over the operations.
    pub(super) fn apply(&self, operations: &mut Vec<Operation>) -> Result<(), String> {
        for entry in self.entries("add") {
            operations.push(added_operation(entry)?);
        }
        for entry in self.entries("operation") {
            let id = text(entry, "id")?;
            change_operation(find(operations, id)?, entry).map_err(|e| format!("{id}: {e}"))?;
        }
        for entry in self.entries("argument") {
            let (id, name) = (text(entry, "operation")?, text(entry, "name")?);
            change_argument(find(operations, id)?, name, entry)
                .map_err(|e| format!("{id}: argument `{name}`: {e}"))?;
        }
        for (id, line) in self.document["documentation"].as_object().into_iter().flatten() {
            let line = line.as_str().unwrap_or_default();
            if line.chars().count() > LONGEST {
                return Err(format!("{id}: its documentation has more than {LONGEST} characters"));
            }
            find(operations, id)?.doc = line.to_owned();
        }
        self.lay_instead(operations)?;
        self.check_seed(operations)
    }

    /// Says of every operation that 2.x does not have what does its work there.
    fn lay_instead(&self, operations: &mut [Operation]) -> Result<(), String> {
        let Some(table) = self.document.get("instead").and_then(Value::as_object) else {
            return Ok(());
        };
        let there: BTreeSet<String> = operations
            .iter()
            .filter(|operation| operation.only != Some(1))
            .map(|operation| operation.name.clone())
            .collect();
        for (id, names) in table {
            let names = names.as_array().into_iter().flatten().filter_map(Value::as_str);
            let names: Vec<String> = names.map(str::to_owned).collect();
            if let Some(unknown) = names.iter().find(|name| !there.contains(*name)) {
                return Err(format!("overrides.toml: [instead] {id}: 2.x has no `{unknown}`"));
            }
            let operation = find(operations, id)?;
            if operation.only != Some(1) {
                return Err(format!("overrides.toml: [instead] {id}: 2.x has it"));
            }
            operation.instead = names;
        }
        let forgotten = operations
            .iter()
            .find(|operation| operation.only == Some(1) && !table.contains_key(&operation.id));
        match forgotten {
            None => Ok(()),
            Some(operation) => Err(format!(
                "overrides.toml: [instead] does not say what 2.x has in place of `{}`",
                operation.id
            )),
        }
    }

    fn check_seed(&self, operations: &mut [Operation]) -> Result<(), String> {
        let Some(seed) = self.document.get("seed") else { return Ok(()) };
        explain(seed, &["operations"], "seed")?;
        let mut seen = BTreeSet::new();
        for id in seed["operations"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            find(operations, id)?;
            if !seen.insert(id) {
                return Err(format!("overrides.toml: `{id}` is in the seed twice"));
            }
        }
        Ok(())
    }

    fn entries(&self, table: &str) -> impl Iterator<Item = &Value> {
        self.document.get(table).and_then(Value::as_array).into_iter().flatten()
    }
}

fn added_operation(entry: &Value) -> Result<Operation, String> {
    let id = text(entry, "id")?;
    explain(entry, &["id", "method", "path", "scope", "answer"], id)?;
    let mut operation = Operation::bare(id, text(entry, "method")?, text(entry, "path")?);
    operation.scope = Scope::parse(text(entry, "scope")?)?;
    operation.answer = Answer::parse(text(entry, "answer")?)?;
    operation.follow_answer();
    Ok(operation)
}

fn change_operation(operation: &mut Operation, entry: &Value) -> Result<(), String> {
    let keys = ["id", "scope", "retry", "timeout", "answer", "body", "headers"];
    explain(entry, &keys, &operation.id)?;
    if let Some(scope) = optional_text(entry, "scope")? {
        operation.scope = Scope::parse(scope)?;
    }
    if let Some(answer) = optional_text(entry, "answer")? {
        operation.answer = Answer::parse(answer)?;
        operation.follow_answer();
    }
    if let Some(body) = optional_text(entry, "body")? {
        operation.body = Body::parse(body)?;
        operation.arguments.iter_mut().for_each(|a| a.values.clear());
    }
    if let Some(retry) = entry.get("retry") {
        operation.may_repeat = retry.as_bool().ok_or("`retry` is true or false")?;
    }
    if let Some(pace) = optional_text(entry, "timeout")? {
        operation.pace = Pace::parse(pace)?;
    }
    for (name, value) in entry.get("headers").and_then(Value::as_object).into_iter().flatten() {
        let value = value.as_str().ok_or("a header is a text")?;
        operation.headers.insert(name.clone(), value.to_owned());
    }
    Ok(())
}

fn change_argument(operation: &mut Operation, name: &str, entry: &Value) -> Result<(), String> {
    let keys = [
        "operation",
        "name",
        "add",
        "kind",
        "max_length",
        "values",
        "model_shape",
        "copy_to",
        "shadows_scope",
        "aliases",
        "turns",
    ];
    explain(entry, &keys, name)?;
    let kind = optional_text(entry, "kind")?.map(Kind::parse).transpose()?;
    if let Some(place) = optional_text(entry, "add")? {
        let argument = Argument::added(name, Place::parse(place)?, kind.ok_or("no text `kind`")?);
        operation.arguments.push(argument);
    }
    let argument = operation.arguments.iter_mut().find(|argument| argument.name == name);
    let argument = argument.ok_or("there is none")?;
    if let Some(kind) = kind {
        argument.set_kind(kind);
    }
    if let Some(length) = entry.get("max_length") {
        argument.max_length = Some(length.as_u64().ok_or("`max_length` is a number")?);
    }
    if let Some(values) = entry.get("values").and_then(Value::as_array) {
        argument.set_values(values.iter().filter_map(Value::as_str).map(str::to_owned).collect());
    }
    if let Some(aliases) = entry.get("aliases").and_then(Value::as_object) {
        let pair = |(word, value): (&String, &Value)| {
            let value = value.as_str().filter(|v| argument.values.iter().any(|have| have == v));
            Some((word.clone(), value?.to_owned()))
        };
        let aliases: Option<Vec<_>> = aliases.iter().map(pair).collect();
        argument.set_aliases(aliases.ok_or("an alias stands for one of the `values`")?);
    }
    if let Some(turns) = entry.get("turns") {
        argument.turns = Some(
            [text(turns, "argument")?, text(turns, "from")?, text(turns, "to")?].map(str::to_owned),
        );
    }
    if let Some(shape) = optional_text(entry, "model_shape")? {
        argument.model = Some(ModelShape::parse(shape)?);
    }
    argument.shadows_scope |= entry.get("shadows_scope") == Some(&Value::Bool(true));
    if let Some(field) = optional_text(entry, "copy_to")? {
        argument.copy_to = Some(field.to_owned());
        operation.arguments.retain(|other| other.place != Place::Body || other.name != field);
    }
    Ok(())
}

fn find<'a>(operations: &'a mut [Operation], id: &str) -> Result<&'a mut Operation, String> {
    let found = operations.iter_mut().find(|operation| operation.id == id);
    found.ok_or_else(|| format!("overrides.toml: no operation `{id}`"))
}

/// Every entry has a reason, and no key that nobody reads.
fn explain(entry: &Value, keys: &[&str], what: &str) -> Result<(), String> {
    if entry.get("reason").and_then(Value::as_str).is_none_or(str::is_empty) {
        return Err(format!("overrides.toml: the entry about `{what}` has no reason"));
    }
    let keys: Vec<&str> = keys.iter().copied().chain(["reason"]).collect();
    allow(entry, &keys, what)
}

fn allow(entry: &Value, keys: &[&str], what: &str) -> Result<(), String> {
    let mut given = entry.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
    match given.find(|key| !keys.contains(key)) {
        Some(key) => Err(format!("overrides.toml: unknown key `{key}` in `{what}`")),
        None => Ok(()),
    }
}

fn text<'a>(entry: &'a Value, key: &str) -> Result<&'a str, String> {
    optional_text(entry, key)?.ok_or_else(|| format!("overrides.toml: an entry has no `{key}`"))
}

fn optional_text<'a>(entry: &'a Value, key: &str) -> Result<Option<&'a str>, String> {
    match entry.get(key) {
        None => Ok(None),
        Some(value) => {
            value.as_str().map(Some).ok_or_else(|| format!("overrides.toml: `{key}` is no text"))
        }
    }
}
