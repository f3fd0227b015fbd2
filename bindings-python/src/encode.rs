//! Python objects to JSON. What has no clear meaning in JSON is refused, with the path to it.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple};
use std::fmt::Write as _;

const MAX_DEPTH: usize = 100;

/// One object as JSON text.
///
/// # Errors
/// A one-line text that names the place of what cannot be sent.
pub(crate) fn encode(value: &Bound<'_, PyAny>) -> Result<String, String> {
    let mut encoder = Encoder { out: String::new(), path: String::new() };
    encoder.value(value, 0)?;
    Ok(encoder.out)
}

struct Encoder {
    out: String,
    path: String,
}

impl Encoder {
    fn value(&mut self, value: &Bound<'_, PyAny>, depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err(self.wrong("an object that is nested too deeply, or contains itself"));
        }
        if value.is_none() {
            self.out.push_str("null");
        } else if let Ok(text) = value.cast::<PyString>() {
            self.string(text)?;
        } else if let Ok(flag) = value.cast::<PyBool>() {
            self.out.push_str(if flag.is_true() { "true" } else { "false" });
        } else if let Ok(number) = value.cast::<PyInt>() {
            self.integer(number)?;
        } else if let Ok(number) = value.cast::<PyFloat>() {
            let number = number.value();
            if !number.is_finite() {
                return Err(self.wrong("a number that is not finite"));
            }
            let _ = write!(self.out, "{number:?}");
        } else if let Ok(dict) = value.cast::<PyDict>() {
            self.dict(dict, depth)?;
        } else if let Ok(list) = value.cast::<PyList>() {
            self.items(list.iter(), depth)?;
        } else if let Ok(tuple) = value.cast::<PyTuple>() {
            self.items(tuple.iter(), depth)?;
        } else {
            self.other(value, depth)?;
        }
        Ok(())
    }

    /// Integers of Python have no bounds, and neither have those of JSON. An `IntEnum` prints its name.
    fn integer(&mut self, number: &Bound<'_, PyInt>) -> Result<(), String> {
        let py = number.py();
        let digits = py.get_type::<PyInt>().call_method1(intern!(py, "__repr__"), (number,));
        let digits = digits.and_then(|digits| digits.extract::<String>());
        self.out.push_str(&digits.map_err(|e| self.wrong(&e.to_string()))?);
        Ok(())
    }

    /// Paths are texts, and mappings are dicts; everything else is a mistake.
    fn other(&mut self, value: &Bound<'_, PyAny>, depth: usize) -> Result<(), String> {
        let py = value.py();
        if is_null(value) {
            self.out.push_str("null");
            return Ok(());
        }
        if let Ok(path) = value.call_method0(intern!(py, "__fspath__")) {
            return self.value(&path, depth + 1);
        }
        if let Ok(mapping) = value.cast::<PyMapping>() {
            let dict = PyDict::new(py);
            return match dict.update(mapping) {
                Ok(()) => self.dict(&dict, depth),
                Err(error) => Err(self.wrong(&error.to_string())),
            };
        }
        let name = value.get_type().name().map_or_else(|_| "object".to_owned(), |n| n.to_string());
        Err(self.wrong(&format!("an object of type {name}")))
    }

    fn dict(&mut self, dict: &Bound<'_, PyDict>, depth: usize) -> Result<(), String> {
        self.out.push('{');
        for (index, (key, value)) in dict.iter().enumerate() {
            let Ok(key) = key.cast::<PyString>() else {
                return Err(self.wrong("a dict with keys that are no texts"));
            };
            if index > 0 {
                self.out.push(',');
            }
            self.string(key)?;
            self.out.push(':');
            let step = format!(".{key}");
            self.inside(&step, &value, depth)?;
        }
        self.out.push('}');
        Ok(())
    }

    fn items<'py>(
        &mut self,
        items: impl Iterator<Item = Bound<'py, PyAny>>,
        depth: usize,
    ) -> Result<(), String> {
        self.out.push('[');
        for (index, item) in items.enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            self.inside(&format!("[{index}]"), &item, depth)?;
        }
        self.out.push(']');
        Ok(())
    }

    fn inside(&mut self, step: &str, value: &Bound<'_, PyAny>, depth: usize) -> Result<(), String> {
        let length = self.path.len();
        self.path.push_str(step);
        self.value(value, depth + 1)?;
        self.path.truncate(length);
        Ok(())
    }

    fn string(&mut self, text: &Bound<'_, PyString>) -> Result<(), String> {
        let text = text.to_cow().map_err(|_| self.wrong("text with a lone surrogate"))?;
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                c if c < ' ' => {
                    let _ = write!(self.out, "\\u{:04x}", c as u32);
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
        Ok(())
    }

    fn wrong(&self, what: &str) -> String {
        let path = self.path.trim_start_matches('.');
        let place = if path.is_empty() { String::new() } else { format!("{path}: ") };
        format!("{place}{what} cannot be sent as JSON")
    }
}

/// Whether it is `opencode.NULL`.
fn is_null(value: &Bound<'_, PyAny>) -> bool {
    static NULL: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = value.py();
    let null = NULL.get_or_try_init(py, || {
        PyResult::Ok(py.import("opencode._client")?.getattr("NULL")?.unbind())
    });
    null.is_ok_and(|null| value.is(null))
}
