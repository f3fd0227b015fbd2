//! A prompt on the real server, from its beginning to its reply.

use crate::Outcome;
use crate::client::say;
use opencode_core::{Client, ClientOptions, Prompt};
use opencode_tests::{Model, Proxy, Server, prompt};
use serde_json::{Value, json};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

/// Prompts of each kind.
const PROMPTS: usize = 6;

/// The same short prompt, asked with the library and with the one blocking request of the server, in turn.
pub(crate) fn row(history: usize) -> Outcome {
    let model = Model::start(0)?;
    let server =
        Server::builder(&model.url()).persistent().config(json!({ "snapshot": false })).start()?;
    let proxy = Proxy::start(&server.url())?;
    let session = session(&server, history)?;
    let mut options = ClientOptions {
        base_url: server.url(),
        username: Some(server.username().to_owned()),
        password: server.password().map(str::to_owned),
        ..ClientOptions::default()
    };
    let client = Client::new(options.clone())?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    // The first of each finds nothing warm.
    ask(&client, &session)?;
    post(&server, &session)?;
    for _ in 0..PROMPTS {
        ours.push(ask(&client, &session)?);
        theirs.push(post(&server, &session)?);
    }
    // What is moved is counted by a proxy, which would take its time.
    options.base_url = proxy.url();
    let counted = Client::new(options)?;
    ask(&counted, &session)?;
    let mut moved = Vec::new();
    for _ in 0..PROMPTS / 2 {
        let before = bytes(&proxy);
        ask(&counted, &session)?;
        moved.push((bytes(&proxy) - before) / 1024.0);
    }
    for (name, times, moved) in [("core", ours, Some(moved)), ("post", theirs, None)] {
        let (whole, notice): (Vec<f64>, Vec<f64>) = times.into_iter().unzip();
        let mut line = json!({ "client": name, "ms": median(whole), "notice_ms": median(notice) });
        if let Some(moved) = moved {
            line["kb"] = median(moved).into();
        }
        say(&line);
    }
    Ok(())
}

fn bytes(proxy: &Proxy) -> f64 {
    let counters = proxy.counters();
    counters.request_bytes as f64 + counters.answer_bytes as f64
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}

fn words() -> String {
    prompt("Say pong", json!([{ "text": "pong", "delay_ms": 5, "first_delay_ms": 100 }]))
}

/// A session with so many messages before the next prompt.
fn session(server: &Server, history: usize) -> Result<String, Box<dyn std::error::Error>> {
    let made = server.post("/session", &json!({ "title": "measured" }))?.json();
    let id = made["id"].as_str().ok_or("no session was made")?.to_owned();
    if history == 0 {
        return Ok(id);
    }
    post(server, &id)?;
    let world = server.world();
    let database =
        world.iter().find(|(name, _)| name == "OPENCODE_DB").map(|(_, path)| path.as_str());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/fill.py");
    let mut python = Command::new("python3");
    let output =
        python.args([script, database.unwrap_or_default(), &id, &history.to_string()]).output()?;
    match output.status.success() {
        true => Ok(id),
        false => Err(String::from_utf8_lossy(&output.stderr).into()),
    }
}

/// Milliseconds of the whole prompt, and from the end of the answer, as the server has it, to its notice.
type Times = (f64, f64);

fn ask(client: &Client, session: &str) -> Result<Times, Box<dyn std::error::Error>> {
    let mut prompt = Prompt::new(words());
    prompt.session = Some(session.to_owned());
    let began = Instant::now();
    let reply = client.ask(prompt)?;
    let times = (began.elapsed(), now_ms());
    let last = reply.messages.last().ok_or("a reply without messages")?;
    let message: Value = serde_json::from_str(last.get())?;
    Ok(since(times, &message["info"]))
}

fn post(server: &Server, session: &str) -> Result<Times, Box<dyn std::error::Error>> {
    let body = json!({ "parts": [{ "type": "text", "text": words() }] });
    let began = Instant::now();
    let answer = server.post(&format!("/session/{session}/message"), &body)?;
    let times = (began.elapsed(), now_ms());
    Ok(since(times, &answer.json()["info"]))
}

fn since((whole, now): (Duration, f64), info: &Value) -> Times {
    let completed = info["time"]["completed"].as_f64().unwrap_or(now);
    (whole.as_secs_f64() * 1e3, now - completed)
}

fn now_ms() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1e3
}
