//! [`Fields`]: the options of a binding, taken out of a JSON object one by one, each with its type.

use crate::base::depth::json_depth;
use crate::base::error::{Error, Result};
use crate::base::suggest::did_you_mean;
use serde_json::{Map, Value};
use std::time::Duration;

/// A tree of values takes fewer levels than this.
const TREE_DEPTH: usize = 128;

/// Takes fields out of a JSON object, each with its type.
pub(crate) struct Fields {
    what: &'static str,
    fields: Map<String, Value>,
}

impl Fields {
    /// An object whose names are all known. A null is the same as nothing in every host language.
    pub(crate) fn new(what: &'static str, json: &str, known: &[&'static str]) -> Result<Self> {
        let value = match json.trim() {
            "" => Value::Null,
            text => serde_json::from_str(text).map_err(|e| match json_depth(text.as_bytes()) {
                depth @ TREE_DEPTH.. => Error::invalid(format!(
                    "{what}: the options are nested {depth} levels deep; the limit is {}",
                    TREE_DEPTH - 1
                )),
                _ => Error::invalid(format!("{what}: the options are no JSON: {e}")),
            })?,
        };
        let mut fields = match value {
            Value::Null => Map::new(),
            Value::Object(fields) => fields,
            // What an empty table of Lua becomes.
            Value::Array(items) if items.is_empty() => Map::new(),
            _ => return Err(Error::invalid(format!("{what}: the options must be an object"))),
        };
        fields.retain(|_, value| !value.is_null());
        match fields.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(Fields { what, fields }),
            Some(name) => {
                let near = did_you_mean(name, known.iter().copied());
                Err(Error::invalid(format!("{what}: unknown option '{name}'{near}")))
            }
        }
    }

    /// Whose options these are, for messages.
    pub(crate) fn what(&self) -> &'static str {
        self.what
    }

    pub(crate) fn value(&mut self, name: &str) -> Option<Value> {
        self.fields.remove(name)
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>> {
        match self.fields.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(name, "a text", &other)),
        }
    }

    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Value>> {
        match self.fields.remove(name) {
            None => Ok(None),
            Some(value @ Value::Object(_)) => Ok(Some(value)),
            Some(other) => Err(self.wrong(name, "an object", &other)),
        }
    }

    pub(crate) fn flag(&mut self, name: &str) -> Result<Option<bool>> {
        match self.fields.remove(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(other) => Err(self.wrong(name, "true or false", &other)),
        }
    }

    pub(crate) fn number(&mut self, name: &str) -> Result<Option<f64>> {
        match self.fields.remove(name) {
            None => Ok(None),
            Some(value) => match value.as_f64().filter(|n| n.is_finite() && *n >= 0.0) {
                Some(number) => Ok(Some(number)),
                None => Err(self.wrong(name, "a number that is not negative", &value)),
            },
        }
    }

    pub(crate) fn count(&mut self, name: &str) -> Result<Option<u32>> {
        // Saturates: a bound beyond four thousand million is no bound.
        Ok(self.number(name)?.map(|number| number as u32))
    }

    pub(crate) fn time(&mut self, name: &str) -> Result<Option<Duration>> {
        // A century: later times would overflow the clock.
        const MAX_MS: f64 = 3.2e12;
        Ok(self.number(name)?.map(|ms| Duration::from_millis(ms.min(MAX_MS) as u64)))
    }

    fn wrong(&self, name: &str, wanted: &str, value: &Value) -> Error {
        let what = self.what;
        if name == "password" {
            return Error::invalid(format!("{what}: {name} must be {wanted}"));
        }
        Error::invalid(format!("{what}: {name} must be {wanted}, not {value}"))
    }
}
