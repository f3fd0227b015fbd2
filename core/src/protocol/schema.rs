//! Checks a value against a JSON schema, as far as it matters for the answers of a model.
//!
//! The server hands structured answers on unchecked. What is refused here is refused by every reading of the
//! schema; where this check cannot be certain, because of a pattern, a keyword that it does not know, or the
//! rounding of a number, the value is taken. So there are three verdicts, and only one of them refuses.

mod tree;

use crate::base::json::Json;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::rc::Rc;
use tree::{Node, one_of};

/// References may go in circles, and schemas may be built from others without end.
const MAX_DEPTH: usize = 128;
/// Looks at a pair of a value and a schema; a check that needs more says nothing.
const MAX_LOOKS: usize = 1_000_000;

/// Keywords that may refuse a value and are not looked at here.
const UNKNOWN: &[&str] = &[
    "$dynamicRef",
    "$recursiveRef",
    "additionalItems",
    "contains",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "disallow",
    "divisibleBy",
    "extends",
    "format",
    "maxContains",
    "minContains",
    "multipleOf",
    "pattern",
    "patternProperties",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "uniqueItems",
];

/// Where and why a value does not fit; `None` when it fits, or when that is not certain.
pub(crate) fn mismatch(value: &Json, schema: &Json) -> Option<String> {
    let (value, root) = (Node::read(value.get()).ok()?, Node::read(schema.get()).ok()?);
    let has_ids = has_inner_ids(&root, true);
    let mut check = Checker { root: &root, has_ids, known: HashMap::new() };
    match check.value(&value, &root, "value", 0) {
        Fit::Misfit(misfit) => Some(misfit.why.clone()),
        Fit::Fits | Fit::Uncertain => None,
    }
}

#[derive(Debug, Clone)]
enum Fit {
    Fits,
    Uncertain,
    Misfit(Rc<Misfit>),
}

#[derive(Debug)]
struct Misfit {
    why: String,
    /// Levels from the root of the value: the deeper, the more of it fitted.
    level: usize,
}

impl Fit {
    /// Both must fit.
    fn and(self, other: impl FnOnce() -> Fit) -> Fit {
        match self {
            Fit::Misfit(_) => self,
            Fit::Fits => other(),
            Fit::Uncertain => match other() {
                Fit::Fits => Fit::Uncertain,
                other => other,
            },
        }
    }

    fn is_misfit(&self) -> bool {
        matches!(self, Fit::Misfit(_))
    }
}

fn all(verdicts: impl IntoIterator<Item = Fit>) -> Fit {
    let mut result = Fit::Fits;
    for verdict in verdicts {
        result = result.and(|| verdict);
        if result.is_misfit() {
            break;
        }
    }
    result
}

/// Schemas with names of their own turn `#` into something else.
fn has_inner_ids(node: &Node, is_root: bool) -> bool {
    match node {
        Node::Object(fields) => fields.iter().any(|(name, node)| {
            (!is_root && matches!(name.as_str(), "$id" | "id") && node.text().is_some())
                || has_inner_ids(node, false)
        }),
        Node::List(items) => items.iter().any(|node| has_inner_ids(node, false)),
        _ => false,
    }
}

struct Checker<'a> {
    root: &'a Node,
    has_ids: bool,
    /// What was found for a value and a schema, by their places in memory: no pair is looked at twice, so that the
    /// time is bounded by both sizes. A pair that is being looked at is uncertain.
    known: HashMap<(*const Node, *const Node), Fit>,
}

impl<'a> Checker<'a> {
    fn value(&mut self, value: &Node, schema: &Node, at: &str, depth: usize) -> Fit {
        let fields = match schema {
            Node::Bool(true) => return Fit::Fits,
            Node::Bool(false) => return misfit(at, format!("{at} must be absent")),
            Node::Object(fields) => fields,
            _ => return Fit::Uncertain,
        };
        let pair = (std::ptr::from_ref(value), std::ptr::from_ref(schema));
        if let Some(known) = self.known.get(&pair) {
            return known.clone();
        }
        if depth > MAX_DEPTH || self.known.len() > MAX_LOOKS || matches!(value, Node::Deep) {
            return Fit::Uncertain;
        }
        self.known.insert(pair, Fit::Uncertain);
        let own = |check: &mut Self| {
            let is_known = !fields.iter().any(|(name, _)| UNKNOWN.contains(&name.as_str()));
            let rest = if is_known { Fit::Fits } else { Fit::Uncertain };
            kind(value, schema, at)
                .and(|| bounds(value, schema, at))
                .and(|| check.object(value, schema, at, depth))
                .and(|| check.array(value, schema, at, depth))
                .and(|| check.combined(value, schema, at, depth))
                .and(|| rest)
        };
        let verdict = match schema.get("$ref") {
            None => own(self),
            Some(reference) => match self.target(reference) {
                None => Fit::Uncertain,
                // What stands beside a reference counts in some versions of JSON schema only.
                Some(target) => self.value(value, target, at, depth + 1).and(|| match own(self) {
                    Fit::Fits => Fit::Fits,
                    _ => Fit::Uncertain,
                }),
            },
        };
        self.known.insert(pair, verdict.clone());
        verdict
    }

    /// What a reference to the same document means; `None` for any other.
    fn target(&self, reference: &Node) -> Option<&'a Node> {
        if self.has_ids {
            return None;
        }
        let pointer = reference.text()?.strip_prefix('#')?;
        if pointer.contains('%') {
            return None;
        }
        let mut steps = pointer.split('/');
        // What stands before the first slash of a pointer is nothing.
        steps.next().filter(|head| head.is_empty())?;
        steps.try_fold(self.root, |node, step| match node {
            Node::List(items) => items.get(step.parse::<usize>().ok()?),
            node => node.get(&step.replace("~1", "/").replace("~0", "~")),
        })
    }

    fn object(&mut self, value: &Node, schema: &Node, at: &str, depth: usize) -> Fit {
        let Some(fields) = value.object() else { return Fit::Fits };
        let required = schema.get("required").and_then(Node::list).unwrap_or_default();
        let missing = required.iter().filter_map(Node::text).find(|name| value.get(name).is_none());
        if let Some(name) = missing {
            return misfit(&format!("{at}.{name}"), format!("{at}.{name} is missing"));
        }
        // A pattern may speak of any field.
        let has_patterns = schema.get("patternProperties").is_some();
        all(fields.iter().map(|(name, field)| {
            let at = format!("{at}.{name}");
            let known = schema.get("properties").and_then(|properties| properties.get(name));
            match (known, schema.get("additionalProperties")) {
                (Some(schema), _) => self.value(field, schema, &at, depth + 1),
                (None, None) => Fit::Fits,
                (None, Some(_)) if has_patterns => Fit::Uncertain,
                (None, Some(Node::Bool(false))) => misfit(&at, format!("{at} is not expected")),
                (None, Some(schema)) => self.value(field, schema, &at, depth + 1),
            }
        }))
    }

    fn array(&mut self, value: &Node, schema: &Node, at: &str, depth: usize) -> Fit {
        let Some(items) = value.list() else { return Fit::Fits };
        let listed = |name: &str| schema.get(name).and_then(Node::list);
        // Older versions of JSON schema write the first items in the same place as the rest.
        let first = listed("prefixItems").or_else(|| listed("items")).unwrap_or_default();
        let rest = schema.get("items").filter(|rest| rest.list().is_none());
        all(items.iter().enumerate().map(|(i, item)| match first.get(i).or(rest) {
            Some(schema) => self.value(item, schema, &format!("{at}[{i}]"), depth + 1),
            None => Fit::Fits,
        }))
    }

    fn combined(&mut self, value: &Node, schema: &Node, at: &str, depth: usize) -> Fit {
        let list = |name: &str| schema.get(name).and_then(Node::list);
        let of_all = list("allOf").unwrap_or_default();
        let verdict = all(of_all.iter().map(|schema| self.value(value, schema, at, depth + 1)));
        let verdict = verdict.and(|| match list("anyOf") {
            Some(branches) => self.any(value, branches, at, depth, false),
            None => Fit::Fits,
        });
        let verdict = verdict.and(|| match list("oneOf") {
            Some(branches) => self.any(value, branches, at, depth, true),
            None => Fit::Fits,
        });
        let verdict = verdict.and(|| match schema.get("not") {
            None => Fit::Fits,
            Some(schema) => match self.value(value, schema, at, depth + 1) {
                Fit::Fits => misfit(at, format!("{at} fits what it must not")),
                Fit::Misfit(_) => Fit::Fits,
                Fit::Uncertain => Fit::Uncertain,
            },
        });
        verdict.and(|| {
            let Some(condition) = schema.get("if") else { return Fit::Fits };
            let name = match self.value(value, condition, at, depth + 1) {
                Fit::Fits => "then",
                Fit::Misfit(_) => "else",
                Fit::Uncertain => return Fit::Uncertain,
            };
            let chosen = schema.get(name);
            chosen.map_or(Fit::Fits, |schema| self.value(value, schema, at, depth + 1))
        })
    }

    /// One of several must fit: at least one, or exactly one.
    fn any(
        &mut self,
        value: &Node,
        branches: &[Node],
        at: &str,
        depth: usize,
        exactly: bool,
    ) -> Fit {
        let mut fitting = 0;
        let mut is_certain = true;
        let mut misfits: Vec<(&Node, Rc<Misfit>)> = Vec::new();
        for branch in branches {
            match self.value(value, branch, at, depth + 1) {
                Fit::Fits => fitting += 1,
                Fit::Uncertain => is_certain = false,
                Fit::Misfit(why) => misfits.push((branch, why)),
            }
        }
        match (fitting, exactly, is_certain) {
            (0, _, true) => self.none_fits(value, &misfits, at),
            (0, _, false) => Fit::Uncertain,
            (_, false, _) | (1, true, true) => Fit::Fits,
            (1, true, false) => Fit::Uncertain,
            (_, true, _) => {
                misfit(at, format!("{at} fits {fitting} of the alternatives instead of one"))
            }
        }
    }

    /// Names the field that keeps a value out of the alternative that was most likely meant.
    fn none_fits(&self, value: &Node, misfits: &[(&Node, Rc<Misfit>)], at: &str) -> Fit {
        let meant: Vec<_> =
            misfits.iter().filter(|(branch, _)| self.is_meant(value, branch)).collect();
        // The first of those that went deepest.
        let nearest = meant.iter().rev().max_by_key(|(_, misfit)| misfit.level);
        let why = match nearest {
            Some((_, nearest)) => {
                return Fit::Misfit(Rc::new(Misfit {
                    why: match meant.len() {
                        1 => nearest.why.clone(),
                        _ => format!("{at} fits none of the alternatives: {}", nearest.why),
                    },
                    level: nearest.level,
                }));
            }
            None => misfits.iter().take(3).map(|(_, misfit)| misfit.why.as_str()),
        };
        let why = why.collect::<Vec<_>>().join(", or ");
        misfit(at, format!("{at} fits none of the alternatives: {why}"))
    }

    /// Whether the fields that tell alternatives apart do not speak against this one.
    fn is_meant(&self, value: &Node, branch: &Node) -> bool {
        let target = branch.get("$ref").and_then(|reference| self.target(reference));
        let branch = target.unwrap_or(branch);
        let properties = branch.get("properties").and_then(Node::object).unwrap_or_default();
        properties.iter().all(|(name, schema)| {
            let wanted: Vec<&Node> = match (schema.get("const"), schema.get("enum")) {
                (Some(wanted), _) => vec![wanted],
                (None, Some(Node::List(wanted))) => wanted.iter().collect(),
                _ => return true,
            };
            let field = value.get(name);
            field.is_none_or(|field| wanted.iter().any(|w| w.equals(field) != Some(false)))
        })
    }
}

fn misfit(at: &str, why: String) -> Fit {
    let level = at.matches(['.', '[']).count();
    Fit::Misfit(Rc::new(Misfit { why, level }))
}

/// Types, enumerations and constants.
fn kind(value: &Node, schema: &Node, at: &str) -> Fit {
    let is = |kind: &Node| match (kind.text(), value) {
        (Some("null"), Node::Null)
        | (Some("boolean"), Node::Bool(_))
        | (Some("integer" | "number"), Node::Int(_))
        | (Some("number"), Node::Float(_))
        | (Some("string"), Node::Text(_))
        | (Some("array"), Node::List(_))
        | (Some("object"), Node::Object(_)) => Some(true),
        // 1.0 is an integer in some versions of JSON schema.
        (Some("integer"), Node::Float(float)) if float.fract() == 0.0 => None,
        (Some("null" | "boolean" | "integer" | "number" | "string" | "array" | "object"), _) => {
            Some(false)
        }
        _ => None,
    };
    let is_nullable =
        matches!((value, schema.get("nullable")), (Node::Null, Some(Node::Bool(true))));
    let fits = match schema.get("type") {
        _ if is_nullable => None,
        None => Some(true),
        Some(Node::List(kinds)) => one_of(kinds.iter().map(is)),
        Some(kind) => is(kind),
    };
    let verdict = judge(fits, at, || {
        let wanted = schema.get("type").map(Node::show).unwrap_or_default();
        format!("{at} must be of type {wanted}, not {}", value.show())
    });
    let verdict = verdict.and(|| match schema.get("enum") {
        Some(allowed @ Node::List(items)) => {
            judge(one_of(items.iter().map(|item| item.equals(value))), at, || {
                format!("{at} must be one of {}, not {}", allowed.show(), value.show())
            })
        }
        Some(_) => Fit::Uncertain,
        None => Fit::Fits,
    });
    verdict.and(|| match schema.get("const") {
        Some(wanted) => judge(wanted.equals(value), at, || {
            format!("{at} must be {}, not {}", wanted.show(), value.show())
        }),
        None => Fit::Fits,
    })
}

fn judge(fits: Option<bool>, at: &str, why: impl FnOnce() -> String) -> Fit {
    match fits {
        Some(true) => Fit::Fits,
        Some(false) => misfit(at, why()),
        None => Fit::Uncertain,
    }
}

/// A keyword, and which way a size may not be from its limit.
type Bound = (&'static str, &'static [Ordering]);

const BELOW: &[Ordering] = &[Ordering::Less];
const ABOVE: &[Ordering] = &[Ordering::Greater];
const NUMBER_BOUNDS: &[Bound] = &[
    ("minimum", BELOW),
    ("maximum", ABOVE),
    ("exclusiveMinimum", &[Ordering::Less, Ordering::Equal]),
    ("exclusiveMaximum", &[Ordering::Greater, Ordering::Equal]),
];
const TEXT_BOUNDS: &[Bound] = &[("minLength", BELOW), ("maxLength", ABOVE)];
const ARRAY_BOUNDS: &[Bound] = &[("minItems", BELOW), ("maxItems", ABOVE)];
const OBJECT_BOUNDS: &[Bound] = &[("minProperties", BELOW), ("maxProperties", ABOVE)];

fn bounds(value: &Node, schema: &Node, at: &str) -> Fit {
    let count;
    let (what, size, bounds) = match value {
        Node::Int(_) | Node::Float(_) => ("", value, NUMBER_BOUNDS),
        Node::Text(text) => {
            count = Node::Int(text.chars().count() as i128);
            ("length ", &count, TEXT_BOUNDS)
        }
        Node::List(items) => {
            count = Node::Int(items.len() as i128);
            ("length ", &count, ARRAY_BOUNDS)
        }
        Node::Object(fields) => {
            count = Node::Int(fields.len() as i128);
            ("number of fields ", &count, OBJECT_BOUNDS)
        }
        _ => return Fit::Fits,
    };
    all(bounds.iter().filter_map(|(name, wrong)| {
        let limit = schema.get(name)?;
        let fits = size.compare(limit).map(|order| !wrong.contains(&order));
        Some(judge(fits, at, || {
            format!("{at}: {what}{} breaks {name} {}", size.show(), limit.show())
        }))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use serde_json::json;
    use std::time::{Duration, Instant};

    fn json(value: &Value) -> Json {
        serde_json::from_str(&value.to_string()).unwrap()
    }

    fn why(value: &Value, schema: &Value) -> Option<String> {
        mismatch(&json(value), &Json::from(schema.clone()))
    }

    #[test]
    fn values_are_checked() {
        let schema = json!({
            "type": "object",
            "required": ["n", "tags"],
            "additionalProperties": false,
            "properties": {
                "n": { "type": "integer", "minimum": 1, "exclusiveMaximum": 10 },
                "tags": { "type": "array", "items": { "$ref": "#/$defs/tag" }, "maxItems": 2 },
                "size": { "enum": ["s", "m"] },
                "id": { "anyOf": [{ "type": "string", "minLength": 2 }, { "const": 7 }] },
            },
            "$defs": { "tag": { "type": "string" } },
        });
        let why = |value: &Value| why(value, &schema);
        assert_eq!(why(&json!({ "n": 1, "tags": ["a"], "size": "s", "id": 7 })), None);
        assert_eq!(why(&json!({ "n": 2.0, "tags": [] })), None);
        for (value, part) in [
            (json!([]), "must be of type"),
            (json!({ "tags": [] }), "value.n is missing"),
            (json!({ "n": "bad", "tags": [] }), "value.n must be of type"),
            (json!({ "n": 1.5, "tags": [] }), "value.n must be of type"),
            (json!({ "n": 0, "tags": [] }), "minimum 1"),
            (json!({ "n": 10, "tags": [] }), "exclusiveMaximum 10"),
            (json!({ "n": 1, "tags": [1] }), "value.tags[0]"),
            (json!({ "n": 1, "tags": ["a", "b", "c"] }), "maxItems 2"),
            (json!({ "n": 1, "tags": [], "size": "xl" }), "one of"),
            (json!({ "n": 1, "tags": [], "id": "x" }), "none of the alternatives"),
            (json!({ "n": 1, "tags": [], "more": 1 }), "value.more is not expected"),
        ] {
            let why = why(&value).unwrap_or_else(|| panic!("{value} was taken"));
            assert!(why.contains(part), "{why}");
        }
    }

    #[test]
    fn what_a_schema_allows_is_never_refused() {
        for (value, schema) in [
            (
                json!({ "x_1": 5 }),
                json!({ "patternProperties": { "^x_": {} }, "additionalProperties": false }),
            ),
            (
                json!("b1"),
                json!({ "oneOf": [{ "type": "string", "pattern": "^a" }, { "pattern": "^b" }] }),
            ),
            (json!("ok"), json!({ "type": "string", "not": { "pattern": "^evil" } })),
            (json!({ "n": 1.0 }), json!({ "properties": { "n": { "enum": [1, 2] } } })),
            (json!(1.0), json!({ "type": "integer", "const": 1 })),
            (
                json!([10]),
                json!({ "items": { "oneOf": [{ "multipleOf": 3 }, { "multipleOf": 5 }] } }),
            ),
            (json!(7), json!({ "not": { "type": "object", "propertyNames": { "maxLength": 1 } } })),
            (
                json!(["a", 1]),
                json!({ "prefixItems": [{ "type": "string" }], "items": { "type": "integer" } }),
            ),
            (json!(["a", 1]), json!({ "items": [{ "type": "string" }, { "type": "integer" }] })),
            (json!(1.5), json!({ "minimum": 1, "exclusiveMinimum": true })),
            (
                json!({ "a": 1 }),
                json!({ "$ref": "#/definitions/x", "required": ["b"], "definitions": { "x": {} } }),
            ),
            (json!(1), json!({ "$ref": "https://elsewhere/x.json" })),
            (json!(1), json!({ "$ref": "#there" })),
            (json!(null), json!({ "type": "string", "nullable": true })),
            (json!("d"), json!({ "type": "date" })),
            (json!(3), json!({ "not": { "not": { "multipleOf": 3 } } })),
            (json!({ "a": 1 }), json!({ "if": { "required": ["a"] }, "then": {}, "else": false })),
            (json!({ "b": 1 }), json!({ "if": { "required": ["a"] }, "then": false })),
            (json!("x"), json!({ "oneOf": [{ "format": "email" }, { "type": "string" }] })),
        ] {
            assert_eq!(why(&value, &schema), None, "{value} fits {schema}");
        }
        let number = |text: &str| serde_json::from_str::<Json>(text).unwrap();
        let schema = json!({ "exclusiveMinimum": u64::MAX });
        assert_eq!(mismatch(&number("18446744073709551616"), &Json::from(schema.clone())), None);
        let schema = json!({ "not": { "const": 18446744073709551615_u64 } });
        assert_eq!(mismatch(&number("18446744073709551615.5"), &Json::from(schema.clone())), None);
    }

    #[test]
    fn the_field_that_does_not_fit_is_named_inside_alternatives_too() {
        let schema = json!({
            "items": { "anyOf": [
                { "properties": { "kind": { "const": "circle" }, "r": { "type": "number" } }, "required": ["kind", "r"] },
                { "$ref": "#/$defs/square" },
            ]},
            "$defs": { "square": {
                "properties": { "kind": { "enum": ["square"] }, "side": { "type": "number" } },
                "required": ["kind", "side"],
            }},
        });
        let why = |value| why(&value, &schema).unwrap();
        let text = why(json!([{ "kind": "circle", "r": 1 }, { "kind": "square", "side": "long" }]));
        assert_eq!(text, r#"value[1].side must be of type "number", not "long""#);
        assert_eq!(why(json!([{ "kind": "circle" }])), "value[0].r is missing");
        let text = why(json!([{ "kind": "line", "r": 1, "side": 1 }]));
        assert!(text.contains("value[0].kind must be \"circle\", not \"line\""), "{text}");
        let schema =
            json!({ "anyOf": [{ "type": "null" }, { "properties": { "a": { "type": "null" } } }] });
        let text = super::tests::why(&json!({ "a": 1 }), &schema).unwrap();
        assert!(text.contains("value.a must be of type"), "{text}");
    }

    #[test]
    fn references_in_a_circle_end() {
        assert_eq!(why(&json!(1), &json!({ "$ref": "#" })), None);
        let schema = json!({ "properties": { "next": { "$ref": "#" } }, "required": ["next"] });
        assert!(why(&json!({ "next": { "next": {} } }), &schema).is_some());
    }

    #[test]
    fn the_time_is_bounded_by_the_sizes() {
        let began = Instant::now();
        // Every level refers to the next one twice: 2^60 ways lead to the last.
        let mut levels = serde_json::Map::new();
        for level in 0..60 {
            let next = json!({ "$ref": format!("#/$defs/l{}", level + 1) });
            levels.insert(format!("l{level}"), json!({ "anyOf": [next.clone(), next] }));
        }
        levels.insert("l60".to_owned(), json!({ "type": "string" }));
        let schema = json!({ "$ref": "#/$defs/l0", "$defs": levels });
        assert!(why(&json!(1), &schema).is_some());
        // A tree whose every level may be of one of several forms.
        let form = |name: &str| {
            let next = json!({ "$ref": "#" });
            json!({ "type": "object", "properties": { name: next.clone(), "n": next } })
        };
        let schema = json!({ "anyOf": [form("a"), form("b"), form("c"), { "type": "string" }] });
        let mut value = json!(7);
        for _ in 0..20 {
            value = json!({ "n": value });
        }
        assert!(why(&value, &schema).is_some());
        let deep = format!("{}1{}", "[".repeat(900), "]".repeat(900));
        let deep = serde_json::from_str::<Json>(&deep).unwrap();
        assert_eq!(mismatch(&deep, &Json::from(json!({ "items": { "$ref": "#" } }))), None);
        assert!(began.elapsed() < Duration::from_secs(20));
    }
}
