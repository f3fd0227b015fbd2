//! Calls in the background.

use crate::bridge::{Arguments, Done, Found, Function, Quick, Results, handle};
use crate::client::{answer, prepare, shape_of_call};
use opencode_core::{Call, Client};

handle!(Call, "call");

pub(crate) static FUNCTIONS: &[Function] = &[
    Function::shaped("call_start", start, shape_of_call),
    Function::quick("call_is_done", is_done, look_is_done),
    Function::new("call_wait", wait),
    Function::new("call_cancel", cancel),
];

fn start(given: &Arguments, results: &mut Results) -> Done {
    let (client, operation) = (given.handle::<Client>(0)?, given.text(1)?);
    match prepare(given, operation, 2) {
        // What is wrong with the arguments is told where they stand, and not where the result is looked at.
        Ok((arguments, options)) => results.made(
            client
                .check_json(operation, &arguments, &options)
                .and_then(|()| client.start_json(operation, &arguments, options)),
        ),
        Err(error) => results.failure(&error),
    }
    Ok(())
}

fn look_is_done(found: &Found, _: Option<f64>) -> Option<Quick> {
    Some(Quick::Boolean(found.get::<Call>()?.is_done()))
}

fn is_done(given: &Arguments, results: &mut Results) -> Done {
    results.boolean(given.handle::<Call>(0)?.is_done());
    Ok(())
}

/// The result when it comes in time: `true, value` or `false, ...`; nothing otherwise.
fn wait(given: &Arguments, results: &mut Results) -> Done {
    if let Some(result) = given.handle::<Call>(0)?.wait(given.time(1)) {
        answer(results, result, given.flag(2));
    }
    Ok(())
}

fn cancel(given: &Arguments, results: &mut Results) -> Done {
    given.handle::<Call>(0)?.cancel();
    results.done(Ok(()));
    Ok(())
}
