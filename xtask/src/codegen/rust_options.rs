//! `core/src/base/option_names.rs`: the names that core's readers know.

use std::fmt::Write as _;

use super::NOTICE;
use super::options::Options;

/// Where rustfmt breaks a line.
const WIDTH: usize = 100;

pub(super) fn file(options: &Options) -> String {
    let mut text = format!(
        "// {NOTICE}\n//! The names of the options of each noun; times are milliseconds and say so.\n"
    );
    for (noun, choices) in &options.nouns {
        let names: Vec<String> =
            choices.iter().map(|choice| format!("{:?}", choice.core_name())).collect();
        let head = format!("\npub(crate) const {}: &[&str] =", noun.to_ascii_uppercase());
        let list = format!("&[{}];", names.join(", "));
        // As rustfmt writes it: on one line, on two, or a name a line.
        if head.trim_start().len() + 1 + list.len() <= WIDTH {
            let _ = writeln!(text, "{head} {list}");
        } else if 4 + list.len() <= WIDTH {
            let _ = writeln!(text, "{head}\n    {list}");
        } else {
            let _ = writeln!(text, "{head} &[");
            for name in names {
                let _ = writeln!(text, "    {name},");
            }
            text.push_str("];\n");
        }
    }
    text
}
