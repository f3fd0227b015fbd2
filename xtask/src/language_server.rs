//! The language server that the annotations for Lua are tried with: built once, then kept below `target/`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use opencode_tests::binary::workspace;
use opencode_tests::{Error, Result};

use crate::{artefact, progress};

const NAME: &str = "emmylua_ls";
/// Pinned, so that the same change always meets the same judge.
const VERSION: &str = "0.25.1";

/// Gives the language server, building it when it is not there: that takes some minutes. It is built without
/// optimisation, because that takes longer than all that it ever does here.
///
/// # Errors
/// When it cannot be fetched, built or run.
pub(crate) fn ensure() -> Result<PathBuf> {
    let root = workspace().join("target/tools");
    let program = root.join("bin").join(NAME);
    let wanted = format!("{NAME} {VERSION}");
    if version(&program).is_some_and(|found| found == wanted) {
        return Ok(program);
    }
    let mut cargo = artefact::polite(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["install", "--locked", "--debug", "--force", "--version", VERSION, NAME, "--root"])
        .arg(&root)
        // Cargo then builds in a folder of its own, and removes it.
        .env_remove("CARGO_TARGET_DIR")
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_INCREMENTAL", "0");
    progress::run(&format!("build {wanted}"), &mut cargo)?;
    match version(&program) {
        Some(found) if found == wanted => Ok(program),
        found => Err(Error::new(format!("{}: it says that it is {found:?}", program.display()))),
    }
}

/// What a program says to `--version`; nothing when it is not there.
fn version(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
