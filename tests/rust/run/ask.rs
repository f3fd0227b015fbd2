//! Permissions and questions: of the run, of its subagents, by policy and by the host.

use super::list::{generations, name_of};
use super::world::{Place, Way, World};
use super::*;
use opencode_core::{ErrorKind, PermissionPolicy, PermissionReply, QuestionPolicy, Reply, State};

fn everywhere<F: Fn(&Place<'_>)>(test: F) {
    let ways = [Way::Steady, Way::Deaf, Way::Rough];
    generations(&name_of::<F>())
        .for_each(|generation| World::asking(generation).ways(&ways, &test));
}

fn with_events_and_without<F: Fn(&Place<'_>)>(test: F) {
    let ways = [Way::Deaf, Way::Steady];
    generations(&name_of::<F>())
        .for_each(|generation| World::asking(generation).ways(&ways, &test));
}

fn steadily<F: Fn(&Place<'_>)>(test: F) {
    generations(&name_of::<F>())
        .for_each(|generation| World::asking(generation).ways(&[Way::Steady], &test));
}

fn policy(value: Value) -> Option<PermissionPolicy> {
    Some(PermissionPolicy::from_value(&value).unwrap())
}

#[test]
fn a_permission_is_rejected_by_default() {
    everywhere(|client| {
        let run = client
            .run(scripted("try", json!([client.bash("echo 1"), { "text": "without" }])))
            .unwrap();
        let reply = reply(&run);
        assert_eq!(reply.text, "without", "the agent goes on");
        let decision = &reply.decisions[0];
        assert_eq!((decision.permission.as_str(), decision.reply.as_str()), ("bash", "reject"));
        assert_eq!(
            (decision.by, decision.patterns.as_slice()),
            ("policy", &["echo 1".to_owned()][..])
        );
    });
}

#[test]
fn a_permission_may_be_given_by_a_policy() {
    everywhere(|client| {
        let mut prompt = scripted("do", json!([client.bash("echo 2"), { "text": "did" }]));
        prompt.permission = policy(json!("once"));
        let reply = reply(&client.run(prompt).unwrap());
        assert_eq!(reply.text, "did");
        assert!(
            reply.messages.iter().any(|m| m.get().contains("\"output\":\"2\\n")),
            "the tool ran: {:?}",
            reply.messages
        );
    });
}

#[test]
fn a_policy_of_the_client_holds_where_the_run_has_none() {
    with_events_and_without(|client| {
        let mut options = client.options().clone();
        options.permission = policy(json!("once")).unwrap();
        let steps = json!([client.bash("echo 15"), { "text": "end" }]);
        let client = Client::new(options).unwrap();
        let prompt = || scripted("client's", steps.clone());
        let mut own = prompt();
        own.permission = policy(json!("reject"));
        for (prompt, word) in [(prompt(), "once"), (own, "reject")] {
            let reply = reply(&client.run(prompt).unwrap());
            assert_eq!(reply.decisions[0].reply, word);
        }
    });
}

#[test]
fn the_last_rule_that_fits_decides() {
    everywhere(|client| {
        let rules = json!([
            { "permission": "bash", "reply": "once" },
            { "permission": "bash", "pattern": "rm *", "reply": "reject" },
        ]);
        let steps = json!([client.bash("rm nothing"), client.bash("echo 3"), { "text": "end" }]);
        let mut prompt = scripted("rules", steps);
        prompt.permission = policy(rules);
        let reply = reply(&client.run(prompt).unwrap());
        let replies: Vec<_> = reply.decisions.iter().map(|d| d.reply.as_str()).collect();
        assert_eq!(replies, ["reject", "once"]);
    });
}

/// The same rules, once in the hands of the server and once in ours, catch the same commands.
#[test]
fn rules_mean_what_the_server_means() {
    let commands = ["rm", "rm -f nothing", "rm okay", "rmdir nothing", "echo 3"];
    let ours = |caught: &str, passed: &str| {
        let rule = |pattern: &str, reply: &str| json!({ "permission": "bash", "pattern": pattern, "reply": reply });
        json!([rule("*", passed), rule("rm *", caught), rule("rm ok*", passed)])
    };
    steadily(|client| {
        let theirs = |pattern: &str, effect: &str| match client.world().is_two() {
            true => json!({ "action": "shell", "resource": pattern, "effect": effect }),
            false => json!({ "permission": "bash", "pattern": pattern, "action": effect }),
        };
        let rules = json!([theirs("*", "allow"), theirs("rm *", "ask"), theirs("rm ok*", "allow")]);
        let mut caught = Vec::new();
        for server_decides in [true, false] {
            let steps = commands.map(|command| client.bash(command)).into_iter();
            let steps = steps.chain([json!({ "text": "end" })]);
            let mut prompt = scripted("the server's rules", steps.collect());
            prompt.permission = policy(if server_decides {
                let given = json!({ client.word("permission", "permissions"): rules });
                prompt.session = Some(client.world().make_session(given));
                json!("reject")
            } else {
                ours("reject", "once")
            });
            let reply = reply(&client.run(prompt).unwrap());
            let rejected = reply.decisions.iter().filter(|decision| decision.reply == "reject");
            caught.push(rejected.flat_map(|d| d.patterns.clone()).collect::<Vec<_>>());
        }
        assert_eq!(caught[0], ["rm", "rm -f nothing"]);
        assert_eq!(caught[0], caught[1]);
    });
}

#[test]
fn a_permission_may_be_asked_of_the_host() {
    everywhere(|client| {
        let mut prompt = scripted("ask", json!([client.bash("echo 4"), { "text": "asked" }]));
        prompt.permission = policy(json!("ask"));
        let run = client.run(prompt).unwrap();
        let Update::Permission { id, request } =
            until(&run, |update| matches!(update, Update::Permission { .. }))
        else {
            unreachable!()
        };
        assert!(request.get().contains("echo 4"));
        assert_eq!(run.state(), State::Waiting);
        assert!(run.why().contains("waiting for permission") && run.why().contains("echo 4"));
        // An answer to something else does nothing.
        run.reply_permission("per_none", PermissionReply::Once, None);
        run.reply_permission(&id, PermissionReply::Reject, Some("use another tool"));
        let reply = reply(&run);
        assert_eq!(reply.text, "asked");
        assert_eq!((reply.decisions[0].by, reply.decisions[0].reply.as_str()), ("host", "reject"));
        // 2.x takes the words, and keeps them from the model.
        let is_told = reply.messages.iter().any(|m| m.get().contains("use another tool"));
        assert_eq!(is_told, !client.world().is_two());
    });
}

#[test]
fn a_permission_may_be_answered_by_somebody_else() {
    everywhere(|client| {
        let mut prompt = scripted("other", json!([client.bash("echo 5"), { "text": "thanks" }]));
        prompt.permission = policy(json!("ask"));
        let run = client.run(prompt).unwrap();
        let Update::Permission { id, .. } =
            until(&run, |update| matches!(update, Update::Permission { .. }))
        else {
            unreachable!()
        };
        let answer = client.word(
            json!({ "sessionID": run.session_id(), "permissionID": id, "response": "once" }),
            json!({ "sessionID": run.session_id(), "requestID": id, "decision": "once" }),
        );
        client.world().ask("permission.respond", "v2.session.permission.reply", answer);
        let reply = reply(&run);
        assert_eq!((reply.text.as_str(), reply.decisions[0].by), ("thanks", "other"));
    });
}

#[test]
fn a_permission_of_a_subagent_is_the_runs() {
    everywhere(|client| {
        let steps = json!([client.bash("echo 6"), { "text": "child done" }]);
        let task = client.world().subagent(&opencode_tests::prompt("child", steps));
        let mut prompt = scripted("parent", json!([task, { "text": "parent done" }]));
        prompt.permission = policy(json!("once"));
        let run = client.run(prompt).unwrap();
        let reply = reply(&run);
        assert_eq!(reply.text, "parent done");
        assert_eq!(reply.children.len(), 1);
        assert_eq!(reply.decisions.len(), 1);
        assert_eq!(reply.decisions[0].session_id, reply.children[0]);
        // Two messages each, and what the subagent used is counted.
        assert_eq!(reply.tokens.input, 40);
        let own = client.world().answers(&reply.session_id, &reply.message_id);
        let own = own.iter().map(|answer| client.word(&answer["info"], answer)["cost"].as_f64());
        assert!(reply.cost > own.map(Option::unwrap).sum());
    });
}

#[test]
fn questions_are_dismissed_answered_or_asked() {
    everywhere(|client| {
        let question = tool(
            "question",
            json!({ "questions": [
                { "question": "Which?", "header": "Pick", "options": [
                    { "label": "A", "description": "a" }, { "label": "B", "description": "b" }] },
                { "question": "Which ones?", "header": "Many", "multiple": true, "options": [
                    { "label": "x", "description": "x" }, { "label": "y", "description": "y" }] },
            ]}),
        );
        let prompt = |policy| {
            let mut prompt = scripted("question", json!([question, { "text": "chosen" }]));
            prompt.question = Some(policy);
            prompt
        };
        // A dismissed question ends the agent's turn.
        let rejected = reply(&client.run(prompt(QuestionPolicy::Reject)).unwrap());
        assert_eq!(rejected.decisions[0].permission, "question");
        assert_eq!(rejected.finish.as_deref(), Some("tool-calls"));
        let first = reply(&client.run(prompt(QuestionPolicy::First)).unwrap());
        assert_eq!(first.text, "chosen");
        assert!(
            first.messages.iter().any(|m| m.get().contains("\\\"Which?\\\"=\\\"A\\\"")),
            "{:?}",
            first.messages
        );
        let run = client.run(prompt(QuestionPolicy::Ask)).unwrap();
        let Update::Question { id, request } =
            until(&run, |update| matches!(update, Update::Question { .. }))
        else {
            unreachable!()
        };
        let request: Value = serde_json::from_str(request.get()).unwrap();
        assert_eq!(request["questions"][1]["question"], "Which ones?", "{request}");
        assert_eq!(run.state(), State::Waiting);
        let many = ["x", "y"].map(str::to_owned).into();
        run.reply_question(&id, &[vec!["my own".to_owned()], many]);
        let own = reply(&run);
        let told =
            own.messages.iter().any(|m| m.get().contains("my own") && m.get().contains("x, y"));
        assert!(told, "{:?}", own.messages);
        assert_eq!(own.decisions[0].reply, "answer");
    });
}

#[test]
fn what_was_open_at_a_cancel_is_in_no_list_of_the_server() {
    let ask = json!({ "questions": [{
        "question": "Which?", "header": "Pick", "options": [{ "label": "A", "description": "a" }],
    }]});
    with_events_and_without(|client| {
        for tool in [client.bash("echo 15"), tool("question", ask.clone())] {
            let mut prompt = scripted("cancelled", json!([tool, { "text": "never" }]));
            (prompt.permission, prompt.question) =
                (policy(json!("ask")), Some(QuestionPolicy::Ask));
            let run = client.run(prompt).unwrap();
            until(&run, |u| matches!(u, Update::Permission { .. } | Update::Question { .. }));
            run.cancel(LIMIT);
            let error = error(&run);
            assert_eq!(error.message(), "the run was cancelled", "it settled");
            let session = run.session_id().unwrap();
            for (one, two) in [
                ("permission.list", "v2.permission.request.list"),
                ("question.list", "v2.form.list"),
            ] {
                let listed = client.world().ask(one, two, json!({})).to_string();
                assert!(!listed.contains(&session), "{one}: {listed}");
            }
        }
    });
}

#[test]
fn what_an_abort_leaves_open_is_not_the_next_runs() {
    everywhere(|client| {
        // The server keeps listing the request of an aborted run: the next run must not take it for its own.
        let mut prompt = scripted("leave", json!([client.bash("echo 7"), { "text": "x" }]));
        prompt.permission = policy(json!("ask"));
        let run = client.run(prompt).unwrap();
        until(&run, |update| matches!(update, Update::Permission { .. }));
        client.world().abort(&run.session_id().unwrap());
        error(&run);
        let mut next = scripted("next", json!([client.bash("echo 8"), { "text": "fine" }]));
        next.session = run.session_id();
        let reply = reply(&client.run(next).unwrap());
        assert_eq!(reply.text, "fine");
        assert_eq!(reply.decisions.len(), 1, "{:?}", reply.decisions);
        assert_eq!(reply.decisions[0].patterns, ["echo 8"]);
    });
}

#[test]
fn always_lasts() {
    let commands = std::cell::RefCell::new(["uname", "date", "hostname"].into_iter().cycle());
    everywhere(|client| {
        // The server remembers what is allowed for ever: each way asks for something else.
        let command = commands.borrow_mut().next().unwrap();
        let steps = json!([client.bash(command), client.bash(command), { "text": "end" }]);
        let mut prompt = scripted("always", steps);
        prompt.permission = policy(json!("always"));
        let first = reply(&client.run(prompt).unwrap());
        let replies: Vec<_> = first.decisions.iter().map(|d| (d.reply.as_str(), d.by)).collect();
        assert_eq!(replies, [("always", "policy")], "the second is covered by the first");
        // In every session of the directory, and with every policy.
        let steps = json!([client.bash(command), { "text": "end" }]);
        let next = reply(&client.run(scripted("after always", steps)).unwrap());
        assert_eq!(next.decisions, []);
        assert_eq!(next.text, "end");
    });
}

#[test]
fn a_permission_that_nobody_answers_is_shown_until_the_deadline() {
    everywhere(|client| {
        let mut prompt = scripted("nobody", json!([client.bash("echo 9"), { "text": "never" }]));
        prompt.permission = policy(json!("ask"));
        prompt.limits.deadline = Some(Duration::from_secs(5));
        let run = client.run(prompt).unwrap();
        let Update::Permission { id, .. } =
            until(&run, |update| matches!(update, Update::Permission { .. }))
        else {
            unreachable!()
        };
        let why = run.why();
        assert!(why.contains(&id) && why.contains("bash echo 9"), "{why}");
        assert_eq!(run.state(), State::Waiting);
        let error = error(&run);
        assert_eq!((error.kind(), error.code()), (ErrorKind::Limit, Some("deadline_ms")));
        assert!(!client.world().is_working(&run.session_id().unwrap()));
    });
}

#[test]
fn all_permissions_of_one_step_are_decided() {
    everywhere(|client| {
        let call = |command| client.bash(command)["tools"][0].clone();
        let both = json!({ "tools": [call("echo 10"), call("echo 11")] });
        let prompt = || scripted("both", json!([both, { "text": "end" }]));
        let words = |reply: &Reply| -> Vec<String> {
            reply.decisions.iter().map(|decision| decision.reply.clone()).collect()
        };
        for word in ["once", "reject"] {
            let mut prompt = prompt();
            prompt.permission = policy(json!(word));
            let reply = reply(&client.run(prompt).unwrap());
            if word == "once" {
                assert_eq!((words(&reply), reply.text.as_str()), (vec![word.to_owned(); 2], "end"));
                continue;
            }
            // With one rejection the server rejects all others of the session: the second request may be gone before
            // anybody saw it. It ends the turn, too, but not always when both are rejected at the same time: then the
            // model goes on, and knows of both. No tool runs in any case. One that was seen may be gone when it is answered.
            let decided = words(&reply);
            assert!((1..=2).contains(&decided.len()), "{decided:?}");
            assert!(decided.iter().any(|reply| reply == word), "{decided:?}");
            assert!(decided.iter().all(|reply| reply == word || reply == "gone"), "{decided:?}");
            let messages = client.world().messages(&reply.session_id);
            let parts =
                messages.iter().filter_map(|m| m[client.word("parts", "content")].as_array());
            let states: Vec<&Value> = parts
                .flatten()
                .filter(|part| part["type"] == "tool")
                .map(|part| &part["state"]["status"])
                .collect();
            assert_eq!(states, ["error", "error"], "{messages:?}");
        }
        // Two that were seen are two decisions.
        let mut prompt = prompt();
        prompt.permission = policy(json!("ask"));
        let run = client.run(prompt).unwrap();
        let ids = [0, 1].map(|_| {
            match until(&run, |update| matches!(update, Update::Permission { .. })) {
                Update::Permission { id, .. } => id,
                _ => unreachable!(),
            }
        });
        run.reply_permission(&ids[0], PermissionReply::Reject, None);
        let reply = reply(&run);
        let of = |id: &String| {
            let found = reply.decisions.iter().find(|decision| decision.id == *id);
            found.map(|decision| decision.reply.as_str())
        };
        // Without events nobody tells what became of the second one, which may be seen to be gone before the server
        // has confirmed the rejection of the first.
        let decided = (reply.decisions.len(), of(&ids[0]), of(&ids[1]));
        let expected = ["reject", "gone"].map(|second| (2, Some("reject"), Some(second)));
        assert!(expected.contains(&decided), "{:?}", reply.decisions);
    });
}

#[test]
fn a_file_outside_of_the_project_is_asked_for() {
    everywhere(|client| {
        let read = client.world().read("/etc/hostname");
        let reply = reply(&client.run(scripted("read", json!([read, { "text": "no" }]))).unwrap());
        assert_eq!(reply.decisions[0].permission, "external_directory");
        assert_eq!(reply.text, "no");
    });
}

#[test]
fn a_run_that_waits_for_a_permission_is_picked_up() {
    everywhere(|client| {
        let mut prompt = scripted("far", json!([client.bash("echo 12"), { "text": "went on" }]));
        prompt.permission = policy(json!("ask"));
        let run = client.run(prompt).unwrap();
        until(&run, |update| matches!(update, Update::Permission { .. }));
        let ids = run.detach(LIMIT).unwrap();
        let mut options = Prompt::default();
        options.permission = policy(json!("once"));
        let resumed = client.resume(&ids.session_id, &ids.message_id, options).unwrap();
        let reply = reply(&resumed);
        assert_eq!(reply.text, "went on");
        assert_eq!((reply.decisions[0].reply.as_str(), reply.decisions[0].by), ("once", "policy"));
    });
}

#[test]
fn answers_get_through_a_network_that_loses_them() {
    let lose = |asked: &Asked, count: &AtomicU64| {
        let answers = ["POST */permission*", "POST */question*", "POST */form*"];
        let is_answer = answers.iter().any(|pattern| asked.is(pattern));
        match count.fetch_add(u64::from(is_answer), Ordering::Relaxed) % 4 {
            0 if is_answer => Plan::pass().cut_answer(0, End::Reset),
            1 if is_answer => Plan::refuse(End::Close),
            2 if is_answer => Plan::instead("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"),
            _ => Plan::pass(),
        }
    };
    with_events_and_without(|place| {
        let proxy = Proxy::start(&place.world().server().url()).unwrap();
        let count = AtomicU64::new(0);
        proxy.hook(move |asked| lose(asked, &count));
        let way = if place.has_events() { Way::Steady } else { Way::Deaf };
        let client = place.world().behind(&proxy.url(), way);
        for n in 0..3 {
            let mut prompt = scripted("lost", json!([client.bash("echo 14"), { "text": "heard" }]));
            prompt.permission = policy(json!("ask"));
            let run = client.run(prompt).unwrap();
            let Update::Permission { id, .. } =
                until(&run, |update| matches!(update, Update::Permission { .. }))
            else {
                unreachable!()
            };
            run.reply_permission(&id, PermissionReply::Once, None);
            let asked = run.updates().filter(|u| matches!(u, Update::Permission { .. })).count();
            assert_eq!(asked, 0, "the host is asked once, {way:?} {n}");
            let reply = reply(&run);
            assert_eq!(reply.text, "heard");
            let decisions: Vec<_> =
                reply.decisions.iter().map(|d| (d.reply.as_str(), d.by)).collect();
            assert_eq!(decisions, [("once", "host")], "{way:?} {n}");
        }
    });
}

#[test]
fn an_answer_that_is_refused_for_ever_ends_the_run() {
    steadily(|place| {
        let proxy = Proxy::start(&place.world().server().url()).unwrap();
        let missing = Plan::instead("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
        proxy.always("POST */permission*", missing);
        let client = place.world().behind(&proxy.url(), Way::Steady);
        let mut prompt = scripted("refused", json!([client.bash("echo 15"), { "text": "never" }]));
        prompt.permission = policy(json!("once"));
        prompt.limits.server_timeout = Some(Duration::from_secs(2));
        let failed = error(&client.run(prompt).unwrap());
        assert_eq!(failed.kind(), ErrorKind::NotFound, "{failed}");
        assert!(failed.message().contains("was refused so for"), "{failed}");
    });
}
