//! What the servers of all programs of a suite have taken, put together in one file.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use crate::{Error, Result};

/// Names the file to the programs of a suite.
const VARIABLE: &str = "OPENCODE_TESTS_COSTS";

/// The file, as this process was told.
fn place() -> &'static OnceLock<PathBuf> {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    &PLACE
}

/// Has the servers of this process, and of all programs with [`variable`], write into this file, which is emptied.
///
/// # Errors
/// When it cannot be written.
pub fn collect(path: &Path) -> Result<()> {
    fs::write(path, "").map_err(|error| Error::wrap(path.display(), error))?;
    // A process has one suite: the second call changes nothing.
    let _ = place().set(path.to_owned());
    Ok(())
}

/// What a program needs to write into the same file.
pub fn variable() -> Option<(&'static str, &'static Path)> {
    place().get().map(|path| (VARIABLE, &**path))
}

/// How many servers have ended, and the time of a processor that they took together.
pub fn total() -> (usize, Duration) {
    let text = place().get().and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
    let took: Vec<u64> = text.lines().filter_map(|line| line.parse().ok()).collect();
    (took.len(), Duration::from_millis(took.iter().sum()))
}

/// Adds a server that has ended.
pub(crate) fn add(took: Duration) {
    let told = || env::var_os(VARIABLE).map(PathBuf::from);
    let Some(path) = place().get().cloned().or_else(told) else { return };
    // It is good to know, and no reason to fail. A line this short is written at once.
    if let Ok(mut file) = OpenOptions::new().append(true).open(path) {
        let _ = file.write_all(format!("{}\n", took.as_millis()).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Directory;

    #[test]
    fn what_is_added_comes_together() {
        let folder = Directory::new("costs").unwrap();
        let path = folder.path().join("costs");
        collect(&path).unwrap();
        assert_eq!(variable(), Some((VARIABLE, &*path)));
        let before = total();
        add(Duration::from_millis(1500));
        add(Duration::from_millis(2));
        let (count, took) = total();
        // Servers of other tests may end meanwhile.
        assert!(count >= before.0 + 2 && took >= before.1 + Duration::from_millis(1502));
    }
}
