//! The pinned servers.

use std::env;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// The version of the server of 1.x that everything is tested against.
pub const VERSION: &str = "1.18.33";

/// A generation of the server. Each has one pinned version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Generation {
    /// OpenCode 1.x.
    #[default]
    One,
    /// OpenCode 2.x.
    Two,
}

impl Generation {
    /// The pinned version.
    pub fn version(self) -> &'static str {
        match self {
            Generation::One => VERSION,
            Generation::Two => "2.0.15",
        }
    }

    /// The variable that names another server of this generation.
    pub fn variable(self) -> &'static str {
        match self {
            Generation::One => "OPENCODE_BIN",
            Generation::Two => "OPENCODE_BIN_2",
        }
    }

    /// Where `cargo xtask setup` puts the pinned server.
    pub fn pinned(self) -> PathBuf {
        self.place(self.version())
    }

    /// Where the tasks keep the server of a version.
    pub fn place(self, version: &str) -> PathBuf {
        workspace().join("target/opencode").join(version).join("opencode")
    }

    /// The server to start: the one that the variable names, else the pinned one.
    ///
    /// # Errors
    /// When there is none; the message says what to run.
    pub fn binary(self) -> Result<PathBuf> {
        self.find(env::var_os(self.variable()).map(PathBuf::from), self.pinned())
    }

    fn find(self, given: Option<PathBuf>, pinned: PathBuf) -> Result<PathBuf> {
        let (variable, version) = (self.variable(), self.version());
        match given.filter(|path| !path.as_os_str().is_empty()) {
            Some(path) if path.is_file() => Ok(path),
            Some(path) => Err(Error::new(format!("{variable}: no file {}", path.display()))),
            None if pinned.is_file() => Ok(pinned),
            None => Err(Error::new(format!(
                "opencode {version} is not there ({}): run `cargo xtask setup`, or set {variable}",
                pinned.display()
            ))),
        }
    }
}

/// The root of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies inside the workspace")
}

/// The server of 1.x to start: `OPENCODE_BIN`, else the pinned one.
///
/// # Errors
/// When there is none; the message says what to run.
pub fn path() -> Result<PathBuf> {
    Generation::One.binary()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_server_says_what_to_run() {
        let error = Generation::One.find(None, "/nowhere/opencode".into()).unwrap_err().to_string();
        assert!(error.contains("cargo xtask setup"), "{error}");
        let given = Some("/nowhere/else".into());
        let error = Generation::Two.find(given, "/".into()).unwrap_err().to_string();
        assert!(error.contains("OPENCODE_BIN_2: no file /nowhere/else"), "{error}");
    }

    #[test]
    fn the_given_server_wins() {
        let given = env::current_exe().unwrap();
        let find = |given, pinned| Generation::One.find(Some(given), pinned).unwrap();
        assert_eq!(find(given.clone(), "/nowhere".into()), given);
        assert_eq!(find("".into(), given.clone()), given);
    }
}
