//! Runs a command, or waits, with the real server and the scripted model behind it.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to its user")]

use std::io::{Read, Write};
use std::process::{Command, ExitCode};

use opencode_tests::{Error, Generation, Model, Result, Server, Stage};
use serde_json::{Map, Value};

const USAGE: &str = "usage: opencode-stack [--server 1|2] [COMMAND [ARGUMENT...]]

Starts a hermetic OpenCode server with a scripted model. Runs COMMAND with OPENCODE_BASE_URL and
so on set, in the project of the server, as the whole suite runs the tests of other languages, and
ends with its exit code. Without COMMAND: prints the variables as one line of JSON and waits until
standard input ends. --server 2 starts a server of OpenCode 2.x.";

fn main() -> ExitCode {
    let mut command: Vec<String> = std::env::args().skip(1).collect();
    let mut generation = Generation::One;
    if command.first().is_some_and(|first| first == "--server") {
        generation = match command.get(1).map(String::as_str) {
            Some("1") => Generation::One,
            Some("2") => Generation::Two,
            _ => {
                println!("{USAGE}");
                return ExitCode::from(2);
            }
        };
        command.drain(..2);
    }
    if command.first().is_some_and(|first| first == "--") {
        command.remove(0);
    } else if command.first().is_some_and(|first| first.starts_with('-')) {
        println!("{USAGE}");
        return ExitCode::from(2);
    }
    run(generation, &command).unwrap_or_else(|error| {
        eprintln!("opencode-stack: {error}");
        ExitCode::FAILURE
    })
}

fn run(generation: Generation, command: &[String]) -> Result<ExitCode> {
    let Some((program, arguments)) = command.split_first() else { return wait(generation) };
    let stage = match generation {
        Generation::One => Stage::start()?,
        Generation::Two => Stage::start_two()?,
    };
    let mut child = Command::new(program);
    let _doomed = stage.set(child.args(arguments))?;
    let status = child.status().map_err(|error| Error::wrap(program, error))?;
    Ok(ExitCode::from(status.code().and_then(|code| code.try_into().ok()).unwrap_or(1)))
}

fn wait(generation: Generation) -> Result<ExitCode> {
    let model = Model::start(0)?;
    let server = Server::builder(&model.url()).generation(generation).start()?;
    let variables: Map<String, Value> =
        server.env().into_iter().map(|(name, value)| (name, value.into())).collect();
    println!("{}", Value::Object(variables));
    std::io::stdout().flush()?;
    let mut sink = [0; 256];
    while matches!(std::io::stdin().read(&mut sink), Ok(1..)) {}
    Ok(ExitCode::SUCCESS)
}
