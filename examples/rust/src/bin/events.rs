//! What happens on the server, event by event: makes a session and sees it come. `events`

use opencode_core::{Client, EventOptions, Result};
use serde_json::json;
use std::process::ExitCode;

fn watch() -> Result<()> {
    let client = Client::from_env()?;
    let stream = client.events(EventOptions::default())?;
    for event in stream.iter() {
        let event: serde_json::Value = serde_json::from_str(&event?.to_json()).unwrap_or_default();
        println!("{}", event["type"].as_str().unwrap_or_default());
        // From here on nothing is missed; a gap would be told.
        if event["type"] == "stream.connected" {
            client.call("session.create", json!({ "title": "seen" }))?;
        }
        if event["type"] == "session.created" && event["properties"]["info"]["title"] == "seen" {
            break;
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    match watch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
