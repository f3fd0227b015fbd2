//! The one naming rule, from the server's operation ids to ours (stated in spec/README.md).

use std::collections::BTreeSet;

/// Words that cannot stand alone as an attribute in Python or in Lua (5.1 to 5.5).
///
/// C and C++ are not here: there a segment is always part of a longer identifier.
const KEYWORDS: &[&str] = &[
    "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "do",
    "elif", "else", "elseif", "end", "except", "false", "finally", "for", "from", "function",
    "global", "goto", "if", "import", "in", "is", "lambda", "local", "nil", "nonlocal", "not",
    "or", "pass", "raise", "repeat", "return", "then", "true", "try", "until", "while", "with",
    "yield",
];

/// Our name for an id, given all ids of the server.
///
/// Every segment is written in snake_case. Where an id is both an operation and the beginning of
/// another one, the longer id joins what follows with `_`: a name is never both a function and a
/// namespace.
pub(crate) fn operation(id: &str, ids: &BTreeSet<&str>) -> String {
    let mut name = String::new();
    let mut prefix = String::new();
    for segment in id.split('.') {
        if !prefix.is_empty() {
            name.push(if ids.contains(prefix.as_str()) { '_' } else { '.' });
            prefix.push('.');
        }
        prefix.push_str(segment);
        name.push_str(&snake(segment));
    }
    name
}

/// What a language calls a segment: a keyword gets a trailing `_`.
pub(crate) fn attribute(segment: &str) -> String {
    if KEYWORDS.contains(&segment) { format!("{segment}_") } else { segment.to_owned() }
}

/// The C function of an operation.
pub(crate) fn c_function(name: &str) -> String {
    format!("opencode_{}", name.replace('.', "_"))
}

/// `session.prompt_async` becomes `SessionPromptAsync`.
pub(crate) fn pascal(name: &str) -> String {
    let mut text = String::new();
    for word in name.split(|c: char| !c.is_ascii_alphanumeric()) {
        let mut letters = word.chars();
        text.extend(letters.next().map(|c| c.to_ascii_uppercase()));
        text.push_str(letters.as_str());
    }
    text
}

fn snake(segment: &str) -> String {
    let letters: Vec<char> = segment.chars().collect();
    let mut text = String::new();
    for (position, letter) in letters.iter().enumerate() {
        let before = position.checked_sub(1).map(|p| letters[p]);
        let after = letters.get(position + 1);
        // A word begins where a capital follows a small letter, or where the last capital of an
        // abbreviation is followed by one: `listHTTPServers` is three words.
        let begins = letter.is_ascii_uppercase()
            && before.is_some_and(|b| {
                b.is_ascii_lowercase()
                    || b.is_ascii_digit()
                    || (b.is_ascii_uppercase() && after.is_some_and(char::is_ascii_lowercase))
            });
        if begins {
            text.push('_');
        }
        text.push(if *letter == '-' { '_' } else { letter.to_ascii_lowercase() });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_become_snake_case() {
        let ids = BTreeSet::new();
        let cases = [
            ("tui.appendPrompt", "tui.append_prompt"),
            ("session.prompt_async", "session.prompt_async"),
            ("experimental.controlPlane.moveSession", "experimental.control_plane.move_session"),
            ("x.listHTTPServers", "x.list_http_servers"),
            ("x.initGIT", "x.init_git"),
            ("v2.session.get", "v2.session.get"),
            ("a-b.c", "a_b.c"),
        ];
        for (id, name) in cases {
            assert_eq!(operation(id, &ids), name);
        }
    }

    #[test]
    fn an_operation_is_never_also_a_namespace() {
        let ids =
            BTreeSet::from(["vcs.diff", "vcs.diff.raw", "vcs.diff.raw.zip", "mcp.auth.start"]);
        assert_eq!(operation("vcs.diff", &ids), "vcs.diff");
        assert_eq!(operation("vcs.diff.raw", &ids), "vcs.diff_raw");
        assert_eq!(operation("vcs.diff.raw.zip", &ids), "vcs.diff_raw_zip");
        assert_eq!(operation("mcp.auth.start", &ids), "mcp.auth.start");
    }

    #[test]
    fn only_keywords_get_an_underscore() {
        assert_eq!(attribute("global"), "global_");
        assert_eq!(attribute("delete"), "delete");
        assert_eq!(c_function("global.config.get"), "opencode_global_config_get");
        assert_eq!(pascal("v2.session.prompt_async"), "V2SessionPromptAsync");
    }
}
