//! Runs the scripted model until it is killed, or until its standard input ends.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to its user")]

use std::io::{Read, Write};
use std::process::ExitCode;

use opencode_fake_provider::Model;

const USAGE: &str = "usage: opencode-fake-provider [--port N] [--exit-with-stdin]

A scripted OpenAI-compatible model on 127.0.0.1. Prints `listening on URL` once it serves.
  --port N            the port, any free one unless given
  --exit-with-stdin   exit when standard input ends, so that no orphan stays behind";

fn main() -> ExitCode {
    let mut port = 0;
    let mut exit_with_stdin = false;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--exit-with-stdin" => exit_with_stdin = true,
            "--port" => match arguments.next().and_then(|value| value.parse().ok()) {
                Some(number) => port = number,
                None => return usage("--port needs a number from 0 to 65535"),
            },
            "--help" | "-h" => {
                println!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            other => return usage(&format!("unknown argument {other}")),
        }
    }
    let model = match Model::start(port) {
        Ok(model) => model,
        Err(error) => {
            eprintln!("opencode-fake-provider: port {port}: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("listening on {}", model.url());
    // Nobody reads the line: then nobody needs it.
    let _ = std::io::stdout().flush();
    if exit_with_stdin {
        let mut sink = [0; 256];
        let mut input = std::io::stdin().lock();
        while matches!(input.read(&mut sink), Ok(count) if count > 0) {}
        return ExitCode::SUCCESS;
    }
    loop {
        std::thread::park();
    }
}

fn usage(problem: &str) -> ExitCode {
    eprintln!("opencode-fake-provider: {problem}\n{USAGE}");
    ExitCode::from(2)
}
