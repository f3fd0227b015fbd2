//! Attachments, usage, the terminal interface, and replays.

use crate::bridge::{Arguments, Done, Found, Function, Misuse, Quick, Results, handle};
use opencode_core::{
    AttachOptions, CallOptions, Client, Replay, Result, TuiControl, UsageOptions,
    attach as attach_file, attach_bytes,
};
use serde_json::Value;
use std::cell::RefCell;

handle!(TuiControl, "control");

/// Empty once it was closed.
struct RawReplay(RefCell<Option<Replay>>);

handle!(RawReplay, "replay");

pub(crate) static FUNCTIONS: &[Function] = &[
    Function::new("attach", attach),
    Function::new("attach_bytes", bytes),
    Function::new("usage", usage),
    Function::new("tui_prompt", prompt),
    Function::new("tui_control", control),
    Function::new("replay", replay),
    Function::new("replay_url", replay_url),
    Function::new("replay_close", replay_close),
    Function::quick("tui_next", next, look_next),
    Function::new("tui_respond", respond),
    Function::new("tui_close", close),
    Function::look("tui_is_ready", is_ready),
];

fn attach(given: &Arguments, results: &mut Results) -> Done {
    match (given.text(0), given.json(1)) {
        (Ok(path), Ok(options)) => {
            let options = AttachOptions::from_json(&options);
            attached(results, options, |options| attach_file(path, options));
        }
        (Err(_), _) => results.misuse("attach: the path is not UTF-8"),
        (_, Err(why)) => results.misuse(format!("attach: {why}")),
    }
    Ok(())
}

/// Wrong options are a mistake of the script; what is wrong with a file is known at run time only.
fn attached(
    results: &mut Results,
    options: Result<AttachOptions>,
    read: impl FnOnce(&AttachOptions) -> Result<Value>,
) {
    match options {
        Ok(options) => {
            results.runtime(read(&options), |results, part| results.json(part.to_string()));
        }
        Err(error) => results.failure(&error),
    }
}

fn bytes(given: &Arguments, results: &mut Results) -> Done {
    let (name, bytes) = (given.text(0)?, given.bytes(1)?);
    match given.json(2) {
        Ok(options) => {
            let options = AttachOptions::from_json(&options);
            attached(results, options, |options| attach_bytes(name, bytes, options));
        }
        Err(why) => results.misuse(format!("attach_bytes: {why}")),
    }
    Ok(())
}

fn usage(given: &Arguments, results: &mut Results) -> Done {
    let (client, session) = (given.handle::<Client>(0)?, given.text(1)?);
    match given.json(2) {
        Ok(options) => {
            let usage = UsageOptions::from_json(&options)
                .and_then(|options| client.usage(session, &options, &interruptible(given)));
            results.outcome(usage, |results, usage| results.json(usage.to_json()));
        }
        Err(why) => results.misuse(format!("usage: {why}")),
    }
    Ok(())
}

fn prompt(given: &Arguments, results: &mut Results) -> Done {
    let client = given.handle::<Client>(0)?;
    results.done(client.tui_prompt(given.text(1)?, &interruptible(given)));
    Ok(())
}

fn interruptible(given: &Arguments) -> CallOptions {
    CallOptions { interrupt: Some(given.interrupt()), ..CallOptions::default() }
}

fn control(given: &Arguments, results: &mut Results) -> Done {
    let control: Result<TuiControl> = Ok(given.handle::<Client>(0)?.tui_control());
    results.made(control);
    Ok(())
}

fn is_ready(found: &Found, _: Option<f64>) -> Option<Quick> {
    Some(Quick::Boolean(found.get::<TuiControl>()?.is_ready()))
}

fn replay(given: &Arguments, results: &mut Results) -> Done {
    let replay = Replay::start(given.text(0)?);
    results.made(replay.map(|replay| RawReplay(RefCell::new(Some(replay)))));
    Ok(())
}

fn replay_url(given: &Arguments, results: &mut Results) -> Done {
    let replay = given.handle::<RawReplay>(0)?;
    results.optional_text(replay.0.borrow().as_ref().map(Replay::url));
    Ok(())
}

fn replay_close(given: &Arguments, _: &mut Results) -> Done {
    let replay = given.handle::<RawReplay>(0)?;
    let mut replay = replay.0.try_borrow_mut().map_err(|_| Misuse::new("the replay is in use"))?;
    replay.take().into_iter().for_each(|mut replay| replay.close());
    Ok(())
}

/// Of a tick: none came.
fn look_next(found: &Found, time: Option<f64>) -> Option<Quick> {
    (time == Some(0.0) && found.get::<TuiControl>()?.is_idle()).then_some(Quick::TrueNil)
}

/// `true, request`: nil when none came in time.
fn next(given: &Arguments, results: &mut Results) -> Done {
    let found = given.handle::<TuiControl>(0)?.next(given.time(1));
    results.runtime(found, |results, found| match found {
        Some(json) => results.json(json),
        None => {
            results.nil();
            Ok(())
        }
    });
    Ok(())
}

fn respond(given: &Arguments, results: &mut Results) -> Done {
    let control = given.handle::<TuiControl>(0)?;
    match given.json(1) {
        Ok(json) if json.is_empty() => results.done(control.respond("null")),
        Ok(json) => results.done(control.respond(&json)),
        Err(why) => results.misuse(format!("tui_control: {why}")),
    }
    Ok(())
}

fn close(given: &Arguments, _: &mut Results) -> Done {
    given.handle::<TuiControl>(0)?.close();
    Ok(())
}
