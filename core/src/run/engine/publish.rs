//! What a step of a run brings its host: updates, the outcome, lines of the log.

use super::*;

pub(super) fn log(log: &Log, machine: &Machine, updates: &[Update]) {
    for update in updates {
        let (level, text) = match update {
            Update::Status { why } => (Level::Debug, why.clone()),
            Update::Retry { attempt, reason, .. } => {
                (Level::Warn, format!("the provider failed (retry {attempt}): {reason}"))
            }
            Update::Done(reply) => (Level::Info, format!("done in {} ms", reply.time.total_ms)),
            Update::Failed(error) => (Level::Error, format!("failed: {}: {error}", error.kind())),
            _ => continue,
        };
        log.write(level, || format!("run {}: {text}", name(machine)));
    }
}

/// What a run is called in the log: before it is sent it has no message.
pub(super) fn name(machine: &Machine) -> String {
    match (machine.message_id(), machine.session()) {
        ("", Some(session)) => format!("to {session}"),
        ("", None) => "in a new session".to_owned(),
        (message, _) => message.to_owned(),
    }
}

/// What a run fails with when its client is closed: was its prompt sent?
pub(super) fn closed_at(machine: &Machine) -> Error {
    let text = if machine.is_sent() {
        return closed("run").with_sent(true);
    } else if machine.may_be_sent() {
        "run: the client was closed while the prompt was being sent: it may have arrived; look before you send it again"
    } else {
        "run: the client was closed before the prompt was sent; send it again with a new client"
    };
    Error::new(ErrorKind::Closed, text).with_operation("run").with_sent(machine.may_be_sent())
}

/// Ends a run on this side.
pub(super) fn end(slot: &mut RunSlot, error: Error) {
    let reply = Arc::new(caught(|| slot.machine.partial_reply()).unwrap_or_default());
    let outcome = Outcome { reply, error: Some(error.clone()) };
    publish(slot, vec![Update::Failed(error)], Some(outcome));
}

/// Shows the host what a step brought.
pub(super) fn publish(slot: &mut RunSlot, updates: Vec<Update>, outcome: Option<Outcome>) {
    let machine = &slot.machine;
    let mut jobs = Vec::new();
    slot.state.write(|inner| {
        for update in &updates {
            if let Update::Text(text) = update {
                if text.replaces {
                    inner.text.clear();
                }
                inner.text.push_str(&text.delta);
            }
        }
        if inner.message_id.is_empty() {
            machine.message_id().clone_into(&mut inner.message_id);
        }
        inner.session = machine.session().map(str::to_owned).or(inner.session.take());
        // What is over is not moving any more, for whatever reason.
        let why = if outcome.is_some() { "" } else { machine.why() };
        if inner.why != why {
            why.clone_into(&mut inner.why);
        }
        inner.is_sent |= machine.is_sent();
        let state = match &outcome {
            Some(Outcome { error: None, .. }) => State::Done,
            Some(_) => State::Failed,
            None if machine.waits_for_host() => State::Waiting,
            None => State::Pending,
        };
        if outcome.is_some() {
            inner.outcome = outcome;
        }
        if inner.is_sent || inner.outcome.is_some() {
            jobs = std::mem::take(&mut inner.when_sent);
        }
        (state, updates)
    });
    // They look at the state themselves.
    jobs.into_iter().for_each(|job| job());
}
