//! JSON to Python objects in one pass, without a tree in between.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString};
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::cell::RefCell;

/// Slots of the cache of keys: the same few names come thousands of times.
const SLOTS: usize = 1024;
const LONGEST_CACHED: usize = 64;

/// One JSON document as Python objects.
///
/// # Errors
/// The reason in one line when it is no JSON.
pub(crate) fn decode<'py>(py: Python<'py>, json: &[u8]) -> Result<Bound<'py, PyAny>, String> {
    let context = Context { py, keys: RefCell::new(Vec::new()) };
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let value = Item(&context).deserialize(&mut deserializer).map_err(|e| e.to_string())?;
    deserializer.end().map_err(|e| e.to_string())?;
    Ok(value)
}

struct Context<'py> {
    py: Python<'py>,
    keys: RefCell<Vec<Slot<'py>>>,
}

/// A key and the object made of it.
type Slot<'py> = Option<(Box<str>, Bound<'py, PyString>)>;

impl<'py> Context<'py> {
    fn key(&self, text: &str) -> Bound<'py, PyString> {
        if text.len() > LONGEST_CACHED {
            return PyString::new(self.py, text);
        }
        let mut keys = self.keys.borrow_mut();
        if keys.is_empty() {
            keys.resize_with(SLOTS, || None);
        }
        let slot = &mut keys[hash(text.as_bytes()) % SLOTS];
        if let Some((known, object)) = slot
            && &**known == text
        {
            return object.clone();
        }
        let object = PyString::new(self.py, text);
        *slot = Some((text.into(), object.clone()));
        object
    }
}

fn hash(bytes: &[u8]) -> usize {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ bytes.len() as u64;
    for &byte in bytes {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    (hash ^ (hash >> 29)) as usize
}

#[derive(Clone, Copy)]
struct Item<'a, 'py>(&'a Context<'py>);

impl<'de, 'py> DeserializeSeed<'de> for Item<'_, 'py> {
    type Value = Bound<'py, PyAny>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, 'py> Visitor<'de> for Item<'_, 'py> {
    type Value = Bound<'py, PyAny>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(self.0.py.None().into_bound(self.0.py))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(PyBool::new(self.0.py, value).to_owned().into_any())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(PyInt::new(self.0.py, value).into_any())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(PyInt::new(self.0.py, value).into_any())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(PyFloat::new(self.0.py, value).into_any())
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(PyString::new(self.0.py, value).into_any())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let list = PyList::empty(self.0.py);
        while let Some(item) = items.next_element_seed(self)? {
            list.append(item).map_err(de::Error::custom)?;
        }
        Ok(list.into_any())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let dict = PyDict::new(self.0.py);
        while let Some(key) = fields.next_key_seed(Key(self.0))? {
            let value = fields.next_value_seed(self)?;
            dict.set_item(key, value).map_err(de::Error::custom)?;
        }
        Ok(dict.into_any())
    }
}

struct Key<'a, 'py>(&'a Context<'py>);

impl<'de, 'py> DeserializeSeed<'de> for Key<'_, 'py> {
    type Value = Bound<'py, PyString>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'py> Visitor<'_> for Key<'_, 'py> {
    type Value = Bound<'py, PyString>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(self.0.key(value))
    }
}
