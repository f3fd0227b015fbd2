//! What `spec/options.toml` says, where people read it: the annotations for Lua, the comments of the C header, and the
//! tables of the guides.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::options::{Choice, Options};

/// Files of annotations that hold classes of options.
const LUA: &[&str] = &[
    "libopencode.lua",
    "libopencode_pty.lua",
    "libopencode_run.lua",
    "libopencode_server.lua",
    "libopencode_streams.lua",
    "libopencode_tools.lua",
];

/// Guides with a table of options.
const GUIDES: &[&str] = &["docs/runs.md", "docs/server.md"];

/// The files that are generated in part, with their whole text.
pub(super) fn files(root: &Path, options: &Options) -> Result<Vec<(String, String)>, String> {
    let mut files = Vec::new();
    for name in LUA {
        let path = format!("bindings-lua/meta/{name}");
        let text = lua(&read(root, &path)?, options).map_err(|e| format!("{path}: {e}"))?;
        files.push((path, text));
    }
    for path in GUIDES {
        let text = guide(&read(root, path)?, options).map_err(|e| format!("{path}: {e}"))?;
        files.push(((*path).to_owned(), text));
    }
    Ok(files)
}

fn read(root: &Path, path: &str) -> Result<String, String> {
    fs::read_to_string(root.join(path)).map_err(|e| format!("{path}: {e}"))
}

/// Which options a place shows: those of a noun, perhaps without some, and names that stand there by hand.
struct Selection<'a> {
    choices: Vec<&'a Choice>,
    by_hand: Vec<&'a str>,
}

impl<'a> Selection<'a> {
    /// Reads `pty without command args`, `prompt only deadline`, or `client with wait`.
    fn read(words: &'a str, options: &'a Options) -> Result<Self, String> {
        let mut words = words.split_whitespace();
        let noun = words.next().ok_or("no noun is named")?;
        let (mut without, mut only, mut by_hand) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        let mut list = "";
        for word in words {
            match (word, list) {
                ("with" | "without" | "only", _) => list = word,
                (word, "with") => by_hand.push(word),
                (word, "without") => drop(without.insert(word)),
                (word, "only") => drop(only.insert(word)),
                (word, _) => return Err(format!("'{word}' is not `with`, `without` or `only`")),
            }
        }
        let all = options.of(noun)?;
        let mut named = without.iter().chain(&only);
        if let Some(odd) = named.find(|name| !all.iter().any(|c| c.name == **name)) {
            return Err(format!("{noun} has no option '{odd}'"));
        }
        let is_shown =
            |name: &str| !without.contains(name) && (only.is_empty() || only.contains(name));
        let choices = all.iter().filter(|choice| is_shown(&choice.name));
        Ok(Selection { choices: choices.collect(), by_hand })
    }
}

/// Fills the classes below lines such as `-- Fields from spec/options.toml: client with wait`. A field that is kept by hand
/// comes last.
fn lua(text: &str, options: &Options) -> Result<String, String> {
    const MARK: &str = "-- Fields from spec/options.toml: ";
    let mut made = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let _ = writeln!(made, "{line}");
        let Some(words) = line.strip_prefix(MARK) else { continue };
        let selection = Selection::read(words, options)?;
        while let Some(doc) = lines.next_if(|line| is_doc(line)) {
            let _ = writeln!(made, "{doc}");
        }
        let class = lines.next().and_then(|line| line.strip_prefix("---@class "));
        let class = class.and_then(|rest| rest.split([' ', ':']).next());
        let class = class.ok_or_else(|| format!("no class stands below '{line}'"))?;
        let names: Vec<String> =
            selection.choices.iter().map(|choice| choice.core_name()).collect();
        let names = names.iter().map(String::as_str).chain(selection.by_hand.iter().copied());
        let names: Vec<String> = names.map(|name| format!("{name}: any")).collect();
        let _ = writeln!(made, "---@class {class} : {{ {}, [string]: nil }}", names.join(", "));
        for choice in selection.choices {
            let _ = writeln!(
                made,
                "---@field {}? {} {}",
                choice.core_name(),
                lua_type(choice),
                said(choice)
            );
        }
        let is_by_hand = |line: &str| {
            let name =
                line.strip_prefix("---@field ").and_then(|rest| rest.split([' ', '?']).next());
            name.is_some_and(|name| selection.by_hand.contains(&name))
        };
        while let Some(field) = lines.next_if(|line| line.starts_with("---@field ")) {
            if is_by_hand(field) {
                let _ = writeln!(made, "{field}");
            }
        }
    }
    Ok(made)
}

/// What may stand between the mark and its class.
fn is_doc(line: &str) -> bool {
    line.is_empty() || line.starts_with("---") && !line.starts_with("---@")
}

/// What an option may be, as annotations say it.
pub(super) fn lua_type(choice: &Choice) -> String {
    if !choice.values.is_empty() {
        let words: Vec<String> = choice.values.iter().map(|word| format!("{word:?}")).collect();
        return words.join("|");
    }
    match choice.kind.as_str() {
        "text" | "path" | "traceparent" => "string",
        "flag" => "boolean",
        "count" | "integer" | "time" => "integer",
        "number" => "number",
        "texts" => "string[]",
        "object" | "format" => "table",
        "headers" => "table<string, string>",
        "variables" => "table<string, string|lightuserdata>",
        "model" => "string|{ providerID: string, modelID: string }",
        "dialect" => "\"auto\"|1|2",
        "tools" => "table<string, boolean>",
        "parts" => "opencode.Prompt",
        "files" => "string|opencode.File|(string|opencode.File)[]",
        "permission" => "opencode.PermissionPolicy",
        "lines" | "moment" => "string|integer",
        _ => "any",
    }
    .to_owned()
}

/// The sentence of an option with its default, in which times are milliseconds.
pub(super) fn said(choice: &Choice) -> String {
    let doc = choice.doc.trim_end_matches('.');
    match &choice.default {
        Some(default) => format!("{doc} (default: {})", in_core_units(choice, default)),
        None => doc.to_owned(),
    }
}

/// `30 s` as `30000`.
fn in_core_units(choice: &Choice, default: &str) -> String {
    let seconds = default.strip_suffix(" s").and_then(|number| number.parse::<u64>().ok());
    match seconds {
        Some(seconds) if choice.kind == "time" => (seconds * 1_000).to_string(),
        _ => default.to_owned(),
    }
}

/// Fills what stands in the header as `{options usage}`, on a line of its own: one item for each option.
pub(super) fn c(text: &str, options: &Options) -> Result<String, String> {
    const WIDTH: usize = 118;
    let mut made = String::new();
    for line in text.lines() {
        let place = line
            .split_once("{options ")
            .and_then(|(before, rest)| Some((before, rest.strip_suffix('}')?)));
        let Some((before, words)) = place else {
            if line.contains("{options ") {
                return Err(format!("'{}' has more than its options on the line", line.trim()));
            }
            let _ = writeln!(made, "{line}");
            continue;
        };
        for choice in Selection::read(words, options)?.choices {
            let values: Vec<String> =
                choice.values.iter().map(|word| format!("{word:?}")).collect();
            let kind =
                if values.is_empty() { c_kind(choice).to_owned() } else { values.join(" or ") };
            let item = format!("- {} ({kind}): {}.", choice.core_name(), said(choice));
            let mut current = before.to_owned();
            let mut is_first = true;
            for word in item.split(' ') {
                if !is_first && current.len() + 1 + word.len() > WIDTH {
                    let _ = writeln!(made, "{current}");
                    current = format!("{before}  {word}");
                } else {
                    current.push_str(if is_first { "" } else { " " });
                    current.push_str(word);
                }
                is_first = false;
            }
            let _ = writeln!(made, "{current}");
        }
    }
    Ok(made)
}

/// What an option may be, in words.
fn c_kind(choice: &Choice) -> &str {
    match choice.kind.as_str() {
        "time" => "milliseconds",
        "traceparent" => "text",
        "flag" => "true or false",
        "count" | "integer" => "whole number",
        "texts" => "list of texts",
        "headers" | "variables" => "object of texts",
        "dialect" => "\"auto\", 1 or 2",
        "model" => "text or object",
        "tools" => "object of flags",
        "parts" => "text or list",
        "files" => "path, object, or list of them",
        "format" => "object",
        "permission" => "word or list of rules",
        "lines" | "moment" => "text or number",
        other => other,
    }
}

/// Fills the tables between `<!-- options: server -->` and `<!-- end of options -->`.
fn guide(text: &str, options: &Options) -> Result<String, String> {
    const END: &str = "<!-- end of options -->";
    let mut made = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let _ = writeln!(made, "{line}");
        let words = line.strip_prefix("<!-- options: ").and_then(|rest| rest.strip_suffix(" -->"));
        let Some(words) = words else { continue };
        made.push_str("| Python | Lua, C | Default | Meaning |\n|---|---|---|---|\n");
        for choice in Selection::read(words, options)?.choices {
            let python = choice
                .python
                .as_deref()
                .map_or_else(|| "in another way".to_owned(), |name| format!("`{name}`"));
            let default = choice.default.as_deref().unwrap_or("not given");
            let doc = choice.doc.trim_end_matches('.').replace('|', "\\|");
            let words: Vec<String> = choice.values.iter().map(|word| format!("`{word}`")).collect();
            let words =
                if words.is_empty() { String::new() } else { format!(": {}", words.join(", ")) };
            let _ = writeln!(
                made,
                "| {python} | `{}` | {default} | {doc}{words} |",
                choice.core_name()
            );
        }
        let _ = writeln!(made, "{END}");
        if !lines.by_ref().any(|line| line == END) {
            return Err(format!("'{line}' has no '{END}' behind it"));
        }
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        let text = "[[pty]]\nname = \"a\"\nkind = \"time\"\ndefault = \"30 s\"\ndoc = \"How long.\"\n\
                    [[pty]]\nname = \"b\"\nkind = \"text\"\nvalues = [\"x\", \"y\"]\npython = false\ndoc = \"Which.\"";
        Options::parse(text).unwrap()
    }

    #[test]
    fn annotations_say_what_the_source_says() {
        let text = "x\n-- Fields from spec/options.toml: pty with c\n\n---What it is.\n---@class O : { old: any }\n\
                    ---@field old? string\n---@field c? any by hand\nlocal y\n";
        let wanted = "x\n-- Fields from spec/options.toml: pty with c\n\n---What it is.\n\
                      ---@class O : { a_ms: any, b: any, c: any, [string]: nil }\n\
                      ---@field a_ms? integer How long (default: 30000)\n---@field b? \"x\"|\"y\" Which\n\
                      ---@field c? any by hand\nlocal y\n";
        assert_eq!(lua(text, &options()).unwrap(), wanted);
        assert_eq!(lua(wanted, &options()).unwrap(), wanted, "it is stable");
    }

    #[test]
    fn the_header_says_what_the_source_says() {
        let made = c(" * An object:\n *   {options pty without b}\n * end\n", &options()).unwrap();
        assert_eq!(
            made,
            " * An object:\n *   - a_ms (milliseconds): How long (default: 30000).\n * end\n"
        );
    }

    #[test]
    fn a_place_that_shares_its_line_is_an_error() {
        assert!(c(" * An object: {options pty}.\n", &options()).is_err());
    }

    #[test]
    fn guides_say_what_the_source_says() {
        let text = "<!-- options: pty -->\nold\n<!-- end of options -->\nafter\n";
        let made = guide(text, &options()).unwrap();
        assert!(made.contains("| `a` | `a_ms` | 30 s | How long |\n"), "{made}");
        assert!(made.contains("| in another way | `b` | not given | Which: `x`, `y` |\n<!-- end"));
        assert!(made.ends_with("<!-- end of options -->\nafter\n"));
        assert!(guide("<!-- options: pty -->\n", &options()).is_err());
        let made = guide(&text.replace("pty", "pty only b"), &options()).unwrap();
        assert!(made.contains("| `b` |") && !made.contains("| `a_ms` |"), "{made}");
    }

    #[test]
    fn a_place_that_names_what_is_not_there_is_an_error() {
        for words in ["nothing", "pty without z", "pty only z", "pty a"] {
            assert!(Selection::read(words, &options()).is_err(), "{words}");
        }
    }
}
