//! One client, asked once.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use opencode_tests::{Error, Result};
use serde_json::Value;

use super::Cores;
use super::peers::{self, Clients};
use super::rows::{Row, Source};
use super::servers::pinned;

/// No client takes longer; one that hangs must not hold the others.
const LIMIT: Duration = Duration::from_secs(180);

/// The numbers of a client, by their names.
pub(crate) type Numbers = BTreeMap<String, f64>;

/// Runs a client, and gives what it measured. A program that compares several names them itself.
///
/// # Errors
/// Why there are no numbers.
pub(crate) fn one(
    row: &Row,
    count: u64,
    name: &str,
    url: &str,
    clients: &Clients,
    cores: Cores,
) -> Result<Vec<(String, Numbers)>> {
    let words = words(row, count, name, url, clients)?;
    let (program, arguments) = words.split_first().ok_or_else(|| Error::new("no program"))?;
    // What brings the real server along needs all cores.
    let mut command = match row.server {
        Source::Own => std::process::Command::new(program),
        _ => pinned(cores.client, Path::new(program)),
    };
    command.args(arguments).envs(clients.variables.iter().map(|(name, value)| (name, value)));
    for name in peers::PROXIES {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let printed = finished(command.spawn().map_err(|e| Error::wrap(name, e))?)?;
    let lines = printed.lines().filter(|line| line.starts_with('{'));
    let said: Vec<(String, Numbers)> = lines.filter_map(|line| read(line, name)).collect();
    if said.is_empty() { Err(Error::new("it printed no numbers")) } else { Ok(said) }
}

fn words(row: &Row, count: u64, name: &str, url: &str, clients: &Clients) -> Result<Vec<OsString>> {
    let few = row.few.iter().find(|(slow, _)| *slow == name).map(|(_, few)| *few);
    let count = few.unwrap_or(count).to_string();
    if row.asks == "start" {
        let mut words = peers::start_command(clients, name)?;
        words.push(url.into());
        return Ok(words);
    }
    let mut words = clients.command(name)?.to_vec();
    match name {
        "prompt" | "waiting" => words.push(count.into()),
        "crowd" | "close" => words.extend([url.into(), count.into()]),
        _ => words.extend([row.asks.into(), url.into(), count.into()]),
    }
    // Those two have one way to fetch a history.
    if row.asks == "history_bytes" && name == "raw socket" {
        let place = words.len() - 3;
        if let Some(word) = words.get_mut(place) {
            *word = "history".into();
        }
    }
    Ok(words)
}

/// What a program printed, when it ended well and in time.
fn finished(mut child: Child) -> Result<String> {
    let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
    let (printed, said, status) = thread::scope(|scope| {
        let printed = scope.spawn(move || text(&mut stdout));
        let said = scope.spawn(move || text(&mut stderr));
        let began = Instant::now();
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break Ok(status),
                Ok(None) if began.elapsed() < LIMIT => thread::sleep(Duration::from_millis(2)),
                Ok(None) => {
                    let _ = child.kill();
                    let _ = child.wait();
                    break Err(Error::new(format!("it was not done within {} s", LIMIT.as_secs())));
                }
                Err(error) => break Err(error.into()),
            }
        };
        (printed.join().unwrap_or_default(), said.join().unwrap_or_default(), status)
    });
    let status = status?;
    if status.success() {
        return Ok(printed);
    }
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    Err(Error::new(format!("{status}: {}", last.trim())))
}

fn text(pipe: &mut Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        // What came until then is what there is.
        let _ = pipe.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The numbers of a line, and whose they are.
fn read(line: &str, name: &str) -> Option<(String, Numbers)> {
    let value: Value = serde_json::from_str(line).ok()?;
    let object = value.as_object()?;
    let name = object.get("client").and_then(Value::as_str).unwrap_or(name);
    let numbers = object.iter().filter_map(|(key, value)| Some((key.clone(), value.as_f64()?)));
    Some((name.to_owned(), numbers.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn said(script: &str) -> Result<String> {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).stdout(Stdio::piped()).stderr(Stdio::piped());
        finished(shell.spawn().unwrap())
    }

    #[test]
    fn a_client_that_fails_says_why_and_one_that_prints_is_read() {
        assert_eq!(said("echo '{\"us\":1.5}'").unwrap(), "{\"us\":1.5}\n");
        let error = said("echo first >&2; echo no server >&2; exit 3").unwrap_err().to_string();
        assert!(error.contains("no server"), "{error}");
        let (name, numbers) = read(r#"{"client":"post","ms":12.5,"word":"x"}"#, "prompt").unwrap();
        assert_eq!((name.as_str(), numbers.get("ms"), numbers.len()), ("post", Some(&12.5), 1));
        assert_eq!(read(r#"{"us":3}"#, "C").unwrap().0, "C");
        assert!(read("no json", "C").is_none());
    }
}
