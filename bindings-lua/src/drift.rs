//! Drift: how a running server differs from the operations that this library knows.

use crate::bridge::{Arguments, Done, Function, Results};
use opencode_core::Client;

pub(crate) static FUNCTIONS: &[Function] = &[Function::new("drift", drift)];

fn drift(given: &Arguments, results: &mut Results) -> Done {
    let found = given.handle::<Client>(0)?.drift();
    results.outcome(found, |results, drift| results.json(drift.to_json()));
    Ok(())
}
