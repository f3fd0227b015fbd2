//! `cargo xtask test`: everything that a change must pass.

mod example;
mod languages;
mod package;
mod stage;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use opencode_tests::binary::workspace;
use opencode_tests::{Error, Result, Stage, costs};
use serde_json::json;

use self::languages::{
    c_tests, cpp_tests, drops, guards, kept_programs, lua_closely, lua_costs, lua_hosts,
    lua_loading, lua_rock, lua_tests, lua_unwinder, python_tests, tests_on_two,
};
use self::stage::{job, play};
use crate::artefact::{self, LUAS, Profile};
use crate::{
    abi, conformance, ffi, glibc, language_server, progress, readme, sanitize, server, tools,
};

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
    let mut suite = Suite { passed: 0, failed: Vec::new(), fast };
    tools::ensure(tools::Need::Test)?;
    server::ensure()?;
    costs::collect(&scratch("")?.join("costs"))?;
    suite.sources()?;
    let built = if fast {
        suite.style()?;
        suite.rust()?;
        build(fast)?
    } else {
        suite.what_waits_beside_what_computes()?
    };
    suite.bindings(&built)?;
    let seconds = start.elapsed().as_secs();
    println!("Done in {} min {} s.", seconds / 60, seconds % 60);
    let (servers, took) = costs::total();
    println!("{servers} servers of the tests computed {} s.", took.as_secs());
    println!("{} passed, {} failed", suite.passed, suite.failed.len());
    match suite.failed.as_slice() {
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
    passed: u32,
    /// What failed and holds nothing else up: it is told at the end.
    failed: Vec<String>,
    fast: bool,
}

impl Suite {
    fn step<T>(
        &mut self,
        what: &str,
        work: impl FnOnce(&progress::Note) -> Result<T>,
    ) -> Result<T> {
        let done = progress::step(what, work)?;
        self.passed += 1;
        Ok(done)
    }

    fn command(&mut self, what: &str, command: &mut Command) -> Result<String> {
        let output = progress::run(what, command)?;
        self.passed += 1;
        Ok(output)
    }

    fn cargo(&mut self, what: &str, arguments: &[&str]) -> Result<()> {
        let mut cargo = self.cargo_command(arguments);
        let done = self.command(what, &mut cargo).map(drop);
        self.or_later(what, done)
    }

    /// Goes on after a failure, so that one run tells all of them. Who waits for `--fast` hears of the first at once.
    fn or_later(&mut self, what: &str, done: Result<()>) -> Result<()> {
        match done {
            Err(error) if !self.fast => {
                // At once too: a later failure may end the run.
                println!("{error}");
                self.failed.push(what.to_owned());
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

    fn sources(&mut self) -> Result<()> {
        self.cargo("format", &["fmt", "--all", "--check"])?;
        let fresh = self.step("generated files are fresh", |_| {
            crate::codegen::run(&["--check".to_owned()]).map(drop).map_err(Error::new)
        });
        self.or_later("generated files are fresh", fresh)
    }

    fn style(&mut self) -> Result<()> {
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
    fn unit_tests(&mut self, what: &str, arguments: &[&str]) -> Result<()> {
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

    fn rust(&mut self) -> Result<()> {
        let quick = ["test", "-p", "opencode-core", "-p", "opencode-lua", "-p", "opencode-c"];
        self.unit_tests("unit tests", &quick)?;
        if !self.fast {
            self.unit_tests(
                "unit tests without TLS and mDNS",
                // How a run ends does not depend on TLS; its simulation takes most of the time.
                &[
                    "test",
                    "-p",
                    "opencode-core",
                    "--no-default-features",
                    "--lib",
                    "--",
                    "--skip",
                    "simulation",
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

    /// The tests of the core against the real server wait most of the time. Meanwhile everything is done that computes:
    /// what looks at the sources, unit tests, and the builds of what is shipped.
    fn what_waits_beside_what_computes(&mut self) -> Result<Built> {
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
        let mut built = None;
        let mut computed = Ok(());
        let suite = &mut *self;
        let jobs: Vec<progress::Job<'_>> = vec![
            (
                "integration tests".to_owned(),
                Box::new(|note| progress::follow(&mut integration, note).map(drop)),
            ),
            (
                "what computes".to_owned(),
                Box::new(|_| {
                    // First what goes into a folder of its own: cargo has begun the tests by the end of it.
                    let made = build(false);
                    // Tests of what is generated ask it.
                    let server = language_server::ensure();
                    computed = suite.style().and_then(|()| suite.rust());
                    built = Some(made?);
                    server.map(drop)
                }),
            ),
        ];
        let done = progress::side_by_side("what waits, and what computes", jobs.len(), jobs);
        self.passed += 2;
        self.or_later("what waits, and what computes", done)?;
        computed?;
        built.ok_or_else(|| Error::new("nothing was built"))
    }

    fn bindings(&mut self, built: &Built) -> Result<()> {
        let Built { modules, python } = built;
        if !self.fast {
            self.headers()?;
            self.exports()?;
            self.step("a program finds the C library with pkg-config", |_| found_by_pkg_config())?;
            self.step("programs find the installed C library", |_| crate::install::try_out())?;
            self.types(python)?;
            self.step("the sources of the Python package", |note| {
                package::sources(&artefact::maturin()?, note)
            })?;
        }
        let fast = self.fast;
        // What takes longest begins first.
        let mut jobs = python_tests(python, fast);
        if !fast {
            let cases = (
                "every operation in every language".to_owned(),
                Box::new(|_: &progress::Note| conformance::test(modules.clone(), python)) as _,
            );
            jobs.push(cases);
            jobs.extend(lua_closely()?);
            jobs.extend(guards(modules, python));
        }
        jobs.extend(modules.iter().flat_map(|(host, module)| lua_tests(host, module, fast)));
        if !fast {
            jobs.extend(example::jobs(python)?);
            jobs.push(tests_on_two(modules, python)?);
            jobs.push(drops(modules, python));
            jobs.push(lua_loading());
            jobs.push(lua_rock());
            jobs.push(lua_unwinder());
            jobs.push(job("hosts of the Lua module".to_owned(), lua_hosts(&["love", "haproxy"])));
            jobs.extend(lua_costs(modules));
        }
        jobs.extend(c_tests(fast)?);
        if !fast {
            jobs.extend(cpp_tests()?);
            jobs.extend(kept_programs());
            jobs.push(handover(python)?);
        }
        let read: progress::Job<'_> = (
            "the programs of the guides".to_owned(),
            Box::new(move |note| documents(python, fast, note)),
        );
        jobs.push(read);
        self.side_by_side("the tests in Lua, Python and C", jobs)
    }

    fn side_by_side(&mut self, what: &str, jobs: Vec<progress::Job<'_>>) -> Result<()> {
        self.passed += jobs.len() as u32;
        let done = progress::side_by_side(what, LANES, jobs);
        self.or_later(what, done)
    }

    /// The headers are clean in every standard that they promise.
    fn headers(&mut self) -> Result<()> {
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
                    self.command(&format!("{header} as {standard}"), &mut check)?;
                }
            }
        }
        Ok(())
    }

    /// The library exports what the header declares and the list keeps, and nothing else.
    fn exports(&mut self) -> Result<()> {
        let library = artefact::dist().join("c/libopencode.so");
        let listed = progress::run(
            "exported symbols",
            Command::new("nm").args(["-D", "--defined-only", "--format=posix"]).arg(&library),
        )?;
        let names = listed.lines().filter_map(|line| line.split_whitespace().next());
        abi::check(&names.map(str::to_owned).collect())?;
        self.passed += 1;
        Ok(())
    }

    /// What an editor or a checker of types says about the Python package.
    fn types(&mut self, python: &Path) -> Result<()> {
        let sources = [
            workspace().join("examples/python"),
            workspace().join("bindings-python/python/libopencode"),
        ];
        // The installed package is what the examples are checked against.
        let mut mypy = Command::new(python);
        mypy.args(["-m", "mypy", "--strict", "--cache-dir"]).arg(scratch("mypy")?);
        mypy.arg(&sources[0]).current_dir(artefact::dist());
        self.command("mypy on the examples", &mut mypy)?;
        let mut pyright = Command::new(python);
        pyright.args(["-m", "pyright", "--pythonpath"]).arg(python).arg(&sources[0]);
        self.command("pyright on the examples", pyright.current_dir(artefact::dist()))?;
        // What the installed package is at run time is what its stubs say.
        let mut stubs = Command::new(python);
        stubs.args(["-m", "mypy.stubtest", "libopencode", "--concise", "--allowlist"]);
        stubs.arg(workspace().join("tests/python/stubtest.txt")).current_dir(scratch("mypy")?);
        self.command("stubtest on the package", &mut stubs)?;
        let mut check = Command::new(python);
        check.args(["-m", "mypy", "--strict", "--cache-dir"]).arg(scratch("mypy")?);
        check.arg(&sources[1]);
        self.command(
            "mypy on the package",
            check.current_dir(workspace().join("bindings-python/python")),
        )
        .map(drop)
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
fn documents(python: &Path, fast: bool, note: &progress::Note) -> Result<()> {
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

/// The folder that holds generated programs of a document.
pub(crate) fn scratch(name: &str) -> Result<PathBuf> {
    let folder = workspace().join("target/scratch").join(name);
    std::fs::create_dir_all(&folder).map_err(|e| Error::wrap(folder.display(), e))?;
    Ok(folder)
}
