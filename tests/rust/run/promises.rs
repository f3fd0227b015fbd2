//! The map from promises to tests, `tests/promises.md`, is true.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// All files below a folder.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let below = entries.map(|entry| entry.path()).map(|path| match path.is_dir() {
        true => files_below(&path),
        false => vec![path],
    });
    below.flatten().collect()
}

/// The files that a name stands for: a module in Rust, or a file of another language with its ending.
fn places(module: &str) -> Vec<PathBuf> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let names = match module.contains('.') {
        true => [module.to_owned(), module.to_owned()],
        false => [format!("{module}.rs"), format!("{module}/mod.rs")],
    };
    let folders = ["../core/src", "../xtask", "../bindings-c/src", "../bindings-lua/src"];
    let folders = folders.into_iter().chain([
        "rust",
        "rust-isolated",
        "harness",
        "loom",
        "lua",
        "python",
        "c",
    ]);
    let all = folders.flat_map(|folder| files_below(&tests.join(folder)));
    all.filter(|path| names.iter().any(|name| path.ends_with(name))).collect()
}

/// What stands in a file where a test begins: its function, or in Lua its title.
fn beginning(module: &str, test: &str) -> String {
    match module.rsplit_once('.').map_or("rs", |(_, ending)| ending) {
        "rs" => format!("fn {test}()"),
        "py" => format!("def {test}("),
        "lua" => format!("\"{test}\""),
        _ => test.to_owned(),
    }
}

fn map() -> String {
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("promises.md"))
}

/// Every `module::test` between backticks.
fn named(map: &str) -> HashSet<(String, String)> {
    let quoted = map.split('`').skip(1).step_by(2);
    let pairs = quoted.filter_map(|text| text.split_once("::"));
    pairs.map(|(module, test)| (module.to_owned(), test.to_owned())).collect()
}

fn is_there(module: &str, test: &str) -> bool {
    let beginning = beginning(module, test);
    places(module).iter().any(|place| read(place).contains(&beginning))
}

#[test]
fn every_test_that_is_named_is_there() {
    for (module, test) in named(&map()) {
        if (module.as_str(), test.as_str()) == ("module", "test") {
            continue;
        }
        assert!(is_there(&module, &test), "{module}::{test} is in promises.md, and nowhere else");
    }
}

#[test]
fn every_invariant_names_tests_that_are_there() {
    let page = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../ARCHITECTURE.md"));
    let section = page.split("## Invariants").nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let is_number =
        |line: &&str| line.split_once(". ").is_some_and(|(n, _)| n.parse::<u8>().is_ok());
    let count = section.lines().filter(is_number).count();
    assert!(count > 9, "the invariants are not where they were: {count}");
    for number in 1..=count {
        let from = section.find(&format!("\n{number}. ")).expect("they are numbered");
        let rest = section.get(from + 1..).unwrap_or_default();
        let end = rest.find(&format!("\n{}. ", number + 1)).unwrap_or(rest.len());
        let tests = named(rest.get(..end).unwrap_or_default());
        assert!(!tests.is_empty(), "invariant {number} of ARCHITECTURE.md names no test");
        for (module, test) in tests {
            assert!(is_there(&module, &test), "invariant {number} names {module}::{test}");
        }
    }
}

#[test]
fn every_test_of_runs_is_named() {
    let named = named(&map());
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("rust/run");
    for file in std::fs::read_dir(tests).unwrap() {
        let path = file.unwrap().path();
        let module = path.file_stem().unwrap().to_string_lossy().into_owned();
        if module == "promises" {
            continue;
        }
        for text in read(&path).split("#[test]\n").skip(1) {
            let test = text.split(['(', ' ']).nth(1).unwrap_or_default().to_owned();
            let pair = (module.clone(), test);
            assert!(named.contains(&pair), "{}::{} is missing in promises.md", pair.0, pair.1);
        }
    }
}

#[test]
fn every_rule_and_pain_has_its_row() {
    let map = map();
    for number in 1..=9 {
        assert!(map.contains(&format!("\n| {number} ")), "rule {number}");
    }
    for number in 1..=27 {
        assert!(map.contains(&format!("\n| P{number} ")), "P{number}");
    }
}
