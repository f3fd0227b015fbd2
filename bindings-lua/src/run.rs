//! Runs.

use crate::bridge::{Arguments, Done, Found, Function, Method, Quick, Results, handle, line};
use crate::shapes;
use opencode_core::{
    Client, CompactOptions, Error, PermissionReply, Prompt, Result, Run, State, TextUpdate, Update,
};

handle!(Run, "run");

pub(crate) static FUNCTIONS: &[Function] = &[
    Function::shaped("run_start", start, |_, _| &shapes::RUN),
    Function::shaped("run_resume", resume, |_, _| &shapes::RUN),
    Function::shaped("run_compact", compact, |_, _| &shapes::RUN),
    Function::new("run_poll", poll),
    Function::new("run_wait_update", wait_update),
    Function::new("run_wait", wait),
    Function::new("run_late", late),
    Function::new("run_cancel", cancel),
    Function::quick("run_state", state, look_state),
    Function::new("run_text", text),
    Function::new("run_text_check", text_check),
    Function::new("run_text_piece", text_piece),
    Function::new("run_why", why),
    Function::new("run_session", session),
    Function::new("run_message", message),
    Function::new("run_reply", reply),
    Function::new("run_error", error),
    Function::new("run_reply_permission", reply_permission),
    Function::shaped("run_reply_question", reply_question, |_, _| &shapes::ANSWERS),
    Function::new("run_detach", detach),
];

fn start(given: &Arguments, results: &mut Results) -> Done {
    let client = given.handle::<Client>(0)?;
    let is_alone = given.flag(2);
    match given.json(1) {
        Ok(json) => results.made(Prompt::from_json(&json).and_then(|prompt| match is_alone {
            true => client.run_alone(prompt),
            false => client.run(prompt),
        })),
        Err(why) => results.misuse(format!("run: {why}")),
    }
    Ok(())
}

fn resume(given: &Arguments, results: &mut Results) -> Done {
    let client = given.handle::<Client>(0)?;
    let (session, message) = (given.text(1)?, given.text(2)?);
    match given.json(3) {
        Ok(json) => results.made(
            Prompt::options_from_json(&json)
                .and_then(|prompt| client.resume(session, message, prompt)),
        ),
        Err(why) => results.misuse(format!("resume: {why}")),
    }
    Ok(())
}

fn compact(given: &Arguments, results: &mut Results) -> Done {
    let client = given.handle::<Client>(0)?;
    let session = given.text(1)?;
    match given.json(2) {
        Ok(json) => results.made(
            CompactOptions::from_json(&json).and_then(|options| client.compact(session, options)),
        ),
        Err(why) => results.misuse(format!("compact: {why}")),
    }
    Ok(())
}

/// The hot path of a tick.
pub(crate) struct Poll;

const STATES: [State; 4] = [State::Pending, State::Waiting, State::Done, State::Failed];

impl Method for Poll {
    type On = Run;

    fn word(place: usize) -> &'static str {
        STATES.get(place).map_or("", |state| state.as_str())
    }

    fn idle(run: &Run) -> Option<usize> {
        let state = run.idle()?;
        STATES.iter().position(|known| *known == state)
    }
}

fn look_state(found: &Found, _: Option<f64>) -> Option<Quick> {
    Some(Quick::Word(found.get::<Run>()?.state().as_str()))
}

/// `state, updates`.
fn poll(given: &Arguments, results: &mut Results) -> Done {
    let (state, updates) = given.handle::<Run>(0)?.poll();
    results.word(state.as_str());
    results.list(updates.len());
    for update in &updates {
        convert(results, update);
    }
    Ok(())
}

/// The next update when one comes in time; nothing otherwise.
fn wait_update(given: &Arguments, results: &mut Results) -> Done {
    if let Some(update) = given.handle::<Run>(0)?.next_update(given.time(1)) {
        convert(results, &update);
    }
    Ok(())
}

fn convert(results: &mut Results, update: &Update) {
    if let Update::Failed(error) = update {
        failed(results, error);
    } else if let Err(error) = results.json(update.to_json()) {
        // What cannot be read is told in its place: a script that counts on the last update gets one.
        if matches!(update, Update::Done(_)) {
            failed(results, &error);
        } else {
            results.object(2);
            results.word("type");
            results.word("status");
            results.word("why");
            results.text(format!("{} was left out: {}", update.kind(), error.message()));
        }
    }
}

/// Errors of updates print like all others.
fn failed(results: &mut Results, error: &Error) {
    results.object(3);
    results.word("type");
    results.word("failed");
    results.word("message");
    results.text(line(error));
    results.word("error");
    if results.json(error.to_json()).is_err() {
        results.object(0);
    }
}

/// Whether a stream of the text loses nothing that somebody has to answer.
fn text_check(given: &Arguments, results: &mut Results) -> Done {
    results.done(given.handle::<Run>(0)?.check_text_stream());
    Ok(())
}

/// What a text update (delta, replaces) adds to the text; nothing when that is nothing.
fn text_piece(given: &Arguments, results: &mut Results) -> Done {
    let (delta, replaces) = (given.text(1)?.to_owned(), given.flag(2));
    let (message_id, part_id) = (String::new(), String::new());
    let text = TextUpdate { delta, replaces, message_id, part_id };
    if let Some(piece) = given.handle::<Run>(0)?.text_piece(&text) {
        results.text(piece);
    }
    Ok(())
}

fn wait(given: &Arguments, results: &mut Results) -> Done {
    let reply = given.handle::<Run>(0)?.wait(given.time(1));
    results.runtime(reply, |results, reply| results.json(reply.to_json()));
    Ok(())
}

/// What a wait gives that was in vain, after a time.
fn late(given: &Arguments, results: &mut Results) -> Done {
    let error = given.handle::<Run>(0)?.late(given.time(1).unwrap_or_default());
    results.runtime(Err(error), |_, ()| Ok(()));
    Ok(())
}

fn cancel(given: &Arguments, results: &mut Results) -> Done {
    let run = given.handle::<Run>(0)?;
    results.word(run.cancel(given.time(1).unwrap_or_default()).as_str());
    Ok(())
}

fn state(given: &Arguments, results: &mut Results) -> Done {
    results.word(given.handle::<Run>(0)?.state().as_str());
    Ok(())
}

fn text(given: &Arguments, results: &mut Results) -> Done {
    results.text(given.handle::<Run>(0)?.text());
    Ok(())
}

fn why(given: &Arguments, results: &mut Results) -> Done {
    results.text(given.handle::<Run>(0)?.why());
    Ok(())
}

fn session(given: &Arguments, results: &mut Results) -> Done {
    results.optional_text(given.handle::<Run>(0)?.session_id());
    Ok(())
}

fn message(given: &Arguments, results: &mut Results) -> Done {
    results.optional_text(given.handle::<Run>(0)?.message_id());
    Ok(())
}

/// `true, reply`: nil as long as there is none.
fn reply(given: &Arguments, results: &mut Results) -> Done {
    let reply: Result<_> = Ok(given.handle::<Run>(0)?.reply());
    results.outcome(reply, |results, reply| match reply {
        Some(reply) => results.json(reply.to_json()),
        None => {
            results.nil();
            Ok(())
        }
    });
    Ok(())
}

/// Message and table of why it failed; nothing otherwise.
fn error(given: &Arguments, results: &mut Results) -> Done {
    if let Some(error) = given.handle::<Run>(0)?.error() {
        results.describe(&error);
    }
    Ok(())
}

fn reply_permission(given: &Arguments, results: &mut Results) -> Done {
    let (run, id, message) = (given.handle::<Run>(0)?, given.text(1)?, given.optional_text(3)?);
    let reply = PermissionReply::parse(given.text(2)?);
    results.done(reply.map(|reply| run.reply_permission(id, reply, message)));
    Ok(())
}

fn reply_question(given: &Arguments, results: &mut Results) -> Done {
    let (run, id) = (given.handle::<Run>(0)?, given.text(1)?);
    if given.is_nil(2) {
        run.reject_question(id);
        results.done(Ok(()));
        return Ok(());
    }
    let lists = given.json(2).and_then(|json| {
        serde_json::from_str::<Vec<Vec<String>>>(&json).map_err(|e| e.to_string())
    });
    match lists {
        Ok(lists) => {
            run.reply_question(id, &lists);
            results.done(Ok(()));
        }
        Err(_) => results.misuse(
            "answers must be a list of lists of texts, one for each question, such as { { \"yes\" } }",
        ),
    }
    Ok(())
}

fn detach(given: &Arguments, results: &mut Results) -> Done {
    let detached = given.handle::<Run>(0)?.detach(given.time(1).unwrap_or_default());
    results.runtime(detached, |results, detached| {
        results.object(2);
        results.word("sessionID");
        results.text(detached.session_id);
        results.word("messageID");
        results.text(detached.message_id);
        Ok(())
    });
    Ok(())
}
