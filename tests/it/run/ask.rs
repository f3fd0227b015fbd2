//! Permissions and questions: of the run, of its subagents, by policy and by the host.

use super::*;
use opencode_core::{PermissionPolicy, PermissionReply, QuestionPolicy, State};
use opencode_tests::Model;

/// A server where bash has to be asked for.
struct World {
    server: Server,
    _model: Model,
}

impl World {
    fn start() -> World {
        let model = Model::start(0).unwrap();
        let config = json!({ "permission": { "bash": "ask" } });
        let server = Server::builder(&model.url()).config(config).start().unwrap();
        World { server, _model: model }
    }

    fn client(&self, events: bool) -> Client {
        let mut options = options(&self.server, &self.server.url());
        options.events = events;
        Client::new(options).unwrap()
    }
}

fn policy(value: Value) -> Option<PermissionPolicy> {
    Some(PermissionPolicy::from_value(&value).unwrap())
}

#[test]
fn permissions_and_questions() {
    // One server for all: a start costs seconds.
    let world = World::start();
    for events in [true, false] {
        let client = world.client(events);
        rejected_by_default(&client);
        allowed_by_policy(&client);
        decided_by_rules(&client);
        asked_of_the_host(&client);
        answered_by_somebody_else(&client);
        of_a_subagent(&client);
        questions(&client);
        left_by_an_abort(&client);
    }
    always_lasts(&world.client(true));
}

fn rejected_by_default(client: &Client) {
    let run = client.run(scripted("try", json!([bash("echo 1"), { "text": "without" }]))).unwrap();
    let reply = reply(&run);
    assert_eq!(reply.text, "without", "the agent goes on");
    let decision = &reply.decisions[0];
    assert_eq!((decision.permission.as_str(), decision.reply.as_str()), ("bash", "reject"));
    assert_eq!((decision.by, decision.patterns.as_slice()), ("policy", &["echo 1".to_owned()][..]));
}

fn allowed_by_policy(client: &Client) {
    let mut prompt = scripted("do", json!([bash("echo 2"), { "text": "did" }]));
    prompt.permission = policy(json!("once"));
    let reply = reply(&client.run(prompt).unwrap());
    assert_eq!(reply.text, "did");
    assert!(reply.messages.iter().any(|m| m.get().contains("\"output\":\"2\\n")), "the tool ran");
}

fn decided_by_rules(client: &Client) {
    let rules = json!([
        { "permission": "bash", "pattern": "rm *", "reply": "reject" },
        { "permission": "bash", "reply": "once" },
    ]);
    let steps = json!([bash("rm nothing"), bash("echo 3"), { "text": "end" }]);
    let mut prompt = scripted("rules", steps);
    prompt.permission = policy(rules);
    let reply = reply(&client.run(prompt).unwrap());
    let replies: Vec<_> = reply.decisions.iter().map(|d| d.reply.as_str()).collect();
    assert_eq!(replies, ["reject", "once"]);
}

fn asked_of_the_host(client: &Client) {
    let mut prompt = scripted("ask", json!([bash("echo 4"), { "text": "asked" }]));
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
    assert!(reply.messages.iter().any(|m| m.get().contains("use another tool")));
}

fn answered_by_somebody_else(client: &Client) {
    let mut prompt = scripted("other", json!([bash("echo 5"), { "text": "thanks" }]));
    prompt.permission = policy(json!("ask"));
    let run = client.run(prompt).unwrap();
    let Update::Permission { id, .. } =
        until(&run, |update| matches!(update, Update::Permission { .. }))
    else {
        unreachable!()
    };
    let answer = json!({ "sessionID": run.session_id(), "permissionID": id, "response": "once" });
    client.call("permission.respond", answer).unwrap();
    let reply = reply(&run);
    assert_eq!((reply.text.as_str(), reply.decisions[0].by), ("thanks", "other"));
}

fn of_a_subagent(client: &Client) {
    let child = opencode_tests::prompt("child", json!([bash("echo 6"), { "text": "child done" }]));
    let task =
        tool("task", json!({ "description": "d", "prompt": child, "subagent_type": "general" }));
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
    let session: Value = client
        .call("session.get", json!({ "sessionID": reply.session_id }))
        .unwrap()
        .json()
        .unwrap();
    assert!(reply.cost > session["cost"].as_f64().unwrap());
}

fn questions(client: &Client) {
    let question = tool(
        "question",
        json!({ "questions": [{
            "question": "Which?", "header": "Pick",
            "options": [{ "label": "A", "description": "a" }, { "label": "B", "description": "b" }],
        }]}),
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
    assert!(first.messages.iter().any(|m| m.get().contains("\\\"Which?\\\"=\\\"A\\\"")));
    let run = client.run(prompt(QuestionPolicy::Ask)).unwrap();
    let Update::Question { id, .. } =
        until(&run, |update| matches!(update, Update::Question { .. }))
    else {
        unreachable!()
    };
    assert_eq!(run.state(), State::Waiting);
    run.reply_question(&id, &[vec!["my own".to_owned()]]);
    let own = reply(&run);
    assert!(own.messages.iter().any(|m| m.get().contains("my own")));
    assert_eq!(own.decisions[0].reply, "answer");
}

fn left_by_an_abort(client: &Client) {
    // The server keeps listing the request of an aborted run: the next run must not take it for its own.
    let mut prompt = scripted("leave", json!([bash("echo 7"), { "text": "x" }]));
    prompt.permission = policy(json!("ask"));
    let run = client.run(prompt).unwrap();
    until(&run, |update| matches!(update, Update::Permission { .. }));
    run.cancel(LIMIT);
    let mut next = scripted("next", json!([bash("echo 8"), { "text": "fine" }]));
    next.session = run.session_id();
    let reply = reply(&client.run(next).unwrap());
    assert_eq!(reply.text, "fine");
    assert_eq!(reply.decisions.len(), 1, "{:?}", reply.decisions);
    assert_eq!(reply.decisions[0].patterns, ["echo 8"]);
}

fn always_lasts(client: &Client) {
    let steps = json!([bash("uname -a"), bash("uname -s"), { "text": "end" }]);
    let mut prompt = scripted("always", steps);
    prompt.permission = policy(json!("always"));
    let reply = reply(&client.run(prompt).unwrap());
    assert_eq!(reply.decisions.len(), 1, "the second is covered by the first");
}
