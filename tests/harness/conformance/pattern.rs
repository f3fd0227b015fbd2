//! What a case says of an answer: a JSON value that may leave things open.

use serde_json::Value;

/// Compares a value with a pattern; the error says where they differ.
///
/// An object fits one that has at least these fields, a list one of the same length. `{"$is":
/// TYPE}` fits any value of a type, `{"$text": PART}` a text that holds a part, `{"$has": P}` a list
/// with an item that fits P, `{"$not": P}` what does not fit P. Numbers are compared as such: 1 is 1.0.
pub(super) fn compare(pattern: &Value, value: &Value) -> Result<(), String> {
    at(pattern, value, "")
}

fn at(pattern: &Value, value: &Value, place: &str) -> Result<(), String> {
    let differs = || Err(format!("at '{place}': wanted {pattern}, got {}", short(value)));
    if let Some((name, inner)) = special(pattern) {
        let fits = match name {
            "$is" => inner == type_of(value),
            "$text" => value.as_str().zip(inner.as_str()).is_some_and(|(v, p)| v.contains(p)),
            "$has" => value.as_array().is_some_and(|l| l.iter().any(|v| at(inner, v, "").is_ok())),
            "$not" => at(inner, value, "").is_err(),
            _ => return Err(format!("there is no pattern {name}")),
        };
        return if fits { Ok(()) } else { differs() };
    }
    match (pattern, value) {
        (Value::Object(fields), Value::Object(have)) => fields.iter().try_for_each(|(name, p)| {
            let inner = format!("{place}/{name}");
            // A language may leave out what is null.
            at(p, have.get(name).unwrap_or(&Value::Null), &inner)
        }),
        (Value::Array(items), Value::Array(have)) if items.len() == have.len() => {
            let pairs = items.iter().zip(have).enumerate();
            pairs.into_iter().try_for_each(|(i, (p, v))| at(p, v, &format!("{place}/{i}")))
        }
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => Ok(()),
        (a, b) if a == b => Ok(()),
        _ => differs(),
    }
}

/// The name of a JSON type, as `$is` has it.
pub(super) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn special(pattern: &Value) -> Option<(&str, &Value)> {
    let fields = pattern.as_object()?;
    let (name, inner) = fields.iter().next()?;
    (fields.len() == 1 && name.starts_with('$') && name != "$schema").then_some((name, inner))
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(400) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pattern_leaves_open_what_it_does_not_say() {
        let value = json!({"a": {"b": 1.0, "c": "xyz"}, "l": [{"n": 1}, {"n": 2}]});
        for pattern in [
            json!({}),
            json!({"a": {"b": 1}}),
            json!({"a": {"c": {"$text": "y"}}}),
            json!({"l": {"$has": {"n": 2}}}),
            json!({"l": [{}, {"n": {"$is": "number"}}]}),
            json!({"l": {"$not": {"$has": {"n": 3}}}, "gone": null}),
        ] {
            assert_eq!(compare(&pattern, &value), Ok(()), "{pattern}");
        }
    }

    #[test]
    fn a_difference_is_named_with_its_place() {
        let value = json!({"a": {"b": 1}, "l": []});
        for (pattern, place) in [
            (json!({"a": {"b": 2}}), "/a/b"),
            (json!({"l": [{}]}), "/l"),
            (json!({"l": {"$has": {}}}), "/l"),
            (json!({"a": {"$is": "array"}}), "/a"),
            (json!({"a": {"b": {"$text": "1"}}}), "/a/b"),
            (json!({"a": {"$not": {"b": 1}}}), "/a"),
            (json!({"a": {"c": 1}}), "/a/c"),
        ] {
            let error = compare(&pattern, &value).unwrap_err();
            assert!(error.contains(&format!("'{place}'")), "{error}");
        }
        assert!(compare(&json!({"$wat": 1}), &value).is_err());
    }
}
