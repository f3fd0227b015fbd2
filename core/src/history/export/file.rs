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

/// Links that are followed one after the other, as systems do.
const LINKS: usize = 40;

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
/// fails leaves that one as it is, and nothing beside it. What was said is for its owner: on Unix nobody else reads the file,
/// unless that could read the one that was there.
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
    let path = &behind_links(path);
    let Some(name) = path.file_name() else {
        return Err(Error::invalid(format!("export: '{shown}' names no file")));
    };
    let mut beside = name.to_owned();
    beside.push(format!(".{:016x}.part", random::number()));
    let beside = UnfinishedFile(path.with_file_name(beside));
    let mut file = BufWriter::new(create(&beside.0).map_err(failed)?);
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
    keep_rights(path, file.get_ref()).map_err(failed)?;
    drop(file);
    fs::rename(&beside.0, path).map_err(failed)?;
    let (sessions, messages) = pages.counts();
    let complete = pages.is_complete();
    Ok(Exported { path: shown.to_string(), bytes, sessions, messages, complete })
}

/// What a path stands for: a link stays, and what it points at is written anew, also where that is not there yet.
fn behind_links(path: &Path) -> PathBuf {
    if let Ok(found) = fs::canonicalize(path) {
        return found;
    }
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let Ok(target) = fs::read_link(&path) else { break };
        path = path.parent().map_or(target.clone(), |folder| folder.join(&target));
    }
    path
}

#[cfg(unix)]
fn create(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn create(path: &Path) -> io::Result<File> {
    File::create_new(path)
}

/// Gives a file the rights of the one that it is to replace.
#[cfg(unix)]
fn keep_rights(replaced: &Path, file: &File) -> io::Result<()> {
    match fs::metadata(replaced) {
        Ok(found) => file.set_permissions(found.permissions()),
        Err(_) => Ok(()),
    }
}

#[cfg(not(unix))]
fn keep_rights(_: &Path, _: &File) -> io::Result<()> {
    Ok(())
}

/// The file until it is complete. Once it has its name, there is none any more.
struct UnfinishedFile(PathBuf);

impl Drop for UnfinishedFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    /// A folder that is gone with its test.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let name = format!("export-{:016x}", random::number());
            let path = std::env::temp_dir().join(name);
            fs::create_dir(&path).unwrap();
            Folder(path.canonicalize().unwrap())
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_file_is_its_owners_and_keeps_the_rights_of_the_one_that_it_replaces() {
        let folder = Folder::new();
        let (made, there) = (folder.0.join("made"), folder.0.join("there"));
        let file = create(&made).unwrap();
        assert_eq!(mode(&made), 0o600);
        keep_rights(&there, &file).unwrap();
        assert_eq!(mode(&made), 0o600, "nothing is replaced");
        for rights in [0o640, 0o664, 0o400] {
            fs::write(&there, "").unwrap();
            fs::set_permissions(&there, fs::Permissions::from_mode(rights)).unwrap();
            keep_rights(&there, &file).unwrap();
            assert_eq!(mode(&made), rights);
            fs::remove_file(&there).unwrap();
        }
    }

    #[test]
    fn a_link_stays_also_where_its_target_is_not_there_yet() {
        let folder = Folder::new();
        let (link, second, target) =
            (folder.0.join("link"), folder.0.join("second"), folder.0.join("target"));
        symlink("second", &link).unwrap();
        symlink(&target, &second).unwrap();
        assert_eq!(behind_links(&link), target);
        fs::write(&target, "").unwrap();
        assert_eq!(behind_links(&link), target);
        assert_eq!(behind_links(&folder.0.join("none")), folder.0.join("none"));
    }
}
