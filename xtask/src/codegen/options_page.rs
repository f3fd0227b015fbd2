//! `docs/options.md`.

use std::fmt::Write as _;

use super::NOTICE;
use super::options::{Choice, Options};

/// The nouns in the order of the page, each with what takes its options.
const NOUNS: &[(&str, &str)] = &[
    ("client", "`Client`, `AsyncClient`; `opencode.client`; `opencode_client_new`"),
    ("with", "`with_options`; `client:with`; `opencode_client_with`"),
    ("call", "operations, `call`, `request`, `start`"),
    ("prompt", "`run`, `ask`; without what says who asks what, `resume`"),
    ("compact", "`compact`; `opencode_compact`"),
    ("events", "`events`"),
    ("messages", "`messages`"),
    ("sessions", "`sessions`"),
    ("pty", "`pty`, `pty_connect`"),
    ("usage", "`usage`"),
    ("discover", "`discover`, `discover_async`"),
    ("ready", "`wait_until_ready`; `opencode_client_wait_until_ready`"),
    ("export", "`export`, `export_to`"),
    ("attach", "`attach`, `attach_bytes`"),
    ("tool", "`client:tool`, `opencode_tool_add`"),
    ("server", "`Server.start`, `opencode.server`, `opencode_server_start`"),
];

pub(super) fn file(options: &Options) -> Result<String, String> {
    let mut text = format!("<!-- {NOTICE} -->\n{BEGINNING}");
    for (noun, takers) in NOUNS {
        let _ = writeln!(text, "\n## {noun}\n\nTaken by {takers}.\n");
        text.push_str("| Python | Lua, C | Kind | Default | Meaning |\n|---|---|---|---|---|\n");
        for choice in options.of(noun)? {
            text.push_str(&row(choice));
        }
    }
    let left = options.nouns.iter().find(|(noun, _)| !NOUNS.iter().any(|(name, _)| name == noun));
    match left {
        Some((noun, _)) => Err(format!("docs/options.md leaves out {noun}; name it in NOUNS")),
        None => Ok(text),
    }
}

fn row(choice: &Choice) -> String {
    let code = |name: &str| format!("`{name}`");
    let python = choice.python.as_deref().map_or_else(|| "in another way".to_owned(), code);
    let words: Vec<String> = choice.values.iter().map(|word| code(word)).collect();
    let kind = if words.is_empty() { choice.kind.clone() } else { words.join(", ") };
    let default = choice.default.as_deref().unwrap_or("not given");
    let doc = choice.doc.replace('|', "\\|");
    format!("| {python} | `{}` | {kind} | {default} | {doc} |\n", choice.core_name())
}

const BEGINNING: &str = "# Options

What may be given by name, in each language. A `time` is seconds in Python, or a `timedelta`; in Lua and C it is milliseconds,
and its name ends in `_ms`. A `count` is a whole number from 0.
";
