//! A simulated server, and the run engine against it under every order, loss and repetition of inputs.
//!
//! The server follows the real one's rules (measured on 1.18.33, and on 2.0.15 in [`two`]): a prompt is stored a moment
//! after it was accepted, the session is busy a moment later, text is stored when a part ends, a message is completed
//! before the session is idle, the same message id is no second prompt. What happens next, and what gets
//! lost, is decided by a list of bytes, so that proptest can shrink a failure.

mod odd;
mod server;
mod two;

use super::*;
use crate::http::answer::Answer;
use crate::protocol::event::Event;
use crate::protocol::permission::{PermissionPolicy, QuestionPolicy};
use crate::run::wire::{Meaning, Memory, OperationCall, SnapshotParts, Wire};
use proptest::prelude::*;
use serde_json::{Value, json};
use server::{ServerStep, SimulatedServer, script};
use std::collections::VecDeque;
use ureq::http::{HeaderMap, HeaderValue};

const SESSION: &str = "ses_1";
/// Steps of the machine that a run makes at least, on average.
const STEPS: u64 = 30;
/// Of a hundred runs under chance, so many get their answer at least: others meet a server that is out of reach for
/// longer than they wait.
const ANSWERED: u64 = 95;

fn broken(sent: bool) -> Error {
    Error::new(ErrorKind::Connection, "the connection broke").with_sent(sent)
}

enum Flight {
    Request(RequestKind, Request),
    Answer(RequestKind, Request, Result<Answer>),
    Snapshot,
    SnapshotAnswer(Result<DirectorySnapshot>),
}

fn setup(events: bool) -> Setup {
    Setup {
        prompt: Prompt::new("hi"),
        permission: PermissionPolicy::default(),
        question: QuestionPolicy::default(),
        directory: None,
        events,
        has_tools: false,
        is_known: true,
        aim: Aim::Prompt,
    }
}

/// The engine's part: carries requests and events, and loses them as it is told.
struct World {
    wire: Wire,
    /// What the events said before, as the engine keeps it.
    memory: Memory,
    server: SimulatedServer,
    machine: Machine,
    flights: Vec<Flight>,
    now: Millis,
    is_up: bool,
    /// The server tells everything that happens: a moment later than it says so.
    is_settled: bool,
    /// Inputs so far.
    steps: u64,
    shown: String,
    outcome: Option<Outcome>,
}

impl World {
    fn new(wire: Wire, events: bool) -> Self {
        World::with(wire, setup(events))
    }

    fn with(wire: Wire, setup: Setup) -> Self {
        World::at(wire, setup, None)
    }

    /// A prompt to a session that is there, whose directory may be known.
    fn in_session(wire: Wire, events: bool, is_known: bool) -> Self {
        let setup = setup(events);
        let prompt = Prompt { session: Some(SESSION.to_owned()), ..setup.prompt };
        World::at(wire, Setup { prompt, ..setup }, is_known.then(|| "/p".to_owned()))
    }

    fn at(wire: Wire, setup: Setup, place: Option<String>) -> Self {
        let mut world = World {
            wire,
            memory: Memory::default(),
            server: SimulatedServer::new(wire),
            machine: Machine::new(setup, 0),
            flights: Vec::new(),
            now: 0,
            is_up: false,
            is_settled: false,
            steps: 0,
            shown: String::new(),
            outcome: None,
        };
        world.machine.start(0, place);
        world.collect();
        world
    }

    fn input(&mut self, input: Input<'_>) {
        self.steps += 1;
        self.machine.step(self.now, input);
        self.collect();
    }

    fn collect(&mut self) {
        let mut outputs = VecDeque::from(self.machine.take_outputs());
        while let Some(output) = outputs.pop_front() {
            assert!(self.outcome.is_none(), "{output:?} after the end");
            match output {
                Output::Ask(kind, request) => self.flights.push(Flight::Request(kind, request)),
                Output::TakeSnapshot { .. } => self.flights.push(Flight::Snapshot),
                Output::Queue(_) => {
                    self.machine.step(self.now, Input::Turn);
                    outputs.extend(self.machine.take_outputs());
                }
                Output::Update(Update::Text(text)) => {
                    if text.replaces {
                        self.shown.clear();
                    }
                    self.shown.push_str(&text.delta);
                }
                Output::Over(outcome) => self.outcome = Some(outcome),
                Output::Update(_)
                | Output::Track(_)
                | Output::PlaceTools { .. }
                | Output::Warn(_) => {}
            }
        }
    }

    /// Moves one flight on: a request reaches the server, an answer reaches the machine, or one is lost.
    fn fly(&mut self, index: usize, fate: Fate) {
        if self.flights.is_empty() {
            return;
        }
        let flight = self.flights.remove(index % self.flights.len());
        let arrived = match flight {
            Flight::Request(kind, request) => match fate {
                Fate::Lost => Flight::Answer(kind, request, Err(broken(false))),
                Fate::Cut => Flight::Answer(kind, request, Err(broken(true))),
                Fate::Foreign if is_beside(&kind) => Flight::Answer(kind, request, Err(foreign())),
                Fate::Arrives | Fate::Foreign => {
                    let OperationCall { operation, arguments } = self.wire.call(&request).unwrap();
                    let arguments = serde_json::from_str(&arguments).unwrap();
                    let answer = self.server.answer(operation, &arguments);
                    let answer = answer.map(|answer| self.server.odd.answer(operation, answer));
                    Flight::Answer(kind, request, answer)
                }
            },
            Flight::Snapshot => match fate {
                Fate::Lost | Fate::Cut => Flight::SnapshotAnswer(Err(broken(true))),
                Fate::Arrives | Fate::Foreign => Flight::SnapshotAnswer(self.server.look(self.now)),
            },
            Flight::Answer(kind, request, answer) => {
                let answer = match fate {
                    Fate::Foreign if is_beside(&kind) => Err(foreign()),
                    Fate::Arrives | Fate::Foreign => answer,
                    // The server did it, and nobody hears of it.
                    Fate::Lost | Fate::Cut => Err(broken(true)),
                };
                match self.wire.read(&request, answer) {
                    Meaning::Done(response) => return self.input(Input::Answer(kind, response)),
                    Meaning::Then(request) => Flight::Request(kind, request),
                }
            }
            Flight::SnapshotAnswer(answer) => {
                return match answer {
                    Ok(snapshot) => self.input(Input::Snapshot(&snapshot)),
                    Err(error) => self.input(Input::SnapshotFailed(&error)),
                };
            }
        };
        self.flights.push(arrived);
    }

    fn event(&mut self, how: u8) {
        if !self.is_up {
            self.server.events.clear();
            return;
        }
        if !self.is_settled {
            self.server.events.pop_front();
            if how.is_multiple_of(4) {
                self.become_settled();
            }
            return;
        }
        match how % 8 {
            // Lost without notice.
            0 => drop(self.server.events.pop_front()),
            // Two change places.
            1 if self.server.events.len() > 1 => self.server.events.swap(0, 1),
            // One comes twice.
            2 => {
                if let Some(event) = self.server.events.front().cloned() {
                    self.hear(&event);
                }
            }
            _ => {
                if let Some(event) = self.server.events.pop_front() {
                    self.hear(&event);
                }
            }
        }
    }

    fn hear(&mut self, event: &Event) {
        if let Some(fact) = self.wire.fact(event, &mut self.memory) {
            self.input(Input::Fact { session: event.session_id(), fact });
        }
    }

    fn become_settled(&mut self) {
        self.is_settled = true;
        self.input(Input::Settled);
    }

    fn cut_or_connect(&mut self) {
        (self.is_up, self.is_settled) = (!self.is_up, false);
        self.server.events.clear();
        self.memory.clear();
        self.input(Input::Stream(self.is_up));
    }

    /// Another run has looked at the directory.
    fn see(&mut self) {
        if let Ok(snapshot) = self.server.look(self.now) {
            self.input(Input::Seen(&snapshot));
        }
    }

    /// One decision of chance.
    fn chance(&mut self, byte: u8, events: bool) {
        let (what, how) = (byte % 8, byte / 8);
        match what {
            0 | 1 => self.server.step(),
            2 | 3 => self.event(how),
            4 | 5 => {
                let fate = match how % 6 {
                    0 => Fate::Lost,
                    1 => Fate::Cut,
                    2 => Fate::Foreign,
                    _ => Fate::Arrives,
                };
                self.fly(usize::from(how) / 6, fate);
            }
            6 if how.is_multiple_of(4) => self.see(),
            6 => {
                self.now += u64::from(how) * 10;
                self.input(Input::Time);
            }
            _ if events => self.cut_or_connect(),
            _ => self.server.step(),
        }
    }

    /// From here on nothing is lost; the run must come to its end.
    fn settle(&mut self) {
        let is_over = self.goes_on(10_000);
        assert!(is_over, "the run did not end: {}", self.machine.why());
    }

    /// Some rounds in which nothing is lost; whether the run is over after them.
    fn goes_on(&mut self, rounds: usize) -> bool {
        if self.is_up && !self.is_settled {
            self.become_settled();
        }
        for _ in 0..rounds {
            if self.outcome.is_some() {
                return true;
            }
            self.server.step();
            while let Some(event) = self.server.events.pop_front().filter(|_| self.is_up) {
                self.hear(&event);
            }
            for _ in 0..self.flights.len() {
                self.fly(0, Fate::Arrives);
            }
            if self.steps.is_multiple_of(8) && self.outcome.is_none() {
                self.see();
            }
            if let Some(at) = self.machine.wake_at() {
                self.now = self.now.max(at.min(self.now + 50));
                self.input(Input::Time);
            } else {
                assert!(!self.flights.is_empty() || self.outcome.is_some(), "it sleeps for ever");
            }
        }
        false
    }
}

#[derive(Clone, Copy)]
enum Fate {
    Arrives,
    /// Never left.
    Lost,
    /// Broke on the way: nobody knows whether it arrived.
    Cut,
    /// Something before the server answered in its place.
    Foreign,
}

/// What was sent goes on beside this, whatever is said to it.
fn is_beside(kind: &RequestKind) -> bool {
    matches!(
        kind,
        RequestKind::Send
            | RequestKind::Verify
            | RequestKind::Messages(_)
            | RequestKind::Reply(_)
            | RequestKind::Abort
    )
}

fn foreign() -> Error {
    Error::new(ErrorKind::NotFound, "no page").with_status(404).with_sent(true)
}

fn check(world: &World) -> std::result::Result<(), TestCaseError> {
    let outcome = world.outcome.as_ref().expect("settled");
    match &outcome.error {
        None => {
            prop_assert_eq!(world.server.prompts_run, 1);
            prop_assert_eq!(&outcome.reply.text, "Here it is.");
            prop_assert_eq!(&outcome.reply.transcript, "I look. \n\nHere it is.");
            prop_assert_eq!(&world.shown, &outcome.reply.transcript);
            prop_assert_eq!(outcome.reply.messages.len(), 4);
            prop_assert_eq!(outcome.reply.tokens.output, 6);
            prop_assert!(!world.server.is_busy, "done while the server still works");
            prop_assert_eq!(world.server.answers, 1);
            let decisions = outcome.reply.decisions.iter();
            let decisions: Vec<_> = decisions.map(|d| (d.reply.as_str(), d.by)).collect();
            prop_assert_eq!(decisions, [("reject", "policy")]);
        }
        Some(error) => {
            // Chance may keep the server out of reach for longer than the run waits.
            let kinds = [ErrorKind::Connection, ErrorKind::Timeout, ErrorKind::NotFound];
            prop_assert!(kinds.contains(&error.kind()), "{}", error);
            prop_assert!(!is_refused(world) || world.server.prompts_run == 0, "{}", error);
        }
    }
    prop_assert!(world.server.prompts_run <= 1, "the prompt ran twice");
    if let Some((_, parts)) = &world.server.user {
        prop_assert_eq!(parts.len(), 1, "the prompt was appended twice");
    }
    Ok(())
}

/// Whether the prompt was refused again and again, before the server heard of it.
fn is_refused(world: &World) -> bool {
    let error = world.outcome.as_ref().and_then(|outcome| outcome.error.as_ref());
    error.is_some_and(|error| error.kind() == ErrorKind::NotFound)
}

/// What a case came to.
struct Played {
    steps: u64,
    is_answered: bool,
}

impl World {
    fn played(&self) -> Played {
        let outcome = self.outcome.as_ref();
        let is_answered = outcome.is_some_and(|outcome| outcome.error.is_none());
        Played { steps: self.steps, is_answered }
    }
}

/// Plays a scene many times, more with PROPTEST_CASES: with 100,000 a test makes millions of steps. Gives how many
/// of a hundred runs were answered.
fn play<S: Strategy>(
    strategy: S,
    scene: impl Fn(S::Value) -> std::result::Result<Played, TestCaseError>,
) -> u64 {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    let cases = cases.unwrap_or(3_000);
    let config = ProptestConfig {
        max_shrink_iters: 20_000,
        source_file: Some(file!()),
        ..ProptestConfig::with_cases(cases)
    };
    let (steps, answered) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let played = runner.run(&strategy, |values| {
        let case = scene(values)?;
        steps.set(steps.get() + case.steps);
        answered.set(answered.get() + u64::from(case.is_answered));
        Ok(())
    });
    if let Err(error) = played {
        panic!("{error}");
    }
    let (made, wanted) = (steps.get(), STEPS * u64::from(cases));
    assert!(made >= wanted, "{made} steps in {cases} runs: too few to have seen much");
    answered.get() * 100 / u64::from(cases)
}

/// A server of either generation.
fn wires() -> impl Strategy<Value = Wire> {
    any::<bool>().prop_map(|is_two| if is_two { Wire::Two } else { Wire::One })
}

#[test]
fn every_order_and_loss_gives_one_answer() {
    let decisions = proptest::collection::vec(any::<u8>(), 0..300);
    let sessions = prop_oneof![Just(None), any::<bool>().prop_map(Some)];
    let all = (wires(), decisions, any::<bool>(), sessions);
    let answered = play(all, |(wire, decisions, events, session)| {
        let mut world = match session {
            None => World::new(wire, events),
            Some(is_known) => World::in_session(wire, events, is_known),
        };
        for byte in decisions {
            if world.outcome.is_some() {
                break;
            }
            world.chance(byte, events);
        }
        let was_alive = world.outcome.is_none();
        world.settle();
        check(&world)?;
        let played = world.played();
        let is_answered = played.is_answered || is_refused(&world);
        prop_assert!(!was_alive || is_answered, "alive, then not answered");
        Ok(played)
    });
    assert!(answered >= ANSWERED, "{answered} of a hundred runs were answered");
}

#[test]
fn a_cancel_at_any_moment_settles() {
    let decisions = || proptest::collection::vec(any::<u8>(), 0..150);
    play((wires(), decisions(), decisions(), any::<bool>()), |(wire, before, after, events)| {
        let mut world = World::new(wire, events);
        for byte in before {
            world.chance(byte, events);
        }
        world.input(Input::Cancel);
        for byte in after {
            if world.outcome.is_some() {
                break;
            }
            world.chance(byte, events);
        }
        world.settle();
        let error = world.outcome.as_ref().and_then(|outcome| outcome.error.clone());
        match error {
            None => check(&world)?,
            Some(error) => {
                let kinds = [
                    ErrorKind::Cancelled,
                    ErrorKind::Connection,
                    ErrorKind::Timeout,
                    ErrorKind::NotFound,
                ];
                prop_assert!(kinds.contains(&error.kind()), "{}", error);
            }
        }
        prop_assert!(world.server.prompts_run <= 1);
        Ok(world.played())
    });
}

#[test]
fn a_quiet_day_is_short() {
    for wire in [Wire::One, Wire::Two] {
        let mut world = World::new(wire, true);
        world.cut_or_connect();
        world.settle();
        check(&world).unwrap();
        assert!(world.outcome.unwrap().error.is_none());
    }
}
