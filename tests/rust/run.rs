//! Runs against the real server. Each test stands for a row of what the server was seen to do.
//! `tests/promises.md` says which test proves what.

mod ask;
mod cancelling;
mod chaos;
mod compact;
mod creating;
mod ends;
mod leaving;
mod list;
mod losses;
mod outages;
mod polls;
mod promises;
mod queue;
mod replays;
mod stops;
mod summary_losses;
mod text;
mod updates;
mod words;
mod world;

use crate::client::*;
use list::{everywhere, for_both, on_both, steadily, with_events_and_without, without_events};
use opencode_core::{Client, ClientOptions, Prompt, Run, State, Update};
use opencode_tests::{Asked, End, LIMIT, Plan, Proxy, Server, eventually};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A client of the shared server of 1.x, with and without its event stream.
pub(super) fn client(events: bool) -> Client {
    let world = world::World::shared(opencode_tests::Generation::One);
    let mut options = world.options();
    options.events = events;
    Client::new(options).unwrap()
}

fn spoil_streams(proxy: &Proxy) {
    let count = AtomicU64::new(0);
    proxy.hook(move |asked| spoil(asked, &count));
}

/// Whether it asks for the events of either generation.
fn is_stream(asked: &Asked) -> bool {
    asked.is("GET /global/event*") || asked.is("GET /api/event*")
}

/// Whether it brings a prompt.
fn is_send(asked: &Asked) -> bool {
    asked.is("POST */prompt_async*") || asked.is("POST /api/session/*/prompt")
}

fn spoil(asked: &Asked, count: &AtomicU64) -> Plan {
    if !is_stream(asked) {
        return Plan::pass();
    }
    let n = count.fetch_add(1, Ordering::Relaxed);
    // Somewhere within the first events, never at the same byte again.
    let bytes = 300 + n * 7_919 % 6_000;
    match n % 6 {
        0 => Plan::pass().repeat_answer(),
        1 => Plan::pass().cut_answer(bytes, End::Reset),
        2 => Plan::pass().delay(Duration::from_millis(400)).cut_answer(bytes, End::Close),
        3 => Plan::pass().repeat_answer().cut_answer(bytes, End::Reset),
        4 => Plan::refuse(End::Reset),
        _ => Plan::pass()
            .stall_answer(bytes, Duration::from_secs(2))
            .cut_answer(bytes + 1, End::Reset),
    }
}

/// A call of a tool, as a step of the model.
fn tool(name: &str, arguments: Value) -> Value {
    json!({ "tools": [{ "name": name, "arguments": arguments }] })
}

fn error(run: &Run) -> opencode_core::Error {
    match run.wait(Some(LIMIT)) {
        Ok(reply) => panic!("it did not fail: {reply:?}"),
        Err(error) => error,
    }
}

/// The user message of a run that was sent.
fn message_id(run: &Run) -> String {
    run.message_id().expect("it was sent")
}

/// Takes updates until one is wanted.
fn until(run: &Run, mut wanted: impl FnMut(&Update) -> bool) -> Update {
    for update in run.updates() {
        if wanted(&update) {
            return update;
        }
        assert!(!matches!(update, Update::Done(_) | Update::Failed(_)), "{update:?}");
    }
    panic!("no more updates");
}

/// The text that a host shows which follows the updates.
fn shown(updates: impl Iterator<Item = Update>) -> String {
    let mut text = String::new();
    for update in updates {
        if let Update::Text(piece) = update {
            if piece.replaces {
                text.clear();
            }
            text.push_str(&piece.delta);
        }
    }
    text
}
