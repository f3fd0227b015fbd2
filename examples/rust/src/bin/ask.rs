//! Sends a prompt and shows the answer as it comes: `ask PROMPT`.

use opencode_core::{Client, Result, Update};
use std::io::Write;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let prompt = if words.is_empty() { "Say pong".to_owned() } else { words.join(" ") };
    let client = Client::from_env()?;
    for update in client.run(prompt)?.updates() {
        match update {
            Update::Text(text) => {
                print!("{}", text.delta);
                let _ = std::io::stdout().flush();
            }
            Update::Done(reply) => println!(
                "\n[cost {:.4}, {} tokens, {:.1} s]",
                reply.cost,
                reply.tokens.total(),
                reply.time.total_ms as f64 / 1000.0
            ),
            Update::Failed(error) => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
