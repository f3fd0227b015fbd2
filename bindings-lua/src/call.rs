//! Calls in the background.

use crate::client::{RawClient, answer, prepare};
use crate::outcome::{failure, outcome, success};
use mlua::{Lua, MultiValue, Result, Table, UserData, UserDataRef, Value};
use opencode_core::Call;
use std::time::Duration;

struct RawCall(Call);

impl UserData for RawCall {}

pub(crate) fn register(lua: &Lua, raw: &Table) -> Result<()> {
    raw.set("call_start", lua.create_function(start)?)?;
    raw.set(
        "call_is_done",
        lua.create_function(|_, call: UserDataRef<RawCall>| Ok(call.0.is_done()))?,
    )?;
    raw.set("call_wait", lua.create_function(wait)?)?;
    raw.set("call_cancel", lua.create_function(cancel)?)
}

fn start(
    lua: &Lua,
    (client, operation, arguments, options): (UserDataRef<RawClient>, String, Value, Value),
) -> Result<MultiValue> {
    match prepare(lua, &operation, &arguments, &options) {
        Ok((arguments, options)) => {
            let call = client.0.start_json(&operation, &arguments, options);
            outcome(lua, call, |lua, call| lua.create_userdata(RawCall(call)).map(Value::UserData))
        }
        Err(error) => failure(lua, &error),
    }
}

/// The result when it comes in time: `true, value` or `false, ...`; nothing otherwise.
fn wait(
    lua: &Lua,
    (call, timeout, is_raw): (UserDataRef<RawCall>, Option<f64>, bool),
) -> Result<MultiValue> {
    match call.0.wait(timeout.map(milliseconds)) {
        Some(result) => answer(lua, result, is_raw),
        None => Ok(MultiValue::new()),
    }
}

fn cancel(lua: &Lua, call: UserDataRef<RawCall>) -> Result<MultiValue> {
    call.0.cancel();
    success(lua, true)
}

/// A time of Lua. Negative and absurd ones are brought within bounds.
pub(crate) fn milliseconds(time: f64) -> Duration {
    Duration::from_millis(time.clamp(0.0, 3.2e12) as u64)
}
