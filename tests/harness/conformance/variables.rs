//! What stands for what: `${session}` in a case is the id of the session that was made for it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{Error, Result, prompt};

/// Values by name.
#[derive(Debug, Clone, Default)]
pub(super) struct Variables(BTreeMap<String, Value>);

impl Variables {
    pub(super) fn set(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    /// Fills a value in. A text that is a variable and nothing else becomes its value, whatever its
    /// type; `{"$prompt": [WORDS, STEPS]}` becomes a prompt for the scripted model.
    pub(super) fn fill(&self, value: &Value) -> Result<Value> {
        Ok(match value {
            Value::String(text) => self.text(text)?,
            Value::Array(items) => {
                Value::Array(items.iter().map(|item| self.fill(item)).collect::<Result<_>>()?)
            }
            Value::Object(fields) => {
                if let Some(Value::Array(parts)) = fields.get("$prompt") {
                    let [Value::String(words), steps] = parts.as_slice() else {
                        return Err(Error::new("$prompt takes words and steps"));
                    };
                    return Ok(Value::from(prompt(words, self.fill(steps)?)));
                }
                let mut made = serde_json::Map::new();
                for (name, value) in fields {
                    let name = self.text(name)?;
                    made.insert(name.as_str().unwrap_or_default().to_owned(), self.fill(value)?);
                }
                Value::Object(made)
            }
            other => other.clone(),
        })
    }

    fn text(&self, text: &str) -> Result<Value> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, tail) = after
                .split_once('}')
                .ok_or_else(|| Error::new(format!("'{text}' has a variable without an end")))?;
            let value = self
                .0
                .get(name)
                .ok_or_else(|| Error::new(format!("there is no variable '{name}'")))?;
            if before.is_empty() && tail.is_empty() && filled.is_empty() {
                return Ok(value.clone());
            }
            filled.push_str(before);
            match value {
                Value::String(text) => filled.push_str(text),
                other => filled.push_str(&other.to_string()),
            }
            rest = tail;
        }
        filled.push_str(rest);
        Ok(Value::from(filled))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn variables_are_filled_in_with_their_types() {
        let mut variables = Variables::default();
        variables.set("id", json!("ses_1"));
        variables.set("n", json!(7));
        let value = json!({"a": "${id}", "b": ["${n}", "x ${n} ${id}"], "${id}": null});
        let wanted = json!({"a": "ses_1", "b": [7, "x 7 ses_1"], "ses_1": null});
        assert_eq!(variables.fill(&value).unwrap(), wanted);
        let scripted = variables.fill(&json!({"$prompt": ["say", [{"text": "${n}"}]]})).unwrap();
        assert_eq!(scripted, json!("say @@[{\"text\":7}]"));
        assert!(variables.fill(&json!("${nope}")).is_err());
    }
}
