//! [`Ids`]: the ids that a client chose when it was recorded, and those that it chooses now.

use serde_json::Value;

/// Pairs of both.
#[derive(Default)]
pub(super) struct Ids {
    pairs: Vec<(String, String)>,
}

impl Ids {
    /// Notes the ids of a request, as it was and as it is.
    pub(super) fn learn(&mut self, old: &Value, new: &Value) {
        let (mut before, mut now) = (Vec::new(), Vec::new());
        collect(old, &mut before);
        collect(new, &mut now);
        for pair in before.into_iter().zip(now).filter(|(old, new)| old != new) {
            if !self.pairs.contains(&pair) {
                self.pairs.push(pair);
            }
        }
    }

    /// What was recorded, in the words of now.
    pub(super) fn renamed(&self, text: &str) -> String {
        self.pairs.iter().fold(text.to_owned(), |text, (old, new)| text.replace(old, new))
    }

    /// What is asked for now, in the words of then.
    pub(super) fn recorded(&self, text: &str) -> String {
        self.pairs.iter().fold(text.to_owned(), |text, (old, new)| text.replace(new, old))
    }
}

/// The ids that a client chose, in their order.
fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if ["msg_", "prt_", "run_"].iter().any(|b| text.starts_with(b)) => {
            found.push(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(fields) => fields.values().for_each(|value| collect(value, found)),
        _ => {}
    }
}
