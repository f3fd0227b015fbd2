//! Scenes: exact orders of inputs that a run has to get right, told one by one. What chance finds is in `simulation`.

mod cancelling;
mod creating;
mod foreign;
mod opening;
mod reaching;
mod scene;
mod sending;
mod slowness;
mod stops;
mod summaries;

use super::ending::SETTLE_LIMIT;
use super::*;
use crate::http::answer::Answer;
use crate::protocol::event::Event;
use crate::protocol::permission::{Decision, PermissionPolicy, PermissionReply, QuestionPolicy};
use crate::run::wire::{Meaning, Memory, OperationCall, Wire, read_inquiry};
use scene::Scene;
use serde_json::{Value, json};
use ureq::http::{HeaderMap, HeaderValue};

const MINE: &str = "ses_1";
const WIRE: Wire = Wire::One;

fn setup() -> Setup {
    Setup {
        prompt: Prompt { session: Some(MINE.to_owned()), ..Prompt::new("hi") },
        permission: PermissionPolicy::default(),
        question: QuestionPolicy::default(),
        directory: Some("/p".to_owned()),
        events: true,
        has_tools: false,
        is_known: true,
        aim: Aim::Prompt,
    }
}

fn ask() -> Setup {
    Setup { permission: PermissionPolicy::always(Decision::Ask), ..setup() }
}

fn message(id: &str, role: &str, parent: Option<&str>) -> Value {
    let mut info = json!({ "id": id, "role": role, "sessionID": MINE, "time": { "created": 1 } });
    if let Some(parent) = parent {
        info["parentID"] = parent.into();
    }
    let part = json!({ "id": format!("prt_{id}"), "messageID": id, "type": "text", "text": id });
    json!({ "info": info, "parts": [part] })
}

fn permission(id: &str, session: &str, message: &str) -> Value {
    json!({
        "id": id, "sessionID": session, "permission": "bash", "patterns": ["ls"],
        "metadata": {}, "always": [], "tool": { "messageID": message, "callID": "c" },
    })
}

/// What the server itself says.
fn status(status: u16, kind: ErrorKind) -> Error {
    let code = match status {
        400 => Some("BadRequest"),
        404 => Some("NotFoundError"),
        _ => None,
    };
    foreign(status, kind).with_code(code.map(str::to_owned))
}

/// What something before the server says.
fn foreign(status: u16, kind: ErrorKind) -> Error {
    Error::new(kind, "no").with_status(status).with_sent(true)
}

fn broken() -> Error {
    Error::new(ErrorKind::Connection, "the connection broke").with_sent(true)
}

#[test]
fn a_prompt_that_never_arrives_says_how_often_it_was_sent() {
    let mut scene = Scene::sending(setup());
    let (mut tries, mut sends) = (0, 0);
    while scene.outcome.is_none() {
        if scene.wants("session.prompt_async") {
            // Where nobody listens, nothing is sent.
            let nobody = Error::new(ErrorKind::Connection, "no server listens");
            let is_sent = tries % 3 == 0;
            scene.fails("session.prompt_async", if is_sent { broken() } else { nobody });
            (tries, sends) = (tries + 1, sends + u32::from(is_sent));
        }
        if scene.wants("session.message") {
            scene.fails("session.message", status(404, ErrorKind::NotFound));
        }
        scene.wait(100);
    }
    let error = scene.error().unwrap();
    assert!(sends > 1 && error.message().contains(&format!("sent {sends} times")), "{error}");
}

#[test]
fn a_database_that_was_locked_may_be_free_a_moment_later() {
    for (words, is_retryable) in [("Failed to execute statement", true), ("a bug", false)] {
        let mut scene = Scene::sending(setup());
        scene.ok("session.prompt_async", Value::Null);
        let user = scene.user();
        scene.event("message.updated", json!({ "info": user["info"] }));
        let error = json!({ "error": { "name": "UnknownError", "data": { "message": words } } });
        scene.event("session.error", error);
        while scene.outcome.is_none() {
            if scene.snapshots > 0 {
                scene.snapshot(&[], &[]);
                scene.ok("session.messages", json!([user]));
            }
            scene.wait(100);
        }
        let error = scene.error().unwrap();
        assert_eq!(error.is_retryable(), is_retryable, "{error}");
    }
}

#[test]
fn a_permission_whose_message_was_never_heard_of_is_answered() {
    let mut scene = Scene::running(setup());
    scene.wait(10_000);
    scene.snapshot(&[MINE], &[permission("per_1", MINE, "msg_a")]);
    let (user, answer) = (scene.user(), scene.answer("msg_a", None));
    scene.ok("session.messages", json!([user, answer]));
    assert_eq!(scene.take("permission.reply").1["requestID"], "per_1");
}

#[test]
fn a_permission_that_was_open_before_a_run_is_picked_up_is_answered() {
    let mut scene = Scene::resumed(setup());
    let user = scene.user();
    scene.ok("session.message", user.clone());
    scene.snapshot(&[MINE], &[permission("per_1", MINE, "msg_a")]);
    let answer = scene.answer("msg_a", None);
    scene.ok("session.messages", json!([user, answer]));
    assert!(scene.wants("permission.reply"));
}

#[test]
fn a_permission_after_a_compaction_is_answered() {
    let mut scene = Scene::running(setup());
    let mut go_on = message("msg_go", "user", None);
    go_on["parts"][0]["synthetic"] = true.into();
    let mut compaction = message("msg_compact", "user", None);
    compaction["parts"][0] = json!({ "type": "compaction", "auto": true, "id": "p" });
    let answers = [
        message("msg_summary", "assistant", Some("msg_compact")),
        go_on,
        message("msg_late", "assistant", Some("msg_go")),
    ];
    scene.event("message.updated", json!({ "info": answers[2]["info"] }));
    scene.event("permission.asked", permission("per_1", MINE, "msg_late"));
    scene.snapshot(&[MINE], &[]);
    // The newest messages do not reach back to the run's own prompt.
    scene.page("session.messages", json!(answers), Some("more"));
    let own = [scene.user(), scene.answer("msg_a", Some("tool-calls")), compaction];
    assert_eq!(scene.ok("session.messages", json!(own))["before"], "more");
    assert!(scene.wants("permission.reply"), "{}", scene.machine.why());
}

#[test]
fn a_list_whose_cursor_stays_where_it_is_ends_there() {
    let mut scene = Scene::running(setup());
    scene.event("session.idle", json!({}));
    scene.snapshot(&[], &[]);
    let answers = json!([scene.answer("msg_a", Some("stop"))]);
    scene.page("session.messages", answers.clone(), Some("stays"));
    assert_eq!(scene.page("session.messages", answers, Some("stays"))["before"], "stays");
    assert!(!scene.wants("session.messages"), "it would be asked for ever");
}

#[test]
fn a_permission_asked_before_the_send_was_confirmed_is_answered() {
    let mut scene = Scene::sending(setup());
    let (user, answer) = (scene.user(), scene.answer("msg_a", None));
    scene.event("message.updated", json!({ "info": user["info"] }));
    scene.event("message.updated", json!({ "info": answer["info"] }));
    scene.event("permission.asked", permission("per_1", MINE, "msg_a"));
    scene.ok("session.prompt_async", Value::Null);
    assert!(scene.wants("permission.reply"));
}

#[test]
fn a_permission_of_a_subagent_of_a_subagent_is_found_without_events() {
    let mut scene = Scene::running(Setup { events: false, ..setup() });
    let (user, mut answer) = (scene.user(), scene.answer("msg_a", None));
    answer["parts"] = json!([{
        "id": "prt_t", "messageID": "msg_a", "type": "tool", "tool": "task",
        "state": { "status": "running", "metadata": { "sessionId": "ses_child" } },
    }]);
    scene.wait(1_000);
    scene.snapshot(&[MINE], &[]);
    scene.ok("session.messages", json!([user, answer]));
    // One that was at work before it was heard of may have asked already.
    scene.snapshot(&[MINE], &[]);
    let (user, answer) = (scene.user(), scene.answer("msg_a", None));
    scene.ok("session.messages", json!([user, answer]));
    // Who is whose is asked by the engine.
    scene.input(Input::Child { session: "ses_stale", parent: MINE });
    assert_eq!(scene.snapshots, 0);
    scene.input(Input::Child { session: "ses_deep", parent: "ses_child" });
    scene.snapshot(&[MINE], &[permission("per_1", "ses_deep", "msg_x")]);
    assert!(scene.wants("permission.reply"));
}

/// A run whose policy is `ask`, with a permission open.
fn asking() -> Scene {
    let mut scene = Scene::running(ask());
    let answer = scene.answer("msg_a", None);
    scene.event("message.updated", json!({ "info": answer["info"] }));
    scene.event("permission.asked", permission("per_1", MINE, "msg_a"));
    assert!(scene.machine.waits_for_host());
    scene
}

fn host(reply: PermissionReply) -> Input<'static> {
    Input::Permission { id: "per_1".to_owned(), reply, message: None }
}

/// The server ends its work with this finish reason.
fn finish(scene: &mut Scene) {
    scene.event("session.idle", json!({}));
    scene.snapshot(&[], &[]);
    let (user, answer) = (scene.user(), scene.answer("msg_a", Some("stop")));
    scene.ok("session.messages", json!([user, answer]));
}

fn decision(scene: &Scene) -> (&str, &str) {
    let decisions = &scene.outcome.as_ref().expect("it is over").reply.decisions;
    assert_eq!(decisions.len(), 1, "{decisions:?}");
    (&decisions[0].reply, decisions[0].by)
}

#[test]
fn the_hosts_answer_is_given_again_when_it_was_lost() {
    let mut scene = asking();
    scene.input(host(PermissionReply::Once));
    scene.fails("permission.respond", broken());
    assert!(!scene.machine.waits_for_host(), "the host has said its word");
    scene.wait(2_000);
    // It had arrived the first time.
    scene.fails("permission.respond", status(404, ErrorKind::NotFound));
    finish(&mut scene);
    assert_eq!(decision(&scene), ("once", "host"));
}

#[test]
fn an_answer_to_the_hosts_answer_that_cannot_be_read_is_a_lost_one() {
    let mut scene = asking();
    scene.input(host(PermissionReply::Once));
    let page = Error::new(ErrorKind::Decode, "a web page").with_status(200).with_sent(true);
    scene.fails("permission.respond", page);
    assert!(!scene.machine.waits_for_host(), "the host has said its word");
    scene.wait(2_000);
    scene.fails("permission.respond", status(404, ErrorKind::NotFound));
    finish(&mut scene);
    assert_eq!(decision(&scene), ("once", "host"));
}

#[test]
fn an_answer_that_somebody_else_gave_before_is_not_the_hosts() {
    let mut scene = asking();
    scene.input(host(PermissionReply::Once));
    let replied = json!({ "requestID": "per_1", "reply": "reject" });
    scene.event("permission.replied", replied);
    scene.fails("permission.respond", status(404, ErrorKind::NotFound));
    finish(&mut scene);
    assert_eq!(decision(&scene), ("reject", "other"));
}

#[test]
fn an_answer_whose_echo_comes_first_is_the_hosts() {
    let mut scene = asking();
    scene.input(host(PermissionReply::Once));
    scene.event("permission.replied", json!({ "requestID": "per_1", "reply": "once" }));
    scene.ok("permission.respond", json!(true));
    finish(&mut scene);
    assert_eq!(decision(&scene), ("once", "host"));
}

#[test]
fn a_decision_that_is_on_its_way_at_the_end_is_in_the_reply() {
    let mut scene = asking();
    scene.input(host(PermissionReply::Once));
    finish(&mut scene);
    assert_eq!(decision(&scene), ("once", "host"));
}

#[test]
fn what_a_policy_rejects_is_logged_with_the_rule_that_decided() {
    let rule = |pattern: &str, reply: &str| json!({ "pattern": pattern, "reply": reply });
    let rules = json!([rule("*", "once"), rule("ls", "reject"), rule("cat", "once")]);
    for (policy, words) in [
        (rules, "permission bash (ls) is rejected by rule 2 of the policy"),
        (json!([rule("cat", "once")]), "permission bash (ls) is rejected by the policy: no rule"),
        (json!("once"), ""),
    ] {
        let permission = PermissionPolicy::from_value(&policy).unwrap();
        let mut scene = Scene::running(Setup { permission, ..setup() });
        let answer = scene.answer("msg_a", None);
        scene.event("message.updated", json!({ "info": answer["info"] }));
        scene.event("permission.asked", self::permission("per_1", MINE, "msg_a"));
        let is_told = scene.warnings.iter().any(|text| text.contains(words));
        assert_eq!(is_told, !words.is_empty(), "{:?}", scene.warnings);
    }
}

#[test]
fn an_answer_that_the_server_refuses_is_asked_for_again() {
    let mut scene = asking();
    scene.input(host(PermissionReply::Once));
    scene.fails("permission.respond", status(400, ErrorKind::BadRequest));
    assert!(scene.machine.waits_for_host());
    let asked = |update: &&Update| matches!(update, Update::Permission { .. });
    assert_eq!(scene.updates.iter().filter(asked).count(), 2, "the host hears of it");
}

#[test]
fn a_cancel_does_not_hit_a_prompt_that_is_not_answered_yet() {
    let mut scene = Scene::running(setup());
    scene.input(Input::Cancel);
    scene.snapshot(&[MINE], &[]);
    let mut later = message("msg_other", "user", None);
    later["info"]["time"]["created"] = 3.into();
    let messages = [scene.user(), scene.answer("msg_a", Some("stop")), later];
    scene.ok("session.messages", json!(messages));
    assert!(!scene.wants("session.abort"));
    assert_eq!(scene.error().unwrap().kind(), ErrorKind::Cancelled);
}

#[test]
fn an_error_of_the_prompt_before_is_not_this_ones() {
    let mut scene = Scene::sending(setup());
    let error = json!({ "error": { "name": "UnknownError", "data": { "message": "old" } } });
    scene.event("session.error", error);
    scene.ok("session.prompt_async", Value::Null);
    scene.wait(600);
    scene.snapshot(&[], &[]);
    let user = scene.user();
    scene.ok("session.messages", json!([user]));
    assert!(scene.outcome.is_none(), "the server has not begun yet");
    scene.event("session.status", json!({ "status": { "type": "busy" } }));
    let answer = scene.answer("msg_a", None);
    scene.event("message.updated", json!({ "info": answer["info"] }));
    finish(&mut scene);
    assert!(scene.error().is_none());
}

#[test]
fn an_error_of_this_prompt_ends_it_in_the_servers_words() {
    for is_stored in [true, false] {
        let mut scene = Scene::sending(setup());
        scene.ok("session.prompt_async", Value::Null);
        let user = scene.user();
        if is_stored {
            scene.event("message.updated", json!({ "info": user["info"] }));
        }
        let error = json!({ "error": { "name": "UnknownError", "data": { "message": "new" } } });
        scene.event("session.error", error);
        while scene.outcome.is_none() {
            assert!(scene.now < 3_000, "it takes too long");
            if scene.snapshots > 0 {
                scene.snapshot(&[], &[]);
                scene.ok("session.messages", json!([]));
            }
            scene.wait(100);
        }
        assert!(scene.error().unwrap().message().contains("new"));
    }
}

#[test]
fn a_session_that_is_deleted_while_the_reply_is_gathered_loses_no_answer() {
    let mut scene = Scene::running(setup());
    let mut answer = scene.answer("msg_a", Some("stop"));
    answer["parts"] = json!([{ "id": "p", "messageID": "msg_a", "type": "patch" }]);
    let user = scene.user();
    scene.event("session.idle", json!({}));
    scene.snapshot(&[], &[]);
    scene.ok("session.messages", json!([user, answer]));
    scene.event("session.deleted", json!({}));
    scene.fails("session.diff", status(404, ErrorKind::NotFound));
    assert!(scene.error().is_none());
}

#[test]
fn what_cannot_be_gathered_does_not_hold_the_answer() {
    let mut scene = Scene::running(setup());
    let mut answer = scene.answer("msg_a", Some("stop"));
    answer["parts"] = json!([{ "id": "p", "messageID": "msg_a", "type": "patch" }]);
    let user = scene.user();
    scene.event("session.idle", json!({}));
    scene.snapshot(&[], &[]);
    scene.ok("session.messages", json!([user, answer]));
    // The list of files never comes.
    while scene.outcome.is_none() {
        let at = scene.machine.wake_at().expect("it sleeps for ever");
        scene.now = scene.now.max(at);
        scene.input(Input::Time);
    }
    assert!(scene.error().is_none());
}

#[test]
fn a_late_look_before_the_send_is_not_taken_for_another() {
    let mut prompt = setup().prompt;
    prompt.model = Some(crate::protocol::model_name::Model {
        provider_id: "local".to_owned(),
        model_id: "test".to_owned(),
    });
    let mut scene = Scene::new(Setup { prompt, ..setup() });
    scene.input(Input::Stream(true));
    scene.ok("session.get", json!({ "id": MINE, "directory": "/p" }));
    // One look fails while the next one is under way.
    scene.input(Input::SnapshotFailed(&broken()));
    scene.snapshot(&[], &[]);
    scene.wait(300);
    if scene.snapshots > 0 {
        scene.snapshot(&[], &[]);
    }
    scene.ok("session.messages", json!([]));
    scene.ok("session.prompt_async", Value::Null);
    if scene.wants("session.messages") {
        scene.ok("session.messages", json!([]));
    }
    assert!(scene.outcome.is_none(), "{:?}", scene.outcome);
}

#[test]
fn a_run_that_is_picked_up_before_the_server_stored_it_is_found() {
    let mut scene = Scene::resumed(setup());
    scene.fails("session.message", status(404, ErrorKind::NotFound));
    scene.wait(1_000);
    let user = scene.user();
    scene.ok("session.message", user);
    assert!(scene.outcome.is_none());
}

#[test]
fn a_run_that_is_not_there_is_not_waited_for() {
    let mut scene = Scene::resumed(setup());
    while scene.outcome.is_none() {
        scene.fails("session.message", status(404, ErrorKind::NotFound));
        scene.wait(1_000);
    }
    assert_eq!(scene.error().unwrap().kind(), ErrorKind::NotFound);
    let mut scene = Scene::resumed(setup());
    let answer = message("msg_far", "assistant", Some("msg_x"));
    scene.ok("session.message", answer);
    assert!(scene.error().unwrap().message().contains("no prompt"), "{:?}", scene.error());
}

#[test]
fn names_that_could_not_be_looked_up_are_looked_up_again() {
    let prompt = Prompt { agent: Some("nobody".to_owned()), ..setup().prompt };
    let mut scene = Scene::sending(Setup { prompt, ..setup() });
    scene.ok("session.prompt_async", Value::Null);
    let mut is_first = true;
    while scene.outcome.is_none() {
        assert!(scene.now < 20_000, "{}", scene.machine.why());
        scene.wait(500);
        if scene.snapshots > 0 {
            scene.snapshot(&[], &[]);
            scene.ok("session.messages", json!([]));
        }
        if scene.wants("app.agents") {
            if std::mem::take(&mut is_first) {
                scene.fails("app.agents", broken());
            } else {
                scene.ok("app.agents", json!([{ "name": "build" }]));
            }
        }
    }
    assert!(scene.error().unwrap().message().contains("nobody"), "{:?}", scene.error());
}

#[test]
fn a_wrong_name_is_told_also_when_the_server_seemed_to_work_on_it() {
    let model = crate::protocol::model_name::Model {
        provider_id: "local".to_owned(),
        model_id: "nope".to_owned(),
    };
    let prompt = Prompt { model: Some(model), ..setup().prompt };
    let mut scene = Scene::sending(Setup { prompt, ..setup() });
    scene.ok("session.prompt_async", Value::Null);
    let mut busy = vec![MINE];
    while scene.outcome.is_none() {
        assert!(scene.now < 20_000, "{}", scene.machine.why());
        scene.wait(1_000);
        if scene.snapshots > 0 {
            scene.snapshot(&std::mem::take(&mut busy), &[]);
            // The event that says what is wrong is lost with the stream.
            scene.input(Input::Stream(false));
        }
        if scene.wants("session.messages") {
            scene.ok("session.messages", json!([]));
        }
        // Slow to answer, while it is looked at again and again.
        if scene.now >= 8_000 && scene.wants("config.providers") {
            let providers = json!([{ "id": "local", "models": { "test": {} } }]);
            scene.ok("config.providers", json!({ "providers": providers }));
        }
    }
    assert_eq!(scene.error().unwrap().kind(), ErrorKind::Agent, "{:?}", scene.error());
    assert!(scene.error().unwrap().message().contains("nope"), "{:?}", scene.error());
}

#[test]
fn a_server_that_never_answered_is_not_waited_for_as_long_as_one_that_did() {
    let patience = |is_known: bool, answers: bool| {
        let mut scene = Scene::new(Setup { is_known, ..setup() });
        scene.input(Input::Stream(true));
        if answers {
            scene.ok("session.get", json!({ "id": MINE, "directory": "/p" }));
            scene.snapshot(&[], &[]);
        }
        let wanted = if answers { "session.messages" } else { "session.get" };
        while scene.outcome.is_none() {
            if scene.wants(wanted) {
                scene.fails(wanted, broken());
            }
            scene.wait(100);
        }
        assert_eq!(scene.error().unwrap().kind(), ErrorKind::Connection);
        scene.now
    };
    for (is_known, answers, least) in
        [(false, false, 5_000), (true, false, 15_000), (false, true, 15_000)]
    {
        let waited = patience(is_known, answers);
        assert!((least..least + 1_000).contains(&waited), "{is_known} {answers}: {waited}");
    }
}

#[test]
fn bounds_that_are_as_long_as_can_be_do_not_overflow() {
    let mut prompt = setup().prompt;
    prompt.limits.server_timeout = Some(std::time::Duration::MAX);
    prompt.limits.start_timeout = Some(std::time::Duration::MAX);
    prompt.limits.deadline = Some(std::time::Duration::MAX);
    let mut scene = Scene::new(Setup { prompt, ..setup() });
    scene.input(Input::Stream(true));
    scene.now = 1_000;
    scene.fails("session.get", broken());
    scene.wait(100_000);
    // Asked a minute ago it says nothing any more.
    scene.ok("session.get", json!({ "id": MINE, "directory": "/p" }));
    scene.ok("session.messages", json!([]));
    scene.snapshot(&[], &[]);
    scene.ok("session.messages", json!([]));
    scene.ok("session.prompt_async", Value::Null);
    scene.wait(100_000);
    scene.snapshot(&[], &[]);
    scene.ok("session.messages", json!([]));
    assert!(scene.outcome.is_none(), "{:?}", scene.outcome);
}
