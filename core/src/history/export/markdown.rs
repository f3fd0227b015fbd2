//! A session as Markdown that people read: what was said, with thoughts and tools folded behind a line each.

use super::data;
use crate::base::json::{Object, words};
use crate::base::moment;
use serde_json::value::RawValue;

/// Letters of a line that stands for something longer.
const SHORT: usize = 100;

/// The deepest heading of Markdown.
const DEEPEST: usize = 6;

/// The heading of a session and the facts about it; `depth` is 0 for the one that was asked for.
pub(super) fn head(session: &RawValue, id: &str, depth: usize) -> String {
    let session = Object::read(session).unwrap_or_default();
    let title = session.text("title").unwrap_or_default();
    let title = if title.trim().is_empty() { id.to_owned() } else { line(&title) };
    let what = if depth == 0 { "" } else { "Subagent: " };
    let mut made = format!("{} {what}{title}\n\n- Session: `{id}`\n", hashes(depth));
    let time = session.object("time").unwrap_or_default();
    if let Some(directory) = session.text("directory").filter(|_| depth == 0) {
        made.push_str(&format!("- Directory: {}\n", code(&directory)));
    }
    for (name, word) in [("created", "Created"), ("updated", "Last changed")] {
        if time.number(name).is_some() {
            made.push_str(&format!("- {word}: {}\n", moment::minute(time.count(name))));
        }
    }
    made.push('\n');
    made
}

/// A message with its parts, below the session's heading.
pub(super) fn message(raw: &RawValue, depth: usize) -> String {
    let message = Object::read(raw).unwrap_or_default();
    let info = message.object("info").unwrap_or_default();
    let mut made = format!("{} {}", hashes(depth.saturating_add(1)), who(&info));
    if message.flag("reverted") == Some(true) {
        made.push_str(" (reverted)");
    }
    made.push_str("\n\n");
    for part in message.list("parts") {
        if let Some(part) = Object::read(part) {
            self::part(&mut made, &part);
        }
    }
    if let Some(error) = info.object("error") {
        let said = error.object("data").and_then(|data| data.text("message"));
        let name = error.text("name").unwrap_or_default();
        made.push_str(&format!("**Error:** {}\n\n", line(&said.unwrap_or(name))));
    }
    if let Some(facts) = facts(&info) {
        made.push_str(&format!("*{facts}*\n\n"));
    }
    made
}

/// What is said where the server could not give the first message.
pub(super) fn incomplete() -> &'static str {
    "*The server could not give the first message of this session.*\n\n"
}

fn hashes(depth: usize) -> String {
    "#".repeat(depth.saturating_add(1).min(DEEPEST))
}

fn who(info: &Object<'_>) -> String {
    let role = info.text("role").unwrap_or_default();
    match role.as_str() {
        "user" => "User".to_owned(),
        "assistant" => match info.text("agent") {
            Some(agent) => format!("Assistant ({})", line(&agent)),
            None => "Assistant".to_owned(),
        },
        other => line(other),
    }
}

/// Who answered, and what that took.
fn facts(info: &Object<'_>) -> Option<String> {
    let (provider, model) = (info.text("providerID"), info.text("modelID"));
    let mut facts = match (provider, model) {
        (Some(provider), Some(model)) => vec![line(&format!("{provider}/{model}"))],
        _ => return None,
    };
    let tokens = info.get("tokens").map(crate::protocol::tokens::Tokens::read).unwrap_or_default();
    if tokens.total() > 0 {
        facts.push(format!("{} tokens", tokens.total()));
    }
    let cost = info.cost("cost");
    if cost > 0.0 {
        facts.push(format!("cost {}", amount(cost)));
    }
    if let Some(time) = info.object("time").filter(|time| time.number("completed").is_some()) {
        facts.push(seconds(time.count("created"), time.count("completed")));
    }
    Some(facts.join(" · "))
}

fn amount(cost: f64) -> String {
    let text = format!("{cost:.6}");
    match text.trim_end_matches('0').trim_end_matches('.') {
        "0" => "below 0.000001".to_owned(),
        short => short.to_owned(),
    }
}

fn seconds(from: u64, to: u64) -> String {
    let ms = to.saturating_sub(from);
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

fn part(made: &mut String, part: &Object<'_>) {
    let text = |name: &str| part.text(name).unwrap_or_default();
    match text("type").as_str() {
        "text" => {
            let said = text("text");
            if said.trim().is_empty() {
                return;
            }
            if part.flag("synthetic") == Some(true) {
                fold(made, "Added by the server", &fenced("", &said));
            } else {
                made.push_str(said.trim_end());
                made.push_str("\n\n");
            }
        }
        "reasoning" if !text("text").trim().is_empty() => {
            fold(made, "Reasoning", &quoted(text("text").trim()));
        }
        "file" => file(made, part),
        "tool" => tool(made, part),
        "patch" => {
            let files: Vec<String> = part.list("files").into_iter().map(words).collect();
            let files: Vec<String> = files.iter().map(|file| code(file)).collect();
            if !files.is_empty() {
                made.push_str(&format!("Changed: {}\n\n", files.join(", ")));
            }
        }
        "agent" => made.push_str(&format!("Agent: {}\n\n", code(&text("name")))),
        "subtask" => {
            let summary = format!("Subtask for {}: {}", text("agent"), text("description"));
            fold(made, &summary, &fenced("", &text("prompt")));
        }
        "compaction" => made.push_str("*The conversation was summarized here.*\n\n"),
        "retry" => {
            let error =
                part.object("error").and_then(|error| error.object("data")?.text("message"));
            let said = line(&error.unwrap_or_default());
            made.push_str(&format!("*The provider failed, and was tried again: {said}*\n\n"));
        }
        // Marks of the server's own, and what this version does not know.
        _ => {}
    }
}

fn file(made: &mut String, part: &Object<'_>) {
    let url = part.text("url").unwrap_or_default();
    let mime = part.text("mime").unwrap_or_default();
    let name = part.text("filename").unwrap_or_else(|| "file".to_owned());
    let is_content = url.starts_with("data:");
    let about = match data::length(&url) {
        Some(length) => format!("{}, {length} bytes", line(&mime)),
        None => line(&mime),
    };
    if is_content && !data::is_cut(&url) && mime.starts_with("image/") {
        made.push_str(&format!("![{}]({url})\n\n", escaped(&name)));
    } else if is_content && !data::is_cut(&url) {
        made.push_str(&format!("Attached: [{}]({url}) ({about})\n\n", escaped(&name)));
    } else {
        made.push_str(&format!("Attached: {} ({about})\n\n", code(&name)));
    }
}

fn tool(made: &mut String, part: &Object<'_>) {
    let state = part.object("state").unwrap_or_default();
    let name = part.text("tool").unwrap_or_default();
    let input = state.object("input").unwrap_or_default();
    let hints = ["description", "command", "filePath", "path", "pattern", "query", "url"];
    let hint = state.text("title").filter(|title| !title.trim().is_empty());
    let hint = hint.or_else(|| hints.iter().find_map(|name| input.text(name)));
    let mut summary = format!("Tool {name}");
    if let Some(hint) = hint {
        summary.push_str(&format!(": {}", line(&hint)));
    }
    let status = state.text("status").unwrap_or_default();
    if status != "completed" && !status.is_empty() {
        summary.push_str(&format!(" ({status})"));
    } else if let Some(time) = state.object("time").filter(|time| time.number("end").is_some()) {
        summary.push_str(&format!(" ({})", seconds(time.count("start"), time.count("end"))));
    }
    let mut body = String::new();
    if let Some(input) = state.get("input") {
        body.push_str(&fenced("json", input.get()));
    }
    for name in ["output", "error"] {
        if let Some(said) = state.text(name).filter(|said| !said.is_empty()) {
            body.push_str(&fenced("", &said));
        }
    }
    for attached in state.list("attachments") {
        if let Some(attached) = Object::read(attached) {
            file(&mut body, &attached);
        }
    }
    let metadata = state.object("metadata").unwrap_or_default();
    if let Some(session) = metadata.text("sessionId").or_else(|| metadata.text("sessionID")) {
        body.push_str(&format!("Session of the subagent: {}\n\n", code(&session)));
    }
    fold(made, &summary, &body);
}

/// What is behind a line that opens.
fn fold(made: &mut String, summary: &str, body: &str) {
    let summary = html(&line(summary));
    made.push_str(&format!("<details>\n<summary>{summary}</summary>\n\n{body}</details>\n\n"));
}

/// A block of code, whatever stands in it.
fn fenced(language: &str, text: &str) -> String {
    let fence = "`".repeat(longest_ticks(text).saturating_add(1).max(3));
    format!("{fence}{language}\n{}\n{fence}\n\n", text.trim_end_matches('\n'))
}

/// Code in a line.
fn code(text: &str) -> String {
    let text = line(text);
    let tick = "`".repeat(longest_ticks(&text).saturating_add(1));
    let space = if tick.len() > 1 { " " } else { "" };
    format!("{tick}{space}{text}{space}{tick}")
}

fn longest_ticks(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}

/// Text as a quotation; what would end the fold around it ends nothing.
fn quoted(text: &str) -> String {
    let lines = text.lines().map(|line| format!("> {}", line.replace("</details", "&lt;/details")));
    format!("{}\n\n", lines.collect::<Vec<_>>().join("\n"))
}

/// One line, not too long.
fn line(text: &str) -> String {
    let mut made = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if made.chars().count() > SHORT {
        made = made.chars().take(SHORT.saturating_sub(1)).collect();
        made.push('…');
    }
    made
}

/// The text of a link.
fn escaped(text: &str) -> String {
    line(text).replace('[', "\\[").replace(']', "\\]")
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn written(parts: Value) -> String {
        let info = json!({"role": "assistant", "agent": "build", "providerID": "p", "modelID": "m", "cost": 0.25,
            "tokens": {"input": 10, "output": 4}, "time": {"created": 1_000, "completed": 2_250}});
        let raw =
            serde_json::value::to_raw_value(&json!({ "info": info, "parts": parts })).unwrap();
        message(&raw, 0)
    }

    #[test]
    fn costs_are_written_as_people_write_them() {
        for (cost, text) in [
            (1.0, "1"),
            (10.0, "10"),
            (0.25, "0.25"),
            (0.000_001, "0.000001"),
            (0.000_000_1, "below 0.000001"),
        ] {
            assert_eq!(amount(cost), text);
        }
    }

    #[test]
    fn a_tool_is_folded_and_its_output_cannot_leave_the_fold() {
        let state = json!({"status": "completed", "title": "List <all> files", "input": {"command": "ls"},
            "output": "a\n```\n</details>\n````\n", "time": {"start": 0, "end": 1_250}});
        let text = written(json!([{"type": "tool", "tool": "bash", "state": state}]));
        let wanted = "## Assistant (build)\n\n<details>\n<summary>Tool bash: List &lt;all&gt; files (1.2 s)</summary>\n\n\
            ```json\n{\"command\":\"ls\"}\n```\n\n`````\na\n```\n</details>\n````\n`````\n\n</details>\n\n\
            *p/m · 14 tokens · cost 0.25 · 1.2 s*\n\n";
        assert_eq!(text, wanted);
    }

    #[test]
    fn what_was_said_stands_as_it_is_and_the_rest_in_short() {
        let text = written(json!([
            {"type": "step-start"}, {"type": "text", "text": "# Hello\n\n*you*\n"},
            {"type": "reasoning", "text": "a\n</details>"}, {"type": "text", "text": "x", "synthetic": true},
            {"type": "file", "filename": "p.png", "mime": "image/png", "url": "data:image/png;cut=300;base64,"},
            {"type": "file", "filename": "q[1].png", "mime": "image/png", "url": "data:image/png;base64,QUJD"},
            {"type": "patch", "files": ["a.rs", "b`c"]}, {"type": "new", "text": "?"}, 7,
        ]));
        for piece in [
            "\n# Hello\n\n*you*\n\n<details>\n<summary>Reasoning</summary>\n\n> a\n> &lt;/details>\n\n</details>\n",
            "<summary>Added by the server</summary>\n\n```\nx\n```\n",
            "Attached: `p.png` (image/png, 300 bytes)\n",
            "![q\\[1\\].png](data:image/png;base64,QUJD)\n",
            "Changed: `a.rs`, `` b`c ``\n",
        ] {
            assert!(text.contains(piece), "{piece}\n---\n{text}");
        }
        assert!(!text.contains('?') && !text.contains("step-start"), "{text}");
    }

    #[test]
    fn what_failed_and_what_was_taken_back_is_told() {
        let raw = json!({"reverted": true, "info": {"role": "user", "error": {"name": "APIError", "data": {"message": "no\nmoney"}}},
            "parts": [{"type": "tool", "tool": "read", "state": {"status": "error", "error": "gone", "input": {"filePath": "/x"}}}]});
        let text = message(&serde_json::value::to_raw_value(&raw).unwrap(), 9);
        assert!(text.starts_with("###### User (reverted)\n"), "{text}");
        assert!(text.contains("<summary>Tool read: /x (error)</summary>"), "{text}");
        assert!(text.contains("**Error:** no money\n"), "{text}");
    }
}
