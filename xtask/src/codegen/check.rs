//! What must hold after the overrides, so that a new version of the server cannot slip through.

use std::collections::BTreeSet;

use super::model::{Operation, Place, Scope};
use crate::spec::name;

/// Fails with the first operation that cannot be offered in all languages as it is.
pub(super) fn operations(operations: &[Operation]) -> Result<(), String> {
    let mut functions = BTreeSet::new();
    for operation in operations {
        let name = &operation.name;
        if !functions.insert(name::c_function(name)) {
            return Err(format!("{name}: two operations get this name in C"));
        }
        let space = format!("{name}.");
        if operations.iter().any(|other| other.name.starts_with(&space)) {
            return Err(format!("{name}: is both an operation and a namespace"));
        }
        if operation.doc.is_empty() {
            return Err(format!("{name}: has no line in [documentation] of overrides.toml"));
        }
        if operation.path.contains('*')
            && !operation.arguments.iter().any(|a| a.place == Place::Tail)
        {
            return Err(format!(
                "{name}: the `*` of its path needs an [[argument]] with add = \"tail\""
            ));
        }
        arguments(operation)?;
    }
    Ok(())
}

fn arguments(operation: &Operation) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for argument in &operation.arguments {
        let name = format!("{}: argument `{}`", operation.name, argument.name);
        if !seen.insert(&argument.name) {
            return Err(format!("{name} goes to two places; overrides.toml has to say how"));
        }
        let in_scope = matches!(argument.name.as_str(), "directory" | "workspace");
        if in_scope && operation.scope != Scope::None && !argument.shadows_scope {
            return Err(format!("{name} is also the scope; overrides.toml has to say how"));
        }
        let options = ["timeout", "timeout_ms", "max_retries", "extra_headers", "headers"];
        if options.contains(&argument.name.as_str()) {
            return Err(format!("{name} is called like an option of every call"));
        }
        if !argument.is_identifier() && !operation.is_open() {
            return Err(format!("{name} cannot be a parameter in Python"));
        }
    }
    Ok(())
}
