//! What programs that were compiled once rely on: the functions of the C library, as `tests/abi/symbols.txt` keeps them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use opencode_tests::binary::workspace;
use opencode_tests::{Error, Result};

/// The library, the header and the list have the same functions.
///
/// # Errors
/// The first function that one of them lacks.
pub(crate) fn check(exported: &BTreeSet<String>) -> Result<()> {
    let header = names()?;
    same("include/opencode.h", &header, "the library", exported)?;
    let listed = listed(&read(&workspace().join("tests/abi/symbols.txt"))?)?;
    same("include/opencode.h", &header, "tests/abi/symbols.txt", &listed.into_keys().collect())
}

/// The functions of the library.
///
/// # Errors
/// When the header cannot be read.
pub(crate) fn names() -> Result<BTreeSet<String>> {
    Ok(declared(&read(&workspace().join("include/opencode.h"))?))
}

fn same(one: &str, ours: &BTreeSet<String>, other: &str, theirs: &BTreeSet<String>) -> Result<()> {
    if let Some(name) = ours.difference(theirs).next() {
        return Err(Error::new(format!("{name} is in {one} and not in {other}")));
    }
    match theirs.difference(ours).next() {
        Some(name) => Err(Error::new(format!("{name} is in {other} and not in {one}"))),
        None => Ok(()),
    }
}

/// The functions that a header declares.
fn declared(header: &str) -> BTreeSet<String> {
    let mut code = String::new();
    let mut rest = header;
    while let Some((before, comment)) = rest.split_once("/*") {
        code.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    code.push_str(rest);
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let before_brackets = code.split('(').filter_map(|part| part.rsplit(|c| !is_name(c)).next());
    before_brackets.filter(|name| name.starts_with("opencode_")).map(str::to_owned).collect()
}

/// Each function of the list with the version in which it came.
fn listed(list: &str) -> Result<BTreeMap<String, String>> {
    let lines = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pairs = lines.map(|line| {
        let (name, version) = line.split_once(' ').unwrap_or((line, ""));
        let numbers: Vec<_> = version.split('.').map(str::parse::<u32>).collect();
        match numbers[..] {
            [Ok(_), Ok(_), Ok(_)] => Ok((name.to_owned(), version.to_owned())),
            _ => Err(Error::new(format!("tests/abi/symbols.txt: '{line}' lacks a version"))),
        }
    });
    pairs.collect()
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|e| Error::wrap(path.display(), e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_that_blocks_says_what_does_not() {
        let header = read(&workspace().join("include/opencode.h")).unwrap();
        // After the first page, which says what holds for all.
        let functions = header.split("extern \"C\"").nth(1).unwrap();
        let comments = functions.split("/**").skip(1).filter_map(|part| part.split_once("*/"));
        let mut blocking = 0;
        for (comment, rest) in comments {
            let comment: Vec<_> =
                comment.split([' ', '\n', '*']).filter(|w| !w.is_empty()).collect();
            let comment = comment.join(" ");
            if comment.replace("ever blocks", "").to_lowercase().contains("blocks") {
                blocking += 1;
                let ways =
                    ["does not", "do not", "timeout_ms", "waits for nothing", "that is over"];
                let name = rest.split(';').next().unwrap_or_default().trim();
                assert!(ways.iter().any(|way| comment.contains(way)), "{name}: {comment}");
            }
        }
        assert!(blocking > 15, "{blocking}");
    }

    #[test]
    fn the_header_has_the_functions_of_the_list() {
        let header = declared(&read(&workspace().join("include/opencode.h")).unwrap());
        assert!(header.len() > 80, "{header:?}");
        // As if the library had them all.
        check(&header).unwrap();
        let mut fewer = header.clone();
        fewer.remove("opencode_version");
        let error = check(&fewer).unwrap_err().to_string();
        assert_eq!(error, "opencode_version is in include/opencode.h and not in the library");
    }

    #[test]
    fn every_function_is_kept_and_is_called_with_anything() {
        let tests = workspace().join("tests/c");
        let kept = ["kept/kept.c", "kept/later.c", "kept/summary.c"]
            .map(|name| read(&tests.join(name)).unwrap());
        let calls = declared(&read(&tests.join("any_calls.c")).unwrap());
        for name in names().unwrap() {
            let whole = [format!("){name},"), format!("){name}}}"), format!("{name}(")];
            let is_kept = kept.iter().any(|code| whole.iter().any(|part| code.contains(part)));
            assert!(is_kept, "no program of tests/c/kept needs {name}");
            // These are passed to what puts handles away.
            let is_called = calls.contains(&name) || name.ends_with("_free");
            assert!(is_called, "tests/c/any_calls.c does not call {name}");
        }
    }

    /// What the C++ face calls in another way, and how.
    const OTHERWISE: [(&str, &str); 3] = [
        ("opencode_ask", "Client::ask is run and wait, with the prompt as it is"),
        ("opencode_call", "Client::call passes options on: opencode_call_with"),
        ("opencode_server_client", "Server::client passes options on: opencode_server_client_with"),
    ];

    #[test]
    fn every_function_has_its_method_in_cpp() {
        let include = workspace().join("include");
        let mut code = String::new();
        for name in crate::install::headers().unwrap() {
            if name.extension().is_some_and(|ending| ending == "hpp") {
                code += &read(&include.join(name)).unwrap();
            }
        }
        // Not what comments speak of.
        let lines = code.lines().filter(|line| !line.trim().starts_with("//"));
        let code = lines.collect::<Vec<_>>().join("\n");
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let words: BTreeSet<&str> = code.split(|letter| !is_name(letter)).collect();
        for name in names().unwrap() {
            let is_otherwise = OTHERWISE.iter().any(|(function, _)| *function == name);
            let is_there = words.contains(name.as_str());
            assert!(is_there || is_otherwise, "include/opencode/*.hpp has no method for {name}");
            assert!(!(is_there && is_otherwise), "{name} has a method: take it from the list");
        }
        assert!(OTHERWISE.iter().all(|(name, _)| names().unwrap().contains(*name)));
    }

    #[test]
    fn functions_are_found_in_code_and_not_in_comments() {
        let header =
            "/* see opencode_no() */\nAPI int opencode_a(int x);\nconst char *opencode_b(void);\n";
        let found: Vec<_> = declared(header).into_iter().collect();
        assert_eq!(found, ["opencode_a", "opencode_b"]);
        assert!(listed("opencode_a\n").is_err() && listed("opencode_a 0.1\n").is_err());
        assert_eq!(listed("# x\n\nopencode_a 0.1.0\n").unwrap().len(), 1);
    }
}
