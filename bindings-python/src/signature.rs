//! How an operation is called, as `help` shows it.

use opencode_core::operation::{self, Argument, BodyShape, DirectoryScope, Kind, Operation};
use pyo3::prelude::*;

/// The arguments of an operation with their types: those by position, then `*`, then those by name. Empty for an
/// unknown operation.
#[pyfunction]
pub(crate) fn signature(operation: &str) -> String {
    operation::find(operation).map(describe).unwrap_or_default()
}

fn describe(operation: &Operation) -> String {
    let mut parts: Vec<String> = operation.positional().map(parameter).collect();
    let by_name = operation.arguments.iter().skip(parts.len());
    parts.push("*".to_owned());
    parts.extend(by_name.map(parameter));
    let is_scoped = operation.scope != DirectoryScope::None;
    for name in ["directory", "workspace"] {
        if is_scoped && !operation.arguments.iter().any(|a| a.name == name) {
            parts.push(format!("{name}: str = ..."));
        }
    }
    parts.push("timeout: float = ...".to_owned());
    parts.push("max_retries: int = ...".to_owned());
    parts.push("extra_headers: dict = ...".to_owned());
    if matches!(operation.body, BodyShape::Open | BodyShape::Any) {
        parts.push("**fields".to_owned());
    }
    let path: Vec<&str> = operation.name.split('.').map(operation::attribute).collect();
    format!("{}({})", path.join("."), parts.join(", "))
}

fn parameter(argument: &Argument) -> String {
    let kind = match argument.kind {
        _ if !argument.values.is_empty() => {
            let aliases = argument.aliases.iter().map(|(alias, _)| alias);
            let words = argument.values.iter().chain(aliases);
            let quoted: Vec<String> = words.map(|word| format!("'{word}'")).collect();
            format!("Literal[{}]", quoted.join(", "))
        }
        // Written "provider/model" for each of them.
        _ if argument.model.is_some() => "str | dict".to_owned(),
        Kind::String => "str".to_owned(),
        Kind::Integer => "int".to_owned(),
        Kind::Number => "float".to_owned(),
        Kind::Boolean => "bool".to_owned(),
        Kind::Array => "list".to_owned(),
        Kind::Object => "dict".to_owned(),
        Kind::Any => "Any".to_owned(),
    };
    let otherwise = if argument.required { "" } else { " = ..." };
    format!("{}: {kind}{otherwise}", argument.name)
}
