//! Decides what the agent may do: `permissions [--yes | --no | --rules] PROMPT`.
//!
//! Without an option it asks you; --rules decides by a list of rules, and asks only what they leave open.

use opencode_core::{
    Client, Decision, PermissionPolicy, PermissionReply, PermissionRule, Prompt, Update,
};
use serde_json::Value;
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

fn rules() -> PermissionPolicy {
    let rule = |permission: &str, pattern: &str, decision| PermissionRule {
        permission: permission.to_owned(),
        pattern: pattern.to_owned(),
        decision,
    };
    // The last one that fits decides.
    PermissionPolicy::rules(vec![
        rule("*", "*", Decision::Ask),
        rule("bash", "echo *", Decision::Reply(PermissionReply::Once)),
        rule("bash", "rm *", Decision::Reply(PermissionReply::Reject)),
    ])
}

fn decide(request: &str, mode: Option<&str>) -> Result<PermissionReply, Box<dyn Error>> {
    let request: Value = serde_json::from_str(request)?;
    let patterns: Vec<&str> =
        request["patterns"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    println!("{}: {}", request["permission"].as_str().unwrap_or_default(), patterns.join(", "));
    match mode {
        Some("yes") => return Ok(PermissionReply::Once),
        Some("no") => return Ok(PermissionReply::Reject),
        _ => {}
    }
    print!("Allow it? [y]es, [a]lways, [n]o: ");
    io::stdout().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    println!();
    Ok(match answer.chars().next() {
        Some('y') => PermissionReply::Once,
        Some('a') => PermissionReply::Always,
        _ => PermissionReply::Reject,
    })
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let mode = words.first().and_then(|word| word.strip_prefix("--")).map(str::to_owned);
    if mode.is_some() {
        words.remove(0);
    }
    if words.is_empty() || !matches!(mode.as_deref(), None | Some("yes" | "no" | "rules")) {
        eprintln!("usage: permissions [--yes | --no | --rules] PROMPT");
        return Ok(ExitCode::from(2));
    }
    let mut prompt = Prompt::new(words.join(" "));
    prompt.permission = Some(match mode.as_deref() {
        Some("rules") => rules(),
        _ => PermissionPolicy::always(Decision::Ask),
    });
    let client = Client::from_env()?;
    let run = client.run(prompt)?;
    for update in run.updates() {
        match update {
            Update::Permission { id, request } => {
                let reply = decide(request.get(), mode.as_deref())?;
                run.reply_permission(&id, reply, Some("The user does not want that."));
            }
            Update::Failed(error) => return Err(error.into()),
            Update::Done(reply) => {
                println!("{}", reply.text);
                for decision in &reply.decisions {
                    let patterns = decision.patterns.join(", ");
                    println!(
                        "[{} {patterns}: {} by {}]",
                        decision.permission, decision.reply, decision.by
                    );
                }
            }
            _ => {}
        }
    }
    Ok(ExitCode::SUCCESS)
}
