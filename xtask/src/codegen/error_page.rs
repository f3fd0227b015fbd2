//! `docs/errors.md`.

use std::fmt::Write as _;

use super::NOTICE;
use super::error_kind::{Errors, Group};
use super::rust_kind::capital;

pub(super) fn file(errors: &Errors) -> String {
    let mut text = format!("<!-- {NOTICE} -->\n");
    text.push_str(BEGINNING);
    text.push_str("\n| Kind | C status | Number | Python class | When |\n|---|---|---|---|---|\n");
    for kind in &errors.kinds {
        let _ = writeln!(
            text,
            "| `{}` | `{}` | {} | {} | {} |",
            kind.name,
            kind.constant(),
            kind.number,
            class(&kind.class),
            kind.class.when
        );
    }
    text.push_str("\nPython classes that are there to be caught, and never raised themselves:\n\n");
    text.push_str("| Class | Catches |\n|---|---|\n");
    for group in &errors.groups {
        let _ = writeln!(text, "| {} | {} |", class(group), group.when);
    }
    text.push_str(ENDING);
    text
}

fn class(class: &Group) -> String {
    let bases: Vec<String> = class
        .bases
        .iter()
        .filter(|base| *base != "OpencodeError")
        .map(|b| format!("`{b}`"))
        .collect();
    let below =
        if bases.is_empty() { String::new() } else { format!(" (below {})", bases.join(" and ")) };
    capital(&format!("`{}`{below}", class.python))
}

const BEGINNING: &str = "# Errors

One table for all languages. Every error has a kind, a message of one line, and where they are known:
the operation, the HTTP status, the server's own code and body, whether another try may help
(`retryable`), and whether the request may have reached the server (`sent`).

- Rust: `Error::kind()` gives an `ErrorKind`.
- C: every function returns an `OpencodeStatus`; `OPENCODE_STATUS_OK` is 0.
- Lua: a call that fails returns `nil, message, err`; `err.kind` is the kind.
- Python: an exception of the class below; `.kind` is the kind. All are `OpencodeError`.
";

const ENDING: &str = "
A number is never used for a second kind. Programs should expect kinds that are not listed here.
";
