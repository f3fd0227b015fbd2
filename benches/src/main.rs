//! What the library costs its host, against the real server and against servers that misbehave.
#![expect(clippy::print_stdout, reason = "a table is what it is for")]

mod sample;

use opencode_core::{Client, ClientOptions, Result, Run, State, Update};
use opencode_tests::{Answer, Fake, Model, Server, flood, prompt};
use sample::Sample;
use serde_json::json;
use std::time::{Duration, Instant};

const POLLS: usize = 200_000;

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let model = Model::start(0)?;
    let server = Server::builder(&model.url()).start()?;
    let mut options = ClientOptions::default();
    options.base_url = server.url();
    options.username = Some(server.username().to_owned());
    options.password = server.password().map(str::to_owned);
    println!("{:42} {:>9} {:>14} {:>14} {:>14}", "what", "times", "median", "p99", "worst");
    let client = Client::new(options.clone())?;
    client.ask("warm up")?;
    println!("{}", calls(&client)?.line());
    println!("{}", asks(&client)?.line());
    let steps = json!([{ "text": "a b", "stall": { "after": 1, "ms": 600_000 } }]);
    let idle = begun(&client, &prompt("idle", steps.clone()))?;
    println!("{}", polls("poll, nothing new", &idle).line());
    server.stop();
    println!("{}", polls("poll, server does not answer", &idle).line());
    server.cont();
    idle.cancel(Duration::from_secs(5));
    let fake = Fake::start(flood())?;
    options.base_url = fake.url();
    let flooded = Client::new(options.clone())?;
    let run = begun(&flooded, "flood")?;
    println!("{}", polls("poll, flooded with events", &run).line());
    println!("{}", closes("close, flooded with events", vec![flooded]).line());
    let silent = Fake::start(|_| Answer::silence())?;
    options.base_url = silent.url();
    let clients = (0..20).map(|_| {
        let client = Client::new(options.clone())?;
        client.run("x")?;
        client.start("session.list", ())?;
        Ok(client)
    });
    let clients = clients.collect::<Result<Vec<_>>>()?;
    println!("{}", closes("close, server does not answer", clients).line());
    Ok(())
}

/// One small request after the other.
fn calls(client: &Client) -> Result<Sample> {
    client.call("global.health", ())?;
    Ok(Sample::of("call global.health", 2_000, || {
        let _ = client.call("global.health", ());
    }))
}

/// A prompt from the call to the reply; the model answers at once.
fn asks(client: &Client) -> Result<Sample> {
    let session = client.ask("Say pong")?.session_id.clone();
    Ok(Sample::of("ask, in a session that is there", 20, || {
        let mut prompt = opencode_core::Prompt::new("Say pong");
        prompt.session = Some(session.clone());
        let _ = client.ask(prompt);
    }))
}

/// A run whose first text has come.
fn begun(client: &Client, prompt: &str) -> Result<Run> {
    let run = client.run(prompt)?;
    for update in run.updates() {
        match update {
            Update::Text(_) => break,
            Update::Failed(error) => return Err(error),
            _ => {}
        }
    }
    Ok(run)
}

/// One poll after the other; now and then the engine gets the core.
fn polls(name: &'static str, run: &Run) -> Sample {
    let times = (0..POLLS).map(|n| {
        let began = Instant::now();
        let (state, updates) = run.poll();
        let took = began.elapsed();
        debug_assert!(state != State::Done);
        drop(updates);
        if n % 100 == 0 {
            std::thread::yield_now();
        }
        took
    });
    Sample::new(name, times.collect())
}

fn closes(name: &'static str, clients: Vec<Client>) -> Sample {
    let times = clients.into_iter().map(|client| {
        let began = Instant::now();
        client.close();
        began.elapsed()
    });
    Sample::new(name, times.collect())
}
