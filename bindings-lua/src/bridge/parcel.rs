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
}

/// What Lua promises of the memory of a userdata.
const _: () = assert!(align_of::<Parcel>() <= 8);

/// Pushes an empty one; its metatable lies at `metatable`.
///
/// # Safety
/// Runs where errors of Lua may jump; there is room for two values.
pub(super) unsafe fn push(state: *mut ffi::lua_State, metatable: c_int) -> *mut Parcel {
    // SAFETY: the memory is fresh and big enough; it is written before the finalizer can see it.
    unsafe {
        let parcel = ffi::lua_newuserdata(state, size_of::<Parcel>()).cast::<Parcel>();
        ptr::write(parcel, Parcel::default());
        ffi::lua_pushvalue(state, metatable);
        ffi::lua_setmetatable(state, -2);
        parcel
    }
}

/// Frees what the parcel at an index owns; nothing is left to its finalizer.
///
/// # Safety
/// The parcel lies at the index, and nobody uses what is in it again.
pub(super) unsafe fn finish(state: *mut ffi::lua_State, index: c_int, parcel: *mut Parcel) {
    // SAFETY: as the caller promises; without a metatable there is no finalizer.
    unsafe {
        ptr::drop_in_place(parcel);
        ptr::write(parcel, Parcel::default());
        ffi::lua_pushnil(state);
        ffi::lua_setmetatable(state, index);
    }
}

/// Pushes the metatable of parcels.
///
/// # Safety
/// As for [`push`], with room for four values.
pub(super) unsafe fn push_metatable(state: *mut ffi::lua_State) {
    // SAFETY: pushes one value; owns nothing.
    unsafe {
        ffi::lua_createtable(state, 0, 1);
        ffi::lua_pushvalue(state, -1);
        ffi::lua_pushcclosure(state, collect, 1);
        ffi::lua_setfield(state, -2, c"__gc".as_ptr());
    }
}

/// The finalizer of a parcel that an error left.
unsafe extern "C-unwind" fn collect(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: the metatable, which is this function's upvalue and which only parcels have, says what it is.
    unsafe {
        let memory = ffi::lua_touserdata(state, 1);
        if memory.is_null()
            || ffi::lua_rawlen(state, 1) != size_of::<Parcel>()
            || ffi::lua_getmetatable(state, 1) == 0
        {
            return 0;
        }
        if ffi::lua_rawequal(state, -1, ffi::lua_upvalueindex(1)) != 0 {
            finish(state, 1, memory.cast());
        }
    }
    0
}
