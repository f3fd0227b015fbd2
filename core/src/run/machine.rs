//! [`Machine`]: one run as a state machine without any input or output of its own.
//!
//! Events, answers and the time go in; requests, updates and the outcome come out. Nothing here blocks,
//! sleeps or knows a socket, so that every order of every input can be tested. The engine turns outputs
//! into HTTP and feeds the results back.
//!
//! Events only wake the machine up and carry text. What is true is decided from the server's own state:
//! the session status of the session's directory and its messages.

mod ask;
mod create;
mod family;
mod finish;
mod leftovers;
mod open;
mod reach;
#[cfg(test)]
mod scenes;
mod send;
#[cfg(test)]
mod simulation;
mod stopped;
mod watch;
mod why;

pub(crate) use super::clock::{Millis, millis};
use super::prompt::Prompt;
use super::reply::{DecisionRecord, Reply};
use super::transcript::Transcript;
use super::update::Update;
use super::wire::{
    DirectorySnapshot, Fact, Failure, Info, Inquiry, Message, Request, Response, Status,
};
use crate::base::error::{Error, ErrorKind, Result, is_transient};
use crate::protocol::permission::{PermissionPolicy, QuestionPolicy};
use crate::protocol::tokens::Tokens;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// How long a run waits for the event stream before it goes on without.
const STREAM_PATIENCE: Millis = 3_000;
/// A session that is idle without an answer stays so for this long until its end is believed.
const DEAD_AFTER: Millis = 2_000;
/// A prompt of which nothing came for this long is looked into: are agent and model known?
const SILENT_AFTER: Millis = 2_000;
/// How long a session is idle after an outage until it is believed that the prompt before it is forgotten.
const FORGOTTEN_AFTER: Millis = 3_000;
/// After an abort, a run without any answer is over when nothing began for this long.
const ABORT_GRACE: Millis = 1_500;
/// A cancel that the server does not settle within this time ends anyway.
const SETTLE_LIMIT: Millis = 10_000;
const START_TIMEOUT: Millis = 30_000;
const SERVER_TIMEOUT: Millis = 15_000;
/// The same for a server that never answered: it may be starting, and most likely there is none.
const STRANGER_TIMEOUT: Millis = 5_000;
/// A server that is busy may say nothing for this long.
const SILENCE: Millis = 5_000;
/// What the reply still needs is waited for no longer than this; the answer itself is there.
const COLLECT_LIMIT: Millis = 10_000;

/// Things that could not be read, noted for one run.
const MAX_ODD: usize = 100;

/// What a run is made from.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub prompt: Prompt,
    pub permission: PermissionPolicy,
    pub question: QuestionPolicy,
    pub directory: Option<String>,
    /// Whether an event stream is to be used at all.
    pub events: bool,
    /// Whether the server ever answered this client.
    pub is_known: bool,
    /// The user message to pick up, in the prompt's session, instead of sending.
    pub resume: Option<String>,
}

/// Something that the machine is told.
#[derive(Debug)]
pub(crate) enum Input<'a> {
    /// What happened to a session that it asked for with [`Output::Track`], or to the server as a whole.
    Fact { session: Option<&'a str>, fact: Fact },
    /// The event stream connected (`true`) or was lost. Whatever happened in between is unknown.
    Stream(bool),
    /// The event stream tells everything from now on; the moments after it connected may be missing.
    Settled,
    /// The result of a request.
    Answer(RequestKind, Result<Response>),
    /// What the session's directory looks like.
    Snapshot(&'a DirectorySnapshot),
    /// The directory could not be looked at.
    SweepFailed(&'a Error),
    /// A subagent of a subagent, of which perhaps no event told.
    Child { session: &'a str, parent: &'a str },
    /// It is this run's turn in its session.
    Turn,
    /// The host leaves: nobody will listen, and what is not sent soon is lost.
    Leave,
    /// The host wants the run to end.
    Cancel,
    /// The host answered a permission.
    Permission {
        id: String,
        reply: crate::protocol::permission::PermissionReply,
        message: Option<String>,
    },
    /// The host answered a question; `None` rejects it.
    Question { id: String, answers: Option<Vec<Vec<String>>> },
    /// A request is under way over a connection that stands.
    Listens,
    /// Time passed.
    Time,
}

/// Something that the machine wants.
#[derive(Debug)]
pub(crate) enum Output {
    /// A request, and what it is for.
    Ask(RequestKind, Request),
    /// A fresh look at a directory; `with_lists`: at its permissions and questions too, however fresh the last look.
    TakeSnapshot { directory: Option<String>, with_lists: bool },
    /// Events of this session from now on.
    Track(String),
    /// A turn in this session.
    Queue(String),
    /// Something for the host.
    Update(Update),
    /// Something for the log: what could not be read, or was refused without the host.
    Warn(String),
    /// The end.
    Over(Outcome),
}

/// What a request was for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RequestKind {
    Create,
    FindCreated,
    /// Whether the server that makes the session is alive.
    Health,
    /// A session that came too late goes away.
    Discard,
    Session,
    LastBeforeSend,
    Agents,
    Models,
    Send,
    Verify,
    /// Messages, of the collection with this number.
    Messages(u32),
    Abort,
    /// A subagent that went on after the abort of its parent.
    AbortChild,
    /// The answer to a permission or a question.
    Reply(String),
    Child(String),
    Diff,
    /// Whether the session's directory is there.
    Place,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub reply: Arc<Reply>,
    pub error: Option<Error>,
}

/// Where a run stands.
/// Whether the server was away since it took the prompt. One that was killed a moment after that has forgotten the
/// prompt, or keeps it and does not begin it by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outage {
    None,
    Seen,
    /// The prompt was looked for after it, and is there.
    Survived,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Getting a session.
    Opening,
    /// Waiting for its turn among the runs of this client.
    Queued,
    /// Looking at the session before sending.
    Preparing,
    Sending,
    /// The answer to the send was lost: did it arrive?
    Verifying,
    Running,
    /// Gathering the reply.
    Collecting,
    Over,
}

/// Why a run is being ended from this side.
#[derive(Debug, Clone)]
struct Ending {
    error: Error,
    since: Millis,
    /// When the last abort was answered, and how many there were.
    aborted: Option<Millis>,
    is_aborting: bool,
    leftovers: leftovers::Leftovers,
}

/// One look at the truth: first the status, then, when it matters, the messages.
#[derive(Debug, Clone, Copy)]
struct Check {
    started: Millis,
    /// Whether the server was known to have begun. If not, an idle session may be one that has not begun yet.
    has_begun: bool,
    /// Whether the session was idle, once known.
    is_idle: Option<bool>,
    /// Whether the messages are to be read although the session works.
    needs_messages: bool,
}

/// A permission or question that is open.
#[derive(Debug)]
struct Open {
    inquiry: Arc<Inquiry>,
    /// Handed to the host and not answered by it yet.
    waits_for_host: bool,
    /// What is answered, kept until the server has it.
    verdict: Option<ask::Verdict>,
    /// The answer's word, for the record.
    reply: String,
    by: &'static str,
    seen: Millis,
    /// How often the answer did not get through, and when it is given again.
    failures: u32,
    retry_at: Option<Millis>,
    /// The answer may be there although the server did not say so.
    may_be_there: bool,
}

/// Without events nothing would tell that agent or model are unknown: they are looked up before the send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum NameCheck {
    Agent,
    Model,
    Known,
}

/// One run.
pub(crate) struct Machine {
    setup: Setup,
    prompt: Arc<Prompt>,
    phase: Phase,
    out: Vec<Output>,
    now: Millis,
    started: Millis,

    message_id: String,
    /// The mark of a session that this run made.
    nonce: String,
    /// Whether it is this run's turn in its session.
    has_turn: bool,
    session: Option<String>,
    directory: Option<String>,
    is_stream_up: bool,
    /// Whether the stream was given up for the start.
    goes_without_stream: bool,

    /// Newest message before the send: everything after it is the run's or a stranger's.
    last_before_send: Option<String>,
    has_baseline: bool,
    stale_requests: HashSet<String>,
    is_new_session: bool,
    creation: create::Creation,
    /// Whether the session was asked for once more, after an error of the server.
    has_opened_again: bool,
    /// When the snapshot before the send was asked for.
    snapshot_asked: Option<Millis>,
    name_check: NameCheck,
    /// Whether a silent run was looked into.
    has_checked_names: bool,
    waiting_answers: usize,
    /// The next time a request that failed is repeated.
    retry_at: Option<Millis>,
    reach: reach::Reach,
    /// When a request was last asked for.
    asked: Millis,
    /// Why only events tell of permissions and questions.
    unlisted: Option<Error>,

    /// The ids that the prompt's parts keep over all tries.
    part_ids: Arc<[String]>,
    sent: Option<Millis>,
    queued_ms: Millis,
    send_error: Option<Error>,
    send_tries: u32,
    verify_tries: u32,
    user_seen: bool,
    /// User messages whose answers belong to this run: its own, and those that a compaction inserts.
    own_prompts: HashSet<String>,
    /// User messages of others that came later.
    foreign_prompts: HashMap<String, f64>,
    /// User messages that were looked up because the events spoke of an answer to them.
    looked_up: HashSet<String>,
    /// The strangers' prompts that were answered, in the order of the answers.
    answered_strangers: Vec<String>,
    /// The newest answer in the session is to a prompt of somebody else that came later.
    stranger_works: bool,
    assistants: Vec<Info>,
    messages: Vec<Message>,
    transcript: Transcript,
    children: Vec<String>,
    child_usage: HashMap<String, (f64, Tokens)>,
    child_messages: HashMap<String, HashMap<String, Info>>,
    status: Option<Status>,
    /// The server was seen to work since the prompt was sent.
    was_busy: bool,
    outage: Outage,
    busy_tool: Option<String>,
    /// What was told of each tool part: its newest form.
    tools: HashMap<String, u64>,
    /// What was told of the agent's list, and of the files that were changed.
    todos: Option<String>,
    diff: Option<Arc<serde_json::value::RawValue>>,
    last_error: Option<stopped::ServerError>,
    place: stopped::Place,
    /// The server disposed the instance that the prompt ran in.
    is_disposed: bool,
    idle_since: Option<Millis>,
    /// How often the changed files were asked for.
    diff_asks: u32,
    check: Option<Check>,
    check_again: bool,
    /// The next look reads the messages and the lists of requests, whatever the events tell.
    needs_messages: bool,
    needs_lists: bool,
    next_check: Millis,
    interval: Millis,
    collection: u32,
    /// Pages read for the collection.
    pages: u32,
    /// Whether messages are read one by one.
    reads_singly: bool,
    collected: Vec<Message>,
    first_token: Option<Millis>,
    /// What was noted as left out.
    odd: HashSet<String>,

    requests: BTreeMap<String, Open>,
    /// Requests of the session, asked by a message that is not known yet.
    unclaimed: Vec<Arc<Inquiry>>,
    handled: HashSet<String>,
    decisions: Vec<DecisionRecord>,

    ending: Option<Ending>,
    verdict: Option<Option<Error>>,
    /// Since when the reply is being gathered.
    collecting: Option<Millis>,
    files: Option<Arc<serde_json::value::RawValue>>,
    why: String,
}

impl Machine {
    /// A machine that stands at its beginning; [`start`](Self::start) sets it off.
    pub(crate) fn new(mut setup: Setup, now: Millis) -> Self {
        let prompt = Arc::new(std::mem::take(&mut setup.prompt));
        // Without one that is given it is chosen when the prompt is sent.
        let given = setup.resume.as_ref().or(prompt.message_id.as_ref());
        let message_id = given.cloned().unwrap_or_default();
        Machine {
            phase: Phase::Opening,
            out: Vec::new(),
            now,
            started: now,
            nonce: crate::protocol::id::new("run"),
            has_turn: false,
            session: prompt.session.clone(),
            directory: setup.directory.clone(),
            is_stream_up: false,
            goes_without_stream: !setup.events,
            last_before_send: None,
            has_baseline: false,
            stale_requests: HashSet::new(),
            is_new_session: false,
            creation: create::Creation::default(),
            has_opened_again: false,
            snapshot_asked: None,
            name_check: NameCheck::Agent,
            has_checked_names: false,
            waiting_answers: 0,
            retry_at: None,
            reach: reach::Reach::default(),
            asked: now,
            unlisted: None,
            part_ids: prompt.parts.iter().map(|_| crate::protocol::id::new("prt")).collect(),
            sent: None,
            queued_ms: 0,
            send_error: None,
            send_tries: 0,
            verify_tries: 0,
            user_seen: false,
            own_prompts: given.cloned().into_iter().collect(),
            foreign_prompts: HashMap::new(),
            looked_up: HashSet::new(),
            answered_strangers: Vec::new(),
            stranger_works: false,
            assistants: Vec::new(),
            messages: Vec::new(),
            transcript: Transcript::default(),
            children: Vec::new(),
            child_usage: HashMap::new(),
            child_messages: HashMap::new(),
            status: None,
            was_busy: false,
            outage: Outage::None,
            busy_tool: None,
            tools: HashMap::new(),
            todos: None,
            diff: None,
            last_error: None,
            place: stopped::Place::Unknown,
            is_disposed: false,
            idle_since: None,
            diff_asks: 0,
            check: None,
            check_again: false,
            needs_messages: false,
            needs_lists: false,
            next_check: now,
            interval: 100,
            collection: 0,
            pages: 0,
            reads_singly: false,
            collected: Vec::new(),
            first_token: None,
            odd: HashSet::new(),
            requests: BTreeMap::new(),
            unclaimed: Vec::new(),
            handled: HashSet::new(),
            decisions: Vec::new(),
            ending: None,
            verdict: None,
            collecting: None,
            files: None,
            why: String::new(),
            message_id,
            prompt,
            setup,
        }
    }

    /// The first step.
    pub(crate) fn start(&mut self, now: Millis) {
        self.now = now;
        if self.setup.resume.is_none()
            && let Some(session) = self.session.clone()
        {
            // Before any request: answers come in any order, and calls have one.
            self.out.push(Output::Queue(session));
        }
        self.open();
        self.explain();
    }

    /// One step: everything that follows from an input at a time.
    pub(crate) fn step(&mut self, now: Millis, input: Input<'_>) {
        self.now = self.now.max(now);
        if self.phase == Phase::Over {
            return;
        }
        match input {
            Input::Fact { session, fact } => self.on_fact(session, fact),
            Input::Stream(is_up) => self.on_stream(is_up),
            Input::Settled => self.on_settled(),
            Input::Answer(kind, result) => self.on_answer(kind, result),
            Input::Snapshot(snapshot) => self.on_snapshot(snapshot),
            Input::SweepFailed(error) => self.on_sweep_failed(error),
            // The run's own tools tell of its own: the session may have others, of runs before.
            Input::Child { session, parent } if self.is_child(parent) => self.add_child(session),
            Input::Turn => self.on_turn(),
            Input::Leave => self.on_leave(),
            Input::Cancel => self.end(Error::new(ErrorKind::Cancelled, "the run was cancelled")),
            Input::Permission { id, reply, message } => {
                self.on_host_permission(&id, reply, message)
            }
            Input::Question { id, answers } => self.on_host_question(&id, answers),
            Input::Listens => self.reach.listens(self.now),
            Input::Time | Input::Child { .. } => {}
        }
        if self.phase != Phase::Over {
            self.on_time();
        }
        if self.phase != Phase::Over {
            self.explain();
        }
    }

    /// What it wants since it was last asked.
    pub(crate) fn take_outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.out)
    }

    /// When it wants to be stepped with [`Input::Time`] at the latest.
    pub(crate) fn wake_at(&self) -> Option<Millis> {
        let mut times: Vec<Millis> = Vec::with_capacity(8);
        match self.phase {
            Phase::Over => return None,
            Phase::Opening | Phase::Preparing
                if !self.goes_without_stream && !self.is_stream_up =>
            {
                times.push(self.started + STREAM_PATIENCE);
            }
            Phase::Running if self.check.is_none() => times.push(self.next_check),
            _ => {}
        }
        times.extend(self.retry_at);
        times.extend(self.creation_wake());
        if self.ending.is_none()
            && self.phase != Phase::Collecting
            && let Some(deadline) = self.prompt.limits.deadline
        {
            times.push(self.started.saturating_add(millis(deadline)));
        }
        match (self.collecting, &self.ending) {
            (Some(since), _) => times.push(since + COLLECT_LIMIT),
            (None, Some(ending)) => times.push(ending.since + SETTLE_LIMIT),
            (None, None) => {}
        }
        times.extend(self.reach_end());
        times.extend(self.requests.values().filter_map(|open| open.retry_at));
        times.into_iter().min()
    }

    /// The session, once known.
    pub(crate) fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// The user message; empty until it is chosen.
    pub(crate) fn message_id(&self) -> &str {
        &self.message_id
    }

    /// Why it is not moving, in one line.
    pub(crate) fn why(&self) -> &str {
        &self.why
    }

    /// Whether only the host can bring it on.
    pub(crate) fn waits_for_host(&self) -> bool {
        self.ending.is_none() && self.requests.values().any(|open| open.waits_for_host)
    }

    /// Whether the server has the prompt.
    pub(crate) fn is_sent(&self) -> bool {
        self.sent.is_some()
    }

    /// Whether the server may have the prompt.
    pub(crate) fn may_be_sent(&self) -> bool {
        self.send_tries > 0
    }

    pub(crate) fn wants_events(&self) -> bool {
        self.setup.events
    }

    /// The reply as far as it came.
    pub(crate) fn partial_reply(&self) -> Reply {
        self.reply()
    }

    fn ask(&mut self, kind: RequestKind, request: Request) {
        self.asked = self.now;
        self.out.push(Output::Ask(kind, request));
    }

    /// The session, for a request; there is one in all phases but the first.
    fn session_id(&self) -> String {
        self.session.clone().unwrap_or_default()
    }

    /// Notes what could not be read, once each.
    fn note(&mut self, odd: Vec<String>) {
        let news = odd
            .into_iter()
            .filter(|text| self.odd.len() < MAX_ODD && self.odd.insert(text.clone()));
        let told = |what| Output::Warn(format!("left out, as it cannot be read: {what}"));
        self.out.extend(news.map(told));
    }

    fn update(&mut self, update: Update) {
        self.out.push(Output::Update(update));
    }

    fn on_answer(&mut self, kind: RequestKind, result: Result<Response>) {
        match kind {
            RequestKind::Create | RequestKind::FindCreated | RequestKind::Session => {
                self.on_opened(kind, result);
            }
            RequestKind::Health => self.on_health(result),
            RequestKind::Discard | RequestKind::AbortChild => {}
            RequestKind::LastBeforeSend | RequestKind::Agents | RequestKind::Models => {
                self.on_prepared(kind, result)
            }
            RequestKind::Send => self.on_sent(result),
            RequestKind::Verify => self.on_verified(result),
            RequestKind::Messages(collection) => self.on_messages(collection, result),
            RequestKind::Abort => self.on_aborted(result),
            RequestKind::Reply(id) => self.on_replied(&id, result),
            RequestKind::Place => self.on_place(&result),
            RequestKind::Child(_) | RequestKind::Diff => {
                self.on_collected(kind, result);
            }
        }
    }

    fn on_stream(&mut self, is_up: bool) {
        self.is_stream_up = is_up;
        // Whatever came in between is lost: growing parts wait until they are whole.
        self.transcript.mark_gap();
        if !is_up {
            self.note_outage();
        }
        match self.phase {
            Phase::Opening | Phase::Preparing if is_up => self.prepared(),
            Phase::Running => self.check_now(),
            _ => {}
        }
    }

    /// Between the connection and now events may have been missed: of messages, and of what was asked.
    fn on_settled(&mut self) {
        (self.needs_messages, self.needs_lists) = (true, true);
        if self.phase == Phase::Running {
            self.check_now();
        }
    }

    /// Everything that happens because time passed.
    fn on_time(&mut self) {
        let limits = self.prompt.limits;
        if self.ending.is_none()
            && let Some(deadline) = limits.deadline
            && self.now >= self.started.saturating_add(millis(deadline))
        {
            let text = format!("the run took longer than {}", crate::base::limits::shown(deadline));
            self.end_at("deadline_ms", &text);
        }
        if self.phase == Phase::Over {
            return;
        }
        if let Some(since) = self.collecting {
            if self.now >= since + COLLECT_LIMIT {
                return self.finish();
            }
        } else if let Some(ending) = &self.ending
            && self.now >= ending.since + SETTLE_LIMIT
        {
            return self.over_unsettled();
        }
        if self.reach_end().is_some_and(|at| self.now >= at) {
            return self.over_unreachable();
        }
        self.creation_time();
        if self.phase == Phase::Over {
            return;
        }
        self.repeat_replies();
        if self.retry_at.is_some_and(|at| self.now >= at) {
            self.retry_at = None;
            self.retry();
        }
        match self.phase {
            Phase::Opening | Phase::Preparing
                if !self.goes_without_stream
                    && !self.is_stream_up
                    && self.now >= self.started + STREAM_PATIENCE =>
            {
                self.goes_without_stream = true;
                self.prepared();
            }
            Phase::Running if self.check.is_none() && self.now >= self.next_check => {
                self.check_now()
            }
            _ => {}
        }
    }

    /// Repeats what failed, as the phase demands.
    fn retry(&mut self) {
        match self.phase {
            Phase::Opening => self.open(),
            Phase::Preparing => self.prepare(),
            Phase::Sending => self.send(),
            Phase::Verifying => self.verify(),
            Phase::Collecting => self.ask_diff(),
            Phase::Queued | Phase::Running | Phase::Over => {}
        }
    }

    /// Notes that the server could not be reached, and when to try again.
    fn unreachable(&mut self, error: Error) {
        let asked = self.check.map_or(self.asked, |check| check.started);
        if error.kind() == ErrorKind::Connection {
            self.note_outage();
        }
        let pause = self.reach.failed(error, asked, self.now);
        if self.phase == Phase::Running {
            self.next_check = self.now + pause;
        } else {
            self.retry_at = Some(self.now + pause);
        }
    }

    /// The server may have ended since it took the prompt.
    fn note_outage(&mut self) {
        if self.phase == Phase::Running {
            self.outage = Outage::Seen;
        }
    }

    fn reachable(&mut self) {
        self.setup.is_known = true;
        self.reach.answered(self.now);
    }

    /// Something came from the server at this time, for whomever.
    pub(crate) fn hear(&mut self, at: Millis) {
        self.reach.hear(at);
    }

    /// Whether the last thing that it asked for failed.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.reach.failure().is_some()
    }

    /// When the server is given up; while the reply is gathered there is another limit.
    fn reach_end(&self) -> Option<Millis> {
        let is_open = self.phase != Phase::Collecting;
        let end = is_open.then(|| self.reach.end(self.server_timeout())).flatten();
        end.into_iter().chain(self.silence_end()).min()
    }

    /// Since when something that only reads is under way.
    fn reads_since(&self) -> Option<Millis> {
        match self.phase {
            Phase::Running => self.check.map(|check| check.started),
            Phase::Opening if self.creation.awaits_health() => Some(self.asked),
            Phase::Opening if self.session.is_some() && self.retry_at.is_none() => Some(self.asked),
            Phase::Preparing if !self.has_baseline && self.retry_at.is_none() => Some(self.asked),
            Phase::Verifying if self.retry_at.is_none() => Some(self.asked),
            _ => None,
        }
    }

    /// When a server that keeps its connections and says nothing is given up, where the host set a time for it: a
    /// request alone may take longer than that.
    fn silence_end(&self) -> Option<Millis> {
        let limit = self.prompt.limits.server_timeout.map(millis)?;
        let since = self.reads_since()?.max(self.reach.heard());
        Some(since.saturating_add(limit.max(SILENCE)))
    }

    fn silence(&self) -> Option<Error> {
        self.silence_end().filter(|at| self.now >= *at)?;
        let limit = self.server_timeout().max(SILENCE);
        let text = format!("run: the server said nothing for {limit} ms; it was out of reach");
        Some(Error::new(ErrorKind::Timeout, text).with_retryable(true))
    }

    fn server_timeout(&self) -> Millis {
        let usual = if self.setup.is_known { SERVER_TIMEOUT } else { STRANGER_TIMEOUT };
        self.prompt.limits.server_timeout.map_or(usual, millis)
    }

    fn start_timeout(&self) -> Millis {
        self.prompt.limits.start_timeout.map_or(START_TIMEOUT, millis)
    }
}
