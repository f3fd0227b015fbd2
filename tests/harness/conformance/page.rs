//! The table of what was seen.

use std::fmt::Write as _;

use super::{Seen, Suite};
use crate::{Error, Generation, Result};

/// The page for people: a row per operation, a column per language.
///
/// # Errors
/// When an operation was not seen in a language.
pub fn page(
    suite: &Suite,
    operations: &[(Generation, Vec<(&str, &str)>)],
    languages: &[&str],
    seen: &[Seen],
) -> Result<String> {
    let mut page = String::from(BEGINNING);
    let mut notes = String::new();
    for (server, operations) in operations {
        table(suite, *server, operations, languages, seen, [&mut page, &mut notes])?;
    }
    page.push_str(ENDING);
    page.push_str(&notes);
    Ok(page)
}

/// What was seen on one server.
fn table(
    suite: &Suite,
    server: Generation,
    operations: &[(&str, &str)],
    languages: &[&str],
    seen: &[Seen],
    [page, notes]: [&mut String; 2],
) -> Result<()> {
    let version = server.version();
    let _ = writeln!(page, "## OpenCode {version}\n");
    let plays = |language: &&&str| {
        seen.iter().any(|seen| seen.server == server && seen.language == **language)
    };
    let languages: Vec<&str> = languages.iter().filter(plays).copied().collect();
    let _ = writeln!(page, "| Operation | Request | {} |", languages.join(" | "));
    let _ = writeln!(page, "|---|---|{}", "---|".repeat(languages.len()));
    for (operation, request) in operations {
        let mut cells = Vec::new();
        for language in &languages {
            let mut words: Vec<&str> = Vec::new();
            let found = |seen: &&Seen| {
                seen.server == server && seen.operation == *operation && seen.language == *language
            };
            for what in seen.iter().filter(found).map(|seen| &*seen.what) {
                if !words.contains(&what) {
                    words.push(what);
                }
            }
            if words.is_empty() {
                return Err(Error::new(format!(
                    "{operation} was not seen in {language} on {version}"
                )));
            }
            cells.push(words.join("; "));
        }
        let _ = writeln!(page, "| `{operation}` | `{request}` | {} |", cells.join(" | "));
        if let Some(reason) = suite.exemption(server, operation) {
            let _ = writeln!(notes, "| `{operation}` | {version} | {reason} |");
        }
    }
    page.push('\n');
    Ok(())
}

const BEGINNING: &str = "<!-- Written by `cargo xtask conformance`. Do not edit. -->
# Operations, as they were seen

Each operation of the servers was called in each language, against the real server, and gave what
its cases in `spec/cases` and `spec/cases-2` say: values too, not only what stands here. A success shows as the HTTP
status and the type of the answer; an error as its kind, the HTTP status and the server's own code.
Several cases are separated by `;`. In Python and Lua each case ran twice: with the decoded answer
of the operation's own function, and with the raw answer, which has the status; on 2.x once, with the former.

";

const ENDING: &str = "## Shown up to an error

Of these no success can be shown here.

| Operation | Server | Why |
|---|---|---|
";
