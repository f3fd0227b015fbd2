//! What must not grow unseen: instructions, system calls and sizes of what is shipped, against stored numbers.
//!
//! None of them depends on how busy a machine is. Counted are two runs of different length: their difference holds nothing
//! but the work. Times are measured by `cargo xtask bench`, and fail nothing.

mod fake;
mod measure;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use opencode_tests::binary::workspace;
use opencode_tests::{Error, Result};

use crate::artefact::{self, LUAS, Profile};
use crate::{progress, tools};
use measure::{Measured, Products};

/// The stored numbers by their names.
type Counts = BTreeMap<String, f64>;

/// Measures what is shipped and compares it; with `is_update` the file is written anew, and what changed is shown.
///
/// # Errors
/// When something cannot be built or counted, or has grown.
pub(crate) fn run(is_update: bool) -> Result<()> {
    tools::ensure(tools::Need::Test)?;
    let module = artefact::native(&LUAS[0], Profile::Release)?;
    let python = artefact::python_with_wheel("guards", Profile::Release, &[])?;
    let products = Products::of(&module, &python)?;
    let counted = progress::step("count", |note| measure::all(&products, note))?;
    let stored = stored()?;
    println!("{}", table(&stored, &counted));
    if is_update {
        fs::write(file(), text(&counted)).map_err(|e| Error::wrap(file().display(), e))?;
        println!("Written: {}", file().display());
        return Ok(());
    }
    verdict(&stored, &counted)
}

/// The guards as a step of the tests, with what these have built.
///
/// # Errors
/// When something cannot be counted, or has grown.
pub(crate) fn test(module: &Path, python: &Path, note: &progress::Note) -> Result<()> {
    let products = Products::of(module, python)?;
    verdict(&stored()?, &measure::all(&products, note)?)
}

fn file() -> PathBuf {
    workspace().join("tests/guards.toml")
}

fn stored() -> Result<Counts> {
    let text = fs::read_to_string(file()).unwrap_or_default();
    let table = crate::spec::toml(&text).map_err(|e| Error::wrap(file().display(), e))?;
    let counts = table.as_object().into_iter().flatten();
    Ok(counts.filter_map(|(name, value)| Some((name.clone(), value.as_f64()?))).collect())
}

/// The file, as it is written.
fn text(counted: &[Measured]) -> String {
    let mut text = String::from(
        "# What `cargo xtask guards` counted; `cargo xtask guards --update` writes it anew.\n",
    );
    for measured in counted {
        // A String takes everything.
        let _ = writeln!(text, "\n# {}\n{} = {:.0}", measured.what, measured.name, measured.count);
    }
    text
}

fn table(stored: &Counts, counted: &[Measured]) -> String {
    let mut text = String::new();
    for measured in counted {
        let before = stored.get(measured.name);
        let change =
            before.map_or_else(|| "new".to_owned(), |before| change(*before, measured.count));
        let before = before.map_or_else(|| "-".to_owned(), |before| format!("{before:.0}"));
        let _ = writeln!(
            text,
            "{:28} {before:>12} -> {:>12.0}  {change:>8}  {}",
            measured.name, measured.count, measured.what
        );
    }
    text
}

fn change(before: f64, now: f64) -> String {
    if before == 0.0 {
        return if now == 0.0 { "=".to_owned() } else { format!("+{now:.0}") };
    }
    format!("{:+.1} %", (now / before - 1.0) * 100.0)
}

/// Fails with everything that has grown by more than it may, or is not stored.
fn verdict(stored: &Counts, counted: &[Measured]) -> Result<()> {
    let mut grown = Vec::new();
    for measured in counted {
        match stored.get(measured.name) {
            Some(before) if measured.count <= before * (1.0 + measured.tolerance) => {}
            Some(before) => grown.push(format!(
                "{}: {:.0}, and {before:.0} is stored ({}): {}",
                measured.name,
                measured.count,
                change(*before, measured.count),
                measured.what
            )),
            None => grown.push(format!("{} is not stored", measured.name)),
        }
    }
    if grown.is_empty() {
        return Ok(());
    }
    let advice = "where that is meant: cargo xtask guards --update";
    Err(Error::new(format!("it costs more than it did:\n{}\n{advice}", grown.join("\n"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(count: f64, tolerance: f64) -> Vec<Measured> {
        vec![Measured { name: "c_get", what: "instructions of a GET", count, tolerance }]
    }

    #[test]
    fn what_has_grown_fails_and_what_has_shrunk_does_not() {
        let stored = Counts::from([("c_get".to_owned(), 1_000.0)]);
        for fine in [400.0, 1_000.0, 1_029.0] {
            assert!(verdict(&stored, &counted(fine, 0.03)).is_ok(), "{fine}");
        }
        let error = verdict(&stored, &counted(1_040.0, 0.03)).unwrap_err().to_string();
        assert!(error.contains("c_get: 1040, and 1000 is stored (+4.0 %)"), "{error}");
        assert!(
            verdict(&Counts::new(), &counted(1.0, 0.03)).is_err(),
            "a new guard is stored first"
        );
        let none = Counts::from([("c_get".to_owned(), 0.0)]);
        assert!(
            verdict(&none, &counted(0.0, 0.0)).is_ok()
                && verdict(&none, &counted(1.0, 0.0)).is_err()
        );
    }

    #[test]
    fn what_is_written_is_read_again() {
        let table: toml::Table = text(&counted(61_234.4, 0.03)).parse().unwrap();
        assert_eq!(table["c_get"].as_integer(), Some(61_234));
        assert!(stored().unwrap().len() > 10, "tests/guards.toml holds the numbers");
    }
}
