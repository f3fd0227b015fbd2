//! `cargo xtask test`: everything that a change must pass.

mod example;
mod languages;
mod package;
mod products;
mod stage;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Instant;

use opencode_tests::binary::workspace;
use opencode_tests::{Error, Result, Stage, costs};
use serde_json::json;

use self::languages::{
    c_tests, cpp_tests, drops, guards, kept_programs, lua_closely, lua_hosts, lua_modules,
    lua_tests, lua_unwinder, python_tests, quick_lua_tests, tests_on_two,
};
use self::stage::{job, play};
use crate::artefact::{self, LUAS, Profile};
use crate::{conformance, ffi, glibc, language_server, progress, readme, sanitize, server, tools};

/// What the Python tests need; pinned, so that the same change always meets the same judges.
const PYTHON_PACKAGES: &[&str] = &[
    "pytest==9.0.1",
    "mypy==2.4.1",
    "pyright==1.1.414",
    "fastapi==0.165.0",
    "trio==0.35.0",
    "pandas==3.1.1",
    "nbclient==0.11.0",
    "ipykernel==7.4.0",
    "matplotlib==3.11.2",
    "opentelemetry-sdk==1.45.2",
    "distributed==2026.8.0",
];

/// Runs all tests; with `fast`, what answers in about a minute.
///
/// # Errors
/// The names of the steps that failed, whose outputs were printed; with `fast` the first one and the end of its output.
pub(crate) fn run(fast: bool) -> Result<()> {
    let start = Instant::now();
    let suite = Suite { tally: Mutex::default(), fast };
    tools::ensure(tools::Need::Test)?;
    server::ensure()?;
    costs::collect(&scratch("")?.join("costs"))?;
    suite.sources()?;
    if fast {
        suite.style()?;
        suite.rust()?;
        suite.bindings(&build(fast)?)?;
    } else {
        suite.what_waits_beside_what_computes()?;
    }
    let seconds = start.elapsed().as_secs();
    println!("Done in {} min {} s.", seconds / 60, seconds % 60);
    let (servers, took) = costs::total();
    println!("{servers} servers of the tests computed {} s.", took.as_secs());
    let tally = suite.tally();
    println!("{} passed, {} failed", tally.passed, tally.failed.len());
    match tally.failed.as_slice() {
        [] => Ok(()),
        failed => Err(Error::new(format!("failed: {}", failed.join(", ")))),
    }
}

/// Runs the examples for hosts that load the Lua module.
///
/// # Errors
/// The first failure, with the end of its output.
pub(crate) fn hosts(names: &[&str]) -> Result<()> {
    server::ensure()?;
    for lua in LUAS.iter().filter(|lua| ["lua51", "lua52", "lua53"].contains(&lua.feature)) {
        artefact::native(lua, Profile::Dev)?;
    }
    let said =
        progress::step("the hosts", |note| play(&Stage::start()?, &mut lua_hosts(names), note))?;
    println!("{said}");
    Ok(())
}

/// Integration tests at once. They share a server, and a run judges by the time that it takes.
const WAITING: usize = 4;
/// Jobs at once. What they cost is the work of their servers: more would only make those slow.
const LANES: usize = 4;

/// What the tests of the languages run with.
struct Built {
    /// The folder of the module for each host.
    modules: Vec<(&'static str, PathBuf)>,
    python: PathBuf,
}

/// Versions of Lua whose module the tests load as it is shipped: the one that counts and times are taken of, and the one
/// of LuaJIT. An optimised build of one takes more than a minute of a processor.
const AS_SHIPPED: [&str; 2] = ["lua54", "lua51"];

fn build(fast: bool) -> Result<Built> {
    let profile = if fast { Profile::Dev } else { Profile::Release };
    let mut modules = Vec::new();
    for lua in if fast { &LUAS[..1] } else { LUAS } {
        let module = match fast || AS_SHIPPED.contains(&lua.feature) {
            true => artefact::native(lua, profile)?,
            // What differs between versions of Lua is in few lines, and a build that looks for overflows sees more.
            false => artefact::quick_module(lua)?,
        };
        modules.extend(lua.hosts.iter().map(|host| (*host, module.clone())));
    }
    if !fast {
        artefact::examples(artefact::EXAMPLES, Profile::Dev)?;
        // Here they compute beside what waits; the tests find them built.
        sanitize::library()?;
        glibc::sample()?;
    }
    let packages = if fast { &PYTHON_PACKAGES[..1] } else { PYTHON_PACKAGES };
    Ok(Built { modules, python: artefact::python(profile, packages)? })
}

struct Suite {
    tally: Mutex<Tally>,
    fast: bool,
}

#[derive(Default)]
struct Tally {
    passed: usize,
    /// What failed and holds nothing else up: it is told at the end.
    failed: Vec<String>,
}

impl Suite {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn passed(&self, steps: usize) {
        self.tally().passed += steps;
    }

    fn step<T>(&self, what: &str, work: impl FnOnce(&progress::Note) -> Result<T>) -> Result<T> {
        let done = progress::step(what, work)?;
        self.passed(1);
        Ok(done)
    }

    fn command(&self, what: &str, command: &mut Command) -> Result<String> {
        self.step(what, |note| progress::follow(command, note))
    }

    fn cargo(&self, what: &str, arguments: &[&str]) -> Result<()> {
        let mut cargo = self.cargo_command(arguments);
        let done = self.command(what, &mut cargo).map(drop);
        self.or_later(what, done)
    }

    /// Goes on after a failure, so that one run tells all of them. Who waits for `--fast` hears of the first at once.
    fn or_later(&self, what: &str, done: Result<()>) -> Result<()> {
        match done {
            Err(error) if !self.fast => {
                // At once too: a later failure may end the run.
                println!("{error}");
                self.tally().failed.push(what.to_owned());
            }
            done => return done,
        }
        Ok(())
    }

    fn cargo_command(&self, arguments: &[&str]) -> Command {
        let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        // What computes stands beside tests that wait, but for the inner loop.
        let mut cargo = match arguments {
            ["test", ..] => Command::new(program),
            _ if self.fast => Command::new(program),
            _ => artefact::polite(program),
        };
        // A tool that is missing fails its test instead of skipping it.
        cargo.current_dir(workspace()).env("CI", "1");
        // A failed test says where: the end of an output, which is what is shown, has room for more of them so.
        cargo.env("RUST_BACKTRACE", "0");
        match arguments {
            ["test", rest @ ..] if !self.fast => cargo.args(["test", "--no-fail-fast"]).args(rest),
            _ => cargo.args(arguments),
        };
        // Runs that the state machine is played through.
        cargo.env("PROPTEST_CASES", if self.fast { "1000" } else { "8000" });
        cargo
    }

    fn sources(&self) -> Result<()> {
        self.cargo("format", &["fmt", "--all", "--check"])?;
        let fresh = self.step("generated files are fresh", |_| {
            crate::codegen::run(&["--check".to_owned()]).map(drop).map_err(Error::new)
        });
        self.or_later("generated files are fresh", fresh)
    }

    fn style(&self) -> Result<()> {
        let deny = ["--", "-D", "warnings"];
        let all = [&["clippy", "--workspace", "--all-targets"][..], &deny].concat();
        self.cargo("clippy", &all)?;
        if !self.fast {
            let small =
                ["clippy", "-p", "opencode-core", "-p", "opencode-c", "--no-default-features"];
            self.cargo("clippy without TLS and mDNS", &[&small[..], &deny].concat())?;
            let demo = ["clippy", "-p", "xtask", "--no-default-features"];
            self.cargo(
                "clippy of the tasks as the demo builds them",
                &[&demo[..], &deny].concat(),
            )?;
            let mut pages = self.cargo_command(&["doc", "--workspace", "--no-deps", "--quiet"]);
            // A link that leads nowhere is a mistake.
            let made = self.command("documentation", pages.env("RUSTDOCFLAGS", "-D warnings"));
            self.or_later("documentation", made.map(drop))?;
        }
        Ok(())
    }

    /// Unit tests: compiled politely, and run as any others, because some of them look at the time.
    fn unit_tests(&self, what: &str, arguments: &[&str]) -> Result<()> {
        if !self.fast {
            let only_compiled = arguments.iter().copied().take_while(|word| *word != "--");
            let words: Vec<&str> = only_compiled.chain(["--no-run"]).collect();
            let mut compile =
                artefact::polite(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
            compile.current_dir(workspace()).env("CI", "1").args(words);
            let compiled = self.command(&format!("compile: {what}"), &mut compile).map(drop);
            if compiled.is_err() {
                return self.or_later(what, compiled);
            }
        }
        self.cargo(what, arguments)
    }

    fn rust(&self) -> Result<()> {
        let quick = ["test", "-p", "opencode-core", "-p", "opencode-lua", "-p", "opencode-c"];
        self.unit_tests("unit tests", &quick)?;
        if !self.fast {
            self.unit_tests(
                "unit tests without TLS and mDNS",
                // These floors have code that is there with them, or without them; the others are the same.
                &[
                    "test",
                    "-p",
                    "opencode-core",
                    "--no-default-features",
                    "--lib",
                    "--",
                    "http::",
                    "call::",
                    "pty::",
                    "server::",
                    "inspect::",
                    "client::",
                ],
            )?;
            self.unit_tests(
                "the mailbox in every order of its threads",
                &["test", "-p", "opencode-loom"],
            )?;
            self.unit_tests("generators", &["test", "-p", "xtask", "-p", "xtask-launcher"])?;
        }
        Ok(())
    }

    /// What talks to the real server waits most of the time: the tests of the core, then those of the languages, which need
    /// what is shipped. Meanwhile everything is done that computes, in two lanes: to link takes one processor, for minutes.
    fn what_waits_beside_what_computes(&self) -> Result<()> {
        // Programs that tests run; a test that is named brings none of them.
        self.cargo("programs of the tests", &["build", "-p", "opencode-tests", "--examples"])?;
        let packages = ["test", "-p", "opencode-fake-provider", "-p", "opencode-tests"];
        let rest = [&packages[..], &["--lib", "--bins", "--test", "rust-isolated"]].concat();
        self.cargo("tests of the harness, and tests that count", &rest)?;
        let mut integration =
            self.cargo_command(&["test", "-p", "opencode-tests", "--test", "rust"]);
        integration.env("RUST_TEST_THREADS", WAITING.to_string());
        // Before anything else holds the folder of what is built.
        self.cargo(
            "compile: integration tests",
            &["test", "-p", "opencode-tests", "--test", "rust", "--no-run"],
        )?;
        let (built, is_built) = mpsc::sync_channel(1);
        let waits = move |note: &progress::Note| {
            let what = "integration tests";
            let tested = self.step(what, |_| progress::follow(&mut integration, note).map(drop));
            self.or_later(what, tested)?;
            // What was not built has said so.
            is_built.recv().map_or(Ok(()), |built: Built| self.languages(&built, note))
        };
        // What is shipped goes into a folder of its own, so that cargo does both at once.
        let builds = move |_: &progress::Note| {
            let _ = built.send(build(false)?);
            Ok(())
        };
        let checks = |_: &progress::Note| {
            self.style()?;
            // Tests of what is generated ask it.
            language_server::ensure()?;
            self.rust()
        };
        let jobs: Vec<progress::Job<'_>> = vec![
            ("what waits".to_owned(), Box::new(waits)),
            ("what is shipped".to_owned(), Box::new(builds)),
            ("what looks at the sources, and unit tests".to_owned(), Box::new(checks)),
        ];
        self.side_by_side("what waits, and what computes", jobs)
    }

    /// The part of the languages that answers quickly.
    fn bindings(&self, built: &Built) -> Result<()> {
        let Built { modules, python } = built;
        let mut jobs = python_tests(python, true);
        jobs.extend(modules.iter().map(|(host, module)| quick_lua_tests(host, module)));
        jobs.extend(c_tests(true)?);
        jobs.push(documents(python, true));
        self.side_by_side("the tests in Lua, Python and C", jobs)
    }

    /// All tests of the languages.
    fn languages(&self, built: &Built, note: &progress::Note) -> Result<()> {
        let Built { modules, python } = built;
        // What takes longest begins first.
        let mut jobs = python_tests(python, false);
        let cases = (
            "every operation in every language".to_owned(),
            Box::new(|_: &progress::Note| conformance::test(modules.clone(), python)) as _,
        );
        jobs.push(cases);
        jobs.extend(lua_closely()?);
        jobs.extend(guards(modules, python));
        jobs.extend(lua_tests(modules));
        jobs.extend(example::jobs(python)?);
        jobs.push(tests_on_two(modules, python)?);
        jobs.push(drops(modules, python));
        jobs.push(lua_modules(modules));
        jobs.push(lua_unwinder());
        jobs.push(job("hosts of the Lua module".to_owned(), lua_hosts(&["love", "haproxy"])));
        jobs.extend(c_tests(false)?);
        jobs.push(cpp_tests()?);
        jobs.extend(kept_programs());
        jobs.push(handover(python)?);
        jobs.extend(products::jobs(python)?);
        jobs.push(documents(python, false));
        self.passed(jobs.len());
        let done = progress::in_lanes(note, LANES, jobs);
        self.or_later("the tests in Lua, Python and C", done)
    }

    fn side_by_side(&self, what: &str, jobs: Vec<progress::Job<'_>>) -> Result<()> {
        self.passed(jobs.len());
        let done = progress::side_by_side(what, LANES, jobs);
        self.or_later(what, done)
    }
}

/// A run that one language starts is finished by the next.
fn handover<'a>(python: &'a Path) -> Result<progress::Job<'a>> {
    let folder = workspace().join("tests/handover");
    let c = artefact::compile(&folder.join("handover.c"), &["-std=c99"])?;
    let run = move |note: &progress::Note| {
        let stage = Stage::start()?;
        let runner = |language: &str| {
            let mut program = match language {
                "Lua" => Command::new(LUAS[0].hosts[0]),
                "Python" => Command::new(python),
                _ => Command::new(&c),
            };
            match language {
                "Lua" => {
                    let module = artefact::dist().join("lua").join(LUAS[0].feature);
                    program.env("LUA_CPATH", module.join("?.so")).arg(folder.join("handover.lua"));
                }
                "Python" => {
                    program.arg(folder.join("handover.py"));
                }
                _ => {}
            }
            program
        };
        for (from, to) in [("Lua", "Python"), ("Python", "C"), ("C", "Lua")] {
            let steps = json!([{ "text": format!("from {from} to {to}"), "delay_ms": 300 }]);
            let prompt = opencode_tests::prompt("handover", steps);
            let ids = play(&stage, runner(from).arg("start").arg(prompt), note)?;
            let mut second = runner(to);
            second.arg("resume").args(ids.split_whitespace());
            let text = play(&stage, &mut second, note)?;
            if text.trim() != format!("from {from} to {to}") {
                return Err(Error::new(format!("{to} got '{text}' of a run that {from} began")));
            }
        }
        Ok(())
    };
    Ok(("a run that one language starts and another finishes".to_owned(), Box::new(run)))
}

/// The code of the README and of the guides, in every language.
fn documents<'a>(python: &'a Path, fast: bool) -> progress::Job<'a> {
    let run = move |note: &progress::Note| read_documents(python, fast, note);
    ("the programs of the guides".to_owned(), Box::new(run))
}

fn read_documents(python: &Path, fast: bool, note: &progress::Note) -> Result<()> {
    let stage = Stage::start()?;
    let staged =
        |what: &str, program: &mut Command| progress::step(what, |_| play(&stage, program, note));
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["test", "--doc", "-p", "opencode-examples", "--manifest-path"]);
    cargo.arg(workspace().join("Cargo.toml"));
    staged("README: rust", &mut cargo)?;
    let mut documents =
        vec![workspace().join("README.md"), workspace().join("bindings-python/README.md")];
    if !fast {
        documents.push(workspace().join("bindings-lua/README.md"));
        for entry in std::fs::read_dir(workspace().join("docs"))? {
            documents.push(entry?.path());
        }
        // These load the library by its name.
        documents.retain(|path| !path.ends_with("ffi.md"));
        for (title, mut program) in ffi::programs(Some(ffi::QUICK))? {
            let said = staged(&format!("ffi: {title}"), &mut program)?;
            ffi::check(&title, &said)?;
        }
    }
    documents.sort();
    for document in documents {
        for (what, mut program) in readme::programs(&document, python)? {
            staged(&what, &mut program)?;
        }
    }
    Ok(())
}

/// The folder that holds generated programs of a document.
pub(crate) fn scratch(name: &str) -> Result<PathBuf> {
    let folder = workspace().join("target/scratch").join(name);
    std::fs::create_dir_all(&folder).map_err(|e| Error::wrap(folder.display(), e))?;
    Ok(folder)
}
