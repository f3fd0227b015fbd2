//! Long lists, page by page.

use crate::bridge::{Arguments, Done, Found, Function, Quick, Results, handle};
use opencode_core::{
    CallOptions, Client, ExportOptions, MessageOptions, NextItem, PageFetcher, SessionOptions,
};
use std::time::Duration;

handle!(PageFetcher, "pages");

pub(crate) static FUNCTIONS: &[Function] = &[
    Function::new("messages_open", messages),
    Function::new("sessions_open", sessions),
    Function::new("export_open", export),
    Function::new("pages_next", next),
    Function::quick("pages_poll", poll, is_pending),
    Function::look("pages_is_ready", is_ready),
    Function::new("pages_is_over", is_over),
    Function::new("pages_is_complete", is_complete),
];

fn messages(given: &Arguments, results: &mut Results) -> Done {
    let (client, session) = (given.handle::<Client>(0)?, given.text(1)?);
    match given.json(2) {
        Ok(json) => results.made(
            MessageOptions::from_json(&json)
                .map(|options| client.messages(session, options).in_background()),
        ),
        Err(why) => results.misuse(format!("messages: {why}")),
    }
    Ok(())
}

fn sessions(given: &Arguments, results: &mut Results) -> Done {
    let client = given.handle::<Client>(0)?;
    match given.json(1) {
        Ok(json) => results.made(
            SessionOptions::from_json(&json)
                .map(|options| client.sessions(options).in_background()),
        ),
        Err(why) => results.misuse(format!("sessions: {why}")),
    }
    Ok(())
}

fn export(given: &Arguments, results: &mut Results) -> Done {
    let (client, session) = (given.handle::<Client>(0)?, given.text(1)?);
    match given.json(2) {
        Ok(json) => results.made(
            ExportOptions::from_json(&json)
                .map(|options| client.export(session, options).in_background()),
        ),
        Err(why) => results.misuse(format!("export: {why}")),
    }
    Ok(())
}

/// `true, item`, or `true, nil` at the end.
fn next(given: &Arguments, results: &mut Results) -> Done {
    let pages = given.handle::<PageFetcher>(0)?;
    results.outcome(pages.next_json(&CallOptions::default()), |results, item| match item {
        Some(json) => results.json(json.get()),
        None => {
            results.nil();
            Ok(())
        }
    });
    Ok(())
}

const PENDING: &str = "pending";

/// `true, state`, and behind "item" the item.
fn poll(given: &Arguments, results: &mut Results) -> Done {
    let pages = given.handle::<PageFetcher>(0)?;
    results.runtime(pages.next_item(Some(Duration::ZERO)), |results, next| match next {
        NextItem::Item(json) => {
            results.word("item");
            results.json(json.get())
        }
        NextItem::Pending => {
            results.word(PENDING);
            Ok(())
        }
        NextItem::End => {
            results.word("done");
            Ok(())
        }
    });
    Ok(())
}

fn is_pending(found: &Found, _: Option<f64>) -> Option<Quick> {
    found.get::<PageFetcher>()?.is_idle().then_some(Quick::TrueWord(PENDING))
}

fn is_ready(found: &Found, _: Option<f64>) -> Option<Quick> {
    Some(Quick::Boolean(found.get::<PageFetcher>()?.is_ready()))
}

fn is_over(given: &Arguments, results: &mut Results) -> Done {
    results.boolean(given.handle::<PageFetcher>(0)?.is_over());
    Ok(())
}

fn is_complete(given: &Arguments, results: &mut Results) -> Done {
    results.boolean(given.handle::<PageFetcher>(0)?.is_complete());
    Ok(())
}
