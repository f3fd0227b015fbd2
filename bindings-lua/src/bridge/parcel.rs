//! What one call owns.

use super::arguments::Arguments;
use super::encode::Encoder;
use super::push::Frame;
use super::results::Results;
use mlua::ffi;
use std::ffi::c_int;
use std::ptr;

/// Lies in a userdata on the stack of the call, so that an error of Lua that jumps out of it leaves nothing behind.
#[derive(Default)]
pub(super) struct Parcel {
    pub(super) arguments: Arguments,
    pub(super) encoder: Encoder,
    pub(super) results: Results,
    /// Containers that are being pushed.
    pub(super) frames: Vec<Frame>,
    /// Why the call is refused.
    pub(super) refusal: String,
    /// Whether a call works with it, or an error of Lua has ended that call.
    is_taken: bool,
}

/// What Lua promises of the memory of a userdata.
const _: () = assert!(align_of::<Parcel>() <= 8);

/// Where the metatable keeps the parcel that waits for the next call.
const SPARE: ffi::lua_Integer = 1;

/// Pushes an empty one; its metatable lies at `metatable`. It is that of the last call, unless somebody has it still: what
/// has a finalizer takes the collector two rounds, and Lua 5.3 begins them ever later when much of that comes.
///
/// # Safety
/// Runs where errors of Lua may jump; there is room for three values.
pub(super) unsafe fn push(state: *mut ffi::lua_State, metatable: c_int) -> *mut Parcel {
    // SAFETY: a parcel that nobody has is empty. The memory of another one is fresh and big enough; it is written before
    // the finalizer can see it.
    unsafe {
        ffi::lua_rawgeti(state, metatable, SPARE);
        let spare = find(state, -1, metatable);
        if !spare.is_null() && !(*spare).is_taken {
            (*spare).is_taken = true;
            return spare;
        }
        ffi::lua_pop(state, 1);
        let parcel = ffi::lua_newuserdata(state, size_of::<Parcel>()).cast::<Parcel>();
        ptr::write(parcel, Parcel { is_taken: true, ..Parcel::default() });
        ffi::lua_pushvalue(state, metatable);
        ffi::lua_setmetatable(state, -2);
        parcel
    }
}

/// The parcel at an index, or null; the metatable, which only parcels have, says what it is.
///
/// # Safety
/// Both indices are valid, and there is room for a value.
unsafe fn find(state: *mut ffi::lua_State, index: c_int, metatable: c_int) -> *mut Parcel {
    // SAFETY: nothing here raises an error; the stack is as it was.
    unsafe {
        let memory = ffi::lua_touserdata(state, index);
        if memory.is_null()
            || ffi::lua_rawlen(state, index) != size_of::<Parcel>()
            || ffi::lua_getmetatable(state, index) == 0
        {
            return ptr::null_mut();
        }
        let is_parcel = ffi::lua_rawequal(state, -1, metatable) != 0;
        ffi::lua_pop(state, 1);
        if is_parcel { memory.cast() } else { ptr::null_mut() }
    }
}

/// Frees what the parcel at an index owns, and leaves it to the next call.
///
/// # Safety
/// The parcel lies at the index, and nobody uses what is in it again; there is room for a value.
pub(super) unsafe fn finish(
    state: *mut ffi::lua_State,
    index: c_int,
    metatable: c_int,
    parcel: *mut Parcel,
) {
    // SAFETY: as the caller promises; the metatable has the room already, so that this raises no error.
    unsafe {
        empty(parcel);
        ffi::lua_pushvalue(state, index);
        ffi::lua_rawseti(state, metatable, SPARE);
    }
}

/// Frees what a parcel owns.
///
/// # Safety
/// Nobody uses what is in it again.
unsafe fn empty(parcel: *mut Parcel) {
    // SAFETY: as the caller promises; what is written owns nothing.
    unsafe {
        ptr::drop_in_place(parcel);
        ptr::write(parcel, Parcel::default());
    }
}

/// Pushes the metatable of parcels.
///
/// # Safety
/// As for [`push`], with room for four values.
pub(super) unsafe fn push_metatable(state: *mut ffi::lua_State) {
    // SAFETY: pushes one value; owns nothing.
    unsafe {
        ffi::lua_createtable(state, 1, 1);
        ffi::lua_pushvalue(state, -1);
        ffi::lua_pushcclosure(state, collect, 1);
        ffi::lua_setfield(state, -2, c"__gc".as_ptr());
    }
}

/// The finalizer of a parcel that an error left, or that nobody needs any more.
unsafe extern "C-unwind" fn collect(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: without a metatable nobody takes it for a parcel again.
    unsafe {
        let parcel = find(state, 1, ffi::lua_upvalueindex(1));
        if !parcel.is_null() {
            empty(parcel);
            ffi::lua_pushnil(state);
            ffi::lua_setmetatable(state, 1);
        }
    }
    0
}
