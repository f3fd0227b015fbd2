//! Tables to JSON, in one loop whatever the depth. What has no clear meaning in JSON is refused, with the path to it.

use crate::decode::MAX_DEPTH;
use crate::shape::Shape;
use mlua::ffi;
use opencode_core::write_text;
use std::ffi::{CStr, c_int, c_void};
use std::fmt::Write as _;

/// The JSON that is being written, and the tables that are open.
#[derive(Default)]
pub(super) struct Encoder {
    out: String,
    levels: Vec<Level>,
}

struct Level {
    /// Where the table lies on Lua's stack; of an object the current key lies above it.
    slot: c_int,
    table: *const c_void,
    shape: &'static Shape,
    /// The length of a list.
    length: Option<usize>,
    /// How many values were written.
    count: usize,
}

/// Why a value cannot be sent; the path to it ends above so many levels.
struct Refusal(&'static str, usize);

const CYCLE: &str = "a table that contains itself";
const DEPTH: &str = "a table that is nested deeper than 1000 levels";
const KEYS: &str = "a table with keys that are neither texts nor 1, 2, 3 ...";
const MIXED: &str = "a table that is a list and has other keys too";
const HIDDEN: &str = "a table whose fields are behind its metatable (give a plain copy)";
const HOLES: &str = "a list with holes; use opencode.null for them";

/// The table at `index` as JSON. An empty table is an object, unless the shape wants a list, it came from the server as
/// a list, or it was marked by `opencode.array`, whose metatable lies at `marked`.
///
/// # Errors
/// A one-line text that names the place of what cannot be sent.
///
/// # Safety
/// Runs where errors of Lua may jump; the encoder lies in the parcel of the call; the index is absolute.
pub(super) unsafe fn encode(
    state: *mut ffi::lua_State,
    index: c_int,
    marked: c_int,
    shape: &'static Shape,
    encoder: &mut Encoder,
) -> Result<String, String> {
    // SAFETY: as the caller promises. Only growing the stack can fail, and then nothing is owned here.
    unsafe {
        encoder.out.clear();
        encoder.levels.clear();
        let top = ffi::lua_gettop(state);
        ffi::lua_pushvalue(state, index);
        let written = encoder.run(state, marked, shape);
        let result = match written {
            Ok(()) => Ok(std::mem::take(&mut encoder.out)),
            Err(refusal) => Err(encoder.words(state, &refusal)),
        };
        ffi::lua_settop(state, top);
        result
    }
}

impl Encoder {
    /// # Safety
    /// As for [`encode`]; the table is on top of the stack.
    unsafe fn run(
        &mut self,
        state: *mut ffi::lua_State,
        marked: c_int,
        shape: &'static Shape,
    ) -> Result<(), Refusal> {
        // SAFETY: every level has room for its table, a key, a value and two more.
        unsafe {
            self.open(state, marked, shape)?;
            while let Some(level) = self.levels.last_mut() {
                let has_value = match level.length {
                    Some(length) => {
                        let is_item = level.count < length;
                        if is_item {
                            ffi::lua_rawgeti(state, level.slot, (level.count + 1) as _);
                        }
                        is_item
                    }
                    None => ffi::lua_next(state, level.slot) != 0,
                };
                if !has_value {
                    self.out.push(if level.length.is_some() { ']' } else { '}' });
                    ffi::lua_settop(state, level.slot - 1);
                    self.levels.pop();
                    continue;
                }
                level.count += 1;
                if level.count > 1 {
                    self.out.push(',');
                }
                let inside = match level.length {
                    Some(_) => level.shape.item(),
                    None => {
                        let shape = level.shape;
                        let key = self.key(state)?;
                        self.out.push(':');
                        shape.field(key)
                    }
                };
                if ffi::lua_type(state, -1) == ffi::LUA_TTABLE {
                    self.open(state, marked, inside)?;
                } else {
                    self.scalar(state, marked)?;
                    ffi::lua_pop(state, 1);
                }
            }
        }
        Ok(())
    }

    /// Writes the key below the top of the stack.
    ///
    /// # Safety
    /// As for [`run`](Self::run); the text lives as long as its key is on the stack.
    unsafe fn key<'a>(&mut self, state: *mut ffi::lua_State) -> Result<&'a str, Refusal> {
        // SAFETY: the key is a text, so that nothing is converted in its place.
        unsafe {
            if ffi::lua_type(state, -2) != ffi::LUA_TSTRING {
                return Err(Refusal(KEYS, 1));
            }
            let key = text(state, -2).map_err(|_| Refusal("a key that is not UTF-8", 1))?;
            write_text(&mut self.out, key);
            Ok(key)
        }
    }

    /// Writes the value on top of the stack, which is no table.
    ///
    /// # Safety
    /// As for [`run`](Self::run).
    unsafe fn scalar(&mut self, state: *mut ffi::lua_State, marked: c_int) -> Result<(), Refusal> {
        // SAFETY: reads the value on top.
        unsafe {
            match ffi::lua_type(state, -1) {
                ffi::LUA_TNIL => self.out.push_str("null"),
                ffi::LUA_TUSERDATA | ffi::LUA_TLIGHTUSERDATA if is_null(state, -1, marked) => {
                    self.out.push_str("null");
                }
                ffi::LUA_TBOOLEAN => {
                    let flag = ffi::lua_toboolean(state, -1) != 0;
                    self.out.push_str(if flag { "true" } else { "false" });
                }
                ffi::LUA_TNUMBER => match whole(state, -1) {
                    Some(whole) => {
                        let _ = write!(self.out, "{whole}");
                    }
                    None => match number(ffi::lua_tonumber(state, -1)) {
                        Some(text) => self.out.push_str(&text),
                        None => return Err(Refusal("a number that is not finite", 0)),
                    },
                },
                ffi::LUA_TSTRING => {
                    let text = text(state, -1).map_err(|_| Refusal("text that is not UTF-8", 0))?;
                    write_text(&mut self.out, text);
                }
                other => return Err(Refusal(type_name(state, other), 0)),
            }
        }
        Ok(())
    }

    /// Begins the table on top of the stack.
    ///
    /// # Safety
    /// As for [`run`](Self::run).
    unsafe fn open(
        &mut self,
        state: *mut ffi::lua_State,
        marked: c_int,
        shape: &'static Shape,
    ) -> Result<(), Refusal> {
        // SAFETY: the stack is as it was, with a nil above an object: where its first key begins.
        unsafe {
            let table = ffi::lua_topointer(state, -1);
            if self.levels.iter().any(|level| level.table == table) {
                return Err(Refusal(CYCLE, 0));
            }
            if self.levels.len() >= MAX_DEPTH || ffi::lua_checkstack(state, 6) == 0 {
                return Err(Refusal(DEPTH, 0));
            }
            let slot = ffi::lua_gettop(state);
            let mut is_list = false;
            if ffi::lua_getmetatable(state, slot) != 0 {
                is_list = ffi::lua_rawequal(state, -1, marked) != 0;
                let hides = !is_list && hides(state, slot);
                ffi::lua_settop(state, slot);
                if hides {
                    return Err(Refusal(HIDDEN, 0));
                }
            }
            let length = ffi::lua_rawlen(state, slot);
            is_list |= length > 0;
            if !is_list && shape.is_list() {
                ffi::lua_pushnil(state);
                is_list = ffi::lua_next(state, slot) == 0;
                ffi::lua_settop(state, slot);
            }
            if is_list {
                check_list(state, slot, length)?;
                self.out.push('[');
            } else {
                self.out.push('{');
                ffi::lua_pushnil(state);
            }
            let length = is_list.then_some(length);
            self.levels.push(Level { slot, table, shape, length, count: 0 });
        }
        Ok(())
    }

    /// What is wrong, and where.
    ///
    /// # Safety
    /// As for [`encode`].
    unsafe fn words(&self, state: *mut ffi::lua_State, refusal: &Refusal) -> String {
        const LONGEST: usize = 120;
        let mut path = String::new();
        let above = self.levels.len().saturating_sub(refusal.1);
        for level in self.levels.iter().take(above) {
            if path.len() > LONGEST {
                path.push_str(" ...");
                break;
            }
            if level.length.is_some() {
                let _ = write!(path, "[{}]", level.count);
            // SAFETY: an object that is open has its current key above it.
            } else if let Ok(key) = unsafe { text(state, level.slot + 1) } {
                let dot = if path.is_empty() { "" } else { "." };
                let _ = write!(path, "{dot}{key}");
            }
        }
        let colon = if path.is_empty() { "" } else { ": " };
        format!("{path}{colon}{} cannot be sent as JSON", refusal.0)
    }
}

/// Whether the fields of an empty table are found through its metatable, which is on top of the stack.
///
/// # Safety
/// There is a table at `slot`, and room for two values.
unsafe fn hides(state: *mut ffi::lua_State, slot: c_int) -> bool {
    // SAFETY: all reads are raw.
    unsafe {
        let meta = ffi::lua_gettop(state);
        let has = |name: &[u8]| {
            super::push::push_text(state, name);
            ffi::lua_rawget(state, meta);
            let is_there = ffi::lua_type(state, -1) != ffi::LUA_TNIL;
            ffi::lua_settop(state, meta);
            is_there
        };
        if !has(b"__pairs") && !has(b"__index") {
            return false;
        }
        ffi::lua_pushnil(state);
        let is_empty = ffi::lua_next(state, slot) == 0;
        ffi::lua_settop(state, meta);
        is_empty
    }
}

/// Whether a userdata stands for null: ours, which those of cjson and nginx are too, or that of the host.
///
/// # Safety
/// The index is valid, there is room for two values, and the metatable of lists lies at `marked`.
pub(super) unsafe fn is_null(state: *mut ffi::lua_State, index: c_int, marked: c_int) -> bool {
    // SAFETY: all reads are raw; the stack is as it was.
    unsafe {
        if ffi::lua_type(state, index) == ffi::LUA_TLIGHTUSERDATA {
            return ffi::lua_touserdata(state, index).is_null();
        }
        ffi::lua_pushvalue(state, index);
        super::push::push_text(state, b"null");
        ffi::lua_rawget(state, marked);
        let is_same = ffi::lua_rawequal(state, -1, -2) != 0;
        ffi::lua_pop(state, 2);
        is_same
    }
}

/// # Safety
/// There is a table at `slot`, and room for two values.
unsafe fn check_list(
    state: *mut ffi::lua_State,
    slot: c_int,
    length: usize,
) -> Result<(), Refusal> {
    let mut count = 0;
    // SAFETY: nothing changes the table meanwhile; the stack is as it was.
    unsafe {
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, slot) != 0 {
            ffi::lua_pop(state, 1);
            let is_index = ffi::lua_type(state, -1) == ffi::LUA_TNUMBER && {
                let index = ffi::lua_tonumber(state, -1);
                index.fract() == 0.0 && index >= 1.0 && index <= length as f64
            };
            if !is_index {
                ffi::lua_settop(state, slot);
                return Err(Refusal(MIXED, 0));
            }
            count += 1;
        }
    }
    if count == length { Ok(()) } else { Err(Refusal(HOLES, 0)) }
}

/// A number without a fraction, where Lua knows such numbers.
///
/// # Safety
/// The index is valid.
pub(super) unsafe fn whole(state: *mut ffi::lua_State, index: c_int) -> Option<i64> {
    #[cfg(any(feature = "lua53", feature = "lua54", feature = "lua55"))]
    // SAFETY: reads a number.
    unsafe {
        (ffi::lua_isinteger(state, index) != 0).then(|| ffi::lua_tointeger(state, index))
    }
    #[cfg(not(any(feature = "lua53", feature = "lua54", feature = "lua55")))]
    {
        let _ = (state, index);
        None
    }
}

/// The text at an index; it lives as long as it is on the stack.
///
/// # Safety
/// The index is valid.
unsafe fn text<'a>(state: *mut ffi::lua_State, index: c_int) -> Result<&'a str, ()> {
    // SAFETY: the value is a text, so that nothing is converted in its place.
    unsafe {
        if ffi::lua_type(state, index) != ffi::LUA_TSTRING {
            return Err(());
        }
        let mut length = 0;
        let start = ffi::lua_tolstring(state, index, &raw mut length);
        std::str::from_utf8(std::slice::from_raw_parts(start.cast(), length)).map_err(drop)
    }
}

/// What cannot be sent, by the name of its type.
///
/// # Safety
/// `kind` is a type of this Lua.
pub(super) unsafe fn type_name(state: *mut ffi::lua_State, kind: c_int) -> &'static str {
    // SAFETY: Lua's names of types are constants.
    let name = unsafe { CStr::from_ptr(ffi::lua_typename(state, kind)) };
    match name.to_bytes() {
        b"function" => "a function",
        b"thread" => "a thread",
        b"userdata" => "a userdata",
        b"cdata" => "a cdata",
        _ => "a value of this type",
    }
}

/// A number as JSON; none when it is not finite.
pub(super) fn number(number: f64) -> Option<String> {
    if !number.is_finite() {
        return None;
    }
    // Lua 5.1 and LuaJIT have no integers: what looks like one is one.
    if number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0 {
        return Some((number as i64).to_string());
    }
    Some(format!("{number:?}"))
}
