//! [`Looking`]: a run that was sent is watched. Events carry its text and wake it up; the server's state decides.

mod absorb;
mod family;
mod look;
mod tell;

use super::{Lists, Millis, Outage, RequestKind};
use crate::base::error::{Error, Result};
use crate::protocol::tokens::Tokens;
use crate::run::prompt::RunLimits;
use crate::run::transcript::{Channel, Transcript};
use crate::run::update::Update;
use crate::run::wire::{
    DirectorySnapshot, Fact, Failure, Info, Request, Response, Status, StoredMessage, ToolUse,
};
use look::OngoingLook;
use serde_json::value::RawValue;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tell::ToldTool;

/// The tool whose message names the session of its subagent when it is over, and not before.
const NAMELESS_TOOL: &str = "subagent";
/// The pause before the first look at a run of which events tell nothing.
const FIRST_PAUSE: Millis = 100;

/// What is known of the run's session, its messages and its subagents.
pub(super) struct Looking {
    limits: RunLimits,
    /// Whether the run's own prompt was seen to be stored.
    is_stored: bool,
    /// User messages whose answers belong to this run: its own, and those that a compaction inserts.
    own_prompts: HashSet<String>,
    /// User messages of others that came later, and when.
    foreign_prompts: HashMap<String, f64>,
    /// User messages that were looked up because the events spoke of an answer to them.
    looked_up: HashSet<String>,
    /// Those of others that were answered, in the order of the answers.
    answered_foreign: Vec<String>,
    /// The newest answer in the session is to a prompt of somebody else that came later.
    works_for_others: bool,
    answers: Vec<Info>,
    messages: Vec<StoredMessage>,
    transcript: Transcript,
    first_token: Option<Millis>,
    /// The sessions of subagents, and what they cost.
    children: Vec<String>,
    child_usage: HashMap<String, (f64, Tokens)>,
    child_answers: HashMap<String, HashMap<String, Info>>,
    status: Option<Status>,
    /// The retry of the provider that was told last: looks find it again and again.
    told_retry: Option<Status>,
    /// The server was seen to work since the prompt was sent.
    was_busy: bool,
    outage: Outage,
    busy_tool: Option<String>,
    /// By tool part.
    told_tools: HashMap<String, ToldTool>,
    /// What was told of the agent's list, and of the files that were changed.
    todos: Option<String>,
    files: Option<Arc<RawValue>>,
    /// The look that is under way.
    check: Option<OngoingLook>,
    check_again: bool,
    /// The next look reads the messages and the lists of inquiries, whatever the events tell.
    needs_messages: bool,
    needs_lists: bool,
    next_check: Millis,
    /// The pause between looks while there are no events.
    interval: Millis,
    /// The number of the collection, the pages that were read for it, and what they held.
    collection: u32,
    pages: u32,
    collected: Vec<StoredMessage>,
    /// Whether messages are read one by one.
    reads_singly: bool,
}

/// What it is told.
pub(super) enum LookingInput<'a> {
    /// The prompt is sent with this message.
    Sending {
        message: &'a str,
    },
    /// The server has it; whether its message was seen, and whether all that came before is to be read.
    Accepted {
        is_stored: bool,
        reads_all: bool,
    },
    /// What happened to the run's own session, or to that of a subagent.
    Fact(Fact),
    ChildFact {
        session: &'a str,
        fact: Fact,
    },
    /// A session is a subagent's.
    Subagent {
        session: &'a str,
        parent: &'a str,
    },
    /// A subagent of a subagent, of which perhaps no event told.
    Descendant {
        session: &'a str,
        parent: &'a str,
    },
    /// The event stream came or went.
    Stream,
    /// The server may have been away.
    Outage,
    /// The event stream tells everything from now on.
    Settled,
    Snapshot(&'a DirectorySnapshot),
    /// What another run's look has seen.
    Seen(&'a DirectorySnapshot),
    SnapshotFailed(Error),
    Messages {
        collection: u32,
        result: Result<Response>,
    },
    /// A look now, or again when one is under way.
    Look,
    /// One that reads the messages, or the lists of inquiries.
    WantMessages,
    WantLists,
    /// What the look found was judged.
    EndLook,
    LookWithin(Millis),
    LookAt(Millis),
    /// The outcome is known: no more looks.
    Stop,
    /// What a subagent cost.
    ChildUsage {
        session: String,
        cost: f64,
        tokens: Tokens,
    },
    /// The changed files.
    Files(&'a Arc<RawValue>),
    Time,
}

/// What the run is at that moment.
pub(super) struct LookingContext<'a> {
    pub now: Millis,
    pub session: &'a str,
    pub message_id: &'a str,
    /// The newest message before the send.
    pub last_before_send: Option<&'a String>,
    pub is_stream_up: bool,
    /// Whether the server may have the prompt, has it, and whether the run goes on with it.
    pub may_be_sent: bool,
    pub is_sent: bool,
    pub is_running: bool,
    /// Whether the run is being ended from this side.
    pub is_cancelled: bool,
    /// Whether there are inquiries whose message is not known.
    pub has_unclaimed: bool,
}

/// What it wants.
pub(super) enum LookingEffect {
    Ask(RequestKind, Request),
    TakeSnapshot {
        lists: Lists,
    },
    Track(String),
    Tell(Update),
    /// What could not be read.
    Note(Vec<String>),
    /// An answer more is known.
    Known,
    /// The session works, or something of the run began or ended.
    Worked,
    /// A limit of the run was passed: its name, and in words.
    Limit(&'static str, String),
    /// A tool of a subagent, while the run is being ended.
    ChildTool(Box<ToolUse>),
    /// The subagents that work, while the run is being ended.
    BusyChildren(Vec<String>),
    /// The session rests, and its messages are known back to the run's own prompt.
    Rest,
    /// The session works; whether for somebody else.
    Busy {
        for_others: bool,
    },
    /// The session came to rest without an answer to the run, and with this outcome.
    RestedWith(Failure),
    /// Something came from the server.
    Heard,
    /// It answered as it should.
    Reachable,
    Unreachable(Error),
    Over(Error),
}

impl Looking {
    pub(super) fn new(limits: RunLimits, given: Option<&String>, now: Millis) -> Self {
        Looking {
            limits,
            is_stored: false,
            own_prompts: given.cloned().into_iter().collect(),
            foreign_prompts: HashMap::new(),
            looked_up: HashSet::new(),
            answered_foreign: Vec::new(),
            works_for_others: false,
            answers: Vec::new(),
            messages: Vec::new(),
            transcript: Transcript::default(),
            first_token: None,
            children: Vec::new(),
            child_usage: HashMap::new(),
            child_answers: HashMap::new(),
            status: None,
            told_retry: None,
            was_busy: false,
            outage: Outage::None,
            busy_tool: None,
            told_tools: HashMap::new(),
            todos: None,
            files: None,
            check: None,
            check_again: false,
            needs_messages: false,
            needs_lists: false,
            next_check: now,
            interval: FIRST_PAUSE,
            collection: 0,
            pages: 0,
            collected: Vec::new(),
            reads_singly: false,
        }
    }

    pub(super) fn step(
        &mut self,
        input: LookingInput<'_>,
        context: &LookingContext<'_>,
    ) -> Vec<LookingEffect> {
        let mut out = Vec::new();
        match input {
            LookingInput::Sending { message } => {
                self.outage = Outage::None;
                self.own_prompts.insert(message.to_owned());
            }
            LookingInput::Accepted { is_stored, reads_all } => {
                self.accepted(is_stored, reads_all, context, &mut out);
            }
            LookingInput::Fact(fact) => self.on_fact(fact, context, &mut out),
            LookingInput::ChildFact { session, fact } => {
                self.on_child_fact(session, fact, context, &mut out);
            }
            LookingInput::Subagent { session, parent } => {
                if context.is_sent && (context.session == parent || self.is_child(parent)) {
                    self.adopt(session, context, &mut out);
                }
            }
            // The run's own tools tell of its own: the session may have others, of runs before. On 2.x one that is at
            // work does not say yet which it is.
            LookingInput::Descendant { session, parent } => {
                let may_be_own = parent == context.session
                    && self.busy_tool.as_deref() == Some(NAMELESS_TOOL)
                    && context.is_running;
                if self.is_child(parent) || may_be_own {
                    self.add_child(session, context, &mut out);
                }
            }
            LookingInput::Stream => {
                // Whatever came in between is lost: growing parts wait until they are whole.
                self.transcript.mark_gap();
                self.note_outage(!context.is_stream_up, context);
                self.look_if_running(context, &mut out);
            }
            LookingInput::Outage => self.note_outage(true, context),
            LookingInput::Settled => {
                // Between the connection and now events may have been missed: of messages, and of what was asked.
                (self.needs_messages, self.needs_lists) = (true, true);
                self.look_if_running(context, &mut out);
            }
            LookingInput::Snapshot(snapshot) => self.on_snapshot(snapshot, context, &mut out),
            LookingInput::Seen(snapshot) => self.on_seen(snapshot, context, &mut out),
            LookingInput::SnapshotFailed(error) => self.check_failed(error, &mut out),
            LookingInput::Messages { collection, result } => {
                self.on_messages(collection, result, context, &mut out);
            }
            LookingInput::Look => self.look(context, &mut out),
            LookingInput::WantMessages => self.want_messages(context, &mut out),
            LookingInput::WantLists => self.needs_lists = true,
            LookingInput::EndLook => self.end_check(context, &mut out),
            LookingInput::LookWithin(time) => self.look_within(time, context),
            LookingInput::LookAt(at) => self.next_check = at,
            LookingInput::Stop => self.check = None,
            LookingInput::ChildUsage { session, cost, tokens } => {
                self.child_usage.insert(session, (cost, tokens));
            }
            LookingInput::Files(raw) => self.tell_files(raw, &mut out),
            LookingInput::Time if self.wake_at().is_some_and(|at| context.now >= at) => {
                self.look_if_running(context, &mut out);
            }
            LookingInput::Time => {}
        }
        out
    }

    /// When it wants to be told the time, of a run that goes on.
    pub(super) fn wake_at(&self) -> Option<Millis> {
        self.check.is_none().then_some(self.next_check)
    }

    /// Since when a look is under way.
    pub(super) fn looks_since(&self) -> Option<Millis> {
        self.check.map(|check| check.started())
    }

    /// The run's answers, the oldest first.
    pub(super) fn answers(&self) -> &[Info] {
        &self.answers
    }

    /// Its messages, as they were read last.
    pub(super) fn messages(&self) -> &[StoredMessage] {
        &self.messages
    }

    pub(super) fn children(&self) -> &[String] {
        &self.children
    }

    pub(super) fn is_child(&self, session: &str) -> bool {
        self.children.iter().any(|child| child == session)
    }

    pub(super) fn status(&self) -> Option<&Status> {
        self.status.as_ref()
    }

    pub(super) fn busy_tool(&self) -> Option<&String> {
        self.busy_tool.as_ref()
    }

    pub(super) fn text(&self, channel: Channel) -> String {
        self.transcript.text(channel)
    }

    /// When the first text came.
    pub(super) fn first_token(&self) -> Option<Millis> {
        self.first_token
    }

    pub(super) fn is_stored(&self) -> bool {
        self.is_stored
    }

    pub(super) fn was_busy(&self) -> bool {
        self.was_busy
    }

    pub(super) fn outage(&self) -> Outage {
        self.outage
    }

    /// The prompts of others that were answered, each with the time at which it came.
    pub(super) fn answered_foreign(&self) -> impl Iterator<Item = (&str, f64)> {
        let came = |id: &String| self.foreign_prompts.get(id).copied().unwrap_or(f64::MAX);
        self.answered_foreign.iter().map(move |id| (id.as_str(), came(id)))
    }

    /// Cost and tokens so far, those of subagents included.
    pub(super) fn usage(&self) -> (f64, Tokens) {
        let mut cost = 0.0;
        let mut tokens = Tokens::default();
        let mut add = |c: f64, t: &Tokens| {
            cost += c;
            tokens.add(t);
        };
        for info in &self.answers {
            add(info.cost, &info.tokens);
        }
        for child in &self.children {
            match (self.child_usage.get(child), self.child_answers.get(child)) {
                (Some((cost, tokens)), _) => add(*cost, tokens),
                (None, Some(answers)) => {
                    answers.values().for_each(|info| add(info.cost, &info.tokens));
                }
                (None, None) => {}
            }
        }
        (cost, tokens)
    }

    /// The server has the prompt.
    fn accepted(
        &mut self,
        is_stored: bool,
        reads_all: bool,
        context: &LookingContext<'_>,
        out: &mut Vec<LookingEffect>,
    ) {
        if is_stored {
            self.is_stored = true;
            if self.outage == Outage::Seen {
                self.outage = Outage::Survived;
            }
        }
        self.interval = FIRST_PAUSE;
        if !self.was_busy {
            self.status = None;
        }
        if reads_all {
            // What it did and asked before is in no event.
            (self.needs_messages, self.needs_lists) = (true, true);
        }
        self.needs_messages |= context.has_unclaimed;
        let is_ahead = !self.answers.is_empty() || context.has_unclaimed;
        if is_ahead || context.is_cancelled || reads_all {
            self.look(context, out);
        } else {
            self.plan_check(context);
        }
    }

    /// The server may have ended since it took the prompt.
    fn note_outage(&mut self, was_away: bool, context: &LookingContext<'_>) {
        if was_away && context.is_running {
            self.outage = Outage::Seen;
        }
    }

    fn on_fact(&mut self, fact: Fact, context: &LookingContext<'_>, out: &mut Vec<LookingEffect>) {
        match fact {
            Fact::Status(Status::Idle | Status::Unreadable) => self.look_if_running(context, out),
            Fact::Status(status) if context.may_be_sent => {
                // Before the prompt is stored it may be told of the one before.
                self.was_busy |= self.is_stored;
                self.set_status(status, out);
            }
            Fact::PromptStored { id } => self.is_stored |= id == context.message_id,
            Fact::AnswerChanged(info, raw) => self.on_answer(*info, raw, context, out),
            Fact::PartChanged(part) if self.is_answer(&part.message_id) => {
                self.absorb_part(*part, false, true, context, out);
            }
            Fact::TextDelta { message_id, part_id, order, delta }
                if self.is_answer(&message_id) =>
            {
                let mut pieces = Vec::new();
                self.transcript.delta(&part_id, &order, delta, &mut pieces);
                self.show(pieces, context.now, out);
            }
            Fact::PartRemoved(part) => {
                let mut pieces = Vec::new();
                self.transcript.remove(&part, &mut pieces);
                self.show(pieces, context.now, out);
            }
            Fact::Todos(raw) if context.is_running => self.tell_todos(raw, out),
            Fact::FilesChanged(raw) if context.is_running => self.tell_files(&raw, out),
            _ => {}
        }
    }

    fn is_answer(&self, message: &str) -> bool {
        self.answers.iter().any(|info| info.id == message)
    }
}
