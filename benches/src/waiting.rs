//! What it costs to wait for many prompts at once on the real server.

use crate::Outcome;
use crate::client::say;
use crate::system::{cpu_seconds, own_cpu_seconds};
use opencode_core::{Client, ClientOptions, Prompt, Run};
use opencode_tests::{Model, Server, prompt};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long they are waited for.
const LOOK: Duration = Duration::from_secs(6);
/// The pause of who asks again and again.
const PAUSE: Duration = Duration::from_millis(250);

/// So many prompts whose model is silent: first only their runs wait, then each is also asked for by a poller of its own, as
/// programs without a stream do it. The runs' share is taken off the second count.
pub(crate) fn row(count: usize) -> Outcome {
    let model = Model::start(0)?;
    let server = Server::builder(&model.url()).config(json!({ "snapshot": false })).start()?;
    let options = ClientOptions {
        base_url: server.url(),
        username: Some(server.username().to_owned()),
        password: server.password().map(str::to_owned),
        ..ClientOptions::default()
    };
    let client = Client::new(options)?;
    client.ask("warm up")?;
    let steps = json!([{ "text": "a b", "stall": { "after": 1, "ms": 600_000 } }]);
    let runs = (0..count).map(|n| {
        let mut asked = Prompt::new(prompt(&format!("wait {n}"), steps.clone()));
        asked.title = Some(format!("waits {n}"));
        client.run(asked)
    });
    let runs = runs.collect::<opencode_core::Result<Vec<Run>>>()?;
    for run in &runs {
        let mut waited = Duration::ZERO;
        while run.text().is_empty() {
            if let Some(error) = run.error() {
                return Err(error.into());
            }
            if waited > Duration::from_secs(120) {
                return Err("the prompts did not begin".into());
            }
            std::thread::sleep(Duration::from_millis(50));
            waited += Duration::from_millis(50);
        }
    }
    std::thread::sleep(Duration::from_secs(1));
    let pid = server.pid().to_string();
    let cost = || (own_cpu_seconds(), cpu_seconds(&pid));
    let before = cost();
    std::thread::sleep(LOOK);
    let after = cost();
    let ours = (after.0 - before.0, after.1 - before.1);
    let sessions: Vec<String> = runs.iter().filter_map(Run::session_id).collect();
    let is_over = AtomicBool::new(false);
    let theirs = std::thread::scope(|scope| {
        for session in &sessions {
            let (server, is_over) = (&server, &is_over);
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    let _ = server.get(&format!("/session/{session}/message?limit=1"));
                    std::thread::sleep(PAUSE);
                }
            });
        }
        std::thread::sleep(Duration::from_millis(500));
        let before = cost();
        std::thread::sleep(LOOK);
        let after = cost();
        is_over.store(true, Ordering::Relaxed);
        (after.0 - before.0 - ours.0, after.1 - before.1 - ours.1)
    });
    let a_minute = 60.0 / LOOK.as_secs_f64();
    for (name, (client, server)) in [("core", ours), ("polls", theirs)] {
        say(&json!({
            "client": name, "cpu_s": (client + server) * a_minute,
            "client_cpu_s": client * a_minute, "server_cpu_s": server * a_minute,
        }));
    }
    for run in &runs {
        run.cancel(Duration::ZERO);
    }
    Ok(())
}
