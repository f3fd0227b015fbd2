//! Asks about a file on this machine; its content travels with the prompt: `attach FILE PROMPT`.

use opencode_core::{AttachOptions, Client, Prompt, Result};
use std::process::ExitCode;

fn ask(path: &str, words: &[String]) -> Result<()> {
    let part = opencode_core::attach(path, &AttachOptions::default())?;
    println!(
        "[{}, {}]",
        part["filename"].as_str().unwrap_or("?"),
        part["mime"].as_str().unwrap_or("?")
    );
    let mut prompt = Prompt::new(words.join(" "));
    prompt.parts.push(part.into());
    println!("{}", Client::from_env()?.ask(prompt)?.text);
    Ok(())
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [path, words @ ..] = words.as_slice() else {
        eprintln!("usage: attach FILE PROMPT");
        return ExitCode::from(2);
    };
    match ask(path, words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
