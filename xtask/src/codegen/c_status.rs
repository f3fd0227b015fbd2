//! `bindings-c/src/status.rs`: the kinds of errors as C sees them.

use std::fmt::Write as _;

use super::NOTICE;
use super::error_kind::Errors;
use super::rust_kind::capital;

pub(super) fn file(errors: &Errors) -> String {
    let mut text = format!("// {NOTICE}\n//! What a function returns.\n\n");
    text.push_str("use opencode_core::ErrorKind;\n\n");
    text.push_str(
        "/// What a function returns: OPENCODE_STATUS_OK, or what kind of thing went wrong.\n",
    );
    text.push_str("/// The numbers never change their meaning.\n");
    text.push_str("#[derive(Clone, Copy, Debug, PartialEq, Eq)]\n#[repr(C)]\n");
    text.push_str("pub enum OpencodeStatus {\n    /// Success.\n    Ok = 0,\n");
    for kind in &errors.kinds {
        let _ = writeln!(text, "    /// {}.", capital(&kind.class.when));
        let _ = writeln!(text, "    {} = {},", kind.variant(), kind.number);
    }
    text.push_str("}\n\nimpl OpencodeStatus {\n");
    text.push_str("    /// The status that stands for a kind.\n");
    text.push_str("    pub(crate) fn of(kind: ErrorKind) -> Self {\n        match kind {\n");
    for kind in &errors.kinds {
        let variant = kind.variant();
        let _ = writeln!(text, "            ErrorKind::{variant} => Self::{variant},");
    }
    text.push_str("            // A kind that this header does not know yet.\n");
    text.push_str("            _ => Self::Internal,\n        }\n    }\n}\n");
    text
}
