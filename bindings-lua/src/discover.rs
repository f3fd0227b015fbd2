//! Which servers there are, and what is wrong with one.

use crate::call::milliseconds;
use crate::client::RawClient;
use crate::decode;
use mlua::{Lua, Result, Table, UserDataRef, Value};

pub(crate) fn register(lua: &Lua, raw: &Table) -> Result<()> {
    raw.set("discover", lua.create_function(discover)?)?;
    raw.set("doctor", lua.create_function(doctor)?)
}

fn discover(lua: &Lua, timeout: f64) -> Result<Table> {
    let list = lua.create_table()?;
    for found in opencode_core::discover(milliseconds(timeout)) {
        list.push(native(lua, &found.to_json())?)?;
    }
    Ok(list)
}

fn doctor(lua: &Lua, client: UserDataRef<RawClient>) -> Result<Value> {
    native(lua, &client.0.doctor().to_json())
}

/// JSON that the core made.
fn native(lua: &Lua, json: &str) -> Result<Value> {
    decode::decode(lua, json.as_bytes()).map_err(mlua::Error::runtime)
}
