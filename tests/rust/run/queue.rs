//! Several prompts for one session, several clients for one session, one run for several processes.

use super::world::Way;
use super::*;
use opencode_core::{ErrorKind, Level, Log, WhenBusy};
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

#[test]
fn prompts_of_one_client_wait_for_their_turn() {
    everywhere(|client| {
        let first =
            client.run(scripted("A", json!([{ "text": "answer A", "delay_ms": 50 }]))).unwrap();
        until(&first, |update| matches!(update, Update::Message(_)));
        let session = first.session_id();
        let next = |name: &str| {
            let steps = json!([{ "text": format!("answer {name}") }]);
            let mut prompt = scripted(name, steps);
            prompt.session.clone_from(&session);
            client.run(prompt).unwrap()
        };
        let (second, third) = (next("B"), next("C"));
        assert_eq!(reply(&third).text, "answer C");
        assert_eq!(reply(&second).text, "answer B");
        assert_eq!(reply(&first).text, "answer A");
    });
}

/// What a client asks from now on until its prompt is sent, but for what the event stream needs. Each of the first two is
/// held until the other one is on its way; given with it are those that waited in vain.
fn asked_before(proxy: &Proxy, prompt: impl FnOnce()) -> (Vec<String>, Vec<String>) {
    type Seen = (Mutex<(Vec<String>, bool)>, Condvar);
    let seen: Arc<Seen> = Arc::default();
    let alone: Arc<Mutex<Vec<String>>> = Arc::default();
    let (told, lonely) = (Arc::clone(&seen), Arc::clone(&alone));
    proxy.hook(move |asked| {
        let path = asked.target.split('?').next().unwrap_or_default().to_owned();
        if ["/global/health", "/global/event", "/api/info", "/api/event"].contains(&&*path) {
            return Plan::pass();
        }
        let (state, changed) = &*told;
        let mut state = state.lock().unwrap();
        if asked.is("POST *") {
            state.1 = true;
        }
        if state.1 {
            return Plan::pass();
        }
        state.0.push(path.clone());
        changed.notify_all();
        let is_alone = |state: &mut (Vec<String>, bool)| state.0.len() < 2;
        let waited = changed.wait_timeout_while(state, Duration::from_secs(3), is_alone).unwrap();
        if waited.1.timed_out() {
            lonely.lock().unwrap().push(path);
        }
        Plan::pass()
    });
    prompt();
    proxy.pass();
    let mut asked = seen.0.lock().unwrap().0.clone();
    asked.sort();
    let alone = alone.lock().unwrap().clone();
    (asked, alone)
}

#[test]
fn a_prompt_into_a_session_waits_for_two_requests_side_by_side() {
    on_both(|world| {
        let proxy = Proxy::start(&world.server().url()).unwrap();
        let client = Client::new(options(world.server(), &proxy.url())).unwrap();
        let session = reply(&client.run("Say pong").unwrap()).session_id.clone();
        let ask = |client: &Client| {
            let mut prompt = scripted("beside", json!([{ "text": "x" }]));
            prompt.session = Some(session.clone());
            assert_eq!(reply(&client.run(prompt).unwrap()).text, "x");
        };
        let base = if world.is_two() { "/api/session" } else { "/session" };
        let status = world.word("/session/status", "/api/session/active").to_owned();
        let own = format!("{base}/{session}");
        let messages = format!("{own}/message");
        let mut wanted = vec![status, messages];
        wanted.sort();
        for _ in 0..2 {
            let (asked, alone) = asked_before(&proxy, || ask(&client));
            assert_eq!((asked, alone), (wanted.clone(), Vec::new()));
        }
        if world.is_two() {
            // The first requests of a client find out what the server is.
            return;
        }
        // Who was never there asks for the session too, and not in a row with its newest message.
        let stranger = Client::new(options(world.server(), &proxy.url())).unwrap();
        wanted.push(own);
        wanted.sort();
        let (asked, alone) = asked_before(&proxy, || ask(&stranger));
        assert_eq!((asked, alone), (wanted, Vec::new()));
    });
}

#[test]
fn a_session_that_was_moved_is_worked_in_where_it_is() {
    on_both(|world| {
        let project = opencode_tests::project::create().unwrap();
        let outside = opencode_tests::Directory::new("moved").unwrap();
        let there = outside.path().join("tree").display().to_string();
        let mut git = std::process::Command::new("git");
        let made = git.args(["worktree", "add", &there]).current_dir(project.path()).output();
        assert!(made.unwrap().status.success());
        let mut options = world.options();
        options.directory = Some(project.path().display().to_string());
        let client = Client::new(options).unwrap();
        let first = client.run("Say pong").unwrap();
        let session = reply(&first).session_id.clone();
        let (path, body) = match world.is_two() {
            true => (format!("/api/session/{session}/move"), json!({ "directory": there })),
            false => (
                "/experimental/control-plane/move-session".to_owned(),
                json!({ "sessionID": session, "destination": { "directory": there } }),
            ),
        };
        assert!(world.server().post(&path, &body).unwrap().status < 300);
        // Somebody is at work there, and is waited for.
        let text = opencode_tests::prompt("theirs", json!([{ "text": "a b c", "delay_ms": 300 }]));
        world.send(&session, &format!("{}theirs", message_id(&first)), &text);
        let mut prompt = scripted("mine", json!([{ "text": "moved" }]));
        prompt.session = Some(session.clone());
        let run = client.run(prompt).unwrap();
        until(&run, |u| matches!(u, Update::Status { why } if why.contains("somebody else")));
        assert_eq!(reply(&run).text, "moved");
    });
}

#[test]
fn why_says_no_more_than_is_true() {
    on_both(|world| {
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let sink = Arc::clone(&lines);
        let mut options = world.options();
        options.log =
            Log::new(Level::Debug, move |_, text| sink.lock().unwrap().push(text.to_owned()));
        let client = Client::new(options).unwrap();
        reply(&client.run("Say pong").unwrap());
        let said = lines.lock().unwrap().join("\n");
        assert!(said.contains("sending the prompt"), "{said}");
        assert!(!said.contains("waiting for its turn"), "it was alone: {said}");
        let slow = scripted("slow", json!([{ "text": "a b c d e f", "delay_ms": 2_000 }]));
        let run = client.run(slow).unwrap();
        until(&run, |update| matches!(update, Update::Text(_)));
        client.close();
        assert_eq!(run.wait(None).unwrap_err().kind(), ErrorKind::Closed);
        assert_eq!(run.why(), "", "it is over");
    });
}

#[test]
fn prompts_of_one_client_reach_the_agent_in_the_order_of_the_calls() {
    on_both(|world| {
        let proxy = Proxy::start(&world.server().url()).unwrap();
        let client = world.behind(&proxy.url(), Way::Steady);
        let session = reply(&client.run("Say pong").unwrap()).session_id.clone();
        // The session of the first prompt is looked up last.
        proxy.once("GET */session/ses_*", Plan::pass().delay(Duration::from_millis(700)));
        let start = |n: usize| {
            let mut prompt = scripted(&format!("number {n}"), json!([{ "text": "x" }]));
            prompt.session = Some(session.clone());
            client.run(prompt).unwrap()
        };
        let runs = (0..4).map(start).collect::<Vec<_>>();
        assert_eq!(runs[3].message_id(), None, "it waits for its turn");
        runs.iter().for_each(|run| drop(reply(run)));
        let sent = runs.iter().map(message_id).collect::<Vec<_>>();
        let stored = world.prompts(&session).into_iter().skip(1).map(|(id, _)| id);
        assert_eq!(stored.collect::<Vec<_>>(), sent);
        let answer = |run: &Run| {
            let answers = world.answers(&session, &message_id(run));
            let answer = client.word(&answers[0]["info"], &answers[0]);
            answer["id"].as_str().unwrap().to_owned()
        };
        for pair in runs.windows(2) {
            assert!(answer(&pair[0]) < message_id(&pair[1]), "servers up to 1.18.17 sort by id");
        }
    });
}

#[test]
fn a_run_that_waits_for_its_turn_says_so_and_can_be_cancelled() {
    everywhere(|client| {
        let steps = json!([{ "text": "a b c d", "delay_ms": 500 }]);
        let first = client.run(scripted("slow", steps)).unwrap();
        until(&first, |update| matches!(update, Update::Message(_)));
        let mut prompt = Prompt::new("x");
        prompt.session = first.session_id();
        let second = client.run(prompt.clone()).unwrap();
        let waits = |u: &Update| matches!(u, Update::Status { why } if why.contains("its turn"));
        until(&second, waits);
        // The turn of one that leaves goes to the next.
        let third = client.run(prompt).unwrap();
        second.cancel(LIMIT);
        assert_eq!(error(&second).kind(), ErrorKind::Cancelled);
        assert_eq!(reply(&first).text, "a b c d", "the other one is not touched");
        assert!(!reply(&third).text.is_empty());
    });
}

#[test]
fn a_prompt_that_fails_does_not_fail_the_next() {
    everywhere(|client| {
        let first = reply(&client.run("Say pong").unwrap());
        for n in 0..5 {
            // Its errors come with the events, one after the other, and the next one is sent meanwhile.
            let mut wrong = Prompt::new("x");
            wrong.session = Some(first.session_id.clone());
            wrong.model = Some(opencode_core::Model {
                provider_id: "local".to_owned(),
                model_id: "nope".to_owned(),
            });
            let mut right = scripted("right", json!([{ "text": format!("answer {n}") }]));
            right.session = Some(first.session_id.clone());
            // Else it would be answered by the model of the message before.
            right.model = Some(opencode_core::Model {
                provider_id: "local".to_owned(),
                model_id: "test".to_owned(),
            });
            let (wrong, right) = (client.run(wrong).unwrap(), client.run(right).unwrap());
            assert_eq!(error(&wrong).kind(), ErrorKind::Agent);
            assert_eq!(reply(&right).text, format!("answer {n}"));
        }
    });
}

#[test]
fn a_prompt_in_a_tool_loop_takes_the_answer() {
    everywhere(|client| {
        let steps = json!([client.bash("sleep 2"), { "text": "A" }]);
        let first = client.run(scripted("A", steps)).unwrap();
        until(&first, |update| matches!(update, Update::Tool(_)));
        let session = first.session_id().unwrap();
        let second = format!("{}second", message_id(&first));
        let text = opencode_tests::prompt("B", json!([{ "text": "answer B" }]));
        client.world().send(&session, &second, &text);
        let error = error(&first);
        assert_eq!(error.kind(), ErrorKind::Superseded);
        assert!(error.message().contains(&second), "{error}");
        let resumed = client.resume(&session, &second, Prompt::default()).unwrap();
        assert_eq!(reply(&resumed).text, "answer B");
    });
}

#[test]
fn a_prompt_of_somebody_else_takes_no_answer_away() {
    everywhere(|client| {
        let steps = json!([{ "text": "a b c d e f", "delay_ms": 150 }]);
        let run = client.run(scripted("mine", steps)).unwrap();
        until(&run, |update| matches!(update, Update::Message(_)));
        let theirs = format!("{}theirs", message_id(&run));
        let text = opencode_tests::prompt("theirs", json!([{ "text": "not yours" }]));
        client.world().send(&run.session_id().unwrap(), &theirs, &text);
        assert_eq!(shown(run.updates()), "a b c d e f");
        assert_eq!(reply(&run).text, "a b c d e f");
    });
}

#[test]
fn somebody_elses_prompt_is_waited_for() {
    everywhere(|client| {
        let other = client.world().client();
        let foreign =
            other.run(scripted("A", json!([{ "text": "a b c", "delay_ms": 300 }]))).unwrap();
        until(&foreign, |update| matches!(update, Update::Message(_)));
        let mut prompt = scripted("B", json!([{ "text": "answer B" }]));
        prompt.session = foreign.session_id();
        let mine = client.run(prompt).unwrap();
        assert_eq!(reply(&mine).text, "answer B");
        assert_eq!(reply(&foreign).text, "a b c");
    });
}

#[test]
fn a_prompt_that_the_server_merges_into_anothers_is_superseded() {
    everywhere(|client| {
        let slow = json!([{ "text": "a b c d", "delay_ms": 400 }]);
        let first = client.run(scripted("A", slow)).unwrap();
        until(&first, |update| matches!(update, Update::Message(_)));
        // Two more that do not wait: the server answers only the last of those that queue up.
        let other = client.world().client();
        let mut prompt = scripted("B", json!([{ "text": "answer B" }]));
        prompt.session = first.session_id();
        prompt.when_busy = WhenBusy::Send;
        let second = other.run(prompt).unwrap();
        until(
            &second,
            |u| matches!(u, Update::Status { why } if why.contains("working") || why.contains("sent")),
        );
        let words = opencode_tests::prompt("C", json!([{ "text": "answer C" }]));
        let third = format!("{}third", message_id(&first));
        client.world().send(&first.session_id().unwrap(), &third, &words);
        assert_eq!(reply(&first).text, "a b c d");
        let error = error(&second);
        assert_eq!(error.kind(), ErrorKind::Superseded);
        assert!(error.message().contains(&third), "{error}");
    });
}

#[test]
fn a_run_is_picked_up_by_another_client() {
    everywhere(|client| {
        let run = client
            .run(scripted("far", json!([{ "text": "one two three", "delay_ms": 300 }])))
            .unwrap();
        let ids = run.detach(LIMIT).unwrap();
        let other = client.world().client();
        let resumed = other.resume(&ids.session_id, &ids.message_id, Prompt::default()).unwrap();
        assert_eq!(shown(resumed.updates()), "one two three");
        assert_eq!(reply(&resumed).text, "one two three");
        let left = error(&run);
        assert_eq!(left.kind(), ErrorKind::Closed, "this handle is over: {left}");
        // A finished one gives its reply at once.
        let again = other.resume(&ids.session_id, &ids.message_id, Prompt::default()).unwrap();
        assert_eq!(reply(&again).text, "one two three");
        let unknown = other.resume(&ids.session_id, "msg_none", Prompt::default()).unwrap();
        assert_eq!(error(&unknown).kind(), ErrorKind::NotFound);
        let unknown = other.resume("ses_none", "msg_none", Prompt::default()).unwrap();
        assert_eq!(error(&unknown).kind(), ErrorKind::NotFound);
    });
}

#[test]
fn a_long_run_is_read_back_to_its_prompt() {
    everywhere(|client| {
        let mut steps = vec![client.world().glance(); 6];
        steps.push(json!({ "text": "at last" }));
        let first = client.run(scripted("before", json!([{ "text": "earlier" }]))).unwrap();
        let session = reply(&first).session_id.clone();
        let mut prompt = scripted("many", Value::Array(steps));
        prompt.session = Some(session);
        let reply = reply(&client.run(prompt).unwrap());
        assert_eq!(reply.text, "at last");
        let all = reply.messages.len();
        assert_eq!(all, 8, "its own prompt and seven answers, nothing of the one before");
    });
}

#[test]
fn many_runs_at_once_get_their_own_answers() {
    steadily(|client| {
        let start = |i| {
            let steps = json!([{ "text": format!("answer {i}") }]);
            client.run(scripted("n", steps)).unwrap()
        };
        let runs: Vec<Run> = (0..30).map(start).collect();
        let sessions: HashSet<_> = runs.iter().map(|run| reply(run).session_id.clone()).collect();
        assert_eq!(sessions.len(), 30);
        for (i, run) in runs.iter().enumerate() {
            assert_eq!(reply(run).text, format!("answer {i}"));
        }
    });
}

#[test]
fn runs_that_wait_side_by_side_look_as_one() {
    on_both(|world| {
        let proxy = Proxy::start(&world.server().url()).unwrap();
        let client = Client::new(options(world.server(), &proxy.url())).unwrap();
        let look = world.word("GET /session/status*", "GET /api/session/active*");
        let looks = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&looks);
        proxy.hook(move |asked| {
            counted.fetch_add(usize::from(asked.is(look)), Ordering::Relaxed);
            Plan::pass()
        });
        let silent = json!([{ "text": "a b", "stall": { "after": 1, "ms": 60_000 } }]);
        let start = |_| {
            let mut prompt = scripted("waits", silent.clone());
            // With a limit a run looks every two seconds.
            prompt.limits.max_tokens = Some(1_000_000);
            client.run(prompt).unwrap()
        };
        let runs: Vec<Run> = (0..8).map(start).collect();
        for run in &runs {
            eventually("its first words", || (!run.text().is_empty()).then_some(()));
        }
        let before = looks.load(Ordering::Relaxed);
        std::thread::sleep(Duration::from_secs(7));
        let asked = looks.load(Ordering::Relaxed) - before;
        // Alone each looks three times. More than one looks where a server takes long.
        assert!((1..=14).contains(&asked), "{asked} looks for {} runs", runs.len());
        for run in &runs {
            run.cancel(Duration::ZERO);
        }
    });
}

#[test]
fn the_same_message_of_two_clients_at_once_is_one_prompt() {
    on_both(|world| {
        let clients = [Way::Steady, Way::Steady, Way::Deaf].map(|way| world.place(way));
        let first = clients[0].run(scripted("before", json!([{ "text": "earlier" }]))).unwrap();
        let session = reply(&first).session_id.clone();
        let message = format!("{}twice", message_id(&first));
        let runs = clients.each_ref().map(|client| {
            let mut prompt = scripted("same", json!([{ "text": "once only" }]));
            prompt.session = Some(session.clone());
            prompt.message_id = Some(message.clone());
            prompt.when_busy = WhenBusy::Send;
            client.run(prompt).unwrap()
        });
        for run in &runs {
            assert_eq!(reply(run).text, "once only");
        }
        let stored = world.prompts(&session);
        let same = stored.iter().filter(|(id, _)| *id == message).collect::<Vec<_>>();
        assert_eq!(same, [&(message.clone(), 1)], "{stored:?}");
    });
}

#[test]
fn an_id_that_another_session_has_is_refused() {
    steadily(|client| {
        let first = reply(&client.run("Say pong").unwrap());
        let mut prompt = Prompt::new("x");
        prompt.message_id = Some(first.message_id.clone());
        let found = error(&client.run(prompt).unwrap());
        assert_eq!((found.kind(), found.status()), (ErrorKind::Conflict, Some(409)), "{found}");
    });
}
