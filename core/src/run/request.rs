//! The requests of runs: done by a few threads, with the answers brought to the engine.

use super::engine::RunId;
use super::inbox::{Inbox, Message};
use super::machine::{Millis, Sweep, Ticket, millis};
use super::message::Request;
use crate::answer::Answer;
use crate::caller::Caller;
use crate::cancel::CancelToken;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::Limits;
use crate::operation::Pace;
use crate::thread::caught;
use crate::worker::Pool;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Threads that do the runs' short requests.
const WORKERS: usize = 4;
/// A request of a run is short: a server that needs longer is out of order.
const REQUEST_LIMIT: Duration = Duration::from_secs(15);

/// Does requests on its own threads.
pub(super) struct Requests {
    pool: Pool,
    shared: Arc<Shared>,
}

struct Shared {
    caller: Arc<Caller>,
    inbox: Arc<Inbox>,
    began: Instant,
    /// When a request last ran into its time limit, and nothing was answered since.
    silence: Mutex<Option<(Instant, Error)>>,
}

impl Requests {
    pub(super) fn new(caller: Arc<Caller>, inbox: Arc<Inbox>, began: Instant) -> Self {
        let shared = Arc::new(Shared { caller, inbox, began, silence: Mutex::default() });
        Requests { pool: Pool::new("opencode-request", WORKERS), shared }
    }

    pub(super) fn close(&self) {
        self.pool.close();
    }

    /// Does an operation for a run.
    pub(super) fn ask(
        &self,
        id: RunId,
        ticket: Ticket,
        operation: &'static str,
        arguments: String,
    ) {
        let back = ticket.clone();
        self.submit(
            move |shared, token| shared.get(operation, &arguments, token),
            move |result| Message::Answer(id, ticket, result),
            move |error| Message::Answer(id, back, Err(error)),
        );
    }

    /// Looks at a directory.
    pub(super) fn sweep(&self, directory: Option<String>, with_lists: bool) {
        let (asked, back) = (directory.clone(), directory.clone());
        self.submit(
            move |shared, token| shared.look(asked.as_deref(), with_lists, token),
            move |result| Message::Sweep(directory, result),
            move |error| Message::Sweep(back, Err(error)),
        );
    }

    /// Asks whose subagent a session is.
    pub(super) fn parent(&self, session: String) {
        #[derive(Deserialize)]
        struct Session {
            #[serde(rename = "parentID", default)]
            parent_id: Option<String>,
        }
        let (asked, back) = (session.clone(), session.clone());
        self.submit(
            move |shared, token| {
                let arguments = serde_json::json!({ "sessionID": asked }).to_string();
                let session: Session = shared.get("session.get", &arguments, token)?.json()?;
                Ok(session.parent_id)
            },
            move |result| Message::Parent(session, result),
            move |error| Message::Parent(back, Err(error)),
        );
    }

    fn submit<T>(
        &self,
        work: impl FnOnce(&Shared, &CancelToken) -> Result<T> + Send + 'static,
        tell: impl FnOnce(Result<T>) -> Message + Send + 'static,
        refuse: impl FnOnce(Error) -> Message,
    ) {
        let (shared, asked) = (Arc::clone(&self.shared), Instant::now());
        let token = CancelToken::default();
        let mine = token.clone();
        let job = move || {
            let result = match shared.silence_since(asked) {
                Some(error) => Err(error),
                None => caught(|| work(&shared, &mine)).and_then(|result| result),
            };
            shared.inbox.push(tell(result));
        };
        if let Err(error) = self.pool.submit(token, job) {
            self.shared.inbox.push(refuse(error));
        }
    }
}

impl Shared {
    fn get(&self, operation: &'static str, arguments: &str, token: &CancelToken) -> Result<Answer> {
        let result = self.caller.ask(operation, arguments, self.limits(), token);
        let mut silence = self.silence.lock().unwrap_or_else(PoisonError::into_inner);
        match &result {
            Err(error) if error.kind() == ErrorKind::Timeout && error.status().is_none() => {
                *silence = Some((Instant::now(), error.clone().with_sent(false)));
            }
            Err(error) if error.status().is_none() => {}
            _ => *silence = None,
        }
        drop(silence);
        result
    }

    /// A server that lets requests run out of time answers none of those that waited behind them. They need not
    /// run out of time one after the other: a thousand runs would wait for hours.
    fn silence_since(&self, asked: Instant) -> Option<Error> {
        let silence = self.silence.lock().unwrap_or_else(PoisonError::into_inner);
        silence.as_ref().filter(|(since, _)| *since > asked).map(|(_, error)| error.clone())
    }

    fn limits(&self) -> Limits {
        let options = self.caller.options().limits(Pace::Quick);
        let cap = |limit: Option<Duration>| Some(limit.unwrap_or(REQUEST_LIMIT).min(REQUEST_LIMIT));
        Limits { first_byte: cap(options.first_byte), idle: cap(options.idle), ..options }
    }

    /// Reads what a directory looks like.
    fn look(
        &self,
        directory: Option<&str>,
        with_lists: bool,
        token: &CancelToken,
    ) -> Result<Sweep> {
        let started: Millis = millis(self.began.elapsed());
        let arguments = match directory {
            Some(directory) => serde_json::json!({ "directory": directory }).to_string(),
            None => String::new(),
        };
        let status = self.get("session.status", &arguments, token)?.json()?;
        let requests = |answer: Answer| -> Result<Vec<Arc<Request>>> {
            let raws: Vec<Box<RawValue>> = answer.json()?;
            // A request of a shape that is not known cannot be answered; it must not stop the others.
            Ok(raws.into_iter().filter_map(|raw| Request::read(raw).ok()).map(Arc::new).collect())
        };
        let (permissions, questions) = if with_lists {
            (
                requests(self.get("permission.list", &arguments, token)?)?,
                requests(self.get("question.list", &arguments, token)?)?,
            )
        } else {
            (Vec::new(), Vec::new())
        };
        Ok(Sweep { started, status, permissions, questions, has_lists: with_lists })
    }
}
