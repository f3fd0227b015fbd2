//! The annotations for Lua in the hands of a language server.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::language_server::LanguageServer;
use super::{root, samples, scratch, skip};

/// Programs end by functions of their own that call `os.exit`; that nothing is nil behind them is not seen.
const SETTINGS: &str =
    r#"{"diagnostics": {"disable": ["need-check-nil"]}, "strict": {"arrayIndex": false}}"#;

/// A folder with the annotations and files that use them, as a project has them, and a server that has read it.
fn editor(name: &str, files: &[PathBuf]) -> Option<(LanguageServer, Vec<PathBuf>)> {
    let program = root().join("target/tools/bin/emmylua_ls");
    if !program.exists() {
        skip("emmylua_ls is not built; `cargo xtask setup` does it");
        return None;
    }
    let folder = scratch(name);
    fs::write(folder.join(".emmyrc.json"), SETTINGS).expect("it can be written");
    let annotations = lua_files(&root().join("bindings-lua/meta"));
    let mut opened = Vec::new();
    for file in annotations.iter().chain(files) {
        let copy = folder.join(file.file_name().expect("a file has a name"));
        fs::copy(file, &copy).expect("it can be copied");
        opened.push(copy);
    }
    let mut server = LanguageServer::start(&program, &folder);
    for file in &opened {
        server.open(file);
    }
    Some((server, opened))
}

fn lua_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.expect("it can be read").path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "lua"));
    files.sort();
    files
}

#[test]
fn annotations_and_examples_are_right() {
    let examples = lua_files(&root().join("examples/lua"));
    let files = [&examples[..], &[samples().join("right.lua")]].concat();
    let Some((mut server, opened)) = editor("lua-right", &files) else { return };
    for file in opened {
        let found = server.diagnostics(&file);
        assert!(found.is_empty(), "{}: {found:#?}", file.display());
    }
}

#[test]
fn mistakes_are_shown() {
    let Some((mut server, opened)) = editor("lua-wrong", &[samples().join("wrong.lua")]) else {
        return;
    };
    let file = opened.last().expect("the sample is the last one");
    let text = fs::read_to_string(file).expect("it can be read");
    let marked = text.lines().zip(1..).filter(|(line, _)| line.ends_with("-- wrong"));
    let expected: BTreeSet<u64> = marked.map(|(_, number)| number).collect();
    let found = server.diagnostics(file);
    let lines: BTreeSet<u64> = found.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, expected, "{found:#?}");
}

#[test]
fn every_operation_is_shown_with_its_line_and_its_arguments() {
    let read = |path: &str| fs::read_to_string(root().join(path)).expect("it is there");
    let rows: Value = serde_json::from_str(&read("spec/operations.json")).expect("it is JSON");
    let overrides: Value = toml::from_str(&read("spec/overrides.toml")).expect("it is TOML");
    let annotations = read("bindings-lua/meta/libopencode_operations.lua");
    // Keywords of Lua and Python have another name.
    let attribute = |segment: &str| match annotations.contains(&format!("---@field {segment}_ ")) {
        true => format!("{segment}_"),
        false => segment.to_owned(),
    };
    let mut program = String::from("local client = assert(require(\"libopencode\").client())\n");
    let mut expected = Vec::new();
    for row in rows.as_array().expect("a list of operations") {
        let name = row["name"].as_str().expect("an operation has a name");
        let path: Vec<String> = name.split('.').map(attribute).collect();
        program += &format!("print(client.{})\n", path.join("."));
        let line = overrides["documentation"][row["id"].as_str().expect("it has an id")].as_str();
        let arguments = row["arguments"].as_array().expect("a list of arguments").iter();
        let in_path = arguments.filter(|argument| argument["place"] == "path");
        let names =
            in_path.map(|argument| format!("{}: ", argument["name"].as_str().unwrap_or_default()));
        expected.push((name, line.expect("it is documented"), names.collect::<Vec<_>>()));
    }
    let probe = scratch("lua-probe").join("probe.lua");
    fs::write(&probe, &program).expect("it can be written");
    let Some((mut server, opened)) = editor("lua-hover", &[probe]) else { return };
    let file = opened.last().expect("the probe is the last one");
    for (index, (name, documentation, arguments)) in expected.iter().enumerate() {
        let line = program.lines().nth(index + 1).expect("each has a line");
        let shown = server.hover(file, index + 1, line.len() - 2);
        assert!(shown.contains(documentation), "{name}: {shown}");
        for argument in arguments {
            assert!(shown.contains(argument), "{name}, {argument}: {shown}");
        }
    }
}

#[test]
fn names_are_offered_while_one_types() {
    let text = "local client = assert(require(\"libopencode\").client())
client.session.update(\"ses_1\", {  })
client:run(\"hi\", {  })
client.session.
";
    let probe = scratch("lua-typing").join("typing.lua");
    fs::write(&probe, text).expect("it can be written");
    let Some((mut server, opened)) = editor("lua-completion", &[probe]) else { return };
    let file = opened.last().expect("the probe is the last one");
    for (line, before, offered) in [
        (1, "client.session.update(\"ses_1\", { ", "title"),
        (2, "client:run(\"hi\", { ", "deadline_ms"),
        (3, "client.session.", "update"),
    ] {
        let names = server.completions(file, line, before.len());
        assert!(names.iter().any(|name| name.starts_with(offered)), "{before}: {names:?}");
    }
}
