//! Interpreters of Lua that no system brings yet, built from the crate that mlua builds its own from.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use opencode_tests::binary::workspace;
use opencode_tests::{Error, Result};
use serde_json::Value;

use crate::{artefact, progress};

/// Builds the interpreter of a version, such as `5.5`, and gives its place. It looks at what its functions are called with
/// and ends when that is wrong; those of systems do not.
///
/// # Errors
/// When the crate has no such version, or gcc cannot build it.
pub(crate) fn lua(version: &str) -> Result<PathBuf> {
    let main = workspace().join("tests/lua/host/lua.c");
    let program = artefact::dist().join("tools").join(format!("lua{version}"));
    if changed(&program).is_some_and(|built| changed(&main).is_some_and(|main| main < built)) {
        return Ok(program);
    }
    let sources = sources(version)?;
    let folder = program.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|e| Error::wrap(folder.display(), e))?;
    let mut gcc = Command::new("gcc");
    gcc.args(["-O1", "-g", "-w", "-DLUA_USE_LINUX", "-DLUA_USE_APICHECK", "-I"]).arg(&sources);
    let all = fs::read_dir(&sources).map_err(|e| Error::wrap(sources.display(), e))?;
    for file in all {
        let file = file?.path();
        if file.extension() == Some(OsStr::new("c")) {
            gcc.arg(file);
        }
    }
    // Modules find its functions in the program.
    gcc.arg(&main).arg("-o").arg(&program).args(["-Wl,-E", "-lm", "-ldl"]);
    progress::run(&format!("build the interpreter of Lua {version}"), &mut gcc)?;
    Ok(program)
}

fn changed(path: &Path) -> Option<SystemTime> {
    path.metadata().ok()?.modified().ok()
}

/// Where the crate has the sources of a version.
fn sources(version: &str) -> Result<PathBuf> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace()).args(["metadata", "--format-version=1", "--locked"]);
    let output = cargo.output().map_err(|e| Error::wrap("cargo metadata", e))?;
    let all: Value =
        serde_json::from_slice(&output.stdout).map_err(|e| Error::wrap("cargo metadata", e))?;
    let packages = all["packages"].as_array().into_iter().flatten();
    let manifest = packages
        .filter(|package| package["name"] == "lua-src")
        .find_map(|package| package["manifest_path"].as_str())
        .ok_or_else(|| Error::new("cargo metadata: there is no lua-src"))?;
    let folder = Path::new(manifest).parent().unwrap_or(Path::new("."));
    let begin = format!("lua-{version}.");
    fs::read_dir(folder)
        .map_err(|e| Error::wrap(folder.display(), e))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&begin))
        })
        .ok_or_else(|| Error::new(format!("{}: has no Lua {version}", folder.display())))
}
