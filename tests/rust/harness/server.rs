//! A prompt makes its way through the real server to the scripted model and back.

use opencode_tests::{LIMIT, Server, eventually, http, project, prompt, shared};
use serde_json::{Value, json};

use super::{ask, ask_in, session, text};

#[test]
fn a_prompt_returns_the_scripted_text_byte_for_byte() {
    let shared = shared();
    let wanted = "Zeile 1\n\n\t\"quoted\" \\ é€😀 日本 \u{200d}  end  of `text`";
    let script = json!([{"text": wanted, "reasoning": "Let me think.", "delay_ms": 0}]);
    let reply = ask(&shared.server, &prompt("exact text", script));
    assert_eq!(text(&reply), wanted);
    assert_eq!(reply["info"]["finish"], "stop");
    assert!(reply["info"]["time"]["completed"].is_u64());
    let reasoning = reply["parts"].as_array().unwrap().iter();
    let reasoning: Vec<&Value> = reasoning.filter(|part| part["type"] == "reasoning").collect();
    assert_eq!(reasoning[0]["text"], "Let me think.");
    assert_eq!(shared.model.runs("exact text"), 1);
}

#[test]
fn the_server_reports_the_scripted_usage_and_its_price() {
    let usage = json!({"input": 1000, "output": 50, "reasoning": 7, "cached": 300});
    let reply = ask(&shared().server, &prompt("usage", json!([{"text": "x", "usage": usage}])));
    let tokens = &reply["info"]["tokens"];
    let cache = json!({"read": 300, "write": 0});
    assert_eq!(tokens["input"], 1000, "{tokens}");
    assert_eq!(tokens["output"], 50, "{tokens}");
    assert_eq!(tokens["reasoning"], 7, "{tokens}");
    assert_eq!(tokens["cache"], cache, "{tokens}");
    let cost = reply["info"]["cost"].as_f64().unwrap();
    let wanted = (1000.0 * 3.0 + 57.0 * 15.0 + 300.0 * 0.3) / 1e6;
    assert!((cost - wanted).abs() < 1e-12, "{cost} is not {wanted}");
}

#[test]
fn a_tool_step_runs_the_tool_and_comes_back() {
    let shared = shared();
    let call = json!({"name": "bash", "arguments": {"command": "echo scripted-$((20+3))", "description": "Say it"}});
    let script = json!([{"text": "Running it.", "tools": [call]}, {"text": "It said 23."}]);
    let id = session(&shared.server);
    let reply = ask_in(&shared.server, &id, &prompt("run the tool", script));
    assert_eq!(text(&reply), "It said 23.");
    let messages = shared.server.get(&format!("/session/{id}/message")).unwrap().json();
    let parts = messages[1]["parts"].as_array().unwrap();
    let tool = parts.iter().find(|part| part["type"] == "tool").unwrap();
    assert_eq!(tool["state"]["status"], "completed", "{tool}");
    assert_eq!(tool["state"]["output"].as_str().unwrap().trim(), "scripted-23");
    let log = shared.model.log();
    let steps: Vec<&Value> = log
        .iter()
        .filter(|entry| entry["session"] == id.as_str() && entry["kind"] == "script")
        .map(|entry| &entry["step"])
        .collect();
    assert_eq!(steps, [0, 1]);
}

#[test]
fn an_error_step_becomes_the_error_of_the_message() {
    let script = json!([{"status": 401, "body": {"error": {"message": "no such key"}}}]);
    let reply = ask(&shared().server, &prompt("fail", script));
    let error = &reply["info"]["error"];
    assert_eq!(error["name"], "APIError", "{error}");
    assert_eq!(error["data"]["statusCode"], 401);
    assert_eq!(error["data"]["message"], "no such key");
}

#[test]
fn a_typo_in_a_script_ends_the_run_with_its_name() {
    let reply = ask(&shared().server, &prompt("typo", json!([{"txet": "x"}])));
    let message = reply["info"]["error"]["data"]["message"].as_str().unwrap();
    assert!(message.contains("unknown field \"txet\""), "{message}");
}

#[test]
fn the_server_tries_again_after_the_failures_that_pass() {
    let shared = shared();
    let soon = json!({"retry-after-ms": "1"});
    for (name, failing) in [
        ("status 500", json!({"status": 500, "headers": soon})),
        ("status 429", json!({"status": 429, "headers": soon})),
        ("reset", json!({"reset": true})),
        ("cut", json!({"text": "one two three", "cut_after": 2})),
        ("hang", json!({"hang_ms": 20})),
        ("error", json!({"text": "half", "error": "overloaded"})),
    ] {
        let mut step = failing;
        step["times"] = 1.into();
        step["then"] = json!({"text": "recovered"});
        let words = format!("retry after {name}");
        let reply = ask(&shared.server, &prompt(&words, json!([step])));
        assert!(text(&reply).ends_with("recovered"), "{name}: {reply}");
        assert_eq!(shared.model.runs(&words), 2, "{name}");
    }
}

#[test]
fn garbage_in_the_stream_fails_the_run() {
    let reply = ask(&shared().server, &prompt("garbage", json!([{"text": "x", "garbage": true}])));
    assert!(reply["info"]["error"]["name"].is_string(), "{reply}");
}

#[test]
fn a_session_gets_its_fixed_title_and_the_title_does_not_count_as_a_run() {
    let shared = shared();
    let id = session(&shared.server);
    ask_in(&shared.server, &id, &prompt("entitle me", json!([{"text": "x"}])));
    eventually("the title", || {
        let session = shared.server.get(&format!("/session/{id}")).unwrap().json();
        (session["title"] == "A scripted title").then_some(())
    });
    assert_eq!(shared.model.runs("entitle me"), 1);
}

#[test]
fn a_prompt_without_tools_still_gets_its_script() {
    let server = &shared().server;
    let id = session(server);
    let part = json!({"type": "text", "text": prompt("no tools", json!([{"text": "scripted"}]))});
    let body = json!({"parts": [part], "tools": {"*": false}});
    let reply = server.post(&format!("/session/{id}/message"), &body).unwrap().json();
    assert_eq!(text(&reply), "scripted");
    let log = shared().model.log();
    let entry =
        log.iter().find(|entry| entry["session"] == id.as_str() && entry["kind"] != "title");
    assert_eq!(entry.unwrap()["tools"], json!([]));
}

#[test]
fn a_plain_prompt_gets_the_friendly_answer() {
    let server = &shared().server;
    let reply = ask(server, "What is this?");
    assert!(text(&reply).starts_with("You said: \"What is this?\"."), "{}", text(&reply));
    assert!(reply["info"]["cost"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_small_context_is_compacted() {
    let shared = shared();
    let id = session(&shared.server);
    let steps = json!([{"text": "big", "usage": {"input": 5000}}]);
    let body = json!({
        "parts": [{"type": "text", "text": prompt("compact me", steps)}],
        "model": {"providerID": "local", "modelID": "tiny"},
    });
    shared.server.post(&format!("/session/{id}/message"), &body).unwrap();
    let messages = || shared.server.get(&format!("/session/{id}/message?limit=50")).unwrap().json();
    let compacted = |messages: &Value| {
        let parts = messages.as_array().unwrap().iter();
        parts
            .flat_map(|message| message["parts"].as_array().unwrap())
            .any(|p| p["type"] == "compaction")
    };
    eventually("the compaction", || compacted(&messages()).then_some(()));
    shared.server.post(&format!("/session/{id}/abort"), &json!({})).unwrap();
}

#[test]
fn a_second_model_can_be_chosen() {
    let shared = shared();
    let id = session(&shared.server);
    let body = json!({
        "parts": [{"type": "text", "text": prompt("choose", json!([{"text": "other"}]))}],
        "model": {"providerID": "local", "modelID": "other"},
    });
    let reply = shared.server.post(&format!("/session/{id}/message"), &body).unwrap().json();
    assert_eq!(reply["info"]["modelID"], "other");
    let log = shared.model.log();
    let entry = log.iter().find(|e| e["session"] == id.as_str() && e["kind"] == "script");
    assert_eq!(entry.unwrap()["model"], "other");
}

#[test]
fn nothing_of_the_machine_gets_in_and_nothing_gets_out() {
    let server = &shared().server;
    ask(server, &prompt("hermetic", json!([{"text": "x"}])));
    let paths = server.get("/path").unwrap().json();
    let config = paths["config"].as_str().unwrap();
    assert!(config.contains("opencode-tests-"), "{paths}");
    let config = std::path::Path::new(config);
    let log = config.join("../../.local/share/opencode/log/opencode.log");
    eventually("the failure of the download", || {
        let log = std::fs::read_to_string(&log).ok()?;
        log.contains("background dependency install failed").then_some(())
    });
    assert!(!config.join("node_modules").exists());
    let providers = server.get("/config/providers").unwrap().json();
    assert_eq!(providers["providers"].as_array().unwrap().len(), 1, "{providers}");
    assert_eq!(project::git(server.directory(), &["status", "--porcelain"]).unwrap(), "");
    assert_eq!(server.directory().to_str(), paths["directory"].as_str());
}

#[test]
fn the_password_is_asked_for_unless_there_is_none() {
    let shared = shared();
    let url = format!("{}/global/health", shared.server.url());
    assert_eq!(http::send("GET", &url, &[], None).unwrap().status, 401);
    assert_eq!(shared.server.get("/global/health").unwrap().status, 200);

    let open = Server::builder(&shared.model.url()).no_password().start().unwrap();
    let url = format!("{}/global/health", open.url());
    assert_eq!(http::send("GET", &url, &[], None).unwrap().status, 200);
    assert!(open.env().iter().all(|(name, _)| name != "OPENCODE_SERVER_PASSWORD"));
    assert_ne!(open.url(), shared.server.url());
    assert_ne!(open.directory(), shared.server.directory());
}

#[test]
fn the_choices_of_the_builder_reach_the_server() {
    let directory = project::create().unwrap();
    let server = Server::builder(&shared().model.url())
        .username("ada")
        .password("påss:word")
        .directory(directory.path())
        .config(json!({"provider": {"local": {"models": {"extra": {"name": "Extra"}}}}}))
        .variable("TOOL_SEES", "this")
        .start()
        .unwrap();
    assert_eq!((server.username(), server.password()), ("ada", Some("påss:word")));
    assert_eq!(server.directory(), directory.path());
    let models = server.get("/config/providers").unwrap().json()["providers"][0]["models"].clone();
    let names: Vec<&String> = models.as_object().unwrap().keys().collect();
    assert_eq!(names, ["extra", "other", "test", "tiny"]);
    let call = json!({"name": "bash", "arguments": {"command": "echo $TOOL_SEES > seen.txt", "description": "x"}});
    ask(&server, &prompt("see", json!([{"tools": [call]}, {"text": "ok"}])));
    assert_eq!(std::fs::read_to_string(directory.path().join("seen.txt")).unwrap(), "this\n");
    let env: std::collections::HashMap<String, String> = server.env().into_iter().collect();
    assert_eq!(env["OPENCODE_BASE_URL"], server.url());
    assert_eq!(env["OPENCODE_SERVER_PASSWORD"], "påss:word");
    assert_eq!(env["OPENCODE_DIRECTORY"], directory.path().to_str().unwrap());
    drop(server);
    assert!(directory.path().join("README.md").exists(), "a given directory stays");
}

#[test]
fn a_server_that_cannot_start_says_what_it_printed() {
    let model = shared().model.url();
    let error = Server::builder(&model).argument("--no-such-option").start().unwrap_err();
    let error = error.to_string();
    assert!(error.contains("ended early"), "{error}");
    assert!(error.contains("--port"), "the output is missing: {error}");

    let port = shared().server.url().rsplit(':').next().unwrap().parse().unwrap();
    let start = std::time::Instant::now();
    let error = Server::builder(&model).port(port).start().unwrap_err().to_string();
    assert!(error.contains("ServeError"), "{error}");
    assert!(start.elapsed() < LIMIT);
}
