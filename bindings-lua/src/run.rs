//! Runs.

use crate::call::milliseconds;
use crate::client::{RawClient, json};
use crate::decode;
use crate::outcome::{describe, failure, misuse, outcome, success};
use mlua::{Lua, MultiValue, Result, Table, UserData, UserDataRef, Value};
use opencode_core::{Error, PermissionReply, Prompt, Run, Update};

struct RawRun(Run);

impl UserData for RawRun {}

pub(crate) fn register(lua: &Lua, raw: &Table) -> Result<()> {
    raw.set("run_start", lua.create_function(start)?)?;
    raw.set("run_resume", lua.create_function(resume)?)?;
    raw.set("run_poll", lua.create_function(poll)?)?;
    raw.set("run_wait_update", lua.create_function(wait_update)?)?;
    raw.set("run_wait", lua.create_function(wait)?)?;
    raw.set("run_cancel", lua.create_function(cancel)?)?;
    raw.set(
        "run_state",
        lua.create_function(|_, run: UserDataRef<RawRun>| Ok(run.0.state().as_str()))?,
    )?;
    raw.set("run_text", lua.create_function(|_, run: UserDataRef<RawRun>| Ok(run.0.text()))?)?;
    raw.set("run_why", lua.create_function(|_, run: UserDataRef<RawRun>| Ok(run.0.why()))?)?;
    raw.set(
        "run_session",
        lua.create_function(|_, run: UserDataRef<RawRun>| Ok(run.0.session_id()))?,
    )?;
    raw.set(
        "run_message",
        lua.create_function(|_, run: UserDataRef<RawRun>| Ok(run.0.message_id()))?,
    )?;
    raw.set("run_reply", lua.create_function(reply)?)?;
    raw.set("run_error", lua.create_function(error)?)?;
    raw.set("run_reply_permission", lua.create_function(reply_permission)?)?;
    raw.set("run_reply_question", lua.create_function(reply_question)?)?;
    raw.set("run_detach", lua.create_function(detach)?)
}

fn start(lua: &Lua, (client, prompt): (UserDataRef<RawClient>, Value)) -> Result<MultiValue> {
    let run = match json(lua, &prompt) {
        Ok(json) => Prompt::from_json(&json).and_then(|prompt| client.0.run(prompt)),
        Err(why) => return misuse(lua, format!("run: {why}")),
    };
    outcome(lua, run, |lua, run| lua.create_userdata(RawRun(run)).map(Value::UserData))
}

fn resume(
    lua: &Lua,
    (client, session, message, options): (UserDataRef<RawClient>, String, String, Value),
) -> Result<MultiValue> {
    let run = match json(lua, &options) {
        Ok(json) => Prompt::options_from_json(&json)
            .and_then(|prompt| client.0.resume(&session, &message, prompt)),
        Err(why) => return misuse(lua, format!("resume: {why}")),
    };
    outcome(lua, run, |lua, run| lua.create_userdata(RawRun(run)).map(Value::UserData))
}

/// `state, updates`: the hot path of a tick, without the usual wrapping.
fn poll(lua: &Lua, run: UserDataRef<RawRun>) -> Result<(&'static str, Table)> {
    let (state, updates) = run.0.poll();
    let table = lua.create_table_with_capacity(updates.len(), 0)?;
    for update in &updates {
        table.push(convert(lua, update)?)?;
    }
    Ok((state.as_str(), table))
}

/// The next update when one comes in time; nothing otherwise.
fn wait_update(lua: &Lua, (run, timeout): (UserDataRef<RawRun>, Option<f64>)) -> Result<Value> {
    match run.0.next_update(timeout.map(milliseconds)) {
        Some(update) => convert(lua, &update),
        None => Ok(Value::Nil),
    }
}

fn convert(lua: &Lua, update: &Update) -> Result<Value> {
    let value = native(lua, &update.to_json())?;
    if let (Value::Table(table), Update::Failed(error)) = (&value, update) {
        // Errors of updates print like all others.
        let (message, _) = describe(lua, error)?;
        table.set("message", message)?;
    }
    Ok(value)
}

fn wait(lua: &Lua, (run, timeout): (UserDataRef<RawRun>, Option<f64>)) -> Result<MultiValue> {
    let reply = run.0.wait(timeout.map(milliseconds));
    outcome(lua, reply, |lua, reply| native(lua, &reply.to_json()))
}

fn cancel(_: &Lua, (run, timeout): (UserDataRef<RawRun>, f64)) -> Result<&'static str> {
    Ok(run.0.cancel(milliseconds(timeout)).as_str())
}

fn reply(lua: &Lua, run: UserDataRef<RawRun>) -> Result<Value> {
    run.0.reply().map_or(Ok(Value::Nil), |reply| native(lua, &reply.to_json()))
}

fn error(lua: &Lua, run: UserDataRef<RawRun>) -> Result<(Option<String>, Value)> {
    match run.0.error() {
        Some(error) => describe(lua, &error).map(|(message, table)| (Some(message), table)),
        None => Ok((None, Value::Nil)),
    }
}

fn reply_permission(
    lua: &Lua,
    (run, id, reply, message): (UserDataRef<RawRun>, String, String, Option<String>),
) -> Result<MultiValue> {
    match PermissionReply::parse(&reply) {
        Ok(reply) => {
            run.0.reply_permission(&id, reply, message.as_deref());
            success(lua, true)
        }
        Err(error) => failure(lua, &error),
    }
}

fn reply_question(
    lua: &Lua,
    (run, id, answers): (UserDataRef<RawRun>, String, Value),
) -> Result<MultiValue> {
    if answers.is_nil() {
        run.0.reject_question(&id);
        return success(lua, true);
    }
    let lists = json(lua, &answers).and_then(|json| {
        serde_json::from_str::<Vec<Vec<String>>>(&json).map_err(|e| e.to_string())
    });
    match lists {
        Ok(lists) => {
            run.0.reply_question(&id, &lists);
            success(lua, true)
        }
        Err(why) => misuse(lua, format!("answers must be a list of lists of texts: {why}")),
    }
}

fn detach(lua: &Lua, (run, timeout): (UserDataRef<RawRun>, f64)) -> Result<MultiValue> {
    let detached: std::result::Result<_, Error> = run.0.detach(milliseconds(timeout));
    outcome(lua, detached, |lua, detached| {
        let table = lua.create_table()?;
        table.set("sessionID", detached.session_id)?;
        table.set("messageID", detached.message_id)?;
        Ok(Value::Table(table))
    })
}

/// JSON that the core made; it cannot be wrong.
fn native(lua: &Lua, json: &str) -> Result<Value> {
    decode::decode(lua, json.as_bytes())
}
