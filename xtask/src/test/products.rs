//! What is shipped, as those see it who build with it: compilers, linkers, checkers of types.

use std::path::{Path, PathBuf};
use std::process::Command;

use opencode_tests::binary::workspace;
use opencode_tests::{Error, Result};

use super::{package, scratch};
use crate::{abi, artefact, install, progress};

/// None of them needs a server.
///
/// # Errors
/// When the tools for them cannot be installed.
pub(super) fn jobs<'a>(python: &'a Path) -> Result<Vec<progress::Job<'a>>> {
    let maturin = artefact::maturin()?;
    Ok(vec![
        (
            "checkers of types on the Python package".to_owned(),
            Box::new(|note| types(python, note)),
        ),
        ("programs find the installed C library".to_owned(), Box::new(install::try_out)),
        (
            "the sources of the Python package".to_owned(),
            Box::new(move |note| package::sources(&maturin, note)),
        ),
        ("the headers in every standard".to_owned(), Box::new(headers)),
        ("the symbols of the C library".to_owned(), Box::new(exports)),
        (
            "a program finds the C library with pkg-config".to_owned(),
            Box::new(|_| found_by_pkg_config()),
        ),
    ])
}

/// The headers are clean in every standard that they promise.
fn headers(note: &progress::Note) -> Result<()> {
    for (compiler, language, standards) in [
        ("gcc", "c", &["c89", "c99", "c11", "c17"][..]),
        ("g++", "c++", &["c++11", "c++17", "c++20"][..]),
    ] {
        for standard in standards {
            for header in ["opencode.h", "opencode_operations.h"] {
                let mut check = Command::new(compiler);
                check.args(["-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only"]);
                check.args([&format!("-std={standard}"), "-x", language]);
                check.arg(workspace().join("include").join(header));
                progress::follow(&mut check, note)
                    .map_err(|e| Error::wrap(format!("{header} as {standard}"), e))?;
            }
        }
    }
    Ok(())
}

/// The library exports what the header declares and the list keeps, and nothing else.
fn exports(note: &progress::Note) -> Result<()> {
    let mut nm = Command::new("nm");
    nm.args(["-D", "--defined-only", "--format=posix"]);
    let listed = progress::follow(nm.arg(artefact::dist().join("c/libopencode.so")), note)?;
    let names = listed.lines().filter_map(|line| line.split_whitespace().next());
    abi::check(&names.map(str::to_owned).collect())
}

/// What an editor or a checker of types says about the Python package.
fn types(python: &Path, note: &progress::Note) -> Result<()> {
    let examples = workspace().join("examples/python");
    let package = workspace().join("bindings-python/python");
    let check = |words: &[&str], folder: PathBuf| {
        let mut check = Command::new(python);
        check.arg("-m").args(words).current_dir(folder);
        check
    };
    // The installed package is what the examples are checked against.
    let cache = scratch("mypy")?;
    let mut mypy = check(&["mypy", "--strict", "--cache-dir"], artefact::dist());
    progress::follow(mypy.arg(&cache).arg(&examples), note)?;
    let mut pyright = check(&["pyright", "--pythonpath"], artefact::dist());
    progress::follow(pyright.arg(python).arg(&examples), note)?;
    // What the installed package is at run time is what its stubs say.
    let mut stubs =
        check(&["mypy.stubtest", "libopencode", "--concise", "--allowlist"], cache.clone());
    progress::follow(stubs.arg(workspace().join("tests/python/stubtest.txt")), note)?;
    let mut mypy = check(&["mypy", "--strict", "--cache-dir"], package.clone());
    progress::follow(mypy.arg(&cache).arg(package.join("libopencode")), note).map(drop)
}

/// Compiles an example with nothing but what pkg-config says.
fn found_by_pkg_config() -> Result<()> {
    let source = workspace().join("examples/c/ask.c");
    let folder = artefact::dist().join("c");
    let output = scratch("pkg-config")?.join("ask");
    let script =
        "cc -std=c99 \"$1\" $(pkg-config --cflags --libs opencode) -o \"$2\" && \"$2\" 2>&1";
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "sh"]).args([&source, &output]);
    shell.env("PKG_CONFIG_PATH", &folder).env("LD_LIBRARY_PATH", &folder);
    let output = shell.env("OPENCODE_BASE_URL", "ftp://x").output()?;
    let printed = String::from_utf8_lossy(&output.stdout);
    if output.status.code() == Some(1) && printed.contains("base_url") {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(Error::new(format!("cc with pkg-config: {}\n{printed}{errors}", output.status)))
}
