//! Results to values of Lua: one loop, whatever the depth.

use super::object::{self, Made};
use super::results::Results;
use crate::tape::Tape;
use crate::token::Token;
use mlua::ffi;
use std::ffi::c_int;
use std::ptr;

/// A container that is being filled; it lies on Lua's stack, and above it a key that waits for its value.
pub(super) struct Frame {
    left: usize,
    index: usize,
    is_list: bool,
    has_key: bool,
}

/// Pushes all results of a call and says how many they are.
///
/// # Safety
/// Runs where errors of Lua may jump: results and frames lie in the parcel of the call, and nobody else uses it. The
/// metatable of lists lies at `marked`.
pub(super) unsafe fn push(
    state: *mut ffi::lua_State,
    results: &mut Results,
    frames: &mut Vec<Frame>,
    marked: c_int,
) -> c_int {
    let Results { tape, handles } = results;
    let deepest = tape.deepest();
    frames.reserve(deepest);
    let room = c_int::try_from(deepest * 2 + 16).unwrap_or(c_int::MAX);
    let mut values = 0;
    // SAFETY: there is room for all containers that are open at once, with a key each; the rest only pushes, or sets
    // fields of tables that were made here.
    unsafe {
        // Raises "stack overflow" as any other function does that is called too deep.
        ffi::luaL_checkstack(state, room, c"an answer of the server".as_ptr());
        for token in &tape.tokens {
            let opened = push_token(state, tape, handles, token, marked);
            if let Some(frame) = opened.filter(|frame| frame.left > 0) {
                frames.push(frame);
                continue;
            }
            // A value is complete, and with it perhaps what holds it.
            loop {
                let Some(frame) = frames.last_mut() else {
                    values += 1;
                    break;
                };
                if frame.is_list {
                    frame.index += 1;
                    ffi::lua_rawseti(state, -2, frame.index as _);
                } else if frame.has_key {
                    frame.has_key = false;
                    ffi::lua_rawset(state, -3);
                } else {
                    frame.has_key = true;
                    break;
                }
                frame.left -= 1;
                if frame.left > 0 {
                    break;
                }
                frames.pop();
            }
        }
    }
    values
}

/// Pushes a value, or an empty container that is to be filled.
///
/// # Safety
/// As for [`push`].
unsafe fn push_token(
    state: *mut ffi::lua_State,
    tape: &Tape,
    handles: &mut [Made],
    token: &Token,
    marked: c_int,
) -> Option<Frame> {
    // SAFETY: as the caller promises; texts lie in the parcel, and Lua copies them.
    unsafe {
        match token {
            Token::Nil => ffi::lua_pushnil(state),
            Token::Null => ffi::lua_pushlightuserdata(state, ptr::null_mut()),
            Token::Boolean(value) => ffi::lua_pushboolean(state, c_int::from(*value)),
            Token::Integer(value) => push_integer(state, *value),
            Token::Number(value) => ffi::lua_pushnumber(state, *value),
            Token::Text(piece) => push_text(state, tape.bytes(*piece)),
            Token::Word(word) => push_text(state, word.as_bytes()),
            Token::Handle(number) => match handles.get_mut(*number) {
                Some(made) => object::push(state, made),
                None => ffi::lua_pushnil(state),
            },
            Token::List(length) => {
                ffi::lua_createtable(state, room(*length), 0);
                ffi::lua_pushvalue(state, marked);
                ffi::lua_setmetatable(state, -2);
                return Some(Frame { left: *length, index: 0, is_list: true, has_key: false });
            }
            Token::Object(length) => {
                ffi::lua_createtable(state, 0, room(*length));
                return Some(Frame { left: *length, index: 0, is_list: false, has_key: false });
            }
        }
        None
    }
}

fn room(length: usize) -> c_int {
    // A guess: tables grow.
    length.min(1 << 24) as c_int
}

/// # Safety
/// As for [`push`].
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
/// As for [`push`].
pub(super) unsafe fn push_text(state: *mut ffi::lua_State, text: &[u8]) {
    // SAFETY: as the caller promises; Lua copies it.
    unsafe {
        ffi::lua_pushlstring(state, text.as_ptr().cast(), text.len());
    }
}
