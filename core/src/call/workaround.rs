//! Workarounds: where the server answers a right request wrongly, it is asked in another way.
//!
//! Each workaround costs nothing while the server answers as it should.

use crate::base::error::{Error, ErrorKind, Result};
use crate::base::json::Json;
use crate::base::log::{Level, Log};
use crate::http::answer::Answer;
use crate::protocol::model_name::{Model, check_model};
use crate::protocol::page::ListPage;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// Messages per request when a list is put together.
const PAGE: u64 = 100;

/// Does another operation with its arguments, within what is left of the call's time.
pub(crate) type Operate<'a> = dyn Fn(&str, &str) -> Result<Answer> + 'a;

/// Looks at what an operation gave, and mends it if that is known to be wrong.
pub(crate) fn apply(
    operation: &str,
    arguments: &str,
    result: Result<Answer>,
    operate: &Operate<'_>,
    log: &Log,
) -> Result<Answer> {
    match (operation, result) {
        ("session.messages", Err(error)) if is_poisoned(&error) => {
            messages(arguments, error, operate, log)
        }
        ("file.read", Ok(answer)) => file(arguments, answer, operate),
        ("session.summarize", Err(error)) if error.status() == Some(500) => {
            Err(unknown_model(arguments, operate).unwrap_or(error))
        }
        (_, result) => result,
    }
}

/// Since a prompt with a `format` the server refuses every page of the session's messages that holds this
/// prompt and reaches the beginning of the session. So the pages are made too small for both. Only where the
/// session begins with such a prompt, that message itself cannot be had from this server.
fn messages(arguments: &str, error: Error, operate: &Operate<'_>, log: &Log) -> Result<Answer> {
    let Ok(mut given) = serde_json::from_str::<Map<String, Value>>(arguments) else {
        return Err(error);
    };
    let wanted = given.get("limit").and_then(Value::as_u64).filter(|limit| *limit > 0);
    let wanted = wanted.unwrap_or(u64::MAX);
    let mut limit = PAGE.min(wanted);
    // The newest page is the first.
    let mut pages: Vec<Vec<Box<RawValue>>> = Vec::new();
    let mut count = 0;
    let mut last: Option<Answer> = None;
    while count < wanted {
        limit = limit.min(wanted - count);
        given.insert("limit".to_owned(), json!(limit));
        let answer = match operate("session.messages", &Value::Object(given.clone()).to_string()) {
            Ok(answer) => answer,
            Err(error) if is_poisoned(&error) && limit > 1 => {
                limit /= 2;
                continue;
            }
            Err(error) if is_poisoned(&error) && last.is_some() => {
                log.write(Level::Warn, || {
                    "session.messages: the session begins with a prompt that has a format; \
                     the server cannot show this message, it is left out"
                        .to_owned()
                });
                // Nothing before it can be had.
                last = last.map(|answer| answer.without("x-next-cursor"));
                break;
            }
            Err(error) => return Err(error),
        };
        let mut page = ListPage::read(&answer)?;
        count += page.items.len() as u64;
        let cursor = page.next_after(given.get("before").and_then(Value::as_str));
        pages.push(page.items.into_iter().map(ToOwned::to_owned).collect());
        last = Some(answer);
        match cursor {
            Some(cursor) => given.insert("before".to_owned(), json!(cursor)),
            None => break,
        };
    }
    let Some(last) = last else { return Err(error) };
    let all: Vec<&str> = pages.iter().rev().flatten().map(|message| message.get()).collect();
    Ok(last.with_body(format!("[{}]", all.join(",")).into_bytes()))
}

/// The server says of a model that it does not know no more than that something went wrong.
fn unknown_model(arguments: &str, operate: &Operate<'_>) -> Option<Error> {
    let given = serde_json::from_str::<Map<String, Value>>(arguments).ok()?;
    let named = given.get("model").cloned().unwrap_or_else(|| Value::Object(given.clone()));
    let model = Model::from_value(&named).ok()?;
    let directory = json!({ "directory": given.get("directory") }).to_string();
    let config = operate("config.providers", &directory).ok()?.json::<Json>().ok()?;
    let error = check_model("session.summarize", &model, &config).err()?;
    Some(error.with_operation("session.summarize").with_status(500).with_sent(true))
}

fn is_poisoned(error: &Error) -> bool {
    error.status() == Some(400) && error.message().contains("Expected OutputFormat")
}

/// The server answers an empty text for a file that is not there. Its newer dialect knows better.
fn file(arguments: &str, answer: Answer, operate: &Operate<'_>) -> Result<Answer> {
    const EMPTY: usize = 200;
    if answer.bytes().len() > EMPTY {
        return Ok(answer);
    }
    let content: Value = answer.json()?;
    if content["type"] != "text" || content["content"] != "" {
        return Ok(answer);
    }
    match operate("v2.fs.read", arguments) {
        Err(error) if matches!(error.status(), Some(404 | 500)) => {
            let given: Value = serde_json::from_str(arguments).unwrap_or_default();
            let text = format!("file.read: there is no file {}", given["path"]);
            Err(Error::new(ErrorKind::NotFound, text).with_operation("file.read").with_sent(true))
        }
        // An older server has no such dialect; it may be an empty file then.
        _ => Ok(answer),
    }
}
