//! The conformance run: every case of `spec/cases` against the real server of 1.x, and every case of
//! `spec/cases-2` against that of 2.x, through a program per language.
//!
//! A case calls one operation and says what comes back. The driver of a language only calls it and
//! prints what it got; everything else happens here: what the case needs is prepared by plain
//! requests, and what it left behind is looked at by plain requests, so no language is its own
//! witness. `spec/README.md` describes the files.

mod case;
mod driver;
mod fixture;
mod page;
mod pattern;
mod variables;
mod world;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;

use serde_json::Value;

use crate::{Error, Generation, Result};
use case::Case;
use driver::Driver;
use fixture::Fixtures;
pub use page::page;
use world::World;

/// A language and the programs that call operations in it.
pub struct Language {
    /// As the columns of the table are called.
    pub name: String,
    /// Each reads `operation TAB arguments TAB options` per line, and prints one JSON object per line. Every case of 1.x
    /// runs in all of them, and the table shows what the last one saw; those of 2.x run in the first.
    pub programs: Vec<Program>,
    /// Whether it plays the cases of 2.x as well. One that differs from another in how it calls, and not in what, shows
    /// that with 1.x.
    pub plays_two: bool,
    /// What an operation without an answer gives in this language.
    pub nothing: Value,
}

/// Makes the command that starts a driver.
pub type Program = Box<dyn Fn() -> Command + Send + Sync>;

/// What one case showed in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The server that it was called on.
    pub server: Generation,
    /// The operation's name.
    pub operation: String,
    /// The language's name.
    pub language: String,
    /// A few words without ids and times: `200 object`, `404 NotFoundError`.
    pub what: String,
}

/// All cases and what they stand on.
#[derive(Debug)]
pub struct Suite {
    cases: Vec<Case>,
    fixtures: Fixtures,
}

impl Suite {
    /// Reads `cases/*.json`, `cases-2/*.json` and `fixtures.json` of a folder.
    ///
    /// # Errors
    /// When a file cannot be read, or a case says something that nobody understands.
    pub fn load(spec: &Path) -> Result<Suite> {
        let fixtures = Fixtures::parse(&read(&spec.join("fixtures.json"))?)?;
        let mut files = Vec::new();
        for (folder, server) in [("cases", Generation::One), ("cases-2", Generation::Two)] {
            for entry in std::fs::read_dir(spec.join(folder))? {
                files.push((entry?.path(), server));
            }
        }
        files.sort_by(|a, b| a.0.cmp(&b.0));
        let mut cases = Vec::new();
        for (file, server) in files {
            let namespace = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let wrap = |error| Error::wrap(file.display(), error);
            let list = read(&file)?;
            for value in list.as_array().ok_or_else(|| wrap(Error::new("is no list")))? {
                let case = Case::parse(value, server).map_err(wrap)?;
                if !case.operation.starts_with(&format!("{namespace}.")) {
                    let text = format!("{} belongs into the file of its namespace", case.operation);
                    return Err(wrap(Error::new(text)));
                }
                fixtures.check(&case.needs).map_err(wrap)?;
                cases.push(case);
            }
        }
        Ok(Suite { cases, fixtures })
    }

    /// Fails unless there is a case on this server for each of these operations, and for nothing else.
    ///
    /// # Errors
    /// Names all operations that have none, or the first case that is about nothing.
    pub fn check(&self, server: Generation, operations: &[&str]) -> Result<()> {
        let own = self.cases.iter().filter(|case| case.server == server);
        let have: BTreeSet<&str> = own.map(|case| &*case.operation).collect();
        let want: BTreeSet<&str> = operations.iter().copied().collect();
        if let Some(unknown) = have.difference(&want).next() {
            return Err(Error::new(format!("spec/cases: there is no operation '{unknown}'")));
        }
        let missing: Vec<&str> = want.difference(&have).copied().collect();
        match missing.as_slice() {
            [] => Ok(()),
            missing => Err(Error::new(format!(
                "spec/cases: no case on {} for {}: add one, it runs in all languages",
                server.version(),
                missing.join(", ")
            ))),
        }
    }

    /// How many cases there are.
    pub fn len(&self) -> usize {
        self.cases.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.cases.is_empty()
    }

    /// Why an operation is only proven up to an error of the server, if one of its cases says so.
    pub fn exemption(&self, server: Generation, operation: &str) -> Option<&str> {
        let own = self.cases.iter().filter(|case| case.server == server);
        let mut about = own.filter(|case| case.operation == operation);
        about.find_map(|case| case.exempt.as_deref())
    }

    /// Runs all cases whose operation starts with `prefix` in all languages, two at a time, each of
    /// these with servers of its own: what a case reloads or ends, it does to no other language at that moment.
    ///
    /// # Errors
    /// Every case that saw something else than it says, in one message.
    pub fn run(&self, languages: &[Language], prefix: &str) -> Result<Vec<Seen>> {
        let next = Mutex::new(languages.iter());
        let total: Mutex<(Vec<Seen>, Vec<String>)> = Mutex::default();
        let add = |(seen, failures): (Vec<Seen>, Vec<String>)| {
            let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
            total.0.extend(seen);
            total.1.extend(failures);
        };
        let start = |generation| {
            let needed = self
                .cases
                .iter()
                .any(|case| case.server == generation && case.operation.starts_with(prefix));
            needed.then(|| World::start(generation)).transpose()
        };
        let work = || {
            let worlds = [Generation::One, Generation::Two].map(start).into_iter();
            let worlds = match worlds.collect::<Result<Vec<_>>>() {
                Ok(worlds) => worlds.into_iter().flatten().collect::<Vec<_>>(),
                Err(error) => return add((Vec::new(), vec![error.to_string()])),
            };
            loop {
                let language = next.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some(language) = language else { return };
                let result = self.run_in(language, &worlds, prefix);
                let failed = |e| (Vec::new(), vec![format!("{}: {e}", language.name)]);
                add(result.unwrap_or_else(failed));
            }
        };
        thread::scope(|scope| {
            scope.spawn(work);
            scope.spawn(work);
        });
        let (seen, failures) = total.into_inner().unwrap_or_else(PoisonError::into_inner);
        match failures.as_slice() {
            [] => Ok(seen),
            failures => Err(Error::new(failures.join("\n"))),
        }
    }

    fn run_in(
        &self,
        language: &Language,
        worlds: &[World],
        prefix: &str,
    ) -> Result<(Vec<Seen>, Vec<String>)> {
        let (mut seen, mut failures) = (Vec::new(), Vec::new());
        let places = language
            .programs
            .iter()
            .enumerate()
            .flat_map(|place| worlds.iter().map(move |world| (place, world)));
        for ((number, program), world) in places {
            // What a language makes of raw answers is seen with one server.
            let is_two = world.server.generation() == Generation::Two;
            if is_two && (number > 0 || !language.plays_two) {
                continue;
            }
            let is_last = is_two || number + 1 == language.programs.len();
            let mut driver = Driver::start(program(), world)?;
            let own = self.cases.iter().filter(|case| case.server == world.server.generation());
            for case in own.filter(|case| case.operation.starts_with(prefix)) {
                let ran = case.run(world, &self.fixtures, &mut driver, &language.nothing);
                match ran {
                    Ok(what) if is_last => seen.push(Seen {
                        server: case.server,
                        operation: case.operation.clone(),
                        language: language.name.clone(),
                        what,
                    }),
                    Ok(_) => {}
                    Err(error) => {
                        failures.push(format!("{}: {}: {error}", language.name, case.title()));
                        if !driver.is_alive() {
                            failures.push(format!("{}: the driver ended", language.name));
                            break;
                        }
                    }
                }
            }
        }
        Ok((seen, failures))
    }
}

fn read(file: &Path) -> Result<Value> {
    let wrap = |error: &dyn std::fmt::Display| Error::wrap(file.display(), error);
    let text = std::fs::read_to_string(file).map_err(|e| wrap(&e))?;
    serde_json::from_str(&text).map_err(|e| wrap(&e))
}
