//! The typed model reads what the server really sends.

use crate::run::client;
use opencode_core::model::{
    FileDiff, Message, MessageInfo, Part, Permission, Question, Session, Todo,
};
use opencode_core::{PermissionPolicy, Prompt, QuestionPolicy, Update};
use opencode_tests::prompt;
use serde_json::json;

#[test]
fn a_session() {
    let client = client(false);
    let made: Session =
        client.call("session.create", json!({ "title": "typed" })).unwrap().json().unwrap();
    assert_eq!(made.title, "typed");
    assert!(made.id.starts_with("ses_") && made.time.created > 1_700_000_000_000);
    assert_eq!(made.time.created, made.time.updated);
    let list: Vec<Session> = client.call("session.list", ()).unwrap().json().unwrap();
    assert!(list.iter().any(|session| session == &made));
    let child: Session =
        client.call("session.create", json!({ "parentID": made.id })).unwrap().json().unwrap();
    assert_eq!(child.parent_id, Some(made.id));
}

#[test]
fn requests_todos_and_files() {
    let client = client(true);
    let todo = json!({ "name": "todowrite", "arguments": {
        "todos": [{ "content": "test it", "status": "pending", "priority": "high" }],
    }});
    let write = json!({ "name": "bash", "arguments": {
        "command": "echo x > typed-model.txt", "description": "d",
    }});
    let question = json!({ "name": "question", "arguments": { "questions": [{
        "question": "Which?", "header": "W", "options": [{ "label": "A", "description": "a" }],
    }]}});
    let steps = json!([
        { "tools": [todo] }, { "tools": [question] }, { "tools": [write] }, { "text": "done" },
    ]);
    let mut asking = Prompt::new(prompt("typed requests", steps));
    asking.question = Some(QuestionPolicy::Ask);
    asking.permission = Some(PermissionPolicy::always(opencode_core::Decision::Ask));
    let run = client.run(asking).unwrap();
    let mut seen = Vec::new();
    for update in run.updates() {
        match update {
            Update::Question { id, request } => {
                let question: Question = serde_json::from_str(request.get()).unwrap();
                assert_eq!(question.id, id);
                assert_eq!(question.questions[0].options[0].label, "A");
                assert!(question.tool.is_some_and(|tool| tool.message_id.starts_with("msg_")));
                run.reply_question(&id, &[vec!["A".to_owned()]]);
                seen.push("question");
            }
            Update::Permission { id, request } => {
                let permission: Permission = serde_json::from_str(request.get()).unwrap();
                assert_eq!(
                    (permission.id.as_str(), permission.permission.as_str()),
                    (&*id, "bash")
                );
                run.reply_permission(&id, opencode_core::PermissionReply::Once, None);
                seen.push("permission");
            }
            Update::Failed(error) => panic!("{error}"),
            _ => {}
        }
    }
    assert!(seen.contains(&"question"), "{seen:?}");
    let session = run.session_id().unwrap();
    let todos: Vec<Todo> =
        client.call("session.todo", json!({ "sessionID": session })).unwrap().json().unwrap();
    assert_eq!((todos[0].content.as_str(), todos[0].status.as_str()), ("test it", "pending"));
    let user = run.message_id();
    let files: Vec<FileDiff> = client
        .call("session.diff", json!({ "sessionID": session, "messageID": user }))
        .unwrap()
        .json()
        .unwrap();
    assert!(files.iter().any(|file| file.file.contains("typed-model.txt")), "{files:?}");
}

#[test]
fn what_is_not_known_is_kept() {
    let message: Message = serde_json::from_value(json!({
        "info": { "id": "msg_1", "role": "oracle", "new": true },
        "parts": [
            { "type": "hologram", "id": "prt_1", "depth": 3 },
            { "type": "text", "id": "prt_2", "text": "hi", "brand": { "new": [1] } },
            { "type": "tool", "id": "prt_3", "state": "changed its shape" },
        ],
    }))
    .unwrap();
    assert!(matches!(message.info, MessageInfo::Other(_)));
    assert_eq!(message.id(), "msg_1");
    assert_eq!(message.text(), "hi");
    let kinds: Vec<_> = message.parts.iter().map(|part| (part.kind(), part.id())).collect();
    assert_eq!(kinds, [("hologram", "prt_1"), ("text", "prt_2"), ("tool", "prt_3")]);
    let Part::Other(part) = &message.parts[0] else { panic!("{message:?}") };
    assert_eq!(part.json["depth"], 3);
}
