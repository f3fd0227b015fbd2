//! What blocks elsewhere, as calls in the background: for hosts that wait in their own way.

use crate::bridge::{Arguments, Done, Found, Function, Quick, Results};
use crate::client::{prepare, query};
use opencode_core::{Call, Client, EventStream, Pty, Result, Run, UsageOptions};
use std::sync::LazyLock;
use std::time::Instant;

pub(crate) static FUNCTIONS: &[Function] = &[
    Function::new("now", now),
    Function::new("request_start", request),
    Function::new("usage_start", usage),
    Function::new("doctor_start", doctor),
    Function::new("tui_prompt_start", tui_prompt),
    Function::new("pty_kill_start", pty_kill),
    Function::new("client_close_start", close),
    Function::new("run_detach_start", detach),
    Function::look("run_is_drained", run_is_drained),
    Function::look("run_is_ready", run_is_ready),
    Function::look("call_is_ready", call_is_ready),
    Function::look("events_is_ready", events_is_ready),
    Function::look("pty_is_ready", pty_is_ready),
];

/// Milliseconds that go on whatever the clock of the system does.
fn now(_: &Arguments, results: &mut Results) -> Done {
    static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    results.integer(i64::try_from(BEGIN.elapsed().as_millis()).unwrap_or(i64::MAX));
    Ok(())
}

fn request(given: &Arguments, results: &mut Results) -> Done {
    let client = given.handle::<Client>(0)?;
    let (method, path) = (given.text(1)?, given.text(2)?);
    let Some(pairs) = query(given, results) else { return Ok(()) };
    results.made(prepare(given, "request", 4).and_then(|(text, options)| {
        let body = (!given.is_nil(4)).then_some(text);
        client.start_request(method, path, &pairs, body.as_deref(), options)
    }));
    Ok(())
}

fn usage(given: &Arguments, results: &mut Results) -> Done {
    let (client, session) = (given.handle::<Client>(0)?, given.text(1)?);
    match given.json(2) {
        Ok(options) => results.made(
            UsageOptions::from_json(&options)
                .and_then(|options| client.start_usage(session, options)),
        ),
        Err(why) => results.misuse(format!("usage: {why}")),
    }
    Ok(())
}

fn doctor(given: &Arguments, results: &mut Results) -> Done {
    results.made(given.handle::<Client>(0)?.start_doctor());
    Ok(())
}

fn tui_prompt(given: &Arguments, results: &mut Results) -> Done {
    results.made(given.handle::<Client>(0)?.start_tui_prompt(given.text(1)?));
    Ok(())
}

fn pty_kill(given: &Arguments, results: &mut Results) -> Done {
    let (client, pty) = (given.handle::<Client>(0)?, given.handle::<Pty>(1)?);
    results.made(client.start_pty_kill(pty));
    Ok(())
}

fn close(given: &Arguments, results: &mut Results) -> Done {
    let call: Result<Call> = Ok(given.handle::<Client>(0)?.start_close());
    results.made(call);
    Ok(())
}

fn detach(given: &Arguments, results: &mut Results) -> Done {
    let call: Result<Call> = Ok(given.handle::<Run>(0)?.start_detach());
    results.made(call);
    Ok(())
}

fn run_is_drained(found: &Found, _: Option<f64>) -> Option<Quick> {
    Some(Quick::Boolean(found.get::<Run>()?.is_drained()))
}

fn run_is_ready(found: &Found, _: Option<f64>) -> Option<Quick> {
    Some(Quick::Boolean(found.get::<Run>()?.is_ready()))
}

fn call_is_ready(found: &Found, _: Option<f64>) -> Option<Quick> {
    Some(Quick::Boolean(found.get::<Call>()?.is_ready()))
}

fn events_is_ready(found: &Found, _: Option<f64>) -> Option<Quick> {
    Some(Quick::Boolean(found.get::<EventStream>()?.is_ready()))
}

fn pty_is_ready(found: &Found, _: Option<f64>) -> Option<Quick> {
    Some(Quick::Boolean(found.get::<Pty>()?.is_ready()))
}
