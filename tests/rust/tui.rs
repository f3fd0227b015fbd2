//! The terminal interface of the server, in a terminal of its own.

use opencode_core::{CallOptions, Client, ClientOptions, ErrorKind};
use opencode_tests::{Answer, Fake, binary, eventually, shared};
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;

fn client(url: &str) -> Client {
    let server = &shared().server;
    let mut options = ClientOptions::default();
    options.base_url = url.to_owned();
    options.username = Some(server.username().to_owned());
    options.password = server.password().map(str::to_owned);
    Client::new(options).unwrap()
}

/// `opencode attach` in a tmux of its own; both end when this is dropped.
struct Screen {
    socket: String,
}

impl Screen {
    fn start() -> Screen {
        let server = &shared().server;
        let screen = Screen { socket: format!("opencode-tests-{}", std::process::id()) };
        let program = binary::path().unwrap();
        let mut start = screen.tmux();
        for (name, value) in server.env() {
            start.env(name, value);
        }
        let attach = format!("{} attach {}", program.display(), server.url());
        start.args(["new-session", "-d", "-x", "120", "-y", "40", &attach]);
        assert!(start.current_dir(server.directory()).status().unwrap().success());
        screen
    }

    fn tmux(&self) -> Command {
        let mut tmux = Command::new("tmux");
        tmux.args(["-f", "/dev/null", "-L", &self.socket]).env_remove("TMUX");
        tmux
    }

    fn text(&self) -> String {
        let output = self.tmux().args(["capture-pane", "-p"]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.tmux().arg("kill-server").output();
    }
}

#[test]
fn a_prompt_is_typed_and_answered_on_the_screen() {
    let client = client(&shared().server.url());
    let screen = Screen::start();
    // The server accepts everything while nobody listens: what is shown is asked again until it is there.
    eventually("the interface", || {
        client.call("tui.append_prompt", json!({ "text": "knock-knock" })).unwrap();
        screen.text().contains("knock-knock").then_some(())
    });
    // The answer is spelt in a way that the prompt on the screen does not show.
    let words = r#"tui-prompt. @@[{"text":"shown-on-\u0074he-screen"}]"#;
    client.tui_prompt(words, &CallOptions::default()).unwrap();
    eventually("the answer", || screen.text().contains("shown-on-the-screen").then_some(()));
    let log = shared().model.log();
    let asked =
        log.iter().map(|call| format!("{call:?}")).find(|call| call.contains("tui-prompt."));
    assert!(!asked.unwrap().contains("knock-knock"), "what stood there before is gone");
    let error = client.tui_prompt(" ", &CallOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[test]
fn waiting_for_a_request_ends_in_time() {
    let client = client(&shared().server.url());
    let control = client.tui_control();
    assert_eq!(control.next(Some(Duration::ZERO)).unwrap(), None);
    assert_eq!(control.next(Some(Duration::from_millis(50))).unwrap(), None);
    control.respond("{\"ok\":true}").unwrap();
    assert_eq!(control.respond("{").unwrap_err().kind(), ErrorKind::InvalidArgument);
    client.close();
    assert!(control.next(None).is_err());
}

#[test]
fn closing_ends_a_wait_without_a_limit() {
    let client = client(&shared().server.url());
    let control = client.tui_control();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| control.next(None));
        // Whether it waits already or will: it is closed until it has ended.
        eventually("the end of the wait", || {
            control.close();
            waiting.is_finished().then_some(())
        });
        assert_eq!(waiting.join().unwrap().unwrap_err().kind(), ErrorKind::Cancelled);
    });
    assert_eq!(control.next(Some(Duration::ZERO)).unwrap(), None);
}

#[test]
fn no_request_is_lost_between_two_waits() {
    // The real server queues nothing while a terminal is attached from outside.
    let (sender, receiver) = std::sync::mpsc::channel::<Value>();
    let receiver = std::sync::Mutex::new(receiver);
    let fake = Fake::start(move |_| {
        let item = receiver.lock().unwrap().recv().unwrap();
        Answer::json(200, &item)
    })
    .unwrap();
    let client = client(&fake.url());
    let control = client.tui_control();
    for n in 0..3 {
        assert_eq!(control.next(Some(Duration::ZERO)).unwrap(), None);
        sender.send(json!({ "path": "/tui/x", "body": { "n": n } })).unwrap();
        let next = control.next(Some(opencode_tests::LIMIT)).unwrap().unwrap();
        let next: Value = serde_json::from_str(&next).unwrap();
        assert_eq!(next["body"]["n"], n);
    }
    assert_eq!(fake.requests().len(), 3);
}
