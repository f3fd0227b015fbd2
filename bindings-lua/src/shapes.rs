//! Where the module wants lists: in the options of its nouns, and in the arguments of operations.

// One line per place is easier to read than what rustfmt makes of it.
#[rustfmt::skip]
mod operations;

use crate::shape::Shape;

/// A list of what has no lists in it.
static LIST: Shape = Shape::List(&Shape::Any);

/// Options of a client.
pub(crate) static CLIENT: Shape = Shape::Object(&[("permission", &LIST)], &Shape::Any);

/// A prompt with its options.
pub(crate) static RUN: Shape = Shape::Object(
    &[("prompt", &LIST), ("files", &LIST), ("permission", &LIST), ("format", &FORMAT)],
    &Shape::Any,
);

/// Options of an event stream.
pub(crate) static EVENTS: Shape = Shape::Object(&[("types", &LIST)], &Shape::Any);

/// A tool of the host.
pub(crate) static TOOL: Shape = Shape::Object(&[("parameters", &FORMAT)], &Shape::Any);

/// Options of a terminal.
pub(crate) static PTY: Shape = Shape::Object(&[("args", &LIST)], &Shape::Any);

/// Options of a server that the host starts.
pub(crate) static SERVER: Shape = Shape::Object(&[("arguments", &LIST)], &Shape::Any);

/// What has to be there before the first prompt.
pub(crate) static READY: Shape =
    Shape::Object(&[("agents", &LIST), ("models", &LIST), ("mcp", &LIST)], &Shape::Any);

/// Answers to a question: a list of lists.
pub(crate) static ANSWERS: Shape = Shape::List(&LIST);

/// A JSON schema, or one with the server's words around it.
static FORMAT: Shape = Shape::Object(
    &[
        ("schema", &FORMAT),
        ("required", &LIST),
        ("enum", &LIST),
        ("examples", &LIST),
        ("anyOf", &FORMATS),
        ("allOf", &FORMATS),
        ("oneOf", &FORMATS),
        ("prefixItems", &FORMATS),
        ("properties", &NAMED_FORMATS),
        ("patternProperties", &NAMED_FORMATS),
        ("$defs", &NAMED_FORMATS),
        ("definitions", &NAMED_FORMATS),
        ("items", &FORMAT),
        ("additionalProperties", &FORMAT),
        ("not", &FORMAT),
    ],
    &Shape::Any,
);
static FORMATS: Shape = Shape::List(&FORMAT);
static NAMED_FORMATS: Shape = Shape::Object(&[], &FORMAT);

/// The arguments of an operation, by its name.
pub(crate) fn arguments(operation: &str) -> &'static Shape {
    let all = operations::OPERATIONS;
    let at = all.binary_search_by_key(&operation, |(name, _)| name);
    at.ok().and_then(|at| all.get(at)).map_or(&Shape::Any, |(_, shape)| shape)
}

/// The arguments of what the library does beyond the operations of a server.
pub(crate) fn beyond_operations(name: &str) -> &'static Shape {
    if name == "wait_until_ready" { &READY } else { &Shape::Any }
}
