//! The generated files in the hands of the tools they are made for.
//!
//! A tool that is missing skips its test with a line that says so; with `CI` set it fails.

mod c;
mod editor;
mod language_server;
mod lua;
mod python;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is in the repository").to_owned()
}

fn samples() -> PathBuf {
    root().join("xtask/tests/generated/samples")
}

/// A folder of its own for one test, empty.
fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}

/// The tools of the list that this machine has.
fn installed<'a>(tools: &[&'a str]) -> Vec<&'a str> {
    let runs = |tool: &&&str| Command::new(tool).arg("-v").output().is_ok();
    let found: Vec<&str> = tools.iter().filter(runs).copied().collect();
    if found.is_empty() {
        skip(&format!("none of {tools:?} is installed"));
    }
    found
}

#[expect(clippy::print_stderr, reason = "a test that did nothing has to say so")]
fn skip(reason: &str) {
    assert!(env::var_os("CI").is_none(), "{reason}");
    eprintln!("SKIP: {reason}");
}

/// Runs to the end and gives everything that was printed, and whether it went well.
fn output(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}
