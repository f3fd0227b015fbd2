//! [`Inquiries`]: permissions and questions of the run and of its subagents, answered once, by somebody.

mod answering;
mod records;

use crate::base::error::{Error, Result};
use crate::protocol::id;
use crate::protocol::permission::{Decision, PermissionPolicy, PermissionReply, QuestionPolicy};
use crate::run::clock::Millis;
use crate::run::reply::DecisionRecord;
use crate::run::update::Update;
use crate::run::wire::{
    DirectorySnapshot, Info, Inquiry, Request, Response, is_absent, is_foreign,
};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// What a rejected tool tells the model, so that it goes on and says what it could not do.
const REJECTION: &str =
    "Nobody is here to allow this. Go on without it, and say what you could not do.";
/// The pause before an answer that the server does not take is given again.
const REFUSED_PAUSE: Millis = 2_000;
/// A rejection that fails this often is given the other way: a server may know only that one.
const OTHER_WAY_AFTER: u32 = 4;
/// After an answer the session is looked at within this time.
const LOOK_AFTER: Millis = 1_000;

/// The reply to what is not there any more, when nobody told what it was.
const GONE: &str = "gone";
/// Who rejects what was open when the run was ended; the record calls it a policy.
const END: &str = "end";

/// What is asked of the host or of its policies.
pub(super) struct Inquiries {
    permission: PermissionPolicy,
    question: QuestionPolicy,
    open: BTreeMap<String, Open>,
    /// Those of the session that are asked by a message that is not known yet.
    unclaimed: Vec<Unclaimed>,
    /// Those that were open before the send, where that was looked at: somebody else's.
    stale: Option<HashSet<String>>,
    handled: HashSet<String>,
    decisions: Vec<DecisionRecord>,
    /// Why only events tell of them.
    unlisted: Option<Error>,
}

/// One of the session that may be somebody else's.
#[derive(Debug)]
struct Unclaimed {
    inquiry: Arc<Inquiry>,
    /// It was not open before the send.
    is_new: bool,
}

/// One that is open.
#[derive(Debug)]
struct Open {
    inquiry: Arc<Inquiry>,
    /// Handed to the host and not answered by it yet.
    waits_for_host: bool,
    /// What is answered, kept until the server has it.
    verdict: Option<Verdict>,
    /// The answer's word, for the record.
    reply: String,
    by: &'static str,
    /// When it was last known to be open, or an answer to it failed.
    seen: Millis,
    /// How often the answer did not get through, and when it is given again.
    failures: u32,
    retry_at: Option<Millis>,
    /// The answer may be there although the server did not say so.
    may_be_there: bool,
    /// Since when its answer is refused, and how.
    refusal: Option<(Millis, Error)>,
}

/// What is answered.
#[derive(Debug, Clone)]
pub(super) enum Verdict {
    Permission(PermissionReply, Option<String>),
    Answers(Option<Vec<Vec<String>>>),
}

/// What it is told.
pub(super) enum InquiriesInput<'a> {
    /// The directory was looked at before the send.
    Before(&'a DirectorySnapshot),
    Asked(Arc<Inquiry>),
    /// Somebody answered one, with this word.
    Answered {
        id: &'a str,
        reply: &'a str,
    },
    /// The directory was looked at.
    Snapshot(&'a DirectorySnapshot),
    /// More answers of the run are known, or it was sent.
    Known,
    /// The host's answer.
    Host {
        id: &'a str,
        verdict: Verdict,
    },
    /// What the server said to an answer.
    Replied {
        id: &'a str,
        result: Result<Response>,
    },
    Time,
    /// The abort that ends the run was answered.
    Aborted,
    /// The run is over.
    End,
}

/// What the run is at that moment.
pub(super) struct InquiriesContext<'a> {
    pub now: Millis,
    pub directory: Option<&'a String>,
    pub session: Option<&'a str>,
    /// The sessions of its subagents.
    pub children: &'a [String],
    /// Its answers.
    pub answers: &'a [Info],
    /// Whether the server may have the prompt.
    pub may_be_sent: bool,
    /// Whether the run is being ended from this side, and whether an abort was answered.
    pub is_cancelled: bool,
    pub is_aborted: bool,
    /// Whether the server has the prompt.
    pub is_running: bool,
    /// How long an answer may be refused.
    pub patience: Millis,
}

/// What it wants.
pub(super) enum InquiriesEffect {
    /// The answer to the inquiry with this id.
    Ask(String, Request),
    Tell(Update),
    Warn(String),
    /// The messages say whose an inquiry is.
    WantMessages,
    /// The lists could not be read.
    WantLists,
    /// A look within this time.
    LookWithin(Millis),
    /// The server answered as it should.
    Reachable,
    /// An answer is refused for too long: the agent waits for it, and nothing will come.
    Refused(Error),
}

impl Inquiries {
    pub(super) fn new(permission: PermissionPolicy, question: QuestionPolicy) -> Self {
        Inquiries {
            permission,
            question,
            open: BTreeMap::new(),
            unclaimed: Vec::new(),
            stale: None,
            handled: HashSet::new(),
            decisions: Vec::new(),
            unlisted: None,
        }
    }

    pub(super) fn step(
        &mut self,
        input: InquiriesInput<'_>,
        context: &InquiriesContext<'_>,
    ) -> Vec<InquiriesEffect> {
        let mut out = Vec::new();
        match input {
            InquiriesInput::Before(snapshot) => {
                let is_own = |i: &&Arc<Inquiry>| context.session == Some(&*i.session_id);
                let listed = snapshot.inquiries.iter().filter(is_own);
                if snapshot.has_permissions && snapshot.has_questions {
                    let stale = self.stale.get_or_insert_default();
                    stale.extend(listed.map(|inquiry| inquiry.id.clone()));
                }
            }
            // Events come as things happen.
            InquiriesInput::Asked(inquiry) => self.asked(inquiry, true, context, &mut out),
            InquiriesInput::Answered { id, reply } => self.closed(id, reply, &mut out),
            InquiriesInput::Snapshot(snapshot) => self.review(snapshot, context, &mut out),
            InquiriesInput::Known => self.adopt_unclaimed(context, &mut out),
            InquiriesInput::Host { id, verdict } => {
                let is_question = matches!(verdict, Verdict::Answers(_));
                if self.is_for_host(id, is_question) {
                    self.answer(id, verdict, context, &mut out);
                }
            }
            InquiriesInput::Replied { id, result } => self.replied(id, result, context, &mut out),
            InquiriesInput::Time => self.repeat(context, &mut out),
            InquiriesInput::Aborted => self.reject_open(context, &mut out),
            InquiriesInput::End => self.record_rest(&mut out),
        }
        out
    }

    /// When it wants to be told the time.
    pub(super) fn wake_at(&self) -> Option<Millis> {
        self.open.values().filter_map(|open| open.retry_at).min()
    }

    pub(super) fn waits_for_host(&self) -> bool {
        self.open.values().any(|open| open.waits_for_host)
    }

    /// Whether there are some whose message is not known.
    pub(super) fn has_unclaimed(&self) -> bool {
        !self.unclaimed.is_empty()
    }

    pub(super) fn decisions(&self) -> &[DecisionRecord] {
        &self.decisions
    }

    /// Whether something was rejected in this session.
    pub(super) fn has_rejected(&self, session: &str) -> bool {
        self.decisions.iter().any(|d| d.reply == "reject" && d.session_id == session)
    }

    /// The uses of tools that wait for a permission: they never began.
    pub(super) fn waiting_calls(&self) -> Vec<String> {
        let waits = |open: &&Open| !open.inquiry.is_question && open.verdict.is_none();
        self.open.values().filter(waits).filter_map(|open| open.inquiry.call.clone()).collect()
    }

    /// Whether the server has not confirmed yet that what was open at the end is rejected.
    pub(super) fn is_rejecting(&self) -> bool {
        self.open.values().any(|open| open.by == END)
    }

    /// What the host is waited for, or the server.
    pub(super) fn reason(&self) -> Option<String> {
        let refused = |open: &Open| Some((name(&open.inquiry), open.refusal.as_ref()?.1.clone()));
        if let Some((name, error)) = self.open.values().find_map(refused) {
            return Some(format!("giving the answer to {name} again: {error}"));
        }
        let open = self.open.values().find(|open| open.waits_for_host)?;
        let Inquiry { id, permission, patterns, is_question, .. } = &*open.inquiry;
        Some(if *is_question {
            format!("waiting for an answer to question {id}")
        } else {
            format!("waiting for permission {id}: {permission} {}", patterns.join(", "))
        })
    }

    /// Why only events tell of them.
    pub(super) fn unlisted(&self) -> Option<&Error> {
        self.unlisted.as_ref()
    }

    /// Compares what is listed with what is known.
    fn review(
        &mut self,
        snapshot: &DirectorySnapshot,
        context: &InquiriesContext<'_>,
        out: &mut Vec<InquiriesEffect>,
    ) {
        if snapshot.refused.is_some() {
            // Perhaps they can be read the next time.
            out.push(InquiriesEffect::WantLists);
            self.unlisted.clone_from(&snapshot.refused);
        } else if snapshot.has_permissions && snapshot.has_questions {
            self.unlisted = None;
        }
        if !context.is_running {
            return;
        }
        let mut listed = HashSet::new();
        for inquiry in &snapshot.inquiries {
            if context.is_own(&inquiry.session_id) || context.children.contains(&inquiry.session_id)
            {
                listed.insert(inquiry.id.as_str());
                self.asked(Arc::clone(inquiry), self.stale.is_some(), context, out);
            }
        }
        // What is no longer listed was answered by somebody else, or went away with its session.
        let gone = |(id, open): (&String, &Open)| {
            let is_read = match open.inquiry.is_question {
                true => snapshot.has_questions,
                false => snapshot.has_permissions,
            };
            (is_read
                && (open.waits_for_host || open.retry_at.is_some())
                && !listed.contains(id.as_str())
                && open.seen < snapshot.started)
                .then(|| id.clone())
        };
        let gone: Vec<String> = self.open.iter().filter_map(gone).collect();
        for id in gone {
            match self.open.get(&id).is_some_and(|open| open.waits_for_host) {
                true => self.closed(&id, GONE, out),
                // The answer that seemed to fail had arrived, or somebody else's had.
                false => self.was_gone(&id, out),
            }
        }
    }

    /// One is open. `is_new`: it was not open before the send.
    fn asked(
        &mut self,
        inquiry: Arc<Inquiry>,
        is_new: bool,
        context: &InquiriesContext<'_>,
        out: &mut Vec<InquiriesEffect>,
    ) {
        if !context.may_be_sent
            || self.open.contains_key(&inquiry.id)
            || self.handled.contains(&inquiry.id)
            || self.stale.as_ref().is_some_and(|stale| stale.contains(&inquiry.id))
        {
            return;
        }
        if !context.belongs_to_run(&inquiry, is_new) {
            if self.unclaimed.iter().any(|known| known.inquiry.id == inquiry.id) {
                return;
            }
            self.unclaimed.push(Unclaimed { inquiry, is_new });
            if context.is_running {
                // Events were missed, or it is somebody else's: the messages will tell.
                out.push(InquiriesEffect::WantMessages);
            }
            return;
        }
        let verdict = match context.is_cancelled {
            true => None,
            false => self.by_policy(&inquiry, out),
        };
        let id = inquiry.id.clone();
        self.open.insert(
            id.clone(),
            Open {
                inquiry,
                waits_for_host: verdict.is_none(),
                verdict: None,
                reply: String::new(),
                by: "policy",
                seen: context.now,
                failures: 0,
                retry_at: None,
                may_be_there: false,
                refusal: None,
            },
        );
        match verdict {
            Some(verdict) => self.answer(&id, verdict, context, out),
            None if context.is_cancelled => self.reject_open(context, out),
            None => self.ask_host(&id, out),
        }
    }

    /// Rejects what nobody will answer any more, once the run is aborted: the abort alone leaves it in the server's
    /// list. Before it, a subagent that is rejected would hand the word back to an agent that goes on.
    fn reject_open(&mut self, context: &InquiriesContext<'_>, out: &mut Vec<InquiriesEffect>) {
        if !context.is_aborted {
            return;
        }
        let open = self.open.iter_mut().filter(|(_, open)| open.waits_for_host);
        let ids: Vec<_> = open
            .map(|(id, open)| {
                (open.waits_for_host, open.by) = (false, END);
                (id.clone(), open.inquiry.is_question)
            })
            .collect();
        for (id, is_question) in ids {
            let verdict = match is_question {
                true => Verdict::Answers(None),
                false => Verdict::Permission(PermissionReply::Reject, None),
            };
            self.answer(&id, verdict, context, out);
        }
    }

    /// What the policy says; `None` when the host is to be asked.
    fn by_policy(&self, inquiry: &Inquiry, out: &mut Vec<InquiriesEffect>) -> Option<Verdict> {
        if inquiry.is_question {
            return match self.question {
                QuestionPolicy::Ask => None,
                QuestionPolicy::Reject => Some(Verdict::Answers(None)),
                QuestionPolicy::First => {
                    let first = inquiry.options.iter().map(|labels| {
                        labels.first().map_or_else(Vec::new, |label| vec![label.clone()])
                    });
                    Some(Verdict::Answers(Some(first.collect())))
                }
            };
        }
        match self.permission.judge(&inquiry.permission, &inquiry.patterns) {
            (Decision::Ask, _) => None,
            (Decision::Reply(reply), rule) => {
                if reply == PermissionReply::Reject {
                    out.push(InquiriesEffect::Warn(refused(inquiry, rule)));
                }
                Some(Verdict::Permission(reply, None))
            }
        }
    }

    /// Looks again at what was asked by messages that were not known.
    fn adopt_unclaimed(&mut self, context: &InquiriesContext<'_>, out: &mut Vec<InquiriesEffect>) {
        if self.unclaimed.is_empty() {
            return;
        }
        let all = std::mem::take(&mut self.unclaimed);
        let is_mine = |one: &Unclaimed| context.belongs_to_run(&one.inquiry, one.is_new);
        let (mine, others) = all.into_iter().partition(is_mine);
        self.unclaimed = others;
        let mine: Vec<Unclaimed> = mine;
        for Unclaimed { inquiry, is_new } in mine {
            self.asked(inquiry, is_new, context, out);
        }
    }

    fn ask_host(&mut self, id: &str, out: &mut Vec<InquiriesEffect>) {
        let Some(open) = self.open.get(id) else { return };
        let (id, request) = (id.to_owned(), Arc::from(open.inquiry.raw.clone()));
        out.push(InquiriesEffect::Tell(match open.inquiry.is_question {
            true => Update::Question { id, request },
            false => Update::Permission { id, request },
        }));
    }

    /// Whether the host may answer this one now; it is not asked again.
    fn is_for_host(&mut self, id: &str, is_question: bool) -> bool {
        match self.open.get_mut(id) {
            Some(open) if open.waits_for_host && open.inquiry.is_question == is_question => {
                open.waits_for_host = false;
                open.by = "host";
                true
            }
            // It was answered already: by the host itself, by another client, or it went away.
            _ => false,
        }
    }
}

impl InquiriesContext<'_> {
    fn is_own(&self, session: &str) -> bool {
        self.session == Some(session)
    }

    /// Only a tool of this run asks for what belongs to it: a list keeps the inquiries of runs that were aborted. `is_new`:
    /// it was not open before the send.
    fn belongs_to_run(&self, inquiry: &Inquiry, is_new: bool) -> bool {
        let is_known = |message: &String| self.answers.iter().any(|info| info.id == *message);
        let is_own = match &inquiry.message_id {
            Some(message) => is_known(message),
            None => is_new || self.came_with_answers(inquiry),
        };
        self.is_running && (!self.is_own(&inquiry.session_id) || is_own)
    }

    /// Whether what names no message was asked after the first answer began, by the server's own clock.
    fn came_with_answers(&self, inquiry: &Inquiry) -> bool {
        self.answers.first().is_some_and(|first| !id::is_before(&inquiry.id, &first.id))
    }
}

/// What it is called in messages.
fn name(inquiry: &Inquiry) -> String {
    let kind = if inquiry.is_question { "question" } else { "permission" };
    format!("{kind} {}", inquiry.id)
}

/// What the log says of a permission that the policy rejects.
fn refused(inquiry: &Inquiry, rule: Option<usize>) -> String {
    let by = match rule {
        Some(rule) => format!("by rule {rule} of the policy"),
        None => "by the policy: no rule allows it".to_owned(),
    };
    let (permission, patterns) = (&inquiry.permission, inquiry.patterns.join(", "));
    format!("permission {permission} ({patterns}) is rejected {by}")
}
