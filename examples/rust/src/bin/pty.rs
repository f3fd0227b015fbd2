//! Types a command into a shell on the server's machine and shows the screen: `pty COMMAND`.
//!
//! Ends with the exit code of the command.

use opencode_core::{Client, PtyOptions, Result};
use std::io::Write;
use std::process::ExitCode;

fn main() -> Result<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let command = if words.is_empty() { "echo $((6 * 7))".to_owned() } else { words.join(" ") };
    let client = Client::from_env()?;
    let pty = client.pty(PtyOptions {
        command: Some("sh".to_owned()),
        size: Some((100, 30)),
        ..PtyOptions::default()
    })?;
    pty.write(&format!("{command}; exit\n"))?;
    while let Some(text) = pty.read(None)? {
        print!("{text}");
        let _ = std::io::stdout().flush();
    }
    let code = pty.exit_code().unwrap_or(1);
    println!("[exit code {code}]");
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}
