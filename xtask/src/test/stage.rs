//! Programs of other languages on a stage, as jobs.

use std::process::Command;

use opencode_tests::{Error, Result, Stage};

use crate::progress;

/// Runs a program against the server of a stage, and gives what it printed.
pub(super) fn play(stage: &Stage, program: &mut Command, note: &progress::Note) -> Result<String> {
    let _doomed = stage.set(program)?;
    progress::follow(program, note)
}

/// A program with a server of its own, as something to be done beside others: most of the time such programs wait.
pub(super) fn job<'a>(what: String, mut program: Command) -> progress::Job<'a> {
    (what, Box::new(move |note| play(&Stage::start()?, &mut program, note).map(drop)))
}

/// Programs that share a server, one after the other: each takes some seconds. Each is run, whatever became of those before it.
pub(super) fn in_turn<'a>(
    what: &str,
    start: fn() -> Result<Stage>,
    programs: Vec<Command>,
) -> progress::Job<'a> {
    let run = move |note: &progress::Note| {
        let stage = start()?;
        let ends = programs.into_iter().map(|mut program| play(&stage, &mut program, note));
        let failed: Vec<String> = ends.filter_map(|end| Some(end.err()?.to_string())).collect();
        if failed.is_empty() { Ok(()) } else { Err(Error::new(failed.join("\n"))) }
    };
    (what.to_owned(), Box::new(run))
}
