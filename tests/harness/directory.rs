//! A temporary directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::reaper::Reaper;
use crate::{Error, Result};

/// A temporary directory, removed when dropped and at the latest when the process ends.
#[derive(Debug)]
pub struct Directory(PathBuf);

impl Directory {
    /// A new empty directory whose name starts with `name`.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn new(name: &str) -> Result<Directory> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = Reaper::get()?.root().join(format!("{name}-{number}"));
        fs::create_dir_all(&path)
            .map_err(|error| Error::wrap(format!("creating {}", path.display()), error))?;
        // The server reports resolved paths, and the temporary directory may be a link.
        Ok(Directory(path.canonicalize()?))
    }

    /// The path, absolute and free of links.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // A process that is just dying may still write into it: then the reaper removes it.
        let _ = fs::remove_dir_all(&self.0);
    }
}
