//! Servers that the host starts itself.

use crate::call::milliseconds;
use crate::client::{RawClient, json};
use crate::outcome::{describe, failure, misuse, outcome, success};
use mlua::{Lua, MultiValue, Result, Table, UserData, UserDataRef, Value};
use opencode_core::{ClientOptions, Server, ServerOptions};

struct RawServer(Server);

impl UserData for RawServer {}

pub(crate) fn register(lua: &Lua, raw: &Table) -> Result<()> {
    raw.set("server_start", lua.create_function(|lua, o: Value| make(lua, &o, Server::start))?)?;
    raw.set("server_launch", lua.create_function(|lua, o: Value| make(lua, &o, Server::launch))?)?;
    raw.set(
        "server_poll",
        lua.create_function(|_, server: UserDataRef<RawServer>| Ok(server.0.poll().as_str()))?,
    )?;
    raw.set("server_wait", lua.create_function(wait)?)?;
    raw.set("server_error", lua.create_function(error)?)?;
    raw.set("server_client", lua.create_function(client)?)?;
    raw.set("server_url", lua.create_function(url)?)?;
    raw.set(
        "server_pid",
        lua.create_function(|_, server: UserDataRef<RawServer>| Ok(server.0.pid()))?,
    )?;
    raw.set("server_environment", lua.create_function(environment)?)?;
    raw.set(
        "server_output",
        lua.create_function(|_, server: UserDataRef<RawServer>| Ok(server.0.output()))?,
    )?;
    raw.set("server_close", lua.create_function(close)?)
}

fn make(
    lua: &Lua,
    options: &Value,
    begin: impl FnOnce(ServerOptions) -> opencode_core::Result<Server>,
) -> Result<MultiValue> {
    let server = match json(lua, options) {
        Ok(json) => ServerOptions::from_json(&json).and_then(begin),
        Err(why) => return misuse(lua, format!("server: {why}")),
    };
    outcome(lua, server, |lua, server| lua.create_userdata(RawServer(server)).map(Value::UserData))
}

fn wait(_: &Lua, (server, timeout): (UserDataRef<RawServer>, Option<f64>)) -> Result<&'static str> {
    Ok(server.0.wait(timeout.map(milliseconds)).as_str())
}

/// Message and table of why it failed; nothing otherwise.
fn error(lua: &Lua, server: UserDataRef<RawServer>) -> Result<MultiValue> {
    match server.0.error() {
        Some(error) => {
            let (message, table) = describe(lua, &error)?;
            mlua::IntoLuaMulti::into_lua_multi((message, table), lua)
        }
        None => Ok(MultiValue::new()),
    }
}

fn client(lua: &Lua, (server, options): (UserDataRef<RawServer>, Value)) -> Result<MultiValue> {
    let client = match json(lua, &options) {
        Ok(json) => ClientOptions::from_json(&json).and_then(|o| server.0.client_with(o)),
        Err(why) => return misuse(lua, format!("client: {why}")),
    };
    outcome(lua, client, |lua, client| lua.create_userdata(RawClient(client)).map(Value::UserData))
}

fn url(_: &Lua, server: UserDataRef<RawServer>) -> Result<Option<String>> {
    Ok(server.0.url())
}

fn environment(lua: &Lua, server: UserDataRef<RawServer>) -> Result<MultiValue> {
    match server.0.environment() {
        Ok(pairs) => success(lua, lua.create_table_from(pairs)?),
        Err(error) => failure(lua, &error),
    }
}

fn close(lua: &Lua, server: UserDataRef<RawServer>) -> Result<MultiValue> {
    server.0.close();
    success(lua, true)
}
