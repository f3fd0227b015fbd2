//! Sessions as one text: for programs and for people, whole, in order, and in constant memory.

use crate::client::options;
use crate::run::client;
use opencode_core::{
    CallOptions, Client, ClientOptions, ErrorKind, ExportFormat, ExportOptions, NextItem,
    PermissionPolicy, Prompt, Reply,
};
use opencode_tests::{Directory, LIMIT, Proxy, prompt, shared, shared_two};
use serde_json::{Value, json};
use std::sync::Arc;

fn markdown() -> ExportOptions {
    let mut options = ExportOptions::default();
    options.format = ExportFormat::Markdown;
    options
}

fn text(client: &Client, session: &str, options: ExportOptions) -> String {
    client.export(session, options).map(Result::unwrap).collect()
}

fn object(client: &Client, session: &str, options: ExportOptions) -> Value {
    serde_json::from_str(&text(client, session, options)).unwrap()
}

/// Eight by eight pixels of any colour, 268 bytes.
const PICTURE: &str = "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAA00lEQVR4nAHIADf/AKVNyhglMLsdbRMs3tYjey7ZHj\
    9yH8sZcQAXRJTWSTydXDRgvjEgHmn+2qDu6LmZf1wAfCmZ/a/lkyU81lSvTfrXFCegrrP+6SMvAIryIR+e5JHFsQvs\
    tVY7/B5vk0J+y8j+KQBV5c2ORtyO1LfCdk0qWk12dwb4XYaQAkoA1r2jQBvpyMvMyTX2zR9hImrhUziuGjQAAE0zug\
    0kasBMgbG68j47+e71958rSTSvhwD1UgtpuUsNmC6Fu1W2cqhyY3rNdGb8tg6f2V+MMd5gDgAAAABJRU5ErkJggg==";

/// A picture, a tool, and a subagent.
pub(crate) fn played(client: &Client, tool: &str, subagent: &str) -> Arc<Reply> {
    let child = prompt("below", json!([{ "text": "from below" }]));
    let mut arguments = json!({ "description": "d", "prompt": child, "subagent_type": "general" });
    if subagent == "subagent" {
        arguments = json!({ "description": "d", "prompt": child, "agent": "general" });
    }
    let steps = json!([
        { "reasoning": "hm", "text": "see", "tools": [{ "name": tool, "arguments": { "command": "echo 17", "description": "Say 17" } }] },
        { "tools": [{ "name": subagent, "arguments": arguments }] },
        { "text": "all *done*" },
    ]);
    let mut made = Prompt::new(prompt("exported", steps));
    let url = format!("data:image/png;base64,{PICTURE}");
    let part = json!({ "type": "file", "filename": "dot.png", "mime": "image/png", "url": url });
    made.parts.push(part.into());
    made.title = Some("An <export>".to_owned());
    made.permission = Some(PermissionPolicy::from_value(&json!("once")).unwrap());
    client.run(made).unwrap().wait(Some(LIMIT)).unwrap()
}

pub(crate) fn two() -> Client {
    let server = &shared_two().server;
    let mut options = ClientOptions::default();
    options.base_url = server.url();
    options.password = server.password().map(str::to_owned);
    Client::new(options).unwrap()
}

fn shows_everything(client: &Client, reply: &Reply) {
    let id = reply.session_id.as_str();
    let whole = text(client, id, markdown());
    assert!(whole.starts_with("# An <export>\n\n- Session: `ses_"), "{whole}");
    let places: Vec<usize> = [
        "## User\n\nexported @@",
        "Attached: `dot.png` (image/png, 268 bytes)",
        "## Assistant (build)\n\n<details>\n<summary>Reasoning</summary>\n\n> hm",
        "\nsee\n",
        "<summary>Tool ",
        "```json\n{",
        "\nall *done*\n",
        "## Subagent: ",
        "### Assistant (general)\n\nfrom below\n",
    ]
    .iter()
    .map(|piece| whole.find(piece).unwrap_or_else(|| panic!("{piece}\n{whole}")))
    .collect();
    assert!(places.is_sorted(), "{places:?}\n{whole}");
    assert_eq!(whole.matches("<details>").count(), whole.matches("</details>").count());
    assert!(!whole.contains("base64,iVBORw0"), "{whole}");

    let made = object(client, id, ExportOptions::default());
    assert_eq!((&made["info"]["id"], &made["info"]["title"]), (&json!(id), &json!("An <export>")));
    let roles = made["messages"].as_array().unwrap().iter().map(|m| m["info"]["role"].clone());
    assert_eq!(roles.collect::<Vec<_>>(), ["user", "assistant", "assistant", "assistant"]);
    let child = &made["children"][0];
    assert_eq!(child["info"]["id"], json!(reply.children[0]));
    assert_eq!(child["children"], json!([]));
    let parts = made["messages"][0]["parts"].as_array().unwrap();
    let file = parts.iter().find(|part| part["type"] == "file").unwrap();
    assert_eq!(file["url"], "data:image/png;cut=268;base64,");

    let mut with_data = ExportOptions::default();
    (with_data.data, with_data.tree) = (true, false);
    let made = object(client, id, with_data);
    assert!(made.to_string().contains("base64,iVBORw0") && made.get("children").is_none());
}

#[test]
fn it_shows_everything_in_order_with_tools_folded_and_content_cut() {
    let client = client(true);
    let reply = played(&client, "bash", "task");
    shows_everything(&client, &reply);
}

#[test]
fn it_is_the_same_on_2() {
    let client = two();
    let reply = played(&client, "shell", "subagent");
    shows_everything(&client, &reply);
}

fn session(client: &Client) -> String {
    let session: Value = client.call("session.create", json!({})).unwrap().json().unwrap();
    session["id"].as_str().unwrap().to_owned()
}

fn note(client: &Client, session: &str, text: &str) {
    let parts = json!([{ "type": "text", "text": text }]);
    let arguments = json!({ "sessionID": session, "noReply": true, "parts": parts });
    client.call("session.prompt", arguments).unwrap();
}

fn notes(exported: &Value) -> Vec<String> {
    let messages = exported["messages"].as_array().unwrap().iter();
    messages.map(|message| message["parts"][0]["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_long_session_is_read_page_by_page_and_what_comes_meanwhile_moves_nothing() {
    let direct = client(false);
    let id = session(&direct);
    for i in 0..170 {
        note(&direct, &id, &i.to_string());
    }
    let proxy = Proxy::start(&shared().server.url()).unwrap();
    let through = Client::new(options(&shared().server, &proxy.url())).unwrap();
    let mut pages = through.export(&id, ExportOptions::default());
    let mut whole = pages.next().unwrap().unwrap();
    let second = pages.next().unwrap().unwrap();
    // Behind the walk to the beginning.
    note(&direct, &id, "late");
    whole.push_str(&second);
    whole.extend(pages.by_ref().map(Result::unwrap));
    let made: Value = serde_json::from_str(&whole).unwrap();
    assert_eq!(notes(&made), (0..170).map(|i| i.to_string()).collect::<Vec<_>>());
    assert!(pages.is_complete());
    let asked = proxy.requests().iter().filter(|line| line.contains("/message?")).count();
    assert_eq!(asked, 4 + 2, "the first and the last page are fetched once");
}

#[test]
fn what_a_revert_took_back_is_marked() {
    let client = client(false);
    let id = session(&client);
    for i in 0..3 {
        note(&client, &id, &i.to_string());
    }
    let last = client.messages(&id, Default::default()).next().unwrap().unwrap();
    let arguments = json!({ "sessionID": id, "messageID": last.id() });
    client.call("session.revert", arguments).unwrap();
    assert!(text(&client, &id, markdown()).contains("## User\n\n1\n\n## User (reverted)\n\n2\n"));
    let made = object(&client, &id, ExportOptions::default());
    let marks = made["messages"].as_array().unwrap().iter().map(|m| m["reverted"] == true);
    assert_eq!(marks.collect::<Vec<_>>(), [false, false, true]);
}

#[test]
fn a_file_appears_when_it_is_complete_and_a_failure_leaves_nothing() {
    let client = client(false);
    let id = session(&client);
    note(&client, &id, "kept");
    let folder = Directory::new("export").unwrap();
    let path = folder.path().join("a.md");
    std::fs::write(&path, "old").unwrap();
    #[cfg(unix)]
    let rights = {
        use std::os::unix::fs::PermissionsExt;
        let rights = std::fs::Permissions::from_mode(0o640);
        std::fs::set_permissions(&path, rights).unwrap();
        || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777
    };
    let call = CallOptions::default();
    let error = client.export_to("ses_none", &path, &markdown(), &call).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
    let written = client.export_to(&id, &path, &markdown(), &call).unwrap();
    let found = std::fs::read_to_string(&path).unwrap();
    assert_eq!((written.sessions, written.messages, written.complete), (1, 1, true));
    #[cfg(unix)]
    assert_eq!(rights(), 0o640, "those of the file that was there");
    assert_eq!(
        (written.bytes, found.as_str()),
        (found.len() as u64, &*text(&client, &id, markdown()))
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing beside it");
    for (path, words) in
        [(folder.path().to_owned(), "is a directory"), ("/dev/null".into(), "no regular file")]
    {
        let error = client.export_to(&id, path, &markdown(), &call).unwrap_err();
        assert!(error.message().contains(words), "{error}");
    }
}

#[test]
fn it_does_not_have_to_block() {
    let client = client(false);
    let id = session(&client);
    note(&client, &id, "polled");
    let pages = client.export(&id, ExportOptions::default()).in_background();
    let (mut whole, mut idle) = (String::new(), 0);
    loop {
        match pages.next_item(Some(std::time::Duration::ZERO)).unwrap() {
            NextItem::Item(piece) => whole += &serde_json::from_str::<String>(piece.get()).unwrap(),
            NextItem::Pending => idle += 1,
            NextItem::End => break,
        }
    }
    let made: Value = serde_json::from_str(&whole).unwrap();
    assert_eq!((notes(&made), idle > 0), (vec!["polled".to_owned()], true));
    let folder = Directory::new("export").unwrap();
    let path = folder.path().join("b.json");
    let call = client.start("export", json!({ "sessionID": id, "path": path })).unwrap();
    let answer: Value = call.wait(Some(LIMIT)).unwrap().unwrap().json().unwrap();
    assert_eq!((&answer["messages"], &answer["complete"]), (&json!(1), &json!(true)));
    assert_eq!(std::fs::read_to_string(path).unwrap(), whole);
    let error = client.export("", ExportOptions::default()).next().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}
