//! The oldest glibc that what is shipped runs on.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use opencode_tests::binary::workspace;
use opencode_tests::{Error, Result};

use crate::{artefact, progress};

/// That of CentOS 7 and manylinux2014.
pub(crate) const FLOOR: &str = "2.17";

/// The linker that knows the symbols of an old glibc; pinned, as what is built with it is shipped.
pub(crate) const ZIG: &str = "ziglang==0.17.1";
const ZIGBUILD: &str = "cargo-zigbuild==0.24.1";

/// Builds packages with cargo's arguments for every system with glibc [`FLOOR`] or later, and gives their folder.
///
/// # Errors
/// When they cannot be built.
pub(crate) fn build(what: &str, arguments: &[&str]) -> Result<PathBuf> {
    let target = artefact::target_of("gnu");
    let python = artefact::venv("zig", &[ZIGBUILD, ZIG])?;
    let mut cargo = Command::new(python.with_file_name("cargo-zigbuild"));
    cargo.current_dir(workspace()).env("CARGO_ZIGBUILD_PYTHON_PATH", &python);
    cargo.env("CARGO_TARGET_DIR", workspace().join("target"));
    cargo
        .args(["rustc", "--lib", "--release", "--target", &format!("{target}.{FLOOR}")])
        .args(arguments);
    cargo.arg("--").args(with_unwinder()?);
    progress::run(&format!("build {what} for glibc {FLOOR}"), &mut cargo)?;
    Ok(workspace().join("target").join(target).join("release"))
}

/// Arguments of rustc that link the library that unwinds the frames of a process. zig would put one of its own into ours: it
/// cannot read what the one of a host hands to our frames, as LuaJIT's errors do on their way through them, and the end of
/// a thread of CPython that waits for the interpreter.
///
/// # Errors
/// When the compiler of C does not say where that library is.
pub(crate) fn with_unwinder() -> Result<[String; 2]> {
    let path = progress::run("libgcc_s", Command::new("cc").arg("-print-file-name=libgcc_s.so.1"))?;
    Ok(["-C".to_owned(), format!("link-arg={}", path.trim())])
}

/// Builds a small library through which errors of LuaJIT pass, as the modules are built that are shipped, and gives its place.
///
/// # Errors
/// When it cannot be built.
pub(crate) fn sample() -> Result<PathBuf> {
    Ok(build("what errors pass through", &["-p", "opencode-unwinder"])?
        .join("libopencode_unwinder.so"))
}

/// A shared library needs no later glibc than [`FLOOR`], and has no unwinder of its own (see [`with_unwinder`]).
///
/// # Errors
/// With the glibc that it needs, or that it unwinds by itself.
pub(crate) fn check(library: &Path) -> Result<()> {
    let bytes = fs::read(library).map_err(|e| Error::wrap(library.display(), e))?;
    let needed = latest(&bytes);
    if needed > version(FLOOR) {
        let text = format!("{}: needs glibc {needed:?}, and {FLOOR} was wanted", library.display());
        return Err(Error::new(text));
    }
    if !is_unwound_by_the_system(&bytes) {
        return Err(Error::new(format!("{}: has an unwinder of its own", library.display())));
    }
    Ok(())
}

fn is_unwound_by_the_system(library: &[u8]) -> bool {
    let name = b"\0libgcc_s.so.1\0";
    library.windows(name.len()).any(|found| found == name)
}

/// Every function that a static library takes from glibc is as old as [`FLOOR`], by what the glibc of this machine says
/// of itself: linked on an old system, the library lacks nothing.
///
/// # Errors
/// The functions that came later.
pub(crate) fn check_static(library: &Path) -> Result<()> {
    let mut known = String::new();
    for name in ["libc.so.6", "libm.so.6"] {
        let mut cc = Command::new("cc");
        let path = progress::run(name, cc.arg(format!("-print-file-name={name}")))?;
        known += &nm(&["-D", "--defined-only"], Path::new(path.trim()))?;
    }
    match &later(&nm(&["--undefined-only"], library)?, &known)[..] {
        [] => Ok(()),
        later => {
            let text = format!("{}: not in glibc {FLOOR}: {later:?}", library.display());
            Err(Error::new(text))
        }
    }
}

fn nm(flags: &[&str], library: &Path) -> Result<String> {
    progress::run("nm", Command::new("nm").arg("--format=posix").args(flags).arg(library))
}

/// An older glibc has these in the part of it that is always linked into a program.
const LINKED_IN: [&str; 8] =
    ["stat", "fstat", "lstat", "fstatat", "stat64", "fstat64", "lstat64", "fstatat64"];

/// The names of `needed`, lines of `nm`, whose oldest form in `known` came after [`FLOOR`]. Weak ones may be missing.
fn later<'a>(needed: &'a str, known: &str) -> Vec<&'a str> {
    let mut oldest = BTreeMap::<&str, Vec<u32>>::new();
    for line in known.lines() {
        let symbol = line.split_whitespace().next().unwrap_or_default();
        let Some((name, since)) = symbol.split_once('@') else { continue };
        let Some(since) = since.trim_start_matches('@').strip_prefix("GLIBC_") else { continue };
        let since = version(since);
        // GLIBC_PRIVATE
        if !since.is_empty() && oldest.get(name).is_none_or(|before| *before > since) {
            oldest.insert(name, since);
        }
    }
    let strong = needed.lines().filter_map(|line| line.trim_end().strip_suffix(" U"));
    let is_later = |name: &&str| oldest.get(name).is_some_and(|since| *since > version(FLOOR));
    strong.filter(is_later).filter(|name| !LINKED_IN.contains(name)).collect()
}

/// The latest version of glibc that a library names.
fn latest(library: &[u8]) -> Vec<u32> {
    let mark = b"GLIBC_";
    let places = library.windows(mark.len()).enumerate().filter(|(_, found)| found == mark);
    let versions = places.map(|(place, _)| {
        let rest = library.get(place + mark.len()..).unwrap_or_default();
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.');
        version(&String::from_utf8_lossy(&digits.copied().collect::<Vec<u8>>()))
    });
    versions.max().unwrap_or_default()
}

fn version(text: &str) -> Vec<u32> {
    text.split('.').filter_map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_glibc_that_a_library_names_is_found() {
        let library = b"\0GLIBC_2.9\0GLIBC_2.17\0GLIBC_PRIVATE\0GLIBC_2.2.5\0";
        assert_eq!(latest(library), [2, 17]);
        assert!(latest(library) <= version(FLOOR));
        assert!(latest(b"GLIBC_2.34\0") > version(FLOOR));
        assert!(latest(b"GLIBC_2.17.1\0") > version(FLOOR));
        assert!(latest(b"none").is_empty());
    }

    #[test]
    fn a_library_with_an_unwinder_of_its_own_is_found() {
        assert!(is_unwound_by_the_system(b"\0libc.so.6\0libgcc_s.so.1\0"));
        assert!(!is_unwound_by_the_system(b"\0libc.so.6\0_Unwind_RaiseException\0"));
    }

    #[test]
    fn functions_that_a_static_library_would_lack_on_an_old_system_are_found() {
        let known = "pow@@GLIBC_2.29 T 1 2\npow@GLIBC_2.2.5 T 1 2\ngetrandom@@GLIBC_2.25 W 1 2\n\
                     statx@@GLIBC_2.28 T 1 2\nfstat64@@GLIBC_2.33 W 1 2\nhidden@@GLIBC_PRIVATE T 1 2\n";
        let needed =
            "pow U\nopencode_version T 0 1\ngetrandom U \nstatx w\nfstat64 U\nhidden U\nx U\n";
        assert_eq!(later(needed, known), ["getrandom"]);
        assert!(later("pow U\n", known).is_empty());
    }
}
