//! `cargo xtask spec --from FILE|URL [--server 2] [--check]`: the server's own description, reduced to facts.
//!
//! Reads the OpenAPI document that a server gives at `/doc` and writes `spec/operations.json` and
//! `spec/types.json`; of a server of 2.x (`/openapi.json`) `spec/operations-2.json` and `spec/types-2.json`. Nothing of the document's prose gets in: a schema keyword is either a known
//! fact or dropped by name.

mod body;
pub(crate) mod name;
mod operation;
mod print;
pub(crate) mod schema;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// Runs the task and says in one line what it did.
pub(crate) fn run(arguments: &[String]) -> Result<String, String> {
    let options = Options::parse(arguments)?;
    let document = source::read(&options.from)?;
    let facts = reduce(&document)?;
    let folder = folder();
    let files = [
        (
            folder.join(format!("operations{}.json", options.suffix)),
            print::document(&Value::Array(facts.operations)),
        ),
        (
            folder.join(format!("types{}.json", options.suffix)),
            print::document(&Value::Object(facts.types)),
        ),
    ];
    write_or_check(&files, options.check, "cargo xtask spec --from FILE|URL [--server 2]")
}

/// The folder with the data that four languages share.
pub(crate) fn folder() -> PathBuf {
    root().join("spec")
}

/// Reads TOML, as that of `spec/`.
pub(crate) fn toml(text: &str) -> Result<Value, String> {
    #[cfg(feature = "generate")]
    return toml::from_str(text).map_err(|e| e.to_string());
    #[cfg(not(feature = "generate"))]
    Err(format!("{} bytes of TOML: this xtask was built for the demo alone", text.len()))
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}

/// Writes the files that changed, or names those that would change.
pub(crate) fn write_or_check(
    files: &[(PathBuf, String)],
    check: bool,
    command: &str,
) -> Result<String, String> {
    let mut changed = Vec::new();
    for (path, text) in files {
        if fs::read_to_string(path).is_ok_and(|old| &old == text) {
            continue;
        }
        changed.push(path.strip_prefix(root()).unwrap_or(path).display().to_string());
        if !check {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(|e| format!("{}: {e}", parent.display()))?;
            }
            fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))?;
        }
    }
    match (changed.is_empty(), check) {
        (true, _) => Ok(format!("{} files are up to date", files.len())),
        (false, false) => Ok(format!("wrote {}", changed.join(", "))),
        (false, true) => Err(format!("stale: {}; run `{command}`", changed.join(", "))),
    }
}

struct Options {
    from: String,
    check: bool,
    /// Of the files' names.
    suffix: &'static str,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, String> {
        const USAGE: &str = "usage: cargo xtask spec --from FILE|URL [--server 1|2] [--check]";
        let mut from = None;
        let mut check = false;
        let mut suffix = "";
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--from" => from = Some(rest.next().ok_or(USAGE)?.clone()),
                "--server" => {
                    suffix = match rest.next().map(String::as_str) {
                        Some("1") => "",
                        Some("2") => "-2",
                        _ => return Err(USAGE.to_owned()),
                    }
                }
                "--check" => check = true,
                other => return Err(format!("unknown option {other}; {USAGE}")),
            }
        }
        Ok(Self { from: from.ok_or(USAGE)?, check, suffix })
    }
}

struct Facts {
    operations: Vec<Value>,
    types: Map<String, Value>,
}

fn reduce(document: &Value) -> Result<Facts, String> {
    let schemas = document["components"]["schemas"]
        .as_object()
        .ok_or("the document has no components.schemas")?;
    let mut types = Map::new();
    for (name, schema) in schemas {
        types.insert(name.clone(), schema::facts(schema).map_err(|e| format!("{name}: {e}"))?);
    }
    schema::share_copies(&mut types);
    let mut operations = operation::rows(document, &types)?;
    for row in &mut operations {
        schema::share_copies_in_row(row, &types);
    }
    let types = schema::reachable(&operations, types)?;
    Ok(Facts { operations, types })
}
