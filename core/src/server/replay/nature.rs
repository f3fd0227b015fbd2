//! [`Nature`]: which generation of servers was recorded, and what such a server says of what it does not know: clients find out
//! by that what it is, and not every client asks the same to do so.

use super::paths::path_of;
use super::tape::{Body, Tape, TapeExchange};
use super::wire::RecordedAnswer;
use serde_json::{Value, json};

/// What a recording is of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Nature {
    #[default]
    One,
    Two,
}

impl Nature {
    /// By what the server said of itself, or else by what was asked of it with success.
    pub(super) fn of(tape: &Tape) -> Nature {
        let is = |is_two: bool| if is_two { Nature::Two } else { Nature::One };
        let says = |path: &str, field: &str| {
            let asked = tape.reads.get(&format!("GET {path}")).into_iter().flatten();
            let is_said =
                |body: &Body| matches!(body, Body::Json(body) if body.get(field).is_some());
            asked.map(|exchange| &exchange.body).any(is_said)
        };
        // 1.x may know /api/info one day, but no process in it.
        for (is_two, path, field) in
            [(true, "/api/info", "pid"), (false, "/global/health", "version")]
        {
            if says(path, field) {
                return is(is_two);
            }
        }
        if let Some(path) = tape.streams.keys().next() {
            return is(path.starts_with("/api/"));
        }
        let is_good = |exchange: &&TapeExchange| {
            (200..300).contains(&exchange.status) && matches!(exchange.body, Body::Json(_))
        };
        let mut good =
            tape.reads.values().flatten().chain(&tape.changes).filter(is_good).peekable();
        // What both have is below /api.
        is(good.peek().is_some() && good.all(|e| path_of(&e.target).starts_with("/api/")))
    }

    /// Whether such a server tells what happens at this path.
    pub(super) fn has_stream(self, path: &str) -> bool {
        match self {
            Nature::One => matches!(path, "/event" | "/global/event"),
            Nature::Two => path == "/api/event",
        }
    }

    /// What such a server says to a request of the other generation, or to one that asks what it is.
    pub(super) fn answer(self, method: &str, path: &str) -> Option<RecordedAnswer> {
        let of = |status, kind: &str, body: String| {
            let headers = vec![("content-type".to_owned(), kind.to_owned())];
            Some(RecordedAnswer { status, headers, body: body.into_bytes() })
        };
        let json = |body: Value| of(200, "application/json", body.to_string());
        match (self, method, path) {
            (Nature::One, "GET", "/global/health") => {
                json(json!({ "healthy": true, "version": "1" }))
            }
            (Nature::Two, "GET", "/api/info") => {
                json(json!({ "version": "2", "pid": 0, "urls": [], "paths": {} }))
            }
            (Nature::Two, "GET", _) if !path.starts_with("/api/") => {
                of(200, "text/html", "<!doctype html><title>replay</title>".to_owned())
            }
            (Nature::Two, ..) if !path.starts_with("/api/") => {
                Some(RecordedAnswer { status: 405, headers: Vec::new(), body: Vec::new() })
            }
            _ => None,
        }
    }
}
