//! `cargo xtask conformance [PREFIX]`: every operation, in every language, against the real server.

use std::env;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use opencode_tests::binary::workspace;
use opencode_tests::conformance::{Language, Program, Suite, page};
use opencode_tests::{Error, Generation, Result};
use serde_json::{Value, json};

use crate::artefact::{self, LUAS, Profile};
use crate::{codegen, progress, server, spec, tools};

/// The Lua programs that take part, each with the folder of the module that it loads.
type Luas = Vec<(&'static str, PathBuf)>;

/// One for each kind of virtual machine: the others load the same modules.
const HOSTS: [&str; 2] = ["lua5.4", "luajit"];

/// Builds everything, runs the cases, and rewrites `docs/operations.md` when all of them ran.
///
/// # Errors
/// When something cannot be built, or a case saw something else.
pub(crate) fn run(prefix: &str) -> Result<()> {
    tools::ensure(tools::Need::Test)?;
    server::ensure()?;
    let mut luas = Luas::new();
    for lua in LUAS {
        for host in lua.hosts.iter().filter(|host| HOSTS.contains(host)) {
            luas.push((*host, artefact::native(lua, Profile::Dev)?));
        }
    }
    let python = artefact::python(Profile::Dev, &[])?;
    finish(see(luas, &python, prefix)?, false)
}

/// Runs the cases with what is built already, and fails when `docs/operations.md` says something else.
///
/// # Errors
/// When a case saw something else, or the page is stale.
pub(crate) fn test(luas: Luas, python: &Path) -> Result<()> {
    finish(see(luas, python, "")?, true)
}

fn finish(page: Option<String>, check: bool) -> Result<()> {
    let Some(page) = page else { return Ok(()) };
    let path = workspace().join("docs/operations.md");
    let done = spec::write_or_check(&[(path, page)], check, "cargo xtask conformance");
    done.map(drop).map_err(Error::new)
}

/// Fails when an operation has no case, or a case cannot be read.
///
/// # Errors
/// Names the operations.
pub(crate) fn check(operations: &[codegen::Row]) -> Result<()> {
    let suite = Suite::load(&spec::folder())?;
    for (server, rows) in by_server(operations) {
        let names: Vec<&str> = rows.iter().map(|(name, _)| *name).collect();
        suite.check(server, &names)?;
    }
    Ok(())
}

/// Name and request of what each server has.
fn by_server(operations: &[codegen::Row]) -> Vec<(Generation, Vec<(&str, &str)>)> {
    let of = |number: u64| {
        let own = operations.iter().filter(move |row| row.only.is_none_or(|only| only == number));
        own.map(|row| (&*row.name, &*row.request)).collect()
    };
    vec![(Generation::One, of(1)), (Generation::Two, of(2))]
}

/// The page of what was seen; none when only a part was run.
fn see(luas: Luas, python: &Path, prefix: &str) -> Result<Option<String>> {
    let operations = codegen::operations().map_err(Error::new)?;
    let suite = Suite::load(&spec::folder())?;
    let rust = rust()?;
    let c = c(&operations)?;
    let folder = workspace().join("tests/conformance");
    let language = |name: &str, nothing: Value, programs: Vec<Program>| Language {
        name: name.to_owned(),
        plays_two: !["Python (asyncio)", "luajit"].contains(&name),
        programs,
        nothing,
    };
    let mut languages = vec![
        language("Rust", Value::Null, vec![program(rust, &[], None)]),
        language("C", Value::Null, vec![program(c, &[], None)]),
    ];
    let script = folder.join("driver.py").display().to_string();
    for (name, more) in [("Python", None), ("Python (asyncio)", Some("--async"))] {
        let modes = [None, Some("--raw")].map(|raw| {
            let arguments: Vec<&str> = [Some(&*script), more, raw].into_iter().flatten().collect();
            program(python.to_owned(), &arguments, None)
        });
        languages.push(language(name, Value::Null, modes.into()));
    }
    let script = folder.join("driver.lua").display().to_string();
    for (host, module) in luas.into_iter().filter(|(host, _)| HOSTS.contains(host)) {
        let modes = [&[&*script][..], &[&*script, "--raw"]]
            .map(|arguments| program(host.into(), arguments, Some(module.clone())));
        languages.push(language(host, json!(true), modes.into()));
    }
    let what = format!("{} cases in {} languages", suite.len(), languages.len());
    let seen = progress::step(&what, |_| suite.run(&languages, prefix))?;
    if !prefix.is_empty() {
        return Ok(None);
    }
    let rows = by_server(&operations);
    let names: Vec<&str> = languages.iter().map(|language| &*language.name).collect();
    page(&suite, &rows, &names, &seen).map(Some)
}

fn program(program: PathBuf, arguments: &[&str], cpath: Option<PathBuf>) -> Program {
    let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
    Box::new(move || {
        let mut command = Command::new(&program);
        command.args(&arguments);
        if let Some(cpath) = &cpath {
            command.env("LUA_CPATH", cpath.join("?.so"));
        }
        command
    })
}

fn rust() -> Result<PathBuf> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace());
    cargo.args(["build", "-p", "opencode-tests", "--example", "conformance-driver"]);
    progress::run("build the Rust driver", &mut cargo)?;
    Ok(workspace().join("target/debug/examples/conformance-driver"))
}

/// The C driver with the inline function of every operation that has one.
fn c(operations: &[codegen::Row]) -> Result<PathBuf> {
    let header = workspace().join("include/opencode_operations.h");
    let header = std::fs::read_to_string(&header).map_err(|e| Error::wrap(header.display(), e))?;
    let mut list = String::new();
    for codegen::Row { name, .. } in operations {
        let function = spec::name::c_function(name);
        if header.contains(&format!(" {function}(")) {
            let _ = writeln!(list, "OPERATION(\"{name}\", {function})");
        }
    }
    let folder = crate::test::scratch("conformance")?;
    std::fs::write(folder.join("operations.inc"), list)
        .map_err(|e| Error::wrap(folder.display(), e))?;
    let include = format!("-I{}", folder.display());
    let source = workspace().join("tests/conformance/driver.c");
    artefact::compile(&source, &["-std=c99", &include])
}
