//! Drift: how a running server differs from the operations that this library knows.

use crate::client::RawClient;
use crate::decode;
use crate::outcome::outcome;
use mlua::{Lua, MultiValue, Result, Table, UserDataRef};

pub(crate) fn register(lua: &Lua, raw: &Table) -> Result<()> {
    raw.set("drift", lua.create_function(drift)?)
}

fn drift(lua: &Lua, client: UserDataRef<RawClient>) -> Result<MultiValue> {
    outcome(lua, client.0.drift(), |lua, drift| {
        decode::decode(lua, drift.to_json().as_bytes()).map_err(mlua::Error::external)
    })
}
