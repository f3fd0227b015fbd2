//! JSON to Python objects in one pass: without a tree in between, and without recursion, so that neither a small stack
//! nor a deeply nested value ends the program.

mod keys;
mod pause;
mod text;

use keys::Keys;
use opencode_core::MAX_HANDED_DEPTH;
use pause::Pause;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString};
use text::{Number, Text, number, text};

/// One JSON document as Python objects.
///
/// # Errors
/// The reason in one line when it is no JSON, or nested too deeply.
pub(crate) fn decode<'py>(py: Python<'py>, json: &[u8]) -> Result<Bound<'py, PyAny>, String> {
    let json = std::str::from_utf8(json).map_err(|e| e.to_string())?;
    Decoder::new(py).decode(json)
}

/// Reads documents one after the other: what it needs is made once.
pub(crate) struct Decoder<'py> {
    py: Python<'py>,
    keys: Keys<'py>,
    /// What is not finished, from the outside in.
    open: Vec<Open<'py>>,
}

impl<'py> Decoder<'py> {
    pub(crate) fn new(py: Python<'py>) -> Self {
        Decoder { py, keys: Keys::new(py), open: Vec::new() }
    }

    /// A text that comes again and again.
    pub(crate) fn key(&mut self, text: &str) -> Bound<'py, PyString> {
        self.keys.object(text)
    }

    /// One document.
    ///
    /// # Errors
    /// As those of [`decode`].
    pub(crate) fn decode(&mut self, json: &str) -> Result<Bound<'py, PyAny>, String> {
        let Decoder { py, keys, open } = self;
        let py = *py;
        let _pause = Pause::begin_for(py, json.len());
        open.clear();
        let mut reader = Reader { json, at: 0 };
        loop {
            let mut value = match reader.begin()? {
                Begun::List => {
                    nest(open, Open::List(PyList::empty(py)))?;
                    continue;
                }
                Begun::Dict => {
                    let key = reader.key(keys)?;
                    nest(open, Open::Dict(PyDict::new(py), key))?;
                    continue;
                }
                Begun::EmptyList => PyList::empty(py).into_any(),
                Begun::EmptyDict => PyDict::new(py).into_any(),
                Begun::Text(text) => PyString::new(py, text.as_str()).into_any(),
                Begun::Number(Number::Small(number)) => PyInt::new(py, number).into_any(),
                Begun::Number(Number::Large(digits)) => {
                    let made = py.get_type::<PyInt>().call1((digits,));
                    made.map_err(|_| format!("a number of {} digits is too long", digits.len()))?
                }
                Begun::Number(Number::Float(number)) => PyFloat::new(py, number).into_any(),
                Begun::Bool(flag) => PyBool::new(py, flag).to_owned().into_any(),
                Begun::Null => py.None().into_bound(py),
            };
            // The value goes where it belongs, and may be the last one there.
            loop {
                let Some(inner) = open.last_mut() else {
                    reader.end()?;
                    return Ok(value);
                };
                let is_closed = match inner {
                    Open::List(list) => {
                        list.append(&value).map_err(|e| e.to_string())?;
                        reader.closes(b']')?
                    }
                    Open::Dict(dict, key) => {
                        dict.set_item(&*key, &value).map_err(|e| e.to_string())?;
                        let is_closed = reader.closes(b'}')?;
                        if !is_closed {
                            *key = reader.key(keys)?;
                        }
                        is_closed
                    }
                };
                if !is_closed {
                    break;
                }
                value = match open.pop() {
                    Some(Open::List(list)) => list.into_any(),
                    Some(Open::Dict(dict, _)) => dict.into_any(),
                    None => return Err(reader.wrong("nothing is open")),
                };
            }
        }
    }
}

/// A list or a dict that is not finished; a dict with the key of the value that comes next.
enum Open<'py> {
    List(Bound<'py, PyList>),
    Dict(Bound<'py, PyDict>, Bound<'py, PyString>),
}

fn nest<'py>(open: &mut Vec<Open<'py>>, inner: Open<'py>) -> Result<(), String> {
    if open.len() >= MAX_HANDED_DEPTH {
        return Err(format!("it is nested more than {MAX_HANDED_DEPTH} levels deep"));
    }
    open.push(inner);
    Ok(())
}

/// What a value begins with; a text, a number and what is empty are whole at once.
enum Begun<'a> {
    List,
    EmptyList,
    /// Its first key comes next.
    Dict,
    EmptyDict,
    Text(Text<'a>),
    Number(Number<'a>),
    Bool(bool),
    Null,
}

struct Reader<'a> {
    json: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn begin(&mut self) -> Result<Begun<'a>, String> {
        match self.peek() {
            Some(b'[') => {
                self.at += 1;
                Ok(if self.takes(b']') { Begun::EmptyList } else { Begun::List })
            }
            Some(b'{') => {
                self.at += 1;
                Ok(if self.takes(b'}') { Begun::EmptyDict } else { Begun::Dict })
            }
            Some(b'"') => self.text().map(Begun::Text),
            Some(b'-' | b'0'..=b'9') => {
                let (found, length) = number(self.rest()).ok_or_else(|| self.wrong("a number"))?;
                self.at += length;
                Ok(Begun::Number(found))
            }
            _ => {
                for (word, made) in [
                    (&b"true"[..], Begun::Bool(true)),
                    (b"false", Begun::Bool(false)),
                    (b"null", Begun::Null),
                ] {
                    if self.rest().starts_with(word) {
                        self.at += word.len();
                        return Ok(made);
                    }
                }
                Err(self.wrong("a value"))
            }
        }
    }

    fn text(&mut self) -> Result<Text<'a>, String> {
        let (found, length) = text(self.json, self.at).ok_or_else(|| self.wrong("a text"))?;
        self.at += length;
        Ok(found)
    }

    /// A key with the colon behind it.
    fn key<'py>(&mut self, keys: &mut Keys<'py>) -> Result<Bound<'py, PyString>, String> {
        if self.peek() != Some(b'"') {
            return Err(self.wrong("a key"));
        }
        let key = self.text()?;
        if !self.takes(b':') {
            return Err(self.wrong("':'"));
        }
        Ok(keys.object(key.as_str()))
    }

    fn rest(&self) -> &'a [u8] {
        self.json.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// Whether a list or dict ends here; otherwise a comma says that it goes on.
    fn closes(&mut self, end: u8) -> Result<bool, String> {
        if self.takes(end) {
            return Ok(true);
        }
        if self.takes(b',') {
            return Ok(false);
        }
        Err(self.wrong(&format!("',' or '{}'", char::from(end))))
    }

    fn end(&mut self) -> Result<(), String> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.wrong("the end")),
        }
    }

    fn takes(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.json.as_bytes().get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    fn wrong(&self, wanted: &str) -> String {
        format!("no JSON at byte {}: expected {wanted}", self.at)
    }
}
