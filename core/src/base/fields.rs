//! [`Fields`]: the options of a binding, taken out of a JSON object one by one, each with its type.

use crate::base::depth::{check_given, json_depth};
use crate::base::error::{Error, Result};
use crate::base::host_names::OptionNames;
use crate::base::json::{Json, Object, is_null, list};
use crate::base::limits::milliseconds;
use crate::base::suggest::did_you_mean;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// A tree of values takes fewer levels than this.
const TREE_DEPTH: usize = 128;

/// Takes fields out of a JSON object, each with its type.
pub(crate) struct Fields {
    what: &'static str,
    names: OptionNames,
    fields: BTreeMap<String, Json>,
}

impl Fields {
    /// An object whose names are all known. A null is the same as nothing in every host language.
    pub(crate) fn new(what: &'static str, json: &str, names: &OptionNames) -> Result<Self> {
        Fields::beside(&[], what, json, names)
    }

    /// The same beside arguments that are no options.
    pub(crate) fn beside(
        arguments: &[&str],
        what: &'static str,
        json: &str,
        names: &OptionNames,
    ) -> Result<Self> {
        let known = || arguments.iter().chain(names.core).copied();
        let text = if json.trim().is_empty() { "{}" } else { json };
        check_given(what, text)?;
        let raw: &RawValue = serde_json::from_str(text)
            .map_err(|e| Error::invalid(format!("{what}: the options are no JSON: {e}")))?;
        let fields = match raw.get().as_bytes().first() {
            Some(b'{') => Object::read(raw),
            Some(b'n') => Some(Object::default()),
            // What an empty table of Lua becomes.
            _ => list(raw).filter(Vec::is_empty).map(|_| Object::default()),
        };
        let Some(fields) = fields else {
            return Err(Error::invalid(format!("{what}: the options must be an object")));
        };
        let fields: BTreeMap<String, Json> = (fields.fields())
            .filter(|(_, value)| !is_null(value))
            .map(|(name, value)| (name.to_owned(), Json::from(value)))
            .collect();
        match fields.keys().find(|name| !known().any(|known| known == name.as_str())) {
            None => Ok(Fields { what, names: *names, fields }),
            Some(name) => {
                let near = did_you_mean(name, known().map(|known| names.shown(known)));
                Err(Error::invalid(format!("{what}: unknown option '{name}'{near}")))
            }
        }
    }

    /// Whose options these are, for messages.
    pub(crate) fn what(&self) -> &'static str {
        self.what
    }

    /// A value as it was written, of any depth.
    pub(crate) fn json(&mut self, name: &str) -> Option<Json> {
        self.fields.remove(name)
    }

    /// An object as it was written, of any depth.
    pub(crate) fn object_json(&mut self, name: &str) -> Result<Option<Json>> {
        match self.json(name) {
            Some(other) if !other.is_object() => Err(self.wrong(name, "an object", &other)),
            found => Ok(found),
        }
    }

    /// A value as a tree.
    pub(crate) fn value(&mut self, name: &str) -> Result<Option<Value>> {
        let Some(json) = self.json(name) else { return Ok(None) };
        json.read().map(Some).map_err(|e| match json_depth(json.get().as_bytes()) {
            depth @ TREE_DEPTH.. => Error::invalid(format!(
                "{} is nested {depth} levels deep; the limit is {}",
                self.named(name),
                TREE_DEPTH - 1
            )),
            _ => Error::invalid(format!("{} is no JSON that can be read: {e}", self.named(name))),
        })
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>> {
        match self.value(name)? {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(name, "a text", &other)),
        }
    }

    /// A list of texts. An error does not show it: an argument of a command may be a secret.
    pub(crate) fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>> {
        let Some(value) = self.value(name)? else { return Ok(None) };
        let texts = match &value {
            Value::Array(items) => {
                items.iter().map(|item| item.as_str().map(str::to_owned)).collect()
            }
            // What an empty table of Lua becomes.
            Value::Object(fields) if fields.is_empty() => Some(Vec::new()),
            _ => None,
        };
        let wrong = || Error::invalid(format!("{} must be a list of texts", self.named(name)));
        texts.map(Some).ok_or_else(wrong)
    }

    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Value>> {
        match self.value(name)? {
            None => Ok(None),
            Some(value @ Value::Object(_)) => Ok(Some(value)),
            Some(other) => Err(self.wrong(name, "an object", &other)),
        }
    }

    pub(crate) fn flag(&mut self, name: &str) -> Result<Option<bool>> {
        match self.value(name)? {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(other) => Err(self.wrong(name, "true or false", &other)),
        }
    }

    pub(crate) fn number(&mut self, name: &str) -> Result<Option<f64>> {
        match self.value(name)? {
            None => Ok(None),
            Some(value) => match value.as_f64().filter(|n| n.is_finite() && *n >= 0.0) {
                Some(number) => Ok(Some(number)),
                None => Err(self.wrong(name, "a number that is not negative", &value)),
            },
        }
    }

    pub(crate) fn count(&mut self, name: &str) -> Result<Option<u32>> {
        // Saturates: a bound beyond four thousand million is no bound.
        Ok(self.whole(name)?.map(|number| u32::try_from(number).unwrap_or(u32::MAX)))
    }

    pub(crate) fn whole(&mut self, name: &str) -> Result<Option<u64>> {
        match self.number(name)? {
            Some(number) if number.fract() != 0.0 => {
                Err(self.wrong(name, "a whole number", &number))
            }
            // Saturates.
            number => Ok(number.map(|number| number as u64)),
        }
    }

    pub(crate) fn time(&mut self, name: &str) -> Result<Option<Duration>> {
        Ok(self.number(name)?.map(milliseconds))
    }

    fn wrong(&self, name: &str, wanted: &str, value: &dyn fmt::Display) -> Error {
        let named = self.named(name);
        if name == "password" {
            return Error::invalid(format!("{named} must be {wanted}"));
        }
        Error::invalid(format!("{named} must be {wanted}, not {value}"))
    }

    /// Whose option it is, and what the host calls it.
    pub(crate) fn named(&self, name: &str) -> String {
        format!("{}: {}", self.what, self.names.shown(name))
    }
}
