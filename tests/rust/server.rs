//! Servers that the program starts itself.

mod ends;
mod generations;
mod starts;

use opencode_core::ServerOptions;
use opencode_tests::{Directory, eventually, is_alive, shared};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Options for the real server in the world of the shared one.
pub(crate) fn options() -> ServerOptions {
    let server = &shared().server;
    let mut options = ServerOptions::default();
    options.binary = Some(opencode_tests::binary::path().unwrap());
    options.directory = Some(server.directory().to_owned());
    let world = server.world().into_iter();
    options.environment = world.map(|(name, value)| (name, Some(value))).collect();
    options.start_timeout = opencode_tests::LIMIT;
    options
}

/// Options for a script in place of the server.
fn scripted(folder: &Directory, script: &str) -> ServerOptions {
    let mut options = options();
    options.binary = Some(program(folder.path(), script).unwrap());
    options
}

fn program(folder: &Path, script: &str) -> io::Result<PathBuf> {
    let file = folder.join("opencode");
    fs::write(&file, format!("#!/bin/sh\n{script}\n"))?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
    Ok(file)
}

fn await_end(pid: u32) {
    eventually("the end of a process", || (!is_alive(pid)).then_some(()));
}

/// The number that somebody writes into a file.
fn pid_in(file: &Path) -> u32 {
    eventually("a pid", || fs::read_to_string(file).ok()?.trim().parse().ok())
}
