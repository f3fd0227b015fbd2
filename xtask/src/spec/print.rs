//! Prints JSON for people who read diffs: what fits on a line stays on it.

use serde_json::Value;

const WIDTH: usize = 130;

/// Keys that say what a thing is come first; all others follow in alphabetical order.
const FIRST: &[&str] = &[
    "id",
    "name",
    "method",
    "path",
    "scope",
    "deprecated",
    "place",
    "kind",
    "type",
    "arguments",
    "body",
    "answer",
    "properties",
    "required",
];

/// The whole file, with a line feed at its end.
pub(super) fn document(value: &Value) -> String {
    let mut text = String::new();
    write(value, 0, 0, &mut text);
    text.push('\n');
    text
}

fn write(value: &Value, indent: usize, used: usize, text: &mut String) {
    let line = one_line(value);
    let is_leaf = !matches!(value, Value::Array(_) | Value::Object(_));
    if is_leaf || (indent > 0 && indent + used + line.len() < WIDTH) {
        text.push_str(&line);
        return;
    }
    let inner = indent + 2;
    let (open, close) = if value.is_array() { ('[', ']') } else { ('{', '}') };
    text.push(open);
    for (position, (key, item)) in entries(value).into_iter().enumerate() {
        text.push_str(if position == 0 { "\n" } else { ",\n" });
        text.push_str(&" ".repeat(inner));
        text.push_str(&key);
        write(item, inner, key.len(), text);
    }
    text.push('\n');
    text.push_str(&" ".repeat(indent));
    text.push(close);
}

fn one_line(value: &Value) -> String {
    let (open, close) = match value {
        Value::Array(_) => ('[', ']'),
        Value::Object(_) => ('{', '}'),
        leaf => return leaf.to_string(),
    };
    let items: Vec<String> =
        entries(value).into_iter().map(|(key, item)| key + &one_line(item)).collect();
    format!("{open}{}{close}", items.join(", "))
}

/// The items of a container, each with the text that goes before it.
fn entries(value: &Value) -> Vec<(String, &Value)> {
    match value {
        Value::Array(items) => items.iter().map(|item| (String::new(), item)).collect(),
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_by_key(|key| (rank(key), key.as_str()));
            keys.into_iter()
                .map(|key| (format!("{}: ", Value::from(key.as_str())), &map[key]))
                .collect()
        }
        _ => Vec::new(),
    }
}

fn rank(key: &str) -> usize {
    FIRST.iter().position(|first| *first == key).unwrap_or(FIRST.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn short_values_stay_on_one_line_and_names_come_first() {
        let value = json!([{"errors": [400], "name": "b", "id": "a"}]);
        assert_eq!(
            document(&value),
            "[\n  {\"id\": \"a\", \"name\": \"b\", \"errors\": [400]}\n]\n"
        );
    }

    #[test]
    fn long_values_are_broken_at_the_outermost_level_only() {
        let long = "x".repeat(120);
        let text = document(&json!({"k": {"a": long, "b": {"c": 1}}}));
        assert!(text.contains("\n    \"b\": {\"c\": 1}\n  }\n}\n"), "{text}");
    }
}
