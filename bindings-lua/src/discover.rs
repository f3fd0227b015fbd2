//! Which servers there are, and what is wrong with one.

use crate::bridge::{Arguments, Done, Function, Misuse, Results};
use opencode_core::Client;

pub(crate) static FUNCTIONS: &[Function] = &[
    Function::new("discover", discover),
    Function::new("doctor", doctor),
    Function::new("server_info", server_info),
];

fn discover(given: &Arguments, results: &mut Results) -> Done {
    let all = opencode_core::discover(given.time(0).unwrap_or_default());
    results.list(all.len());
    for found in all {
        results.json(found.to_json()).map_err(Misuse::from)?;
    }
    Ok(())
}

fn doctor(given: &Arguments, results: &mut Results) -> Done {
    let found = given.handle::<Client>(0)?.doctor();
    results.json(found.to_json()).map_err(Misuse::from)
}

fn server_info(given: &Arguments, results: &mut Results) -> Done {
    let info = given.handle::<Client>(0)?.server();
    results.outcome(info, |results, info| results.json(info.to_json()));
    Ok(())
}
