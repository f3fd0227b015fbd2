//! What a scenario asks of a server beside its runs, in the words of each generation.

use super::world::{Place, World};
use super::*;

impl World {
    /// The answer to an operation; on 2.x what is in its `data`.
    pub(super) fn ask(&self, one: &str, two: &str, arguments: Value) -> Value {
        self.answer(&self.client(), one, two, arguments)
    }

    fn answer(&self, client: &Client, one: &str, two: &str, arguments: Value) -> Value {
        let operation = self.word(one, two);
        let answer = client.call(operation, arguments).unwrap();
        if answer.bytes().is_empty() {
            return Value::Null;
        }
        let answer: Value = answer.json().unwrap();
        if self.is_two() { answer["data"].clone() } else { answer }
    }

    /// The messages of a session as the server has them, the oldest first, and no marks.
    pub(super) fn messages(&self, session: &str) -> Vec<Value> {
        let two = json!({ "sessionID": session, "order": "asc", "limit": 200 });
        let arguments = self.word(json!({ "sessionID": session }), two);
        let list = self.ask("session.messages", "v2.session.messages", arguments);
        let list = list.as_array().unwrap().iter();
        list.filter(|message| message["type"] != "idle").cloned().collect()
    }

    /// The prompts of a session: the id of each, and how many parts it has.
    pub(super) fn prompts(&self, session: &str) -> Vec<(String, usize)> {
        let mut prompts = Vec::new();
        for message in self.messages(session) {
            let info = if self.is_two() { &message } else { &message["info"] };
            if info["role"] == "user" || info["type"] == "user" {
                let parts = message["parts"].as_array().map_or(1, Vec::len);
                prompts.push((info["id"].as_str().unwrap().to_owned(), parts));
            }
        }
        prompts
    }

    /// The answers to a prompt: on 2.x those between it and the next one.
    pub(super) fn answers(&self, session: &str, prompt: &str) -> Vec<Value> {
        let messages = self.messages(session);
        if !self.is_two() {
            return messages.into_iter().filter(|m| m["info"]["parentID"] == prompt).collect();
        }
        let from = messages.into_iter().skip_while(|message| message["id"] != prompt).skip(1);
        from.take_while(|m| m["type"] != "user").filter(|m| m["type"] == "assistant").collect()
    }

    /// Whether the server works on a session.
    pub(super) fn is_working(&self, session: &str) -> bool {
        let working = self.ask("session.status", "v2.session.active", json!({}));
        !working[session].is_null()
    }

    /// What waits in a session for its turn; 1.x has no such list.
    pub(super) fn waiting(&self, session: &str) -> usize {
        if !self.is_two() {
            return 0;
        }
        let list = self.ask("", "v2.session.inbox.list", json!({ "sessionID": session }));
        list.as_array().unwrap().len()
    }

    pub(super) fn make_session(&self, arguments: Value) -> String {
        let made = self.ask("session.create", "v2.session.create", arguments);
        made["id"].as_str().unwrap().to_owned()
    }

    pub(super) fn abort(&self, session: &str) {
        self.ask("session.abort", "v2.session.interrupt", json!({ "sessionID": session }));
    }

    pub(super) fn delete(&self, session: &str) {
        self.ask("session.delete", "v2.session.remove", json!({ "sessionID": session }));
    }

    /// A prompt of somebody else, who waits for nobody.
    pub(super) fn send(&self, session: &str, message: &str, text: &str) {
        let one = json!({
            "sessionID": session, "messageID": message, "parts": [{ "type": "text", "text": text }],
        });
        let two = json!({ "sessionID": session, "id": message, "text": text });
        self.ask("session.prompt_async", "v2.session.prompt", self.word(one, two));
    }

    /// How many sessions there are with this title.
    pub(super) fn sessions(&self, title: &str) -> usize {
        let arguments = json!({ "search": title, "limit": 50 });
        let listed = self.ask("session.list", "v2.session.list", arguments);
        let listed = listed.as_array().unwrap().iter();
        listed.filter(|session| session["title"] == title).count()
    }

    // What the agent is made to do, by the tools that the server has for it.

    pub(super) fn bash(&self, command: &str) -> Value {
        tool(self.word("bash", "shell"), json!({ "command": command, "description": "d" }))
    }

    pub(super) fn read(&self, path: &str) -> Value {
        tool("read", json!({ self.word("filePath", "path"): path }))
    }

    /// Something that needs no permission and no time.
    pub(super) fn glance(&self) -> Value {
        self.read(&self.server().directory().join("README.md").display().to_string())
    }

    pub(super) fn write(&self, path: &Path, content: &str) -> Value {
        tool("write", json!({ self.word("filePath", "path"): path, "content": content }))
    }

    pub(super) fn subagent(&self, prompt: &str) -> Value {
        let agent = self.word("subagent_type", "agent");
        let arguments = json!({ "description": "d", "prompt": prompt, agent: "general" });
        tool(self.word("task", "subagent"), arguments)
    }
}

impl Place<'_> {
    pub(super) fn bash(&self, command: &str) -> Value {
        self.world().bash(command)
    }

    pub(super) fn word<T>(&self, one: T, two: T) -> T {
        self.world().word(one, two)
    }
}

/// Nothing is left working in the session of a run, and nothing waits there.
pub(super) fn assert_idle(place: &Place<'_>, run: &Run) {
    let session = run.session_id().unwrap();
    assert!(!place.world().is_working(&session), "{session} still works");
    assert_eq!(place.world().waiting(&session), 0, "{session}");
}
