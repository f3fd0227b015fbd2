//! The programs that the project needs, and how a machine gets them.

use std::env;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use opencode_tests::{Error, Result};

use crate::progress;

/// What a program is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    /// The demo, and so the tests too.
    Demo,
    /// Only the tests.
    Test,
}

struct Tool {
    command: &'static str,
    /// Arguments that succeed when the program is complete; without any it only has to be there.
    probe: &'static [&'static str],
    /// The Debian package that brings it.
    package: &'static str,
    purpose: &'static str,
    need: Need,
}

const fn tool(
    command: &'static str,
    package: &'static str,
    purpose: &'static str,
    need: Need,
) -> Tool {
    Tool { command, probe: &[], package, purpose, need }
}

const TOOLS: [Tool; 23] = [
    tool("git", "git", "the server reads the project with it", Need::Demo),
    tool("rg", "ripgrep", "the server searches files with it", Need::Demo),
    tool("npm", "npm", "fetches the pinned server", Need::Demo),
    tool("tar", "tar", "unpacks the pinned server", Need::Demo),
    tool("gcc", "gcc", "compiles the C programs", Need::Demo),
    tool("lua5.4", "lua5.4", "runs the Lua module", Need::Demo),
    Tool {
        command: "python3",
        probe: &["-c", "import venv, ensurepip"],
        package: "python3-venv",
        purpose: "runs the Python package in a virtual environment",
        need: Need::Demo,
    },
    tool("g++", "g++", "compiles the header as C++", Need::Test),
    tool("pkg-config", "pkg-config", "finds the C library", Need::Test),
    tool("nm", "binutils", "lists the exported symbols", Need::Test),
    tool("lua5.1", "lua5.1", "runs the Lua module", Need::Test),
    tool("lua5.2", "lua5.2", "runs the Lua module", Need::Test),
    tool("lua5.3", "lua5.3", "runs the Lua module", Need::Test),
    tool("luajit", "luajit", "runs the Lua module, and calls the C library", Need::Test),
    tool("luarocks", "luarocks", "makes and packs the rock of the Lua module", Need::Test),
    tool("nvim", "neovim", "hosts the Lua module", Need::Test),
    tool("love", "love", "hosts the Lua module", Need::Test),
    tool("haproxy", "haproxy", "hosts the Lua module", Need::Test),
    tool("valgrind", "valgrind", "looks for memory errors in the C library", Need::Test),
    tool("strace", "strace", "counts the system calls of a poll", Need::Test),
    tool("tmux", "tmux", "gives the server's terminal interface a terminal", Need::Test),
    tool("less", "less", "runs in a terminal of the tests", Need::Test),
    tool("vim", "vim", "runs in a terminal of the tests", Need::Test),
];

const NO_RIGHTS: &str = "there is no apt-get here, or no right to use it: not root, and no sudo";

/// Installs what is missing, with one call of apt-get.
///
/// # Errors
/// When something is missing and cannot be installed; the message says what to install. Nothing
/// is ever skipped.
pub(crate) fn ensure(need: Need) -> Result<()> {
    let path = env::var_os("PATH").unwrap_or_default();
    let missing = progress::step("look for tools", |_| Ok(missing(need, &path)))?;
    if missing.is_empty() {
        return Ok(());
    }
    let mut packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
    packages.dedup();
    let Some(mut command) = apt(&path) else { return Err(advice(&missing, NO_RIGHTS)) };
    let what = format!("install {}", packages.join(" "));
    progress::run(&what, with_apt(&mut command, &packages))
        .map_err(|error| advice(&missing, &error.to_string()))?;
    let missing = self::missing(need, &path);
    if missing.is_empty() { Ok(()) } else { Err(advice(&missing, "apt-get did not help")) }
}

/// Installs packages of Debian that are good to have, and not needed.
///
/// # Errors
/// When they cannot be installed.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut command = apt(&path).ok_or_else(|| Error::new(NO_RIGHTS))?;
    progress::run(&format!("install {}", packages.join(" ")), with_apt(&mut command, packages))
        .map(drop)
}

/// Has apt-get install packages, with a fresh list of them where the one that is there is too old.
fn with_apt<'a>(command: &'a mut Command, packages: &[&str]) -> &'a mut Command {
    let script = "apt-get install -y --no-install-recommends \"$@\" || \
                  { apt-get update && apt-get install -y --no-install-recommends \"$@\"; }";
    command
        .args(["sh", "-c", script, "apt"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive")
}

/// Whether a program can be called by its name.
pub(crate) fn has(command: &str) -> bool {
    is_on(&env::var_os("PATH").unwrap_or_default(), command)
}

fn missing(need: Need, path: &OsStr) -> Vec<&'static Tool> {
    let needed = TOOLS.iter().filter(|tool| tool.need <= need);
    needed.filter(|tool| !is_there(tool, path)).collect()
}

fn is_there(tool: &Tool, path: &OsStr) -> bool {
    if !is_on(path, tool.command) {
        return false;
    }
    let mut command = Command::new(tool.command);
    command.args(tool.probe).env("PATH", path).stdin(Stdio::null());
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
    tool.probe.is_empty() || quiet.status().is_ok_and(|status| status.success())
}

fn is_on(path: &OsStr, command: &str) -> bool {
    env::split_paths(path).any(|directory| is_executable(&directory.join(command)))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// A command that runs its arguments with the rights to install; `None` when we have them not.
fn apt(path: &OsStr) -> Option<Command> {
    if !is_on(path, "apt-get") {
        return None;
    }
    let quietly = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    if quietly("id", &["-u"]).as_deref() == Some("0") {
        return Some(Command::new("env"));
    }
    quietly("sudo", &["-n", "true"])?;
    let mut sudo = Command::new("sudo");
    // sudo cleans the environment.
    sudo.args(["-n", "env", "DEBIAN_FRONTEND=noninteractive"]);
    Some(sudo)
}

fn advice(missing: &[&Tool], reason: &str) -> Error {
    let mut packages = Vec::new();
    let mut text = String::from("missing on this machine:\n");
    for tool in missing {
        text.push_str(&format!(
            "  {:10} {} (package {})\n",
            tool.command, tool.purpose, tool.package
        ));
        packages.push(tool.package);
    }
    packages.dedup();
    let packages = packages.join(" ");
    Error::new(format!("{text}please run: apt-get install {packages}\n({reason})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_is_listed_once_and_says_what_for() {
        for (index, tool) in TOOLS.iter().enumerate() {
            assert!(TOOLS[..index].iter().all(|other| other.command != tool.command));
            assert!(!tool.purpose.is_empty() && !tool.package.contains(' '));
        }
    }

    #[test]
    fn what_is_missing_is_named_with_its_package() {
        let nothing = OsStr::new("/nowhere");
        let demo = missing(Need::Demo, nothing);
        let all = missing(Need::Test, nothing);
        assert_eq!(all.len(), TOOLS.len());
        assert!(demo.len() < all.len() && demo.iter().all(|tool| tool.need == Need::Demo));
        let text = advice(&all, "no").to_string();
        assert!(text.contains("please run: apt-get install git ripgrep npm "), "{text}");
        for tool in TOOLS {
            assert!(text.contains(tool.command) && text.contains(tool.purpose));
        }
    }

    #[test]
    fn a_program_that_is_there_but_not_complete_is_missing() {
        let shell =
            |probe| Tool { command: "sh", probe, package: "x", purpose: "y", need: Need::Demo };
        let path = OsStr::new("/nowhere:/bin:/usr/bin");
        assert!(is_there(&shell(&[]), path));
        assert!(is_there(&shell(&["-c", "exit 0"]), path));
        assert!(!is_there(&shell(&["-c", "exit 1"]), path));
        assert!(!is_on(path, "no-such-program"));
    }
}
