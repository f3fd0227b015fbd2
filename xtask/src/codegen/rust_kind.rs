//! `core/src/base/error/kind.rs`.

use std::fmt::Write as _;

use super::NOTICE;
use super::error_kind::Errors;

pub(super) fn file(errors: &Errors) -> String {
    let mut text = format!("// {NOTICE}\n//! The kinds of errors, by number and by name.\n\n");
    text.push_str("use std::fmt;\n\n");
    text.push_str("/// What kind of thing went wrong. The number is the same in every language.\n");
    text.push_str("#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]\n");
    text.push_str("#[non_exhaustive]\n#[repr(i32)]\npub enum ErrorKind {\n");
    for kind in &errors.kinds {
        let _ = writeln!(text, "    /// {}.", capital(&kind.class.when));
        let _ = writeln!(text, "    {} = {},", kind.variant(), kind.number);
    }
    text.push_str("}\n\nimpl ErrorKind {\n    /// All kinds, by number.\n");
    text.push_str("    pub const ALL: &'static [Self] = &[\n");
    for kind in &errors.kinds {
        let _ = writeln!(text, "        Self::{},", kind.variant());
    }
    text.push_str("    ];\n\n    /// The name that all languages use: `not_found`.\n");
    text.push_str("    pub const fn name(self) -> &'static str {\n        match self {\n");
    for kind in &errors.kinds {
        let _ = writeln!(text, "            Self::{} => {:?},", kind.variant(), kind.name);
    }
    text.push_str("        }\n    }\n");
    text.push_str(REST);
    text
}

const REST: &str = r#"
    /// The number that is the status in C.
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// The kind of this number, unless there is none.
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.number() == number)
    }

    /// The kind of this name, unless there is none.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}
"#;

/// With a capital at the beginning, as sentences have.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
