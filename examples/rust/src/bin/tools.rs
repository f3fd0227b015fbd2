//! Gives the agent two functions of this program: `tools PROMPT`. It keeps a shopping list with them.

use opencode_core::{Client, Tool, ToolAnswer};
use serde_json::{Value, json};
use std::error::Error;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.is_empty() {
        eprintln!("usage: tools PROMPT");
        return Ok(ExitCode::from(2));
    }
    let list = Arc::new(Mutex::new(Vec::new()));
    let client = Client::from_env()?;

    let mine = Arc::clone(&list);
    let schema = json!({
        "type": "object",
        "properties": { "item": { "type": "string" }, "count": { "type": "integer", "minimum": 1 } },
        "required": ["item", "count"],
    });
    client.tool(Tool::new("add_item", "Adds to the shopping list").parameters(schema).handler(
        move |call| {
            let given: Value = call.arguments().read().map_err(|error| error.to_string())?;
            let line = format!("{} x {}", given["count"], given["item"].as_str().unwrap_or("?"));
            println!("added {line}");
            let mut list = mine.lock().map_err(|error| error.to_string())?;
            list.push(line);
            Ok(ToolAnswer::text("added"))
        },
    ))?;
    client.tool(Tool::new("list_items", "Reads the shopping list").handler(move |_| {
        let list = list.lock().map_err(|error| error.to_string())?;
        if list.is_empty() {
            Err("the list is empty".to_owned())
        } else {
            Ok(ToolAnswer::json(&*list))
        }
    }))?;

    // Handlers run in here, on this thread.
    let reply = client.run(words.join(" "))?.wait(None)?;
    println!("{}", reply.text);
    Ok(ExitCode::SUCCESS)
}
