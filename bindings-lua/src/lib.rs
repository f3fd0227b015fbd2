//! The Lua module. Rust functions convert, check and forward; `prelude.lua` gives them the shape that a Lua
//! programmer expects: `nil, message, err` for what can fail at run time, a raised string for misuse.

#[cfg(all(feature = "module", feature = "embedded"))]
compile_error!("choose one: `module` for what hosts load, `embedded` for tests");

mod background;
mod bridge;
mod call;
mod client;
mod decode;
mod discover;
mod drift;
mod events;
mod host_tools;
mod pages;
mod pty;
mod run;
mod server;
mod shape;
mod shapes;
mod tape;
#[cfg(test)]
mod tests;
mod token;
mod tools;

use bridge::Function;
use run::Poll as RunPoll;
use std::ffi::CStr;

/// All functions of the module, by the file that they are in.
static GROUPS: &[&[Function]] = &[
    background::FUNCTIONS,
    client::FUNCTIONS,
    call::FUNCTIONS,
    drift::FUNCTIONS,
    run::FUNCTIONS,
    pty::FUNCTIONS,
    server::FUNCTIONS,
    events::FUNCTIONS,
    pages::FUNCTIONS,
    discover::FUNCTIONS,
    tools::FUNCTIONS,
    host_tools::FUNCTIONS,
    #[cfg(test)]
    tests::FUNCTIONS,
];

/// What the prelude calls first.
const WAITING: (&CStr, &str) = (c"=opencode.waiting", include_str!("prelude/waiting.lua"));

const PRELUDE: &str = include_str!("prelude.lua");

/// The parts of the prelude that have a file of their own.
const CHAPTERS: &[(&CStr, &str)] = &[
    (c"=opencode.pty", include_str!("prelude/pty.lua")),
    (c"=opencode.server", include_str!("prelude/server.lua")),
    (c"=opencode.events", include_str!("prelude/events.lua")),
    (c"=opencode.pages", include_str!("prelude/pages.lua")),
    (c"=opencode.discover", include_str!("prelude/discover.lua")),
    (c"=opencode.tools", include_str!("prelude/tools.lua")),
    (c"=opencode.loop", include_str!("prelude/loop.lua")),
    (c"=opencode.host_tools", include_str!("prelude/host_tools.lua")),
];

/// What `require "libopencode"` calls.
///
/// # Safety
/// Only Lua calls it.
#[cfg_attr(feature = "module", unsafe(no_mangle))]
pub unsafe extern "C-unwind" fn luaopen_libopencode(
    state: *mut mlua::ffi::lua_State,
) -> std::ffi::c_int {
    // SAFETY: as the caller promises.
    unsafe { bridge::open(state) }
}

/// What `require "opencode"` calls when the file is called `opencode.so`. Two plugins of Neovim have that name too: so it is
/// not the module's own.
///
/// # Safety
/// Only Lua calls it.
#[cfg_attr(feature = "module", unsafe(no_mangle))]
pub unsafe extern "C-unwind" fn luaopen_opencode(
    state: *mut mlua::ffi::lua_State,
) -> std::ffi::c_int {
    // SAFETY: as the caller promises.
    unsafe { bridge::open(state) }
}
