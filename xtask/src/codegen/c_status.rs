//! `bindings-c/src/status.rs`: the kinds of errors as C sees them.

use std::fmt::Write as _;

use super::NOTICE;
use super::error_kind::Errors;
use super::rust_kind::capital;

pub(super) fn file(errors: &Errors) -> String {
    let mut text = format!("// {NOTICE}\n//! What a function returns.\n\n");
    text.push_str("use opencode_core::ErrorKind;\nuse std::ffi::c_char;\n\n");
    text.push_str(
        "/// What a function returns: OPENCODE_STATUS_OK, or what kind of thing went wrong.\n",
    );
    text.push_str("/// The numbers never change their meaning.\n");
    text.push_str("#[derive(Clone, Copy, Debug, PartialEq, Eq)]\n#[repr(i32)]\n");
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
    text.push_str("            _ => Self::Internal,\n        }\n    }\n}\n\n");
    text.push_str(
        "/// The name of a status, as it stands in \"kind\" of an error: \"ok\", \"not_found\" and so on.\n///\n\
         /// @return \"unknown\" for a number that is none. Never NULL; never freed.\n\
         #[unsafe(no_mangle)]\npub extern \"C\" fn opencode_status_name(status: i32) -> *const c_char {\n    \
         let name = match status {\n        0 => c\"ok\",\n",
    );
    for kind in &errors.kinds {
        let _ = writeln!(text, "        {} => c{:?},", kind.number, kind.name);
    }
    text.push_str("        _ => c\"unknown\",\n    };\n    name.as_ptr()\n}\n");
    text
}
