//! The sessions of subagents on 2.x, and what reads any list to its end.

use crate::base::error::Result;
use crate::base::json::put;
use crate::http::answer::Answer;
use crate::protocol::page::ListPage;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Sessions read at a time.
const PAGE: u32 = 50;

/// The sessions below this one, wherever they work: the directory of the client is no filter.
pub(super) fn children_two(
    ask: &dyn Fn(&'static str, Value) -> Result<Answer>,
    session: &str,
) -> Result<Vec<Box<RawValue>>> {
    let mut found = Vec::new();
    let arguments = json!({ "parentID": session, "limit": PAGE, "directory": null });
    each_item(ask, "v2.session.list", arguments, "cursor", |child| found.push(child.to_owned()))?;
    Ok(found)
}

/// Reads a list to its end; `position` is the argument that says where to go on.
pub(super) fn each_item(
    ask: &dyn Fn(&'static str, Value) -> Result<Answer>,
    operation: &'static str,
    mut arguments: Value,
    position: &str,
    mut take: impl FnMut(&RawValue),
) -> Result<()> {
    let mut cursor: Option<String> = None;
    loop {
        let answer = ask(operation, arguments.clone())?;
        let mut page = ListPage::read(&answer)?;
        page.items.iter().for_each(|row| take(row));
        cursor = page.next_after(cursor.as_deref());
        if cursor.is_none() {
            return Ok(());
        }
        put(&mut arguments, position, json!(cursor));
    }
}
