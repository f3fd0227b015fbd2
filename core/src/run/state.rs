//! [`RunState`]: what the engine writes and the host reads, without either waiting for the other.

use super::machine::Outcome;
use super::update::{Queue, Update};
use crate::base::mailbox::{Content, Face, Mailbox, Reading};
use crate::base::pool::Job;
use crate::base::signal::Signal;
use crate::tools::{CallListener, CallsWaiting};
use std::sync::Arc;
use std::time::Duration;

/// Where a run stands, for the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum State {
    /// Being sent, queued or running.
    #[default]
    Pending,
    /// A permission or question is open, and only the host can answer it.
    Waiting,
    /// The reply is there.
    Done,
    /// It ended without one; the error says why.
    Failed,
}

impl State {
    /// `pending`, `waiting`, `done` or `failed`.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Waiting => "waiting",
            State::Done => "done",
            State::Failed => "failed",
        }
    }

    /// Whether nothing will change any more.
    pub fn is_over(self) -> bool {
        matches!(self, State::Done | State::Failed)
    }

    fn from_u8(value: u8) -> Self {
        match value {
            0 => State::Pending,
            1 => State::Waiting,
            2 => State::Done,
            _ => State::Failed,
        }
    }
}

/// Shared between one run's handle and the engine.
pub(crate) struct RunState(Mailbox<Inner>);

#[derive(Default)]
pub(crate) struct Inner {
    queue: Queue,
    state: State,
    /// Nobody holds the handle any more: updates would be kept for nobody.
    is_abandoned: bool,
    /// Which calls of the host's tools wait for whoever polls.
    calls: CallsWaiting,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) text: String,
    pub(crate) why: String,
    pub(crate) session: Option<String>,
    pub(crate) message_id: String,
    pub(crate) is_sent: bool,
    /// What is to be done once the prompt is sent, or the run is over.
    pub(crate) when_sent: Vec<Job>,
}

impl Inner {
    /// Whether whoever waits is to look after calls of tools; `handled`: those that have a handler.
    pub(crate) fn wants_service(&self, handled: bool) -> bool {
        let is_wanted = if handled { self.calls.handled } else { self.calls.any };
        is_wanted && !self.state.is_over()
    }

    /// Takes the oldest update.
    pub(crate) fn pop(&mut self) -> Option<Update> {
        self.queue.pop()
    }
}

impl Content for Inner {
    fn face(&self) -> Face {
        Face {
            state: self.state as u8,
            is_over: self.state.is_over(),
            has_news: !self.queue.is_empty()
                || (self.calls.any || self.calls.kept) && !self.state.is_over(),
        }
    }
}

impl CallListener for RunState {
    fn tell_calls(&self, calls: CallsWaiting) {
        self.0.write(|inner| {
            let is_meant = !inner.is_abandoned && !inner.state.is_over();
            inner.calls = if is_meant { calls } else { CallsWaiting::default() };
            inner.calls.any
        });
    }
}

impl RunState {
    pub(crate) fn new(message_id: String, signal: Arc<Signal>) -> Self {
        // Whoever looks before the engine did reads words too.
        let why = "it has just begun".to_owned();
        let inner = Inner { message_id, why, ..Inner::default() };
        RunState(Mailbox::new(inner, Some(signal)))
    }

    pub(crate) fn state(&self) -> State {
        State::from_u8(self.0.face().state)
    }

    /// Whether the run is over and its last update was taken.
    pub(crate) fn is_drained(&self) -> bool {
        let face = self.0.face();
        face.is_over && !face.has_news
    }

    /// The host's side: everything new, and where the run stands with it.
    pub(crate) fn poll(&self) -> (State, Vec<Update>) {
        let (state, updates) = self.0.poll(|inner| inner.queue.take());
        (State::from_u8(state), updates.unwrap_or_default())
    }

    /// The state when there is nothing new.
    pub(crate) fn idle(&self) -> Option<State> {
        self.0.idle().map(State::from_u8)
    }

    /// The oldest update, for hosts that take one at a time.
    pub(crate) fn poll_one(&self) -> (State, Option<Update>) {
        let (state, update) = self.0.poll(Inner::pop);
        (State::from_u8(state), update.flatten())
    }

    /// Whether nothing changes any more and nobody is at work on it: in a copy of the process it can be read then.
    pub(crate) fn is_left(&self) -> bool {
        self.0.face().is_over && self.0.is_free()
    }

    /// Whether a poll would give something; the signal forgets it until more comes.
    pub(crate) fn is_ready(&self) -> bool {
        self.0.is_ready()
    }

    /// What the client's signal calls it.
    pub(crate) fn mark(&self) -> u64 {
        self.0.mark()
    }

    /// What there is to know, for the host. Blocks for as long as the engine needs to note an update.
    pub(crate) fn read(&self) -> Reading<'_, Inner> {
        self.0.read()
    }

    /// Blocks until `look` finds something, at most for `timeout`.
    pub(crate) fn wait_ready(&self, timeout: Option<Duration>) -> bool {
        self.0.wait_ready(timeout)
    }

    pub(crate) fn wait<T>(
        &self,
        timeout: Option<Duration>,
        look: impl FnMut(&mut Inner) -> Option<T>,
    ) -> Option<T> {
        self.0.wait(timeout, look)
    }

    /// Keeps a job until the prompt is sent or the run is over; gives it back when that is so already.
    pub(crate) fn when_sent(&self, job: Job) -> Option<Job> {
        self.0.edit(|inner| {
            if inner.is_sent || inner.outcome.is_some() {
                return Some(job);
            }
            inner.when_sent.push(job);
            None
        })
    }

    pub(crate) fn abandon(&self) {
        let left = self.0.edit(|inner| {
            inner.is_abandoned = true;
            inner.calls = CallsWaiting::default();
            inner.queue.take()
        });
        drop(left);
    }

    /// The engine's side: notes what a step brought.
    pub(crate) fn write(&self, change: impl FnOnce(&mut Inner) -> (State, Vec<Update>)) {
        self.0.write(|inner| {
            let (state, updates) = change(inner);
            inner.state = state;
            let has_news = !updates.is_empty() && !inner.is_abandoned;
            updates.into_iter().filter(|_| has_news).for_each(|update| inner.queue.push(update));
            has_news
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn status(why: &str) -> Update {
        Update::Status { why: why.to_owned() }
    }

    #[test]
    fn updates_come_once_and_the_state_stays() {
        let state = RunState::new("msg_1".to_owned(), Arc::default());
        assert_eq!(state.poll().1.len(), 0);
        state.write(|_| (State::Waiting, vec![status("a")]));
        let (now, updates) = state.poll();
        assert_eq!((now, updates.len()), (State::Waiting, 1));
        assert_eq!(state.poll().1.len(), 0);
        assert_eq!(state.state(), State::Waiting);
    }

    fn text(part: &str) -> Update {
        Update::Text(super::super::update::TextUpdate {
            delta: "x".to_owned(),
            replaces: false,
            message_id: "m".to_owned(),
            part_id: part.to_owned(),
        })
    }

    #[test]
    fn one_at_a_time_gives_them_all() {
        let state = RunState::new("msg_1".to_owned(), Arc::default());
        state.write(|_| (State::Pending, vec![text("a"), text("b"), status("c")]));
        let mut count = 0;
        while state.poll_one().1.is_some() {
            count += 1;
        }
        assert_eq!(count, 3);
    }

    #[test]
    fn nothing_is_kept_for_nobody() {
        let state = RunState::new("msg_1".to_owned(), Arc::default());
        state.abandon();
        state.write(|_| (State::Pending, vec![status("a")]));
        assert!(state.poll().1.is_empty());
    }

    /// A host's loop against an engine that ends the run at any moment of it.
    #[test]
    fn the_loop_of_the_readme_gets_everything_ten_thousand_times() {
        let (start, started) = mpsc::channel::<(u32, Arc<RunState>)>();
        let engine = std::thread::spawn(move || {
            for (i, run) in started {
                (0..i % 61 * 7).for_each(|_| std::hint::spin_loop());
                run.write(|_| (State::Waiting, vec![status("a")]));
                run.write(|_| (State::Done, vec![text("b"), text("c")]));
            }
        });
        for i in 0..10_000 {
            let run = Arc::new(RunState::new("msg_1".to_owned(), Arc::default()));
            start.send((i, Arc::clone(&run))).unwrap();
            let mut got = Vec::new();
            loop {
                let (state, updates) = match i % 2 {
                    0 => run.poll(),
                    _ => {
                        let (state, update) = run.poll_one();
                        (state, update.into_iter().collect())
                    }
                };
                got.extend(updates.iter().map(Update::kind));
                if state.is_over() {
                    break;
                }
            }
            assert_eq!(got, ["status", "text", "text"], "loop {i}");
            let (state, rest) = run.poll();
            assert_eq!((state, rest.len()), (State::Done, 0), "loop {i}");
        }
        drop(start);
        engine.join().unwrap();
    }
}
