//! Calls operations from Rust for the conformance run: reads `operation TAB arguments TAB options` per
//! line and prints one JSON object per line.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program of the tests")]

use std::io::BufRead as _;

use opencode_core::{Answer, CallOptions, Client, Error, Result};
use serde_json::{Value, json};

fn main() {
    let client = Client::from_env().unwrap();
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let mut fields = line.split('\t');
        let mut field = || fields.next().unwrap();
        let (operation, arguments, options) = (field(), field(), field());
        let answer = CallOptions::from_json(options)
            .and_then(|options| client.call_json(operation, arguments, &options));
        match answer
            .and_then(|answer| Ok(json!({"status": answer.status(), "answer": value(&answer)?})))
        {
            Ok(seen) => println!("{seen}"),
            Err(error) => println!("{}", failure(&error)),
        }
    }
}

fn value(answer: &Answer) -> Result<Value> {
    match (answer.bytes().is_empty(), answer.is_json()) {
        (true, _) => Ok(Value::Null),
        (false, true) => answer.json(),
        (false, false) => answer.text().map(Value::from),
    }
}

fn failure(error: &Error) -> Value {
    json!({"error": serde_json::from_str::<Value>(&error.to_json()).unwrap()})
}
