//! The core as a client.

use crate::Outcome;
use crate::sample::Sample;
use crate::system::{own_cpu_seconds, peak_mb};
use opencode_core::{Client, ClientOptions, EventOptions, Scope, StreamEvent};
use serde_json::{Value, json};
use std::sync::mpsc;
use std::time::{Duration, Instant};

pub(crate) fn client(url: &str) -> opencode_core::Result<Client> {
    let options = ClientOptions { base_url: url.to_owned(), ..ClientOptions::default() };
    Client::new(options)
}

pub(crate) fn row(row: &str, url: &str, count: usize) -> Outcome {
    let client = client(url)?;
    let session = json!({ "sessionID": "ses_1" });
    match row {
        "start" => Ok(()),
        "get_health" => get(count, || client.call("global.health", ())?.json::<Value>().map(drop)),
        "get_session" => {
            get(count, || client.call("session.get", &session)?.json::<Value>().map(drop))
        }
        "sessions" => get(rounds(count), || {
            client.call("session.list", json!({ "limit": count }))?.json::<Value>().map(drop)
        }),
        "history" => history(&client, count, true),
        "history_bytes" => history(&client, count, false),
        "events" => events(&client, count as u64),
        "cancel" => cancel(&client, count),
        _ => Err(format!("no row {row}").into()),
    }
}

/// How often something of this size is done: long things a few times.
pub(crate) fn rounds(size: usize) -> usize {
    (20_000 / size.max(1)).clamp(20, 500)
}

fn get<E: Into<Box<dyn std::error::Error>>>(
    count: usize,
    work: impl FnMut() -> Result<(), E>,
) -> Outcome {
    let cpu = own_cpu_seconds();
    let sample = Sample::of(count, work).map_err(Into::into)?;
    let cpu = (own_cpu_seconds() - cpu) * 1e6 / (count + count / 10 + 1) as f64;
    say(&json!({ "us": sample.us(500), "p99_us": sample.us(990), "cpu_us": cpu }));
    Ok(())
}

fn history(client: &Client, megabytes: usize, is_read: bool) -> Outcome {
    let began = Instant::now();
    let answer =
        client.call("session.messages", json!({ "sessionID": format!("ses_{megabytes}") }))?;
    let is_there = match is_read {
        true => answer.json::<Value>()?.as_array().is_some_and(|messages| !messages.is_empty()),
        false => !answer.bytes().is_empty(),
    };
    if !is_there {
        return Err("the history is empty".into());
    }
    say(&json!({ "ms": began.elapsed().as_secs_f64() * 1e3, "rss_mb": peak_mb() }));
    Ok(())
}

fn events(client: &Client, count: u64) -> Outcome {
    let options = EventOptions { scope: Scope::Global, ..EventOptions::default() };
    let began = Instant::now();
    let stream = client.events(options)?;
    let (mut got, mut lost) = (0, 0);
    for event in stream.iter() {
        match event? {
            StreamEvent::Server(_) => got += 1,
            StreamEvent::Lagged(count) => lost += count,
            _ => {}
        }
        if got + lost >= count {
            break;
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    say(&json!({ "per_s": got as f64 / seconds, "got": got, "lost": lost, "rss_mb": peak_mb() }));
    Ok(())
}

/// From the cancel until the function that waited has returned.
fn cancel(client: &Client, count: usize) -> Outcome {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let call = client.start("global.health", ())?;
        let (sender, returned) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _ = call.wait(None);
                let _ = sender.send(Instant::now());
            });
            std::thread::sleep(Duration::from_millis(5));
            let began = Instant::now();
            call.cancel();
            if let Ok(returned) = returned.recv() {
                times.push(returned.saturating_duration_since(began));
            }
        });
    }
    let sample = Sample::new(times);
    say(&json!({ "us": sample.us(500), "p99_us": sample.us(990) }));
    Ok(())
}

/// What a close takes while a server does not answer.
pub(crate) fn close(url: &str, count: usize) -> Outcome {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let client = client(url)?;
        client.run("x")?;
        client.start("session.list", ())?;
        std::thread::sleep(Duration::from_millis(5));
        let began = Instant::now();
        client.close();
        times.push(began.elapsed());
    }
    let sample = Sample::new(times);
    say(&json!({ "client": "core", "us": sample.us(500), "p99_us": sample.us(990) }));
    Ok(())
}

/// One line of the result.
pub(crate) fn say(numbers: &Value) {
    println!("{numbers}");
}
