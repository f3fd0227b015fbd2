//! Getting a session, a turn in it, and a look at it before the prompt is sent.

use super::*;
use crate::base::json::{Json, Object, list, put};
use crate::protocol::model_name::check_model;
use crate::run::prompt::WhenBusy;
use serde_json::json;
use serde_json::value::RawValue;

/// How many of the newest sessions are searched for one whose creation was not confirmed.
const FIND_AMONG: u32 = 50;
/// The pause before a session is asked for once more.
const AGAIN_PAUSE: Millis = 500;

/// What a session tells of itself.
struct Session {
    id: Option<String>,
    directory: Option<String>,
    /// The mark of the run that made it.
    nonce: Option<String>,
}

impl Session {
    fn read(object: &Object<'_>) -> Self {
        Session {
            id: object.text("id"),
            directory: object.text("directory"),
            nonce: object.object("metadata").and_then(|metadata| metadata.text("libopencode")),
        }
    }
}

impl Machine {
    /// Asks for the session: an existing one, or a new one.
    pub(super) fn open(&mut self) {
        match self.session.clone() {
            Some(session) => {
                self.ask(RequestKind::Session, "session.get", json!({ "sessionID": session }));
            }
            None if self.creation.is_lost() => {
                let mut arguments = json!({ "limit": FIND_AMONG });
                self.add_directory(&mut arguments);
                self.ask(RequestKind::FindCreated, "session.list", arguments);
            }
            None => self.create(),
        }
    }

    pub(super) fn on_opened(&mut self, kind: RequestKind, result: Result<Answer>) {
        if kind == RequestKind::Create {
            self.on_created_or_lost(result.as_ref().err());
        }
        match (kind, result) {
            (RequestKind::FindCreated, Ok(answer)) => match answer.json_ref::<Vec<&RawValue>>() {
                Ok(sessions) => {
                    self.reachable();
                    let mut sessions = sessions.into_iter().filter_map(Object::read);
                    let mine = |session: Session| {
                        (session.nonce.as_ref() == Some(&self.nonce)).then_some(session)
                    };
                    match sessions.find_map(|object| mine(Session::read(&object))) {
                        Some(session) => self.opened(session),
                        None => self.find_again(),
                    }
                }
                Err(error) => self.over_early(error),
            },
            (kind, Ok(answer)) => match answer.json_ref::<Object<'_>>() {
                Ok(object) => {
                    self.reachable();
                    self.is_new_session = kind == RequestKind::Create;
                    let session = Session::read(&object);
                    if session.id.is_none() && self.session.is_none() {
                        let error = answer.decode_error("has no session", &"the id is missing");
                        return self.over_early(error);
                    }
                    self.opened(session);
                }
                Err(error) => self.over_early(error),
            },
            (_, Err(error)) if is_transient(&error) => {
                self.unreachable(error);
            }
            // The first request of a directory may fail while the server prepares it.
            (kind, Err(error)) if error.status() == Some(500) && self.may_open_again() => {
                if kind == RequestKind::Create {
                    self.find_first();
                }
                self.retry_at = Some(self.now + AGAIN_PAUSE);
            }
            (_, Err(error)) => self.over_early(error),
        }
    }

    /// Once: what fails again is told.
    fn may_open_again(&mut self) -> bool {
        !std::mem::replace(&mut self.has_opened_again, true)
    }

    fn opened(&mut self, session: Session) {
        if session.directory.is_some() {
            self.directory = session.directory;
        }
        let is_given = self.session.is_some();
        let Some(id) = session.id.or(self.session.clone()) else { return };
        self.session = Some(id.clone());
        self.out.push(Output::Track(id.clone()));
        if self.setup.resume.is_some() {
            self.verify();
            return;
        }
        self.phase = Phase::Queued;
        if !is_given {
            self.out.push(Output::Queue(id));
        } else if self.has_turn {
            self.on_turn();
        }
    }

    pub(super) fn on_turn(&mut self) {
        self.has_turn = true;
        if self.phase == Phase::Queued {
            self.phase = Phase::Preparing;
            self.prepare();
        }
    }

    /// Sends without what only serves to listen.
    pub(super) fn on_leave(&mut self) {
        self.goes_without_stream = true;
        self.name_check = NameCheck::Known;
        self.prepared();
    }

    /// Looks at the session: is it idle, what is listed already, what is its newest message?
    pub(super) fn prepare(&mut self) {
        if self.is_new_session {
            // Nothing can be in a session that was just made.
            self.status = Some(Status::Idle);
            self.has_baseline = true;
            self.prepared();
        } else if !self.has_baseline {
            (self.snapshot_asked, self.asked) = (Some(self.now), self.now);
            // With the lists: what is open now is not this run's.
            self.out
                .push(Output::TakeSnapshot { directory: self.directory.clone(), with_lists: true });
        } else {
            self.prepared();
        }
    }

    /// What the snapshot before the send says.
    pub(super) fn on_first_snapshot(&mut self, snapshot: &DirectorySnapshot) {
        let Some(session) = self.session.clone() else { return };
        if self.snapshot_asked.is_none_or(|asked| snapshot.started < asked) {
            // Another run's look, taken before this one asked.
            return;
        }
        (self.snapshot_asked, self.retry_at) = (None, None);
        self.reachable();
        let status = snapshot.status.get(&session).cloned().unwrap_or(Status::Idle);
        let requests = snapshot.permissions.iter().chain(&snapshot.questions);
        let listed = requests.filter(|request| request.session_id == session);
        self.stale_requests.extend(listed.map(|request| request.id.clone()));
        let is_idle = status == Status::Idle;
        self.status = Some(status);
        match self.setup.prompt.when_busy {
            _ if is_idle => {}
            WhenBusy::Send => {}
            WhenBusy::Refuse => {
                let text =
                    format!("run: session {session} is busy; wait, or leave when_busy at 'queue'");
                self.over_early(Error::new(ErrorKind::Conflict, text).with_retryable(true));
                return;
            }
            WhenBusy::Queue => {
                self.interval = (self.interval * 3 / 2).clamp(100, 1_000);
                self.retry_at = Some(self.now + self.interval);
                return;
            }
        }
        let arguments = json!({ "sessionID": session, "limit": 1 });
        self.ask(RequestKind::LastBeforeSend, "session.messages", arguments);
    }

    pub(super) fn on_prepared(&mut self, kind: RequestKind, result: Result<Answer>) {
        if self.phase == Phase::Running && kind != RequestKind::LastBeforeSend {
            return self.on_names_of_a_silent_run(&kind, result);
        }
        if self.phase != Phase::Preparing {
            // The stream came up meanwhile, and the prompt went out without an answer to this.
            return;
        }
        let answer = match result {
            Ok(answer) => answer,
            Err(error) if is_transient(&error) => return self.unreachable(error),
            Err(error) if kind == RequestKind::LastBeforeSend && error.status() == Some(400) => {
                // A prompt with a format at the session's beginning cannot be read; all else can.
                self.has_baseline = true;
                return self.prepared();
            }
            Err(error) => return self.over_early(error),
        };
        self.reachable();
        let checked = match kind {
            RequestKind::LastBeforeSend => answer.json_ref::<Vec<&RawValue>>().map(|messages| {
                let newest = messages.last().and_then(|raw| Object::read(raw)?.object("info"));
                self.last_before_send = newest.and_then(|info| info.text("id"));
                self.has_baseline = true;
            }),
            _ => self.check_names(&kind, &answer),
        };
        match checked {
            Ok(()) => self.prepared(),
            Err(error) => self.over_early(error),
        }
    }

    /// Sends, once everything that must be known before is known.
    pub(super) fn prepared(&mut self) {
        if self.phase != Phase::Preparing || !self.has_baseline || self.retry_at.is_some() {
            return;
        }
        if !self.is_stream_up {
            if !self.goes_without_stream {
                return;
            }
            if self.ask_names() {
                return;
            }
        }
        self.send();
    }

    /// Asks for what tells whether agent or model are known; false when there is nothing left to ask.
    pub(super) fn ask_names(&mut self) -> bool {
        if self.name_check == NameCheck::Agent && self.setup.prompt.agent.is_none() {
            self.name_check = NameCheck::Model;
        }
        if self.name_check == NameCheck::Model && self.setup.prompt.model.is_none() {
            self.name_check = NameCheck::Known;
        }
        let mut arguments = json!({});
        self.add_directory(&mut arguments);
        match self.name_check {
            NameCheck::Agent => self.ask(RequestKind::Agents, "app.agents", arguments),
            NameCheck::Model => self.ask(RequestKind::Models, "config.providers", arguments),
            NameCheck::Known => return false,
        }
        true
    }

    fn check_names(&mut self, kind: &RequestKind, answer: &Answer) -> Result<()> {
        let prompt = &self.setup.prompt;
        if *kind == RequestKind::Agents {
            self.name_check = NameCheck::Model;
            let agents = answer.json::<Json>()?;
            return prompt.agent.as_deref().map_or(Ok(()), |agent| check_agent(agent, &agents));
        }
        self.name_check = NameCheck::Known;
        let config = answer.json::<Json>()?;
        prompt.model.as_ref().map_or(Ok(()), |model| check_model("run", model, &config))
    }

    /// Nothing came of the prompt, and the event that would say why may have been lost.
    fn on_names_of_a_silent_run(&mut self, kind: &RequestKind, result: Result<Answer>) {
        let Ok(answer) = result else {
            // What cannot be asked now is asked at the next look.
            self.has_checked_names = false;
            return;
        };
        match self.check_names(kind, &answer) {
            Err(error) if self.assistants.is_empty() => self.conclude(Some(error)),
            _ => {
                self.ask_names();
            }
        }
    }

    pub(super) fn add_directory(&self, arguments: &mut Value) {
        if let Some(directory) = &self.directory {
            put(arguments, "directory", directory.as_str());
        }
    }
}

/// Refuses an agent that is not listed. A list that cannot be read as a whole says nothing.
fn check_agent(wanted: &str, agents: &Json) -> Result<()> {
    let Some(agents) = list(agents.raw()) else { return Ok(()) };
    let name = |agent: &RawValue| Object::read(agent)?.text("name");
    let Some(names) = agents.into_iter().map(name).collect::<Option<Vec<_>>>() else {
        return Ok(());
    };
    if names.is_empty() || names.iter().any(|name| name == wanted) {
        return Ok(());
    }
    let known = names.join(", ");
    let text = format!("run: agent '{wanted}' is not known; there are: {known}");
    Err(Error::new(ErrorKind::Agent, text))
}
