use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::{installed, output, root};

/// All annotations, generated and written by hand.
fn files() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("bindings-lua/meta")).expect("the folder is there");
    entries.map(|entry| entry.expect("it can be read").path()).collect()
}

fn text() -> String {
    let read = |path: PathBuf| fs::read_to_string(path).expect("it can be read");
    files().into_iter().map(read).collect()
}

#[test]
fn every_lua_can_read_the_annotations() {
    for lua in installed(&["luajit", "lua5.1", "lua5.4"]) {
        for file in files() {
            let (is_read, text) = output(Command::new(lua).arg(&file));
            assert!(is_read, "{lua} {}: {text}", file.display());
        }
    }
}

#[test]
fn the_language_server_would_load_them() {
    // It skips files above this size unless it is told otherwise.
    const LIMIT: u64 = 500_000;
    for file in files() {
        let length = fs::metadata(&file).expect("it is there").len();
        assert!(length < LIMIT, "{}", file.display());
    }
}

/// It takes the parentheses of `fun(): (a|b)?, c` for those of the whole list, and then shows no documentation.
#[test]
fn no_result_of_several_is_in_parentheses() {
    let text = text();
    let results = text.split("): ").skip(1);
    assert_eq!(results.filter(|result| result.starts_with('(')).count(), 0);
}

#[test]
fn every_class_that_is_named_is_declared() {
    let text = text();
    let declared: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("---@class ").or(line.strip_prefix("---@alias ")))
        .filter_map(|rest| rest.split(' ').next())
        .collect();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_';
    let mentioned = text.lines().filter(|line| line.starts_with("---@")).flat_map(|line| {
        let words = line.split(move |c| !is_name(c));
        words.map(|word| word.trim_end_matches('.')).filter(|word| word.starts_with("opencode."))
    });
    // A file of the server and a value, and no classes.
    let mentioned = mentioned.filter(|name| !["opencode.json", "opencode.null"].contains(name));
    for name in mentioned {
        assert!(declared.contains(&name), "{name}");
    }
}

/// A language server knows only what is there; this sees what is forgotten.
#[test]
fn every_method_is_annotated_with_its_parameters() {
    let text = text();
    let source = root().join("bindings-lua/src");
    let chapters = fs::read_dir(source.join("prelude")).expect("the folder is there");
    let mut sources: Vec<PathBuf> = chapters.filter_map(|entry| Some(entry.ok()?.path())).collect();
    sources.push(source.join("prelude.lua"));
    for noun in sources {
        let prelude = fs::read_to_string(&noun).expect("the prelude is there");
        let noun = noun.display();
        let methods = prelude.lines().filter_map(|line| line.strip_prefix("function "));
        // What the prelude keeps to itself has no annotation.
        let own = ["__", "shared", "Tools:"];
        for method in methods.filter(|method| !own.iter().any(|own| method.contains(own))) {
            let head = method.split_inclusive(')').next().unwrap_or(method);
            // Lists have a class for each kind of item.
            let heads = match head.strip_prefix("Pages:") {
                Some(rest) => vec![format!("Messages:{rest}"), format!("Sessions:{rest}")],
                None => vec![head.to_owned()],
            };
            for head in heads {
                assert!(text.contains(&format!("\nfunction {head} end")), "{head} of {noun}");
            }
        }
    }
}

#[test]
fn a_class_that_takes_no_other_names_lists_all_its_own() {
    let text = text();
    let classes = text.split("\n---@class ").filter(|class| class.contains(", [string]: nil }\n"));
    let mut count = 0;
    for class in classes {
        let (head, below) = class.split_once('\n').expect("it has fields");
        let (name, list) = head.split_once(" : { ").expect("its names are in braces");
        let names = list.split(", ").filter_map(|item| item.strip_suffix(": any"));
        let fields = below.lines().map_while(|line| line.strip_prefix("---@field "));
        let fields = fields.filter_map(|field| field.split([' ', '?']).next());
        assert!(names.eq(fields), "{name}");
        count += 1;
    }
    assert!(count > 50, "{count}");
}

#[test]
fn every_function_says_what_it_does() {
    for file in files() {
        let text = fs::read_to_string(&file).expect("it can be read");
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("function "))
        {
            let mut comment = lines[..at].iter().rev().take_while(|line| line.starts_with("---"));
            let is_said = comment.any(|line| line.len() > 3 && !line.starts_with("---@"));
            assert!(is_said, "{}:{}: {line}", file.display(), at + 1);
        }
    }
}

#[test]
fn every_operation_is_a_field_of_its_namespace() {
    let text = text();
    let spec = fs::read_to_string(root().join("spec/operations.json")).expect("it is there");
    let rows: serde_json::Value = serde_json::from_str(&spec).expect("it is JSON");
    let rows = rows.as_array().or_else(|| rows["operations"].as_array()).expect("rows");
    for row in rows {
        let name = row["name"].as_str().expect("a row has a name");
        let last = name.rsplit('.').next().unwrap_or(name);
        let is_there = ["", "_"].iter().any(|end| {
            let field = format!("---@field {last}{end} ");
            ["fun(", "(fun("].iter().any(|kind| text.contains(&format!("{field}{kind}")))
        });
        assert!(is_there, "{name}");
    }
    // The way from a client to a function, and what it takes.
    for line in [
        "---@class opencode.Client : opencode.Operations",
        "---@field session opencode.SessionOperations",
        "---@field update (fun(sessionID: string, arguments?: opencode.SessionUpdateArguments, options?: opencode.CallOptions): opencode.types.Session?, string?, opencode.Error?)|(fun(arguments: opencode.SessionUpdateByName, options?: opencode.CallOptions): opencode.types.Session?, string?, opencode.Error?)",
    ] {
        assert!(text.contains(line), "{line}");
    }
}
