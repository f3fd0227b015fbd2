//! Python objects to JSON. What has no clear meaning in JSON is refused, with the path to it.

use opencode_core::MAX_DEPTH;
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple, PyType};
use std::fmt::Write as _;

/// One object as JSON text, without recursion: a small stack takes what is nested deeply too.
///
/// # Errors
/// A one-line text that names the place of what cannot be sent.
pub(crate) fn encode(value: &Bound<'_, PyAny>) -> Result<String, String> {
    let mut encoder = Encoder { out: String::new(), path: String::new() };
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut next = Some(value.clone());
    loop {
        if let Some(value) = next.take()
            && let Some(items) = encoder.value(value, CONVERSIONS)?
        {
            if open.len() >= MAX_DEPTH {
                return Err(
                    encoder.wrong("an object that is nested too deeply, or contains itself")
                );
            }
            encoder.out.push(if items.is_dict { '{' } else { '[' });
            open.push(Open { items, index: 0, path: encoder.path.len() });
        }
        let Some(inner) = open.last_mut() else { return Ok(encoder.out) };
        encoder.path.truncate(inner.path);
        // What other threads take away meanwhile is not there any more.
        let Ok(item) = inner.items.list.get_item(inner.index) else {
            encoder.out.push(if inner.items.is_dict { '}' } else { ']' });
            open.pop();
            continue;
        };
        if inner.index > 0 {
            encoder.out.push(',');
        }
        next = Some(if inner.items.is_dict {
            encoder.key(&item)?
        } else {
            let _ = write!(encoder.path, "[{}]", inner.index);
            item
        });
        inner.index += 1;
    }
}

/// How often what a value stands for may stand for something else, as an `Enum` of dates does.
const CONVERSIONS: u8 = 4;

/// What an object holds: its items, or the pairs of a dict.
struct Items<'py> {
    list: Bound<'py, PyList>,
    is_dict: bool,
}

/// An object that is written, up to one of its items.
struct Open<'py> {
    items: Items<'py>,
    index: usize,
    /// The length of the path to it.
    path: usize,
}

struct Encoder {
    out: String,
    path: String,
}

impl Encoder {
    /// Writes what holds nothing, and gives the items of what does.
    fn value<'py>(
        &mut self,
        value: Bound<'py, PyAny>,
        conversions: u8,
    ) -> Result<Option<Items<'py>>, String> {
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
            return Ok(Some(Items { list: dict.items(), is_dict: true }));
        } else if let Ok(list) = value.cast::<PyList>() {
            return Ok(Some(Items { list: list.clone(), is_dict: false }));
        } else if let Ok(tuple) = value.cast::<PyTuple>() {
            return Ok(Some(Items { list: tuple.to_list(), is_dict: false }));
        } else {
            return self.other(&value, conversions);
        }
        Ok(None)
    }

    /// Integers of Python have no bounds, and neither have those of JSON. An `IntEnum` prints its name.
    fn integer(&mut self, number: &Bound<'_, PyInt>) -> Result<(), String> {
        let py = number.py();
        let digits = py.get_type::<PyInt>().call_method1(intern!(py, "__repr__"), (number,));
        let digits = digits.and_then(|digits| digits.extract::<String>());
        self.out.push_str(&digits.map_err(|e| self.wrong(&e.to_string()))?);
        Ok(())
    }

    /// Paths are texts, mappings are dicts, and some objects stand for something else; the others are mistakes.
    fn other<'py>(
        &mut self,
        value: &Bound<'py, PyAny>,
        conversions: u8,
    ) -> Result<Option<Items<'py>>, String> {
        let py = value.py();
        if is_null(value) {
            self.out.push_str("null");
            return Ok(None);
        }
        if let Ok(path) = value.call_method0(intern!(py, "__fspath__")) {
            let text = path.cast::<PyString>();
            let text = text.map_err(|_| self.wrong("a path that is no text"))?;
            self.string(text)?;
            return Ok(None);
        }
        if let Ok(mapping) = value.cast::<PyMapping>() {
            let dict = PyDict::new(py);
            dict.update(mapping).map_err(|error| self.wrong(&error.to_string()))?;
            return Ok(Some(Items { list: dict.items(), is_dict: true }));
        }
        if conversions > 0 && value.cast::<PyType>().is_err() {
            if let Some(digits) = decimal(value).map_err(|error| self.wrong(&said(py, &error)))? {
                self.out.push_str(&digits);
                return Ok(None);
            }
            if let Some(plain) = plain(value).map_err(|error| self.wrong(&said(py, &error)))? {
                return self.value(plain, conversions - 1);
            }
        }
        let name = value.get_type().name().map_or_else(|_| "object".to_owned(), |n| n.to_string());
        Err(self.wrong(&format!("an object of type {name}")))
    }

    /// Writes the key of a pair, and gives its value.
    fn key<'py>(&mut self, pair: &Bound<'py, PyAny>) -> Result<Bound<'py, PyAny>, String> {
        let (key, value): (Bound<'py, PyAny>, Bound<'py, PyAny>) =
            pair.extract().map_err(|_| self.wrong("a dict without pairs"))?;
        let Ok(key) = key.cast_into::<PyString>() else {
            return Err(self.wrong("a dict with keys that are no texts"));
        };
        self.string(&key)?;
        self.out.push(':');
        let _ = write!(self.path, ".{key}");
        Ok(value)
    }

    fn string(&mut self, text: &Bound<'_, PyString>) -> Result<(), String> {
        let text = text.to_cow().map_err(|_| self.wrong("text with a lone surrogate"))?;
        opencode_core::write_text(&mut self.out, &text);
        Ok(())
    }

    fn wrong(&self, what: &str) -> String {
        const SHOWN: usize = 100;
        let path = self.path.trim_start_matches('.');
        let path = match path.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{}...", &path[..end]),
            None => path.to_owned(),
        };
        let place = if path.is_empty() { String::new() } else { format!("{path}: ") };
        format!("{place}{what} cannot be sent as JSON")
    }
}

/// What an error of Python says, in one line.
fn said(py: Python<'_>, error: &PyErr) -> String {
    error.value(py).to_string().lines().next().unwrap_or_default().to_owned()
}

/// What an object stands for: a model of Pydantic or a dataclass for its fields, an `Enum` for its value, a date or time
/// for its text of ISO 8601, a number or array of NumPy or pandas for numbers of Python.
fn plain<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = value.py();
    let class = value.get_type();
    if class.hasattr(intern!(py, "model_dump"))? {
        let how = PyDict::new(py);
        how.set_item("mode", "json")?;
        how.set_item("by_alias", true)?;
        return value.call_method(intern!(py, "model_dump"), (), Some(&how)).map(Some);
    }
    if class.hasattr(intern!(py, "__dataclass_fields__"))? {
        let fields = PyDict::new(py);
        for field in py.import("dataclasses")?.call_method1("fields", (value,))?.try_iter()? {
            let name = field?.getattr("name")?.cast_into::<PyString>()?;
            fields.set_item(&name, value.getattr(&name)?)?;
        }
        return Ok(Some(fields.into_any()));
    }
    let has = |name: &Bound<'py, PyString>| class.hasattr(name);
    if has(intern!(py, "tolist"))? && has(intern!(py, "dtype"))? {
        return value.call_method0(intern!(py, "tolist")).map(Some);
    }
    if has(intern!(py, "isoformat"))? {
        return value.call_method0(intern!(py, "isoformat")).map(Some);
    }
    match value.is_instance(&py.import("enum")?.getattr("Enum")?)? {
        true => value.getattr("value").map(Some),
        false => Ok(None),
    }
}

/// What a value stands for, where something else than JSON is made of it; most values stand for themselves.
#[pyfunction]
#[pyo3(name = "plain")]
pub(crate) fn stands_for<'py>(value: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let mut value = value;
    for _ in 0..CONVERSIONS {
        // An `Enum` of texts or numbers is one of these too, and prints its name.
        match plain(&value)? {
            Some(other) => value = other,
            None => break,
        }
    }
    Ok(value)
}

/// The digits of a `Decimal`, which are a number of JSON as they are.
fn decimal(value: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    let py = value.py();
    let class = value.get_type();
    if !class.hasattr(intern!(py, "as_tuple"))? || !class.hasattr(intern!(py, "is_finite"))? {
        return Ok(None);
    }
    match value.call_method0(intern!(py, "is_finite"))?.is_truthy()? {
        true => Ok(Some(value.str()?.to_string())),
        false => Err(PyValueError::new_err("a number that is not finite")),
    }
}

/// Whether it is `libopencode.NULL`.
fn is_null(value: &Bound<'_, PyAny>) -> bool {
    static NULL: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = value.py();
    let null = NULL.get_or_try_init(py, || {
        PyResult::Ok(py.import("libopencode._namespace")?.getattr("NULL")?.unbind())
    });
    null.is_ok_and(|null| value.is(null))
}
