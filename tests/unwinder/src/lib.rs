//! Functions for Lua through which errors pass, as they do through those of the Lua module: `tests/lua/unwinder.lua` loads
//! them, built and linked by `cargo xtask dist lua`'s own linker. With an unwinder of its own a library ends LuaJIT here.
//!
//! A library of its own, because the whole module takes more than a minute to build so.

#![cfg(target_os = "linux")]

use std::ffi::{c_int, c_void};
use std::hint::black_box;

/// Lua's own type.
type State = c_void;

unsafe extern "C-unwind" {
    fn lua_error(state: *mut State) -> c_int;
    fn lua_call(state: *mut State, arguments: c_int, results: c_int);
}

/// What the compiler must not forget on the way out: it makes a frame one that the unwinder stops at.
struct Owned(Vec<u8>);

impl Drop for Owned {
    fn drop(&mut self) {
        black_box(&self.0);
    }
}

/// `raise(value)`, as an error.
///
/// # Safety
/// Only LuaJIT calls it.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn opencode_unwinder_raise(state: *mut State) -> c_int {
    let _owned = Owned(vec![0; 16]);
    // SAFETY: the argument is on top of the stack.
    unsafe { lua_error(state) }
}

/// `pass(f)`: calls it, and lets what it raises pass.
///
/// # Safety
/// Only LuaJIT calls it.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn opencode_unwinder_pass(state: *mut State) -> c_int {
    let _owned = Owned(vec![0; 16]);
    // SAFETY: the function is on top of the stack.
    unsafe { lua_call(state, 0, 0) };
    0
}
