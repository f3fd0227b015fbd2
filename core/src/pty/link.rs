//! [`Link`]: keeps a terminal connected: one thread reads, shared threads write.

use super::options::PtyOptions;
use super::state::{Screen, TerminalEnd, TerminalInput, utf16_len};
use crate::base::cancel::CancelToken;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::limits::Limits;
use crate::base::log::Level;
use crate::call::caller::Caller;
use crate::call::options::CallOptions;
use crate::http::transport::{Incoming, WebSocket};
use crate::protocol::operation::Pace;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A connection that is silent for so long is asked for a sign of life, and given up after the same time.
const QUIET: Duration = Duration::from_secs(20);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// UTF-16 units of one message of a replay: the server cuts there, also through a character.
const REPLAY_PIECE: i64 = 1 << 16;
/// Bytes of input in one message.
const INPUT_PIECE: usize = 16 << 10;

/// The server's two kinds of terminals. Only the newer one keeps the exit code of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TerminalKind {
    New,
    Old,
}

impl TerminalKind {
    fn connect(self) -> &'static str {
        if self == TerminalKind::New { "v2.pty.connect" } else { "pty.connect" }
    }

    fn connect_token(self) -> &'static str {
        if self == TerminalKind::New { "v2.pty.connect_token" } else { "pty.connect_token" }
    }

    fn get(self) -> &'static str {
        if self == TerminalKind::New { "v2.pty.get" } else { "pty.get" }
    }

    fn update(self) -> &'static str {
        if self == TerminalKind::New { "v2.pty.update" } else { "pty.update" }
    }

    pub(super) fn remove(self) -> &'static str {
        if self == TerminalKind::New { "v2.pty.remove" } else { "pty.remove" }
    }

    pub(super) fn create(self) -> &'static str {
        if self == TerminalKind::New { "v2.pty.create" } else { "pty.create" }
    }
}

/// What the server tells of a terminal; the newer dialect has it in `data`.
#[derive(Deserialize)]
pub(super) struct TerminalInfo {
    #[serde(default)]
    pub(super) id: String,
    #[serde(default)]
    status: String,
    #[serde(rename = "exitCode", default)]
    exit_code: Option<i64>,
    #[serde(default)]
    data: Option<Box<TerminalInfo>>,
}

impl TerminalInfo {
    pub(super) fn unwrapped(self) -> TerminalInfo {
        match self.data {
            Some(data) => *data,
            None => self,
        }
    }
}

/// One terminal and the way to it.
pub(super) struct Link {
    pub(super) caller: Arc<Caller>,
    pub(super) id: String,
    pub(super) options: PtyOptions,
    pub(super) screen: Screen,
    /// Ends the reading thread, whatever it does.
    pub(super) token: CancelToken,
    /// Ends requests of the writing threads: a token knows one socket at a time.
    pub(super) writer: CancelToken,
    /// Known once the terminal was found.
    dialect: Mutex<Option<TerminalKind>>,
    websocket: Mutex<Option<Arc<WebSocket>>>,
    /// Whether the position in the output is certain.
    is_placed: AtomicBool,
    /// Called when input waits that nobody is busy with.
    pub(super) wake_writer: Box<dyn Fn() + Send + Sync>,
}

impl Link {
    pub(super) fn new(
        caller: Arc<Caller>,
        id: String,
        dialect: Option<TerminalKind>,
        options: PtyOptions,
        screen: Screen,
        wake_writer: Box<dyn Fn() + Send + Sync>,
    ) -> Self {
        Link {
            caller,
            id,
            options,
            screen,
            token: CancelToken::default(),
            writer: CancelToken::default(),
            is_placed: AtomicBool::new(dialect.is_some()),
            dialect: Mutex::new(dialect),
            websocket: Mutex::default(),
            wake_writer,
        }
    }

    pub(super) fn dialect(&self) -> TerminalKind {
        self.dialect.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or(TerminalKind::New)
    }

    /// Stays connected until the terminal ends or is closed. What the reading thread does.
    pub(super) fn run(&self) {
        let mut pause = FIRST_PAUSE;
        let mut down_since: Option<Instant> = None;
        loop {
            let mut was_up = false;
            let result = self.look().and_then(|end| match end {
                Some(end) => Ok(Some(end)),
                None => self.attend(&mut was_up).map(|()| None),
            });
            self.publish(None);
            if self.token.is_cancelled() {
                return self.screen.finish(TerminalEnd::Closed);
            }
            if was_up {
                (pause, down_since) = (FIRST_PAUSE, None);
            }
            let error = match result {
                Ok(Some(end)) => return self.screen.finish(end),
                // The server closed the connection in good order: the next look tells why.
                Ok(None) => None,
                Err(error) if !is_passing(&error) => {
                    return self.screen.finish(TerminalEnd::Failed(error));
                }
                Err(error) => Some(error),
            };
            if let Some(error) = error {
                self.caller.options().log.write(Level::Warn, || format!("{}: {error}", self.id));
                let since = *down_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= self.options.server_timeout {
                    return self.screen.finish(TerminalEnd::Failed(error));
                }
            }
            if !self.token.sleep(pause) {
                return self.screen.finish(TerminalEnd::Closed);
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Asks the server how the terminal is; the end, when it has come.
    fn look(&self) -> Result<Option<TerminalEnd>> {
        let known = *self.dialect.lock().unwrap_or_else(PoisonError::into_inner);
        let dialects = match known {
            Some(dialect) => &[dialect][..],
            None => &[TerminalKind::New, TerminalKind::Old],
        };
        let mut missing = None;
        for &dialect in dialects {
            let limits = self.caller.options().limits(Pace::Quick);
            let arguments = self.arguments(Map::new());
            let trace = self.options.traceparent.as_deref();
            match self.caller.ask_traced(dialect.get(), &arguments, trace, limits, &self.token) {
                Ok(answer) => {
                    let info = answer.json::<TerminalInfo>()?.unwrapped();
                    *self.dialect.lock().unwrap_or_else(PoisonError::into_inner) = Some(dialect);
                    return Ok(
                        (info.status == "exited").then(|| TerminalEnd::Exited(info.exit_code))
                    );
                }
                Err(error)
                    if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Unsupported) =>
                {
                    // That there is none says more than that the server knows no terminals of this kind.
                    if error.kind() == ErrorKind::NotFound || missing.is_none() {
                        missing = Some(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        match (known, missing) {
            // The older dialect forgets a terminal as soon as its program ends.
            (Some(TerminalKind::Old), _) => Ok(Some(TerminalEnd::Exited(None))),
            (Some(TerminalKind::New), _) => Ok(Some(TerminalEnd::Removed)),
            // It never was: waiting brings nothing.
            (None, Some(error)) => Ok(Some(TerminalEnd::Failed(error))),
            (None, None) => Ok(None),
        }
    }

    /// Connects, and reads until the connection ends. It was up once the server told the position: what only opens
    /// connections and passes nothing on is no server.
    fn attend(&self, was_up: &mut bool) -> Result<()> {
        let asked = match self.is_placed.load(Ordering::Acquire) {
            true => Some(self.screen.received()),
            false => self.options.cursor,
        };
        let websocket = Arc::new(self.open(asked)?);
        // What comes before the server tells its position is a replay.
        let mut replay = Some(Vec::new());
        let mut is_asked = false;
        loop {
            let incoming = match websocket.read() {
                Ok(incoming) => incoming,
                Err(error) => {
                    // Should the program end before the next connection, what it printed meanwhile is lost.
                    self.screen.suspect();
                    return Err(error);
                }
            };
            match incoming {
                None if websocket.wait(QUIET) => {}
                None if is_asked => {
                    let text = format!("pty: no sign of life from '{}' for 40 s", self.id);
                    self.screen.suspect();
                    return Err(Error::new(ErrorKind::Timeout, text).with_retryable(true));
                }
                None => {
                    websocket.ping()?;
                    is_asked = true;
                    continue;
                }
                Some(Incoming::Text(text)) => match &mut replay {
                    Some(pieces) => pieces.push(text),
                    None if self.screen.push(&text) => {}
                    None => return Ok(()),
                },
                Some(Incoming::Binary(bytes)) => {
                    if let (Some(pieces), Some(end)) = (&mut replay, position(&bytes)) {
                        if !self.show(std::mem::take(pieces), asked, end) {
                            return Ok(());
                        }
                        replay = None;
                        *was_up = true;
                        self.screen.trust();
                        self.publish(Some(Arc::clone(&websocket)));
                    }
                }
                Some(Incoming::Pong) => {}
                Some(Incoming::Closed) => return Ok(()),
            }
            is_asked = false;
        }
    }

    /// Shows what was replayed; false when the connection must be made anew.
    fn show(&self, pieces: Vec<String>, asked: Option<i64>, end: i64) -> bool {
        let length: i64 = pieces.iter().map(|piece| utf16_len(piece)).sum();
        let begin = end - length;
        let is_placed = self.is_placed.swap(true, Ordering::AcqRel);
        let is_gap = asked.is_some_and(|asked| asked >= 0 && begin > asked);
        if !is_placed || is_gap {
            self.screen.move_to(begin, is_gap);
        }
        let mut pieces = pieces.into_iter().peekable();
        while let Some(mut piece) = pieces.next() {
            let is_split = utf16_len(&piece) == REPLAY_PIECE
                && piece.ends_with('\u{FFFD}')
                && pieces.peek().is_some_and(|next| next.starts_with('\u{FFFD}'));
            if is_split {
                // Half a character: fetched again from its beginning.
                piece.pop();
            }
            if !self.screen.push(&piece) || is_split {
                return false;
            }
        }
        true
    }

    fn open(&self, cursor: Option<i64>) -> Result<WebSocket> {
        let dialect = self.dialect();
        let limits =
            Limits { idle: Some(QUIET), total: None, ..self.caller.options().limits(Pace::Quick) };
        let mut fields = Map::new();
        if let Some(cursor) = cursor {
            // Everything below zero is "from now on".
            fields.insert("cursor".to_owned(), Value::from(cursor.max(-1)));
        }
        if self.options.ticket {
            #[derive(Deserialize)]
            struct Ticket {
                #[serde(default)]
                ticket: String,
                #[serde(default)]
                data: Option<Box<Ticket>>,
            }
            let arguments = self.arguments(Map::new());
            let answer = self.caller.call(
                dialect.connect_token(),
                &arguments,
                &self.traced(&CallOptions::default()),
                &self.token,
            )?;
            let found: Ticket = answer.json()?;
            let ticket = found.data.map_or(found.ticket, |data| data.ticket);
            fields.insert("ticket".to_owned(), Value::from(ticket));
        }
        let arguments = self.arguments(fields);
        let is_authorized = !self.options.ticket;
        let (name, trace) = (dialect.connect(), self.options.traceparent.as_deref());
        self.caller.websocket(name, &arguments, is_authorized, trace, limits, &self.token)
    }

    /// Sends the input that waits, in its order. What a writing thread does, one at a time.
    pub(super) fn write(&self) {
        loop {
            let websocket = self.websocket.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let Some(websocket) = websocket else {
                self.screen.pause_input();
                // A connection may have come in between.
                let is_up = self.websocket.lock().unwrap_or_else(PoisonError::into_inner).is_some();
                if is_up && self.screen.claim_input() {
                    continue;
                }
                return;
            };
            let result = match self.screen.next_input() {
                None => return,
                Some(TerminalInput::Text(text)) => send(&websocket, &text),
                Some(TerminalInput::Size(cols, rows)) => self.resize(cols, rows),
            };
            if let Err(error) = result {
                self.caller.options().log.write(Level::Warn, || format!("{}: {error}", self.id));
            }
        }
    }

    fn resize(&self, cols: u16, rows: u16) -> Result<()> {
        let mut fields = Map::new();
        fields.insert("size".to_owned(), json!({ "cols": cols, "rows": rows }));
        let arguments = self.arguments(fields);
        let options = self.traced(&CallOptions::default());
        let name = self.dialect().update();
        // The same size twice is the same size: unlike other changes this one may be repeated.
        match self.caller.call(name, &arguments, &options, &self.writer) {
            Err(error) if is_passing(&error) => {
                self.caller.call(name, &arguments, &options, &self.writer).map(drop)
            }
            result => result.map(drop),
        }
    }

    /// The options of a request of this terminal.
    pub(super) fn traced(&self, call: &CallOptions) -> CallOptions {
        call.within_span(self.options.traceparent.as_deref())
    }

    pub(super) fn arguments(&self, mut fields: Map<String, Value>) -> String {
        fields.insert("ptyID".to_owned(), Value::from(self.id.as_str()));
        if let Some(directory) = &self.options.directory {
            fields.insert("directory".to_owned(), Value::from(directory.as_str()));
        }
        Value::Object(fields).to_string()
    }

    fn publish(&self, websocket: Option<Arc<WebSocket>>) {
        let is_up = websocket.is_some();
        *self.websocket.lock().unwrap_or_else(PoisonError::into_inner) = websocket;
        if is_up && self.screen.claim_input() {
            (self.wake_writer)();
        }
    }
}

fn send(websocket: &WebSocket, mut text: &str) -> Result<()> {
    while !text.is_empty() {
        let mut end = text.len().min(INPUT_PIECE);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let (piece, rest) = text.split_at(end);
        websocket.send(piece)?;
        text = rest;
    }
    Ok(())
}

/// The position in a control message: a zero byte and JSON.
fn position(bytes: &[u8]) -> Option<i64> {
    #[derive(Deserialize)]
    struct Control {
        cursor: i64,
    }
    let control: Control = serde_json::from_slice(bytes.strip_prefix(&[0])?).ok()?;
    Some(control.cursor)
}

/// Whether it is worth trying again.
fn is_passing(error: &Error) -> bool {
    match error.status() {
        // Between a look and the connection the program may have ended.
        Some(status) => matches!(status, 404 | 408 | 429 | 500..),
        None => matches!(error.kind(), ErrorKind::Connection | ErrorKind::Timeout),
    }
}
