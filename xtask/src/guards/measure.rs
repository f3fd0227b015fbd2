//! How each number is counted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use opencode_tests::binary::workspace;
use opencode_tests::{Error, Result};

use super::fake;
use crate::artefact::{self, LUAS};
use crate::progress;

/// A number, and how far it may grow unseen.
pub(crate) struct Measured {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) count: f64,
    pub(crate) tolerance: f64,
}

/// What is counted: as it is shipped.
pub(crate) struct Products {
    /// The client of benches/ in C, with the shipped library.
    c: PathBuf,
    module: PathBuf,
    python: PathBuf,
    clients: PathBuf,
}

impl Products {
    /// # Errors
    /// When the client in C does not compile.
    pub(crate) fn of(module: &Path, python: &Path) -> Result<Products> {
        let clients = workspace().join("benches/clients");
        let flags = ["-O2", "-std=c99", "-D_DEFAULT_SOURCE", "-lpthread"];
        let c = artefact::compile(&clients.join("ours.c"), &flags)?;
        Ok(Products { c, module: module.to_owned(), python: python.to_owned(), clients })
    }

    fn command(&self, language: Language, words: &[&str]) -> Vec<String> {
        let program = match language {
            Language::C => vec![self.c.display().to_string()],
            Language::Lua => {
                vec![
                    LUAS[0].hosts[0].to_owned(),
                    self.clients.join("ours.lua").display().to_string(),
                ]
            }
            Language::Python => {
                vec![
                    self.python.display().to_string(),
                    self.clients.join("ours.py").display().to_string(),
                ]
            }
        };
        program.into_iter().chain(words.iter().map(|word| (*word).to_owned())).collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    C,
    Lua,
    Python,
}

/// A count of instructions: a row of the benches, done often and seldom.
struct Work {
    name: &'static str,
    what: &'static str,
    language: Language,
    row: &'static str,
    seldom: u64,
    often: u64,
    /// The reader of events takes what is there: how much that is at once is the system's choice.
    tolerance: f64,
}

const WORKS: &[Work] = &[
    Work {
        name: "c_small_get",
        what: "instructions of a GET of 387 bytes and one look into it, in C",
        language: Language::C,
        row: "get_session",
        seldom: 20,
        often: 220,
        tolerance: 0.03,
    },
    Work {
        name: "lua_small_get",
        what: "instructions of a GET of 387 bytes, in Lua",
        language: Language::Lua,
        row: "get_session",
        seldom: 20,
        often: 220,
        tolerance: 0.03,
    },
    Work {
        name: "python_small_get",
        what: "instructions of a GET of 387 bytes, in Python",
        language: Language::Python,
        row: "get_session",
        seldom: 20,
        often: 220,
        tolerance: 0.03,
    },
    Work {
        name: "c_megabyte",
        what: "instructions of a MB of messages as bytes, in C",
        language: Language::C,
        row: "history",
        seldom: 1,
        often: 2,
        tolerance: 0.03,
    },
    Work {
        name: "lua_megabyte",
        what: "instructions of a MB of messages as tables, in Lua",
        language: Language::Lua,
        row: "history",
        seldom: 1,
        often: 2,
        tolerance: 0.03,
    },
    Work {
        name: "python_megabyte",
        what: "instructions of a MB of messages as objects, in Python",
        language: Language::Python,
        row: "history",
        seldom: 1,
        often: 2,
        tolerance: 0.03,
    },
    Work {
        name: "c_event",
        what: "instructions of an event and one look into it, in C",
        language: Language::C,
        row: "events",
        seldom: 500,
        often: 3_000,
        tolerance: 0.15,
    },
    Work {
        name: "lua_event",
        what: "instructions of an event, in Lua",
        language: Language::Lua,
        row: "events",
        seldom: 500,
        often: 3_000,
        tolerance: 0.15,
    },
    Work {
        name: "python_event",
        what: "instructions of an event, in Python",
        language: Language::Python,
        row: "events",
        seldom: 500,
        often: 3_000,
        tolerance: 0.15,
    },
    Work {
        name: "c_poll",
        what: "instructions of a poll with nothing new, in C",
        language: Language::C,
        row: "polls",
        seldom: 10_000,
        often: 60_000,
        tolerance: 0.03,
    },
];

/// How often work is counted that depends on the moments at which threads run.
const TRIES: usize = 3;

/// Counts everything.
///
/// # Errors
/// When a program fails.
pub(crate) fn all(products: &Products, note: &progress::Note) -> Result<Vec<Measured>> {
    let server = fake::start()?;
    let url = server.url();
    let mut all = Vec::new();
    for work in WORKS {
        note.set(work.what);
        // Nobody answers there: a run waits, and nothing happens.
        let url = if work.row == "polls" { "http://127.0.0.1:9" } else { &url };
        let (threads, tries) = match work.row {
            // Events that come one by one cost more than those that come together, and a loaded machine sends them so: what
            // they cost at least is the library's own.
            "events" => (Threads::All, TRIES),
            _ => (Threads::First, 1),
        };
        let count = |times: u64| {
            let words = products.command(work.language, &[work.row, url, &times.to_string()]);
            let mut counts = (0..tries).map(|_| instructions(products, &words, threads));
            counts.try_fold(f64::INFINITY, |least, count| Ok::<_, Error>(least.min(count?)))
        };
        // A row of GETs begins with a tenth that it does not measure.
        let done =
            |times: u64| if work.row.starts_with("get") { times + times / 10 + 1 } else { times };
        let (seldom, often) = (count(work.seldom)?, count(work.often)?);
        let each = (often - seldom) / (done(work.often) - done(work.seldom)) as f64;
        all.push(Measured {
            name: work.name,
            what: work.what,
            count: each,
            tolerance: work.tolerance,
        });
    }
    note.set("import");
    let python = |code: &str| {
        let words = [products.python.display().to_string(), "-c".to_owned(), code.to_owned()];
        instructions(products, &words, Threads::First)
    };
    let import = python("import libopencode; libopencode.Client()")? - python("pass")?;
    all.push(Measured {
        name: "python_import",
        what: "instructions of the import and a client, in Python",
        count: import,
        tolerance: 0.03,
    });
    note.set("system calls");
    for (name, what, language) in [
        ("c_small_get_calls", "system calls of a GET, in C", Language::C),
        ("python_small_get_calls", "system calls of a GET, in Python", Language::Python),
    ] {
        let count = |times: &str| {
            system_calls(products, &products.command(language, &["get_session", &url, times]))
        };
        // 100 and 300, with the tenth before.
        let each = (count("300")? - count("100")?) / 220.0;
        all.push(Measured { name, what, count: each.round(), tolerance: 0.0 });
    }
    for (name, what, path) in [
        (
            "c_library_bytes",
            "bytes of libopencode.so for C",
            artefact::dist().join("c/libopencode.so"),
        ),
        ("lua_module_bytes", "bytes of the Lua module", products.module.join("libopencode.so")),
    ] {
        let bytes = fs::metadata(&path).map_err(|e| Error::wrap(path.display(), e))?.len();
        all.push(Measured { name, what, count: bytes as f64, tolerance: 0.03 });
    }
    Ok(all)
}

/// A command in the environment of the clients, which is always the same.
fn command(products: &Products, tool: &[&str], words: &[String]) -> Result<Command> {
    let (program, arguments) = tool.split_first().ok_or_else(|| Error::new("no tool"))?;
    // What is counted depends on no time: it gives way to tests that do.
    let mut command = artefact::polite(program);
    command
        .args(arguments)
        .args(words)
        .env("PYTHONHASHSEED", "0")
        .env("PYTHONPATH", &products.clients);
    command.env("LUA_CPATH", format!("{}/?.so;;", products.module.display()));
    command.env("LUA_PATH", format!("{}/?.lua;;", products.clients.display()));
    command.env_remove("OPENCODE_BASE_URL").env_remove("OPENCODE_LOG");
    command.stdin(Stdio::null());
    Ok(command)
}

/// Instructions of a program: of the thread that it begins with, or of all.
fn instructions(products: &Products, words: &[String], threads: Threads) -> Result<f64> {
    let folder = crate::test::scratch("guards/callgrind")?;
    for old in fs::read_dir(&folder)? {
        fs::remove_file(old?.path())?;
    }
    let place = format!("--callgrind-out-file={}/out", folder.display());
    let tool =
        ["valgrind", "--tool=callgrind", "--separate-threads=yes", "--fair-sched=yes", &place];
    let output =
        command(products, &tool, words)?.output().map_err(|e| Error::wrap("valgrind", e))?;
    if !output.status.success() {
        return Err(failure(words, &output.stderr));
    }
    let mut total = 0.0;
    for file in fs::read_dir(&folder)? {
        let path = file?.path();
        // One file a thread: `out-01` is that which the program begins with.
        let is_counted = match threads {
            Threads::First => path.extension().is_none() && path.ends_with("out-01"),
            Threads::All => true,
        };
        if is_counted {
            let text = fs::read_to_string(&path).map_err(|e| Error::wrap(path.display(), e))?;
            let line = text.lines().find_map(|line| line.strip_prefix("totals: "));
            total += line.and_then(|line| line.trim().parse::<f64>().ok()).unwrap_or_default();
        }
    }
    if total > 0.0 { Ok(total) } else { Err(Error::new("callgrind gave no total")) }
}

/// Whose instructions are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Threads {
    /// The caller's: what the others do meanwhile depends on the time.
    First,
    All,
}

fn failure(words: &[String], said: &[u8]) -> Error {
    let said = String::from_utf8_lossy(said);
    let last = said.lines().rev().find(|line| !line.starts_with("==") && !line.trim().is_empty());
    Error::new(format!("{}: {}", words.join(" "), last.unwrap_or("it said nothing")))
}

/// System calls of a program, all its threads together.
fn system_calls(products: &Products, words: &[String]) -> Result<f64> {
    let out = crate::test::scratch("guards")?.join("strace.out");
    let place = out.display().to_string();
    let output = command(products, &["strace", "-f", "-qq", "-o", &place], words)?.output();
    let output = output.map_err(|e| Error::wrap("strace", e))?;
    if !output.status.success() {
        return Err(failure(words, &output.stderr));
    }
    let text = fs::read_to_string(&out).map_err(|e| Error::wrap(out.display(), e))?;
    Ok(text.lines().filter(|line| line.contains('(')).count() as f64)
}
