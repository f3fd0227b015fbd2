//! Event streams.

use crate::bridge::{Arguments, Done, Found, Function, Quick, Results, handle};
use crate::shapes;
use opencode_core::{Client, EventOptions, EventStream};
use std::time::Duration;

handle!(EventStream, "stream");

pub(crate) static FUNCTIONS: &[Function] = &[
    Function::shaped("events_open", open, |_, _| &shapes::EVENTS),
    Function::quick("events_next", next, look_next),
    Function::new("events_is_over", is_over),
    Function::new("events_close", close),
];

fn open(given: &Arguments, results: &mut Results) -> Done {
    let client = given.handle::<Client>(0)?;
    match given.json(1) {
        Ok(json) => {
            results.made(EventOptions::from_json(&json).and_then(|options| client.events(options)))
        }
        Err(why) => results.misuse(format!("events: {why}")),
    }
    Ok(())
}

/// Of a tick: nothing came.
fn look_next(found: &Found, time: Option<f64>) -> Option<Quick> {
    (time == Some(0.0) && found.get::<EventStream>()?.is_idle()).then_some(Quick::TrueNil)
}

/// `true, event`, or `true, nil` when none came in time.
fn next(given: &Arguments, results: &mut Results) -> Done {
    let stream = given.handle::<EventStream>(0)?;
    let found = match given.time(1) {
        Some(Duration::ZERO) => stream.poll(),
        limit => stream.next(limit),
    };
    results.runtime(found, |results, event| match event {
        Some(event) => results.event(event),
        None => {
            results.nil();
            Ok(())
        }
    });
    Ok(())
}

fn is_over(given: &Arguments, results: &mut Results) -> Done {
    results.boolean(given.handle::<EventStream>(0)?.is_over());
    Ok(())
}

fn close(given: &Arguments, _: &mut Results) -> Done {
    given.handle::<EventStream>(0)?.close();
    Ok(())
}
