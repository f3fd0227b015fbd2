//! Sessions that the server takes long to make, or whose run is over when they come.

use super::world::{Place, Way, World};
use super::*;
use opencode_core::ErrorKind;
use std::time::Instant;

fn titled(title: &str) -> Prompt {
    let mut prompt = scripted(title, json!([{ "text": "made" }]));
    prompt.title = Some(title.to_owned());
    prompt
}

fn behind(world: &World, plan: Plan) -> (Proxy, Place<'_>) {
    let proxy = Proxy::start(&world.server().url()).unwrap();
    proxy.hook(move |asked| match asked.is("POST *session") || asked.is("POST *session?*") {
        true => plan,
        false => Plan::pass(),
    });
    let place = world.behind(&proxy.url(), Way::Steady);
    // The first request of a client finds out what its server is.
    place.server().unwrap();
    (proxy, place)
}

#[test]
fn a_session_that_takes_longer_than_a_request_is_made_once() {
    // Longer than any other request of a run may take.
    on_both(|world| {
        let (proxy, client) = behind(world, Plan::pass().stall_answer(0, Duration::from_secs(18)));
        let run = client.run(titled("takes long")).unwrap();
        eventually("it says how long", || run.why().contains("for 5 s").then_some(()));
        assert_eq!(reply(&run).text, "made");
        assert_eq!(world.sessions("takes long"), 1);
        // By one request that was waited for: none was given up and its session looked for.
        let is_search = |asked: &String| asked.contains("session?") && asked.contains("limit=50");
        assert!(!proxy.requests().iter().any(is_search), "{:?}", proxy.requests());
    });
}

#[test]
fn a_session_that_comes_too_late_is_deleted() {
    on_both(|world| {
        // A busy machine may take longer than a short pause to see that it is made.
        let is_cancelled_first = |seconds: &u64| {
            let (title, pause) = (format!("too late {seconds}"), Duration::from_secs(*seconds));
            let (_proxy, client) = behind(world, Plan::pass().stall_answer(0, pause));
            let run = client.run(titled(&title)).unwrap();
            eventually("it is made", || (world.sessions(&title) == 1).then_some(()));
            let came_first = run.session_id().is_some();
            let began = Instant::now();
            run.cancel(LIMIT);
            if came_first || run.session_id().is_some() {
                return false;
            }
            assert_eq!(error(&run).kind(), ErrorKind::Cancelled);
            assert!(began.elapsed() < pause, "{:?}", began.elapsed());
            eventually("it is deleted", || (world.sessions(&title) == 0).then_some(()));
            true
        };
        assert!([3, 12, 48].iter().any(is_cancelled_first));
    });
}

#[test]
fn a_close_does_not_wait_for_a_session() {
    on_both(|world| {
        let (_proxy, client) = behind(world, Plan::pass().stall_answer(0, Duration::from_secs(60)));
        let run = client.run(titled("closed")).unwrap();
        eventually("it is asked for", || (world.sessions("closed") == 1).then_some(()));
        let began = Instant::now();
        // A second for what is not sent, and another for the threads.
        assert!(client.close().is_some(), "its loss is told");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        assert_eq!(error(&run).kind(), ErrorKind::Closed);
    });
}

#[test]
fn a_session_is_made_in_the_directory_that_is_named() {
    steadily(|client| {
        let folder = opencode_tests::Directory::new("run").unwrap();
        let mut prompt = scripted("there", json!([{ "text": "here" }]));
        prompt.directory = Some(folder.path().display().to_string());
        let reply = reply(&client.run(prompt).unwrap());
        let session = json!({ "sessionID": reply.session_id });
        let found = client.world().ask("session.get", "v2.session.get", session);
        let directory = folder.path().canonicalize().unwrap().display().to_string();
        let of_two = &found["location"]["directory"];
        assert_eq!(client.word(&found["directory"], of_two), directory.as_str());
        let mut prompt = Prompt::new("x");
        prompt.directory = Some("/no/such/folder".to_owned());
        let error = error(&client.run(prompt).unwrap());
        assert!(error.message().contains("/no/such/folder"), "{error}");
    });
}

#[test]
fn a_directory_that_1_x_would_misread_is_one_as_any_other() {
    steadily(|place| {
        let folder = opencode_tests::Directory::new("odd").unwrap();
        let odd = folder.path().join("50%25 ä");
        std::fs::create_dir(&odd).unwrap();
        let mut prompt = scripted("odd", json!([{ "text": "there" }]));
        prompt.directory = Some(odd.display().to_string());
        // By a client that does not know its server yet.
        assert_eq!(reply(&place.world().client().run(prompt).unwrap()).text, "there");
    });
}

#[test]
fn a_directory_that_the_server_would_misread_is_refused() {
    on_both(|world| {
        let parent = opencode_tests::Directory::new("misread").unwrap();
        for name in ["r%20s", "r s", "100%"] {
            std::fs::create_dir(parent.path().join(name)).unwrap();
        }
        let at = |name: &str| parent.path().join(name).display().to_string();
        let proxy = Proxy::start(&world.server().url()).unwrap();
        let client = Client::new(options(world.server(), &proxy.url())).unwrap();
        let mut prompt = scripted("misread", json!([{ "text": "never" }]));
        prompt.directory = Some(at("r%20s"));
        let failed = error(&client.run(prompt.clone()).unwrap());
        let given = json!({ "directory": at("r%20s") });
        let refused = client.call("session.create", given).unwrap_err();
        // Nor is anything done by hand in a session that is there, by a call or a client of that directory.
        let mut there = options(world.server(), &proxy.url());
        there.directory = Some(at("r%20s"));
        let there = Client::new(there).unwrap();
        let ask = |client: &Client, name: &str, more: Value| {
            let mut arguments = json!({ "sessionID": "ses_1" });
            more.as_object().unwrap().iter().for_each(|(k, v)| arguments[k] = v.clone());
            client.call(name, arguments).unwrap_err()
        };
        let parts = json!({ "parts": [{ "type": "text", "text": "x" }] });
        let shell = json!({ "agent": "build", "command": "pwd", "directory": at("r%20s") });
        let errors = [
            failed,
            refused,
            ask(&client, "session.shell", shell),
            ask(&there, "session.prompt", parts.clone()),
            ask(&there, "session.prompt_async", parts),
            ask(&there, "session.revert", json!({ "messageID": "msg_1" })),
        ];
        for error in &errors {
            let found = (error.kind(), error.is_sent());
            assert_eq!(found, (ErrorKind::InvalidArgument, false), "{error}");
            assert!(error.message().contains(&format!("'{}'", at("r s"))), "{error}");
        }
        assert!(!proxy.requests().iter().any(|asked| asked.starts_with("POST")));
        // What cannot be decoded stays what it is.
        prompt.directory = Some(at("100%"));
        let run = client.run(prompt).unwrap();
        assert_eq!(reply(&run).text, "never");
    });
}
