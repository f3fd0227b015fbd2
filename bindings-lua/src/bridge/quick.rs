//! What a tick calls again and again, and what seldom has anything to do: then it costs no parcel, no table and no memory.

use super::object::{self, Found, Handle};
use super::push::push_text;
use mlua::ffi;
use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a call gives that has nothing to do.
#[derive(Clone, Copy)]
pub(crate) enum Quick {
    Boolean(bool),
    Nil,
    Word(&'static str),
    /// `true, nil`.
    TrueNil,
    /// `true, word`.
    TrueWord(&'static str),
}

/// Looks whether a handle has nothing to do; the number is the argument behind it. Never blocks.
pub(crate) type Look = fn(&Found, Option<f64>) -> Option<Quick>;

/// What a call gives at once, if there is nothing to do. Its handle lies at an index, and the argument behind `self` at 2.
///
/// # Safety
/// The index is valid, and there is room for three values.
pub(super) unsafe fn look(
    state: *mut ffi::lua_State,
    index: c_int,
    look: Option<Look>,
) -> Option<Quick> {
    let look = look?;
    // SAFETY: nothing here raises an error. The handle lies on the stack, and Lua does not run while it is looked at.
    unsafe {
        let found = object::find(state, index)?;
        let is_number = ffi::lua_type(state, 2) == ffi::LUA_TNUMBER;
        let argument = is_number.then(|| ffi::lua_tonumber(state, 2));
        catch_unwind(AssertUnwindSafe(|| look(&found, argument))).ok().flatten()
    }
}

/// Pushes it, and says how many values it is. Lua has each word once: it costs
/// no memory while it is in use.
///
/// # Safety
/// Runs where errors of Lua may jump; there is room for two values.
pub(super) unsafe fn push(state: *mut ffi::lua_State, quick: &Quick) -> c_int {
    // SAFETY: as the caller promises.
    unsafe {
        match quick {
            Quick::Nil => ffi::lua_pushnil(state),
            Quick::Boolean(value) => ffi::lua_pushboolean(state, c_int::from(*value)),
            Quick::Word(word) => {
                push_text(state, word.as_bytes());
            }
            Quick::TrueNil => {
                ffi::lua_pushboolean(state, 1);
                ffi::lua_pushnil(state);
                return 2;
            }
            Quick::TrueWord(word) => {
                ffi::lua_pushboolean(state, 1);
                push_text(state, word.as_bytes());
                return 2;
            }
        }
        1
    }
}

/// A method that a tick calls and that never waits: without anything to do it gives a word and an empty list.
pub(crate) trait Method {
    /// What the method is called on.
    type On: Handle;
    /// The word at a place; there are [`WORDS`] of them.
    fn word(place: usize) -> &'static str;
    /// Which word, by its place, when there is nothing to do.
    fn idle(on: &Self::On) -> Option<usize>;
}

/// What stands beside a method: the name of the field that holds the handle, the metatable of handles, what is called
/// when there is something to do, the empty list that it gives, the metatable of lists, and its words.
const UPVALUES: c_int = 5 + WORDS;
const FIELD: c_int = 1;
const HANDLES: c_int = 2;
const OTHERWISE: c_int = 3;
const EMPTY: c_int = 4;
const MARKED: c_int = 5;
const FIRST_WORD: c_int = 6;
const WORDS: c_int = 4;

/// Pushes the function that makes the method: `make(otherwise)` is `otherwise` as long as there is something to do, and
/// costs nothing else. `otherwise` must not yield.
///
/// # Safety
/// Runs where errors of Lua may jump; there is room for five values, and the metatable of lists lies at `marked`.
pub(super) unsafe fn push_maker<M: Method>(state: *mut ffi::lua_State, marked: c_int) {
    // SAFETY: pushes one value.
    unsafe {
        ffi::lua_pushvalue(state, marked);
        ffi::lua_pushcclosure(state, make::<M>, 1);
    }
}

/// # Safety
/// Only Lua calls it, for the prelude.
unsafe extern "C-unwind" fn make<M: Method>(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: a function of C has room for 20 values, and owns nothing here.
    unsafe {
        push_text(state, b"raw");
        object::push_metatable(state, M::On::class());
        ffi::lua_pushvalue(state, 1);
        push_list(state, ffi::lua_upvalueindex(1));
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(1));
        for place in 0..WORDS as usize {
            push_text(state, M::word(place).as_bytes());
        }
        ffi::lua_pushcclosure(state, method::<M>, UPVALUES);
        1
    }
}

/// # Safety
/// Runs where errors of Lua may jump; there is room for two values, and the metatable of lists lies at `marked`.
unsafe fn push_list(state: *mut ffi::lua_State, marked: c_int) {
    // SAFETY: pushes one value.
    unsafe {
        ffi::lua_createtable(state, 0, 0);
        ffi::lua_pushvalue(state, marked);
        ffi::lua_setmetatable(state, -2);
    }
}

/// # Safety
/// Only Lua calls it, with the upvalues of [`make`].
unsafe extern "C-unwind" fn method<M: Method>(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned here.
    unsafe {
        let given = ffi::lua_gettop(state);
        if let Some(place) = idle::<M>(state) {
            ffi::lua_pushvalue(state, ffi::lua_upvalueindex(FIRST_WORD + place as c_int));
            push_empty(state);
            return 2;
        }
        ffi::lua_settop(state, given);
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(OTHERWISE));
        ffi::lua_insert(state, 1);
        ffi::lua_call(state, given, ffi::LUA_MULTRET);
        ffi::lua_gettop(state)
    }
}

/// Leaves on the stack what it pushed: nobody else pays for a call of Lua.
///
/// # Safety
/// As for [`method`].
unsafe fn idle<M: Method>(state: *mut ffi::lua_State) -> Option<usize> {
    // SAFETY: a function of C has room for 20 values. Only handles of this type have that metatable and size; the handle lies on
    // the stack, and Lua does not run while it is looked at.
    unsafe {
        if ffi::lua_type(state, 1) != ffi::LUA_TTABLE {
            return None;
        }
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(FIELD));
        ffi::lua_rawget(state, 1);
        if ffi::lua_getmetatable(state, -1) == 0
            || ffi::lua_rawequal(state, -1, ffi::lua_upvalueindex(HANDLES)) == 0
            || ffi::lua_rawlen(state, -2) != object::SIZE
        {
            return None;
        }
        let handle = object::held::<M::On>(state, -2)?;
        let place = catch_unwind(AssertUnwindSafe(|| M::idle(handle))).ok().flatten()?;
        (place < WORDS as usize).then_some(place)
    }
}

/// Pushes the empty list. All calls give the same one; a script that has put something into it keeps it, and the next
/// ones get another.
///
/// # Safety
/// As for [`method`].
unsafe fn push_empty(state: *mut ffi::lua_State) {
    // SAFETY: a function of C has room for 20 values.
    unsafe {
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(EMPTY));
        ffi::lua_pushnil(state);
        if ffi::lua_next(state, -2) == 0 {
            return;
        }
        ffi::lua_pop(state, 3);
        push_list(state, ffi::lua_upvalueindex(MARKED));
        ffi::lua_pushvalue(state, -1);
        ffi::lua_replace(state, ffi::lua_upvalueindex(EMPTY));
    }
}
