//! The Lua module. Rust functions convert, check and forward; `prelude.lua` gives them the shape that a Lua
//! programmer expects: `nil, message, err` for what can fail at run time, a raised string for misuse.

#[cfg(all(feature = "module", feature = "embedded"))]
compile_error!("choose one: `module` for what hosts load, `embedded` for tests");

mod call;
mod client;
mod decode;
mod discover;
mod drift;
mod encode;
mod events;
mod outcome;
mod pages;
mod pty;
mod run;
mod server;
mod tools;

use mlua::{Lua, LuaString, Result, Table, Value};
use opencode_core::operation::{self, Kind};

/// Makes the module's table.
///
/// # Errors
/// Only when Lua is out of memory.
#[cfg_attr(feature = "module", mlua::lua_module(name = "opencode"))]
pub fn opencode(lua: &Lua) -> Result<Table> {
    let raw = lua.create_table()?;
    raw.set("version", env!("CARGO_PKG_VERSION"))?;
    raw.set("null", Value::NULL)?;
    raw.set("array_metatable", decode::array_metatable(lua)?)?;
    raw.set("operations", operations(lua)?)?;
    raw.set("is_text", lua.create_function(|_, text: LuaString| Ok(text.to_str().is_ok()))?)?;
    client::register(lua, &raw)?;
    call::register(lua, &raw)?;
    drift::register(lua, &raw)?;
    run::register(lua, &raw)?;
    pty::register(lua, &raw)?;
    server::register(lua, &raw)?;
    events::register(lua, &raw)?;
    pages::register(lua, &raw)?;
    discover::register(lua, &raw)?;
    tools::register(lua, &raw)?;
    raw.set("chapters", chapters(lua)?)?;
    lua.load(include_str!("prelude.lua")).set_name("=opencode").call(raw)
}

/// The parts of the prelude that have a file of their own.
const CHAPTERS: &[(&str, &str)] = &[
    ("=opencode.pty", include_str!("prelude/pty.lua")),
    ("=opencode.server", include_str!("prelude/server.lua")),
    ("=opencode.events", include_str!("prelude/events.lua")),
    ("=opencode.pages", include_str!("prelude/pages.lua")),
    ("=opencode.discover", include_str!("prelude/discover.lua")),
    ("=opencode.tools", include_str!("prelude/tools.lua")),
];

fn chapters(lua: &Lua) -> Result<Table> {
    let all = lua.create_table()?;
    for (name, text) in CHAPTERS {
        all.push(lua.load(*text).set_name(*name).into_function()?)?;
    }
    Ok(all)
}

/// What the prelude needs to build the namespaces: attribute path, name and positional arguments.
fn operations(lua: &Lua) -> Result<Table> {
    let all = lua.create_table()?;
    for operation in operation::all() {
        let row = lua.create_table()?;
        for segment in operation.name.split('.') {
            row.push(operation::attribute(segment))?;
        }
        row.set("name", operation.name)?;
        row.set("positional", lua.create_sequence_from(operation.positional().map(|a| a.name))?)?;
        let arrays = operation.arguments.iter().filter(|a| a.kind == Kind::Array);
        row.set("arrays", lua.create_sequence_from(arrays.map(|a| a.name))?)?;
        all.push(row)?;
    }
    Ok(all)
}
