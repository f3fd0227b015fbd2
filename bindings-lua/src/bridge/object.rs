//! Handles: values of the core that Lua holds and frees.

use mlua::ffi;
use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

/// A type whose values Lua may hold.
pub(crate) trait Handle: Sized + 'static {
    /// Its class; every type has one of its own.
    fn class() -> &'static Class;
}

/// What is known of such a type at run time. Its address is what tells it from others.
pub(crate) struct Class {
    pub(crate) name: &'static str,
    release: unsafe fn(*mut c_void),
}

impl Class {
    pub(crate) const fn of<T: Handle>(name: &'static str) -> Class {
        /// # Safety
        /// `object` comes from [`Made::new`] of the same type, and nobody uses it again.
        unsafe fn release<T>(object: *mut c_void) {
            // SAFETY: as the caller promises.
            let object = unsafe { Box::from_raw(object.cast::<T>()) };
            // Nothing unwinds into Lua.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(object)));
        }
        Class { name, release: release::<T> }
    }
}

/// A value that Lua does not hold yet.
pub(crate) struct Made {
    class: &'static Class,
    object: *mut c_void,
}

impl Made {
    pub(crate) fn new<T: Handle>(value: T) -> Made {
        Made { class: T::class(), object: Box::into_raw(Box::new(value)).cast() }
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        if !self.object.is_null() {
            // SAFETY: the object is of this class, and Lua never got it.
            unsafe { (self.class.release)(self.object) };
        }
    }
}

/// What a userdata of ours holds: null once it was collected.
pub(super) struct Cell {
    object: *mut c_void,
}

/// The size of such a userdata.
pub(super) const SIZE: usize = size_of::<Cell>();

/// A userdata of ours among the arguments of a call; it lives as long as the call.
#[derive(Clone, Copy)]
pub(crate) struct Found {
    class: *const Class,
    object: *const c_void,
}

impl Found {
    /// The value, when it is of this type and was not collected.
    pub(crate) fn get<T: Handle>(&self) -> Option<&T> {
        if !ptr::eq(self.class, T::class()) || self.object.is_null() {
            return None;
        }
        // SAFETY: the class says what it is; the userdata lies on Lua's stack, and Lua does not run meanwhile.
        Some(unsafe { &*self.object.cast::<T>() })
    }

    pub(super) fn is_collected<T: Handle>(&self) -> bool {
        ptr::eq(self.class, T::class()) && self.object.is_null()
    }
}

/// The key in metatables of ours under which the class stands: its address is the key, which no script can make.
static CLASS_KEY: u8 = 0;

fn class_key() -> *const c_void {
    ptr::addr_of!(CLASS_KEY).cast()
}

/// The class of the userdata at an index, and its cell.
///
/// # Safety
/// The index is valid, and there is room for three values.
unsafe fn cell(state: *mut ffi::lua_State, index: c_int) -> Option<(*const Class, *mut Cell)> {
    // SAFETY: nothing here raises an error; the stack is as it was. The size is that of a cell, and the class stands
    // only in metatables made below.
    unsafe {
        let memory = ffi::lua_touserdata(state, index);
        if memory.is_null()
            || ffi::lua_type(state, index) != ffi::LUA_TUSERDATA
            || ffi::lua_rawlen(state, index) != SIZE
            || ffi::lua_getmetatable(state, index) == 0
        {
            return None;
        }
        ffi::lua_rawgetp(state, -1, class_key());
        let class = ffi::lua_touserdata(state, -1).cast::<Class>().cast_const();
        ffi::lua_pop(state, 2);
        (!class.is_null()).then_some((class, memory.cast::<Cell>()))
    }
}

/// The value of a handle, unless it was collected.
///
/// # Safety
/// A handle of this type lies at the index, and stays there while the value is used.
pub(super) unsafe fn held<'a, T: Handle>(
    state: *mut ffi::lua_State,
    index: c_int,
) -> Option<&'a T> {
    // SAFETY: as the caller promises.
    unsafe {
        let cell = ffi::lua_touserdata(state, index).cast::<Cell>();
        cell.as_ref()?.object.cast_const().cast::<T>().as_ref()
    }
}

/// The handle at an index.
///
/// # Safety
/// As for [`cell`].
pub(super) unsafe fn find(state: *mut ffi::lua_State, index: c_int) -> Option<Found> {
    // SAFETY: as the caller promises.
    unsafe {
        let (class, cell) = cell(state, index)?;
        Some(Found { class, object: (*cell).object })
    }
}

/// Pushes a value that becomes a handle.
///
/// # Safety
/// Runs where errors of Lua may jump; `made` lies in the parcel of the call; there is room for five values.
pub(super) unsafe fn push(state: *mut ffi::lua_State, made: &mut Made) {
    // SAFETY: until the last line the parcel owns the value; the last line cannot fail.
    unsafe {
        let cell = ffi::lua_newuserdata(state, size_of::<Cell>()).cast::<Cell>();
        ptr::write(cell, Cell { object: ptr::null_mut() });
        push_metatable(state, made.class);
        ffi::lua_setmetatable(state, -2);
        (*cell).object = std::mem::replace(&mut made.object, ptr::null_mut());
    }
}

/// # Safety
/// As for [`push`].
pub(super) unsafe fn push_metatable(state: *mut ffi::lua_State, class: &'static Class) {
    let key = ptr::from_ref(class).cast::<c_void>();
    // SAFETY: pushes one value; owns nothing.
    unsafe {
        if ffi::lua_rawgetp(state, ffi::LUA_REGISTRYINDEX, key) == ffi::LUA_TTABLE {
            return;
        }
        ffi::lua_pop(state, 1);
        ffi::lua_createtable(state, 0, 3);
        ffi::lua_pushlightuserdata(state, key.cast_mut());
        ffi::lua_rawsetp(state, -2, class_key());
        ffi::lua_pushboolean(state, 0);
        ffi::lua_setfield(state, -2, c"__metatable".as_ptr());
        ffi::lua_pushcclosure(state, collect, 0);
        ffi::lua_setfield(state, -2, c"__gc".as_ptr());
        ffi::lua_pushvalue(state, -1);
        ffi::lua_rawsetp(state, ffi::LUA_REGISTRYINDEX, key);
    }
}

/// The finalizer of all handles.
unsafe extern "C-unwind" fn collect(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: a function of C has room for 20 values; the object is released once, for it is null afterwards.
    unsafe {
        if let Some((class, cell)) = cell(state, 1) {
            let object = std::mem::replace(&mut (*cell).object, ptr::null_mut());
            if !object.is_null() {
                ((*class).release)(object);
            }
        }
    }
    0
}
