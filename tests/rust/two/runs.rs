//! Runs on a server of 2.x.

use super::*;
use crate::client::{reply, scripted};
use opencode_core::{Json, PermissionPolicy, Prompt, QuestionPolicy, Run, State, Update, WhenBusy};
use opencode_tests::{Generation, Model, Plan, Server};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// A client of the shared server, with and without its event stream.
fn with(events: bool) -> Client {
    let mut options = options(&shared_two().server.url());
    options.events = events;
    Client::new(options).unwrap()
}

fn both(test: impl Fn(Client)) {
    test(with(true));
    test(with(false));
}

fn error(run: &Run) -> opencode_core::Error {
    match run.wait(Some(LIMIT)) {
        Ok(reply) => panic!("it did not fail: {reply:?}"),
        Err(error) => error,
    }
}

fn tool(name: &str, arguments: Value) -> Value {
    json!({ "tools": [{ "name": name, "arguments": arguments }] })
}

/// A session in which every command has to be permitted.
fn asking(client: &Client) -> String {
    let rules = json!([{"action": "shell", "resource": "*", "effect": "ask"}]);
    let made = call(client, "v2.session.create", json!({"title": "asking", "permissions": rules}));
    made["data"]["id"].as_str().unwrap().to_owned()
}

fn is_active(client: &Client, session: &str) -> bool {
    call(client, "v2.session.active", json!({}))["data"].get(session).is_some()
}

fn waiting(client: &Client, session: &str) -> Vec<Value> {
    let list = call(client, "v2.session.inbox.list", json!({ "sessionID": session }));
    list["data"].as_array().unwrap().clone()
}

/// The text that a host shows which follows the updates.
fn shown(run: &Run) -> (String, Vec<&'static str>) {
    let (mut text, mut kinds) = (String::new(), Vec::new());
    for update in run.updates() {
        if let Update::Text(piece) = &update {
            if piece.replaces {
                text.clear();
            }
            text.push_str(&piece.delta);
        }
        kinds.push(match update {
            Update::Text(_) => "text",
            Update::Reasoning(_) => "reasoning",
            Update::Tool(_) => "tool",
            Update::Message(_) => "message",
            Update::Retry { .. } => "retry",
            Update::Done(_) => "done",
            Update::Failed(_) => "failed",
            _ => "other",
        });
    }
    (text, kinds)
}

#[test]
fn a_prompt_is_answered_with_all_that_is_told_of_it() {
    both(|client| {
        let usage = json!({ "input": 1000, "output": 100, "reasoning": 20, "cached": 200 });
        let mut first = tool("read", json!({"path": "README.md"}));
        first["text"] = "I look.".into();
        let steps = json!([
            first,
            {"reasoning": "hm well", "text": "one two\nthrée €😀", "usage": usage},
        ]);
        let mut prompt = scripted("all of it", steps);
        prompt.title = Some("named".to_owned());
        let run = client.run(prompt).unwrap();
        let (text, kinds) = shown(&run);
        let reply = reply(&run);
        let wanted = "I look.\n\none two\nthrée €😀";
        assert_eq!((text.as_str(), reply.transcript.as_str()), (wanted, wanted));
        assert_eq!(
            (reply.text.as_str(), reply.reasoning.as_str()),
            ("one two\nthrée €😀", "hm well")
        );
        for kind in ["text", "reasoning", "tool", "message", "done"] {
            assert!(kinds.contains(&kind), "{kind} in {kinds:?}");
        }
        assert_eq!(reply.finish.as_deref(), Some("stop"));
        assert_eq!(reply.agent.as_deref(), Some("build"));
        assert_eq!(
            (reply.provider_id.as_deref(), reply.model_id.as_deref()),
            (Some("local"), Some("test"))
        );
        assert!(reply.message_id.starts_with("msg_"));
        assert_eq!(reply.messages.len(), 3);
        let list = stored(&client, &reply.session_id);
        let own: f64 = list.iter().filter_map(|message| message["cost"].as_f64()).sum();
        assert!(reply.cost > 0.0 && (reply.cost - own).abs() < 1e-9, "{reply:?}");
        assert_eq!(reply.tokens.cache.read, 200);
        let found = call(&client, "v2.session.get", json!({"sessionID": reply.session_id}));
        assert_eq!(found["data"]["title"], "named");
        let prompt = list.iter().find(|message| message["type"] == "user").unwrap();
        assert_eq!(prompt["id"].as_str(), Some(&*reply.message_id));
        // The next one in the same session has its own answer.
        let mut next = scripted("once more", json!([{"text": "second"}]));
        next.session = Some(reply.session_id.clone());
        let run = client.run(next).unwrap();
        assert_eq!(
            (shown(&run).0, self::reply(&run).text.clone()),
            ("second".into(), "second".into())
        );
    });
}

#[test]
fn text_comes_while_it_is_made() {
    let client = with(true);
    let run = client.run(scripted("stream", json!([{"text": "a b c d e f g h", "delay_ms": 100}])));
    let (text, kinds) = shown(&run.unwrap());
    assert_eq!(text, "a b c d e f g h");
    assert!(kinds.iter().filter(|kind| **kind == "text").count() > 2, "{kinds:?}");
}

#[test]
fn a_session_is_made_in_the_directory_that_is_named() {
    let client = with(true);
    let folder = Directory::new("run").unwrap();
    let mut prompt = scripted("there", json!([{"text": "here"}]));
    prompt.directory = Some(folder.path().display().to_string());
    let reply = reply(&client.run(prompt).unwrap());
    let found = call(&client, "v2.session.get", json!({"sessionID": reply.session_id}));
    let directory = folder.path().canonicalize().unwrap().display().to_string();
    assert_eq!(found["data"]["location"]["directory"], directory.as_str());
    // One that 1.x would take for another, by a client that does not know its server yet.
    let odd = folder.path().join("50%25 ä");
    std::fs::create_dir(&odd).unwrap();
    let mut prompt = scripted("odd", json!([{"text": "there"}]));
    prompt.directory = Some(odd.display().to_string());
    assert_eq!(self::reply(&with(true).run(prompt).unwrap()).text, "there");
    let mut prompt = Prompt::new("x");
    prompt.directory = Some("/no/such/folder".to_owned());
    let error = error(&client.run(prompt).unwrap());
    assert!(error.message().contains("no directory '/no/such/folder'"), "{error}");
}

#[test]
fn names_that_are_not_known_end_a_run() {
    // So that the directory has its lists.
    eventually("the lists", || {
        let agents = call(&with(true), "v2.agent.list", json!({}));
        let models = call(&with(true), "v2.model.list", json!({}));
        let is_there = |list: &Value| !list["data"].as_array().unwrap().is_empty();
        (is_there(&agents) && is_there(&models)).then_some(())
    });
    both(|client| {
        let mut prompt = Prompt::new("x");
        prompt.agent = Some("nobody".to_owned());
        let found = error(&client.run(prompt).unwrap());
        assert_eq!(found.kind(), ErrorKind::Agent, "{found}");
        assert!(found.message().contains("nobody") && found.message().contains("build"), "{found}");
        let mut prompt = Prompt::new("x");
        prompt.model = Some(opencode_core::Model {
            provider_id: "local".to_owned(),
            model_id: "nope".to_owned(),
        });
        let found = error(&client.run(prompt).unwrap());
        assert_eq!(found.kind(), ErrorKind::Agent, "{found}");
        assert!(found.message().contains("local/nope"), "{found}");
        let mut prompt = Prompt::new("x");
        prompt.session = Some("ses_none".to_owned());
        assert_eq!(error(&client.run(prompt).unwrap()).kind(), ErrorKind::NotFound);
        // Those that are known are used.
        let mut prompt = scripted("chosen", json!([{"text": "mine"}]));
        prompt.agent = Some("plan".to_owned());
        prompt.model = Some(opencode_core::Model {
            provider_id: "local".to_owned(),
            model_id: "other".to_owned(),
        });
        let reply = reply(&client.run(prompt).unwrap());
        assert_eq!(
            (reply.agent.as_deref(), reply.model_id.as_deref()),
            (Some("plan"), Some("other"))
        );
    });
}

#[test]
fn a_prompt_that_nobody_can_do_waits_no_longer() {
    // As it is when the lists are not there yet: the session has an agent that nobody knows.
    both(|client| {
        let made = call(&client, "v2.session.create", json!({"agent": "nobody"}));
        let session = made["data"]["id"].as_str().unwrap().to_owned();
        let mut prompt = Prompt::new("x");
        prompt.session = Some(session.clone());
        prompt.limits.start_timeout = Some(Duration::from_secs(4));
        let found = error(&client.run(prompt).unwrap());
        if client.options().events {
            assert!(found.message().contains("nobody"), "{found}");
        }
        eventually("an empty inbox", || waiting(&client, &session).is_empty().then_some(()));
    });
}

#[test]
fn a_model_that_is_gone_ends_a_run() {
    both(|client| {
        let model = json!({"providerID": "local", "id": "nope"});
        let made = call(&client, "v2.session.create", json!({ "model": model }));
        let mut prompt = Prompt::new("x");
        prompt.session = made["data"]["id"].as_str().map(str::to_owned);
        let found = error(&client.run(prompt).unwrap());
        if client.options().events {
            assert!(found.message().contains("local/nope"), "{found}");
            assert_eq!((found.kind(), found.code()), (ErrorKind::Agent, Some("provider.no-route")));
        } else {
            // The reason is in an event alone.
            assert_eq!((found.kind(), found.code()), (ErrorKind::Agent, Some("failed")));
            assert!(found.message().contains("v2.model.list"), "{found}");
        }
    });
}

#[test]
fn what_the_server_does_not_take_is_refused_with_what_to_do() {
    let client = with(true);
    let words = "never sent";
    let mut prompts = [(); 4].map(|()| Prompt::new(words));
    prompts[0].system = Some("be brief".to_owned());
    prompts[1].tools = Some(Json::from(json!({"read": false})));
    prompts[2].format = Some(Json::from(json!({"type": "object"})));
    prompts[3].variant = Some("high".to_owned());
    for (prompt, name) in prompts.into_iter().zip(["system", "tools", "format", "variant"]) {
        let run = client.run(prompt).unwrap();
        let found = error(&run);
        assert_eq!((found.kind(), run.session_id()), (ErrorKind::Unsupported, None), "{found}");
        assert!(found.message().contains(name) && found.message().contains(';'), "{found}");
    }
    assert_eq!(shared_two().model.runs(words), 0);
}

#[test]
fn files_go_with_a_prompt() {
    both(|client| {
        let script = opencode_tests::prompt("attached", json!([{"text": "seen"}]));
        let options = json!({"files": [{"path": "/etc/hostname"}]}).to_string();
        let prompt = Prompt::with_options(script, &options).unwrap();
        let reply = reply(&client.run(prompt).unwrap());
        let list = stored(&client, &reply.session_id);
        let files = list.iter().find_map(|message| message["files"].as_array());
        assert_eq!(files.map(Vec::len), Some(1), "{list:?}");
    });
}

#[test]
fn failures_of_the_provider_are_told() {
    both(|client| {
        let steps = json!([{ "status": 401, "body": { "error": { "message": "no key" } } }]);
        let run = client.run(scripted("401", steps)).unwrap();
        let found = error(&run);
        assert_eq!((found.kind(), found.code()), (ErrorKind::Agent, Some("provider.auth")));
        assert!(found.message().contains("no key"), "{found}");
        // It is tried again, which is told, and bounded.
        let fails = json!({"status": 429, "headers": {"retry-after-ms": "300"}, "body": {}, "times": 1,
            "then": {"text": "at last"}});
        let run = client.run(scripted("429", json!([fails]))).unwrap();
        let (text, kinds) = shown(&run);
        assert_eq!((text.as_str(), reply(&run).text.as_str()), ("at last", "at last"));
        assert!(kinds.contains(&"retry") || !client.options().events, "{kinds:?}");
        let steps = json!([{"text": "half a text", "finish": "content_filter"}]);
        let run = client.run(scripted("filter", steps)).unwrap();
        assert_eq!(error(&run).kind(), ErrorKind::Agent);
    });
}

#[test]
fn an_answer_that_was_cut_off_goes_on() {
    both(|client| {
        // The pause lets the server have the text before the cut: without any it asks again, and nothing goes on.
        let steps = json!([{"text": "one two three", "delay_ms": 200, "cut_after": 2, "times": 1,
            "then": {"text": "and four"}}]);
        let run = client.run(scripted("cut", steps)).unwrap();
        let reply = reply(&run);
        // The server asks the model to go on in words of its own, so the script is at its end.
        assert!(reply.text.starts_with("one two You said"), "{reply:?}");
        assert_eq!(reply.finish.as_deref(), Some("stop"));
    });
}

#[test]
fn permissions_are_asked_for_and_judged() {
    both(|client| {
        let command = |text: &str| tool("shell", json!({"command": format!("echo {text}")}));
        for (policy, told) in [("once", "allowed"), ("reject", "refused")] {
            let session = asking(&client);
            let mut prompt = scripted("by rule", json!([command("hi"), {"text": "went on"}]));
            prompt.session = Some(session.clone());
            prompt.permission = Some(
                PermissionPolicy::from_value(
                    &json!([{"permission": "bash", "pattern": "*", "reply": policy}]),
                )
                .unwrap(),
            );
            let run = client.run(prompt).unwrap();
            let reply = reply(&run);
            assert_eq!(reply.text, "went on", "{told}");
            assert_eq!((reply.decisions.len(), reply.decisions[0].reply.as_str()), (1, policy));
        }
        // A person who says no ends the turn: the server writes no mark of that.
        let session = asking(&client);
        let mut prompt = scripted("by hand", json!([command("ho"), {"text": "never"}]));
        prompt.session = Some(session.clone());
        prompt.permission = Some(PermissionPolicy::from_value(&json!("ask")).unwrap());
        let run = client.run(prompt).unwrap();
        let asked = run.updates().find_map(|update| match update {
            Update::Permission { id, request } => Some((id, request)),
            _ => None,
        });
        let (id, request) = asked.unwrap();
        let request: Value = serde_json::from_str(request.get()).unwrap();
        assert_eq!(
            (&request["permission"], &request["patterns"]),
            (&json!("bash"), &json!(["echo ho"]))
        );
        run.reply_permission(&id, opencode_core::PermissionReply::Reject, None);
        let reply = reply(&run);
        assert_eq!(reply.text, "");
        assert!(!is_active(&client, &session));
    });
}

#[test]
fn questions_are_asked_and_answered() {
    both(|client| {
        let question = json!({"questions": [
            {"question": "Which?", "header": "Pick", "options": [
                {"label": "A", "description": "a"}, {"label": "B", "description": "b"}]},
            {"question": "Which ones?", "header": "Many", "multiple": true, "options": [
                {"label": "x", "description": "x"}, {"label": "y", "description": "y"}]},
        ]});
        let steps = json!([tool("question", question), {"text": "thanks"}]);
        let mut prompt = scripted("asks", steps.clone());
        prompt.question = Some(QuestionPolicy::Ask);
        let run = client.run(prompt).unwrap();
        let asked = run.updates().find_map(|update| match update {
            Update::Question { id, request } => Some((id, request)),
            _ => None,
        });
        let (id, request) = asked.unwrap();
        let request: Value = serde_json::from_str(request.get()).unwrap();
        assert_eq!(request["questions"][1]["question"], "Which ones?", "{request}");
        let answers = vec![vec!["B".to_owned()], vec!["x".to_owned(), "y".to_owned()]];
        run.reply_question(&id, &answers);
        let reply = reply(&run);
        assert_eq!(reply.text, "thanks");
        let list = serde_json::to_string(&stored(&client, &reply.session_id)).unwrap();
        assert!(
            list.contains("\\\"B\\\"") || list.contains("=\\\"B\\\"") || list.contains("B"),
            "{list}"
        );
        let mut prompt = scripted("asks in vain", steps);
        prompt.question = Some(QuestionPolicy::Reject);
        let run = client.run(prompt).unwrap();
        assert_eq!(self::reply(&run).text, "");
    });
}

#[test]
fn a_cancel_settles_and_leaves_nothing_behind() {
    both(|client| {
        let steps = json!([{"text": "a b c d e f g h i j k l m n", "delay_ms": 200}]);
        let run = client.run(scripted("long", steps)).unwrap();
        let session = eventually("the session", || run.session_id());
        eventually("work", || is_active(&client, &session).then_some(()));
        assert_eq!(run.cancel(LIMIT), State::Failed, "{:?}", run.error());
        assert_eq!(error(&run).kind(), ErrorKind::Cancelled);
        assert!(!is_active(&client, &session));
        // One that waits behind somebody else's is taken back, and the other goes on.
        let text = prompt("other", json!([{"text": "a b c d e f g h i j", "delay_ms": 200}]));
        call(&client, "v2.session.prompt", json!({"sessionID": session, "text": text}));
        eventually("work", || is_active(&client, &session).then_some(()));
        let mut behind = scripted("behind", json!([{"text": "never"}]));
        behind.session = Some(session.clone());
        behind.when_busy = WhenBusy::Send;
        let run = client.run(behind).unwrap();
        eventually("its place", || (!waiting(&client, &session).is_empty()).then_some(()));
        assert_eq!(run.cancel(LIMIT), State::Failed, "{:?}", run.error());
        assert!(waiting(&client, &session).is_empty());
        assert!(is_active(&client, &session), "the other one goes on");
        eventually("the end of the other", || (!is_active(&client, &session)).then_some(()));
        let list = stored(&client, &session);
        let last = list.iter().rev().find(|message| message["type"] == "assistant").unwrap();
        assert_eq!(last["finish"], "stop", "{list:?}");
    });
}

#[test]
fn runs_of_one_session_take_their_turns() {
    let client = with(true);
    let first =
        client.run(scripted("first", json!([{"text": "a b c d", "delay_ms": 100}]))).unwrap();
    let session = eventually("the session", || first.session_id());
    let later: Vec<Run> = ["two", "three"]
        .map(|text| {
            let mut prompt = scripted(text, json!([{"text": text}]));
            prompt.session = Some(session.clone());
            client.run(prompt).unwrap()
        })
        .into();
    assert_eq!(reply(&first).text, "a b c d");
    assert_eq!([&later[0], &later[1]].map(|run| reply(run).text.clone()), ["two", "three"]);
}

#[test]
fn a_prompt_of_somebody_else_takes_no_answer_away() {
    both(|client| {
        let steps = json!([{"text": "a b c d e f", "delay_ms": 150}]);
        let run = client.run(scripted("mine", steps)).unwrap();
        let session = eventually("the session", || run.session_id());
        eventually("work", || is_active(&client, &session).then_some(()));
        let text = prompt("theirs", json!([{"text": "not yours"}]));
        call(&client, "v2.session.prompt", json!({"sessionID": session, "text": text}));
        let (text, _) = shown(&run);
        assert_eq!((text.as_str(), reply(&run).text.as_str()), ("a b c d e f", "a b c d e f"));
        // In the middle of a tool the server answers both in one, which is said.
        let slow = tool("shell", json!({"command": "sleep 2"}));
        let run = client.run(scripted("mine", json!([slow, {"text": "both"}]))).unwrap();
        let session = eventually("the session", || run.session_id());
        eventually("work", || {
            let list = stored(&client, &session);
            let is_running = |m: &Value| m["content"][0]["state"]["status"] == "running";
            list.iter().any(is_running).then_some(())
        });
        let text = prompt("theirs", json!([{"text": "both"}, {"text": "both"}]));
        call(&client, "v2.session.prompt", json!({"sessionID": session, "text": text}));
        assert_eq!(error(&run).kind(), ErrorKind::Superseded);
    });
}

#[test]
fn a_run_is_picked_up_by_another_client() {
    both(|client| {
        let steps = json!([{"text": "a b c d e f", "delay_ms": 150}]);
        let run = client.run(scripted("left", steps)).unwrap();
        let session = eventually("the session", || run.session_id());
        let message = eventually("the send", || run.message_id());
        eventually("work", || is_active(&client, &session).then_some(()));
        run.detach(LIMIT).unwrap();
        let other = with(client.options().events);
        let run = other.resume(&session, &message, Prompt::default()).unwrap();
        assert_eq!(reply(&run).text, "a b c d e f");
        // So is one that is over.
        let run = other.resume(&session, &message, Prompt::default()).unwrap();
        assert_eq!(reply(&run).text, "a b c d e f");
        let run = other.resume(&session, "msg_none", Prompt::default()).unwrap();
        assert_eq!(error(&run).kind(), ErrorKind::NotFound);
    });
}

#[test]
fn a_session_that_is_deleted_ends_its_run() {
    both(|client| {
        let steps = json!([{"text": "a b c d e f g h i j k l m n", "delay_ms": 300}]);
        let run = client.run(scripted("deleted", steps)).unwrap();
        let session = eventually("the session", || run.session_id());
        eventually("work", || is_active(&client, &session).then_some(()));
        call(&client, "v2.session.remove", json!({"sessionID": session}));
        assert_eq!(error(&run).kind(), ErrorKind::NotFound);
    });
}

#[test]
fn a_subagent_belongs_to_the_run() {
    both(|client| {
        let session = asking(&client);
        let command = tool("shell", json!({"command": "echo child"}));
        let child =
            prompt("child", json!([command, {"text": "c", "usage": {"input": 1000, "output": 7}}]));
        let task =
            tool("subagent", json!({"agent": "general", "description": "d", "prompt": child}));
        let mut prompt = scripted("parent", json!([task, {"text": "done"}]));
        prompt.session = Some(session);
        prompt.permission = Some(PermissionPolicy::from_value(&json!("once")).unwrap());
        let run = client.run(prompt).unwrap();
        let reply = reply(&run);
        assert_eq!(
            (reply.text.as_str(), reply.children.len(), reply.decisions.len()),
            ("done", 1, 1)
        );
        assert!(reply.tokens.input >= 1000, "{reply:?}");
    });
}

#[test]
fn limits_end_a_run() {
    both(|client| {
        let steps = json!([{"text": "a b c d e f g h i j k l m n", "delay_ms": 300}]);
        let mut prompt = scripted("deadline", steps);
        prompt.limits.deadline = Some(Duration::from_secs(1));
        let found = error(&client.run(prompt).unwrap());
        assert_eq!((found.kind(), found.code()), (ErrorKind::Limit, Some("deadline_ms")));
        let step = tool("read", json!({"path": "README.md"}));
        let mut prompt = scripted("steps", json!([step, step, step, {"text": "never"}]));
        prompt.limits.max_steps = Some(1);
        let found = error(&client.run(prompt).unwrap());
        assert_eq!((found.kind(), found.code()), (ErrorKind::Limit, Some("max_steps")));
    });
}

#[test]
fn an_interrupt_by_somebody_else_ends_a_run() {
    both(|client| {
        let steps = json!([{"text": "a b c d e f g h i j k l m n", "delay_ms": 200}]);
        let run = client.run(scripted("interrupted", steps)).unwrap();
        let session = eventually("the session", || run.session_id());
        eventually("work", || is_active(&client, &session).then_some(()));
        call(&client, "v2.session.interrupt", json!({"sessionID": session}));
        let found = error(&run);
        assert_eq!(found.kind(), ErrorKind::Cancelled, "{found}");
    });
}

#[test]
fn a_prompt_that_is_sent_into_the_dark_runs_once() {
    let proxy = Proxy::start(&shared_two().server.url()).unwrap();
    let plans = [
        || Plan::pass().cut_answer(0, End::Reset),
        || Plan::pass().cut_answer(60, End::Close),
        || Plan::pass().cut_request(40, End::Reset),
        || Plan::refuse(End::Reset),
    ];
    let client = Client::new(options(&proxy.url())).unwrap();
    for (at, plan) in plans.into_iter().enumerate() {
        let is_cut = AtomicBool::new(false);
        proxy.hook(move |asked| {
            let is_send = asked.is("POST /api/session/*/prompt");
            if is_send && !is_cut.swap(true, Ordering::Relaxed) { plan() } else { Plan::pass() }
        });
        let words = format!("into the dark, {at}");
        let reply = reply(&client.run(scripted(&words, json!([{"text": "once"}]))).unwrap());
        assert_eq!(reply.text, "once");
        assert_eq!(shared_two().model.runs(&words), 1, "{words}");
    }
    // An id that another session has is refused.
    let first = reply(&client.run(scripted("one", json!([{"text": "x"}]))).unwrap());
    let mut prompt = Prompt::new("x");
    prompt.message_id = Some(first.message_id.clone());
    let found = error(&client.run(prompt).unwrap());
    assert_eq!((found.kind(), found.status()), (ErrorKind::Conflict, Some(409)), "{found}");
}

/// A server that is killed in the middle of a text, and one that is stopped.
#[test]
fn a_server_that_goes_away_ends_its_runs() {
    static MODEL: OnceLock<Model> = OnceLock::new();
    let model = MODEL.get_or_init(|| Model::start(0).unwrap());
    let server =
        Server::builder(&model.url()).generation(Generation::Two).persistent().start().unwrap();
    for is_killed in [true, false] {
        let mut options = ClientOptions::default();
        options.base_url = server.url();
        options.password = server.password().map(str::to_owned);
        let clients = [true, false].map(|events| {
            options.events = events;
            Client::new(options.clone()).unwrap()
        });
        let steps = json!([{"text": "a b c d e f g h i j k l m n", "delay_ms": 1000}]);
        let runs: Vec<Run> = clients
            .iter()
            .map(|client| client.run(scripted("gone", steps.clone())).unwrap())
            .collect();
        for run in &runs {
            let session = eventually("the session", || run.session_id());
            eventually("work", || {
                let list = stored(&clients[0], &session);
                list.iter().any(|message| message["type"] == "assistant").then_some(())
            });
        }
        if is_killed {
            server.kill();
        } else {
            server.terminate().unwrap();
        }
        server.restart().unwrap();
        for run in &runs {
            let found = error(run);
            assert!(
                matches!(found.kind(), ErrorKind::Interrupted | ErrorKind::Cancelled),
                "{is_killed} {found:?}"
            );
        }
    }
}
