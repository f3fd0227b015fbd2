//! The tests in Lua, Python and C, as jobs beside each other.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use opencode_tests::binary::workspace;
use opencode_tests::{Error, Result, Stage};

use super::scratch;
use super::stage::{in_turn, job};
use crate::artefact::{self, LUAS};
use crate::{glibc, interpreter, progress, sanitize};

/// What the inner loop tries: what a change breaks most often. The rest starts servers and waits for limits.
const QUICK: [&str; 2] = ["client", "run"];

/// Tests of Lua that start servers: what they try lies below the module, and they take a minute.
const SERVERS: [&str; 3] = ["server", "discover", "drift"];
/// The hosts that try them.
const WITH_SERVERS: [&str; 2] = ["lua5.4", "luajit"];

/// Tests of Lua that look at time and at processes, or send many prompts: no version of Lua changes what they try.
const BELOW: [&str; 5] = ["polls", "waiting", "forks", "times", "host_tools"];
/// The hosts that do without: their neighbours 5.1 and 5.4 try them.
const BETWEEN: [&str; 2] = ["lua5.2", "lua5.3"];

/// What may be different in Neovim, which is a LuaJIT with a loop.
const IN_NEOVIM: [&str; 5] = ["client", "values", "run", "waiting", "events"];

/// All tests of Lua. Hosts whose tests take some seconds share a server.
pub(super) fn lua_tests<'a>(modules: &[(&str, PathBuf)]) -> Vec<progress::Job<'a>> {
    let script = workspace().join("tests/lua/main.lua");
    let (mut jobs, mut between, mut beside) = (Vec::new(), Vec::new(), Vec::new());
    for (host, module) in modules {
        let mut lua = Command::new(host);
        lua.env("LUA_CPATH", module.join("?.so")).arg(&script);
        if !WITH_SERVERS.contains(host) {
            lua.arg("but").args(SERVERS);
        }
        if COLLECTING.contains(host) {
            lua.env("OPENCODE_COLLECT", HURRIED.join(" "));
        }
        if BETWEEN.contains(host) {
            lua.args(BELOW);
            between.push(lua);
        } else {
            jobs.push(job(format!("Lua tests in {host}"), lua));
        }
        if *host == "luajit" {
            let mut ffi = Command::new(host);
            ffi.arg(workspace().join("tests/lua/ffi.lua"));
            ffi.arg(workspace().join("include/opencode.h"));
            ffi.arg(artefact::dist().join("c/libopencode.so"));
            let mut tests = nvim(module, &script);
            tests.env("OPENCODE_LUA_TESTS", IN_NEOVIM.join(" "));
            beside = vec![ffi, tests, nvim(module, &workspace().join("tests/lua/neovim.lua"))];
        }
    }
    let names = BETWEEN.join(" and ");
    jobs.push(in_turn(&format!("Lua tests in {names}"), Stage::start, between));
    let what = "the C library in LuaJIT's FFI, Lua tests in nvim, and the plugin for it";
    jobs.push(in_turn(what, Stage::start, beside));
    jobs
}

/// Those of Lua that answer quickly.
pub(super) fn quick_lua_tests<'a>(host: &str, module: &Path) -> progress::Job<'a> {
    let mut lua = Command::new(host);
    lua.env("LUA_CPATH", module.join("?.so")).arg(workspace().join("tests/lua/main.lua"));
    lua.args(QUICK).arg("values");
    job(format!("Lua tests in {host}"), lua)
}

/// Tests of Lua that the suite plays with a collector that never rests; what waits and polls would take minutes so, and what
/// makes tables of 100,000 levels too.
const HURRIED: [&str; 9] =
    ["client", "values", "events", "pages", "pty", "tools", "mistakes", "hostile", "collector"];

/// The hosts where that costs some seconds, and every kind of collector; in Lua 5.2 and 5.3 it costs half a minute each.
const COLLECTING: [&str; 3] = ["lua5.1", "luajit", "lua5.4"];

/// Lua 5.5, by an interpreter that looks at what its functions are called with; and in 5.4 memory that is used wrongly, in
/// a part of the tests.
pub(super) fn lua_closely<'a>() -> Result<Vec<progress::Job<'a>>> {
    let script = workspace().join("tests/lua/main.lua");
    let module = |flavour: &str| artefact::dist().join("lua").join(flavour).join("?.so");
    let mut newest = Command::new(interpreter::lua("5.5")?);
    newest.env("LUA_CPATH", module("lua55")).env("OPENCODE_COLLECT", HURRIED.join(" "));
    newest.arg(&script).arg("but").args(SERVERS);
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--quiet", "--error-exitcode=9", "--leak-check=full"]);
    valgrind.args(["--errors-for-leak-kinds=definite", "--fair-sched=yes", "lua5.4"]);
    valgrind.env("LUA_CPATH", module("lua54")).arg(&script).args(["values", "lists"]);
    Ok(vec![
        job("Lua tests in lua5.5".to_owned(), newest),
        job("Lua tests under valgrind".to_owned(), valgrind),
    ])
}

/// A script in a Neovim without a screen.
fn nvim(module: &Path, script: &Path) -> Command {
    let mut nvim = Command::new("nvim");
    nvim.env("LUA_CPATH", module.join("?.so"));
    nvim.args(["--headless", "-u", "NONE", "-i", "NONE", "-c"]);
    nvim.arg(format!("luafile {}", script.display())).args(["-c", "qa!"]);
    nvim
}

/// What a server of 2.x does is the same in every language: each tries it once.
pub(super) fn tests_on_two<'a>(
    modules: &[(&str, PathBuf)],
    python: &Path,
) -> Result<progress::Job<'a>> {
    let tests = workspace().join("tests");
    let mut programs = Vec::new();
    for (host, module) in modules.iter().filter(|(host, _)| *host == "lua5.4") {
        let mut lua = Command::new(host);
        lua.env("LUA_CPATH", module.join("?.so")).arg(tests.join("lua/main.lua")).arg("two");
        programs.push(lua);
    }
    let mut pytest = Command::new(python);
    pytest.args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]).arg(tests.join("python/two.py"));
    programs.push(pytest);
    programs.push(Command::new(artefact::compile(&tests.join("c/two.c"), &["-std=c99"])?));
    Ok(in_turn("Lua, Python and C on 2.x", Stage::start_two, programs))
}

/// What it costs to give handles up whose server says nothing. All Luas load the same code.
pub(super) fn drops<'a>(modules: &[(&str, PathBuf)], python: &Path) -> progress::Job<'a> {
    let tests = workspace().join("tests");
    let traced = |name: &str, host: &Path, handles: &str| {
        let mut tracer = Command::new("python3");
        tracer.arg(tests.join("lua/drops.py")).arg(name).arg(host).arg(tests.join(handles));
        tracer
    };
    let mut programs = vec![traced("Python", python, "python/handles.py")];
    for (host, module) in modules.iter().filter(|(host, _)| *host == "lua5.4") {
        let mut tracer = traced(host, Path::new(host), "lua/handles.lua");
        tracer.env("LUA_CPATH", module.join("?.so"));
        programs.push(tracer);
    }
    in_turn("handles that are given up", Stage::start, programs)
}

/// The examples for hosts, each in its host.
pub(super) fn lua_hosts(names: &[&str]) -> Command {
    let mut python = Command::new("python3");
    python
        .arg(workspace().join("tests/lua/hosts.py"))
        .arg(artefact::dist().join("lua"))
        .args(names);
    python
}

/// What an idle poll costs, in the hosts whose own functions are functions of C; what hosts say that cannot load a module; and
/// the rock, made and packed with the modules that are built.
pub(super) fn lua_modules<'a>(modules: &[(&str, PathBuf)]) -> progress::Job<'a> {
    let script = |name: &str| {
        let mut python = Command::new("python3");
        python.arg(workspace().join("tests/lua").join(name));
        python
    };
    let hosts = modules.iter().filter(|(host, _)| ["lua5.1", "lua5.4"].contains(host));
    let mut programs: Vec<Command> = Vec::new();
    for (host, module) in hosts {
        let mut costs = script("instructions.py");
        costs.arg(host).arg(module);
        programs.push(costs);
    }
    for name in ["loading.py", "rock.py"] {
        let mut with = script(name);
        with.arg(artefact::dist().join("lua"));
        programs.push(with);
    }
    let what = "idle polls in Lua, modules that do not load, and the rock";
    in_turn(what, Stage::start, programs)
}

/// Errors pass through what is linked as the modules are that are shipped; the modules of the tests are linked otherwise.
pub(super) fn lua_unwinder<'a>() -> progress::Job<'a> {
    let run = |note: &progress::Note| {
        let library = glibc::sample()?;
        let mut lua = Command::new("luajit");
        lua.arg(workspace().join("tests/lua/unwinder.lua")).arg(library);
        progress::follow(&mut lua, note).map(drop)
    };
    ("errors through what zig links".to_owned(), Box::new(run))
}

/// Tests of Python that take long; the others are a second half, beside them.
const LONG: [&str; 5] = ["cancel", "hostile", "leaving", "leaving_early", "server"];

pub(super) fn python_tests<'a>(python: &Path, fast: bool) -> Vec<progress::Job<'a>> {
    let folder = workspace().join("tests/python");
    let tests = |names: &[&str]| -> Vec<PathBuf> {
        names.iter().map(|name| folder.join(format!("test_{name}.py"))).collect()
    };
    let pytest = |what: &str, arguments: Vec<PathBuf>| {
        // Whoever starts the tests may have Ctrl-C ignored, and all his children with him.
        let mut pytest = Command::new("env");
        pytest.arg("--default-signal=INT").arg(python);
        pytest.args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]).args(arguments);
        job(what.to_owned(), pytest)
    };
    if fast {
        return vec![pytest("Python tests", tests(&QUICK))];
    }
    let but = tests(&LONG).into_iter().flat_map(|path| ["--ignore".into(), path]);
    let others = but.chain([folder.clone()]).collect();
    vec![pytest("Python tests that take long", tests(&LONG)), pytest("Python tests", others)]
}

/// What does not run under the sanitizers: `forks` copies the process while other threads may hold the locks of their
/// allocator, and `looks` counts memory.
const PLAIN: [&str; 2] = ["forks", "looks"];

/// What has the sanitizers on its own side alone, with the library as it is shipped: it needs mDNS, or looks at the time.
const OURS_AS_SHIPPED: [&str; 2] = ["server", "polls"];

/// What does not run under valgrind: loops over thousands of polls, copies of a process, long answers, and what goes on
/// for a fixed time, where slow means few.
const SWIFT: [&str; 5] = ["polls", "forks", "looks", "any_calls", "any_replies"];

/// A source with the code of another one: a program is placed by the name of its source, and this makes a second one.
fn variant(source: &Path, name: &str) -> Result<PathBuf> {
    let copy = scratch("c")?.join(name);
    std::fs::write(&copy, format!("#include \"{}\"\n", source.display()))
        .map_err(|e| Error::wrap(copy.display(), e))?;
    Ok(copy)
}

/// A program in C with the sanitizers, beside its plain form.
fn sanitized(library: &Path, name: &str, source: &Path) -> Result<PathBuf> {
    let copy = variant(source, &format!("{name}_sanitized.c"))?;
    let flags = ["-std=c99", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    artefact::compile_with(library, &copy, &flags)
}

/// Programs in C that share a server, one after the other: it takes longer to start than most of them. The last ones need
/// next to none.
const C_TESTS: [&[&str]; 3] = [
    &["main", "background", "updates"],
    &["server", "hostile", "exits"],
    &["closing", "polls", "forks", "looks", "any_calls", "any_replies"],
];

pub(super) fn c_tests<'a>(fast: bool) -> Result<Vec<progress::Job<'a>>> {
    let source = |name: &str| workspace().join("tests/c").join(name).with_extension("c");
    if fast {
        let main = artefact::compile(&source("main"), &["-std=c99"])?;
        return Ok(vec![job("C tests: main".to_owned(), Command::new(main))]);
    }
    let (shipped, instrumented) = (artefact::dist().join("c"), sanitize::library()?);
    let mut jobs = Vec::new();
    for names in C_TESTS {
        let (mut plain, mut slow) = (Vec::new(), Vec::new());
        for &name in names {
            let program = artefact::compile(&source(name), &["-std=c99"])?;
            let library = if OURS_AS_SHIPPED.contains(&name) { &shipped } else { &instrumented };
            plain.push(Command::new(match PLAIN.contains(&name) {
                true => program.clone(),
                false => sanitized(library, name, &source(name))?,
            }));
            if !SWIFT.contains(&name) {
                slow.push(under_valgrind(name, &program));
            }
        }
        let names = names.join(", ");
        jobs.push(in_turn(&format!("C tests: {names}"), Stage::start, plain));
        jobs.push(in_turn(&format!("C tests under valgrind: {names}"), Stage::start, slow));
    }
    Ok(jobs)
}

fn under_valgrind(name: &str, program: &Path) -> Command {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--quiet", "--error-exitcode=9", "--leak-check=full"]);
    valgrind.args(["--errors-for-leak-kinds=definite", "--fair-sched=yes"]);
    if name == "exits" {
        // It looks at all that a copy of itself prints, and a thread that has just ended may still hold something.
        valgrind.args(["--trace-children=yes", "--show-leak-kinds=definite"]);
    }
    valgrind.arg(program);
    if name == "server" {
        // The others are of hosts that end, which valgrind does not follow.
        valgrind.arg("here");
    }
    valgrind
}

/// Programs that were compiled once go on with the library of today.
pub(super) fn kept_programs<'a>() -> Option<progress::Job<'a>> {
    let programs = ["kept-0.1.0", "later-0.1.0", "summary-0.1.0"].map(|name| {
        let mut program = Command::new(workspace().join("tests/c/kept").join(name));
        program.env("LD_LIBRARY_PATH", artefact::dist().join("c"));
        program
    });
    let what = "programs that were compiled against 0.1.0";
    (env::consts::ARCH == "x86_64").then(|| in_turn(what, Stage::start, programs.into()))
}

/// What the products cost, against the stored counts.
pub(super) fn guards<'a>(
    modules: &'a [(&'static str, PathBuf)],
    python: &'a Path,
) -> Option<progress::Job<'a>> {
    let (_, module) = modules.iter().find(|(host, _)| *host == LUAS[0].hosts[0])?;
    let count = |note: &progress::Note| crate::guards::test(module, python, note);
    Some(("what instructions, system calls and sizes may not exceed".to_owned(), Box::new(count)))
}

/// The C++ face with exceptions, and without; the second time by a later standard.
pub(super) fn cpp_tests<'a>() -> Result<progress::Job<'a>> {
    let strict = ["-Wold-style-cast", "-Wshadow", "-Wconversion", "-pthread"];
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for name in ["face", "face_tools", "face_rest"] {
        let source = workspace().join("tests/c").join(name).with_extension("cpp");
        let flags = [&strict[..], &["-std=c++17"]].concat();
        with.push(Command::new(artefact::compile(&source, &flags)?));
        let plain = variant(&source, &format!("{name}_without_exceptions.cpp"))?;
        let flags = [&strict[..], &["-std=c++20", "-fno-exceptions", "-fno-rtti"]].concat();
        without.push(Command::new(artefact::compile(&plain, &flags)?));
    }
    with.extend(without);
    with.extend(unloads()?);
    let what = "C++ tests, the same without exceptions, and a plugin that is unloaded";
    Ok(in_turn(what, Stage::start, with))
}

/// Two hosts that know nothing of the library, and a plugin as people build it while they work and as they ship it. One that
/// shows nothing but its own functions is unloaded from any host. One that shows all it has is unloaded from a host that is
/// written in C++ too, as long as no variable of the headers is shared by all libraries of a program.
fn unloads() -> Result<Vec<Command>> {
    let folder = workspace().join("tests/c");
    let source = folder.join("unloaded.cpp");
    let shipped = variant(&source, "unloaded_as_shipped.cpp")?;
    let script = workspace().join("examples/cpp/plugin.map");
    let script = format!("-Wl,--version-script,{}", script.display());
    let plugin = |source: &Path, flags: &[&str]| {
        let always = ["-shared", "-fPIC", "-Wshadow", "-Wconversion"];
        artefact::compile(source, &[&always[..], flags].concat())
    };
    let host = |source: &Path, flags: &[&str]| {
        let always = ["-std=c99", "-pthread", "-Wl,--as-needed", "-ldl"];
        artefact::compile(source, &[flags, &always[..]].concat())
    };
    let in_c = folder.join("unloads.c");
    let in_cpp = variant(&in_c, "unloads_beside_cpp.c")?;
    let mut hidden = Command::new(host(&in_c, &[])?);
    hidden.arg(plugin(&shipped, &["-std=c++20", "-O2", "-fno-exceptions", "-fno-rtti", &script])?);
    let mut open = Command::new(host(&in_cpp, &["-Wl,--no-as-needed", "-lstdc++"])?);
    open.arg(plugin(&source, &["-std=c++17", "-O0"])?);
    Ok(vec![hidden, open])
}
