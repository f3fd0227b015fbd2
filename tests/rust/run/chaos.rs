//! A send that is cut at every byte of its request and of its answer, while the event stream is cut as well: one
//! user message, one answer, and the text is the server's.
//!
//! `OPENCODE_CHAOS=4` does it four times over: thousands of cuts, and minutes.

use super::*;
use opencode_tests::Model;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// Sessions that are worked in side by side: a prompt whose send was lost mostly waits.
const LANES: usize = 24;
/// Prompts in one session: the server reads all those before at every prompt.
const PROMPTS: usize = 8;

/// What happens to the next send of a session.
type Plans = Arc<Mutex<HashMap<String, Plan>>>;

/// One session after the other, one prompt after the other.
#[derive(Default)]
struct Lane {
    session: String,
    done: Vec<Run>,
    running: Option<(usize, Run)>,
}

#[test]
fn a_send_that_is_cut_at_every_byte_while_the_stream_is_cut_happens_once() {
    let rounds: u64 =
        std::env::var("OPENCODE_CHAOS").ok().and_then(|n| n.parse().ok()).unwrap_or(1).max(1);
    let (server, model) = small_server();
    let proxy = Proxy::start(&server.url()).unwrap();
    let plans = Plans::default();
    let client = Client::new(options(&server, &proxy.url())).unwrap();
    let probes = new_session(&client);
    let request = bytes(&proxy, &client, &probes, Plan::cut_request);
    let answer = bytes(&proxy, &client, &probes, Plan::cut_answer);
    assert!(request > 300 && answer > 50, "{request} bytes, and {answer} of the answer");
    let mut cuts: VecDeque<(usize, Plan)> = (0..rounds)
        .flat_map(|round| {
            let end = move |at| if (at + round) % 2 == 0 { End::Reset } else { End::Close };
            let in_request = (0..=request).map(move |at| Plan::pass().cut_request(at, end(at)));
            in_request.chain((0..=answer).map(move |at| Plan::pass().cut_answer(at, end(at))))
        })
        .enumerate()
        .collect();
    let all = cuts.len();
    let sends = Arc::new(AtomicU64::new(0));
    let (of_sessions, counter, streams) =
        (Arc::clone(&plans), Arc::clone(&sends), AtomicU64::new(0));
    proxy.hook(move |asked| hook(asked, &of_sessions, &counter, &streams));
    let mut lanes: Vec<Lane> = (0..LANES).map(|_| Lane::default()).collect();
    while !lanes.is_empty() {
        lanes.retain_mut(|lane| lane.go_on(&client, &plans, &mut cuts));
        std::thread::sleep(Duration::from_millis(5));
    }
    let sent = usize::try_from(sends.load(Ordering::Relaxed)).unwrap();
    let lost = usize::try_from(request * rounds).unwrap();
    assert!(sent + 10 >= all + lost, "{lost} sends were lost, and {sent} made in all");
    for n in 0..all {
        assert_eq!(model.runs(&words(n)), 1, "{}", words(n));
    }
}

impl Lane {
    /// Takes what is done and starts the next; false when there is nothing more to do.
    fn go_on(
        &mut self,
        client: &Client,
        plans: &Plans,
        cuts: &mut VecDeque<(usize, Plan)>,
    ) -> bool {
        if let Some((n, run)) = self.running.take() {
            if !run.state().is_over() {
                self.running = Some((n, run));
                return true;
            }
            assert_eq!(reply(&run).text, answer(n));
            self.done.push(run);
        }
        if self.done.len() == PROMPTS || cuts.is_empty() {
            if !self.done.is_empty() {
                assert_once(client, &self.session, &self.done);
            }
            *self = Lane::default();
        }
        let Some((n, plan)) = cuts.pop_front() else { return false };
        if self.session.is_empty() {
            self.session = new_session(client);
        }
        let mut plans = plans.lock().unwrap_or_else(PoisonError::into_inner);
        plans.insert(self.session.clone(), plan);
        drop(plans);
        self.running = Some((n, client.run(send(&self.session, n)).unwrap()));
        true
    }
}

/// A server whose prompts cost as little as can be: no snapshots, no tools, a short word to the model.
fn small_server() -> (Server, Model) {
    let model = Model::start(0).unwrap();
    let agent = json!({ "build": { "prompt": "x" } });
    let config = json!({ "snapshot": false, "tools": { "*": false }, "agent": agent });
    let server = Server::builder(&model.url()).config(config).start().unwrap();
    (server, model)
}

fn new_session(client: &Client) -> String {
    // With a title the server does not ask the model for one.
    let session = client.call("session.create", json!({ "title": "chaos" })).unwrap();
    session.json::<Value>().unwrap()["id"].as_str().unwrap().to_owned()
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

// As many digits each time: every send is as long as the other.

fn words(n: usize) -> String {
    format!("chaos {n:07}.")
}

fn answer(n: usize) -> String {
    format!("answer {n:07}")
}

fn send(session: &str, n: usize) -> Prompt {
    let mut prompt = scripted(&words(n), json!([{ "text": answer(n), "delay_ms": 0 }]));
    prompt.session = Some(session.to_owned());
    prompt
}

/// How long a send or its answer is, from the first byte to the last.
fn bytes(
    proxy: &Proxy,
    client: &Client,
    session: &str,
    cut: impl Fn(Plan, u64, End) -> Plan,
) -> u64 {
    // A cut beyond the end never happens.
    let (mut low, mut high) = (0, 2_048);
    while low < high {
        let middle = (low + high) / 2;
        proxy.once("POST */prompt_async*", cut(Plan::pass(), middle, End::Reset));
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
        let id = message_id(run);
        let user = messages.iter().filter(|m| m["info"]["id"] == id).collect::<Vec<_>>();
        assert_eq!(user.len(), 1, "{id}");
        assert_eq!(user[0]["parts"].as_array().unwrap().len(), 1, "{id} was appended to");
        let answers = messages.iter().filter(|m| m["info"]["parentID"] == id).count();
        assert_eq!(answers, 1, "{id}");
    }
    let users = messages.iter().filter(|m| m["info"]["role"] == "user").count();
    assert_eq!(users, runs.len(), "in {session}");
}
