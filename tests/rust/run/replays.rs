//! Runs of every kind that were recorded: without a server they tell the same, and end the same.

use super::world::World;
use super::*;
use opencode_core::{
    AttachOptions, ErrorKind, Model, PermissionPolicy, PermissionReply, Prompt, QuestionPolicy,
    Replay, WhenBusy, attach_bytes,
};
use opencode_tests::Directory;

/// Where a script is played: with the server, or with what was recorded of it.
struct Stage<'a> {
    world: &'a World,
    options: ClientOptions,
    client: Client,
}

impl<'a> Stage<'a> {
    fn new(world: &'a World, options: ClientOptions) -> Self {
        Stage { world, client: Client::new(options.clone()).unwrap(), options }
    }

    fn prompt(&self, words: &str, steps: Value) -> Prompt {
        let mut prompt = scripted(words, steps);
        prompt.permission = policy("once");
        prompt.question = Some(QuestionPolicy::First);
        prompt
    }

    /// One answer, for scripts that go on in its session.
    fn first(&self) -> String {
        reply(&self.client.run("Say pong").unwrap()).session_id.clone()
    }

    /// What a host sees of a run, to its end: whatever a look and an event can tell in another order, or more than once, is
    /// told in its last form.
    fn story(&self, run: &Run, answer: impl Fn(&Run, &Update)) -> String {
        let (mut told, mut text, mut thought) = (Vec::new(), String::new(), String::new());
        let mut forms: Vec<(String, String)> = Vec::new();
        let mut form = |name: String, now: String| match forms.iter_mut().find(|(n, _)| *n == name)
        {
            Some((_, last)) => *last = now,
            None => forms.push((name, now)),
        };
        let end = std::time::Instant::now() + LIMIT;
        loop {
            assert!(std::time::Instant::now() < end, "{} {told:?}", run.why());
            let Some(update) = run.next_update(Some(Duration::from_secs(1))) else { continue };
            answer(run, &update);
            let value: Value = serde_json::from_str(&update.to_json()).unwrap();
            match &update {
                Update::Text(piece) | Update::Reasoning(piece) => {
                    let all = if value["type"] == "text" { &mut text } else { &mut thought };
                    if piece.replaces {
                        all.clear();
                    }
                    all.push_str(&piece.delta);
                }
                Update::Permission { .. } | Update::Question { .. } => told.push(value.to_string()),
                Update::Retry { attempt, reason, .. } => told.push(format!("{attempt}: {reason}")),
                Update::Message(_) => {
                    let info = &value["info"];
                    form(info["id"].to_string(), format!("{} {}", info["role"], info["finish"]));
                }
                Update::Tool(_) => {
                    let part = &value["part"];
                    let state = &part["state"];
                    form(part["id"].to_string(), format!("{} {}", part["tool"], state["status"]));
                }
                Update::Todo(_) | Update::Diff(_) => {
                    form(update.kind().to_owned(), value.to_string())
                }
                Update::Done(_) => break,
                Update::Failed(error) => {
                    told.push(format!("{} {:?} {error}", error.kind(), error.code()));
                    break;
                }
                _ => {}
            }
        }
        let mut reply: Value = serde_json::from_str(&run.reply().unwrap().to_json()).unwrap();
        reply["time"] = Value::Null;
        assert_eq!(run.reply().unwrap().transcript, text, "{told:?}");
        assert_eq!(run.reply().unwrap().reasoning, thought, "{told:?}");
        forms.sort();
        if !self.options.events {
            // Between two looks a message may go through forms that nobody sees.
            forms.clear();
        }
        let mut all = format!("{told:?} {forms:?} {reply}");
        // Each client chooses the ids of its prompts, and of their parts.
        let parts = reply["messages"][0]["parts"].as_array().into_iter().flatten();
        let own = parts.filter_map(|part| part["id"].as_str().map(str::to_owned));
        for id in run.message_id().into_iter().chain(own) {
            all = all.replace(&id, "mine");
        }
        all
    }

    fn tell(&self, prompt: Prompt) -> String {
        self.story(&self.client.run(prompt).unwrap(), |_, _| ())
    }
}

fn policy(word: &str) -> Option<PermissionPolicy> {
    Some(PermissionPolicy::from_value(&json!(word)).unwrap())
}

/// Where two stories begin to differ.
fn difference(real: &[String], again: &[String]) -> Option<String> {
    let (real, again) = (real.join("\n"), again.join("\n"));
    let is_other = |((_, one), other): &((usize, char), char)| one != other;
    let found = real.char_indices().zip(again.chars()).find(is_other).map(|((at, _), _)| at);
    let at = found.or_else(|| (real.len() != again.len()).then(|| real.len().min(again.len())))?;
    let near = |text: &str| {
        text.get(at.saturating_sub(300)..).unwrap_or(text).chars().take(500).collect::<String>()
    };
    Some(format!("real:\n{}\nagain:\n{}", near(&real), near(&again)))
}

type Script = fn(&Stage<'_>) -> Vec<String>;

/// Servers on which commands have to be asked for.
fn on_both<F: Fn(&'static World)>(test: F) {
    list::generations(&list::name_of::<F>()).for_each(|generation| test(World::asking(generation)));
}

/// Records a script, and plays it.
fn is_replayed(world: &World, script: Script) {
    is_replayed_of(world, &world.options(), script);
}

/// The same, recorded with these options.
fn is_replayed_of(world: &World, recording: &ClientOptions, script: Script) {
    let name = std::thread::current().name().unwrap_or_default().replace("::", "-");
    let folder = Directory::new("replays").unwrap();
    for events in [true, false] {
        let tape = folder.path().join(format!("{events}.jsonl"));
        let mut options = recording.clone();
        (options.record, options.events) = (Some(tape.clone()), events);
        let real = {
            let stage = Stage::new(world, options);
            script(&stage)
        };
        // Twice: a replay is another one each time.
        for n in 0..2 {
            let replay = Replay::start(&tape).unwrap();
            let mut options = ClientOptions::default();
            (options.base_url, options.events) = (replay.url(), events);
            options.log = opencode_core::Log::from_env();
            let again = script(&Stage::new(world, options));
            if let Some(difference) = difference(&real, &again) {
                // OPENCODE_KEEP_TAPES=folder keeps what was recorded.
                if let Ok(kept) = std::env::var("OPENCODE_KEEP_TAPES") {
                    std::fs::copy(&tape, format!("{kept}/{name}.jsonl")).unwrap();
                }
                panic!("{name} events {events}, {n}: {difference}");
            }
        }
    }
}

#[test]
fn answers() {
    on_both(|world| {
        is_replayed(world, |stage| {
            let steps =
                json!([{ "reasoning": "hm well", "text": "one two three é😀", "delay_ms": 20 }]);
            let first = stage.tell(stage.prompt("text", steps.clone()));
            let mut next = stage.prompt("next", steps);
            next.session = Some(stage.first());
            let part = attach_bytes("note.txt", b"a note", &AttachOptions::default()).unwrap();
            next.parts.push(part.into());
            next.model = Some(Model { provider_id: "local".into(), model_id: "other".into() });
            next.agent = Some("plan".to_owned());
            vec![first, stage.tell(next)]
        });
    });
}

#[test]
fn tools_and_permissions() {
    on_both(|world| {
        is_replayed(world, |stage| {
            let world = stage.world;
            let mut steps = json!([world.bash("echo 1"), world.glance(), { "text": "end" }]);
            steps[0]["text"] = "Let me look.".into();
            let mut all = vec![stage.tell(stage.prompt("policy", steps.clone()))];
            let mut refused = stage.prompt("refused", steps.clone());
            refused.permission = policy("reject");
            all.push(stage.tell(refused));
            for (reply, message) in [
                (PermissionReply::Once, None),
                (PermissionReply::Reject, Some("not now")),
                (PermissionReply::Reject, None),
            ] {
                let mut by_hand = stage.prompt("by hand", steps.clone());
                by_hand.permission = policy("ask");
                let run = stage.client.run(by_hand).unwrap();
                all.push(stage.story(&run, |run, update| {
                    if let Update::Permission { id, .. } = update {
                        run.reply_permission(id, reply, message);
                    }
                }));
            }
            all
        });
    });
}

#[test]
fn a_permission_whose_answer_comes_after_the_end_of_its_run() {
    on_both(|world| {
        let proxy = Proxy::start(&world.server().url()).unwrap();
        proxy.hook(|asked| match asked.is("POST */reply*") {
            true => Plan::pass().stall_answer(0, Duration::from_secs(8)),
            false => Plan::pass(),
        });
        let recording = options(world.server(), &proxy.url());
        is_replayed_of(world, &recording, |stage| {
            let steps = json!([stage.world.bash("echo 1"), { "text": "end" }]);
            vec![stage.tell(stage.prompt("policy", steps))]
        });
    });
}

#[test]
fn questions() {
    on_both(|world| {
        is_replayed(world, |stage| {
            let question = json!({ "questions": [{ "question": "Which?", "header": "Pick",
                "options": [{ "label": "A", "description": "a" }, { "label": "B", "description": "b" }],
            }]});
            let steps = json!([tool("question", question), { "text": "chosen" }]);
            let mut all = Vec::new();
            for policy in [QuestionPolicy::First, QuestionPolicy::Reject, QuestionPolicy::Ask] {
                let mut prompt = stage.prompt("question", steps.clone());
                prompt.question = Some(policy);
                all.push(stage.story(&stage.client.run(prompt).unwrap(), |run, update| {
                    if let Update::Question { id, .. } = update {
                        run.reply_question(id, &[vec!["my own".to_owned()]]);
                    }
                }));
            }
            all
        });
    });
}

#[test]
fn subagents() {
    on_both(|world| {
        is_replayed(world, |stage| {
            let world = stage.world;
            let steps = json!([world.bash("echo below"), { "text": "below" }]);
            let task = world.subagent(&opencode_tests::prompt("child", steps));
            vec![stage.tell(stage.prompt("parent", json!([task, { "text": "above" }])))]
        });
    });
}

#[test]
fn cancels_and_limits() {
    on_both(|world| {
        is_replayed(world, |stage| {
            let steps = json!([{ "text": "a b c", "stall": { "after": 1, "ms": 60_000 } }]);
            let run = stage.client.run(stage.prompt("cancelled", steps.clone())).unwrap();
            eventually("text", || {
                run.poll();
                (!run.text().is_empty() || !stage.options.events && run.message_id().is_some())
                    .then_some(())
            });
            run.cancel(LIMIT);
            let error = error(&run);
            let mut all = vec![format!("{} {error}", error.kind())];
            let mut next = stage.prompt("after the cancel", json!([{ "text": "next" }]));
            next.session = run.session_id();
            all.push(stage.tell(next));
            let mut open =
                stage.prompt("open", json!([stage.world.bash("echo 3"), { "text": "x" }]));
            open.permission = policy("ask");
            let run = stage.client.run(open).unwrap();
            all.push(stage.story(&run, |run, update| {
                if matches!(update, Update::Permission { .. }) {
                    run.cancel(Duration::ZERO);
                }
            }));
            let mut late = stage.prompt("late", steps);
            late.limits.deadline = Some(Duration::from_secs(3));
            let run = stage.client.run(late).unwrap();
            let error = super::error(&run);
            all.push(format!("{} {error}", error.kind()));
            all
        });
    });
}

#[test]
fn queues() {
    on_both(|world| {
        is_replayed(world, |stage| {
            let session = stage.first();
            let other = Client::new(stage.options.clone()).unwrap();
            let start = |client: &Client, words: &str| {
                let steps = json!([{ "text": format!("answer {words}"), "delay_ms": 30 }]);
                let mut prompt = stage.prompt(words, steps);
                prompt.session = Some(session.clone());
                client.run(prompt).unwrap()
            };
            let runs = ["A", "B", "C"].map(|words| start(&stage.client, words));
            let aside = other.run(stage.prompt("aside", json!([{ "text": "aside" }]))).unwrap();
            let runs = runs.iter().chain([&aside]);
            let mut texts: Vec<String> = runs.map(|run| reply(run).text.clone()).collect();
            texts.push(reply(&start(&other, "foreign")).text.clone());
            texts
        });
    });
}

#[test]
fn prompts_that_do_not_wait() {
    on_both(|world| {
        is_replayed(world, |stage| {
            let steps = json!([{ "text": "a b c d e f", "delay_ms": 100 }]);
            let first = stage.client.run(stage.prompt("first", steps)).unwrap();
            until(&first, |update| matches!(update, Update::Message(_)));
            let mut second = stage.prompt("second", json!([{ "text": "second" }]));
            (second.session, second.when_busy) = (first.session_id(), WhenBusy::Send);
            let other = Client::new(stage.options.clone()).unwrap();
            let second = other.run(second).unwrap();
            vec![reply(&first).text.clone(), reply(&second).text.clone()]
        });
    });
}

#[test]
fn failures() {
    on_both(|world| {
        is_replayed(world, |stage| {
            let retried = json!([{ "status": 429, "headers": { "retry-after-ms": "300" },
                "times": 2, "then": { "text": "ok" } }]);
            let refused = json!([{ "status": 401, "body": { "error": { "message": "no key" } } }]);
            let cut = json!([{ "text": "cut cut cut", "cut_after": 2, "times": 1,
                "then": { "text": "right" } }]);
            let mut all: Vec<String> = [retried, refused, cut]
                .into_iter()
                .map(|steps| stage.tell(stage.prompt("fails", steps)))
                .collect();
            let mut wrong = stage.prompt("x", json!([]));
            wrong.model = Some(Model { provider_id: "local".into(), model_id: "nope".into() });
            all.push(error(&stage.client.run(wrong.clone()).unwrap()).to_string());
            (wrong.model, wrong.agent) = (None, Some("nobody".to_owned()));
            all.push(error(&stage.client.run(wrong.clone()).unwrap()).to_string());
            (wrong.agent, wrong.session) = (None, Some("ses_none".to_owned()));
            all.push(error(&stage.client.run(wrong).unwrap()).to_string());
            all
        });
    });
}

#[test]
fn runs_that_are_left_and_picked_up() {
    on_both(|world| {
        is_replayed(world, |stage| {
            let steps = json!([stage.world.bash("echo 12"), { "text": "went on" }]);
            let mut prompt = stage.prompt("far", steps);
            prompt.permission = policy("ask");
            let run = stage.client.run(prompt.clone()).unwrap();
            until(&run, |update| matches!(update, Update::Permission { .. }));
            let left = run.detach(LIMIT).unwrap();
            let other = Client::new(stage.options.clone()).unwrap();
            prompt.permission = policy("once");
            let resumed = other.resume(&left.session_id, &left.message_id, prompt).unwrap();
            vec![stage.story(&resumed, |_, _| ())]
        });
    });
}

#[test]
fn structured_answers() {
    on_both(|world| {
        is_replayed(world, |stage| {
            let schema = json!({ "type": "object", "properties": { "n": { "type": "integer" } } });
            let mut prompt =
                stage.prompt("structured", json!([tool("StructuredOutput", json!({ "n": 5 }))]));
            prompt.format = Some(schema.into());
            let run = stage.client.run(prompt).unwrap();
            vec![match run.wait(Some(LIMIT)) {
                Ok(reply) => reply.structured.as_ref().unwrap().get().to_owned(),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Unsupported);
                    error.to_string()
                }
            }]
        });
    });
}
