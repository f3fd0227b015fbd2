//! What was measured, as text and plots.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use opencode_tests::{Error, Result};

use super::peers::{Clients, is_ours};
use super::play::Numbers;
use super::rows::{Better, Goal, Row};
use super::svg::{self, Bar, Kind, Line, number};

/// A row at a size, and a client.
type Key = (&'static str, u64, String);

/// Everything that was measured.
pub(crate) struct Results {
    machine: Vec<String>,
    versions: Vec<(String, String)>,
    missing: Vec<(String, String)>,
    samples: BTreeMap<Key, Vec<Numbers>>,
    failures: BTreeMap<Key, String>,
    pub(crate) took: Duration,
    pub(crate) rounds: usize,
}

impl Results {
    pub(crate) fn new(machine: Vec<String>, clients: &Clients) -> Results {
        let missing = clients.missing().map(|(name, why)| (name.to_owned(), why.to_owned()));
        Results {
            machine,
            versions: clients.versions.clone(),
            missing: missing.collect(),
            samples: BTreeMap::new(),
            failures: BTreeMap::new(),
            took: Duration::ZERO,
            rounds: 0,
        }
    }

    pub(crate) fn add(&mut self, row: &Row, count: u64, client: &str, numbers: Numbers) {
        self.samples.entry((row.name, count, client.to_owned())).or_default().push(numbers);
    }

    pub(crate) fn failed(&mut self, row: &Row, count: u64, client: &str, why: &str) {
        self.failures.insert((row.name, count, client.to_owned()), why.to_owned());
    }

    /// The numbers of one name, in order.
    fn numbers(&self, row: &Row, count: u64, client: &str, key: &str) -> Vec<f64> {
        let samples = self.samples.get(&(row.name, count, client.to_owned()));
        let mut numbers: Vec<f64> =
            samples.into_iter().flatten().filter_map(|sample| sample.get(key).copied()).collect();
        numbers.sort_by(f64::total_cmp);
        numbers
    }

    fn median(&self, row: &Row, count: u64, client: &str, key: &str) -> Option<f64> {
        let numbers = self.numbers(row, count, client, key);
        numbers.get(numbers.len() / 2).copied()
    }

    /// Who was measured in a row at a size, the best first.
    fn clients(&self, row: &Row, count: u64) -> Vec<(String, f64)> {
        let names =
            self.samples.keys().filter(|(name, size, _)| *name == row.name && *size == count);
        let mut clients: Vec<(String, f64)> = names
            .filter_map(|(_, _, client)| {
                Some((client.clone(), self.median(row, count, client, row.metric.key)?))
            })
            .collect();
        clients.sort_by(|a, b| a.1.total_cmp(&b.1));
        if row.metric.is_better == Better::More {
            clients.reverse();
        }
        clients
    }

    /// All rows as Markdown, for a terminal as well.
    pub(crate) fn text(&self, rows: &[&Row]) -> String {
        let mut text = String::new();
        for row in rows {
            self.row(&mut text, row);
        }
        self.goals(&mut text, rows);
        text
    }

    fn row(&self, text: &mut String, row: &Row) {
        // A String takes everything.
        let _ = writeln!(text, "### {}\n\n`--only {}`. {}\n", row.title, row.name, row.note);
        let has_sizes = row.counts.len() > 1;
        let beside: String = row.beside.iter().map(|(_, title)| format!(" {title} |")).collect();
        let lines = "---:|".repeat(row.beside.len());
        let (size, size_line) = if has_sizes { (" size |", "---:|") } else { ("", "") };
        let limit = row.limit.map_or_else(String::new, |name| format!(" x {name} |"));
        let limit_line = if row.limit.is_some() { "---:|" } else { "" };
        let _ = writeln!(
            text,
            "|{size} client | {} | lowest to highest |{limit}{beside}",
            row.metric.unit
        );
        let _ = writeln!(text, "|{size_line}---|---:|---:|{limit_line}{lines}");
        for count in row.counts {
            let best = row.limit.and_then(|name| self.median(row, *count, name, row.metric.key));
            for (name, value) in self.clients(row, *count) {
                let numbers = self.numbers(row, *count, &name, row.metric.key);
                let (low, high) = (numbers.first().copied(), numbers.last().copied());
                let spread = format!(
                    "{} to {}",
                    number(low.unwrap_or(value)),
                    number(high.unwrap_or(value))
                );
                let size =
                    if has_sizes { format!(" {} |", number(*count as f64)) } else { String::new() };
                let shown = if is_ours(&name) { format!("**{name}**") } else { name.clone() };
                let ratio = match (row.limit, best) {
                    (Some(_), Some(best)) => format!(" {} |", number(times(row, value, best))),
                    (Some(_), None) => " - |".to_owned(),
                    (None, _) => String::new(),
                };
                let beside: String = row
                    .beside
                    .iter()
                    .map(|(key, _)| {
                        self.median(row, *count, &name, key).map_or_else(
                            || " |".to_owned(),
                            |value| format!(" {} |", number(value)),
                        )
                    })
                    .collect();
                let _ = writeln!(
                    text,
                    "|{size} {shown} | {} | {spread} |{ratio}{beside}",
                    number(value)
                );
            }
        }
        text.push('\n');
        for ((name, count, client), why) in &self.failures {
            if *name == row.name {
                let size = if has_sizes { format!(" at {count}") } else { String::new() };
                let _ = writeln!(text, "- not measured{size}: {client}: {why}");
            }
        }
        text.push('\n');
    }

    fn goals(&self, text: &mut String, rows: &[&Row]) {
        let _ = writeln!(text, "### Goals\n\n| row | goal | measured | |\n|---|---|---:|---|");
        for row in rows {
            // Of what grows the largest size counts.
            if let Some(count) = row.counts.last() {
                for goal in row.goals {
                    let size = if row.counts.len() > 1 {
                        format!(" {}", number(*count as f64))
                    } else {
                        String::new()
                    };
                    let (wish, measured, is_reached) = self.goal(row, *count, goal);
                    let measured_text = measured.map_or_else(|| "not measured".to_owned(), number);
                    let verdict = if measured.is_none() {
                        ""
                    } else if is_reached {
                        "reached"
                    } else {
                        "missed"
                    };
                    let _ = writeln!(
                        text,
                        "| {}{size} | {wish} | {measured_text} | {verdict} |",
                        row.name
                    );
                }
            }
        }
        text.push('\n');
    }

    fn goal(&self, row: &Row, count: u64, goal: &Goal) -> (String, Option<f64>, bool) {
        let median = |client: &str, key: &str| self.median(row, count, client, key);
        let key = row.metric.key;
        match goal {
            Goal::AtMost(of, to, most) => {
                let measured = median(of, key).zip(median(to, key)).map(|(of, to)| of / to);
                (
                    format!("{of} / {to} ≤ {}", number(*most)),
                    measured,
                    measured.is_some_and(|ratio| ratio <= *most),
                )
            }
            Goal::Better(of, to, least) => {
                let measured =
                    median(of, key).zip(median(to, key)).map(|(of, to)| times(row, to, of));
                let wish = match row.metric.is_better {
                    Better::Less => format!("{to} / {of} ≥ {}", number(*least)),
                    Better::More => format!("{of} / {to} ≥ {}", number(*least)),
                };
                (wish, measured, measured.is_some_and(|ratio| ratio >= *least))
            }
            Goal::Value(of, key, most) => {
                let measured = median(of, key);
                (
                    format!("{of}: {key} ≤ {}", number(*most)),
                    measured,
                    measured.is_some_and(|value| value <= *most),
                )
            }
            Goal::Above(of, to, key, most) => {
                let measured = median(of, key).zip(median(to, key)).map(|(of, to)| of - to);
                (
                    format!("{of} − {to}: {key} ≤ {}", number(*most)),
                    measured,
                    measured.is_some_and(|value| value <= *most),
                )
            }
        }
    }

    /// Writes the page, and a plot of each row.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let plots = folder.join("plots");
        fs::create_dir_all(&plots).map_err(|e| Error::wrap(plots.display(), e))?;
        let mut page = String::from(
            "<!-- Made by `cargo xtask bench`. Do not edit. -->\n# What the library costs\n\n",
        );
        for line in &self.machine {
            let _ = writeln!(page, "- {line}");
        }
        let _ = writeln!(
            page,
            "- {} rounds in {:.0} min; a row that takes long takes part in fewer. Medians; lowest to highest of all rounds.\n\
             - Ours are bold, as they are shipped. Times hold for this machine; ratios are what to compare.\n",
            self.rounds,
            self.took.as_secs_f64() / 60.0
        );
        let all: Vec<&Row> = super::rows::ROWS.iter().collect();
        for row in &all {
            let mut text = String::new();
            self.row(&mut text, row);
            let _ = writeln!(page, "{text}![{}](plots/{}.svg)\n", row.title, row.name);
            let path = plots.join(format!("{}.svg", row.name));
            fs::write(&path, self.plot(row)).map_err(|e| Error::wrap(path.display(), e))?;
        }
        self.goals(&mut page, &all);
        page.push_str(&crate::sizes::table());
        let _ = writeln!(page, "### Versions\n\n| what | version |\n|---|---|");
        for (name, version) in &self.versions {
            let _ = writeln!(page, "| {name} | {version} |");
        }
        for (name, why) in &self.missing {
            let _ = writeln!(page, "\nNot there: {name}: {why}");
        }
        let path = folder.join("RESULTS.md");
        fs::write(&path, page).map_err(|e| Error::wrap(path.display(), e))
    }

    fn plot(&self, row: &Row) -> String {
        if let [count] = row.counts {
            let bar = |(name, value): (String, f64)| {
                let kind = match () {
                    () if is_ours(&name) => Kind::Ours,
                    () if row.limit == Some(name.as_str()) => Kind::Limit,
                    () => Kind::Other,
                };
                Bar { name, value, kind }
            };
            let bars: Vec<Bar> = self.clients(row, *count).into_iter().map(bar).collect();
            return svg::bars(row.title, row.metric.unit, &bars);
        }
        let mut by_client: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
        for count in row.counts {
            for (name, value) in self.clients(row, *count) {
                by_client.entry(name).or_default().push((*count as f64, value));
            }
        }
        let lines: Vec<Line> =
            by_client.into_iter().map(|(name, points)| Line { name, points }).collect();
        svg::lines(row.title, row.metric.unit, &lines)
    }
}

/// How many times worse `value` is than `best`.
fn times(row: &Row, value: f64, best: f64) -> f64 {
    match row.metric.is_better {
        Better::Less => value / best,
        Better::More => best / value,
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::ROWS;
    use super::*;

    fn results() -> Results {
        Results {
            machine: vec!["a machine".to_owned()],
            versions: Vec::new(),
            missing: Vec::new(),
            samples: BTreeMap::new(),
            failures: BTreeMap::new(),
            took: Duration::ZERO,
            rounds: 3,
        }
    }

    #[test]
    fn a_row_shows_medians_ratios_goals_and_who_is_missing() {
        let row = ROWS.iter().find(|row| row.name == "get_health").unwrap();
        let mut results = results();
        let count = row.counts[0];
        for us in [20.0, 30.0, 22.0] {
            results.add(row, count, "raw socket", BTreeMap::from([("us".to_owned(), us)]));
            results.add(row, count, "core", BTreeMap::from([("us".to_owned(), us * 1.1)]));
        }
        results.failed(row, count, "requests", "no such package");
        let text = results.text(&[row]);
        for part in [
            "| raw socket | 22.0 | 20.0 to 30.0 | 1.00 |",
            "| **core** | 24.2 |",
            "| 1.10 |",
            "not measured: requests: no such package",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(text.contains("| core / raw socket ≤ 1.20 | 1.10 | reached |"), "{text}");
        assert!(text.contains("| requests / Python ≥ 13.0 | not measured |  |"), "{text}");
        assert!(results.plot(row).contains("core"));
    }

    #[test]
    fn what_is_better_when_it_is_more_is_compared_the_other_way_round() {
        let row = ROWS.iter().find(|row| row.name == "events").unwrap();
        let mut results = results();
        for (name, rate) in
            [("Python", 390_000.0), ("urllib3 + orjson", 300_000.0), ("raw socket", 3_000_000.0)]
        {
            results.add(row, row.counts[0], name, BTreeMap::from([("per_s".to_owned(), rate)]));
        }
        let text = results.text(&[row]);
        assert!(text.contains("| Python / urllib3 + orjson ≥ 1.30 | 1.30 | reached |"), "{text}");
        assert!(text.contains("| **Python** | 390,000 | 390,000 to 390,000 | 7.69 |"), "{text}");
    }

    #[test]
    fn the_page_has_every_row_with_its_plot() {
        let mut results = results();
        for row in ROWS {
            for (index, count) in row.counts.iter().enumerate() {
                let number = 10.0 * (index + 1) as f64;
                let numbers = BTreeMap::from([(row.metric.key.to_owned(), number)]);
                results.add(row, *count, "core", numbers);
            }
        }
        let folder = crate::test::scratch("bench-page").unwrap();
        results.write(&folder).unwrap();
        let page = fs::read_to_string(folder.join("RESULTS.md")).unwrap();
        for row in ROWS {
            assert!(page.contains(&format!("](plots/{}.svg)", row.name)), "{}", row.name);
            let plot = fs::read_to_string(folder.join(format!("plots/{}.svg", row.name))).unwrap();
            assert!(
                plot.contains("core") && !plot.contains("NaN") && !plot.contains("inf"),
                "{plot}"
            );
        }
        assert!(page.contains("### Sizes") && page.contains("a machine"), "{page}");
    }
}
