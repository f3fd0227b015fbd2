//! One chat completion request, reduced to what decides the answer.

use serde_json::Value;

use crate::http::Request;
use crate::script::Script;

/// The answer to the calls that name a session.
pub const TITLE: &str = "A scripted title";

/// The answer to a request for a summary: 2.x takes none without a heading of its template.
pub const SUMMARY: &str = "## Objective\n- A scripted summary\n";

/// What stands before the step that answers a request for a summary, in what was said so far.
const SUMMARY_MARK: &str = "@summary";

/// How requests for a summary begin: the system prompt of 1.x, and the last words of 2.x, which asks a second time where
/// its template is not filled in.
const SUMMARY_SYSTEM: &str = "You are a context summarization agent";
const SUMMARY_PROMPTS: [&str; 2] =
    ["You MUST summarize the conversation above", "The previous response did not fill in"];

/// How the system prompts of those calls start; a prompt whose tools are all switched off brings
/// no tools either, and must still get its script.
const SIDE_PROMPTS: [&str; 2] = ["You are a title generator", "in the exact format requested by"];

/// User messages that the server writes itself: the script before them goes on.
const INSERTED: [&str; 2] =
    ["Summarize the task tool output above and continue", "Attached media from tool result:"];

pub(crate) struct Chat {
    pub(crate) model: String,
    pub(crate) stream: bool,
    pub(crate) messages: usize,
    pub(crate) tools: Vec<String>,
    /// The text of the system messages.
    pub(crate) system: String,
    /// The text of the latest user message.
    pub(crate) user: String,
    /// The text of the user message that holds the script.
    pub(crate) prompt: Option<String>,
    /// What follows the last mark of a summary, of a request for one.
    pub(crate) summary: Option<String>,
    /// Assistant messages after the script.
    pub(crate) index: usize,
    /// Characters of all messages.
    pub(crate) size: usize,
    pub(crate) session: Option<String>,
    pub(crate) parent: Option<String>,
    pub(crate) response_format: Value,
    pub(crate) tool_choice: Value,
}

impl Chat {
    /// Reads a request; `None` when the body is no chat completion request.
    pub(crate) fn read(request: &Request) -> Option<Chat> {
        let mut body = request.json();
        let messages = body.get("messages")?.as_array()?;
        let with_role = |role: &'static str| {
            messages.iter().enumerate().filter(move |(_, message)| message["role"] == role)
        };
        let system: Vec<String> = with_role("system").map(|(_, message)| text(message)).collect();
        let user = with_role("user").next_back().map(|(_, message)| text(message));
        let scripted = with_role("user")
            .map(|(at, message)| (at, text(message)))
            .rfind(|(_, text)| !INSERTED.iter().any(|start| text.starts_with(start)))
            .filter(|(_, text)| Script::find(text).is_some());
        let index = scripted
            .as_ref()
            .map_or(0, |(script, _)| with_role("assistant").filter(|(at, _)| at > script).count());
        let tools = body["tools"].as_array().into_iter().flatten();
        let tools = tools.filter_map(|tool| tool["function"]["name"].as_str());
        let (system, user) = (system.join("\n"), user.unwrap_or_default());
        let wants_summary = system.contains(SUMMARY_SYSTEM)
            || SUMMARY_PROMPTS.iter().any(|words| user.starts_with(words));
        let said = || {
            let mut told = messages.iter().rev().map(text);
            told.find_map(|text| Some(text.rsplit_once(SUMMARY_MARK)?.1.to_owned()))
        };
        let summary = wants_summary.then(|| said().unwrap_or_default());
        let header = |name| request.header(name).map(str::to_owned);
        Some(Chat {
            model: body["model"].as_str().unwrap_or_default().into(),
            stream: body["stream"] == true,
            messages: messages.len(),
            tools: tools.map(str::to_owned).collect(),
            system,
            user,
            prompt: scripted.map(|(_, text)| text),
            summary,
            index,
            size: messages.iter().map(|message| text(message).len()).sum(),
            session: header("x-session-id"),
            parent: header("x-parent-session-id"),
            response_format: body["response_format"].take(),
            tool_choice: body["tool_choice"].take(),
        })
    }

    /// Whether this call names the session.
    pub(crate) fn is_side_call(&self) -> bool {
        let unscripted = self.prompt.is_none();
        let side = SIDE_PROMPTS.iter().any(|words| self.system.contains(words));
        self.tools.is_empty() && (side || unscripted)
    }
}

/// The text of a message, whose content is a string or an array of parts.
fn text(message: &Value) -> String {
    match &message["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts: Vec<&str> = parts.iter().filter_map(|part| part["text"].as_str()).collect();
            texts.join(" ")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn chat(messages: Value, tools: Value) -> Chat {
        let body = json!({"model": "test", "messages": messages, "tools": tools});
        let request = Request { body: body.to_string().into_bytes(), ..Request::default() };
        Chat::read(&request).unwrap()
    }

    fn tool() -> Value {
        json!([{"type": "function", "function": {"name": "bash"}}])
    }

    #[test]
    fn the_step_is_the_number_of_answers_after_the_script() {
        let script = json!({"role": "user", "content": "@@[{}]"});
        let answer = json!({"role": "assistant", "content": "x"});
        let earlier = chat(json!([answer, script, answer, answer]), tool());
        assert_eq!(earlier.index, 2);
        let inserted = json!({"role": "user", "content": [{"type": "text",
            "text": "Summarize the task tool output above and continue with your task."}]});
        let inserted = chat(json!([script, answer, inserted]), tool());
        assert_eq!((inserted.index, inserted.prompt.as_deref()), (1, Some("@@[{}]")));
    }

    #[test]
    fn a_request_for_a_summary_is_known_by_its_words() {
        let said = json!({"role": "user", "content": "hi @summary[{}]"});
        let agent = json!({"role": "system", "content": "You are a context summarization agent."});
        let asked = json!({"role": "user", "content": "You MUST summarize the conversation above"});
        assert_eq!(chat(json!([agent, said]), json!([])).summary.as_deref(), Some("[{}]"));
        assert_eq!(chat(json!([said, asked]), tool()).summary.as_deref(), Some("[{}]"));
        assert_eq!(chat(json!([asked]), tool()).summary.as_deref(), Some(""));
        assert_eq!(chat(json!([said]), tool()).summary, None);
    }

    #[test]
    fn a_later_prompt_without_a_script_ends_the_script() {
        let messages =
            json!([{"role": "user", "content": "@@[{}]"}, {"role": "user", "content": "hi"}]);
        assert_eq!(chat(messages, tool()).prompt, None);
    }

    #[test]
    fn a_call_without_tools_is_a_side_call_unless_a_prompt_switched_them_off() {
        let user = json!({"role": "user", "content": "@@[{}]"});
        let title = json!({"role": "system", "content": "You are a title generator. You"});
        let coder = json!({"role": "system", "content": "You are a coder"});
        assert!(chat(json!([title, user]), json!([])).is_side_call());
        assert!(!chat(json!([coder, user]), json!([])).is_side_call());
        assert!(!chat(json!([title, user]), tool()).is_side_call());
        assert!(chat(json!([coder]), json!([])).is_side_call());
    }
}
