//! How Lua calls a function of ours, and how the module is made.

use super::arguments::{Argument, Arguments, Host, MAX, Misuse};
use super::parcel::{self, Parcel};
use super::push::{push, push_text};
use super::quick::{self, Look};
use super::results::Results;
use super::{encode, object};
use crate::shape::Shape;
use mlua::ffi;
use std::ffi::{CStr, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

/// What a function gives when it was called rightly: its results are in [`Results`].
pub(crate) type Done = Result<(), Misuse>;

/// The work of a function: it knows no Lua.
pub(crate) type Body = fn(&Arguments, &mut Results) -> Done;

/// A function of the module.
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) body: Body,
    /// What is known of the tables that it takes: of the argument at a place, after those before it.
    pub(crate) shape: fn(&Arguments, usize) -> &'static Shape,
    /// What it gives when there is nothing to do, without a parcel.
    pub(crate) look: Option<Look>,
}

impl Function {
    /// A function that takes no lists.
    pub(crate) const fn new(name: &'static str, body: Body) -> Function {
        Function { name, body, shape: |_, _| &Shape::Any, look: None }
    }

    /// A function that takes tables.
    pub(crate) const fn shaped(
        name: &'static str,
        body: Body,
        shape: fn(&Arguments, usize) -> &'static Shape,
    ) -> Function {
        Function { name, body, shape, look: None }
    }

    /// A function that a tick calls, and that seldom has anything to do.
    pub(crate) const fn quick(name: &'static str, body: Body, look: Look) -> Function {
        Function { name, body, shape: |_, _| &Shape::Any, look: Some(look) }
    }

    /// A function that only looks, and gives false where it finds no handle of its type.
    pub(crate) const fn look(name: &'static str, look: Look) -> Function {
        Function::quick(name, no, look)
    }
}

fn no(_: &Arguments, results: &mut Results) -> Done {
    results.boolean(false);
    Ok(())
}

/// What stands beside a function of ours: its number, the metatable of parcels, that of lists.
const UPVALUES: c_int = 3;

/// More functions than a group has.
const GROUP: usize = 100;

/// The function of a number.
fn function(number: usize) -> Option<&'static Function> {
    crate::GROUPS.get(number / GROUP)?.get(number % GROUP)
}

/// What Lua calls.
///
/// # Safety
/// Only Lua calls it, with the upvalues of [`open`].
unsafe extern "C-unwind" fn door(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned here: the parcel, which lies on the stack, owns what the call needs.
    unsafe {
        let marked = ffi::lua_upvalueindex(3);
        let number = ffi::lua_tonumber(state, ffi::lua_upvalueindex(1)) as usize;
        let Some(function) = function(number) else { return 0 };
        let given = ffi::lua_gettop(state);
        if let Some(quick) = quick::look(state, 1, function.look) {
            return quick::push(state, &quick);
        }
        ffi::luaL_checkstack(state, 16, c"a call of opencode".as_ptr());
        let parcels = ffi::lua_upvalueindex(2);
        let parcel = parcel::push(state, parcels);
        (*parcel).arguments.host = Host::of(state);
        for at in 0..MAX.min(given as usize) {
            read(state, at, marked, function, parcel);
        }
        if !work(function, parcel) {
            ffi::luaL_where(state, 2);
            let refusal = &(*parcel).refusal;
            push_text(state, refusal.as_bytes());
            ffi::lua_concat(state, 2);
            parcel::finish(state, given + 1, parcels, parcel);
            ffi::lua_error(state);
        }
        let Parcel { results, frames, .. } = &mut *parcel;
        let count = push(state, results, frames, marked);
        parcel::finish(state, given + 1, parcels, parcel);
        count
    }
}

/// Reads the argument at a place.
///
/// # Safety
/// As for [`door`].
unsafe fn read(
    state: *mut ffi::lua_State,
    at: usize,
    marked: c_int,
    function: &Function,
    parcel: *mut Parcel,
) {
    let index = at as c_int + 1;
    // SAFETY: as the caller promises; texts stay where they are, below the parcel.
    unsafe {
        let argument = match ffi::lua_type(state, index) {
            ffi::LUA_TNIL | ffi::LUA_TNONE => Argument::Nil,
            ffi::LUA_TBOOLEAN => Argument::Boolean(ffi::lua_toboolean(state, index) != 0),
            ffi::LUA_TNUMBER => match encode::whole(state, index) {
                Some(whole) => Argument::Integer(whole),
                None => Argument::Number(ffi::lua_tonumber(state, index)),
            },
            ffi::LUA_TSTRING => {
                let mut length = 0;
                let start = ffi::lua_tolstring(state, index, &raw mut length);
                Argument::Text(start.cast(), length)
            }
            ffi::LUA_TTABLE => {
                let shape = (function.shape)(&(*parcel).arguments, at);
                let encoder = &mut (*parcel).encoder;
                let json = encode::encode(state, index, marked, shape, encoder);
                let tables = &mut (*parcel).arguments.tables;
                tables.push(json);
                Argument::Table(tables.len() - 1)
            }
            ffi::LUA_TUSERDATA | ffi::LUA_TLIGHTUSERDATA
                if encode::is_null(state, index, marked) =>
            {
                Argument::Null
            }
            kind => match object::find(state, index) {
                Some(found) => Argument::Handle(found),
                None => Argument::Other(encode::type_name(state, kind)),
            },
        };
        let arguments = &mut (*parcel).arguments;
        if let Some(slot) = arguments.all.get_mut(at) {
            *slot = argument;
        }
    }
}

/// Does the work of a function; false when the call is refused, with the reason in the parcel.
///
/// # Safety
/// The parcel is that of the call. Lua does not run meanwhile.
unsafe fn work(function: &Function, parcel: *mut Parcel) -> bool {
    // SAFETY: nobody else uses the parcel.
    let parcel = unsafe { &mut *parcel };
    let Parcel { arguments, results, refusal, .. } = parcel;
    let done = catch_unwind(AssertUnwindSafe(|| (function.body)(arguments, results)));
    let why = match done {
        Ok(Ok(())) => return true,
        Ok(Err(Misuse(why))) => why,
        Err(_) => "internal: a bug of this library; please report it".to_owned(),
    };
    *refusal = format!("opencode: {}: {why}", function.name);
    false
}

/// The functions of the module and the chapters of its prelude, given to the prelude, whose value is the module.
///
/// # Safety
/// Lua calls it, or who has put it into a function of Lua.
pub(crate) unsafe extern "C-unwind" fn open(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: nothing is owned here; there is room for all that is pushed.
    unsafe {
        check_version(state);
        ffi::luaL_checkstack(state, 16, c"opencode".as_ptr());
        load(state, c"=opencode", crate::PRELUDE);
        ffi::lua_createtable(state, 0, 80);
        let raw = ffi::lua_gettop(state);
        push_text(state, env!("CARGO_PKG_VERSION").as_bytes());
        ffi::lua_setfield(state, raw, c"version".as_ptr());
        ffi::lua_pushlightuserdata(state, ptr::null_mut());
        ffi::lua_setfield(state, raw, c"null".as_ptr());
        push_array_metatable(state);
        let marked = ffi::lua_gettop(state);
        parcel::push_metatable(state);
        let parcels = ffi::lua_gettop(state);
        for (group, functions) in crate::GROUPS.iter().enumerate() {
            for (index, function) in functions.iter().enumerate() {
                push_text(state, function.name.as_bytes());
                ffi::lua_pushnumber(state, (group * GROUP + index) as f64);
                ffi::lua_pushvalue(state, parcels);
                ffi::lua_pushvalue(state, marked);
                ffi::lua_pushcclosure(state, door, UPVALUES);
                ffi::lua_rawset(state, raw);
            }
        }
        ffi::lua_settop(state, marked);
        quick::push_maker::<crate::RunPoll>(state, marked);
        ffi::lua_setfield(state, raw, c"poll_of_runs".as_ptr());
        ffi::lua_setfield(state, raw, c"array_metatable".as_ptr());
        let (name, text) = crate::WAITING;
        load(state, name, text);
        ffi::lua_setfield(state, raw, c"waiting".as_ptr());
        ffi::lua_createtable(state, 8, 0);
        for (number, (name, text)) in crate::CHAPTERS.iter().enumerate() {
            load(state, name, text);
            ffi::lua_rawseti(state, -2, number as ffi::lua_Integer + 1);
        }
        ffi::lua_setfield(state, raw, c"chapters".as_ptr());
        ffi::lua_call(state, 1, 1);
        1
    }
}

/// Raises an error when the host is another version of Lua which has all functions that this one needs: what they do
/// differs. Lua 5.1 has no such check, and later versions lack functions that it needs.
///
/// # Safety
/// As for [`open`].
unsafe fn check_version(state: *mut ffi::lua_State) {
    // What `luaL_checkversion` of the header passes on.
    #[cfg(feature = "lua52")]
    // SAFETY: owns nothing.
    unsafe {
        ffi::luaL_checkversion_(state, 502.0);
    }
    #[cfg(any(feature = "lua53", feature = "lua54", feature = "lua55"))]
    // SAFETY: owns nothing.
    unsafe {
        let version = match () {
            () if cfg!(feature = "lua53") => 503.0,
            () if cfg!(feature = "lua54") => 504.0,
            () => 505.0,
        };
        let sizes = size_of::<ffi::lua_Integer>() * 16 + size_of::<ffi::lua_Number>();
        ffi::luaL_checkversion_(state, version, sizes);
    }
    #[cfg(any(feature = "lua51", feature = "luajit"))]
    let _ = state;
}

/// Pushes a chunk of ours.
///
/// # Safety
/// As for [`open`].
unsafe fn load(state: *mut ffi::lua_State, name: &CStr, text: &str) {
    // SAFETY: the text is a constant.
    unsafe {
        let start = text.as_ptr().cast();
        let code = ffi::luaL_loadbufferx(state, start, text.len(), name.as_ptr(), ptr::null());
        if code != ffi::LUA_OK {
            ffi::lua_error(state);
        }
    }
}

/// Pushes the metatable that marks lists, so that an empty one stays a list when it is sent back. What one copy of the
/// module gave, the other takes.
///
/// # Safety
/// As for [`open`].
unsafe fn push_array_metatable(state: *mut ffi::lua_State) {
    const KEY: &CStr = c"opencode.array";
    // SAFETY: pushes one value.
    unsafe {
        ffi::lua_getfield(state, ffi::LUA_REGISTRYINDEX, KEY.as_ptr());
        if ffi::lua_type(state, -1) == ffi::LUA_TTABLE {
            return;
        }
        ffi::lua_pop(state, 1);
        ffi::lua_createtable(state, 0, 1);
        push_text(state, KEY.to_bytes());
        ffi::lua_setfield(state, -2, c"__name".as_ptr());
        ffi::lua_pushvalue(state, -1);
        ffi::lua_setfield(state, ffi::LUA_REGISTRYINDEX, KEY.as_ptr());
    }
}
