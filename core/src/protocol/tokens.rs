//! [`Tokens`]: how much a model read and wrote.

use crate::base::json::Object;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// Tokens by kind. As JSON it has a `total` too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Read by the model, without what came from a cache.
    pub input: u64,
    /// Written by the model.
    pub output: u64,
    /// Spent on thinking.
    pub reasoning: u64,
    /// Read from and written to the provider's cache.
    pub cache: CacheTokens,
}

/// Tokens of the provider's cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CacheTokens {
    /// Taken from the cache.
    pub read: u64,
    /// Put into the cache.
    pub write: u64,
}

impl Tokens {
    /// All of them together.
    pub fn total(&self) -> u64 {
        let kinds = [self.output, self.reasoning, self.cache.read, self.cache.write];
        kinds.into_iter().fold(self.input, u64::saturating_add)
    }

    /// Reads them however the provider wrote them; what is no number is none.
    pub(crate) fn read(raw: &RawValue) -> Self {
        let object = Object::read(raw).unwrap_or_default();
        let cache = object.object("cache").unwrap_or_default();
        Tokens {
            input: object.count("input"),
            output: object.count("output"),
            reasoning: object.count("reasoning"),
            cache: CacheTokens { read: cache.count("read"), write: cache.count("write") },
        }
    }

    pub(crate) fn add(&mut self, other: &Tokens) {
        for (sum, more) in [
            (&mut self.input, other.input),
            (&mut self.output, other.output),
            (&mut self.reasoning, other.reasoning),
            (&mut self.cache.read, other.cache.read),
            (&mut self.cache.write, other.cache.write),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}

impl Serialize for Tokens {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Tokens", 5)?;
        fields.serialize_field("input", &self.input)?;
        fields.serialize_field("output", &self.output)?;
        fields.serialize_field("reasoning", &self.reasoning)?;
        fields.serialize_field("total", &self.total())?;
        fields.serialize_field("cache", &self.cache)?;
        fields.end()
    }
}

impl<'de> Deserialize<'de> for Tokens {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|raw| Tokens::read(&raw))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_numbers_add_up_to_no_nonsense() {
        let read = |text: &str| serde_json::from_str::<Tokens>(text).unwrap();
        let huge =
            read(r#"{"input":9223372036854775808,"output":-4,"reasoning":"many","cache":7}"#);
        assert_eq!((huge.input, huge.output, huge.total()), (1 << 63, 0, 1 << 63));
        let mut sum = huge;
        sum.add(&huge);
        assert_eq!((sum.input, sum.total()), (u64::MAX, u64::MAX), "a sum does not wrap");
        assert_eq!(read("null"), Tokens::default());
        let json = serde_json::to_string(&read(r#"{"input":2.0,"cache":{"read":1}}"#)).unwrap();
        let wanted =
            r#"{"input":2,"output":0,"reasoning":0,"total":3,"cache":{"read":1,"write":0}}"#;
        assert_eq!(json, wanted);
    }
}
