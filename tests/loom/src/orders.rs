//! What the threads of a mailbox do, in every order.

use crate::mailbox::{Content, Face, Mailbox};
use crate::signal::Signal;
use loom::thread;
use std::collections::VecDeque;
use std::sync::Arc;

const PENDING: u8 = 0;
const WAITING: u8 = 1;
const DONE: u8 = 2;

/// Like a run's: a state and items.
struct Items {
    state: u8,
    items: VecDeque<u8>,
}

impl Content for Items {
    fn face(&self) -> Face {
        Face { state: self.state, is_over: self.state == DONE, has_news: !self.items.is_empty() }
    }
}

impl Items {
    fn all(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.items).into()
    }
}

struct Stage {
    mailbox: Mailbox<Items>,
    signal: Arc<Signal>,
}

impl Stage {
    fn new() -> Arc<Self> {
        let signal = Arc::<Signal>::default();
        let items = Items { state: PENDING, items: VecDeque::new() };
        let mailbox = Mailbox::new(items, Some(Arc::clone(&signal)));
        Arc::new(Stage { mailbox, signal })
    }

    fn write(&self, state: u8, items: &[u8]) {
        self.mailbox.write(|content| {
            // Where the others come in between.
            self.signal.count();
            content.state = state;
            content.items.extend(items);
            !items.is_empty()
        });
    }

    /// Three steps of an engine.
    fn play(&self) {
        self.write(WAITING, &[1]);
        self.write(WAITING, &[2]);
        self.write(DONE, &[3, 4]);
    }
}

/// The state that belongs to what was taken so far.
fn state_after(count: usize) -> u8 {
    match count {
        0 => PENDING,
        1..=2 => WAITING,
        _ => DONE,
    }
}

fn explore(play: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(play);
}

/// The host's loop: whoever stops at the last state has everything, in order, and was never told a state that does
/// not belong to what he had.
#[test]
fn a_loop_that_ends_at_the_last_state_has_everything() {
    explore(|| {
        let stage = Stage::new();
        let engine = Arc::clone(&stage);
        let engine = thread::spawn(move || engine.play());
        let mut got = Vec::new();
        loop {
            let (state, items) = stage.mailbox.poll(Items::all);
            got.extend(items.unwrap_or_default());
            assert_eq!(state, state_after(got.len()), "with {got:?}");
            if state == DONE {
                break;
            }
            thread::yield_now();
        }
        assert_eq!(got, [1, 2, 3, 4]);
        engine.join().unwrap();
        assert_eq!(stage.mailbox.poll(Items::all), (DONE, None));
        assert_eq!(stage.signal.count(), 0);
    });
}

#[test]
fn one_at_a_time_the_last_state_comes_with_the_last_item() {
    explore(|| {
        let stage = Stage::new();
        let engine = Arc::clone(&stage);
        let engine = thread::spawn(move || engine.play());
        let mut got = Vec::new();
        loop {
            let (state, item) = stage.mailbox.poll(|content| content.items.pop_front());
            got.extend(item.flatten());
            assert_eq!(state == DONE, got.len() == 4, "{state} with {got:?}");
            if state == DONE {
                break;
            }
            thread::yield_now();
        }
        assert_eq!(got, [1, 2, 3, 4]);
        engine.join().unwrap();
        assert_eq!(stage.signal.count(), 0);
    });
}

/// Somebody who reads holds the lock: a poll tells what was told last, and after the end the end.
#[test]
fn the_last_state_stays_whoever_holds_the_lock() {
    explore(|| {
        let stage = Stage::new();
        let (engine, reader) = (Arc::clone(&stage), Arc::clone(&stage));
        let engine = thread::spawn(move || engine.write(DONE, &[1]));
        let reader = thread::spawn(move || {
            let read = reader.mailbox.read();
            reader.signal.count();
            drop(read);
        });
        let mut got = Vec::new();
        let mut last = PENDING;
        for _ in 0..3 {
            let was_over = stage.mailbox.face().is_over;
            let (state, items) = stage.mailbox.poll(Items::all);
            got.extend(items.unwrap_or_default());
            assert!(state >= last, "{state} after {last}");
            assert!(!was_over || (state == DONE && got == [1]), "it was over: {state} {got:?}");
            last = state;
        }
        engine.join().unwrap();
        reader.join().unwrap();
    });
}

/// Nobody sleeps through what he waits for, and of two who wait one gets it.
#[test]
fn whoever_waits_is_woken() {
    explore(|| {
        let stage = Stage::new();
        let wait = |stage: Arc<Stage>| {
            stage.mailbox.wait(None, |content| match content.items.pop_front() {
                Some(item) => Some(Some(item)),
                None => (content.state == DONE).then_some(None),
            })
        };
        let waiters = [Arc::clone(&stage), Arc::clone(&stage)];
        let waiters = waiters.map(|stage| thread::spawn(move || wait(stage)));
        stage.write(PENDING, &[1]);
        stage.write(DONE, &[]);
        let got = waiters.map(|waiter| waiter.join().unwrap().flatten());
        assert!(got.contains(&Some(1)) && got.contains(&None), "{got:?}");
    });
}

/// A host that watches the signal finds something whenever it is raised, and it is raised whenever there is
/// something that nobody has seen.
#[test]
fn the_signal_is_raised_for_what_nobody_has_seen() {
    explore(|| {
        let stage = Stage::new();
        let engine = Arc::clone(&stage);
        let engine = thread::spawn(move || {
            engine.write(PENDING, &[1]);
            engine.write(DONE, &[2]);
        });
        let mut got = Vec::new();
        while got.len() < 2 {
            if stage.signal.count() > 0 {
                // It notes who is ready, and reads later.
                assert!(stage.mailbox.is_ready());
                got.extend(stage.mailbox.poll(Items::all).1.unwrap_or_default());
            }
            thread::yield_now();
        }
        engine.join().unwrap();
        assert_eq!(got, [1, 2]);
        assert_eq!(stage.signal.count(), 0);
    });
}
