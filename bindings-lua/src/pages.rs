//! Long lists, page by page.

use crate::bridge::{Arguments, Done, Function, Misuse, Results, handle};
use opencode_core::{CallOptions, Client, ExportOptions, MessageOptions, Pages, SessionOptions};
use std::cell::RefCell;

struct RawPages(RefCell<Pages<()>>);

handle!(RawPages, "pages");

pub(crate) static FUNCTIONS: &[Function] = &[
    Function::new("messages_open", messages),
    Function::new("sessions_open", sessions),
    Function::new("export_open", export),
    Function::new("pages_next", next),
    Function::new("pages_is_complete", is_complete),
];

fn messages(given: &Arguments, results: &mut Results) -> Done {
    let (client, session) = (given.handle::<Client>(0)?, given.text(1)?);
    match given.json(2) {
        Ok(json) => hand_out(
            results,
            MessageOptions::from_json(&json)
                .map(|options| client.messages(session, options).untyped()),
        ),
        Err(why) => results.misuse(format!("messages: {why}")),
    }
    Ok(())
}

fn sessions(given: &Arguments, results: &mut Results) -> Done {
    let client = given.handle::<Client>(0)?;
    match given.json(1) {
        Ok(json) => hand_out(
            results,
            SessionOptions::from_json(&json).map(|options| client.sessions(options).untyped()),
        ),
        Err(why) => results.misuse(format!("sessions: {why}")),
    }
    Ok(())
}

fn export(given: &Arguments, results: &mut Results) -> Done {
    let (client, session) = (given.handle::<Client>(0)?, given.text(1)?);
    match given.json(2) {
        Ok(json) => hand_out(
            results,
            ExportOptions::from_json(&json)
                .map(|options| client.export(session, options).untyped()),
        ),
        Err(why) => results.misuse(format!("export: {why}")),
    }
    Ok(())
}

fn hand_out(results: &mut Results, pages: opencode_core::Result<Pages<()>>) {
    results.made(pages.map(|pages| RawPages(RefCell::new(pages))));
}

/// `true, item`, or `true, nil` at the end.
fn next(given: &Arguments, results: &mut Results) -> Done {
    let pages = given.handle::<RawPages>(0)?;
    let mut pages =
        pages.0.try_borrow_mut().map_err(|_| Misuse::new("the list is being read already"))?;
    results.outcome(pages.next_json(&CallOptions::default()), |results, item| match item {
        Some(json) => results.json(json.get()),
        None => {
            results.nil();
            Ok(())
        }
    });
    Ok(())
}

fn is_complete(given: &Arguments, results: &mut Results) -> Done {
    let pages = given.handle::<RawPages>(0)?;
    results.boolean(pages.0.try_borrow().is_ok_and(|pages| pages.is_complete()));
    Ok(())
}
