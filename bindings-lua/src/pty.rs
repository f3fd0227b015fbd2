//! Terminals.

use crate::bridge::{Arguments, Done, Found, Function, Quick, Results, handle};
use crate::shapes;
use opencode_core::{CallOptions, Client, Pty, PtyOpening, PtyOptions};

handle!(Pty, "pty");
handle!(PtyOpening, "opening of a pty");

pub(crate) static FUNCTIONS: &[Function] = &[
    Function::shaped("pty_open", open, |_, _| &shapes::PTY),
    Function::shaped("pty_connect", connect, |_, _| &shapes::PTY),
    Function::shaped("pty_start", start, |_, _| &shapes::PTY),
    Function::quick("opening_is_done", opening_is_done, look_opening_is_done),
    Function::new("opening_is_ready", opening_is_ready),
    Function::new("opening_wait", opening_wait),
    Function::new("opening_cancel", opening_cancel),
    Function::quick("pty_read", read, look_read),
    Function::new("pty_write", write),
    Function::new("pty_resize", resize),
    Function::new("pty_kill", kill),
    Function::new("pty_close", close),
    Function::new("pty_id", id),
    Function::new("pty_cursor", cursor),
    Function::new("pty_is_over", is_over),
    Function::new("pty_is_complete", is_complete),
    Function::new("pty_exit_code", exit_code),
];

fn open(given: &Arguments, results: &mut Results) -> Done {
    let client = given.handle::<Client>(0)?;
    match given.json(1) {
        Ok(json) => {
            results.made(PtyOptions::from_json(&json).and_then(|options| client.pty(options)));
        }
        Err(why) => results.misuse(format!("pty: {why}")),
    }
    Ok(())
}

fn connect(given: &Arguments, results: &mut Results) -> Done {
    let (client, id) = (given.handle::<Client>(0)?, given.text(1)?);
    match given.json(2) {
        Ok(json) => results
            .made(PtyOptions::from_json(&json).and_then(|options| client.pty_connect(id, options))),
        Err(why) => results.misuse(format!("pty_connect: {why}")),
    }
    Ok(())
}

fn start(given: &Arguments, results: &mut Results) -> Done {
    let client = given.handle::<Client>(0)?;
    match given.json(1) {
        Ok(json) => {
            results.made(PtyOptions::from_json(&json).and_then(|o| client.start_pty(o)));
        }
        Err(why) => results.misuse(format!("pty: {why}")),
    }
    Ok(())
}

fn look_opening_is_done(found: &Found, _: Option<f64>) -> Option<Quick> {
    Some(Quick::Boolean(found.get::<PtyOpening>()?.call().is_done()))
}

fn opening_is_done(given: &Arguments, results: &mut Results) -> Done {
    results.boolean(given.handle::<PtyOpening>(0)?.call().is_done());
    Ok(())
}

fn opening_is_ready(given: &Arguments, results: &mut Results) -> Done {
    results.boolean(given.handle::<PtyOpening>(0)?.call().is_ready());
    Ok(())
}

/// The terminal when it is there in time: `true, pty`, and `true, nil` when it was taken before; nothing otherwise.
fn opening_wait(given: &Arguments, results: &mut Results) -> Done {
    let opening = given.handle::<PtyOpening>(0)?;
    if let Some(result) = opening.call().wait(given.time(1)) {
        results.outcome(result, |results, _| {
            match opening.take() {
                Some(pty) => results.handle(pty),
                None => results.nil(),
            }
            Ok(())
        });
    }
    Ok(())
}

/// A terminal that was made already, whose program somebody has to end; nothing otherwise.
fn opening_cancel(given: &Arguments, results: &mut Results) -> Done {
    if let Some(pty) = given.handle::<PtyOpening>(0)?.cancel() {
        results.handle(pty);
    }
    Ok(())
}

/// Of a tick: nothing was printed.
fn look_read(found: &Found, time: Option<f64>) -> Option<Quick> {
    (time == Some(0.0) && found.get::<Pty>()?.is_idle()).then_some(Quick::TrueWord(""))
}

/// `true, text`: "" when nothing came in time, nil at the end.
fn read(given: &Arguments, results: &mut Results) -> Done {
    let text = given.handle::<Pty>(0)?.read(given.time(1));
    results.runtime(text, |results, text| {
        results.optional_text(text);
        Ok(())
    });
    Ok(())
}

fn write(given: &Arguments, results: &mut Results) -> Done {
    let pty = given.handle::<Pty>(0)?;
    results.done_unless_over(pty.write(given.text(1)?));
    Ok(())
}

fn resize(given: &Arguments, results: &mut Results) -> Done {
    let pty = given.handle::<Pty>(0)?;
    let (cols, rows) = (given.number(1).unwrap_or_default(), given.number(2).unwrap_or_default());
    // Numbers beyond these are refused as a size by the core.
    results.done_unless_over(pty.resize(cols as u32, rows as u32));
    Ok(())
}

fn kill(given: &Arguments, results: &mut Results) -> Done {
    results.done(given.handle::<Pty>(0)?.kill(&CallOptions::default()));
    Ok(())
}

fn close(given: &Arguments, _: &mut Results) -> Done {
    given.handle::<Pty>(0)?.close();
    Ok(())
}

fn id(given: &Arguments, results: &mut Results) -> Done {
    results.text(given.handle::<Pty>(0)?.id());
    Ok(())
}

fn cursor(given: &Arguments, results: &mut Results) -> Done {
    results.integer(given.handle::<Pty>(0)?.cursor());
    Ok(())
}

fn is_over(given: &Arguments, results: &mut Results) -> Done {
    results.boolean(given.handle::<Pty>(0)?.is_over());
    Ok(())
}

fn is_complete(given: &Arguments, results: &mut Results) -> Done {
    results.boolean(given.handle::<Pty>(0)?.is_complete());
    Ok(())
}

fn exit_code(given: &Arguments, results: &mut Results) -> Done {
    match given.handle::<Pty>(0)?.exit_code() {
        Some(code) => results.integer(code),
        None => results.nil(),
    }
    Ok(())
}
