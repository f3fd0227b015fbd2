//! Clients and blocking calls.

use crate::outcome::{failure, misuse, outcome, success};
use crate::{decode, encode};
use mlua::{Lua, MultiValue, Result, Table, UserData, UserDataRef, Value};
use opencode_core::{Answer, CallOptions, Client, ClientOptions, Error, ErrorKind};

/// A client in the hands of Lua.
pub(crate) struct RawClient(pub(crate) Client);

impl UserData for RawClient {}

pub(crate) fn register(lua: &Lua, raw: &Table) -> Result<()> {
    raw.set("client_new", lua.create_function(new)?)?;
    raw.set("client_close", lua.create_function(close)?)?;
    raw.set("client_fd", lua.create_function(fd)?)?;
    raw.set("client_log", lua.create_function(log)?)?;
    raw.set("client_url", lua.create_function(url)?)?;
    raw.set("call", lua.create_function(call)?)?;
    raw.set("request", lua.create_function(request)?)
}

fn new(lua: &Lua, options: Value) -> Result<MultiValue> {
    let json = match json(lua, &options) {
        Ok(json) => json,
        Err(why) => return misuse(lua, format!("client: {why}")),
    };
    let client = ClientOptions::from_json(&json).and_then(Client::new);
    outcome(lua, client, |lua, client| lua.create_userdata(RawClient(client)).map(Value::UserData))
}

fn close(lua: &Lua, client: UserDataRef<RawClient>) -> Result<MultiValue> {
    match client.0.close() {
        None => success(lua, true),
        Some(lost) => failure(lua, &lost),
    }
}

fn fd(lua: &Lua, client: UserDataRef<RawClient>) -> Result<MultiValue> {
    outcome(lua, client.0.fd(), |_, fd| Ok(Value::Integer(fd as _)))
}

/// A list of what was logged since the last time.
fn log(lua: &Lua, client: UserDataRef<RawClient>) -> Result<Table> {
    let list = lua.create_table()?;
    while let Some(record) = client.0.next_log() {
        list.push(decode::decode(lua, record.to_json().as_bytes())?)?;
    }
    Ok(list)
}

fn url(lua: &Lua, client: UserDataRef<RawClient>) -> Result<MultiValue> {
    success(lua, client.0.base_url())
}

fn call(
    lua: &Lua,
    (client, operation, arguments, options, is_raw): (
        UserDataRef<RawClient>,
        String,
        Value,
        Value,
        bool,
    ),
) -> Result<MultiValue> {
    match prepare(lua, &operation, &arguments, &options) {
        Ok((arguments, options)) => {
            let result = client.0.call_json(&operation, &arguments, &options);
            answer(lua, result, is_raw)
        }
        Err(error) => failure(lua, &error),
    }
}

fn request(
    lua: &Lua,
    (client, method, path, query, body, options, is_raw): (
        UserDataRef<RawClient>,
        String,
        String,
        Option<Table>,
        Value,
        Value,
        bool,
    ),
) -> Result<MultiValue> {
    let mut pairs = Vec::new();
    if let Some(query) = query {
        for pair in query.pairs::<Value, Value>() {
            match text_pair(lua, pair?) {
                Some(pair) => pairs.push(pair),
                None => return misuse(lua, "request: query must be a table of texts"),
            }
        }
    }
    let (body, options) = match prepare(lua, "request", &body, &options) {
        Ok((text, options)) => ((!body.is_nil()).then_some(text), options),
        Err(error) => return failure(lua, &error),
    };
    let result = client.0.request(&method, &path, &pairs, body.as_deref(), &options);
    answer(lua, result, is_raw)
}

/// Name and value of a query; numbers and booleans are texts in it.
fn text_pair(lua: &Lua, (name, value): (Value, Value)) -> Option<(String, String)> {
    let Value::String(name) = name else { return None };
    let value = match value {
        Value::String(text) => text.to_str().ok()?.to_owned(),
        Value::Integer(_) | Value::Number(_) | Value::Boolean(_) => {
            encode::encode(lua, &value).ok()?
        }
        _ => return None,
    };
    Some((name.to_str().ok()?.to_owned(), value))
}

/// Arguments and options of a call, from tables.
pub(crate) fn prepare(
    lua: &Lua,
    operation: &str,
    arguments: &Value,
    options: &Value,
) -> opencode_core::Result<(String, CallOptions)> {
    let wrong = |why: String| Error::new(ErrorKind::InvalidArgument, format!("{operation}: {why}"));
    let arguments = json(lua, arguments).map_err(wrong)?;
    let options = json(lua, options).map_err(wrong)?;
    Ok((arguments, CallOptions::from_json(&options)?))
}

/// JSON of an optional table; `""` for nil.
pub(crate) fn json(lua: &Lua, value: &Value) -> std::result::Result<String, String> {
    if value.is_nil() { Ok(String::new()) } else { encode::encode(lua, value) }
}

/// What a call gives: the decoded body; with `is_raw` status, headers and bytes as they came.
pub(crate) fn answer(
    lua: &Lua,
    result: opencode_core::Result<Answer>,
    is_raw: bool,
) -> Result<MultiValue> {
    let answer = match result {
        Ok(answer) => answer,
        Err(error) => return failure(lua, &error),
    };
    if is_raw {
        let table = lua.create_table()?;
        table.set("status", answer.status())?;
        let headers = lua.create_table()?;
        for (name, value) in answer.headers() {
            headers.set(name, value.as_ref())?;
        }
        table.set("headers", headers)?;
        table.set("body", lua.create_string(answer.bytes())?)?;
        return success(lua, table);
    }
    if answer.bytes().is_empty() {
        // An operation that answers nothing succeeded: that is true, so that `assert` works.
        return success(lua, true);
    }
    if !answer.is_json() {
        return success(lua, lua.create_string(answer.bytes())?);
    }
    match decode::decode(lua, answer.bytes()) {
        Ok(value) if value == Value::NULL => success(lua, Value::Nil),
        Ok(value) => success(lua, value),
        Err(mlua::Error::SyntaxError { message: why, .. }) => {
            failure(lua, &answer.decode_error("is no JSON", &why))
        }
        Err(error) => Err(error),
    }
}
