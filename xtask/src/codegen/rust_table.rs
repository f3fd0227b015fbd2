//! `core/src/protocol/operation/table.rs`.

use std::fmt::Write as _;

use super::NOTICE;
use super::model::{Argument, Operation, Place, Table};
use crate::spec::name;

pub(super) fn file(table: &Table) -> String {
    let mut text =
        format!("// {NOTICE}\n//! The rows of the operations table, sorted by name.\n\n");
    text.push_str(
        "use super::{AnswerKind, Argument, BodyShape, Kind, Method, ModelShape, Operation, Pace, Place, DirectoryScope};\nuse crate::protocol::dialect::Dialect;\n\n",
    );
    text.push_str(
        "/// Segments that are keywords in a language, with what they are called there.\n",
    );
    let _ =
        writeln!(text, "pub(super) static KEYWORDS: &[(&str, &str)] = &[{}];\n", keywords(table));
    text.push_str(NOTATION);
    text.push_str("\npub(super) static OPERATIONS: &[Operation] = &[\n");
    for operation in &table.operations {
        row(operation, &mut text);
    }
    text.push_str("];\n");
    text
}

const NOTATION: &str = "\
const fn path(name: &'static str, kind: Kind) -> Argument { Argument::new(Place::Path, name, kind).required() }
const fn tail(name: &'static str, kind: Kind) -> Argument { Argument::new(Place::Tail, name, kind).required() }
const fn query(name: &'static str, kind: Kind) -> Argument { Argument::new(Place::Query, name, kind) }
const fn body(name: &'static str, kind: Kind) -> Argument { Argument::new(Place::Body, name, kind) }
";

fn keywords(table: &Table) -> String {
    let mut pairs = Vec::new();
    for segment in table.operations.iter().flat_map(|operation| operation.name.split('.')) {
        let safe = name::attribute(segment);
        let pair = format!("({segment:?}, {safe:?})");
        if safe != segment && !pairs.contains(&pair) {
            pairs.push(pair);
        }
    }
    pairs.join(", ")
}

fn row(operation: &Operation, text: &mut String) {
    let method = name::pascal(&operation.method.to_ascii_lowercase());
    let headers: Vec<String> =
        operation.headers.iter().map(|(name, value)| format!("({name:?}, {value:?})")).collect();
    let _ = writeln!(text, "    Operation {{");
    let _ = writeln!(text, "        id: {:?}, name: {:?},", operation.id, operation.name);
    let _ = writeln!(text, "        method: Method::{method}, path: {:?},", operation.path);
    let _ = writeln!(text, "        arguments: &[");
    for argument in &operation.arguments {
        let _ = writeln!(text, "            {},", self::argument(argument));
    }
    let _ = writeln!(text, "        ],");
    let _ = writeln!(
        text,
        "        body: BodyShape::{:?}, answer: AnswerKind::{:?}, scope: DirectoryScope::{:?}, headers: &[{}],",
        operation.body,
        operation.answer,
        operation.scope,
        headers.join(", ")
    );
    let _ = writeln!(
        text,
        "        may_repeat: {}, pace: Pace::{:?},",
        operation.may_repeat, operation.pace
    );
    let only = match operation.only {
        None => "None",
        Some(1) => "Some(Dialect::One)",
        Some(_) => "Some(Dialect::Two)",
    };
    let _ = writeln!(text, "        dialect: {only}, instead: &{:?},", operation.instead);
    let _ = writeln!(text, "        doc: {:?},", operation.doc);
    let _ = writeln!(text, "    }},");
}

fn argument(argument: &Argument) -> String {
    let constructor = match argument.place {
        Place::Path => "path",
        Place::Tail => "tail",
        Place::Query => "query",
        Place::Body => "body",
    };
    let mut text = format!("{constructor}({:?}, Kind::{:?})", argument.name, argument.kind);
    if argument.required && matches!(argument.place, Place::Query | Place::Body) {
        text.push_str(".required()");
    }
    if let Some((only, required)) = argument.only {
        let dialect = if only == 1 { "One" } else { "Two" };
        let _ = write!(text, ".only(Dialect::{dialect}, {required})");
    }
    if let Some(length) = argument.max_length {
        let _ = write!(text, ".max_length({length})");
    }
    if !argument.values.is_empty() {
        let _ = write!(text, ".values(&{:?})", argument.values);
    }
    if !argument.aliases.is_empty() {
        let _ = write!(text, ".aliases(&{:?})", argument.aliases);
    }
    if let Some([argument, from, to]) = &argument.turns {
        let _ = write!(text, ".turns({argument:?}, {from:?}, {to:?})");
    }
    if let Some(shape) = argument.model {
        let _ = write!(text, ".model(ModelShape::{shape:?})");
    }
    if let Some(field) = &argument.copy_to {
        let _ = write!(text, ".copy_to({field:?})");
    }
    text
}
