//! `cargo xtask servers [VERSION...]`: what a client can do on the versions of the server that npm has, played on each of
//! them. By hand: it fetches some 50 MB per version and takes a minute each. Without versions it writes `docs/servers.md`.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use opencode_tests::binary::{Generation, workspace};
use opencode_tests::{Error, Model, Result, Server};
use serde_json::Value;

use crate::{progress, server, spec};

/// The newest first. Of 2.x npm has this one; of 1.x these are the ends of what works alike.
const VERSIONS: [&str; 11] = [
    "2.0.15", "1.18.34", "1.18.33", "1.18.12", "1.17.19", "1.15.13", "1.14.34", "1.3.2", "1.2.27",
    "1.1.65", "1.0.185",
];
/// Most of the time is waiting.
const AT_ONCE: usize = 4;
const PAGE: &str = "docs/servers.md";

/// What was seen of a feature: a word, and why it is not yes.
struct Cell {
    seen: String,
    why: String,
}

/// The features of one server in their order; empty when it did not start, with why.
struct Column {
    version: String,
    cells: Vec<(String, Cell)>,
    trouble: Option<String>,
}

/// Plays the features on each version.
///
/// # Errors
/// When a version cannot be fetched, or the program that plays them cannot be built.
pub(crate) fn run(only: &[&str]) -> Result<()> {
    let versions = if only.is_empty() { &VERSIONS[..] } else { only };
    let program = program()?;
    let mut places = Vec::new();
    for version in versions {
        let generation = if version.starts_with("2.") { Generation::Two } else { Generation::One };
        places.push((*version, generation, server::version_of(generation, version)?));
    }
    let mut columns = Vec::new();
    for some in places.chunks(AT_ONCE) {
        let names: Vec<&str> = some.iter().map(|(version, _, _)| *version).collect();
        let played = progress::step(&format!("play {}", names.join(", ")), |_| {
            thread::scope(|scope| {
                let start = |(version, generation, binary): &(&str, Generation, PathBuf)| {
                    let (version, binary) = ((*version).to_owned(), binary.clone());
                    let (generation, program) = (*generation, &program);
                    scope.spawn(move || play(&version, generation, &binary, program))
                };
                let started: Vec<_> = some.iter().map(start).collect();
                let joined = started.into_iter().map(|thread| {
                    thread.join().unwrap_or_else(|_| Err(Error::new("a thread has panicked")))
                });
                joined.collect::<Result<Vec<Column>>>()
            })
        })?;
        columns.extend(played);
    }
    let page = page(&columns);
    if !only.is_empty() {
        println!("{page}");
        return Ok(());
    }
    let files = [(workspace().join(PAGE), page)];
    spec::write_or_check(&files, false, "cargo xtask servers").map(drop).map_err(Error::new)
}

fn program() -> Result<PathBuf> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace());
    cargo.args(["build", "-p", "opencode-tests", "--example", "acceptance"]);
    progress::run("build what plays the features", &mut cargo)?;
    Ok(workspace().join("target/debug/examples/acceptance"))
}

fn play(version: &str, generation: Generation, binary: &Path, program: &Path) -> Result<Column> {
    let mut column = Column { version: version.to_owned(), cells: Vec::new(), trouble: None };
    let model = Model::start(0).map_err(|e| Error::wrap("the scripted model", e))?;
    let builder = Server::builder(&model.url()).generation(generation).binary(binary);
    let server = match builder.start() {
        Ok(server) => server,
        Err(error) => {
            column.trouble = Some(error.to_string());
            return Ok(column);
        }
    };
    let output = Command::new(program)
        .current_dir(server.directory())
        .env_clear()
        .envs(server.world())
        .envs(server.env())
        .output()
        .map_err(|error| Error::wrap(program.display(), error))?;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let row: Value = serde_json::from_str(line).map_err(|e| Error::wrap(line, e))?;
        let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        column.cells.push((text("feature"), Cell { seen: text("seen"), why: text("why") }));
    }
    if column.cells.is_empty() {
        return Err(Error::new(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    Ok(column)
}

fn page(columns: &[Column]) -> String {
    let mut page = String::from(BEGINNING);
    let features = columns.iter().map(|column| &column.cells).max_by_key(|cells| cells.len());
    let features: Vec<&str> =
        features.into_iter().flatten().map(|(feature, _)| feature.as_str()).collect();
    let versions: Vec<&str> = columns.iter().map(|column| column.version.as_str()).collect();
    let _ = writeln!(page, "| feature | {} |", versions.join(" | "));
    let _ = writeln!(page, "|---|{}", "---|".repeat(versions.len()));
    // The same reason of the same servers is told once, with the features that it stands for.
    let mut reasons: BTreeMap<(usize, String), Vec<&str>> = BTreeMap::new();
    for (at, feature) in features.iter().enumerate() {
        let _ = write!(page, "| {feature} |");
        for column in columns {
            let cell = column.cells.iter().find(|(name, _)| name == feature).map(|(_, cell)| cell);
            let word = cell.map_or("no", |cell| cell.seen.as_str());
            let _ = write!(page, " {word} |");
            if let Some(cell) = cell.filter(|cell| !cell.why.is_empty()) {
                reasons
                    .entry((at, plain(&cell.why, &column.version)))
                    .or_default()
                    .push(&column.version);
            }
        }
        page.push('\n');
    }
    page.push_str("\n## Why not\n\n| feature | servers | what was said |\n|---|---|---|\n");
    let mut rows: Vec<(Vec<&str>, String, String)> = Vec::new();
    for ((at, why), versions) in reasons {
        let versions = versions.join(", ");
        match rows.iter_mut().find(|(_, of, said)| *of == versions && *said == why) {
            Some((of, _, _)) => of.push(features[at]),
            None => rows.push((vec![features[at]], versions, why)),
        }
    }
    for (features, versions, why) in rows {
        let _ = writeln!(page, "| {} | {versions} | {why} |", features.join(", "));
    }
    for column in columns {
        if let Some(trouble) = &column.trouble {
            let _ = writeln!(
                page,
                "| all | {} | it did not start: {} |",
                column.version,
                plain(trouble, &column.version)
            );
        }
    }
    page
}

/// A message as one cell, without what is another one in each run.
fn plain(why: &str, version: &str) -> String {
    let line: String = why.lines().next().unwrap_or_default().chars().take(240).collect();
    let words = line.split(' ').map(|word| {
        let is_id = ["ses_", "msg_", "evt_", "127.0.0.1:"].iter().any(|sign| word.contains(sign));
        if is_id { "…" } else { word }
    });
    let line = words.collect::<Vec<_>>().join(" ");
    let line = line.replace(&format!("{}/", workspace().display()), "");
    line.replace(version, "VERSION").replace('|', "\\|")
}

const BEGINNING: &str = "<!-- Written by `cargo xtask servers`. Do not edit. -->
# Servers, and what works on them

Each feature was played once on each of these versions, in Rust, by `tests/acceptance`; what a server can do is the same in every
language. [operations.md](operations.md) shows every operation of the two pinned versions in all languages. `unsupported`
is what the library says by itself, with what to do instead.

";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_once_and_without_what_changes() {
        let cell = |why: &str| Cell { seen: "no".to_owned(), why: why.to_owned() };
        let column = |version: &str, why: &str| Column {
            version: version.to_owned(),
            cells: vec![("a".to_owned(), cell(why))],
            trouble: None,
        };
        let page = page(&[
            column("1.2", "1.2 lost ses_7 | at\nanother line"),
            column("1.3", "1.3 lost ses_8 | at"),
        ]);
        assert!(page.contains("| a | no | no |"), "{page}");
        assert!(page.contains("| a | 1.2, 1.3 | VERSION lost … \\| at |"), "{page}");
    }
}
