//! `_operations.pyi` of the Python package: a class per namespace, a method per operation.

use std::fmt::Write as _;

use super::NOTICE;
use super::model::{Answer, Operation, Table};
use super::python_types::{annotation, taken};
use super::tree::Space;
use super::types::Type;
use crate::spec::name;

pub(super) fn file(table: &Table) -> String {
    let mut text = format!("# {NOTICE}\n{BEGINNING}");
    let root = Space::root(&table.operations);
    for flavour in [Flavour::Blocking, Flavour::Async] {
        for space in root.all() {
            flavour.class(space, &mut text);
        }
    }
    text
}

#[derive(Clone, Copy)]
enum Flavour {
    Blocking,
    Async,
}

impl Flavour {
    fn prefix(self) -> &'static str {
        match self {
            Self::Blocking => "",
            Self::Async => "Async",
        }
    }

    fn class(self, space: &Space<'_>, text: &mut String) {
        let prefix = self.prefix();
        let _ = writeln!(text, "\nclass {prefix}{}:", space.class());
        for (segment, below) in &space.spaces {
            let attribute = name::attribute(segment);
            let _ = writeln!(text, "    @property");
            let _ = writeln!(text, "    def {attribute}(self) -> {prefix}{}: ...", below.class());
        }
        for (segment, operation) in &space.operations {
            self.method(&name::attribute(segment), operation, text);
        }
    }

    fn method(self, method: &str, operation: &Operation, text: &mut String) {
        let keyword = match self {
            Self::Async => "async def",
            Self::Blocking => "def",
        };
        let _ = writeln!(text, "    {keyword} {method}(\n        self,");
        for argument in operation.positional() {
            let _ = writeln!(
                text,
                "        {}: {},",
                argument.name,
                taken(argument, "_t.", "builtins.")
            );
        }
        text.push_str("        *,\n");
        for argument in operation.named().filter(|argument| argument.is_identifier()) {
            let default = if operation.needs(argument) { "" } else { " = ..." };
            let _ = writeln!(
                text,
                "        {}: {}{default},",
                argument.parameter(),
                taken(argument, "_t.", "builtins.")
            );
        }
        for option in operation.scope_options() {
            let _ = writeln!(text, "        {option}: str | None = None,");
        }
        text.push_str("        timeout: float | None = None,\n");
        text.push_str("        max_retries: int | None = None,\n");
        text.push_str("        extra_headers: Mapping[str, str] | None = None,\n");
        if operation.is_open() {
            text.push_str("        **fields: Any,\n");
        }
        let _ = writeln!(text, "    ) -> {}:", answer(operation));
        let _ = writeln!(text, "        \"\"\"{}\"\"\"", operation.doc.replace('\\', "\\\\"));
    }
}

fn answer(operation: &Operation) -> String {
    match operation.answer {
        Answer::Json => annotation(&operation.answer_type, "_t.", "builtins."),
        // One of both servers answers.
        Answer::Nothing if !matches!(operation.answer_type, Type::Any) => {
            format!("{} | None", annotation(&operation.answer_type, "_t.", "builtins."))
        }
        Answer::Nothing => "None".to_owned(),
        Answer::Text => "str".to_owned(),
        Answer::Bytes => "bytes".to_owned(),
        // Streams have their own ways in, `events` and `pty_connect`; as a call they always raise.
        Answer::Events | Answer::Websocket => "NoReturn".to_owned(),
    }
}

const BEGINNING: &str = "\
\"\"\"One method per operation of the server, in the namespaces of its ids.

The arguments of the path may be given by position, all others by name. Every method takes a
`timeout` in seconds, `max_retries` and `extra_headers`; where the server looks at a directory, also `directory`
and `workspace`, which come before those of the client.
\"\"\"

import builtins
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NoReturn

from . import types as _t
";
