//! [`Player`]: how far a tape has been played.
//!
//! Whoever plays the same script again asks the same, but not at the same moments: it is faster or slower than the first
//! time, and so is whoever answers by hand. So nothing is played by the clock. A change is answered with what came of it;
//! what was told after a change, is told when it was asked for; and a question is answered as things stand by then.

use super::ids::Ids;
use super::lists;
use super::nature::Nature;
use super::paths::{path_of, template};
use super::standing::TapeStanding;
use super::tape::{Body, Tape, TapeEvent, TapeExchange};
use super::wire::{RecordedAnswer, ReplayRequest};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long events wait for all clients that listened when they were recorded.
const GATHER: Duration = Duration::from_secs(1);
/// How long an answer is held back for the events that came before it.
const HOLD: Duration = Duration::from_secs(3);

/// A tape and how far it has been played.
pub(super) struct Player {
    tape: Tape,
    nature: Nature,
    state: Mutex<PlayerState>,
    changed: Condvar,
}

#[derive(Default)]
struct PlayerState {
    /// Which of the changes were asked for.
    asked: Vec<bool>,
    /// By target: the question that was answered last.
    given: HashMap<String, usize>,
    /// By path.
    streams: HashMap<String, Playback>,
    ids: Ids,
    is_over: bool,
}

/// How far a stream has been played.
struct Playback {
    /// Which events were told.
    told: Vec<bool>,
    /// Those, in the order in which they were told.
    order: Vec<usize>,
    /// How many were told from the first one on without a gap.
    whole: usize,
    open: usize,
    opened: usize,
    /// When the first one listened.
    since: Instant,
    /// When the last event was told.
    last: Instant,
}

/// One who listens, until it is given to [`Player::leave`].
pub(super) struct ReplayListener {
    path: String,
    next: usize,
}

impl Player {
    pub(super) fn new(tape: Tape) -> Self {
        let nature = Nature::of(&tape);
        let asked = vec![false; tape.changes.len()];
        let state = Mutex::new(PlayerState { asked, ..PlayerState::default() });
        Player { tape, nature, state, changed: Condvar::new() }
    }

    /// The listener that a request wants to be: one of a stream that was recorded.
    pub(super) fn listen(&self, request: &ReplayRequest) -> Option<ReplayListener> {
        let path = path_of(&request.target);
        if request.method != "GET" {
            return None;
        }
        let count = match self.tape.streams.get(path) {
            Some(stream) => stream.events.len(),
            // Nobody listened, and now somebody does.
            None if self.tape.streams.is_empty() && self.nature.has_stream(path) => 0,
            None => return None,
        };
        let now = Instant::now();
        let mut state = self.state();
        let playback = state.streams.entry(path.to_owned()).or_insert_with(|| Playback {
            told: vec![false; count],
            order: Vec::new(),
            whole: 0,
            open: 0,
            opened: 0,
            since: now,
            last: now,
        });
        playback.open += 1;
        playback.opened += 1;
        let next = playback.order.len();
        self.changed.notify_all();
        Some(ReplayListener { path: path.to_owned(), next })
    }

    pub(super) fn leave(&self, listener: &ReplayListener) {
        if let Some(playback) = self.state().streams.get_mut(&listener.path) {
            playback.open = playback.open.saturating_sub(1);
        }
        self.changed.notify_all();
    }

    /// The next event for one who listens; waits at most for `time`.
    pub(super) fn next_event(
        &self,
        listener: &mut ReplayListener,
        time: Duration,
    ) -> Option<String> {
        let events = self.tape.streams.get(&listener.path).map_or(&[][..], |s| &s.events);
        let until = Instant::now() + time;
        let mut state = self.state();
        loop {
            let now = Instant::now();
            let playback = state.streams.get(&listener.path)?;
            if let Some(&at) = playback.order.get(listener.next) {
                listener.next += 1;
                return events.get(at).map(|event| state.ids.renamed(&event.data));
            }
            let mut wait = until.saturating_duration_since(now);
            if let Some(at) = self.due(&state, events, playback) {
                let due = playback.last + events.get(at)?.pause;
                let left = due.saturating_duration_since(now);
                if left.is_zero() {
                    let playback = state.streams.get_mut(&listener.path)?;
                    playback.tell(at, now);
                    self.changed.notify_all();
                    continue;
                }
                wait = wait.min(left);
            }
            if until <= now || state.is_over {
                return None;
            }
            // Who still has to come may never come.
            let wait = wait.min(Duration::from_millis(100));
            let waited = self.changed.wait_timeout(state, wait);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The first event that may be told by now.
    fn due(&self, state: &PlayerState, events: &[TapeEvent], playback: &Playback) -> Option<usize> {
        let is_gathered = playback.since.elapsed() >= GATHER;
        // Of each group, the events come in their order.
        let mut blocked: Vec<Option<&str>> = Vec::new();
        for (at, event) in events.iter().enumerate().skip(playback.whole) {
            if playback.told[at] {
                continue;
            }
            let group = event.group.as_deref();
            if blocked.contains(&group) {
                continue;
            }
            let limit = self.first_to_come(state, group);
            let is_due = limit.is_none_or(|limit| event.line < limit)
                && (is_gathered || playback.opened >= event.listeners);
            if is_due {
                return Some(at);
            }
            // What is about no session is about all of them.
            group?;
            blocked.push(group);
        }
        None
    }

    /// Where the first change stands that is still to come. One that was left out is not waited for: a later one was asked.
    fn first_to_come(&self, state: &PlayerState, group: Option<&str>) -> Option<usize> {
        let mut first = None;
        for (change, asked) in self.tape.changes.iter().zip(&state.asked).rev() {
            if group.is_none_or(|group| change.groups.iter().any(|own| own == group)) {
                if *asked {
                    break;
                }
                first = Some(change.line);
            }
        }
        first
    }

    pub(super) fn answer(&self, request: &ReplayRequest) -> RecordedAnswer {
        let path = path_of(&request.target);
        let template = template(&request.method, path);
        let found = match request.method.as_str() {
            "GET" => self.read(&template, &request.target),
            _ => self.change(&template, request),
        };
        found.or_else(|| self.nature.answer(&request.method, path)).unwrap_or_else(|| {
            refusal(&format!("nothing is recorded for {template}, or no more of it"))
        })
    }

    /// What came of a change: of the one that is most like it, and of the first of those.
    fn change(&self, template: &str, request: &ReplayRequest) -> Option<RecordedAnswer> {
        let body = serde_json::from_slice::<Value>(&request.body).ok();
        let mut state = self.state();
        let target = state.ids.recorded(&request.target);
        let path = path_of(&target);
        let likeness = |change: &TapeExchange| match (&change.request, &body) {
            (Some(old), Some(new)) => like(old, new),
            _ => 0,
        };
        let same = self.tape.changes.iter().zip(&state.asked).enumerate();
        let same = same.filter(|(_, (change, _))| change.template == *template);
        // Where a session is known, what was asked of another one stays for that.
        let is_known = same.clone().any(|(_, (change, _))| path_of(&change.target) == path);
        let mut own =
            same.filter(|(_, (change, _))| !is_known || path_of(&change.target) == path).rev();
        let open = own.clone().filter(|(_, (_, asked))| !**asked);
        // Of those that are equally like it, the last one is found.
        let Some((at, (change, _))) = open.max_by_key(|(_, (change, _))| likeness(change)) else {
            // An abort may be asked for more often than it was: nothing more comes of it.
            let (_, (change, _)) = own.next()?;
            let is_bare = change.request.as_ref().is_none_or(Value::is_null);
            return is_bare.then(|| state.answer(change, None));
        };
        if let (Some(old), Some(new)) = (&change.request, &body) {
            state.ids.learn(old, new);
        }
        if let Some(asked) = state.asked.get_mut(at) {
            *asked = true;
        }
        let answer = state.answer(change, None);
        drop(state);
        self.changed.notify_all();
        Some(answer)
    }

    /// The answer to a question, as things stand.
    fn read(&self, template: &str, target: &str) -> Option<RecordedAnswer> {
        let all = self.tape.reads.get(template)?;
        let began = Instant::now();
        let mut state = self.state();
        loop {
            let recorded = state.ids.recorded(target);
            let group = self.group_asked(all, &recorded);
            let standing = self.standing(&state, group);
            let these = standing.asked_so(all, &recorded);
            let (at, is_exact) = standing.choose(&these, all, state.given.get(&recorded).copied());
            let is_followed = lists::is_followed(&all[at].target);
            let may_wait = !state.is_over && began.elapsed() < HOLD;
            if !is_exact && !is_followed && may_wait {
                // Somebody asked for it a few events later.
                let waited = self.changed.wait_timeout(state, Duration::from_millis(100));
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            state.given.insert(recorded, at);
            let followed = is_followed.then(|| self.events_since(&state, all[at].line));
            return Some(state.answer(&all[at], followed));
        }
    }

    /// The group that a question is about, if it is about one.
    fn group_asked<'a>(&'a self, all: &'a [TapeExchange], target: &str) -> Option<&'a str> {
        let path = path_of(target);
        let same = all.iter().find(|asked| path_of(&asked.target) == path).or(all.first());
        same.and_then(|asked| asked.groups.first()).map(String::as_str)
    }

    fn standing(&self, state: &PlayerState, group: Option<&str>) -> TapeStanding {
        let is_in = |other: &TapeExchange| {
            group.is_none_or(|group| other.groups.iter().any(|own| own == group))
        };
        let asked = self.tape.changes.iter().zip(&state.asked);
        let asked = asked.filter(|(change, asked)| **asked && is_in(change)).map(|(c, _)| c.line);
        let (mut now, mut coming) = (asked.max(), None);
        let limit = self.first_to_come(state, group);
        for (path, playback) in state.streams.iter().filter(|(_, playback)| playback.open > 0) {
            let events = self.tape.streams.get(path).map_or(&[][..], |s| &s.events);
            let events = events.iter().zip(&playback.told);
            for (event, told) in
                events.filter(|(event, _)| group.is_none() || event.group.as_deref() == group)
            {
                if *told {
                    now = now.max(Some(event.line));
                } else if limit.is_none_or(|limit| event.line < limit) {
                    coming = Some(coming.map_or(event.line, |c: usize| c.min(event.line)));
                }
            }
        }
        TapeStanding { now, limit, coming }
    }

    /// The events that were told by now and that came after a line.
    fn events_since(&self, state: &PlayerState, line: usize) -> Vec<&str> {
        let mut found: Vec<&TapeEvent> = Vec::new();
        for (path, playback) in &state.streams {
            let events = self.tape.streams.get(path).map_or(&[][..], |s| &s.events);
            let told = events.iter().zip(&playback.told).filter(|(_, told)| **told);
            found.extend(told.map(|(event, _)| event).filter(|event| event.line > line));
        }
        found.sort_by_key(|event| event.line);
        found.into_iter().map(|event| &*event.data).collect()
    }

    /// Nobody waits any more.
    pub(super) fn end(&self) {
        self.state().is_over = true;
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, PlayerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PlayerState {
    fn answer(&self, exchange: &TapeExchange, followed: Option<Vec<&str>>) -> RecordedAnswer {
        let body = match (&exchange.body, followed) {
            (Body::Json(value), Some(events)) => {
                let mut value = value.clone();
                for event in events {
                    lists::follow(&exchange.target, &mut value, event);
                }
                value.to_string()
            }
            (Body::Json(value), None) => value.to_string(),
            (Body::Text(text), _) => text.clone(),
            (Body::LeftOut(length), _) => {
                return refusal(&format!(
                    "the answer of {length} bytes to {} was not recorded",
                    exchange.template
                ));
            }
        };
        let body = self.ids.renamed(&body).into_bytes();
        RecordedAnswer { status: exchange.status, headers: exchange.headers.clone(), body }
    }
}

impl Playback {
    fn tell(&mut self, at: usize, now: Instant) {
        self.told[at] = true;
        self.order.push(at);
        self.last = now;
        while self.told.get(self.whole) == Some(&true) {
            self.whole += 1;
        }
    }
}

fn refusal(why: &str) -> RecordedAnswer {
    let message = format!("replay: {why}");
    let body = json!({
        "name": "NotRecordedError", "data": { "message": message },
        "_tag": "NotRecordedError", "message": message,
    });
    RecordedAnswer {
        status: 404,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: body.to_string().into_bytes(),
    }
}

/// An event that the server makes itself, in the envelope of its stream.
pub(super) fn plain_event(path: &str, kind: &str) -> String {
    let event = json!({ "id": "", "type": kind, "properties": {} });
    if path.starts_with("/global/") { json!({ "payload": event }) } else { event }.to_string()
}

/// In how many values two bodies agree.
fn like(old: &Value, new: &Value) -> usize {
    match (old, new) {
        (Value::Array(old), Value::Array(new)) => {
            old.iter().zip(new).map(|(old, new)| like(old, new)).sum()
        }
        (Value::Object(old), Value::Object(new)) => {
            old.iter().filter_map(|(name, old)| Some(like(old, new.get(name)?))).sum()
        }
        (old, new) => usize::from(old == new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn player(lines: &[Value]) -> Player {
        let lines = lines.iter().map(|line| (1, serde_json::from_value(line.clone()).unwrap()));
        Player::new(Tape::of(lines.collect()))
    }

    fn request(n: u64, method: &str, target: &str, body: Value) -> Value {
        json!({ "type": "request", "n": n, "method": method, "target": target, "body": { "json": body } })
    }

    fn answer(n: u64, body: Value) -> Value {
        json!({ "type": "answer", "n": n, "status": 200, "headers": {}, "body": { "json": body } })
    }

    fn event(target: &str, body: Value) -> Value {
        json!({ "type": "event", "target": target, "body": { "json": body } })
    }

    fn made(method: &str, target: &str, body: &Value) -> ReplayRequest {
        let (method, target) = (method.to_owned(), target.to_owned());
        ReplayRequest { method, target, body: body.to_string().into_bytes() }
    }

    fn ask(player: &Player, method: &str, target: &str, body: Value) -> String {
        String::from_utf8(player.answer(&made(method, target, &body)).body).unwrap()
    }

    fn listen(player: &Player, target: &str) -> Option<ReplayListener> {
        player.listen(&made("GET", target, &Value::Null))
    }

    const AT_ONCE: Duration = Duration::ZERO;
    const SOON: Duration = Duration::from_secs(10);

    #[test]
    fn answers_follow_the_changes_and_the_last_one_stays() {
        let player = player(&[
            request(0, "GET", "/status?a=b", Value::Null),
            answer(0, json!("idle")),
            request(1, "POST", "/session/ses_1/prompt", json!({ "messageID": "msg_old" })),
            answer(1, json!("sent msg_old")),
            request(2, "GET", "/status", Value::Null),
            answer(2, json!("busy")),
            event("/global/event?x", json!({ "type": "m", "properties": { "m": "msg_old" } })),
            request(3, "GET", "/status", Value::Null),
            answer(3, json!("done msg_old")),
            request(4, "POST", "/never", Value::Null),
        ]);
        assert_eq!(ask(&player, "GET", "/status", Value::Null), "\"idle\"");
        assert_eq!(ask(&player, "GET", "/status", Value::Null), "\"idle\"");
        let mut listener = listen(&player, "/global/event").unwrap();
        assert_eq!(player.next_event(&mut listener, AT_ONCE), None);
        let body = json!({ "messageID": "msg_new" });
        assert_eq!(ask(&player, "POST", "/session/ses_2/prompt", body), "\"sent msg_new\"");
        assert_eq!(ask(&player, "GET", "/status", Value::Null), "\"busy\"");
        assert!(player.next_event(&mut listener, SOON).unwrap().contains("msg_new"));
        assert_eq!(ask(&player, "GET", "/status", Value::Null), "\"done msg_new\"");
        assert_eq!(ask(&player, "GET", "/status", Value::Null), "\"done msg_new\"");
        let more = ask(&player, "POST", "/session/ses_2/prompt", Value::Null);
        assert!(more.contains("no more of it"), "{more}");
        assert!(ask(&player, "POST", "/never", Value::Null).contains("nothing is recorded"));
    }

    #[test]
    fn a_change_is_answered_by_the_one_that_is_most_like_it() {
        let player = player(&[
            request(0, "POST", "/session/ses_1/prompt", json!({ "text": "one" })),
            answer(0, json!("first")),
            request(1, "POST", "/session/ses_2/prompt", json!({ "text": "two" })),
            answer(1, json!("second")),
            request(2, "POST", "/session/ses_2/prompt", json!({ "text": "three" })),
            answer(2, json!("third")),
        ]);
        let send = |session: &str, text: &str| {
            ask(&player, "POST", &format!("/session/{session}/prompt"), json!({ "text": text }))
        };
        assert_eq!(send("ses_2", "three"), "\"third\"");
        assert_eq!(send("ses_2", "any"), "\"second\"");
        assert_eq!(send("ses_9", "any"), "\"first\"");
    }

    #[test]
    fn what_was_told_after_a_change_that_nobody_waited_for_waits_for_it() {
        let reply = |n: u64, session: &str| {
            let target = format!("/api/session/{session}/permission/per_1/reply");
            request(n, "POST", &target, json!({ "reply": "once" }))
        };
        let told = |session: &str| {
            let data = json!({ "sessionID": session });
            event("/api/event", json!({ "id": session, "type": "replied", "data": data }))
        };
        let player = player(&[
            reply(0, "ses_1"),
            told("ses_1"),
            // The answer was lost, and it was given again: it is given once now.
            reply(1, "ses_2"),
            reply(2, "ses_2"),
            answer(2, Value::Null),
            told("ses_2"),
        ]);
        let mut listener = listen(&player, "/api/event").unwrap();
        for session in ["ses_1", "ses_2"] {
            assert_eq!(player.next_event(&mut listener, AT_ONCE), None);
            let target = format!("/api/session/{session}/permission/per_1/reply");
            let asked = made("POST", &target, &json!({ "reply": "once" }));
            assert!((200..300).contains(&player.answer(&asked).status));
            assert!(player.next_event(&mut listener, SOON).unwrap().contains(session));
        }
    }

    #[test]
    fn an_abort_that_is_repeated_takes_none_from_another_session() {
        let abort = |n: u64, session: &str| {
            request(n, "POST", &format!("/session/{session}/abort"), Value::Null)
        };
        let player = player(&[
            abort(0, "ses_1"),
            answer(0, json!("first")),
            abort(1, "ses_2"),
            answer(1, json!("second")),
            event(
                "/global/event",
                json!({ "id": "evt_1", "type": "x", "properties": { "sessionID": "ses_2" } }),
            ),
        ]);
        let mut listener = listen(&player, "/global/event").unwrap();
        let ask =
            |session: &str| ask(&player, "POST", &format!("/session/{session}/abort"), Value::Null);
        assert_eq!([ask("ses_1"), ask("ses_1")], ["\"first\"", "\"first\""]);
        assert_eq!(player.next_event(&mut listener, AT_ONCE), None);
        assert_eq!(ask("ses_2"), "\"second\"");
        assert!(player.next_event(&mut listener, SOON).is_some());
    }

    #[test]
    fn what_is_told_waits_for_its_own_session_alone_and_reaches_all_who_listen() {
        let of = |session: &str| {
            event(
                "/api/event",
                json!({ "id": session, "type": "x", "data": { "sessionID": session } }),
            )
        };
        let send = |n: u64, session: &str| {
            request(n, "POST", &format!("/api/session/{session}/prompt"), json!({}))
        };
        let player = player(&[
            send(0, "ses_1"),
            answer(0, json!({})),
            of("ses_1"),
            send(1, "ses_2"),
            answer(1, json!({})),
            of("ses_2"),
        ]);
        let mut both = [(); 2].map(|()| listen(&player, "/api/event").unwrap());
        ask(&player, "POST", "/api/session/ses_2/prompt", json!({}));
        for listener in &mut both {
            assert!(player.next_event(listener, SOON).unwrap().contains("ses_2"));
            assert_eq!(player.next_event(listener, AT_ONCE), None);
        }
        ask(&player, "POST", "/api/session/ses_1/prompt", json!({}));
        for listener in &mut both {
            assert!(player.next_event(listener, SOON).unwrap().contains("ses_1"));
        }
    }

    #[test]
    fn two_clients_that_heard_the_same_have_heard_one_event() {
        let heard = |from: &str| {
            let body = json!({ "id": "evt_1", "type": "x", "data": {} });
            json!({ "type": "event", "from": from, "target": "/api/event", "body": { "json": body } })
        };
        let player = player(&[heard("a"), heard("b"), heard("b")]);
        let mut first = listen(&player, "/api/event").unwrap();
        let mut second = listen(&player, "/api/event").unwrap();
        for listener in [&mut first, &mut second] {
            // One of them heard it twice.
            assert!(player.next_event(listener, SOON).is_some());
            assert!(player.next_event(listener, SOON).is_some());
            assert_eq!(player.next_event(listener, AT_ONCE), None);
        }
    }

    #[test]
    fn who_looks_when_nobody_looked_is_told_how_things_stand() {
        let list = |n: u64| request(n, "GET", "/api/permission/request", Value::Null);
        let none = json!({ "data": [] });
        let asked = json!({ "id": "evt_1", "type": "permission.asked", "data": {
            "id": "per_1", "sessionID": "ses_1" } });
        let replied = json!({ "id": "evt_2", "type": "permission.replied", "data": {
            "requestID": "per_1", "sessionID": "ses_1" } });
        let reply = "/api/session/ses_1/permission/per_1/reply";
        let player = player(&[
            list(0),
            answer(0, none.clone()),
            event("/api/event", asked),
            request(1, "POST", reply, json!({})),
            answer(1, json!({})),
            event("/api/event", replied),
            list(2),
            answer(2, none.clone()),
        ]);
        let look = || ask(&player, "GET", "/api/permission/request", Value::Null);
        let mut listener = listen(&player, "/api/event").unwrap();
        assert_eq!(look(), none.to_string());
        assert!(player.next_event(&mut listener, SOON).is_some());
        assert!(look().contains("per_1"), "{}", look());
        ask(&player, "POST", reply, json!({}));
        assert!(player.next_event(&mut listener, SOON).is_some());
        assert_eq!(look(), none.to_string());
    }

    #[test]
    fn what_was_recorded_of_2_x_is_no_server_of_1_x() {
        let player = player(&[
            request(0, "GET", "/api/info", Value::Null),
            answer(0, json!({ "version": "2.0.15", "pid": 1 })),
            event("/api/event", json!({ "id": "evt_1", "type": "x", "data": {} })),
        ]);
        assert!(listen(&player, "/global/event").is_none());
        let page = player.answer(&made("GET", "/global/event", &Value::Null));
        assert_eq!((page.status, page.headers[0].1.as_str()), (200, "text/html"));
        assert_eq!(player.answer(&made("POST", "/session", &json!({}))).status, 405);
        assert!(listen(&player, "/api/event").is_some());
    }

    #[test]
    fn an_end_waits_for_nobody() {
        let player = Arc::new(player(&[
            event(
                "/api/event",
                json!({ "id": "evt_1", "type": "x", "data": { "sessionID": "ses_1" } }),
            ),
            request(0, "GET", "/api/session/ses_1", Value::Null),
            answer(0, json!({})),
        ]));
        // Nobody takes the event, so its time never comes.
        let _listener = listen(&player, "/api/event").unwrap();
        let asking = Arc::clone(&player);
        let began = Instant::now();
        std::thread::scope(|scope| {
            let asked = scope.spawn(move || ask(&asking, "GET", "/api/session/ses_1", Value::Null));
            player.end();
            assert_eq!(asked.join().unwrap(), "{}");
        });
        assert!(began.elapsed() < HOLD);
    }
}
