//! A send that is cut at every byte of its request and of its answer, while the event stream is cut as well: one
//! user message, one answer, and the text is the server's.
//!
//! `OPENCODE_CHAOS=4` does it four times over: thousands of cuts, and minutes.

use super::world::World;
use super::*;
use opencode_tests::Generation;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::AtomicBool;
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

/// On 2.x every so manieth byte is cut, each time others: a send there is more than one request may tell.
const STRIDE: u64 = 7;

#[test]
fn a_send_that_is_cut_at_every_byte_while_the_stream_is_cut_happens_once() {
    let rounds: u64 =
        std::env::var("OPENCODE_CHAOS").ok().and_then(|n| n.parse().ok()).unwrap_or(1).max(1);
    for_both(|generation| {
        let world = small_world(generation);
        let proxy = Proxy::start(&world.server().url()).unwrap();
        let plans = Plans::default();
        let client = Client::new(options(world.server(), &proxy.url())).unwrap();
        let probes = new_session(&world);
        let request = bytes(&proxy, &client, &probes, Plan::cut_request);
        let answer = bytes(&proxy, &client, &probes, Plan::cut_answer);
        assert!(request > 200 && answer > 50, "{request} bytes, and {answer} of the answer");
        let (stride, phase) = world.word((1, 0), (STRIDE, phase()));
        let mut cuts: VecDeque<(usize, Plan)> = (0..rounds)
            .flat_map(|round| {
                let end = move |at| if (at + round) % 2 == 0 { End::Reset } else { End::Close };
                let is_played = move |at: &u64| (at + round + phase).is_multiple_of(stride);
                let in_request = (0..=request).filter(is_played);
                let in_request = in_request.map(move |at| Plan::pass().cut_request(at, end(at)));
                let in_answer = (0..=answer).filter(is_played);
                in_request.chain(in_answer.map(move |at| Plan::pass().cut_answer(at, end(at))))
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
            lanes.retain_mut(|lane| lane.go_on(&world, &client, &plans, &mut cuts));
            std::thread::sleep(Duration::from_millis(5));
        }
        let sent = usize::try_from(sends.load(Ordering::Relaxed)).unwrap();
        let lost = usize::try_from(request * rounds / stride).unwrap();
        assert!(sent + 10 >= all + lost, "{lost} sends were lost, and {sent} made in all");
        for n in 0..all {
            assert_eq!(world.model().runs(&words(n)), 1, "{}", words(n));
        }
    });
}

/// Another one each time.
fn phase() -> u64 {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    now.as_secs() % STRIDE
}

impl Lane {
    /// Takes what is done and starts the next; false when there is nothing more to do.
    fn go_on(
        &mut self,
        world: &World,
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
                assert_once(world, &self.session, &self.done);
            }
            *self = Lane::default();
        }
        let Some((n, plan)) = cuts.pop_front() else { return false };
        if self.session.is_empty() {
            self.session = new_session(world);
        }
        let mut plans = plans.lock().unwrap_or_else(PoisonError::into_inner);
        plans.insert(self.session.clone(), plan);
        drop(plans);
        self.running = Some((n, client.run(send(&self.session, n)).unwrap()));
        true
    }
}

/// A server whose prompts cost as little as can be: no snapshots, no tools, a short word to the model.
fn small_world(generation: Generation) -> World {
    let agent = json!({ "build": { "prompt": "x" } });
    let config = json!({ "snapshot": false, "tools": { "*": false }, "agent": agent });
    World::start(generation, |server| server.config(config))
}

fn new_session(world: &World) -> String {
    // With a title the server does not ask the model for one.
    world.make_session(json!({ "title": "chaos" }))
}

fn hook(asked: &Asked, plans: &Plans, sends: &AtomicU64, streams: &AtomicU64) -> Plan {
    if is_stream(asked) {
        // At another byte each time, and none lives long.
        let n = streams.fetch_add(1, Ordering::Relaxed);
        return Plan::pass().cut_answer(200 + n * 7_919 % 60_000, End::Reset);
    }
    if is_send(asked) {
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
        let (plan, left) = (cut(Plan::pass(), middle, End::Reset), AtomicBool::new(true));
        proxy.hook(move |asked| match is_send(asked) && left.swap(false, Ordering::SeqCst) {
            true => plan,
            false => Plan::pass(),
        });
        let before = proxy.counters().cuts;
        reply(&client.run(send(session, 9_000_000 + middle as usize)).unwrap());
        if proxy.counters().cuts > before { low = middle + 1 } else { high = middle }
    }
    low
}

/// The session has the messages of these runs and no others, one answer each.
fn assert_once(world: &World, session: &str, runs: &[Run]) {
    let prompts = world.prompts(session);
    for run in runs {
        let id = message_id(run);
        let own = prompts.iter().filter(|(prompt, _)| *prompt == id).collect::<Vec<_>>();
        assert_eq!(own, [&(id.clone(), 1)], "{id}");
        assert_eq!(world.answers(session, &id).len(), 1, "{id}");
    }
    assert_eq!(prompts.len(), runs.len(), "in {session}");
}
