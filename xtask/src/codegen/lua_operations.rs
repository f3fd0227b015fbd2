//! `libopencode_operations.lua`: the namespaces and their functions for the Lua language server.

use std::fmt::Write as _;

use super::NOTICE;
use super::error_kind::Errors;
use super::lua_types::{annotation, closed, field};
use super::model::{Answer, Argument, ModelShape, Operation, Scope, Table};
use super::option_regions::{lua_type, said};
use super::options::{Choice, Options};
use super::tree::Space;
use super::types::{Field, Type};
use crate::spec::name;

pub(super) fn file(table: &Table, errors: &Errors, options: &Options) -> Result<String, String> {
    let mut text = format!("-- {NOTICE}\n---@meta libopencode_operations\n");
    error(errors, &mut text);
    options_of_all(options.of("call")?, &mut text);
    for operation in &table.operations {
        if has_arguments(operation) {
            arguments(operation, Ids::ByPosition, &mut text);
        }
        if operation.positional().next().is_some() {
            arguments(operation, Ids::ByName, &mut text);
        }
    }
    for space in Space::root(&table.operations).all() {
        namespace(space, &mut text);
    }
    Ok(text)
}

fn error(errors: &Errors, text: &mut String) {
    text.push_str("\n---@alias opencode.ErrorKind\n");
    for kind in &errors.kinds {
        let _ = writeln!(text, "---| {:?} # {}", kind.name, kind.class.when);
    }
    text.push_str(ERROR);
}

/// The tables that belong to no operation of their own.
fn options_of_all(choices: &[Choice], text: &mut String) {
    let call = choices
        .iter()
        .map(|choice| (choice.core_name(), format!("{} {}", lua_type(choice), said(choice))));
    let call = call.chain([("raw".to_owned(), RAW.to_owned())]).collect();
    let scoped = SCOPED.map(|(name, rest)| (name.to_owned(), rest.to_owned())).into();
    let classes: [(_, _, Vec<(String, String)>); 2] = [
        (
            "CallOptions",
            "The last table of every call: what it does differently from its client.",
            call,
        ),
        ("Scoped", "The arguments of calls that only look at a directory.", scoped),
    ];
    for (class, doc, fields) in classes {
        let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
        let _ = writeln!(text, "\n---{doc}\n---@class opencode.{class} : {}", closed(&names));
        for (name, rest) in fields {
            let _ = writeln!(text, "---@field {name}? {rest}");
        }
    }
}

/// How the ids of a call are given.
#[derive(Clone, Copy, PartialEq)]
enum Ids {
    ByPosition,
    ByName,
}

/// The table that a function takes behind its ids, or with them in it.
fn arguments(operation: &Operation, ids: Ids, text: &mut String) {
    let in_table = |argument: &&Argument| ids == Ids::ByName || !argument.is_positional();
    let arguments: Vec<&Argument> = operation.arguments.iter().filter(in_table).collect();
    let mut names: Vec<&str> = arguments.iter().map(|argument| argument.name.as_str()).collect();
    let scoped = SCOPED.iter().filter(|_| operation.scope != Scope::None);
    let scoped: Vec<_> = scoped.filter(|(name, _)| !names.contains(name)).collect();
    names.extend(scoped.iter().map(|(name, _)| *name));
    let above = match operation.is_open() {
        true => String::new(),
        false => format!(" : {}", closed(&names)),
    };
    let _ = writeln!(text, "\n---@class {}{above}", class(operation, ids));
    for argument in arguments {
        let required = operation.needs(argument);
        let line = Field { name: argument.name.clone(), shape: argument.shape.clone(), required };
        let _ = match argument.model {
            Some(ModelShape::Object | ModelShape::Reference) => {
                writeln!(text, "---@field {}? string|{}", line.name, annotation(&line.shape))
            }
            Some(ModelShape::Text | ModelShape::Fields) => {
                writeln!(text, "---@field {}? string", line.name)
            }
            None => writeln!(text, "{}", field(&line)),
        };
    }
    for (name, rest) in scoped {
        let _ = writeln!(text, "---@field {name}? {rest}");
    }
    if operation.is_open() {
        text.push_str("---@field [string] any\n");
    }
}

fn namespace(space: &Space<'_>, text: &mut String) {
    let class = space.class();
    let _ = writeln!(text, "\n---@class opencode.{class}");
    for (segment, below) in &space.spaces {
        let _ = writeln!(text, "---@field {} opencode.{}", name::attribute(segment), below.class());
    }
    for (segment, operation) in &space.operations {
        let _ = writeln!(text, "---{}", operation.doc);
        let segment = name::attribute(segment);
        let _ = writeln!(text, "---@field {segment} {}", function(operation));
    }
}

/// The ids are given by position, or in the table like all else.
fn function(operation: &Operation) -> String {
    let mut parameters: Vec<String> = operation.positional().map(parameter).collect();
    let mark = if operation.named().any(|argument| operation.needs(argument)) { "" } else { "?" };
    let has_ids = !parameters.is_empty();
    let table = match has_arguments(operation) {
        true => class(operation, Ids::ByPosition),
        false => options(operation),
    };
    let options = "options?: opencode.CallOptions";
    parameters.push(format!("arguments{mark}: {table}"));
    parameters.push(options.to_owned());
    let answer = answer(operation);
    let by_position = format!("fun({}): {answer}", parameters.join(", "));
    if !has_ids {
        return by_position;
    }
    let all = class(operation, Ids::ByName);
    format!("({by_position})|(fun(arguments: {all}, {options}): {answer})")
}

fn parameter(argument: &Argument) -> String {
    format!("{}: {}", argument.name, annotation(&argument.shape))
}

fn answer(operation: &Operation) -> String {
    let value = match operation.answer {
        Answer::Json => match annotation(&operation.answer_type) {
            // Not `(a|b)?`: in a list of results lua-language-server takes the parentheses for those of the list.
            union if union.contains('|') => format!("{union}|nil"),
            single => format!("{single}?"),
        },
        // One of both servers answers.
        Answer::Nothing if !matches!(operation.answer_type, Type::Any) => {
            format!("{}|true|nil", annotation(&operation.answer_type))
        }
        Answer::Nothing => "true?".to_owned(),
        Answer::Text | Answer::Bytes => "string?".to_owned(),
        // The module says itself what its streams and terminals are.
        Answer::Events | Answer::Websocket => "any".to_owned(),
    };
    format!("{value}, string?, opencode.Error?")
}

fn has_arguments(operation: &Operation) -> bool {
    operation.named().next().is_some() || operation.is_open()
}

fn class(operation: &Operation, ids: Ids) -> String {
    let end = match ids {
        Ids::ByPosition => "Arguments",
        Ids::ByName => "ByName",
    };
    format!("opencode.{}{end}", name::pascal(&operation.name))
}

fn options(operation: &Operation) -> String {
    match operation.scope {
        Scope::None => closed(&[]),
        Scope::Directory | Scope::Location | Scope::Body => "opencode.Scoped".to_owned(),
    }
}

const ERROR: &str = "
---The third value of a call that failed; the second is its text.
---@class opencode.Error
---@field kind opencode.ErrorKind
---@field message string
---@field status? integer the HTTP status
---@field code? string the server's own name of the error
---@field operation? string
---@field body? string
---@field retryable boolean
---@field sent boolean whether the request may have reached the server
";

const RAW: &str = "boolean gives a table with status, headers and body in place of the answer";

const SCOPED: [(&str, &str); 2] = [
    ("directory", "string instead of the client's"),
    ("workspace", "string instead of the client's"),
];
