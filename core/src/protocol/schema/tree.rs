//! [`Node`]: a JSON value as far down as it is checked.

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::cmp::Ordering;
use std::fmt;

/// Levels that are looked at; what lies deeper is taken as it is.
const LEVELS: usize = 100;
/// Characters of a value that a message shows.
const SHOWN: usize = 60;

/// A JSON value. Keys keep their order; of two equal ones the last counts.
#[derive(Debug)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Int(i128),
    /// Also every number that 64 bits cannot hold: it may stand for several.
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
    /// Too deep to be looked at.
    Deep,
}

impl Node {
    pub(super) fn read(json: &str) -> serde_json::Result<Node> {
        LevelsLeft(LEVELS).deserialize(&mut serde_json::Deserializer::from_str(json))
    }

    pub(super) fn get(&self, name: &str) -> Option<&Node> {
        self.object()?.iter().find(|(known, _)| known == name).map(|(_, node)| node)
    }

    pub(super) fn object(&self) -> Option<&[(String, Node)]> {
        match self {
            Node::Object(fields) => Some(fields),
            _ => None,
        }
    }

    pub(super) fn list(&self) -> Option<&[Node]> {
        match self {
            Node::List(items) => Some(items),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    /// How two numbers stand to each other; `None` when that cannot be said for certain.
    pub(super) fn compare(&self, other: &Node) -> Option<Ordering> {
        let number = |node: &Node| match node {
            Node::Int(int) => Some(*int as f64),
            Node::Float(float) => Some(*float),
            _ => None,
        };
        match (self, other) {
            (Node::Int(a), Node::Int(b)) => Some(a.cmp(b)),
            // Rounding keeps the order, but makes different numbers equal.
            _ => number(self)?.partial_cmp(&number(other)?).filter(|order| order.is_ne()),
        }
    }

    /// Whether two values are the same; `None` when that cannot be said for certain. 1 and 1.0 may be.
    pub(super) fn equals(&self, other: &Node) -> Option<bool> {
        match (self, other) {
            (Node::Deep, _) | (_, Node::Deep) => None,
            (Node::Null, Node::Null) => Some(true),
            (Node::Bool(a), Node::Bool(b)) => Some(a == b),
            (Node::Text(a), Node::Text(b)) => Some(a == b),
            (Node::Int(_) | Node::Float(_), Node::Int(_) | Node::Float(_)) => {
                self.compare(other).map(Ordering::is_eq)
            }
            (Node::List(a), Node::List(b)) if a.len() == b.len() => {
                all_of(a.iter().zip(b).map(|(a, b)| a.equals(b)))
            }
            (Node::Object(a), Node::Object(b)) if a.len() == b.len() => {
                let equals = |(name, a): &(String, Node)| {
                    other.get(name).map_or(Some(false), |b| a.equals(b))
                };
                all_of(a.iter().map(equals))
            }
            _ => Some(false),
        }
    }

    /// The value in a message.
    pub(super) fn show(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        match text.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{}...", &text[..end]),
            None => text,
        }
    }

    fn write(&self, out: &mut String) {
        if out.len() > 4 * SHOWN {
            return;
        }
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        match self {
            Node::Null => out.push_str("null"),
            Node::Bool(flag) => out.push_str(&flag.to_string()),
            Node::Int(int) => out.push_str(&int.to_string()),
            Node::Float(float) => out.push_str(&serde_json::Value::from(*float).to_string()),
            Node::Text(text) => out.push_str(&quoted(text)),
            Node::Deep => out.push_str("..."),
            Node::List(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    out.push_str(if i == 0 { "" } else { "," });
                    item.write(out);
                }
                out.push(']');
            }
            Node::Object(fields) => {
                out.push('{');
                for (i, (name, field)) in fields.iter().enumerate() {
                    out.push_str(if i == 0 { "" } else { "," });
                    out.push_str(&quoted(name));
                    out.push(':');
                    field.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// Reads a value of so many levels.
#[derive(Clone, Copy)]
struct LevelsLeft(usize);

impl<'de> DeserializeSeed<'de> for LevelsLeft {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        if self.0 == 0 {
            // Passes over it without a stack.
            return deserializer.deserialize_ignored_any(IgnoredAny).map(|_| Node::Deep);
        }
        deserializer.deserialize_any(LevelsLeft(self.0 - 1))
    }
}

impl<'de> Visitor<'de> for LevelsLeft {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Node, E> {
        Ok(Node::Bool(flag))
    }

    fn visit_u64<E>(self, int: u64) -> Result<Node, E> {
        Ok(Node::Int(int.into()))
    }

    fn visit_i64<E>(self, int: i64) -> Result<Node, E> {
        Ok(Node::Int(int.into()))
    }

    fn visit_f64<E>(self, float: f64) -> Result<Node, E> {
        Ok(Node::Float(float))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut fields: Vec<(String, Node)> = Vec::new();
        let mut places = std::collections::HashMap::new();
        while let Some(name) = map.next_key::<String>()? {
            let node = map.next_value_seed(self)?;
            match places.get(&name) {
                Some(&at) => fields[at] = (name, node),
                None => {
                    places.insert(name.clone(), fields.len());
                    fields.push((name, node));
                }
            }
        }
        Ok(Node::Object(fields))
    }
}

/// Whether one of them is true; `None` when that is not certain.
pub(super) fn one_of(of: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut result = Some(false);
    for is in of {
        match is {
            Some(true) => return Some(true),
            None => result = None,
            Some(false) => {}
        }
    }
    result
}

/// Whether all of them are true: whether none is false.
fn all_of(of: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    one_of(of.map(|is| is.map(|is| !is))).map(|is| !is)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equal(a: &str, b: &str) -> Option<bool> {
        Node::read(a).unwrap().equals(&Node::read(b).unwrap())
    }

    #[test]
    fn equality_is_said_only_where_it_is_certain() {
        assert_eq!(equal(r#"{"a":1,"b":[null]}"#, r#"{"b":[null],"a":1}"#), Some(true));
        assert_eq!(equal(r#"{"a":1}"#, r#"{"a":2}"#), Some(false));
        assert_eq!(equal("1", "1.0"), None);
        assert_eq!(equal("1", "1.5"), Some(false));
        assert_eq!(equal("18446744073709551616", "18446744073709551617"), None);
        assert_eq!(equal("1", r#""1""#), Some(false));
    }

    #[test]
    fn what_lies_deep_is_passed_over() {
        let deep = format!(r#"{{"a":{}1{},"b":2}}"#, "[".repeat(100_000), "]".repeat(100_000));
        let node = Node::read(&deep).unwrap();
        assert!(matches!(node.get("b"), Some(Node::Int(2))));
        assert!(node.show().ends_with("..."));
    }
}
