//! [`Exported`]: a session that was written into a file.

use super::{ExportOptions, ExportPages};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::random;
use crate::call::calls::Calls;
use crate::call::options::CallOptions;
use crate::history::pages::PageReader;
use serde::Serialize;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Exported {
    /// The file.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Sessions in it: the one that was asked for, and those of subagents.
    pub sessions: u64,
    /// Messages in it.
    pub messages: u64,
    /// False where the server could not give the first message of a session.
    pub complete: bool,
}

impl Exported {
    /// The fields as one JSON object: what the bindings hand to their hosts.
    pub fn to_json(&self) -> String {
        // Numbers and texts only: it cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Writes a session into a file, page by page. The file appears when it is complete, in place of one that was there; what
/// fails leaves that one as it is, and nothing beside it.
pub(crate) fn write(
    calls: &dyn Calls,
    session: &str,
    path: &Path,
    options: &ExportOptions,
    call: &CallOptions,
) -> Result<Exported> {
    let shown = path.display();
    let failed = |error: io::Error| {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            io::ErrorKind::PermissionDenied => ErrorKind::Forbidden,
            _ => ErrorKind::InvalidArgument,
        };
        Error::new(kind, format!("export: '{shown}' cannot be written: {error}")).with_source(error)
    };
    if path.is_dir() {
        return Err(Error::invalid(format!("export: '{shown}' is a directory; name a file in it")));
    }
    if path.exists() && !path.is_file() {
        return Err(Error::invalid(format!("export: '{shown}' is no regular file")));
    }
    // What a link points at is written anew, and the link stays.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let Some(name) = path.file_name() else {
        return Err(Error::invalid(format!("export: '{shown}' names no file")));
    };
    let mut beside = name.to_owned();
    beside.push(format!(".{:016x}.part", random::number()));
    let beside = UnfinishedFile(path.with_file_name(beside));
    let mut file = BufWriter::new(File::create_new(&beside.0).map_err(failed)?);
    let mut pages = ExportPages::new(session, options.clone());
    let mut bytes = 0_u64;
    loop {
        let page = pages.fetch(calls, call)?;
        for piece in &page.items {
            let text: String = serde_json::from_str(piece.get()).unwrap_or_default();
            file.write_all(text.as_bytes()).map_err(failed)?;
            bytes = bytes.saturating_add(text.len() as u64);
        }
        if page.is_last {
            break;
        }
    }
    file.flush().map_err(failed)?;
    drop(file);
    fs::rename(&beside.0, path).map_err(failed)?;
    let (sessions, messages) = pages.counts();
    let complete = pages.is_complete();
    Ok(Exported { path: shown.to_string(), bytes, sessions, messages, complete })
}

/// The file until it is complete. Once it has its name, there is none any more.
struct UnfinishedFile(PathBuf);

impl Drop for UnfinishedFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
