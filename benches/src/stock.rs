//! ureq alone, with all its time limits, as a program without this library would use it.

use crate::Outcome;
use crate::client::say;
use crate::sample::Sample;
use crate::system::{own_cpu_seconds, peak_mb};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};
use ureq::Agent;

pub(crate) fn row(row: &str, url: &str, count: usize) -> Outcome {
    let limit = Some(Duration::from_secs(60));
    let config = Agent::config_builder();
    let config = config.timeout_connect(limit).timeout_recv_response(limit).proxy(None);
    // The whole body has a limit where it has an end.
    let config = if row == "events" {
        config
    } else {
        config.timeout_global(limit).timeout_recv_body(limit)
    };
    let agent: Agent = config.build().into();
    let get = |path: &str| -> Result<Vec<u8>, ureq::Error> {
        agent
            .get(format!("{url}{path}"))
            .call()?
            .body_mut()
            .with_config()
            .limit(1 << 30)
            .read_to_vec()
    };
    let read = |path: &str| -> Result<Value, Box<dyn std::error::Error>> {
        Ok(serde_json::from_slice(&get(path)?)?)
    };
    match row {
        "get_health" | "get_session" => {
            let path = if row == "get_health" { "/global/health" } else { "/session/ses_1" };
            let cpu = own_cpu_seconds();
            let sample = Sample::of(count, || read(path).map(drop))?;
            let cpu = (own_cpu_seconds() - cpu) * 1e6 / (count + count / 10 + 1) as f64;
            say(&json!({ "us": sample.us(500), "p99_us": sample.us(990), "cpu_us": cpu }));
        }
        "history" | "history_bytes" => {
            let path = format!("/session/ses_{count}/message");
            let began = Instant::now();
            let is_empty = match row {
                "history" => read(&path)?.as_array().is_none_or(Vec::is_empty),
                _ => get(&path)?.is_empty(),
            };
            if is_empty {
                return Err("the history is empty".into());
            }
            say(&json!({ "ms": began.elapsed().as_secs_f64() * 1e3, "rss_mb": peak_mb() }));
        }
        "events" => events(&agent, url, count)?,
        _ => return Err(format!("no row {row}").into()),
    }
    Ok(())
}

fn events(agent: &Agent, url: &str, count: usize) -> Outcome {
    let began = Instant::now();
    let answer = agent.get(format!("{url}/global/event")).call()?;
    let mut lines = BufReader::with_capacity(65_536, answer.into_body().into_reader());
    let (mut line, mut got) = (Vec::new(), 0);
    while got < count {
        line.clear();
        if lines.read_until(b'\n', &mut line)? == 0 {
            return Err(format!("{got} events came").into());
        }
        if let Some(data) = line.strip_prefix(b"data:") {
            serde_json::from_slice::<Value>(data)?;
            got += 1;
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    say(&json!({ "per_s": got as f64 / seconds, "got": got, "lost": 0, "rss_mb": peak_mb() }));
    Ok(())
}
