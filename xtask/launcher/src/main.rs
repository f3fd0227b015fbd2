//! What `cargo xtask` begins with: builds the tasks, and becomes them.
//!
//! The alias runs this program quietly, so that no task begins with lines of cargo. Here cargo talks, but only when it
//! has something to do: on a fresh machine that takes minutes, and nobody should take it for hanging.
#![allow(clippy::print_stderr, reason = "a program talks to its user")]

use std::env;
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

/// The profile of the demo, in which everything of it is built, the tasks too: what both need is compiled once.
const DEMO: &str = "demo";

fn main() -> ExitCode {
    let is_demo = env::args().nth(1).is_some_and(|task| task == DEMO);
    let error = match build(is_demo) {
        Ok(true) => become_xtask(is_demo),
        // Cargo has said why.
        Ok(false) => return ExitCode::FAILURE,
        Err(error) => error,
    };
    eprintln!("xtask: {error}");
    ExitCode::FAILURE
}

/// Builds the tasks; whether that went well. The demo generates nothing.
fn build(is_demo: bool) -> io::Result<bool> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--package", "xtask", "--manifest-path"]).arg(manifest);
    if is_demo {
        cargo.args(["--profile", DEMO, "--no-default-features"]);
    }
    let mut child = cargo.stdin(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let lines = child.stderr.take().map(BufReader::new);
    for line in lines.into_iter().flat_map(BufRead::lines).map_while(Result::ok) {
        if is_news(&line) {
            eprintln!("{line}");
        }
    }
    Ok(child.wait()?.success())
}

/// Whether a line of cargo tells that something is being done, or is wrong.
fn is_news(line: &str) -> bool {
    !line.trim_start().starts_with("Finished ")
}

/// Runs the task in the place of this program; comes back only when that fails.
fn become_xtask(is_demo: bool) -> io::Error {
    match env::current_exe() {
        Ok(me) => {
            let program = if is_demo { format!("../{DEMO}/xtask") } else { "xtask".to_owned() };
            Command::new(me.with_file_name(program)).args(env::args_os().skip(1)).exec()
        }
        Err(error) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_that_has_nothing_to_do_says_nothing() {
        assert!(!is_news("    Finished `dev` profile [unoptimized] target(s) in 0.10s"));
        assert!(is_news("   Compiling serde v1.0.0"));
        assert!(is_news("    Blocking waiting for file lock on build directory"));
        assert!(is_news("error[E0425]: cannot find value `x` in this scope"));
    }
}
