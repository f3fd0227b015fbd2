//! `bindings-lua/src/shapes/operations.rs`: where operations want lists, at any depth of their arguments.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::NOTICE;
use super::model::Table;
use super::types::{Declaration, Type, Types};

pub(super) fn file(table: &Table) -> String {
    let mut graph = Graph { types: &table.types, numbers: BTreeMap::new(), nodes: Vec::new() };
    let mut rows = Vec::new();
    for operation in &table.operations {
        let fields = operation.arguments.iter().map(|argument| {
            let number = graph.node(std::slice::from_ref(&argument.shape));
            (argument.name.clone(), number)
        });
        let fields = fields.collect();
        graph.nodes.push(Node::Object(fields, None));
        rows.push((&operation.name, graph.nodes.len() - 1));
    }
    let useful = graph.useful();
    let mut text = format!(
        "// {NOTICE}\n//! Where operations want lists, at any depth of their arguments.\n\nuse crate::shape::Shape;\n\n"
    );
    text.push_str("/// Operations that take a list somewhere, sorted by name.\n");
    text.push_str("pub(super) static OPERATIONS: &[(&str, &Shape)] = &[\n");
    for (name, number) in rows.iter().filter(|(_, number)| useful[*number]) {
        let _ = writeln!(text, "    ({name:?}, &S{number}),");
    }
    text.push_str("];\n\n");
    for (number, node) in graph.nodes.iter().enumerate().filter(|(number, _)| useful[*number]) {
        let shape = |number: &usize| match useful[*number] {
            true => format!("&S{number}"),
            false => "&Shape::Any".to_owned(),
        };
        let value = match node {
            Node::Any => continue,
            Node::List(item) => format!("Shape::List({})", shape(item)),
            Node::Object(fields, others) => {
                let fields: Vec<String> = fields
                    .iter()
                    .filter(|(_, number)| useful[**number])
                    .map(|(name, number)| format!("({name:?}, {})", shape(number)))
                    .collect();
                let others = others.as_ref().map_or("&Shape::Any".to_owned(), shape);
                format!("Shape::Object(&[{}], {others})", fields.join(", "))
            }
        };
        let _ = writeln!(text, "static S{number}: Shape = {value};");
    }
    text
}

/// What is known of the values at a place; the numbers are those of other nodes.
enum Node {
    Any,
    List(usize),
    /// Fields by name, and what all others are.
    Object(BTreeMap<String, usize>, Option<usize>),
}

struct Graph<'a> {
    types: &'a Types,
    /// What was asked for already; types may contain themselves.
    numbers: BTreeMap<String, usize>,
    nodes: Vec<Node>,
}

impl Graph<'_> {
    /// The node of values that have one of these types.
    fn node(&mut self, alternatives: &[Type]) -> usize {
        let mut members = Vec::new();
        alternatives.iter().for_each(|member| self.flatten(member, &mut members));
        let key = format!("{members:?}");
        if let Some(number) = self.numbers.get(&key) {
            return *number;
        }
        let number = self.nodes.len();
        self.numbers.insert(key, number);
        self.nodes.push(Node::Any);
        let mut items = Vec::new();
        let mut fields: BTreeMap<String, Vec<Type>> = BTreeMap::new();
        let mut others = Vec::new();
        let mut is_object = false;
        for member in members {
            match member {
                Type::Array(item) => items.push(*item),
                Type::Any => is_object = true,
                Type::Map(value) => {
                    is_object = true;
                    others.push(*value);
                }
                Type::Named(name) => {
                    is_object = true;
                    if let Some(Declaration::Object(known)) = self.types.declarations.get(&name) {
                        for field in known {
                            fields.entry(field.name.clone()).or_default().push(field.shape.clone());
                        }
                    }
                }
                // An empty table is no text, number or flag.
                _ => {}
            }
        }
        // Where an object is possible too, an empty table is one.
        self.nodes[number] = match (is_object, items.is_empty()) {
            (false, false) => Node::List(self.node(&items)),
            (true, _) => {
                let fields = fields.into_iter().map(|(name, of)| (name, self.node(&of))).collect();
                let others = (!others.is_empty()).then(|| self.node(&others));
                Node::Object(fields, others)
            }
            (false, true) => Node::Any,
        };
        number
    }

    /// Names of other types, and unions, dissolved.
    fn flatten(&self, shape: &Type, into: &mut Vec<Type>) {
        match shape {
            Type::Union(members) => members.iter().for_each(|member| self.flatten(member, into)),
            Type::Named(name) => match self.types.declarations.get(name) {
                Some(Declaration::Alias(alias)) => self.flatten(alias, into),
                _ => into.push(shape.clone()),
            },
            _ if into.contains(shape) => {}
            _ => into.push(shape.clone()),
        }
    }

    /// The nodes that are a list, or have one inside.
    fn useful(&self) -> Vec<bool> {
        let mut useful = vec![false; self.nodes.len()];
        loop {
            let before = useful.clone();
            for (number, node) in self.nodes.iter().enumerate() {
                useful[number] |= match node {
                    Node::Any => false,
                    Node::List(_) => true,
                    Node::Object(fields, others) => {
                        fields.values().chain(others).any(|number| useful[*number])
                    }
                };
            }
            if useful == before {
                return useful;
            }
        }
    }
}
