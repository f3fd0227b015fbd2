//! `include/opencode_operations.h`: a function per operation, on top of `opencode_call`.

use std::fmt::Write as _;

use super::NOTICE;
use super::model::{Answer, Argument, Kind, ModelShape, Operation, Table};
use super::types::{Declaration, Type, Types};
use crate::spec::name;

pub(super) fn file(table: &Table) -> String {
    let mut text = format!("/* {NOTICE} */\n{BEGINNING}");
    for operation in &table.operations {
        if !is_stream(operation) {
            function(operation, &table.types, &mut text);
        }
    }
    text.push_str("\n#endif /* OPENCODE_OPERATIONS_H */\n");
    text
}

/// One reply cannot hold a stream: those have functions of their own in opencode.h.
fn is_stream(operation: &Operation) -> bool {
    matches!(operation.answer, Answer::Events | Answer::Websocket)
}

fn function(operation: &Operation, types: &Types, text: &mut String) {
    let _ = writeln!(text, "\n/**\n * {}", operation.doc);
    let _ = writeln!(text, " *\n * {} {}", operation.method, operation.display_path());
    if operation.arguments.is_empty() && !operation.is_open() {
        text.push_str(" * Arguments: none.\n");
    } else {
        text.push_str(" * Arguments:\n");
    }
    let longest = operation.arguments.iter().map(|argument| argument.name.len()).max();
    for argument in &operation.arguments {
        let width = longest.unwrap_or_default();
        let required = operation.needs(argument);
        let mark = if required { ", required" } else { "" };
        let _ = writeln!(text, " *   {:width$}  {}{mark}", argument.name, kind(argument));
    }
    if operation.is_open() {
        text.push_str(" *   and any other field\n");
    }
    let _ = writeln!(text, " * Answer: {}.\n */", answer(operation, types));
    let _ = writeln!(
        text,
        "OPENCODE_INLINE OpencodeStatus {}(const OpencodeClient *client, const char *arguments_json,\n    \
         OpencodeReply **reply) {{\n    return opencode_call(client, {:?}, arguments_json, reply);\n}}",
        name::c_function(&operation.name),
        operation.name
    );
}

fn kind(argument: &Argument) -> String {
    let kind = match (argument.model, argument.kind) {
        (Some(ModelShape::Object), _) => "\"provider/model\" or {providerID, modelID}",
        (Some(ModelShape::Reference), _) => "\"provider/model\" or {id, providerID}",
        (Some(ModelShape::Text), _) => "\"provider/model\"",
        (Some(ModelShape::Fields), _) => "\"provider/model\", in place of providerID and modelID",
        (None, Kind::String) => "string",
        (None, Kind::Integer) => "integer",
        (None, Kind::Number) => "number",
        (None, Kind::Boolean) => "boolean",
        (None, Kind::Array) => "array",
        (None, Kind::Object) => "object",
        (None, Kind::Any) => "any",
    };
    if argument.values.is_empty() {
        return kind.to_owned();
    }
    // Long sets are broken where the eye expects it, below the first value.
    let mut text = String::new();
    let aliases = argument.aliases.iter().map(|(word, _)| word);
    for (position, value) in argument.values.iter().chain(aliases).enumerate() {
        text.push_str(match position {
            0 => "",
            n if n % 4 == 0 => " |\n *     ",
            _ => " | ",
        });
        let _ = write!(text, "{value:?}");
    }
    text
}

fn answer(operation: &Operation, types: &Types) -> String {
    match operation.answer {
        Answer::Json => format!("JSON{}", described(&operation.answer_type, types)),
        Answer::Nothing if !matches!(operation.answer_type, Type::Any) => {
            format!("nothing; on 2.x JSON{}", described(&operation.answer_type, types))
        }
        Answer::Nothing => "nothing".to_owned(),
        Answer::Text => "text".to_owned(),
        Answer::Bytes => "bytes".to_owned(),
        Answer::Events | Answer::Websocket => "a stream".to_owned(),
    }
}

fn described(shape: &Type, types: &Types) -> &'static str {
    match shape {
        Type::Named(name) => match types.declarations.get(name) {
            Some(Declaration::Alias(alias)) => described(alias, types),
            _ => ", an object",
        },
        Type::Map(_) => ", an object",
        Type::Array(_) => ", an array",
        Type::Boolean => ", true or false",
        _ => "",
    }
}

const BEGINNING: &str = "\
/**
 * @file
 * One function per operation of the server. Each forwards to opencode_call(), which reaches the same
 * operation by its name: a program may use either.
 *
 * arguments_json is one JSON object with the arguments named below, or NULL for none. Where the server
 * looks at a directory it also takes `directory` and `workspace`, which come before those of the client.
 * The reply is owned by the caller, on success and on failure, and freed with opencode_reply_free().
 *
 * Streams are not here: events and terminals have functions of their own in opencode.h.
 */
#ifndef OPENCODE_OPERATIONS_H
#define OPENCODE_OPERATIONS_H

#include \"opencode.h\"

#if defined(__cplusplus) || (defined(__STDC_VERSION__) && __STDC_VERSION__ >= 199901L)
#define OPENCODE_INLINE static inline
#else
#define OPENCODE_INLINE static __inline
#endif
";
