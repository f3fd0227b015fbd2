//! Lua values to JSON. What has no clear meaning in JSON is refused, with the path to it.

use crate::decode::array_metatable;
use mlua::{Lua, Table, Value};
use std::fmt::Write as _;

const MAX_DEPTH: usize = 100;

/// One Lua value as JSON text. An empty table is an object, unless it came from the server as a list or was
/// marked by `opencode.array`.
///
/// # Errors
/// A one-line text that names the place of what cannot be sent.
pub(crate) fn encode(lua: &Lua, value: &Value) -> Result<String, String> {
    let metatable = array_metatable(lua).map_err(|e| e.to_string())?;
    let mut encoder = Encoder { out: String::new(), path: String::new(), metatable };
    encoder.value(value, 0)?;
    Ok(encoder.out)
}

struct Encoder {
    out: String,
    path: String,
    metatable: Table,
}

impl Encoder {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), String> {
        match value {
            Value::Nil => self.out.push_str("null"),
            value if *value == Value::NULL => self.out.push_str("null"),
            Value::Boolean(flag) => self.out.push_str(if *flag { "true" } else { "false" }),
            Value::Integer(number) => {
                let _ = write!(self.out, "{number}");
            }
            Value::Number(number) => self.number(*number)?,
            Value::String(text) => {
                let text = text.to_str().map_err(|_| self.wrong("text that is not UTF-8"))?;
                self.text(&text);
            }
            Value::Table(table) => self.table(table, depth)?,
            other => return Err(self.wrong(&format!("a {}", other.type_name()))),
        }
        Ok(())
    }

    fn number(&mut self, number: f64) -> Result<(), String> {
        if !number.is_finite() {
            return Err(self.wrong("a number that is not finite"));
        }
        // Lua 5.1 and LuaJIT have no integers: what looks like one is one.
        if number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0 {
            let _ = write!(self.out, "{}", number as i64);
        } else {
            let _ = write!(self.out, "{number:?}");
        }
        Ok(())
    }

    fn text(&mut self, text: &str) {
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
    }

    fn table(&mut self, table: &Table, depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err(self.wrong("a table that is nested too deeply, or contains itself"));
        }
        let is_marked = table.metatable().is_some_and(|m| m == self.metatable);
        let length = table.raw_len();
        if is_marked || length > 0 {
            return self.array(table, length, depth);
        }
        self.out.push('{');
        let mut is_first = true;
        for pair in table.pairs::<Value, Value>() {
            let (key, value) = pair.map_err(|e| self.wrong(&e.to_string()))?;
            let Value::String(key) = &key else {
                return Err(self.wrong("a table with keys that are neither texts nor 1, 2, 3 ..."));
            };
            let key = key.to_str().map_err(|_| self.wrong("a key that is not UTF-8"))?;
            if !std::mem::take(&mut is_first) {
                self.out.push(',');
            }
            self.text(&key);
            self.out.push(':');
            self.inside(&format!(".{}", &*key), &value, depth)?;
        }
        self.out.push('}');
        Ok(())
    }

    fn array(&mut self, table: &Table, length: usize, depth: usize) -> Result<(), String> {
        let mut count = 0;
        for pair in table.pairs::<Value, Value>() {
            let (key, _) = pair.map_err(|e| self.wrong(&e.to_string()))?;
            let index = match key {
                Value::Integer(index) => Some(index as f64),
                Value::Number(index) => Some(index),
                _ => None,
            };
            if !index.is_some_and(|i| i.fract() == 0.0 && i >= 1.0 && i <= length as f64) {
                return Err(self.wrong("a table that is a list and has other keys too"));
            }
            count += 1;
        }
        if count != length {
            return Err(self.wrong("a list with holes; use opencode.null for them"));
        }
        self.out.push('[');
        for index in 1..=length {
            if index > 1 {
                self.out.push(',');
            }
            let value: Value = table.raw_get(index).map_err(|e| self.wrong(&e.to_string()))?;
            self.inside(&format!("[{index}]"), &value, depth)?;
        }
        self.out.push(']');
        Ok(())
    }

    fn inside(&mut self, step: &str, value: &Value, depth: usize) -> Result<(), String> {
        let length = self.path.len();
        self.path.push_str(step);
        self.value(value, depth + 1)?;
        self.path.truncate(length);
        Ok(())
    }

    fn wrong(&self, what: &str) -> String {
        let path = self.path.trim_start_matches('.');
        let place = if path.is_empty() { String::new() } else { format!("{path}: ") };
        format!("{place}{what} cannot be sent as JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(expression: &str) -> Result<String, String> {
        let lua = Lua::new();
        lua.globals().set("null", Value::NULL).unwrap();
        lua.globals().set("mt", array_metatable(&lua).unwrap()).unwrap();
        let value: Value = lua.load(format!("return {expression}")).eval().unwrap();
        encode(&lua, &value)
    }

    #[test]
    fn values_become_json() {
        assert_eq!(encoded("{1, 2.5, 'x', true, null}").unwrap(), r#"[1,2.5,"x",true,null]"#);
        assert_eq!(encoded("{a = {b = {}}}").unwrap(), r#"{"a":{"b":{}}}"#);
        assert_eq!(encoded("setmetatable({}, mt)").unwrap(), "[]");
        assert_eq!(encoded("'\\1\"\\\\\\n\u{e4}'").unwrap(), "\"\\u0001\\\"\\\\\\nä\"");
        assert_eq!(encoded("1e300").unwrap(), "1e300");
        assert_eq!(encoded("3.0").unwrap(), "3");
    }

    #[test]
    fn what_has_no_meaning_is_refused_with_its_place() {
        for (expression, place) in [
            ("{a = {1, 2, x = 3}}", "a: a table that is a list"),
            ("{1, 2, nil, 4}", "holes"),
            ("{a = {b = print}}", "a.b: a function"),
            ("{0/0}", "[1]: a number that is not finite"),
            ("{a = '\\255'}", "a: text that is not UTF-8"),
            ("{[1.5] = 1}", "keys"),
            ("(function() local t = {}; t.t = t; return t end)()", "contains itself"),
        ] {
            let error = encoded(expression).unwrap_err();
            assert!(error.contains(place), "{expression}: {error}");
        }
    }

    #[test]
    fn what_came_goes_back_unchanged() {
        let lua = Lua::new();
        for json in [r#"{"a":[],"b":{},"c":[1,[2,[]]]}"#, "[]", "\"x\"", "[[null]]"] {
            let value = crate::decode::decode(&lua, json.as_bytes()).unwrap();
            let back: serde_json::Value =
                serde_json::from_str(&encode(&lua, &value).unwrap()).unwrap();
            assert_eq!(back, serde_json::from_str::<serde_json::Value>(json).unwrap());
        }
    }
}
