//! JSON to Lua values in one pass, without a tree in between.
//!
//! The text is parsed into a flat tape that borrows from it; then one protected section pushes the tape with
//! Lua's own functions. Nothing in that section has a destructor, so a jump out of it (out of memory) leaks
//! nothing.

use mlua::{Lua, Result, Table, Value, ffi};
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::ffi::{c_char, c_int};

const ARRAY_KEY: &str = "opencode.array";

/// The metatable that marks lists, so that an empty one stays a list when it is sent back.
pub(crate) fn array_metatable(lua: &Lua) -> Result<Table> {
    if let Some(known) = lua.named_registry_value::<Option<Table>>(ARRAY_KEY)? {
        return Ok(known);
    }
    let made = lua.create_table()?;
    made.set("__name", ARRAY_KEY)?;
    lua.set_named_registry_value(ARRAY_KEY, &made)?;
    Ok(made)
}

/// Whether the script may read it as a number without losing digits.
fn is_exact(number: i64) -> bool {
    cfg!(any(feature = "lua53", feature = "lua54", feature = "lua55"))
        || number.unsigned_abs() <= 1 << 53
}

/// One JSON document as a Lua value. `null` is nil, in a list [`Value::NULL`]; integers that a number of this
/// Lua cannot hold are strings.
///
/// # Errors
/// `SyntaxError` with a one-line text when it is no JSON, or nested deeper than 128 levels. All others are Lua's
/// own, such as that of a hook that ends the script: hand them on.
pub(crate) fn decode(lua: &Lua, json: &[u8]) -> Result<Value> {
    let mut tape = Tape { items: Vec::with_capacity(json.len() / 16), depth: 0, deepest: 0 };
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    Item(&mut tape).deserialize(&mut deserializer).and_then(|()| deserializer.end()).map_err(
        |e| mlua::Error::SyntaxError { message: e.to_string(), incomplete_input: e.is_eof() },
    )?;
    let metatable = array_metatable(lua)?;
    let (items, deepest) = (tape.items.as_slice(), tape.deepest);
    // SAFETY: the closure only pushes onto the stack, checks for room first, and owns nothing that would have
    // to be dropped when Lua jumps out of it; the tape lives outside.
    unsafe {
        lua.exec_raw::<Value>(metatable, |state| {
            // Raises "stack overflow" as any other function does that is called too deep.
            ffi::luaL_checkstack(state, deepest * 3 + 8, c"an answer of the server".as_ptr());
            let metatable = ffi::lua_gettop(state);
            push(state, items, &mut 0, metatable);
            ffi::lua_remove(state, metatable);
        })
    }
}

enum Token<'a> {
    Null,
    Boolean(bool),
    Integer(i64),
    Number(f64),
    String(Cow<'a, str>),
    /// A list and its length; its items follow.
    Array(c_int),
    /// An object and its length; keys and values follow in turn.
    Object(c_int),
}

/// # Safety
/// Runs in a protected call with room on the stack for the depth of the tape. Owns nothing that needs dropping.
unsafe fn push(state: *mut ffi::lua_State, tape: &[Token<'_>], at: &mut usize, metatable: c_int) {
    let Some(token) = tape.get(*at) else { return };
    *at += 1;
    // SAFETY: the caller has made room; every function below only pushes or sets fields of tables made here.
    unsafe {
        match token {
            Token::Null => ffi::lua_pushlightuserdata(state, std::ptr::null_mut()),
            Token::Boolean(value) => ffi::lua_pushboolean(state, c_int::from(*value)),
            Token::Integer(value) => push_integer(state, *value),
            Token::Number(value) => ffi::lua_pushnumber(state, *value),
            Token::String(text) => push_text(state, text),
            Token::Array(length) => {
                ffi::lua_createtable(state, *length, 0);
                for index in 1..=*length {
                    push(state, tape, at, metatable);
                    ffi::lua_rawseti(state, -2, index as _);
                }
                ffi::lua_pushvalue(state, metatable);
                ffi::lua_setmetatable(state, -2);
            }
            Token::Object(length) => {
                ffi::lua_createtable(state, 0, *length);
                for _ in 0..*length {
                    push(state, tape, at, metatable);
                    if matches!(tape.get(*at), Some(Token::Null)) {
                        // A field that is nil is no field.
                        *at += 1;
                        ffi::lua_pop(state, 1);
                        continue;
                    }
                    push(state, tape, at, metatable);
                    ffi::lua_rawset(state, -3);
                }
            }
        }
    }
}

/// # Safety
/// As [`push`].
unsafe fn push_integer(state: *mut ffi::lua_State, value: i64) {
    // SAFETY: as the caller promises.
    unsafe {
        #[cfg(any(feature = "lua53", feature = "lua54", feature = "lua55"))]
        ffi::lua_pushinteger(state, value);
        #[cfg(not(any(feature = "lua53", feature = "lua54", feature = "lua55")))]
        ffi::lua_pushnumber(state, value as f64);
    }
}

/// # Safety
/// As [`push`].
unsafe fn push_text(state: *mut ffi::lua_State, text: &str) {
    // SAFETY: the text lives on the tape, outside of the protected section; Lua copies it.
    unsafe {
        ffi::lua_pushlstring(state, text.as_ptr().cast::<c_char>(), text.len());
    }
}

struct Tape<'a> {
    items: Vec<Token<'a>>,
    depth: c_int,
    deepest: c_int,
}

impl Tape<'_> {
    fn open(&mut self, token: Token<'static>) -> usize {
        self.items.push(token);
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
        self.items.len() - 1
    }

    fn close(&mut self, at: usize, token: Token<'static>) {
        self.depth -= 1;
        if let Some(slot) = self.items.get_mut(at) {
            *slot = token;
        }
    }
}

struct Item<'t, 'a>(&'t mut Tape<'a>);

impl<'de> DeserializeSeed<'de> for Item<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Item<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> std::result::Result<(), E> {
        self.0.items.push(Token::Null);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<(), E> {
        self.0.items.push(Token::Boolean(value));
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> std::result::Result<(), E> {
        self.0.items.push(if is_exact(value) {
            Token::Integer(value)
        } else {
            Token::String(Cow::Owned(value.to_string()))
        });
        Ok(())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> std::result::Result<(), E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_) => {
                self.0.items.push(Token::String(Cow::Owned(value.to_string())));
                Ok(())
            }
        }
    }

    fn visit_f64<E>(self, value: f64) -> std::result::Result<(), E> {
        self.0.items.push(Token::Number(value));
        Ok(())
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> std::result::Result<(), E> {
        self.0.items.push(Token::String(Cow::Borrowed(value)));
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> std::result::Result<(), E> {
        self.0.items.push(Token::String(Cow::Owned(value.to_owned())));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<(), A::Error> {
        let at = self.0.open(Token::Array(0));
        let mut length = 0;
        while items.next_element_seed(Item(self.0))?.is_some() {
            length += 1;
        }
        self.0.close(at, Token::Array(length));
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> std::result::Result<(), A::Error> {
        let at = self.0.open(Token::Object(0));
        let mut length = 0;
        while fields.next_key_seed(Item(self.0))?.is_some() {
            fields.next_value_seed(Item(self.0))?;
            length += 1;
        }
        self.0.close(at, Token::Object(length));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eval(json: &str, expression: &str) -> String {
        let lua = Lua::new();
        let value = decode(&lua, json.as_bytes()).unwrap();
        lua.globals().set("v", value).unwrap();
        lua.globals().set("null", Value::NULL).unwrap();
        lua.load(format!("return tostring({expression})")).eval().unwrap()
    }

    #[test]
    fn values_keep_their_types() {
        assert_eq!(eval("[1,2.5,\"x\",true]", "v[1] + v[2]"), "3.5");
        assert_eq!(eval("{\"a\":{\"b\":[]}}", "#v.a.b"), "0");
        assert_eq!(eval("\"\\u00e4\\u0000b\"", "#v"), "4");
        assert_eq!(eval("1795217121941", "v"), "1795217121941");
    }

    #[test]
    fn null_is_no_field_and_keeps_its_place_in_a_list() {
        assert_eq!(eval("{\"a\":null,\"b\":1}", "v.a == nil and v.b == 1"), "true");
        assert_eq!(eval("[null,1]", "v[1] == null and #v == 2"), "true");
    }

    #[test]
    fn digits_are_never_lost_silently() {
        assert_eq!(eval("18446744073709551615", "v"), "18446744073709551615");
        assert_eq!(eval("9007199254740993", "v"), "9007199254740993");
    }

    #[test]
    fn what_is_no_json_is_an_error() {
        let lua = Lua::new();
        for json in ["", "{", "[1,]", "{}x", &"[".repeat(200)] {
            assert!(decode(&lua, json.as_bytes()).is_err(), "{json}");
        }
    }

    #[test]
    fn an_error_of_a_hook_is_handed_on() {
        let lua = Lua::new();
        array_metatable(&lua).unwrap();
        let every_call = mlua::HookTriggers::new().on_calls();
        lua.set_hook(every_call, |_, _| Err(mlua::Error::runtime("the host says stop"))).unwrap();
        let error = decode(&lua, b"[1]").unwrap_err();
        lua.remove_hook();
        assert!(error.to_string().contains("the host says stop"), "{error}");
    }
}
