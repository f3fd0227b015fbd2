//! Servers that the host starts itself.

use crate::bridge::{Arguments, Done, Found, Function, Quick, Results, handle};
use crate::shapes;
use opencode_core::{ClientOptions, Server, ServerOptions};

handle!(Server, "server");

pub(crate) static FUNCTIONS: &[Function] = &[
    Function::shaped("server_start", start, |_, _| &shapes::SERVER),
    Function::shaped("server_launch", launch, |_, _| &shapes::SERVER),
    Function::quick("server_poll", poll, look_poll),
    Function::new("server_wait", wait),
    Function::new("server_error", error),
    Function::shaped("server_client", client, |_, _| &shapes::CLIENT),
    Function::new("server_url", url),
    Function::new("server_pid", pid),
    Function::new("server_environment", environment),
    Function::new("server_output", output),
    Function::new("server_close", close),
];

fn start(given: &Arguments, results: &mut Results) -> Done {
    make(given, results, Server::start);
    Ok(())
}

fn launch(given: &Arguments, results: &mut Results) -> Done {
    make(given, results, Server::launch);
    Ok(())
}

fn make(
    given: &Arguments,
    results: &mut Results,
    begin: impl FnOnce(ServerOptions) -> opencode_core::Result<Server>,
) {
    match given.json(0) {
        Ok(json) => results.made(ServerOptions::from_json(&json).and_then(begin)),
        Err(why) => results.misuse(format!("server: {why}")),
    }
}

fn look_poll(found: &Found, _: Option<f64>) -> Option<Quick> {
    Some(Quick::Word(found.get::<Server>()?.poll().as_str()))
}

fn poll(given: &Arguments, results: &mut Results) -> Done {
    results.word(given.handle::<Server>(0)?.poll().as_str());
    Ok(())
}

fn wait(given: &Arguments, results: &mut Results) -> Done {
    results.word(given.handle::<Server>(0)?.wait(given.time(1)).as_str());
    Ok(())
}

/// Message and table of why it failed; nothing otherwise.
fn error(given: &Arguments, results: &mut Results) -> Done {
    if let Some(error) = given.handle::<Server>(0)?.error() {
        results.describe(&error);
    }
    Ok(())
}

fn client(given: &Arguments, results: &mut Results) -> Done {
    let server = given.handle::<Server>(0)?;
    match given.json(1) {
        Ok(json) => results
            .made(ClientOptions::from_json(&json).and_then(|options| server.client_with(options))),
        Err(why) => results.misuse(format!("client: {why}")),
    }
    Ok(())
}

fn url(given: &Arguments, results: &mut Results) -> Done {
    results.optional_text(given.handle::<Server>(0)?.url());
    Ok(())
}

fn pid(given: &Arguments, results: &mut Results) -> Done {
    match given.handle::<Server>(0)?.pid() {
        Some(pid) => results.integer(i64::from(pid)),
        None => results.nil(),
    }
    Ok(())
}

fn environment(given: &Arguments, results: &mut Results) -> Done {
    results.outcome(given.handle::<Server>(0)?.environment(), |results, pairs| {
        results.object(pairs.len());
        for (name, value) in pairs {
            results.text(name);
            results.text(value);
        }
        Ok(())
    });
    Ok(())
}

fn output(given: &Arguments, results: &mut Results) -> Done {
    results.text(given.handle::<Server>(0)?.output());
    Ok(())
}

fn close(given: &Arguments, results: &mut Results) -> Done {
    given.handle::<Server>(0)?.close();
    results.done(Ok(()));
    Ok(())
}
