//! `libopencode_types.lua`: the types of the server for the Lua language server.

use std::fmt::Write as _;

use serde_json::Value;

use super::NOTICE;
use super::types::{Declaration, Field, Type, Types};

pub(super) fn file(types: &Types) -> String {
    let mut text = format!("-- {NOTICE}\n---@meta libopencode_types\n");
    text.push_str("\n-- Fields have the server's spelling; its null is nil here. A newer server may send more.\n");
    for (name, declaration) in &types.declarations {
        match declaration {
            Declaration::Object(fields) => {
                let _ = writeln!(text, "\n---@class opencode.types.{name}");
                for field in fields {
                    let _ = writeln!(text, "{}", self::field(field));
                }
            }
            Declaration::Alias(shape) => {
                let _ = writeln!(text, "\n---@alias opencode.types.{name} {}", annotation(shape));
            }
        }
    }
    text
}

/// A line of a class.
pub(super) fn field(field: &Field) -> String {
    let mark = if field.required && !may_be_nil(&field.shape) { "" } else { "?" };
    format!("---@field {}{mark} {}", key(&field.name), annotation(&field.shape))
}

/// What a class is below when it takes these names and no others. Otherwise editors let unknown names pass: a
/// table may always have more than its class says.
pub(super) fn closed(names: &[&str]) -> String {
    let names: String = names.iter().map(|name| format!("{}: any, ", key(name))).collect();
    format!("{{ {names}[string]: nil }}")
}

/// A type as an annotation.
pub(super) fn annotation(shape: &Type) -> String {
    match shape {
        Type::Named(name) => format!("opencode.types.{name}"),
        Type::String => "string".to_owned(),
        Type::Integer => "integer".to_owned(),
        Type::Number => "number".to_owned(),
        Type::Boolean => "boolean".to_owned(),
        Type::Null => "nil".to_owned(),
        Type::Any => "any".to_owned(),
        Type::Literal(values) => values.iter().map(Value::to_string).collect::<Vec<_>>().join("|"),
        Type::Array(items) => match annotation(items) {
            union if union.contains('|') => format!("({union})[]"),
            single => format!("{single}[]"),
        },
        Type::Map(values) => format!("table<string, {}>", annotation(values)),
        Type::Union(members) => {
            let members = members.iter().filter(|member| **member != Type::Null);
            members.map(annotation).collect::<Vec<_>>().join("|")
        }
    }
}

fn may_be_nil(shape: &Type) -> bool {
    match shape {
        Type::Null => true,
        Type::Union(members) => members.contains(&Type::Null),
        _ => false,
    }
}

fn key(name: &str) -> String {
    let is_word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_word { name.to_owned() } else { format!("[{name:?}]") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_table_that_takes_no_other_names_lists_its_own() {
        assert_eq!(closed(&["a", "$b"]), "{ a: any, [\"$b\"]: any, [string]: nil }");
        assert_eq!(closed(&[]), "{ [string]: nil }");
    }

    #[test]
    fn annotations_are_those_of_the_language_server() {
        let values = Type::Literal(vec![json!("a"), json!("b")]);
        assert_eq!(annotation(&Type::Array(Box::new(values))), "(\"a\"|\"b\")[]");
        let nullable = Type::Union(vec![Type::String, Type::Null]);
        let line = field(&Field { name: "$id".to_owned(), shape: nullable, required: true });
        assert_eq!(line, "---@field [\"$id\"]? string");
    }
}
