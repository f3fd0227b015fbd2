//! `types.pyi` and `types.py` of the Python package.

use std::fmt::Write as _;

use serde_json::Value;

use super::NOTICE;
use super::model::{Argument, ModelShape, Operation, Table};
use super::types::{Declaration, Field, Type};
use crate::spec::name;

/// Names that the stub itself uses: a field of that name would hide them inside a class.
const USED: &[&str] = &[
    "str",
    "int",
    "float",
    "bool",
    "list",
    "dict",
    "Any",
    "Literal",
    "Mapping",
    "NotRequired",
    "Sequence",
    "tuple",
    "TypeAlias",
    "TypedDict",
];

/// What type checkers read.
pub(super) fn stub(table: &Table) -> String {
    let mut text = format!("# {NOTICE}\n{DESCRIPTION}\n\n{STUB_IMPORTS}");
    for (name, declaration) in &table.types.declarations {
        text.push('\n');
        match declaration {
            Declaration::Object(fields) => object(name, fields, &mut text),
            Declaration::Alias(shape) => alias(name, shape, &mut text),
        }
    }
    for operation in &table.operations {
        arguments(operation, &mut text);
    }
    text
}

/// What runs. The types only matter to type checkers, so importing them costs nothing: an object is
/// a `dict`, all else is `Any`.
pub(super) fn module(table: &Table) -> String {
    let mut text = format!(
        "# {NOTICE}\n{DESCRIPTION}\n\n{MODULE_IMPORTS}\n\n_OBJECTS = frozenset(\n    \"\"\"\n"
    );
    let types = &table.types.declarations;
    let is_object = |declaration: &&Declaration| matches!(declaration, Declaration::Object(_));
    for (name, _) in types.iter().filter(|(_, declaration)| is_object(declaration)) {
        let _ = writeln!(text, "    {name}");
    }
    for operation in &table.operations {
        let _ = writeln!(text, "    {}", arguments_of(operation));
    }
    text.push_str("    \"\"\".split()\n)\n\n_OTHERS = frozenset(\n    \"\"\"\n");
    for (name, _) in types.iter().filter(|(_, declaration)| !is_object(declaration)) {
        let _ = writeln!(text, "    {name}");
    }
    text.push_str("    \"\"\".split()\n)\n");
    text.push_str(MODULE_REST);
    text
}

/// The name of the type that all arguments of an operation make together.
fn arguments_of(operation: &Operation) -> String {
    format!("{}Arguments", name::pascal(&operation.name))
}

/// A type as an annotation. `space` stands before the names of declarations, `builtins` before
/// those of Python.
pub(super) fn annotation(shape: &Type, space: &str, builtins: &str) -> String {
    let inner = |shape: &Type| annotation(shape, space, builtins);
    match shape {
        Type::Named(name) => format!("{space}{name}"),
        Type::String => "str".to_owned(),
        Type::Integer => "int".to_owned(),
        Type::Number => "float".to_owned(),
        Type::Boolean => "bool".to_owned(),
        Type::Null => "None".to_owned(),
        Type::Any => "Any".to_owned(),
        Type::Literal(values) => literal(values),
        Type::Array(items) => format!("{builtins}list[{}]", inner(items)),
        Type::Map(values) => format!("{builtins}dict[str, {}]", inner(values)),
        Type::Union(members) => members.iter().map(inner).collect::<Vec<_>>().join(" | "),
    }
}

/// What an argument accepts: more than the server, where that does no harm.
pub(super) fn taken(argument: &Argument, space: &str, builtins: &str) -> String {
    let plain = |shape: &Type| annotation(shape, space, builtins);
    let taken = match &argument.shape {
        // A text is a sequence of texts too, and never what was meant.
        Type::Array(items) if **items == Type::String => {
            format!("{builtins}list[str] | {builtins}tuple[str, ...]")
        }
        Type::Array(items) => format!("Sequence[{}]", plain(items)),
        Type::Map(values) => format!("Mapping[str, {}]", plain(values)),
        other => plain(other),
    };
    match argument.model {
        Some(ModelShape::Object | ModelShape::Reference) => format!("str | {taken}"),
        Some(ModelShape::Text | ModelShape::Fields) => "str".to_owned(),
        None => taken,
    }
}

fn literal(values: &[Value]) -> String {
    if values.iter().any(Value::is_f64) {
        return "float".to_owned();
    }
    let values: Vec<String> = values
        .iter()
        .map(|value| match value {
            Value::Bool(true) => "True".to_owned(),
            Value::Bool(false) => "False".to_owned(),
            Value::Null => "None".to_owned(),
            other => other.to_string(),
        })
        .collect();
    format!("Literal[{}]", values.join(", "))
}

/// All arguments of an operation in one dict: for `**` and for calls by name.
fn arguments(operation: &Operation, text: &mut String) {
    let name = arguments_of(operation);
    let mut fields: Vec<(&str, String)> = operation
        .arguments
        .iter()
        .map(|argument| {
            (argument.name.as_str(), optional(taken(argument, "", ""), operation.needs(argument)))
        })
        .collect();
    let options = operation.scope_options();
    fields.extend(options.map(|option| (option, optional("str".to_owned(), false))));
    text.push('\n');
    let mut doc = format!("The arguments of `{}`.", operation.name);
    if operation.is_open() {
        doc.push_str(" The server takes more fields than these.");
    }
    typed_dict(&name, Some(&doc), &fields, text);
}

fn object(name: &str, fields: &[Field], text: &mut String) {
    let fields: Vec<(&str, String)> = fields
        .iter()
        .map(|f| (f.name.as_str(), optional(annotation(&f.shape, "", ""), f.required)))
        .collect();
    typed_dict(name, None, &fields, text);
}

/// A class, or a call where a name of a field cannot stand in a class.
fn typed_dict(name: &str, doc: Option<&str>, fields: &[(&str, String)], text: &mut String) {
    let is_plain = |field: &str| {
        let is_word = field.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        is_word && name::attribute(field) == field && !USED.contains(&field)
    };
    if fields.iter().all(|(field, _)| is_plain(field)) {
        let _ = writeln!(text, "class {name}(TypedDict):");
        if let Some(doc) = doc {
            let _ = writeln!(text, "    \"\"\"{doc}\"\"\"");
        }
        for (field, shape) in fields {
            let _ = writeln!(text, "    {field}: {shape}");
        }
        return;
    }
    let _ = writeln!(text, "{name} = TypedDict(\n    \"{name}\",\n    {{");
    for (field, shape) in fields {
        let _ = writeln!(text, "        {field:?}: {shape},");
    }
    text.push_str("    },\n)\n");
    if let Some(doc) = doc {
        let _ = writeln!(text, "\"\"\"{doc}\"\"\"");
    }
}

fn optional(shape: String, required: bool) -> String {
    if required { shape } else { format!("NotRequired[{shape}]") }
}

fn alias(name: &str, shape: &Type, text: &mut String) {
    match shape {
        Type::Union(members) if members.len() > 3 => {
            let _ = writeln!(text, "{name}: TypeAlias = (");
            for (position, member) in members.iter().enumerate() {
                let bar = if position == 0 { "" } else { "| " };
                let _ = writeln!(text, "    {bar}{}", annotation(member, "", ""));
            }
            text.push_str(")\n");
        }
        shape => {
            let _ = writeln!(text, "{name}: TypeAlias = {}", annotation(shape, "", ""));
        }
    }
}

const DESCRIPTION: &str = "\
\"\"\"The types of the server: what operations take and answer, and its events.

Fields have the server's spelling. A newer server may send more fields and more members of a union.
\"\"\"";

const STUB_IMPORTS: &str = "\
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from typing_extensions import NotRequired, TypedDict
";

const MODULE_IMPORTS: &str = "\
from __future__ import annotations

from typing import Any, List";

const MODULE_REST: &str = "

def _schema(cls: Any, source: Any, handler: Any) -> Any:
    # Asked by pydantic alone, where a model or a handler names the type: it is a dict.
    from pydantic_core import core_schema

    return core_schema.dict_schema(core_schema.str_schema(), core_schema.any_schema())


def __getattr__(name: str) -> Any:
    if name in _OBJECTS:
        # A class of its own, so that who looks at an annotation sees which it is. The objects are plain dicts.
        parts = {\"__module__\": __name__, \"__get_pydantic_core_schema__\": classmethod(_schema)}
        value: Any = type(name, (dict,), parts)
    elif name in _OTHERS:
        value = Any
    else:
        raise AttributeError(f\"module {__name__!r} has no attribute {name!r}\")
    globals()[name] = value
    return value


def __dir__() -> List[str]:
    return sorted(_OBJECTS | _OTHERS)
";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn annotations_are_python() {
        let shape = Type::Union(vec![
            Type::Literal(vec![json!("a"), json!(true)]),
            Type::Array(Box::new(Type::Named("X".to_owned()))),
            Type::Null,
        ]);
        assert_eq!(
            annotation(&shape, "_t.", "builtins."),
            "Literal[\"a\", True] | builtins.list[_t.X] | None"
        );
    }

    #[test]
    fn a_field_that_is_no_identifier_or_hides_a_name_needs_the_functional_form() {
        let field =
            |name: &str| Field { name: name.to_owned(), shape: Type::String, required: false };
        for odd in ["$schema", "from", "list"] {
            let mut text = String::new();
            object("X", &[field(odd)], &mut text);
            assert!(text.contains(&format!("{odd:?}: NotRequired[str],")), "{text}");
        }
        let mut text = String::new();
        object("X", &[field("plain")], &mut text);
        assert_eq!(text, "class X(TypedDict):\n    plain: NotRequired[str]\n");
    }
}
