//! How a server comes up, and how it does not.

use super::{options, pid_in, scripted};
use opencode_core::{Client, ClientOptions, ErrorKind, Server, ServerState};
use opencode_tests::{Directory, LIMIT, eventually, is_alive, prompt};
use serde_json::{Value, json};
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

#[test]
fn a_started_server_answers_its_client_and_nobody_else() {
    let server = Server::start(options()).unwrap();
    assert_eq!(server.poll(), ServerState::Ready);
    assert!(server.error().is_none());
    let url = server.url().unwrap();
    assert!(server.output().contains(&format!("listening on {url}")), "{}", server.output());
    let client = server.client().unwrap();
    let reply = client.ask(prompt("Say hello", json!([{"text": "Hello."}]))).unwrap();
    assert_eq!(reply.text, "Hello.");
    let mut stranger = ClientOptions::default();
    stranger.base_url = url;
    let error = Client::new(stranger).unwrap().call("global.health", ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    let pid = server.pid().unwrap();
    assert!(is_alive(pid));
    let secret = &server.environment().unwrap()[2].1;
    let lines = fs::read_dir("/proc").unwrap().flatten();
    let mut lines = lines.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    assert!(!lines.any(|line| String::from_utf8_lossy(&line).contains(secret.as_str())));
    server.close();
    assert!(!Path::new(&format!("/proc/{pid}")).exists(), "it is a zombie");
    assert_eq!(server.poll(), ServerState::Closed);
    assert_eq!(server.client().unwrap_err().kind(), ErrorKind::Closed);
    server.close();
}

#[test]
fn launching_does_not_wait() {
    let server = Server::launch(options()).unwrap();
    assert_eq!(server.poll(), ServerState::Starting);
    let error = server.client().unwrap_err();
    assert!(error.message().contains("still starting"), "{error}");
    assert_eq!(server.wait(Some(Duration::from_millis(1))), ServerState::Starting);
    eventually("the server", || (server.poll() == ServerState::Ready).then_some(()));
    server.client().unwrap().call("global.health", ()).unwrap();
}

#[test]
fn two_servers_do_not_meet() {
    let (one, two) = (Server::launch(options()).unwrap(), Server::launch(options()).unwrap());
    assert_eq!(one.wait(Some(LIMIT)), ServerState::Ready);
    assert_eq!(two.wait(Some(LIMIT)), ServerState::Ready);
    assert_ne!(one.url(), two.url());
    let secret = |server: &Server| server.environment().unwrap()[2].1.clone();
    assert!(secret(&one) != secret(&two) && secret(&one).len() >= 32);
}

#[test]
fn config_environment_and_arguments_reach_the_server() {
    let folder = Directory::new("start").unwrap();
    let file = folder.path().join("seen");
    let mut options = scripted(
        &folder,
        &format!(
            "{{ echo \"$*\"; pwd; env; }} > {0}.new; mv {0}.new {0}; sleep 600",
            file.display()
        ),
    );
    options.directory = Some(folder.path().to_owned());
    options.port = Some(4321);
    options.config = json!({"model": "a/b"}).as_object().cloned();
    options.environment.push(("WANTED".to_owned(), Some("yes".to_owned())));
    options.environment.push(("LANG".to_owned(), None));
    options.arguments = vec!["--pure".to_owned()];
    options.log_level = Some("warn".to_owned());
    options.username = "somebody".to_owned();
    options.password = Some("hunter2".to_owned());
    let server = Server::launch(options).unwrap();
    let seen = eventually("the script", || fs::read_to_string(&file).ok());
    let mut lines = seen.lines();
    let wanted = "serve --hostname 127.0.0.1 --port 4321 --print-logs --log-level WARN --pure";
    assert_eq!(lines.next(), Some(wanted));
    assert_eq!(lines.next(), folder.path().canonicalize().unwrap().to_str());
    for line in [
        "OPENCODE_CONFIG_CONTENT={\"model\":\"a/b\"}",
        "OPENCODE_SERVER_USERNAME=somebody",
        "OPENCODE_SERVER_PASSWORD=hunter2",
        "WANTED=yes",
    ] {
        assert!(seen.lines().any(|seen| seen == line), "{line} in {seen}");
    }
    assert!(!seen.contains("\nLANG="), "{seen}");
    assert!(!format!("{server:?}").contains("hunter2"));
}

#[test]
fn a_directory_and_a_config_of_odd_characters_arrive_as_they_are() {
    const ODD: &str = "a b'\"$(x)`\\;&|<>*?# é😀";
    let folder = Directory::new("start").unwrap();
    let directory = folder.path().canonicalize().unwrap().join(ODD);
    fs::create_dir(&directory).unwrap();
    let mut options = options();
    options.directory = Some(directory.clone());
    options.config = json!({ "username": format!("{ODD}\n\u{1}") }).as_object().cloned();
    options.password = Some(format!("{ODD}:@/"));
    let server = Server::start(options).unwrap();
    let client = server.client().unwrap();
    let paths = client.call("path.get", ()).unwrap().json::<Value>().unwrap();
    assert_eq!(paths["directory"].as_str(), directory.to_str());
    let config = client.call("config.get", ()).unwrap().json::<Value>().unwrap();
    assert_eq!(config["username"], format!("{ODD}\n\u{1}"));
}

#[test]
fn a_config_that_the_system_does_not_pass_on_is_told_where_it_may_go() {
    let folder = Directory::new("start").unwrap();
    let mut options = scripted(&folder, "sleep 600");
    options.config = json!({ "username": "x".repeat(200_000) }).as_object().cloned();
    let error = Server::start(options).unwrap_err();
    assert!(error.message().contains("OPENCODE_CONFIG"), "{error}");
}

#[test]
fn a_missing_program_says_how_to_get_it() {
    let mut options = options();
    options.binary = Some("/no/opencode".into());
    let error = Server::start(options).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Start, Some("missing")));
    assert!(error.message().contains("npm install -g opencode-ai"), "{error}");
}

#[test]
fn a_server_that_ends_says_what_it_printed() {
    let folder = Directory::new("start").unwrap();
    let script = "echo first; i=0; while [ $i -lt 9000 ]; do echo filler $i; i=$((i+1)); done
        echo \"the reason, not $OPENCODE_SERVER_PASSWORD\" >&2; exit 3";
    let mut options = scripted(&folder, script);
    options.password = Some("hunter2".to_owned());
    let error = Server::start(options).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Start, Some("exited")));
    let message = error.message();
    assert!(message.contains("exit status: 3") && message.contains("the reason, not ***"));
    assert!(message.len() < 600 && !message.contains("filler 1 "), "{message}");
    let body = error.body().unwrap();
    assert!(body.len() > 60_000 && body.contains("filler 8000") && !body.contains("hunter2"));
}

#[test]
fn a_server_that_never_answers_is_ended_when_the_time_is_up() {
    let folder = Directory::new("start").unwrap();
    let file = folder.path().join("pid");
    let mut options = scripted(
        &folder,
        &format!("echo waiting; echo $$ > {}; setsid sleep 4321 & sleep 4321", file.display()),
    );
    options.start_timeout = Duration::from_secs(3);
    let error = Server::start(options).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Start, Some("timeout")));
    assert!(error.message().contains("3000 ms") && error.message().contains("waiting"), "{error}");
    // It was closed before the error came.
    assert!(!is_alive(pid_in(&file)));
}

#[test]
fn a_taken_port_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut options = options();
    options.port = Some(port);
    let error = Server::start(options).unwrap_err();
    assert_eq!(error.code(), Some("port"), "{error}: {:?}", error.body());
    assert!(error.message().contains(&port.to_string()), "{error}");
}

#[test]
fn a_hostname_that_is_not_this_machines_is_told_at_once() {
    let folder = Directory::new("start").unwrap();
    // 192.0.2.1 is for documentation.
    for hostname in ["192.0.2.1", "no.such.host.invalid"] {
        let mut options = scripted(&folder, "touch began; sleep 600");
        options.directory = Some(folder.path().to_owned());
        options.hostname = hostname.to_owned();
        let error = Server::start(options).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Start, Some("hostname")), "{error}");
        assert!(error.message().contains(hostname), "{error}");
        assert!(!folder.path().join("began").exists(), "{hostname} was tried");
    }
}

#[test]
fn a_free_port_that_somebody_takes_first_is_replaced() {
    let folder = Directory::new("start").unwrap();
    let real = opencode_tests::binary::path().unwrap();
    let script = format!(
        "cd {} || exit 1; echo \"$@\" >> tries
         if [ ! -e once ]; then : > once; echo 'ServeError: Is port 1 in use?'; exit 1; fi
         exec {} \"$@\"",
        folder.path().display(),
        real.display()
    );
    let server = Server::start(scripted(&folder, &script)).unwrap();
    server.client().unwrap().call("global.health", ()).unwrap();
    let tries = fs::read_to_string(folder.path().join("tries")).unwrap();
    assert_eq!(tries.lines().count(), 2, "{tries}");
}

#[test]
fn a_server_that_dies_is_seen() {
    let server = Server::start(options()).unwrap();
    let client = server.client().unwrap();
    let answer = client.call("path.get", ()).unwrap().json::<Value>().unwrap();
    assert!(answer["directory"].is_string());
    let pid = server.pid().unwrap();
    opencode_tests::kill(pid);
    eventually("the end", || (server.poll() == ServerState::Failed).then_some(()));
    let error = server.error().unwrap();
    assert!(error.kind() == ErrorKind::Start && error.message().contains("signal: 9"), "{error}");
    assert_eq!(server.client().unwrap_err().message(), error.message());
    server.close();
    assert!(!is_alive(pid) && server.pid().is_none());
}
