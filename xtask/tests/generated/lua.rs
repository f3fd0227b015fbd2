use std::fs;
use std::process::Command;

use super::{installed, output, root};

#[test]
fn every_lua_can_read_the_annotations() {
    let meta = root().join("bindings-lua/meta");
    for lua in installed(&["luajit", "lua5.1", "lua5.4"]) {
        for file in ["opencode_types.lua", "opencode_operations.lua"] {
            let (is_read, text) = output(Command::new(lua).arg(meta.join(file)));
            assert!(is_read, "{lua} {file}: {text}");
        }
    }
}

#[test]
fn the_language_server_would_load_them() {
    // It skips files above this size unless it is told otherwise.
    const LIMIT: u64 = 500_000;
    for file in ["opencode_types.lua", "opencode_operations.lua"] {
        let path = root().join("bindings-lua/meta").join(file);
        assert!(fs::metadata(&path).expect("it is generated").len() < LIMIT, "{file}");
    }
}

#[test]
fn every_class_that_is_named_is_declared() {
    let mut text = String::new();
    for file in ["opencode_types.lua", "opencode_operations.lua"] {
        let path = root().join("bindings-lua/meta").join(file);
        text.push_str(&fs::read_to_string(path).expect("it is generated"));
    }
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
    for name in mentioned {
        assert!(declared.contains(&name), "{name}");
    }
}
