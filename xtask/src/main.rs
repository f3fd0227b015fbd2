//! The project's own tasks, as `cargo xtask TASK`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to its user")]

mod abi;
mod artefact;
mod bench;
mod borders;
mod codegen;
mod conformance;
mod demo;
mod dist;
mod ffi;
mod floors;
mod glibc;
mod guards;
mod install;
mod interpreter;
mod language_server;
mod progress;
mod readme;
mod sanitize;
mod server;
mod servers;
mod sizes;
mod spec;
mod test;
mod tools;
mod type_names;
mod wire;

use std::process::ExitCode;

use artefact::Reach;
use opencode_tests::{Error, Result};

const HELP: &str = "usage: cargo xtask TASK [ARGUMENT...]

  demo [-- PROMPT]  the same streamed prompt from Lua, Python, C and Rust
  dist            what is shipped: the Lua modules, the wheel, the C library; into target/dist
  dist lua        only the Lua modules
  dist python     only the wheel, on Linux for glibc 2.17 and later, and the archive of its sources
  dist c --prefix DIR
                  the C library below DIR, for pkg-config, CMake and meson; on Linux for glibc 2.17 and later
  dist [...] --http-only
                  any of these without TLS and mDNS: half as large; into target/dist/http-only
  test            everything that a change must pass
  bench [--only ROW] [--rounds N]
                  what it costs, beside what else there is; writes benches/RESULTS.md and its plots
  guards [--update]
                  instructions, system calls and sizes of what is shipped, against those that are stored
  test --fast     what answers in about a minute
  hosts HOST...   run the examples for hosts of Lua that are installed: love haproxy luanti mpv tshark nginx
  ffi             run the programs of docs/ffi.md, all languages
  conformance     call every operation in every language and rewrite docs/operations.md
  conformance P   only the operations whose name begins with P; nothing is rewritten
  setup           install the tools that the tests need and fetch the pinned server
  setup --demo    the same, only for what the demo needs
  servers [VERSION...]
                  play every feature on the versions of the server that npm has, and rewrite docs/servers.md
  spec            rewrite spec/operations.json and spec/types.json from a server's description
  codegen         rewrite everything that is generated from spec/ and bindings-c
  codegen --check fail when something generated is stale, an import breaks the order of the
                  floors, a run knows a name of the wire, its machines share a field, two types of the
                  core have one name, or something stands on the wrong side of a border
  help            this text";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let (task, rest) = match arguments {
        [] => return Err(Error::new(format!("no task given\n{HELP}"))),
        [task, rest @ ..] => (task.as_str(), rest),
    };
    let flags: Vec<&str> = rest.iter().map(String::as_str).collect();
    match (task, flags.as_slice()) {
        ("demo", ["--", ..]) => demo::run(&rest[1..]),
        ("demo", _) => demo::run(rest),
        ("dist", []) => dist::run(Reach::Whole),
        ("dist", ["--http-only"]) => dist::run(Reach::HttpOnly),
        ("dist", ["lua"]) => dist::lua(Reach::Whole),
        ("dist", ["lua", "--http-only"]) => dist::lua(Reach::HttpOnly),
        ("dist", ["python"]) => dist::python(Reach::Whole),
        ("dist", ["python", "--http-only"]) => dist::python(Reach::HttpOnly),
        ("dist", ["c", "--prefix", prefix]) => install::run(&install::prefix(prefix)?, false),
        (
            "dist",
            ["c", "--prefix", prefix, "--http-only"] | ["c", "--http-only", "--prefix", prefix],
        ) => install::run(&install::prefix(prefix)?, true),
        ("test", []) => test::run(false),
        ("test", ["--fast"]) => test::run(true),
        ("bench", flags) => bench::run(flags),
        ("guards", []) => guards::run(false),
        ("guards", ["--update"]) => guards::run(true),
        ("hosts", hosts) if !hosts.is_empty() => test::hosts(hosts),
        ("ffi", []) => ffi::run(),
        ("conformance", []) => conformance::run(""),
        ("conformance", [prefix]) => conformance::run(prefix),
        ("setup", []) => setup(tools::Need::Test),
        ("setup", ["--demo"]) => setup(tools::Need::Demo),
        ("servers", only) => servers::run(only),
        ("spec", _) => report(spec::run(rest)),
        ("codegen", _) => report(codegen::run(rest)),
        ("help" | "--help" | "-h", _) => {
            println!("{HELP}");
            Ok(())
        }
        _ => Err(Error::new(format!("no task {:?}\n{HELP}", arguments.join(" ")))),
    }
}

/// Prints what a generator did in one line.
fn report(outcome: std::result::Result<String, String>) -> Result<()> {
    println!("{}", outcome.map_err(Error::new)?);
    Ok(())
}

/// Makes the machine ready. The server comes last: fetching it needs npm.
fn setup(need: tools::Need) -> Result<()> {
    tools::ensure(need)?;
    if need == tools::Need::Test {
        language_server::ensure()?;
    }
    for binary in server::ensure()? {
        println!("ready: {}", binary.display());
    }
    Ok(())
}
