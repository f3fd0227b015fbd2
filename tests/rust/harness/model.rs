//! The scripted model, spoken to without a server in between.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use opencode_tests::http::{self, Response};
use opencode_tests::{LIMIT, Model, eventually, prompt};
use serde_json::{Value, json};

fn body(text: &str) -> Value {
    json!({
        "model": "test",
        "stream": true,
        "messages": [{"role": "system", "content": "You are a coder"}, {"role": "user", "content": text}],
        "tools": [{"type": "function", "function": {"name": "bash"}}],
    })
}

fn post(model: &Model, body: &Value) -> opencode_tests::Result<Response> {
    let url = format!("{}/chat/completions", model.url());
    http::send("POST", &url, &[], Some(body.to_string().as_bytes()))
}

/// The payloads of a streamed answer, without the `[DONE]` that must end it.
fn events(response: &Response) -> Vec<Value> {
    let text = response.text();
    let mut lines: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    assert_eq!(lines.pop(), Some("[DONE]"), "{text}");
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The values of one field of the deltas.
fn deltas<'a>(events: &'a [Value], field: &str) -> Vec<&'a str> {
    let deltas = events.iter().map(|event| &event["choices"][0]["delta"][field]);
    deltas.filter_map(Value::as_str).collect()
}

fn play(model: &Model, words: &str, steps: Value) -> Vec<Value> {
    let response = post(model, &body(&prompt(words, steps))).unwrap();
    assert_eq!(response.status, 200, "{}", response.text());
    events(&response)
}

#[test]
fn a_step_is_streamed_in_order() {
    let model = Model::start(0).unwrap();
    let call = json!({"name": "bash", "arguments": {"command": "x".repeat(100)}});
    let step = json!({
        "reasoning": "a b", "text": "one two\nthree \"é\"", "tools": [call, {"name": "list"}],
        "usage": {"input": 1, "output": 2, "reasoning": 3, "cached": 4}, "delay_ms": 0,
    });
    let events = play(&model, "", json!([step]));
    assert_eq!(deltas(&events, "reasoning_content"), ["a ", "b"]);
    assert_eq!(deltas(&events, "content"), ["one ", "two\nthree ", "\"é\""]);
    let calls: Vec<&Value> = events
        .iter()
        .filter_map(|event| event["choices"][0]["delta"]["tool_calls"][0].as_object())
        .map(|call| call.get("function").unwrap())
        .collect();
    let arguments: String = calls.iter().filter_map(|call| call["arguments"].as_str()).collect();
    assert_eq!(arguments, format!("{{\"command\":\"{}\"}}{{}}", "x".repeat(100)));
    assert!(calls.len() > 4, "the arguments come in pieces");
    let end = &events[events.len() - 2..];
    assert_eq!(end[0]["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(end[1]["usage"]["prompt_tokens"], 5);
    assert_eq!(end[1]["usage"]["completion_tokens"], 5);
    assert_eq!(end[1]["usage"]["completion_tokens_details"]["reasoning_tokens"], 3);
}

#[test]
fn chunk_finish_and_delays_are_obeyed() {
    let model = Model::start(0).unwrap();
    let start = Instant::now();
    let step = json!({"text": "abcdef", "chunk": 2, "delay_ms": 40, "first_delay_ms": 60, "finish": "length"});
    let events = play(&model, "", json!([step]));
    assert!(start.elapsed() >= Duration::from_millis(140));
    assert_eq!(deltas(&events, "content"), ["ab", "cd", "ef"]);
    assert_eq!(events[3]["choices"][0]["finish_reason"], "length");
}

#[test]
fn the_answers_so_far_choose_the_step() {
    let model = Model::start(0).unwrap();
    let mut request = body(&prompt("", json!([{"text": "a"}, {"text": "b"}])));
    for wanted in ["a", "b", "b"] {
        let events = events(&post(&model, &request).unwrap());
        assert_eq!(deltas(&events, "content"), [wanted]);
        let messages = request["messages"].as_array_mut().unwrap();
        messages.push(json!({"role": "assistant", "content": "x"}));
        messages.push(json!({"role": "tool", "content": "y"}));
    }
    let steps: Vec<Value> = model.log().iter().map(|entry| entry["step"].clone()).collect();
    assert_eq!(steps, [0, 1, 2]);
}

#[test]
fn times_and_then_count_requests_of_one_session() {
    let model = Model::start(0).unwrap();
    let last = json!({"text": "d"});
    let second = json!({"text": "c", "times": 1, "then": last});
    let script = json!([{"text": "a", "times": 2, "then": second}]);
    let said = |session: &str| {
        let body = body(&prompt("", script.clone())).to_string();
        let url = format!("{}/chat/completions", model.url());
        let headers = [("x-session-id", session)];
        let response = http::send("POST", &url, &headers, Some(body.as_bytes())).unwrap();
        deltas(&events(&response), "content").concat()
    };
    assert_eq!([said("s1"), said("s1"), said("s1"), said("s1"), said("s1")].concat(), "aacdd");
    assert_eq!(said("s2"), "a");
}

#[test]
fn a_loop_of_tool_calls_ends_with_then() {
    let model = Model::start(0).unwrap();
    let script =
        json!([{"text": "first"}, {"text": "again", "times": 3, "then": {"text": "last"}}]);
    let mut request = body(&prompt("", script));
    let mut said = Vec::new();
    for _ in 0..6 {
        let events = events(&post(&model, &request).unwrap());
        said.push(deltas(&events, "content").concat());
        request["messages"].as_array_mut().unwrap().push(json!({"role": "assistant"}));
    }
    assert_eq!(said, ["first", "again", "again", "again", "last", "last"]);
}

#[test]
fn failures_look_as_scripted() {
    let model = Model::start(0).unwrap();
    let ask = |step: Value| post(&model, &body(&prompt("", json!([step]))));
    let limited = ask(json!({"status": 429, "headers": {"retry-after": 7}, "body": "slow down"}));
    let limited = limited.unwrap();
    assert_eq!((limited.status, limited.text().as_str()), (429, "slow down"));
    assert_eq!(limited.header("retry-after"), Some("7"));
    let plain = ask(json!({"status": 503})).unwrap();
    assert_eq!(plain.json()["error"]["message"], "scripted error 503");
    let reset = ask(json!({"reset": true})).unwrap_err().to_string();
    assert!(reset.contains("reset"), "{reset}");
    let start = Instant::now();
    assert!(ask(json!({"hang_ms": 120})).is_err());
    assert!(start.elapsed() >= Duration::from_millis(120));
    assert!(ask(json!({"text": "a b c", "cut_after": 2})).is_err());
    let error = play(&model, "", json!([{"text": "half", "error": "it broke"}]));
    assert_eq!(error.last().unwrap()["error"]["message"], "it broke");
    let garbage = ask(json!({"text": "a", "garbage": true})).unwrap();
    assert!(garbage.text().contains("data: {not json\n"));
    let outcomes: Vec<Value> = model.log().iter().map(|entry| entry["outcome"].clone()).collect();
    assert_eq!(outcomes, ["done", "done", "closed", "closed", "closed", "done", "done"]);
}

#[test]
fn a_cut_stream_holds_the_deltas_before_it() {
    let model = Model::start(0).unwrap();
    let step = json!({"text": "a b c d", "cut_after": 2, "delay_ms": 0});
    let text = body(&prompt("", json!([step]))).to_string();
    let url = format!("{}/chat/completions", model.url());
    let mut stream = http::open("POST", &url, &[], Some(text.as_bytes()), LIMIT).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer.matches("data: ").count(), 2);
    assert!(!answer.contains("[DONE]"));
}

#[test]
fn a_stall_is_a_silence_in_the_middle() {
    let model = Model::start(0).unwrap();
    let step = json!({"text": "a b c", "stall": {"after": 2, "ms": 150}, "delay_ms": 0});
    let start = Instant::now();
    let events = play(&model, "", json!([step]));
    assert!(start.elapsed() >= Duration::from_millis(150));
    assert_eq!(deltas(&events, "content").concat(), "a b c");
}

#[test]
fn a_client_that_leaves_is_noticed_even_in_a_silence() {
    let model = Model::start(0).unwrap();
    let text = body(&prompt("", json!([{"hang_ms": 3_600_000}]))).to_string();
    let url = format!("{}/chat/completions", model.url());
    let stream = http::open("POST", &url, &[], Some(text.as_bytes()), LIMIT).unwrap();
    eventually("the request", || model.log().first().cloned());
    drop(stream);
    eventually("its end", || (model.log()[0]["outcome"] == "client_gone").then_some(()));
}

#[test]
fn a_bad_script_is_said_and_a_typo_is_refused() {
    let model = Model::start(0).unwrap();
    let events = events(&post(&model, &body("@@[{\"text\": ")).unwrap());
    assert!(deltas(&events, "content").concat().starts_with("BAD SCRIPT: "));
    let refused = post(&model, &body(&prompt("", json!([{}, {"speed": 1}])))).unwrap();
    assert_eq!(refused.status, 400);
    let message = refused.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("step 1: unknown field \"speed\""), "{message}");
    let deep = format!("@@{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(post(&model, &body(&deep)).unwrap().status, 200);
    let nested = format!("@@{}{}", "[".repeat(120), "]".repeat(120));
    assert_eq!(post(&model, &body(&nested)).unwrap().status, 200);
    let mut hostile = body("x");
    hostile["messages"] =
        serde_json::from_str(&format!("{}{}", "[".repeat(120), "]".repeat(120))).unwrap();
    post(&model, &hostile).unwrap();
    for nonsense in [json!(null), json!([]), json!({"messages": 5}), json!({"messages": null})] {
        assert_eq!(post(&model, &nonsense).unwrap().status, 400);
    }
    assert_eq!(post(&model, &json!({"messages": []})).unwrap().status, 200);
}

#[test]
fn titles_defaults_and_requests_without_a_stream_are_answered() {
    let model = Model::start(0).unwrap();
    let mut title = body("hello");
    title["tools"] = json!([]);
    title["stream"] = false.into();
    let answer = post(&model, &title).unwrap().json();
    assert_eq!(answer["choices"][0]["message"]["content"], "A scripted title");
    let long = "word ".repeat(40);
    let events = events(&post(&model, &body(&long)).unwrap());
    let said = deltas(&events, "content").concat();
    assert!(said.starts_with("You said: \"word word "), "{said}");
    assert!(said.contains("…\". I am the scripted model"), "{said}");
    assert!(events.last().unwrap()["usage"]["prompt_tokens"].as_u64().unwrap() > 40);
    let models = http::send("GET", &format!("{}/models", model.url()), &[], None).unwrap().json();
    let ids: Vec<&Value> = models["data"].as_array().unwrap().iter().map(|m| &m["id"]).collect();
    assert_eq!(ids, ["test", "tiny", "other"]);
    let kinds: Vec<Value> = model.log().iter().map(|entry| entry["kind"].clone()).collect();
    assert_eq!(kinds, ["title", "default"]);
    assert_eq!((model.runs("word"), model.runs("hello")), (1, 0));
}

#[test]
fn the_log_is_served_and_cleared_over_http() {
    let model = Model::start(0).unwrap();
    let mut request = body(&prompt("logged", json!([{"text": "x"}])));
    request["tool_choice"] = "required".into();
    request["response_format"] = json!({"type": "json_object"});
    post(&model, &request).unwrap();
    let url = model.url().replace("/v1", "/log");
    let log = http::send("GET", &url, &[], None).unwrap().json();
    let entry = &log[0];
    assert_eq!(entry["model"], "test");
    assert_eq!(entry["messages"], 2);
    assert_eq!(entry["tools"], json!(["bash"]));
    assert_eq!(entry["system"], "You are a coder");
    assert_eq!(entry["tool_choice"], "required");
    assert_eq!(entry["response_format"]["type"], "json_object");
    assert!(entry["user"].as_str().unwrap().starts_with("logged @@"));
    assert!(entry["time"].as_u64().unwrap() > 1_600_000_000_000);
    assert_eq!(http::send("DELETE", &url, &[], None).unwrap().status, 204);
    assert_eq!(http::send("GET", &url, &[], None).unwrap().json(), json!([]));
    assert_eq!(http::send("GET", &model.url(), &[], None).unwrap().status, 404);
}

#[test]
fn one_connection_carries_many_answers() {
    let model = Model::start(0).unwrap();
    let address = model.url().replace("http://", "").replace("/v1", "");
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let mut reader = BufReader::new(&stream);
    for number in 0..20 {
        let text = format!("answer {number}");
        let body = body(&prompt("", json!([{"text": text, "chunk": 99}]))).to_string();
        let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n";
        let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        (&stream).write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        while !answer.ends_with("\r\n0\r\n\r\n") {
            assert!(reader.read_line(&mut answer).unwrap() > 0);
        }
        assert!(answer.contains(&text), "{answer}");
    }
}

#[test]
fn a_thousand_streams_run_at_once() {
    const STREAMS: usize = 1000;
    let model = Model::start(0).unwrap();
    let url = format!("{}/chat/completions", model.url());
    let text = "one two three four five six seven eight nine ten";
    let step = json!({"text": text, "delay_ms": 100});
    let body = body(&prompt("crowd", json!([step]))).to_string();
    let barrier = Barrier::new(STREAMS);
    thread::scope(|scope| {
        for _ in 0..STREAMS {
            let work = || {
                barrier.wait();
                let response = http::send("POST", &url, &[], Some(body.as_bytes())).unwrap();
                assert_eq!(deltas(&events(&response), "content").concat(), text);
            };
            thread::Builder::new().stack_size(256 * 1024).spawn_scoped(scope, work).unwrap();
        }
    });
    assert_eq!(model.runs("crowd"), STREAMS);
    assert!(model.log().iter().all(|entry| entry["outcome"] == "done"));
}

#[test]
fn dropping_the_model_ends_its_streams_and_frees_its_port() {
    let model = Model::start(0).unwrap();
    let port: u16 = model.url().split(':').nth(2).unwrap().replace("/v1", "").parse().unwrap();
    let text = body(&prompt("", json!([{"text": "a b", "delay_ms": 3_600_000}]))).to_string();
    let url = format!("{}/chat/completions", model.url());
    let mut stream = http::open("POST", &url, &[], Some(text.as_bytes()), LIMIT).unwrap();
    let mut first = [0; 16];
    stream.read_exact(&mut first).unwrap();
    drop(model);
    let mut rest = String::new();
    let _ = stream.read_to_string(&mut rest);
    assert!(!rest.contains("[DONE]"));
    eventually("the port", || Model::start(port).ok());
}
