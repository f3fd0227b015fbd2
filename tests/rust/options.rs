//! `spec/options.toml` says what core reads: every name, and what each may be.

use opencode_core::{
    AttachOptions, CallOptions, ClientOptions, EventOptions, ExportOptions, MessageOptions, Prompt,
    PtyOptions, ServerOptions, SessionOptions, UsageOptions,
};
use serde_json::{Value, json};
use std::path::Path;

type Reader = fn(&str) -> Result<(), opencode_core::Error>;

fn reader(noun: &str) -> Reader {
    match noun {
        "client" => |json| ClientOptions::from_json(json).map(drop),
        "with" => |json| ClientOptions::default().changed(json).map(drop),
        "call" => |json| CallOptions::from_json(json).map(drop),
        "prompt" => |json| Prompt::options_from_json(json).map(drop),
        "attach" => |json| AttachOptions::from_json(json).map(drop),
        "events" => |json| EventOptions::from_json(json).map(drop),
        "messages" => |json| MessageOptions::from_json(json).map(drop),
        "sessions" => |json| SessionOptions::from_json(json).map(drop),
        "discover" => |json| opencode_core::discover_timeout(json).map(drop),
        "ready" => |json| opencode_core::ReadyOptions::from_json(json).map(drop),
        "compact" => |json| opencode_core::CompactOptions::from_json(json).map(drop),
        "export" => |json| ExportOptions::from_json(json).map(drop),
        "usage" => |json| UsageOptions::from_json(json).map(drop),
        "pty" => |json| PtyOptions::from_json(json).map(drop),
        "server" => |json| ServerOptions::from_json(json).map(drop),
        other => panic!("nothing in core reads the options of {other}"),
    }
}

/// A value that fits the kind, and one that does not.
fn samples(kind: &str, values: &Value) -> (Value, Value) {
    if let Some(words) = values.as_array() {
        return (words[0].clone(), json!(7));
    }
    match kind {
        "text" => (json!("x"), json!(7)),
        "path" => (json!("/x"), json!(7)),
        "flag" => (json!(true), json!("yes")),
        "count" | "time" => (json!(5), json!("5")),
        "integer" => (json!(5), json!("5")),
        "number" => (json!(0.5), json!("0.5")),
        "traceparent" => {
            (json!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), json!(7))
        }
        "moment" => (json!("2026-11-29"), json!(true)),
        "texts" => (json!(["x"]), json!(7)),
        "object" | "headers" | "variables" | "format" => (json!({ "A": "b" }), json!(7)),
        "tools" => (json!({ "bash": false }), json!(7)),
        "dialect" => (json!(1), json!(7)),
        "model" => (json!("p/m"), json!(7)),
        "parts" => (json!("x"), json!(7)),
        "files" => (json!(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")), json!(7)),
        "permission" => (json!("once"), json!(7)),
        "lines" => (json!("1-2"), json!(true)),
        other => panic!("what fits the kind {other}?"),
    }
}

#[test]
fn core_reads_every_option_of_the_source_with_its_kind() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/options.toml");
    let source: Value = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    for (noun, choices) in source.as_object().unwrap() {
        // Its fields need each other: `tools::tool` has tests of its own.
        if noun == "tool" {
            continue;
        }
        let read = reader(noun);
        for choice in choices.as_array().unwrap() {
            let (name, kind) = (choice["name"].as_str().unwrap(), choice["kind"].as_str().unwrap());
            let name = if kind == "time" { format!("{name}_ms") } else { name.to_owned() };
            let (right, wrong) = samples(kind, &choice["values"]);
            // A text of a form.
            let right = if name == "mime" { json!("text/plain") } else { right };
            // The size of a terminal is given as a pair.
            let mut object = match name.as_str() {
                "cols" => json!({ "rows": 5 }),
                "rows" => json!({ "cols": 5 }),
                _ => json!({}),
            };
            object[&name] = right;
            if let Err(error) = read(&object.to_string()) {
                panic!("{noun}.{name}: {error}");
            }
            // A reader that knows a name and forgets to read it would take anything.
            object[&name] = wrong;
            let error =
                read(&object.to_string()).expect_err(&format!("{noun}.{name} takes {object}"));
            assert!(!error.message().contains("did you mean"), "{noun}.{name}: {error}");
        }
        let error = read(r#"{"no_such_name": 1}"#).expect_err(noun);
        assert!(error.message().contains("no_such_name"), "{noun}: {error}");
    }
}

/// What core says to a value of an option, where there is little stack.
fn said(read: Reader, name: &str, value: &str) -> Result<(), opencode_core::Error> {
    let json = format!("{{{name:?}: {value}}}");
    let thread = std::thread::Builder::new().stack_size(96 << 10);
    thread.spawn(move || read(&json)).unwrap().join().unwrap()
}

#[test]
fn what_is_nested_deeply_is_taken_or_one_clear_error_whatever_the_option() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/options.toml");
    let source: Value = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut wrong = Vec::new();
    for (noun, choices) in source.as_object().unwrap() {
        // Its fields need each other: `tools::tool` has tests of its own.
        if noun == "tool" {
            continue;
        }
        for choice in choices.as_array().unwrap() {
            let (name, kind) = (choice["name"].as_str().unwrap(), choice["kind"].as_str().unwrap());
            let name = if kind == "time" { format!("{name}_ms") } else { name.to_owned() };
            for levels in [127, 128, 900, 1_001, 10_000] {
                for (open, end) in [("[", "]"), ("{\"a\":", "}")] {
                    let value = format!("{}1{}", open.repeat(levels), end.repeat(levels));
                    let result = said(reader(noun), &name, &value);
                    let is_taken = matches!(kind, "format" | "tools") && open != "[";
                    let is_config = name == "config" && open != "[" && levels <= 127;
                    match result {
                        Ok(()) => assert!(
                            is_taken && levels < 1_000 || is_config,
                            "{noun}.{name} {levels}"
                        ),
                        Err(error) if is_taken && levels < 1_000 => {
                            panic!("{noun}.{name}: {error}")
                        }
                        Err(error) => {
                            let words = error.message();
                            // A header and a file are named one by one.
                            let is_named = words.contains(name.trim_end_matches('s'));
                            let is_whole = !words.contains('\n') && words.len() < 5_000;
                            let is_deep = words.contains("levels deep");
                            if !(is_whole && (is_named || is_deep && levels > 1_000)) {
                                wrong.push(format!("{noun}.{name} {levels}: {error}"));
                            }
                        }
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A text in core that says how an option is called would say it to programs in Python too.
#[test]
fn no_text_names_an_option_that_has_another_name_in_python() {
    let core = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/src");
    let mut folders = vec![core];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            let source = source.split("#[cfg(test)]\nmod tests").next().unwrap();
            for text in source.split('"').skip(1).step_by(2).filter(|text| text.contains(' ')) {
                let name = text.split(|c: char| !c.is_alphanumeric() && c != '_');
                let option = name.into_iter().find(|word| {
                    ["timeout_ms", "deadline_ms"].iter().any(|end| word.ends_with(end))
                });
                let is_comment = text.contains("///") || text.contains("//!");
                assert!(
                    option.is_none() || is_comment,
                    "{}: {option:?} in \"{text}\": say `option_names::….shown(name)`",
                    path.display()
                );
            }
        }
    }
}
