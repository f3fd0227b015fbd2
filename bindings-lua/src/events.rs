//! Event streams.

use crate::call::milliseconds;
use crate::client::{RawClient, json};
use crate::decode;
use crate::outcome::{misuse, outcome, runtime};
use mlua::{Lua, MultiValue, Result, Table, UserData, UserDataRef, Value};
use opencode_core::{EventOptions, EventStream, StreamEvent};
use std::time::Duration;

struct RawEvents(EventStream);

impl UserData for RawEvents {}

pub(crate) fn register(lua: &Lua, raw: &Table) -> Result<()> {
    raw.set("events_open", lua.create_function(open)?)?;
    raw.set("events_next", lua.create_function(next)?)?;
    raw.set("events_is_over", lua.create_function(is_over)?)?;
    raw.set("events_close", lua.create_function(close)?)
}

fn open(lua: &Lua, (client, options): (UserDataRef<RawClient>, Value)) -> Result<MultiValue> {
    let json = match json(lua, &options) {
        Ok(json) => json,
        Err(why) => return misuse(lua, format!("events: {why}")),
    };
    let stream = EventOptions::from_json(&json).and_then(|options| client.0.events(options));
    outcome(lua, stream, |lua, stream| lua.create_userdata(RawEvents(stream)).map(Value::UserData))
}

/// `true, event`, or `true, nil` when none came in time.
fn next(lua: &Lua, (stream, timeout): (UserDataRef<RawEvents>, Option<f64>)) -> Result<MultiValue> {
    let found = match timeout.map(milliseconds) {
        Some(Duration::ZERO) => stream.0.poll(),
        limit => stream.0.next(limit),
    };
    runtime(lua, found, |lua, event| event.map_or(Ok(Value::Nil), |event| convert(lua, &event)))
}

fn is_over(_: &Lua, stream: UserDataRef<RawEvents>) -> Result<bool> {
    Ok(stream.0.is_over())
}

fn close(_: &Lua, stream: UserDataRef<RawEvents>) -> Result<()> {
    stream.0.close();
    Ok(())
}

/// An event as a table; its JSON cannot be wrong.
fn convert(lua: &Lua, event: &StreamEvent) -> Result<Value> {
    decode::decode(lua, event.to_json().as_bytes())
}
