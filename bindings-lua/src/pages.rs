//! Long lists, page by page.

use crate::client::{RawClient, json};
use crate::decode;
use crate::outcome::{misuse, outcome};
use mlua::{Lua, MultiValue, Result, Table, UserData, UserDataRef, UserDataRefMut, Value};
use opencode_core::{CallOptions, MessageOptions, Pages, SessionOptions};

struct RawPages(Pages<()>);

impl UserData for RawPages {}

pub(crate) fn register(lua: &Lua, raw: &Table) -> Result<()> {
    raw.set("messages_open", lua.create_function(messages)?)?;
    raw.set("sessions_open", lua.create_function(sessions)?)?;
    raw.set("pages_next", lua.create_function(next)?)?;
    raw.set("pages_is_complete", lua.create_function(is_complete)?)
}

fn messages(
    lua: &Lua,
    (client, session, options): (UserDataRef<RawClient>, String, Value),
) -> Result<MultiValue> {
    let json = match json(lua, &options) {
        Ok(json) => json,
        Err(why) => return misuse(lua, format!("messages: {why}")),
    };
    let pages = MessageOptions::from_json(&json)
        .map(|options| client.0.messages(&session, options).untyped());
    hand_out(lua, pages)
}

fn sessions(lua: &Lua, (client, options): (UserDataRef<RawClient>, Value)) -> Result<MultiValue> {
    let json = match json(lua, &options) {
        Ok(json) => json,
        Err(why) => return misuse(lua, format!("sessions: {why}")),
    };
    let pages =
        SessionOptions::from_json(&json).map(|options| client.0.sessions(options).untyped());
    hand_out(lua, pages)
}

fn hand_out(lua: &Lua, pages: opencode_core::Result<Pages<()>>) -> Result<MultiValue> {
    outcome(lua, pages, |lua, pages| lua.create_userdata(RawPages(pages)).map(Value::UserData))
}

/// `true, item`, or `true, nil` at the end.
fn next(lua: &Lua, mut pages: UserDataRefMut<RawPages>) -> Result<MultiValue> {
    let found = pages.0.next_json(&CallOptions::default());
    outcome(lua, found, |lua, item| {
        // The server's answer was checked when the page was read.
        item.map_or(Ok(Value::Nil), |json| decode::decode(lua, json.get().as_bytes()))
    })
}

fn is_complete(_: &Lua, pages: UserDataRef<RawPages>) -> Result<bool> {
    Ok(pages.0.is_complete())
}
