//! What the archive of the Python package's sources holds.

use std::path::Path;
use std::process::Command;

use opencode_tests::binary::workspace;
use opencode_tests::{Error, Result};

use super::scratch;
use crate::progress::Note;

/// Packs the sources, and looks that they compile where nothing else of the project is.
///
/// # Errors
/// When they do not.
pub(super) fn sources(maturin: &Path, note: &Note) -> Result<()> {
    let folder = scratch("sources")?;
    let _ = std::fs::remove_dir_all(&folder);
    let folder = scratch("sources")?;
    let mut pack = Command::new(maturin);
    pack.current_dir(workspace().join("bindings-python")).args(["sdist", "--out"]).arg(&folder);
    crate::progress::follow(&mut pack, note)?;
    let archive = std::fs::read_dir(&folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|ending| ending == "gz"))
        .ok_or_else(|| Error::new("maturin packed no sources"))?;
    let mut unpack = Command::new("tar");
    unpack.current_dir(&folder).args(["--strip-components=1", "-xzf"]).arg(&archive);
    crate::progress::follow(&mut unpack, note)?;
    if !folder.join("LICENSE").is_file() {
        return Err(Error::new(format!("{}: holds no LICENSE", archive.display())));
    }
    let mut check = Command::new("cargo");
    check.current_dir(&folder).env("CARGO_TARGET_DIR", workspace().join("target"));
    check.args(["check", "--quiet", "--offline", "-p", "opencode-python", "--features", "abi3"]);
    crate::progress::follow(&mut check, note).map(drop)
}
