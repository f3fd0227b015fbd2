//! A small git project for the agent to work in.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::settings::random;
use crate::{Directory, Error, Result};

/// The files of every project, as path and content.
pub const FILES: [(&str, &str); 3] = [
    ("README.md", "# Sample\n\nA small project for the agent to work in.\n"),
    ("src/greet.py", "def greet(name):\n    return \"Hello, \" + name\n"),
    ("notes/todo.txt", "write a test for greet\n"),
];

/// Creates a temporary git project with [`FILES`], committed.
///
/// # Errors
/// When git is missing or fails.
pub fn create() -> Result<Directory> {
    let directory = Directory::new("project")?;
    for (path, content) in FILES {
        let file = directory.path().join(path);
        fs::create_dir_all(file.parent().expect("each file lies in a directory"))?;
        fs::write(file, content)?;
    }
    git(directory.path(), &["init", "--quiet", "--initial-branch=main"])?;
    git(directory.path(), &["add", "."])?;
    // The server names a project after its first commit: two projects must not share it.
    let message = format!("Start {}", random(8)?);
    let author = ["-c", "user.name=Tester", "-c", "user.email=tester@example.com"];
    let commit = ["-c", "commit.gpgsign=false", "commit", "--quiet", "-m", &message];
    git(directory.path(), &[&author[..], &commit].concat())?;
    Ok(directory)
}

/// Runs git in a directory, without the configuration of the user.
///
/// # Errors
/// When git is missing or fails; the message holds what it printed.
pub fn git(directory: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(directory)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Error::wrap("git", error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(Error::new(format!("git {}: {}", arguments.join(" "), text.trim())))
}
