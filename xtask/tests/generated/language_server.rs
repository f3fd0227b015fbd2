//! What an editor is told: a client of a language server.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// A running language server. Ends when it is dropped.
pub(super) struct LanguageServer {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    requests: u64,
}

impl LanguageServer {
    /// Starts a program and lets it read all files of a folder.
    pub(super) fn start(program: &Path, folder: &Path) -> Self {
        let mut command = Command::new(program);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().expect("the language server can be started");
        let input = process.stdin.take().expect("it is piped");
        let output = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut server = Self { process, input, output, requests: 0 };
        let folders = json!([{ "uri": address(folder), "name": "workspace" }]);
        let capabilities = json!({
            "textDocument": { "diagnostic": {} },
            "window": { "workDoneProgress": true },
            "workspace": {},
        });
        server.request(
            "initialize",
            &json!({ "processId": null, "workspaceFolders": folders, "capabilities": capabilities }),
        );
        server.notify("initialized", &json!({}));
        // Before it has read everything it misses what it did not read.
        while server.receive()["params"]["value"]["kind"] != "end" {}
        server
    }

    /// Opens a file, as an editor does.
    pub(super) fn open(&mut self, file: &Path) {
        let text = fs::read_to_string(file).expect("it can be read");
        let document =
            json!({ "uri": address(file), "languageId": "lua", "version": 1, "text": text });
        self.notify("textDocument/didOpen", &json!({ "textDocument": document }));
    }

    /// The lines that are wrong, counted from 1, and what is wrong with them; hints are not.
    pub(super) fn diagnostics(&mut self, file: &Path) -> Vec<(u64, String)> {
        const WARNING: u64 = 2;
        let document = json!({ "textDocument": { "uri": address(file) } });
        let answer = self.request("textDocument/diagnostic", &document);
        let items = answer["items"].as_array().expect("a list of diagnostics");
        let is_serious = |item: &&Value| item["severity"].as_u64() <= Some(WARNING);
        let diagnostic = |item: &Value| {
            let line = item["range"]["start"]["line"].as_u64().expect("a line") + 1;
            (line, format!("{}: {}", item["code"], item["message"]))
        };
        items.iter().filter(is_serious).map(diagnostic).collect()
    }

    /// What is shown for the word at a place; both are counted from 0.
    pub(super) fn hover(&mut self, file: &Path, line: usize, character: usize) -> String {
        let answer = self.request("textDocument/hover", &place(file, line, character));
        answer["contents"]["value"].as_str().unwrap_or_default().to_owned()
    }

    /// The names that are offered at a place; both are counted from 0.
    pub(super) fn completions(
        &mut self,
        file: &Path,
        line: usize,
        character: usize,
    ) -> Vec<String> {
        let answer = self.request("textDocument/completion", &place(file, line, character));
        let items = answer.as_array().or_else(|| answer["items"].as_array());
        let labels = items.into_iter().flatten().filter_map(|item| item["label"].as_str());
        labels.map(str::to_owned).collect()
    }

    fn request(&mut self, method: &str, parameters: &Value) -> Value {
        self.requests += 1;
        let id = self.requests;
        self.send(&json!({ "id": id, "method": method, "params": parameters }));
        loop {
            let mut message = self.receive();
            if message.get("method").is_none() && message["id"] == id {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].take();
            }
        }
    }

    fn notify(&mut self, method: &str, parameters: &Value) {
        self.send(&json!({ "method": method, "params": parameters }));
    }

    fn send(&mut self, message: &Value) {
        let mut message = message.clone();
        message["jsonrpc"] = json!("2.0");
        let text = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{text}", text.len())
            .and_then(|()| self.input.flush())
            .expect("the language server listens");
    }

    /// The next message. A request of the server is answered: there is nothing to say.
    fn receive(&mut self) -> Value {
        let message = self.read();
        if message.get("method").is_some()
            && let Some(id) = message.get("id")
        {
            self.send(&json!({ "id": id, "result": null }));
        }
        message
    }

    fn read(&mut self) -> Value {
        let mut length = None;
        loop {
            let mut line = String::new();
            let count = self.output.read_line(&mut line).expect("the language server answers");
            assert!(count > 0, "the language server has ended");
            match line.trim_end().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.parse().ok();
                }
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length.expect("a message has a length")];
        self.output.read_exact(&mut body).expect("the message is whole");
        serde_json::from_slice(&body).expect("a message is JSON")
    }
}

impl Drop for LanguageServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn address(path: &Path) -> String {
    format!("file://{}", path.display())
}

fn place(file: &Path, line: usize, character: usize) -> Value {
    json!({
        "textDocument": { "uri": address(file) },
        "position": { "line": line, "character": character },
    })
}
