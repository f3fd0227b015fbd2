//! Requests for a summary that were not finished.
//!
//! A server of 1.x begins such a request again with the next prompt of its session, and has the summary, or its failure,
//! for the answer to that prompt. So what is left of one is taken back before a prompt is sent.

use super::messages::{read_message, summary_request};
use super::summary_step::SummaryStep;
use crate::base::json::Object;
use crate::run::wire::{Meaning, NewestMessage, NextCall, Request, Response};
use serde_json::value::RawValue;

/// Among how many of the newest messages they are looked for.
pub(super) const AMONG: usize = 30;

/// Whether a message is a request for a summary that somebody made.
pub(super) fn is_request(message: &RawValue) -> bool {
    let parts = Object::read(message).map(|message| message.list("parts")).unwrap_or_default();
    parts.into_iter().filter_map(summary_request).any(|part| part.flag("auto") != Some(true))
}

/// What the newest message of a session means for a prompt that is to be sent: behind a finished answer the server begins
/// nothing again.
pub(super) fn after_newest(newest: Option<&RawValue>) -> Response {
    let is_open = newest.is_some_and(|newest| !is_finished(newest));
    Response::LastMessage(NewestMessage { id: newest.and_then(id), is_open })
}

/// What the newest messages mean for it, the oldest of them first.
pub(super) fn after_look(session: &str, messages: &[&RawValue]) -> Meaning {
    let open = messages.iter().rev().take_while(|message| !is_finished(message));
    let mut left: Vec<String> =
        open.filter(|message| is_request(message)).filter_map(|m| id(m)).collect();
    let stays = messages.iter().rev().filter_map(|m| id(m)).find(|id| !left.contains(id));
    match left.pop() {
        Some(message) => take_back(session, message, left, stays),
        None => Meaning::Done(Ok(NewestMessage::settled(stays))),
    }
}

/// One was taken back: so is the next, or this was the last.
pub(super) fn after_take_back(session: &str, left: &[String], newest: Option<&String>) -> Meaning {
    match left.split_last() {
        Some((message, rest)) => {
            take_back(session, message.clone(), rest.to_vec(), newest.cloned())
        }
        None => Meaning::Done(Ok(NewestMessage::settled(newest.cloned()))),
    }
}

fn take_back(session: &str, message: String, left: Vec<String>, newest: Option<String>) -> Meaning {
    then(SummaryStep::TakeBack { session: session.to_owned(), message, left, newest })
}

fn then(step: SummaryStep) -> Meaning {
    Meaning::Then(Request::Next(NextCall::One(step)))
}

/// Whether it is an answer that came to its end.
fn is_finished(message: &RawValue) -> bool {
    let info = Object::read(message).and_then(|message| message.object("info"));
    info.is_some_and(|info| {
        info.text("role").as_deref() == Some("assistant") && info.words("finish").is_some()
    })
}

fn id(message: &RawValue) -> Option<String> {
    read_message(message, &mut Vec::new()).map(|message| message.info.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn user(id: &str) -> Value {
        json!({ "info": { "id": id, "role": "user" }, "parts": [{ "id": "p", "type": "text", "text": "x" }] })
    }

    fn request(id: &str, auto: bool) -> Value {
        json!({ "info": { "id": id, "role": "user" }, "parts": [{ "id": "p", "type": "compaction", "auto": auto }] })
    }

    fn answer(id: &str, finish: Option<&str>) -> Value {
        json!({ "info": { "id": id, "role": "assistant", "finish": finish, "error": { "name": "x" } }, "parts": [] })
    }

    /// Which are taken back, one after the other, and which message is the newest then.
    fn taken(messages: &[Value]) -> (Vec<String>, Option<String>) {
        let raws: Vec<Box<RawValue>> = messages
            .iter()
            .map(|message| RawValue::from_string(message.to_string()).unwrap())
            .collect();
        let raws: Vec<&RawValue> = raws.iter().map(|raw| &**raw).collect();
        let (mut taken, mut meaning) = (Vec::new(), after_look("ses_1", &raws));
        loop {
            meaning = match meaning {
                Meaning::Then(Request::Next(NextCall::One(SummaryStep::TakeBack {
                    message,
                    left,
                    newest,
                    ..
                }))) => {
                    taken.push(message);
                    after_take_back("ses_1", &left, newest.as_ref())
                }
                Meaning::Done(Ok(Response::LastMessage(newest))) => return (taken, newest.id),
                other => panic!("{other:?}"),
            };
        }
    }

    #[test]
    fn what_is_left_behind_the_last_finished_answer_is_taken_back() {
        let before = [request("m0", false), answer("m1", Some("stop"))];
        let with = |rest: &[Value]| taken(&[&before, rest].concat());
        let none: Vec<String> = Vec::new();
        assert_eq!(with(&[]), (none.clone(), Some("m1".to_owned())));
        // A request alone, one with an answer that failed, and more of them behind a prompt that got their failure.
        assert_eq!(with(&[request("m2", false)]).0, ["m2"]);
        let failed = [request("m2", false), answer("m3", None)];
        assert_eq!(with(&failed), (vec!["m2".to_owned()], Some("m3".to_owned())));
        let more = [&failed[..], &[user("m4"), answer("m5", None), request("m6", false)]].concat();
        assert_eq!(with(&more), (vec!["m2".to_owned(), "m6".to_owned()], Some("m5".to_owned())));
        // What the server asks of itself is its own; a prompt of a person stays.
        assert_eq!(with(&[request("m2", true), user("m3")]), (none, Some("m3".to_owned())));
        assert_eq!(taken(&[]), (Vec::new(), None));
        assert_eq!(taken(&[request("m2", false)]), (vec!["m2".to_owned()], None));
    }
}
