//! A send that is cut all over its request and answer, while the event stream is cut as well: one user message,
//! one answer, and the text is the server's.
//!
//! `OPENCODE_CHAOS=4` cuts at every single byte, four times over: thousands of cuts, and a quarter of an hour.

use super::*;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Sessions that are worked in side by side.
const SESSIONS: usize = 8;
/// Bytes from one cut to the next; odd, so that both kinds of cuts take turns.
const STRIDE: usize = 5;
/// No answer to a send is shorter.
const ANSWER: u64 = 80;

/// How the prompts begin that only measure.
const PROBE: &str = "chaos 9";

/// What happens to the next send of a session.
type Plans = Arc<Mutex<HashMap<String, Plan>>>;

#[test]
fn a_send_that_is_cut_while_the_stream_is_cut_happens_once() {
    let rounds: u64 =
        std::env::var("OPENCODE_CHAOS").ok().and_then(|n| n.parse().ok()).unwrap_or(0);
    let step = if rounds == 0 { STRIDE } else { 1 };
    let (server, model) = quick_server();
    let proxy = Proxy::start(&server.url()).unwrap();
    let plans = Plans::default();
    let client = Client::new(options(&server, &proxy.url())).unwrap();
    let sessions: Vec<String> = (0..SESSIONS)
        .map(|i| {
            let session = client.call("session.create", json!({ "title": format!("chaos {i}") }));
            let session: Value = session.unwrap().json().unwrap();
            session["id"].as_str().unwrap().to_owned()
        })
        .collect();
    let request = request_bytes(&proxy, &client, &sessions[0]);
    let cuts: Vec<Plan> = (0..rounds.max(1))
        .flat_map(|round| {
            let end = move |at| if (at + round) % 2 == 0 { End::Reset } else { End::Close };
            let in_request = (0..=request).step_by(step);
            let in_answer = (0..ANSWER).step_by(step);
            let in_request = in_request.map(move |at| Plan::pass().cut_request(at, end(at)));
            in_request.chain(in_answer.map(move |at| Plan::pass().cut_answer(at, end(at))))
        })
        .collect();
    let sends = Arc::new(AtomicU64::new(0));
    let (of_sessions, counter, streams) =
        (Arc::clone(&plans), Arc::clone(&sends), AtomicU64::new(0));
    proxy.hook(move |asked| hook(asked, &of_sessions, &counter, &streams));
    let mut done: HashMap<&String, Vec<Run>> = HashMap::new();
    for (round, plans_now) in cuts.chunks(SESSIONS).enumerate() {
        let runs: Vec<(&String, Run)> = sessions
            .iter()
            .zip(plans_now)
            .enumerate()
            .map(|(i, (session, plan))| {
                plans.lock().unwrap_or_else(PoisonError::into_inner).insert(session.clone(), *plan);
                (session, client.run(send(session, round * SESSIONS + i)).unwrap())
            })
            .collect();
        for (i, (session, run)) in runs.into_iter().enumerate() {
            assert_eq!(reply(&run).text, answer(round * SESSIONS + i));
            done.entry(session).or_default().push(run);
        }
    }
    let sent = usize::try_from(sends.load(Ordering::Relaxed)).unwrap();
    let lost = (0..=request).step_by(step).count() * rounds.max(1) as usize;
    assert!(sent + 10 >= cuts.len() + lost, "{lost} sends were lost, and {sent} made in all");
    proxy.pass();
    for (session, runs) in done {
        assert_once(&client, session, &runs);
    }
    for n in 0..cuts.len() {
        assert_eq!(model.runs(&words(n)), 1, "{}", words(n));
    }
}

fn hook(asked: &Asked, plans: &Plans, sends: &AtomicU64, streams: &AtomicU64) -> Plan {
    if asked.is("GET /global/event*") {
        // At another byte each time, and none lives long.
        let n = streams.fetch_add(1, Ordering::Relaxed);
        return Plan::pass().cut_answer(200 + n * 7_919 % 60_000, End::Reset);
    }
    if asked.is("POST */prompt_async*") {
        sends.fetch_add(1, Ordering::Relaxed);
        let mut plans = plans.lock().unwrap_or_else(PoisonError::into_inner);
        let session = plans.keys().find(|session| asked.target.contains(*session)).cloned();
        return session.and_then(|session| plans.remove(&session)).unwrap_or_default();
    }
    Plan::pass()
}

/// As many digits each time: every send is as long as the other.
fn words(n: usize) -> String {
    format!("chaos {n:07}.")
}

fn answer(n: usize) -> String {
    format!("answer {n} of many")
}

fn send(session: &str, n: usize) -> Prompt {
    let mut prompt = scripted(&words(n), json!([{ "text": answer(n), "delay_ms": 0 }]));
    prompt.session = Some(session.to_owned());
    prompt
}

/// How long a send is, from its first byte to its last.
fn request_bytes(proxy: &Proxy, client: &Client, session: &str) -> u64 {
    // A cut beyond the end never happens.
    let (mut low, mut high) = (0, 4_096);
    while low < high {
        let middle = (low + high) / 2;
        proxy.once("POST */prompt_async*", Plan::pass().cut_request(middle, End::Reset));
        let before = proxy.counters().cuts;
        reply(&client.run(send(session, 9_000_000 + middle as usize)).unwrap());
        if proxy.counters().cuts > before { low = middle + 1 } else { high = middle }
    }
    low
}

/// The session has the messages of these runs and no others, one answer each.
fn assert_once(client: &Client, session: &str, runs: &[Run]) {
    let messages = client.call("session.messages", json!({ "sessionID": session })).unwrap();
    let messages: Vec<Value> = messages.json().unwrap();
    for run in runs {
        let id = run.message_id();
        let user = messages.iter().filter(|m| m["info"]["id"] == id).collect::<Vec<_>>();
        assert_eq!(user.len(), 1, "{id}");
        assert_eq!(user[0]["parts"].as_array().unwrap().len(), 1, "{id} was appended to");
        let answers = messages.iter().filter(|m| m["info"]["parentID"] == id).count();
        assert_eq!(answers, 1, "{id}");
    }
    let is_mine = |m: &&Value| {
        m["info"]["role"] == "user"
            && m["parts"][0]["text"].as_str().is_some_and(|text| !text.starts_with(PROBE))
    };
    assert_eq!(messages.iter().filter(is_mine).count(), runs.len(), "in {session}");
}
