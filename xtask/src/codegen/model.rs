//! The operations as the generators see them: the server's facts with our overrides laid over.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::check;
use super::generations;
use super::overrides::Overrides;
use super::types::{Type, Types};
use crate::spec::name;

/// Everything that is generated about operations comes from here.
pub(super) struct Table {
    /// Sorted by name.
    pub(super) operations: Vec<Operation>,
    pub(super) types: Types,
}

#[derive(Debug)]
pub(super) struct Operation {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) scope: Scope,
    pub(super) arguments: Vec<Argument>,
    pub(super) body: Body,
    pub(super) answer: Answer,
    /// The JSON of an answer, or of one event.
    pub(super) answer_type: Type,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) may_repeat: bool,
    pub(super) pace: Pace,
    pub(super) doc: String,
    /// The generation of the server that has it, when the other one has not.
    pub(super) only: Option<u64>,
    /// What 2.x has in its place.
    pub(super) instead: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Argument {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) kind: Kind,
    /// By both servers.
    pub(super) required: bool,
    /// The generation of the server that takes it, when the other one does not, and whether that one requires it.
    pub(super) only: Option<(u64, bool)>,
    pub(super) shape: Type,
    pub(super) max_length: Option<u64>,
    pub(super) values: Vec<String>,
    /// Words of ours, each with the value that it stands for.
    pub(super) aliases: Vec<(String, String)>,
    /// Another argument, and which of its values becomes which one when this is true.
    pub(super) turns: Option<[String; 3]>,
    pub(super) model: Option<ModelShape>,
    pub(super) copy_to: Option<String>,
    /// It is called like a part of the operation's scope, and that is meant.
    pub(super) shadows_scope: bool,
}

/// Makes an enum whose variants are spelled in small letters in the data, and in Rust as here.
macro_rules! spelled {
    ($name:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum $name { $($variant),+ }

        impl $name {
            pub(super) fn parse(word: &str) -> Result<Self, String> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(format!("`{word}` is not one of {:?}", [$($word),+])),
                }
            }
        }
    };
}

spelled!(Scope { None = "none", Directory = "directory", Location = "location", Body = "body" });
spelled!(Place { Path = "path", Tail = "tail", Query = "query", Body = "body" });
spelled!(Kind {
    String = "string",
    Integer = "integer",
    Number = "number",
    Boolean = "boolean",
    Array = "array",
    Object = "object",
    Any = "any",
});
spelled!(Body { None = "none", Object = "object", Open = "open", Any = "any" });
spelled!(Answer {
    Json = "json",
    Nothing = "nothing",
    Text = "text",
    Bytes = "bytes",
    Events = "events",
    Websocket = "websocket",
});
spelled!(Pace { Quick = "quick", Slow = "slow", Stream = "stream" });
spelled!(ModelShape {
    Object = "object",
    Reference = "reference",
    Text = "text",
    Fields = "fields",
});

impl Table {
    /// Reads `operations.json`, `types.json` and `overrides.toml`, and checks that they agree.
    pub(super) fn load(folder: &Path) -> Result<Self, String> {
        let read = |name: &str| {
            let path = folder.join(name);
            fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))
        };
        let json = |name: &str| -> Result<Value, String> {
            serde_json::from_str(&read(name)?).map_err(|e| format!("{name}: {e}"))
        };
        let overrides = Overrides::parse(&read("overrides.toml")?)?;
        let (rows, types) = generations::join(
            &json("operations.json")?,
            &json("types.json")?,
            &json("operations-2.json")?,
            &json("types-2.json")?,
        )?;
        Self::build(&rows, &types, &overrides)
    }

    pub(super) fn build(
        rows: &Value,
        types: &Value,
        overrides: &Overrides,
    ) -> Result<Self, String> {
        let schemas = types.as_object().ok_or("types.json is not an object")?;
        let mut types = Types::new(schemas, &overrides.type_names(schemas)?)?;
        let mut operations = Vec::new();
        for row in rows.as_array().into_iter().flatten() {
            let id = row["id"].as_str().unwrap_or_default();
            operations.push(Operation::read(row, &mut types).map_err(|e| format!("{id}: {e}"))?);
        }
        overrides.apply(&mut operations)?;
        operations.sort_by(|a, b| a.name.cmp(&b.name));
        check::operations(&operations)?;
        Ok(Self { operations, types })
    }
}

impl Operation {
    fn read(row: &Value, types: &mut Types) -> Result<Self, String> {
        let text = |key: &str| {
            row[key].as_str().map(str::to_owned).ok_or_else(|| format!("no text `{key}`"))
        };
        let name = text("name")?;
        let mut arguments = Vec::new();
        for argument in row["arguments"].as_array().into_iter().flatten() {
            arguments.push(Argument::read(argument, &name, types)?);
        }
        let answer = Answer::parse(row["answer"]["kind"].as_str().unwrap_or_default())?;
        let answer_type = match row["answer"].get("schema") {
            Some(schema) => types.lift(schema, &format!("{}Answer", name::pascal(&name)))?,
            None => Type::Any,
        };
        let mut operation = Self {
            id: text("id")?,
            method: text("method")?,
            path: text("path")?,
            scope: Scope::parse(&text("scope")?)?,
            arguments,
            body: Body::parse(&text("body")?)?,
            answer,
            answer_type,
            headers: BTreeMap::new(),
            may_repeat: false,
            pace: Pace::Quick,
            doc: String::new(),
            only: row["only"].as_u64(),
            instead: Vec::new(),
            name,
        };
        operation.follow_answer();
        if operation.body == Body::Open {
            // A newer server may know more values of a tag than we do.
            operation.arguments.iter_mut().for_each(|a| a.values.clear());
        }
        Ok(operation)
    }

    /// Sets what follows from method and answer, unless an override knows better.
    pub(super) fn follow_answer(&mut self) {
        let is_stream = matches!(self.answer, Answer::Events | Answer::Websocket);
        self.pace = if is_stream { Pace::Stream } else { Pace::Quick };
        self.may_repeat = self.method == "GET" && !is_stream;
    }

    /// An operation without arguments that answers any JSON.
    pub(super) fn bare(id: &str, method: &str, path: &str) -> Self {
        let mut operation = Self {
            id: id.to_owned(),
            name: name::operation(id, &BTreeSet::new()),
            method: method.to_owned(),
            path: path.to_owned(),
            scope: Scope::None,
            arguments: Vec::new(),
            body: Body::None,
            answer: Answer::Json,
            answer_type: Type::Map(Box::new(Type::Any)),
            headers: BTreeMap::new(),
            may_repeat: false,
            pace: Pace::Quick,
            doc: String::new(),
            only: Some(1),
            instead: Vec::new(),
        };
        operation.follow_answer();
        operation
    }

    /// The arguments that may be given by position.
    pub(super) fn positional(&self) -> impl Iterator<Item = &Argument> {
        self.arguments.iter().filter(|argument| argument.is_positional())
    }

    /// All other arguments.
    pub(super) fn named(&self) -> impl Iterator<Item = &Argument> {
        self.arguments.iter().filter(|argument| !argument.is_positional())
    }

    /// Whether a call without this argument is refused.
    pub(super) fn needs(&self, argument: &Argument) -> bool {
        argument.required && !self.model_stands_for(argument)
    }

    /// What says where the operation looks, beside its arguments.
    pub(super) fn scope_options(&self) -> impl Iterator<Item = &'static str> {
        let is_free = |option: &&str| {
            self.scope != Scope::None && self.arguments.iter().all(|a| a.name != *option)
        };
        ["directory", "workspace"].into_iter().filter(is_free)
    }

    /// Whether this argument may be left out because `model` can stand for it.
    fn model_stands_for(&self, argument: &Argument) -> bool {
        matches!(argument.name.as_str(), "providerID" | "modelID")
            && self.arguments.iter().any(|a| a.model == Some(ModelShape::Fields))
    }

    /// Whether an operation takes fields that are not listed.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.body, Body::Open | Body::Any)
    }

    /// The path for people: a bare `*` says nothing, and `/*` would begin a comment in C.
    pub(super) fn display_path(&self) -> String {
        match self.arguments.iter().find(|argument| argument.place == Place::Tail) {
            Some(tail) => self.path.replace('*', &format!("{{{}}}", tail.name)),
            None => self.path.clone(),
        }
    }
}

impl Argument {
    fn read(row: &Value, operation: &str, types: &mut Types) -> Result<Self, String> {
        let text = |key: &str| {
            row[key].as_str().map(str::to_owned).ok_or_else(|| format!("no text `{key}`"))
        };
        let name = text("name")?;
        let hint = format!("{}{}", name::pascal(operation), name::pascal(&name));
        let shape = types.lift(&row["schema"], &hint)?;
        let kind = Kind::parse(&text("kind")?)?;
        // The server spells booleans of a query as texts; we do not.
        let shape = if kind == Kind::Boolean { Type::Boolean } else { shape };
        let values = if kind == Kind::String { types.closed_set(&shape) } else { Vec::new() };
        Ok(Self {
            place: Place::parse(&text("place")?)?,
            kind,
            required: row["required"] == true && row["only"].is_null(),
            only: row["only"].as_u64().map(|only| (only, row["required"] == true)),
            shape,
            max_length: None,
            values,
            aliases: Vec::new(),
            turns: None,
            model: None,
            copy_to: None,
            shadows_scope: false,
            name,
        })
    }

    /// An argument that the server's description lacks.
    pub(super) fn added(name: &str, place: Place, kind: Kind) -> Self {
        let mut argument = Self {
            name: name.to_owned(),
            place,
            kind,
            required: place == Place::Tail,
            only: None,
            shape: Type::Any,
            max_length: None,
            values: Vec::new(),
            aliases: Vec::new(),
            turns: None,
            model: None,
            copy_to: None,
            shadows_scope: false,
        };
        argument.set_kind(kind);
        argument
    }

    /// Another kind than the server's description says.
    pub(super) fn set_kind(&mut self, kind: Kind) {
        self.kind = kind;
        self.shape = match kind {
            Kind::String => Type::String,
            Kind::Integer => Type::Integer,
            Kind::Number => Type::Number,
            Kind::Boolean => Type::Boolean,
            Kind::Array => Type::Array(Box::new(Type::Any)),
            Kind::Object => Type::Map(Box::new(Type::Any)),
            Kind::Any => Type::Any,
        };
    }

    /// A closed set that the server's description does not know.
    pub(super) fn set_values(&mut self, values: Vec<String>) {
        self.shape =
            Type::Literal(values.iter().map(|value| Value::from(value.as_str())).collect());
        self.values = values;
    }

    /// Words of ours beside the values of a closed set.
    pub(super) fn set_aliases(&mut self, aliases: Vec<(String, String)>) {
        let words = self.values.iter().chain(aliases.iter().map(|(word, _)| word));
        self.shape = Type::Literal(words.map(|word| Value::from(word.as_str())).collect());
        self.aliases = aliases;
    }

    /// Whether it can be a parameter of its own. In an open body it may also be another field.
    pub(super) fn is_identifier(&self) -> bool {
        self.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    }

    /// What it is called as a parameter: a keyword has a `_` behind it.
    pub(super) fn parameter(&self) -> String {
        name::attribute(&self.name)
    }

    /// Whether it may be given by position.
    pub(super) fn is_positional(&self) -> bool {
        matches!(self.place, Place::Path | Place::Tail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn build(arguments: Value, overrides: &str) -> Result<Table, String> {
        let row = json!([{
            "id": "a.b", "name": "a.b", "method": "POST", "path": "/a/{x}", "scope": "directory",
            "body": "object", "answer": {"kind": "nothing"}, "errors": [], "arguments": arguments,
        }]);
        let text = format!("[documentation]\n\"a.b\" = \"Does it.\"\n{overrides}");
        Table::build(&row, &json!({}), &Overrides::parse(&text)?)
    }

    fn argument(name: &str, place: &str) -> Value {
        json!({"name": name, "place": place, "kind": "string", "required": true,
            "schema": {"type": "string"}})
    }

    #[test]
    fn an_argument_in_two_places_needs_a_word() {
        let twice = json!([argument("x", "path"), argument("x", "body")]);
        let refused = build(twice.clone(), "").err().unwrap();
        assert!(refused.contains("argument `x` goes to two places"), "{refused}");
        let copy = "[[argument]]\noperation=\"a.b\"\nname=\"x\"\ncopy_to=\"x\"\nreason=\"r\"";
        let table = build(twice, copy).unwrap();
        assert_eq!(table.operations[0].arguments.len(), 1);
        assert_eq!(table.operations[0].arguments[0].copy_to.as_deref(), Some("x"));
    }

    #[test]
    fn a_field_that_is_called_like_the_scope_needs_a_word() {
        let refused = build(json!([argument("directory", "body")]), "").err().unwrap();
        assert!(refused.contains("is also the scope"), "{refused}");
        let word =
            "[[argument]]\noperation=\"a.b\"\nname=\"directory\"\nshadows_scope=true\nreason=\"r\"";
        assert!(build(json!([argument("directory", "body")]), word).is_ok());
    }

    #[test]
    fn overrides_of_what_does_not_exist_are_refused() {
        let wrong = "[[argument]]\noperation=\"a.b\"\nname=\"y\"\nmax_length=1\nreason=\"r\"";
        let refused = build(json!([]), wrong).err().unwrap();
        assert!(refused.contains("`y`"), "{refused}");
        let wrong = "[[operation]]\nid=\"a.c\"\nretry=false\nreason=\"r\"";
        assert!(build(json!([]), wrong).err().unwrap().contains("a.c"));
        let no_reason = "[[operation]]\nid=\"a.b\"\nretry=false";
        assert!(build(json!([]), no_reason).err().unwrap().contains("reason"));
        let misspelled = "[[operation]]\nid=\"a.b\"\nretri=false\nreason=\"r\"";
        assert!(build(json!([]), misspelled).err().unwrap().contains("retri"));
    }
}
