//! The pinned server.

use std::env;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// The version of the real server that everything is tested against.
pub const VERSION: &str = "1.18.33";

/// The root of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies inside the workspace")
}

/// Where `cargo xtask setup` puts the pinned server.
pub fn pinned() -> PathBuf {
    workspace().join("target/opencode").join(VERSION).join("opencode")
}

/// The server to start: `OPENCODE_BIN`, else the pinned one.
///
/// # Errors
/// When there is none; the message says what to run.
pub fn path() -> Result<PathBuf> {
    find(env::var_os("OPENCODE_BIN").map(PathBuf::from), pinned())
}

fn find(given: Option<PathBuf>, pinned: PathBuf) -> Result<PathBuf> {
    match given.filter(|path| !path.as_os_str().is_empty()) {
        Some(path) if path.is_file() => Ok(path),
        Some(path) => Err(Error::new(format!("OPENCODE_BIN: no file {}", path.display()))),
        None if pinned.is_file() => Ok(pinned),
        None => Err(Error::new(format!(
            "opencode {VERSION} is not there ({}): run `cargo xtask setup`, or set OPENCODE_BIN",
            pinned.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_server_says_what_to_run() {
        let error = find(None, "/nowhere/opencode".into()).unwrap_err().to_string();
        assert!(error.contains("cargo xtask setup"), "{error}");
        let error = find(Some("/nowhere/else".into()), "/".into()).unwrap_err().to_string();
        assert!(error.contains("OPENCODE_BIN: no file /nowhere/else"), "{error}");
    }

    #[test]
    fn the_given_server_wins() {
        let given = env::current_exe().unwrap();
        assert_eq!(find(Some(given.clone()), "/nowhere".into()).unwrap(), given);
        assert_eq!(find(Some("".into()), given.clone()).unwrap(), given);
    }
}
