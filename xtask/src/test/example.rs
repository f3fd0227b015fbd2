//! The examples: every program, in every language, with what it must print.

use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use opencode_tests::binary::workspace;
use opencode_tests::{Error, LIMIT, Result, Stage, http, prompt};
use serde_json::{Value, json};

use super::scratch;
use crate::artefact::{self, LUAS};
use crate::progress;

const LANGUAGES: &[&str] = &["Lua", "Python", "C", "Rust"];

/// One call of a program: its arguments, its exit code, and texts that it must print, to standard output or, with
/// `! ` before them, to standard error.
struct Case {
    example: &'static str,
    arguments: Vec<String>,
    code: i32,
    printed: &'static [&'static str],
}

fn case(
    example: &'static str,
    arguments: &[&str],
    code: i32,
    printed: &'static [&'static str],
) -> Case {
    let arguments = arguments.iter().map(|&word| word.to_owned()).collect();
    Case { example, arguments, code, printed }
}

/// What every language must do in the same way.
fn cases() -> Vec<Case> {
    let answer = prompt("answer", json!([{ "text": "a fine answer" }]));
    let bash = json!({ "command": "echo hi", "description": "Says hi" });
    let tool =
        json!([{ "tools": [{ "name": "bash", "arguments": bash }] }, { "text": "finished" }]);
    let tool = prompt("use a tool", tool);
    let refused = json!([{ "status": 400, "body": { "error": { "message": "no such luck" } } }]);
    let refused = prompt("fail", refused);
    let shop = json!([
        { "tools": [{ "name": "host_list_items", "arguments": {} }] },
        { "tools": [{ "name": "host_add_item", "arguments": { "item": "milk", "count": 2 } }] },
        { "text": "bought" },
    ]);
    let shop = prompt("shop", shop);
    vec![
        case("tools", &[&shop], 0, &["added 2 x milk\nbought\n"]),
        case("tools", &[], 2, &["! usage: "]),
        case("ask", &[&answer], 0, &["a fine answer\n[cost "]),
        case(
            "poll_in_tick",
            &[&answer],
            0,
            &["a fine answer\n[", " ticks, the slowest poll took "],
        ),
        case("poll_in_tick", &[&refused], 1, &["! no such luck"]),
        case(
            "permissions",
            &["--yes", &tool],
            0,
            &["bash: echo hi\n", "finished\n", "[bash echo hi: once by host]\n"],
        ),
        case("permissions", &["--no", &tool], 0, &["[bash echo hi: reject by host]\n"]),
        // Nobody sits at standard input.
        case("permissions", &[&tool], 0, &["Allow it?", "[bash echo hi: reject by host]\n"]),
        case(
            "permissions",
            &["--rules", &tool],
            0,
            &["finished\n", "[bash echo hi: once by policy]\n"],
        ),
        case("permissions", &["--maybe", &tool], 2, &["! usage: "]),
        case("attach", &["notes.txt", &answer], 0, &["[notes.txt, text/plain]\na fine answer\n"]),
        case("attach", &["none.txt", &answer], 1, &["! none.txt"]),
        case("attach", &[], 2, &["! usage: "]),
        case("events", &[], 0, &["stream.connected\n", "session.created\n"]),
        case("pty", &["echo $((6 * 7)); (exit 3)"], 3, &["42", "[exit code 3]\n"]),
        case("ai", &[&answer], 0, &["a fine answer\n", "! [session ses_"]),
        // Words need no quotes.
        case("ai", &["--agent", "build", "Two", &answer], 0, &["a fine answer\n"]),
        case("ai", &["--agent", "nobody", "x"], 1, &["! ai: run: ", "! nobody"]),
        case("ai", &["--model", "no/such", "x"], 1, &["! ai: ", "! no/such"]),
        case("ai", &["--model", "nonsense", "x"], 1, &["! ai: model \"nonsense\": write "]),
        case("ai", &["--session", "ses_none", "x"], 1, &["! ai: ", "! ses_none"]),
        case("ai", &[&refused], 1, &["! ai: ", "! no such luck"]),
        case("ai", &[], 2, &["! usage: ai ["]),
        case("ai", &["--wrong", "x"], 2, &["! usage: ai ["]),
    ]
}

/// How examples in C are compiled: users have these warnings on.
const C: [&str; 3] = ["-std=c99", "-Wshadow", "-Wconversion"];

/// The same in C++.
const CPP_FLAGS: [&str; 3] = ["-std=c++17", "-Wshadow", "-Wconversion"];

/// Runs every example, each language beside the others.
pub(super) fn jobs(python: &Path) -> Result<Vec<progress::Job<'_>>> {
    for name in artefact::EXAMPLES {
        artefact::compile(&c_source(name), &C)?;
    }
    let job = |language: &'static str| -> progress::Job<'_> {
        (format!("the examples in {language}"), Box::new(move |note| run(language, python, note)))
    };
    let mut jobs: Vec<_> = LANGUAGES.iter().copied().map(job).collect();
    for name in CPP {
        artefact::compile(&cpp_source(name), &CPP_FLAGS)?;
    }
    let shown = workspace().join("examples/cpp/plugin.map");
    let shown = format!("-Wl,--version-script,{}", shown.display());
    for (name, flags) in [
        ("epoll", &[] as &[&str]),
        ("plugin", &["-shared", "-fPIC", &shown]),
        ("plugin_host", &["-Wl,--as-needed", "-ldl"]),
    ] {
        artefact::compile(&c_source(name), &[&C[..], flags].concat())?;
        artefact::compile(&cpp_source(name), &[&CPP_FLAGS[..], flags].concat())?;
    }
    jobs.push(("the examples in C++, and of C alone".to_owned(), Box::new(run_native)));
    Ok(jobs)
}

/// Those that there are in C++, on any system.
const CPP: &[&str] = &["ask", "poll_in_tick", "events", "permissions", "pty", "game_tools"];

/// What the agent builds in the game, and what is drawn of it.
fn walk() -> String {
    let steps = json!([
        { "tools": [{ "name": "host_build", "arguments": { "x": 3, "y": 1, "what": "#" } }] },
        { "tools": [{ "name": "host_walk", "arguments": { "x": 4, "y": 3 } }] },
        { "text": "at home" },
    ]);
    prompt("build", steps)
}

const DRAWN: &[&str] =
    &["@.#.............\n", "..#.............\n................\n...@", "at home\n"];

fn run_native(note: &progress::Note) -> Result<()> {
    let stage = Stage::start()?;
    let answer = prompt("answer", json!([{ "text": "a fine answer" }]));
    let refused = json!([{ "status": 400, "body": { "error": { "message": "no such luck" } } }]);
    let refused = prompt("fail", refused);
    let bash = json!({ "command": "echo hi", "description": "Says hi" });
    let tool =
        json!([{ "tools": [{ "name": "bash", "arguments": bash }] }, { "text": "finished" }]);
    let tool = prompt("use a tool", tool);
    let walk = walk();
    let ticks = &["a fine answer\n[", " ticks, the slowest poll took ", "\n[below 10 us: "][..];
    let two = &["1: a fine answer\n", "2: a fine answer\n", "[woken "][..];
    let unloaded = &["[100 times, 0 threads and 0 descriptors are left]"][..];
    let cpp = |name: &str| artefact::program(&cpp_source(name));
    let c = |name: &str| artefact::program(&c_source(name));
    let [plugin, plugin_cpp] =
        [c("plugin"), cpp("plugin")].map(|plugin| plugin.to_string_lossy().into_owned());
    for (program, arguments, input, code, printed) in [
        (cpp("ask"), vec![&answer], "", 0, &["a fine answer\n[", " tokens]\n"][..]),
        (cpp("poll_in_tick"), vec![&answer], "", 0, ticks),
        (cpp("poll_in_tick"), vec![&refused], "", 1, &["! no such luck"]),
        (cpp("events"), vec![], "", 0, &["stream.connected\n", "session.created\n"]),
        (cpp("permissions"), vec![&tool], "y\n", 0, &["Allow it?", "finished\n"]),
        (cpp("permissions"), vec![&tool], "n\n", 0, &["Allow it?"]),
        (
            cpp("pty"),
            vec![&"echo $((6 * 7)); (exit 3)".to_owned()],
            "",
            3,
            &["42", "[exit code 3]"],
        ),
        (cpp("game_tools"), vec![&walk], "", 0, DRAWN),
        (c("poll_in_tick"), vec![&answer], "", 0, ticks),
        (c("epoll"), vec![&answer, &answer], "", 0, two),
        (cpp("epoll"), vec![&answer, &answer], "", 0, two),
        (
            c("epoll"),
            vec![&answer, &refused],
            "",
            1,
            &["1: a fine answer\n", "! 2: ", "! no such luck"],
        ),
        (
            cpp("epoll"),
            vec![&answer, &refused],
            "",
            1,
            &["1: a fine answer\n", "! 2: ", "! no such luck"],
        ),
        (cpp("epoll"), vec![], "", 2, &["! usage: "]),
        // Against the server that answers at once: a close waits until a prompt is sent.
        (c("plugin_host"), vec![&plugin, &answer], "", 0, unloaded),
        (cpp("plugin_host"), vec![&plugin_cpp, &answer], "", 0, unloaded),
        // Each host loads both.
        (c("plugin_host"), vec![&plugin_cpp, &answer], "", 0, unloaded),
    ] {
        note.set(&program.display().to_string());
        let mut command = Command::new(&program);
        command.current_dir(stage.server.directory()).envs(stage.server.env()).args(arguments);
        if program.ends_with("plugin_host") {
            command.env("OPENCODE_BASE_URL", stage.swift.url());
        }
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that reads nothing may be gone.
            let _ = stdin.write_all(input.as_bytes());
        }
        let output = child.wait_with_output()?;
        judge(&program.display().to_string(), &output, code, printed)?;
        if program.ends_with("epoll") && code == 0 {
            woken_for_what_is_new(&output)?;
        }
    }
    Ok(())
}

/// An event loop that is woken for nothing turns thousands of times while an agent answers.
fn woken_for_what_is_new(output: &Output) -> Result<()> {
    let said = String::from_utf8_lossy(&output.stdout);
    let times = said.split_once("[woken ").and_then(|(_, rest)| rest.split_once(' '));
    match times.and_then(|(times, _)| times.parse().ok()) {
        Some(1..200) => Ok(()),
        _ => Err(Error::new(format!("an event loop was woken too often, or never: {said}"))),
    }
}

fn cpp_source(name: &str) -> PathBuf {
    workspace().join("examples/cpp").join(name).with_extension("cpp")
}

fn run(language: &str, python: &Path, note: &progress::Note) -> Result<()> {
    let stage = Stage::start()?;
    let programs = Programs { stage: &stage, python };
    std::fs::write(stage.server.directory().join("notes.txt"), "Buy milk.\n")?;
    if language == "Lua" {
        check(programs.command(language, "game_tools")?.arg(walk()), 0, DRAWN)?;
    }
    for case in cases() {
        note.set(&format!("{language}: {} {}", case.example, case.arguments.join(" ")));
        let mut program = programs.command(language, case.example)?;
        check(program.args(&case.arguments), case.code, case.printed)?;
    }
    programs.settings(language)?;
    programs.same_session(language)?;
    programs.terminal_interface(language)?;
    programs.interrupt(language)
}

fn c_source(name: &str) -> PathBuf {
    workspace().join("examples/c").join(name).with_extension("c")
}

struct Programs<'a> {
    stage: &'a Stage,
    python: &'a Path,
}

impl Programs<'_> {
    fn command(&self, language: &str, name: &str) -> Result<Command> {
        let folder = workspace().join("examples");
        let (program, script): (PathBuf, Option<PathBuf>) = match language {
            "Lua" => (LUAS[0].hosts[0].into(), Some(folder.join(format!("lua/{name}.lua")))),
            "Python" => (self.python.into(), Some(folder.join(format!("python/{name}.py")))),
            "C" => (artefact::program(&c_source(name)), None),
            _ => (artefact::dist().join("rust").join(name), None),
        };
        // Whoever starts the tests may have Ctrl-C ignored, and all his children with him.
        let mut command = Command::new("env");
        command.arg("--default-signal=INT").arg(program).args(script);
        let module = artefact::dist().join("lua").join(LUAS[0].feature);
        command
            .current_dir(self.stage.server.directory())
            .envs(self.stage.server.env())
            .env("LUA_CPATH", module.join("?.so"))
            .env("AI_SETTINGS", "/nonexistent")
            .stdin(Stdio::null());
        Ok(command)
    }

    /// What is not given comes from the environment, and else from a file.
    fn settings(&self, language: &str) -> Result<()> {
        let path = scratch("ai")?.join(format!("{language}.env"));
        let mut lines = String::from("AI_AGENT=nobody\n\n");
        for (name, value) in self.stage.server.env() {
            lines += &format!("{name}={value}\n");
        }
        std::fs::write(&path, lines).map_err(|e| Error::wrap(path.display(), e))?;
        let program = || {
            let mut program = self.command(language, "ai")?;
            for (name, _) in self.stage.server.env() {
                program.env_remove(name);
            }
            program.env("AI_SETTINGS", &path);
            Ok::<Command, Error>(program)
        };
        let answer = prompt("settings", json!([{ "text": "a fine answer" }]));
        check(program()?.arg(&answer), 1, &["! ai: run: ", "! nobody"])?;
        check(program()?.env("AI_AGENT", "build").arg(&answer), 0, &["a fine answer\n"])?;
        check(program()?.args(["--agent", "build"]).arg(&answer), 0, &["a fine answer\n"])?;
        check(program()?.env("OPENCODE_BASE_URL", "ftp://x").arg("x"), 1, &["! ai: ", "! ftp"])?;
        Ok(())
    }

    fn same_session(&self, language: &str) -> Result<()> {
        let answer = prompt("again", json!([{ "text": "a fine answer" }]));
        let first = check(self.command(language, "ai")?.arg(&answer), 0, &["! [session "])?;
        let session = session_of(&first.stderr)?;
        let mut again = self.command(language, "ai")?;
        let second = check(again.args(["--session", &session]).arg(&answer), 0, &["a fine"])?;
        if session_of(&second.stderr)? != session {
            return Err(Error::new(format!("the second prompt did not go to {session}")));
        }
        Ok(())
    }

    /// What a terminal interface would get.
    fn terminal_interface(&self, language: &str) -> Result<()> {
        let server = &self.stage.server;
        let authorization = http::basic(server.username(), server.password().unwrap_or_default());
        let headers = [("authorization", authorization.as_str())];
        let url = format!("{}/event", server.url());
        let mut events = http::open("GET", &url, &headers, None, LIMIT)?;
        let mut seen = String::new();
        wait_for(&mut events, &mut seen, "server.connected")?;
        let mut program = self.command(language, "ai")?;
        check(
            program.args(["--tui", "say", "\"hello\""]),
            0,
            &["[sent to the terminal interface]\n"],
        )?;
        wait_for(&mut events, &mut seen, r#""say \"hello\"""#)?;
        wait_for(&mut events, &mut seen, "prompt.submit")
    }

    /// Ctrl-C stops the agent, not only the program.
    fn interrupt(&self, language: &str) -> Result<()> {
        let words = "word ".repeat(200);
        let slow = prompt("slow", json!([{ "text": words, "delay_ms": 300 }]));
        let mut child = self
            .command(language, "ai")?
            .arg(&slow)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut out = BufReader::new(child.stdout.take().ok_or_else(|| Error::new("no pipe"))?);
        // The first word: it streams.
        out.read_exact(&mut [0; 5])?;
        Command::new("kill").args(["-INT", &child.id().to_string()]).status()?;
        std::io::copy(&mut out, &mut std::io::sink())?;
        let output = child.wait_with_output()?;
        judge("ai, interrupted", &output, 130, &["! ai: stopped\n", "! [session "])?;
        let status = self.stage.server.get("/session/status")?.text();
        let session = session_of(&output.stderr)?;
        if status.contains(&session) {
            return Err(Error::new(format!("{session} still works: {status}")));
        }
        let messages = self.stage.server.get(&format!("/session/{session}/message"))?.json();
        let last = messages.as_array().and_then(|list| list.last()).cloned().unwrap_or(Value::Null);
        if last["info"]["error"]["name"] != "MessageAbortedError" {
            return Err(Error::new(format!("the message was not aborted: {last}")));
        }
        Ok(())
    }
}

/// Reads on until a text has come.
fn wait_for(stream: &mut impl Read, seen: &mut String, text: &str) -> Result<()> {
    let mut piece = [0; 4096];
    while !seen.contains(text) {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return Err(Error::new(format!("'{text}' did not come: {seen}"))),
            Ok(length) => seen.push_str(&String::from_utf8_lossy(&piece[..length])),
        }
    }
    Ok(())
}

fn session_of(stderr: &[u8]) -> Result<String> {
    let text = String::from_utf8_lossy(stderr);
    text.lines()
        .find_map(|line| line.strip_prefix("[session ")?.strip_suffix(']').map(str::to_owned))
        .ok_or_else(|| Error::new(format!("no session in '{text}'")))
}

fn check(program: &mut Command, code: i32, printed: &[&str]) -> Result<Output> {
    let output = program.output()?;
    judge(&format!("{program:?}"), &output, code, printed)?;
    Ok(output)
}

fn judge(what: &str, output: &Output, code: i32, printed: &[&str]) -> Result<()> {
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    let missing = printed.iter().find(|text| match text.strip_prefix("! ") {
        Some(text) => !err.contains(text),
        None => !out.contains(**text),
    });
    let wrong = match missing {
        Some(text) => format!("it did not print '{text}'"),
        None if output.status.code() != Some(code) => {
            format!("it ended with {} and not with {code}", output.status)
        }
        None => return Ok(()),
    };
    Err(Error::new(format!("{what}: {wrong}\nstdout: {out}\nstderr: {err}")))
}
