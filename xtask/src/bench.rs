//! `cargo xtask bench`: what the library costs, side by side with what users would take instead.
//!
//! Every row is asked in turn inside each round, so that what disturbs the machine for a while disturbs all of them. No
//! time is a criterion for anything: ratios within one run are what is worth reading.

mod machine;
mod peers;
mod play;
mod results;
mod rows;
pub(crate) mod servers;
mod svg;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use opencode_tests::binary::workspace;
use opencode_tests::{Error, Result};

use crate::artefact::{self, LUAS, Profile, Reach};
use crate::{server, tools};
use peers::Clients;
use results::Results;
use rows::{ROWS, Row};
use servers::Servers;

/// Rounds unless others are wished for.
const ROUNDS: usize = 5;

/// No round begins a row after that: a slow machine takes part in fewer of them.
const BUDGET: Duration = Duration::from_secs(11 * 60);

/// Which cores of the machine are used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cores {
    pub(crate) client: usize,
    pub(crate) server: usize,
}

/// Measures all rows, or one, and writes `benches/RESULTS.md` with its plots; one row is only shown.
///
/// # Errors
/// When something of our own cannot be built, or a file cannot be written. What cannot be measured is named in the results.
pub(crate) fn run(flags: &[&str]) -> Result<()> {
    let choice = Choice::read(flags)?;
    fs::create_dir_all(folder()).map_err(|e| Error::wrap(folder().display(), e))?;
    tools::ensure(tools::Need::Test)?;
    server::ensure()?;
    if choice.only.is_empty() {
        // Only their sizes are looked at.
        artefact::native_reaching(&LUAS[0], Profile::Release, Reach::HttpOnly)?;
        artefact::wheel(Profile::Release, Reach::HttpOnly)?;
    }
    let clients = peers::get()?;
    let cores = machine::cores();
    let mut servers = Servers::start(&clients.program, cores)?;
    let began = Instant::now();
    let mut results = Results::new(machine::describe(cores), &clients);
    for round in 0..choice.rounds {
        for row in choice.rows().filter(|row| round < row.rounds) {
            if round > 0 && began.elapsed() > BUDGET {
                println!("round {}, {}: left out, as there is no time", round + 1, row.name);
                continue;
            }
            ask(row, round, &clients, &mut servers, cores, &mut results);
        }
    }
    results.took = began.elapsed();
    results.rounds = choice.rounds;
    let rows: Vec<&Row> = choice.rows().collect();
    println!("\n{}", results.text(&rows));
    if choice.only.is_empty() {
        results.write(&workspace().join("benches"))?;
        println!("Written: benches/RESULTS.md, and its plots.");
    }
    Ok(())
}

/// Asks every client of a row once, at each size.
fn ask(
    row: &Row,
    round: usize,
    clients: &Clients,
    servers: &mut Servers,
    cores: Cores,
    results: &mut Results,
) {
    let began = Instant::now();
    for count in row.counts {
        for name in row.clients.iter().filter(|name| round == 0 || !row.once.contains(name)) {
            let url = match servers.url(row.server) {
                Ok(url) => url,
                Err(error) => {
                    results.failed(row, *count, name, &error.to_string());
                    continue;
                }
            };
            for _ in 0..row.repeat {
                match play::one(row, *count, name, &url, clients, cores) {
                    Ok(said) => said
                        .into_iter()
                        .for_each(|(name, numbers)| results.add(row, *count, &name, numbers)),
                    Err(error) => {
                        results.failed(row, *count, name, &error.to_string());
                        // What fails once in a round fails again.
                        break;
                    }
                }
            }
        }
        servers.end_fakes();
    }
    println!("round {}, {}: {:.1} s", round + 1, row.name, began.elapsed().as_secs_f64());
}

/// What the user asked for.
struct Choice {
    only: Vec<String>,
    rounds: usize,
}

impl Choice {
    fn read(flags: &[&str]) -> Result<Choice> {
        let mut choice = Choice { only: Vec::new(), rounds: ROUNDS };
        let mut flags = flags.iter();
        while let Some(flag) = flags.next() {
            let value =
                flags.next().ok_or_else(|| Error::new(format!("bench: {flag} wants a value")))?;
            match *flag {
                "--only" if ROWS.iter().any(|row| row.name.starts_with(value)) => {
                    choice.only.push((*value).to_owned())
                }
                "--only" => {
                    let names: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
                    return Err(Error::new(format!(
                        "bench: there is no row {value}; there are {}",
                        names.join(", ")
                    )));
                }
                "--rounds" => {
                    let rounds = value.parse().ok().filter(|rounds| *rounds > 0);
                    choice.rounds = rounds.ok_or_else(|| {
                        Error::new(format!("bench: {value} is no number of rounds"))
                    })?;
                }
                _ => {
                    return Err(Error::new(format!(
                        "bench: unknown option {flag}: there are --only ROW and --rounds N"
                    )));
                }
            }
        }
        Ok(choice)
    }

    /// A name chooses every row that begins with it.
    fn rows(&self) -> impl Iterator<Item = &'static Row> {
        ROWS.iter().filter(|row| {
            self.only.is_empty() || self.only.iter().any(|only| row.name.starts_with(only))
        })
    }
}

/// Where what only this task needs is kept.
fn folder() -> PathBuf {
    workspace().join("target/bench")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_read_and_a_wrong_one_says_what_there_is() {
        let choice = Choice::read(&["--only", "get_health", "--rounds", "2"]).unwrap();
        assert_eq!((choice.rounds, choice.rows().count()), (2, 1));
        assert_eq!(Choice::read(&["--only", "get"]).unwrap().rows().count(), 2);
        assert_eq!(Choice::read(&[]).unwrap().rows().count(), ROWS.len());
        for wrong in [&["--only", "none"][..], &["--rounds", "0"], &["--only"], &["--fast", "1"]] {
            assert!(Choice::read(wrong).is_err(), "{wrong:?}");
        }
    }
}
