//! What a client can do on one server, played once each: for `cargo xtask servers`, which starts the server and makes
//! a page of what this prints, one JSON object per feature.
#![expect(clippy::print_stdout, reason = "a program talks to its caller")]

use opencode_core::model::Message;
use opencode_core::{
    AttachOptions, CallOptions, Client, ClientOptions, Decision, Error, ErrorKind, EventOptions,
    MessageOptions, PermissionPolicy, PermissionReply, Prompt, PtyOptions, QuestionPolicy, Replay,
    Reply, Run, Scope, Server, ServerOptions, SessionOptions, State, StreamEvent, Update,
    UsageOptions, attach_bytes,
};
use opencode_tests::{Directory, prompt};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long one thing may take.
const LIMIT: Duration = Duration::from_secs(30);

type Seen = std::result::Result<(), Box<dyn std::error::Error>>;
type Feature = (&'static str, fn(&Client) -> Seen);

const FEATURES: &[Feature] = &[
    ("version and dialect", version),
    ("a prompt and its answer", answer),
    ("live text", live_text),
    ("tools", tools),
    ("permissions", permissions),
    ("questions", questions),
    ("a queue of prompts in one session", queue),
    ("cancel", cancel),
    ("detach and resume", resume),
    ("subagents", subagents),
    ("structured answers", structured),
    ("attachments", attachments),
    ("an unknown model is told", unknown_model),
    ("limits", limits),
    ("events", events),
    ("messages page by page", messages),
    ("sessions page by page", sessions),
    ("sums of a session", usage),
    ("terminals", terminals),
    ("files", files),
    ("configuration", configuration),
    ("MCP servers", mcp),
    ("record and replay", replay),
    ("doctor", doctor),
    ("Server.start", start),
];

fn main() {
    for (name, play) in FEATURES {
        let seen = Client::from_env().map_err(Into::into).and_then(|client| {
            let seen = play(&client);
            client.close();
            seen
        });
        let row = match seen {
            Ok(()) => json!({ "feature": name, "seen": "yes" }),
            Err(error) => {
                let kind = error.downcast_ref::<Error>().map(Error::kind);
                let word = if kind == Some(ErrorKind::Unsupported) { "unsupported" } else { "no" };
                json!({ "feature": name, "seen": word, "why": error.to_string() })
            }
        };
        println!("{row}");
    }
}

fn check(is_so: bool, what: impl std::fmt::Display) -> Seen {
    if is_so { Ok(()) } else { Err(what.to_string().into()) }
}

fn made(words: &str, steps: Value) -> Prompt {
    let mut made = Prompt::new(prompt(words, steps));
    made.limits.deadline = Some(LIMIT);
    made
}

fn ask(client: &Client, made: Prompt) -> Result<Arc<Reply>, Error> {
    client.run(made)?.wait(Some(LIMIT))
}

fn tool(name: &str, arguments: Value) -> Value {
    json!({ "tools": [{ "name": name, "arguments": arguments }] })
}

/// A command, by the tool that this server has for it.
fn command(client: &Client, command: &str) -> Result<Value, Error> {
    let name = if is_two(client)? { "shell" } else { "bash" };
    Ok(tool(name, json!({ "command": command, "description": "Runs it" })))
}

fn once() -> PermissionPolicy {
    PermissionPolicy::always(Decision::Reply(PermissionReply::Once))
}

fn text_of(client: &Client, made: Prompt) -> std::result::Result<String, Error> {
    Ok(ask(client, made)?.text.clone())
}

fn is_two(client: &Client) -> Result<bool, Error> {
    Ok(client.server()?.dialect == opencode_core::Dialect::Two)
}

fn json_of(client: &Client, operation: &str, arguments: Value) -> Result<Value, Error> {
    client.call(operation, arguments)?.json()
}

/// A session, in the way of this server.
fn session(client: &Client) -> std::result::Result<String, Box<dyn std::error::Error>> {
    let made = match is_two(client)? {
        true => json_of(client, "v2.session.create", json!({}))?["data"].clone(),
        false => json_of(client, "session.create", json!({}))?,
    };
    Ok(made["id"].as_str().ok_or("the session has no id")?.to_owned())
}

fn version(client: &Client) -> Seen {
    client.server()?;
    Ok(())
}

fn answer(client: &Client) -> Seen {
    let reply = ask(client, made("answer", json!([{ "text": "An answer." }])))?;
    check(reply.text == "An answer." && reply.tokens.total() > 0, format!("{reply:?}"))
}

fn live_text(client: &Client) -> Seen {
    let words = "one two three four five six seven eight";
    let run = client.run(made("live", json!([{ "text": words, "delay_ms": 400 }])))?;
    let (mut pieces, mut text) = (0, String::new());
    let end = Instant::now() + LIMIT;
    loop {
        match run.next_update(Some(Duration::from_secs(1))) {
            Some(Update::Text(piece)) => {
                pieces += 1;
                text.push_str(&piece.delta);
            }
            Some(Update::Done(_)) => break,
            Some(Update::Failed(error)) => return Err(error.into()),
            _ if Instant::now() > end => return Err(run.why().into()),
            _ => {}
        }
    }
    check(pieces > 3 && text == words, format!("{pieces} pieces: {text}"))
}

fn tools(client: &Client) -> Seen {
    let mut made = made("tools", json!([command(client, "echo said")?, { "text": "done" }]));
    made.permission = Some(once());
    let reply = ask(client, made)?;
    let ran = reply.messages.iter().any(|message| message.get().contains("said\\n"));
    check(ran && reply.text == "done", reply.text.clone())
}

fn permissions(client: &Client) -> Seen {
    // 1.x knows the file by the one name, 2.x by the other.
    let file = match is_two(client)? {
        true => json!({ "path": "/etc/hostname" }),
        false => json!({ "filePath": "/etc/hostname" }),
    };
    let steps = json!([tool("read", file), { "text": "done" }]);
    let mut made = made("permission", steps);
    made.permission = Some(PermissionPolicy::from_value(&json!("ask"))?);
    let run = client.run(made)?;
    let end = Instant::now() + LIMIT;
    loop {
        match run.next_update(Some(Duration::from_secs(1))) {
            Some(Update::Permission { id, .. }) => {
                run.reply_permission(&id, PermissionReply::Once, None);
                break;
            }
            Some(Update::Failed(error)) => return Err(error.into()),
            Some(Update::Done(_)) => return Err("nothing was asked".into()),
            _ if Instant::now() > end => return Err(run.why().into()),
            _ => {}
        }
    }
    let reply = run.wait(Some(LIMIT))?;
    check(reply.text == "done" && !reply.decisions.is_empty(), format!("{reply:?}"))
}

fn questions(client: &Client) -> Seen {
    let question = json!({ "questions": [{ "question": "Which?", "header": "Pick", "options": [
        { "label": "A", "description": "a" }, { "label": "B", "description": "b" }] }] });
    let mut made = made("question", json!([tool("question", question), { "text": "done" }]));
    made.question = Some(QuestionPolicy::First);
    let reply = ask(client, made)?;
    let answered = reply.messages.iter().any(|message| message.get().contains("\\\"A\\\""));
    check(answered && reply.text == "done", format!("{:?}", reply.messages))
}

fn queue(client: &Client) -> Seen {
    let id = session(client)?;
    let run = |words: &str| -> Result<Run, Error> {
        let mut made = made(words, json!([{ "text": words, "delay_ms": 50 }]));
        made.session = Some(id.clone());
        client.run(made)
    };
    let runs = [run("first of the queue")?, run("second of the queue")?];
    let texts = [runs[0].wait(Some(LIMIT))?.text.clone(), runs[1].wait(Some(LIMIT))?.text.clone()];
    check(texts == ["first of the queue", "second of the queue"], texts.join(", "))
}

fn cancel(client: &Client) -> Seen {
    let steps = json!([{ "text": "never ends", "stall": { "after": 1, "ms": 60_000 } }]);
    let run = client.run(made("cancel", steps))?;
    let end = Instant::now() + LIMIT;
    while run.text().is_empty() && run.state() != State::Failed && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(50));
        run.poll();
    }
    if run.state() == State::Failed {
        return Err(run.error().map_or_else(|| "it failed".into(), Into::into));
    }
    run.cancel(LIMIT);
    let id = run.session_id().ok_or("no session")?;
    let mut next = made("after the cancel", json!([{ "text": "next" }]));
    next.session = Some(id);
    check(text_of(client, next)? == "next", run.why())
}

fn resume(client: &Client) -> Seen {
    let run = client.run(made("resume", json!([{ "text": "later", "first_delay_ms": 1_000 }])))?;
    let left = run.detach(LIMIT)?;
    let other = Client::from_env()?;
    let resumed = other.resume(&left.session_id, &left.message_id, Prompt::new(""))?;
    check(resumed.wait(Some(LIMIT))?.text == "later", resumed.why())
}

fn subagents(client: &Client) -> Seen {
    let child = prompt("child", json!([command(client, "echo below")?, { "text": "below" }]));
    let task = match is_two(client)? {
        true => {
            tool("subagent", json!({ "description": "d", "prompt": child, "agent": "general" }))
        }
        false => {
            tool("task", json!({ "description": "d", "prompt": child, "subagent_type": "general" }))
        }
    };
    let mut made = made("subagent", json!([task, { "text": "above" }]));
    made.permission = Some(once());
    let reply = ask(client, made)?;
    check(reply.text == "above" && reply.children.len() == 1, format!("{:?}", reply.children))
}

fn structured(client: &Client) -> Seen {
    let schema = json!({ "type": "object", "properties": { "n": { "type": "integer" } },
        "required": ["n"] });
    let mut made = made("structured", json!([tool("StructuredOutput", json!({ "n": 5 }))]));
    made.format = Some(schema.into());
    let reply = ask(client, made)?;
    let found = reply.structured.as_ref().map(|json| json.get().to_owned());
    check(found.as_deref() == Some(r#"{"n":5}"#), format!("{found:?}"))
}

fn attachments(client: &Client) -> Seen {
    let mut made = made("attachment", json!([{ "text": "seen" }]));
    let part = attach_bytes("note.txt", b"content-of-the-note", &AttachOptions::default())?;
    made.parts.push(part.into());
    check(text_of(client, made)? == "seen", "no answer")
}

fn unknown_model(client: &Client) -> Seen {
    let mut made = made("unknown", json!([{ "text": "never" }]));
    made.model = Some(opencode_core::Model::from_value(&json!("local/nothing"))?);
    match ask(client, made) {
        Ok(reply) => Err(format!("it answered {}", reply.text).into()),
        Err(error) if error.kind() == ErrorKind::Unsupported => Err(error.into()),
        Err(error) => check(error.message().contains("nothing"), &error),
    }
}

fn limits(client: &Client) -> Seen {
    let mut made = made("limits", json!([{ "text": "late", "first_delay_ms": 20_000 }]));
    made.limits.deadline = Some(Duration::from_secs(1));
    match ask(client, made) {
        Ok(_) => Err("the deadline did not hold".into()),
        Err(error) if error.kind() == ErrorKind::Unsupported => Err(error.into()),
        Err(error) => check(error.message().contains("deadline"), &error),
    }
}

fn events(client: &Client) -> Seen {
    let options = EventOptions { scope: Scope::Global, ..EventOptions::default() };
    let stream = client.events(options)?;
    let end = Instant::now() + LIMIT;
    let mut id = None;
    while Instant::now() < end {
        match stream.next(Some(Duration::from_secs(1)))? {
            Some(StreamEvent::Connected) => id = Some(session(client)?),
            Some(StreamEvent::Server(event))
                if event.kind() == "session.created" && event.session_id() == id.as_deref() =>
            {
                return Ok(());
            }
            _ => {}
        }
    }
    Err("no event of the session came".into())
}

/// A session with two prompts in it.
fn talk(client: &Client) -> std::result::Result<String, Box<dyn std::error::Error>> {
    let id = session(client)?;
    for words in ["one", "two"] {
        let text = prompt(words, json!([{ "text": words }]));
        if is_two(client)? {
            let arguments = json!({ "sessionID": id, "text": text });
            client.call("v2.session.prompt", arguments)?;
            let end = Instant::now() + LIMIT;
            loop {
                let running = json_of(client, "v2.session.active", json!({}))?;
                let list = json_of(client, "v2.session.messages", json!({ "sessionID": id }))?;
                if running["data"].get(&id).is_none() && list["data"][0]["type"] == "idle" {
                    break;
                }
                check(Instant::now() < end, "the prompt does not end")?;
                std::thread::sleep(Duration::from_millis(50));
            }
        } else {
            let parts = json!([{ "type": "text", "text": text }]);
            client.call("session.prompt", json!({ "sessionID": id, "parts": parts }))?;
        }
    }
    Ok(id)
}

fn messages(client: &Client) -> Seen {
    let id = talk(client)?;
    let options = MessageOptions { page: 2, ..MessageOptions::default() };
    let messages: Vec<Message> = client.messages(&id, options).collect::<Result<_, _>>()?;
    let text = messages.first().map(Message::text);
    check(
        messages.len() == 4 && text.as_deref() == Some("two"),
        format!("{} messages of 4", messages.len()),
    )
}

fn sessions(client: &Client) -> Seen {
    let wanted = [session(client)?, session(client)?, session(client)?];
    let options = SessionOptions { page: 2, ..SessionOptions::default() };
    let found: Vec<_> = client.sessions(options).collect::<Result<_, _>>()?;
    let has = |id: &String| found.iter().any(|session| session.id == *id);
    check(wanted.iter().all(has), format!("{} sessions, not these", found.len()))
}

fn usage(client: &Client) -> Seen {
    let id = talk(client)?;
    let usage = client.usage(&id, &UsageOptions::default(), &CallOptions::default())?;
    check(usage.count == 2 && usage.cost > 0.0, format!("{usage:?}"))
}

fn terminals(client: &Client) -> Seen {
    let options = PtyOptions {
        command: Some("bash".to_owned()),
        args: ["--norc", "-c", "read x; echo \"got $x\""].map(str::to_owned).into(),
        ..PtyOptions::default()
    };
    let pty = client.pty(options)?;
    pty.write("it\n")?;
    let end = Instant::now() + LIMIT;
    let mut all = String::new();
    while let Some(text) = pty.read(Some(Duration::from_secs(1)))? {
        all.push_str(&text);
        check(Instant::now() < end, &all)?;
    }
    check(all.contains("got it"), &all)
}

fn files(client: &Client) -> Seen {
    let found = match is_two(client)? {
        true => json_of(client, "v2.fs.list", json!({ "path": "." }))?["data"].clone(),
        false => json_of(client, "file.list", json!({ "path": "." }))?,
    };
    check(found.as_array().is_some_and(|list| !list.is_empty()), &found)
}

fn configuration(client: &Client) -> Seen {
    let name = if is_two(client)? { "v2.config.get" } else { "config.get" };
    let found = json_of(client, name, json!({}))?;
    check(found.to_string().contains("\"local\":"), &found)
}

fn mcp(client: &Client) -> Seen {
    let name = if is_two(client)? { "v2.mcp.list" } else { "mcp.status" };
    client.call(name, json!({}))?;
    Ok(())
}

fn replay(_: &Client) -> Seen {
    let folder = Directory::new("acceptance")?;
    let file = folder.path().join("tape.jsonl");
    let mut options = ClientOptions::from_env();
    options.record = Some(file.clone());
    let client = Client::new(options)?;
    let first = client.server()?;
    let id = session(&client)?;
    client.close();
    let replay = Replay::start(&file)?;
    let options = ClientOptions { base_url: replay.url(), ..ClientOptions::default() };
    let player = Client::new(options)?;
    check(player.server()? == first && session(&player)? == id, "it says something else")
}

fn doctor(client: &Client) -> Seen {
    let found = client.doctor();
    // That runs need another version is what it should say.
    let failed = found
        .checks
        .iter()
        .find(|check| check.status == opencode_core::CheckStatus::Fail && check.name != "version");
    match failed {
        None => Ok(()),
        Some(check) => Err(format!("{}: {}", check.name, check.message).into()),
    }
}

fn start(_: &Client) -> Seen {
    let server = Server::start(ServerOptions::from_json(r#"{"start_timeout_ms":120000}"#)?)?;
    let info = server.client()?.server()?;
    server.close();
    check(!info.version.is_empty(), "it has no version")
}
