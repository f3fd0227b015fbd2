//! Terminals.

use crate::call::milliseconds;
use crate::client::{RawClient, json};
use crate::outcome::{failure, misuse, outcome, success};
use mlua::{Lua, LuaString, MultiValue, Result, Table, UserData, UserDataRef, Value};
use opencode_core::{CallOptions, Pty, PtyOptions};

struct RawPty(Pty);

impl UserData for RawPty {}

pub(crate) fn register(lua: &Lua, raw: &Table) -> Result<()> {
    raw.set("pty_open", lua.create_function(open)?)?;
    raw.set("pty_connect", lua.create_function(connect)?)?;
    raw.set("pty_read", lua.create_function(read)?)?;
    raw.set("pty_write", lua.create_function(write)?)?;
    raw.set("pty_resize", lua.create_function(resize)?)?;
    raw.set("pty_kill", lua.create_function(kill)?)?;
    raw.set(
        "pty_close",
        lua.create_function(|_, pty: UserDataRef<RawPty>| {
            pty.0.close();
            Ok(())
        })?,
    )?;
    raw.set(
        "pty_id",
        lua.create_function(|_, pty: UserDataRef<RawPty>| Ok(pty.0.id().to_owned()))?,
    )?;
    raw.set("pty_cursor", lua.create_function(|_, pty: UserDataRef<RawPty>| Ok(pty.0.cursor()))?)?;
    raw.set(
        "pty_is_over",
        lua.create_function(|_, pty: UserDataRef<RawPty>| Ok(pty.0.is_over()))?,
    )?;
    raw.set(
        "pty_is_complete",
        lua.create_function(|_, pty: UserDataRef<RawPty>| Ok(pty.0.is_complete()))?,
    )?;
    raw.set(
        "pty_exit_code",
        lua.create_function(|_, pty: UserDataRef<RawPty>| Ok(pty.0.exit_code()))?,
    )
}

fn open(lua: &Lua, (client, options): (UserDataRef<RawClient>, Value)) -> Result<MultiValue> {
    let options = match json(lua, &options) {
        Ok(json) => PtyOptions::from_json(&json),
        Err(why) => return misuse(lua, format!("pty: {why}")),
    };
    hand_out(lua, options.and_then(|options| client.0.pty(options)))
}

fn connect(
    lua: &Lua,
    (client, id, options): (UserDataRef<RawClient>, String, Value),
) -> Result<MultiValue> {
    let options = match json(lua, &options) {
        Ok(json) => PtyOptions::from_json(&json),
        Err(why) => return misuse(lua, format!("pty_connect: {why}")),
    };
    hand_out(lua, options.and_then(|options| client.0.pty_connect(&id, options)))
}

fn hand_out(lua: &Lua, pty: opencode_core::Result<Pty>) -> Result<MultiValue> {
    outcome(lua, pty, |lua, pty| lua.create_userdata(RawPty(pty)).map(Value::UserData))
}

/// `true, text`: "" when nothing came in time, nil at the end.
fn read(lua: &Lua, (pty, timeout): (UserDataRef<RawPty>, Option<f64>)) -> Result<MultiValue> {
    match pty.0.read(timeout.map(milliseconds)) {
        Ok(text) => success(lua, text.map(|text| lua.create_string(text)).transpose()?),
        Err(error) => failure(lua, &error),
    }
}

fn write(lua: &Lua, (pty, text): (UserDataRef<RawPty>, LuaString)) -> Result<MultiValue> {
    match text.to_str() {
        Ok(text) => outcome(lua, pty.0.write(&text), |_, ()| Ok(Value::Boolean(true))),
        Err(_) => misuse(lua, "pty:write: the text is not UTF-8"),
    }
}

fn resize(lua: &Lua, (pty, cols, rows): (UserDataRef<RawPty>, f64, f64)) -> Result<MultiValue> {
    // Numbers beyond these are refused as a size by the core.
    outcome(lua, pty.0.resize(cols as u32, rows as u32), |_, ()| Ok(Value::Boolean(true)))
}

fn kill(lua: &Lua, pty: UserDataRef<RawPty>) -> Result<MultiValue> {
    outcome(lua, pty.0.kill(&CallOptions::default()), |_, ()| Ok(Value::Boolean(true)))
}
