//! Attachments, usage, the terminal interface, and replays.

use crate::call::milliseconds;
use crate::client::{RawClient, json};
use crate::outcome::{failure, misuse, outcome};
use crate::{decode, encode};
use mlua::{
    Lua, LuaString, MultiValue, Result, Table, UserData, UserDataRef, UserDataRefMut, Value,
};
use opencode_core::{
    AttachOptions, CallOptions, Replay, TuiControl, UsageOptions, attach as attach_file,
    attach_bytes,
};

struct RawControl(TuiControl);

impl UserData for RawControl {}

/// Empty once it was closed.
struct RawReplay(Option<Replay>);

impl UserData for RawReplay {}

pub(crate) fn register(lua: &Lua, raw: &Table) -> Result<()> {
    raw.set("attach", lua.create_function(attach)?)?;
    raw.set("attach_bytes", lua.create_function(bytes)?)?;
    raw.set("usage", lua.create_function(usage)?)?;
    raw.set("tui_prompt", lua.create_function(prompt)?)?;
    raw.set(
        "tui_control",
        lua.create_function(|lua, client: UserDataRef<RawClient>| {
            lua.create_userdata(RawControl(client.0.tui_control()))
        })?,
    )?;
    raw.set("replay", lua.create_function(replay)?)?;
    raw.set(
        "replay_url",
        lua.create_function(|_, replay: UserDataRef<RawReplay>| {
            Ok(replay.0.as_ref().map(Replay::url))
        })?,
    )?;
    raw.set(
        "replay_close",
        lua.create_function(|_, mut replay: UserDataRefMut<RawReplay>| {
            replay.0 = None;
            Ok(())
        })?,
    )?;
    raw.set("tui_next", lua.create_function(next)?)?;
    raw.set("tui_respond", lua.create_function(respond)?)?;
    raw.set(
        "tui_close",
        lua.create_function(|_, control: UserDataRef<RawControl>| {
            control.0.close();
            Ok(())
        })?,
    )
}

fn attach(lua: &Lua, (path, options): (LuaString, Value)) -> Result<MultiValue> {
    let (path, options) = match (path.to_str(), json(lua, &options)) {
        (Ok(path), Ok(options)) => (path.to_owned(), options),
        (Err(_), _) => return misuse(lua, "attach: the path is not UTF-8"),
        (_, Err(why)) => return misuse(lua, format!("attach: {why}")),
    };
    let part = AttachOptions::from_json(&options).and_then(|options| attach_file(&path, &options));
    outcome(lua, part, |lua, part| native(lua, &part.to_string()))
}

fn bytes(lua: &Lua, (name, bytes, options): (String, LuaString, Value)) -> Result<MultiValue> {
    let options = match json(lua, &options) {
        Ok(options) => options,
        Err(why) => return misuse(lua, format!("attach_bytes: {why}")),
    };
    let part = AttachOptions::from_json(&options)
        .and_then(|options| attach_bytes(&name, &bytes.as_bytes(), &options));
    outcome(lua, part, |lua, part| native(lua, &part.to_string()))
}

fn replay(lua: &Lua, path: String) -> Result<MultiValue> {
    outcome(lua, Replay::start(path), |lua, replay| {
        lua.create_userdata(RawReplay(Some(replay))).map(Value::UserData)
    })
}

fn usage(
    lua: &Lua,
    (client, session, options): (UserDataRef<RawClient>, String, Value),
) -> Result<MultiValue> {
    let options = match json(lua, &options) {
        Ok(options) => options,
        Err(why) => return misuse(lua, format!("usage: {why}")),
    };
    let usage = UsageOptions::from_json(&options)
        .and_then(|options| client.0.usage(&session, &options, &CallOptions::default()));
    outcome(lua, usage, |lua, usage| native(lua, &usage.to_json()))
}

fn prompt(lua: &Lua, (client, text): (UserDataRef<RawClient>, String)) -> Result<MultiValue> {
    let accepted = client.0.tui_prompt(&text, &CallOptions::default());
    outcome(lua, accepted, |_, ()| Ok(Value::Boolean(true)))
}

/// `true, request`: nil when none came in time.
fn next(
    lua: &Lua,
    (control, timeout): (UserDataRef<RawControl>, Option<f64>),
) -> Result<MultiValue> {
    let found = control.0.next(timeout.map(milliseconds));
    outcome(lua, found, |lua, found| match found {
        Some(json) => native(lua, &json),
        None => Ok(Value::Nil),
    })
}

fn respond(lua: &Lua, (control, value): (UserDataRef<RawControl>, Value)) -> Result<MultiValue> {
    let sent = match encode::encode(lua, &value) {
        Ok(json) => control.0.respond(&json),
        Err(why) => return misuse(lua, format!("tui_control: {why}")),
    };
    match sent {
        Ok(()) => crate::outcome::success(lua, true),
        Err(error) => failure(lua, &error),
    }
}

/// JSON that the core made, or passed on unread.
fn native(lua: &Lua, json: &str) -> Result<Value> {
    decode::decode(lua, json.as_bytes())
}
