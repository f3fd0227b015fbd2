//! How every raw function answers the prelude: `true, values...` or `false, is_misuse, message, err`.
//!
//! No function returns an error of ours to mlua: it would reach the host as a userdata that cannot be printed
//! everywhere and has no fields. Errors of Lua itself, such as that of a hook by which a host ends a script, are
//! handed on: swallowed, the script would go on with values that are missing.

use crate::decode;
use mlua::{IntoLua, IntoLuaMulti, Lua, MultiValue, Result, Value};
use opencode_core::{Error, ErrorKind};

/// Turns a result of the core into what the prelude expects.
pub(crate) fn outcome<T>(
    lua: &Lua,
    result: opencode_core::Result<T>,
    convert: impl FnOnce(&Lua, T) -> Result<Value>,
) -> Result<MultiValue> {
    match result {
        Ok(value) => (true, convert(lua, value)?).into_lua_multi(lua),
        Err(error) => failure(lua, &error),
    }
}

/// The same for several values.
pub(crate) fn success(lua: &Lua, values: impl IntoLuaMulti) -> Result<MultiValue> {
    let mut all = values.into_lua_multi(lua)?;
    all.push_front(true.into_lua(lua)?);
    Ok(all)
}

/// A failure. Misuse is what the author of the script can mend: the prelude raises it.
pub(crate) fn failure(lua: &Lua, error: &Error) -> Result<MultiValue> {
    let is_misuse = matches!(error.kind(), ErrorKind::InvalidArgument | ErrorKind::Closed);
    let (message, table) = describe(lua, error)?;
    (false, is_misuse, message, table).into_lua_multi(lua)
}

/// For what may fail in spite of correct arguments: a failure is never raised, whatever its kind.
pub(crate) fn runtime<T>(
    lua: &Lua,
    result: opencode_core::Result<T>,
    convert: impl FnOnce(&Lua, T) -> Result<Value>,
) -> Result<MultiValue> {
    match result {
        Ok(value) => (true, convert(lua, value)?).into_lua_multi(lua),
        Err(error) => {
            let (message, table) = describe(lua, &error)?;
            (false, false, message, table).into_lua_multi(lua)
        }
    }
}

/// Message and table of an error.
pub(crate) fn describe(lua: &Lua, error: &Error) -> Result<(String, Value)> {
    let message = format!("{}: {}", error.kind().name(), error.message());
    let table = decode::decode(lua, error.to_json().as_bytes())?;
    Ok((message, table))
}

/// A mistake in what the script passed.
pub(crate) fn misuse(lua: &Lua, message: impl Into<String>) -> Result<MultiValue> {
    failure(lua, &Error::new(ErrorKind::InvalidArgument, message))
}
