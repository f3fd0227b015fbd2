//! Tools of the host. Handlers are the prelude's.

use crate::bridge::{Arguments, Done, Found, Function, Misuse, Quick, Results};
use crate::shapes;
use opencode_core::{Client, Run, Tool, ToolAnswer};

pub(crate) static FUNCTIONS: &[Function] = &[
    Function::shaped("tool_add", add, |_, _| &shapes::TOOL),
    Function::new("tool_reply", reply),
    Function::quick("tool_next", next, no_call),
    Function::new("tool_is_open", is_open),
    Function::new("tools_keep", keep),
    Function::new("run_wait_for_calls", wait),
];

fn add(given: &Arguments, results: &mut Results) -> Done {
    let client = given.handle::<Client>(0)?;
    match given.json(1) {
        Ok(json) => results.done(Tool::from_json(&json).and_then(|tool| client.tool(tool))),
        Err(why) => results.misuse(format!("tool: {why}")),
    }
    Ok(())
}

fn reply(given: &Arguments, results: &mut Results) -> Done {
    let (client, id) = (given.handle::<Client>(0)?, given.text(1)?);
    match given.json(2) {
        Ok(json) => {
            let answer = ToolAnswer::from_json(&json);
            results.done(answer.and_then(|answer| client.reply_tool(id, answer)));
        }
        Err(why) => results.misuse(format!("the answer cannot be sent: {why}")),
    }
    Ok(())
}

/// The oldest call; nothing when there is none.
fn next(given: &Arguments, results: &mut Results) -> Done {
    let client = given.handle::<Client>(0)?;
    if let Some(call) = client.next_tool_call(std::time::Duration::ZERO) {
        results.json(call.to_json()).map_err(Misuse::from)?;
    }
    Ok(())
}

/// Without a call a tick pays for a look.
fn no_call(found: &Found, _: Option<f64>) -> Option<Quick> {
    (!found.get::<Client>()?.has_tool_calls()).then_some(Quick::Nil)
}

fn is_open(given: &Arguments, results: &mut Results) -> Done {
    results.boolean(given.handle::<Client>(0)?.is_tool_open(given.text(1)?));
    Ok(())
}

fn keep(given: &Arguments, _: &mut Results) -> Done {
    given.handle::<Client>(0)?.keep_tools(given.flag(1));
    Ok(())
}

fn wait(given: &Arguments, _: &mut Results) -> Done {
    given.handle::<Run>(0)?.wait_for_calls(given.time(1));
    Ok(())
}
