//! `core/src/base/option_names.rs`: the names that core's readers know.

use std::fmt::Write as _;

use super::NOTICE;
use super::options::Options;

/// Where rustfmt breaks a line.
const WIDTH: usize = 100;

pub(super) fn file(options: &Options) -> String {
    let mut text = format!(
        "// {NOTICE}\n//! The names of the options of each noun; times are milliseconds and say so.\n\n\
         use crate::base::host_names::OptionNames;\n"
    );
    for (noun, choices) in &options.nouns {
        let names = choices.iter().map(|choice| format!("{:?}", choice.core_name()));
        let others = choices.iter().filter_map(|choice| {
            let (core, python) = (choice.core_name(), choice.python.as_ref()?);
            (core != *python).then(|| format!("({core:?}, {python:?})"))
        });
        let (names, others) = (names.collect::<Vec<_>>(), others.collect::<Vec<_>>());
        let head = format!("pub(crate) const {}: OptionNames =", noun.to_ascii_uppercase());
        // As rustfmt writes it: on one line, on two, or a field a line.
        let value = format!(
            "OptionNames {{ core: &[{}], python: &[{}] }};",
            names.join(", "),
            others.join(", ")
        );
        if head.len() + 1 + value.len() <= WIDTH {
            let _ = writeln!(text, "\n{head} {value}");
        } else if 4 + value.len() <= WIDTH {
            let _ = writeln!(text, "\n{head}\n    {value}");
        } else {
            let fields = field("core", &names) + &field("python", &others);
            let _ = writeln!(text, "\n{head} OptionNames {{\n{fields}}};");
        }
    }
    text
}

/// A list as rustfmt writes it: on one line, or an item a line.
fn field(name: &str, items: &[String]) -> String {
    let line = format!("    {name}: &[{}],\n", items.join(", "));
    if line.len() <= WIDTH {
        return line;
    }
    let items: Vec<String> = items.iter().map(|item| format!("        {item},\n")).collect();
    format!("    {name}: &[\n{}    ],\n", items.concat())
}
