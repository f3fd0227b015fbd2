//! Asks the agent, from the command line:
//!
//! ```text
//! ai [--session ID] [--agent NAME] [--model PROVIDER/MODEL] [--tui] PROMPT...
//! ```
//!
//! The answer is shown as it comes; --tui sends the prompt into the attached terminal interface instead.
//! What is not given comes from the environment (`AI_SESSION`, `AI_AGENT`, `AI_MODEL`, `OPENCODE_BASE_URL`,
//! `OPENCODE_SERVER_USERNAME`, `OPENCODE_SERVER_PASSWORD`), and else from lines NAME=VALUE in the file that
//! `AI_SETTINGS` names, or `~/.config/ai.env`. Ctrl-C stops the agent.
//!
//! Ends with 0, 1 for an error, 2 for a wrong command line, 130 for Ctrl-C.

use opencode_core::{CallOptions, Client, ClientOptions, Error, Prompt, Result, Run, Update};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const USAGE: &str =
    "usage: ai [--session ID] [--agent NAME] [--model PROVIDER/MODEL] [--tui] PROMPT...";

/// The lines of the settings file; the environment goes first.
struct Settings(HashMap<String, String>);

impl Settings {
    fn read() -> Settings {
        let path = given("AI_SETTINGS")
            .unwrap_or_else(|| given("HOME").unwrap_or_default() + "/.config/ai.env");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let lines = text.lines().filter_map(|line| line.split_once('='));
        Settings(lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    fn get(&self, name: &str) -> Option<String> {
        given(name).or_else(|| self.0.get(name).cloned())
    }
}

fn given(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

struct Arguments {
    /// Those of the prompt: session, agent, model.
    options: Value,
    tui: bool,
    prompt: String,
}

/// Nothing when the command line is wrong.
fn parse(settings: &Settings) -> Option<Arguments> {
    let mut found = Arguments {
        options: json!({
            "session": settings.get("AI_SESSION"),
            "agent": settings.get("AI_AGENT"),
            "model": settings.get("AI_MODEL"),
        }),
        tui: false,
        prompt: String::new(),
    };
    let mut words = std::env::args().skip(1).peekable();
    while let Some(name) = words.next_if(|word| word.starts_with("--")) {
        match name.as_str() {
            "--tui" => found.tui = true,
            "--session" | "--agent" | "--model" => found.options[&name[2..]] = words.next()?.into(),
            _ => return None,
        }
    }
    found.prompt = words.collect::<Vec<_>>().join(" ");
    (!found.prompt.is_empty()).then_some(found)
}

/// Prints the answer as it comes; whether Ctrl-C ended that.
fn show(run: &Run, interrupted: &AtomicBool) -> Result<bool> {
    let mut begun = false;
    let result = loop {
        if interrupted.load(Ordering::Relaxed) {
            return Ok(true);
        }
        match run.next_update(Some(Duration::from_millis(100))) {
            Some(Update::Text(text)) => {
                let fresh_line = if text.replaces && begun { "\n" } else { "" };
                print!("{fresh_line}{}", text.delta);
                let _ = std::io::stdout().flush();
                begun = true;
            }
            Some(Update::Done(_)) => break Ok(false),
            Some(Update::Failed(error)) => break Err(error),
            _ => {}
        }
    };
    if begun {
        println!();
    }
    result
}

fn ask(arguments: &Arguments, client: &Client, interrupted: &AtomicBool) -> Result<u8> {
    if arguments.tui {
        client.tui_prompt(&arguments.prompt, &CallOptions::default())?;
        println!("[sent to the terminal interface]");
        return Ok(0);
    }
    let run =
        client.run(Prompt::with_options(&arguments.prompt, &arguments.options.to_string())?)?;
    let code = match show(&run, interrupted) {
        Ok(false) => 0,
        Ok(true) => {
            run.cancel(Duration::from_secs(10));
            eprintln!("\nai: stopped");
            130
        }
        Err(error) => complain(&error),
    };
    if let Some(session) = run.session_id() {
        eprintln!("[session {session}]");
    }
    Ok(code)
}

fn complain(error: &Error) -> u8 {
    eprintln!("ai: {}", error.message());
    1
}

fn main() -> ExitCode {
    let settings = Settings::read();
    let Some(arguments) = parse(&settings) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let interrupted = Arc::new(AtomicBool::new(false));
    if let Err(error) =
        signal_hook::flag::register(signal_hook::consts::SIGINT, interrupted.clone())
    {
        eprintln!("ai: Ctrl-C cannot be watched: {error}");
    }
    let mut options = ClientOptions::from_env();
    if let Some(url) = settings.get("OPENCODE_BASE_URL") {
        options.base_url = url;
    }
    options.username = settings.get("OPENCODE_SERVER_USERNAME");
    options.password = settings.get("OPENCODE_SERVER_PASSWORD");
    let result = Client::new(options).and_then(|client| ask(&arguments, &client, &interrupted));
    ExitCode::from(result.unwrap_or_else(|error| complain(&error)))
}
