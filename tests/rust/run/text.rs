//! Text: all of it, once, in order.

use super::*;

#[test]
fn deltas_add_up_to_the_reply() {
    everywhere(|client| {
        let text = "one \"two\"\nthrée €😀 four";
        let run = client.run(scripted("text", json!([{ "text": text, "chunk": 2 }]))).unwrap();
        assert_eq!(shown(run.updates()), text);
        let reply = reply(&run);
        assert_eq!((reply.text.as_str(), reply.transcript.as_str()), (text, text));
        assert_eq!(run.text(), text);
        let (time, first) = (reply.time, reply.time.first_token_ms.unwrap());
        assert!(time.queued_ms <= time.total_ms && first <= time.total_ms, "{time:?}");
    });
}

#[test]
fn text_comes_while_it_is_made() {
    steadily(|client| {
        let steps = json!([{ "text": "a b c d e f", "delay_ms": 100 }]);
        let run = client.run(scripted("stream", steps)).unwrap();
        let mut pieces = 0;
        for update in run.updates() {
            if let Update::Text(piece) = update {
                assert!(!piece.replaces);
                pieces += 1;
            }
        }
        assert!(pieces > 2, "{pieces}");
    });
}

#[test]
fn reasoning_is_apart_from_text() {
    everywhere(|client| {
        let steps = json!([{ "reasoning": "hm well", "text": "yes" }]);
        let reply = reply(&client.run(scripted("think", steps)).unwrap());
        assert_eq!((reply.text.as_str(), reply.reasoning.as_str()), ("yes", "hm well"));
    });
}

#[test]
fn steps_of_a_tool_loop_are_paragraphs() {
    everywhere(|client| {
        let mut first = client.world().glance();
        first["text"] = "I look.".into();
        let run = client.run(scripted("loop", json!([first, { "text": "It is so." }]))).unwrap();
        assert_eq!(shown(run.updates()), "I look.\n\nIt is so.");
        let reply = reply(&run);
        assert_eq!(reply.text, "It is so.");
        assert_eq!(reply.messages.len(), 3);
    });
}

#[test]
fn without_events_the_answer_is_the_same() {
    without_events(|client| {
        let steps = json!([{ "text": "all at once", "delay_ms": 30 }]);
        let run = client.run(scripted("poll", steps)).unwrap();
        assert_eq!(shown(run.updates()), "all at once");
        assert_eq!(reply(&run).text, "all at once");
    });
}

#[test]
fn what_a_cut_answer_of_the_model_said_is_taken_back() {
    everywhere(|client| {
        let steps = json!([{
            "text": "wrong wrong wrong", "cut_after": 2, "times": 1, "then": { "text": "right" },
        }]);
        let run = client.run(scripted("cut", steps)).unwrap();
        assert_eq!(shown(run.updates()), "right");
        assert_eq!(reply(&run).text, "right");
    });
}

#[test]
fn an_answer_that_was_cut_off_goes_on() {
    everywhere(|client| {
        // The pause lets the server have the text before the cut: without any it asks again, and nothing goes on.
        let steps = json!([{ "text": "one two three", "delay_ms": 200, "cut_after": 2, "times": 1,
            "then": { "text": "and four" } }]);
        let run = client.run(scripted("cut", steps)).unwrap();
        let reply = reply(&run);
        // The server asks the model to go on in words of its own, so the script is at its end.
        assert!(reply.text.starts_with("one two You said"), "{reply:?}");
        assert_eq!(reply.finish.as_deref(), Some("stop"));
    });
}

#[test]
fn a_stream_of_the_text_gives_what_was_said_and_in_the_end_its_failure() {
    everywhere(|client| {
        let mut first = client.world().glance();
        first["text"] = "I look.".into();
        let run = client.run(scripted("stream", json!([first, { "text": "It is so." }]))).unwrap();
        let pieces: Vec<String> = run.text_stream().map(Result::unwrap).collect();
        assert_eq!(pieces.concat(), reply(&run).transcript);
        assert!(run.text_stream().next().is_none(), "nothing comes twice");
    });
    steadily(|client| {
        let run = client.run(scripted("fail", json!([{ "status": 401, "body": "no" }]))).unwrap();
        let items: Vec<_> = run.text_stream().collect();
        let error = items.last().unwrap().as_ref().unwrap_err();
        assert_eq!((items.len(), error.kind()), (1, run.error().unwrap().kind()));
        let steps = json!([{
            "text": "wrong wrong wrong", "cut_after": 2, "times": 1, "then": { "text": "right" },
        }]);
        let run = client.run(scripted("cut", steps)).unwrap();
        let text: String = run.text_stream().map(Result::unwrap).collect();
        let is_two = client.world().is_two();
        let goes_on = text.starts_with("wrong") && (is_two || text.ends_with("\n\nright"));
        assert!(text == "right" || goes_on, "{text}");
    });
}

#[test]
fn a_stream_of_the_text_is_refused_where_it_would_hide_what_is_asked() {
    steadily(|client| {
        for (name, json) in
            [("permission", r#"{"permission":"ask"}"#), ("question", r#"{"question":"ask"}"#)]
        {
            let client = client.with_json(json).unwrap();
            let run = client.run("Say pong").unwrap();
            let error = run.text_stream().next().unwrap().unwrap_err();
            assert!(error.message().contains(&format!("{name} is 'ask'")), "{error}");
            assert_eq!(error.kind(), opencode_core::ErrorKind::InvalidArgument);
            reply(&run);
        }
    });
}

#[test]
fn cost_and_tokens_are_the_servers() {
    everywhere(|client| {
        let usage = json!({ "input": 1000, "output": 100, "reasoning": 20, "cached": 200 });
        let run = client.run(scripted("usage", json!([{ "text": "x", "usage": usage }]))).unwrap();
        let reply = reply(&run);
        let answers = client.world().answers(&reply.session_id, &reply.message_id);
        let answer = client.word(&answers[0]["info"], &answers[0]);
        assert_eq!(reply.cost, answer["cost"].as_f64().unwrap());
        assert_eq!(reply.tokens.input, answer["tokens"]["input"].as_u64().unwrap());
        assert_eq!(reply.tokens.cache.read, answer["tokens"]["cache"]["read"].as_u64().unwrap());
        assert!(reply.cost > 0.0);
    });
}

#[test]
fn files_that_were_changed_are_listed() {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    everywhere(|client| {
        let name = format!("made-{}.txt", COUNT.fetch_add(1, Ordering::Relaxed));
        let path = client.world().server().directory().join(name);
        let write = client.world().write(&path, "hello\n");
        let prompt = scripted("write", json!([write, { "text": "written" }]));
        let reply = reply(&client.run(prompt).unwrap());
        assert_eq!(reply.text, "written");
        let files = reply.files.as_ref().map(|raw| raw.get().to_owned()).unwrap_or_default();
        assert!(files.contains("made-"), "{files}");
        assert_eq!(std::fs::read_to_string(path).unwrap(), "hello\n");
    });
}

#[test]
fn files_go_with_a_prompt() {
    everywhere(|client| {
        let script = opencode_tests::prompt("attached", json!([{ "text": "seen" }]));
        let options = json!({ "files": [{ "path": "/etc/hostname" }] }).to_string();
        let prompt = Prompt::with_options(script, &options).unwrap();
        let reply = reply(&client.run(prompt).unwrap());
        let messages = client.world().messages(&reply.session_id);
        let lists = messages.iter().map(|m| &m[client.word("parts", "files")]);
        let is_file = |part: &&Value| client.world().is_two() || part["type"] == "file";
        let files = lists.filter_map(Value::as_array).flatten().filter(is_file);
        assert_eq!(files.count(), 1, "{messages:?}");
    });
}
