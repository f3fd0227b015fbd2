//! Clients and blocking calls.

use crate::bridge::{Arguments, Done, Function, Misuse, Results, handle};
use crate::shape::Shape;
use crate::shapes;
use opencode_core::operation;
use opencode_core::{Answer, CallOptions, Client, ClientOptions, Error, ErrorKind, did_you_mean};
use serde_json::{Map, Value, json};

handle!(Client, "client");

pub(crate) static FUNCTIONS: &[Function] = &[
    Function::new("is_text", is_text),
    Function::new("did_you_mean", meant),
    Function::new("operations", operations),
    Function::shaped("client_new", new, |_, _| &shapes::CLIENT),
    Function::shaped("client_with", with, |_, _| &shapes::CLIENT),
    Function::new("client_close", close),
    Function::new("client_fd", fd),
    Function::new("client_log", log),
    Function::new("client_url", url),
    Function::shaped("call", call, shape_of_call),
    Function::new("request", request),
];

fn is_text(given: &Arguments, results: &mut Results) -> Done {
    results.boolean(given.text(0).is_ok());
    Ok(())
}

/// The end of a sentence that names the nearest of a list of names, or nothing.
fn meant(given: &Arguments, results: &mut Results) -> Done {
    let names: Vec<String> =
        given.json(1).ok().and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
    results.text(did_you_mean(given.text(0)?, names.iter().map(String::as_str)));
    Ok(())
}

/// What the prelude needs to build the namespaces: path of attributes, name and positional arguments.
fn operations(_: &Arguments, results: &mut Results) -> Done {
    let all: Vec<Value> = operation::all()
        .iter()
        .map(|operation| {
            let path: Vec<&str> = operation.name.split('.').map(operation::attribute).collect();
            let positional: Vec<&str> = operation.positional().map(|a| a.name).collect();
            json!({ "name": operation.name, "path": path, "positional": positional })
        })
        .collect();
    results.json(Value::Array(all).to_string()).map_err(Misuse::from)
}

fn new(given: &Arguments, results: &mut Results) -> Done {
    match given.json(0) {
        Ok(json) => results.made(ClientOptions::from_json(&json).and_then(Client::new)),
        Err(why) => results.misuse(format!("client: {why}")),
    }
    Ok(())
}

fn with(given: &Arguments, results: &mut Results) -> Done {
    let client = given.handle::<Client>(0)?;
    match given.json(1) {
        Ok(json) => results.made(client.with_json(&json)),
        Err(why) => results.misuse(format!("with: {why}")),
    }
    Ok(())
}

/// What a close loses is a failure; the client is closed all the same.
fn close(given: &Arguments, results: &mut Results) -> Done {
    let lost = given.handle::<Client>(0)?.close();
    results.done(lost.map_or(Ok(()), Err));
    Ok(())
}

fn fd(given: &Arguments, results: &mut Results) -> Done {
    results.outcome(given.handle::<Client>(0)?.fd(), |results, fd| {
        results.integer(fd);
        Ok(())
    });
    Ok(())
}

/// A list of what was logged since the last time.
fn log(given: &Arguments, results: &mut Results) -> Done {
    let client = given.handle::<Client>(0)?;
    let records: Vec<String> =
        std::iter::from_fn(|| client.next_log()).map(|record| record.to_json()).collect();
    results.list(records.len());
    for record in records {
        results.json(record).map_err(Misuse::from)?;
    }
    Ok(())
}

fn url(given: &Arguments, results: &mut Results) -> Done {
    results.text(given.handle::<Client>(0)?.base_url());
    Ok(())
}

/// Of a call with client, operation, arguments, options.
pub(crate) fn shape_of_call(given: &Arguments, at: usize) -> &'static Shape {
    match given.text(1) {
        Ok(name) if at == 2 => operation::find(name).map_or_else(
            || shapes::beyond_operations(name),
            |operation| shapes::arguments(operation.name),
        ),
        _ => &Shape::Any,
    }
}

fn call(given: &Arguments, results: &mut Results) -> Done {
    let (client, operation) = (given.handle::<Client>(0)?, given.text(1)?);
    match prepare(given, operation, 2) {
        Ok((arguments, mut options)) => {
            options.interrupt = Some(given.interrupt());
            answer(results, client.call_json(operation, &arguments, &options), given.flag(4));
        }
        Err(error) => results.failure(&error),
    }
    Ok(())
}

fn request(given: &Arguments, results: &mut Results) -> Done {
    let client = given.handle::<Client>(0)?;
    let (method, path) = (given.text(1)?, given.text(2)?);
    let Some(pairs) = query(given, results) else { return Ok(()) };
    let (body, mut options) = match prepare(given, "request", 4) {
        Ok((text, options)) => ((!given.is_nil(4)).then_some(text), options),
        Err(error) => {
            results.failure(&error);
            return Ok(());
        }
    };
    options.interrupt = Some(given.interrupt());
    let result = client.request(method, path, &pairs, body.as_deref(), &options);
    answer(results, result, given.flag(6));
    Ok(())
}

/// The query of a request; when it is none, that is said.
pub(crate) fn query(given: &Arguments, results: &mut Results) -> Option<Vec<(String, String)>> {
    let pairs = given.json(3).ok().and_then(|json| text_pairs(&json));
    if pairs.is_none() {
        results.misuse("request: query must be a table of texts");
    }
    pairs
}

/// Names and values of a query; numbers and booleans are texts in it.
fn text_pairs(json: &str) -> Option<Vec<(String, String)>> {
    if json.is_empty() || json == "[]" {
        return Some(Vec::new());
    }
    let fields: Map<String, Value> = serde_json::from_str(json).ok()?;
    fields
        .into_iter()
        .map(|(name, value)| match value {
            Value::String(text) => Some((name, text)),
            Value::Number(_) | Value::Bool(_) => Some((name, value.to_string())),
            _ => None,
        })
        .collect()
}

/// Arguments and options of a call, from the table at a place and the one behind it.
pub(crate) fn prepare(
    given: &Arguments,
    operation: &str,
    at: usize,
) -> opencode_core::Result<(String, CallOptions)> {
    let wrong = |why: String| Error::new(ErrorKind::InvalidArgument, format!("{operation}: {why}"));
    let arguments = given.json(at).map_err(wrong)?;
    let options = given.json(at + 1).map_err(wrong)?;
    Ok((arguments, CallOptions::from_json(&options)?))
}

/// What a call gives: the decoded body; with `is_raw` status, headers and bytes as they came.
pub(crate) fn answer(results: &mut Results, result: opencode_core::Result<Answer>, is_raw: bool) {
    results.outcome(result, |results, answer| {
        if is_raw {
            results.object(3);
            results.word("status");
            results.integer(i64::from(answer.status()));
            results.word("headers");
            results.object(answer.headers().count());
            for (name, value) in answer.headers() {
                results.text(name);
                results.text(value.into_owned());
            }
            results.word("body");
            results.raw(answer);
        } else if answer.bytes().is_empty() {
            // An operation that answers nothing succeeded: that is true, so that `assert` works.
            results.boolean(true);
        } else if answer.is_json() {
            results.answer(answer)?;
        } else {
            results.raw(answer);
        }
        Ok(())
    });
}
